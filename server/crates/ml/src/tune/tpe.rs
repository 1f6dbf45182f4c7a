//! The tree-structured Parzen estimator (Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization", section 4), with the
//! choices of Optuna's default sampler (Watanabe 2023, arXiv 2304.11127): of the finished trials the best tenth, at most 25, are the
//! good ones; a hyperparameter is drawn 24 times from what the good ones have, and the draw is kept that is likelier among the good
//! than among the rest. Each hyperparameter is drawn by itself.
//!
//! All is computed on the share of its range at which a value lies, between 0 and 1, so that scales need no word here. A *mixture*
//! of truncated normals has one at each value that was tried, as wide as the gap to its neighbours, and a wide one over the
//! whole range, which keeps every value possible.

use millrace_domain::trainer::{Axis, Branch, Settings, Space, TrainerConfig, choice_at};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{Continuous, ContinuousCDF, Normal};

use super::sample::{Tried, at_random};

/// The first trials are drawn at random.
const AT_RANDOM: usize = 10;
/// Draws of each hyperparameter.
const DRAWS: usize = 24;
/// So many deviations away a normal is below what a sum with the wide one can hold.
const FAR: f64 = 9.0;
/// At most so many trials are the good ones.
const MOST_GOOD: usize = 25;

/// The configuration of the next trial: a function of the generator and of the trials before. The trainer is drawn first, and then
/// hyperparameters from what trials of that trainer had.
pub(super) fn propose(space: &Space, generator: &mut ChaCha8Rng, tried: &[Tried<'_>]) -> TrainerConfig {
    if tried.len() < AT_RANDOM {
        return at_random(space, generator);
    }
    let mut order: Vec<&Tried<'_>> = tried.iter().collect();
    // Those without a cost come last; of equals the earlier is the better.
    order.sort_by(|a, b| a.cost.unwrap_or(f64::INFINITY).total_cmp(&b.cost.unwrap_or(f64::INFINITY)));
    let (good, rest) = order.split_at(tried.len().div_ceil(10).min(MOST_GOOD));
    let branch = match space.branches() {
        [branch] => branch,
        branches => {
            let shares = |trials: &[&Tried<'_>]| -> Vec<f64> {
                let place = |trial: &&Tried<'_>| {
                    branches.iter().position(|branch| branch.base().trainer() == trial.config.trainer())
                };
                let share = |place: usize| (place as f64 + 0.5) / branches.len() as f64;
                trials.iter().filter_map(|trial| place(trial).map(share)).collect()
            };
            let (good, rest) = (shares(good), shares(rest));
            let (good, rest) = (Mixture::of_choices(branches.len(), &good), Mixture::of_choices(branches.len(), &rest));
            &branches[choice_at(likeliest(&good, &rest, generator), branches.len())]
        }
    };
    let columns = shares(branch, good).into_iter().zip(shares(branch, rest));
    let drawn: Settings = branch
        .axes()
        .iter()
        .zip(columns)
        .map(|((name, axis), (good, rest))| {
            let (good, rest) = (Mixture::of(axis, &good), Mixture::of(axis, &rest));
            (name.clone(), axis.at(likeliest(&good, &rest, generator)))
        })
        .collect();
    branch.base().with(&drawn)
}

