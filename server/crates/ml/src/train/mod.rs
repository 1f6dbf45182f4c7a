//! Trainers: from features and labels to a fitted predictor.
//!
//! [`train`] fits encoders and estimator on the training part. Gradient boosting stops where the validation part stops
//! improving. The same inputs and seed give the same bits, on any number of threads. A solver that does not converge is an
//! error: its numbers never pass as fitted.

mod boosting;
mod elastic_net;
mod external;
mod floors;
mod forest;
mod logistic;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use hessboost::data::DMatrix;
use millrace_domain::metric::{Metric, TargetKind};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::features::{Encoders, FeatureEncoder, FeatureTable, Labels, Told};
use crate::model::{Calibration, Estimator, PredictError, Prediction, Predictor, tree_matrix};
use crate::split::{Part, Split};

pub use external::{Assignment, Attempt, ExternalError, LABEL, ModelFile};
pub use floors::{baseline, repeat_last, repeat_last_of};
use millrace_domain::trainer::{Aim, CLASS_BALANCE};
pub use millrace_domain::trainer::{CalibrationMethod, Trainer, TrainerConfig};

/// Training rows that are answered together.
const TOGETHER: usize = 1_024;
/// Parts of the rows that calibrate, each of which is answered by what the others show ([`answers_crosswise`]).
const CROSSWISE: usize = 5;

/// What a long computation tells its caller, and asks of it. `()` does nothing.
pub trait Progress: Sync {
    /// `done` of at most `of` units are done; `score` is the best validation loss so far, if there is one.
    fn report(&self, done: u64, of: u64, score: Option<f64>) {
        let _ = (done, of, score);
    }

    /// The loss of boosting after so many rounds: on the validation part and, where that is watched, on rows that are learned from.
    fn losses(&self, rounds: u64, validation: f64, training: Option<f64>) {
        let _ = (rounds, validation, training);
    }

    /// Whether the caller wants no more. Asked between units; the computation then ends with an error.
    fn is_cancelled(&self) -> bool {
        false
    }

    /// The metric of the validation part by which boosting is judged while it goes on. Where it is no area under a curve of two classes, the
    /// loss takes its place: slow learning shows in the loss long before it has an order to show.
    fn judged_by(&self) -> Option<Metric> {
        None
    }

    /// Whether boosting that has come to this in so many rounds is not worth going on with; it then ends with an error. `cost` is what it is
    /// judged by at its best, the less the better.
    fn is_hopeless(&self, rounds: u64, cost: f64) -> bool {
        let _ = (rounds, cost);
        false
    }

    /// Whether somebody will look at the loss on rows that boosting learns from.
    fn watches_training(&self) -> bool {
        false
    }
}

impl Progress for () {}

/// Why there is no fitted predictor.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TrainError {
    /// The trainer is for another kind of target.
    #[error("{} does not fit a {aim} target; use {}", .trainer.as_str(), fitting(*.aim))]
    WrongKind {
        /// The trainer.
        trainer: Trainer,
        /// What is to be predicted.
        aim: Aim,
    },
    /// Classes of which the training part has no row.
    #[error("the training part has no row of class {}; give it more rows or split at random", .0.join(", "))]
    AbsentClasses(Vec<String>),
    /// Rows and labels do not belong together.
    #[error("{rows} rows of features and {labels} labels do not belong together")]
    Lengths {
        /// Rows of features.
        rows: usize,
        /// Labels.
        labels: usize,
    },
    /// The solver ran out of iterations.
    #[error(
        "{} did not converge in {iterations} iterations: its gradient is still {gap:.1e} (tolerance {tolerance:.1e}); \
         raise max_iterations or alpha", .trainer.as_str()
    )]
    NotConverged {
        /// The trainer.
        trainer: Trainer,
        /// Iterations made.
        iterations: u64,
        /// Largest component of the gradient.
        gap: f64,
        /// What it had to come below.
        tolerance: f64,
    },
    /// The caller wanted no more.
    #[error("training was cancelled")]
    Cancelled,
    /// The caller saw no use in going on.
    #[error(
        "its validation {} was {:.6} after {rounds} rounds, which is behind the trials before",
        .by.map_or("loss", Metric::title), .by.map_or(*.cost, |by| by.as_loss(*.cost))
    )]
    Hopeless {
        /// Boosting rounds made.
        rounds: u64,
        /// The metric that it was judged by, if not by its loss.
        by: Option<Metric>,
        /// What that was at its best, the less the better.
        cost: f64,
    },
    /// The library that fits refused.
    #[error("{} could not be fitted: {reason}", .trainer.as_str())]
    Library {
        /// The trainer.
        trainer: Trainer,
        /// What it said.
        reason: String,
    },
}

