//! Rows by key, in order of time.

use super::keys::{Keys, NO_KEY};
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
        let mut numbers = keys.enter_all(&key, dataset.rows());
        if let Some(times) = times.filter(|times| times.missing() > 0) {
            for (_, number) in numbers.iter_mut().enumerate().filter(|(row, _)| times.is_missing(*row)) {
                *number = NO_KEY;
            }
        }
        let starts = starts_of(&numbers, keys.len());
        let placed = starts.last().map_or(0, |end| *end as usize);
        let (mut events, mut rows) = (vec![ALWAYS; placed], vec![0; placed]);
        let mut knowns = known.map(|_| vec![ALWAYS; placed]);
        // One pass in the order of the rows, each thrown to its place: reading in order and writing here and there costs less than
        // the other way round.
        let mut next = starts.clone();
        for (row, number) in numbers.iter().enumerate().filter(|(_, number)| **number != NO_KEY) {
            let place = next[*number as usize] as usize;
            next[*number as usize] += 1;
            let event = times.map_or(ALWAYS, |times| time_of(times, row));
            events[place] = event;
            rows[place] = row as u32;
            if let (Some(known), Some(knowns)) = (known, &mut knowns) {
                // A row whose known time is missing is known from the time it holds.
                knowns[place] = if known.is_missing(row) { event } else { time_of(known, row) };
            }
        }
        let mut timeline = Self { keys, starts, events, known: knowns, rows };
        for key in 0..timeline.keys.len() {
            timeline.put_in_order(timeline.starts[key] as usize..timeline.starts[key + 1] as usize);
        }
        timeline
    }

    /// Puts the rows of one key in order of event time, known time and row, unless they are.
    fn put_in_order(&mut self, range: std::ops::Range<usize>) {
        let known = self.known.as_ref();
        let of = |place: usize| (self.events[place], known.map(|known| known[place]), self.rows[place]);
        if range.clone().is_sorted_by_key(of) {
            return;
        }
        let mut ordered: Vec<(i64, Option<i64>, u32)> = range.clone().map(of).collect();
        ordered.sort_unstable();
        for (place, (event, at, row)) in range.zip(ordered) {
            self.events[place] = event;
            self.rows[place] = row;
            if let (Some(known), Some(at)) = (&mut self.known, at) {
                known[place] = at;
            }
        }
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

#[inline]
fn time_of(cells: &Cells, row: usize) -> i64 {
    match cells {
        Cells::Time(times) => times.values()[row],
        _ => ALWAYS,
    }
}

fn starts_of(numbers: &[u32], keys: usize) -> Vec<u32> {
    let mut starts = vec![0; keys + 1];
    for number in numbers.iter().filter(|number| **number != NO_KEY) {
        starts[*number as usize + 1] += 1;
    }
    for key in 0..keys {
        starts[key + 1] += starts[key];
    }
    starts
}
