//! Linear estimators: a constant and a weight for every term.

use serde::{Deserialize, Serialize};

use crate::features::{Encoders, FeatureValue};

/// What turns sums of terms into an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// The sum itself.
    Identity,
    /// The probability 1 / (1 + e⁻ˢ) of the positive class.
    Logistic,
    /// One sum a class; its share of eˢ over all of them.
    Softmax,
}

/// One sum of terms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearOutput {
    /// The constant.
    pub intercept: f64,
    /// The weight of each term of the encoders.
    pub weights: Vec<f64>,
}

/// A fitted linear estimator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearEstimator {
    /// What turns sums into an answer.
    pub link: Link,
    /// One sum, or one a class.
    pub outputs: Vec<LinearOutput>,
}

impl LinearEstimator {
    /// The answer for one row: one number, or one a class. Every row, alone or among others, goes through here.
    pub(super) fn answer(&self, encoders: &Encoders, values: &[FeatureValue<'_>]) -> Vec<f64> {
        let mut sums: Vec<f64> = self.outputs.iter().map(|output| output.intercept).collect();
        encoders.for_linear(values, |position, size| {
            for (sum, output) in sums.iter_mut().zip(&self.outputs) {
                *sum += output.weights[position] * size;
            }
        });
        match self.link {
            Link::Identity => {}
            Link::Logistic => sums.iter_mut().for_each(|sum| *sum = logistic(*sum)),
            Link::Softmax => {
                softmax(&mut sums);
            }
        }
        sums
    }

    /// Whether the shape fits the encoders and every number is finite.
    pub(super) fn fits(&self, outputs: usize, terms: usize) -> bool {
        self.outputs.len() == outputs
            && self.outputs.iter().all(|output| {
                output.weights.len() == terms
                    && output.intercept.is_finite()
                    && output.weights.iter().all(|weight| weight.is_finite())
            })
    }
}

/// 1 / (1 + e⁻ˢ).
pub(crate) fn logistic(sum: f64) -> f64 {
    1.0 / (1.0 + (-sum).exp())
}

/// Shares of e to the power of each sum; the largest is taken out first, so that nothing overflows. Gives the logarithm of their total.
pub(crate) fn softmax(sums: &mut [f64]) -> f64 {
    let largest = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    sums.iter_mut().for_each(|sum| *sum = (*sum - largest).exp());
    let total: f64 = sums.iter().sum();
    sums.iter_mut().for_each(|sum| *sum /= total);
    largest + total.ln()
}
