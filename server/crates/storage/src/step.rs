//! Steps: the rows are the queue. The steps of a subject follow each other by position; those of one position are its *parts* and
//! may run side by side, each once those it waits for have ended. Claiming sets a lease; every later write carries attempt and lease token and must touch
//! exactly one row. Postgres `now()` is the only lease clock.

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::ids::StepId;
use millrace_domain::run::StepState;
use sea_orm::prelude::Uuid;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// What a step belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A dataset version.
    Dataset(i64),
    /// A run.
    Run(i64),
    /// A rehearsal.
    Rehearsal(i64),
}

impl Subject {
    /// The stored word.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Dataset(_) => "dataset",
            Self::Run(_) => "run",
            Self::Rehearsal(_) => "rehearsal",
        }
    }

    /// The stored id.
    pub const fn id(self) -> i64 {
        match self {
            Self::Dataset(id) | Self::Run(id) | Self::Rehearsal(id) => id,
        }
    }
}

/// Why a step ended without success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Stable word for programs.
    pub code: String,
    /// What happened and what to do, for people.
    pub message: String,
}

/// A step as it is shown.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its id.
    pub id: StepId,
    /// What it belongs to.
    pub subject: Subject,
    /// Its kind.
    pub kind: String,
    /// Its place among the subject's steps.
    pub position: i32,
    /// Its place among those of that position.
    pub part: i32,
    /// Where it stands.
    pub state: StepState,
    /// Attempts begun.
    pub attempt: i32,
    /// Attempts allowed.
    pub max_attempts: i32,
    /// Who holds it.
    pub worker: Option<String>,
    /// Whether a person asked to stop it.
    pub cancel_requested: bool,
    /// Digest of its inputs.
    pub input_digest: Option<Digest>,
    /// The step whose result it took over.
    pub reused_from: Option<i64>,
    /// What it produced.
    pub output: Option<serde_json::Value>,
    /// Seconds of processor time that its attempts used; of one that was stopped or lost, what it last told.
    pub cpu_s: f64,
    /// The most bytes of memory that a worker held while it ran, this step's and others'.
    pub peak_bytes: Option<i64>,
    /// How far it is.
    pub progress: Option<serde_json::Value>,
    /// Why it ended without success.
    pub failure: Option<Failure>,
    /// When it may begin.
    pub run_at: DateTime<Utc>,
    /// When its last attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

fn subject(row: &Row) -> Result<Subject> {
    let (kind, id): (String, i64) = (row.get("subject_kind")?, row.get("subject_id")?);
    Ok(match kind.as_str() {
        "run" => Subject::Run(id),
        "rehearsal" => Subject::Rehearsal(id),
        _ => Subject::Dataset(id),
    })
}

impl Record for Step {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: StepId(row.get("id")?),
            subject: subject(row)?,
            kind: row.get("kind")?,
            position: row.get("position")?,
            part: row.get("part")?,
            state: row.word("state")?,
            attempt: row.get("attempt")?,
            max_attempts: row.get("max_attempts")?,
            worker: row.get("worker")?,
            cancel_requested: row.get("cancel_requested")?,
            input_digest: row.optional_digest("input_digest")?,
            reused_from: row.get("reused_from")?,
            output: row.get("output")?,
            cpu_s: row.get("cpu_s")?,
            peak_bytes: row.get("peak_bytes")?,
            progress: row.get("progress")?,
            failure: row.optional_json("failure")?,
            run_at: row.get("run_at")?,
            started_at: row.get("started_at")?,
            finished_at: row.get("finished_at")?,
        })
    }
}

/// A step held under a lease.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The step as claimed.
    pub step: Step,
    /// Must be carried by every write.
    pub token: Uuid,
}

impl Record for Claim {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self { step: Step::read(row)?, token: row.get("lease_token")? })
    }
}

/// Steps of one position.
#[derive(Debug, Clone)]
pub struct Stage<'a> {
    /// Their kind.
    pub kind: &'a str,
    /// For each part, how many of those before it must have ended before it may begin.
    pub waits: Vec<u32>,
}

