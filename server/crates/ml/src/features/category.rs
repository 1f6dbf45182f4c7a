//! Categories: a code or a term a level.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::number::NumberEncoder;
use super::set::FeatureValue;
use super::table::MISSING;

/// Levels beyond this many are folded into "other".
const MOST_LEVELS: usize = 200;

/// How a category is encoded by its level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "StoredCategory", into = "StoredCategory")]
pub struct CategoryEncoder {
    levels: Vec<String>,
    other_seen: bool,
    missing_seen: bool,
    codes: HashMap<String, u32>,
}

/// A category encoder as it is stored; the lookup is rebuilt.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredCategory {
    levels: Vec<String>,
    other_seen: bool,
    missing_seen: bool,
}

impl From<StoredCategory> for CategoryEncoder {
    fn from(StoredCategory { levels, other_seen, missing_seen }: StoredCategory) -> Self {
        let codes = levels.iter().zip(0..).map(|(level, code)| (level.clone(), code)).collect();
        Self { levels, other_seen, missing_seen, codes }
    }
}

impl From<CategoryEncoder> for StoredCategory {
    fn from(encoder: CategoryEncoder) -> Self {
        let CategoryEncoder { levels, other_seen, missing_seen, .. } = encoder;
        Self { levels, other_seen, missing_seen }
    }
}

impl CategoryEncoder {
    pub(super) fn fit(levels: &[String], codes: &[u32], rows: &[u32]) -> Self {
        let mut counts = vec![0_u64; levels.len()];
        let mut missing_seen = false;
        for row in rows {
            match counts.get_mut(codes[*row as usize] as usize) {
                Some(count) => *count += 1,
                None => missing_seen = true,
            }
        }
        let mut seen: Vec<(u64, &String)> = counts.into_iter().zip(levels).filter(|(count, _)| *count > 0).collect();
        seen.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        let other_seen = seen.len() > MOST_LEVELS;
        let levels = seen.into_iter().take(MOST_LEVELS).map(|(_, level)| level.clone()).collect();
        StoredCategory { levels, other_seen, missing_seen }.into()
    }

    /// The levels with a code of their own: the most frequent first, equals by name.
    pub fn levels(&self) -> &[String] {
        &self.levels
    }

    /// Whether training folded rare levels into "other".
    pub const fn other_seen(&self) -> bool {
        self.other_seen
    }

    /// Whether training saw rows without a value.
    pub const fn missing_seen(&self) -> bool {
        self.missing_seen
    }

    /// The code of a level; one beyond the last for any other.
    pub(super) fn code(&self, level: &str) -> u32 {
        self.codes.get(level).copied().unwrap_or(self.levels.len() as u32)
    }

    /// How many terms it has.
    pub(super) fn terms(&self) -> usize {
        self.levels.len() + usize::from(self.other_seen) + usize::from(self.missing_seen)
    }

    /// The position of the value's term; none when it has no term.
    pub(super) fn term(&self, value: &FeatureValue<'_>) -> Option<usize> {
        match value {
            FeatureValue::Category(level) => {
                let code = self.code(level) as usize;
                (code < self.levels.len() || self.other_seen).then_some(code)
            }
            FeatureValue::Missing | FeatureValue::Number(_) => {
                self.missing_seen.then(|| self.levels.len() + usize::from(self.other_seen))
            }
        }
    }
}

/// How a category is encoded by its place among values that have an order. A value that is none of them counts as missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrdinalEncoder {
    /// The values, the least first.
    values: Vec<String>,
    /// How places are told to linear models.
    pub(crate) number: NumberEncoder,
}

impl OrdinalEncoder {
    pub(super) fn fit(values: &[String], levels: &[String], codes: &[u32], rows: &[u32]) -> Self {
        let place = |level: &String| values.iter().position(|value| value == level).map_or(f64::NAN, |at| at as f64);
        let places: Vec<f64> = levels.iter().map(place).collect();
        let number = |row: &u32| match codes[*row as usize] {
            MISSING => f64::NAN,
            code => places[code as usize],
        };
        let number = NumberEncoder::fit(rows.iter().map(number), millrace_domain::problem::Encoding::Standard);
        Self { values: values.to_vec(), number }
    }

    /// The values, the least first.
    pub(super) fn values(&self) -> &[String] {
        &self.values
    }

    /// The place of a value, from 0.
    pub(super) fn place(&self, value: &FeatureValue<'_>) -> Option<f64> {
        let FeatureValue::Category(level) = value else { return None };
        self.values.iter().position(|value| value == level.as_ref()).map(|place| place as f64)
    }

    /// Whether its values differ and its number is sound, as fitting leaves them.
    pub(crate) fn is_sound(&self) -> bool {
        let different: std::collections::BTreeSet<&String> = self.values.iter().collect();
        different.len() == self.values.len() && self.number.is_sound()
    }
}
