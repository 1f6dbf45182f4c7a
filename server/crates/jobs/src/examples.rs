//! Test rows to look at: of each way of being right or wrong those that surprise the model most.

use std::collections::BTreeMap;

use millrace_domain::expr::Row;
use millrace_ml::model::{Model, Prediction};
use millrace_ml::split::Part;
use serde_json::{Value, json};

use crate::load::Prepared;

/// Rows of a class that was taken for one.
const EACH: usize = 5;
/// Rows of a regression.
const FURTHEST_OFF: usize = 20;
/// Ways of being right or wrong that have rows here, those with most rows.
const MOST_CELLS: usize = 100;
/// Columns of a row.
const MOST_COLUMNS: usize = 30;
/// Characters of a text.
const LONGEST: usize = 100;

/// A test row and its answer.
struct Told {
    row: u32,
    actual: Value,
    predicted: Value,
    /// Probability that was given to what came true; none of a number.
    probability: Option<f64>,
    /// The greater, the sooner it is shown: what the probability lacks to 1, or how far the number was off.
    surprise: f64,
}

impl Told {
    /// None of a row whose label is not known.
    fn of(prepared: &Prepared, model: &Model, row: u32, prediction: &Prediction) -> Option<Self> {
        let place = row as usize;
        if let Prediction::Regression { value } = prediction {
            let actual = prepared.labels.number(place)?;
            let surprise = (actual - value).abs();
            return Some(Self { row, actual: json!(actual), predicted: json!(value), probability: None, surprise });
        }
        let class = prepared.labels.class(place)? as usize;
        let probability = match prediction {
            Prediction::Binary { score, .. } if class == 1 => *score,
            Prediction::Binary { score, .. } => 1.0 - score,
            Prediction::Multiclass { probabilities, .. } => *probabilities.get(class)?,
            Prediction::Regression { .. } => return None,
        };
        Some(Self {
            row,
            actual: json!(model.classes().get(class)?.as_ref()),
            predicted: json!(prediction.label()?),
            probability: Some(probability),
            surprise: 1.0 - probability,
        })
    }
}

/// For each class that was taken for a class the rows whose true class was given least probability; of a regression the rows that are
/// furthest off. Of equals the first.
pub(crate) fn examples(prepared: &Prepared, model: &Model, predictions: &[Prediction]) -> Value {
    let rows = prepared.split.rows(Part::Test);
    let mut cells: BTreeMap<String, Vec<Told>> = BTreeMap::new();
    for told in rows.iter().zip(predictions).filter_map(|(row, prediction)| Told::of(prepared, model, *row, prediction))
    {
        let cell =
            if told.probability.is_some() { json!([told.actual, told.predicted]).to_string() } else { String::new() };
        cells.entry(cell).or_default().push(told);
    }
    let mut cells: Vec<Vec<Told>> = cells.into_values().collect();
    cells.sort_by_key(|cell| std::cmp::Reverse(cell.len()));
    cells.truncate(MOST_CELLS);
    let columns: Vec<_> = model.inputs().iter().take(MOST_COLUMNS).collect();
    let values = |row: u32| -> Vec<Value> {
        let row = prepared.dataset.row(row as usize);
        let slots = columns.iter().map(|input| prepared.dataset.slot(&input.column.name));
        let cells = columns.iter().zip(slots);
        cells.map(|(input, slot)| slot.map_or(Value::Null, |slot| shortened(input.to_json(&row.cell(slot))))).collect()
    };
    let shown = cells.into_iter().map(|mut cell| {
        let (rows, most) =
            (cell.len(), if cell.iter().all(|told| told.probability.is_some()) { EACH } else { FURTHEST_OFF });
        cell.sort_by(|a, b| b.surprise.total_cmp(&a.surprise).then(a.row.cmp(&b.row)));
        cell.truncate(most);
        let told = cell.iter().map(|told| {
            json!({
                "row": told.row,
                "actual": told.actual,
                "predicted": told.predicted,
                "probability": told.probability,
                "values": values(told.row),
            })
        });
        json!({ "rows": rows, "examples": told.collect::<Vec<_>>() })
    });
    let names: Vec<&str> = columns.iter().map(|input| input.column.name.as_str()).collect();
    json!({ "columns": names, "cells": shown.collect::<Vec<_>>() })
}

fn shortened(value: Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > LONGEST => {
            json!(format!("{}…", text.chars().take(LONGEST).collect::<String>()))
        }
        value => value,
    }
}
