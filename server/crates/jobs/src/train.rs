//! Train: fits the model with the chosen configuration and keeps it as data, by digest.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use millrace_domain::Digest;
use millrace_domain::ids::RunId;
use millrace_domain::run::StepKind;
use millrace_executor::{Commit, Context, StepError, commit};
use millrace_ml::model::{Lineage, Model};
use millrace_ml::split::Part;
use millrace_ml::train::{CalibrationMethod, FitReport, Fitted, TrainerConfig, train};
use millrace_storage::run::MetricValue;
use millrace_storage::{artifact, run};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::external::{self, Left, NoModel, Order, Runner};
use crate::load::{Frames, Launched, Prepared, prepare};
use crate::progress::Units;
use crate::stage::Stage;
use crate::trial::trained;
use crate::tune::Tuned;

pub(crate) struct Train {
    runner: Arc<Runner>,
}

impl Train {
    pub(crate) const fn new(runner: Arc<Runner>) -> Self {
        Self { runner }
    }
}

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
    /// What an external trainer wrote, and the metrics that it reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external: Option<External>,
}

#[derive(Serialize, Deserialize)]
struct External {
    log: Digest,
    log_bytes: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reported: Vec<(String, Vec<f64>)>,
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
        if input.config.program().is_some() {
            return self.let_fit(context, input).await;
        }
        let (content, rows, report) = context
            .compute(move |reporter| {
                let launched = &input.launched;
                let prepared = prepare(&input.frames, &launched.problem.document)?;
                let fitted = train(
                    &prepared.table,
                    &prepared.labels,
                    &prepared.split,
                    prepared.plan.kind(),
                    &input.config,
                    launched.seed(),
                    &Units::new(reporter, "round").watching_training(),
                )
                .map_err(trained)?;
                stored(launched, &prepared, fitted, input.calibration, input.config)
            })
            .await?;
        let bytes = content.len() as u64;
        let model = context.artifacts().put(Bytes::from(content)).await?;
        Ok(Trained { model, bytes, rows, report, external: None })
    }

    /// What a program elsewhere fits may differ each time.
    fn is_repeatable(&self, output: &Trained) -> bool {
        output.external.is_none()
    }

    fn told(&self, output: &Trained) -> Vec<String> {
        let least = output.report.validation_loss.iter().copied().reduce(f64::min);
        let least = least.map_or_else(String::new, |loss| format!("; least validation loss {loss}"));
        let Trained { rows, bytes, report, .. } = output;
        vec![format!("fitted on {rows} rows in {} iterations{least}; the model has {bytes} bytes", report.iterations)]
    }

    fn commit(&self, context: &Context, output: Trained) -> Commit {
        let id = RunId(context.step().subject.id());
        commit(output, move |tx, output| {
            Box::pin(async move {
                let now = millrace_storage::now(tx).await?;
                artifact::register(tx, &output.model, output.bytes, "application/vnd.millrace.model+json", now).await?;
                run::set_artifact(tx, id, "model", &output.model).await?;
                if let Some(external) = &output.external {
                    artifact::register(tx, &external.log, external.log_bytes, "text/plain; charset=utf-8", now).await?;
                    run::set_artifact(tx, id, "log", &external.log).await?;
                }
                run::set_metrics(tx, id, &metrics(&output)).await
            })
        })
    }
}

impl Train {
    /// Lets an external trainer fit the model.
    async fn let_fit(&self, context: &Context, input: Input) -> Result<Trained, StepError> {
        let Input { launched, frames, config, calibration } = input;
        let (prepared, launched) =
            context.compute(move |_| Ok((prepare(&frames, &launched.problem.document)?, launched))).await?;
        let prepared = Arc::new(prepared);
        let order = Order { prepared: Arc::clone(&prepared), config: config.clone(), share: 1.0, tells_cost: false };
        let left = external::fit(context, &self.runner, &launched, order, std::future::pending()).await;
        let Left { fitted, log, reported } = left.map_err(|reason| match reason {
            NoModel::Program(failure) => StepError::Final(failure),
            NoModel::Ended(why) => StepError::refused("internal", why),
            NoModel::Step(error) => error,
        })?;
        let (content, rows, report) =
            context.compute(move |_| stored(&launched, &prepared, fitted, calibration, config)).await?;
        let (bytes, log_bytes) = (content.len() as u64, log.len() as u64);
        let model = context.artifacts().put(Bytes::from(content)).await?;
        let log = context.artifacts().put(Bytes::from(log)).await?;
        Ok(Trained { model, bytes, rows, report, external: Some(External { log, log_bytes, reported }) })
    }
}

/// The model as it is stored, the rows it was fitted on, and how fitting went.
fn stored(
    launched: &Launched,
    prepared: &Prepared,
    fitted: Fitted,
    calibration: CalibrationMethod,
    trainer: TrainerConfig,
) -> Result<(Vec<u8>, u64, FitReport), StepError> {
    let fitted = fitted
        .calibrated(calibration, &prepared.table, &prepared.labels, &prepared.split)
        .map_err(|error| StepError::refused("not_calibrated", error.to_string()))?;
    let report = fitted.report.clone();
    let rows = prepared.split.rows(Part::Train).len() as u64;
    Ok((model(launched, prepared, fitted, trainer)?.to_bytes(), rows, report))
}

/// The model of what was fitted.
pub(crate) fn model(
    launched: &Launched,
    prepared: &Prepared,
    fitted: Fitted,
    trainer: TrainerConfig,
) -> Result<Model, StepError> {
    let unread = || StepError::refused("internal", "the run's dataset version was never read; please report it");
    let lineage = Lineage {
        dataset: launched.dataset.digest.ok_or_else(unread)?,
        tables: launched.table_digests(),
        problem: launched.problem.digest,
        features: launched.problem.document.feature_digest(),
        trainer,
        seed: launched.seed(),
    };
    Ok(Model::new(&prepared.plan, fitted, lineage))
}

/// The losses after each round, and what an external trainer reported.
fn metrics(output: &Trained) -> Vec<MetricValue> {
    let FitReport { validation_loss, training_loss, loss_rows, .. } = &output.report;
    // Earlier versions did not tell how many rows of the validation part there were.
    let validated = if loss_rows.0 == 0 { output.rows } else { loss_rows.0 };
    let own = [("validation.loss", validation_loss, validated), ("training.loss", training_loss, loss_rows.1)];
    let own = own.into_iter().flat_map(|(name, points, rows)| course(name, points, 1, rows));
    let reported = output.external.iter().flat_map(|external| &external.reported);
    // A single number is no course.
    let reported = reported.flat_map(|(name, points)| course(name, points, usize::from(points.len() > 1), output.rows));
    own.chain(reported).collect()
}

fn course<'p>(
    name: &'p str,
    points: &'p [f64],
    first: usize,
    rows: u64,
) -> impl Iterator<Item = MetricValue> + use<'p> {
    points.iter().enumerate().map(move |(place, value)| MetricValue {
        name: name.to_owned(),
        step: i32::try_from(place + first).unwrap_or(i32::MAX),
        value: *value,
        interval: None,
        n: i64::try_from(rows).unwrap_or(i64::MAX),
    })
}
