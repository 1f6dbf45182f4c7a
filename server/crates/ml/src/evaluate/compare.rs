//! A challenger beside the champion, on the same rows.

use millrace_domain::metric::{Direction, Metric};
use serde::{Deserialize, Serialize};

use super::outcomes::{OutcomeError, Outcomes};
use super::resample::{percentile_interval, resamples};

const RESAMPLES: usize = 1_000;

/// What a metric says about two models measured on the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The metric.
    pub metric: Metric,
    /// Rows behind it.
    pub rows: u64,
    /// Its value for the champion.
    pub champion: f64,
    /// Its value for the challenger.
    pub challenger: f64,
    /// How much better the challenger is: positive is better, whichever way the metric points.
    pub improvement: f64,
    /// 95 % interval of the improvement; none when the rows do not carry one.
    pub interval: Option<(f64, f64)>,
}

/// Compares two models by a paired bootstrap: each of 1,000 resamples drawn from `seed` is applied to both, so what is hard
/// about a row is hard for both and cancels. None when the metric is not defined on these rows.
///
/// # Errors
/// When the two were not measured on the same rows.
pub fn compare(
    metric: Metric,
    champion: &Outcomes,
    challenger: &Outcomes,
    seed: u64,
) -> Result<Option<Comparison>, OutcomeError> {
    if !champion.pairs_with(challenger) {
        return Err(OutcomeError::Unpaired);
    }
    let (Some(of_champion), Some(of_challenger)) = (champion.scorer(metric), challenger.scorer(metric)) else {
        return Ok(None);
    };
    let improvement = |weights: &[f64]| {
        let (old, new) = (of_champion(weights)?, of_challenger(weights)?);
        let better = match metric.direction() {
            Direction::Up => new - old,
            Direction::Down => old - new,
        };
        Some((old, new, better))
    };
    let Some((old, new, better)) = improvement(&vec![1.0; champion.len()]) else {
        return Ok(None);
    };
    let mut replicates = Vec::with_capacity(RESAMPLES);
    resamples(champion.len(), RESAMPLES, seed, |weights| {
        replicates.extend(improvement(weights).map(|(_, _, better)| better));
    });
    let interval = (champion.len() > 1).then(|| percentile_interval(replicates, RESAMPLES)).flatten();
    Ok(Some(Comparison {
        metric,
        rows: champion.len() as u64,
        champion: old,
        challenger: new,
        improvement: better,
        interval,
    }))
}
