//! Simple predicates and keys, held against whole columns.

use millrace_domain::expr::{Bound, Limit, Simple};
use polars_arrow::array::{Array, PrimitiveArray, Utf8ViewArray, View};

use super::finding::Offenders;
use crate::dataset::{Cells, Dataset};
use crate::order::key_of;

/// How many rows a predicate judges, and those that break it; none where only the walk of its tree tells.
pub(super) fn simple(dataset: &Dataset, bound: &Bound, shown: impl Fn(usize) -> String) -> Option<(u64, Offenders)> {
    let mut broken = Offenders::default();
    let mut add = |row: usize| broken.add(row, || shown(row));
    let judged = match bound.simple()? {
        Simple::Present { slot } => {
            let cells = dataset.cells(slot);
            if cells.missing() > 0 {
                (0..cells.len()).filter(|row| cells.is_missing(*row)).for_each(add);
            }
            cells.len()
        }
        Simple::Within { slot, least, greatest } => {
            let above = |number: f64| match least {
                Limit::None => true,
                Limit::In(limit) => number >= limit,
                Limit::Out(limit) => number > limit,
            };
            let below = |number: f64| match greatest {
                Limit::None => true,
                Limit::In(limit) => number <= limit,
                Limit::Out(limit) => number < limit,
            };
            numbers(dataset.cells(slot), |number| above(number) && below(number), &mut add)?
        }
        Simple::Number { slot, among } => numbers(dataset.cells(slot), |number| among.contains(&number), &mut add)?,
        Simple::Text { slot, among } => match dataset.cells(slot) {
            Cells::Text(array) => texts(array, &among, &mut add),
            _ => return None,
        },
    };
    Some((judged as u64, broken))
}

/// How many numbers a column has; those that do not hold are given to `add`. None for other columns.
fn numbers(cells: &Cells, holds: impl Fn(f64) -> bool, add: impl FnMut(usize)) -> Option<usize> {
    match cells {
        Cells::Integer(array) => Some(scan(array, |value| holds(value as f64), add)),
        Cells::Number(array) => Some(scan(array, holds, add)),
        Cells::Boolean(_) | Cells::Time(_) | Cells::Text(_) => None,
    }
}

fn scan<T: polars_arrow::types::NativeType>(
    array: &PrimitiveArray<T>,
    holds: impl Fn(T) -> bool,
    mut add: impl FnMut(usize),
) -> usize {
    let present = array.validity();
    let is_present = |row: usize| present.is_none_or(|present| present.get_bit(row));
    // A block without a miss is the rule: it is counted without a branch a row.
    const BLOCK: usize = 1_024;
    for (block, values) in array.values().chunks(BLOCK).enumerate() {
        let misses = values.iter().fold(0_u32, |misses, value| misses + u32::from(!holds(*value)));
        if misses > 0 {
            let rows = values.iter().enumerate().map(|(row, value)| (block * BLOCK + row, value));
            rows.filter(|(row, value)| !holds(**value) && is_present(*row)).for_each(|(row, _)| add(row));
        }
    }
    array.len() - present.map_or(0, |present| present.unset_bits())
}

/// How many texts a column has; those that are none of `among` are given to `add`.
fn texts(array: &Utf8ViewArray, among: &[&str], mut add: impl FnMut(usize)) -> usize {
    let present = array.validity();
    let is_present = |row: usize| present.is_none_or(|present| present.get_bit(row));
    // A text of so many bytes lies in its view, which is then equal to no other's.
    let inline = |text: &&str| text.len() as u32 <= View::MAX_INLINE_SIZE;
    let views: Vec<u128> =
        among.iter().filter(|text| inline(text)).map(|text| View::new_inline(text.as_bytes()).as_u128()).collect();
    let long: Vec<&str> = among.iter().filter(|text| !inline(text)).copied().collect();
    for (row, view) in array.views().iter().enumerate() {
        let is_one = if view.is_inline() {
            views.contains(&view.as_u128())
        } else {
            !long.is_empty() && long.contains(&array.value(row))
        };
        if !is_one && is_present(row) {
            add(row);
        }
    }
    array.len() - present.map_or(0, |present| present.unset_bits())
}

