//! How well a model of several classes knows each of them: the class against all others.

use millrace_domain::metric::{Costs, Metric};
use serde::{Deserialize, Serialize};

use super::curves::{CurvePoint, thin};
use super::interval::{delong, wilson};
use super::outcomes::{BinaryOutcomes, ClassOutcomes};
use super::sum::share;

/// Points of each curve.
const CURVE_POINTS: usize = 100;
/// Classes whose curves are kept, those with most rows.
const MOST_CURVES: usize = 8;

/// A class against all others; a row is of a class where that is its most probable one. What has no rows behind it is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassEvaluation {
    /// Its place among the model's classes.
    pub class: usize,
    /// Rows of it.
    pub rows: u64,
    /// Rows that were taken for it.
    pub predicted: u64,
    /// Share of those taken for it that are of it.
    pub precision: Option<f64>,
    /// Wilson's 95 % interval.
    pub precision_interval: Option<(f64, f64)>,
    /// Share of those of it that were taken for it.
    pub recall: Option<f64>,
    /// Wilson's 95 % interval.
    pub recall_interval: Option<(f64, f64)>,
    /// Harmonic mean of the two.
    pub f1: Option<f64>,
    /// Area under the ROC curve of its probability.
    pub roc_auc: Option<f64>,
    /// DeLong's 95 % interval.
    pub roc_auc_interval: Option<(f64, f64)>,
    /// Average precision of its probability.
    pub pr_auc: Option<f64>,
    /// Of its probability, up to 100 points; empty of classes with few rows where there are more than eight.
    pub roc: Vec<CurvePoint>,
    /// The same.
    pub precision_recall: Vec<CurvePoint>,
}

impl ClassOutcomes {
    /// Every class against all others, in the order of the classes.
    pub fn per_class(&self) -> Vec<ClassEvaluation> {
        let confusion = self.confusion().counts;
        let rows = |class: usize| confusion[class].iter().sum::<u64>();
        let mut by_rows: Vec<usize> = (0..self.classes).collect();
        by_rows.sort_by_key(|class| std::cmp::Reverse(rows(*class)));
        let is_drawn = |class| by_rows.iter().take(MOST_CURVES).any(|drawn| *drawn == class);
        let of = |class: usize| {
            let (rows, right) = (rows(class), confusion[class][class]);
            let predicted = confusion.iter().map(|actual| actual[class]).sum::<u64>();
            let against_rest = self.against_rest(class);
            let (roc, precision_recall) = match is_drawn(class) {
                true => (against_rest.roc_curve(), against_rest.precision_recall_curve()),
                false => (Vec::new(), Vec::new()),
            };
            let ones = vec![1.0; self.labels.len()];
            let measured = |metric| super::classes::of_two(&against_rest, metric)?(&ones);
            ClassEvaluation {
                class,
                rows,
                predicted,
                precision: share(right as f64, predicted as f64),
                precision_interval: wilson(right as f64, predicted as f64),
                recall: share(right as f64, rows as f64),
                recall_interval: wilson(right as f64, rows as f64),
                f1: share(2.0 * right as f64, (rows + predicted) as f64),
                roc_auc: measured(Metric::RocAuc),
                roc_auc_interval: delong(&against_rest),
                pr_auc: measured(Metric::PrAuc),
                roc: thin(roc, CURVE_POINTS),
                precision_recall: thin(precision_recall, CURVE_POINTS),
            }
        };
        (0..self.classes).map(of).collect()
    }

    /// The probability of a class, and whether it came true.
    pub(super) fn against_rest(&self, class: usize) -> BinaryOutcomes {
        BinaryOutcomes {
            scores: (0..self.labels.len()).map(|row| self.row(row)[class]).collect(),
            labels: self.labels.iter().map(|label| *label as usize == class).collect(),
            costs: Costs::default(),
        }
    }

    /// The probability of the most probable class, and whether that one came true.
    pub(super) fn most_probable(&self) -> BinaryOutcomes {
        let predicted = self.predicted();
        BinaryOutcomes {
            scores: predicted.iter().enumerate().map(|(row, class)| self.row(row)[*class as usize]).collect(),
            labels: predicted.iter().zip(&self.labels).map(|(said, label)| said == label).collect(),
            costs: Costs::default(),
        }
    }
}
