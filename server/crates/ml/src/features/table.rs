//! Features of many rows, by column.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use millrace_domain::problem::FeatureType;
use millrace_domain::schema::Profile;
use rayon::prelude::*;

use super::set::{FeatureDefinition, FeatureSet, FeatureSetError, FeatureValue, Reordered};
use crate::profile::profile;
use crate::{ColumnData, Dataset};

/// The code of a missing category.
pub(super) const MISSING: u32 = u32::MAX;

/// One feature of every row.
#[derive(Debug, Clone, PartialEq)]
pub enum FeatureColumn {
    /// Numbers; NaN, which no feature can be, marks a missing one.
    Number(Vec<f64>),
    /// Categories.
    Category {
        /// The distinct values, in order of first appearance.
        levels: Vec<String>,
        /// The position of each row's value in `levels`; `u32::MAX` marks a missing one.
        codes: Vec<u32>,
    },
}

/// Every feature of every row of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureTable {
    rows: usize,
    columns: Vec<FeatureColumn>,
    definitions: Vec<FeatureDefinition>,
}

impl FeatureTable {
    /// Computes the features of every row, one feature a task.
    pub(super) fn compute(features: &FeatureSet, dataset: &Dataset) -> Result<Self, FeatureSetError> {
        let slots = features.slots_in(dataset)?;
        let column = |feature: usize| match features.definitions()[feature].feature_type {
            FeatureType::Number => numbers(features, feature, dataset, &slots),
            FeatureType::Category => categories(features, feature, dataset, &slots),
        };
        let columns = (0..features.definitions().len()).into_par_iter().map(column).collect();
        Ok(Self { rows: dataset.rows(), columns, definitions: features.definitions().to_vec() })
    }

    /// How many rows there are.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The features, in the order of their definitions.
    pub fn columns(&self) -> &[FeatureColumn] {
        &self.columns
    }

    /// How each feature is computed and told.
    pub(crate) fn definitions(&self) -> &[FeatureDefinition] {
        &self.definitions
    }

    /// What is known of each feature's values; `names` are those of the columns.
    pub fn profile<'n>(&self, names: impl Iterator<Item = &'n str>) -> Profile {
        let cells = self.columns.iter().map(|column| match column {
            FeatureColumn::Number(numbers) => {
                ColumnData::Number(numbers.iter().map(|number| (!number.is_nan()).then_some(*number)).collect())
            }
            FeatureColumn::Category { levels, codes } => {
                ColumnData::Text(codes.iter().map(|code| levels.get(*code as usize).cloned()).collect())
            }
        });
        let dataset = Dataset::from_parts(names.zip(cells)).expect("features have distinct names and finite numbers");
        profile(&dataset, &BTreeMap::new())
    }

    /// One feature of one row.
    ///
    /// # Panics
    /// When there is no such feature or row.
    pub fn value(&self, feature: usize, row: usize) -> FeatureValue<'_> {
        match &self.columns[feature] {
            FeatureColumn::Number(numbers) if numbers[row].is_nan() => FeatureValue::Missing,
            FeatureColumn::Number(numbers) => FeatureValue::Number(numbers[row]),
            FeatureColumn::Category { levels, codes } => match codes[row] {
                MISSING => FeatureValue::Missing,
                code => FeatureValue::Category(Cow::Borrowed(&levels[code as usize])),
            },
        }
    }

    /// Every feature of one row.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn values(&self, row: usize) -> Vec<FeatureValue<'_>> {
        (0..self.columns.len()).map(|feature| self.value(feature, row)).collect()
    }
}

fn numbers(features: &FeatureSet, feature: usize, dataset: &Dataset, slots: &[usize]) -> FeatureColumn {
    let number = |row: usize| match features.value_of(feature, &Reordered { row: dataset.row(row), slots }) {
        FeatureValue::Number(number) => number,
        FeatureValue::Missing | FeatureValue::Category(_) => f64::NAN,
    };
    FeatureColumn::Number((0..dataset.rows()).map(number).collect())
}

fn categories(features: &FeatureSet, feature: usize, dataset: &Dataset, slots: &[usize]) -> FeatureColumn {
    let mut positions: HashMap<String, u32> = HashMap::new();
    let mut levels = Vec::new();
    let mut codes = Vec::with_capacity(dataset.rows());
    for row in 0..dataset.rows() {
        let row = Reordered { row: dataset.row(row), slots };
        let FeatureValue::Category(value) = features.value_of(feature, &row) else {
            codes.push(MISSING);
            continue;
        };
        if let Some(code) = positions.get(value.as_ref()) {
            codes.push(*code);
        } else {
            let code = levels.len() as u32;
            codes.push(code);
            levels.push(value.clone().into_owned());
            positions.insert(value.into_owned(), code);
        }
    }
    FeatureColumn::Category { levels, codes }
}
