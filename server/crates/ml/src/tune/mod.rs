//! Tuning: which trainer and hyperparameters do best on the validation part.
//!
//! A plan ([`FitPlan`]) says which values a search may draw and how. A trial follows from the seed, its number, and the trials
//! that had to end before it might begin ([`FitPlan::waits`]), never from which of the others happen to have ended: however many
//! workers run trials side by side, and however often one of them dies, the search comes to the same trials.

mod prune;
mod sample;
#[cfg(test)]
mod tests;
mod tpe;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use millrace_domain::metric::{Direction, Metric, TargetKind};
use millrace_domain::trainer::{CalibrationMethod, FitPlan, Rung, TrainerConfig, is_enough};
use serde::{Deserialize, Serialize};

use crate::features::{FeatureTable, Labels};
use crate::model::outcomes;
use crate::split::{Part, Split};
use crate::train::{Encoded, Fitted, Progress, TrainError, answers_crosswise, train_on};

pub use prune::Limits;
pub use sample::{Map, Place, Tried, draw};

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
    /// Its program took too long to fit. That was measured, so it does not follow from the seed alone.
    TooSlow {
        /// How long it may take.
        reason: String,
    },
    /// Its model could not serve by its document.
    Infeasible {
        /// What it may take.
        reason: String,
        /// Whether what it takes was measured, so that it does not follow from the seed alone.
        measured: bool,
    },
    /// It was ended early, since it promised little.
    Pruned {
        /// Why.
        reason: String,
    },
    /// It was ended, or never begun, because the search's budget was used up.
    Stopped {
        /// Which part of the budget.
        reason: String,
    },
}

/// One trial of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The trainer and every hyperparameter, drawn or not.
    pub config: TrainerConfig,
    /// The share of the training rows that it saw; all, in trials of earlier versions.
    #[serde(default = "all")]
    pub share: f64,
    /// The metric on the validation part; none unless it succeeded.
    pub score: Option<f64>,
    /// How it ended.
    #[serde(flatten)]
    pub state: TrialState,
    /// Iterations, boosting rounds or trees.
    pub iterations: Option<u64>,
    /// Boosting under a pruner: what it was judged by at its best after 8, 16, 32 … rounds, as far as it came, the less the better.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<f64>,
}

const fn all() -> f64 {
    1.0
}

/// A search: a plan for a dataset of so many rows.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    plan: &'a FitPlan,
    rungs: Vec<Rung>,
    waits: Vec<u32>,
    metric: Metric,
    seed: u64,
}

/// What a trial is to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Draw {
    /// The trainer and every hyperparameter.
    pub config: TrainerConfig,
    /// The share of the training rows that it sees.
    pub share: f64,
    /// Where it promises too little to go on.
    pub limits: Limits,
}

impl Draw {
    /// The trial of it that ended so, without a score.
    pub fn ended(&self, state: TrialState) -> Trial {
        let (config, share) = (self.config.clone(), self.share);
        Trial { config, share, score: None, state, iterations: None, costs: Vec::new() }
    }

    /// The trial of it that failed.
    pub fn failed(&self, reason: String) -> Trial {
        self.ended(TrialState::Failed { reason })
    }
}

impl<'a> Search<'a> {
    /// The search of a plan over a dataset of so many rows, judged by `metric`.
    pub fn new(plan: &'a FitPlan, rows: u64, metric: Metric, seed: u64) -> Self {
        Self { plan, rungs: plan.rungs(rows), waits: plan.waits(rows), metric, seed }
    }

    /// How many of the trials before it trial `number` follows from; none of a number it does not have.
    pub fn waits(&self, number: u32) -> Option<u32> {
        self.waits.get(number as usize).copied()
    }

