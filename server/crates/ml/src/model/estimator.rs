//! The fitted part of a model: encoders, an estimator, and what its answers mean.

use std::sync::Arc;

use hessboost::model::{BoostedModel, ImportanceType, Iterations};
use millrace_domain::metric::TargetKind;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::calibration::Calibration;
use super::linear::{LinearEstimator, Link};
use super::onnx::OnnxModel;
use super::prediction::Prediction;
use crate::evaluate::most_probable;
use crate::features::{Encoders, FeatureEncoder, FeatureTable, FeatureValue};

/// Why no answer can be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PredictError {
    /// The calculation left the range of numbers.
    #[error("the model's answer is not a finite number: a feature is too large for it")]
    NotFinite,
    /// The tree ensemble refused the row.
    #[error("the tree ensemble could not be evaluated: {0}")]
    Trees(String),
    /// The model that was fitted elsewhere gave no answer.
    #[error("the model could not be evaluated: {0}")]
    Onnx(String),
}

/// What calculates answers from encoded features.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Estimator {
    /// A linear model.
    Linear(LinearEstimator),
    /// A gradient-boosted tree ensemble.
    Trees(Box<BoostedModel>),
    /// The mean of trees whose leaves answer with means: numbers, or shares of classes.
    Forest(Box<BoostedModel>),
    /// A network or another model that was fitted elsewhere.
    Onnx(Box<OnnxModel>),
}

impl Estimator {
    /// The learning objectives that boosted trees for that kind of target may have.
    pub(crate) const fn boosting_objectives(kind: TargetKind) -> &'static [&'static str] {
        match kind {
            TargetKind::Binary => &["binary:logistic"],
            TargetKind::Multiclass => &["multi:softprob"],
            TargetKind::Regression => &["reg:squarederror", "reg:quantileerror"],
        }
    }
}

/// Encoders, an estimator, and what its answers mean.
#[derive(Debug, Clone)]
pub struct Predictor {
    pub(super) kind: TargetKind,
    pub(super) classes: Vec<Arc<str>>,
    pub(super) encoders: Encoders,
    pub(super) estimator: Estimator,
    /// Makes probabilities of scores that are none yet; of binary models.
    pub(super) calibration: Option<Calibration>,
    /// Of a binary model: a score above it says the positive class.
    pub(super) threshold: f64,
}

/// Rows that go through trees together.
pub(super) const TOGETHER: usize = 128;

/// The threshold where both errors cost the same.
pub(super) const EVEN: f64 = 0.5;

impl Predictor {
    /// Puts the parts together; none when they do not fit each other.
    pub(crate) fn new(kind: TargetKind, classes: &[String], encoders: Encoders, estimator: Estimator) -> Option<Self> {
        let outputs = match (kind, classes.len()) {
            (TargetKind::Binary, 2) | (TargetKind::Regression, 0) => 1,
            (TargetKind::Multiclass, classes) if classes > 2 => classes,
            _ => return None,
        };
        let fits = match &estimator {
            Estimator::Linear(linear) => {
                let link = match kind {
                    TargetKind::Binary => Link::Logistic,
                    TargetKind::Multiclass => Link::Softmax,
                    TargetKind::Regression => Link::Identity,
                };
                linear.link == link && linear.fits(outputs, encoders.terms())
            }
            Estimator::Trees(trees) => fits_trees(trees, Estimator::boosting_objectives(kind), outputs, &encoders),
            Estimator::Forest(trees) => fits_trees(trees, &[MEAN_OBJECTIVE], outputs, &encoders),
            Estimator::Onnx(model) => model.fits(kind, outputs, &encoders),
        };
        let sound = encoders.features().iter().all(FeatureEncoder::is_sound);
        let classes = classes.iter().map(|name| Arc::from(name.as_str())).collect();
        (fits && sound).then_some(Self { kind, classes, encoders, estimator, calibration: None, threshold: EVEN })
    }

    /// With another threshold than one half.
    #[must_use]
    pub(crate) fn with_threshold(self, threshold: f64) -> Self {
        Self { threshold, ..self }
    }

    /// With answers that go through a calibration; none unless it is one of such answers.
    pub(crate) fn with_calibration(self, calibration: Calibration) -> Option<Self> {
        (self.kind == calibration.kind()).then_some(Self { calibration: Some(calibration), ..self })
    }

