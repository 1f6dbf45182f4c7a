//! Lengths of time as people write them: `90s`, `30m`, `6h`, `1d`, `2w`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A whole number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    seconds: u64,
}

const UNITS: [(char, u64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
/// A hundred years: longer spans are mistakes, and sums of two still fit.
const LONGEST: u64 = 100 * 366 * 86_400;

impl Span {
    /// A span of that many seconds.
    pub const fn of_seconds(seconds: u64) -> Self {
        Self { seconds }
    }

    /// Its length in seconds.
    pub const fn seconds(self) -> u64 {
        self.seconds
    }
}

impl Span {
    /// As people say it: `1 day`, `6 hours`.
    pub fn in_words(self) -> String {
        let text = self.to_string();
        let (count, unit) = text.split_at(text.len() - 1);
        let unit = match unit {
            "w" => "week",
            "d" => "day",
            "h" => "hour",
            "m" => "minute",
            _ => "second",
        };
        if count == "1" { format!("1 {unit}") } else { format!("{count} {unit}s") }
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is not a length of time; write a whole number and s, m, h, d or w, as in \"6h\"");
        let unit = text.chars().last().ok_or_else(wrong)?;
        let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let count: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
        match count.checked_mul(factor) {
            Some(seconds) if seconds <= LONGEST => Ok(Self { seconds }),
            _ => Err(format!("{text:?} is longer than a hundred years")),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) = UNITS
            .into_iter()
            .find(|(_, factor)| self.seconds > 0 && self.seconds.is_multiple_of(*factor))
            .unwrap_or(('s', 1));
        write!(f, "{}{unit}", self.seconds / factor)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_words() {
        let words = |text: &str| text.parse::<Span>().unwrap().in_words();
        assert_eq!((words("1d").as_str(), words("6h").as_str(), words("2w").as_str()), ("1 day", "6 hours", "2 weeks"));
    }

    #[test]
    fn spans_are_written_in_their_largest_whole_unit() {
        for (text, seconds) in [("90s", 90), ("6h", 21_600), ("1d", 86_400), ("2w", 1_209_600), ("0s", 0)] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.seconds(), span.to_string().as_str()), (seconds, text));
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "h", "6", "6 h", "-1d", "1.5h", "1y", "99999999999999999999s", "9999999w", "6ħ"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
