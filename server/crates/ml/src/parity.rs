//! Whether serving and training agree: what an answer was joined to and what it said, computed again as training does.
//!
//! The requests become the rows of a dataset, joined as a whole and predicted in a batch, to the same loads and the same
//! earlier requests as the answer was. Serving had looked each of them up alone. Any bit that differs is a fault in one of
//! the two.

use std::collections::BTreeSet;

use millrace_domain::schema::{Column, ColumnType, Value};
use serde_json::{Map, Value as Json};

use crate::dataset::{Cells, ColumnData, Dataset, DatasetError};
use crate::join::{History, JoinError, Sources, keys_met};
use crate::model::{BatchError, Model, Prediction, micros};

/// A request that was answered.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The instance as sent.
    pub object: &'a Map<String, Json>,
    /// Its own time, in microseconds since 1970-01-01 UTC.
    pub time: i64,
}

/// What an answer follows from.
#[derive(Debug, Clone, PartialEq)]
pub struct Recomputed {
    /// The joined cells.
    pub joined: Vec<Value<'static>>,
    /// The value of each feature, by name.
    pub features: Map<String, Json>,
    /// The answer.
    pub prediction: Prediction,
}

/// Why answers cannot be computed again.
#[derive(Debug, thiserror::Error)]
pub enum RecomputeError {
    /// Rows that make no dataset.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Rows that cannot be joined.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// Rows that cannot be predicted.
    #[error(transparent)]
    Batch(#[from] BatchError),
}

/// Computes answers to `asked` again, from `sources` as they were loaded and from the requests that came `before`.
///
/// # Errors
/// When the rows cannot be joined or predicted.
pub fn recompute(
    model: &Model,
    sources: &Sources,
    before: &[Request<'_>],
    asked: &[Request<'_>],
) -> Result<Vec<Recomputed>, RecomputeError> {
    let rows = rows_of(model, asked)?;
    let joined = if model.joins().is_empty() {
        rows
    } else {
        let own = match &sources.own {
            Some(own) => Some(std::sync::Arc::new(continued(model, own, before, &rows)?)),
            None => None,
        };
        let sources = Sources { own, tables: sources.tables.clone() };
        let times: Vec<Option<i64>> = asked.iter().map(|request| Some(request.time)).collect();
        History::new(model.joins(), &sources)?.join_at(&rows, &times)?
    };
    let predictions = model.predict(&joined)?;
    let slots: Vec<usize> = model.features().joined().iter().filter_map(|column| joined.slot(&column.name)).collect();
    let inputs = model.inputs().iter().filter_map(|input| joined.slot(&input.column.name));
    let all: Vec<usize> = inputs.chain(slots.iter().copied()).collect();
    let cells = |slots: &[usize], row: usize| -> Vec<Value<'static>> {
        slots.iter().map(|slot| joined.cells(*slot).value(row).into_owned()).collect()
    };
    let features = |row: usize| {
        let row = cells(&all, row);
        let values = model.features().values_of(row.as_slice()).into_iter().map(|value| value.to_json());
        model.features().definitions().iter().map(|definition| definition.name.clone()).zip(values).collect()
    };
    let answers = predictions.into_iter().enumerate();
    let recomputed = |(row, prediction)| Recomputed { joined: cells(&slots, row), features: features(row), prediction };
    Ok(answers.map(recomputed).collect())
}

/// The places of the earlier requests that one of the asked ones could see: those about the same entity. The others change no answer.
///
/// # Errors
/// When the requests make no dataset, or lack a key.
pub fn seen_by(model: &Model, before: &[Request<'_>], asked: &[Request<'_>]) -> Result<Vec<usize>, RecomputeError> {
    let met = keys_met(model.joins(), &rows_of(model, before)?, &rows_of(model, asked)?)?;
    Ok(met.into_iter().map(|row| row as usize).collect())
}

/// Requests as the rows of a dataset, with a column for each input.
fn rows_of(model: &Model, requests: &[Request<'_>]) -> Result<Dataset, DatasetError> {
    let columns = model.inputs().iter().map(|input| {
        let json = |request: &Request<'_>| request.object.get(&input.column.name).cloned().unwrap_or(Json::Null);
        let cells = requests.iter().map(json);
        let cells = match input.column.column_type {
            ColumnType::Integer => ColumnData::Integer(cells.map(|json| whole(&json)).collect()),
            ColumnType::Number => ColumnData::Number(cells.map(|json| json.as_f64()).collect()),
            ColumnType::Boolean => ColumnData::Boolean(cells.map(|json| json.as_bool()).collect()),
            ColumnType::Text => ColumnData::Text(cells.map(|json| json.as_str().map(str::to_owned)).collect()),
            ColumnType::Time => ColumnData::Time(cells.map(|json| micros(input.time_format, &json)).collect()),
        };
        (input.column.name.clone(), cells)
    });
    Dataset::from_parts(columns)
}

fn whole(json: &Json) -> Option<i64> {
    json.as_i64().or_else(|| json.as_f64().filter(|number| number.fract() == 0.0).map(|number| number as i64))
}

/// The loaded rows that the asked ones could see, followed by the requests that came after the load.
fn continued(model: &Model, own: &Dataset, before: &[Request<'_>], asked: &Dataset) -> Result<Dataset, RecomputeError> {
    let joins = model.joins();
    let event_time = joins.event_time().map(|(name, _)| name.to_owned()).unwrap_or_default();
    let loaded_until = newest(own, &event_time);
    let later: Vec<Request<'_>> = before.iter().filter(|request| request.time > loaded_until).cloned().collect();
    let requests = rows_of(model, &later)?;
    let kept = own.take(&keys_met(joins, own, asked)?);
    let mut names: BTreeSet<&str> = joins.own_columns().collect();
    names.remove(event_time.as_str());
    let times = ColumnData::Time(later.iter().map(|request| Some(request.time)).collect());
    let mut columns = vec![(event_time.clone(), appended(&kept, &event_time, &times.into())?)];
    for name in names {
        let there = match requests.slot(name) {
            Some(slot) => requests.cells(slot).clone(),
            // What requests do not have, as a label, is missing in them.
            None => empty_like(&kept, name, later.len()),
        };
        columns.push((name.to_owned(), appended(&kept, name, &there)?));
    }
    Ok(Dataset::from_parts(columns)?)
}

fn newest(own: &Dataset, event_time: &str) -> i64 {
    match own.slot(event_time).map(|slot| own.cells(slot)) {
        Some(Cells::Time(times)) => times.non_null_values_iter().max().unwrap_or(i64::MIN),
        _ => i64::MIN,
    }
}

/// The cells of a column, then further ones.
fn appended(own: &Dataset, name: &str, then: &Cells) -> Result<Cells, JoinError> {
    let missing = || JoinError::NoColumn { place: "the data".to_owned(), column: name.to_owned() };
    let first = own.cells(own.slot(name).ok_or_else(missing)?);
    let cells = || [first, then].into_iter().flat_map(|cells| (0..cells.len()).map(move |row| (cells, row)));
    let value = |(cells, row): (&Cells, usize)| cells.value(row).into_owned();
    Ok(match first {
        Cells::Integer(_) => ColumnData::Integer(cells().map(|(cells, row)| exact(cells, row)).collect()).into(),
        Cells::Time(_) => ColumnData::Time(cells().map(|(cells, row)| exact(cells, row)).collect()).into(),
        Cells::Number(_) => ColumnData::Number(
            cells().map(|cell| if let Value::Number(number) = value(cell) { Some(number) } else { None }).collect(),
        )
        .into(),
        Cells::Boolean(_) => ColumnData::Boolean(
            cells().map(|cell| if let Value::Boolean(truth) = value(cell) { Some(truth) } else { None }).collect(),
        )
        .into(),
        Cells::Text(_) => ColumnData::Text(
            cells()
                .map(|cell| if let Value::Text(text) = value(cell) { Some(text.into_owned()) } else { None })
                .collect(),
        )
        .into(),
    })
}

/// A whole number, also where doubles have gaps.
fn exact(cells: &Cells, row: usize) -> Option<i64> {
    match cells {
        Cells::Integer(array) | Cells::Time(array) if !cells.is_missing(row) => Some(array.values()[row]),
        _ => None,
    }
}

fn empty_like(own: &Dataset, name: &str, rows: usize) -> Cells {
    let column = own.slot(name).map(|slot| &own.schema()[slot]);
    match column.map(|Column { column_type, .. }| *column_type) {
        Some(ColumnType::Integer) => ColumnData::Integer(vec![None; rows]).into(),
        Some(ColumnType::Number) => ColumnData::Number(vec![None; rows]).into(),
        Some(ColumnType::Boolean) => ColumnData::Boolean(vec![None; rows]).into(),
        Some(ColumnType::Time) => ColumnData::Time(vec![None; rows]).into(),
        Some(ColumnType::Text) | None => ColumnData::Text(vec![None; rows]).into(),
    }
}
