//! How good answers are before their outcomes are known.

use serde::{Deserialize, Serialize};

use super::incident::Seen;
use super::{Finding, Reference};
use crate::drift::Binning;
use crate::metric::Metric;

/// What quality would be if scores meant what they did on the held-out rows: from how often each bin of scores was right there, and how
/// often it is answered now (after the confidence-based estimation of NannyML, here over bins). It sees that inputs moved, and does
/// not see that their meaning did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Estimate {
    /// Area under the ROC curve.
    pub roc_auc: f64,
    /// Share of answers that name the right class.
    pub accuracy: f64,
}

impl Estimate {
    /// Whether that metric is estimated.
    pub const fn has(metric: Metric) -> bool {
        matches!(metric, Metric::RocAuc | Metric::Accuracy)
    }

    /// The estimate of that metric.
    pub const fn of(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::RocAuc => Some(self.roc_auc),
            Metric::Accuracy => Some(self.accuracy),
            _ => None,
        }
    }
}

/// The metric as it is estimated of the held-out rows, and of these counts of scores. Both by the same bins, so that what bins blur is
/// blurred in both.
pub fn estimates(reference: &Reference, metric: Metric, now: Option<Estimate>) -> Option<(f64, f64)> {
    let held_out = estimate(reference, &reference.prediction.counts)?;
    Some((held_out.of(metric)?, now?.of(metric)?))
}

/// What a window says of estimated quality that may be at most `limit` worse than on the held-out rows: unknown with too few rows and where
/// nothing is estimated, else with both numbers, that of the held-out rows first.
pub fn look_at_estimate(
    reference: &Reference,
    metric: Metric,
    finding: Option<&Finding>,
    limit: f64,
) -> (Seen, Option<(f64, f64)>) {
    let now = finding.filter(|finding| finding.is_judged()).and_then(|finding| finding.estimate);
    match estimates(reference, metric, now) {
        None => (Seen::Unknown, None),
        Some((held_out, now)) if held_out - now > limit => (Seen::Breach, Some((held_out, now))),
        both => (Seen::Fine, both),
    }
}

/// The estimate of a binary model from the counts of its scores; none of others, and where nothing or one class alone is expected.
pub fn estimate(reference: &Reference, scores: &[u64]) -> Option<Estimate> {
    let Binning::Numbers { edges } = &reference.prediction.binning else { return None };
    let bins = edges.len() + 1;
    let known: Vec<(usize, f64)> =
        reference.positives.iter().enumerate().filter_map(|(bin, share)| Some((bin, (*share)?))).collect();
    let nearest = |bin: usize| known.iter().min_by_key(|(other, _)| other.abs_diff(bin)).map(|(_, share)| *share);
    let (mut below, mut ranked, mut positive, mut right) = (0.0, 0.0, 0.0, 0.0);
    for (bin, count) in scores.iter().enumerate().take(bins) {
        let (count, share) = (*count as f64, nearest(bin)?);
        let (yes, no) = (count * share, count * (1.0 - share));
        ranked += yes * (below + no / 2.0);
        below += no;
        positive += yes;
        // Whoever makes the bins puts an edge just above the threshold.
        let says_yes = bin > 0 && edges[bin - 1] > reference.threshold;
        right += if says_yes { yes } else { no };
    }
    (positive > 0.0 && below > 0.0)
        .then(|| Estimate { roc_auc: ranked / (positive * below), accuracy: right / (positive + below) })
}
