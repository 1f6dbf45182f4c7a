//! How reading business metrics by their queries stands.

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::ids::ProblemId;

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// How reading a metric stands.
#[derive(Debug, Clone)]
pub struct Look {
    /// When it was read.
    pub looked_at: Option<DateTime<Utc>>,
    /// The end of the newest window whose value was held against the limit.
    pub until: Option<DateTime<Utc>>,
    /// Why the last look came to nothing, if it did.
    pub error: Option<String>,
}

impl Record for Look {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self { looked_at: row.get("looked_at")?, until: row.get("until")?, error: row.get("error")? })
    }
}

/// Which metric is to be read.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The problem.
    pub problem: ProblemId,
    /// What is read.
    pub digest: &'a Digest,
    /// When that was signed.
    pub signed_at: Option<DateTime<Utc>>,
}

/// Takes the next look at a metric, if it is due: nobody else takes it then. Gives since when it has been read in the same way, and the
/// end of the newest window that was held against the limit. What is read in another way than before is due at once.
///
/// # Errors
/// When the database fails.
pub async fn claim(
    db: &impl Connection,
    terms: Terms<'_>,
    now: DateTime<Utc>,
    next_at: DateTime<Utc>,
) -> Result<Option<(Option<DateTime<Utc>>, Option<DateTime<Utc>>)>> {
    struct Claimed(Option<DateTime<Utc>>, Option<DateTime<Utc>>);
    impl Record for Claimed {
        fn read(row: &Row) -> Result<Self> {
            Ok(Self(row.get("since")?, row.get("until")?))
        }
    }
    const SQL: &str = "insert into business_look as b (problem_id, terms, since, next_at) values ($1, $2, $3, $5)
        on conflict (problem_id) do update set next_at = excluded.next_at, terms = excluded.terms,
            since = case when b.terms = excluded.terms then b.since else excluded.since end,
            error = case when b.terms = excluded.terms then b.error end
        where b.next_at <= $4 or b.terms <> excluded.terms returning since, until";
    let bound = values![terms.problem.0, record::bytes(terms.digest), terms.signed_at, now, next_at];
    let claimed: Option<Claimed> = record::optional(db, SQL, bound).await?;
    Ok(claimed.map(|Claimed(since, until)| (since, until)))
}

/// Notes that a look came to nothing, and why.
///
/// # Errors
/// When the database fails.
pub async fn failed(db: &impl Connection, problem: ProblemId, now: DateTime<Utc>, error: &str) -> Result<()> {
    const SQL: &str = "update business_look set looked_at = $2, error = $3 where problem_id = $1";
    record::execute(db, SQL, values![problem.0, now, error]).await.map(|_| ())
}

/// Notes that the values of windows were read, and up to which window they were held against the limit.
///
/// # Errors
/// When the database fails.
pub async fn looked(
    db: &impl Connection,
    problem: ProblemId,
    now: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
) -> Result<()> {
    const SQL: &str = "update business_look set looked_at = $2, until = greatest(until, $3), error = null
        where problem_id = $1";
    record::execute(db, SQL, values![problem.0, now, until]).await.map(|_| ())
}

/// How reading the metric of a problem stands; none before it was read for the first time.
///
/// # Errors
/// When the database fails.
pub async fn find(db: &impl Connection, problem: ProblemId) -> Result<Option<Look>> {
    record::optional(db, "select * from business_look where problem_id = $1", values![problem.0]).await
}
