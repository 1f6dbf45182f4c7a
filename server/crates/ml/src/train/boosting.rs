//! Gradient boosting by hessboost: XGBoost's second-order trees, grown leaf by leaf on histograms.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use hessboost::config::{GrowPolicy, TrainingParams, TreeMethod};
use hessboost::data::DMatrix;
use hessboost::metric::EvalMetric;
use hessboost::objective::{Multiclass, Objective, Quantiles, RegLoss};
use hessboost::training::{TrainResult, Trainer};
use millrace_domain::metric::{Metric, TargetKind};

use super::{Fit, FitReport, Matrices, Task, TrainError};
use crate::model::Estimator;
use crate::split::{Part, some_of};

/// Rows that are learned from of which the loss is watched.
const WATCHED: usize = 5_000;

/// Fits an ensemble on the training part. With a validation part and early stopping, the rounds after the best one are
/// dropped.
pub(super) fn fit(task: &Task<'_>) -> Result<Fit, TrainError> {
    let rounds = task.config.whole("rounds") as usize;
    let judged = task.progress.judged_by().and_then(|metric| Some((metric, area(task.kind, metric)?)));
    let params = params(task, judged.as_ref().map(|(_, area)| area)).map_err(|error| task.failed(error))?;
    let training = matrix(task, Part::Train).map_err(|error| task.failed(error))?;
    let validation = (!task.split.rows(Part::Validation).is_empty()).then(|| matrix(task, Part::Validation));
    let validation = validation.transpose().map_err(|error| task.failed(error))?;

    let watched = if task.progress.watches_training() && validation.is_some() {
        some_of(task.split.rows(Part::Train), WATCHED, task.seed)
    } else {
        Vec::new()
    };
    let rows = (task.split.rows(Part::Validation).len() as u64, watched.len() as u64);
    let training_loss = (!watched.is_empty()).then(|| {
        let split = task.split.with_validation(watched);
        matrix(&Task { split: &split, matrices: &Matrices::default(), ..*task }, Part::Validation)
    });
    let training_loss = training_loss.transpose().map_err(|error| task.failed(error))?;

    let is_watched = training_loss.is_some();
    // Of each set the area comes first, if it is asked for, and then the loss.
    let judged = judged.map(|(metric, _)| metric);
    let loss_at = usize::from(judged.is_some());
    let cancelled = AtomicBool::new(false);
    let (mut best, mut least, mut hopeless): (Option<f64>, Option<f64>, Option<u64>) = (None, None, None);
    let mut trainer = Trainer::new(&params, &training, rounds).on_round(|round| {
        if let Some(loss) = round.values().last() {
            best = Some(best.map_or(*loss, |best| best.min(*loss)));
            let training = round.values().get(loss_at).filter(|_| is_watched).copied();
            task.progress.losses(round.iteration() as u64 + 1, *loss, training);
        }
        let area = round.values().iter().rev().nth(1);
        let cost = judged.map_or(best, |metric| area.map(|area| metric.as_loss(*area)));
        least = cost.into_iter().chain(least).reduce(f64::min);
        task.progress.report(round.iteration() as u64 + 1, rounds as u64, best);
        if task.progress.is_cancelled() {
            cancelled.store(true, Ordering::Relaxed);
            return ControlFlow::Break(());
        }
        if let Some(cost) = least {
            let rounds = round.iteration() as u64 + 1;
            if task.progress.is_hopeless(rounds, cost) {
                hopeless = Some(rounds);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
    // The last one is the one that decides.
    if let Some(watched) = &training_loss {
        trainer = trainer.eval(watched, "training");
    }
    if let Some(validation) = &validation {
        trainer = trainer.eval(validation, "validation");
        if let Some(patience) = NonZeroUsize::new(task.config.whole("early_stopping_rounds") as usize) {
            trainer = trainer.early_stopping_rounds(patience);
        }
    }
    let TrainResult { model, history, .. } = trainer.train().map_err(|error| task.failed(error))?;
    if cancelled.load(Ordering::Relaxed) {
        return Err(TrainError::Cancelled);
    }
    if let Some((rounds, cost)) = hopeless.zip(least) {
        return Err(TrainError::Hopeless { rounds, by: judged, cost });
    }
    let model = match model.best_iteration() {
        Some(best) => model.slice(..=best, 1).map_err(|error| task.failed(error))?,
        None => model,
    };
    let report = FitReport {
        iterations: model.num_boost_rounds() as u64,
        gap: None,
        validation_loss: history.rounds().filter_map(|round| round.values().last().copied()).collect(),
        training_loss: match training_loss {
            Some(_) => history.rounds().filter_map(|round| round.values().get(loss_at).copied()).collect(),
            None => Vec::new(),
        },
        loss_rows: rows,
    };
    Ok((Estimator::Trees(Box::new(model)), report))
}

/// A metric as an area under a curve that can be told after each round.
fn area(kind: TargetKind, metric: Metric) -> Option<EvalMetric> {
    match (kind, metric) {
        (TargetKind::Binary, Metric::RocAuc) => Some(EvalMetric::Auc),
        (TargetKind::Binary, Metric::PrAuc) => Some(EvalMetric::AucPr),
        _ => None,
    }
}

fn params(task: &Task<'_>, area: Option<&EvalMetric>) -> hessboost::error::Result<TrainingParams> {
    let config = task.config;
    let (objective, loss) = match task.kind {
        TargetKind::Binary => (Objective::BinaryLogistic(RegLoss::default()), EvalMetric::LogLoss),
        TargetKind::Multiclass => {
            let classes = task.labels.classes().map_or(0, <[String]>::len);
            (Objective::Softprob(Multiclass::new(classes)?), EvalMetric::MLogLoss)
        }
        TargetKind::Regression => match task.labels.quantile() {
            None => (Objective::SquaredError(RegLoss::default()), EvalMetric::Rmse),
            Some(quantile) => {
                let quantiles = Quantiles::new([quantile])?;
                (Objective::Quantile(quantiles.clone()), EvalMetric::Quantile(quantiles))
            }
        },
    };
    // The last one decides when it is enough.
    area.into_iter()
        .fold(TrainingParams::builder(), |builder, area| builder.eval_metric(area.clone()))
        .objective(objective)
        .eval_metric(loss)
        .tree_method(TreeMethod::Hist)
        .grow_policy(GrowPolicy::LossGuide)
        .seed(task.seed)
        .eta(config.number("eta"))
        .max_depth(config.whole("max_depth") as usize)
        .max_leaves(config.whole("max_leaves") as usize)
        .min_child_weight(config.number("min_child_weight"))
        .subsample(config.number("subsample"))
        .colsample_bytree(config.number("colsample"))
        .lambda(config.number("reg_lambda"))
        .build()
}

/// The encoded features, labels and weights of one part.
fn matrix(task: &Task<'_>, part: Part) -> hessboost::error::Result<DMatrix> {
    let labels: Vec<f32> = match task.kind {
        TargetKind::Regression => task.numbers(part).into_iter().map(|number| number as f32).collect(),
        TargetKind::Binary | TargetKind::Multiclass => {
            task.classes(part).into_iter().map(|class| class as f32).collect()
        }
    };
    let matrix = task.matrix(part)?.with_labels(&labels)?;
    match task.weights(part) {
        Some(weights) => matrix.with_weights(&weights),
        None => Ok(matrix),
    }
}
