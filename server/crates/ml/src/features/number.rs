//! Numbers, moved and scaled for linear models.

use millrace_domain::problem::Encoding;
use serde::{Deserialize, Serialize};

use crate::order::quantile_at;

/// Ranges below it are none, as in scikit-learn.
const NOTHING: f64 = 10.0 * f64::EPSILON;

/// How a number is encoded: less the centre, over the scale.
///
/// | encoding | centre | scale |
/// |---|---|---|
/// | standard | mean | population standard deviation |
/// | min_max | least value | range |
/// | robust | median | third quartile less the first, each interpolated between the two nearest values |
/// | as_is | 0 | 1 |
///
/// All are of the training part, missing values left out; where there is nothing to scale by it is 1. These are scikit-learn's
/// `StandardScaler`, `MinMaxScaler` and `RobustScaler` with their defaults.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberEncoder {
    /// What is taken away.
    #[serde(alias = "mean")]
    pub centre: f64,
    /// What is divided by.
    #[serde(alias = "standard_deviation")]
    pub scale: f64,
    /// Median of the training part: what stands for a missing value.
    pub median: f64,
    /// Whether the training part has rows without a value, which then have a term of their own.
    pub missing_seen: bool,
}

impl NumberEncoder {
    /// Fits on the numbers of the training part, NaN being a missing one.
    pub(super) fn fit(numbers: impl ExactSizeIterator<Item = f64>, encoding: Encoding) -> Self {
        let rows = numbers.len();
        let mut present: Vec<f64> = numbers.filter(|number| !number.is_nan()).collect();
        let missing_seen = present.len() < rows;
        if present.is_empty() {
            return Self { centre: 0.0, scale: 1.0, median: 0.0, missing_seen };
        }
        let standard = moments(&present);
        let mut quantile = |share| quantile_of(&mut present, share);
        let median = quantile(0.5);
        let (centre, scale) = match encoding {
            Encoding::AsIs => (0.0, 1.0),
            Encoding::MinMax => (quantile(0.0), quantile(1.0) - quantile(0.0)),
            Encoding::Robust => (median, quantile(0.75) - quantile(0.25)),
            _ => {
                let (mean, deviation) = standard;
                return Self { centre: mean, scale: deviation.unwrap_or(1.0), median, missing_seen };
            }
        };
        let scale = Some(scale).filter(|scale| *scale >= NOTHING && scale.is_finite()).unwrap_or(1.0);
        Self { centre, scale, median, missing_seen }
    }

    /// How many terms of a linear model it has.
    pub(super) fn terms(&self) -> usize {
        1 + usize::from(self.missing_seen)
    }

    /// Calls `term` with the position and size of every term that is not zero.
    pub(super) fn for_linear(&self, number: Option<f64>, mut term: impl FnMut(usize, f64)) {
        term(0, (number.unwrap_or(self.median) - self.centre) / self.scale);
        if number.is_none() && self.missing_seen {
            term(1, 1.0);
        }
    }

    /// Whether every number is finite and the scale positive, as fitting leaves them.
    pub(crate) fn is_sound(&self) -> bool {
        [self.centre, self.median, self.scale].iter().all(|number| number.is_finite()) && self.scale > 0.0
    }
}

/// Mean and population standard deviation, none where what differs is rounding alone (as in scikit-learn's `StandardScaler`).
/// Divided before they are summed, so that large numbers do not overflow.
pub(super) fn moments(numbers: &[f64]) -> (f64, Option<f64>) {
    let count = numbers.len().max(1) as f64;
    let mean = numbers.iter().map(|number| number / count).sum::<f64>();
    let variance = numbers.iter().map(|number| (number - mean).powi(2) / count).sum::<f64>();
    let rounding = count * f64::EPSILON * variance + (count * mean * f64::EPSILON).powi(2);
    (mean, Some(variance.sqrt()).filter(|deviation| variance > rounding && deviation.is_finite()))
}

/// A quantile of numbers, of which no more are put in order than it takes.
fn quantile_of(numbers: &mut [f64], share: f64) -> f64 {
    quantile_at(numbers.len(), share, |rank| *numbers.select_nth_unstable_by(rank, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: [f64; 8] = [3.5, -1.25, 10.0, 0.75, 6.125, 2.0, 41.0, -7.5];

    #[track_caller]
    fn is_scaled_to(encoding: Encoding, expected: [f64; 8]) {
        let encoder = NumberEncoder::fit(NUMBERS.into_iter(), encoding);
        for (number, expected) in NUMBERS.into_iter().zip(expected) {
            encoder.for_linear(Some(number), |_, size| {
                assert!((size - expected).abs() < 1e-12, "{number} is {size}, not {expected}");
            });
        }
    }

    // scikit-learn 1.9.1, default settings; tolerance 1e-12.
    #[test]
    fn standard_scaling_is_that_of_scikit_learn() {
        is_scaled_to(
            Encoding::Standard,
            [
                -0.24143531061848825,
                -0.5860190403275044,
                0.23010031950963905,
                -0.4409311541342344,
                -0.05100745998982146,
                -0.3502512252634407,
                2.478962555505323,
                -1.0394186846814728,
            ],
        );
    }

    #[test]
    fn scaling_to_the_range_is_that_of_scikit_learn() {
        is_scaled_to(
            Encoding::MinMax,
            [
                0.2268041237113402,
                0.1288659793814433,
                0.36082474226804123,
                0.17010309278350516,
                0.2809278350515464,
                0.1958762886597938,
                1.0,
                0.0,
            ],
        );
    }

    #[test]
    fn robust_scaling_is_that_of_scikit_learn() {
        is_scaled_to(
            Encoding::Robust,
            [
                0.1095890410958904,
                -0.5844748858447488,
                1.0593607305936072,
                -0.2922374429223744,
                0.4931506849315068,
                -0.1095890410958904,
                5.589041095890411,
                -1.4977168949771689,
            ],
        );
    }

    #[test]
    fn what_does_not_vary_is_not_scaled() {
        for encoding in [Encoding::Standard, Encoding::MinMax, Encoding::Robust] {
            for (number, rows) in [(4.0, 3), (0.1, 10), (1.0, 1_000), (3.0, 7)] {
                let encoder = NumberEncoder::fit(vec![number; rows].into_iter(), encoding);
                assert!((encoder.centre - number).abs() < 1e-12 && encoder.scale == 1.0, "{encoding:?} {encoder:?}");
            }
        }
    }

    #[test]
    fn models_that_were_stored_with_a_mean_and_a_deviation_are_read() {
        let stored = r#"{"mean":4.0,"standard_deviation":2.0,"median":3.0,"missing_seen":true}"#;
        let read: NumberEncoder = serde_json::from_str(stored).unwrap();
        assert_eq!(read, NumberEncoder { centre: 4.0, scale: 2.0, median: 3.0, missing_seen: true });
    }
}
