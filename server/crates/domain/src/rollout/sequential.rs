//! Tests that may be looked at as often as one likes.
//!
//! A rollout is judged every second or so, and ends when the evidence suffices. A test that is made for one look errs far more
//! often when it is looked at again and again; these do not: under equality the chance that they *ever* say otherwise is at most
//! the level α they are asked for.
//!
//! | question | method | source |
//! |---|---|---|
//! | is a coin fair | Bayes factor of a uniform prior against ½; by Ville's inequality it ever exceeds 1/α with a chance of at most α | Ville, 1939; Robbins, Annals of Mathematical Statistics 41, 1970 |
//! | bounds of a share | the shares that such a factor does not exceed 1/α against | Robbins, 1970 |
//! | bounds of a mean | asymptotic confidence sequence of a normal mixture | Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Annals of Statistics 52, 2024, theorem 2.2 |

use libm::lgamma;

/// Units below which the bounds of a mean say nothing: they rest on the central limit.
pub const FEWEST_FOR_A_MEAN: u64 = 30;

/// ln of the chance of `hits` in `tosses` in their order, averaged over all shares from 0 to 1.
fn ln_mixture(hits: u64, tosses: u64) -> f64 {
    let (hits, misses) = (hits as f64, (tosses - hits) as f64);
    lgamma(hits + 1.0) + lgamma(misses + 1.0) - lgamma(hits + misses + 2.0)
}

/// ln of the same for one share.
fn ln_chance(hits: u64, tosses: u64, share: f64) -> f64 {
    let part = |count: u64, share: f64| if count == 0 { 0.0 } else { count as f64 * share.ln() };
    part(hits, share) + part(tosses - hits, 1.0 - share)
}

/// Whether `hits` of `tosses` show at level `alpha` that the chance of a hit is not `share`.
///
/// # Panics
/// When there are more hits than tosses.
pub fn is_not(share: f64, hits: u64, tosses: u64, alpha: f64) -> bool {
    assert!(hits <= tosses, "hits are among the tosses");
    ln_mixture(hits, tosses) - ln_chance(hits, tosses, share) >= -alpha.ln()
}

/// Whether bad events fall on the first of two equally large groups more often than on the second, at level `alpha`. An event
/// is as likely in either when both are alike, however likely it is.
pub fn more_often(first: u64, second: u64, alpha: f64) -> bool {
    first > second && is_not(0.5, first, first + second, alpha)
}

/// Bounds of the chance of a hit, which hold at all looks together with a confidence of 1 − `alpha`.
///
/// # Panics
/// When there are more hits than tosses.
pub fn share_bounds(hits: u64, tosses: u64, alpha: f64) -> (f64, f64) {
    assert!(hits <= tosses, "hits are among the tosses");
    if tosses == 0 {
        return (0.0, 1.0);
    }
    let middle = hits as f64 / tosses as f64;
    // The factor grows from the observed share outwards, so that each bound is found by halving.
    let edge = |mut outside: f64| {
        if !is_not(outside, hits, tosses, alpha) {
            return outside;
        }
        let mut inside = middle;
        for _ in 0..60 {
            let between = f64::midpoint(inside, outside);
            if is_not(between, hits, tosses, alpha) { outside = between } else { inside = between }
        }
        outside
    };
    (edge(0.0), edge(1.0))
}

/// Sums over units, each with some rows and the sum of a number over them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// Units that have rows.
    pub units: u64,
    /// Their rows.
    pub rows: f64,
    /// Sum over all rows.
    pub total: f64,
    /// Σ rows² over the units.
    pub rows_squared: f64,
    /// Σ total² over the units.
    pub total_squared: f64,
    /// Σ rows · total over the units.
    pub product: f64,
}

/// Rows that bounds allow for at least, by [`Sums::with_unseen`], that came out at their furthest.
const UNSEEN: f64 = 12.0;

