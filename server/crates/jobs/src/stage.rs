//! What all steps have in common: load, take over or compute, commit.

use async_trait::async_trait;
use millrace_domain::Digest;
use millrace_domain::run::StepKind;
use millrace_executor::{Commit, Context, Done, Handler, StepError, Verdict};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// One step of the pipeline.
#[async_trait]
pub(crate) trait Stage: Send + Sync + 'static {
    /// What it loads before it computes.
    type Input: Send;
    /// What it computes: all that is to be committed follows from it, so it can be taken over from an earlier step.
    type Output: Serialize + DeserializeOwned + Send;

    const KIND: StepKind;

    /// Whether an earlier output of equal inputs may be taken over.
    const REUSABLE: bool = true;

    /// Loads the inputs.
    async fn load(&self, context: &Context) -> Result<Self::Input, StepError>;

    /// Digest of everything that the output follows from.
    fn digest(&self, input: &Self::Input) -> Digest;

    /// Computes; artifacts may be written, the database may not.
    async fn compute(&self, context: &Context, input: Self::Input) -> Result<Self::Output, StepError>;

    /// Whether an output follows from the inputs alone. One that does not is never taken over.
    fn is_repeatable(&self, _output: &Self::Output) -> bool {
        true
    }

    /// What the log tells of an output.
    fn told(&self, _output: &Self::Output) -> Vec<String> {
        Vec::new()
    }

    /// Whether the next step may begin.
    fn verdict(&self, _output: &Self::Output) -> Verdict {
        Verdict::GoOn
    }

    /// What is written together with the step's end.
    fn commit(&self, context: &Context, output: Self::Output) -> Commit;
}

/// Makes a [`Handler`] of a [`Stage`].
pub(crate) struct Staged<S>(pub(crate) S);

#[async_trait]
impl<S: Stage> Handler for Staged<S> {
    fn kind(&self) -> &'static str {
        S::KIND.as_str()
    }

    async fn perform(&self, context: &Context) -> Result<Done, StepError> {
        let stage = &self.0;
        let loaded = stage.load(context).await?;
        let input = stage.digest(&loaded);
        let earlier = if S::REUSABLE { context.reusable(&input).await? } else { None };
        let reused = earlier.and_then(|step| {
            let output: S::Output = serde_json::from_value(step.output?).ok()?;
            Some((step.id.0, output))
        });
        let (reused_from, output) = match reused {
            Some((id, output)) => (Some(id), output),
            None => (None, stage.compute(context, loaded).await?),
        };
        stage.told(&output).iter().for_each(|line| context.reporter().log(line));
        let input = if stage.is_repeatable(&output) {
            input
        } else {
            Digest::of_canonical(&json!({ "input": input, "step": context.step().id }))
        };
        Ok(Done {
            input,
            reused_from,
            verdict: stage.verdict(&output),
            output: serde_json::to_value(&output)
                .map_err(|error| StepError::refused("internal", format!("the result cannot be written: {error}")))?,
            commit: stage.commit(context, output),
        })
    }
}
