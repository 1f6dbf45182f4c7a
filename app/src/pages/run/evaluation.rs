//! What the evaluate step left for the plots, read key by key: a part that is missing or of another shape is one figure
//! less, never a page less.

use millrace_charts::CalibrationBin;
use millrace_domain::metric::{Bound, Costs, Metric};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Curves and tables of one evaluation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evaluation {
    /// (false positive rate, true positive rate).
    pub roc: Vec<(f64, f64)>,
    /// (recall, precision).
    pub precision_recall: Vec<(f64, f64)>,
    /// Bins of scores, in order of the score.
    pub calibration: Vec<CalibrationBin>,
    /// Rows by score: lower edge, upper edge, rows.
    pub scores: Vec<(f64, f64, u64)>,
    /// How often each class was taken for each.
    pub confusion: Option<Confusion>,
    /// Whether rows of each way of being right or wrong stand below the plots.
    pub has_rows: bool,
    /// Each of several classes against all others.
    pub classes: Vec<Class>,
    /// Scores above it count as positive.
    pub threshold: Option<f64>,
    /// What comes of thresholds, lowest first.
    pub thresholds: Vec<AtThreshold>,
    /// What errors cost, where the problem says so.
    pub costs: Option<Costs>,
    /// What a number is counted in, where the problem says so.
    pub unit: Option<String>,
    /// Share of positives.
    pub prevalence: Option<f64>,
    /// (actual, predicted).
    pub scatter: Vec<(f64, f64)>,
    /// The same of the rows that are furthest off, the worst first.
    pub largest_errors: Vec<(f64, f64)>,
    /// Errors by tenths of what was predicted.
    pub tenths: Vec<ErrorBin>,
    /// Mean of actual minus predicted.
    pub residual_mean: Option<f64>,
    /// Inputs and how much the model gains by them.
    pub importance: Vec<(String, f64)>,
    /// Features and how much the success metric worsens without each: mean, least, most.
    pub permutation: Vec<(String, f64, f64, f64)>,
    /// That metric.
    pub permutation_metric: Option<Metric>,
    /// What features contribute to the answers of some rows.
    pub contributions: Option<Contributions>,
    /// How the mean answer depends on each feature.
    pub dependence: Vec<Dependence>,
    /// The equations of a linear model.
    pub linear: Option<Linear>,
    /// What the document's rules on slices are judged by.
    pub slices: Vec<Slices>,
    /// Curves of a binary model by the value of a column that a rule is about.
    pub slice_curves: Vec<SliceCurves>,
}

/// Curves by the value of a column.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
pub struct SliceCurves {
    /// The column.
    pub by: String,
    /// Slices with rows of both classes, those with most rows first.
    pub values: Vec<SliceCurve>,
}

/// The curves on the rows of a slice.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
pub struct SliceCurve {
    /// The value; none of rows without one.
    pub value: Option<String>,
    /// How many rows.
    pub rows: u64,
    /// Those of them that are positive.
    pub positives: u64,
    /// Area under the ROC curve.
    pub roc_auc: Option<f64>,
    /// Its 95 % interval.
    pub roc_auc_interval: Option<(f64, f64)>,
    /// Average precision.
    pub pr_auc: Option<f64>,
    /// (false positive rate, true positive rate).
    pub roc: Vec<(f64, f64)>,
    /// (recall, precision).
    pub pr: Vec<(f64, f64)>,
}

/// A class against all others. What has no rows behind it is none.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
pub struct Class {
    /// Its label.
    pub label: String,
    /// Rows of it.
    pub rows: u64,
    /// Rows that were taken for it.
    pub predicted: u64,
    /// Share of those taken for it that are of it.
    pub precision: Option<f64>,
    /// Its 95 % interval.
    pub precision_interval: Option<(f64, f64)>,
    /// Share of those of it that were taken for it.
    pub recall: Option<f64>,
    /// Its 95 % interval.
    pub recall_interval: Option<(f64, f64)>,
    /// Harmonic mean of the two.
    pub f1: Option<f64>,
    /// Area under the ROC curve of its probability.
    pub roc_auc: Option<f64>,
    /// Its 95 % interval.
    pub roc_auc_interval: Option<(f64, f64)>,
    /// Average precision of its probability.
    pub pr_auc: Option<f64>,
    /// (false positive rate, true positive rate); empty of the smallest of many classes.
    pub roc: Vec<(f64, f64)>,
    /// (recall, precision).
    pub pr: Vec<(f64, f64)>,
}

