//! Rollouts: where each stands; [`counted`] is what was counted on its way, [`looks`] how the evidence grew.

mod counted;
mod looks;

use chrono::{DateTime, Utc};
use millrace_domain::gate::Gate;
use millrace_domain::ids::{AccountId, ModelVersionId, ProblemId, RolloutId};
use millrace_domain::rollout::Plan;
use millrace_domain::run::RolloutState;
use serde_json::json;

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

pub use counted::{
    AnsweredByBoth, Came, Counterpart, Labelled, Mark, Minute, Pair, Predicted, Sent, Tally, Valued, answered_by_both,
    asked_both, clear_units, count, evidence, insert_counterparts, label, minutes, pair, predicted, tallies, value,
};

pub use looks::{keep_look, looks};

/// A candidate's way to its users.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// Its id.
    pub id: RolloutId,
    /// The problem.
    pub problem: ProblemId,
    /// The problem's slug.
    pub slug: String,
    /// The version that is rolled out.
    pub candidate: ModelVersionId,
    /// Its number.
    pub candidate_number: i32,
    /// The version that it is compared with.
    pub champion: ModelVersionId,
    /// Its number.
    pub champion_number: i32,
    /// What it goes through.
    pub plan: Plan,
    /// Position of the present step, or of the last one.
    pub step: usize,
    /// Where it stands.
    pub state: RolloutState,
    /// Who began it.
    pub account_name: String,
    /// Why.
    pub reason: String,
    /// When.
    pub started_at: DateTime<Utc>,
    /// How long the present step has lasted, by the database's clock.
    pub seconds: f64,
    /// Every check, as of the last look.
    pub checks: Vec<Gate>,
    /// What a person is asked, if one is.
    pub waits_for: Option<String>,
    /// Who let it wait, why and since when, while it does.
    pub paused: Option<(String, String, DateTime<Utc>)>,
    /// When it was looked at last.
    pub looked_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

impl Record for Rollout {
    fn read(row: &Row) -> Result<Self> {
        let (by, reason, at): (Option<String>, Option<String>, Option<DateTime<Utc>>) =
            (row.get("paused_name")?, row.get("paused_for")?, row.get("paused_at")?);
        Ok(Self {
            id: RolloutId(row.get("id")?),
            problem: ProblemId(row.get("problem_id")?),
            slug: row.get("slug")?,
            candidate: ModelVersionId(row.get("candidate_id")?),
            candidate_number: row.get("candidate_number")?,
            champion: ModelVersionId(row.get("champion_id")?),
            champion_number: row.get("champion_number")?,
            plan: row.json("plan")?,
            step: usize::try_from(row.get::<i32>("step")?).unwrap_or(0),
            state: row.word("state")?,
            account_name: row.get("account_name")?,
            reason: row.get("reason")?,
            started_at: row.get("started_at")?,
            seconds: row.get("seconds")?,
            checks: row.json("checks")?,
            waits_for: row.get("waits_for")?,
            paused: by.zip(reason).zip(at).map(|((by, reason), at)| (by, reason, at)),
            looked_at: row.get("looked_at")?,
            ended_at: row.get("ended_at")?,
        })
    }
}

macro_rules! select_rollout {
    ($rest:literal) => {
        concat!(
            "select r.*, p.slug, c.number as candidate_number, o.number as champion_number, a.name as account_name,
                w.name as paused_name, extract(epoch from now() - r.step_since)::float8 as seconds
             from rollout r join problem p on p.id = r.problem_id join account a on a.id = r.account_id
             join model_version c on c.id = r.candidate_id join model_version o on o.id = r.champion_id
             left join account w on w.id = r.paused_by ",
            $rest
        )
    };
}

