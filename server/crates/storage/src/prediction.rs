//! The prediction log and reported outcomes.

use chrono::{DateTime, Utc};
use millrace_domain::ids::{ModelVersionId, ProblemId, RolloutId};
use millrace_domain::rollout::Arm;
use sea_orm::prelude::Uuid;

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

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
    /// What it was joined to: the cells, and as of what.
    pub joined: Option<serde_json::Value>,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// The rollout under way, its step, and the side that the unit is on.
    pub trial: Option<(RolloutId, i32, Arm)>,
}

/// Writes a batch in one statement: this is the one that every prediction pays for. Columns are bound as arrays, which Postgres takes apart at
/// less than half the cost of one document of rows. No array that is bound holds nulls, so what may be absent has a word for that: an empty
/// text, or 0 where numbers begin at 1.
///
/// # Errors
/// When the database fails; nothing of the batch is then written.
pub async fn insert_all(db: &impl Connection, batch: &[&Prediction]) -> Result<u64> {
    const SQL: &str = "insert into prediction
            (id, model_version_id, generation, entity, inputs, output, event_time, predicted_at, joined,
             micros, rollout_id, step, arm)
        select id, version, generation, substr(nullif(entity, ''), 2), inputs::json, output::json, nullif(event_time, '')::timestamptz,
            predicted_at, nullif(joined, '')::json, micros, nullif(rollout, 0), case when rollout > 0 then step end, nullif(arm, '')
        from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::text[],
            $10::int[], $11::bigint[], $12::int[], $13::text[])
            as p(id, version, generation, entity, inputs, output, event_time, predicted_at, joined, micros, rollout, step, arm)
        on conflict (id) do nothing";
    fn column<T>(batch: &[&Prediction], cell: impl Fn(&Prediction) -> T) -> Vec<T> {
        batch.iter().map(|prediction| cell(prediction)).collect()
    }
    let values = values![
        column(batch, |p| p.id),
        column(batch, |p| p.model_version.0),
        column(batch, |p| p.generation),
        // An entity may be named by an empty text.
        column(batch, |p| p.entity.as_ref().map(|entity| format!("={entity}")).unwrap_or_default()),
        column(batch, |p| p.inputs.to_string()),
        column(batch, |p| p.output.to_string()),
        column(batch, |p| p.event_time.map(|at| at.to_rfc3339()).unwrap_or_default()),
        column(batch, |p| p.predicted_at),
        column(batch, |p| p.joined.as_ref().map(ToString::to_string).unwrap_or_default()),
        column(batch, |p| i32::try_from(p.micros).unwrap_or(i32::MAX)),
        column(batch, |p| p.trial.map_or(0, |(rollout, _, _)| rollout.0)),
        column(batch, |p| p.trial.map_or(0, |(_, step, _)| step)),
        column(batch, |p| p.trial.map_or("", |(_, _, arm)| arm.as_str()).to_owned()),
    ];
    record::execute(db, SQL, values).await
}

/// A place in the log: transactions come in the order in which others could see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPlace {
    /// The transaction.
    pub tx: String,
    /// The prediction.
    pub id: Uuid,
}

/// A logged request.
#[derive(Debug, Clone)]
pub struct Logged {
    /// Where in the log.
    pub place: LogPlace,
    /// The instance as sent.
    pub inputs: serde_json::Value,
    /// Its own time: that of the event, else when it was answered.
    pub time: DateTime<Utc>,
}

impl Record for Logged {
    fn read(row: &Row) -> Result<Self> {
        let place = LogPlace { tx: row.get("tx")?, id: row.get("id")? };
        Ok(Self { place, inputs: row.get("inputs")?, time: row.get("at")? })
    }
}

/// A transaction before which the log is complete: nothing can be added there any more.
///
/// # Errors
/// When the database fails.
pub async fn complete_before(db: &impl Connection) -> Result<String> {
    struct Text(String);
    impl Record for Text {
        fn read(row: &Row) -> Result<Self> {
            row.get("xmin").map(Self)
        }
    }
    let text: Text = record::one(db, "select pg_snapshot_xmin(pg_current_snapshot())::text as xmin", values![]).await?;
    Ok(text.0)
}

