//! What feeds datasets: reading it ([`Places`]), and how each source stands.

mod files;
mod place;
mod query;
mod web;

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::ids::{DatasetVersionId, ProblemId};

pub use files::Wanted;
pub use place::{Found, Place, Places, SourceError};

use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// How a source stands.
#[derive(Debug, Clone)]
pub struct Look {
    /// The dataset that it feeds.
    pub dataset: String,
    /// When it is looked at next.
    pub next_at: DateTime<Utc>,
    /// When it was looked at.
    pub looked_at: Option<DateTime<Utc>>,
    /// By which the last content is known again.
    pub fingerprint: Option<String>,
    /// Why the last look came to nothing, if it did.
    pub error: Option<String>,
    /// The version that was loaded last.
    pub loaded: Option<i64>,
}

impl Record for Look {
    fn read(row: &Row) -> crate::Result<Self> {
        Ok(Self {
            dataset: row.get("dataset_name")?,
            next_at: row.get("next_at")?,
            looked_at: row.get("looked_at")?,
            fingerprint: row.get("fingerprint")?,
            error: row.get("error")?,
            loaded: row.get("dataset_version_id")?,
        })
    }
}

/// Takes the next look at a source, if it is due: nobody else takes it then. A source that reads on changed terms is due at
/// once, and nothing of it is known.
///
/// # Errors
/// When the database fails.
pub async fn claim(
    db: &impl Connection,
    problem: ProblemId,
    dataset: &str,
    terms: &Digest,
    now: DateTime<Utc>,
    next_at: DateTime<Utc>,
) -> crate::Result<Option<Look>> {
    const ENSURE: &str = "insert into source_look (problem_id, dataset_name, terms, next_at) values ($1, $2, $3, $4)
        on conflict (problem_id, dataset_name) do update
            set terms = excluded.terms, next_at = excluded.next_at, fingerprint = null, error = null
            where source_look.terms <> excluded.terms";
    record::execute(db, ENSURE, values![problem.0, dataset, record::bytes(terms), now]).await?;
    const TAKE: &str =
        "update source_look set next_at = $4 where problem_id = $1 and dataset_name = $2 and next_at <= $3
        returning *";
    record::optional(db, TAKE, values![problem.0, dataset, now, next_at]).await
}

/// Records how a look ended.
///
/// # Errors
/// When the database fails.
pub async fn looked(
    db: &impl Connection,
    problem: ProblemId,
    dataset: &str,
    now: DateTime<Utc>,
    ended: Result<Option<(&str, DatasetVersionId)>, &str>,
) -> crate::Result<()> {
    const NOTHING: &str =
        "update source_look set looked_at = $3, error = $4 where problem_id = $1 and dataset_name = $2";
    const LOADED: &str =
        "update source_look set looked_at = $3, error = null, fingerprint = $4, dataset_version_id = $5
        where problem_id = $1 and dataset_name = $2";
    match ended {
        Ok(Some((fingerprint, version))) => {
            record::execute(db, LOADED, values![problem.0, dataset, now, fingerprint, version.0]).await?
        }
        Ok(None) => record::execute(db, NOTHING, values![problem.0, dataset, now, None::<String>]).await?,
        Err(error) => record::execute(db, NOTHING, values![problem.0, dataset, now, Some(error.to_owned())]).await?,
    };
    Ok(())
}

/// Has a source looked at again at that time.
///
/// # Errors
/// When the database fails.
pub async fn look_again(
    db: &impl Connection,
    problem: ProblemId,
    dataset: &str,
    at: DateTime<Utc>,
) -> crate::Result<()> {
    const SQL: &str = "update source_look set next_at = least(next_at, $3) where problem_id = $1 and dataset_name = $2";
    record::execute(db, SQL, values![problem.0, dataset, at]).await.map(|_| ())
}

/// How the sources of a problem stand.
///
/// # Errors
/// When the database fails.
pub async fn looks(db: &impl Connection, problem: ProblemId) -> crate::Result<Vec<Look>> {
    record::all(db, "select * from source_look where problem_id = $1 order by dataset_name", values![problem.0]).await
}
