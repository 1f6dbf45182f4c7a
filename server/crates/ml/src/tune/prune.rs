//! Median pruning: a boosting trial ends when its least validation loss is worse than the median of what trials before had come to
//! in as many rounds (the rule of Google Vizier, Golovin et al. 2017, section 3.2, as Optuna's median pruner has it).

use std::sync::Mutex;

use millrace_domain::trainer::Trainer;

use super::{Trial, TrialState};
use crate::train::Progress;

/// The first place where trials are compared; each other one is twice as far.
const FIRST: u64 = 8;
/// Fewer trials before are no ground to end one.
const LEAST_TRIALS: usize = 5;

/// What trials before had come to: at place `k`, after 8 · 2^k rounds, the median of their least validation losses.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Medians(Vec<f64>);

impl Medians {
    /// Those of the trials of one trainer. A trial that ended by itself stays where it ended; one that was pruned is heard only as far
    /// as it came.
    pub(super) fn of(before: &[Trial], trainer: Trainer) -> Self {
        let heard: Vec<&Trial> = before
            .iter()
            .filter(|trial| trial.config.trainer() == trainer && !trial.losses.is_empty())
            .filter(|trial| matches!(trial.state, TrialState::Succeeded | TrialState::Pruned { .. }))
            .collect();
        let places = heard.iter().map(|trial| trial.losses.len()).max().unwrap_or(0);
        let median = |place: usize| {
            let at = |trial: &&Trial| match trial.state {
                TrialState::Pruned { .. } => trial.losses.get(place).copied(),
                _ => trial.losses.get(place).or(trial.losses.last()).copied(),
            };
            let mut losses: Vec<f64> = heard.iter().filter_map(at).collect();
            losses.sort_by(f64::total_cmp);
            let half = losses.len() / 2;
            let median = if losses.len() % 2 == 1 {
                losses[half]
            } else {
                f64::midpoint(*losses.get(half.wrapping_sub(1))?, losses[half])
            };
            (losses.len() >= LEAST_TRIALS).then_some(median)
        };
        Self((0..places).map_while(median).collect())
    }

    /// The medians, for telling what a trial followed from.
    pub fn values(&self) -> &[f64] {
        &self.0
    }
}

/// Watches the losses of a fit, and ends it where it falls behind.
pub(super) struct Watched<'a> {
    medians: &'a Medians,
    inner: &'a dyn Progress,
    losses: Mutex<Losses>,
}

#[derive(Default)]
struct Losses {
    at_places: Vec<f64>,
    /// The least one since the last place.
    latest: Option<f64>,
}

impl<'a> Watched<'a> {
    pub(super) const fn new(medians: &'a Medians, inner: &'a dyn Progress) -> Self {
        Self { medians, inner, losses: Mutex::new(Losses { at_places: Vec::new(), latest: None }) }
    }

    /// The least loss at each place, and where it ended between two, at the end.
    pub(super) fn losses(&self) -> Vec<f64> {
        let losses = self.losses.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        losses.at_places.iter().copied().chain(losses.latest).collect()
    }
}

impl Progress for Watched<'_> {
    fn report(&self, done: u64, of: u64, score: Option<f64>) {
        self.inner.report(done, of, score);
    }

    fn is_cancelled(&self) -> bool {
        self.inner.is_cancelled()
    }

    fn is_hopeless(&self, rounds: u64, loss: f64) -> bool {
        let mut losses = self.losses.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let place = losses.at_places.len();
        if rounds < FIRST << place {
            losses.latest = Some(loss);
            return false;
        }
        losses.at_places.push(loss);
        losses.latest = None;
        self.medians.0.get(place).is_some_and(|median| loss > *median)
    }
}
