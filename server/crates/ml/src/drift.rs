//! Drift: every column of a dataset against the same column of a reference.
//!
//! Numbers are binned at the deciles of the reference (numpy's default quantiles, equal ones once), a bin holding its lower
//! edge. Where that leaves one bin, as with flags and with columns that are nearly always zero, the reference's values are
//! the edges if there are at most ten, and else whatever differs from the most frequent end. Texts and truth values have a
//! bin each, the most frequent [`MOST_VALUES`] of the reference and as many that are new. Times are not compared: they always
//! move.

mod ranks;

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::quality::FixedState;
use millrace_domain::drift::{
    Binning, ColumnDrift, DriftTable, FLOOR, KolmogorovSmirnov, distances, kolmogorov_smirnov,
};
use ranks::Ranked;

use crate::dataset::{Cells, Dataset};
use crate::order::{key_of, number_of, quantile, quantile_at};

/// Texts of the reference that have a bin each.
pub const MOST_VALUES: usize = 255;
/// Numbers of the reference that have a bin each, where deciles leave one bin.
const FEW_NUMBERS: usize = 10;
/// The parts that columns are binned in.
const TENTHS: u32 = 10;

/// Compares the columns that both have, of the same kind of values; `version` is the number of the reference.
pub fn compare(reference: &Dataset, current: &Dataset, version: i32) -> DriftTable {
    let compared = current.each_column(|slot, cells| {
        let name = &current.schema()[slot].name;
        compare_column(name, &reference.lend(reference.slot(name)?), cells)
    });
    let columns = compared.into_iter().flatten().collect();
    DriftTable {
        reference_dataset: None,
        reference_version: version,
        reference_rows: reference.rows() as u64,
        current_rows: current.rows() as u64,
        floor: FLOOR,
        columns,
    }
}

/// One column; none for times, for values of different kinds, and where one side has no rows.
fn compare_column(name: &str, reference: &Cells, current: &Cells) -> Option<ColumnDrift> {
    let (binning, before, now, ks) = match (numbers(reference), numbers(current)) {
        (Some(before), Some(now)) => {
            let Numbers { edges, below, ks } = compare_numbers(&before, &now);
            let counts =
                (counted(&below.0, before.len(), reference.missing()), counted(&below.1, now.len(), current.missing()));
            (Binning::Numbers { edges }, counts.0, counts.1, ks)
        }
        (None, None) => {
            let (before, now) = (texts(reference)?, texts(current)?);
            let mut values = most_frequent(before.iter());
            values.extend(most_frequent(now.iter().filter(|(text, _)| !before.contains_key(*text))));
            values.sort_unstable();
            let binning = Binning::Texts { values };
            let count = |texts: &Counts<'_>, cells: &Cells| {
                let mut counts = vec![0; binning.bins()];
                texts.iter().for_each(|(text, rows)| counts[binning.of_text(text)] += rows);
                counts[binning.missing()] = cells.missing() as u64;
                counts
            };
            let counts = (count(&before, reference), count(&now, current));
            (binning, counts.0, counts.1, None)
        }
        _ => return None,
    };
    let distances = distances(&before, &now)?;
    Some(ColumnDrift { column: name.to_owned(), binning, reference: before, current: now, distances, ks })
}

/// The values of a column of numbers; none for other columns.
fn numbers(cells: &Cells) -> Option<Cow<'_, [f64]>> {
    match cells {
        Cells::Integer(array) => Some(array.non_null_values_iter().map(|value| value as f64).collect()),
        Cells::Number(array) if cells.missing() == 0 => Some(Cow::Borrowed(array.values().as_slice())),
        Cells::Number(array) => Some(array.non_null_values_iter().collect()),
        Cells::Boolean(_) | Cells::Time(_) | Cells::Text(_) => None,
    }
}

/// The bins of two samples.
struct Numbers {
    /// Their edges.
    edges: Vec<f64>,
    /// How many values of each sample are below each edge.
    below: (Vec<usize>, Vec<usize>),
    ks: Option<KolmogorovSmirnov>,
}

