//! Bootstrap resamples: row counts of as many draws with replacement as there are rows.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Calls `each` with the weights of `count` resamples of `rows` rows, drawn from `seed`.
pub(super) fn resamples(rows: usize, count: usize, seed: u64, mut each: impl FnMut(&[f64])) {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut weights = vec![0.0; rows];
    let last = rows as u32 - 1;
    for _ in 0..count {
        weights.fill(0.0);
        for _ in 0..rows {
            weights[generator.random_range(0..=last) as usize] += 1.0;
        }
        each(&weights);
    }
}

/// The 2.5 % and 97.5 % quantiles of replicates; none when more than one in twenty was undefined.
pub(super) fn percentile_interval(replicates: &mut [f64], drawn: usize) -> Option<(f64, f64)> {
    if replicates.len() * 20 < drawn * 19 {
        return None;
    }
    replicates.sort_by(f64::total_cmp);
    Some((quantile(replicates, 0.025), quantile(replicates, 0.975)))
}

/// Linear interpolation between order statistics (Hyndman and Fan's type 7, numpy's default).
///
/// `sorted` is ascending and not empty.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let below = position.floor();
    let low = sorted[below as usize];
    let high = sorted[position.ceil() as usize];
    low + (high - low) * (position - below)
}
