//! Keeps runs and dataset versions in step with their steps, and tells the pages of these and of rehearsals.

use async_trait::async_trait;
use millrace_domain::clock::Surroundings;
use millrace_domain::ids::{DatasetVersionId, RunId};
use millrace_domain::run::{RunState, StepKind, StepState};
use millrace_executor::Lifecycle;
use millrace_services::GATES_NOT_PASSED;
use millrace_storage::step::{self, Failure, Step, Subject};
use millrace_storage::{Database, StorageError, Transaction, dataset, event, run};
use serde_json::{Value, json};

/// The steps with which runs end.
const LAST: [StepKind; 2] = [StepKind::Register, StepKind::Compare];

/// Runs and dataset versions.
#[derive(Debug, Clone)]
pub struct Subjects {
    surroundings: Surroundings,
}

impl Subjects {
    /// Stamps ends with that clock.
    pub const fn new(surroundings: Surroundings) -> Self {
        Self { surroundings }
    }

    async fn end_run(
        &self,
        tx: &Transaction,
        id: RunId,
        step: &Step,
        state: StepState,
        failure: Option<&Failure>,
    ) -> Result<(), StorageError> {
        let called_off = Failure { code: "cancelled".to_owned(), message: "stopped on request".to_owned() };
        let (ended, failure) = match state {
            StepState::Succeeded if LAST.iter().any(|kind| step.kind == kind.as_str()) => {
                (RunState::Succeeded, failure)
            }
            // It did not look in time, and nothing comes after it.
            StepState::Succeeded if step::is_called_off(tx, step).await? => (RunState::Cancelled, Some(&called_off)),
            StepState::Failed if failure.is_some_and(|failure| failure.code == GATES_NOT_PASSED) => {
                (RunState::Rejected, failure)
            }
            StepState::Failed | StepState::Quarantined => (RunState::Failed, failure),
            // One that would have been tried again has another reason.
            StepState::Cancelled => {
                (RunState::Cancelled, failure.filter(|failure| failure.code == called_off.code).or(Some(&called_off)))
            }
            _ => return Ok(()),
        };
        let failure = failure.map(|failure| Failure {
            code: failure.code.clone(),
            message: format!("{}: {}", step.kind, failure.message),
        });
        match run::finish(tx, id, ended, failure.as_ref()).await {
            // A trial that ran beside this one has ended the run.
            Err(StorageError::Conflict(_)) if step.kind == StepKind::Trial.as_str() => Ok(()),
            ended => ended,
        }
    }
}

#[async_trait]
impl Lifecycle for Subjects {
    async fn started(&self, db: &Database, step: &Step) -> Result<(), StorageError> {
        let told = json!({ "kind": step.kind, "state": StepState::Running, "attempt": step.attempt });
        step::begin(db.pool(), step, told).await
    }

    async fn ended(
        &self,
        tx: &Transaction,
        step: &Step,
        state: StepState,
        failure: Option<&Failure>,
    ) -> Result<(), StorageError> {
        match step.subject {
            Subject::Run(id) => self.end_run(tx, RunId(id), step, state, failure).await?,
            Subject::Dataset(id) => {
                let is_lost = matches!(state, StepState::Failed | StepState::Quarantined | StepState::Cancelled);
                if let (true, Some(failure)) = (is_lost, failure) {
                    let now = self.surroundings.now();
                    dataset::set_failed(tx, DatasetVersionId(id), &json!(failure), now).await?;
                }
            }
            // It has one step, whose end is its own.
            Subject::Rehearsal(_) => {}
        }
        tell(tx, step, "step", json!({ "kind": step.kind, "state": state, "failure": failure })).await
    }

    async fn progressed(&self, tx: &Transaction, step: &Step, progress: &Value) -> Result<(), StorageError> {
        // Of trials it is told when they end; many run at once.
        if step.kind == StepKind::Trial.as_str() {
            return Ok(());
        }
        tell(tx, step, "progress", json!({ "kind": step.kind, "progress": progress })).await
    }
}

async fn tell(tx: &Transaction, step: &Step, kind: &str, payload: Value) -> Result<(), StorageError> {
    event::insert(tx, step.subject.kind(), step.subject.id(), kind, payload).await
}
