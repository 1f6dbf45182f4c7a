//! From a cell to what a caller would send for it: the inverse of reading an instance.

use chrono::{DateTime, SecondsFormat};
use millrace_domain::problem::TimeFormat;
use millrace_domain::schema::{ColumnType, Value};
use serde_json::Value as Json;

use super::Input;

impl Input {
    /// The JSON that stands for `value` in a prediction request.
    pub fn to_json(&self, value: &Value<'_>) -> Json {
        match value {
            Value::Null => Json::Null,
            Value::Number(number) if self.column.column_type == ColumnType::Integer => Json::from(*number as i64),
            Value::Number(number) => Json::from(*number),
            Value::Text(text) => Json::from(text.as_ref()),
            Value::Boolean(truth) => Json::from(*truth),
            Value::Time(micros) => match self.time_format {
                TimeFormat::Iso => DateTime::from_timestamp_micros(*micros)
                    .map_or(Json::Null, |time| Json::from(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))),
                TimeFormat::UnixS => count(*micros, 1_000_000),
                TimeFormat::UnixMs => count(*micros, 1_000),
            },
        }
    }
}

/// A count of units, whole where it is.
fn count(micros: i64, micros_per_unit: i64) -> Json {
    if micros % micros_per_unit == 0 {
        Json::from(micros / micros_per_unit)
    } else {
        Json::from(micros as f64 / micros_per_unit as f64)
    }
}
