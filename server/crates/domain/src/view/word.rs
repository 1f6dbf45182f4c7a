//! Numbers that may be none: JSON has no word for them, so they are written in ours.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const NAN: &str = "not a number";
const INFINITE: &str = "infinite";
const MINUS_INFINITE: &str = "minus infinite";

/// The word for a number that is none.
fn word_of(number: f64) -> Option<&'static str> {
    match number {
        _ if number.is_nan() => Some(NAN),
        f64::INFINITY => Some(INFINITE),
        f64::NEG_INFINITY => Some(MINUS_INFINITE),
        _ => None,
    }
}

/// A number as JSON, or the word for one that is none.
pub fn in_words(number: f64) -> serde_json::Value {
    word_of(number).map_or_else(|| number.into(), Into::into)
}

/// A number, or the word for one that is none.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Worded(f64);

impl Serialize for Worded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match word_of(self.0) {
            Some(word) => serializer.serialize_str(word),
            None => serializer.serialize_f64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Worded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Word(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(number) => Ok(Self(number)),
            Written::Word(word) => match word.as_str() {
                NAN => Ok(Self(f64::NAN)),
                INFINITE => Ok(Self(f64::INFINITY)),
                MINUS_INFINITE => Ok(Self(f64::NEG_INFINITY)),
                _ => Err(serde::de::Error::custom("must be a number, or a word for one that is none")),
            },
        }
    }
}

/// For a field that is a number.
pub(super) mod number {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        Worded(*number).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Worded::deserialize(deserializer).map(|worded| worded.0)
    }
}

/// For a field that may be a number.
pub(super) mod optional {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        number.map(Worded).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Ok(Option::<Worded>::deserialize(deserializer)?.map(|worded| worded.0))
    }
}

/// For a field of steps and values.
pub(super) mod points {
    use super::*;

    pub(in super::super) fn serialize<S: Serializer>(points: &[(i64, f64)], serializer: S) -> Result<S::Ok, S::Error> {
        let worded: Vec<(i64, Worded)> = points.iter().map(|(step, value)| (*step, Worded(*value))).collect();
        worded.serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(i64, f64)>, D::Error> {
        let worded: Vec<(i64, Worded)> = Vec::deserialize(deserializer)?;
        Ok(worded.into_iter().map(|(step, value)| (step, value.0)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Course, MetricView};

    #[test]
    fn numbers_that_are_none_go_to_the_browser_and_back() {
        let metric = |value| MetricView { name: "loss".to_owned(), step: 0, value, interval: None, n: 0 };
        for value in [0.25, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let text = serde_json::to_string(&metric(value)).unwrap();
            let back: MetricView = serde_json::from_str(&text).unwrap();
            assert!(back.value.to_bits() == value.to_bits() || back.value.is_nan() && value.is_nan(), "{text}");
        }
        let course = Course { name: "loss".to_owned(), points: vec![(1, f64::NAN), (2, 0.5)], times: Vec::new() };
        let back: Course = serde_json::from_str(&serde_json::to_string(&course).unwrap()).unwrap();
        assert!(back.points[0].1.is_nan() && back.points[1] == (2, 0.5));
    }
}