fn fitting(aim: Aim) -> String {
    Trainer::of(aim).map(Trainer::as_str).collect::<Vec<_>>().join(", ")
}

/// What training gave.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// Answers from feature values.
    pub predictor: Predictor,
    /// How fitting went.
    pub report: FitReport,
}

/// How fitting went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FitReport {
    /// Iterations of the solver, boosting rounds kept, or trees of a forest.
    pub iterations: u64,
    /// Largest component of the gradient where the solver stopped; none for boosting.
    pub gap: Option<f64>,
    /// Boosting: the validation loss (log loss, or RMSE) after each round, those after the best one included; empty
    /// without a validation part.
    pub validation_loss: Vec<f64>,
    /// The same on up to 5,000 of the training rows, answered as rows are that were never seen; empty where nobody looks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub training_loss: Vec<f64>,
    /// Rows behind the two: of the validation part, and of the training part.
    #[serde(default)]
    pub loss_rows: (u64, u64),
}

/// Fits a predictor on the training part.
///
/// # Errors
/// When trainer, features and labels do not belong together, a class is absent from the training part, the solver does not
/// converge, or `progress` says to stop.
pub fn train(
    table: &FeatureTable,
    labels: &Labels,
    split: &Split,
    kind: TargetKind,
    config: &TrainerConfig,
    seed: u64,
    progress: &dyn Progress,
) -> Result<Fitted, TrainError> {
    train_on(&Encoded::default(), table, labels, split, kind, config, seed, progress)
}

/// The same, with what other fits on the same training and validation rows, of the same seed, have encoded. No bit depends on who came first.
///
/// # Errors
/// As [`train`].
#[expect(clippy::too_many_arguments, reason = "what train is given, and what it shares")]
pub fn train_on(
    encoded: &Encoded,
    table: &FeatureTable,
    labels: &Labels,
    split: &Split,
    kind: TargetKind,
    config: &TrainerConfig,
    seed: u64,
    progress: &dyn Progress,
) -> Result<Fitted, TrainError> {
    let trainer = config.trainer();
    check(table, labels, split, kind, config)?;
    let (encoders, told) = match encoded.encoders.get() {
        Some(known) => known,
        None => {
            // Made before it is kept: what is fitted on many threads must not hold others up that wait for it on the same ones.
            let made = fit_encoders(table, labels, split, seed);
            encoded.encoders.get_or_init(|| made)
        }
    };
    let matrices = &encoded.matrices;
    let task = Task { table, labels, split, kind, encoders, told, matrices, config, seed, progress };
    let (estimator, report) = match trainer {
        Trainer::Logistic => logistic::fit(&task)?,
        Trainer::ElasticNet => elastic_net::fit(&task)?,
        Trainer::GradientBoosting => boosting::fit(&task)?,
        Trainer::RandomForest | Trainer::DecisionTree => forest::fit(&task)?,
        Trainer::External => return Err(task.failed("its program fits it, in a step of its own")),
    };
    let classes = labels.classes().unwrap_or_default();
    let predictor = Predictor::new(kind, classes, encoders.clone(), estimator)
        .ok_or_else(|| TrainError::Library { trainer, reason: "it gave weights that are not finite".to_owned() })?;
    Ok(Fitted { predictor: predictor.with_threshold(labels.costs().threshold()), report })
}

/// Whether all belongs together.
fn check(
    table: &FeatureTable,
    labels: &Labels,
    split: &Split,
    kind: TargetKind,
    config: &TrainerConfig,
) -> Result<(), TrainError> {
    let trainer = config.trainer();
    let aim = Aim { kind, quantile: labels.quantile() };
    if !trainer.fits(aim) || labels.classes().is_none() != (kind == TargetKind::Regression) {
        return Err(TrainError::WrongKind { trainer, aim });
    }
    if table.rows() != labels.len() {
        return Err(TrainError::Lengths { rows: table.rows(), labels: labels.len() });
    }
    check_classes(labels, split)?;
    Ok(())
}

/// The encoders of the features, fitted on the training part, and what its rows are told.
fn fit_encoders(table: &FeatureTable, labels: &Labels, split: &Split, seed: u64) -> (Encoders, Told) {
    let rows = split.rows(Part::Train);
    let target = |row: &u32| match labels.class(*row as usize) {
        Some(class) => f64::from(class),
        None => labels.number(*row as usize).unwrap_or_default(),
    };
    let targets: Vec<f64> = rows.iter().map(target).collect();
    Encoders::fit(table, rows, &targets, seed)
}

