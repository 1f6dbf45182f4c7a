//! Train: fits the model with the chosen configuration and keeps it as data, by digest.

use async_trait::async_trait;
use bytes::Bytes;
use millrace_domain::Digest;
use millrace_domain::ids::RunId;
use millrace_domain::run::StepKind;
use millrace_executor::{Commit, Context, StepError, commit};
use millrace_ml::model::{Lineage, Model};
use millrace_ml::split::Part;
use millrace_ml::train::{CalibrationMethod, FitReport, TrainerConfig, train};
use millrace_storage::run::MetricValue;
use millrace_storage::{artifact, run};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::load::{Frames, Launched, prepare};
use crate::progress::Units;
use crate::stage::Stage;
use crate::trial::trained;
use crate::tune::Tuned;

pub(crate) struct Train;

pub(crate) struct Input {
    launched: Launched,
    frames: Frames,
    config: TrainerConfig,
    calibration: CalibrationMethod,
}

/// The kept model.
#[derive(Serialize, Deserialize)]
pub(crate) struct Trained {
    pub model: Digest,
    bytes: u64,
    rows: u64,
    report: FitReport,
}

#[async_trait]
impl Stage for Train {
    type Input = Input;
    type Output = Trained;
    const KIND: StepKind = StepKind::Train;

    async fn load(&self, context: &Context) -> Result<Input, StepError> {
        let launched = Launched::of(context).await?;
        let frames = launched.frames(context).await?;
        let tuned = context.output_of(StepKind::Tune.as_str()).await?;
        let tuned: Tuned = serde_json::from_value(tuned)
            .map_err(|error| StepError::refused("internal", format!("the search's result cannot be read: {error}")))?;
        let calibration = launched.plan()?.calibration;
        Ok(Input { launched, frames, config: tuned.config, calibration })
    }

    fn digest(&self, input: &Input) -> Digest {
        Digest::of_canonical(&json!({
            "dataset": input.launched.data_digest(),
            "problem": input.launched.problem.digest,
            "seed": input.launched.run.seed,
            "config": input.config,
            "calibration": input.calibration,
        }))
    }

    async fn compute(&self, context: &Context, input: Input) -> Result<Trained, StepError> {
        let (content, rows, report) = context
            .compute(move |reporter| {
                let launched = &input.launched;
                let prepared = prepare(&input.frames, &launched.problem.document)?;
                let seed = launched.seed();
                let fitted = train(
                    &prepared.table,
                    &prepared.labels,
                    &prepared.split,
                    prepared.plan.kind(),
                    &input.config,
                    seed,
                    &Units::new(reporter, "round"),
                )
                .map_err(trained)?
                .calibrated(input.calibration, &prepared.table, &prepared.labels, &prepared.split)
                .map_err(|error| StepError::refused("not_calibrated", error.to_string()))?;
                let report = fitted.report.clone();
                let lineage = Lineage {
                    dataset: launched.dataset.digest.ok_or_else(unread)?,
                    tables: launched.table_digests(),
                    problem: launched.problem.digest,
                    features: launched.problem.document.feature_digest(),
                    trainer: input.config,
                    seed,
                };
                let rows = prepared.split.rows(Part::Train).len() as u64;
                Ok((Model::new(&prepared.plan, fitted, lineage).to_bytes(), rows, report))
            })
            .await?;
        let bytes = content.len() as u64;
        let model = context.artifacts().put(Bytes::from(content)).await?;
        Ok(Trained { model, bytes, rows, report })
    }

    fn commit(&self, context: &Context, output: Trained) -> Commit {
        let id = RunId(context.step().subject.id());
        commit(move |tx| {
            Box::pin(async move {
                let now = millrace_storage::now(tx).await?;
                artifact::register(tx, &output.model, output.bytes, "application/vnd.millrace.model+json", now).await?;
                run::set_artifact(tx, id, "model", &output.model).await?;
                run::set_metrics(tx, id, &losses(&output)).await
            })
        })
    }
}

fn unread() -> StepError {
    StepError::refused("internal", "the run's dataset version was never read; please report it")
}

/// The validation loss after each round.
fn losses(output: &Trained) -> Vec<MetricValue> {
    let rounds = output.report.validation_loss.iter().enumerate();
    rounds
        .map(|(round, loss)| MetricValue {
            name: "validation.loss".to_owned(),
            step: i32::try_from(round + 1).unwrap_or(i32::MAX),
            value: *loss,
            interval: None,
            n: i64::try_from(output.rows).unwrap_or(i64::MAX),
        })
        .collect()
}
