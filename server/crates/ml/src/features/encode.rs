//! Encoders: from feature values to the numbers an estimator calculates with.
//!
//! For trees a number is itself, a category its code, and what is missing is NaN, which trees branch on. For linear models a
//! number is moved and scaled, with the median in place of a missing one and an indicator where training saw any missing; a
//! category is one term a level. A category that training did not see has a code of its own for trees and, where training
//! folded rare levels together, the term of those; else it has no term, as if it were the average of nothing known. A category that
//! the document has told in an order ([`OrdinalEncoder`]) or by the label ([`TargetEncoder`]) is one number for both, and one that
//! it has told as a number a level has those terms for both.

use millrace_domain::problem::{Encoding, FeatureType};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::category::{CategoryEncoder, OrdinalEncoder};
use super::number::NumberEncoder;
use super::set::{FeatureDefinition, FeatureValue};
use super::table::{FeatureColumn, FeatureTable};
use super::target::TargetEncoder;

/// How one feature is encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureEncoder {
    /// A number.
    Number(NumberEncoder),
    /// A category.
    Category(CategoryEncoder),
    /// A category that is a number a level for every estimator.
    OneHot(CategoryEncoder),
    /// A category that has an order.
    Ordinal(OrdinalEncoder),
    /// A category that is told by the label.
    Target(TargetEncoder),
}

/// What training rows are told instead of their categories: of each feature that is told by the label, a number a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Told(Vec<Option<Vec<f64>>>);