impl<'a> Stage<'a> {
    /// A single step.
    pub fn one(kind: &'a str) -> Self {
        Self { kind, waits: vec![0] }
    }
}

/// Adds the steps of a subject and readies the first ones.
///
/// # Errors
/// When the database fails.
pub async fn insert_stages(db: &impl Connection, subject: Subject, stages: &[Stage<'_>]) -> Result<()> {
    for (position, stage) in stages.iter().enumerate() {
        const SQL: &str = "insert into step (subject_kind, subject_id, kind, position, part, waits, state)
            select $1, $2, $3, $4, w.place - 1, w.waits::int, 'blocked'
            from jsonb_array_elements_text($5) with ordinality w (waits, place)";
        let waits = serde_json::json!(stage.waits);
        record::execute(db, SQL, values![subject.kind(), subject.id(), stage.kind, position as i32, waits]).await?;
    }
    ready(db, subject).await
}

/// Readies what may begin now. The first step that has not ended says what: parts of its position that wait for no later one.
async fn ready(db: &impl Connection, subject: Subject) -> Result<()> {
    const SQL: &str = "with front as (
            select position, part from step
            where subject_kind = $1 and subject_id = $2 and state not in ('succeeded', 'skipped')
            order by position, part limit 1)
        update step s set state = 'queued', run_at = now() from front
        where s.subject_kind = $1 and s.subject_id = $2 and s.state = 'blocked'
            and s.position = front.position and s.waits <= front.part";
    record::execute(db, SQL, values![subject.kind(), subject.id()]).await.map(|_| ())
}

/// Lets one transaction at a time end or stop steps of a subject: each sees what those before it did.
async fn in_turn(db: &impl Connection, subject: Subject) -> Result<()> {
    const SQL: &str = "select count(*) from (select pg_advisory_xact_lock(hashtextextended($1, $2))) as held";
    record::one::<i64>(db, SQL, values![subject.kind(), subject.id()]).await.map(|_| ())
}

/// The claim: the oldest ready step that no other worker is looking at becomes ours for `lease_s` seconds. It does not wait for the disk: should
/// Postgres die and forget it, the step is claimed anew, and what the first worker comes to is refused.
const CLAIM: &str = "
with ready as (
    select id from step where state = 'queued' and run_at <= now() and attempt < max_attempts and kind = any($3)
    order by run_at, id limit 1 for update skip locked
), claimed as (
    update step s set state = 'running', attempt = s.attempt + 1, lease_token = gen_random_uuid(),
        lease_until = now() + make_interval(secs => $2), worker = $1, started_at = now(), finished_at = null,
        progress = null, failure = null
    from ready where s.id = ready.id returning s.*
), noted as (
    insert into step_attempt (step_id, attempt, worker) select id, attempt, $1 from claimed
)
select *, set_config('synchronous_commit', 'off', true) from claimed";

/// Claims one ready step of these kinds.
///
/// # Errors
/// When the database fails.
pub async fn claim(db: &impl Connection, worker: &str, kinds: Vec<String>, lease_s: f64) -> Result<Option<Claim>> {
    record::optional(db, CLAIM, values![worker, lease_s, kinds]).await
}

/// A claimed step begins: the run that it belongs to is under way, and listeners are told. One statement, whose commit does not wait for the
/// disk: should Postgres die before a later commit was waited for, the next attempt says it again.
///
/// # Errors
/// When the database fails.
pub async fn begin(db: &impl Connection, step: &Step, told: serde_json::Value) -> Result<()> {
    const SQL: &str = "with under_way as (update run set state = 'running', started_at = coalesce(started_at, now())
            where $1 = 'run' and id = $2 and state = 'queued')
        insert into event (subject_kind, subject_id, kind, payload) values ($1, $2, 'step', $3)
        returning set_config('synchronous_commit', 'off', true)";
    record::execute(db, SQL, values![step.subject.kind(), step.subject.id(), told]).await.map(|_| ())
}

