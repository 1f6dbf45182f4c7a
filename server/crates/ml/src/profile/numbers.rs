//! Numbers and times: sorted once, then read off.

use chrono::{DateTime, SecondsFormat};
use polars_arrow::array::PrimitiveArray;
use polars_arrow::types::NativeType;

use super::{Summary, most_frequent};
use crate::order::{key_of, number_of, quantile_by};

/// Bins of a histogram.
const BINS: usize = 20;
const QUANTILES: [f64; 7] = [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0];

pub(super) fn integers(array: &PrimitiveArray<i64>) -> Summary {
    let order = Order { number: |key| key as f64, text: |key| key.to_string() };
    let moments = moments(array, |value| value as f64);
    Summary { mean: moments.0, standard_deviation: moments.1, ..order.summary(present(array, |value| value)) }
}

pub(super) fn numbers(array: &PrimitiveArray<f64>) -> Summary {
    let order = Order { number: number_of, text: |key| number_of(key).to_string() };
    let moments = moments(array, |value| value);
    Summary { mean: moments.0, standard_deviation: moments.1, ..order.summary(present(array, key_of)) }
}

pub(super) fn times(array: &PrimitiveArray<i64>) -> Summary {
    let text = |micros: i64| {
        DateTime::from_timestamp_micros(micros)
            .map_or_else(|| micros.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    };
    Order { number: |key| key as f64, text }.summary(present(array, |value| value))
}

/// The keys of the cells that have a value.
fn present<T: NativeType>(array: &PrimitiveArray<T>, key: impl Fn(T) -> i64) -> Vec<i64> {
    if array.validity().is_none() {
        return array.values_iter().map(|value| key(*value)).collect();
    }
    array.non_null_values_iter().map(key).collect()
}

/// Mean and population standard deviation, each by a compensated sum in row order. The deviations are taken from the mean in a
/// second pass, so large values that differ little lose nothing (T. F. Chan et al., 1983). None when there are no values or
/// the result is beyond doubles.
fn moments<T: NativeType>(array: &PrimitiveArray<T>, number: impl Fn(T) -> f64) -> (Option<f64>, Option<f64>) {
    let count = array.len() - array.validity().map_or(0, |present| present.unset_bits());
    if count == 0 {
        return (None, None);
    }
    let values = || array.non_null_values_iter().map(&number);
    let mean = sum(values()) / count as f64;
    let squares = sum(values().map(|value| (value - mean) * (value - mean)));
    let deviation = (squares / count as f64).sqrt();
    (Some(mean).filter(|mean| mean.is_finite()), Some(deviation).filter(|deviation| deviation.is_finite()))
}

/// Neumaier's compensated sum.
fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0);
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
    }
    sum + lost
}

/// What sorted keys stand for.
struct Order<N: Fn(i64) -> f64, T: Fn(i64) -> String> {
    number: N,
    text: T,
}

impl<N: Fn(i64) -> f64, T: Fn(i64) -> String> Order<N, T> {
    fn summary(&self, mut keys: Vec<i64>) -> Summary {
        keys.sort_unstable();
        let mut distinct = 0;
        let runs = keys.chunk_by(|a, b| a == b).inspect(|_| distinct += 1).map(|run| (run[0], run.len() as u64));
        let top = most_frequent(runs);
        Summary {
            distinct,
            quantiles: self.quantiles(&keys),
            top: top.into_iter().map(|(key, count)| ((self.text)(key), count)).collect(),
            histogram: self.histogram(&keys),
            ..Summary::default()
        }
    }

    fn quantiles(&self, sorted: &[i64]) -> Option<[f64; 7]> {
        (!sorted.is_empty()).then(|| QUANTILES.map(|share| quantile_by(sorted, share, &self.number)))
    }

    /// Equal-width bins from the least to the greatest value; each holds its lower edge, the last one both.
    fn histogram(&self, sorted: &[i64]) -> Vec<(f64, f64, u64)> {
        let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else { return Vec::new() };
        let (low, high) = ((self.number)(*first), (self.number)(*last));
        if low == high {
            return vec![(low, high, sorted.len() as u64)];
        }
        let edge = |bin: usize| {
            let share = bin as f64 / BINS as f64;
            if bin == BINS { high } else { low * (1.0 - share) + high * share }
        };
        let mut counted = 0;
        (0..BINS)
            .map(|bin| {
                let (lower, upper) = (edge(bin), edge(bin + 1));
                let end = match bin + 1 {
                    BINS => sorted.len(),
                    _ => counted + sorted[counted..].partition_point(|key| (self.number)(*key) < upper),
                };
                let count = end - counted;
                counted = end;
                (lower, upper, count as u64)
            })
            .collect()
    }
}
