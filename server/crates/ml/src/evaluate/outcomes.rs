//! Predictions beside what came true.

use millrace_domain::metric::Costs;

/// Why pairs are no outcomes. Rows count from 0.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OutcomeError {
    /// Nothing to measure.
    #[error("there are no rows with a label to measure on")]
    Empty,
    /// A score or probability outside its range.
    #[error("row {row} has the score {value}; a score is between 0 and 1")]
    Score {
        /// The row.
        row: usize,
        /// The score.
        value: f64,
    },
    /// A predicted or true number that is not finite.
    #[error("row {row} holds a number that is not finite")]
    NotFinite {
        /// The row.
        row: usize,
    },
    /// Not one probability a class, or a class that does not exist.
    #[error("row {row} does not fit {classes} classes")]
    Classes {
        /// The row.
        row: usize,
        /// How many classes there are.
        classes: usize,
    },
    /// Two models were not measured on the same rows.
    #[error("the two models were measured on different rows or labels")]
    Unpaired,
    /// Predictions of one kind beside labels of another.
    #[error("predictions and labels are of different kinds")]
    Kind,
}

/// Predictions beside what came true, in pairs.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcomes {
    /// Scores of the positive class and whether it came true.
    Binary(BinaryOutcomes),
    /// Probabilities of the classes and the class that came true.
    Multiclass(ClassOutcomes),
    /// Numbers.
    Regression(NumberOutcomes),
}

impl Outcomes {
    /// How many pairs; never zero.
    pub const fn len(&self) -> usize {
        match self {
            Self::Binary(outcomes) => outcomes.scores.len(),
            Self::Multiclass(outcomes) => outcomes.labels.len(),
            Self::Regression(outcomes) => outcomes.actual.len(),
        }
    }

    /// Always false: outcomes hold at least one pair.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether what was said of each row came true; none of numbers, which are right by no rule.
    pub(super) fn hits(&self) -> Option<Vec<bool>> {
        match self {
            Self::Binary(outcomes) => {
                let threshold = outcomes.costs.threshold();
                let rows = outcomes.scores.iter().zip(&outcomes.labels);
                Some(rows.map(|(score, label)| (*score > threshold) == *label).collect())
            }
            Self::Multiclass(outcomes) => {
                Some(outcomes.predicted().iter().zip(&outcomes.labels).map(|(said, label)| said == label).collect())
            }
            Self::Regression(_) => None,
        }
    }

    /// The pairs at `positions`; none when there are no positions.
    ///
    /// # Panics
    /// When a position is not below [`Self::len`].
    pub fn select(&self, positions: &[usize]) -> Option<Self> {
        fn pick<T: Copy>(values: &[T], positions: &[usize]) -> Vec<T> {
            positions.iter().map(|&position| values[position]).collect()
        }
        (!positions.is_empty()).then(|| match self {
            Self::Binary(outcomes) => Self::Binary(BinaryOutcomes {
                scores: pick(&outcomes.scores, positions),
                labels: pick(&outcomes.labels, positions),
                costs: outcomes.costs,
            }),
            Self::Multiclass(outcomes) => Self::Multiclass(ClassOutcomes {
                classes: outcomes.classes,
                probabilities: positions.iter().flat_map(|&position| outcomes.row(position)).copied().collect(),
                labels: pick(&outcomes.labels, positions),
            }),
            Self::Regression(outcomes) => Self::Regression(NumberOutcomes {
                predicted: pick(&outcomes.predicted, positions),
                actual: pick(&outcomes.actual, positions),
                quantile: outcomes.quantile,
            }),
        })
    }

    /// Whether both are about the same rows: equally many, with equal labels.
    pub(super) fn pairs_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Binary(a), Self::Binary(b)) => a.labels == b.labels,
            (Self::Multiclass(a), Self::Multiclass(b)) => a.labels == b.labels && a.classes == b.classes,
            (Self::Regression(a), Self::Regression(b)) => a.actual == b.actual,
            _ => false,
        }
    }
}

/// Scores of the positive class and whether it came true.
#[derive(Debug, Clone, PartialEq)]
pub struct BinaryOutcomes {
    pub(super) scores: Vec<f64>,
    pub(super) labels: Vec<bool>,
    /// What errors cost: a score above [`Costs::threshold`] says "positive"; at it, saying either costs the same.
    pub(super) costs: Costs,
}