impl Fitted {
    /// With the scores of a binary model made probabilities, or a quantile moved, by what its validation part shows.
    ///
    /// # Errors
    /// When that part has not both classes, its scores go the wrong way, or it has too few rows for the quantile.
    pub fn calibrated(
        self,
        method: CalibrationMethod,
        table: &FeatureTable,
        labels: &Labels,
        split: &Split,
    ) -> Result<Self, CalibrateError> {
        if method == CalibrationMethod::None {
            return Ok(self);
        }
        let rows = split.rows(Part::Validation);
        let predictions = self.predictor.predict_table(table, rows)?;
        let fitted = calibration(method, labels, rows.iter().zip(&predictions));
        let predictor = fitted.and_then(|fitted| self.predictor.with_calibration(fitted));
        let uncalibrated = || match method {
            CalibrationMethod::Conformal => CalibrateError::TooFew { rows: rows.len() },
            _ => CalibrateError::Uncalibrated { method, rows: rows.len() },
        };
        Ok(Self { predictor: predictor.ok_or_else(uncalibrated)?, ..self })
    }
}

/// The answers of a model to the rows that its calibration was fitted on, as they would be if it had not seen them: rows go in turn into
/// five parts, and each part is answered with a calibration that was fitted on the others. Of a model without a calibration its answers.
/// A part whose others tell no calibration is answered with the model's own.
///
/// What a model with a calibration is measured by on these rows; by its own answers, a rising curve that follows their noise would be
/// the best one.
///
/// # Errors
/// The first row that has no answer.
pub fn answers_crosswise(
    predictor: &Predictor,
    table: &FeatureTable,
    labels: &Labels,
    rows: &[u32],
) -> Result<Vec<Prediction>, PredictError> {
    let Some(own) = predictor.calibration() else { return predictor.predict_table(table, rows) };
    let plain = predictor.clone().without_calibration();
    let mut predictions = plain.predict_table(table, rows)?;
    let fitted: Vec<Option<Calibration>> = (0..CROSSWISE)
        .map(|part| {
            let others = rows.iter().zip(&predictions).enumerate().filter(|(place, _)| place % CROSSWISE != part);
            calibration(own.method(), labels, others.map(|(_, answered)| answered))
        })
        .collect();
    for (place, prediction) in predictions.iter_mut().enumerate() {
        let calibration = fitted[place % CROSSWISE].as_ref().unwrap_or(own);
        *prediction = plain.through(calibration, prediction);
    }
    Ok(predictions)
}

/// The answers of a model to the rows that it was fitted on, told of them what it was told then: where a category is told by the label,
/// the number that other rows give it. By its own encoders a level with one row would be told that row's label.
///
/// # Errors
/// The first row that has no answer.
pub fn answers_to_training(
    predictor: &Predictor,
    table: &FeatureTable,
    labels: &Labels,
    split: &Split,
    seed: u64,
) -> Result<Vec<Prediction>, PredictError> {
    let rows = split.rows(Part::Train);
    if !predictor.encoders().features().iter().any(|encoder| matches!(encoder, FeatureEncoder::Target(_))) {
        return predictor.predict_table(table, rows);
    }
    let (_, told) = fit_encoders(table, labels, split, seed);
    let answers = |(first, rows): (usize, &[u32])| {
        let told_of = |(place, row): (usize, &u32)| {
            let mut values = table.values(*row as usize);
            told.apply(first * TOGETHER + place, &mut values);
            values
        };
        predictor.predict_all(&rows.iter().enumerate().map(told_of).collect::<Vec<_>>())
    };
    rows.par_chunks(TOGETHER).enumerate().flat_map_iter(answers).collect()
}

/// What makes probabilities of scores, or moves a quantile, by rows and what was answered to them.
fn calibration<'a>(
    method: CalibrationMethod,
    labels: &Labels,
    answered: impl Iterator<Item = (&'a u32, &'a Prediction)>,
) -> Option<Calibration> {
    match (method, labels.quantile()) {
        (CalibrationMethod::Conformal, Some(quantile)) => {
            let error = |(row, prediction): (&u32, &Prediction)| match prediction {
                Prediction::Regression { value } => Some(labels.number(*row as usize)? - value),
                _ => None,
            };
            Calibration::shift(quantile, answered.filter_map(error).collect())
        }
        _ => {
            let pair = |(row, prediction): (&u32, &Prediction)| match prediction {
                Prediction::Binary { score, .. } => Some((*score, labels.class(*row as usize)? == 1)),
                _ => None,
            };
            Calibration::fit(method, &answered.filter_map(pair).collect::<Vec<_>>())
        }
    }
}

