//! Rows by key, in order of time.

use rayon::prelude::*;

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
        let (mut events, mut rows) = (vec![0; placed], vec![0; placed]);
        let mut knowns = known.map(|_| vec![0; placed]);
        let table = Table { numbers: &numbers, times, known };
        pieces(&starts, &mut events, knowns.as_deref_mut(), &mut rows).into_par_iter().for_each(|mut piece| {
            piece.fill(table);
            piece.put_in_order();
        });
        Self { keys, starts, events, known: knowns, rows }
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

    /// Of the first `end` rows the newest that is known at `time`, and is not older than `oldest`.
    fn newest(&self, end: usize, time: i64, oldest: i64) -> Option<u32> {
        (0..end)
            .rev()
            .take_while(|moment| self.events[*moment] >= oldest)
            .find(|moment| self.known(*moment) <= time)
            .map(|moment| self.rows[moment])
    }
}

/// How many moments are looked for side by side: memory is waited for once for all of them, and not for each.
pub(crate) const SIDE_BY_SIDE: usize = 16;

impl Timeline {
    /// For each key and time that is asked for, the newest row that holds and is known then, and is not older than
    /// `time_to_live` (times in microseconds).
    pub fn as_of<const N: usize>(&self, asked: [Option<(u32, i64)>; N], time_to_live: Option<i64>) -> [Option<u32>; N] {
        let moments = asked.map(|asked| asked.map_or_else(Moments::default, |(key, _)| self.of(key)));
        let times = asked.map(|asked| asked.map_or(i64::MIN, |(_, time)| time));
        // A binary search of each, one step of all after the other.
        let mut ends = [0; N];
        let mut sizes = moments.map(|moments| moments.events.len());
        while sizes.iter().any(|size| *size > 0) {
            for lane in 0..N {
                let (size, half) = (sizes[lane], sizes[lane] / 2);
                let Some(middle) = moments[lane].events.get(ends[lane] + half).filter(|_| size > 0) else { continue };
                let holds = *middle <= times[lane];
                ends[lane] += if holds { half + 1 } else { 0 };
                sizes[lane] = if holds { size - half - 1 } else { half };
            }
        }
        std::array::from_fn(|lane| {
            let oldest = time_to_live.map_or(i64::MIN, |span| times[lane].saturating_sub(span));
            moments[lane].newest(ends[lane], times[lane], oldest)
        })
    }
}

/// What a timeline is made of: for each row the number of its key, its time and when it became known.
#[derive(Clone, Copy)]
struct Table<'a> {
    numbers: &'a [u32],
    times: Option<&'a Cells>,
    known: Option<&'a Cells>,
}

/// The places of some keys that follow each other.
struct Piece<'a> {
    /// The first key.
    least: u32,
    /// Where the rows of each key begin, and one place more.
    starts: &'a [u32],
    events: &'a mut [i64],
    known: Option<&'a mut [i64]>,
    rows: &'a mut [u32],
}

/// All places, in pieces that can be filled at the same time.
fn pieces<'a>(
    starts: &'a [u32],
    mut events: &'a mut [i64],
    mut known: Option<&'a mut [i64]>,
    mut rows: &'a mut [u32],
) -> Vec<Piece<'a>> {
    let share = rows.len().div_ceil(rayon::current_num_threads()).max(1) as u32;
    let (mut pieces, mut first) = (Vec::new(), 0);
    while first + 1 < starts.len() {
        let enough = starts[first] + share;
        // At least one key, and no more than fill a share.
        let last = first + 1 + starts[first + 2..].partition_point(|start| *start <= enough);
        let size = (starts[last] - starts[first]) as usize;
        let known = known.as_mut().map(|known| cut(known, size));
        let (events, rows) = (cut(&mut events, size), cut(&mut rows, size));
        pieces.push(Piece { least: first as u32, starts: &starts[first..=last], events, known, rows });
        first = last;
    }
    pieces
}

/// The first `size` of what is left.
fn cut<'a, T>(rest: &mut &'a mut [T], size: usize) -> &'a mut [T] {
    let (first, others) = std::mem::take(rest).split_at_mut(size);
    *rest = others;
    first
}

impl Piece<'_> {
    /// One pass in the order of the rows, each thrown to its place: reading in order and writing here and there costs less than the
    /// other way round, also where every piece reads all numbers.
    fn fill(&mut self, table: Table<'_>) {
        let begin = self.starts[0];
        let mut next: Vec<u32> = self.starts[..self.starts.len() - 1].iter().map(|start| start - begin).collect();
        for (row, number) in table.numbers.iter().enumerate() {
            let Some(next) = next.get_mut(number.wrapping_sub(self.least) as usize) else { continue };
            let place = *next as usize;
            *next += 1;
            let event = table.times.map_or(ALWAYS, |times| time_of(times, row));
            self.events[place] = event;
            self.rows[place] = row as u32;
            if let (Some(known), Some(cells)) = (&mut self.known, table.known) {
                // A row whose known time is missing is known from the time it holds.
                known[place] = if cells.is_missing(row) { event } else { time_of(cells, row) };
            }
        }
    }

    /// Puts the rows of each key in order of event time, known time and row, unless they are.
    fn put_in_order(&mut self) {
        let begin = self.starts[0];
        for key in self.starts.windows(2) {
            let range = (key[0] - begin) as usize..(key[1] - begin) as usize;
            let known = self.known.as_deref();
            let of = |place: usize| (self.events[place], known.map(|known| known[place]), self.rows[place]);
            if range.clone().is_sorted_by_key(of) {
                continue;
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
}

#[inline]
fn time_of(cells: &Cells, row: usize) -> i64 {
    match cells {
        Cells::Time(times) => times.values()[row],
        _ => ALWAYS,
    }
}

/// Where the rows of each key begin, and one place more.
fn starts_of(numbers: &[u32], keys: usize) -> Vec<u32> {
    let mut starts = vec![0; keys + 1];
    let share = keys.div_ceil(rayon::current_num_threads()).max(1);
    starts[1..].par_chunks_mut(share).enumerate().for_each(|(piece, counts)| {
        let least = (piece * share) as u32;
        for number in numbers {
            if let Some(count) = counts.get_mut(number.wrapping_sub(least) as usize) {
                *count += 1;
            }
        }
    });
    for key in 0..keys {
        starts[key + 1] += starts[key];
    }
    starts
}
