//! What must never stand still: the loops of servers that look after what is live. Each says now and then that it is at work; one that has not
//! is told to whoever is on call, within two intervals.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};

/// At most so long passes between two beats of what is at work.
pub const INTERVAL: TimeDelta = TimeDelta::seconds(30);
/// What it takes to see that something stands still and to have a letter about it sent: a look of each, every five seconds.
const LOOKS: TimeDelta = TimeDelta::seconds(10);

/// Something that beats, on one server at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Heart {
    /// Judges windows, holds answers against outcomes, raises alerts and starts trainings.
    Watch,
    /// Sends letters.
    Letters,
    /// Lets rollouts go on and takes them back.
    Rollouts,
}

impl Heart {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Watch, Self::Letters, Self::Rollouts];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Letters => "letters",
            Self::Rollouts => "rollouts",
        }
    }

    /// What is not done while it stands still.
    pub const fn missing(self) -> &'static str {
        match self {
            Self::Watch => "No window is judged, no alert is raised and no training starts by itself",
            Self::Letters => "Letters go out by a stand-in or not at all",
            Self::Rollouts => "No rollout goes on, and none is taken back by itself",
        }
    }
}

impl fmt::Display for Heart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Heart {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|heart| heart.as_str() == text).ok_or_else(|| format!("{text:?} beats nowhere"))
    }
}

/// When one was seen at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// Which.
    pub heart: Heart,
    /// For the last time; of one that never was, when it was first to be.
    pub beat_at: DateTime<Utc>,
    /// Since when it has been told that it stands still.
    pub told_at: Option<DateTime<Utc>>,
}

impl Heartbeat {
    /// Whether it has not been at work for so long that it is told within two intervals.
    pub fn stands_still(&self, now: DateTime<Utc>) -> bool {
        now - self.beat_at > INTERVAL * 2 - LOOKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_not_beaten_for_almost_two_intervals_stands_still() {
        let at = |seconds: i64| DateTime::from_timestamp(seconds, 0).expect("a time");
        let beat = Heartbeat { heart: Heart::Watch, beat_at: at(2_000), told_at: None };
        assert!(!beat.stands_still(at(2_050)) && beat.stands_still(at(2_051)));
    }
}
