//! What was reason to train, and what it started.

use chrono::{DateTime, Utc};
use millrace_domain::ids::{AccountId, ProblemId, RunId};
use millrace_domain::retraining::Reason;
use millrace_domain::run::{ModelStage, RunState};

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// Where the trainings of a problem stand.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// Until when its schedule was looked at.
    pub looked_until: Option<DateTime<Utc>>,
    /// Who has stopped them, why and since when.
    pub paused: Option<(String, String, DateTime<Utc>)>,
    /// Trainings that came to nothing before do not count.
    pub forgiven_at: Option<DateTime<Utc>>,
    /// Number of the newest version that was trained by itself and that approvers were asked about.
    pub asked_number: i32,
}

impl Record for Standing {
    fn read(row: &Row) -> Result<Self> {
        let (name, reason): (Option<String>, Option<String>) = (row.get("name")?, row.get("pause_reason")?);
        let since: Option<DateTime<Utc>> = row.get("paused_at")?;
        Ok(Self {
            looked_until: row.get("looked_until")?,
            paused: name.zip(reason).zip(since).map(|((name, reason), since)| (name, reason, since)),
            forgiven_at: row.get("forgiven_at")?,
            asked_number: row.get("asked_number")?,
        })
    }
}

/// Where the trainings of a problem stand; as if nothing had happened yet when nobody has looked.
///
/// # Errors
/// When the database fails.
pub async fn standing(db: &impl Connection, problem: ProblemId) -> Result<Standing> {
    const SQL: &str = "select r.looked_until, r.paused_at, r.pause_reason, r.forgiven_at, r.asked_number, a.name
        from retraining r left join account a on a.id = r.paused_by where r.problem_id = $1";
    Ok(record::optional(db, SQL, values![problem.0]).await?.unwrap_or_default())
}

/// Notes until when the schedule was looked at.
///
/// # Errors
/// When the database fails.
pub async fn set_looked(db: &impl Connection, problem: ProblemId, until: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "insert into retraining (problem_id, looked_until) values ($1, $2)
        on conflict (problem_id) do update set looked_until = excluded.looked_until";
    record::execute(db, SQL, values![problem.0, until]).await.map(|_| ())
}

/// Notes the newest version that approvers were asked about.
///
/// # Errors
/// When the database fails.
pub async fn set_asked(db: &impl Connection, problem: ProblemId, number: i32) -> Result<()> {
    let sql = "update retraining set asked_number = $2 where problem_id = $1";
    record::execute(db, sql, values![problem.0, number]).await.map(|_| ())
}

/// Stops trainings from being started by themselves.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when they are stopped already.
pub async fn pause(
    db: &impl Connection,
    problem: ProblemId,
    by: AccountId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "insert into retraining (problem_id, looked_until, paused_at, paused_by, pause_reason)
        values ($1, $4, $4, $2, $3) on conflict (problem_id) do update
        set paused_at = excluded.paused_at, paused_by = excluded.paused_by, pause_reason = excluded.pause_reason
        where retraining.paused_at is null";
    record::guarded(db, "retraining", SQL, values![problem.0, by.0, reason, now]).await
}

/// Lets trainings start by themselves again. What was scheduled meanwhile has passed, and what came to nothing is forgiven.
///
/// # Errors
/// When the database fails.
pub async fn resume(db: &impl Connection, problem: ProblemId, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "insert into retraining (problem_id, looked_until, forgiven_at) values ($1, $2, $2)
        on conflict (problem_id) do update set forgiven_at = excluded.forgiven_at, paused_at = null, paused_by = null,
            pause_reason = null,
            looked_until = case when retraining.paused_at is null then retraining.looked_until else excluded.looked_until end";
    record::execute(db, SQL, values![problem.0, now]).await.map(|_| ())
}

/// Something that was reason to train.
#[derive(Debug, Clone)]
pub struct TriggerEvent {
    /// Its id.
    pub id: i64,
    /// What kind.
    pub reason: Reason,
    /// What exactly.
    pub detail: String,
    /// When it came up.
    pub at: DateTime<Utc>,
    /// The run that it started.
    pub run: Option<RunId>,
    /// Where that stands.
    pub run_state: Option<RunState>,
    /// When it was launched.
    pub launched_at: Option<DateTime<Utc>>,
    /// The version that it registered, and its stage.
    pub model: Option<(i32, ModelStage)>,
    /// Why it started nothing.
    pub ended: Option<String>,
}

impl Record for TriggerEvent {
    fn read(row: &Row) -> Result<Self> {
        let run: Option<i64> = row.get("run_id")?;
        let number: Option<i32> = row.get("number")?;
        Ok(Self {
            id: row.get("id")?,
            reason: row.word("reason")?,
            detail: row.get("detail")?,
            at: row.get("at")?,
            run: run.map(RunId),
            run_state: if run.is_some() { Some(row.word("state")?) } else { None },
            launched_at: row.get("launched_at")?,
            model: match number {
                Some(number) => Some((number, row.word("stage")?)),
                None => None,
            },
            ended: row.get("ended")?,
        })
    }
}

