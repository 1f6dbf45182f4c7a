//! Audits of parity: whether answers, computed again as training does, come to the same bits.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use millrace_domain::ids::ModelVersionId;
use serde_json::json;

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

/// Those of some versions that have answered since they were last looked at, in answers that were complete `before`, each with the
/// transaction from which on they were not looked at. Index: prediction_tx.
///
/// # Errors
/// When the database fails.
pub async fn unseen(
    db: &impl Connection,
    versions: impl Iterator<Item = ModelVersionId>,
    before: &str,
) -> Result<HashMap<ModelVersionId, String>> {
    struct Unseen(ModelVersionId, String);
    impl Record for Unseen {
        fn read(row: &Row) -> Result<Self> {
            Ok(Self(ModelVersionId(row.get("version")?), row.get("seen")?))
        }
    }
    const SQL: &str =
        "select a.version, a.seen::text as seen from (select v.version, coalesce((select p.until_tx from parity_audit p
                where p.model_version_id = v.version order by p.id desc limit 1), '0'::xid8) as seen
            from (select e::bigint as version from jsonb_array_elements_text($1) e) v offset 0) a
        where exists (select 1 from prediction p
            where p.model_version_id = a.version and p.tx >= a.seen and p.tx < $2::text::xid8)";
    let versions: Vec<i64> = versions.map(|version| version.0).collect();
    let unseen: Vec<Unseen> = record::all(db, SQL, values![json!(versions), before]).await?;
    Ok(unseen.into_iter().map(|Unseen(version, seen)| (version, seen)).collect())
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