    /// With the scores of what calculates as they are.
    #[must_use]
    pub(crate) fn without_calibration(self) -> Self {
        Self { calibration: None, ..self }
    }

    /// An answer of a model without a calibration, as it is with one.
    pub(crate) fn through(&self, calibration: &Calibration, prediction: &Prediction) -> Prediction {
        match prediction {
            Prediction::Binary { score, .. } => self.binary(calibration.apply(*score)),
            Prediction::Regression { value } => Prediction::Regression { value: calibration.apply(*value) },
            Prediction::Multiclass { .. } => prediction.clone(),
        }
    }

    fn binary(&self, score: f64) -> Prediction {
        Prediction::Binary { score, label: self.classes[usize::from(score > self.threshold)].clone() }
    }

    /// What makes probabilities of scores, or moves a quantile, if anything does.
    pub const fn calibration(&self) -> Option<&Calibration> {
        self.calibration.as_ref()
    }

    /// Of a binary model: a score above it says the positive class.
    pub const fn threshold(&self) -> f64 {
        self.threshold
    }

    /// The kind of target.
    pub const fn kind(&self) -> TargetKind {
        self.kind
    }

    /// The names of the classes, the positive one of two second; none for a regression.
    pub fn classes(&self) -> &[Arc<str>] {
        &self.classes
    }

    /// How features are encoded.
    pub const fn encoders(&self) -> &Encoders {
        &self.encoders
    }

    /// What calculates.
    pub const fn estimator(&self) -> &Estimator {
        &self.estimator
    }