/// Prolongs a lease; gives whether a person asked to stop the step.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when the lease was lost.
pub async fn heartbeat(db: &impl Connection, claim: &Claim, lease_s: f64) -> Result<bool> {
    const SQL: &str = "update step set lease_until = now() + make_interval(secs => $4)
        where id = $1 and attempt = $2 and lease_token = $3 and state = 'running' returning cancel_requested::int::bigint";
    let fence = values![claim.step.id.0, claim.step.attempt, claim.token, lease_s];
    match record::optional::<i64>(db, SQL, fence).await? {
        Some(cancel) => Ok(cancel == 1),
        None => Err(crate::StorageError::Conflict("the step")),
    }
}

/// Records progress under the fence.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when the lease was lost.
pub async fn set_progress(db: &impl Connection, claim: &Claim, progress: &serde_json::Value) -> Result<()> {
    const SQL: &str = "update step set progress = $4
        where id = $1 and attempt = $2 and lease_token = $3 and state = 'running'";
    let stored = values![claim.step.id.0, claim.step.attempt, claim.token, progress.clone()];
    record::guarded(db, "the step", SQL, stored).await
}

/// A line of what an attempt told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub text: String,
}

/// Adds lines to the log of an attempt under the fence, the first of them at this place.
///
/// # Errors
/// When the database fails.
pub async fn add_log(db: &impl Connection, claim: &Claim, first: usize, lines: &[LogLine]) -> Result<()> {
    const SQL: &str = "insert into step_log (step_id, attempt, line, at, text)
        select s.id, s.attempt, $4 + l.place - 1, (l.line ->> 'at')::timestamptz, l.line ->> 'text'
        from step s, jsonb_array_elements($5) with ordinality as l(line, place)
        where s.id = $1 and s.attempt = $2 and s.lease_token = $3 on conflict do nothing";
    if lines.is_empty() {
        return Ok(());
    }
    let (step, first) = (&claim.step, i64::try_from(first).unwrap_or(i64::MAX));
    let stored = values![step.id.0, step.attempt, claim.token, first, serde_json::json!(lines)];
    record::execute(db, SQL, stored).await.map(|_| ())
}

/// A line of the log of a subject.
#[derive(Debug, Clone)]
pub struct Logged {
    /// The kind of the step.
    pub kind: String,
    /// Its place among those of its position.
    pub part: i32,
    /// Which attempt at it told so.
    pub attempt: i32,
    /// When, and what.
    pub line: LogLine,
}

impl Record for Logged {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            kind: row.get("kind")?,
            part: row.get("part")?,
            attempt: row.get("attempt")?,
            line: LogLine { at: row.get("at")?, text: row.get("text")? },
        })
    }
}

/// The kinds of step of a subject, in the order of the pipeline.
///
/// # Errors
/// When the database fails.
pub async fn kinds(db: &impl Connection, of: Subject) -> Result<Vec<String>> {
    const SQL: &str =
        "select kind from step where subject_kind = $1 and subject_id = $2 group by kind order by min(position)";
    record::all(db, SQL, values![of.kind(), of.id()]).await
}

/// What the steps of a subject told, all or those of one kind, oldest first; of more than `most` lines the newest.
///
/// # Errors
/// When the database fails.
pub async fn log(db: &impl Connection, of: Subject, kind: Option<&str>, most: u32) -> Result<Vec<Logged>> {
    const SQL: &str = "with told as (
            select step_id, attempt, line, at, text from step_log
            union all select step_id, attempt, 2147483647, ended_at, message from step_attempt where ending in ('lost', 'handed_over'))
        select s.kind, s.part, t.attempt, t.at, t.text from told t join step s on s.id = t.step_id
        where s.subject_kind = $1 and s.subject_id = $2 and ($4::text is null or s.kind = $4)
        order by t.at desc, s.position desc, s.part desc, t.attempt desc, t.line desc limit $3";
    let of = values![of.kind(), of.id(), i64::from(most), kind];
    let mut lines: Vec<Logged> = record::all(db, SQL, of).await?;
    lines.reverse();
    Ok(lines)
}

