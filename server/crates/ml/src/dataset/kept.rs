//! Columns that are read when they are wanted: a dataset larger than memory is worked on a column at a time.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use millrace_domain::schema::ColumnType;
use polars_arrow::array::Array;
use polars_arrow::compute::concatenate::concatenate_unchecked;
use rayon::prelude::*;

use super::cells::{Cells, ColumnData};

/// A column that lies somewhere else and can be read again and again.
pub(crate) trait Kept: Debug + Send + Sync {
    /// Its cells in row order, in runs of any length.
    fn runs(&self) -> Box<dyn Iterator<Item = Cells> + Send + '_>;
}

/// The cells of one column, in memory or where they are kept.
#[derive(Debug, Clone)]
pub(crate) struct Stock {
    pub(super) column_type: ColumnType,
    cells: OnceLock<Cells>,
    kept: Option<Arc<dyn Kept>>,
}

impl From<Cells> for Stock {
    fn from(cells: Cells) -> Self {
        Self { column_type: cells.column_type(), cells: OnceLock::from(cells), kept: None }
    }
}

impl Stock {
    /// A column of that type that is kept elsewhere.
    pub(crate) fn kept(column_type: ColumnType, kept: Arc<dyn Kept>) -> Self {
        Self { column_type, cells: OnceLock::new(), kept: Some(kept) }
    }

    /// The cells; from now on they stay in memory.
    pub(crate) fn cells(&self) -> &Cells {
        self.cells.get_or_init(|| whole(self.column_type, self.runs()))
    }

    /// The cells, which do not stay in memory for this.
    pub(crate) fn lend(&self) -> Cells {
        self.cells.get().cloned().unwrap_or_else(|| whole(self.column_type, self.runs()))
    }

    /// The cells in runs.
    pub(crate) fn runs(&self) -> Box<dyn Iterator<Item = Cells> + Send + '_> {
        match (self.cells.get(), &self.kept) {
            (Some(cells), _) => Box::new(std::iter::once(cells.clone())),
            (None, Some(kept)) => kept.runs(),
            (None, None) => unreachable!("a column is in memory or kept elsewhere"),
        }
    }

    /// The same column, not in memory where it can be read again.
    pub(super) fn fresh(&self) -> Self {
        match &self.kept {
            Some(kept) => Self::kept(self.column_type, Arc::clone(kept)),
            None => self.clone(),
        }
    }

    pub(super) const fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// The rows of `rows`, which rise.
    pub(super) fn select(&self, rows: &Arc<[u32]>) -> Self {
        if !self.is_kept() {
            return self.lend().take(rows).into();
        }
        Self::kept(self.column_type, Arc::new(Selected { of: self.fresh(), rows: Arc::clone(rows) }))
    }

    /// These cells and after them those of `more`, which has the same type.
    pub(super) fn then(&self, more: &Self) -> Self {
        if !self.is_kept() && !more.is_kept() {
            return whole(self.column_type, self.runs().chain(more.runs())).into();
        }
        Self::kept(self.column_type, Arc::new(Joined { first: self.fresh(), second: more.fresh() }))
    }
}

/// Works on the columns of that many slots, in parallel; on a few at a time where they are `large`.
pub(crate) fn each_column<T: Send>(columns: usize, large: bool, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    const FEW: usize = 4;
    let slots: Vec<usize> = (0..columns).collect();
    let at_a_time = if large { FEW } else { columns.max(1) };
    slots.chunks(at_a_time).flat_map(|some| some.par_iter().map(|slot| work(*slot)).collect::<Vec<T>>()).collect()
}

/// Runs of cells as one.
fn whole(column_type: ColumnType, runs: impl Iterator<Item = Cells>) -> Cells {
    let mut runs: Vec<Cells> = runs.collect();
    match runs.len() {
        0 => missing(column_type, 0),
        1 => runs.remove(0),
        _ => Cells::joined(&runs).expect("the runs of a column are of one type"),
    }
}

