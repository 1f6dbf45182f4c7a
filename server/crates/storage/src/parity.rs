//! Audits of parity: whether answers, computed again as training does, come to the same bits.

use chrono::{DateTime, Utc};
use millrace_domain::ids::ModelVersionId;

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// One look at answers of a version.
#[derive(Debug, Clone)]
pub struct ParityAudit {
    /// When.
    pub checked_at: DateTime<Utc>,
    /// Answers that were computed again.
    pub compared: i32,
    /// Answers of which any bit differed.
    pub differing: i32,
    /// What differed in the first of them.
    pub examples: serde_json::Value,
    /// Answers before this transaction were looked at.
    pub until_tx: String,
}

impl Record for ParityAudit {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            checked_at: row.get("checked_at")?,
            compared: row.get("compared")?,
            differing: row.get("differing")?,
            examples: row.get("examples")?,
            until_tx: row.get("until_tx")?,
        })
    }
}

macro_rules! select_audit {
    ($rest:literal) => {
        concat!(
            "select checked_at, compared, differing, examples, until_tx::text as until_tx from parity_audit
             where model_version_id = $1 ",
            $rest
        )
    };
}

/// Records a look.
///
/// # Errors
/// When the database fails.
pub async fn insert(db: &impl Connection, version: ModelVersionId, audit: &ParityAudit) -> Result<()> {
    const SQL: &str = "insert into parity_audit (model_version_id, checked_at, compared, differing, examples, until_tx)
        values ($1, $2, $3, $4, $5, $6::text::xid8)";
    let stored = values![
        version.0,
        audit.checked_at,
        audit.compared,
        audit.differing,
        audit.examples.clone(),
        audit.until_tx.as_str()
    ];
    record::execute(db, SQL, stored).await.map(|_| ())
}

/// The last look at a version.
///
/// # Errors
/// When the database fails.
pub async fn last(db: &impl Connection, version: ModelVersionId) -> Result<Option<ParityAudit>> {
    record::optional(db, select_audit!("order by id desc limit 1"), values![version.0]).await
}

/// The last look at which an answer of the version differed.
///
/// # Errors
/// When the database fails.
pub async fn last_broken(db: &impl Connection, version: ModelVersionId) -> Result<Option<ParityAudit>> {
    record::optional(db, select_audit!("and differing > 0 order by id desc limit 1"), values![version.0]).await
}

/// How many answers of a version were ever computed again, and how many of them differed.
///
/// # Errors
/// When the database fails.
pub async fn totals(db: &impl Connection, version: ModelVersionId) -> Result<(i64, i64)> {
    const COMPARED: &str = "select coalesce(sum(compared), 0)::bigint from parity_audit where model_version_id = $1";
    const DIFFERING: &str = "select coalesce(sum(differing), 0)::bigint from parity_audit where model_version_id = $1";
    let compared = record::one(db, COMPARED, values![version.0]).await?;
    Ok((compared, record::one(db, DIFFERING, values![version.0]).await?))
}
