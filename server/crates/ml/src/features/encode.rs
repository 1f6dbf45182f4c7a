//! Encoders: from feature values to the numbers an estimator calculates with.
//!
//! For trees a number is itself, a category its code, and what is missing is NaN, which trees branch on. For linear models a
//! number is standardised, with the median in place of a missing one and an indicator where training saw any missing; a
//! category is one term a level. A category that training did not see has a code of its own for trees and, where training
//! folded rare levels together, the term of those; else it has no term, as if it were the average of nothing known. A category that
//! the document has told by the label is one number for both ([`TargetEncoder`]).

use std::collections::HashMap;

use millrace_domain::problem::FeatureType;
use serde::{Deserialize, Serialize};

use super::set::{FeatureDefinition, FeatureValue};
use super::table::{FeatureColumn, FeatureTable};
use super::target::TargetEncoder;

/// Levels beyond this many are folded into "other".
const MOST_LEVELS: usize = 200;

/// How a number is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberEncoder {
    /// Mean of the training part.
    pub mean: f64,
    /// Population standard deviation of the training part; 1 where it does not vary.
    pub standard_deviation: f64,
    /// Median of the training part: what stands for a missing value.
    pub median: f64,
    /// Whether the training part has rows without a value, which then have a term of their own.
    pub missing_seen: bool,
}

/// How a category is encoded.
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

/// How one feature is encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureEncoder {
    /// A number.
    Number(NumberEncoder),
    /// A category.
    Category(CategoryEncoder),
    /// A category that is told by the label.
    Target(TargetEncoder),
}

/// What training rows are told instead of their categories: of each feature that is told by the label, a number a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Told(Vec<Option<Vec<f64>>>);

impl Told {
    /// Puts what the training row at `position` is told in place of its values.
    pub(crate) fn apply(&self, position: usize, values: &mut [FeatureValue<'_>]) {
        for (value, told) in values.iter_mut().zip(&self.0) {
            if let Some(told) = told {
                *value = FeatureValue::Number(told[position]);
            }
        }
    }
}

/// How every feature is encoded, in the order of their definitions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Encoders {
    features: Vec<FeatureEncoder>,
}

impl Encoders {
    /// Fits encoders on `rows` of `table`, those of the training part, whose labels are `targets`: the number, or 1 for the second
    /// class and 0 for the first. Gives what these rows are told, too.
    pub fn fit(table: &FeatureTable, rows: &[u32], targets: &[f64], seed: u64) -> (Self, Told) {
        let fit = |(column, by_target): (&FeatureColumn, &bool)| match column {
            FeatureColumn::Number(numbers) => (FeatureEncoder::Number(NumberEncoder::fit(numbers, rows)), None),
            FeatureColumn::Category { levels, codes } if *by_target => {
                let (encoder, told) = TargetEncoder::fit(levels, codes, rows, targets, seed);
                (FeatureEncoder::Target(encoder), Some(told))
            }
            FeatureColumn::Category { levels, codes } => {
                (FeatureEncoder::Category(CategoryEncoder::fit(levels, codes, rows)), None)
            }
        };
        let (features, told) = table.columns().iter().zip(table.target_encoded()).map(fit).unzip();
        (Self { features }, Told(told))
    }

    /// One encoder a feature.
    pub fn features(&self) -> &[FeatureEncoder] {
        &self.features
    }

    /// Whether there is one encoder of the right type for each definition.
    pub(crate) fn fit_types(&self, definitions: &[FeatureDefinition]) -> bool {
        let fits = |(encoder, definition): (&FeatureEncoder, &FeatureDefinition)| match encoder {
            FeatureEncoder::Number(_) => definition.feature_type == FeatureType::Number,
            FeatureEncoder::Category(_) => {
                definition.feature_type == FeatureType::Category && !definition.target_encoded
            }
            FeatureEncoder::Target(_) => definition.feature_type == FeatureType::Category && definition.target_encoded,
        };
        self.features.len() == definitions.len() && self.features.iter().zip(definitions).all(fits)
    }

