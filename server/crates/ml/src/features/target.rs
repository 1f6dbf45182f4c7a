//! Target encoding: a category as the mean label of its level, drawn towards the mean of all where rows are few or differ much
//! (D. Micci-Barreca, 2001): with the empirical Bayes weight of scikit-learn's `TargetEncoder`, `smooth="auto"`.
//!
//! A row that is trained on must not be told its own label, so each training row gets the encoding fitted on the other folds.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::number::moments;
use super::set::FeatureValue;

/// Training rows are divided into so many folds, each encoded by the others.
const FOLDS: usize = 5;

/// How a category is encoded by the label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetEncoder {
    /// The encoding of each level that training saw.
    levels: BTreeMap<String, f64>,
    /// That of a missing value.
    missing: f64,
    /// Mean label of the training part: that of a level it did not see.
    prior: f64,
    /// Mean of what training rows were told.
    pub(crate) mean: f64,
    /// Population standard deviation of that; 1 where it does not vary.
    pub(crate) standard_deviation: f64,
}

impl TargetEncoder {
    /// Fits on `rows`, whose labels are `targets`; gives what each of these rows is told, too.
    pub(super) fn fit(levels: &[String], codes: &[u32], rows: &[u32], targets: &[f64], seed: u64) -> (Self, Vec<f64>) {
        // What is missing is one level more.
        let code = |row: &u32| (codes[*row as usize] as usize).min(levels.len());
        let codes: Vec<usize> = rows.iter().map(code).collect();
        let told = out_of_fold(&codes, levels.len() + 1, targets, &folds(rows.len(), seed));
        let (encoded, prior) = encodings(&codes, levels.len() + 1, targets, |_| true);
        let mut seen = vec![false; levels.len() + 1];
        codes.iter().for_each(|code| seen[*code] = true);
        let known = levels.iter().zip(&encoded).zip(&seen).filter(|(_, seen)| **seen);
        let (mean, deviation) = moments(&told);
        let encoder = Self {
            levels: known.map(|((level, encoded), _)| (level.clone(), *encoded)).collect(),
            missing: encoded[levels.len()],
            prior,
            mean,
            standard_deviation: deviation.unwrap_or(1.0),
        };
        (encoder, told)
    }

    /// The levels that training saw.
    pub(super) fn levels(&self) -> impl Iterator<Item = &str> {
        self.levels.keys().map(String::as_str)
    }

    /// The number that a value is told as; a number is one that a training row was told.
    pub(super) fn number(&self, value: &FeatureValue<'_>) -> f64 {
        match value {
            FeatureValue::Category(level) => self.levels.get(level.as_ref()).copied().unwrap_or(self.prior),
            FeatureValue::Missing => self.missing,
            FeatureValue::Number(told) => *told,
        }
    }

    pub(super) fn standardised(&self, value: &FeatureValue<'_>) -> f64 {
        (self.number(value) - self.mean) / self.standard_deviation
    }

    /// Whether every number is finite and the deviation positive, as fitting leaves them.
    pub(crate) fn is_sound(&self) -> bool {
        let numbers = [self.missing, self.prior, self.mean, self.standard_deviation];
        self.levels.values().chain(&numbers).all(|number| number.is_finite()) && self.standard_deviation > 0.0
    }
}

/// The fold of each of `rows` rows: the rows are shuffled and dealt out in runs that differ by at most one.
fn folds(rows: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut folds = vec![0; rows];
    for (row, fold) in order.into_iter().zip(runs(rows)) {
        folds[row] = fold;
    }
    folds
}

/// `0 0 0 1 1 1 2 2 …`: the first folds have one row more where rows are left over.
fn runs(rows: usize) -> impl Iterator<Item = usize> {
    (0..FOLDS).flat_map(move |fold| std::iter::repeat_n(fold, rows / FOLDS + usize::from(fold < rows % FOLDS)))
}

/// What each row is told: the encoding of its level by the rows of other folds.
fn out_of_fold(codes: &[usize], levels: usize, targets: &[f64], folds: &[usize]) -> Vec<f64> {
    let mut told = vec![0.0; codes.len()];
    for fold in 0..FOLDS {
        let (encoded, _) = encodings(codes, levels, targets, |row| folds[row] != fold);
        for row in (0..codes.len()).filter(|row| folds[*row] == fold) {
            told[row] = encoded[codes[row]];
        }
    }
    told
}

