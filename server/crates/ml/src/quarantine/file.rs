//! What was set aside as a file, and what comes back of it.
//!
//! The file is CSV that a spreadsheet opens without running anything: a text that it would take for a formula begins with an
//! apostrophe more, which is taken off again when the file comes back.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, SecondsFormat};
use millrace_domain::schema::ColumnType;

use crate::dataset::{AppendError, Cells, ColumnData, Dataset};
use crate::read::{Loaded, ReadError, ReadOptions, read};

/// The column of the row's number.
pub(super) const ROW: &str = "_row";
/// The column of the checks it breaks.
pub(super) const CHECKS: &str = "_checks";

/// Why corrected rows are not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CorrectionError {
    /// The file cannot be read.
    #[error(transparent)]
    Unreadable(#[from] ReadError),
    /// The column of row numbers is missing or is none.
    #[error("column {ROW} is not there or holds something other than row numbers; keep it as it was downloaded")]
    NoRowNumbers,
    /// A row that was not set aside.
    #[error("row {0} was not set aside; only rows that were can come back")]
    NotSetAside(i64),
    /// A row comes twice.
    #[error("row {0} comes twice; keep one of the two")]
    Twice(i64),
    /// The columns do not fit.
    #[error(transparent)]
    Columns(#[from] AppendError),
}

/// The rows of `dataset` as CSV, each with its number and the checks it breaks.
pub(super) fn write<'a>(dataset: &Dataset, checks: impl Iterator<Item = &'a BTreeSet<String>>) -> Vec<u8> {
    let names = dataset.schema().iter().map(|column| column.name.as_str());
    let header: Vec<String> = [ROW, CHECKS].into_iter().chain(names).map(quoted).collect();
    let mut file = header.join(",");
    file.push('\n');
    for (row, checks) in checks.enumerate() {
        let checks = checks.iter().map(String::as_str).collect::<Vec<_>>().join("; ");
        file.push_str(&format!("{},{}", dataset.number(row), text(&checks)));
        for slot in 0..dataset.schema().len() {
            file.push(',');
            file.push_str(&cell(dataset.cells(slot), row));
        }
        file.push('\n');
    }
    file.into_bytes()
}

/// As it is read again without loss: texts in quotes, so that an empty one is not a missing one; numbers as doubles are told apart.
fn cell(cells: &Cells, row: usize) -> String {
    if cells.is_missing(row) {
        return String::new();
    }
    match cells {
        Cells::Integer(array) => array.value(row).to_string(),
        Cells::Number(array) => format!("{:?}", array.value(row)),
        Cells::Boolean(array) => array.value(row).to_string(),
        Cells::Time(array) => DateTime::from_timestamp_micros(array.value(row))
            .map_or_else(String::new, |moment| moment.to_rfc3339_opts(SecondsFormat::Micros, true)),
        Cells::Text(array) => text(array.value(row)),
    }
}

fn text(text: &str) -> String {
    if is_formula(text.trim_start_matches('\'')) { quoted(&format!("'{text}")) } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// The corrected rows of `corrected`, a file that was made of `aside`, after the rows of `base`.
///
/// # Errors
/// When the file cannot be read, a row was not set aside or comes twice, or the columns do not fit.
pub fn corrections(
    aside: &[u8],
    corrected: &[u8],
    file_name: &str,
    base: &Dataset,
) -> Result<Dataset, CorrectionError> {
    let texts = base.schema().iter().filter(|column| column.column_type == ColumnType::Text);
    let options = ReadOptions { text_columns: texts.map(|column| column.name.clone()).collect(), ..Default::default() };
    let Loaded { dataset: set_aside, .. } = read(aside, "quarantine.csv", &options)?;
    let Loaded { dataset: rows, .. } = read(corrected, file_name, &options)?;
    let known: HashSet<i64> = numbers(&set_aside)?.into_iter().collect();
    let mut seen = HashSet::with_capacity(rows.rows());
    for number in numbers(&rows)? {
        if !known.contains(&number) {
            return Err(CorrectionError::NotSetAside(number));
        }
        if !seen.insert(number) {
            return Err(CorrectionError::Twice(number));
        }
    }
    let own = rows.schema().iter().enumerate().filter(|(_, column)| column.name != ROW && column.name != CHECKS);
    let parts = own.map(|(slot, column)| (column.name.clone(), without_guard(rows.cells(slot))));
    let plain = Dataset::from_parts(parts).map_err(AppendError::from)?;
    Ok(base.append(&plain)?)
}

fn numbers(rows: &Dataset) -> Result<Vec<i64>, CorrectionError> {
    match rows.slot(ROW).map(|slot| rows.cells(slot)) {
        Some(cells @ Cells::Integer(array)) if cells.missing() == 0 => Ok(array.values().iter().copied().collect()),
        _ => Err(CorrectionError::NoRowNumbers),
    }
}

fn without_guard(cells: &Cells) -> Cells {
    let Cells::Text(array) = cells else { return cells.clone() };
    let guarded = |text: &str| text.starts_with('\'') && is_formula(text.trim_start_matches('\''));
    if !array.iter().flatten().any(guarded) {
        return cells.clone();
    }
    let bare = |text: &str| if guarded(text) { text[1..].to_owned() } else { text.to_owned() };
    ColumnData::Text(array.iter().map(|text| text.map(bare)).collect()).into()
}