impl BinaryOutcomes {
    /// Every score with whether the positive class came true.
    pub fn pairs(&self) -> impl Iterator<Item = (f64, bool)> {
        self.scores.iter().copied().zip(self.labels.iter().copied())
    }

    /// Checks pairs of score and outcome.
    ///
    /// # Errors
    /// When there is no pair, or a score is outside 0 to 1.
    pub fn new(pairs: impl IntoIterator<Item = (f64, bool)>) -> Result<Self, OutcomeError> {
        let (scores, labels): (Vec<f64>, Vec<bool>) = pairs.into_iter().unzip();
        if scores.is_empty() {
            return Err(OutcomeError::Empty);
        }
        match scores.iter().position(|score| !(0.0..=1.0).contains(score)) {
            Some(row) => Err(OutcomeError::Score { row, value: scores[row] }),
            None => Ok(Self { scores, labels, costs: Costs::default() }),
        }
    }

    /// With other costs of errors than one each.
    #[must_use]
    pub fn with_costs(self, costs: Costs) -> Self {
        Self { costs, ..self }
    }
}

/// Probabilities of the classes and the class that came true.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassOutcomes {
    pub(super) classes: usize,
    /// Row by row.
    probabilities: Vec<f64>,
    pub(super) labels: Vec<u32>,
}

impl ClassOutcomes {
    /// Checks pairs of probabilities (one a class) and true class.
    ///
    /// # Errors
    /// When there is no pair, a row has another number of probabilities, a probability is outside 0 to 1, or a class is not
    /// below `classes`.
    pub fn new<P: AsRef<[f64]>>(
        classes: usize,
        pairs: impl IntoIterator<Item = (P, u32)>,
    ) -> Result<Self, OutcomeError> {
        let (mut probabilities, mut labels) = (Vec::new(), Vec::new());
        for (row, (given, label)) in pairs.into_iter().enumerate() {
            let given = given.as_ref();
            if given.len() != classes || label as usize >= classes {
                return Err(OutcomeError::Classes { row, classes });
            }
            if let Some(&value) = given.iter().find(|value| !(0.0..=1.0).contains(*value)) {
                return Err(OutcomeError::Score { row, value });
            }
            probabilities.extend_from_slice(given);
            labels.push(label);
        }
        if labels.is_empty() { Err(OutcomeError::Empty) } else { Ok(Self { classes, probabilities, labels }) }
    }

    /// The probabilities of one row.
    pub(super) fn row(&self, row: usize) -> &[f64] {
        &self.probabilities[row * self.classes..(row + 1) * self.classes]
    }

    /// The most probable class of each row; the first of equals, as numpy's `argmax`.
    pub(super) fn predicted(&self) -> Vec<u32> {
        self.probabilities.chunks_exact(self.classes).map(most_probable).collect()
    }
}

/// The position of the largest probability; the first of equals.
pub(crate) fn most_probable(probabilities: &[f64]) -> u32 {
    let mut best = 0;
    for (class, probability) in probabilities.iter().enumerate() {
        if *probability > probabilities[best] {
            best = class;
        }
    }
    best as u32
}

/// Predicted and true numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberOutcomes {
    pub(super) predicted: Vec<f64>,
    pub(super) actual: Vec<f64>,
    /// The quantile that was predicted; the mean when absent.
    pub(super) quantile: Option<f64>,
}

impl NumberOutcomes {
    /// Checks pairs of predicted and true number.
    ///
    /// # Errors
    /// When there is no pair, or a number is not finite.
    pub fn new(pairs: impl IntoIterator<Item = (f64, f64)>) -> Result<Self, OutcomeError> {
        let (predicted, actual): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        if predicted.is_empty() {
            return Err(OutcomeError::Empty);
        }
        let wrong = predicted.iter().zip(&actual).position(|(a, b)| !(a.is_finite() && b.is_finite()));
        match wrong {
            Some(row) => Err(OutcomeError::NotFinite { row }),
            None => Ok(Self { predicted, actual, quantile: None }),
        }
    }

    /// With the quantile that was predicted.
    #[must_use]
    pub fn with_quantile(self, quantile: Option<f64>) -> Self {
        Self { quantile, ..self }
    }
}