    /// The numbers that trees branch on, one a feature; NaN is missing.
    pub(crate) fn for_trees(&self, values: &[FeatureValue<'_>]) -> Vec<f32> {
        self.features.iter().zip(values).map(|(encoder, value)| encoder.for_trees(value)).collect()
    }

    /// Calls `term` with the position and size of every term of a linear model that is not zero.
    pub(crate) fn for_linear(&self, values: &[FeatureValue<'_>], mut term: impl FnMut(usize, f64)) {
        let mut first = 0;
        for (encoder, value) in self.features.iter().zip(values) {
            encoder.for_linear(value, |position, size| term(first + position, size));
            first += encoder.terms();
        }
    }

    /// How many terms a linear model has, the constant not counted.
    pub(crate) fn terms(&self) -> usize {
        self.features.iter().map(FeatureEncoder::terms).sum()
    }
}

impl FeatureEncoder {
    /// How many terms of a linear model the feature has.
    pub(crate) fn terms(&self) -> usize {
        match self {
            Self::Number(encoder) => 1 + usize::from(encoder.missing_seen),
            Self::Target(_) => 1,
            Self::Category(encoder) => {
                encoder.levels.len() + usize::from(encoder.other_seen) + usize::from(encoder.missing_seen)
            }
        }
    }

    fn for_trees(&self, value: &FeatureValue<'_>) -> f32 {
        match (self, value) {
            // A double beyond single precision keeps its place in the order at its largest number.
            (Self::Number(_), FeatureValue::Number(number)) => {
                number.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32
            }
            (Self::Category(encoder), FeatureValue::Category(value)) => encoder.code(value) as f32,
            (Self::Target(encoder), value) => encoder.number(value) as f32,
            _ => f32::NAN,
        }
    }

    fn for_linear(&self, value: &FeatureValue<'_>, mut term: impl FnMut(usize, f64)) {
        match self {
            Self::Number(encoder) => match value {
                FeatureValue::Number(number) => term(0, encoder.standardise(*number)),
                FeatureValue::Missing | FeatureValue::Category(_) => {
                    term(0, encoder.standardise(encoder.median));
                    if encoder.missing_seen {
                        term(1, 1.0);
                    }
                }
            },
            Self::Target(encoder) => term(0, encoder.standardised(value)),
            Self::Category(encoder) => {
                if let Some(position) = encoder.term(value) {
                    term(position, 1.0);
                }
            }
        }
    }
}

impl NumberEncoder {
    fn fit(numbers: &[f64], rows: &[u32]) -> Self {
        let mut present: Vec<f64> =
            rows.iter().map(|row| numbers[*row as usize]).filter(|number| !number.is_nan()).collect();
        let missing_seen = present.len() < rows.len();
        if present.is_empty() {
            return Self { mean: 0.0, standard_deviation: 1.0, median: 0.0, missing_seen };
        }
        present.sort_by(f64::total_cmp);
        let count = present.len() as f64;
        // Divided before they are summed, so that large numbers do not overflow.
        let mean = present.iter().map(|number| number / count).sum::<f64>();
        let variance = present.iter().map(|number| (number - mean).powi(2) / count).sum::<f64>();
        let standard_deviation = Some(variance.sqrt()).filter(|sd| *sd > 0.0 && sd.is_finite()).unwrap_or(1.0);
        let middle = present.len() / 2;
        let median =
            if present.len() % 2 == 1 { present[middle] } else { present[middle - 1] / 2.0 + present[middle] / 2.0 };
        Self { mean, standard_deviation, median, missing_seen }
    }

    fn standardise(&self, number: f64) -> f64 {
        (number - self.mean) / self.standard_deviation
    }

    /// Whether every number is finite and the deviation positive, as fitting leaves them.
    pub(crate) fn is_sound(&self) -> bool {
        self.mean.is_finite()
            && self.median.is_finite()
            && self.standard_deviation.is_finite()
            && self.standard_deviation > 0.0
    }
}

impl CategoryEncoder {
    fn fit(levels: &[String], codes: &[u32], rows: &[u32]) -> Self {
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
    fn code(&self, level: &str) -> u32 {
        self.codes.get(level).copied().unwrap_or(self.levels.len() as u32)
    }

    /// The position of the value's term; none when it has no term.
    fn term(&self, value: &FeatureValue<'_>) -> Option<usize> {
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
