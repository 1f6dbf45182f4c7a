//! The statistics behind gates; what they mean for a promotion is decided in `millrace_domain::gate`.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

use crate::evaluate::Comparison;

/// A quantile of measured durations, with a one-sided bound.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LatencyQuantile {
    /// How many measurements.
    pub n: u64,
    /// The quantile of the measurements themselves, in microseconds.
    pub observed_us: f64,
    /// With 95 % confidence the true quantile is not above this; none when there are too few measurements to say.
    pub upper_bound_us: Option<f64>,
}

/// The `share` quantile (0.99 for p99) of measured durations in microseconds, with its upper 95 % confidence bound; none
/// without measurements or when one is not a number.
///
/// The bound needs no assumption about the distribution: of n independent measurements, the number at or below the true
/// quantile is at most binomial(n, share), so the k-th smallest is an upper bound with confidence P(X ≤ k − 1). For p99 that
/// takes at least 299 measurements.
pub fn latency_quantile(durations_us: &[f64], share: f64) -> Option<LatencyQuantile> {
    if durations_us.is_empty() || durations_us.iter().any(|duration| duration.is_nan()) {
        return None;
    }
    let mut sorted = durations_us.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as u64;
    let below = Binomial::new(share, n).ok()?;
    let rank = below.inverse_cdf(0.95) + 1;
    let observed = ((share * n as f64).ceil() as usize).clamp(1, sorted.len());
    Some(LatencyQuantile {
        n,
        observed_us: sorted[observed - 1],
        upper_bound_us: sorted.get(rank as usize - 1).copied(),
    })
}

/// How long requests take from their coming to their answer when they come at random, `rate` a second on average, and are answered
/// one after the other, each for as long as one of the measured durations (in microseconds, in their order): who comes while another
/// one is answered waits (Lindley 1952).
pub fn with_waiting(durations_us: &[f64], rate: f64, seed: u64) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut waits_us = 0.0_f64;
    durations_us
        .iter()
        .map(|duration| {
            let taken = waits_us + duration;
            // Time between two requests: exponential, since they come independently of each other.
            let apart = -1e6 / rate * random.random_range(f64::MIN_POSITIVE..1.0).ln();
            waits_us = (taken - apart).max(0.0);
            taken
        })
        .collect()
}

/// Whether the challenger is not worse than the champion by more than `margin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NonInferiority {
    /// The whole interval of the improvement is above −margin.
    Shown,
    /// The whole interval is below −margin: it is worse.
    Refuted,
    /// The interval holds −margin, or there is none: more rows are needed.
    Open,
}

/// Judges a paired comparison against a margin in the metric's unit; a margin that is not a number shows nothing.
pub fn non_inferiority(comparison: &Comparison, margin: f64) -> NonInferiority {
    match comparison.interval {
        Some((low, _)) if low >= -margin => NonInferiority::Shown,
        Some((_, high)) if high < -margin => NonInferiority::Refuted,
        _ => NonInferiority::Open,
    }
}

#[cfg(test)]
mod tests {
    use millrace_domain::metric::Metric;

    use super::*;

    fn ramp(n: u32) -> Vec<f64> {
        (1..=n).rev().map(f64::from).collect()
    }

    /// The rank is scipy 1.17.1's `binom.ppf(0.95, 1000, 0.99) + 1`.
    #[test]
    fn the_bound_is_an_order_statistic() {
        let quantile = latency_quantile(&ramp(1_000), 0.99).unwrap();
        assert_eq!((quantile.observed_us, quantile.upper_bound_us), (990.0, Some(996.0)));
    }

    /// Pollaczek and Khinchine: of equal durations s at utilisation ρ the mean wait is ρ s / (2 (1 − ρ)); here 250 µs at a half.
    #[test]
    fn who_comes_while_another_is_answered_waits_as_the_formula_says() {
        let durations = vec![500.0; 200_000];
        let taken = with_waiting(&durations, 1_000.0, 1);
        let mean = taken.iter().sum::<f64>() / taken.len() as f64 - 500.0;
        assert!((mean - 250.0).abs() < 10.0, "{mean}");
    }

    #[test]
    fn a_model_that_is_too_slow_for_its_throughput_keeps_callers_waiting_longer_and_longer() {
        let taken = with_waiting(&vec![2_000.0; 2_000], 1_000.0, 1);
        assert!(taken[1_999] > 1_000_000.0, "{}", taken[1_999]);
    }

    #[test]
    fn p99_needs_299_measurements() {
        assert_eq!(latency_quantile(&ramp(298), 0.99).unwrap().upper_bound_us, None);
        assert_eq!(latency_quantile(&ramp(299), 0.99).unwrap().upper_bound_us, Some(299.0));
    }

    #[test]
    fn measurements_that_are_no_numbers_say_nothing() {
        assert_eq!(latency_quantile(&[], 0.99), None);
        assert_eq!(latency_quantile(&[1.0, f64::NAN], 0.99), None);
    }

    #[test]
    fn an_interval_across_the_margin_leaves_it_open() {
        let comparison = |interval| Comparison {
            metric: Metric::RocAuc,
            rows: 100,
            champion: 0.8,
            challenger: 0.8,
            improvement: 0.0,
            interval,
        };
        let judge = |interval| non_inferiority(&comparison(interval), 0.01);
        assert_eq!(judge(Some((-0.005, 0.1))), NonInferiority::Shown);
        assert_eq!(judge(Some((-0.2, -0.05))), NonInferiority::Refuted);
        assert_eq!(judge(Some((-0.05, 0.05))), NonInferiority::Open);
        assert_eq!(judge(None), NonInferiority::Open);
        assert_eq!(non_inferiority(&comparison(Some((0.0, 0.0))), f64::NAN), NonInferiority::Open);
    }
}
