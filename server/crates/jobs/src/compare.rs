//! Compare: whether a run that repeats another one made the same, step by step.

use async_trait::async_trait;
use millrace_domain::Digest;
use millrace_domain::ids::RunId;
use millrace_domain::run::StepKind;
use millrace_domain::view;
use millrace_executor::{Commit, Context, StepError, Verdict, commit};
use millrace_storage::step::{self, Failure, Subject};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::load::Launched;
use crate::stage::Stage;

pub(crate) struct Compare;

/// What each step made, then and now.
#[derive(Serialize, Deserialize)]
pub(crate) struct Compared {
    steps: Vec<view::Compared>,
}

#[async_trait]
impl Stage for Compare {
    type Input = Vec<view::Compared>;
    type Output = Compared;
    const KIND: StepKind = StepKind::Compare;

    async fn load(&self, context: &Context) -> Result<Self::Input, StepError> {
        let launched = Launched::of(context).await?;
        let first = launched.run.reproduces.ok_or_else(|| {
            StepError::refused("internal", "the run repeats no other one and has nothing to be compared with")
        })?;
        let (first, again) = (outputs(context, first).await?, outputs(context, launched.run.id).await?);
        let compared = first.into_iter().zip(again).map(|((step, first), (_, again))| view::Compared {
            step: step.as_str().to_owned(),
            first: first.to_string(),
            again: again.to_string(),
        });
        Ok(compared.collect())
    }

    fn digest(&self, input: &Self::Input) -> Digest {
        Digest::of_canonical(&json!(input))
    }

    async fn compute(&self, _context: &Context, steps: Self::Input) -> Result<Compared, StepError> {
        Ok(Compared { steps })
    }

    fn told(&self, output: &Compared) -> Vec<String> {
        let line = |compared: &view::Compared| match compared.is_equal() {
            true => format!("{}: {} both times", compared.step, compared.first),
            false => format!("{}: {} then, {} now", compared.step, compared.first, compared.again),
        };
        output.steps.iter().map(line).collect()
    }

    fn verdict(&self, output: &Compared) -> Verdict {
        let differing = output.steps.iter().filter(|compared| !compared.is_equal());
        let differing: Vec<&str> = differing.map(|compared| compared.step.as_str()).collect();
        if differing.is_empty() {
            return Verdict::GoOn;
        }
        Verdict::Stop(Failure {
            code: "not_reproduced".to_owned(),
            message: format!("other digests than the first time: {}", differing.join(", ")),
        })
    }

    fn commit(&self, _context: &Context, _output: Compared) -> Commit {
        commit((), |_, _| Box::pin(async { Ok(()) }))
    }
}

/// Digests of what the steps of a run made: models, trials, figures and every number among them.
async fn outputs(context: &Context, run: RunId) -> Result<Vec<(StepKind, Digest)>, StepError> {
    let steps = step::list(context.db().pool(), Subject::Run(run.0)).await?;
    let output = |kind: StepKind| {
        let step = steps.iter().find(|step| step.kind == kind.as_str());
        let mut output = step.and_then(|step| step.output.clone()).ok_or_else(|| {
            StepError::refused("missing_input", format!("the step {kind} of run {run} left no output"))
        })?;
        // Words for people, which follow from the rest and change with the program.
        if let (StepKind::Features, Some(members)) = (kind, output.as_object_mut()) {
            members.remove("report");
        }
        // Looking at what is learned from changes nothing, and earlier versions did not.
        if let (StepKind::Train, Some(report)) = (kind, output["report"].as_object_mut()) {
            report.retain(|name, _| !["training_loss", "loss_rows"].contains(&name.as_str()));
        }
        // Rows to look at change nothing, and earlier versions kept none.
        if let (StepKind::Evaluate, Some(members)) = (kind, output.as_object_mut()) {
            members.retain(|name, _| !["examples", "examples_bytes"].contains(&name.as_str()));
        }
        // What an external trainer wrote names times and places.
        if let (StepKind::Train, Some(external)) = (kind, output["external"].as_object_mut()) {
            external.retain(|name, _| name == "reported");
        }
        Ok((kind, Digest::of_canonical(&output)))
    };
    // What trials made is in what was chosen from them.
    let computing = StepKind::OF_REPRODUCTION.into_iter().filter(|kind| *kind != StepKind::Compare);
    computing.map(output).collect()
}
