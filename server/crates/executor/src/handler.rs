//! What a step is to the executor.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use millrace_domain::Digest;
use millrace_domain::run::StepState;
use millrace_storage::step::{Failure, Step};
use millrace_storage::{Database, StorageError, Transaction};
use serde_json::Value;

use crate::context::Context;

/// Computes one kind of step.
#[async_trait]
pub trait Handler: Send + Sync {
    /// The kind it computes.
    fn kind(&self) -> &'static str;

    /// Loads inputs and computes; writes nothing but artifacts (which are named by their digest, so writing them twice is
    /// harmless). What is to be written to the database goes into [`Done::commit`].
    ///
    /// # Errors
    /// See [`StepError`].
    async fn perform(&self, context: &Context) -> Result<Done, StepError>;
}

/// The writes of a finished step, applied in the transaction that marks it done; again in another one where the database breaks off.
pub type Commit = Box<dyn for<'t> Fn(&'t Transaction) -> BoxFuture<'t, Result<(), StorageError>> + Send + Sync>;

/// Boxes the writes of what a step came to.
pub fn commit<V, F>(output: V, writes: F) -> Commit
where
    V: Send + Sync + 'static,
    F: for<'t> Fn(&'t Transaction, Arc<V>) -> BoxFuture<'t, Result<(), StorageError>> + Send + Sync + 'static,
{
    let output = Arc::new(output);
    Box::new(move |tx| writes(tx, Arc::clone(&output)))
}

/// What a finished step says about going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The next step may begin.
    GoOn,
    /// The steps beside it that come later and have not begun are not needed; the next step may begin once those that run have ended.
    Enough,
    /// The work was done and its result forbids going on (a critical check, a gate).
    Stop(Failure),
}

/// A computed step.
pub struct Done {
    /// Digest of everything that went into it.
    pub input: Digest,
    /// What later steps and pages read.
    pub output: Value,
    /// The step whose output this is, when it was taken over.
    pub reused_from: Option<i64>,
    /// Whether the next step may begin.
    pub verdict: Verdict,
    /// Writes that belong to it.
    pub commit: Commit,
}

/// Why a step could not be computed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// Trying again would give the same answer.
    #[error("{}", .0.message)]
    Final(Failure),
    /// Trying again may help: a database or disk that did not answer.
    #[error("{}", .0.message)]
    Passing(Failure),
    /// A person asked to stop.
    #[error("stopped on request")]
    Cancelled,
}

impl StepError {
    /// A failure that trying again would not change.
    pub fn refused(code: &str, message: impl Into<String>) -> Self {
        Self::Final(Failure { code: code.to_owned(), message: message.into() })
    }
}

impl From<StorageError> for StepError {
    fn from(error: StorageError) -> Self {
        let failure =
            |code: &str, way_out: &str| Failure { code: code.to_owned(), message: format!("{error}; {way_out}") };
        match &error {
            StorageError::Corrupt { .. } => {
                Self::Final(failure("corrupt_input", "restore it from a copy or bring the data again"))
            }
            StorageError::Refused(_) => Self::Final(failure("refused_by_database", "nothing was written")),
            StorageError::Full(_) => Self::Passing(failure("storage_full", "free space or move MILLRACE_ARTIFACTS")),
            _ => Self::Passing(failure("storage", "it is tried again")),
        }
    }
}

/// Told when a step begins and ends, to keep what the step belongs to (a run, a dataset version) in step with it.
#[async_trait]
pub trait Lifecycle: Send + Sync {
    /// A step was claimed.
    ///
    /// # Errors
    /// When the database fails; the attempt then counts as failed.
    async fn started(&self, db: &Database, step: &Step) -> Result<(), StorageError>;

    /// A step has reached `state`, in the transaction that says so.
    ///
    /// # Errors
    /// When the database fails; nothing is then committed.
    async fn ended(
        &self,
        tx: &Transaction,
        step: &Step,
        state: StepState,
        failure: Option<&Failure>,
    ) -> Result<(), StorageError>;

    /// A step has come further; pages that follow it are told.
    ///
    /// # Errors
    /// When the database fails; progress is then simply not shown.
    async fn progressed(&self, tx: &Transaction, step: &Step, progress: &Value) -> Result<(), StorageError>;
}
