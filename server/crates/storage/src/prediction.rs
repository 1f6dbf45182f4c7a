//! The prediction log and reported outcomes.

use chrono::{DateTime, Utc};
use millrace_domain::ids::{ModelVersionId, ProblemId};
use sea_orm::prelude::Uuid;

use crate::Result;
use crate::database::Connection;
use crate::record::{self, values};

/// One answered prediction.
#[derive(Debug, Clone)]
pub struct Prediction {
    /// Given to the caller.
    pub id: Uuid,
    /// The version that answered.
    pub model_version: ModelVersionId,
    /// Generation of the routing table it was live in.
    pub generation: i64,
    /// The entity it is about.
    pub entity: Option<String>,
    /// The instance as sent.
    pub inputs: serde_json::Value,
    /// The answer as given.
    pub output: serde_json::Value,
    /// When the event was.
    pub event_time: Option<DateTime<Utc>>,
    /// When it was answered.
    pub predicted_at: DateTime<Utc>,
}

/// Writes a batch in one statement.
///
/// # Errors
/// When the database fails; nothing of the batch is then written.
pub async fn insert_all(db: &impl Connection, batch: &[Prediction]) -> Result<u64> {
    const SQL: &str = "insert into prediction
            (id, model_version_id, generation, entity, inputs, output, event_time, predicted_at)
        select * from jsonb_to_recordset($1) as p(id uuid, model_version_id bigint, generation bigint, entity text,
            inputs jsonb, output jsonb, event_time timestamptz, predicted_at timestamptz)
        on conflict (id) do nothing";
    let rows: Vec<serde_json::Value> = batch
        .iter()
        .map(|prediction| {
            serde_json::json!({
                "id": prediction.id, "model_version_id": prediction.model_version.0,
                "generation": prediction.generation, "entity": prediction.entity,
                "inputs": prediction.inputs, "output": prediction.output,
                "event_time": prediction.event_time, "predicted_at": prediction.predicted_at,
            })
        })
        .collect();
    record::execute(db, SQL, values![serde_json::Value::Array(rows)]).await
}

/// How storing an outcome ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is new.
    Accepted,
    /// An outcome of that prediction was known before; the first one stays.
    Late,
    /// No prediction of that problem has that id.
    Unknown,
}

/// Stores the outcome of one of a problem's predictions.
///
/// # Errors
/// When the database fails.
pub async fn insert_outcome(
    db: &impl Connection,
    problem: ProblemId,
    id: Uuid,
    label: &serde_json::Value,
    observed_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Stored> {
    const KNOWN: &str = "select count(*) from prediction p join model_version m on m.id = p.model_version_id
        where p.id = $1 and m.problem_id = $2";
    if record::one::<i64>(db, KNOWN, values![id, problem.0]).await? == 0 {
        return Ok(Stored::Unknown);
    }
    const SQL: &str = "insert into outcome (prediction_id, label, observed_at, received_at) values ($1, $2, $3, $4)
        on conflict (prediction_id) do nothing";
    let written = record::execute(db, SQL, values![id, label.clone(), observed_at, now]).await?;
    Ok(if written == 1 { Stored::Accepted } else { Stored::Late })
}

/// How many predictions a version has answered, and how many of them have an outcome.
///
/// # Errors
/// When the database fails.
pub async fn counts(db: &impl Connection, version: ModelVersionId) -> Result<(i64, i64)> {
    const ANSWERED: &str = "select count(*) from prediction where model_version_id = $1";
    const KNOWN: &str = "select count(*) from outcome o join prediction p on p.id = o.prediction_id
        where p.model_version_id = $1";
    let answered = record::one(db, ANSWERED, values![version.0]).await?;
    Ok((answered, record::one(db, KNOWN, values![version.0]).await?))
}
