//! The tree-structured Parzen estimator (Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization", section 4), with the
//! choices of Optuna's default sampler (Watanabe 2023, arXiv 2304.11127): of the finished trials the best tenth, at most 25, are the
//! good ones; a hyperparameter is drawn 24 times from what the good ones have, and the draw is kept that is likelier among the good
//! than among the rest. Each hyperparameter is drawn by itself.
//!
//! All is computed on the share of its range at which a value lies, between 0 and 1, so that scales need no word here. A *mixture*
//! of truncated normals has one at each place that was tried, as wide as the gap to its neighbours, and a wide one over the whole
//! range, which keeps every value possible. Shares are rounded to [`CELLS`] places (Silverman 1982, AS 176, bins a density's points the
//! same way), a fifth of the narrowest normal's deviation, so that many trials cost no more than their places.

use std::f64::consts::TAU;

use millrace_domain::trainer::{Space, TrainerConfig, Values, choice_at};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF, Normal};

use super::sample::{Place, Tried, at_random};

/// The first trials are drawn at random.
const AT_RANDOM: usize = 10;
/// Draws of each hyperparameter.
const DRAWS: usize = 24;
/// So many deviations away a normal is below what a sum with the wide one can hold.
const FAR: f64 = 9.0;
/// At most so many trials are the good ones.
const MOST_GOOD: usize = 25;
/// Places of a range that are told apart.
const CELLS: usize = 500;

