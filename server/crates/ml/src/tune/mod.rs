//! Tuning: which hyperparameters do best on the validation part.
//!
//! A *space* says which values a search may draw, a *sampler* how. Trial `i` of a random search is a function of the seed and `i`
//! alone; trial `i` of a [`Sampler::Tpe`] search follows from the seed and the trials before it. Either way a search that is done
//! again comes to the same trials.

mod space;
#[cfg(test)]
mod tests;
mod tpe;

use millrace_domain::metric::{Direction, Metric, TargetKind};
use serde::{Deserialize, Serialize};

use crate::features::{FeatureTable, Labels};
use crate::model::outcomes;
use crate::split::{Part, Split};
use crate::train::{Progress, TrainError, TrainerConfig, train};

pub use millrace_domain::trainer::Sampler;
pub use space::{Axis, Space};
pub use tpe::Tried;

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
    /// How.
    pub sampler: Sampler,
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
    /// Runs the trial after these: draws, trains, scores on the validation part.
    ///
    /// # Errors
    /// Only when `progress` says to stop; a trial that cannot be fitted or scored is a failed trial.
    pub fn run_trial(&self, before: &[Trial], progress: &dyn Progress) -> Result<Trial, TrainError> {
        let number = before.len() as u64;
        let tried: Vec<Tried> = before.iter().map(|trial| self.tried(trial)).collect();
        let config = self.base.with(&self.space.next(self.sampler, self.seed, number, &tried));
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

impl Study<'_> {
    fn tried(&self, trial: &Trial) -> Tried {
        let cost = |score: f64| match self.metric.direction() {
            Direction::Down => score,
            Direction::Up => -score,
        };
        Tried { settings: trial.config.settings().clone(), cost: trial.score.map(cost) }
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