/// An attempt at a step.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The step.
    pub step: StepId,
    /// Which, from 1.
    pub number: i32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended, and the word for how; none while it goes on.
    pub ended: Option<(DateTime<Utc>, String)>,
}

impl Record for Attempt {
    fn read(row: &Row) -> Result<Self> {
        let (at, ending): (Option<DateTime<Utc>>, Option<String>) = (row.get("ended_at")?, row.get("ending")?);
        let (step, number) = (StepId(row.get("step_id")?), row.get("attempt")?);
        Ok(Self { step, number, started_at: row.get("started_at")?, ended: at.zip(ending) })
    }
}

/// The attempts at steps of a subject, but for those of a kind, in the order in which they were made at each.
///
/// # Errors
/// When the database fails.
pub async fn attempts(db: &impl Connection, of: Subject, but: &str) -> Result<Vec<Attempt>> {
    const SQL: &str = "select a.step_id, a.attempt, a.started_at, a.ended_at, a.ending
        from step_attempt a join step s on s.id = a.step_id
        where s.subject_kind = $1 and s.subject_id = $2 and s.kind <> $3 order by a.step_id, a.attempt";
    record::all(db, SQL, values![of.kind(), of.id(), but]).await
}

/// How a claimed step ended.
#[derive(Debug, Clone)]
pub struct Ending<'a> {
    /// The state it goes to.
    pub state: StepState,
    /// What it produced.
    pub output: Option<serde_json::Value>,
    /// Digest of its inputs.
    pub input_digest: Option<Digest>,
    /// Version of the code that computed it.
    pub code_version: &'a str,
    /// The step whose result it took over.
    pub reused_from: Option<i64>,
    /// Why it did not succeed.
    pub failure: Option<Failure>,
    /// Whether the parts after it that have not begun are not needed.
    pub is_enough: bool,
    /// Seconds of processor time that the attempt used.
    pub cpu_s: f64,
    /// The most bytes of memory that the worker held meanwhile.
    pub peak_bytes: Option<i64>,
    /// When it may be tried again, in seconds from now; only for the state `queued`.
    pub retry_in_s: f64,
}

/// Ends a claimed step under the fence. On success the steps of the subject that waited for it become ready; on a final failure
/// those that have not begun are skipped, and those beside it are asked to stop. Gives the state it went to: what was asked to stop is not
/// tried again.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when the lease was lost: nothing of the caller's transaction may then be committed.
pub async fn finish(db: &impl Connection, claim: &Claim, ending: &Ending<'_>) -> Result<StepState> {
    // What was stopped on the way has told its processor time while it computed, and no more.
    const SQL: &str = "update step set state = $4, lease_token = null, lease_until = null, output = $5,
            input_digest = $6, code_version = $7, reused_from = $8, failure = $9,
            run_at = case when $4 = 'queued' then now() + make_interval(secs => $10) else run_at end,
            cpu_s = cpu_s + greatest($11, case when $4 = 'cancelled' then (progress ->> 'cpu_s')::double precision end),
            peak_bytes = greatest(peak_bytes, $12), finished_at = now()
        where id = $1 and attempt = $2 and lease_token = $3 and state = 'running'";
    const ASKED: &str = "select count(*) from step where id = $1 and cancel_requested";
    let step = &claim.step;
    in_turn(db, step.subject).await?;
    // Its subject has ended, or will.
    let state = match ending.state {
        StepState::Queued if record::one::<i64>(db, ASKED, values![step.id.0]).await? > 0 => StepState::Cancelled,
        state => state,
    };
    let stored = values![
        step.id.0,
        step.attempt,
        claim.token,
        state.as_str(),
        ending.output.clone(),
        ending.input_digest.as_ref().map(record::bytes),
        ending.code_version,
        ending.reused_from,
        ending.failure.as_ref().map(|failure| serde_json::json!(failure)),
        ending.retry_in_s,
        ending.cpu_s,
        ending.peak_bytes
    ];
    record::guarded(db, "the step", SQL, stored).await?;
    note_attempt(db, step, state, ending.failure.as_ref()).await?;
    match state {
        StepState::Succeeded => {
            if ending.is_enough {
                const REST: &str = "update step set state = 'skipped', finished_at = now()
                    where subject_kind = $1 and subject_id = $2 and position = $3 and part > $4
                        and state in ('blocked', 'queued')";
                let rest = values![step.subject.kind(), step.subject.id(), step.position, step.part];
                record::execute(db, REST, rest).await?;
            }
            ready(db, step.subject).await?;
        }
        state if state.is_final() => skip_rest(db, step.subject).await?,
        _ => {}
    }
    Ok(state)
}

