//! What a run can ask for: trainers with their hyperparameters, and a search over them.
//!
//! Everything is declared and read here once ([`FitPlan::read`]), so that a mistake is told when a run is launched and by whatever
//! door it comes, and what steps compute with cannot be wrong.

mod forecast;
mod hyperparameter;
mod importance;
mod plan;
mod program;
mod setting;
mod space;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::metric::TargetKind;
use crate::problem::Target;

pub use forecast::{LEAST_SCORES, expected_gain, is_enough};
pub use hyperparameter::{CLASS_BALANCE, Hyperparameter};
pub use importance::{Importance, LEAST_TRIALS, importance};
pub use plan::{ANY_TRAINER, FitPlan, MOST_PARALLEL, MOST_TRIALS, Rung};
pub use program::{EXTERNAL, Program, ProgramInputs, ProgramName, ProgramParameter, Programs};
pub use setting::{Range, Scale, Setting, Settings, TrainerConfig};
pub use space::{Axis, Branch, Condition, Ruler, Space, Values, choice_at, is_met};

/// An algorithm that fits models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trainer {
    /// Gradient-boosted trees.
    GradientBoosting,
    /// The mean of trees that were each grown on other rows and features.
    RandomForest,
    /// One tree.
    DecisionTree,
    /// Logistic regression, of two or more classes, with an L2 penalty.
    Logistic,
    /// Linear regression with L1 and L2 penalties.
    ElasticNet,
    /// A program that whoever runs the server declared ([`Program`]).
    External,
}

/// What is to be predicted, as far as it says which trainers can.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aim {
    /// The kind of target.
    pub kind: TargetKind,
    /// Of a number: which quantile, where it is not the mean.
    pub quantile: Option<f64>,
}

impl From<TargetKind> for Aim {
    fn from(kind: TargetKind) -> Self {
        Self { kind, quantile: None }
    }
}

impl From<&Target> for Aim {
    fn from(target: &Target) -> Self {
        Self { kind: target.kind, quantile: target.quantile }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.quantile.is_some() { "quantile" } else { self.kind.as_str() })
    }
}

impl Trainer {
    /// All trainers of our own, the usual choice first.
    pub const ALL: [Self; 5] =
        [Self::GradientBoosting, Self::RandomForest, Self::DecisionTree, Self::Logistic, Self::ElasticNet];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GradientBoosting => "gradient_boosting",
            Self::RandomForest => "random_forest",
            Self::DecisionTree => "decision_tree",
            Self::Logistic => "logistic",
            Self::ElasticNet => "elastic_net",
            Self::External => "external",
        }
    }

    /// Whether it is for that aim.
    pub fn fits(self, aim: impl Into<Aim>) -> bool {
        let Aim { kind, quantile } = aim.into();
        match self {
            Self::GradientBoosting | Self::External => true,
            Self::RandomForest | Self::DecisionTree => quantile.is_none(),
            Self::Logistic => kind != TargetKind::Regression,
            Self::ElasticNet => kind == TargetKind::Regression && quantile.is_none(),
        }
    }

    /// Our own trainers for that aim, the usual choice first.
    pub fn of(aim: impl Into<Aim>) -> impl Iterator<Item = Self> {
        let aim = aim.into();
        Self::ALL.into_iter().filter(move |trainer| trainer.fits(aim))
    }
}

impl fmt::Display for Trainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a search draws its trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampler {
    /// Each by itself, at random.
    Random,
    /// Where trials before were good: the tree-structured Parzen estimator.
    Tpe,
    /// Evenly: a Sobol sequence, scrambled by the seed.
    Sobol,
}

impl Sampler {
    /// All samplers, the usual choice first.
    pub const ALL: [Self; 3] = [Self::Tpe, Self::Sobol, Self::Random];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Tpe => "tpe",
            Self::Sobol => "sobol",
        }
    }
}

/// What spares a search the cost of trials that promise little.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pruner {
    /// Nothing: every trial is fitted to its end.
    None,
    /// A boosting trial ends when its validation loss is worse than the median of trials before after as many rounds.
    Median,
    /// Asynchronous successive halving over boosting rounds: after 16, 64, 256 … rounds a trial goes on if it is among the best quarter
    /// of trials before.
    Asha,
    /// Successive halving over rows: all trials see a few rows, the best of them more, the best of these all.
    Halving,
    /// Hyperband (Li et al. 2018) over rows: successive halving again and again, which begins with more and more rows and fewer and fewer
    /// trials, for when it is not known how much few rows tell.
    Hyperband,
}

impl Pruner {
    /// All pruners, the usual choice first.
    pub const ALL: [Self; 5] = [Self::None, Self::Median, Self::Asha, Self::Halving, Self::Hyperband];

    /// Whether trials see a share of the rows first.
    pub const fn sees_few_rows(self) -> bool {
        matches!(self, Self::Halving | Self::Hyperband)
    }

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Median => "median",
            Self::Asha => "asha",
            Self::Halving => "halving",
            Self::Hyperband => "hyperband",
        }
    }
}

/// How the validation part puts answers right: the scores of a binary model become probabilities, a quantile moves to where it should lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationMethod {
    /// They stay as they are.
    None,
    /// By a logistic curve.
    Platt,
    /// By the best rising curve.
    Isotonic,
    /// By a shift, of a quantile.
    Conformal,
}

impl CalibrationMethod {
    /// All ways, the usual choice first.
    pub const ALL: [Self; 4] = [Self::None, Self::Platt, Self::Isotonic, Self::Conformal];

    /// Whether it has something to put right in what is predicted.
    pub fn fits(self, aim: impl Into<Aim>) -> bool {
        let aim = aim.into();
        match self {
            Self::None => true,
            Self::Platt | Self::Isotonic => aim.kind == TargetKind::Binary,
            Self::Conformal => aim.quantile.is_some(),
        }
    }

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Platt => "platt",
            Self::Isotonic => "isotonic",
            Self::Conformal => "conformal",
        }
    }
}

/// Reads a stored word; the error names those that exist.
fn named<T: Copy>(what: &str, all: &[T], word: fn(T) -> &'static str, text: &str) -> Result<T, String> {
    all.iter().copied().find(|one| word(*one) == text).ok_or_else(|| {
        let words: Vec<&str> = all.iter().map(|one| word(*one)).collect();
        format!("{text:?} is not a {what}; {what}s are {}", words.join(", "))
    })
}

impl FromStr for Trainer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named("trainer", &Self::ALL, Self::as_str, text)
    }
}

impl FromStr for Sampler {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named("sampler", &Self::ALL, Self::as_str, text)
    }
}

impl FromStr for CalibrationMethod {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named("calibration", &Self::ALL, Self::as_str, text)
    }
}

impl FromStr for Pruner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named("pruner", &Self::ALL, Self::as_str, text)
    }
}
