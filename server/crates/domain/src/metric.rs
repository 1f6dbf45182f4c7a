//! Evaluation metrics: names, directions, and which problems they fit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::trainer::Aim;

/// What is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// One of two classes; the positive one has a score between 0 and 1.
    Binary,
    /// One of three or more classes.
    Multiclass,
    /// A number.
    Regression,
}

impl TargetKind {
    /// The document's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Multiclass => "multiclass",
            Self::Regression => "regression",
        }
    }
}

impl FromStr for TargetKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Binary, Self::Multiclass, Self::Regression].into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

/// A metric of a fitted model on one part of the data. Definitions follow scikit-learn 1.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Area under the ROC curve; ties count half. Multiclass: one against the rest, macro average.
    RocAuc,
    /// Average precision: the step-wise area under the precision–recall curve. Multiclass: one against the rest, macro average.
    PrAuc,
    /// Mean negative log-likelihood in nats; probabilities are clipped to [ε, 1 − ε] with double's ε.
    LogLoss,
    /// Mean squared difference of probability and outcome. Multiclass: half the sum over the classes, from 0 to 1, so that
    /// it is the same of two classes.
    Brier,
    /// Expected calibration error: the mean distance of score and outcome over ten bins of equally many rows (Nixon et al. 2019, with
    /// bins of equal mass). Multiclass: of the most probable class, and whether it came true (Guo et al. 2017).
    Ece,
    /// Mean cost of a row, an error costing what the document says, else 1 (binary).
    Cost,
    /// Share of rows whose most probable class is the true one.
    Accuracy,
    /// Mean recall over the classes.
    BalancedAccuracy,
    /// Harmonic mean of precision and recall; multiclass: macro average.
    F1,
    /// Share of predicted positives that are positive; multiclass: macro average.
    Precision,
    /// Share of positives that were predicted; multiclass: macro average.
    Recall,
    /// Root of the mean squared error, in the target's unit.
    Rmse,
    /// Mean absolute error, in the target's unit.
    Mae,
    /// Mean absolute error as a share of the true number, which is kept off 0 by double's ε.
    Mape,
    /// Share of variance explained: 1 − residual / total sum of squares.
    R2,
    /// Mean pinball loss at the quantile q that the document asks for, in the target's unit: q times what the truth is above the answer
    /// by, 1 − q times what it is below by.
    Pinball,
    /// How far the share of true numbers that are at most the answer is from the quantile that the document asks for.
    CoverageError,
}

/// Whether more or less is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More is better.
    Up,
    /// Less is better.
    Down,
}

impl Metric {
    /// All metrics.
    pub const ALL: [Self; 17] = [
        Self::RocAuc,
        Self::PrAuc,
        Self::LogLoss,
        Self::Brier,
        Self::Ece,
        Self::Cost,
        Self::Accuracy,
        Self::BalancedAccuracy,
        Self::F1,
        Self::Precision,
        Self::Recall,
        Self::Rmse,
        Self::Mae,
        Self::Mape,
        Self::R2,
        Self::Pinball,
        Self::CoverageError,
    ];