fn compare_numbers(before: &[f64], now: &[f64]) -> Numbers {
    if let Some(Ranked { edges, before, now, ks }) = ranks::rank(before, now) {
        return Numbers { edges, below: (before, now), ks: Some(ks) };
    }
    let sorted = |values: &[f64]| {
        let mut keys: Vec<i64> = values.iter().map(|value| key_of(*value)).collect();
        keys.sort_unstable();
        keys
    };
    let (before, now) = (sorted(before), sorted(now));
    let edges = edges(&before);
    let below = |keys: &[i64]| edges.iter().map(|edge| keys.partition_point(|key| number_of(*key) < *edge)).collect();
    Numbers { below: (below(&before), below(&now)), ks: kolmogorov_smirnov(&before, &now), edges }
}

/// The edges of bins, from sorted keys of the reference.
fn edges(sorted: &[i64]) -> Vec<f64> {
    edges_of(sorted, TENTHS)
}

/// The same at the quantiles that part the reference into so many.
pub(crate) fn edges_of(sorted: &[i64], parts: u32) -> Vec<f64> {
    let (Some(least), Some(greatest)) = (sorted.first(), sorted.last()) else { return Vec::new() };
    if let Some(inner) = inner_quantiles(sorted.len(), parts, |rank| number_of(sorted[rank])) {
        return inner;
    }
    let (least, greatest) = (number_of(*least), number_of(*greatest));
    if least == greatest {
        return vec![least, least.next_up()];
    }
    let distinct: Vec<f64> =
        sorted.chunk_by(|a, b| a == b).take(FEW_NUMBERS + 1).map(|run| number_of(run[0])).collect();
    if distinct.len() <= FEW_NUMBERS {
        return distinct[1..].to_vec();
    }
    // Nine in ten values are the least, or the greatest.
    if least == quantile(sorted, 0.5) { vec![least.next_up()] } else { vec![greatest] }
}

/// The deciles between the least and the greatest of so many values, rising and each once, by the value at each rank; none where
/// there are none.
fn inner_deciles(count: usize, at: impl Fn(usize) -> f64) -> Option<Vec<f64>> {
    inner_quantiles(count, TENTHS, at)
}

/// The same of the quantiles that part them into so many.
fn inner_quantiles(count: usize, parts: u32, at: impl Fn(usize) -> f64) -> Option<Vec<f64>> {
    let quantile = |part: u32| quantile_at(count, f64::from(part) / f64::from(parts), &at);
    let mut quantiles: Vec<f64> = (0..=parts).map(quantile).collect();
    // Between the same two values, rounding can turn neighbours round.
    quantiles.sort_unstable_by(f64::total_cmp);
    quantiles.dedup();
    match quantiles.as_slice() {
        [_, inner @ .., _] if !inner.is_empty() => Some(inner.to_vec()),
        _ => None,
    }
}

/// Rows of each bin, from the number of values below each edge and in all.
fn counted(below: &[usize], values: usize, missing: usize) -> Vec<u64> {
    let mut counts = Vec::with_capacity(below.len() + 2);
    let mut before = 0;
    for end in below.iter().copied().chain([values]) {
        counts.push((end - before) as u64);
        before = end;
    }
    counts.push(missing as u64);
    counts
}

type Counts<'a> = HashMap<&'a str, u64, FixedState>;

/// How often each text or truth value comes; none for other columns.
fn texts(cells: &Cells) -> Option<Counts<'_>> {
    let mut counts = Counts::default();
    match cells {
        Cells::Text(array) => {
            for text in array.non_null_values_iter() {
                *counts.entry(text).or_default() += 1;
            }
        }
        Cells::Boolean(array) => {
            for truth in array.non_null_values_iter() {
                *counts.entry(if truth { "true" } else { "false" }).or_default() += 1;
            }
        }
        Cells::Integer(_) | Cells::Number(_) | Cells::Time(_) => return None,
    }
    Some(counts)
}

