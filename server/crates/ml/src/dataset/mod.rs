//! The dataset: typed columns of equal length, in source order.
//!
//! A dataset never changes once made. Its identity is [`Dataset::digest`]; its stored form is Parquet
//! ([`Dataset::to_parquet`]), which gives the same digest when read back. One row is a [`DatasetRow`], on which expressions
//! are evaluated without copying a cell.
//!
//! The columns of a large stored dataset ([`Dataset::open`]) are read when they are wanted: [`Dataset::cells`] keeps what it
//! read, and a [`Dataset::fresh`] one has read nothing yet, so that whoever works on one takes only the columns it needs and
//! gives them back when it is done.

mod append;
mod cells;
mod digest;
mod kept;
mod parquet;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use millrace_domain::expr::Row;
use millrace_domain::schema::{Column, Value};

pub use append::AppendError;
pub use cells::{Cells, ColumnData};
pub(crate) use kept::{Kept, Missing, Stock, each_column, missing};
pub(crate) use parquet::{FrameWriter, HELD_BYTES};

/// Why columns make no dataset, or a dataset cannot be stored or restored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatasetError {
    /// Columns of different length.
    #[error("column {column:?} has {got} cells, the first column has {expected}; columns must be of equal length")]
    Length {
        /// The column that differs.
        column: String,
        /// The length of the first column.
        expected: usize,
        /// Its length.
        got: usize,
    },
    /// Two columns of one name.
    #[error("two columns are named {0:?}; names must differ")]
    DuplicateName(String),
    /// A number column with NaN or an infinity.
    #[error("column {column:?} is not a finite number in row {row}; mark the cell as missing instead")]
    NotFinite {
        /// The column.
        column: String,
        /// The first such row, counted from 1.
        row: usize,
    },
    /// More rows than row indices can name.
    #[error("the dataset has {0} rows; at most {max} are supported", max = u32::MAX)]
    TooManyRows(usize),
    /// The dataset could not be written as Parquet.
    #[error("the dataset could not be written as Parquet: {0}")]
    Write(String),
    /// The bytes are not a dataset's Parquet.
    #[error("the stored dataset could not be read: {0}; it is damaged or was not written by Millrace")]
    Read(String),
}

/// Typed columns of equal length, in source order.
#[derive(Debug, Clone)]
pub struct Dataset {
    schema: Vec<Column>,
    stocks: Vec<Stock>,
    slots: HashMap<String, usize>,
    rows: usize,
    /// The rows of the source (from 0), where not all of them are here.
    numbers: Option<Arc<[u32]>>,
}

impl Dataset {
    /// A dataset of named columns: [`Cells`] as readers make them, or [`ColumnData`] by hand.
    ///
    /// # Errors
    /// When lengths differ, a name comes twice, or a number is not finite.
    pub fn from_parts<N: Into<String>, C: Into<Cells>>(
        parts: impl IntoIterator<Item = (N, C)>,
    ) -> Result<Self, DatasetError> {
        let parts: Vec<(String, Cells)> = parts.into_iter().map(|(name, cells)| (name.into(), cells.into())).collect();
        let rows = parts.first().map_or(0, |(_, cells)| cells.len());
        for (name, cells) in &parts {
            if cells.len() != rows {
                return Err(DatasetError::Length { column: name.clone(), expected: rows, got: cells.len() });
            }
            if let Some(row) = first_not_finite(cells) {
                return Err(DatasetError::NotFinite { column: name.clone(), row: row + 1 });
            }
        }
        Self::of_stocks(rows, parts.into_iter().map(|(name, cells)| (name, cells.into())))
    }

    /// A dataset of named columns of `rows` finite cells each, which may be kept elsewhere.
    pub(crate) fn of_stocks(
        rows: usize,
        parts: impl IntoIterator<Item = (String, Stock)>,
    ) -> Result<Self, DatasetError> {
        if rows > u32::MAX as usize {
            return Err(DatasetError::TooManyRows(rows));
        }
        let (names, stocks): (Vec<String>, Vec<Stock>) = parts.into_iter().unzip();
        let mut slots = HashMap::with_capacity(names.len());
        for (slot, name) in names.iter().enumerate() {
            if slots.insert(name.clone(), slot).is_some() {
                return Err(DatasetError::DuplicateName(name.clone()));
            }
        }
        let schema =
            names.into_iter().zip(&stocks).map(|(name, stock)| Column { name, column_type: stock.column_type });
        Ok(Self { schema: schema.collect(), stocks, slots, rows, numbers: None })
    }

    /// Name and type of each column; expressions are bound to this.
    pub fn schema(&self) -> &[Column] {
        &self.schema
    }

    /// How many rows there are.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The slot of the column of that name.
    pub fn slot(&self, name: &str) -> Option<usize> {
        self.slots.get(name).copied()
    }

