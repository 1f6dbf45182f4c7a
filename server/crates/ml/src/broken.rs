//! Data that breaks, for fire drills: one column of the rows from one time to another, as broken sources deliver it.

use std::collections::BTreeMap;

use millrace_domain::rehearsal::{Breakage, Drill};
use millrace_domain::schema::Value;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::Dataset;

const MICROS: i64 = 1_000_000;

/// The rows as they arrive when the column breaks.
///
/// What is shuffled stays in its window of so many seconds: what comes later is not known yet.
pub fn broken(rows: &Dataset, event_time: &str, window: u64, drill: &Drill, seed: u64) -> Dataset {
    let (Some(time), Some(column)) = (rows.slot(event_time), rows.slot(&drill.column)) else { return rows.clone() };
    let (times, cells) = (rows.cells(time), rows.cells(column));
    let from = drill.from.timestamp_micros();
    let until = drill.until.map_or(i64::MAX, |until| until.timestamp_micros());
    let at = |row: usize| match times.value(row) {
        Value::Time(at) => Some(at),
        _ => None,
    };
    let hit: Vec<u32> = (0..rows.rows())
        .filter(|row| at(*row).is_some_and(|at| at >= from && at < until))
        .map(|row| row as u32)
        .collect();
    let mut taken: Vec<u32> = (0..rows.rows() as u32).collect();
    match drill.how {
        Breakage::Missing => hit.iter().for_each(|row| taken[*row as usize] = u32::MAX),
        Breakage::Stuck => {
            let before = (0..rows.rows()).filter(|row| at(*row).is_some_and(|at| at < from));
            let last = before.max_by_key(|row| (at(*row), *row)).map_or(u32::MAX, |row| row as u32);
            hit.iter().for_each(|row| taken[*row as usize] = last);
        }
        Breakage::Shuffled => {
            let length = i64::try_from(window).unwrap_or(i64::MAX / MICROS).saturating_mul(MICROS).max(1);
            let mut windows: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
            for row in hit {
                windows.entry(at(row as usize).unwrap_or_default().div_euclid(length)).or_default().push(row);
            }
            let mut generator = ChaCha8Rng::seed_from_u64(seed);
            for own in windows.into_values() {
                let mut others = own.clone();
                others.shuffle(&mut generator);
                own.iter().zip(others).for_each(|(row, other)| taken[*row as usize] = other);
            }
        }
    }
    rows.with_cells(&drill.column, cells.take_or_missing(&taken))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::dataset::ColumnData;

    const DAY: i64 = 86_400_000_000;

    fn rows() -> Dataset {
        let times = (0..6).map(|day| Some(day * DAY)).collect();
        let names = ["a", "b", "c", "d", "e", "f"].into_iter().map(|name| Some(name.to_owned())).collect();
        let columns = [("at", ColumnData::Time(times)), ("kind", ColumnData::Text(names))];
        Dataset::from_parts(columns).expect("a dataset")
    }

    /// What `kind` is when it breaks from the third day to the fifth.
    fn kinds(how: Breakage) -> Vec<Option<String>> {
        kinds_in(how, 7 * 86_400)
    }

    fn kinds_in(how: Breakage, window: u64) -> Vec<Option<String>> {
        let day = |day: i64| DateTime::<Utc>::from_timestamp_micros(day * DAY).expect("a time");
        let drill = Drill { column: "kind".to_owned(), how, from: day(2), until: Some(day(5)) };
        let broken = broken(&rows(), "at", window, &drill, 3);
        let cells = broken.cells(1);
        let text = |row: usize| match cells.value(row) {
            Value::Text(text) => Some(text.to_string()),
            _ => None,
        };
        (0..6).map(text).collect()
    }

    fn some(kinds: [&str; 6]) -> Vec<Option<String>> {
        kinds.into_iter().map(|kind| (kind != "-").then(|| kind.to_owned())).collect()
    }

    #[test]
    fn what_is_missing_or_stuck_is_so_from_the_one_time_to_the_other_alone() {
        assert_eq!(kinds(Breakage::Missing), some(["a", "b", "-", "-", "-", "f"]));
        assert_eq!(kinds(Breakage::Stuck), some(["a", "b", "b", "b", "b", "f"]));
    }

    #[test]
    fn what_is_shuffled_are_the_same_values_at_other_rows() {
        let mut shuffled = kinds(Breakage::Shuffled);
        assert_ne!(shuffled, some(["a", "b", "c", "d", "e", "f"]));
        assert_eq!(
            kinds_in(Breakage::Shuffled, 86_400),
            some(["a", "b", "c", "d", "e", "f"]),
            "no value of another window"
        );
        shuffled[2..5].sort();
        assert_eq!(shuffled, some(["a", "b", "c", "d", "e", "f"]));
    }
}
