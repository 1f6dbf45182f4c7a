//! One metric on each value of a column: whether a model holds up for every part of its users.

use std::collections::BTreeMap;

use millrace_domain::metric::Metric;
use serde::{Deserialize, Serialize};

use super::interval;
use super::outcomes::Outcomes;

/// A metric on the rows of one slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SliceEvaluation {
    /// The value that the rows share; none for rows without one.
    pub value: Option<String>,
    /// Rows of the slice.
    pub rows: u64,
    /// The metric; none where it is not defined on these rows.
    pub observed: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<(f64, f64)>,
}

/// Cuts `outcomes` by `values` (one a row, in the same order) and measures each slice, most rows first.
///
/// Rows beyond the shorter of the two are left out.
pub fn evaluate_slices(
    outcomes: &Outcomes,
    values: impl IntoIterator<Item = Option<String>>,
    metric: Metric,
    seed: u64,
) -> Vec<SliceEvaluation> {
    let mut positions: BTreeMap<Option<String>, Vec<usize>> = BTreeMap::new();
    for (position, value) in values.into_iter().take(outcomes.len()).enumerate() {
        positions.entry(value).or_default().push(position);
    }
    let mut slices: Vec<SliceEvaluation> = positions
        .into_iter()
        .filter_map(|(value, positions)| {
            let rows = outcomes.select(&positions)?;
            let observed = rows.metric(metric);
            let found: BTreeMap<Metric, f64> = observed.map(|value| (metric, value)).into_iter().collect();
            let interval = interval::intervals(&rows, &found, seed).remove(&metric);
            Some(SliceEvaluation { value, rows: positions.len() as u64, observed, interval })
        })
        .collect();
    slices.sort_by_key(|slice| std::cmp::Reverse(slice.rows));
    slices
}
