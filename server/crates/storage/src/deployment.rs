//! What is live: one row a problem, changed by compare-and-set on its generation.

use chrono::{DateTime, Utc};
use millrace_domain::gate::Gate;
use millrace_domain::ids::{AccountId, ModelVersionId, ProblemId, RolloutId};
use millrace_domain::run::RolloutStage;

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// What a problem's callers are answered by.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// The problem.
    pub problem: ProblemId,
    /// Its slug.
    pub slug: String,
    /// Rises by one with every change.
    pub generation: i64,
    /// The live version.
    pub champion: Option<ModelVersionId>,
    /// Its number.
    pub champion_number: Option<i32>,
    /// The rollout that is under way, and what is done in its present step.
    pub rollout: Option<Staged>,
    /// What every caller gets while the model is switched off.
    pub fallback: Option<serde_json::Value>,
    /// When it last changed.
    pub changed_at: DateTime<Utc>,
}

/// What a rollout does to the routing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Staged {
    /// The rollout.
    pub id: RolloutId,
    /// What is done.
    pub stage: RolloutStage,
    /// Share of units that the candidate answers, in percent.
    pub percent: f64,
    /// Position of the step.
    pub step: i32,
}

impl Record for Deployment {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            problem: ProblemId(row.get("problem_id")?),
            slug: row.get("slug")?,
            generation: row.get("generation")?,
            champion: row.get::<Option<i64>>("champion_id")?.map(ModelVersionId),
            champion_number: row.get("champion_number")?,
            rollout: match row.get::<Option<i64>>("rollout_id")? {
                None => None,
                Some(id) => {
                    let (stage, percent, step) = (row.word("stage")?, row.get("percent")?, row.get("step")?);
                    Some(Staged { id: RolloutId(id), stage, percent, step })
                }
            },
            fallback: row.get("fallback")?,
            changed_at: row.get("changed_at")?,
        })
    }
}

macro_rules! select_deployment {
    ($rest:literal) => {
        concat!(
            "select d.*, p.slug, m.number as champion_number, r.step from deployment d
                join problem p on p.id = d.problem_id left join model_version m on m.id = d.champion_id
                left join rollout r on r.id = d.rollout_id ",
            $rest
        )
    };
}

/// The deployment of a problem.
///
/// # Errors
/// When the database fails.
pub async fn find(db: &impl Connection, slug: &str) -> Result<Option<Deployment>> {
    record::optional(db, select_deployment!("where p.slug = $1"), values![slug]).await
}

/// The version that is live of a problem.
///
/// # Errors
/// When the database fails.
pub async fn champion(db: &impl Connection, problem: ProblemId) -> Result<Option<ModelVersionId>> {
    const SQL: &str = "select champion_id from deployment where problem_id = $1 and champion_id is not null";
    let found: Option<i64> = record::optional(db, SQL, values![problem.0]).await?;
    Ok(found.map(ModelVersionId))
}

/// All deployments by slug.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &impl Connection) -> Result<Vec<Deployment>> {
    record::all(db, select_deployment!("order by p.slug"), values![]).await
}

/// How many changes of what is live were ever made, of any problem.
///
/// # Errors
/// When the database fails.
pub async fn changes(db: &impl Connection) -> Result<i64> {
    record::one(db, "select coalesce(sum(generation), 0)::bigint from deployment", values![]).await
}

/// A change of what is live.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// The problem.
    pub problem: ProblemId,
    /// The generation the change was decided on; 0 when there was none.
    pub from_generation: i64,
    /// `deploy`, `shadow`, `canary`, `full`, `settled`, `rollback`, `switched_off`, `switched_on` or `drill`.
    pub kind: &'static str,
    /// The version that becomes live.
    pub champion: Option<ModelVersionId>,
    /// The version that was live.
    pub previous: Option<ModelVersionId>,
    /// The rollout that it belongs to.
    pub of_rollout: Option<RolloutId>,
    /// What that does from now on; none when it has ended.
    pub staged: Option<Staged>,
    /// Who; none when it was decided by what was counted.
    pub account: Option<AccountId>,
    /// Why.
    pub reason: &'a str,
    /// What it was decided on.
    pub checks: Option<&'a [Gate]>,
}

/// Changes what is live, if the generation is still the one the change was decided on; gives the new generation.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when it is not.
pub async fn change(db: &impl Connection, change: &Change<'_>, now: DateTime<Utc>) -> Result<i64> {
    const FIRST: &str = "insert into deployment (problem_id, generation, champion_id, changed_at)
        values ($1, 0, null, $2) on conflict (problem_id) do nothing";
    record::execute(db, FIRST, values![change.problem.0, now]).await?;
    const SWAP: &str = "update deployment set generation = generation + 1, champion_id = $3, changed_at = $4,
            rollout_id = $5, stage = $6, percent = $7
        where problem_id = $1 and generation = $2";
    let champion = change.champion.map(|id| id.0);
    let staged = change.staged;
    let percent = staged.map_or(0.0, |staged| staged.percent);
    let swap = values![
        change.problem.0,
        change.from_generation,
        champion,
        now,
        staged.map(|staged| staged.id.0),
        staged.map(|staged| staged.stage.as_str()),
        percent
    ];
    record::guarded(db, "what is live", SWAP, swap).await?;
    const NOTE: &str = "insert into deployment_change
            (problem_id, generation, kind, champion_id, previous_id, account_id, reason, changed_at, rollout_id, percent, checks)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let generation = change.from_generation + 1;
    let note = values![
        change.problem.0,
        generation,
        change.kind,
        champion,
        change.previous.map(|id| id.0),
        change.account.map(|account| account.0),
        change.reason,
        now,
        change.of_rollout.map(|rollout| rollout.0),
        percent,
        change.checks.map(|checks| serde_json::json!(checks))
    ];
    record::execute(db, NOTE, note).await?;
    Ok(generation)
}

