//! The worker: claims steps until it is told to stop.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use millrace_domain::clock::Clock;
use millrace_domain::run::StepState;
use millrace_storage::artifact::ArtifactStore;
use millrace_storage::step::{self, Claim, Ending, Failure};
use millrace_storage::{Database, StorageError};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::failpoint::{Failpoints, Point};
use crate::handler::{Commit, Done, Handler, Lifecycle, StepError, Verdict};
use crate::lease::{self, End};
use crate::log::Log;
use crate::memory::resident_bytes;

/// The times that leases are made of.
#[derive(Debug, Clone)]
pub struct Timing {
    /// How long a claim holds without renewal.
    pub lease: Duration,
    /// How often it is renewed.
    pub heartbeat: Duration,
    /// Without a renewal for so long the worker stops by itself; well below `lease`.
    pub give_up: Duration,
    /// How often to look for steps when nothing was announced.
    pub poll: Duration,
}

/// How often progress is written down.
const TOLD_EVERY: Duration = Duration::from_millis(250);

/// How long a result waits before it is written down once more.
const COMMIT_AGAIN: Duration = Duration::from_millis(500);

/// How often it is looked how much memory is held.
const MEMORY_LOOK: Duration = Duration::from_millis(100);

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            heartbeat: Duration::from_secs(10),
            give_up: Duration::from_secs(20),
            poll: Duration::from_secs(2),
        }
    }
}

/// Runs steps.
#[derive(Clone)]
pub struct Worker {
    name: Arc<str>,
    db: Database,
    artifacts: ArtifactStore,
    handlers: Arc<HashMap<&'static str, Arc<dyn Handler>>>,
    lifecycle: Arc<dyn Lifecycle>,
    timing: Timing,
    code_version: Arc<str>,
    failpoints: Failpoints,
    clock: Arc<dyn Clock>,
}

/// Why an attempt comes to no end.
enum GivenUp {
    /// Somebody else has the step, or may have.
    Lost,
    /// The worker was asked to stop.
    Stopping,
}

