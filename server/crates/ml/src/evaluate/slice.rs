//! One metric on each value of a column: whether a model holds up for every part of its users.

use std::collections::BTreeMap;

use millrace_domain::metric::Metric;
use serde::{Deserialize, Serialize};

use super::curves::{CurvePoint, thin};
use super::interval::{self, delong};
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
    let mut slices: Vec<SliceEvaluation> = cut(outcomes, values)
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

/// Points of each curve.
const CURVE_POINTS: usize = 100;

/// The curves of a binary model on the rows of one slice.
#[derive(Debug, Clone, PartialEq)]
pub struct SliceCurves {
    /// The value that the rows share; none for rows without one.
    pub value: Option<String>,
    /// Rows of the slice.
    pub rows: u64,
    /// Those of them that are positive.
    pub positives: u64,
    /// Area under the ROC curve.
    pub roc_auc: Option<f64>,
    /// DeLong's 95 % interval.
    pub roc_auc_interval: Option<(f64, f64)>,
    /// Average precision.
    pub pr_auc: Option<f64>,
    /// Up to 100 points.
    pub roc: Vec<CurvePoint>,
    /// The same.
    pub precision_recall: Vec<CurvePoint>,
}

/// The curves on each slice that has rows of both classes, of the `most` largest such, most rows first; none of a model that is not binary.
///
/// Rows beyond the shorter of `outcomes` and `values` are left out.
pub fn slice_curves(
    outcomes: &Outcomes,
    values: impl IntoIterator<Item = Option<String>>,
    most: usize,
) -> Vec<SliceCurves> {
    let mut slices: Vec<(Option<String>, Vec<usize>)> = cut(outcomes, values).into_iter().collect();
    slices.sort_by_key(|(_, positions)| std::cmp::Reverse(positions.len()));
    let curves = |(value, positions): (Option<String>, Vec<usize>)| {
        let rows = outcomes.select(&positions)?;
        let Outcomes::Binary(own) = &rows else { return None };
        let roc = own.roc_curve();
        (!roc.is_empty()).then(|| SliceCurves {
            value,
            rows: positions.len() as u64,
            positives: own.labels.iter().filter(|label| **label).count() as u64,
            roc_auc: rows.metric(Metric::RocAuc),
            roc_auc_interval: delong(own),
            pr_auc: rows.metric(Metric::PrAuc),
            roc: thin(roc, CURVE_POINTS),
            precision_recall: thin(own.precision_recall_curve(), CURVE_POINTS),
        })
    };
    slices.into_iter().filter_map(curves).take(most).collect()
}

/// The rows of each value.
fn cut(outcomes: &Outcomes, values: impl IntoIterator<Item = Option<String>>) -> BTreeMap<Option<String>, Vec<usize>> {
    let mut positions: BTreeMap<Option<String>, Vec<usize>> = BTreeMap::new();
    for (position, value) in values.into_iter().take(outcomes.len()).enumerate() {
        positions.entry(value).or_default().push(position);
    }
    positions
}
