//! What a histogram shows: counts per bin, and their shares.

use serde::{Deserialize, Serialize};

use crate::axis::spread;
use crate::number::is_plottable;

/// Counts per bin, current and (optionally) reference on the same edges. Bars show shares, so that sets of different size compare.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Histogram {
    /// Name of the figure; empty: `Histogram of` the column.
    pub title: String,
    /// What is counted: the column's name with its unit.
    pub name: String,
    /// n + 1 ascending edges of n bins.
    pub edges: Vec<f64>,
    pub counts: Vec<u64>,
    /// Rows without a value; they get a bar of their own.
    pub missing: u64,
    /// The counts of the set compared with, its missing values, and its name.
    pub reference: Option<ReferenceCounts>,
    /// Name of the current set in the legend; needed only with a reference.
    pub current_name: String,
}

/// Counts to compare with, on the same bins.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ReferenceCounts {
    pub name: String,
    pub counts: Vec<u64>,
    pub missing: u64,
}

impl Histogram {
    /// Bins raw values into `bins` equal bins between the least and the greatest; what is not finite counts as missing.
    pub fn of_values(name: &str, values: &[f64], bins: usize) -> Self {
        let finite: Vec<f64> = values.iter().copied().filter(|v| is_plottable(*v)).collect();
        let missing = (values.len() - finite.len()) as u64;
        let bins = bins.max(1);
        let mut histogram = Self { name: name.to_owned(), missing, ..Self::default() };
        if finite.is_empty() {
            return histogram;
        }
        let (low, high) = spread(finite.iter().copied());
        let is_constant = finite.iter().all(|v| *v > low && *v < high);
        let bins = if is_constant { 1 } else { bins };
        let width = (high - low) / bins as f64;
        histogram.edges = (0..=bins).map(|i| low + width * i as f64).collect();
        histogram.counts = vec![0; bins];
        for value in finite {
            let bin = ((value - low) / width) as usize;
            histogram.counts[bin.min(bins - 1)] += 1;
        }
        histogram
    }

    pub(super) fn title(&self) -> String {
        match (self.title.as_str(), self.name.as_str()) {
            ("", "") => "Histogram".to_owned(),
            ("", name) => format!("Histogram of {name}"),
            (title, _) => title.to_owned(),
        }
    }

    /// Bins whose edges are in order; the number of the others.
    pub(super) fn bins(&self) -> (Vec<Bin>, usize) {
        let mut bins = Vec::new();
        let mut dropped = 0;
        for (i, edges) in self.edges.windows(2).enumerate() {
            let (low, high) = (edges[0], edges[1]);
            if is_plottable(low) && is_plottable(high) && low < high {
                let reference = self.reference.as_ref();
                bins.push(Bin {
                    low,
                    high,
                    current: self.counts.get(i).copied().unwrap_or(0),
                    reference: reference.map_or(0, |r| r.counts.get(i).copied().unwrap_or(0)),
                });
            } else {
                dropped += 1;
            }
        }
        (bins, dropped)
    }
}

#[derive(Clone, Copy)]
pub(super) struct Bin {
    pub low: f64,
    pub high: f64,
    pub current: u64,
    pub reference: u64,
}

pub(super) struct Totals {
    pub current: u64,
    pub reference: u64,
}

impl Totals {
    pub fn of(values: &Histogram, bins: &[Bin]) -> Self {
        let add = |sum: u64, n: u64| sum.saturating_add(n);
        let reference_missing = values.reference.as_ref().map_or(0, |r| r.missing);
        Self {
            current: bins.iter().map(|b| b.current).fold(values.missing, add),
            reference: bins.iter().map(|b| b.reference).fold(reference_missing, add),
        }
    }

    pub fn current_share(&self, n: u64) -> f64 {
        share(n, self.current)
    }

    pub fn reference_share(&self, n: u64) -> f64 {
        share(n, self.reference)
    }
}

pub(crate) fn share(n: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { n as f64 / total as f64 }
}