pub(crate) fn most_frequent<'a>(counts: impl Iterator<Item = (&'a &'a str, &'a u64)>) -> Vec<String> {
    let mut values: Vec<(&str, u64)> = counts.map(|(text, rows)| (*text, *rows)).collect();
    values.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    values.truncate(MOST_VALUES);
    values.into_iter().map(|(text, _)| text.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::ColumnData;

    fn numbers(values: impl IntoIterator<Item = f64>) -> Cells {
        ColumnData::Number(values.into_iter().map(Some).collect()).into()
    }

    fn drift(reference: &Cells, current: &Cells) -> ColumnDrift {
        compare_column("x", reference, current).unwrap()
    }

    #[test]
    fn a_constant_column_that_begins_to_move_is_seen() {
        let found = drift(&numbers([3.0; 100]), &numbers((0..100).map(f64::from)));
        assert_eq!((found.reference, found.current), (vec![0, 100, 0, 0], vec![3, 1, 96, 0]));
        assert!(found.distances.psi > 10.0);
    }

    #[test]
    fn a_flag_is_binned_by_value() {
        let found = drift(&numbers((0..100).map(|row| f64::from(u8::from(row < 95)))), &numbers([0.0, 0.0, 1.0, 1.0]));
        assert_eq!((found.reference, found.current), (vec![5, 95, 0], vec![2, 2, 0]));
    }

    #[test]
    fn a_column_of_nearly_nothing_but_zeros_is_split_beside_the_zero() {
        let reference = (0..1_000).map(|row| if row < 980 { 0.0 } else { f64::from(row) });
        let found = drift(&numbers(reference), &numbers([0.0, 5.0, 5.0]));
        assert_eq!((found.reference, found.current), (vec![980, 20, 0], vec![1, 2, 0]));
    }

    #[test]
    fn an_edge_belongs_to_the_bin_above_it() {
        let found = drift(&numbers((0..=10).map(f64::from)), &numbers([0.5, 1.0, 1.5, 2.0, 9.0]));
        let edges = (1..10).map(f64::from).collect();
        assert_eq!(found.binning, Binning::Numbers { edges });
        assert_eq!(found.reference, [1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 0]);
        assert_eq!(found.current, [1, 2, 1, 0, 0, 0, 0, 0, 0, 1, 0]);
    }

    #[test]
    fn deciles_that_are_equal_are_one_edge_and_bins_never_fall() {
        // 99.99 × (1 − p) + 99.99 × p is an ulp more than 99.99 for some p.
        for rows in [100_000, 1_000, 37] {
            let value = |row: usize| match row * 100 / rows {
                0..75 => row as f64 / rows as f64,
                75..97 => 99.99,
                _ => 100.0 + row as f64,
            };
            let found = drift(&numbers((0..rows).map(value)), &numbers((0..rows).map(value)));
            let Binning::Numbers { edges } = &found.binning else { panic!("numbers") };
            assert!(edges.windows(2).all(|pair| pair[0] < pair[1]), "{edges:?}");
            assert_eq!(found.reference.iter().sum::<u64>(), rows as u64);
            assert_eq!(found.distances.psi, 0.0);
        }
    }

    #[test]
    fn missing_cells_have_a_bin_of_their_own() {
        let gaps: Cells = ColumnData::Integer((0..10).map(|row| (row < 5).then_some(row)).collect()).into();
        let found = drift(&numbers((0..10).map(f64::from)), &gaps);
        assert_eq!(found.current.last(), Some(&5));
        assert_eq!(found.current.iter().sum::<u64>(), 10);
    }

    #[test]
    fn texts_beyond_the_most_frequent_share_a_bin() {
        let texts =
            |count: usize| -> Cells { ColumnData::Text((0..count).map(|row| Some(row.to_string())).collect()).into() };
        let found = drift(&texts(300), &texts(10));
        assert_eq!((found.reference.len(), found.reference[255]), (257, 45));
    }

    #[test]
    fn values_of_another_kind_are_not_compared() {
        let texts: Cells = ColumnData::Text(vec![Some("a".to_owned())]).into();
        assert_eq!(compare_column("x", &numbers([1.0]), &texts), None);
    }
}