/// Which part of the log to read.
#[derive(Debug, Clone)]
pub struct Stretch<'a> {
    /// The problem.
    pub problem: ProblemId,
    /// After this place; from the beginning when none.
    pub after: Option<&'a LogPlace>,
    /// Before this transaction.
    pub before: &'a str,
    /// Only requests about a later time, if one is given.
    pub later_than: Option<DateTime<Utc>>,
    /// At most so many.
    pub limit: i64,
}

/// Requests of a problem in the order of the log. Indexes: prediction_tx, prediction_time.
///
/// # Errors
/// When the database fails.
pub async fn stretch(db: &impl Connection, part: &Stretch<'_>) -> Result<Vec<Logged>> {
    const SQL: &str = "select p.tx::text as tx, p.id, p.inputs, coalesce(p.event_time, p.predicted_at) as at
        from prediction p join model_version m on m.id = p.model_version_id
        where m.problem_id = $1 and p.tx < $2::text::xid8
          and ($3::timestamptz is null or coalesce(p.event_time, p.predicted_at) > $3)
          and p.tx >= $4::text::xid8 and (p.tx > $4::text::xid8 or p.id > $5)
        order by p.tx, p.id limit $6";
    let (tx, id) = part.after.map_or(("0", Uuid::nil()), |place| (place.tx.as_str(), place.id));
    record::all(db, SQL, values![part.problem.0, part.before, part.later_than, tx, id, part.limit]).await
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

/// How many predictions a version has answered, of the `most` newest, and how many of these have an outcome: whoever waits for it waits for
/// no log of millions. Index: prediction_version.
///
/// # Errors
/// When the database fails.
pub async fn counts(db: &impl Connection, version: ModelVersionId, most: i64) -> Result<(i64, i64)> {
    struct Counts((i64, i64));
    impl Record for Counts {
        fn read(row: &Row) -> Result<Self> {
            Ok(Self((row.get("answered")?, row.get("known")?)))
        }
    }
    const SQL: &str = "select count(*) as answered, count(o.prediction_id) as known
        from (select id from prediction where model_version_id = $1 order by predicted_at desc limit $2) p
        left join lateral (select o.prediction_id from outcome o where o.prediction_id = p.id offset 0) o on true";
    record::one::<Counts>(db, SQL, values![version.0, most]).await.map(|counts| counts.0)
}

/// An answer that can be computed again.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Where in the log.
    pub place: LogPlace,
    /// The instance as sent.
    pub inputs: serde_json::Value,
    /// The answer as given.
    pub output: serde_json::Value,
    /// What it was joined to.
    pub joined: Option<serde_json::Value>,
    /// Its own time: that of the event, else when it was answered.
    pub time: DateTime<Utc>,
}

impl Record for Answered {
    fn read(row: &Row) -> Result<Self> {
        let place = LogPlace { tx: row.get("tx")?, id: row.get("id")? };
        Ok(Self {
            place,
            inputs: row.get("inputs")?,
            output: row.get("output")?,
            joined: row.get("joined")?,
            time: row.get("at")?,
        })
    }
}

/// What the newest answer of a version was joined to.
///
/// # Errors
/// When the database fails.
pub async fn last_joined(db: &impl Connection, version: ModelVersionId) -> Result<Option<serde_json::Value>> {
    struct Joined(serde_json::Value);
    impl Record for Joined {
        fn read(row: &Row) -> Result<Self> {
            row.get("joined").map(Self)
        }
    }
    // A version joins all that it is asked, or nothing.
    const SQL: &str = "select joined from (select joined, predicted_at from prediction where model_version_id = $1
            order by predicted_at desc limit 100) newest
        where joined is not null order by predicted_at desc limit 1";
    Ok(record::optional::<Joined>(db, SQL, values![version.0]).await?.map(|found| found.0))
}

