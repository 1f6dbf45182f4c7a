//! Rows by key, in order of time.

use std::sync::OnceLock;

use rayon::prelude::*;

use super::keys::{Keys, NO_KEY};
use super::sweep::Table;
use crate::dataset::{Cells, Dataset};

/// A time before all others: that of rows that hold always.
const ALWAYS: i64 = i64::MIN;

/// The rows of a dataset by key. Rows without a key or without a time are left out.
///
/// What is asked of many rows at once is answered in one sweep; for single questions, and for windows, the rows of each key are put
/// in order of event time, known time and row, once.
#[derive(Debug)]
pub(crate) struct Timeline {
    pub keys: Keys,
    /// The key of each row.
    numbers: Vec<u32>,
    events: Option<Cells>,
    known: Option<Cells>,
    ordered: OnceLock<Ordered>,
}

/// The rows of all keys, in order.
#[derive(Debug, Default)]
struct Ordered {
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
        let events = event.map(|slot| dataset.cells(slot).clone());
        let known = known.map(|slot| dataset.cells(slot).clone());
        let key: Vec<&Cells> = key.iter().map(|slot| dataset.cells(*slot)).collect();
        let mut numbers = keys.enter_all(&key, dataset.rows());
        if let Some(times) = events.as_ref().filter(|times| times.missing() > 0) {
            for (_, number) in numbers.iter_mut().enumerate().filter(|(row, _)| times.is_missing(*row)) {
                *number = NO_KEY;
            }
        }
        Self { keys, numbers, events, known, ordered: OnceLock::new() }
    }

    /// When a row holds.
    fn event(&self, row: usize) -> i64 {
        self.events.as_ref().map_or(ALWAYS, |times| time_of(times, row))
    }

    /// When a row became known: where nothing else is said, when it holds.
    fn known(&self, row: usize) -> i64 {
        match &self.known {
            Some(known) if !known.is_missing(row) => time_of(known, row),
            _ => self.event(row),
        }
    }

    /// For each key and time the newest row, as [`Moments::as_of`] finds it; `u32::MAX` where there is none.
    pub fn newest(&self, asked: &[(u32, Option<i64>)], time_to_live: Option<i64>) -> Vec<u32> {
        // Few questions are sooner answered one by one, where the rows lie in order already.
        if self.ordered.get().is_some() && asked.len() < self.numbers.len() / 4 {
            let find = |(key, time): &(u32, Option<i64>)| self.of(*key).as_of((*time)?, time_to_live);
            return asked.par_iter().map(|one| find(one).unwrap_or(u32::MAX)).collect();
        }
        let (event, known) = (|row: usize| self.event(row), |row: usize| self.known(row));
        Table { keys: &self.numbers, met: self.keys.len(), event, known }.newest(asked, time_to_live)
    }

    /// Puts the rows of each key in order, if they are not.
    pub fn make_ready(&self) {
        self.ordered();
    }

    fn ordered(&self) -> &Ordered {
        self.ordered.get_or_init(|| {
            let starts = starts_of(&self.numbers, self.keys.len());
            let placed = starts.last().map_or(0, |end| *end as usize);
            let (mut events, mut rows) = (vec![ALWAYS; placed], vec![0; placed]);
            let mut knowns = self.known.as_ref().map(|_| vec![ALWAYS; placed]);
            // One pass in the order of the rows, each thrown to its place: reading in order and writing here and there costs less
            // than the other way round.
            let mut next = starts.clone();
            for (row, number) in self.numbers.iter().enumerate().filter(|(_, number)| **number != NO_KEY) {
                let place = next[*number as usize] as usize;
                next[*number as usize] += 1;
                events[place] = self.event(row);
                rows[place] = row as u32;
                if let Some(knowns) = &mut knowns {
                    knowns[place] = self.known(row);
                }
            }
            let mut ordered = Ordered { starts, events, known: knowns, rows };
            for key in 0..self.keys.len() {
                ordered.put_in_order(ordered.starts[key] as usize..ordered.starts[key + 1] as usize);
            }
            ordered
        })
    }

    /// The rows of a key, by its number.
    pub fn of(&self, key: u32) -> Moments<'_> {
        let ordered = self.ordered();
        let Some(end) = ordered.starts.get(key as usize + 1) else { return Moments::default() };
        let range = ordered.starts[key as usize] as usize..*end as usize;
        Moments {
            events: &ordered.events[range.clone()],
            known: ordered.known.as_ref().map(|known| &known[range.clone()]),
            rows: &ordered.rows[range],
        }
    }
}

impl Ordered {
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

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::ColumnData;

    /// Rows of few keys and times, so that many are equal, some without a key, an event or a known time.
    fn table(rng: &mut ChaCha8Rng, in_order: bool) -> Dataset {
        let mut events: Vec<i64> = (0..2_000).map(|_| rng.random_range(0..500)).collect();
        if in_order {
            events.sort_unstable();
        }
        let keys = (0..2_000).map(|_| rng.random_bool(0.95).then(|| rng.random_range(0..40))).collect();
        let known =
            events.iter().map(|event| rng.random_bool(0.8).then(|| event + rng.random_range(-20..60))).collect();
        let events = events.into_iter().map(|event| rng.random_bool(0.97).then_some(event)).collect();
        Dataset::from_parts([
            ("key", ColumnData::Integer(keys)),
            ("event", ColumnData::Time(events)),
            ("known", ColumnData::Time(known)),
        ])
        .unwrap()
    }

    #[test]
    fn a_sweep_finds_for_many_what_is_found_for_each() {
        for seed in 0..12 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let dataset = table(&mut rng, seed % 2 == 0);
            let asked: Vec<(u32, Option<i64>)> = (0..1_500)
                .map(|_| {
                    let key = if rng.random_bool(0.05) { NO_KEY } else { rng.random_range(0..40) };
                    (key, rng.random_bool(0.95).then(|| rng.random_range(-50..700)))
                })
                .collect();
            for (known, time_to_live) in [(Some(2), None), (Some(2), Some(60)), (None, Some(0)), (None, None)] {
                let timeline = Timeline::new(&dataset, &[0], Some(1), known);
                let swept = timeline.newest(&asked, time_to_live);
                let find = |(key, time): &(u32, Option<i64>)| timeline.of(*key).as_of((*time)?, time_to_live);
                let each: Vec<u32> = asked.iter().map(|one| find(one).unwrap_or(u32::MAX)).collect();
                assert_eq!(swept, each, "seed {seed}, known {known:?}, time to live {time_to_live:?}");
                // Now that they lie in order, few are asked one by one.
                assert_eq!(timeline.newest(&asked[..100], time_to_live), each[..100]);
            }
        }
    }
}
