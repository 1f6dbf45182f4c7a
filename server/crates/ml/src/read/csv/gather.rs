//! Gathering the cells of columns, in memory or, where that becomes too much, in a scratch file.

use std::fs::File;
use std::sync::Arc;

use millrace_domain::schema::{Column, ColumnType};
use polars::prelude::ParquetCompression;
use rayon::prelude::*;

use super::builder::Builder;
use crate::dataset::{Cells, DatasetError, FrameWriter, Stock, missing};
use crate::read::error::{Problem, Rule};
use crate::read::parquet::Columns;
use crate::read::{Input, Scratch};

/// What is gathered of each column whose cells are all of one type.
pub(crate) struct Gathered<'s> {
    /// The type each column is gathered as; none of those that are not, or turned out otherwise.
    types: Vec<Option<ColumnType>>,
    parts: Vec<Vec<Cells>>,
    rows: usize,
    bytes: usize,
    held_bytes: usize,
    scratch: Option<Scratch<'s>>,
    spilled: Option<Spilled>,
}

/// Cells that were put away.
struct Spilled {
    file: File,
    writer: FrameWriter<File>,
    /// The columns of the file, with their slots.
    columns: Vec<(usize, ColumnType)>,
}

impl<'s> Gathered<'s> {
    pub(crate) fn new(types: Vec<Option<ColumnType>>, held_bytes: usize, scratch: Option<Scratch<'s>>) -> Self {
        let parts = types.iter().map(|_| Vec::new()).collect();
        Self { types, parts, rows: 0, bytes: 0, held_bytes, scratch, spilled: None }
    }

    /// The type each column is gathered as.
    pub(crate) fn types(&self) -> &[Option<ColumnType>] {
        &self.types
    }

    /// Takes a piece of `rows` rows: the builders of all columns.
    pub(crate) fn take(&mut self, rows: u64, builders: impl Iterator<Item = Builder>) {
        self.rows += rows as usize;
        for (slot, builder) in builders.enumerate() {
            let bytes = builder.bytes();
            match builder.freeze() {
                Some(cells) if self.types[slot] == Some(cells.column_type()) => {
                    self.bytes += bytes;
                    self.parts[slot].push(cells);
                }
                _ => {
                    self.types[slot] = None;
                    self.parts[slot].clear();
                }
            }
        }
    }

    /// Gathers nothing any more, and lets go of what was gathered.
    pub(crate) fn give_up(&mut self) {
        self.types.fill(None);
        self.parts.iter_mut().for_each(Vec::clear);
        self.bytes = 0;
    }

    /// Puts what was gathered away when it is much.
    pub(crate) fn settle(&mut self) -> Result<(), Problem> {
        if self.bytes > self.held_bytes && self.scratch.is_some() { self.put_away() } else { Ok(()) }
    }

    fn put_away(&mut self) -> Result<(), Problem> {
        let spilled = match (&mut self.spilled, self.scratch) {
            (Some(spilled), _) => spilled,
            (empty @ None, Some(scratch)) => empty.insert(Spilled::new(&self.types, scratch()?)?),
            (None, None) => return Ok(()),
        };
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let joined = joined(&mut self.parts);
        let columns = spilled.columns.iter();
        let cells = columns.map(|(slot, column_type)| match &joined[*slot] {
            Some(cells) if self.types[*slot].is_some() => cells.clone(),
            _ => missing(*column_type, rows),
        });
        spilled.writer.write(rows, cells).map_err(unwritten)
    }

    /// The columns that were gathered as what `decided` says; none of the others.
    pub(crate) fn finish(mut self, decided: &[ColumnType]) -> Result<Vec<Option<Stock>>, Problem> {
        let wanted = |slot: usize, types: &[Option<ColumnType>]| types[slot] == Some(decided[slot]);
        if self.spilled.is_none() {
            let joined = joined(&mut self.parts).into_iter().enumerate();
            return Ok(joined
                .map(|(slot, cells)| cells.filter(|_| wanted(slot, &self.types)).map(Stock::from))
                .collect());
        }
        self.put_away()?;
        let mut found = vec![None; self.types.len()];
        if let Some(Spilled { file, writer, columns }) = self.spilled {
            writer.finish().map_err(unwritten)?;
            let file = Arc::new(file);
            let stocks = Columns::open(Input::File(&file))?.stocks(&file)?;
            for ((slot, _), (_, stock)) in columns.into_iter().zip(stocks) {
                found[slot] = wanted(slot, &self.types).then_some(stock);
            }
        }
        Ok(found)
    }
}

/// The parts of each column as one; none of a column without parts.
fn joined(parts: &mut [Vec<Cells>]) -> Vec<Option<Cells>> {
    parts.par_iter_mut().map(|parts| Cells::joined(&std::mem::take(parts))).collect()
}

impl Spilled {
    fn new(types: &[Option<ColumnType>], file: File) -> Result<Self, Problem> {
        let columns: Vec<(usize, ColumnType)> =
            types.iter().enumerate().filter_map(|(slot, column_type)| Some((slot, (*column_type)?))).collect();
        let named =
            columns.iter().map(|(slot, column_type)| Column { name: slot.to_string(), column_type: *column_type });
        let schema: Vec<Column> = named.collect();
        let writer =
            FrameWriter::new(file.try_clone()?, &schema, ParquetCompression::Uncompressed).map_err(unwritten)?;
        Ok(Self { file, writer, columns })
    }
}

fn unwritten(error: DatasetError) -> Problem {
    Rule::Unreadable(error.to_string()).anywhere()
}
