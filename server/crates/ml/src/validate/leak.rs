//! Features that give the answer away.
//!
//! A feature *explains the target alone* if it is a copy or a re-coding of it: each of its repeated values stands for one
//! label, or the order of its values is the order of the labels (for classes: each class is one interval). Such a feature is
//! seldom known before the label is.

use super::labels::Labels;

/// With fewer rows it may be chance.
const FEWEST_ROWS: usize = 30;
/// Whatever breaks the pattern usually does so early: these many rows are tried before all are.
const TRIALS: [usize; 2] = [1_000, 30_000];

/// How a feature explains the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leak {
    /// Each value stands for one label.
    ByValue {
        /// How many values there are.
        values: usize,
    },
    /// The order of values is that of the labels.
    ByOrder,
}

/// Looks for a leak in the keys of a feature, a row at a time; equal keys are equal values. `ordered` says whether the order
/// of the keys means something.
pub(super) fn find(feature: &[Option<i64>], ordered: bool, labels: &Labels) -> Option<Leak> {
    let pairs = || feature.iter().zip(&labels.keys).filter_map(|(value, label)| Some(((*value)?, (*label)?)));
    for rows in TRIALS {
        let trial = Relation::of(pairs().take(rows).collect(), labels.ordered);
        let could_be = trial.pure && ((ordered && trial.in_order) || trial.values * 10 < trial.rows * 9);
        if !could_be {
            return None;
        }
        if trial.rows < rows {
            return trial.leak(ordered);
        }
    }
    Relation::of(pairs().collect(), labels.ordered).leak(ordered)
}

/// What values and labels have to do with each other.
struct Relation {
    rows: usize,
    values: usize,
    labels: usize,
    /// Equal values have equal labels.
    pure: bool,
    /// Along the values, labels only rise or only fall, or each class comes in one run.
    in_order: bool,
}

impl Relation {
    fn of(mut pairs: Vec<(i64, i64)>, labels_ordered: bool) -> Self {
        pairs.sort_unstable();
        let steps = || pairs.windows(2).map(|pair| (pair[0], pair[1]));
        let pure = steps().all(|(a, b)| a.0 != b.0 || a.1 == b.1);
        let values = pairs.chunk_by(|a, b| a.0 == b.0).count();
        let runs = pairs.chunk_by(|a, b| a.1 == b.1).count();
        let rises = steps().all(|(a, b)| a.1 <= b.1);
        let falls = steps().all(|(a, b)| a.1 >= b.1);
        let rows = pairs.len();
        pairs.sort_unstable_by_key(|pair| pair.1);
        let labels = pairs.chunk_by(|a, b| a.1 == b.1).count();
        let in_order = if labels_ordered { rises || falls } else { runs == labels };
        Self { rows, values, labels, pure, in_order }
    }

    fn leak(&self, ordered: bool) -> Option<Leak> {
        if self.rows < FEWEST_ROWS || self.labels < 2 || !self.pure {
            None
        } else if self.values * 2 <= self.rows {
            Some(Leak::ByValue { values: self.values })
        } else {
            (ordered && self.in_order).then_some(Leak::ByOrder)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(keys: impl Iterator<Item = i64>, ordered: bool) -> Labels {
        Labels { keys: keys.map(Some).collect(), ordered }
    }

    fn column(keys: impl Iterator<Item = i64>) -> Vec<Option<i64>> {
        keys.map(Some).collect()
    }

    #[test]
    fn a_recoded_class_is_found() {
        let target = labels((0..100_000).map(|row| row % 3), false);
        let feature = column((0..100_000).map(|row| 7 - row % 3));
        assert_eq!(find(&feature, false, &target), Some(Leak::ByValue { values: 3 }));
    }

    #[test]
    fn a_threshold_that_separates_classes_is_found() {
        let target = labels((0..5_000).map(|row| i64::from(row * 7 % 5_000 >= 2_500)), false);
        let feature = column((0..5_000).map(|row| row * 7 % 5_000));
        assert_eq!(find(&feature, true, &target), Some(Leak::ByOrder));
    }

    #[test]
    fn a_monotone_function_of_a_number_is_found() {
        let target = labels((0..2_000).map(|row| row * 37 % 2_000), true);
        let feature = column((0..2_000).map(|row| -(row * 37 % 2_000_i64).pow(3)));
        assert_eq!(find(&feature, true, &target), Some(Leak::ByOrder));
    }

    #[test]
    fn an_identifier_explains_nothing() {
        let target = labels((0..50_000).map(|row| row % 2), false);
        assert_eq!(find(&column(0..50_000), true, &target), None);
        assert_eq!(find(&column(0..50_000), false, &target), None);
    }

    #[test]
    fn one_exception_in_the_last_row_is_enough() {
        let target = labels((0..40_000).map(|row| row % 2), false);
        let feature = column((0..40_000).map(|row| if row == 39_999 { 0 } else { row % 2 }));
        assert_eq!(find(&feature, true, &target), None);
    }

    #[test]
    fn few_rows_prove_nothing() {
        let target = labels((0..29).map(|row| row % 2), false);
        assert_eq!(find(&column((0..29).map(|row| row % 2)), true, &target), None);
    }

    #[test]
    fn a_constant_feature_explains_nothing() {
        let target = labels((0..100).map(|row| row % 2), false);
        assert_eq!(find(&column((0..100).map(|_| 1)), true, &target), None);
    }
}
