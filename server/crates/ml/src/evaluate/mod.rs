//! How good a model was on rows it had not seen.
//!
//! *Outcomes* are predictions beside what came true, in pairs, so that their lengths cannot differ. A metric of them is
//! `None` where it is not defined (one class only, no variance): missing evidence is never a number. Definitions follow
//! scikit-learn 1.9; sums over rows are Neumaier-compensated, so their error does not grow with the row count.
//!
//! Every metric is computed from *weights*, one a row. A weight of one each gives the metric itself; the row counts of a
//! resample give one bootstrap replicate, and the same resample for two models gives a paired difference.

mod classes;
mod compare;
mod curves;
mod diagnostics;
mod interval;
mod numbers;
mod outcomes;
mod per_class;
mod ranking;
mod resample;
mod slice;
mod sum;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use millrace_domain::metric::{Metric, TargetKind};
use serde::{Deserialize, Serialize};

use crate::split::Part;

pub use compare::{Comparison, Flips, compare, flips};
pub use curves::{CalibrationBin, CurvePoint, ThresholdPoint};
pub use diagnostics::{Confusion, Diagnostics, ErrorBin, Residuals};
pub(crate) use outcomes::most_probable;
pub use outcomes::{BinaryOutcomes, ClassOutcomes, NumberOutcomes, OutcomeError, Outcomes};
pub use per_class::ClassEvaluation;
pub(crate) use resample::quantile;
pub use slice::{SliceCurves, SliceEvaluation, evaluate_slices, slice_curves};

/// Every metric of one part of the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Which part.
    pub part: Part,
    /// Rows behind the numbers.
    pub rows: u64,
    /// The metrics that are defined on these rows; one that is absent lacks evidence.
    pub metrics: BTreeMap<Metric, f64>,
    /// 95 % intervals of those metrics that have one.
    pub intervals: BTreeMap<Metric, (f64, f64)>,
    /// What figures are drawn from.
    pub diagnostics: Diagnostics,
}

/// Measures `outcomes` by every metric that fits them.
///
/// Intervals are DeLong's for the binary area under the ROC curve, Wilson's for shares (accuracy, binary precision and
/// recall; of what is covered, for its distance from the quantile), and the percentile bootstrap's (200 resamples drawn from `seed`)
/// for the rest, moved for the calibration error, which resampling makes greater.
pub fn evaluate(part: Part, outcomes: &Outcomes, seed: u64) -> Evaluation {
    let metrics: BTreeMap<Metric, f64> =
        Metric::of(outcomes.kind()).filter_map(|metric| Some((metric, outcomes.metric(metric)?))).collect();
    let intervals = interval::intervals(outcomes, &metrics, seed);
    Evaluation { part, rows: outcomes.len() as u64, metrics, intervals, diagnostics: Diagnostics::of(outcomes) }
}

/// One metric as [`evaluate`] measures it, with its interval where it has one; none where it is not defined.
pub fn measure(metric: Metric, outcomes: &Outcomes, seed: u64) -> Option<(f64, Option<(f64, f64)>)> {
    let value = outcomes.metric(metric)?;
    let intervals = interval::intervals(outcomes, &BTreeMap::from([(metric, value)]), seed);
    Some((value, intervals.get(&metric).copied()))
}

/// Computes one metric from the weights of the rows; what does not depend on the weights was computed before.
type Scorer<'a> = Box<dyn Fn(&[f64]) -> Option<f64> + 'a>;

impl Outcomes {
    /// The metric on these rows; none where it is not defined.
    pub fn metric(&self, metric: Metric) -> Option<f64> {
        self.scorer(metric)?(&vec![1.0; self.len()])
    }

    /// What computes `metric`; none when it does not fit the kind of target.
    fn scorer(&self, metric: Metric) -> Option<Scorer<'_>> {
        if !metric.fits(self.kind()) {
            return None;
        }
        match self {
            Self::Binary(outcomes) => classes::of_two(outcomes, metric),
            Self::Multiclass(outcomes) => classes::of_many(outcomes, metric),
            Self::Regression(outcomes) => numbers::of_numbers(outcomes, metric),
        }
    }

    /// The kind of target.
    pub const fn kind(&self) -> TargetKind {
        match self {
            Self::Binary(_) => TargetKind::Binary,
            Self::Multiclass(_) => TargetKind::Multiclass,
            Self::Regression(_) => TargetKind::Regression,
        }
    }
}
