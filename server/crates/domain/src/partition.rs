//! How far a column is from a distribution that was written down: the Kullback–Leibler divergence from given weights.
//!
//! What the weights do not cover is given a *holdout*: `tail_weight_holdout` to what lies outside all bins or has none of the values,
//! `internal_weight_holdout` to bins of weight zero. Both are those of Great Expectations'
//! `expect_column_kl_divergence_to_be_less_than`, whose 45 published cases are the test.

use serde::{Deserialize, Serialize};

/// More parts than this are refused.
const MOST_PARTS: usize = 10_000;

/// A distribution that was written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Partition {
    /// What the weights are of.
    #[serde(flatten)]
    pub parts: Parts,
    /// The weight of each part; with `below` and `above` they sum to 1.
    pub weights: Vec<f64>,
    /// Weight of what is in no part.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tail_weight_holdout: f64,
    /// Weight of what is in bins of weight zero.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub internal_weight_holdout: f64,
}

/// What the weights of a partition are of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Parts {
    /// Values, named as categories are.
    Values {
        /// The values.
        values: Vec<String>,
    },
    /// Bins of numbers: from an edge on, and below the next; the last bin holds its upper edge as well.
    Bins {
        /// The edges, ascending, one more than weights.
        bins: Vec<f64>,
        /// Weight below the first edge.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        below: Option<f64>,
        /// Weight above the last edge.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        above: Option<f64>,
    },
}

/// Shares side by side; of bins the first is below all of them and the last above.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// Shares of the column.
    pub observed: Vec<f64>,
    /// Shares of the partition, holdouts put in.
    pub expected: Vec<f64>,
    /// Σ p ln(p / q) of observed p and expected q, each scaled to sum to 1, in nats; none when it is infinite.
    pub divergence: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it skips by reference")]
fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

impl Partition {
    /// Whether the partition can be compared with: shapes fit, weights sum to 1, and holdouts mean something.
    ///
    /// # Errors
    /// With the key that is wrong and why.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let share = |number: f64| (0.0..=1.0).contains(&number);
        if !share(self.tail_weight_holdout) {
            return Err((
                "tail_weight_holdout",
                "must be greater than or equal to 0 and less than or equal to 1".to_owned(),
            ));
        }
        if !share(self.internal_weight_holdout) {
            let message = "must be greater than or equal to 0 and less than or equal to 1".to_owned();
            return Err(("internal_weight_holdout", message));
        }
        if self.weights.is_empty() || !self.weights.iter().copied().all(share) {
            return Err(("weights", "must be shares between 0 and 1, one a part".to_owned()));
        }
        if self.weights.len() > MOST_PARTS {
            return Err(("weights", format!("are {}; at most {MOST_PARTS} are allowed", self.weights.len())));
        }
        let mut sum: f64 = self.weights.iter().sum();
        match &self.parts {
            Parts::Values { values } => {
                if values.len() != self.weights.len() {
                    return Err(("weights", format!("are {}, the values {}", self.weights.len(), values.len())));
                }
                if self.internal_weight_holdout > 0.0 {
                    return Err(("internal_weight_holdout", "is of bins; values have none between them".to_owned()));
                }
            }
            Parts::Bins { bins, below, above } => {
                if bins.len() != self.weights.len() + 1 {
                    return Err((
                        "weights",
                        format!("are {}, but {} edges make other bins", self.weights.len(), bins.len()),
                    ));
                }
                if !bins.is_sorted_by(|a, b| a < b) || bins.iter().any(|edge| !edge.is_finite()) {
                    return Err((
                        "bins",
                        "must be ascending edges; what lies outside is said by below and above".to_owned(),
                    ));
                }
                if below.is_some() && above.is_some() && self.tail_weight_holdout > 0.0 {
                    return Err((
                        "tail_weight_holdout",
                        "is for what nothing covers; below and above cover it".to_owned(),
                    ));
                }
                sum += below.unwrap_or(0.0) + above.unwrap_or(0.0);
            }
        }
        // numpy's `allclose`, by which such partitions are judged elsewhere.
        if (sum - 1.0).abs() > 1e-5 + 1e-8 { Err(("weights", format!("sum to {sum}, not to 1"))) } else { Ok(()) }
    }

    /// Compares values with the partition; none when there are no values.
    pub fn compare_values<'v>(&self, found: impl Iterator<Item = &'v str>) -> Option<Compared> {
        let Parts::Values { values } = &self.parts else { return None };
        let mut counts = vec![0u64; values.len()];
        let mut strangers: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
        for value in found {
            match values.iter().position(|known| known == value) {
                Some(place) => counts[place] += 1,
                None => *strangers.entry(value).or_default() += 1,
            }
        }
        let holdout = if strangers.is_empty() { 0.0 } else { self.tail_weight_holdout };
        let mut expected: Vec<f64> = self.weights.iter().map(|weight| weight * (1.0 - holdout)).collect();
        expected.extend(strangers.values().map(|_| holdout));
        counts.extend(strangers.into_values());
        compared(&counts, expected)
    }

    /// Compares numbers with the partition; none when there are none.
    pub fn compare_numbers(&self, found: impl Iterator<Item = f64>) -> Option<Compared> {
        let Parts::Bins { bins, below, above } = &self.parts else { return None };
        let (first, last) = (*bins.first()?, *bins.last()?);
        let mut counts = vec![0u64; bins.len() + 1];
        for number in found {
            let place = if number < first {
                0
            } else if number > last {
                bins.len()
            } else {
                bins.partition_point(|edge| *edge <= number).min(bins.len() - 1)
            };
            counts[place] += 1;
        }
        let tail = self.tail_weight_holdout;
        let zeros = self.weights.iter().filter(|weight| **weight == 0.0).count();
        let internal = if zeros == 0 { 0.0 } else { self.internal_weight_holdout };
        let scaled = |weight: f64| {
            if weight == 0.0 && zeros > 0 { internal / zeros as f64 } else { weight * (1.0 - tail - internal) }
        };
        let outside = |weight: Option<f64>, other: Option<f64>| match (weight, other) {
            (Some(weight), _) => weight * (1.0 - tail),
            (None, Some(_)) => tail,
            (None, None) => tail / 2.0,
        };
        let expected = std::iter::once(outside(*below, *above))
            .chain(self.weights.iter().copied().map(scaled))
            .chain(std::iter::once(outside(*above, *below)));
        compared(&counts, expected.collect())
    }
}

fn compared(counts: &[u64], expected: Vec<f64>) -> Option<Compared> {
    let total: u64 = counts.iter().sum();
    if total == 0 {
        return None;
    }
    let observed: Vec<f64> = counts.iter().map(|count| *count as f64 / total as f64).collect();
    let sum: f64 = expected.iter().sum();
    let mut divergence = 0.0;
    for (p, q) in observed.iter().zip(&expected).filter(|(p, _)| **p > 0.0) {
        divergence += p * (p / (q / sum)).ln();
    }
    let divergence = divergence.is_finite().then_some(divergence);
    Some(Compared { observed, expected, divergence })
}
