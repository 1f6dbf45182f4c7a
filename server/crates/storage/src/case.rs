//! Regression cases of a problem.

use chrono::{DateTime, Utc};
use millrace_domain::case::{Case, NewCase};
use millrace_domain::ids::{AccountId, ProblemId};
use sea_orm::prelude::Uuid;
use serde_json::json;

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

impl Record for Case {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get::<i64>("id")?.to_string(),
            name: row.get("name")?,
            instance: row.json("instance")?,
            expect: row.json("expect")?,
            prediction: row.get::<Option<Uuid>>("prediction_id")?.map(|id| id.to_string()),
            by: row.get("by_name")?,
            at: row.get("created_at")?,
        })
    }
}

/// Keeps a case. The caller holds the problem's lock.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    db: &impl Connection,
    problem: ProblemId,
    case: &NewCase,
    prediction: Option<Uuid>,
    by: AccountId,
    now: DateTime<Utc>,
) -> Result<i64> {
    const SQL: &str = "insert into regression_case
            (problem_id, name, instance, expect, prediction_id, account_id, created_at)
        values ($1, $2, $3, $4, $5, $6, $7) returning id";
    let stored = values![problem.0, case.name.trim(), json!(case.instance), json!(case.expect), prediction, by.0, now];
    record::one(db, SQL, stored).await
}

/// The cases of a problem that are not retired, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &impl Connection, slug: &str) -> Result<Vec<Case>> {
    const SQL: &str = "select c.*, a.name as by_name from regression_case c
        join problem p on p.id = c.problem_id join account a on a.id = c.account_id
        where p.slug = $1 and c.retired_at is null order by c.id desc limit 10000";
    record::all(db, SQL, values![slug]).await
}

/// How many there are that are not retired, and how many that are.
///
/// # Errors
/// When the database fails.
pub async fn count(db: &impl Connection, problem: ProblemId) -> Result<(u64, u64)> {
    const OPEN: &str = "select count(*) from regression_case where problem_id = $1 and retired_at is null";
    const RETIRED: &str = "select count(*) from regression_case where problem_id = $1 and retired_at is not null";
    let open: i64 = record::one(db, OPEN, values![problem.0]).await?;
    let retired: i64 = record::one(db, RETIRED, values![problem.0]).await?;
    Ok((open.unsigned_abs(), retired.unsigned_abs()))
}

/// Holds a case against no version any more; false when there is none that is not retired.
///
/// # Errors
/// When the database fails.
pub async fn retire(
    db: &impl Connection,
    slug: &str,
    id: i64,
    by: AccountId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    const SQL: &str = "update regression_case c set retired_by = $3, retired_for = $4, retired_at = $5
        from problem p where p.id = c.problem_id and p.slug = $1 and c.id = $2 and c.retired_at is null";
    Ok(record::execute(db, SQL, values![slug, id, by.0, reason, now]).await? > 0)
}
