//! Validate: the rows against the document and the version before. A critical finding stops the pipeline here.

use async_trait::async_trait;
use millrace_domain::Digest;
use millrace_domain::ids::DatasetVersionId;
use millrace_domain::run::{DatasetState, StepKind};
use millrace_domain::schema::{Profile, ValidationReport};
use millrace_executor::{Commit, Context, StepError, Verdict, commit};
use millrace_ml::Dataset;
use millrace_ml::validate::validate;
use millrace_storage::dataset;
use millrace_storage::step::Failure;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::load::Load;
use crate::stage::Stage;

pub(crate) struct Validate;

pub(crate) struct Input {
    load: Load,
    profile: Profile,
    previous: Option<(Digest, Profile)>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Validated {
    report: ValidationReport,
}

#[async_trait]
impl Stage for Validate {
    type Input = Input;
    type Output = Validated;
    const KIND: StepKind = StepKind::Validate;

    async fn load(&self, context: &Context) -> Result<Input, StepError> {
        let load = Load::of(context).await?;
        let missing = || StepError::refused("internal", "the version was not ingested before it was validated");
        let profile = load.version.profile.clone().ok_or_else(missing)?;
        let previous = dataset::find_previous_valid(context.db().pool(), &load.version).await?;
        let previous = previous.and_then(|version| Some((version.digest?, version.profile?)));
        Ok(Input { load, profile, previous })
    }

    fn digest(&self, input: &Input) -> Digest {
        Digest::of_canonical(&json!({
            "dataset": input.load.version.digest,
            "problem": input.load.document_digest,
            "previous": input.previous.as_ref().map(|(digest, _)| digest),
        }))
    }

    async fn compute(&self, context: &Context, input: Input) -> Result<Validated, StepError> {
        let frame = input.load.version.frame.ok_or_else(|| StepError::refused("internal", "the frame is missing"))?;
        let frame = context.artifacts().get(&frame).await?;
        context
            .compute(move |reporter| {
                reporter.report(json!({ "text": "checking every row" }));
                let dataset = Dataset::from_parquet(&frame).map_err(|error| {
                    StepError::refused("corrupt_input", format!("the frame cannot be read: {error}"))
                })?;
                let previous = input.previous.as_ref().map(|(_, profile)| profile);
                Ok(Validated { report: validate(&dataset, &input.profile, &input.load.document, previous) })
            })
            .await
    }

    fn verdict(&self, output: &Validated) -> Verdict {
        if output.report.allows_training() {
            return Verdict::GoOn;
        }
        let broken: Vec<String> = output
            .report
            .blocking()
            .take(5)
            .map(|finding| match &finding.column {
                Some(column) => format!("{column}: {} ({})", finding.observed, finding.check),
                None => format!("{} ({})", finding.observed, finding.check),
            })
            .collect();
        let count = output.report.blocking().count();
        Verdict::Stop(Failure {
            code: "invalid_data".to_owned(),
            message: format!("{count} critical findings: {}", broken.join("; ")),
        })
    }

    fn commit(&self, context: &Context, output: Validated) -> Commit {
        let id = DatasetVersionId(context.step().subject.id());
        commit(move |tx| {
            Box::pin(async move {
                let state = if output.report.allows_training() { DatasetState::Valid } else { DatasetState::Rejected };
                let now = millrace_storage::now(tx).await?;
                dataset::set_validated(tx, id, state, &output.report, now).await
            })
        })
    }
}
