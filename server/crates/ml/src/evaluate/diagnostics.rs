//! What figures of an evaluation are drawn from, bounded in size whatever the number of rows.

use serde::{Deserialize, Serialize};

use super::curves::{CalibrationBin, CurvePoint, ThresholdPoint, thin};
use super::outcomes;
use super::outcomes::{BinaryOutcomes, ClassOutcomes, NumberOutcomes, Outcomes};
use super::resample::quantile;
use super::sum::sum;

const CURVE_POINTS: usize = 400;
const RESIDUAL_POINTS: usize = 500;
const LARGEST_ERRORS: usize = 20;
pub(super) const CALIBRATION_BINS: usize = 10;

/// What figures are drawn from, by kind of target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Diagnostics {
    /// Two classes.
    Binary {
        /// Empty when only one class occurs.
        roc: Vec<CurvePoint>,
        /// Empty when no positive occurs.
        precision_recall: Vec<CurvePoint>,
        /// Ten bins of equally many rows.
        calibration: Vec<CalibrationBin>,
        /// At the threshold of the costs.
        confusion: Confusion,
        /// That threshold.
        threshold: f64,
        /// What comes of other thresholds, lowest first.
        thresholds: Vec<ThresholdPoint>,
        /// Share of positives.
        prevalence: f64,
    },
    /// Three or more classes.
    Multiclass {
        /// By most probable class.
        confusion: Confusion,
    },
    /// Numbers.
    Regression {
        /// Actual minus predicted.
        residuals: Residuals,
    },
}

/// How often each class was taken for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// `counts[actual][predicted]`, in the order of the model's classes.
    pub counts: Vec<Vec<u64>>,
}

/// How far predictions were off: actual minus predicted, in the target's unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Residuals {
    /// Mean: the bias.
    pub mean: f64,
    /// Population standard deviation.
    pub standard_deviation: f64,
    /// Quantiles at 0, 0.05, 0.25, 0.5, 0.75, 0.95 and 1.
    pub quantiles: [f64; 7],
    /// (actual, predicted) of up to 500 rows, evenly spaced.
    pub points: Vec<(f64, f64)>,
    /// (actual, predicted) of the 20 rows that are furthest off, the worst first; of equals the first.
    pub largest: Vec<(f64, f64)>,
}

impl Diagnostics {
    /// Gathers them.
    pub(super) fn of(outcomes: &Outcomes) -> Self {
        match outcomes {
            Outcomes::Binary(outcomes) => Self::Binary {
                roc: thin(outcomes.roc_curve(), CURVE_POINTS),
                precision_recall: thin(outcomes.precision_recall_curve(), CURVE_POINTS),
                calibration: outcomes.calibration(CALIBRATION_BINS),
                confusion: outcomes.confusion(),
                threshold: outcomes.costs.threshold(),
                thresholds: outcomes.thresholds(),
                prevalence: outcomes.labels.iter().filter(|label| **label).count() as f64
                    / outcomes.labels.len() as f64,
            },
            Outcomes::Multiclass(outcomes) => Self::Multiclass { confusion: outcomes.confusion() },
            Outcomes::Regression(outcomes) => Self::Regression { residuals: outcomes.residuals() },
        }
    }
}

impl Confusion {
    fn count(classes: usize, pairs: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut counts = vec![vec![0; classes]; classes];
        for (actual, predicted) in pairs {
            counts[actual][predicted] += 1;
        }
        Self { counts }
    }
}

impl BinaryOutcomes {
    /// How often each class was taken for each, at the threshold of the costs.
    pub fn confusion(&self) -> Confusion {
        let threshold = self.costs.threshold();
        let predicted = self.scores.iter().map(|score| usize::from(*score > threshold));
        Confusion::count(2, self.labels.iter().map(|label| usize::from(*label)).zip(predicted))
    }
}

impl ClassOutcomes {
    /// How often each class was taken for each.
    pub fn confusion(&self) -> Confusion {
        let predicted = (0..self.labels.len()).map(|row| outcomes::most_probable(self.row(row)) as usize);
        Confusion::count(self.classes, self.labels.iter().map(|label| *label as usize).zip(predicted))
    }
}

impl NumberOutcomes {
    fn pairs(&self) -> impl Iterator<Item = (f64, f64)> {
        self.actual.iter().copied().zip(self.predicted.iter().copied())
    }

    fn largest_errors(&self) -> Vec<(f64, f64)> {
        let mut pairs: Vec<(f64, f64)> = self.pairs().collect();
        pairs.sort_by(|a, b| (b.0 - b.1).abs().total_cmp(&(a.0 - a.1).abs()));
        pairs.truncate(LARGEST_ERRORS);
        pairs
    }

    /// How far predictions were off.
    pub fn residuals(&self) -> Residuals {
        let mut errors: Vec<f64> = self.actual.iter().zip(&self.predicted).map(|(a, p)| a - p).collect();
        errors.sort_by(f64::total_cmp);
        let count = errors.len() as f64;
        let mean = sum(errors.iter().copied()) / count;
        let variance = sum(errors.iter().map(|error| (error - mean).powi(2))) / count;
        Residuals {
            mean,
            standard_deviation: variance.sqrt(),
            quantiles: [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0].map(|share| quantile(&errors, share)),
            points: thin(self.pairs().collect(), RESIDUAL_POINTS),
            largest: self.largest_errors(),
        }
    }
}