/// The shares at which trials of that trainer lie, for each of its axes. Both are in the order of their names, so one walk through a trial
/// finds all.
fn shares(branch: &Branch, trials: &[&Tried<'_>]) -> Vec<Vec<f64>> {
    let mut columns: Vec<Vec<f64>> = branch.axes().iter().map(|_| Vec::with_capacity(trials.len())).collect();
    for trial in trials.iter().filter(|trial| trial.config.trainer() == branch.base().trainer()) {
        let mut settings = trial.config.settings().iter().peekable();
        for ((name, axis), column) in branch.axes().iter().zip(&mut columns) {
            while settings.next_if(|(other, _)| *other < name).is_some() {}
            let own = settings.next_if(|(other, _)| *other == name);
            column.extend(own.and_then(|(_, setting)| axis.share_of(setting)));
        }
    }
    columns
}

/// Of some draws among the good the one that is likelier there than among the rest; of equals the first.
fn likeliest(good: &Mixture, rest: &Mixture, generator: &mut ChaCha8Rng) -> f64 {
    let draws = (0..DRAWS).map(|_| {
        let share = good.draw(generator);
        (good.density(share) / rest.density(share), share)
    });
    let best = draws.reduce(|best, draw| if draw.0 > best.0 { draw } else { best });
    best.map_or(0.5, |(_, share)| share)
}

/// How likely each share of a range is.
enum Mixture {
    /// Truncated normals over shares, all of one weight.
    Normals(Vec<Truncated>),
    /// The weights of choices, which sum to one.
    Choices(Vec<f64>),
}

/// A normal distribution between 0 and 1.
struct Truncated {
    mean: f64,
    deviation: f64,
    normal: Normal,
    below: f64,
    mass: f64,
}

impl Truncated {
    fn new(mean: f64, deviation: f64) -> Option<Self> {
        let normal = Normal::new(mean, deviation).ok()?;
        let reach = FAR * deviation;
        let below = if mean > reach { 0.0 } else { normal.cdf(0.0) };
        let mass = if mean + reach < 1.0 { 1.0 } else { normal.cdf(1.0) } - below;
        Some(Self { mean, deviation, normal, below, mass })
    }

    fn density(&self, share: f64) -> f64 {
        let is_far = (share - self.mean).abs() > FAR * self.deviation;
        if is_far { 0.0 } else { self.normal.pdf(share) / self.mass }
    }
}

impl Mixture {
    /// Every trial counts once, and one more is spread over all choices.
    fn of_choices(choices: usize, shares: &[f64]) -> Self {
        let mut weights = vec![1.0 / choices as f64; choices];
        for share in shares {
            weights[choice_at(*share, choices)] += 1.0;
        }
        let sum = shares.len() as f64 + 1.0;
        Self::Choices(weights.into_iter().map(|weight| weight / sum).collect())
    }

    fn of(axis: &Axis, shares: &[f64]) -> Self {
        if let Axis::Choice(choices) = axis {
            return Self::of_choices(choices.len(), shares);
        }
        let mut sorted = shares.to_vec();
        sorted.sort_by(f64::total_cmp);
        let narrowest = 1.0 / (shares.len() + 2).min(100) as f64;
        let around = |place: usize| {
            let left = place.checked_sub(1).map(|left| sorted[place] - sorted[left]);
            let right = sorted.get(place + 1).map(|right| right - sorted[place]);
            left.into_iter().chain(right).fold(0.0, f64::max)
        };
        let widest = Truncated::new(0.5, 1.0);
        let normals = (0..sorted.len()).map(|place| {
            let deviation = if sorted.len() == 1 { 0.5 } else { around(place) };
            Truncated::new(sorted[place], deviation.clamp(narrowest, 1.0))
        });
        Self::Normals(normals.chain([widest]).flatten().collect())
    }

    fn draw(&self, generator: &mut ChaCha8Rng) -> f64 {
        let (which, share): (f64, f64) = (generator.random(), generator.random());
        match self {
            Self::Normals(normals) => {
                let Truncated { normal, below, mass, .. } = &normals[choice_at(which, normals.len())];
                normal.inverse_cdf(below + share * mass).clamp(0.0, 1.0)
            }
            Self::Choices(weights) => {
                let mut sum = 0.0;
                let position = weights.iter().position(|weight| {
                    sum += weight;
                    which < sum
                });
                (position.unwrap_or(weights.len() - 1) as f64 + 0.5) / weights.len() as f64
            }
        }
    }

    fn density(&self, share: f64) -> f64 {
        match self {
            Self::Normals(normals) => {
                let sum: f64 = normals.iter().map(|part| part.density(share)).sum();
                sum / normals.len() as f64
            }
            Self::Choices(weights) => weights[choice_at(share, weights.len())],
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use serde_json::json;

    use super::*;
    use millrace_domain::metric::TargetKind;
    use millrace_domain::trainer::{FitPlan, Range, Sampler, Scale, Trainer};

    use crate::tune::draw;

    fn space() -> Space {
        let given = json!({
            "eta": {"low": 0.001, "high": 1, "scale": "log"}, "subsample": {"low": 0.1, "high": 1},
            "max_depth": [3, 4, 5, 6, 7, 8], "rounds": {"low": 10, "high": 1000}
        });
        read(json!({ "search": given }))
    }

    fn read(asked: serde_json::Value) -> Space {
        FitPlan::read(&FitPlan::filled_in(asked), TargetKind::Binary).unwrap().space
    }

    /// A bowl whose bottom is at eta 0.05, subsample 0.8, a depth of 6 and 400 rounds.
    fn cost(config: &TrainerConfig) -> f64 {
        let of = |name: &str| config.number(name);
        let eta = (of("eta") / 0.05).ln() / 1000_f64.ln();
        let depth = if of("max_depth") == 6.0 { 0.0 } else { 0.3 };
        eta.powi(2) + (of("subsample") - 0.8).powi(2) + depth + ((of("rounds") - 400.0) / 990.0).powi(2)
    }

    /// Trials one after the other, each with its cost.
    fn search(
        space: &Space,
        sampler: Sampler,
        seed: u64,
        trials: u64,
        cost: impl Fn(&TrainerConfig) -> Option<f64>,
    ) -> Vec<(TrainerConfig, Option<f64>)> {
        let mut ended: Vec<(TrainerConfig, Option<f64>)> = Vec::new();
        for number in 0..trials {
            let tried: Vec<Tried<'_>> = ended.iter().map(|(config, cost)| Tried { config, cost: *cost }).collect();
            let config = draw(space, sampler, seed, number, &tried);
            let cost = cost(&config);
            ended.push((config, cost));
        }
        ended
    }

    fn best_of(sampler: Sampler, seed: u64, trials: u64) -> f64 {
        let ended = search(&space(), sampler, seed, trials, |config| Some(cost(config)));
        ended.iter().filter_map(|(_, cost)| *cost).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn it_comes_nearer_to_the_bottom_of_a_bowl_than_chance() {
        let median = |sampler: Sampler| {
            let mut best: Vec<f64> = (0..9).map(|seed| best_of(sampler, seed, 50)).collect();
            best.sort_by(f64::total_cmp);
            best[4]
        };
        let (by_chance, by_parzen) = (median(Sampler::Random), median(Sampler::Tpe));
        assert!(by_parzen < by_chance / 3.0, "{by_parzen} against {by_chance}");
    }

    #[test]
    fn the_same_seed_and_trials_before_give_the_same_trial() {
        let of_seed = |seed, trials| search(&space(), Sampler::Tpe, seed, trials, |config| Some(cost(config)));
        assert_eq!(of_seed(4, 20), of_seed(4, 21)[..20]);
        assert_ne!(of_seed(4, 20), of_seed(5, 20));
    }

    #[test]
    fn failed_trials_are_avoided() {
        let given = json!({"eta": {"low": 0.001, "high": 1}});
        let space = read(json!({ "search": given }));
        let ended = search(&space, Sampler::Tpe, 1, 60, |config| Some(1.0).filter(|_| config.number("eta") < 0.5));
        let failed = ended[20..].iter().filter(|(_, cost)| cost.is_none()).count();
        assert!(failed < 8, "{failed} of 40");
    }

    #[test]
    fn of_several_trainers_the_one_that_does_well_is_drawn_most() {
        let space = read(json!({"trainer": "any", "budget": 1}));
        let is_best = |config: &TrainerConfig| config.trainer() == Trainer::Logistic;
        let ended = search(&space, Sampler::Tpe, 1, 60, |config| Some(if is_best(config) { 0.0 } else { 1.0 }));
        let good = ended[20..].iter().filter(|(config, _)| is_best(config)).count();
        assert!(good > 25, "{good} of 40");
    }

    #[test]
    fn the_density_of_a_mixture_sums_to_one_and_is_that_of_its_draws() {
        let axis = Axis::Range(Range::Number { low: 0.0, high: 1.0, scale: Scale::Linear });
        let mixture = Mixture::of(&axis, &[0.1, 0.15, 0.9]);
        let below = |end: usize| (0..end).map(|step| mixture.density((step as f64 + 0.5) / 1e4) / 1e4).sum::<f64>();
        assert!((below(10_000) - 1.0).abs() < 1e-6);
        let mut generator = ChaCha8Rng::seed_from_u64(1);
        let drawn = (0..20_000).filter(|_| mixture.draw(&mut generator) < 0.3).count() as f64 / 20_000.0;
        assert!((drawn - below(3_000)).abs() < 0.01, "{drawn}");
    }
}
