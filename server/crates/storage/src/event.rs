//! Live events: what pages follow while a load or a run is under way.

use chrono::{DateTime, Utc};

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Rises with every event.
    pub id: i64,
    /// `dataset`, `run`, `rehearsal`, `problem` or `deployment`.
    pub subject_kind: String,
    /// The subject.
    pub subject_id: i64,
    /// What happened, for example `progress`.
    pub kind: String,
    /// What else is known.
    pub payload: serde_json::Value,
    /// When.
    pub at: DateTime<Utc>,
}

impl Record for Event {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            subject_kind: row.get("subject_kind")?,
            subject_id: row.get("subject_id")?,
            kind: row.get("kind")?,
            payload: row.get("payload")?,
            at: row.get("at")?,
        })
    }
}

/// Tells listeners; they see it when the transaction commits.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    db: &impl Connection,
    subject_kind: &str,
    subject_id: i64,
    kind: &str,
    payload: serde_json::Value,
) -> Result<()> {
    const SQL: &str = "insert into event (subject_kind, subject_id, kind, payload) values ($1, $2, $3, $4)";
    record::execute(db, SQL, values![subject_kind, subject_id, kind, payload]).await.map(|_| ())
}

/// Tells listeners of several subjects of a kind.
///
/// # Errors
/// When the database fails.
pub async fn insert_all(
    db: &impl Connection,
    subject_kind: &str,
    kind: &str,
    told: impl Iterator<Item = (i64, serde_json::Value)>,
) -> Result<()> {
    const SQL: &str = "insert into event (subject_kind, subject_id, kind, payload)
        select $1, e.id, $2, e.payload from jsonb_to_recordset($3) as e(id bigint, payload jsonb)";
    let told: Vec<_> = told.map(|(id, payload)| serde_json::json!({ "id": id, "payload": payload })).collect();
    record::execute(db, SQL, values![subject_kind, kind, serde_json::json!(told)]).await.map(|_| ())
}

/// Events after `after`, oldest first, at most 500; of one subject if given.
///
/// # Errors
/// When the database fails.
pub async fn after(db: &impl Connection, after: i64, subject: Option<(&str, i64)>) -> Result<Vec<Event>> {
    const SQL: &str = "select * from event
        where id > $1 and ($2::text is null or (subject_kind = $2 and subject_id = $3)) order by id limit 500";
    let (kind, id) = subject.unzip();
    record::all(db, SQL, values![after, kind.map(str::to_owned), id]).await
}

/// Id of the newest event, 0 when there is none.
///
/// # Errors
/// When the database fails.
pub async fn newest(db: &impl Connection) -> Result<i64> {
    record::one(db, "select coalesce(max(id), 0) from event", values![]).await
}