    /// The cells of the column in `slot`. They stay in memory as long as this dataset does.
    ///
    /// # Panics
    /// When there is no such slot.
    pub fn cells(&self, slot: usize) -> &Cells {
        self.stocks[slot].cells()
    }

    /// The cells of the column in `slot`, for whoever asks alone.
    pub(crate) fn lend(&self, slot: usize) -> Cells {
        self.stocks[slot].lend()
    }

    /// The same dataset without the columns in memory that can be read again.
    #[must_use]
    pub fn fresh(&self) -> Self {
        Self { stocks: self.stocks.iter().map(Stock::fresh).collect(), ..self.clone() }
    }

    /// Whether some columns are read when they are wanted.
    pub(crate) fn is_kept(&self) -> bool {
        self.stocks.iter().any(Stock::is_kept)
    }

    /// Works on every column, in parallel; on a few at a time where they are read for it.
    pub(crate) fn each_column<T: Send>(&self, work: impl Fn(usize, &Cells) -> T + Sync) -> Vec<T> {
        each_column(self.stocks.len(), self.is_kept(), |slot| work(slot, &self.lend(slot)))
    }

    /// The row at `index` (from 0), for evaluating expressions bound to [`Self::schema`].
    ///
    /// # Panics
    /// When there is no such row.
    #[inline]
    pub fn row(&self, index: usize) -> DatasetRow<'_> {
        assert!(index < self.rows, "row {index} of a dataset of {} rows", self.rows);
        DatasetRow { stocks: &self.stocks, index }
    }

    /// The dataset with further columns after its own.
    ///
    /// # Errors
    /// When lengths differ, a name comes twice, or a number is not finite.
    pub fn with_columns(&self, columns: impl IntoIterator<Item = (String, Cells)>) -> Result<Self, DatasetError> {
        let own = self.schema.iter().map(|column| column.name.clone()).zip(self.stocks.iter().cloned());
        let more = Self::from_parts(columns)?;
        if let (Some(column), false) = (more.schema.first(), more.rows == self.rows) {
            return Err(DatasetError::Length { column: column.name.clone(), expected: self.rows, got: more.rows });
        }
        let new = more.schema.iter().map(|column| column.name.clone()).zip(more.stocks.iter().cloned());
        Self::of_stocks(self.rows, own.chain(new))
    }

    /// The dataset with other cells in place of one column's; as it is where it has no such column.
    ///
    /// # Panics
    /// When there are not as many as rows.
    pub fn with_cells(&self, name: &str, cells: Cells) -> Self {
        assert_eq!(cells.len(), self.rows, "cells of another dataset");
        let mut changed = self.clone();
        if let Some(slot) = self.slot(name) {
            changed.schema[slot].column_type = cells.column_type();
            changed.stocks[slot] = cells.into();
        }
        changed
    }

    /// A dataset of these rows (from 0), in that order; a row may come more than once.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn take(&self, rows: &[u32]) -> Self {
        Self {
            schema: self.schema.clone(),
            stocks: self.stocks.iter().map(|stock| stock.lend().take(rows).into()).collect(),
            slots: self.slots.clone(),
            rows: rows.len(),
            numbers: None,
        }
    }

    /// A dataset of these rows (from 0), which rise and are still called by the numbers they have here.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn keep(&self, rows: &[u32]) -> Self {
        let numbers: Arc<[u32]> = rows.into();
        Self {
            schema: self.schema.clone(),
            stocks: self.stocks.iter().map(|stock| stock.select(&numbers)).collect(),
            slots: self.slots.clone(),
            rows: rows.len(),
            numbers: Some(numbers),
        }
    }

    /// What people call the row at `index`: its number in the source, from 1.
    pub(crate) fn number(&self, index: usize) -> u64 {
        self.numbers.as_ref().map_or(index as u64, |numbers| u64::from(numbers[index])) + 1
    }
}

/// The first row (from 0) with a value that is no finite number.
fn first_not_finite(cells: &Cells) -> Option<usize> {
    let Cells::Number(numbers) = cells else { return None };
    if numbers.values().iter().all(|number| number.is_finite()) {
        return None;
    }
    (0..numbers.len()).find(|row| !cells.is_missing(*row) && !numbers.values()[*row].is_finite())
}

/// One row of a dataset. Cheap to make and to copy; reading a cell allocates nothing.
#[derive(Debug, Clone, Copy)]
pub struct DatasetRow<'a> {
    stocks: &'a [Stock],
    index: usize,
}

impl Row for DatasetRow<'_> {
    #[inline]
    fn cell(&self, slot: usize) -> Value<'_> {
        self.stocks[slot].cells().value(self.index)
    }
}
