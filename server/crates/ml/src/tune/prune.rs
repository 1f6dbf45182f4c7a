//! Ending boosting trials early, by what trials before had come to in as many rounds: *median* pruning (the rule of Google Vizier,
//! Golovin et al. 2017, section 3.2, as Optuna's median pruner has it), and *asynchronous successive halving* (ASHA, Li et al. 2020) of
//! the kind that stops: after 16, 64, 256 … rounds only what is among the best quarter goes on. They are compared by the metric that decides
//! where it is an area under a curve of two classes: by the loss a small step looks behind a large one long after it ranks as well.

use std::sync::Mutex;

use millrace_domain::metric::Metric;
use millrace_domain::trainer::{CLASS_BALANCE, Pruner, TrainerConfig};

use super::{Trial, TrialState};
use crate::evaluate::quantile;
use crate::train::Progress;

/// The first place where trials are compared; each other one is twice as far.
const FIRST: u64 = 8;

/// Which share of the trials before a trial must be among to go on, at which places, and of how many at least.
struct Rule {
    share: f64,
    applies: fn(usize) -> bool,
    least_trials: usize,
}

impl Rule {
    const fn of(pruner: Pruner) -> Option<Self> {
        match pruner {
            Pruner::None | Pruner::Halving | Pruner::Hyperband => None,
            Pruner::Median => Some(Self { share: 0.5, applies: |_| true, least_trials: 5 }),
            // Every second place: four times as many rounds.
            Pruner::Asha => Some(Self { share: 0.25, applies: |place| place % 2 == 1, least_trials: 1 }),
        }
    }
}

/// The most with which a trial goes on: at place `k`, after 8 · 2^k rounds; none where nothing is asked of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    /// The metric that trials are judged by where that can be told while they go on, and else their loss.
    by: Option<Metric>,
    at: Vec<Option<f64>>,
}

impl Limits {
    /// Those that follow from the trials of the same trainer whose classes count alike. A trial that ended by itself stays where it ended; one that was pruned is
    /// heard only as far as it came.
    pub(super) fn of(before: &[Trial], config: &TrainerConfig, pruner: Pruner, metric: Metric) -> Self {
        let Some(rule) = Rule::of(pruner) else { return Self::default() };
        let balance = |config: &TrainerConfig| config.settings().get(CLASS_BALANCE).map(|setting| setting.as_f64());
        let is_like = |other: &TrainerConfig| other.trainer() == config.trainer() && balance(other) == balance(config);
        let heard: Vec<&Trial> = before
            .iter()
            .filter(|trial| is_like(&trial.config) && !trial.costs.is_empty())
            .filter(|trial| matches!(trial.state, TrialState::Succeeded | TrialState::Pruned { .. }))
            .collect();
        let places = heard.iter().map(|trial| trial.costs.len()).max().unwrap_or(0);
        let limit = |place: usize| {
            let at = |trial: &&Trial| match trial.state {
                TrialState::Pruned { .. } => trial.costs.get(place).copied(),
                _ => trial.costs.get(place).or(trial.costs.last()).copied(),
            };
            let mut costs: Vec<f64> = heard.iter().filter_map(at).collect();
            costs.sort_by(f64::total_cmp);
            let asked = (rule.applies)(place) && costs.len() >= rule.least_trials;
            asked.then(|| quantile(&costs, rule.share))
        };
        Self { by: Some(metric), at: (0..places).map(limit).collect() }
    }

    /// For telling what a trial followed from.
    pub fn values(&self) -> &[Option<f64>] {
        &self.at
    }

    /// The metric that trials are judged by; none where they are not.
    pub const fn by(&self) -> Option<Metric> {
        self.by
    }
}

/// Watches what a fit comes to, and ends it where it falls behind.
pub(super) struct Watched<'a> {
    limits: &'a Limits,
    inner: &'a dyn Progress,
    costs: Mutex<Costs>,
}

#[derive(Default)]
struct Costs {
    at_places: Vec<f64>,
    /// The least one since the last place.
    latest: Option<f64>,
}

impl<'a> Watched<'a> {
    pub(super) const fn new(limits: &'a Limits, inner: &'a dyn Progress) -> Self {
        Self { limits, inner, costs: Mutex::new(Costs { at_places: Vec::new(), latest: None }) }
    }

    /// The least cost at each place, and where it ended between two, at the end.
    pub(super) fn costs(&self) -> Vec<f64> {
        let costs = self.costs.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        costs.at_places.iter().copied().chain(costs.latest).collect()
    }
}

impl Progress for Watched<'_> {
    fn report(&self, done: u64, of: u64, score: Option<f64>) {
        self.inner.report(done, of, score);
    }

    fn is_cancelled(&self) -> bool {
        self.inner.is_cancelled()
    }

    fn judged_by(&self) -> Option<Metric> {
        self.limits.by
    }

    fn is_hopeless(&self, rounds: u64, cost: f64) -> bool {
        let mut costs = self.costs.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let place = costs.at_places.len();
        if rounds < FIRST << place {
            costs.latest = Some(cost);
            return false;
        }
        costs.at_places.push(cost);
        costs.latest = None;
        self.limits.at.get(place).copied().flatten().is_some_and(|limit| cost > limit)
    }
}