impl Told {
    /// What training rows are told instead of a feature's values, if they are.
    pub(super) fn of(&self, feature: usize) -> Option<&[f64]> {
        self.0.get(feature)?.as_deref()
    }

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
        let fit = |(column, definition): &(&FeatureColumn, &FeatureDefinition)| match (column, definition.encoding) {
            (FeatureColumn::Number(numbers), encoding) => {
                let numbers = rows.iter().map(|row| numbers[*row as usize]);
                (FeatureEncoder::Number(NumberEncoder::fit(numbers, encoding)), None)
            }
            (FeatureColumn::Category { levels, codes }, Encoding::Target) => {
                let (encoder, told) = TargetEncoder::fit(levels, codes, rows, targets, seed);
                (FeatureEncoder::Target(encoder), Some(told))
            }
            (FeatureColumn::Category { levels, codes }, Encoding::Ordinal) => {
                let encoder = OrdinalEncoder::fit(&definition.values, levels, codes, rows);
                (FeatureEncoder::Ordinal(encoder), None)
            }
            (FeatureColumn::Category { levels, codes }, encoding) => {
                let encoder = CategoryEncoder::fit(levels, codes, rows);
                let one_hot = encoding == Encoding::OneHot;
                (if one_hot { FeatureEncoder::OneHot(encoder) } else { FeatureEncoder::Category(encoder) }, None)
            }
        };
        let columns: Vec<_> = table.columns().iter().zip(table.definitions()).collect();
        let (features, told) = columns.par_iter().map(fit).unzip();
        (Self { features }, Told(told))
    }

    /// One encoder a feature.
    pub fn features(&self) -> &[FeatureEncoder] {
        &self.features
    }

    /// Whether there is one encoder of the right type for each definition.
    pub(crate) fn fit_types(&self, definitions: &[FeatureDefinition]) -> bool {
        let fits = |(encoder, definition): (&FeatureEncoder, &FeatureDefinition)| {
            let feature_type = definition.feature_type;
            definition.encoding.fits(feature_type)
                && match (encoder, definition.encoding) {
                    (FeatureEncoder::Number(_), _) => feature_type == FeatureType::Number,
                    (FeatureEncoder::Category(_), encoding) => {
                        feature_type == FeatureType::Category && encoding.is_trainers()
                    }
                    (FeatureEncoder::OneHot(_), encoding) => encoding == Encoding::OneHot,
                    (FeatureEncoder::Ordinal(_), encoding) => encoding == Encoding::Ordinal,
                    (FeatureEncoder::Target(_), encoding) => encoding == Encoding::Target,
                }
        };
        self.features.len() == definitions.len() && self.features.iter().zip(definitions).all(fits)
    }

    /// The numbers that trees branch on, as many as [`columns`](Self::columns); NaN is missing.
    pub(crate) fn for_trees(&self, values: &[FeatureValue<'_>]) -> Vec<f32> {
        let mut row = Vec::with_capacity(self.columns());
        for (encoder, value) in self.features.iter().zip(values) {
            encoder.for_trees(value, &mut row);
        }
        row
    }

    /// How many numbers trees branch on.
    pub(crate) fn columns(&self) -> usize {
        self.features.iter().map(FeatureEncoder::columns).sum()
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
            Self::Number(encoder) => encoder.terms(),
            Self::Ordinal(encoder) => encoder.number.terms(),
            Self::Target(_) => 1,
            Self::Category(encoder) | Self::OneHot(encoder) => encoder.terms(),
        }
    }

    /// How many numbers it is for trees.
    pub(crate) fn columns(&self) -> usize {
        match self {
            Self::OneHot(encoder) => encoder.terms(),
            Self::Number(_) | Self::Category(_) | Self::Ordinal(_) | Self::Target(_) => 1,
        }
    }

    /// The categories that it tells from others; of a number none.
    pub(crate) fn known(&self) -> Vec<&str> {
        match self {
            Self::Number(_) => Vec::new(),
            Self::Category(encoder) | Self::OneHot(encoder) => encoder.levels().iter().map(String::as_str).collect(),
            Self::Ordinal(encoder) => encoder.values().iter().map(String::as_str).collect(),
            Self::Target(encoder) => encoder.levels().collect(),
        }
    }

    /// Adds the numbers that trees branch on.
    pub(crate) fn for_trees(&self, value: &FeatureValue<'_>, row: &mut Vec<f32>) {
        // A double beyond single precision keeps its place in the order at its largest number.
        let single = |number: f64| number.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
        let missing = f32::NAN;
        row.push(match (self, value) {
            (Self::Number(_), FeatureValue::Number(number)) => single(*number),
            (Self::Category(encoder), FeatureValue::Category(value)) => encoder.code(value) as f32,
            (Self::Ordinal(encoder), value) => encoder.place(value).map_or(missing, |place| place as f32),
            (Self::Target(encoder), value) => encoder.number(value) as f32,
            (Self::OneHot(encoder), value) => {
                let (first, own) = (row.len(), encoder.term(value));
                row.resize(first + encoder.terms(), 0.0);
                if let Some(own) = own {
                    row[first + own] = 1.0;
                }
                return;
            }
            (Self::Number(_) | Self::Category(_), _) => missing,
        });
    }

    /// Calls `term` with the position and size of every term of a linear model that is not zero.
    pub(crate) fn for_linear(&self, value: &FeatureValue<'_>, mut term: impl FnMut(usize, f64)) {
        match self {
            Self::Number(encoder) => {
                let number = if let FeatureValue::Number(number) = value { Some(*number) } else { None };
                encoder.for_linear(number, term);
            }
            Self::Ordinal(encoder) => encoder.number.for_linear(encoder.place(value), term),
            Self::Target(encoder) => term(0, encoder.standardised(value)),
            Self::Category(encoder) | Self::OneHot(encoder) => {
                if let Some(position) = encoder.term(value) {
                    term(position, 1.0);
                }
            }
        }
    }

    /// Whether its numbers are as fitting leaves them.
    pub(crate) fn is_sound(&self) -> bool {
        match self {
            Self::Number(encoder) => encoder.is_sound(),
            Self::Ordinal(encoder) => encoder.is_sound(),
            Self::Target(encoder) => encoder.is_sound(),
            Self::Category(_) | Self::OneHot(_) => true,
        }
    }
}
