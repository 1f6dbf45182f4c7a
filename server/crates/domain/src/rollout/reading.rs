//! What is read from an answer: a bin of its score, and its loss once the truth is known.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::metric::Metric;

/// Greater losses are not taken, and smaller ones are none: the squares of their sums have to stay numbers.
const MOST: f64 = 1e100;
const LEAST: f64 = 1e-100;

/// How far two models are from the truth of a row.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Losses {
    /// The candidate's loss.
    pub candidate: f64,
    /// The champion's.
    pub control: f64,
    /// The square of how far the two could have been apart, whatever the truth is: of the greatest difference over all classes. Of a number,
    /// whose truth may be any, of how far they are.
    pub reach_squared: f64,
}

/// How far an answer is from the truth, row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Squared distance of probabilities and outcome, halved over several classes: 0 to 1 (Brier, Monthly Weather Review 78,
    /// 1950).
    Brier,
    /// Squared error, in the target's unit squared.
    Squared,
    /// Absolute error, in the target's unit.
    Absolute,
    /// Pinball loss, in the target's unit.
    Pinball {
        /// The quantile that is predicted, in millionths.
        millionths: u32,
    },
}

impl Loss {
    /// The loss that goes with what a problem is judged by, and with the quantile that it asks for.
    pub fn of(metric: Metric, quantile: Option<f64>) -> Self {
        if let Some(quantile) = quantile {
            return Self::Pinball { millionths: (quantile * 1e6).round() as u32 };
        }
        match metric {
            Metric::Mae | Metric::Mape => Self::Absolute,
            Metric::Rmse | Metric::R2 => Self::Squared,
            _ => Self::Brier,
        }
    }

    /// What it is called.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Brier => "Brier score",
            Self::Squared => "squared error",
            Self::Absolute => "absolute error",
            Self::Pinball { .. } => "pinball loss",
        }
    }

    /// The losses of two answers to one request; none when either has none.
    pub fn compare(self, candidate: &Value, control: &Value, label: &Value, classes: &[&str]) -> Option<Losses> {
        let both = |label: &Value| self.between(candidate, label, classes).zip(self.between(control, label, classes));
        let (own, other) = both(label)?;
        let apart = |(candidate, control): (f64, f64)| (candidate - control).abs();
        let others = classes.iter().filter(|_| self == Self::Brier).filter_map(|class| both(&Value::from(*class)));
        let reach = others.map(apart).fold(apart((own, other)), f64::max);
        Some(Losses { candidate: own, control: other, reach_squared: reach * reach })
    }

    /// The loss of an answer as callers get it; none when the label is not one that the model knows, the answer is none, or the
    /// two are apart beyond all measure.
    /// `classes` are the model's, the positive one last of two.
    pub fn between(self, answer: &Value, label: &Value, classes: &[&str]) -> Option<f64> {
        let loss = match self {
            Self::Squared | Self::Absolute | Self::Pinball { .. } => {
                let error = answer["value"].as_f64()? - label.as_f64()?;
                match self {
                    Self::Squared => error * error,
                    Self::Pinball { millionths } => {
                        let quantile = f64::from(millionths) / 1e6;
                        if error < 0.0 { -quantile * error } else { (1.0 - quantile) * error }
                    }
                    _ => error.abs(),
                }
            }
            Self::Brier => {
                let truth = class_of(label, classes)?;
                match answer["score"].as_f64() {
                    Some(score) => (score - truth as f64).powi(2),
                    None => {
                        let shares = answer["probabilities"].as_object()?;
                        let distance = |(class, name): (usize, &&str)| {
                            let share = shares.get(*name)?.as_f64()?;
                            Some((share - f64::from(u8::from(class == truth))).powi(2))
                        };
                        classes.iter().enumerate().map(distance).sum::<Option<f64>>()? / 2.0
                    }
                }
            }
        };
        (loss <= MOST).then_some(if loss < LEAST { 0.0 } else { loss })
    }
}

