//! Register: an immutable version, by digest, with its gates and lineage.

use async_trait::async_trait;
use millrace_domain::Digest;
use millrace_domain::evidence::VersionFile;
use millrace_domain::gate::{Decision, Gate, decide};
use millrace_domain::ids::{ProblemId, RunId};
use millrace_domain::run::StepKind;
use millrace_executor::{Commit, Context, StepError, commit};
use millrace_services::GATES_NOT_PASSED;
use millrace_storage::{model, problem};
use serde::{Deserialize, Serialize};

use crate::gate::Judged;
use crate::load::Launched;
use crate::stage::Stage;

pub(crate) struct Register;

/// What is registered.
#[derive(Serialize, Deserialize)]
pub(crate) struct Registered {
    digest: Digest,
    artifact: Digest,
    problem: i64,
    gates: Vec<Gate>,
}

#[async_trait]
impl Stage for Register {
    type Input = (Launched, Judged);
    type Output = Registered;
    const KIND: StepKind = StepKind::Register;
    /// Every run registers its own version.
    const REUSABLE: bool = false;

    async fn load(&self, context: &Context) -> Result<Self::Input, StepError> {
        let launched = Launched::of(context).await?;
        let judged = serde_json::from_value(context.output_of(StepKind::Gate.as_str()).await?)
            .map_err(|error| StepError::refused("internal", format!("the gates cannot be read: {error}")))?;
        Ok((launched, judged))
    }

    fn digest(&self, (launched, judged): &Self::Input) -> Digest {
        let (provenance, run) = (launched.run.provenance.clone(), launched.run.id);
        VersionFile { artifact: judged.model, gates: judged.gates.clone(), provenance, run }.digest()
    }

    async fn compute(&self, _context: &Context, input: Self::Input) -> Result<Registered, StepError> {
        let digest = self.digest(&input);
        let (launched, judged) = input;
        if decide(&judged.gates) != Decision::Passed {
            return Err(StepError::refused(GATES_NOT_PASSED, "a version is registered only when every gate passed"));
        }
        Ok(Registered { digest, artifact: judged.model, problem: launched.problem.problem.0, gates: judged.gates })
    }

    fn commit(&self, context: &Context, output: Registered) -> Commit {
        let run = RunId(context.step().subject.id());
        commit(output, move |tx, output| {
            Box::pin(async move {
                let id = ProblemId(output.problem);
                problem::lock(tx, id).await?;
                model::insert(tx, id, run, &output.digest, &output.artifact, &output.gates).await.map(|_| ())
            })
        })
    }
}
