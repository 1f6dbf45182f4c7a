//! Labels: what came true, a row at a time.

use std::collections::BTreeMap;

use millrace_domain::metric::{Costs, TargetKind};
use millrace_domain::schema::Value;

/// More classes than this are taken for a mistake, such as an identifier used as the target.
pub const MOST_CLASSES: usize = 200;

/// Why values are no labels of the target's kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// No row has one.
    #[error("no row has a label: the target is missing everywhere")]
    AllMissing,
    /// The number of classes does not fit.
    #[error("the target has {found} {}; {needed}", if *.found == 1 { "class" } else { "classes" })]
    Classes {
        /// How many there are, counted up to one more than allowed.
        found: usize,
        /// What the kind needs, in words.
        needed: &'static str,
    },
    /// A label that is no number.
    #[error("row {row} has a label that is no number; a regression needs numbers")]
    NotANumber {
        /// The row in the source, counted from 1.
        row: usize,
    },
}

/// The label of each row; a row may lack one.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// Two or more classes.
    Classes {
        /// Their names: numbers in ascending order if all are numbers, else in the order of their texts. Of two classes
        /// the second is the positive one (`true`, `1`, `Yes`).
        names: Vec<String>,
        /// The class of each row.
        rows: Vec<Option<u32>>,
        /// What errors cost, of two classes.
        costs: Costs,
    },
    /// Numbers.
    Numbers {
        /// The number of each row.
        rows: Vec<Option<f64>>,
        /// The quantile that is predicted; the mean when absent.
        quantile: Option<f64>,
    },
}

impl Labels {
    /// Labels of the given kind from the values of the target, a row at a time.
    ///
    /// # Errors
    /// When no row has one, or the values do not fit the kind.
    pub fn of<'v>(kind: TargetKind, values: impl Iterator<Item = Value<'v>>) -> Result<Self, LabelError> {
        match kind {
            TargetKind::Regression => numbers(values),
            TargetKind::Binary => classes(values, 2, 2, "a binary target needs two"),
            TargetKind::Multiclass => {
                classes(values, 3, MOST_CLASSES, "a multiclass target needs 3 to 200 (with two, it is binary)")
            }
        }
    }

    /// Labels that are classes already.
    #[cfg(test)]
    pub(crate) fn of_classes(names: Vec<String>, rows: Vec<Option<u32>>) -> Self {
        Self::Classes { names, rows, costs: Costs::default() }
    }

    /// With other costs of errors; numbers have none.
    #[must_use]
    pub fn with_costs(mut self, given: Costs) -> Self {
        if let Self::Classes { costs, .. } = &mut self {
            *costs = given;
        }
        self
    }

    /// With the quantile that is predicted; classes have none.
    #[must_use]
    pub const fn with_quantile(mut self, given: Option<f64>) -> Self {
        if let Self::Numbers { quantile, .. } = &mut self {
            *quantile = given;
        }
        self
    }

    /// The quantile that is predicted; none where it is the mean, and of classes.
    pub const fn quantile(&self) -> Option<f64> {
        match self {
            Self::Classes { .. } => None,
            Self::Numbers { quantile, .. } => *quantile,
        }
    }

    /// What errors cost; of more than two classes and of numbers nothing is said.
    pub fn costs(&self) -> Costs {
        match self {
            Self::Classes { costs, .. } => *costs,
            Self::Numbers { .. } => Costs::default(),
        }
    }

    /// How many rows there are.
    pub const fn len(&self) -> usize {
        match self {
            Self::Classes { rows, .. } => rows.len(),
            Self::Numbers { rows, .. } => rows.len(),
        }
    }

    /// Whether there are no rows.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the row has a label.
    pub fn is_known(&self, row: usize) -> bool {
        match self {
            Self::Classes { rows, .. } => rows[row].is_some(),
            Self::Numbers { rows, .. } => rows[row].is_some(),
        }
    }

    /// Rows without a label.
    pub fn missing(&self) -> usize {
        (0..self.len()).filter(|row| !self.is_known(*row)).count()
    }

    /// The names of the classes; none for numbers.
    pub fn classes(&self) -> Option<&[String]> {
        match self {
            Self::Classes { names, .. } => Some(names),
            Self::Numbers { .. } => None,
        }
    }

    /// The class of a row; none for numbers and rows without a label.
    pub fn class(&self, row: usize) -> Option<u32> {
        match self {
            Self::Classes { rows, .. } => rows[row],
            Self::Numbers { .. } => None,
        }
    }

    /// The number of a row; none for classes and rows without a label.
    pub fn number(&self, row: usize) -> Option<f64> {
        match self {
            Self::Classes { .. } => None,
            Self::Numbers { rows, .. } => rows[row],
        }
    }

    /// How many of `rows` are of each class; empty for numbers.
    pub fn counts(&self, rows: &[u32]) -> Vec<u64> {
        let mut counts = vec![0; self.classes().map_or(0, <[String]>::len)];
        for class in rows.iter().filter_map(|row| self.class(*row as usize)) {
            counts[class as usize] += 1;
        }
        counts
    }
}