/// The versions of which answers were logged from one transaction on and before another. Index: prediction_tx.
///
/// # Errors
/// When the database fails.
pub async fn answered_between(db: &impl Connection, from: &str, before: &str) -> Result<Vec<ModelVersionId>> {
    const SQL: &str = "select distinct model_version_id from prediction
        where tx >= $1::text::xid8 and tx < $2::text::xid8";
    let versions: Vec<i64> = record::all(db, SQL, values![from, before]).await?;
    Ok(versions.into_iter().map(ModelVersionId).collect())
}

/// The newest answers of a version that were logged from one transaction on and before another; of those of one transaction, which is a
/// matter of chance. Index: prediction_tx.
///
/// # Errors
/// When the database fails.
pub async fn newest_answers(
    db: &impl Connection,
    version: ModelVersionId,
    from: &str,
    before: &str,
    limit: i64,
) -> Result<Vec<Answered>> {
    const SQL: &str = "select p.tx::text as tx, p.id, p.inputs, p.output, p.joined,
            coalesce(p.event_time, p.predicted_at) as at
        from prediction p where p.model_version_id = $1 and p.tx >= $2::text::xid8 and p.tx < $3::text::xid8
        order by p.tx desc, substr(uuid_send(p.id), 9) limit $4";
    record::all(db, SQL, values![version.0, from, before, limit]).await
}

/// One prediction with all that is kept of it.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The prediction as an answer that can be computed again.
    pub answered: Answered,
    /// The problem.
    pub problem: ProblemId,
    /// The problem's slug.
    pub slug: String,
    /// The version that answered.
    pub model_version: ModelVersionId,
    /// Its number.
    pub number: i32,
    /// Generation of the routing table that it was live in.
    pub generation: i64,
    /// Whom it is about.
    pub entity: Option<String>,
    /// When the event was.
    pub event_time: Option<DateTime<Utc>>,
    /// When it was answered.
    pub predicted_at: DateTime<Utc>,
    /// How long it took, in microseconds.
    pub micros: Option<i32>,
    /// Side of the comparison that its unit was on.
    pub arm: Option<String>,
    /// The version that was asked beside, its answer, and why there is none.
    pub counterpart: Option<(i32, Option<serde_json::Value>, Option<String>)>,
    /// The true label and when it was observed.
    pub outcome: Option<(serde_json::Value, DateTime<Utc>)>,
}

impl Record for Receipt {
    fn read(row: &Row) -> Result<Self> {
        let label: Option<serde_json::Value> = row.get("label")?;
        let observed_at: Option<DateTime<Utc>> = row.get("observed_at")?;
        let (other, failure) = (row.get("other_output")?, row.get("failure")?);
        Ok(Self {
            answered: Answered::read(row)?,
            problem: ProblemId(row.get("problem_id")?),
            slug: row.get("slug")?,
            model_version: ModelVersionId(row.get("model_version_id")?),
            number: row.get("number")?,
            generation: row.get("generation")?,
            entity: row.get("entity")?,
            event_time: row.get("event_time")?,
            predicted_at: row.get("predicted_at")?,
            micros: row.get("micros")?,
            arm: row.get("arm")?,
            counterpart: row.get::<Option<i32>>("other_number")?.map(|number| (number, other, failure)),
            outcome: label.zip(observed_at),
        })
    }
}

/// A prediction by its id.
///
/// # Errors
/// When the database fails.
pub async fn receipt(db: &impl Connection, id: Uuid) -> Result<Option<Receipt>> {
    const SQL: &str =
        "select p.*, p.tx::text as tx, coalesce(p.event_time, p.predicted_at) as at, m.problem_id, m.number,
            s.slug, n.number as other_number, c.output as other_output, c.failure, o.label, o.observed_at
        from prediction p join model_version m on m.id = p.model_version_id join problem s on s.id = m.problem_id
        left join counterpart c on c.prediction_id = p.id left join model_version n on n.id = c.model_version_id
        left join outcome o on o.prediction_id = p.id where p.id = $1";
    record::optional(db, SQL, values![id]).await
}