/// Begins a rollout at the first step of its plan.
///
/// # Errors
/// [`crate::StorageError::Duplicate`] when another one of that problem is open, [`crate::StorageError::Refused`] for a version
/// that is not approved or has not passed its gates.
pub async fn insert(
    db: &impl Connection,
    problem: ProblemId,
    versions: (ModelVersionId, ModelVersionId),
    plan: &Plan,
    by: (AccountId, &str),
    now: DateTime<Utc>,
) -> Result<RolloutId> {
    const SQL: &str = "insert into rollout
            (problem_id, candidate_id, champion_id, plan, step, state, account_id, reason, started_at)
        values ($1, $2, $3, $4, 0, 'running', $5, $6, $7) returning id";
    let (candidate, champion) = versions;
    let stored = values![problem.0, candidate.0, champion.0, json!(plan), by.0.0, by.1, now];
    record::one::<i64>(db, SQL, stored).await.map(RolloutId)
}

/// A rollout by id.
///
/// # Errors
/// When the database fails.
pub async fn find(db: &impl Connection, id: RolloutId) -> Result<Option<Rollout>> {
    record::optional(db, select_rollout!("where r.id = $1"), values![id.0]).await
}

/// All rollouts that have not ended.
///
/// # Errors
/// When the database fails.
pub async fn list_open(db: &impl Connection) -> Result<Vec<Rollout>> {
    record::all(db, select_rollout!("where r.ended_at is null order by r.id limit 1000"), values![]).await
}

/// The newest rollout of a problem.
///
/// # Errors
/// When the database fails.
pub async fn newest(db: &impl Connection, problem: ProblemId) -> Result<Option<Rollout>> {
    record::optional(db, select_rollout!("where r.problem_id = $1 order by r.id desc limit 1"), values![problem.0])
        .await
}

/// Writes down what a look at a step found.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when the rollout stands otherwise by now.
pub async fn note_look(
    db: &impl Connection,
    looked_at: &Rollout,
    checks: &[Gate],
    waits_for: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "update rollout set checks = $4, waits_for = $5, looked_at = $6
        where id = $1 and step = $2 and state = $3 and ended_at is null";
    let (id, step) = (looked_at.id.0, i32::try_from(looked_at.step).unwrap_or(i32::MAX));
    let noted = values![id, step, looked_at.state.as_str(), json!(checks), waits_for, now];
    record::guarded(db, "the rollout", SQL, noted).await
}

/// Whether on-call is still to be told that of the present step; from now on they have been.
///
/// # Errors
/// When the database fails.
pub async fn is_news(db: &impl Connection, id: RolloutId, told: &str) -> Result<bool> {
    const SQL: &str = "update rollout set told = $2 where id = $1 and told is distinct from $2";
    Ok(record::execute(db, SQL, values![id.0, told]).await? > 0)
}

/// Takes the next step.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when the rollout is not at `from` any more.
pub async fn step_on(db: &impl Connection, id: RolloutId, from: usize) -> Result<()> {
    const SQL: &str = "update rollout set step = step + 1, step_since = now(), checks = '[]', waits_for = null,
            told = null
        where id = $1 and step = $2 and ended_at is null";
    record::guarded(db, "the rollout", SQL, values![id.0, i32::try_from(from).unwrap_or(i32::MAX)]).await
}

/// Lets a rollout wait: who, why, and when.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when it does so already.
pub async fn pause(db: &impl Connection, id: RolloutId, by: AccountId, reason: &str, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "update rollout set state = 'paused', paused_by = $2, paused_for = $3, paused_at = $4
        where id = $1 and state = 'running'";
    record::guarded(db, "the rollout", SQL, values![id.0, by.0, reason, now]).await
}

/// Lets a rollout go on by itself again.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when it does so already.
pub async fn resume(db: &impl Connection, id: RolloutId) -> Result<()> {
    const SQL: &str = "update rollout set state = 'running' where id = $1 and state = 'paused'";
    record::guarded(db, "the rollout", SQL, values![id.0]).await
}

/// Ends a rollout.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when it has ended.
pub async fn end(db: &impl Connection, id: RolloutId, state: RolloutState, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str =
        "update rollout set state = $2, ended_at = $3, waits_for = null where id = $1 and ended_at is null";
    record::guarded(db, "the rollout", SQL, values![id.0, state.as_str(), now]).await
}
