//! Validate: the rows against the document and the version before. A critical finding stops the pipeline here.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::ids::DatasetVersionId;
use millrace_domain::run::{DatasetState, StepKind};
use millrace_domain::schema::{Finding, Profile, ValidationReport};
use millrace_executor::{Commit, Context, StepError, Verdict, commit};
use millrace_ml::Dataset;
use millrace_ml::validate::{Known, Previous, validate, validate_table};
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
    previous: Option<Before>,
    loaded_at: DateTime<Utc>,
}

/// The valid version before this one.
struct Before {
    version: i32,
    digest: Digest,
    frame: Digest,
    profile: Profile,
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
        let previous = previous.and_then(|before| {
            let (version, digest) = (before.number, before.digest?);
            Some(Before { version, digest, frame: before.frame?, profile: before.profile? })
        });
        let loaded_at = load.version.created_at;
        Ok(Input { load, profile, previous, loaded_at })
    }

    fn digest(&self, input: &Input) -> Digest {
        Digest::of_canonical(&json!({
            "dataset": input.load.version.digest,
            "problem": input.load.document_digest,
            "previous": input.previous.as_ref().map(|before| (before.version, before.digest)),
            "loaded_at": input.loaded_at,
        }))
    }

    async fn compute(&self, context: &Context, input: Input) -> Result<Validated, StepError> {
        let frame = input.load.version.frame.ok_or_else(|| StepError::refused("internal", "the frame is missing"))?;
        let frame = context.artifacts().get(&frame).await?;
        let before = match &input.previous {
            Some(before) => Some(context.artifacts().get(&before.frame).await?),
            None => None,
        };
        context
            .compute(move |reporter| {
                reporter.report(json!({ "text": "checking every row" }));
                let read = |frame: &[u8]| {
                    Dataset::from_parquet(frame).map_err(|error| {
                        StepError::refused("corrupt_input", format!("the frame cannot be read: {error}"))
                    })
                };
                let dataset = read(&frame)?;
                let before = before.as_deref().map(read).transpose()?;
                let previous = input.previous.as_ref().zip(before.as_ref()).map(|(before, dataset)| Previous {
                    version: before.version,
                    profile: &before.profile,
                    dataset,
                });
                let known = Known { previous, loaded_at: Some(input.loaded_at.timestamp_micros()) };
                let document = &input.load.document;
                let report = match input.load.table() {
                    Some(table) => validate_table(&dataset, &input.profile, document, table, known),
                    None => validate(&dataset, &input.profile, document, known),
                };
                Ok(Validated { report })
            })
            .await
    }

    fn verdict(&self, output: &Validated) -> Verdict {
        if output.report.allows_training() {
            return Verdict::GoOn;
        }
        stopped(&output.report)
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

/// The critical findings as the reason to stop.
pub(crate) fn stopped(report: &ValidationReport) -> Verdict {
    let told = |finding: &Finding| match &finding.column {
        Some(column) => format!("{column}: {} ({})", finding.observed, finding.check),
        None => format!("{} ({})", finding.observed, finding.check),
    };
    let broken: Vec<String> = report.blocking().take(5).map(told).collect();
    let count = report.blocking().count();
    Verdict::Stop(Failure {
        code: "invalid_data".to_owned(),
        message: format!("{count} critical findings: {}", broken.join("; ")),
    })
}
