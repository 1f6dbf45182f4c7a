//! Which hyperparameters mattered in a search.
//!
//! PED-ANOVA (Watanabe, Bansal and Hutter 2023, arXiv 2304.10255): a hyperparameter matters as far as the values of the best trials are
//! distributed otherwise than those of all. With the density p of all trials and q of the best tenth over shares of its axis, what
//! it explains is the mean of (q/p - 1)² under p; told as a share of what all explain together. Each is looked at by itself: what
//! only two together explain is not seen.

use super::setting::Settings;
use super::space::{Branch, Values, choice_at, is_met};

/// With fewer trials nothing is told.
pub const LEAST_TRIALS: usize = 20;
/// The best ones are at least so many.
const LEAST_BEST: usize = 5;
/// Places of an axis at which densities are compared.
const PLACES: usize = 64;
/// What a search says is told again without each of so many parts of its trials.
const FOLDS: usize = 10;

/// How much one hyperparameter mattered.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// Its name.
    pub name: String,
    /// Its share of what all explain together, from 0 to 1.
    pub share: f64,
    /// The least that is found when a tenth of the trials is left out.
    pub least: f64,
    /// The greatest that is found so.
    pub most: f64,
}

/// How much each hyperparameter of a branch mattered, most first, by trials of its trainer: their settings and what they cost, the
/// less the better, and the greatest number there is for one that was ended since it fell behind. None of fewer than
/// [`LEAST_TRIALS`], where too few came to their end to say which are the best, or where they differ in nothing.
pub fn importance(branch: &Branch, trials: &[(Settings, f64)]) -> Vec<Importance> {
    let trials: Vec<&(Settings, f64)> = trials.iter().filter(|trial| trial.1.is_finite()).collect();
    let ended = trials.iter().filter(|trial| trial.1 < f64::MAX).count();
    if trials.len() < LEAST_TRIALS || ended < best_of(trials.len()) {
        return Vec::new();
    }
    let Some(all) = shares(branch, &trials) else { return Vec::new() };
    let without = (0..FOLDS).filter_map(|fold| {
        let kept = trials.iter().enumerate().filter(|(place, _)| place % FOLDS != fold);
        shares(branch, &kept.map(|(_, trial)| *trial).collect::<Vec<_>>())
    });
    let folds: Vec<Vec<f64>> = without.collect();
    let told = |(place, name): (usize, &String)| {
        let found = folds.iter().map(|shares| shares[place]).chain([all[place]]);
        Importance {
            name: name.clone(),
            share: all[place],
            least: found.clone().fold(f64::INFINITY, f64::min),
            most: found.fold(f64::NEG_INFINITY, f64::max),
        }
    };
    let mut told: Vec<Importance> = branch.axes().keys().enumerate().map(told).collect();
    told.sort_by(|a, b| b.share.total_cmp(&a.share));
    told
}

/// How many of so many trials are the best ones.
fn best_of(trials: usize) -> usize {
    trials.div_ceil(10).max(LEAST_BEST)
}

/// The share of each axis, in their order; none where no axis explains anything.
fn shares(branch: &Branch, trials: &[&(Settings, f64)]) -> Option<Vec<f64>> {
    let mut order = trials.to_vec();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let best = &order[..best_of(order.len())];
    let explained: Vec<f64> = branch
        .axes()
        .iter()
        .map(|(name, axis)| {
            let when = branch.condition(name);
            let places = |trials: &[&(Settings, f64)]| -> Vec<f64> {
                let drawn = trials.iter().filter(|trial| is_met(&when, &trial.0));
                drawn.filter_map(|trial| axis.values.share_of(trial.0.get(name)?)).collect()
            };
            let (of_all, of_best) = (density(&axis.values, &places(&order)), density(&axis.values, &places(best)));
            let excess = of_all.iter().zip(&of_best).map(|(all, best)| all * (best / all - 1.0).powi(2));
            excess.sum::<f64>() / of_all.len() as f64
        })
        .collect();
    let total: f64 = explained.iter().sum();
    (total > 0.0).then(|| explained.into_iter().map(|one| one / total).collect())
}