/// Lets go of a claimed step under the fence, so that another worker may take it up at once: its own was asked to stop, which is no failure
/// of the step and costs it no attempt, ten times. After that it may be what makes workers stop, and counts as one that is lost with its worker.
/// Gives the step as it stands after it.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when the lease was lost.
pub async fn hand_over(db: &impl Connection, claim: &Claim) -> Result<Step> {
    const SQL: &str = "update step s set
            state = case when s.cancel_requested then 'cancelled' when n.attempts > s.attempt then 'queued' else 'quarantined' end,
            cpu_s = s.cpu_s + coalesce((s.progress ->> 'cpu_s')::double precision, 0), progress = null,
            lease_token = null, lease_until = null, run_at = now(), finished_at = now(), max_attempts = n.attempts,
            failure = case when s.cancel_requested then jsonb_build_object('code', 'cancelled', 'message', 'stopped on request')
                else jsonb_build_object('code', 'worker_stopped', 'message',
                    'the worker was stopped in attempt ' || s.attempt || ' of ' || n.attempts) end
        from (select o.id, o.max_attempts + case when (select count(*) from step_attempt a
                where a.step_id = o.id and a.ending = 'handed_over') < 10 then 1 else 0 end as attempts from step o where o.id = $1) n
        where s.id = n.id and s.attempt = $2 and s.lease_token = $3 and s.state = 'running' returning s.*";
    const NOTED: &str = "update step_attempt set ended_at = now(), ending = case when $3 then 'cancelled' else 'handed_over' end,
            message = case when $3 then 'stopped on request' else 'the worker was stopped, and left the step to another one' end
        where step_id = $1 and attempt = $2";
    let Step { id, attempt, subject, .. } = &claim.step;
    in_turn(db, *subject).await?;
    let left: Option<Step> = record::optional(db, SQL, values![id.0, attempt, claim.token]).await?;
    let left = left.ok_or(crate::StorageError::Conflict("the step"))?;
    record::execute(db, NOTED, values![id.0, attempt, left.state == StepState::Cancelled]).await?;
    if left.state.is_final() {
        skip_rest(db, *subject).await?;
    }
    Ok(left)
}

async fn note_attempt(db: &impl Connection, step: &Step, ending: StepState, failure: Option<&Failure>) -> Result<()> {
    const SQL: &str = "update step_attempt set ended_at = now(), ending = $3, message = $4
        where step_id = $1 and attempt = $2";
    let message = failure.map(|failure| failure.message.clone());
    record::execute(db, SQL, values![step.id.0, step.attempt, ending.as_str(), message]).await.map(|_| ())
}

async fn skip_rest(db: &impl Connection, subject: Subject) -> Result<()> {
    const SQL: &str = "update step set state = 'skipped', finished_at = now()
        where subject_kind = $1 and subject_id = $2 and state in ('blocked', 'queued')";
    record::execute(db, SQL, values![subject.kind(), subject.id()]).await?;
    stop_running(db, subject).await.map(|_| ())
}