impl Worker {
    /// A worker called `name`, whose results count as made by `code_version`, and whose processor time `clock` tells.
    pub fn new(
        name: &str,
        db: Database,
        artifacts: ArtifactStore,
        handlers: Vec<Arc<dyn Handler>>,
        lifecycle: Arc<dyn Lifecycle>,
        code_version: &str,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            name: name.into(),
            db,
            artifacts,
            handlers: Arc::new(handlers.into_iter().map(|handler| (handler.kind(), handler)).collect()),
            lifecycle,
            timing: Timing::default(),
            code_version: code_version.into(),
            failpoints: Failpoints::default(),
            clock,
        }
    }

    /// With other times.
    #[must_use]
    pub fn with_timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// With armed failpoints.
    #[must_use]
    pub fn with_failpoints(mut self, failpoints: Failpoints) -> Self {
        self.failpoints = failpoints;
        self
    }

    /// Claims and runs up to `slots` steps at a time until `shutdown`; then leaves what it holds to other workers.
    pub async fn run(self, slots: usize, shutdown: CancellationToken) {
        let wake = Arc::new(Notify::new());
        let listener = tokio::spawn(wake_on_announcement(self.db.clone(), Arc::clone(&wake), shutdown.clone()));
        let free = Arc::new(Semaphore::new(slots.max(1)));
        let mut running = JoinSet::new();
        let mut last_sweep: Option<tokio::time::Instant> = None;
        while !shutdown.is_cancelled() {
            while running.try_join_next().is_some() {}
            if last_sweep.is_none_or(|at| at.elapsed() >= self.timing.heartbeat) {
                self.sweep().await;
                last_sweep = Some(tokio::time::Instant::now());
            }
            let slot = tokio::select! {
                slot = Arc::clone(&free).acquire_owned() => slot,
                // However long all slots are taken, what other workers left behind is looked after.
                () = tokio::time::sleep(self.timing.heartbeat) => continue,
                () = shutdown.cancelled() => break,
            };
            let Ok(slot) = slot else { break };
            // What it has just let go of is another worker's.
            if shutdown.is_cancelled() {
                break;
            }
            match self.claim().await {
                Ok(Some(claim)) => {
                    let (worker, until) = (self.clone(), shutdown.clone());
                    running.spawn(async move {
                        worker.attempt(claim, &until).await;
                        drop(slot);
                    });
                    continue;
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "no step could be claimed"),
            }
            drop(slot);
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep(self.timing.poll) => {}
                () = shutdown.cancelled() => {}
            }
        }
        while running.join_next().await.is_some() {}
        listener.abort();
    }

    /// Claims and runs ready steps one after the other until there are none; for tests and one-off commands.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn drain(&self) -> Result<usize, StorageError> {
        let mut done = 0;
        while let Some(claim) = self.claim().await? {
            self.attempt(claim, &CancellationToken::new()).await;
            done += 1;
        }
        Ok(done)
    }

    /// Takes steps of dead workers back.
    pub async fn sweep(&self) {
        let swept = async {
            let tx = self.db.begin().await?;
            let swept = step::sweep(&tx).await?;
            for step in &swept {
                self.lifecycle.ended(&tx, step, step.state, step.failure.as_ref()).await?;
            }
            tx.commit().await.map_err(StorageError::from)?;
            Ok::<_, StorageError>(swept)
        };
        match swept.await {
            Ok(swept) => {
                for step in swept {
                    tracing::warn!(step = %step.id, kind = step.kind, state = %step.state, "step taken back from a lost worker");
                }
            }
            Err(error) => tracing::warn!(%error, "lost steps could not be looked for"),
        }
    }

    /// One attempt: start, perform under a kept lease, commit under the fence. No transaction is ever dropped half-way.
    async fn attempt(&self, claim: Claim, shutdown: &CancellationToken) {
        let claim = Arc::new(claim);
        let kind = claim.step.kind.clone();
        tracing::info!(step = %claim.step.id, kind, attempt = claim.step.attempt, "step claimed");
        self.failpoints.reach(&kind, Point::Claimed);
        let stop = CancellationToken::new();
        let (progress, reports) = watch::channel(None);
        let context = Context {
            db: self.db.clone(),
            artifacts: self.artifacts.clone(),
            claim: Arc::clone(&claim),
            code_version: Arc::clone(&self.code_version),
            stop: stop.clone(),
            progress,
            failpoints: self.failpoints.clone(),
            clock: Arc::clone(&self.clock),
            computed_us: Arc::new(AtomicU64::new(0)),
            peak_bytes: Arc::new(AtomicU64::new(0)),
            log: Log::new(Arc::clone(&self.clock)),
        };
        context.log.add(&format!("attempt {} of {} on {}", claim.step.attempt, claim.step.max_attempts, self.name));
        let followed = CancellationToken::new();
        let follow = self.clone().follow(Arc::clone(&claim), reports, context.log.clone(), followed.clone());
        let follow = tokio::spawn(follow);
        let begun = self.lifecycle.started(&self.db, &claim.step).await;
        let result = tokio::select! {
            result = async { begun?; self.perform(&context).await } => Ok(result),
            end = lease::keep(&self.db, &claim, &self.timing, &stop) => match end {
                End::CancelRequested => Ok(Err(StepError::Cancelled)),
                End::Lost => Err(GivenUp::Lost),
            },
            () = shutdown.cancelled() => Err(GivenUp::Stopping),
            never = watch_memory(&context) => match never {},
        };
        stop.cancel();
        followed.cancel();
        // Its last write ends before the step's own; a follower that failed has only lost progress reports.
        let _ = follow.await;
        let result = match result {
            Ok(result) => result,
            Err(GivenUp::Lost) => {
                tracing::warn!(step = %claim.step.id, kind, "the work is given up; another worker takes the step when the lease lapses");
                return;
            }
            Err(GivenUp::Stopping) => {
                match self.hand_over(&context).await {
                    Ok(()) => tracing::info!(step = %claim.step.id, kind, "left to another worker"),
                    Err(error) => {
                        tracing::warn!(step = %claim.step.id, kind, %error, "could not be handed over; the lease will lapse")
                    }
                }
                return;
            }
        };
        self.failpoints.reach(&kind, Point::BeforeCommit);
        match self.conclude(&context, result).await {
            Ok(state) => tracing::info!(step = %claim.step.id, kind, %state, "step ended"),
            Err(StorageError::Conflict(_)) => {
                tracing::warn!(step = %claim.step.id, kind, "another worker has the step; nothing was committed");
            }
            Err(error) => {
                let reason: &dyn std::error::Error = &error;
                tracing::warn!(step = %claim.step.id, kind, %error, ?reason, "the result could not be committed; the lease will lapse");
            }
        }
        self.failpoints.reach(&kind, Point::AfterCommit);
    }

    /// Leaves a step to another worker.
    async fn hand_over(&self, context: &Context) -> Result<(), StorageError> {
        context.log.end("the worker was stopped");
        let (first, lines) = context.log.waiting();
        let tx = self.db.begin().await?;
        step::add_log(&tx, &context.claim, first, &lines).await?;
        let left = step::hand_over(&tx, &context.claim).await?;
        self.lifecycle.ended(&tx, &left, left.state, left.failure.as_ref()).await?;
        tx.commit().await.map_err(StorageError::from)
    }

    /// Claims a step of a kind that this worker knows; a newer program beside it may have others.
    async fn claim(&self) -> Result<Option<Claim>, StorageError> {
        let kinds = self.handlers.keys().map(|kind| (*kind).to_owned()).collect();
        step::claim(self.db.pool(), &self.name, kinds, self.timing.lease.as_secs_f64()).await
    }

    async fn perform(&self, context: &Context) -> Result<Done, StepError> {
        let step = context.step();
        let Some(handler) = self.handlers.get(step.kind.as_str()) else {
            let kind = &step.kind;
            return Err(StepError::refused("unknown_step", format!("this version does not know the step {kind}")));
        };
        handler.perform(context).await
    }

    /// Commits what the attempt came to, under the fence. While the database is away it is tried again for as long as one that is silent
    /// keeps no work from going on: what took hours to compute is not lost to its restart.
    async fn conclude(&self, context: &Context, result: Result<Done, StepError>) -> Result<StepState, StorageError> {
        let (ending, writes) = self.ending(context, result);
        context.log.end(&told(&ending));
        let begun = Instant::now();
        loop {
            match self.write_down(context, &ending, writes.as_ref()).await {
                Err(error) if error.is_transient() && begun.elapsed() + COMMIT_AGAIN < self.timing.give_up => {
                    tracing::warn!(step = %context.claim.step.id, %error, "the result waits for the database");
                    tokio::time::sleep(COMMIT_AGAIN).await;
                }
                written => return written,
            }
        }
    }

    async fn write_down(
        &self,
        context: &Context,
        ending: &Ending<'_>,
        writes: Option<&Commit>,
    ) -> Result<StepState, StorageError> {
        let claim = &*context.claim;
        let (first, lines) = context.log.waiting();
        let tx = self.db.begin().await?;
        step::add_log(&tx, claim, first, &lines).await?;
        let state = step::finish(&tx, claim, ending).await?;
        if let Some(writes) = writes {
            // What was stopped may be tried again, and comes to its effect then.
            if state == StepState::Succeeded {
                step::note_effect(&tx, claim, "commit").await?;
            }
            writes(&tx).await?;
        }
        self.lifecycle.ended(&tx, &claim.step, state, ending.failure.as_ref()).await?;
        tx.commit().await.map_err(StorageError::from)?;
        Ok(state)
    }

    fn ending(&self, context: &Context, result: Result<Done, StepError>) -> (Ending<'_>, Option<Commit>) {
        let claim = &*context.claim;
        let peak = context.peak_bytes.load(Ordering::Relaxed);
        let mut ending = Ending {
            state: StepState::Succeeded,
            output: None,
            input_digest: None,
            code_version: &self.code_version,
            reused_from: None,
            failure: None,
            is_enough: false,
            cpu_s: context.computed_us.load(Ordering::Relaxed) as f64 / 1e6,
            peak_bytes: i64::try_from(peak).ok().filter(|peak| *peak > 0),
            retry_in_s: 0.0,
        };
        let error = match result {
            Ok(done) => {
                ending.output = Some(done.output);
                ending.input_digest = Some(done.input);
                ending.reused_from = done.reused_from;
                match done.verdict {
                    Verdict::GoOn => {}
                    Verdict::Enough => ending.is_enough = true,
                    Verdict::Stop(failure) => {
                        ending.state = StepState::Failed;
                        ending.failure = Some(failure);
                    }
                }
                return (ending, Some(done.commit));
            }
            Err(error) => error,
        };
        match error {
            StepError::Final(failure) => {
                ending.state = StepState::Failed;
                ending.failure = Some(failure);
            }
            StepError::Passing(failure) => {
                let again = claim.step.attempt < claim.step.max_attempts;
                ending.state = if again { StepState::Queued } else { StepState::Quarantined };
                ending.failure = Some(failure);
                ending.retry_in_s = backoff_s(claim);
            }
            StepError::Cancelled => {
                ending.state = StepState::Cancelled;
                ending.failure =
                    Some(Failure { code: "cancelled".to_owned(), message: "stopped on request".to_owned() });
            }
        }
        (ending, None)
    }

    /// Writes the latest progress report and new lines of the log down, at most four times a second. The first time is a quarter of a
    /// second after the first report: of a step that ends sooner its end alone is written.
    async fn follow(
        self,
        claim: Arc<Claim>,
        mut reports: watch::Receiver<Option<serde_json::Value>>,
        log: Log,
        over: CancellationToken,
    ) {
        loop {
            let changed = tokio::select! {
                changed = reports.changed() => changed.is_ok(),
                () = over.cancelled() => false,
            };
            if !changed {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(TOLD_EVERY) => {}
                () = over.cancelled() => return,
            }
            let progress = reports.borrow_and_update().clone().unwrap_or_default();
            let (first, lines) = log.waiting();
            let written = async {
                let tx = self.db.begin().await?;
                step::add_log(&tx, &claim, first, &lines).await?;
                if !progress.is_null() {
                    step::set_progress(&tx, &claim, &progress).await?;
                }
                self.lifecycle.progressed(&tx, &claim.step, &progress).await?;
                tx.commit().await.map_err(StorageError::from)
            };
            match written.await {
                Ok(()) => log.wrote(lines.len()),
                Err(error) => tracing::debug!(%error, "progress was not written"),
            }
        }
    }
}

