//! From the JSON object of a prediction request to a row.

use std::borrow::Cow;
use std::fmt;

use millrace_domain::expr::{Expression, Row};
use millrace_domain::problem::TimeFormat;
use millrace_domain::schema::{Column, ColumnType, Value};
use serde_json::{Map, Value as Json};

use super::Model;
use crate::features::{FeatureValue, Input};
use crate::join::{History, Part};
use crate::read::time;

/// One row as a caller sent it: a cell for each of the model's inputs, and for each joined column after them.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    cells: Vec<Value<'static>>,
    /// Of each joined cell, the event time of the newest row it was made of.
    as_of: Vec<Option<i64>>,
}

/// What a row is joined to, and the time it is about in microseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy)]
pub struct AsOf<'h> {
    /// The rows that joins draw from.
    pub history: &'h History,
    /// The row's own time.
    pub time: i64,
}

impl Instance {
    /// The cells that were joined.
    pub fn joined<'i>(&'i self, model: &Model) -> &'i [Value<'static>] {
        &self.cells[model.inputs().len()..]
    }

    /// Of each cell that was joined, the event time of the newest row it was made of, in microseconds since 1970-01-01 UTC; none where it
    /// was made of no row, or of one that holds always.
    pub fn joined_as_of(&self) -> &[Option<i64>] {
        &self.as_of
    }
}

impl Row for Instance {
    fn cell(&self, slot: usize) -> Value<'_> {
        // Borrowing a text costs nothing; cloning it, as the blanket implementation for slices does, would allocate.
        match &self.cells[slot] {
            Value::Null => Value::Null,
            Value::Number(number) => Value::Number(*number),
            Value::Text(text) => Value::Text(Cow::Borrowed(text)),
            Value::Boolean(truth) => Value::Boolean(*truth),
            Value::Time(micros) => Value::Time(*micros),
        }
    }
}

/// What is wrong with one member of the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The model has no such input.
    Unknown,
    /// An input is not in the object.
    Missing,
    /// The value is not of the input's type.
    Type {
        /// What is wanted, in words.
        wanted: &'static str,
        /// What was sent.
        got: String,
    },
    /// Its absence leaves this feature, which must have a value, without one.
    Needed {
        /// The feature.
        feature: String,
    },
}

/// One thing that is wrong with an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceProblem {
    /// The member of the object.
    pub input: String,
    /// What is wrong with it.
    pub problem: Problem,
}

impl fmt::Display for InstanceProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let input = &self.input;
        match &self.problem {
            Problem::Unknown => write!(f, "{input:?} is not an input of the model"),
            Problem::Missing => write!(f, "{input:?} is missing"),
            Problem::Type { wanted, got } => write!(f, "{input:?} must be {wanted}, got {got}"),
            Problem::Needed { feature } => {
                write!(f, "{input:?} leaves the feature {feature:?} without a value, which it must have")
            }
        }
    }
}

impl Model {
    /// Reads the object of a prediction request. Every input must be there; null stands for a missing value and is taken
    /// where all features that then lack a value may lack one. What is joined is looked up in `as_of`; without it, joined
    /// cells are missing.
    ///
    /// # Errors
    /// Everything that is wrong, at once: unknown members first, then inputs in their order.
    pub fn instance(
        &self,
        object: &Map<String, Json>,
        as_of: Option<AsOf<'_>>,
    ) -> Result<Instance, Vec<InstanceProblem>> {
        self.instance_among(object, &|_| false, as_of)
    }

    /// The same where the object may hold other members, of which `is_known` knows.
    ///
    /// # Errors
    /// As [`Self::instance`].
    pub fn instance_among(
        &self,
        object: &Map<String, Json>,
        is_known: &dyn Fn(&str) -> bool,
        as_of: Option<AsOf<'_>>,
    ) -> Result<Instance, Vec<InstanceProblem>> {
        let cells = self.read(object, is_known, false)?;
        let instance = self.joined_to(object, cells, as_of);
        let needed = self.needed(&instance);
        if needed.is_empty() { Ok(instance) } else { Err(needed) }
    }

