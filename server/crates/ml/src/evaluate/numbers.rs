//! Metrics of regression.

use millrace_domain::metric::Metric;

use super::Scorer;
use super::classes::weighted_mean;
use super::outcomes::NumberOutcomes;
use super::sum::{share, sum};

/// Scorers of predicted numbers.
pub(super) fn of_numbers(outcomes: &NumberOutcomes, metric: Metric) -> Option<Scorer<'_>> {
    let errors = outcomes.actual.iter().zip(&outcomes.predicted).map(|(actual, predicted)| actual - predicted);
    Some(match metric {
        Metric::Rmse => {
            let squares: Vec<f64> = errors.map(|error| error * error).collect();
            Box::new(move |weights| weighted_mean(&squares, weights).map(f64::sqrt))
        }
        Metric::Mae => {
            let sizes: Vec<f64> = errors.map(f64::abs).collect();
            Box::new(move |weights| weighted_mean(&sizes, weights))
        }
        Metric::Mape => {
            let shares: Vec<f64> = errors
                .zip(&outcomes.actual)
                .map(|(error, actual)| error.abs() / actual.abs().max(f64::EPSILON))
                .collect();
            Box::new(move |weights| weighted_mean(&shares, weights))
        }
        Metric::R2 => {
            let squares: Vec<f64> = errors.map(|error| error * error).collect();
            Box::new(move |weights| r2(&outcomes.actual, &squares, weights))
        }
        Metric::Pinball => {
            let quantile = outcomes.quantile?;
            let losses: Vec<f64> =
                errors.map(|error| if error > 0.0 { quantile * error } else { (quantile - 1.0) * error }).collect();
            Box::new(move |weights| weighted_mean(&losses, weights))
        }
        Metric::CoverageError => {
            let quantile = outcomes.quantile?;
            let covered: Vec<f64> = errors.map(|error| if error <= 0.0 { 1.0 } else { 0.0 }).collect();
            Box::new(move |weights| weighted_mean(&covered, weights).map(|share| (share - quantile).abs()))
        }
        _ => return None,
    })
}

impl NumberOutcomes {
    /// Rows whose true number is at most the answer.
    pub(super) fn covered(&self) -> f64 {
        self.actual.iter().zip(&self.predicted).filter(|(actual, predicted)| actual <= predicted).count() as f64
    }
}

/// 1 − residual / total sum of squares; none when the true numbers do not vary.
fn r2(actual: &[f64], squared_errors: &[f64], weights: &[f64]) -> Option<f64> {
    // A mean that is rounded makes a little of numbers that are all alike.
    let mut counted = actual.iter().zip(weights).filter(|(_, weight)| **weight > 0.0).map(|(value, _)| *value);
    let first = counted.next()?;
    if counted.all(|value| value == first) {
        return None;
    }
    let mean = weighted_mean(actual, weights)?;
    let total = sum(actual.iter().zip(weights).map(|(value, weight)| weight * (value - mean).powi(2)));
    let residual = sum(squared_errors.iter().zip(weights).map(|(square, weight)| weight * square));
    share(residual, total).map(|left| 1.0 - left)
}