/// So many cells of that type without a value.
pub(crate) fn missing(column_type: ColumnType, rows: usize) -> Cells {
    match column_type {
        ColumnType::Integer => ColumnData::Integer(vec![None; rows]).into(),
        ColumnType::Number => ColumnData::Number(vec![None; rows]).into(),
        ColumnType::Boolean => ColumnData::Boolean(vec![None; rows]).into(),
        ColumnType::Time => ColumnData::Time(vec![None; rows]).into(),
        ColumnType::Text => ColumnData::Text(vec![None; rows]).into(),
    }
}

impl Cells {
    /// Runs of one type as one; none when they are not of one type.
    pub(crate) fn joined(runs: &[Self]) -> Option<Self> {
        let column_type = runs.first()?.column_type();
        if runs.iter().any(|run| run.column_type() != column_type) {
            return None;
        }
        let arrays: Vec<Box<dyn Array>> = runs.iter().map(|run| run.array().to_boxed()).collect();
        Self::of_array(concatenate_unchecked(&arrays).ok()?.as_ref(), column_type)
    }

    /// An Arrow array as cells of that type; none when it is of another.
    pub(crate) fn of_array(array: &dyn Array, column_type: ColumnType) -> Option<Self> {
        let any = array.as_any();
        match column_type {
            ColumnType::Integer => any.downcast_ref().cloned().map(Self::Integer),
            ColumnType::Number => any.downcast_ref().cloned().map(Self::Number),
            ColumnType::Boolean => any.downcast_ref().cloned().map(Self::Boolean),
            ColumnType::Time => any.downcast_ref().cloned().map(Self::Time),
            ColumnType::Text => any.downcast_ref().cloned().map(Self::Text),
        }
    }
}

/// Some rows of a column, in their order.
#[derive(Debug)]
struct Selected {
    of: Stock,
    rows: Arc<[u32]>,
}

impl Kept for Selected {
    fn runs(&self) -> Box<dyn Iterator<Item = Cells> + Send + '_> {
        let (mut start, mut at) = (0, 0);
        Box::new(self.of.runs().map(move |run| {
            let end = start + run.len();
            let count = self.rows[at..].partition_point(|row| (*row as usize) < end);
            let here: Vec<u32> = self.rows[at..at + count].iter().map(|row| row - start as u32).collect();
            (start, at) = (end, at + count);
            run.take(&here)
        }))
    }
}

/// A column after another.
#[derive(Debug)]
struct Joined {
    first: Stock,
    second: Stock,
}

impl Kept for Joined {
    fn runs(&self) -> Box<dyn Iterator<Item = Cells> + Send + '_> {
        Box::new(self.first.runs().chain(self.second.runs()))
    }
}

/// So many cells without a value.
#[derive(Debug)]
pub(crate) struct Missing(pub(crate) usize);

impl Kept for Missing {
    fn runs(&self) -> Box<dyn Iterator<Item = Cells> + Send + '_> {
        const RUN: usize = 1 << 18;
        let run = |start: usize| missing(ColumnType::Text, (self.0 - start).min(RUN));
        Box::new((0..self.0).step_by(RUN).map(run))
    }
}

/// Cells taken from the runs of a column, so many at a time.
pub(super) struct Flow<'c> {
    column_type: ColumnType,
    runs: Box<dyn Iterator<Item = Cells> + Send + 'c>,
    rest: Vec<Cells>,
}

impl<'c> Flow<'c> {
    pub(super) fn of(stock: &'c Stock) -> Self {
        Self { column_type: stock.column_type, runs: stock.runs(), rest: Vec::new() }
    }

    /// The next cells: `rows` of them, fewer at the end.
    pub(super) fn next(&mut self, rows: usize) -> Cells {
        let mut got: usize = self.rest.iter().map(Cells::len).sum();
        while got < rows {
            let Some(run) = self.runs.next() else { break };
            got += run.len();
            self.rest.push(run);
        }
        let all = whole(self.column_type, self.rest.drain(..));
        if all.len() <= rows {
            return all;
        }
        self.rest.push(all.slice(rows, all.len() - rows));
        all.slice(0, rows)
    }
}
