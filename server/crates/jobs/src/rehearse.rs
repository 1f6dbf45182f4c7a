//! A rehearsal as a step: the past is a dataset version, the policy that of a problem version.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use millrace_domain::Digest;
use millrace_domain::ids::{DatasetVersionId, RehearsalId};
use millrace_domain::rehearsal::RehearsalPlan;
use millrace_domain::run::StepKind;
use millrace_domain::view::{CourseSummary, RehearsalRequest};
use millrace_executor::{Commit, Context, Reporter, StepError, commit};
use millrace_ml::Dataset;
use millrace_storage::step::Subject;
use millrace_storage::{artifact, rehearsal};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::load::{dataset_version, misplaced, mistaken, problem_version};
use crate::rehearsal::{Onlooker, Rehearsal};
use crate::stage::Stage;

pub(crate) struct Rehearse;

/// The page looks on.
struct Reported<'a>(&'a Reporter);

impl Onlooker for Reported<'_> {
    fn sees(&self, done: u64, of: u64, doing: &str) {
        let total = (of > 0).then_some(of);
        self.0.report(json!({ "done": total.map(|_| done), "total": total, "text": doing }));
    }

    fn stops(&self) -> bool {
        self.0.should_stop()
    }
}

pub(crate) struct Input {
    plan: RehearsalPlan,
    rows: File,
    tables: Vec<(String, File)>,
    digest: Digest,
}

/// What stays of it: the whole is an artifact.
#[derive(Serialize, Deserialize)]
pub(crate) struct Output {
    result: Digest,
    bytes: u64,
    metric: String,
    courses: Vec<CourseSummary>,
}

#[async_trait]
impl Stage for Rehearse {
    type Input = Input;
    type Output = Output;
    const KIND: StepKind = StepKind::Rehearse;

    async fn load(&self, context: &Context) -> Result<Input, StepError> {
        let Subject::Rehearsal(id) = context.step().subject else { return Err(misplaced()) };
        let asked = rehearsal::find(context.db().pool(), RehearsalId(id)).await?.ok_or_else(misplaced)?;
        let problem = problem_version(context, asked.problem_version).await?;
        let request: RehearsalRequest = serde_json::from_value(asked.request)
            .map_err(|error| StepError::refused("internal", format!("the request cannot be read: {error}")))?;
        let plan = RehearsalPlan::read(&problem.document, &request)
            .map_err(|mistakes| mistaken("invalid_request", "request", &mistakes))?;
        let data = dataset_version(context, asked.dataset_version).await?;
        let mut digests = BTreeMap::new();
        let mut tables = Vec::with_capacity(asked.tables.len());
        for (name, id) in asked.tables {
            let table = dataset_version(context, DatasetVersionId(id)).await?;
            digests.insert(name.clone(), table.digest);
            tables.push((name, context.artifacts().open_file(&table.frame.ok_or_else(misplaced)?).await?));
        }
        let rows = context.artifacts().open_file(&data.frame.ok_or_else(misplaced)?).await?;
        let digest = Digest::of_canonical(&json!({
            "dataset": data.digest, "tables": digests, "problem": problem.digest, "request": request,
        }));
        Ok(Input { plan, rows, tables, digest })
    }

    fn digest(&self, input: &Input) -> Digest {
        input.digest
    }

    async fn compute(&self, context: &Context, input: Input) -> Result<Output, StepError> {
        let rehearsed = context
            .compute(move |reporter| {
                reporter.report(json!({ "text": "reading the past" }));
                let read = |file: File| {
                    Dataset::open(file).map(Arc::new).map_err(|error| {
                        StepError::refused("corrupt_input", format!("the stored frame cannot be read: {error}"))
                    })
                };
                let tables = input.tables.into_iter().map(|(name, file)| Ok((name, read(file)?)));
                let tables = tables.collect::<Result<_, StepError>>()?;
                let rehearsal = Rehearsal { plan: input.plan, rows: read(input.rows)?, tables };
                let told = rehearsal.run(&Reported(reporter));
                match told {
                    Err(_) if reporter.should_stop() => Err(StepError::Cancelled),
                    told => told.map_err(|error| StepError::refused("not_rehearsed", error.to_string())),
                }
            })
            .await?;
        let content = serde_json::to_vec(&rehearsed)
            .map_err(|error| StepError::refused("internal", format!("the result cannot be written: {error}")))?;
        let bytes = content.len() as u64;
        let result = context.artifacts().put(Bytes::from(content)).await?;
        Ok(Output { result, bytes, courses: rehearsed.summaries(), metric: rehearsed.metric })
    }

    fn commit(&self, _context: &Context, output: Output) -> Commit {
        commit(output, move |tx, output| {
            Box::pin(async move {
                let now = millrace_storage::now(tx).await?;
                artifact::register(tx, &output.result, output.bytes, "application/json", now).await
            })
        })
    }
}
