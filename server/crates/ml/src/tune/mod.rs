//! Tuning: which hyperparameters do best on the validation part.
//!
//! A *space* says which values a search may draw. Trial `i` of a search is a function of the seed and `i` alone, whatever was
//! tried before and by whom, so trials can be run in any order, by any number of workers, and again.

mod space;
#[cfg(test)]
mod tests;

use millrace_domain::metric::{Metric, TargetKind};
use serde::{Deserialize, Serialize};

use crate::features::{FeatureTable, Labels};
use crate::model::outcomes;
use crate::split::{Part, Split};
use crate::train::{Progress, TrainError, TrainerConfig, train};

pub use space::{Axis, Space};

/// What is searched over: data, and the metric that decides.
#[derive(Clone, Copy)]
pub struct Study<'a> {
    /// Features of every row.
    pub table: &'a FeatureTable,
    /// Label of every row.
    pub labels: &'a Labels,
    /// Trained on its training part, scored on its validation part.
    pub split: &'a Split,
    /// The kind of target.
    pub kind: TargetKind,
    /// What the space does not draw.
    pub base: &'a TrainerConfig,
    /// What is drawn.
    pub space: &'a Space,
    /// What decides.
    pub metric: Metric,
    /// Seed of the draws and of every training.
    pub seed: u64,
}

/// How a trial ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TrialState {
    /// It has a score.
    Succeeded,
    /// It has none; these hyperparameters are out of the race.
    Failed {
        /// Why.
        reason: String,
    },
}

/// One trial of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Its number, from 0.
    pub number: u64,
    /// Every hyperparameter, drawn or not.
    pub config: TrainerConfig,
    /// The metric on the validation part; none when it failed.
    pub score: Option<f64>,
    /// How it ended.
    #[serde(flatten)]
    pub state: TrialState,
    /// Iterations or boosting rounds.
    pub iterations: Option<u64>,
}

impl Study<'_> {
    /// Runs trial `number`: draws, trains, scores on the validation part.
    ///
    /// # Errors
    /// Only when `progress` says to stop; a trial that cannot be fitted or scored is a failed trial.
    pub fn run_trial(&self, number: u64, progress: &dyn Progress) -> Result<Trial, TrainError> {
        let config = self.base.with(&self.space.sample(self.seed, number));
        let failed = |reason: String| Trial {
            number,
            config: config.clone(),
            score: None,
            state: TrialState::Failed { reason },
            iterations: None,
        };
        let fitted = match train(self.table, self.labels, self.split, self.kind, &config, self.seed, progress) {
            Ok(fitted) => fitted,
            Err(TrainError::Cancelled) => return Err(TrainError::Cancelled),
            Err(error) => return Ok(failed(error.to_string())),
        };
        let rows = self.split.rows(Part::Validation);
        let predictions = match fitted.predictor.predict_table(self.table, rows) {
            Ok(predictions) => predictions,
            Err(error) => return Ok(failed(error.to_string())),
        };
        let score = match outcomes(self.labels, rows, &predictions) {
            Ok(outcomes) => outcomes.metric(self.metric),
            Err(error) => return Ok(failed(error.to_string())),
        };
        Ok(match score {
            None => failed(format!("{} is not defined on the validation part", self.metric.title())),
            Some(score) => Trial {
                number,
                config,
                score: Some(score),
                state: TrialState::Succeeded,
                iterations: Some(fitted.report.iterations),
            },
        })
    }
}

/// The trial with the best score; the earliest of equals. None when none has a score.
pub fn best(metric: Metric, trials: &[Trial]) -> Option<&Trial> {
    let mut order: Vec<&Trial> = trials.iter().filter(|trial| trial.score.is_some()).collect();
    order.sort_by_key(|trial| trial.number);
    order.into_iter().reduce(|best, trial| match (trial.score, best.score) {
        (Some(new), Some(old)) if metric.is_better(new, old) => trial,
        _ => best,
    })
}