    /// The answer for the features of one row.
    ///
    /// # Errors
    /// When the calculation leaves the range of numbers.
    pub fn predict(&self, values: &[FeatureValue<'_>]) -> Result<Prediction, PredictError> {
        let answer = match &self.estimator {
            Estimator::Linear(linear) => linear.answer(&self.encoders, values),
            Estimator::Trees(trees) => ask_trees(trees, &self.encoders.for_trees(values))?,
            Estimator::Forest(trees) => as_shares(self.kind, ask_trees(trees, &self.encoders.for_trees(values))?),
            Estimator::Onnx(model) => model.answer(self.kind, &self.encoders, values)?,
        };
        self.told(answer)
    }

    /// The answers for several rows, bit for bit those of [`Self::predict`]: rows go through each tree together, which is faster than each by
    /// itself. Runs in the current thread pool.
    pub fn predict_all(&self, rows: &[Vec<FeatureValue<'_>>]) -> Vec<Result<Prediction, PredictError>> {
        let trees = match &self.estimator {
            Estimator::Trees(trees) | Estimator::Forest(trees) if rows.len() > 1 => trees,
            _ => return rows.iter().map(|values| self.predict(values)).collect(),
        };
        let encoded: Vec<f32> = rows.iter().flat_map(|values| self.encoders.for_trees(values)).collect();
        // Which row it is that the ensemble refuses, each says by itself.
        self.by_trees(trees, &encoded).unwrap_or_else(|| rows.iter().map(|values| self.predict(values)).collect())
    }

    /// The answers of an ensemble to encoded rows; none where it refuses one of them.
    fn by_trees(&self, trees: &BoostedModel, encoded: &[f32]) -> Option<Vec<Result<Prediction, PredictError>>> {
        let answers = trees.predict_rows(encoded, Iterations::Best).ok()?;
        let answer = |answer: &[f32]| {
            let answer: Vec<f64> = answer.iter().copied().map(f64::from).collect();
            self.told(if matches!(self.estimator, Estimator::Forest(_)) {
                as_shares(self.kind, answer)
            } else {
                answer
            })
        };
        Some(answers.as_slice().chunks(trees.prediction_width()).map(answer).collect())
    }

    /// What an answer of the estimator means.
    fn told(&self, answer: Vec<f64>) -> Result<Prediction, PredictError> {
        if !answer.iter().all(|number| number.is_finite()) {
            return Err(PredictError::NotFinite);
        }
        let first = self.calibration.as_ref().map_or(answer[0], |calibration| calibration.apply(answer[0]));
        Ok(match self.kind {
            TargetKind::Regression if !first.is_finite() => return Err(PredictError::NotFinite),
            TargetKind::Regression => Prediction::Regression { value: first },
            TargetKind::Binary => self.binary(first),
            TargetKind::Multiclass => {
                let label = self.classes[most_probable(&answer) as usize].clone();
                Prediction::Multiclass { label, probabilities: answer }
            }
        })
    }

    /// The answers for `rows` of a table, in that order.
    ///
    /// # Errors
    /// The first row that has none.
    pub fn predict_table(&self, table: &FeatureTable, rows: &[u32]) -> Result<Vec<Prediction>, PredictError> {
        let of_trees = match &self.estimator {
            Estimator::Trees(trees) | Estimator::Forest(trees) => {
                Some((trees, self.encoders.for_trees_in(table, None)))
            }
            Estimator::Linear(_) | Estimator::Onnx(_) => None,
        };
        let answers = |rows: &[u32]| -> Vec<Result<Prediction, PredictError>> {
            let answers = of_trees.as_ref().and_then(|(trees, encoded)| self.by_trees(trees, &encoded.all(rows)));
            answers.unwrap_or_else(|| rows.iter().map(|row| self.predict(&table.values(*row as usize))).collect())
        };
        rows.par_chunks(TOGETHER).flat_map_iter(answers).collect()
    }

    /// How much each feature matters, in the order of the definitions; the sum is 1 unless nothing matters.
    ///
    /// For trees it is the total gain of the splits on the feature; for a linear model the largest weight of its terms
    /// in the scale they are told in, summed over the classes. Of a model that was fitted elsewhere nothing is known.
    pub fn importance(&self) -> Vec<f64> {
        let features = self.encoders.features();
        let mut scores = vec![0.0; features.len()];
        match &self.estimator {
            Estimator::Trees(trees) | Estimator::Forest(trees) => {
                let owner: Vec<usize> = (0..features.len())
                    .flat_map(|feature| std::iter::repeat_n(feature, features[feature].columns()))
                    .collect();
                for (column, gain) in trees.feature_importance(ImportanceType::TotalGain) {
                    scores[owner[column]] += gain.max(0.0);
                }
            }
            Estimator::Onnx(_) => {}
            Estimator::Linear(linear) => {
                let mut first = 0;
                for (score, encoder) in scores.iter_mut().zip(features) {
                    let terms = first..first + encoder.terms();
                    let largest = |weights: &[f64]| weights.iter().fold(0.0_f64, |most, weight| most.max(weight.abs()));
                    *score = linear.outputs.iter().map(|output| largest(&output.weights[terms.clone()])).sum();
                    first = terms.end;
                }
            }
        }
        let total: f64 = scores.iter().sum();
        if total > 0.0 {
            scores.iter_mut().for_each(|score| *score /= total);
        }
        scores
    }
}

/// The learning objective of trees whose leaves answer with means.
const MEAN_OBJECTIVE: &str = "reg:squarederror";

fn fits_trees(trees: &BoostedModel, objectives: &[&str], outputs: usize, encoders: &Encoders) -> bool {
    objectives.contains(&trees.objective().name())
        && trees.linear().is_none()
        && trees.n_outputs() == outputs
        && trees.prediction_width() == outputs
        && trees.n_features() == encoders.columns()
}

fn ask_trees(trees: &BoostedModel, row: &[f32]) -> Result<Vec<f64>, PredictError> {
    let mut answer = vec![0.0; trees.prediction_width()];
    trees
        .predict_row_into(row, Iterations::Best, &mut answer)
        .map_err(|error| PredictError::Trees(error.to_string()))?;
    Ok(answer.into_iter().map(f64::from).collect())
}

/// Means of shares, which rounding may have put a hair outside of what shares can be.
fn as_shares(kind: TargetKind, mut answer: Vec<f64>) -> Vec<f64> {
    if kind == TargetKind::Regression {
        return answer;
    }
    answer.iter_mut().for_each(|share| *share = share.clamp(0.0, 1.0));
    if kind == TargetKind::Multiclass {
        let sum: f64 = answer.iter().sum();
        answer.iter_mut().for_each(|share| *share /= sum);
    }
    answer
}
