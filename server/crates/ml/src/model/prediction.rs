//! What a model answers.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::evaluate::{BinaryOutcomes, ClassOutcomes, NumberOutcomes, OutcomeError, Outcomes};
use crate::features::Labels;

/// The answer for one row.
#[derive(Debug, Clone, PartialEq)]
pub enum Prediction {
    /// Two classes.
    Binary {
        /// Probability of the positive class, the second of the model's classes.
        score: f64,
        /// The positive class where the score is above the model's threshold, else the other one.
        label: Arc<str>,
    },
    /// Three or more classes.
    Multiclass {
        /// The most probable class; the first of equals.
        label: Arc<str>,
        /// Probability of each of the model's classes, in their order.
        probabilities: Vec<f64>,
    },
    /// A number.
    Regression {
        /// The expected value.
        value: f64,
    },
}

impl Prediction {
    /// The class that is answered; none of a number.
    pub fn label(&self) -> Option<&str> {
        match self {
            Self::Binary { label, .. } | Self::Multiclass { label, .. } => Some(label),
            Self::Regression { .. } => None,
        }
    }

    /// The score of two classes, or the number; none of several classes.
    pub const fn number(&self) -> Option<f64> {
        match self {
            Self::Binary { score, .. } => Some(*score),
            Self::Multiclass { .. } => None,
            Self::Regression { value } => Some(*value),
        }
    }

    /// The answer as callers get it; `classes` are the model's.
    pub fn to_json(&self, classes: &[Arc<str>]) -> Json {
        match self {
            Self::Binary { score, label } => json!({ "score": score, "label": label.as_ref() }),
            Self::Multiclass { label, probabilities } => {
                let classes = classes.iter().map(ToString::to_string);
                let by_class: Map<String, Json> =
                    classes.zip(probabilities).map(|(class, probability)| (class, json!(probability))).collect();
                json!({ "label": label.as_ref(), "probabilities": by_class })
            }
            Self::Regression { value } => json!({ "value": value }),
        }
    }
}

/// Sets predictions of `rows` beside the labels of those rows.
///
/// # Errors
/// When there are no rows, a row has no label, or predictions and labels are of different kinds.
pub fn outcomes<'p>(
    labels: &Labels,
    rows: &[u32],
    predictions: impl IntoIterator<Item = &'p Prediction>,
) -> Result<Outcomes, OutcomeError> {
    let pairs: Vec<(usize, &Prediction)> = rows.iter().map(|row| *row as usize).zip(predictions).collect();
    match (labels, pairs.first()) {
        (_, None) => Err(OutcomeError::Empty),
        (Labels::Numbers { quantile, .. }, Some(_)) => {
            let pair = |(row, prediction): &(usize, &Prediction)| match prediction {
                Prediction::Regression { value } => Some((*value, labels.number(*row)?)),
                _ => None,
            };
            Ok(Outcomes::Regression(NumberOutcomes::new(all(&pairs, pair)?)?.with_quantile(*quantile)))
        }
        (Labels::Classes { .. }, Some((_, Prediction::Binary { .. }))) => {
            let pair = |(row, prediction): &(usize, &Prediction)| match prediction {
                Prediction::Binary { score, .. } => Some((*score, labels.class(*row)? == 1)),
                _ => None,
            };
            Ok(Outcomes::Binary(BinaryOutcomes::new(all(&pairs, pair)?)?.with_costs(labels.costs())))
        }
        (Labels::Classes { names, .. }, Some(_)) => {
            let pair = |(row, prediction): &(usize, &Prediction)| match prediction {
                Prediction::Multiclass { probabilities, .. } => Some((probabilities.clone(), labels.class(*row)?)),
                _ => None,
            };
            ClassOutcomes::new(names.len(), all(&pairs, pair)?).map(Outcomes::Multiclass)
        }
    }
}

fn all<P, T>(pairs: &[P], pair: impl Fn(&P) -> Option<T>) -> Result<Vec<T>, OutcomeError> {
    pairs.iter().map(pair).collect::<Option<_>>().ok_or(OutcomeError::Kind)
}
