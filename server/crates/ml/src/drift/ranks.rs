//! Two samples of numbers put into buckets of rising values, in place of being sorted.
//!
//! Deciles, ranks and the greatest difference of two distribution functions take the order of few values: those in the buckets
//! where the answer can lie. All others are only counted. The answers are those of sorted samples, bit for bit.

use millrace_domain::drift::KolmogorovSmirnov;

use crate::order::{key_of, number_of};

/// So many buckets: a sample of a million leaves some hundred values in each.
const BUCKETS: usize = 4096;
/// Smaller samples are sorted sooner than counted.
pub(super) const FEWEST: usize = 50_000;
/// So many values of a sample tell how it lies.
const LOOKED_AT: usize = 1_024;

/// What is known of two samples.
#[derive(Debug, PartialEq)]
pub(super) struct Ranked {
    /// The deciles of the reference between its least and its greatest value, each once.
    pub(super) edges: Vec<f64>,
    /// How many values of the reference are below each edge.
    pub(super) before: Vec<usize>,
    /// How many values of the current sample are.
    pub(super) now: Vec<usize>,
    pub(super) ks: KolmogorovSmirnov,
}

/// Ranks two samples; none where that is no help: they are small, lie too far apart for buckets, or have no deciles between their
/// ends.
pub(super) fn rank(before: &[f64], now: &[f64]) -> Option<Ranked> {
    if before.len().min(now.len()) < FEWEST {
        return None;
    }
    let (mut least, mut greatest) = (before[0], before[0]);
    for value in before.iter().chain(now) {
        least = least.min(*value);
        greatest = greatest.max(*value);
    }
    let scale = BUCKETS as f64 / (greatest - least);
    if !(scale.is_finite() && scale > 0.0) {
        return None;
    }
    // Both rise with the value, so that equal values share a bucket and buckets have an order.
    let by_value = |value: f64| (((value - least) * scale) as usize).min(BUCKETS - 1);
    let (first, last) = (key_of(least), key_of(greatest));
    let shift = (u64::BITS - last.abs_diff(first).leading_zeros()).saturating_sub(BUCKETS.trailing_zeros());
    let by_size = |value: f64| ((key_of(value).abs_diff(first) >> shift) as usize).min(BUCKETS - 1);
    if crowd(before, by_value) <= crowd(before, by_size) {
        Samples::new(before, now, by_value).rank()
    } else {
        Samples::new(before, now, by_size).rank()
    }
}

/// How many of some values are in the fullest bucket.
fn crowd(values: &[f64], place: impl Fn(f64) -> usize) -> usize {
    let mut counts = vec![0; BUCKETS];
    for value in values.iter().step_by((values.len() / LOOKED_AT).max(1)) {
        counts[place(*value)] += 1;
    }
    counts.into_iter().max().unwrap_or(0)
}

struct Samples<'a, P> {
    before: Sample<'a>,
    now: Sample<'a>,
    place: P,
}

struct Sample<'a> {
    values: &'a [f64],
    /// How many values are in the buckets before each, and at the end in all.
    starts: Vec<usize>,
}

/// The values of some buckets of a sample, in order.
struct Gathered {
    keys: Vec<i64>,
    /// Where each bucket's begin, and at the end where they end.
    starts: Vec<usize>,
}

impl Gathered {
    fn bucket(&self, bucket: usize) -> &[i64] {
        &self.keys[self.starts[bucket]..self.starts[bucket + 1]]
    }
}

impl<'a> Sample<'a> {
    fn new(values: &'a [f64], place: impl Fn(f64) -> usize) -> Self {
        let mut counts = vec![0_u32; BUCKETS];
        for value in values {
            counts[place(*value)] += 1;
        }
        let mut starts = Vec::with_capacity(BUCKETS + 1);
        let mut start = 0;
        for count in counts {
            starts.push(start);
            start += count as usize;
        }
        starts.push(start);
        Self { values, starts }
    }

    /// The bucket of the value at a rank.
    fn bucket_of(&self, rank: usize) -> usize {
        self.starts.partition_point(|start| *start <= rank) - 1
    }

    fn gather(&self, wanted: &[bool], place: impl Fn(f64) -> usize) -> Gathered {
        let mut keys: Vec<i64> =
            self.values.iter().filter(|value| wanted[place(**value)]).map(|value| key_of(*value)).collect();
        keys.sort_unstable();
        let mut starts = Vec::with_capacity(BUCKETS + 1);
        let mut start = 0;
        for (bucket, wanted) in wanted.iter().enumerate() {
            starts.push(start);
            start += if *wanted { self.starts[bucket + 1] - self.starts[bucket] } else { 0 };
        }
        starts.push(start);
        Gathered { keys, starts }
    }
}

impl<'a, P: Fn(f64) -> usize + Copy> Samples<'a, P> {
    fn new(before: &'a [f64], now: &'a [f64], place: P) -> Self {
        Self { before: Sample::new(before, place), now: Sample::new(now, place), place }
    }