impl Sums {
    /// The same, varying at least as if twelve rows had come out as far from the mean as they could, given the sum over rows of the square
    /// of how far that is. While a rare truth has not been seen, rows are nearly alike: the variance that was seen says nothing of it, and
    /// bounds that rest on it would soon leave out what is true. Once a dozen such rows have come it changes nothing. In simulations of two
    /// models that are equally good, where the truth is yes once in 100 or 300 rows, 30 to 90 % of candidates were shown worse without this,
    /// and with it up to 5 %; where it is yes once in five, what is worse is found as soon as without it.
    #[must_use]
    pub fn with_unseen(self, reach_squared: f64) -> Self {
        let mean = self.mean().unwrap_or(0.0);
        let squares = self.total_squared - 2.0 * mean * self.product + mean * mean * self.rows_squared;
        let least = UNSEEN * reach_squared / self.rows.max(1.0);
        Self { total_squared: self.total_squared + (least - squares).max(0.0), ..self }
    }

    /// Adds a unit.
    pub fn add(&mut self, rows: f64, total: f64) {
        self.units += 1;
        self.rows += rows;
        self.total += total;
        self.rows_squared += rows * rows;
        self.total_squared += total * total;
        self.product += rows * total;
    }

    /// The mean over rows; none without rows.
    pub fn mean(&self) -> Option<f64> {
        (self.rows > 0.0).then(|| self.total / self.rows)
    }

    /// Bounds of the mean that hold at all looks together with a confidence of 1 − `alpha`; narrowest, for their level, around
    /// `expected` units. Rows of one unit may depend on each other: its sum counts as one observation (ratio estimate,
    /// linearised). None for fewer than [`FEWEST_FOR_A_MEAN`] units, and for sums that are no numbers.
    pub fn bounds(&self, alpha: f64, expected: u64) -> Option<(f64, f64)> {
        weighted_bounds([(1.0, self)], alpha, expected)
    }

    /// Whether units differ, beyond what rounding does.
    pub fn varies(&self) -> bool {
        let squares = self.total_squared - self.mean().unwrap_or(0.0) * self.product;
        squares > 1e-12 * self.total_squared
    }

    /// The mean, and its variance times the units: what one unit contributes. None for fewer than [`FEWEST_FOR_A_MEAN`] units.
    fn estimate(&self) -> Option<(f64, f64)> {
        let mean = self.mean().filter(|_| self.units >= FEWEST_FOR_A_MEAN)?;
        let units = self.units as f64;
        let squares = self.total_squared - 2.0 * mean * self.product + mean * mean * self.rows_squared;
        let variance = squares / (self.rows * self.rows) * units * units / (units - 1.0);
        variance.is_finite().then_some((mean, variance.max(0.0)))
    }
}

