//! Joins: what features read besides the columns of their own row.
//!
//! *Joins* ([`Joins`]) are the document's lookups and windowed aggregates, bound to columns. They give every row further
//! columns, *as of* the row's time: a table row counts from the later of the time it holds and the time it became known, a
//! row of the past strictly after its event (and, where it is about the label, after the label's delay). A *history*
//! ([`History`]) is the rows they draw from, by key and in order of time. A training set is joined as a whole
//! ([`History::join`]), a request alone ([`History::row`]); what either gives follows from the same set of rows, so they
//! agree to the bit.

mod bind;
mod history;
mod keys;
#[cfg(test)]
mod tests;
mod timeline;
mod window;

use millrace_domain::problem::{Aggregate, Lookup, SourceTable, Span, TimeFormat};
use millrace_domain::schema::{Column, ColumnType};
use serde::{Deserialize, Serialize};

pub use bind::TableColumns;
pub(crate) use history::keys_met;
pub use history::{History, JoinedCell, Sources};
pub(crate) use keys::Part;

/// Lookups and aggregates of a problem, bound to columns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joins {
    /// The column of a row's own time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_time: Option<String>,
    /// How callers write it.
    time_format: Option<TimeFormat>,
    /// The column of the time at which a row of the data became known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    known_time: Option<String>,
    tables: Vec<SourceTable>,
    lookups: Vec<BoundLookup>,
    aggregates: Vec<BoundAggregate>,
}

/// A lookup and what is read through it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BoundLookup {
    lookup: Lookup,
    /// The table's columns that are read.
    columns: Vec<Column>,
}

/// An aggregate and when its rows count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BoundAggregate {
    aggregate: Aggregate,
    /// A row counts so long after its event, because it is about the label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delay: Option<Span>,
}

/// Why rows cannot be joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// A table that is needed and not there.
    #[error("the table {0:?} is not there; upload a dataset of that name")]
    NoTable(String),
    /// Data without a column that joins read.
    #[error("{place} has no column {column:?}, which joins read")]
    NoColumn {
        /// Where, in words.
        place: String,
        /// The column.
        column: String,
    },
    /// An expression that no longer fits.
    #[error("the aggregate {name:?} {reason}")]
    Aggregate {
        /// The aggregate.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The joined columns make no dataset.
    #[error(transparent)]
    Dataset(#[from] crate::DatasetError),
}

impl Joins {
    /// Whether nothing is joined.
    pub const fn is_empty(&self) -> bool {
        self.lookups.is_empty() && self.aggregates.is_empty()
    }

    /// The columns that rows are given: aggregates, then the cells of lookups.
    pub fn columns(&self) -> Vec<Column> {
        let aggregates = self
            .aggregates
            .iter()
            .map(|bound| Column { name: bound.aggregate.name.clone(), column_type: ColumnType::Number });
        let cells = self.lookups.iter().flat_map(|bound| {
            bound.columns.iter().map(|column| Column {
                name: format!("{}.{}", bound.lookup.name, column.name),
                column_type: column.column_type,
            })
        });
        aggregates.chain(cells).collect()
    }

    /// The names of the tables that are read.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().map(|table| table.name.as_str())
    }

    /// Whether rows of the data itself are aggregated.
    pub fn reads_own_rows(&self) -> bool {
        self.aggregates.iter().any(|bound| bound.aggregate.table.is_none())
    }

    /// How far back the data's own rows are aggregated, in seconds; none when they are not.
    pub fn longest_window(&self) -> Option<u64> {
        let own = self.aggregates.iter().filter(|bound| bound.aggregate.table.is_none());
        own.map(|bound| bound.aggregate.window.seconds()).max()
    }

    /// The column of a row's own time, and how callers write it.
    pub fn event_time(&self) -> Option<(&str, TimeFormat)> {
        Some((self.event_time.as_deref()?, self.time_format.unwrap_or(TimeFormat::Iso)))
    }

    /// The columns of a request that keys are made of.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let lookups = self.lookups.iter().flat_map(|bound| &bound.lookup.on);
        lookups.chain(self.aggregates.iter().flat_map(|bound| &bound.aggregate.over)).map(String::as_str)
    }

    /// The columns of a request that later requests aggregate: they may be left out, and then do not count.
    pub(crate) fn remembered(&self) -> impl Iterator<Item = &str> {
        self.aggregates
            .iter()
            .filter(|bound| bound.aggregate.table.is_none() && bound.delay.is_none())
            .filter_map(|bound| bound.aggregate.of.as_ref())
            .flat_map(|of| of.columns())
    }

    /// The columns of the data's own rows that aggregates read.
    pub(crate) fn own_columns(&self) -> impl Iterator<Item = &str> {
        let own = self.aggregates.iter().filter(|bound| bound.aggregate.table.is_none());
        let read = own.flat_map(|bound| {
            let values = bound.aggregate.of.iter().flat_map(|of| of.columns());
            bound.aggregate.over.iter().map(String::as_str).chain(values)
        });
        read.chain(self.event_time.as_deref()).chain(self.known_time.as_deref())
    }

    fn table(&self, name: &str) -> Option<&SourceTable> {
        self.tables.iter().find(|table| table.name == name)
    }
}