    fn rank(&self) -> Option<Ranked> {
        let edges = self.edges()?;
        let (mut wanted, best) = self.widest();
        edges.iter().for_each(|edge| wanted[(self.place)(*edge)] = true);
        let (before, now) = (self.before.gather(&wanted, self.place), self.now.gather(&wanted, self.place));
        let statistic = (0..BUCKETS)
            .filter(|bucket| wanted[*bucket])
            .map(|bucket| self.difference(bucket, before.bucket(bucket), now.bucket(bucket)))
            .fold(best, f64::max);
        let below = |sample: &Sample<'_>, gathered: &Gathered, edge: f64| {
            let bucket = (self.place)(edge);
            sample.starts[bucket] + gathered.bucket(bucket).partition_point(|key| number_of(*key) < edge)
        };
        let (n, m) = (self.before.values.len(), self.now.values.len());
        Some(Ranked {
            before: edges.iter().map(|edge| below(&self.before, &before, *edge)).collect(),
            now: edges.iter().map(|edge| below(&self.now, &now, *edge)).collect(),
            ks: KolmogorovSmirnov::of(statistic, n, m),
            edges,
        })
    }

    /// The deciles of the reference between its ends; none where there are none.
    fn edges(&self) -> Option<Vec<f64>> {
        let last = self.before.values.len() - 1;
        let shares = || (0..=10).map(|tenth| f64::from(tenth) / 10.0);
        let mut wanted = vec![false; BUCKETS];
        for position in shares().map(|share| share * last as f64) {
            for rank in [position.floor(), position.ceil()] {
                wanted[self.before.bucket_of(rank as usize)] = true;
            }
        }
        let gathered = self.before.gather(&wanted, self.place);
        let at = |rank: usize| {
            let bucket = self.before.bucket_of(rank);
            number_of(gathered.bucket(bucket)[rank - self.before.starts[bucket]])
        };
        super::inner_deciles(last + 1, at)
    }

    /// The greatest difference at the ends of buckets, and the buckets in which there can be a greater one.
    fn widest(&self) -> (Vec<bool>, f64) {
        let (n, m) = (self.before.values.len() as f64, self.now.values.len() as f64);
        let shares = |bucket: usize| (self.before.starts[bucket] as f64 / n, self.now.starts[bucket] as f64 / m);
        let ends = (0..=BUCKETS).map(shares);
        let best = ends.map(|(p, q)| (p - q).abs()).fold(0.0, f64::max);
        let can_be_greater = |bucket: usize| {
            let ((p, q), (p_end, q_end)) = (shares(bucket), shares(bucket + 1));
            (p_end - q).max(q_end - p) > best
        };
        ((0..BUCKETS).map(can_be_greater).collect(), best)
    }

    /// The greatest difference inside a bucket. Where one side has no more values it can only fall, or rise to that of the end.
    fn difference(&self, bucket: usize, before: &[i64], now: &[i64]) -> f64 {
        let (n, m) = (self.before.values.len() as f64, self.now.values.len() as f64);
        let (first, second) = (self.before.starts[bucket], self.now.starts[bucket]);
        let (mut i, mut j, mut statistic) = (0, 0, 0.0f64);
        while i < before.len() && j < now.len() {
            let value = before[i].min(now[j]);
            i += before[i..].iter().take_while(|other| **other == value).count();
            j += now[j..].iter().take_while(|other| **other == value).count();
            statistic = statistic.max(((first + i) as f64 / n - (second + j) as f64 / m).abs());
        }
        statistic
    }
}

#[cfg(test)]
mod tests {
    use millrace_domain::drift::kolmogorov_smirnov;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn is_that_of_sorted_samples(mut value: impl FnMut(&mut ChaCha8Rng, f64) -> f64) {
        for seed in 0..4 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let shift = [0.0, 0.02, 0.5, 3.0][seed as usize];
            let before: Vec<f64> = (0..FEWEST).map(|_| value(&mut rng, 0.0)).collect();
            let now: Vec<f64> = (0..FEWEST + 777).map(|_| value(&mut rng, shift)).collect();
            let sorted = |values: &[f64]| {
                let mut keys: Vec<i64> = values.iter().map(|value| key_of(*value)).collect();
                keys.sort_unstable();
                keys
            };
            let (old, new) = (sorted(&before), sorted(&now));
            let found = rank(&before, &now).unwrap();
            let deciles = super::super::inner_deciles(old.len(), |rank| number_of(old[rank])).unwrap();
            assert_eq!(found.edges, deciles);
            let below = |keys: &[i64]| -> Vec<usize> {
                deciles.iter().map(|edge| keys.partition_point(|key| number_of(*key) < *edge)).collect()
            };
            assert_eq!((found.before, found.now), (below(&old), below(&new)));
            assert_eq!(Some(found.ks), kolmogorov_smirnov(&old, &new), "shift {shift}");
        }
    }

    #[test]
    fn even_samples_are_ranked_as_if_sorted() {
        is_that_of_sorted_samples(|rng, shift| rng.random::<f64>() * 10.0 - 5.0 + shift);
    }

    #[test]
    fn samples_with_a_long_tail_are_ranked_as_if_sorted() {
        is_that_of_sorted_samples(|rng, shift| (rng.random::<f64>() * 30.0 + shift).exp());
    }

    #[test]
    fn samples_of_few_values_with_ties_and_both_zeros_are_ranked_as_if_sorted() {
        is_that_of_sorted_samples(|rng, shift| {
            let value = f64::from(rng.random_range(-20..20)) + shift.round();
            if value == 0.0 && rng.random_bool(0.5) { -0.0 } else { value }
        });
    }

    #[test]
    fn flags_and_numbers_too_far_apart_are_left_to_sorting() {
        let flags: Vec<f64> = (0..FEWEST).map(|row| f64::from(u8::from(row % 50 == 0))).collect();
        assert_eq!(rank(&flags, &flags), None);
        let far: Vec<f64> = (0..FEWEST).map(|row| if row == 0 { -1e308 } else { 1e308 - row as f64 }).collect();
        assert_eq!(rank(&far, &far), None);
    }
}
