//! Validate: the rows against the document and the version before. A critical finding stops the pipeline here.

use std::fs::File;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::ids::DatasetVersionId;
use millrace_domain::run::{DatasetState, StepKind};
use millrace_domain::schema::{Finding, Profile, ValidationReport};
use millrace_executor::{Commit, Context, StepError, Verdict, commit};
use millrace_ml::Dataset;
use millrace_ml::quarantine::{self, Checked};
use millrace_ml::validate::{Known, Previous, Reference, validate_table};
use millrace_storage::artifact::Draft;
use millrace_storage::dataset::SetAside;
use millrace_storage::problem::{self, ProblemVersion};
use millrace_storage::step::Failure;
use millrace_storage::{artifact, dataset};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::ingest::written;
use crate::load::Load;
use crate::stage::Stage;

pub(crate) struct Validate;

pub(crate) struct Input {
    load: Load,
    profile: Profile,
    previous: Option<Before>,
    /// The version of another dataset that the rows of an environment are compared with.
    reference: Option<Compared>,
    /// The document of the live model, which is joined to what this is a load of.
    live: Option<ProblemVersion>,
    loaded_at: DateTime<Utc>,
}

/// The valid version before this one.
struct Before {
    version: i32,
    digest: Digest,
    frame: Digest,
    profile: Profile,
}

/// The version of another dataset that rows are compared with.
struct Compared {
    name: String,
    version: i32,
    digest: Digest,
    frame: Digest,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Validated {
    report: ValidationReport,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aside: Option<Aside>,
}

/// What was set aside, and what the version is without it.
#[derive(Serialize, Deserialize)]
struct Aside {
    digest: Digest,
    frame: Digest,
    frame_bytes: u64,
    rows: i64,
    profile: Profile,
    file: Digest,
    file_bytes: u64,
    file_rows: i64,
}

/// The kept rows and those set aside, as they are stored.
struct Parts {
    frame: Draft,
    file: Vec<u8>,
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
        let reference = match load.environment().and_then(|environment| environment.compared_to.as_ref()) {
            None => None,
            Some(name) => dataset::find_newest_examples(context.db().pool(), &load.version.problem, name).await?,
        };
        let reference = reference.and_then(|other| {
            let (name, version) = (other.name, other.number);
            Some(Compared { name, version, digest: other.digest?, frame: other.frame? })
        });
        let live = problem::of_live_model(context.db().pool(), &load.version.problem).await?;
        let loaded_at = load.version.created_at;
        Ok(Input { load, profile, previous, reference, live, loaded_at })
    }

    fn digest(&self, input: &Input) -> Digest {
        Digest::of_canonical(&json!({
            "dataset": input.load.version.digest,
            "problem": input.load.document_digest,
            "previous": input.previous.as_ref().map(|before| (before.version, before.digest)),
            "live": input.live.as_ref().map(|live| live.digest),
            "reference": input.reference.as_ref().map(|other| (&other.name, other.version, other.digest)),
            "loaded_at": input.loaded_at,
        }))
    }

    async fn compute(&self, context: &Context, input: Input) -> Result<Validated, StepError> {
        let frame = input.load.version.frame.ok_or_else(|| StepError::refused("internal", "the frame is missing"))?;
        let frame = context.artifacts().open_file(&frame).await?;
        let before = match &input.previous {
            Some(before) => Some(context.artifacts().open_file(&before.frame).await?),
            None => None,
        };
        let compared = match &input.reference {
            Some(other) => Some(context.artifacts().open_file(&other.frame).await?),
            None => None,
        };
        let artifacts = context.artifacts().clone();
        let (validated, parts) = context
            .compute(move |reporter| {
                reporter.report(json!({ "text": "checking every row" }));
                let read = |frame: File| {
                    Dataset::open(frame).map_err(|error| {
                        StepError::refused("corrupt_input", format!("the frame cannot be read: {error}"))
                    })
                };
                let dataset = read(frame)?;
                let before = before.map(read).transpose()?;
                let previous = input.previous.as_ref().zip(before.as_ref()).map(|(before, dataset)| Previous {
                    version: before.version,
                    profile: &before.profile,
                    dataset,
                });
                let compared = compared.map(read).transpose()?;
                let reference = input.reference.as_ref().zip(compared.as_ref()).map(|(other, dataset)| Reference {
                    name: &other.name,
                    version: other.version,
                    dataset,
                });
                let live = input.live.as_ref().map(|live| &live.document);
                let environment = input.load.environment();
                let loaded_at = Some(input.loaded_at.timestamp_micros());
                let known = Known { previous, environment, reference, live, loaded_at };
                let document = &input.load.document;
                let Checked { report, aside } = match input.load.table() {
                    Some(table) => Checked {
                        report: validate_table(&dataset, &input.profile, document, table, known),
                        aside: None,
                    },
                    None => quarantine::check(&dataset, &input.profile, document, known),
                };
                let Some(aside) = aside else { return Ok((Validated { report, aside: None }, None)) };
                let frame = written(&aside.kept, artifacts.draft()?)?;
                let stored = Aside {
                    digest: aside.kept.digest(),
                    frame: frame.digest(),
                    frame_bytes: frame.bytes(),
                    rows: i64::try_from(aside.kept.rows()).unwrap_or(i64::MAX),
                    profile: aside.profile,
                    file: Digest::of(&aside.file),
                    file_bytes: aside.file.len() as u64,
                    file_rows: i64::try_from(aside.rows).unwrap_or(i64::MAX),
                };
                Ok((Validated { report, aside: Some(stored) }, Some(Parts { frame, file: aside.file })))
            })
            .await?;
        if let Some(parts) = parts {
            context.artifacts().keep(parts.frame).await?;
            context.artifacts().put(Bytes::from(parts.file)).await?;
        }
        Ok(validated)
    }

    fn verdict(&self, output: &Validated) -> Verdict {
        if output.report.allows_training() {
            return Verdict::GoOn;
        }
        stopped(&output.report)
    }

    fn commit(&self, context: &Context, output: Validated) -> Commit {
        let id = DatasetVersionId(context.step().subject.id());
        commit(output, move |tx, output| {
            Box::pin(async move {
                let state = if output.report.allows_training() { DatasetState::Valid } else { DatasetState::Rejected };
                let now = millrace_storage::now(tx).await?;
                if let Some(aside) = &output.aside {
                    let parquet = "application/vnd.apache.parquet";
                    artifact::register(tx, &aside.frame, aside.frame_bytes, parquet, now).await?;
                    artifact::register(tx, &aside.file, aside.file_bytes, "text/csv", now).await?;
                    let set_aside = SetAside {
                        digest: &aside.digest,
                        frame: &aside.frame,
                        rows: aside.rows,
                        profile: &aside.profile,
                        aside: &aside.file,
                        aside_rows: aside.file_rows,
                    };
                    dataset::set_aside(tx, id, &set_aside).await?;
                }
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