async fn stop_running(db: &impl Connection, subject: Subject) -> Result<i64> {
    const SQL: &str = "with asked as (update step set cancel_requested = true
            where subject_kind = $1 and subject_id = $2 and state = 'running' returning 1)
        select count(*) from asked";
    record::one(db, SQL, values![subject.kind(), subject.id()]).await
}

/// Takes steps back whose worker stopped renewing its lease: queued again, quarantined after the last attempt, or cancelled if that
/// was asked for.
/// Gives the steps as they stand after it.
const SWEEP: &str = "
with lapsed as (
    select id, attempt, max_attempts, cancel_requested from step where state = 'running' and lease_until < now()
    for update skip locked
), swept as (
    update step s set
        state = case when l.cancel_requested then 'cancelled' when l.attempt < l.max_attempts then 'queued' else 'quarantined' end,
        cpu_s = s.cpu_s + coalesce((s.progress ->> 'cpu_s')::double precision, 0), progress = null,
        lease_token = null, lease_until = null, run_at = now(), finished_at = now(),
        failure = jsonb_build_object('code', 'worker_lost', 'message',
            'the worker stopped answering in attempt ' || l.attempt || ' of ' || l.max_attempts)
    from lapsed l where s.id = l.id returning s.*
), noted as (
    update step_attempt a set ended_at = now(), ending = 'lost', message = 'the worker stopped answering'
    from swept where a.step_id = swept.id and a.attempt = swept.attempt
)
select * from swept";

/// A subject with a step whose lease lapsed.
struct Lapsed(Subject);

impl Record for Lapsed {
    fn read(row: &Row) -> Result<Self> {
        subject(row).map(Self)
    }
}

/// Takes back steps of dead workers.
///
/// # Errors
/// When the database fails.
pub async fn sweep(db: &impl Connection) -> Result<Vec<Step>> {
    const LAPSED: &str =
        "select distinct subject_kind, subject_id from step where state = 'running' and lease_until < now()
        order by subject_kind, subject_id";
    for lapsed in record::all::<Lapsed>(db, LAPSED, values![]).await? {
        in_turn(db, lapsed.0).await?;
    }
    let swept: Vec<Step> = record::all(db, SWEEP, values![]).await?;
    for step in swept.iter().filter(|step| step.state == StepState::Quarantined) {
        skip_rest(db, step.subject).await?;
    }
    Ok(swept)
}

/// The steps of a subject in order.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &impl Connection, subject: Subject) -> Result<Vec<Step>> {
    const SQL: &str = "select * from step where subject_kind = $1 and subject_id = $2 order by position, part";
    record::all(db, SQL, values![subject.kind(), subject.id()]).await
}

/// What the parts before one came to that succeeded, of the same position, in order: at most so many.
///
/// # Errors
/// When the database fails.
pub async fn outputs_before(db: &impl Connection, step: &Step, count: u32) -> Result<Vec<serde_json::Value>> {
    const SQL: &str = "select output from step
        where subject_kind = $1 and subject_id = $2 and position = $3 and part < $4
            and state = 'succeeded' and output is not null order by part";
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    record::all(db, SQL, values![step.subject.kind(), step.subject.id(), step.position, count]).await
}

/// A succeeded step of the same kind, code and inputs, whose output can be taken over; none for a run that repeats another one.
///
/// # Errors
/// When the database fails.
pub async fn find_reusable(
    db: &impl Connection,
    step: &Step,
    code_version: &str,
    input: &Digest,
) -> Result<Option<Step>> {
    const SQL: &str = "select * from step where kind = $1 and code_version = $2 and input_digest = $3
        and state = 'succeeded'
        and not exists (select 1 from run r where $4 = 'run' and r.id = $5 and r.reproduces is not null)
        order by id limit 1";
    let Step { kind, subject, .. } = step;
    record::optional(db, SQL, values![kind.as_str(), code_version, record::bytes(input), subject.kind(), subject.id()])
        .await
}

