//! How reading business metrics by their queries stands.

use chrono::{DateTime, Utc};
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

/// Takes the next look at a metric, if it is due: nobody else takes it then.
///
/// # Errors
/// When the database fails.
pub async fn claim(
    db: &impl Connection,
    problem: ProblemId,
    now: DateTime<Utc>,
    next_at: DateTime<Utc>,
) -> Result<bool> {
    const SQL: &str = "insert into business_look (problem_id, next_at) values ($1, $3)
        on conflict (problem_id) do update set next_at = excluded.next_at where business_look.next_at <= $2";
    Ok(record::execute(db, SQL, values![problem.0, now, next_at]).await? == 1)
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
