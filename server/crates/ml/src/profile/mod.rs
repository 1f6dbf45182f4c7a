//! A dataset seen from outside: counts, quantiles, frequent values and a histogram of every column.
//!
//! Every cell is looked at. Numbers and times are sorted once, which gives their quantiles, distinct and frequent values and
//! histogram exactly; texts are counted, exactly up to 100,000 distinct ones.

mod numbers;
mod texts;

use std::collections::BTreeMap;

use millrace_domain::schema::{Column, ColumnProfile, Profile};

use crate::dataset::{Cells, Dataset};

/// So many frequent values are listed.
const MOST_TOP: usize = 10;

/// Profiles every column; `notes` are what was noticed while reading, by column.
pub fn profile(dataset: &Dataset, notes: &BTreeMap<String, Vec<String>>) -> Profile {
    let columns = dataset.each_column(|slot, cells| {
        let column = &dataset.schema()[slot];
        let notes = notes.get(&column.name).cloned().unwrap_or_default();
        profile_column(column, cells, notes)
    });
    Profile { rows: dataset.rows() as u64, columns }
}

/// What one pass over a column's values gives.
#[derive(Debug, Default, PartialEq)]
struct Summary {
    distinct: u64,
    quantiles: Option<[f64; 7]>,
    mean: Option<f64>,
    standard_deviation: Option<f64>,
    top: Vec<(String, u64)>,
    histogram: Vec<(f64, f64, u64)>,
}

fn profile_column(column: &Column, cells: &Cells, notes: Vec<String>) -> ColumnProfile {
    let missing = cells.missing() as u64;
    let summary = match cells {
        Cells::Integer(array) => numbers::integers(array),
        Cells::Number(array) => numbers::numbers(array),
        Cells::Time(array) => numbers::times(array),
        Cells::Boolean(array) => texts::booleans(array),
        Cells::Text(array) => texts::texts(array),
    };
    ColumnProfile {
        column: column.clone(),
        present: cells.len() as u64 - missing,
        missing,
        distinct: summary.distinct,
        quantiles: summary.quantiles,
        mean: summary.mean,
        standard_deviation: summary.standard_deviation,
        top: summary.top,
        histogram: summary.histogram,
        notes,
    }
}

/// The most frequent first; of equally frequent ones the lesser value first.
fn most_frequent<T: Ord>(counted: impl Iterator<Item = (T, u64)>) -> Vec<(T, u64)> {
    let mut top: Vec<(T, u64)> = Vec::with_capacity(MOST_TOP + 1);
    for (value, count) in counted {
        if top.len() == MOST_TOP && top.last().is_some_and(|(_, least)| count < *least) {
            continue;
        }
        let before = |entry: &(T, u64)| entry.1 > count || (entry.1 == count && entry.0 < value);
        let position = top.partition_point(before);
        top.insert(position, (value, count));
        top.truncate(MOST_TOP);
    }
    top
}

#[cfg(test)]
mod tests;