/// The encoding of every level by the rows that are included, and the mean of those.
///
/// With n rows of a level, their mean m and population variance s, and mean M and population variance S of all rows, it is
/// w m + (1 - w) M with w = S n / (S n + s); M where that is no number.
fn encodings(codes: &[usize], levels: usize, targets: &[f64], included: impl Fn(usize) -> bool) -> (Vec<f64>, f64) {
    let rows = || (0..codes.len()).filter(|row| included(*row));
    let (mut counts, mut sums, mut all, mut total) = (vec![0.0; levels], vec![0.0; levels], 0.0, 0.0);
    for row in rows() {
        counts[codes[row]] += 1.0;
        sums[codes[row]] += targets[row];
        all += 1.0;
        total += targets[row];
    }
    let prior = if all > 0.0 { total / all } else { 0.0 };
    let (mut squares, mut scatter) = (vec![0.0; levels], 0.0);
    for row in rows() {
        let code = codes[row];
        squares[code] += (targets[row] - sums[code] / counts[code]).powi(2);
        scatter += (targets[row] - prior).powi(2);
    }
    let variance = scatter / all;
    let encoded = (0..levels).map(|level| {
        let spread = variance * counts[level];
        let weight = spread / (spread + squares[level] / counts[level]);
        if weight.is_nan() { prior } else { weight * (sums[level] / counts[level]) + (1.0 - weight) * prior }
    });
    (encoded.collect(), prior)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVELS: [&str; 3] = ["a", "b", "e"];
    /// Codes of `LEVELS`.
    const CODES: [usize; 23] = [2, 1, 0, 1, 0, 1, 0, 2, 0, 1, 0, 1, 0, 1, 2, 1, 0, 1, 0, 1, 0, 2, 0];
    const NUMBERS: [f64; 23] = [
        0.0, 3.5, 4.0, 2.0, 2.5, 6.0, 1.0, 3.0, 5.0, 3.0, 3.5, 1.5, 2.0, 5.5, 0.5, 4.0, 4.5, 2.5, 3.0, 6.5, 1.5, 3.5,
        0.0,
    ];

    fn close(found: &[f64], expected: &[f64]) -> bool {
        found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12)
    }

    #[test]
    fn encodings_are_those_of_scikit_learn() {
        // scikit-learn 1.9.1, TargetEncoder(smooth="auto").fit; tolerance 1e-12.
        let (encoded, prior) = encodings(&CODES, 3, &NUMBERS, |_| true);
        assert!(close(&encoded, &[2.7191870100366833, 3.7535480719654823, 1.942060188698841]), "{encoded:?}");
        assert!((prior - 2.9782608695652173).abs() < 1e-12);
        let truths = NUMBERS.map(|number| f64::from(u8::from(number > 3.0)));
        let (encoded, prior) = encodings(&CODES, 3, &truths, |_| true);
        assert!(close(&encoded, &[0.4030946908112351, 0.5434266729947793, 0.2796002826284445]), "{encoded:?}");
        assert!((prior - 0.43478260869565216).abs() < 1e-12);
    }

    #[test]
    fn what_training_rows_are_told_is_that_of_scikit_learn() {
        // scikit-learn 1.9.1, TargetEncoder(smooth="auto", cv=5, shuffle=False).fit_transform; tolerance 1e-12.
        let told = out_of_fold(&CODES, 3, &NUMBERS, &runs(23).collect::<Vec<_>>());
        let expected = [
            2.45184892228594,
            4.024194005055891,
            2.6147199714032974,
            4.024194005055891,
            2.6147199714032974,
            3.541123594470713,
            2.6379670677644076,
            1.6418274111675126,
            2.6379670677644076,
            3.541123594470713,
            2.7270727005546163,
            3.8400472752227386,
            2.7270727005546163,
            3.8400472752227386,
            2.354476871153464,
            3.8636411051690924,
            2.470893475264393,
            3.8636411051690924,
            2.470893475264393,
            3.449912126537786,
            3.174075648108797,
            1.5061301477522793,
            3.174075648108797,
        ];
        assert!(close(&told, &expected), "{told:?}");
    }

    #[test]
    fn no_row_is_told_its_own_label() {
        let levels: Vec<String> = (0..200).map(|level| level.to_string()).collect();
        let codes: Vec<u32> = (0..200).collect();
        let rows: Vec<u32> = (0..200).collect();
        let targets: Vec<f64> = (0..200).map(|row| f64::from(row % 2)).collect();
        let (_, told) = TargetEncoder::fit(&levels, &codes, &rows, &targets, 7);
        // Every level has one row: the others know nothing of it but their own mean.
        assert!(told.iter().all(|value| (value - 0.5).abs() < 0.1), "{told:?}");
    }

    #[test]
    fn a_level_that_training_did_not_see_is_the_mean_and_a_missing_one_has_its_own() {
        let levels = LEVELS.map(str::to_owned);
        let codes: Vec<u32> = CODES.iter().map(|code| if *code == 2 { u32::MAX } else { *code as u32 }).collect();
        let rows: Vec<u32> = (0..23).collect();
        let (encoder, _) = TargetEncoder::fit(&levels, &codes, &rows, &NUMBERS, 7);
        let number = |value: FeatureValue<'_>| encoder.number(&value);
        assert!((number(FeatureValue::Missing) - 1.942060188698841).abs() < 1e-12);
        assert!((number(FeatureValue::Category("a".into())) - 2.7191870100366833).abs() < 1e-12);
        for unseen in ["e", "never"] {
            assert!((number(FeatureValue::Category(unseen.into())) - 2.9782608695652173).abs() < 1e-12);
        }
        assert!(encoder.is_sound());
    }
}