/// How far predictions between two numbers were off.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Deserialize)]
pub struct ErrorBin {
    /// The least prediction.
    pub low: f64,
    /// The greatest.
    pub high: f64,
    /// Rows.
    pub rows: u64,
    /// Mean of actual minus predicted.
    pub mean: f64,
    /// Mean absolute error.
    pub absolute: f64,
    /// The 5 % and 95 % quantiles of actual minus predicted.
    pub quantiles: (f64, f64),
}

/// A metric by the value of a column.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
pub struct Slices {
    /// The column.
    pub by: String,
    /// The metric.
    pub metric: Metric,
    /// What each slice has to keep to.
    pub bound: Bound,
    /// Slices with fewer rows are not judged.
    pub min_rows: u64,
    /// The slices.
    pub values: Vec<Slice>,
}

/// Rows with the same value.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
pub struct Slice {
    /// The value; none of rows without one.
    pub value: Option<String>,
    /// How many rows.
    pub rows: u64,
    /// The metric on them, where it is defined.
    pub observed: Option<f64>,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
}

/// The equations of a linear model: one, or one a class.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
pub struct Linear {
    /// In the units of the features.
    pub equations: Vec<Equation>,
    /// Of the first equation.
    pub errors: Option<Errors>,
    /// Why there are none.
    pub no_errors: Option<String>,
    /// Rows that it was fitted on.
    pub rows: u64,
}

/// A constant, and a weight for every term.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
pub struct Equation {
    /// Of several classes: which one.
    pub class: Option<String>,
    /// The constant.
    pub intercept: f64,
    /// What the terms are, and their weights.
    pub terms: Vec<(String, f64)>,
}

/// Standard errors, of the terms in their order.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
pub struct Errors {
    /// Of the constant.
    pub intercept: f64,
    /// Of each term.
    pub terms: Vec<f64>,
}

/// What features contribute to answers.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
pub struct Contributions {
    /// `log-odds`, or `answer`.
    pub unit: String,
    /// Rows that were explained.
    pub rows: u64,
    /// Those that contribute most, most first.
    pub features: Vec<Contribution>,
}

/// What one feature contributes.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
pub struct Contribution {
    /// The feature.
    pub name: String,
    /// Mean size of its contributions.
    pub mean: f64,
    /// Of some rows: the contribution, and where the feature's value lies among all, from 0 to 1; none for a category.
    pub points: Vec<(f64, Option<f64>)>,
}

/// How the mean answer depends on one feature.
#[derive(Debug, Clone, PartialEq, Default, serde::Deserialize)]
pub struct Dependence {
    /// The feature.
    pub feature: String,
    /// A value; mean, lower and upper quartile of the answers when all rows have it; the share of rows there.
    pub points: Vec<(Place, f64, f64, f64, f64)>,
}

/// A value of a feature.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(untagged)]
pub enum Place {
    /// A number.
    Number(f64),
    /// A level of a category.
    Level(String),
}

/// How often a threshold is right and wrong.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Deserialize)]
#[serde(from = "[f64; 5]")]
pub struct AtThreshold {
    /// Scores above it say yes.
    pub threshold: f64,
    /// Rightly said no.
    pub true_negative: u64,
    /// Wrongly said yes.
    pub false_positive: u64,
    /// Wrongly said no.
    pub false_negative: u64,
    /// Rightly said yes.
    pub true_positive: u64,
}

impl From<[f64; 5]> for AtThreshold {
    fn from([threshold, true_negative, false_positive, false_negative, true_positive]: [f64; 5]) -> Self {
        Self {
            threshold,
            true_negative: true_negative as u64,
            false_positive: false_positive as u64,
            false_negative: false_negative as u64,
            true_positive: true_positive as u64,
        }
    }
}

impl AtThreshold {
    /// The last point that is not above a threshold, else the first: between two scores nothing changes.
    pub fn find(points: &[Self], threshold: f64) -> Option<Self> {
        let above = points.partition_point(|point| point.threshold <= threshold);
        points.get(above.saturating_sub(1)).copied()
    }

    /// Rows in all.
    pub const fn rows(self) -> f64 {
        (self.true_negative + self.false_positive + self.false_negative + self.true_positive) as f64
    }

    /// Share of alarms that are right.
    pub fn precision(self) -> Option<f64> {
        share(self.true_positive, self.true_positive + self.false_positive)
    }

    /// Share of positives that are found.
    pub fn recall(self) -> Option<f64> {
        share(self.true_positive, self.true_positive + self.false_negative)
    }