macro_rules! select_event {
    ($rest:literal) => {
        concat!(
            "select e.*, r.state, r.created_at as launched_at, m.number, m.stage from trigger_event e
             left join run r on r.id = e.run_id left join model_version m on m.run_id = r.id ",
            $rest
        )
    };
}

/// Writes down what came up; whether it is new.
///
/// # Errors
/// When the database fails.
pub async fn insert_event(
    db: &impl Connection,
    problem: ProblemId,
    reason: Reason,
    key: &str,
    detail: &str,
    by: Option<AccountId>,
    now: DateTime<Utc>,
) -> Result<bool> {
    const SQL: &str = "insert into trigger_event (problem_id, reason, key, detail, at, account_id)
        values ($1, $2, $3, $4, $5, $6) on conflict (problem_id, reason, key) do nothing";
    let stored = values![problem.0, reason.as_str(), key, detail, now, by.map(|by| by.0)];
    Ok(record::execute(db, SQL, stored).await? == 1)
}

/// What came up and started nothing yet, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn open_events(db: &impl Connection, problem: ProblemId) -> Result<Vec<TriggerEvent>> {
    record::all(
        db,
        select_event!("where e.problem_id = $1 and e.run_id is null and e.ended is null order by e.id limit 1000"),
        values![problem.0],
    )
    .await
}

/// What came up, newest first.
///
/// # Errors
/// When the database fails.
pub async fn events(db: &impl Connection, problem: ProblemId, limit: u32) -> Result<Vec<TriggerEvent>> {
    record::all(
        db,
        select_event!("where e.problem_id = $1 order by e.id desc limit $2"),
        values![problem.0, i64::from(limit)],
    )
    .await
}

/// The runs that were started so, newest first: of what started one together, what came up first.
///
/// # Errors
/// When the database fails.
pub async fn trainings(db: &impl Connection, problem: ProblemId, limit: u32) -> Result<Vec<TriggerEvent>> {
    record::all(
        db,
        select_event!(
            "where e.id in (select min(t.id) from trigger_event t where t.problem_id = $1 and t.run_id is not null
                group by t.run_id order by t.run_id desc limit $2)
             order by e.run_id desc"
        ),
        values![problem.0, i64::from(limit)],
    )
    .await
}

/// Closes everything that stands open with the run that it started.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when nothing was open any more.
pub async fn start(db: &impl Connection, problem: ProblemId, run: RunId) -> Result<()> {
    const SQL: &str = "update trigger_event set run_id = $2 where problem_id = $1 and run_id is null and ended is null";
    record::guarded(db, "what was to start a training", SQL, values![problem.0, run.0]).await
}

/// Closes everything that stands open of one reason, since it is one no more.
///
/// # Errors
/// When the database fails.
pub async fn drop_open(db: &impl Connection, problem: ProblemId, reason: Reason, why: &str) -> Result<u64> {
    const SQL: &str = "update trigger_event set ended = $3
        where problem_id = $1 and reason = $2 and run_id is null and ended is null";
    record::execute(db, SQL, values![problem.0, reason.as_str(), why]).await
}

/// Outcomes of a problem's predictions that came after a moment.
///
/// # Errors
/// When the database fails.
pub async fn outcomes_since(db: &impl Connection, problem: ProblemId, since: DateTime<Utc>) -> Result<i64> {
    const SQL: &str = "select count(*) from outcome o join prediction p on p.id = o.prediction_id
        join model_version m on m.id = p.model_version_id where m.problem_id = $1 and o.received_at > $2";
    record::one(db, SQL, values![problem.0, since]).await
}

/// Seconds of processor time, rounded up, of the runs that were started so after a moment.
///
/// # Errors
/// When the database fails.
pub async fn cpu_since(db: &impl Connection, problem: ProblemId, since: DateTime<Utc>) -> Result<i64> {
    const SQL: &str = "select ceil(coalesce(sum(s.cpu_s), 0))::bigint from step s
        where s.subject_kind = 'run' and s.subject_id in
            (select e.run_id from trigger_event e join run r on r.id = e.run_id where e.problem_id = $1 and r.created_at > $2)";
    record::one(db, SQL, values![problem.0, since]).await
}

/// The run of a problem that is under way, if one is.
///
/// # Errors
/// When the database fails.
pub async fn run_under_way(db: &impl Connection, problem: ProblemId) -> Result<Option<i64>> {
    const SQL: &str = "select r.id from run r join problem_version v on v.id = r.problem_version_id
        where v.problem_id = $1 and r.state in ('queued', 'running') and r.kind = 'pipeline' and r.reproduces is null
        order by r.id desc limit 1";
    record::optional(db, SQL, values![problem.0]).await
}
