//! The newest rows of a table as of many times, in one sweep through time.
//!
//! A table row counts from the later of its event and its known time on. In that order the newest row of each key is kept at hand,
//! and what is asked about a key at a time finds the row that is at hand then: what [`Moments::as_of`](super::timeline::Moments::as_of)
//! finds among the rows of a key, without putting those in order.

use rayon::prelude::*;

use super::keys::NO_KEY;

/// Rows that are put in order together.
const RUN: usize = 256;

/// The rows of a table: of each its key, when it holds, and when it became known.
pub(super) struct Table<'a, E, K> {
    /// [`NO_KEY`] where a row counts for nothing.
    pub keys: &'a [u32],
    /// How many keys there are.
    pub met: usize,
    pub event: E,
    /// The event's own time where nothing else is known.
    pub known: K,
}

/// The row of a key that is at hand.
#[derive(Clone, Copy)]
struct AtHand {
    event: i64,
    known: i64,
    row: u32,
}

impl<E, K> Table<'_, E, K>
where
    E: Fn(usize) -> i64 + Sync,
    K: Fn(usize) -> i64 + Sync,
{
    /// For each key and time the newest row that holds and is known by then and is not older than `time_to_live`; `u32::MAX` where
    /// there is none. Without a key or a time there is none.
    pub(super) fn newest(&self, asked: &[(u32, Option<i64>)], time_to_live: Option<i64>) -> Vec<u32> {
        let order = |row: &usize| asked[*row].1;
        let mut questions: Vec<usize> =
            (0..asked.len()).filter(|row| asked[*row].0 != NO_KEY && asked[*row].1.is_some()).collect();
        if !questions.is_sorted_by_key(order) {
            questions.par_sort_unstable_by_key(order);
        }
        let nothing = AtHand { event: i64::MIN, known: i64::MIN, row: u32::MAX };
        let mut hands = vec![nothing; self.met];
        let mut found = vec![u32::MAX; asked.len()];
        let mut rows = self.by_time().into_iter().peekable();
        for question in questions {
            let (key, Some(time)) = asked[question] else { continue };
            while let Some((_, row)) = rows.next_if(|(counts, _)| *counts <= time) {
                let (event, known) = ((self.event)(row as usize), (self.known)(row as usize));
                let hand = &mut hands[self.keys[row as usize] as usize];
                if hand.row == u32::MAX || (event, known, row) > (hand.event, hand.known, hand.row) {
                    *hand = AtHand { event, known, row };
                }
            }
            let hand = hands[key as usize];
            let oldest = time_to_live.map_or(i64::MIN, |span| time.saturating_sub(span));
            if hand.row != u32::MAX && hand.event >= oldest {
                found[question] = hand.row;
            }
        }
        found
    }

    /// The rows that count, each with the time from which on, in order of that.
    fn by_time(&self) -> Vec<(i64, u32)> {
        let rows = 0..self.keys.len();
        let counts = |row: usize| (self.event)(row).max((self.known)(row));
        let all: Vec<(i64, u32)> =
            rows.into_par_iter().filter(|row| self.keys[*row] != NO_KEY).map(|row| (counts(row), row as u32)).collect();
        if all.is_sorted_by_key(|(time, _)| *time) {
            return all;
        }
        in_order(all)
    }
}

/// Times in order: thrown into buckets of rising times, which are then sorted. Tables come nearly in order, so that neighbours are
/// thrown to neighbours.
fn in_order(all: Vec<(i64, u32)>) -> Vec<(i64, u32)> {
    let (least, greatest) =
        all.iter().fold((i64::MAX, i64::MIN), |(least, greatest), (time, _)| (least.min(*time), greatest.max(*time)));
    let buckets = (all.len() / RUN).max(1);
    let width = (greatest.abs_diff(least) / buckets as u64).saturating_add(1);
    let place = |time: i64| ((time.abs_diff(least) / width) as usize).min(buckets - 1);
    let mut ends = vec![0_usize; buckets + 1];
    for (time, _) in &all {
        ends[place(*time) + 1] += 1;
    }
    for bucket in 0..buckets {
        ends[bucket + 1] += ends[bucket];
    }
    let mut next = ends.clone();
    let mut thrown = vec![(0, 0); all.len()];
    for (time, row) in all {
        let bucket = &mut next[place(time)];
        thrown[*bucket] = (time, row);
        *bucket += 1;
    }
    let mut rest = thrown.as_mut_slice();
    let mut runs = Vec::with_capacity(buckets);
    for bucket in 0..buckets {
        let (run, later) = rest.split_at_mut(ends[bucket + 1] - ends[bucket]);
        rest = later;
        runs.push(run);
    }
    runs.into_par_iter().for_each(|run| run.sort_unstable());
    thrown
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn times_are_put_in_order_however_they_lie() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for spread in [1, 10, 1_000_000, i64::MAX] {
            let all: Vec<(i64, u32)> = (0..5_000).map(|row| (rng.random_range(-spread..spread), row)).collect();
            let mut sorted = all.clone();
            sorted.sort_unstable();
            assert_eq!(in_order(all), sorted, "spread {spread}");
        }
        let ends = vec![(i64::MAX, 0), (i64::MIN, 1), (0, 2)];
        assert_eq!(in_order(ends), [(i64::MIN, 1), (0, 2), (i64::MAX, 0)]);
    }
}
