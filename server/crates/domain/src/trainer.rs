//! The trainers a run can ask for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::metric::TargetKind;

/// A way to fit a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainerName {
    /// Gradient-boosted trees.
    GradientBoosting,
    /// Logistic regression.
    Logistic,
    /// Linear regression with an elastic-net penalty.
    ElasticNet,
}

impl TrainerName {
    /// All trainers.
    pub const ALL: [Self; 3] = [Self::GradientBoosting, Self::Logistic, Self::ElasticNet];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GradientBoosting => "gradient_boosting",
            Self::Logistic => "logistic",
            Self::ElasticNet => "elastic_net",
        }
    }

    /// Whether it fits that kind of target.
    pub const fn fits(self, kind: TargetKind) -> bool {
        match self {
            Self::GradientBoosting => true,
            Self::Logistic => !matches!(kind, TargetKind::Regression),
            Self::ElasticNet => matches!(kind, TargetKind::Regression),
        }
    }

    /// The trainers for that kind of target, the usual choice first.
    pub fn of(kind: TargetKind) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |trainer| trainer.fits(kind))
    }
}

impl fmt::Display for TrainerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TrainerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|trainer| trainer.as_str() == text)
            .ok_or_else(|| format!("{text:?} is not a trainer; trainers are gradient_boosting, logistic, elastic_net"))
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
}

impl Sampler {
    /// All samplers, the usual choice first.
    pub const ALL: [Self; 2] = [Self::Tpe, Self::Random];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Tpe => "tpe",
        }
    }
}

impl FromStr for Sampler {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|sampler| sampler.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is not a sampler; samplers are tpe, random"))
    }
}