/// The configuration of the next trial: a function of the generator and of the trials before. The trainer is drawn first, and then
/// hyperparameters from what trials of that trainer had.
pub(super) fn propose(space: &Space, generator: &mut ChaCha8Rng, tried: &[Tried<'_>]) -> TrainerConfig {
    if tried.len() < AT_RANDOM {
        return at_random(space, generator);
    }
    let mut order: Vec<(f64, usize)> =
        tried.iter().enumerate().map(|(number, tried)| (tried.cost.unwrap_or(f64::INFINITY), number)).collect();
    let count = tried.len().div_ceil(10).min(MOST_GOOD);
    // Those without a cost come last; of equals the earlier is the better.
    order.select_nth_unstable_by(count, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let (good, rest) = order.split_at(count);
    let [mut good, mut rest]: [Vec<&Place>; 2] =
        [good, rest].map(|trials| trials.iter().map(|(_, number)| tried[*number].place).collect());
    let branch = match space.branches() {
        [_] => 0,
        branches => {
            let of = |places: &[&Place]| {
                let drawn = places.iter().filter_map(|place| place.branch);
                Mixture::of_choices(branches.len(), drawn.map(|branch| (branch as f64 + 0.5) / branches.len() as f64))
            };
            choice_at(likeliest(&of(&good), &of(&rest), generator), branches.len())
        }
    };
    good.retain(|place| place.branch == Some(branch));
    rest.retain(|place| place.branch == Some(branch));
    let own = &space.branches()[branch];
    let mut column = 0;
    own.with_drawn(|axis| {
        // Of what is drawn in some trials only those count that drew it.
        let of = |places: &[&Place]| Mixture::of(&axis.values, places.iter().filter_map(|place| place.shares[column]));
        let share = likeliest(&of(&good), &of(&rest), generator);
        column += 1;
        axis.values.at(share)
    })
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
    /// Truncated normals over shares.
    Normals {
        /// In the order of their means, and behind them the wide one over the whole range.
        normals: Vec<Truncated>,
        /// The greatest deviation of those at a place.
        widest: f64,
        /// The sum of weights.
        weight: f64,
    },
    /// The weights of choices, which sum to one.
    Choices(Vec<f64>),
}

/// A normal distribution between 0 and 1.
struct Truncated {
    mean: f64,
    deviation: f64,
    /// How many trials it stands for.
    weight: f64,
    below: f64,
    mass: f64,
    /// Weight times density at the mean.
    height: f64,
    /// Of the square of a distance from the mean, in the exponent.
    steepness: f64,
}

impl Truncated {
    fn new(mean: f64, deviation: f64, weight: f64) -> Self {
        let reach = FAR * deviation;
        let until = |end: f64| Normal::standard().cdf((end - mean) / deviation);
        let below = if mean > reach { 0.0 } else { until(0.0) };
        let mass = if mean + reach < 1.0 { 1.0 } else { until(1.0) } - below;
        Self {
            mean,
            deviation,
            weight,
            below,
            mass,
            height: weight / (mass * deviation * TAU.sqrt()),
            steepness: -0.5 / (deviation * deviation),
        }
    }

    /// Its weight times its density.
    fn density(&self, share: f64) -> f64 {
        let exponent = (share - self.mean).powi(2) * self.steepness;
        if exponent < -0.5 * FAR * FAR { 0.0 } else { self.height * exponent.exp() }
    }
}

impl Mixture {
    /// Every trial counts once, and one more is spread over all choices.
    fn of_choices(choices: usize, shares: impl Iterator<Item = f64>) -> Self {
        let mut weights = vec![1.0 / choices as f64; choices];
        shares.for_each(|share| weights[choice_at(share, choices)] += 1.0);
        let sum: f64 = weights.iter().sum();
        Self::Choices(weights.into_iter().map(|weight| weight / sum).collect())
    }

    fn of(axis: &Values, shares: impl Iterator<Item = f64>) -> Self {
        if let Values::Choice(choices) = axis {
            return Self::of_choices(choices.len(), shares);
        }
        let mut cells = [0_u32; CELLS + 1];
        shares.for_each(|share| cells[(share * CELLS as f64 + 0.5) as usize] += 1);
        let trials: u32 = cells.iter().sum();
        let narrowest = 1.0 / (trials + 2).min(100) as f64;
        let filled = cells.iter().enumerate().filter(|(_, count)| **count > 0);
        let places: Vec<(f64, u32)> = filled.map(|(cell, count)| (cell as f64 / CELLS as f64, *count)).collect();
        let mut normals: Vec<Truncated> = Vec::with_capacity(places.len() + 1);
        for (number, (mean, count)) in places.iter().copied().enumerate() {
            let left = number.checked_sub(1).map(|left| mean - places[left].0);
            let right = places.get(number + 1).map(|(right, _)| right - mean);
            let mut add = |gap: f64, weight: u32| {
                normals.push(Truncated::new(mean, gap.clamp(narrowest, 1.0), f64::from(weight)));
            };
            match count {
                1 => add(left.into_iter().chain(right).reduce(f64::max).unwrap_or(0.5), 1),
                // Of several at one place the outer ones reach to their neighbours; those between have none but each other.
                _ if left.into_iter().chain(right).all(|gap| gap <= narrowest) => add(0.0, count),
                _ => {
                    add(left.unwrap_or(0.0), 1);
                    add(right.unwrap_or(0.0), 1);
                    if count > 2 {
                        add(0.0, count - 2);
                    }
                }
            }
        }
        let widest = normals.iter().map(|normal| normal.deviation).fold(0.0, f64::max);
        normals.push(Truncated::new(0.5, 1.0, 1.0));
        Self::Normals { normals, widest, weight: f64::from(trials) + 1.0 }
    }

    fn draw(&self, generator: &mut ChaCha8Rng) -> f64 {
        let (which, share): (f64, f64) = (generator.random(), generator.random());
        match self {
            Self::Normals { normals, weight, .. } => {
                let mut left = which * weight;
                let chosen = normals.iter().find(|normal| {
                    left -= normal.weight;
                    left < 0.0
                });
                let Truncated { mean, deviation, below, mass, .. } = chosen.unwrap_or(&normals[normals.len() - 1]);
                (mean + deviation * Normal::standard().inverse_cdf(below + share * mass)).clamp(0.0, 1.0)
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
            Self::Normals { normals, widest, weight } => {
                let (wide, narrow) = normals.split_last().expect("the wide one is always there");
                let reach = FAR * widest;
                let first = narrow.partition_point(|normal| normal.mean < share - reach);
                let near = narrow[first..].iter().take_while(|normal| normal.mean <= share + reach);
                (near.map(|normal| normal.density(share)).sum::<f64>() + wide.density(share)) / weight
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
    use millrace_domain::trainer::{FitPlan, Range, Sampler, Scale, Setting, Trainer};

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
        let (mut ended, mut places): (Vec<(TrainerConfig, Option<f64>)>, Vec<Place>) = (Vec::new(), Vec::new());
        for number in 0..trials {
            let tried: Vec<Tried<'_>> =
                places.iter().zip(&ended).map(|(place, (_, cost))| Tried { place, cost: *cost }).collect();
            let config = draw(space, sampler, seed, number, &tried);
            let cost = cost(&config);
            places.push(Place::of(space, &config));
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
        let failed = |seed| {
            let ended =
                search(&space, Sampler::Tpe, seed, 60, |config| Some(1.0).filter(|_| config.number("eta") < 0.5));
            ended[20..].iter().filter(|(_, cost)| cost.is_none()).count()
        };
        let mut failed: Vec<usize> = (0..19).map(failed).collect();
        failed.sort_unstable();
        assert!(failed[9] < 6, "{} of 40", failed[9]);
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
    fn values_that_were_good_again_and_again_are_far_likelier_than_others() {
        let axis = Values::Range(Range::Integer { low: 1, high: 10, scale: Scale::Linear });
        let share = |value: u64| axis.share_of(&Setting::Integer(value)).expect("a value of the axis");
        let mixture = Mixture::of(&axis, std::iter::repeat_n(share(7), 25));
        assert!(mixture.density(share(7)) > 20.0 * mixture.density(share(3)), "{}", mixture.density(share(3)));
        let others = Mixture::of(&axis, [share(2)].into_iter().chain(std::iter::repeat_n(share(7), 24)));
        assert!(others.density(share(7)) > 10.0 * others.density(share(2)), "{}", others.density(share(2)));
    }

    #[test]
    fn the_density_of_a_mixture_sums_to_one_and_is_that_of_its_draws() {
        let axis = Values::Range(Range::Number { low: 0.0, high: 1.0, scale: Scale::Linear });
        let mixture = Mixture::of(&axis, [0.1, 0.15, 0.9].into_iter());
        let below = |end: usize| (0..end).map(|step| mixture.density((step as f64 + 0.5) / 1e4) / 1e4).sum::<f64>();
        assert!((below(10_000) - 1.0).abs() < 1e-6);
        let mut generator = ChaCha8Rng::seed_from_u64(1);
        let drawn = (0..20_000).filter(|_| mixture.draw(&mut generator) < 0.3).count() as f64 / 20_000.0;
        assert!((drawn - below(3_000)).abs() < 0.01, "{drawn}");
    }
}
