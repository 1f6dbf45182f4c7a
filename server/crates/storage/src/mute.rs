//! Checks of datasets that are muted for a while.

use chrono::{DateTime, Utc};
use millrace_domain::ids::{AccountId, DatasetId};
use millrace_domain::schema::Severity;

use crate::Result;
use crate::database::Connection;
use crate::record::{self, values};

/// A check that is to be muted.
#[derive(Debug)]
pub struct NewMute<'a> {
    /// The dataset.
    pub dataset: DatasetId,
    /// The check.
    pub check: &'a str,
    /// The column or feature that it is about.
    pub column: Option<&'a str>,
    /// What it means when it does not hold.
    pub severity: Severity,
    /// Why.
    pub reason: &'a str,
    /// Who.
    pub by: AccountId,
    /// From then on it is pointed at again.
    pub until: DateTime<Utc>,
}

/// Mutes a check in place of what muted it before.
///
/// # Errors
/// When the database fails.
pub async fn insert(db: &impl Connection, mute: &NewMute<'_>, now: DateTime<Utc>) -> Result<i64> {
    // Two who mute the same at once come one after the other.
    const LOCK: &str = "select id from dataset where id = $1 for update";
    record::one::<i64>(db, LOCK, values![mute.dataset.0]).await?;
    const LIFT: &str = "update check_mute set lifted_by = $4, lifted_at = $5
        where dataset_id = $1 and check_name = $2 and column_name is not distinct from $3 and lifted_at is null";
    record::execute(db, LIFT, values![mute.dataset.0, mute.check, mute.column.map(str::to_owned), mute.by.0, now])
        .await?;
    const SQL: &str = "insert into check_mute
            (dataset_id, check_name, column_name, severity, reason, muted_by, muted_at, until)
        values ($1, $2, $3, $4, $5, $6, $7, $8) returning id";
    let stored = values![
        mute.dataset.0,
        mute.check,
        mute.column.map(str::to_owned),
        mute.severity.as_str(),
        mute.reason,
        mute.by.0,
        now,
        mute.until
    ];
    record::one(db, SQL, stored).await
}

/// Ends a mute; whether there was one to end.
///
/// # Errors
/// When the database fails.
pub async fn lift(
    db: &impl Connection,
    dataset: DatasetId,
    id: i64,
    by: AccountId,
    now: DateTime<Utc>,
) -> Result<bool> {
    const SQL: &str = "update check_mute set lifted_by = $3, lifted_at = $4
        where dataset_id = $1 and id = $2 and lifted_at is null";
    record::execute(db, SQL, values![dataset.0, id, by.0, now]).await.map(|rows| rows > 0)
}