/// The class a label names: by its name, or of two classes by `true` and `false` or 1 and 0.
pub fn class_of(label: &Value, classes: &[&str]) -> Option<usize> {
    let named = |name: &str| classes.iter().position(|class| *class == name);
    let of_two = |index: usize| (classes.len() == 2).then_some(index);
    match label {
        Value::String(name) => named(name),
        Value::Bool(truth) => named(if *truth { "true" } else { "false" }).or_else(|| of_two(usize::from(*truth))),
        Value::Number(number) => named(&number.to_string()).or_else(|| match number.as_f64() {
            Some(0.0) => of_two(0),
            Some(1.0) => of_two(1),
            _ => None,
        }),
        _ => None,
    }
}

/// Steps of log-odds in which scores are counted.
const PER_LOGIT: f64 = 4.0;
/// Ratio of the ends of a bin of numbers.
const RATIO: f64 = 1.1;
/// Numbers nearer to 0 are counted as 0.
const SMALLEST: f64 = 1e-9;

/// The bin of an answer: of its log-odds in steps of a quarter, of its class among the model's, or of its number on a scale on
/// which a bin is 10 % wide. Bins are in the order of what they hold; a class that is not among `classes` has the last one. None
/// when the answer holds no finite number.
pub fn score_bin(answer: &Value, classes: &[&str]) -> Option<i32> {
    if let Some(score) = answer["score"].as_f64() {
        let score = score.clamp(1e-6, 1.0 - 1e-6);
        return Some(((score / (1.0 - score)).ln() * PER_LOGIT).floor() as i32);
    }
    if let Some(value) = answer["value"].as_f64() {
        let size = (value.abs() / SMALLEST).ln() / RATIO.ln();
        return Some(if size <= 0.0 { 0 } else { (1.0 + size) as i32 * if value < 0.0 { -1 } else { 1 } });
    }
    let label = answer["label"].as_str()?;
    i32::try_from(classes.iter().position(|class| *class == label).unwrap_or(classes.len())).ok()
}

/// The upper end of a bin of probabilities.
pub fn probability_of(bin: i32) -> f64 {
    1.0 / (1.0 + (-f64::from(bin + 1) / PER_LOGIT).exp())
}

/// The upper end of a bin of numbers.
pub fn value_of(bin: i32) -> f64 {
    if bin < 0 { -SMALLEST * RATIO.powi(-bin - 1) } else { SMALLEST * RATIO.powi(bin) }
}

/// Numbers that lie so near are the same answer, as a share of the larger one.
const SAME: f64 = 0.01;

/// Whether two answers say the same: the same class, or numbers within 1 %.
pub fn same(one: &Value, other: &Value) -> bool {
    match (one["value"].as_f64(), other["value"].as_f64()) {
        (Some(one), Some(other)) => (one - other).abs() <= SAME * one.abs().max(other.abs()),
        _ => one["label"] == other["label"],
    }
}

/// The bin of a duration: four to an octave, from one microsecond.
pub fn latency_bin(micros: u64) -> i32 {
    ((micros.max(1) as f64).log2() * 4.0) as i32
}