/// Notes an effect in the ledger; a second one of the same key is refused by the primary key.
///
/// # Errors
/// [`crate::StorageError::Duplicate`] when the effect was applied before.
pub async fn note_effect(db: &impl Connection, claim: &Claim, key: &str) -> Result<()> {
    const SQL: &str = "insert into effect (step_id, key, attempt) values ($1, $2, $3)";
    record::execute(db, SQL, values![claim.step.id.0, key, claim.step.attempt]).await.map(|_| ())
}

/// Whether the steps after this one were cancelled while this one computed.
///
/// # Errors
/// When the database fails.
pub async fn is_called_off(db: &impl Connection, step: &Step) -> Result<bool> {
    const SQL: &str = "select count(*) from step
        where subject_kind = $1 and subject_id = $2 and position = $3 and state = 'cancelled'";
    let next = values![step.subject.kind(), step.subject.id(), step.position + 1];
    Ok(record::one::<i64>(db, SQL, next).await? > 0)
}

/// Asks the steps of a subject to stop: waiting ones are cancelled at once, a running one when it next looks. Gives how
/// many are still running.
///
/// # Errors
/// When the database fails.
pub async fn request_cancel(db: &impl Connection, subject: Subject) -> Result<i64> {
    in_turn(db, subject).await?;
    const WAITING: &str = "update step set state = 'cancelled', finished_at = now()
        where subject_kind = $1 and subject_id = $2 and state in ('blocked', 'queued')";
    record::execute(db, WAITING, values![subject.kind(), subject.id()]).await?;
    stop_running(db, subject).await
}

/// Readies the steps of a subject that ended without success to be tried again by a person, and what did not begin because of
/// them; those before stay done.
///
/// # Errors
/// [`crate::StorageError::Conflict`] while a step beside them still runs and is to stop.
pub async fn retry(db: &impl Connection, subject: Subject) -> Result<()> {
    const SQL: &str = "with first as (
            select min(position) as position from step
            where subject_kind = $1 and subject_id = $2 and state in ('failed', 'quarantined', 'cancelled'))
        update step s set state = 'blocked', max_attempts = s.attempt + 3, cancel_requested = false, failure = null,
            finished_at = null
        from first where s.subject_kind = $1 and s.subject_id = $2 and s.position >= first.position
            and s.state in ('failed', 'quarantined', 'cancelled', 'skipped')";
    const RUNNING: &str = "select count(*) from step where subject_kind = $1 and subject_id = $2 and state = 'running'";
    in_turn(db, subject).await?;
    if record::one::<i64>(db, RUNNING, values![subject.kind(), subject.id()]).await? > 0 {
        return Err(crate::StorageError::Conflict("a step that is being stopped"));
    }
    record::execute(db, SQL, values![subject.kind(), subject.id()]).await?;
    ready(db, subject).await
}

/// What the steps of a position have cost a subject so far, those that run included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spent {
    /// Seconds of processor time.
    pub cpu_s: f64,
    /// Seconds since the first of them began, whatever went on meanwhile.
    pub wall_s: f64,
}

impl Record for Spent {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self { cpu_s: row.get("cpu_s")?, wall_s: row.get("wall_s")? })
    }
}

/// What the parts beside a step, and itself, have cost so far.
///
/// # Errors
/// When the database fails.
pub async fn spent(db: &impl Connection, step: &Step) -> Result<Spent> {
    const SQL: &str = "select
            coalesce(sum(cpu_s + case when state = 'running' then coalesce((progress ->> 'cpu_s')::double precision, 0) else 0 end),
                0)::double precision as cpu_s,
            coalesce(extract(epoch from now() - min(
                (select min(a.started_at) from step_attempt a where a.step_id = step.id
                    and a.attempt > coalesce((select max(e.attempt) from step_attempt e where e.step_id = step.id
                        and e.ending in ('failed', 'quarantined', 'cancelled')), 0)))), 0)::double precision as wall_s
        from step where subject_kind = $1 and subject_id = $2 and position = $3 and started_at is not null";
    record::one(db, SQL, values![step.subject.kind(), step.subject.id(), step.position]).await
}
