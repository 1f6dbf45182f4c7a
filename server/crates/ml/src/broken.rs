//! Data that breaks, for fire drills: one column of the rows from one time to another, as broken sources deliver it, or as the world drifts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use millrace_domain::rehearsal::{Breakage, Drill};
use millrace_domain::schema::Value;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Dataset;
use crate::dataset::{Cells, ColumnData};

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
            let last = before.max_by_key(|row| (at(*row), *row)).map(|row| row as u32);
            // What was stuck all along is so at its first value.
            let last =
                last.or_else(|| hit.iter().copied().min_by_key(|row| (at(*row as usize), *row))).unwrap_or(u32::MAX);
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
        Breakage::Drifting => {
            let before: Vec<u32> =
                (0..rows.rows() as u32).filter(|row| at(*row as usize).is_some_and(|at| at < from)).collect();
            let drifted = drifted(&hit, at, from, until);
            if let Some(moved) = moved(cells, &before, &drifted, drill.by) {
                return rows.with_cells(&drill.column, moved);
            }
            let of = if before.is_empty() { &hit } else { &before };
            let mut generator = ChaCha8Rng::seed_from_u64(seed);
            if let Some(common) = commonest(cells, of) {
                for (row, share) in drifted {
                    if generator.random::<f64>() < share * drill.by.abs() {
                        taken[row as usize] = common;
                    }
                }
            }
        }
    }
    rows.with_cells(&drill.column, cells.take_or_missing(&taken))
}

/// The rows of a history that was broken all along until the drill begins, as somebody's who fits a bad model on it then. Nothing of what comes
/// later is in it.
pub fn broken_all_along(rows: &Dataset, event_time: &str, drill: &Drill, seed: u64) -> Dataset {
    let whole = Drill { from: DateTime::<Utc>::MIN_UTC, until: Some(drill.from), ..drill.clone() };
    broken(rows, event_time, u64::MAX, &whole, seed)
}

/// How far each row has drifted, of 0 to 1: evenly, from the first to the last of those that are hit.
fn drifted(hit: &[u32], at: impl Fn(usize) -> Option<i64>, from: i64, until: i64) -> Vec<(u32, f64)> {
    let times = || hit.iter().filter_map(|row| at(*row as usize));
    let begins = times().min().unwrap_or(from).max(from);
    let ends = if until == i64::MAX { times().max().unwrap_or(from) } else { until };
    let length = ends.saturating_sub(begins).max(1) as f64;
    let share =
        |row: &u32| (at(*row as usize).unwrap_or(begins).saturating_sub(begins) as f64 / length).clamp(0.0, 1.0);
    hit.iter().map(|row| (*row, share(row))).collect()
}

/// Numbers that have moved; none of cells that hold no numbers. By deviations of those that came `before`, or of those that move where none
/// did.
fn moved(cells: &Cells, before: &[u32], drifted: &[(u32, f64)], by: f64) -> Option<Cells> {
    let number = |row: usize| match cells.value(row) {
        Value::Number(number) => Some(number),
        _ => None,
    };
    let known: Vec<f64> = before.iter().filter_map(|row| number(*row as usize)).collect();
    let moving = || drifted.iter().filter_map(|(row, _)| number(*row as usize)).collect();
    let known: Vec<f64> = if known.len() > 1 { known } else { moving() };
    let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
    let deviation = (known.iter().map(|own| (own - mean).powi(2)).sum::<f64>() / known.len().max(1) as f64).sqrt();
    let mut shift = vec![0.0; cells.len()];
    drifted.iter().for_each(|(row, share)| shift[*row as usize] = share * by * deviation);
    match cells {
        Cells::Number(_) => {
            let moved = (0..cells.len()).map(|row| Some(number(row)? + shift[row]));
            Some(ColumnData::Number(moved.collect()).into())
        }
        // Large ones are no floating-point numbers.
        Cells::Integer(own) => {
            let whole = |row: usize| own.values()[row].saturating_add(shift[row].round() as i64);
            let moved = (0..cells.len()).map(|row| (!cells.is_missing(row)).then(|| whole(row)));
            Some(ColumnData::Integer(moved.collect()).into())
        }
        _ => None,
    }
}

