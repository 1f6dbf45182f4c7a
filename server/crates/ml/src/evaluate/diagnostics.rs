//! What figures of an evaluation are drawn from, bounded in size whatever the number of rows.

use serde::{Deserialize, Serialize};

use super::curves::{CalibrationBin, CurvePoint, ThresholdPoint, thin};
use super::outcomes;
use super::outcomes::{BinaryOutcomes, ClassOutcomes, NumberOutcomes, Outcomes};
use super::per_class::ClassEvaluation;
use super::resample::quantile;
use super::sum::sum;

const CURVE_POINTS: usize = 400;
const RESIDUAL_POINTS: usize = 500;
const LARGEST_ERRORS: usize = 20;
const ERROR_BINS: usize = 10;
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
        /// Each class against all others.
        classes: Vec<ClassEvaluation>,
        /// Of the probability of the most probable class: ten bins of equally many rows.
        calibration: Vec<CalibrationBin>,
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
    /// Tenths of the rows by what was predicted, lowest first.
    pub tenths: Vec<ErrorBin>,
    /// (actual, predicted) of up to 500 rows, evenly spaced.
    pub points: Vec<(f64, f64)>,
    /// (actual, predicted) of the 20 rows that are furthest off, the worst first; of equals the first.
    pub largest: Vec<(f64, f64)>,
}

/// How far predictions of about the same number were off, in the target's unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ErrorBin {
    /// The least prediction.
    pub low: f64,
    /// The greatest prediction.
    pub high: f64,
    /// Rows.
    pub rows: u64,
    /// Mean of actual minus predicted: the bias there.
    pub mean: f64,
    /// Mean absolute error.
    pub absolute: f64,
    /// The 5 % and 95 % quantiles of actual minus predicted.
    pub quantiles: (f64, f64),
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
            Outcomes::Multiclass(outcomes) => Self::Multiclass {
                confusion: outcomes.confusion(),
                classes: outcomes.per_class(),
                calibration: outcomes.most_probable().calibration(CALIBRATION_BINS),
            },
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

    /// Tenths of the rows by what was predicted, equally many in each; fewer where equal predictions span several.
    fn tenths(&self) -> Vec<ErrorBin> {
        let mut pairs: Vec<(f64, f64)> = self.pairs().collect();
        pairs.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut bins = Vec::new();
        let mut first = 0;
        for tenth in 1..=ERROR_BINS {
            let mut end = (pairs.len() * tenth / ERROR_BINS).max(first);
            // Equal predictions are of one bin.
            while end > first && end < pairs.len() && pairs[end].1 == pairs[end - 1].1 {
                end += 1;
            }
            let Some(own @ [(_, low), ..]) = pairs.get(first..end) else { continue };
            let mut errors: Vec<f64> = own.iter().map(|(actual, predicted)| actual - predicted).collect();
            errors.sort_by(f64::total_cmp);
            let count = errors.len() as f64;
            bins.push(ErrorBin {
                low: *low,
                high: own[own.len() - 1].1,
                rows: own.len() as u64,
                mean: sum(errors.iter().copied()) / count,
                absolute: sum(errors.iter().map(|error| error.abs())) / count,
                quantiles: (quantile(&errors, 0.05), quantile(&errors, 0.95)),
            });
            first = end;
        }
        bins
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
            tenths: self.tenths(),
            points: thin(self.pairs().collect(), RESIDUAL_POINTS),
            largest: self.largest_errors(),
        }
    }
}
