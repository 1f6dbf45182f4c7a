//! Features that give the answer away.
//!
//! A feature *explains the target alone* if it is a copy or a re-coding of it: each of its repeated values stands for one
//! label, or the order of its values is the order of the labels (for classes: each class is one interval), or it alone tells
//! two classes apart with an area under the ROC curve of [`TELLING`] or more. Two features explain a number if their sum or
//! difference is it. Such features are seldom known before the label is.

use super::labels::Labels;
use crate::order::number_of;

/// With fewer rows it may be chance.
const FEWEST_ROWS: usize = 30;
/// Whatever breaks the pattern usually does so early: these many rows are tried before all are.
const TRIALS: [usize; 2] = [1_000, 30_000];

/// An area under the ROC curve that honest inputs seldom reach alone.
const TELLING: f64 = 0.8;
/// Rows that the area is taken of, evenly spaced.
const RANKED: usize = 100_000;
/// Rows of each feature that sums are looked for in.
pub(super) const SUMMED: usize = 5_000;

/// How a feature explains the target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Leak {
    /// Each value stands for one label.
    Value {
        /// How many values there are.
        values: usize,
    },
    /// The order of values is that of the labels.
    Order,
    /// The order of values tells two classes apart.
    Rank {
        /// Area under the ROC curve, at least a half.
        auc: f64,
    },
}

/// Looks for a leak in the keys of a feature, a row at a time; equal keys are equal values. `ordered` says whether the order
/// of the keys means something.
pub(super) fn find(feature: &[Option<i64>], ordered: bool, labels: &Labels) -> Option<Leak> {
    let alone = || (ordered && !labels.ordered).then(|| area(feature, labels)).flatten();
    whole(feature, ordered, labels).or_else(|| alone().filter(|auc| *auc >= TELLING).map(|auc| Leak::Rank { auc }))
}

/// How well the order of the values tells two classes apart; none unless there are two.
fn area(feature: &[Option<i64>], labels: &Labels) -> Option<f64> {
    let step = feature.len().div_ceil(RANKED).max(1);
    let pairs = feature.iter().zip(&labels.keys).step_by(step);
    let mut pairs: Vec<(i64, i64)> = pairs.filter_map(|(value, label)| Some(((*value)?, (*label)?))).collect();
    if pairs.len() < FEWEST_ROWS || labels.keys.iter().flatten().any(|class| !(0..2).contains(class)) {
        return None;
    }
    pairs.sort_unstable();
    // Mann and Whitney's count: each pair of classes is won by the greater value; ties are half.
    let (mut below, mut won, mut zeros, mut ones) = (0.0, 0.0, 0.0, 0.0);
    for run in pairs.chunk_by(|a, b| a.0 == b.0) {
        let class = run.iter().filter(|(_, class)| *class == 1).count() as f64;
        let other = run.len() as f64 - class;
        won += class * (below + other / 2.0);
        below += other;
        zeros += other;
        ones += class;
    }
    let auc: f64 = won / (zeros * ones);
    (zeros > 0.0 && ones > 0.0).then(|| auc.max(1.0 - auc))
}

/// Pairs of features of which one plus or minus the other is the label, in every one of the first rows. `columns` are the
/// first values of each.
pub(super) fn sums<'f>(
    columns: &[(&'f str, Vec<Option<f64>>)],
    labels: &Labels,
) -> Vec<(&'f str, &'static str, &'f str)> {
    let label: Vec<Option<f64>> = labels.keys.iter().take(SUMMED).map(|key| key.map(number_of)).collect();
    let mut found = Vec::new();
    for (place, (first, a)) in columns.iter().enumerate() {
        for (second, b) in &columns[place + 1..] {
            for (word, signs) in [("plus", (1.0, 1.0)), ("minus", (1.0, -1.0)), ("from", (-1.0, 1.0))] {
                let mut judged = 0;
                let fits = a.iter().zip(b).zip(&label).all(|((a, b), label)| match (a, b, label) {
                    (Some(a), Some(b), Some(label)) => {
                        judged += 1;
                        (signs.0 * a + signs.1 * b - label).abs() <= 1e-9 * label.abs().max(1.0)
                    }
                    _ => true,
                });
                if fits && judged >= FEWEST_ROWS {
                    found.push((*first, word, *second));
                }
            }
        }
    }
    found
}

/// A leak that holds in every row.
fn whole(feature: &[Option<i64>], ordered: bool, labels: &Labels) -> Option<Leak> {
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
            Some(Leak::Value { values: self.values })
        } else {
            (ordered && self.in_order).then_some(Leak::Order)
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
        assert_eq!(find(&feature, false, &target), Some(Leak::Value { values: 3 }));
    }

    #[test]
    fn a_threshold_that_separates_classes_is_found() {
        let target = labels((0..5_000).map(|row| i64::from(row * 7 % 5_000 >= 2_500)), false);
        let feature = column((0..5_000).map(|row| row * 7 % 5_000));
        assert_eq!(find(&feature, true, &target), Some(Leak::Order));
    }

    #[test]
    fn a_monotone_function_of_a_number_is_found() {
        let target = labels((0..2_000).map(|row| row * 37 % 2_000), true);
        let feature = column((0..2_000).map(|row| -(row * 37 % 2_000_i64).pow(3)));
        assert_eq!(find(&feature, true, &target), Some(Leak::Order));
    }

    // Of all pairs of the two classes, 0.8445 are in order, ties counted half.
    #[test]
    fn a_number_that_tells_the_classes_apart_alone_is_found() {
        let target = labels((0..200).map(|row| row % 2), false);
        let feature = column((0..200).map(|row| row * row % 23 + 9 * (row % 2)));
        let Some(Leak::Rank { auc }) = find(&feature, true, &target) else { panic!("it is not found") };
        assert!((auc - 0.8445).abs() < 1e-12, "{auc}");
    }

    #[test]
    fn two_numbers_whose_sum_is_the_target_are_found() {
        let key = crate::order::key_of;
        let value = |row: i64| ((row * 37 % 101) as f64, (row * 53 % 97) as f64);
        let target = labels((0..200).map(|row| key(value(row).0 + value(row).1)), true);
        let parts = |take: fn((f64, f64)) -> f64| (0..200).map(|row| Some(take(value(row)))).collect::<Vec<_>>();
        let columns = [("a", parts(|pair| pair.0)), ("b", parts(|pair| pair.1)), ("c", parts(|pair| pair.0 * 2.0))];
        assert_eq!(sums(&columns, &target), [("a", "plus", "b")]);
    }

    #[test]
    fn an_identifier_explains_nothing() {
        let target = labels((0..50_000).map(|row| row % 2), false);
        assert_eq!(find(&column(0..50_000), true, &target), None);
        assert_eq!(find(&column(0..50_000), false, &target), None);
    }

    #[test]
    fn one_exception_in_the_last_row_makes_it_no_copy() {
        let target = labels((0..40_000).map(|row| row % 2), false);
        let feature = column((0..40_000).map(|row| if row == 39_999 { 0 } else { row % 2 }));
        assert_eq!(find(&feature, false, &target), None);
        assert!(matches!(find(&feature, true, &target), Some(Leak::Rank { auc }) if auc > 0.999));
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
