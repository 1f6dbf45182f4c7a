//! What more trials of a search would gain, from those that have ended.

/// Fewest scores from which anything is told.
pub const LEAST_SCORES: usize = 10;
/// Trials for which little must have been expected before a search ends: one estimate may be low by chance.
const HELD: usize = 5;

/// How much better than the best so far the best of `more` further trials is expected to be, given what trials have cost so far (the
/// less the better, infinite for one that came to nothing); none of fewer than [`LEAST_SCORES`] finite costs.
///
/// The best of `n` trials is better than the best of any half of them by some gain, and that one than the best of a quarter by another;
/// both are exact means over all halves and quarters. Where costs near the best one fall off as tails of distributions do (generalised
/// Pareto, Pickands 1975), each doubling gains the same share of what the doubling before it gained, so the ratio of the two says
/// what comes next. In simulations it is within 0.8 and 1.4 times what is found, from ten trials on. Trials of a sampler that learns are
/// better than the ones before, so that of those it rather says too little.
pub fn expected_gain(costs: &[f64], more: u32) -> Option<f64> {
    let mut finite: Vec<f64> = costs.iter().copied().filter(|cost| cost.is_finite()).collect();
    if finite.len() < LEAST_SCORES {
        return None;
    }
    finite.sort_by(f64::total_cmp);
    let n = finite.len() as f64;
    let (whole, half, quarter) = (best_of(&finite, n), best_of(&finite, n / 2.0), best_of(&finite, n / 4.0));
    let (last, before) = (half - whole, quarter - half);
    if last <= 0.0 || before <= 0.0 {
        return Some(0.0);
    }
    let ratio = (last / before).min(1.0);
    // Of those to come as many will come to nothing as of those that were.
    let doublings = (1.0 + f64::from(more) / costs.len() as f64).log2();
    let sum = if ratio < 1.0 { ratio * (1.0 - ratio.powf(doublings)) / (1.0 - ratio) } else { doublings };
    Some(last * sum)
}

/// The mean of the least cost over all choices of `m` of these costs, which rise; `m` need not be whole.
fn best_of(costs: &[f64], m: f64) -> f64 {
    let n = costs.len() as f64;
    let (mut unseen, mut mean) = (1.0, 0.0);
    for (place, cost) in costs.iter().enumerate() {
        let left = n - place as f64;
        let next = unseen * ((left - m) / left).max(0.0);
        mean += cost * (unseen - next);
        unseen = next;
    }
    mean
}

/// Whether, at any point of a search of `trials` trials, what was left of it was expected to gain less than `least`, and so it was for the
/// [`HELD`] trials before as well: `costs` are those of its trials so far, in order. Where that is so for some trials it is so for more of
/// them, whichever have ended besides.
pub fn is_enough(costs: &[f64], trials: u32, least: f64) -> bool {
    let mut held = 0;
    (LEAST_SCORES..=costs.len()).any(|known| {
        let left = trials.saturating_sub(u32::try_from(known).unwrap_or(u32::MAX));
        let is_little = expected_gain(&costs[..known], left).is_some_and(|gain| gain < least);
        held = if is_little { held + 1 } else { 0 };
        held > HELD
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers between 0 and 1 that follow each other without a pattern (SplitMix64, Steele et al. 2014).
    struct Draws(u64);

    impl Draws {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        }
    }

    /// What was told and what came of it, on the average over many searches.
    fn told_and_found(cost: impl Fn(f64) -> f64, n: usize, more: usize) -> (f64, f64) {
        let mut draws = Draws(7);
        let (mut told, mut found) = (0.0, 0.0);
        let least = |costs: &[f64]| costs.iter().copied().fold(f64::INFINITY, f64::min);
        for _ in 0..2_000 {
            let costs: Vec<f64> = (0..n + more).map(|_| cost(draws.next())).collect();
            told += expected_gain(&costs[..n], more as u32).unwrap_or_default();
            found += least(&costs[..n]) - least(&costs);
        }
        (told / 2_000.0, found / 2_000.0)
    }

    #[test]
    fn what_more_trials_gain_is_told_about_right_whatever_costs_are_like() {
        type Cost = fn(f64) -> f64;
        for (name, cost) in [("endless", (|u| u.ln()) as Cost), ("even", |u| u), ("steep", |u| u.sqrt())] {
            for (n, more) in [(10, 10), (50, 10), (50, 50), (50, 200)] {
                let (told, found) = told_and_found(cost, n, more);
                assert!((0.75..1.45).contains(&(told / found)), "{name}, {more} after {n}: {told} {found}");
            }
        }
    }

    #[test]
    fn the_best_of_some_is_the_mean_over_all_choices() {
        let costs = [1.0, 2.0, 4.0, 8.0];
        // Of six pairs one half begins with 1, a third with 2.
        assert!((best_of(&costs, 2.0) - (3.0 * 1.0 + 2.0 * 2.0 + 4.0) / 6.0).abs() < 1e-12);
        assert!((best_of(&costs, 4.0) - 1.0).abs() < 1e-12);
        assert!((best_of(&costs, 1.0) - 15.0 / 4.0).abs() < 1e-12);
    }

    #[test]
    fn few_scores_tell_nothing_and_trials_that_came_to_nothing_count_as_tries() {
        assert_eq!(expected_gain(&[0.5; 9], 10), None);
        let ten: Vec<f64> = (0..10).map(f64::from).collect();
        let mut with_failed = ten.clone();
        with_failed.extend([f64::INFINITY; 10]);
        let (alone, beside) = (expected_gain(&ten, 5), expected_gain(&with_failed, 5));
        assert!(alone > beside && beside > Some(0.0), "{alone:?} {beside:?}");
        assert_eq!(expected_gain(&ten, 0), Some(0.0));
    }

    #[test]
    fn what_was_enough_once_stays_enough_whatever_ends_besides() {
        let mut draws = Draws(3);
        let costs: Vec<f64> = (0..200).map(|_| draws.next()).collect();
        let enough: Vec<bool> = (0..=200).map(|known| is_enough(&costs[..known], 200, 0.02)).collect();
        let first = enough.iter().position(|enough| *enough).unwrap_or(0);
        assert!(first > LEAST_SCORES + HELD && enough[first..].iter().all(|enough| *enough), "{first}");
        assert!(!is_enough(&costs, 200, 0.0));
    }
}
