//! How the evidence of a rollout grew: what its checks said, at looks that are further apart the longer a step lasts.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::gate::{Gate, Verdict};

/// Looks that are kept while the time that a step has lasted doubles.
const PER_OCTAVE: f64 = 24.0;
/// Seconds at the beginning in which as many looks are kept as while that time doubles.
const FIRST: f64 = 60.0;

/// What one check said at a look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Seen {
    /// The check's name.
    pub name: String,
    /// How it stood.
    pub verdict: Verdict,
    /// What was observed; none while it could not be measured.
    pub observed: Option<f64>,
    /// Bounds of it that hold at all looks together.
    pub interval: Option<(f64, f64)>,
    /// The limit.
    pub threshold: Option<f64>,
    /// Requests, rows or units behind it.
    pub n: u64,
}

impl From<&Gate> for Seen {
    fn from(gate: &Gate) -> Self {
        Self {
            name: gate.name.clone(),
            verdict: gate.verdict,
            observed: gate.observed,
            interval: gate.interval,
            threshold: gate.threshold,
            n: gate.n,
        }
    }
}

/// A look at a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Look {
    /// Position of the step that was looked at.
    pub step: usize,
    /// When.
    pub at: DateTime<Utc>,
    /// Every check.
    pub checks: Vec<Seen>,
}

/// The slot of a look at a step that has lasted so long; the last look in a slot is the one that is kept. A step of an hour has about
/// 140 slots, one of a week 320.
pub fn slot_of(seconds: f64) -> i32 {
    ((1.0 + seconds.max(0.0) / FIRST).log2() * PER_OCTAVE) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_kept_further_apart_the_longer_a_step_lasts() {
        assert_eq!([0.0, -1.0, f64::NAN].map(slot_of), [0; 3]);
        assert_eq!((slot_of(60.0), slot_of(3_600.0), slot_of(604_800.0)), (24, 142, 319));
        let in_the_first_minute: std::collections::BTreeSet<i32> =
            (0..60).map(|second| slot_of(f64::from(second))).collect();
        assert_eq!(in_the_first_minute.len(), 24);
    }
}
