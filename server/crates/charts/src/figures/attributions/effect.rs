//! What high values of a feature do to the answer.

use super::Attribution;

/// Correlations weaker than this say nothing about the direction.
const WEAK: f64 = 0.3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Raises,
    Lowers,
    Mixed,
}

impl Effect {
    /// By the correlation of level and contribution; nothing where no row has a level.
    pub fn of(feature: &Attribution) -> Option<Self> {
        let pairs: Vec<(f64, f64)> =
            feature.points.iter().filter_map(|point| Some((point.level?, point.contribution))).collect();
        if pairs.is_empty() {
            return None;
        }
        Some(match correlation(&pairs) {
            r if r >= WEAK => Effect::Raises,
            r if r <= -WEAK => Effect::Lowers,
            _ => Effect::Mixed,
        })
    }

    pub fn words(self) -> &'static str {
        match self {
            Effect::Raises => "high values raise",
            Effect::Lowers => "high values lower",
            Effect::Mixed => "mixed",
        }
    }
}

/// Pearson's; 0 where one side does not vary.
fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let n = pairs.len() as f64;
    // Products are taken of values relative to the largest one, so that they can't overflow.
    let largest = pairs.iter().map(|(_, y)| y.abs()).fold(0.0, f64::max);
    let scaled = || pairs.iter().map(|(x, y)| (*x, if largest > 0.0 { y / largest } else { 0.0 }));
    let (mean_x, mean_y) = scaled().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let sum = |of: fn(f64, f64) -> f64| scaled().map(|(x, y)| of(x - mean_x, y - mean_y)).sum::<f64>();
    let spread = (sum(|x, _| x * x) * sum(|_, y| y * y)).sqrt();
    if spread > 1e-12 { sum(|x, y| x * y) / spread } else { 0.0 }
}
