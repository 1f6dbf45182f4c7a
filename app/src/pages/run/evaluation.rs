//! What the evaluate step left for the plots, read key by key: a part that is missing or of another shape is one figure
//! less, never a page less.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Curves and tables of one evaluation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evaluation {
    /// (false positive rate, true positive rate).
    pub roc: Vec<(f64, f64)>,
    /// (recall, precision).
    pub precision_recall: Vec<(f64, f64)>,
    /// (mean score, observed share of positives, rows) of each bin of scores, in order of the score.
    pub calibration: Vec<(f64, f64, u64)>,
    /// Rows by score: lower edge, upper edge, rows.
    pub scores: Vec<(f64, f64, u64)>,
    /// How often each class was taken for each.
    pub confusion: Option<Confusion>,
    /// Scores above it count as positive.
    pub threshold: Option<f64>,
    /// Share of positives.
    pub prevalence: Option<f64>,
    /// (actual, predicted).
    pub scatter: Vec<(f64, f64)>,
    /// Inputs and how much the model gains by them.
    pub importance: Vec<(String, f64)>,
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
    /// Reads the artifact of the evaluate step.
    pub fn read(artifact: &Value) -> Self {
        let test = &artifact["test"];
        Self {
            roc: part(&test["roc"]),
            precision_recall: part(&test["pr"]),
            calibration: part(&test["calibration"]),
            scores: part(&test["scores"]),
            confusion: part(&test["confusion"]),
            threshold: part(&test["threshold"]),
            prevalence: part(&test["prevalence"]),
            scatter: part(&test["scatter"]),
            importance: part(&artifact["importance"]),
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
    fn an_empty_artifact_is_an_empty_evaluation() {
        assert_eq!(Evaluation::read(&json!({})), Evaluation::default());
    }

    #[test]
    fn a_matrix_of_three_classes_has_no_four_counts() {
        let counts = vec![vec![1, 0, 0], vec![0, 1, 0], vec![0, 0, 1]];
        assert_eq!(Confusion { labels: Vec::new(), counts }.two_classes(), None);
    }
}