    /// What an object of keys is joined to, by name, without an answer: inputs that are not in it count as missing. Where all are,
    /// the features follow. The object may hold other members, of which `is_known` knows.
    ///
    /// # Errors
    /// Unknown members and values of the wrong type, at once.
    pub fn features_of(
        &self,
        object: &Map<String, Json>,
        is_known: &dyn Fn(&str) -> bool,
        as_of: Option<AsOf<'_>>,
    ) -> Result<Map<String, Json>, Vec<InstanceProblem>> {
        let cells = self.read(object, is_known, true)?;
        let instance = self.joined_to(object, cells, as_of);
        let joined = self.features.joined().iter().zip(instance.joined(self));
        let mut found: Map<String, Json> = joined.map(|(column, cell)| (column.name.clone(), cell.to_json())).collect();
        if self.inputs().iter().all(|input| input.optional || object.contains_key(&input.column.name)) {
            let values = self.features.definitions().iter().zip(self.features.values_of(&instance));
            found.extend(values.map(|(definition, value)| (definition.name.clone(), value.to_json())));
        }
        Ok(found)
    }

    /// A cell for each input; of a lenient reading, missing where the object does not name it.
    fn read(
        &self,
        object: &Map<String, Json>,
        is_known: &dyn Fn(&str) -> bool,
        lenient: bool,
    ) -> Result<Vec<Value<'static>>, Vec<InstanceProblem>> {
        let mut problems = Vec::new();
        let mut found = 0;
        let mut cells = Vec::with_capacity(self.inputs().len() + self.features.joined().len());
        for input in self.inputs() {
            let sent = object.get(&input.column.name);
            found += usize::from(sent.is_some());
            let cell = match sent {
                None if input.optional || lenient => Ok(Value::Null),
                None => Err(Problem::Missing),
                Some(json) => cell(input, json),
            };
            match cell {
                Ok(cell) => cells.push(cell),
                Err(problem) => problems.push(InstanceProblem { input: input.column.name.clone(), problem }),
            }
        }
        // Mostly all that was sent is an input, and nobody has to look for what is none.
        if found < object.len() {
            let is_input = |name: &str| self.inputs().iter().any(|input| input.column.name == name);
            let unknown = object.keys().filter(|name| !is_input(name) && !is_known(name));
            let unknown = unknown.map(|name| InstanceProblem { input: name.clone(), problem: Problem::Unknown });
            problems.splice(0..0, unknown);
        }
        if problems.is_empty() { Ok(cells) } else { Err(problems) }
    }

    fn joined_to(
        &self,
        object: &Map<String, Json>,
        mut cells: Vec<Value<'static>>,
        as_of: Option<AsOf<'_>>,
    ) -> Instance {
        let Some(AsOf { history, time }) = as_of else {
            let missing = self.features.joined().len();
            cells.resize(cells.len() + missing, Value::Null);
            return Instance { cells, as_of: vec![None; missing] };
        };
        let joined = history.row(|name| self.part(object, &cells, name), time);
        let as_of = joined.iter().map(|cell| cell.as_of).collect();
        cells.extend(joined.into_iter().map(|cell| cell.value));
        Instance { cells, as_of }
    }

    /// Remembers the object of a request that was answered, so that later ones of its entity see it. What does not fit the
    /// model's inputs, as another version's may not, counts as missing.
    pub fn remember(&self, history: &mut History, object: &Map<String, Json>, time: i64) {
        let schema: Vec<Column> = self.inputs().iter().map(|input| input.column.clone()).collect();
        let read = |input: &Input| object.get(&input.column.name).and_then(|json| cell(input, json).ok());
        let cells = self.inputs().iter().map(|input| read(input).unwrap_or(Value::Null)).collect();
        let instance = Instance { cells, as_of: Vec::new() };
        history.remember(|name| self.part(object, &instance.cells, name), &schema, &instance, time);
    }

    /// The cell of a key, exact where a number is too large for a double.
    fn part<'o>(&self, object: &'o Map<String, Json>, cells: &[Value<'_>], name: &str) -> Option<Part<'o>> {
        let slot = self.inputs().iter().position(|input| input.column.name == name)?;
        match cells.get(slot)? {
            Value::Time(micros) => Some(Part::Whole(*micros)),
            _ => Part::of_json(self.inputs()[slot].column.column_type, object.get(name)?),
        }
    }

    /// The features that must have a value and have none, each at the input that is null.
    fn needed(&self, instance: &Instance) -> Vec<InstanceProblem> {
        let values = self.features.values_of(instance);
        self.features
            .definitions()
            .iter()
            .zip(values)
            .filter(|(definition, value)| !definition.nullable && *value == FeatureValue::Missing)
            .map(|(definition, _)| InstanceProblem {
                input: self.cause(&definition.expression, instance),
                problem: Problem::Needed { feature: definition.name.clone() },
            })
            .collect()
    }

    /// The first input of an expression that is null; else, as when a logarithm has no value, its first input.
    fn cause(&self, expression: &str, instance: &Instance) -> String {
        let expression = Expression::parse(expression).ok();
        let names = expression.as_ref().map(Expression::columns).unwrap_or_default();
        let is_null = |name: &&&str| {
            let slot = self.inputs().iter().position(|input| input.column.name == ***name);
            slot.is_some_and(|slot| instance.cells[slot].is_null())
        };
        names.iter().find(is_null).or(names.first()).map(|name| (*name).to_owned()).unwrap_or_default()
    }
}