    /// Mean cost of a row.
    pub fn cost(self, costs: Costs) -> f64 {
        let sum = costs.false_positive * self.false_positive as f64 + costs.false_negative * self.false_negative as f64;
        sum / self.rows().max(1.0)
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// How often each class was taken for each.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
pub struct Confusion {
    /// Classes, the positive one last.
    pub labels: Vec<String>,
    /// `counts[actual][predicted]`.
    pub counts: Vec<Vec<u64>>,
}

impl Evaluation {
    /// What a metric is counted in, after a comma; nothing where it has no unit or none is told.
    pub fn unit_of(&self, metric: Metric) -> String {
        let unit = self.unit.as_ref().filter(|_| metric.is_in_unit_of_target());
        unit.map(|unit| format!(", {unit}")).unwrap_or_default()
    }

    /// Reads the artifact of the evaluate step.
    pub fn read(artifact: &Value) -> Self {
        let test = &artifact["test"];
        Self {
            roc: part(&test["roc"]),
            precision_recall: part(&test["pr"]),
            calibration: calibration(&test["calibration"]),
            scores: part(&test["scores"]),
            confusion: part(&test["confusion"]),
            has_rows: false,
            classes: part(&test["classes"]),
            threshold: part(&test["threshold"]),
            thresholds: part(&test["thresholds"]),
            costs: part(&artifact["costs"]),
            unit: part(&artifact["unit"]),
            prevalence: part(&test["prevalence"]),
            scatter: part(&test["scatter"]),
            largest_errors: part(&test["largest_errors"]),
            tenths: part(&test["tenths"]),
            residual_mean: part(&test["residual_mean"]),
            importance: part(&artifact["importance"]),
            permutation: part(&artifact["permutation"]["features"]),
            permutation_metric: part(&artifact["permutation"]["metric"]),
            contributions: part(&artifact["contributions"]),
            dependence: part(&artifact["dependence"]),
            linear: part(&artifact["linear"]),
            slices: part(&artifact["slices"]),
            slice_curves: part(&artifact["slice_curves"]),
        }
    }
}

impl Confusion {
    /// The four counts of a two-class matrix: true negatives, false positives, false negatives, true positives.
    pub fn two_classes(&self) -> Option<[f64; 4]> {
        match self.counts.as_slice() {
            [negative, positive] => match (negative.as_slice(), positive.as_slice()) {
                ([tn, fp], [fneg, tp]) => Some([*tn as f64, *fp as f64, *fneg as f64, *tp as f64]),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Bins of scores. Earlier versions of the program told mean score, observed share and rows alone; an edge lies half way between neighbours.
fn calibration(value: &Value) -> Vec<CalibrationBin> {
    let bare: Vec<(f64, f64, u64)> = part(value);
    let middle = |place: usize| Some((bare.get(place)?.0 + bare.get(place + 1)?.0) / 2.0);
    let bins = bare.iter().enumerate().map(|(place, &(predicted, observed, count))| CalibrationBin {
        low: place.checked_sub(1).and_then(middle).unwrap_or(0.0),
        high: middle(place).unwrap_or(1.0),
        predicted,
        observed,
        count,
    });
    let bins: Vec<CalibrationBin> = bins.collect();
    if bins.is_empty() { part(value) } else { bins }
}

fn part<T: DeserializeOwned + Default>(value: &Value) -> T {
    T::deserialize(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_part_of_another_shape_costs_only_itself() {
        let artifact = json!({"test": {"roc": "none", "pr": [[0.0, 1.0], [1.0, 0.4]]}});
        let evaluation = Evaluation::read(&artifact);
        assert_eq!((evaluation.roc.len(), evaluation.precision_recall.len()), (0, 2));
    }

    #[test]
    fn bins_of_earlier_versions_share_their_edges() {
        let bins = calibration(&json!([[0.1, 0.0, 5], [0.3, 0.2, 5], [0.9, 1.0, 5]]));
        let edges: Vec<_> = bins.into_iter().map(|bin| (bin.low, bin.high)).collect();
        assert_eq!(edges, [(0.0, 0.2), (0.2, 0.6), (0.6, 1.0)]);
    }

    #[test]
    fn an_empty_artifact_is_an_empty_evaluation() {
        assert_eq!(Evaluation::read(&json!({})), Evaluation::default());
    }

    #[test]
    fn a_matrix_of_three_classes_has_no_four_counts() {
        let counts = vec![vec![1, 0, 0], vec![0, 1, 0], vec![0, 0, 1]];
        assert_eq!(Confusion { labels: Vec::new(), counts }.two_classes(), None);
    }
}