/// Whether a column rises from each row to the next, so that no two of its values are equal.
pub(super) fn rises(cells: &Cells) -> bool {
    fn strictly<T: Copy>(values: &[T], key: impl Fn(T) -> i64) -> bool {
        const BLOCK: usize = 1_024;
        let falls = |block: &[T]| block.windows(2).fold(false, |falls, pair| falls | (key(pair[0]) >= key(pair[1])));
        // Blocks share a value, so that none of the steps is left out.
        (0..values.len().saturating_sub(1))
            .step_by(BLOCK)
            .all(|start| !falls(&values[start..(start + BLOCK + 1).min(values.len())]))
    }
    cells.missing() == 0
        && match cells {
            Cells::Integer(array) | Cells::Time(array) => strictly(array.values(), |value| value),
            Cells::Number(array) => strictly(array.values(), key_of),
            Cells::Boolean(_) | Cells::Text(_) => false,
        }
}

#[cfg(test)]
mod tests {
    use millrace_domain::expr::Expression;
    use millrace_domain::schema::Value;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::ColumnData;

    /// Numbers, whole numbers and texts with gaps, of more rows than a block holds.
    fn dataset(seed: u64) -> Dataset {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut gaps = |share: f64| -> Vec<bool> { (0..3_000).map(|_| rng.random_bool(share)).collect() };
        let (first, second, third) = (gaps(0.1), gaps(0.0), gaps(0.2));
        let mut some = ChaCha8Rng::seed_from_u64(seed + 1);
        let kinds = ["a", "b", "twelve bytes", "thirteen byte", "of many more bytes than a view holds", ""];
        Dataset::from_parts([
            ("x", ColumnData::Number(first.iter().map(|gap| (!gap).then(|| some.random_range(-3.0..3.0))).collect())),
            ("n", ColumnData::Integer(second.iter().map(|gap| (!gap).then(|| some.random_range(-3..3))).collect())),
            (
                "kind",
                ColumnData::Text(
                    third.iter().map(|gap| (!gap).then(|| kinds[some.random_range(0..6)].to_owned())).collect(),
                ),
            ),
        ])
        .unwrap()
    }

    #[test]
    fn a_scan_judges_as_the_evaluator_does() {
        for seed in 0..3 {
            let dataset = dataset(seed);
            for text in [
                "x BETWEEN -1 AND 2",
                "x > -2.9",
                "n < 2 AND n >= -3",
                "n <= 3",
                "x IS NOT NULL",
                "kind IS NOT NULL",
                "n IN (-1, 0, 2)",
                "kind IN ('a', 'thirteen byte')",
                "kind IN ('b', '', 'twelve bytes')",
                "CAST(kind AS text) IN ('of many more bytes than a view holds', 'a')",
            ] {
                let bound = Expression::parse(text).unwrap().bind(dataset.schema()).unwrap();
                let shown = |row: usize| row.to_string();
                let (judged, found) = simple(&dataset, &bound, shown).unwrap_or_else(|| panic!("{text} is not simple"));
                let (mut walked, mut expected) = (0, Offenders::default());
                for row in 0..dataset.rows() {
                    if let Value::Boolean(holds) = bound.evaluate(&dataset.row(row)) {
                        walked += 1;
                        if !holds {
                            expected.add(row, || shown(row));
                        }
                    }
                }
                assert_eq!((judged, &found), (walked, &expected), "{text}");
            }
        }
    }

    #[test]
    fn a_column_rises_when_each_value_is_greater_than_the_one_before() {
        let rises = |values: Vec<Option<i64>>| rises(&ColumnData::Integer(values).into());
        assert!(rises((0..3_000).map(Some).collect()));
        for row in [1, 1_024, 1_025, 2_999] {
            let equal = (0..3_000).map(|value| Some(if value == row { value - 1 } else { value })).collect();
            assert!(!rises(equal), "row {row}");
        }
        assert!(!rises(vec![Some(1), None, Some(2)]));
        assert!(rises(vec![]) && rises(vec![Some(1)]));
    }
}