fn cell(input: &Input, json: &Json) -> Result<Value<'static>, Problem> {
    let wanted = match input.column.column_type {
        ColumnType::Integer => "a whole number",
        ColumnType::Number => "a number",
        ColumnType::Boolean => "true or false",
        ColumnType::Text => "a text",
        ColumnType::Time => match input.time_format {
            TimeFormat::Iso => "a time as in \"2024-05-01T12:30:00Z\"",
            TimeFormat::UnixS => "a time in seconds since 1970",
            TimeFormat::UnixMs => "a time in milliseconds since 1970",
        },
    };
    let value = match (input.column.column_type, json) {
        (_, Json::Null) => Some(Value::Null),
        (ColumnType::Integer, Json::Number(number)) => {
            number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9.3e18).map(Value::Number)
        }
        (ColumnType::Number, Json::Number(number)) => {
            number.as_f64().filter(|number| number.is_finite()).map(Value::Number)
        }
        (ColumnType::Boolean, Json::Bool(truth)) => Some(Value::Boolean(*truth)),
        (ColumnType::Text, Json::String(text)) => Some(Value::Text(Cow::Owned(text.clone()))),
        (ColumnType::Time, json) => micros(input.time_format, json).map(Value::Time),
        _ => None,
    };
    value.ok_or_else(|| Problem::Type { wanted, got: shown(json) })
}

/// Microseconds since 1970-01-01 UTC, read as the same value is read from a file.
pub fn micros(format: TimeFormat, json: &Json) -> Option<i64> {
    let micros_per_unit = match format {
        TimeFormat::Iso => return time::parse_iso(json.as_str()?).map(|moment| moment.micros),
        TimeFormat::UnixS => 1_000_000,
        TimeFormat::UnixMs => 1_000,
    };
    match json.as_i64() {
        Some(count) => time::from_count(count, micros_per_unit),
        None => time::from_fraction(json.as_f64()?, micros_per_unit),
    }
}

/// What was sent, shortened.
fn shown(json: &Json) -> String {
    const MOST: usize = 40;
    let text = json.to_string();
    if text.chars().count() <= MOST { text } else { format!("{}…", text.chars().take(MOST).collect::<String>()) }
}