fn numbers<'v>(values: impl Iterator<Item = Value<'v>>) -> Result<Labels, LabelError> {
    let rows: Vec<Option<f64>> = values
        .enumerate()
        .map(|(row, value)| match value {
            Value::Number(number) => Ok(Some(number)),
            Value::Null => Ok(None),
            _ => Err(LabelError::NotANumber { row: row + 1 }),
        })
        .collect::<Result<_, _>>()?;
    if rows.iter().all(Option::is_none) {
        Err(LabelError::AllMissing)
    } else {
        Ok(Labels::Numbers { rows, quantile: None })
    }
}

/// A class in the order of its value: numbers before texts, so that 9 comes before 10.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// By the bits of a total order, and its text.
    Number(i64, String),
    Text(String),
}

impl Class {
    fn of(value: Value<'_>) -> Option<Self> {
        let by_value = |number: f64| {
            // −0 and 0 are one class. Flipping the other bits of negative numbers makes integer order that of the numbers.
            let number = if number == 0.0 { 0.0 } else { number };
            let bits = number.to_bits() as i64;
            Self::Number(if bits < 0 { bits ^ i64::MAX } else { bits }, number.to_string())
        };
        match value {
            Value::Null => None,
            Value::Number(number) => Some(by_value(number)),
            Value::Time(micros) => Some(Self::Number(micros, micros.to_string())),
            Value::Boolean(truth) => Some(Self::Text(truth.to_string())),
            Value::Text(text) => Some(Self::Text(text.into_owned())),
        }
    }

    fn name(self) -> String {
        match self {
            Self::Number(_, name) | Self::Text(name) => name,
        }
    }
}

fn classes<'v>(
    values: impl Iterator<Item = Value<'v>>,
    least: usize,
    most: usize,
    needed: &'static str,
) -> Result<Labels, LabelError> {
    let mut seen: BTreeMap<Class, u32> = BTreeMap::new();
    let mut rows = Vec::new();
    for value in values {
        let Some(class) = Class::of(value) else {
            rows.push(None);
            continue;
        };
        let next = seen.len() as u32;
        rows.push(Some(*seen.entry(class).or_insert(next)));
        if seen.len() > most {
            return Err(LabelError::Classes { found: seen.len(), needed });
        }
    }
    if seen.is_empty() {
        return Err(LabelError::AllMissing);
    }
    if seen.len() < least {
        return Err(LabelError::Classes { found: seen.len(), needed });
    }
    let mut rank = vec![0; seen.len()];
    for (position, first_seen) in seen.values().enumerate() {
        rank[*first_seen as usize] = position as u32;
    }
    let rows = rows.into_iter().map(|row| row.map(|first_seen: u32| rank[first_seen as usize])).collect();
    Ok(Labels::Classes { names: seen.into_keys().map(Class::name).collect(), rows, costs: Costs::default() })
}