/// The upper end of such a bin, in milliseconds.
pub fn latency_of(bin: i32) -> f64 {
    (f64::from(bin + 1) / 4.0).exp2() / 1e3
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn losses_are_those_of_their_definitions() {
        let binary = json!({ "score": 0.8, "label": "yes" });
        for label in [json!("yes"), json!(true), json!(1)] {
            let loss = Loss::Brier.between(&binary, &label, &["no", "yes"]).unwrap();
            assert!((loss - 0.04).abs() < 1e-12, "{label} {loss}");
        }
        let several = json!({ "label": "a", "probabilities": { "a": 0.5, "b": 0.3, "c": 0.2 } });
        let loss = Loss::Brier.between(&several, &json!("b"), &["a", "b", "c"]).unwrap();
        assert!((loss - (0.25 + 0.49 + 0.04) / 2.0).abs() < 1e-12, "{loss}");
        assert_eq!(Loss::Squared.between(&json!({ "value": 3.0 }), &json!(5), &[]), Some(4.0));
        assert_eq!(Loss::Absolute.between(&json!({ "value": 3.0 }), &json!(5), &[]), Some(2.0));
        let pinball = Loss::of(Metric::Rmse, Some(0.75));
        assert_eq!(pinball.between(&json!({ "value": 3.0 }), &json!(5), &[]), Some(1.5));
        assert_eq!(pinball.between(&json!({ "value": 5.0 }), &json!(3), &[]), Some(0.5));
    }

    #[test]
    fn a_label_that_the_model_does_not_know_has_no_loss() {
        let answer = json!({ "score": 0.8, "label": "yes" });
        for label in [json!("perhaps"), json!(2), json!(null)] {
            assert_eq!(Loss::Brier.between(&answer, &label, &["no", "yes"]), None, "{label}");
        }
        assert_eq!(Loss::Squared.between(&json!({ "value": null }), &json!(5), &[]), None);
        assert_eq!(Loss::Squared.between(&json!({ "value": 1.0 }), &json!(1e90), &[]), None);
        assert_eq!(Loss::Brier.between(&json!({ "score": 1e-81 }), &json!("no"), &["no", "yes"]), Some(0.0));
    }

    #[test]
    fn answers_agree_by_class_or_within_a_percent() {
        assert!(same(&json!({ "label": "a", "score": 0.9 }), &json!({ "label": "a", "score": 0.6 })));
        assert!(!same(&json!({ "label": "a" }), &json!({ "label": "b" })));
        assert!(same(&json!({ "value": 100.0 }), &json!({ "value": 100.9 })));
        assert!(!same(&json!({ "value": 100.0 }), &json!({ "value": 102.0 })));
    }

    #[test]
    fn bins_are_in_the_order_of_what_they_hold() {
        let of_score = |score: f64| score_bin(&json!({ "score": score }), &[]).unwrap();
        assert!(of_score(0.001) < of_score(0.01) && of_score(0.01) < of_score(0.5) && of_score(0.5) < of_score(0.99));
        let of_value = |value: f64| score_bin(&json!({ "value": value }), &[]).unwrap();
        let values = [-1e6, -2.0, -1.0, 0.0, 1e-3, 1.0, 1.2, 1e9].map(of_value);
        assert!(values.is_sorted_by(|a, b| a < b), "{values:?}");
    }

    #[test]
    fn an_answer_that_is_no_number_has_no_bin() {
        assert_eq!(score_bin(&json!({ "value": null }), &[]), None);
        assert_eq!(score_bin(&json!({ "label": null }), &["a", "b", "c"]), None);
        assert_eq!(score_bin(&json!({ "label": "d" }), &["a", "b", "c"]), Some(3));
    }

    #[test]
    fn an_answer_lies_between_the_upper_ends_of_its_bin_and_of_the_one_before() {
        for score in [1e-4, 0.2, 0.5, 0.77, 0.9999] {
            let bin = score_bin(&json!({ "score": score }), &[]).unwrap();
            assert!(probability_of(bin - 1) <= score && score <= probability_of(bin), "{score}");
        }
        for value in [-1e6, -3.7, -1e-3, 0.0, 1e-3, 0.9, 1e9] {
            let bin = score_bin(&json!({ "value": value }), &[]).unwrap();
            assert!(value_of(bin - 1) <= value && value <= value_of(bin), "{value} {bin}");
        }
    }

    #[test]
    fn a_duration_lies_below_the_upper_end_of_its_bin() {
        for micros in [1, 16, 999, 100_000] {
            assert!(latency_of(latency_bin(micros)) * 1e3 >= micros as f64, "{micros}");
        }
    }
}
