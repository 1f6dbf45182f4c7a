//! Rows by key, in order of time.

use super::keys::{Keys, Part};
use crate::dataset::{Cells, Dataset};

/// A time before all others: that of rows that hold always.
const ALWAYS: i64 = i64::MIN;

/// The rows of a dataset by key, in order of event time, known time and row. Rows without a key or without a time are left
/// out.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    pub keys: Keys,
    /// Where the rows of each key begin, and one place more.
    starts: Vec<u32>,
    events: Vec<i64>,
    /// None when a row is known from the time it holds.
    known: Option<Vec<i64>>,
    rows: Vec<u32>,
}

/// The rows of one key.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Moments<'a> {
    pub events: &'a [i64],
    known: Option<&'a [i64]>,
    pub rows: &'a [u32],
}

impl Timeline {
    /// The timeline of a dataset, by the slots of its key, its event time and its known time.
    pub fn new(dataset: &Dataset, key: &[usize], event: Option<usize>, known: Option<usize>) -> Self {
        let mut keys = Keys::default();
        let times = event.map(|slot| dataset.cells(slot));
        let known = known.map(|slot| dataset.cells(slot));
        let key: Vec<&Cells> = key.iter().map(|slot| dataset.cells(*slot)).collect();
        let mut entries: Vec<(u32, u32)> = Vec::with_capacity(dataset.rows());
        for row in 0..dataset.rows() {
            let timeless = times.is_some_and(|times| times.is_missing(row));
            if let (false, Some(key)) = (timeless, keys.enter(key.iter().map(|cells| Part::of_cell(cells, row)))) {
                entries.push((key, row as u32));
            }
        }
        let starts = starts_of(&entries, keys.len());
        let mut next = starts.clone();
        let mut rows = vec![0; entries.len()];
        for (key, row) in &entries {
            let place = &mut next[*key as usize];
            rows[*place as usize] = *row;
            *place += 1;
        }
        let event_of = |row: u32| times.map_or(ALWAYS, |times| time_of(times, row));
        // A row whose known time is missing is known from the time it holds.
        let known_of = |row: u32| {
            known.map(|known| if known.is_missing(row as usize) { event_of(row) } else { time_of(known, row) })
        };
        for key in 0..keys.len() {
            let of_key = &mut rows[starts[key] as usize..starts[key + 1] as usize];
            if !of_key.is_sorted_by_key(|row| (event_of(*row), known_of(*row))) {
                of_key.sort_by_key(|row| (event_of(*row), known_of(*row)));
            }
        }
        let events = rows.iter().map(|row| event_of(*row)).collect();
        let known = known.map(|_| rows.iter().map(|row| known_of(*row).unwrap_or(ALWAYS)).collect());
        Self { keys, starts, events, known, rows }
    }

    /// The rows of a key, by its number.
    pub fn of(&self, key: u32) -> Moments<'_> {
        let Some(end) = self.starts.get(key as usize + 1) else { return Moments::default() };
        let range = self.starts[key as usize] as usize..*end as usize;
        Moments {
            events: &self.events[range.clone()],
            known: self.known.as_ref().map(|known| &known[range.clone()]),
            rows: &self.rows[range],
        }
    }
}

impl Moments<'_> {
    /// When the moment became known.
    pub fn known(&self, moment: usize) -> i64 {
        self.known.map_or(self.events[moment], |known| known[moment])
    }

    /// Whether every moment is known from its event time on.
    pub const fn known_at_once(&self) -> bool {
        self.known.is_none()
    }

    /// The newest row that holds and is known at `time`, and is not older than `time_to_live` (both in microseconds).
    pub fn as_of(&self, time: i64, time_to_live: Option<i64>) -> Option<u32> {
        let oldest = time_to_live.map_or(i64::MIN, |span| time.saturating_sub(span));
        let end = self.events.partition_point(|event| *event <= time);
        (0..end)
            .rev()
            .take_while(|moment| self.events[*moment] >= oldest)
            .find(|moment| self.known(*moment) <= time)
            .map(|moment| self.rows[moment])
    }
}

fn time_of(cells: &Cells, row: u32) -> i64 {
    match cells {
        Cells::Time(times) => times.values()[row as usize],
        _ => ALWAYS,
    }
}

fn starts_of(entries: &[(u32, u32)], keys: usize) -> Vec<u32> {
    let mut starts = vec![0; keys + 1];
    for (key, _) in entries {
        starts[*key as usize + 1] += 1;
    }
    for key in 0..keys {
        starts[key + 1] += starts[key];
    }
    starts
}