/// The line that an attempt's log ends with.
fn told(ending: &Ending<'_>) -> String {
    let memory = match ending.peak_bytes {
        Some(bytes) => format!(", the worker at {} MB of memory at most", bytes / 1_000_000),
        None => String::new(),
    };
    let reused = ending.reused_from.map(|id| format!(", taken over from step {id} of equal code and inputs"));
    let why = ending.failure.as_ref().map(|failure| format!(": {}", failure.message));
    format!(
        "{}{}{}; {:.1} s of processor time{memory}",
        ending.state,
        reused.unwrap_or_default(),
        why.unwrap_or_default(),
        ending.cpu_s
    )
}

/// Keeps the most memory that the process holds.
async fn watch_memory(context: &Context) -> Infallible {
    loop {
        context.add_memory(resident_bytes("self").unwrap_or_default());
        tokio::time::sleep(MEMORY_LOOK).await;
    }
}

/// 2, 4, 8 … seconds, and up to half as much again, so that workers do not come back all at once. The claim's random token
/// gives the jitter.
fn backoff_s(claim: &Claim) -> f64 {
    let base = 2f64.powi(claim.step.attempt.clamp(1, 6));
    let jitter = f64::from(claim.token.as_bytes()[0]) / 255.0;
    base * (1.0 + jitter / 2.0)
}

/// Wakes the worker when a step was announced; after a lost connection as well, since something may have been missed.
async fn wake_on_announcement(db: Database, wake: Arc<Notify>, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        match db.listen(&["millrace_step"]).await {
            Ok(mut announcements) => {
                while announcements.next().await.is_ok() {
                    wake.notify_one();
                }
            }
            Err(error) => tracing::warn!(%error, "cannot listen for steps; polling"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
