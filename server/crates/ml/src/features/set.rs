//! Features of one row, computed from the inputs.

use std::borrow::Cow;

use millrace_domain::expr::{Bound, Expression, Row};
use millrace_domain::problem::{Encoding, FeatureType, TimeFormat};
use millrace_domain::schema::{Column, Value, ValueType};
use serde::{Deserialize, Serialize};

use crate::Dataset;

/// A raw column that features read: what a caller of the model sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Name and type.
    #[serde(flatten)]
    pub column: Column,
    /// How a time is written by callers; of no meaning for other types.
    pub time_format: TimeFormat,
    /// Whether a caller may leave it out: no feature reads it, later rows of the entity do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// How one feature is computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredDefinition")]
pub struct FeatureDefinition {
    /// Its name.
    pub name: String,
    /// The expression's text.
    pub expression: String,
    /// Its type.
    #[serde(rename = "type")]
    pub feature_type: FeatureType,
    /// How it is told to an estimator.
    #[serde(default, skip_serializing_if = "Encoding::is_trainers")]
    pub encoding: Encoding,
    /// The values of an ordinal category, the least first; of others none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Whether it may be missing.
    pub nullable: bool,
}

/// A definition as it is stored, also before there was more than one encoding to name.
#[derive(Deserialize)]
struct StoredDefinition {
    name: String,
    expression: String,
    #[serde(rename = "type")]
    feature_type: FeatureType,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default)]
    target_encoded: bool,
    #[serde(default)]
    values: Vec<String>,
    nullable: bool,
}

impl From<StoredDefinition> for FeatureDefinition {
    fn from(stored: StoredDefinition) -> Self {
        let StoredDefinition { name, expression, feature_type, encoding, target_encoded, values, nullable } = stored;
        let encoding = if target_encoded { Encoding::Target } else { encoding };
        Self { name, expression, feature_type, encoding, values, nullable }
    }
}

/// Why definitions make no features, or a dataset has not what they read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeatureSetError {
    /// An expression that cannot be read or bound.
    #[error("feature {name:?} {reason}")]
    Definition {
        /// The feature.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A dataset without an input.
    #[error("the dataset has no column {0:?}, which features read")]
    MissingInput(String),
    /// A dataset whose column is of another type.
    #[error("column {name:?} is of type {found} here, features read it as {wanted}")]
    InputType {
        /// The column.
        name: String,
        /// Its type in the dataset.
        found: ValueType,
        /// The type features were defined on.
        wanted: ValueType,
    },
}

/// The value of one feature in one row.
#[derive(Debug, Clone, PartialEq)]
pub enum FeatureValue<'a> {
    /// Missing.
    Missing,
    /// A finite number.
    Number(f64),
    /// One of a set of values.
    Category(Cow<'a, str>),
}

impl FeatureValue<'_> {
    /// The value as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Missing => serde_json::Value::Null,
            Self::Number(number) => serde_json::json!(number),
            Self::Category(value) => serde_json::json!(value),
        }
    }
}

/// Features bound to their inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureSet {
    inputs: Vec<Input>,
    /// What is joined to a row; its cells come after the inputs.
    joined: Vec<Column>,
    definitions: Vec<FeatureDefinition>,
    bound: Vec<Bound>,
}

impl FeatureSet {
    /// Binds definitions to inputs and joined columns.
    ///
    /// # Errors
    /// The first definition that cannot be read, bound, or be of its type.
    pub fn new(
        inputs: Vec<Input>,
        joined: Vec<Column>,
        definitions: Vec<FeatureDefinition>,
    ) -> Result<Self, FeatureSetError> {
        let columns: Vec<Column> = inputs.iter().map(|input| input.column.clone()).chain(joined.clone()).collect();
        let bound = definitions
            .iter()
            .map(|definition| {
                let wrong = |reason: String| FeatureSetError::Definition { name: definition.name.clone(), reason };
                let expression = Expression::parse(&definition.expression).map_err(|error| wrong(error.to_string()))?;
                bind(&expression, definition.feature_type, &columns).map_err(wrong)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { inputs, joined, definitions, bound })
    }

    /// The raw columns that features and joins read, each once: what a caller sends.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The columns that are joined to a row.
    pub fn joined(&self) -> &[Column] {
        &self.joined
    }

    /// The definitions, in order.
    pub fn definitions(&self) -> &[FeatureDefinition] {
        &self.definitions
    }

    /// The features of one row whose cell `i` is input `i`, the joined cells after them.
    pub fn values_of<'r, R: Row + ?Sized>(&'r self, row: &'r R) -> Vec<FeatureValue<'r>> {
        (0..self.bound.len()).map(|feature| self.value_of(feature, row)).collect()
    }

    /// One feature of one row whose cell `i` is input `i`.
    pub(super) fn value_of<'r, R: Row + ?Sized>(&'r self, feature: usize, row: &'r R) -> FeatureValue<'r> {
        let value = self.bound[feature].evaluate(row);
        match self.definitions[feature].feature_type {
            FeatureType::Number => match value {
                Value::Number(number) => FeatureValue::Number(number),
                Value::Boolean(truth) => FeatureValue::Number(f64::from(u8::from(truth))),
                Value::Null | Value::Text(_) | Value::Time(_) => FeatureValue::Missing,
            },
            FeatureType::Category => value.into_text().map_or(FeatureValue::Missing, FeatureValue::Category),
        }
    }

    /// The dataset's slot of each input and joined column.
    ///
    /// # Errors
    /// The first input that the dataset lacks or has with another type.
    pub(crate) fn slots_in(&self, dataset: &Dataset) -> Result<Vec<usize>, FeatureSetError> {
        self.inputs
            .iter()
            .map(|input| &input.column)
            .chain(&self.joined)
            .map(|column| {
                let slot =
                    dataset.slot(&column.name).ok_or_else(|| FeatureSetError::MissingInput(column.name.clone()))?;
                let (found, wanted) =
                    (dataset.schema()[slot].column_type.value_type(), column.column_type.value_type());
                if found == wanted {
                    Ok(slot)
                } else {
                    Err(FeatureSetError::InputType { name: column.name.clone(), found, wanted })
                }
            })
            .collect()
    }
}

/// A row of another column order, seen by input.
pub(crate) struct Reordered<'a, R> {
    pub row: R,
    pub slots: &'a [usize],
}

impl<R: Row> Row for Reordered<'_, R> {
    fn cell(&self, slot: usize) -> Value<'_> {
        self.row.cell(self.slots[slot])
    }
}

/// Binds an expression that must give a feature of that type; the reason why not is a sentence about the feature.
pub(super) fn bind(expression: &Expression, wanted: FeatureType, columns: &[Column]) -> Result<Bound, String> {
    let bound = expression.bind(columns).map_err(|error| error.to_string())?;
    match (wanted, bound.value_type()) {
        (FeatureType::Number, ValueType::Number | ValueType::Boolean)
        | (FeatureType::Category, ValueType::Number | ValueType::Boolean | ValueType::Text) => Ok(bound),
        (FeatureType::Number, ValueType::Text) => {
            Err("gives text, but a number is wanted; make it a category or write CAST(… AS double)".to_owned())
        }
        (_, ValueType::Time) => {
            Err("gives a time; take a number from it, as in hour(…), day_of_week(…) or epoch(…)".to_owned())
        }
    }
}