/// The density of values over an axis, at equal steps of it: of choices their frequencies, of a range normals around each value (as
/// wide as Scott 1992 says), and in both one value more that is everywhere.
fn density(axis: &Values, values: &[f64]) -> Vec<f64> {
    let count = values.len() as f64;
    if let Values::Choice(choices) = axis {
        let mut weights = vec![1.0 / choices.len() as f64; choices.len()];
        values.iter().for_each(|share| weights[choice_at(*share, choices.len())] += 1.0);
        return weights.into_iter().map(|weight| weight * choices.len() as f64 / (count + 1.0)).collect();
    }
    let mean = values.iter().sum::<f64>() / count.max(1.0);
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count.max(1.0);
    let width = (1.06 * variance.sqrt() * count.max(1.0).powf(-0.2)).max(1.0 / PLACES as f64);
    let mut sum = vec![1.0; PLACES];
    for value in values {
        let place = |place: usize| (place as f64 + 0.5) / PLACES as f64;
        let own: Vec<f64> = (0..PLACES).map(|at| (-((place(at) - value) / width).powi(2) / 2.0).exp()).collect();
        // What lies beyond the ends is not lost.
        let mass = own.iter().sum::<f64>() / PLACES as f64;
        sum.iter_mut().zip(own).for_each(|(sum, own)| *sum += own / mass);
    }
    sum.into_iter().map(|density| density / (count + 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::metric::TargetKind;
    use crate::trainer::{FitPlan, Setting};

    fn branch() -> Branch {
        let asked = json!({"search": {
            "eta": {"low": 0.001, "high": 1, "scale": "log"}, "subsample": {"low": 0.1, "high": 1}, "max_depth": [3, 4, 5, 6]
        }});
        FitPlan::read(&asked, TargetKind::Binary).unwrap().space.branches()[0].clone()
    }

    /// Trials spread evenly, which cost what `cost` says of the shares of eta, subsample and depth.
    fn trials(count: u32, cost: impl Fn([f64; 3]) -> f64) -> Vec<(Settings, f64)> {
        let branch = branch();
        let trial = |number: u32| {
            // Additive recurrences with irrational steps fill the space evenly.
            let share = |step: f64| (f64::from(number) * step).fract();
            let shares = [share(0.618_034), share(0.414_214), share(0.732_051)];
            let at = |name: &str, share: f64| (name.to_owned(), branch.axes()[name].values.at(share));
            let settings = [at("eta", shares[0]), at("subsample", shares[1]), at("max_depth", shares[2])];
            (Settings::from(settings), cost(shares))
        };
        (0..count).map(trial).collect()
    }

    #[test]
    fn what_alone_decides_explains_nearly_all() {
        for (place, name) in ["eta", "subsample", "max_depth"].into_iter().enumerate() {
            let found = importance(&branch(), &trials(200, |shares| (shares[place] - 0.7).abs()));
            assert_eq!(found[0].name, name);
            assert!(found[0].share > 0.7, "{found:?}");
            assert!((found.iter().map(|one| one.share).sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn what_decides_more_comes_first_and_few_trials_make_it_less_certain() {
        let cost = |[eta, subsample, _]: [f64; 3]| (eta - 0.5).powi(2) * 10.0 + (subsample - 0.5).powi(2);
        let (many, few) = (importance(&branch(), &trials(400, cost)), importance(&branch(), &trials(25, cost)));
        assert_eq!([&many[0].name, &many[1].name], ["eta", "subsample"]);
        let width = |one: &Importance| one.most - one.least;
        assert!(width(&many[0]) < width(&few[0]), "{many:?} {few:?}");
        assert!(many.iter().all(|one| one.least <= one.share && one.share <= one.most));
    }

    #[test]
    fn of_few_trials_and_of_equal_ones_nothing_is_told() {
        assert_eq!(importance(&branch(), &trials(19, |shares| shares[0])), []);
        let failed = trials(40, |shares| if shares[0] < 0.6 { f64::NAN } else { shares[0] });
        assert_eq!(importance(&branch(), &failed), [], "those that failed do not count");
        let behind = trials(40, |shares| if shares[0] < 0.95 { f64::MAX } else { shares[0] });
        assert_eq!(importance(&branch(), &behind), [], "two that came to their end are no best ones");
        let fixed =
            FitPlan::read(&json!({"search": {"eta": 0.1}}), TargetKind::Binary).unwrap().space.branches()[0].clone();
        let same = vec![(Settings::from([("eta".to_owned(), Setting::Number(0.1))]), 1.0); 30];
        assert_eq!(importance(&fixed, &same), []);
    }
}
