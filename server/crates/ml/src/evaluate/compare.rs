//! A challenger beside the champion, on the same rows.

use millrace_domain::metric::{Direction, Metric};
use serde::{Deserialize, Serialize};

use super::interval::wilson;
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
    let interval = (champion.len() > 1).then(|| percentile_interval(&mut replicates, RESAMPLES)).flatten();
    Ok(Some(Comparison {
        metric,
        rows: champion.len() as u64,
        champion: old,
        challenger: new,
        improvement: better,
        interval,
    }))
}

/// Rows on which two models say different things, one of them rightly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flips {
    /// Rows behind it.
    pub rows: u64,
    /// Right by the champion, wrong by the challenger.
    pub lost: u64,
    /// Wrong by the champion, right by the challenger.
    pub won: u64,
}

impl Flips {
    /// The share of rows that the challenger loses: the negative flip rate (Yan et al., "Positive-Congruent Training", CVPR 2021).
    pub fn share_lost(self) -> f64 {
        self.lost as f64 / self.rows as f64
    }

    /// Its 95 % interval (Wilson).
    pub fn interval(self) -> Option<(f64, f64)> {
        wilson(self.lost as f64, self.rows as f64)
    }
}

/// Counts the flips between two classifiers.
///
/// # Errors
/// When they were not measured on the same rows, or do not classify.
pub fn flips(champion: &Outcomes, challenger: &Outcomes) -> Result<Flips, OutcomeError> {
    if !champion.pairs_with(challenger) {
        return Err(OutcomeError::Unpaired);
    }
    let (old, new) = (champion.hits().ok_or(OutcomeError::Kind)?, challenger.hits().ok_or(OutcomeError::Kind)?);
    let count = |was: bool, is: bool| old.iter().zip(&new).filter(|pair| *pair == (&was, &is)).count() as u64;
    Ok(Flips { rows: old.len() as u64, lost: count(true, false), won: count(false, true) })
}