/// Why scores were not made probabilities.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalibrateError {
    /// A row of the validation part has no answer.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// The validation part has too few rows to tell where the quantile lies.
    #[error(
        "the {rows} rows of the validation part do not tell where so high a quantile lies; give it more rows or leave calibration out"
    )]
    TooFew {
        /// Rows of the validation part.
        rows: usize,
    },
    /// The validation part shows nothing that can be gone by.
    #[error(
        "the {rows} rows of the validation part do not calibrate the scores ({}): it needs both classes, and scores that rise with \
         them; give it more rows or leave calibration out", .method.as_str()
    )]
    Uncalibrated {
        /// How they were to be calibrated.
        method: CalibrationMethod,
        /// Rows of the validation part.
        rows: usize,
    },
}

fn check_classes(labels: &Labels, split: &Split) -> Result<(), TrainError> {
    let counts = labels.counts(split.rows(Part::Train));
    let names = labels.classes().unwrap_or_default();
    let absent: Vec<String> =
        names.iter().zip(counts).filter(|(_, count)| *count == 0).map(|(name, _)| name.clone()).collect();
    if absent.is_empty() { Ok(()) } else { Err(TrainError::AbsentClasses(absent)) }
}

/// What fits on the same training and validation rows, of the same seed, have in common. Whoever needs a part of it first makes it.
#[derive(Debug, Default)]
pub struct Encoded {
    encoders: OnceLock<(Encoders, Told)>,
    matrices: Matrices,
}

/// What trees are grown and watched on, without labels; each keeps how its features are binned.
#[derive(Debug, Default)]
struct Matrices {
    train: OnceLock<DMatrix>,
    validation: OnceLock<DMatrix>,
}

/// What every trainer is given.
#[derive(Clone, Copy)]
struct Task<'a> {
    table: &'a FeatureTable,
    labels: &'a Labels,
    split: &'a Split,
    kind: TargetKind,
    encoders: &'a Encoders,
    told: &'a Told,
    matrices: &'a Matrices,
    config: &'a TrainerConfig,
    seed: u64,
    progress: &'a dyn Progress,
}

type Fit = (Estimator, FitReport);

impl Task<'_> {
    fn failed(&self, error: impl ToString) -> TrainError {
        TrainError::Library { trainer: self.config.trainer(), reason: error.to_string() }
    }

    /// The terms of a linear model for the rows of the training part.
    fn design(&self) -> ndarray::Array2<f64> {
        let rows = self.split.rows(Part::Train);
        let mut design = ndarray::Array2::zeros((rows.len(), self.encoders.terms()));
        let (encoded, mut own) = (self.encoders.for_linear_in(self.table, Some(self.told)), Vec::new());
        for ((position, row), mut terms) in rows.iter().enumerate().zip(design.rows_mut()) {
            own.clear();
            encoded.add(position, *row, &mut own);
            own.iter().for_each(|(term, size)| terms[*term as usize] = *size);
        }
        design
    }

    /// The encoded features of one part, row by row, without labels.
    fn matrix(&self, part: Part) -> hessboost::error::Result<DMatrix> {
        let kept = match part {
            Part::Train => &self.matrices.train,
            Part::Validation | Part::Test => &self.matrices.validation,
        };
        let (rows, told) = (self.split.rows(part), (part == Part::Train).then_some(self.told));
        let make = || tree_matrix(self.encoders, rows.len(), self.encoders.for_trees_in(self.table, told).all(rows));
        match kept.get() {
            // Copies share their values and bins.
            Some(matrix) => Ok(matrix.clone()),
            None => {
                let made = make()?;
                Ok(kept.get_or_init(|| made).clone())
            }
        }
    }

    /// How much each class counts: (n / (k n_c))^class_balance, where n rows of the training part are of k classes and n_c of
    /// this one (scikit-learn's "balanced" weights, to a power). None where all count alike.
    fn class_weights(&self) -> Option<Vec<f64>> {
        let balance = self.config.number(CLASS_BALANCE);
        if balance == 0.0 || self.kind == TargetKind::Regression {
            return None;
        }
        let counts = self.labels.counts(self.split.rows(Part::Train));
        let (rows, classes) = (counts.iter().sum::<u64>() as f64, counts.len() as f64);
        Some(counts.iter().map(|count| (rows / (classes * *count as f64)).powf(balance)).collect())
    }

    /// How much each row of a part counts, by its class; none where all count alike.
    fn weights(&self, part: Part) -> Option<Vec<f32>> {
        let of_class = self.class_weights()?;
        Some(self.classes(part).into_iter().map(|class| of_class[class as usize] as f32).collect())
    }

    /// The classes of the training part, row by row; empty for a regression.
    fn classes(&self, part: Part) -> Vec<u32> {
        self.split.rows(part).iter().filter_map(|row| self.labels.class(*row as usize)).collect()
    }

    /// The numbers of the training part, row by row; empty for classes.
    fn numbers(&self, part: Part) -> Vec<f64> {
        self.split.rows(part).iter().filter_map(|row| self.labels.number(*row as usize)).collect()
    }
}