    /// What trial `number` is to do, from the trials that it follows from, in order; none when no trial of the rung below has a
    /// score with which it could go on.
    pub fn next(&self, number: u32, before: &[Trial]) -> Option<Draw> {
        let own = self.rungs.iter().rposition(|rung| rung.first <= number)?;
        let rung = self.rungs[own];
        let Some(below) = rung.below.map(|below| self.rungs[below]) else {
            let config = self.drawn(number, before)?;
            let limits = Limits::of(before, &config, self.plan.pruner, self.metric);
            return Some(Draw { config, share: rung.share, limits });
        };
        let ended = before.get(below.first as usize..(below.first + below.trials) as usize)?;
        let going_on = ranked(self.metric, ended).into_iter().nth((number - rung.first) as usize)?;
        Some(Draw { config: going_on.config.clone(), share: rung.share, limits: Limits::default() })
    }

    /// The configuration of trial `number`. Trials that may still run beside it are drawn first, and count as bad where they are, so
    /// that it is not drawn at the same place (a constant liar, Ginsbourger et al. 2010).
    fn drawn(&self, number: u32, before: &[Trial]) -> Option<TrainerConfig> {
        let space = &self.plan.space;
        let map = Map::of(space);
        let mut places: Vec<Place> = before.iter().map(|trial| map.place(&trial.config)).collect();
        let mut drawn = None;
        for next in before.len()..=number as usize {
            let known = *self.waits.get(next)? as usize;
            // Scores on other shares of the rows are not of the same scale.
            let share = self.share_of(next);
            let tried: Vec<Tried<'_>> = places
                .iter()
                .enumerate()
                .filter(|(other, _)| *other >= known || before[*other].share == share)
                .map(|(other, place)| Tried {
                    place,
                    cost: before[..known].get(other).and_then(|trial| self.cost(trial)),
                })
                .collect();
            let config = draw(space, self.plan.sampler, self.seed, next as u64, &tried);
            places.push(map.place(&config));
            drawn = Some(config);
        }
        drawn
    }

    /// The trial that decides, from all of the search in order: the best of those that saw most rows, the earliest of equals.
    /// None when none has a score.
    pub fn best<'t>(&self, trials: &'t [Trial]) -> Option<&'t Trial> {
        let most = trials.iter().filter(|trial| trial.score.is_some()).map(|trial| trial.share).reduce(f64::max)?;
        let deciding = trials.iter().filter(|trial| trial.share == most);
        deciding.filter(|trial| trial.score.is_some()).reduce(|best, trial| {
            let is_better = trial.score.zip(best.score).is_some_and(|(new, old)| self.metric.is_better(new, old));
            if is_better { trial } else { best }
        })
    }

    /// Why trial `number` need not begin, from the trials that it follows from: what is left is expected to gain too little. What one
    /// trial follows from all later ones do, so the search ends at the same trial on any number of workers.
    pub fn is_enough(&self, number: u32, before: &[Trial]) -> Option<String> {
        let least = self.plan.least_gain?;
        let known = &before[..(self.waits(number)? as usize).min(before.len())];
        let costs: Vec<f64> = known.iter().map(|trial| self.cost(trial).unwrap_or(f64::INFINITY)).collect();
        is_enough(&costs, self.plan.trials, least).then(|| {
            format!("the trials that were left were expected to gain less than {least} {}", self.metric.title())
        })
    }

    fn share_of(&self, number: usize) -> f64 {
        self.rungs.iter().rfind(|rung| rung.first as usize <= number).map_or(1.0, |rung| rung.share)
    }

    fn cost(&self, trial: &Trial) -> Option<f64> {
        trial.score.map(|score| self.metric.as_loss(score))
    }
}

/// Those with a score, the best first; the earlier of equals first.
fn ranked(metric: Metric, trials: &[Trial]) -> Vec<&Trial> {
    let mut ranked: Vec<&Trial> = trials.iter().filter(|trial| trial.score.is_some_and(f64::is_finite)).collect();
    let score = |trial: &Trial| trial.score.unwrap_or_default();
    match metric.direction() {
        Direction::Down => ranked.sort_by(|a, b| score(a).total_cmp(&score(b))),
        Direction::Up => ranked.sort_by(|a, b| score(b).total_cmp(&score(a))),
    }
    ranked
}