/// Bounds as [`Sums::bounds`] gives them, of a weighted sum of the means of groups that units fall into by chance: of the first less the
/// second with weights 1 and −1. None where one of them has none.
pub fn weighted_bounds<const N: usize>(groups: [(f64, &Sums); N], alpha: f64, expected: u64) -> Option<(f64, f64)> {
    let units = groups.iter().map(|(_, group)| group.units as f64).sum::<f64>();
    let (mut mean, mut variance) = (0.0, 0.0);
    for (weight, group) in groups {
        let (own, contributed) = group.estimate()?;
        mean += weight * own;
        variance += weight * weight * contributed * units / group.units as f64;
    }
    let level = -2.0 * alpha.ln();
    let rho_squared = (level + (level + 1.0).ln()) / (expected.max(1) as f64);
    let time = units * rho_squared + 1.0;
    let radius = (variance * 2.0 * time / (units * units * rho_squared) * (time.sqrt() / alpha).ln()).sqrt();
    (mean.is_finite() && radius.is_finite()).then_some((mean - radius, mean + radius))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::chance::Chance;

    // scipy 1.17.1: betaln(k + 1, n - k + 1) - k ln(1/2) - (n - k) ln(1/2), by hand for ten of ten: 2^10 / 11 = 93.09.
    #[test]
    fn ten_of_ten_is_evidence_of_ninety_three_to_one() {
        assert!(is_not(0.5, 10, 10, 1.0 / 93.0) && !is_not(0.5, 10, 10, 1.0 / 93.2));
    }

    #[test]
    fn no_event_in_two_thousand_bounds_the_share_as_the_formula_says() {
        // (1 - p)^-2000 / 2001 = 1 / 0.05 solved for p.
        let (low, high) = share_bounds(0, 2_000, 0.05);
        let expected = 1.0 - (-(2001.0f64 / 0.05).ln() / 2000.0).exp();
        assert!(low == 0.0 && (high - expected).abs() < 1e-9, "{low} {high} {expected}");
    }

    #[test]
    fn nothing_seen_bounds_nothing() {
        assert_eq!(share_bounds(0, 0, 0.01), (0.0, 1.0));
        assert_eq!(Sums::default().bounds(0.01, 100), None);
    }

    #[test]
    fn a_share_stays_within_its_bounds_at_all_looks_together() {
        let mut chance = Chance::new(1);
        let missed = (0..1_000).filter(|_| {
            let (mut hits, mut outside) = (0, false);
            for toss in 1..=500u64 {
                hits += u64::from(chance.happens(0.1));
                if toss % 10 == 0 {
                    let (low, high) = share_bounds(hits, toss, 0.05);
                    outside |= !(low..=high).contains(&0.1);
                }
            }
            outside
        });
        let missed = missed.count();
        assert!(missed <= 50, "{missed} of 1000");
    }

    #[test]
    fn a_mean_stays_within_its_bounds_at_all_looks_together_though_rows_of_a_unit_are_alike() {
        let mut chance = Chance::new(2);
        let missed = (0..1_000).filter(|_| {
            let (mut sums, mut outside) = (Sums::default(), false);
            for unit in 1..=1_000u64 {
                let rows = 1.0 + (chance.share() * 5.0).floor();
                sums.add(rows, rows * chance.normal());
                if unit % 10 == 0 {
                    outside |= sums.bounds(0.05, 500).is_some_and(|(low, high)| low > 0.0 || high < 0.0);
                }
            }
            outside
        });
        let missed = missed.count();
        assert!(missed <= 50, "{missed} of 1000");
    }

    #[test]
    fn the_difference_of_two_groups_stays_within_its_bounds_at_all_looks_together() {
        let mut chance = Chance::new(4);
        let missed = (0..1_000).filter(|_| {
            let (mut groups, mut outside) = ([Sums::default(); 2], false);
            for unit in 1..=1_000u64 {
                let is_first = chance.happens(0.5);
                // One of them is spread three times as wide.
                let value = 5.0 + chance.normal() * if is_first { 3.0 } else { 1.0 };
                groups[usize::from(is_first)].add(1.0, value);
                if unit % 10 == 0 {
                    let bounds = weighted_bounds([(1.0, &groups[1]), (-1.0, &groups[0])], 0.05, 500);
                    outside |= bounds.is_some_and(|(low, high)| low > 0.0 || high < 0.0);
                }
            }
            outside
        });
        let missed = missed.count();
        assert!(missed <= 50, "{missed} of 1000");
    }

    #[test]
    fn a_real_difference_is_found() {
        let mut chance = Chance::new(3);
        let mut sums = Sums::default();
        (0..2_000).for_each(|_| sums.add(1.0, 0.1 + chance.normal()));
        let (low, high) = sums.bounds(0.05, 1_000).unwrap();
        assert!(low > 0.0 && high < 0.25, "{low} {high}");
    }

    #[test]
    fn bad_events_of_one_group_alone_are_found_and_equally_many_are_not() {
        assert!(more_often(11, 0, 0.01) && !more_often(5, 0, 0.01));
        assert!(!more_often(0, 50, 0.01) && !more_often(100, 100, 0.01));
    }
}