/// The row of the value that came most often; of equals the one that is first in order.
fn commonest(cells: &Cells, rows: &[u32]) -> Option<u32> {
    let mut counts: BTreeMap<String, (u64, u32)> = BTreeMap::new();
    for row in rows.iter().filter(|row| !cells.is_missing(**row as usize)) {
        counts.entry(format!("{:?}", cells.value(*row as usize))).or_insert((0, *row)).0 += 1;
    }
    let most = counts.values().map(|(times, _)| *times).max()?;
    counts.into_values().find(|(times, _)| *times == most).map(|(_, row)| row)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(day * DAY).expect("a time")
    }

    fn drill(column: &str, how: Breakage, by: f64) -> Drill {
        let column = column.to_owned();
        Drill { column, how, by, from: day(2), until: Some(day(5)), is_model: false }
    }

    fn kinds_in(how: Breakage, window: u64) -> Vec<Option<String>> {
        let drill = drill("kind", how, 1.0);
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

    #[test]
    fn numbers_drift_evenly_by_so_many_deviations_and_are_whole_again_after() {
        let times = (0..7).map(|day| Some(day * DAY)).collect();
        let numbers = [0, 20, 10, 10, 10, 10, 10].map(|number: i64| Some(number)).to_vec();
        let rows = Dataset::from_parts([("at", ColumnData::Time(times)), ("n", ColumnData::Integer(numbers))]);
        let rows = rows.expect("a dataset");
        // Those before have a deviation of 10, and the drift goes from the third day to the sixth.
        let broken = broken(&rows, "at", 86_400, &drill("n", Breakage::Drifting, 3.0), 3);
        let numbers: Vec<Value<'_>> = (0..7).map(|row| broken.cells(1).value(row)).collect();
        assert_eq!(numbers, [0.0, 20.0, 10.0, 20.0, 30.0, 10.0, 10.0].map(Value::Number));
    }

    #[test]
    fn what_was_broken_all_along_holds_nothing_of_later_and_is_stuck_at_its_first_value() {
        let of = |how: Breakage| {
            let drill = Drill { from: day(3), until: None, is_model: true, ..drill("kind", how, 1.0) };
            let broken = broken_all_along(&rows(), "at", &drill, 3);
            let text = |row: usize| match broken.cells(1).value(row) {
                Value::Text(text) => Some(text.to_string()),
                _ => None,
            };
            (0..6).map(text).collect::<Vec<_>>()
        };
        assert_eq!(of(Breakage::Stuck), some(["a", "a", "a", "d", "e", "f"]));
        let mut shuffled = of(Breakage::Shuffled);
        shuffled[..3].sort();
        assert_eq!(shuffled, some(["a", "b", "c", "d", "e", "f"]));
    }

    #[test]
    fn of_other_values_a_growing_share_drifts_to_the_commonest() {
        let (times, kinds): (Vec<_>, Vec<_>) = (0..6_000)
            .map(|row: i64| {
                let kind = if row % 3 == 0 { "rare" } else { "usual" };
                (Some(row * DAY / 1_000), Some(kind.to_owned()))
            })
            .unzip();
        let rows = Dataset::from_parts([("at", ColumnData::Time(times)), ("kind", ColumnData::Text(kinds))]);
        let rows = rows.expect("a dataset");
        let broken = broken(&rows, "at", 86_400, &drill("kind", Breakage::Drifting, 1.0), 3);
        let rare = |from: usize| {
            let own = (from..from + 1_000)
                .filter(|row| matches!(&broken.cells(1).value(*row), Value::Text(kind) if kind == "rare"));
            own.count()
        };
        assert_eq!((rare(0), rare(5_000)), (334, 333), "before and after");
        let (first, last) = (rare(2_000), rare(4_000));
        assert!((250..310).contains(&first) && (30..80).contains(&last), "{first} and {last} of 333");
    }
}
