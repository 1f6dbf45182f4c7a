//! Column types, values and what validation found.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::drift::DriftTable;

/// The type of a dataset column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Whole numbers that fit 64 bits.
    Integer,
    /// Finite double-precision numbers.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A moment, in microseconds since 1970-01-01 UTC.
    Time,
    /// Anything else.
    Text,
}

impl ColumnType {
    /// The word shown to people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Time => "time",
            Self::Text => "text",
        }
    }

    /// The type a column of this type has inside an expression.
    pub const fn value_type(self) -> ValueType {
        match self {
            Self::Integer | Self::Number => ValueType::Number,
            Self::Boolean => ValueType::Boolean,
            Self::Time => ValueType::Time,
            Self::Text => ValueType::Text,
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Name and type of a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Column {
    /// As the source names it.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
}

/// The type of a value inside an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    /// A finite double; integers are widened.
    Number,
    /// Text.
    Text,
    /// Three-valued truth (null is "unknown").
    Boolean,
    /// Microseconds since 1970-01-01 UTC.
    Time,
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number => "number",
            Self::Text => "text",
            Self::Boolean => "boolean",
            Self::Time => "time",
        })
    }
}

/// One cell. A number is always finite: what is not becomes [`Value::Null`].
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Missing or unknown.
    Null,
    /// A finite number.
    Number(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// A truth value.
    Boolean(bool),
    /// Microseconds since 1970-01-01 UTC.
    Time(i64),
}

impl<'a> Value<'a> {
    /// The text that names it, the same for a whole number whether its column is of integers or of numbers; none of null.
    pub fn into_text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Null => None,
            // Adding zero turns −0 into 0.
            Self::Number(number) => Some(Cow::Owned((number + 0.0).to_string())),
            Self::Text(text) => Some(text),
            Self::Boolean(truth) => Some(Cow::Borrowed(if truth { "true" } else { "false" })),
            Self::Time(micros) => Some(Cow::Owned(micros.to_string())),
        }
    }
}

impl Value<'_> {
    /// A number if it is finite, else null: NaN is never a number that passes.
    pub fn number(value: f64) -> Self {
        if value.is_finite() { Self::Number(value) } else { Self::Null }
    }

    /// The same value, holding its text itself.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Number(number) => Value::Number(number),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Boolean(truth) => Value::Boolean(truth),
            Self::Time(micros) => Value::Time(micros),
        }
    }

    /// The value as JSON, a time in microseconds since 1970-01-01 UTC.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Number(number) => serde_json::json!(number),
            Self::Text(text) => serde_json::json!(text),
            Self::Boolean(truth) => serde_json::json!(truth),
            Self::Time(micros) => serde_json::json!(micros),
        }
    }

    /// Whether the value is missing.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Travels along with the model.
    Warning,
    /// Stops the pipeline.
    Critical,
}

impl Severity {
    /// The word shown to people and used as `data-state`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// How a check ended. A check that could not be made is never a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    /// The rule holds.
    Passed,
    /// The rule is broken.
    Failed,
    /// The rule could not be evaluated.
    Errored,
    /// There was nothing to evaluate the rule on.
    Skipped,
}

impl CheckOutcome {
    /// The word shown to people and used as `data-state`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Errored => "errored",
            Self::Skipped => "skipped",
        }
    }
}

/// One check of a validation report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Finding {
    /// The rule's stable name, for example `null_share`.
    pub check: String,
    /// The column or feature it is about; none for the whole dataset.
    pub column: Option<String>,
    /// What a failure means.
    pub severity: Severity,
    /// How it ended.
    pub outcome: CheckOutcome,
    /// What was asked, in words.
    pub expected: String,
    /// What was seen, in words.
    pub observed: String,
    /// Rows that break the rule.
    pub unexpected_rows: u64,
    /// Up to twenty of them: row number in the source (the first data row is 1) and the value as text.
    pub examples: Vec<(u64, String)>,
    /// Those rows (from 0) of a failed critical check, up to 100,000 of them, while a version is validated; reports do not keep
    /// them.
    #[serde(skip)]
    pub rows: Vec<u32>,
}

/// Everything validation found, failures first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValidationReport {
    /// One entry a check.
    pub findings: Vec<Finding>,
    /// Every column against the version before, or what an environment is compared with, with bins and counts; none where there is
    /// nothing to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<DriftTable>,
}

impl ValidationReport {
    /// Whether training may go on: something was checked, and no critical check failed or could not be made.
    pub fn allows_training(&self) -> bool {
        !self.findings.is_empty() && self.blocking().next().is_none()
    }

    /// The findings that stop the pipeline.
    pub fn blocking(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| {
            finding.severity == Severity::Critical
                && matches!(finding.outcome, CheckOutcome::Failed | CheckOutcome::Errored)
        })
    }

    /// The findings that travel along with the model.
    pub fn warnings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| {
            finding.severity == Severity::Warning
                && matches!(finding.outcome, CheckOutcome::Failed | CheckOutcome::Errored)
        })
    }

    /// How many checks passed.
    pub fn passed(&self) -> usize {
        self.findings.iter().filter(|finding| finding.outcome == CheckOutcome::Passed).count()
    }
}

/// What is known of a column after one full pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ColumnProfile {
    /// The column.
    #[serde(flatten)]
    pub column: Column,
    /// Cells with a value.
    pub present: u64,
    /// Cells without one.
    pub missing: u64,
    /// Distinct values; exact up to 100,000, then at least that many.
    pub distinct: u64,
    /// Quantiles at 0, 0.05, 0.25, 0.5, 0.75, 0.95 and 1 of numbers and times (microseconds).
    pub quantiles: Option<[f64; 7]>,
    /// Arithmetic mean of numbers.
    pub mean: Option<f64>,
    /// Population standard deviation of numbers.
    pub standard_deviation: Option<f64>,
    /// The most frequent values with their counts, most frequent first, at most ten.
    pub top: Vec<(String, u64)>,
    /// Equal-width bins of numbers and times: lower edge, upper edge, count.
    pub histogram: Vec<(f64, f64, u64)>,
    /// What was noticed while typing the column, for example "blank text in 11 rows".
    pub notes: Vec<String>,
}

/// A dataset version seen from outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Profile {
    /// Data rows.
    pub rows: u64,
    /// One entry a column, in source order.
    pub columns: Vec<ColumnProfile>,
}
