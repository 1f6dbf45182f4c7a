//! Names that point at versions of a model.

use chrono::{DateTime, Utc};
use millrace_domain::ids::{AccountId, ModelVersionId, ProblemId};
use millrace_domain::view::AliasMove;

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// A move of an alias.
#[derive(Debug)]
pub struct Moved {
    /// The alias.
    pub name: String,
    /// Where it went.
    pub what: AliasMove,
}

impl Record for Moved {
    fn read(row: &Row) -> Result<Self> {
        let what = AliasMove {
            version: row.get("number")?,
            previous: row.get("previous")?,
            by: row.get("by_name")?,
            reason: row.get("reason")?,
            at: row.get("moved_at")?,
        };
        Ok(Self { name: row.get("name")?, what })
    }
}

/// Moves an alias to a version, or takes it away. The caller holds the problem's lock.
///
/// # Errors
/// When the database fails or its schema refuses it.
pub async fn insert(
    db: &impl Connection,
    problem: ProblemId,
    name: &str,
    version: Option<ModelVersionId>,
    by: (AccountId, &str),
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "insert into model_alias_move (problem_id, name, model_version_id, account_id, reason, moved_at)
        values ($1, $2, $3, $4, $5, $6)";
    let stored = values![problem.0, name, version.map(|id| id.0), by.0.0, by.1, now];
    record::execute(db, SQL, stored).await.map(|_| ())
}

/// The newest 100 moves of each of a model's aliases by name, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn moves(db: &impl Connection, slug: &str) -> Result<Vec<Moved>> {
    const SQL: &str = "select name, number, by_name, reason, moved_at, previous from (
            select a.id, a.name, m.number, b.name as by_name, a.reason, a.moved_at,
                lag(m.number) over (partition by a.name order by a.id) as previous,
                row_number() over (partition by a.name order by a.id desc) as place
            from model_alias_move a join problem p on p.id = a.problem_id join account b on b.id = a.account_id
            left join model_version m on m.id = a.model_version_id
            where p.slug = $1) moves
        where place <= 100 order by name, id desc";
    record::all(db, SQL, values![slug]).await
}
