//! Columns that the problem declares to be times.

use std::collections::BTreeMap;

use millrace_domain::problem::TimeFormat;
use polars_arrow::array::{Array, PrimitiveArray, Utf8ViewArray};
use polars_arrow::datatypes::ArrowDataType;

use super::error::{MOST_PROBLEMS, Place, Problem, Rule};
use super::time;
use crate::dataset::{Cells, Stock};

/// Turns counts of seconds or milliseconds, and ISO texts of a Parquet file, into times. A declared column that is text
/// stays text, with a note: validation then says what that means for the problem.
///
/// # Errors
/// Counts outside the years 1 to 9999.
pub(crate) fn apply(
    columns: &mut [(String, Stock)],
    declared: &[(String, TimeFormat)],
    notes: &mut BTreeMap<String, Vec<String>>,
) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    for (name, format) in declared {
        let Some((_, stock)) = columns.iter_mut().find(|(column, _)| column == name) else { continue };
        match converted(&stock.lend(), *format) {
            Ok(Outcome::Times(times)) => *stock = times.into(),
            Ok(Outcome::AsIs(None)) => {}
            Ok(Outcome::AsIs(Some(note))) => notes.entry(name.clone()).or_default().push(note),
            Err(found) => {
                problems.extend(found.into_iter().map(|(row, shown)| {
                    Rule::NotATime(shown, unit(*format)).at(Place::row(row as u64 + 1).in_column(name))
                }));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

enum Outcome {
    Times(Cells),
    AsIs(Option<String>),
}

/// Rows (from 0) that cannot be converted, with their values.
type Unconvertible = Vec<(usize, String)>;

fn converted(cells: &Cells, format: TimeFormat) -> Result<Outcome, Unconvertible> {
    let micros_per_unit = match format {
        TimeFormat::Iso => return Ok(iso(cells)),
        TimeFormat::UnixS => 1_000_000,
        TimeFormat::UnixMs => 1_000,
    };
    match cells {
        Cells::Integer(counts) => convert(counts, |count| time::from_count(*count, micros_per_unit)),
        Cells::Number(counts) => convert(counts, |count| time::from_fraction(*count, micros_per_unit)),
        Cells::Time(_) => Ok(Outcome::AsIs(Some(format!(
            "declared as {}, but the file holds ISO 8601 or typed times; they were read as such",
            unit(format)
        )))),
        Cells::Boolean(_) | Cells::Text(_) => {
            Ok(Outcome::AsIs(Some(format!("declared as {}, but not all cells are numbers", unit(format)))))
        }
    }
}

fn convert<T: polars_arrow::types::NativeType + ToString>(
    counts: &PrimitiveArray<T>,
    micros: impl Fn(&T) -> Option<i64>,
) -> Result<Outcome, Unconvertible> {
    let mut wrong = Vec::new();
    let mut times = Vec::with_capacity(counts.len());
    for (row, count) in counts.iter().enumerate() {
        match count.map(|count| micros(count).ok_or(count)) {
            None => times.push(0),
            Some(Ok(micros)) => times.push(micros),
            Some(Err(count)) => {
                wrong.push((row, count.to_string()));
                if wrong.len() > MOST_PROBLEMS {
                    break;
                }
            }
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let array = PrimitiveArray::new(ArrowDataType::Int64, times.into(), counts.validity().cloned());
    Ok(Outcome::Times(Cells::Time(array)))
}

fn iso(cells: &Cells) -> Outcome {
    match cells {
        Cells::Time(_) => Outcome::AsIs(None),
        Cells::Text(texts) => iso_texts(texts),
        _ => Outcome::AsIs(Some("declared as ISO 8601 times, but the cells are numbers".to_owned())),
    }
}

fn iso_texts(texts: &Utf8ViewArray) -> Outcome {
    let mut times = Vec::with_capacity(texts.len());
    for (row, text) in texts.iter().enumerate() {
        match text.map(|text| time::parse_iso(text.trim()).map(|moment| moment.micros).ok_or(text)) {
            None => times.push(0),
            Some(Ok(micros)) => times.push(micros),
            Some(Err(text)) => {
                let text: String = text.chars().take(40).collect();
                return Outcome::AsIs(Some(format!(
                    "declared as ISO 8601 times, but row {} is {text:?}; the column is read as text",
                    row + 1
                )));
            }
        }
    }
    if texts.validity().is_some_and(|present| present.set_bits() == 0) {
        return Outcome::AsIs(None);
    }
    Outcome::Times(Cells::Time(PrimitiveArray::new(ArrowDataType::Int64, times.into(), texts.validity().cloned())))
}

const fn unit(format: TimeFormat) -> &'static str {
    match format {
        TimeFormat::Iso => "an ISO 8601 time",
        TimeFormat::UnixS => "seconds since 1970",
        TimeFormat::UnixMs => "milliseconds since 1970",
    }
}
