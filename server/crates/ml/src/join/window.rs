//! What an aggregate holds while rows come into its window and leave it.
//!
//! The result follows from the set of rows in the window alone, whatever order they came in: sums are kept exactly (Neal
//! 2015, "Fast exact summation using small and large superaccumulators", arXiv:1505.05571) and rounded once. So sliding a
//! window over a training set and adding up one entity's rows for a request give the same bits.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::FixedState;
use millrace_domain::problem::AggregateFunction;
use xsum::{Xsum, XsumSmall};

use super::timeline::Moments;
use crate::order::number_of;

/// The order of rows in time: event, known, and place.
pub(crate) type Place = (i64, i64, u32);

/// What an aggregate holds.
pub(crate) enum Window {
    Count(u64),
    Sum(Box<XsumSmall>),
    Mean(Box<XsumSmall>, u64),
    Min(BTreeMap<i64, u32>),
    Max(BTreeMap<i64, u32>),
    Last(BTreeMap<Place, i64>),
    Distinct(HashMap<i64, u32, FixedState>),
}

impl Window {
    pub fn new(function: AggregateFunction) -> Self {
        match function {
            AggregateFunction::Count => Self::Count(0),
            AggregateFunction::Sum => Self::Sum(Box::new(XsumSmall::new())),
            AggregateFunction::Mean => Self::Mean(Box::new(XsumSmall::new()), 0),
            AggregateFunction::Min => Self::Min(BTreeMap::new()),
            AggregateFunction::Max => Self::Max(BTreeMap::new()),
            AggregateFunction::Last => Self::Last(BTreeMap::new()),
            AggregateFunction::Distinct => Self::Distinct(HashMap::default()),
        }
    }

    /// A row comes in; `value` is the key of its number, or of a text.
    pub fn add(&mut self, place: Place, value: i64) {
        match self {
            Self::Count(count) => *count += 1,
            Self::Sum(sum) => sum.add(number_of(value)),
            Self::Mean(sum, count) => {
                sum.add(number_of(value));
                *count += 1;
            }
            Self::Min(values) | Self::Max(values) => *values.entry(value).or_default() += 1,
            Self::Last(values) => {
                values.insert(place, value);
            }
            Self::Distinct(values) => *values.entry(value).or_default() += 1,
        }
    }

    /// A row that came in leaves.
    fn remove(&mut self, place: Place, value: i64) {
        match self {
            Self::Count(count) => *count -= 1,
            Self::Sum(sum) => sum.add(-number_of(value)),
            Self::Mean(sum, count) => {
                sum.add(-number_of(value));
                *count -= 1;
            }
            Self::Min(values) | Self::Max(values) => {
                if let Some(count) = values.get_mut(&value) {
                    *count -= 1;
                    if *count == 0 {
                        values.remove(&value);
                    }
                }
            }
            Self::Last(values) => {
                values.remove(&place);
            }
            Self::Distinct(values) => {
                if let Some(count) = values.get_mut(&value) {
                    *count -= 1;
                    if *count == 0 {
                        values.remove(&value);
                    }
                }
            }
        }
    }

    /// The number of what is in the window; none when it has none, or it leaves the range of numbers.
    pub fn result(&mut self) -> Option<f64> {
        let number = match self {
            Self::Count(count) => *count as f64,
            Self::Sum(sum) => sum.sum(),
            Self::Mean(_, 0) => return None,
            Self::Mean(sum, count) => sum.sum() / *count as f64,
            Self::Min(values) => number_of(*values.first_key_value()?.0),
            Self::Max(values) => number_of(*values.last_key_value()?.0),
            Self::Last(values) => number_of(*values.last_key_value()?.1),
            Self::Distinct(values) => values.len() as f64,
        };
        // Adding zero turns −0, which an empty sum is, into 0.
        number.is_finite().then_some(number + 0.0)
    }
}

/// What makes rows come and go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub function: AggregateFunction,
    /// Length of the window in microseconds.
    pub window: i64,
    /// A row counts so long after its event at the earliest, in microseconds.
    pub delay: i64,
}

impl Rule {
    /// The first time at which a row counts: strictly after its event, once it is known.
    pub fn enters(&self, event: i64, known: i64) -> i64 {
        event.saturating_add(1).max(known).max(event.saturating_add(self.delay))
    }

    /// The first time at which it no longer does.
    pub fn leaves(&self, event: i64) -> i64 {
        event.saturating_add(self.window).saturating_add(1)
    }

    /// Slides the window over the rows of one key, to each of `times` in ascending order; NaN marks a missing result.
    pub fn sweep(&self, moments: Moments<'_>, value: &impl Fn(u32) -> Option<i64>, times: &[i64], out: &mut [f64]) {
        let enters = |moment: &u32| {
            let moment = *moment as usize;
            self.enters(moments.events[moment], moments.known(moment))
        };
        let mut coming: Vec<u32> = (0..moments.rows.len() as u32).collect();
        if !moments.known_at_once() {
            coming.sort_by_key(enters);
        }
        let place = |moment: usize| (moments.events[moment], moments.known(moment), moments.rows[moment]);
        let mut window = Window::new(self.function);
        let mut inside = vec![false; moments.rows.len()];
        let (mut come, mut gone) = (0, 0);
        for (time, out) in times.iter().zip(out) {
            while coming.get(come).is_some_and(|moment| enters(moment) <= *time) {
                let moment = coming[come] as usize;
                come += 1;
                if self.leaves(moments.events[moment]) > *time
                    && let Some(value) = value(moments.rows[moment])
                {
                    window.add(place(moment), value);
                    inside[moment] = true;
                }
            }
            while moments.events.get(gone).is_some_and(|event| self.leaves(*event) <= *time) {
                if std::mem::take(&mut inside[gone])
                    && let Some(value) = value(moments.rows[gone])
                {
                    window.remove(place(gone), value);
                }
                gone += 1;
            }
            *out = window.result().unwrap_or(f64::NAN);
        }
    }

    /// Adds the rows of one key that count at `time`; gives the newest event among them.
    pub fn gather(
        &self,
        window: &mut Window,
        moments: Moments<'_>,
        value: &impl Fn(u32) -> Option<i64>,
        time: i64,
    ) -> Option<i64> {
        let mut newest = None;
        let first = moments.events.partition_point(|event| self.leaves(*event) <= time);
        for moment in first..moments.events.len() {
            if moments.events[moment] >= time {
                break;
            }
            let known = moments.known(moment);
            if self.enters(moments.events[moment], known) <= time
                && let Some(value) = value(moments.rows[moment])
            {
                window.add((moments.events[moment], known, moments.rows[moment]), value);
                newest = Some(moments.events[moment]);
            }
        }
        newest
    }
}
