//! What a handler works with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use millrace_domain::Digest;
use millrace_domain::clock::Clock;
use millrace_storage::artifact::ArtifactStore;
use millrace_storage::step::{self, Claim, Failure, Step, Subject};
use millrace_storage::{Database, StorageError};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::failpoint::{Failpoints, Point};
use crate::handler::StepError;
use crate::log::Log;

/// One attempt at one step.
#[derive(Debug, Clone)]
pub struct Context {
    pub(crate) db: Database,
    pub(crate) artifacts: ArtifactStore,
    pub(crate) claim: Arc<Claim>,
    pub(crate) code_version: Arc<str>,
    pub(crate) stop: CancellationToken,
    pub(crate) progress: watch::Sender<Option<Value>>,
    pub(crate) failpoints: Failpoints,
    pub(crate) clock: Arc<dyn Clock>,
    /// Microseconds of processor time that computations have used.
    pub(crate) computed_us: Arc<AtomicU64>,
    /// The most bytes of memory that were held.
    pub(crate) peak_bytes: Arc<AtomicU64>,
    pub(crate) log: Log,
}

/// Reports progress and looks whether to stop, from a computing thread.
#[derive(Debug, Clone)]
pub struct Reporter {
    stop: CancellationToken,
    progress: watch::Sender<Option<Value>>,
    clock: Arc<dyn Clock>,
    log: Log,
}

impl Reporter {
    /// How far the computation is. Only the latest report is kept; reporting never waits.
    pub fn report(&self, progress: Value) {
        self.progress.send_replace(Some(progress));
    }

    /// Adds a line to the log of the attempt; that never waits either.
    pub fn log(&self, text: &str) {
        self.log.add(text);
        self.progress.send_modify(|_| {});
    }

    /// Whether the computation should end as soon as it can.
    pub fn should_stop(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// The processor time that the calling thread has used; of a computation on one thread, all it has used.
    pub fn thread_time(&self) -> Duration {
        self.clock.thread_time()
    }
}

impl Context {
    /// The step.
    pub fn step(&self) -> &Step {
        &self.claim.step
    }

    /// The database, for reading inputs; nothing is written through it.
    pub const fn db(&self) -> &Database {
        &self.db
    }

    /// The artifacts.
    pub const fn artifacts(&self) -> &ArtifactStore {
        &self.artifacts
    }

    /// Reports progress without a computing thread.
    pub fn reporter(&self) -> Reporter {
        Reporter {
            stop: self.stop.clone(),
            progress: self.progress.clone(),
            clock: Arc::clone(&self.clock),
            log: self.log.clone(),
        }
    }

    /// The output of an earlier step of the same subject.
    ///
    /// # Errors
    /// When it is not there, which means that the steps are out of order.
    pub async fn output_of(&self, kind: &str) -> Result<Value, StepError> {
        let steps = step::list(self.db.pool(), self.step().subject).await?;
        steps.into_iter().find(|step| step.kind == kind).and_then(|step| step.output).ok_or_else(|| {
            StepError::refused("missing_input", format!("the step {kind} before this one left no output"))
        })
    }

    /// A finished step of the same kind, code and inputs: its output can be taken over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reusable(&self, input: &Digest) -> Result<Option<Step>, StorageError> {
        step::find_reusable(self.db.pool(), self.step(), &self.code_version, input).await
    }

    /// The subject's run id, for steps of runs.
    pub fn run_id(&self) -> Option<i64> {
        match self.step().subject {
            Subject::Run(id) => Some(id),
            Subject::Dataset(_) | Subject::Rehearsal(_) => None,
        }
    }

    /// Counts processor time that was used elsewhere for this attempt.
    pub fn add_processor_time(&self, time: Duration) {
        self.computed_us.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Counts memory that was held elsewhere for this attempt.
    pub fn add_memory(&self, bytes: u64) {
        self.peak_bytes.fetch_max(bytes, Ordering::Relaxed);
    }

    /// Computes on threads of its own, as many as there are processors, so that no request waits for numbers and what it costs
    /// can be counted.
    ///
    /// # Errors
    /// What the computation says; a panic in it is a final failure that names the step.
    pub async fn compute<T, F>(&self, computation: F) -> Result<T, StepError>
    where
        T: Send + 'static,
        F: FnOnce(&Reporter) -> Result<T, StepError> + Send + 'static,
    {
        self.compute_on(rayon::current_num_threads(), computation).await
    }

    /// The same on so many threads.
    ///
    /// # Errors
    /// As [`Self::compute`].
    pub async fn compute_on<T, F>(&self, threads: usize, computation: F) -> Result<T, StepError>
    where
        T: Send + 'static,
        F: FnOnce(&Reporter) -> Result<T, StepError> + Send + 'static,
    {
        self.failpoints.reach(&self.step().kind, Point::Mid);
        let (reporter, clock, used) = (self.reporter(), Arc::clone(&self.clock), Arc::clone(&self.computed_us));
        let computed = tokio::task::spawn_blocking(move || {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|error| {
                StepError::Passing(Failure { code: "no_threads".to_owned(), message: error.to_string() })
            })?;
            let computed = pool.install(|| computation(&reporter));
            // The threads are new and do nothing else.
            let times = pool.broadcast(|_| clock.thread_time());
            let sum: Duration = times.into_iter().sum();
            used.fetch_add(u64::try_from(sum.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
            computed
        });
        match computed.await {
            Ok(result) => result,
            Err(panic) => {
                tracing::error!(step = %self.step().id, %panic, "a computation panicked");
                let kind = &self.step().kind;
                Err(StepError::refused("internal", format!("the step {kind} met an internal error; please report it")))
            }
        }
    }
}
