//! Who is answered by what. The same unit is on the same side for as long as a rollout lasts, on every server.

use sha2::{Digest as _, Sha256};

use crate::ids::RolloutId;

/// What is assigned: an entity, or a prediction that names none. A number that is spread evenly over its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit(pub u64);

impl Unit {
    /// The unit of a key in a rollout. Another rollout spreads the same keys otherwise, so that nobody is always first.
    pub fn of(rollout: RolloutId, key: &[u8]) -> Self {
        let hash = Sha256::new().chain_update(rollout.0.to_be_bytes()).chain_update(key).finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        Self(u64::from_be_bytes(first))
    }

    /// The unit of a prediction: its entity, or itself where it names none.
    pub fn of_prediction(rollout: RolloutId, entity: Option<&str>, prediction: &[u8; 16]) -> Self {
        Self::of(rollout, entity.map_or(&prediction[..], str::as_bytes))
    }

    /// Where it lies between 0 and 1.
    fn place(self) -> f64 {
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Its arm when the candidate has that share of all units, in percent. Units that the candidate has at some share it
    /// has at every greater one.
    pub fn arm(self, percent: f64) -> Arm {
        let share = percent / 100.0;
        match self.place() {
            place if place < share => Arm::Candidate,
            place if place >= 1.0 - share => Arm::Control,
            _ => Arm::Rest,
        }
    }
}

/// The sides of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arm {
    /// Answered by the candidate.
    Candidate,
    /// Answered by the champion, and compared with: as many units as the candidate has, at the same time.
    Control,
    /// Answered by the champion.
    Rest,
}

impl Arm {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Control => "control",
            Self::Rest => "rest",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(rollout: i64) -> impl Iterator<Item = Unit> {
        (0..100_000u32).map(move |key| Unit::of(RolloutId(rollout), key.to_string().as_bytes()))
    }

    #[test]
    fn shares_are_as_planned_within_three_standard_errors() {
        let count = |arm: Arm| units(7).filter(|unit| unit.arm(5.0) == arm).count() as f64;
        let error = (100_000.0 * 0.05 * 0.95f64).sqrt();
        for arm in [Arm::Candidate, Arm::Control] {
            assert!((count(arm) - 5_000.0).abs() < 3.0 * error, "{arm:?} {}", count(arm));
        }
    }

    #[test]
    fn whoever_has_the_candidate_keeps_it_when_its_share_grows() {
        assert!(units(7).filter(|unit| unit.arm(5.0) == Arm::Candidate).all(|unit| unit.arm(25.0) == Arm::Candidate));
    }

    #[test]
    fn half_and_half_leaves_no_rest() {
        assert!(units(7).all(|unit| unit.arm(50.0) != Arm::Rest));
    }

    #[test]
    fn another_rollout_begins_with_others() {
        let both = units(1)
            .zip(units(2))
            .filter(|(first, second)| first.arm(5.0) == Arm::Candidate && second.arm(5.0) == Arm::Candidate);
        let both = both.count();
        assert!((150..350).contains(&both), "{both} of 100,000, 250 expected by chance");
    }
}