    /// The document's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RocAuc => "roc_auc",
            Self::PrAuc => "pr_auc",
            Self::LogLoss => "log_loss",
            Self::Brier => "brier",
            Self::Ece => "ece",
            Self::Cost => "cost",
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced_accuracy",
            Self::F1 => "f1",
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::Rmse => "rmse",
            Self::Mae => "mae",
            Self::Mape => "mape",
            Self::R2 => "r2",
            Self::Pinball => "pinball",
            Self::CoverageError => "coverage_error",
        }
    }

    /// What it is called in a sentence.
    pub const fn title(self) -> &'static str {
        match self {
            Self::RocAuc => "ROC AUC",
            Self::PrAuc => "average precision",
            Self::LogLoss => "log loss",
            Self::Brier => "Brier score",
            Self::Ece => "calibration error",
            Self::Cost => "cost a row",
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced accuracy",
            Self::F1 => "F1",
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::Rmse => "RMSE",
            Self::Mae => "mean absolute error",
            Self::Mape => "mean percentage error",
            Self::R2 => "R²",
            Self::Pinball => "pinball loss",
            Self::CoverageError => "coverage error",
        }
    }

    /// A value of it as something that is better the less it is.
    pub const fn as_loss(self, value: f64) -> f64 {
        match self.direction() {
            Direction::Down => value,
            Direction::Up => -value,
        }
    }

    /// Which way is better.
    pub const fn direction(self) -> Direction {
        match self {
            Self::LogLoss
            | Self::Brier
            | Self::Ece
            | Self::Cost
            | Self::Rmse
            | Self::Mae
            | Self::Mape
            | Self::Pinball
            | Self::CoverageError => Direction::Down,
            _ => Direction::Up,
        }
    }

    /// Whether it is about the quantile that the document asks for.
    pub const fn is_of_quantile(self) -> bool {
        matches!(self, Self::Pinball | Self::CoverageError)
    }

    /// Whether it is counted in what the target is counted in.
    pub const fn is_in_unit_of_target(self) -> bool {
        matches!(self, Self::Rmse | Self::Mae | Self::Pinball)
    }

    /// Whether the metric is defined for that kind of target.
    pub const fn fits(self, kind: TargetKind) -> bool {
        match self {
            Self::Rmse | Self::Mae | Self::Mape | Self::R2 | Self::Pinball | Self::CoverageError => {
                matches!(kind, TargetKind::Regression)
            }
            Self::Cost => matches!(kind, TargetKind::Binary),
            _ => !matches!(kind, TargetKind::Regression),
        }
    }

    /// Whether the metric is defined for what is to be predicted.
    pub fn is_of(self, aim: Aim) -> bool {
        self.fits(aim.kind) && (aim.quantile.is_some() || !self.is_of_quantile())
    }

    /// The metrics of that kind of target, in the order they are shown.
    pub fn of(kind: TargetKind) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |metric| metric.fits(kind))
    }

    /// Whether `a` is better than `b`; a value that is not a number is never better.
    pub fn is_better(self, a: f64, b: f64) -> bool {
        match self.direction() {
            Direction::Up => a > b || (b.is_nan() && !a.is_nan()),
            Direction::Down => a < b || (b.is_nan() && !a.is_nan()),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Metric {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|metric| metric.as_str() == text).ok_or(())
    }
}

/// What the two errors of a binary model cost, in one unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Of saying yes where the truth is no.
    pub false_positive: f64,
    /// Of saying no where the truth is yes.
    pub false_negative: f64,
}

impl Default for Costs {
    /// Both errors alike.
    fn default() -> Self {
        Self { false_positive: 1.0, false_negative: 1.0 }
    }
}

impl Costs {
    /// The score above which yes is cheaper than no, if scores are probabilities: there p · false_negative exceeds
    /// (1 − p) · false_positive (Elkan 2001, "The Foundations of Cost-Sensitive Learning", section 2).
    pub fn threshold(self) -> f64 {
        self.false_positive / (self.false_positive + self.false_negative)
    }
}

/// A bound on a metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The metric must reach this value.
    AtLeast(f64),
    /// The metric must not exceed this value.
    AtMost(f64),
}

impl Bound {
    /// Whether `observed` keeps the bound; NaN never does.
    pub fn holds(self, observed: f64) -> bool {
        match self {
            Self::AtLeast(limit) => observed >= limit,
            Self::AtMost(limit) => observed <= limit,
        }
    }

    /// The limit itself.
    pub const fn limit(self) -> f64 {
        match self {
            Self::AtLeast(limit) | Self::AtMost(limit) => limit,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(limit) => write!(f, "≥ {limit}"),
            Self::AtMost(limit) => write!(f, "≤ {limit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_never_keeps_a_bound() {
        assert!(!Bound::AtLeast(0.0).holds(f64::NAN));
        assert!(!Bound::AtMost(0.0).holds(f64::NAN));
    }

    #[test]
    fn nan_is_worse_than_any_number() {
        assert!(!Metric::LogLoss.is_better(f64::NAN, 9.0));
        assert!(Metric::LogLoss.is_better(9.0, f64::NAN));
    }

    #[test]
    fn yes_is_said_earlier_the_more_a_miss_costs() {
        assert_eq!(Costs::default().threshold(), 0.5);
        assert_eq!(Costs { false_positive: 1.0, false_negative: 9.0 }.threshold(), 0.1);
    }

    #[test]
    fn every_name_parses_back() {
        for metric in Metric::ALL {
            assert_eq!(metric.as_str().parse(), Ok(metric));
        }
    }
}