/// What the trials of a search on the same data have encoded, by the share of the training rows that they see.
#[derive(Debug, Default)]
pub struct Shared(Mutex<(u64, BTreeMap<u64, Arc<Encoded>>)>);

impl Shared {
    /// Of one seed at a time: the next search has another.
    fn of(&self, seed: u64, share: f64) -> Arc<Encoded> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.0 != seed {
            *kept = (seed, BTreeMap::new());
        }
        Arc::clone(kept.1.entry(share.to_bits()).or_default())
    }
}

/// What trials are fitted and scored on.
#[derive(Clone, Copy)]
pub struct Study<'a> {
    /// Features of every row.
    pub table: &'a FeatureTable,
    /// Label of every row.
    pub labels: &'a Labels,
    /// Fitted on its training part, scored on its validation part.
    pub split: &'a Split,
    /// The kind of target.
    pub kind: TargetKind,
    /// What makes probabilities of scores, before they are judged.
    pub calibration: CalibrationMethod,
    /// What decides.
    pub metric: Metric,
    /// Seed of every fit.
    pub seed: u64,
    /// What trials on the same rows encode once.
    pub shared: &'a Shared,
    /// How the trial of a model ends that was fitted and could not serve.
    pub unfit: &'a (dyn Fn(&Fitted) -> Option<TrialState> + Sync),
}

impl Study<'_> {
    /// Does what was drawn: fits, and scores on the validation part.
    ///
    /// # Errors
    /// Only when `progress` says to stop; a trial that cannot be fitted or scored is a failed trial.
    pub fn run(&self, draw: &Draw, progress: &dyn Progress) -> Result<Trial, TrainError> {
        let split = self.split.with_training_share(draw.share, self.labels, self.seed);
        let watched = prune::Watched::new(&draw.limits, progress);
        let encoded = self.shared.of(self.seed, draw.share);
        let fitted = train_on(&encoded, self.table, self.labels, &split, self.kind, &draw.config, self.seed, &watched);
        let fitted = match fitted {
            Ok(fitted) => fitted,
            Err(TrainError::Cancelled) => return Err(TrainError::Cancelled),
            Err(error @ TrainError::Hopeless { rounds, .. }) => {
                let pruned = draw.ended(TrialState::Pruned { reason: error.to_string() });
                return Ok(Trial { iterations: Some(rounds), costs: watched.costs(), ..pruned });
            }
            Err(error) => return Ok(draw.failed(error.to_string())),
        };
        let trial = self.judged(draw, fitted);
        let costs = if trial.score.is_some() { watched.costs() } else { Vec::new() };
        Ok(Trial { costs, ..trial })
    }

    /// The trial that came to a model: judged on the validation part, crosswise where that part calibrates it.
    pub fn judged(&self, draw: &Draw, fitted: Fitted) -> Trial {
        let fitted = match fitted.calibrated(self.calibration, self.table, self.labels, self.split) {
            Ok(fitted) => fitted,
            Err(error) => return draw.failed(error.to_string()),
        };
        if let Some(state) = (self.unfit)(&fitted) {
            return draw.ended(state);
        }
        let rows = self.split.rows(Part::Validation);
        let predictions = match answers_crosswise(&fitted.predictor, self.table, self.labels, rows) {
            Ok(predictions) => predictions,
            Err(error) => return draw.failed(error.to_string()),
        };
        let score = match outcomes(self.labels, rows, &predictions) {
            Ok(outcomes) => outcomes.metric(self.metric),
            Err(error) => return draw.failed(error.to_string()),
        };
        let Some(score) = score else {
            return draw.failed(format!("{} is not defined on the validation part", self.metric.title()));
        };
        let iterations = Some(fitted.report.iterations);
        Trial { score: Some(score), iterations, ..draw.ended(TrialState::Succeeded) }
    }
}