/// Lets every caller get an answer in place of the model's, or the model's again. The caller makes the change beside it.
///
/// # Errors
/// When the database fails.
pub async fn set_fallback(db: &impl Connection, problem: ProblemId, answer: Option<&serde_json::Value>) -> Result<()> {
    const SQL: &str = "update deployment set fallback = $2 where problem_id = $1";
    record::execute(db, SQL, values![problem.0, answer.cloned()]).await.map(|_| ())
}

macro_rules! select_change {
    ($rest:literal) => {
        concat!(
            "select c.*, m.number as champion, o.number as previous, a.name as account_name, n.number as candidate,
                o.archived_at is not null as previous_archived
            from deployment_change c left join account a on a.id = c.account_id
            left join rollout r on r.id = c.rollout_id left join model_version n on n.id = r.candidate_id
            left join model_version m on m.id = c.champion_id left join model_version o on o.id = c.previous_id ",
            $rest
        )
    };
}

/// A past change.
#[derive(Debug, Clone)]
pub struct PastChange {
    /// The generation it made.
    pub generation: i64,
    /// As in [`Change::kind`].
    pub kind: String,
    /// Number of the version that became live.
    pub champion: Option<i32>,
    /// The version that became live.
    pub champion_id: Option<ModelVersionId>,
    /// Number of the version that was live.
    pub previous: Option<i32>,
    /// The version that was live.
    pub previous_id: Option<ModelVersionId>,
    /// Whether that one is put away by now.
    pub previous_archived: bool,
    /// Who; none when it was decided by what was counted.
    pub account: Option<AccountId>,
    /// Their name.
    pub account_name: Option<String>,
    /// Why.
    pub reason: String,
    /// When.
    pub changed_at: DateTime<Utc>,
    /// The rollout that it belongs to.
    pub rollout: Option<RolloutId>,
    /// Number of that rollout's candidate.
    pub candidate: Option<i32>,
    /// Share of units that the candidate answered from then on, in percent.
    pub percent: f64,
    /// What it was decided on.
    pub checks: Option<Vec<Gate>>,
}

impl Record for PastChange {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            generation: row.get("generation")?,
            kind: row.get("kind")?,
            champion: row.get("champion")?,
            champion_id: row.get::<Option<i64>>("champion_id")?.map(ModelVersionId),
            previous: row.get("previous")?,
            previous_id: row.get::<Option<i64>>("previous_id")?.map(ModelVersionId),
            previous_archived: row.get("previous_archived")?,
            account: row.get::<Option<i64>>("account_id")?.map(AccountId),
            account_name: row.get("account_name")?,
            reason: row.get("reason")?,
            changed_at: row.get("changed_at")?,
            rollout: row.get::<Option<i64>>("rollout_id")?.map(RolloutId),
            candidate: row.get("candidate")?,
            percent: row.get("percent")?,
            checks: row.optional_json("checks")?,
        })
    }
}

/// The changes of a problem that moved what is live or on its way, newest first.
///
/// # Errors
/// When the database fails.
pub async fn moves(db: &impl Connection, problem: ProblemId) -> Result<Vec<PastChange>> {
    record::all(
        db,
        select_change!(
            "where c.problem_id = $1 and c.kind in ('deploy', 'rollback', 'shadow', 'canary', 'full', 'settled')
        order by c.generation desc limit 10000"
        ),
        values![problem.0],
    )
    .await
}

/// The change of a problem that made a generation.
///
/// # Errors
/// When the database fails.
pub async fn find_change(db: &impl Connection, problem: ProblemId, generation: i64) -> Result<Option<PastChange>> {
    const SQL: &str = select_change!("where c.problem_id = $1 and c.generation = $2");
    record::optional(db, SQL, values![problem.0, generation]).await
}

/// How many steps of a rollout had begun before the change that made a generation.
///
/// # Errors
/// When the database fails.
pub async fn steps_begun(db: &impl Connection, rollout: RolloutId, generation: i64) -> Result<usize> {
    const SQL: &str = "select count(*) from deployment_change
        where rollout_id = $1 and generation < $2 and kind in ('shadow', 'canary', 'full')";
    let begun: i64 = record::one(db, SQL, values![rollout.0, generation]).await?;
    Ok(usize::try_from(begun).unwrap_or(0))
}

/// The version a rollback brings back: the one that the live version replaced when it last took its place. Versions that were
/// themselves rolled back since they were live, or were put away, do not come back.
pub fn rollback_target(history: &[PastChange], live: ModelVersionId) -> Option<ModelVersionId> {
    // Newest first: what a version met last is found first.
    let was_taken_back = |version: ModelVersionId| {
        let last = history.iter().find(|change| {
            change.champion_id == Some(version) || (change.kind == "rollback" && change.previous_id == Some(version))
        });
        last.is_some_and(|last| last.champion_id != Some(version))
    };
    history
        .iter()
        .skip_while(|change| change.champion_id != Some(live))
        .filter(|change| !change.previous_archived)
        .filter_map(|change| change.previous_id)
        .find(|candidate| *candidate != live && !was_taken_back(*candidate))
}

/// The changes of a problem, newest first, two hundred at most.
///
/// # Errors
/// When the database fails.
pub async fn history(db: &impl Connection, problem: ProblemId) -> Result<Vec<PastChange>> {
    record::all(db, select_change!("where c.problem_id = $1 order by c.generation desc limit 200"), values![problem.0])
        .await
}
