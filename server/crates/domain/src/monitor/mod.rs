//! Monitoring: what a model is asked and answers now, against what it was made from.
//!
//! A [`Reference`] is made once, with the model: bins over its training part for every feature, and over the held-out part for what
//! it answers. Servers count what they answer in the same bins, grain by grain of time ([`grain`]), and nothing else is looked at
//! afterwards: every number of a [`Finding`] can be computed again from the counts of its window, whatever the traffic was.
//!
//! A column has *drifted* in a window when its distance is above the document's threshold and the difference is not luck: the test of
//! homogeneity, with false discoveries among all columns held to one in a hundred ([`crate::drift::discoveries`]). A window with fewer
//! rows than the document asks for gives no verdict.

mod backtest;
mod estimate;
pub mod incident;

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::drift::{self, Binning, Distances, binned_ks, discoveries, distances, homogeneity};
use crate::problem::{DriftMetric, Monitoring};
use crate::rollout::{latency_bin, latency_of};

pub use backtest::{BackTest, Height, Tried};
pub use estimate::{Estimate, estimate, estimates, look_at_estimate};

/// Share of the drifted columns of a window that may be luck.
const LUCK: f64 = 0.01;
/// Bins of durations; the last one holds what took longer.
const DURATIONS: usize = 100;
/// The longest time that is counted together, in seconds.
pub const LONGEST_GRAIN: u64 = 60;

/// One column that is counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The bins.
    pub binning: Binning,
    /// Rows of the reference in each.
    pub counts: Vec<u64>,
    /// What share of the model's work the feature does; 0 for what it answers.
    pub importance: f64,
}

/// What a model version's live answers are held against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// The features, over the training part.
    pub features: Vec<Column>,
    /// The score, the number or the class, over the held-out part.
    pub prediction: Column,
    /// Of a binary model: share of the positive class among the held-out rows of each bin of scores; none of an empty bin.
    pub positives: Vec<Option<f64>>,
    /// Of a binary model: a score above it says the positive class.
    pub threshold: f64,
}

impl Reference {
    /// What is counted: the features, then the prediction.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        self.features.iter().chain([&self.prediction])
    }

    /// The same bins, held against other rows that were counted in them; none of counts that are not of these bins.
    pub fn against(&self, counts: &[u64]) -> Option<Self> {
        let counted = self.split(counts)?;
        let mut other = self.clone();
        for (column, counts) in other.features.iter_mut().chain([&mut other.prediction]).zip(counted.columns) {
            column.counts = counts.to_vec();
        }
        Some(other)
    }

    /// How many numbers are counted: the bins of every column, of durations, and failures.
    pub fn width(&self) -> usize {
        self.columns().map(|column| column.counts.len()).sum::<usize>() + DURATIONS + 1
    }

    /// Counts an answer, by the bin of each column and how long it took in microseconds.
    pub fn count(&self, counts: &mut [u64], bins: &[u16], micros: u64) {
        let mut first = 0;
        for (column, bin) in self.columns().zip(bins) {
            counts[first + usize::from(*bin)] += 1;
            first += column.counts.len();
        }
        counts[first + usize::try_from(latency_bin(micros)).unwrap_or(0).min(DURATIONS - 1)] += 1;
    }

    /// Counts a request that the model had no answer to.
    pub fn count_failure(&self, counts: &mut [u64]) {
        if let Some(failures) = counts.last_mut() {
            *failures += 1;
        }
    }

    /// Tells counts apart; none when there are not as many as this reference has.
    pub fn split<'c>(&self, counts: &'c [u64]) -> Option<Counted<'c>> {
        let (failures, mut rest) = counts.split_last().filter(|_| counts.len() == self.width())?;
        let columns = self.columns().map(|column| {
            let (own, others) = rest.split_at(column.counts.len());
            rest = others;
            own
        });
        let columns = columns.collect();
        Some(Counted { columns, durations: rest, failures: *failures })
    }
}

/// Counts by what they are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted<'c> {
    /// The bins of each column.
    pub columns: Vec<&'c [u64]>,
    /// The bins of durations.
    pub durations: &'c [u64],
    /// Requests without an answer.
    pub failures: u64,
}

/// Seconds that are counted together, so that windows of that many seconds are whole grains.
pub const fn grain(window: u64) -> u64 {
    let mut grain = if window < LONGEST_GRAIN { window } else { LONGEST_GRAIN };
    while !window.is_multiple_of(grain) {
        grain -= 1;
    }
    grain
}

/// How often a server writes down what it counted for windows of so many seconds.
pub const fn written_every(window: u64) -> Duration {
    let millis = grain(window) * 1_000 / 4;
    Duration::from_millis(if millis < 10_000 { millis } else { 10_000 })
}

/// How long after its end a window of so many seconds is judged: by then all that servers counted in it is written.
pub const fn settled_after(window: u64) -> Duration {
    Duration::from_millis(written_every(window).as_millis() as u64 * 2 + 500)
}

/// A server, and up to when what it answered is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Uncounted {
    /// What it is called.
    pub server: String,
    /// What it answered from then on is not counted.
    pub since: DateTime<Utc>,
}

/// Who had not written all of a window when it was judged: what it answered in its last seconds is in no window. A server writes at
/// least so often that one that has been silent for as long as windows wait for it ([`settled_after`]) is taken for dead, and not named
/// in later ones, though one that is only cut off from the database may go on answering.
pub fn uncounted(counting: &[Uncounted], begins: DateTime<Utc>, ends: DateTime<Utc>) -> Vec<Uncounted> {
    let wait = settled_after((ends - begins).num_seconds().unsigned_abs().max(1));
    let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
    let is_in =
        |one: &&Uncounted| one.since < ends && one.since.checked_add_signed(wait).is_none_or(|lost| begins < lost);
    counting.iter().filter(is_in).cloned().collect()
}

/// What the columns of a window are held against when somebody looks at them. Alerts are decided against the training data, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Baseline {
    /// The data that the version was trained on; of what it answers, the held-out rows.
    #[default]
    Training,
    /// What the same version was asked and answered in the thirty days before the window, in the newest 2,000 windows of them.
    Month,
    /// The data that the version was trained on which was live when this one was judged ([`Previous`]).
    Previous,
}

impl Baseline {
    /// Days of [`Baseline::Month`].
    pub const DAYS: i64 = 30;
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Training, Self::Month, Self::Previous];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Month => "month",
            Self::Previous => "previous",
        }
    }
}

/// The version that was live when another one was judged, in the bins of that one: the rows of its data that are for training, and what it
/// answers to those that are held out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Its number.
    pub version: i32,
    /// How its rows fill the bins ([`Reference::split`]).
    pub counts: Vec<u64>,
}

/// What is found of a column, or of a whole window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Verdict {
    /// As the reference.
    Stable,
    /// Farther from the reference than the document allows, and not by luck.
    Drifted,
    /// Fewer rows than the document asks for.
    TooFew,
    /// Nothing was asked.
    NoData,
}

impl Verdict {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Drifted => "drifted",
            Self::TooFew => "too_few",
            Self::NoData => "no_data",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stable => "stable",
            Self::Drifted => "drifted",
            Self::TooFew => "not enough data",
            Self::NoData => "no data",
        })
    }
}

/// One column of a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ColumnFinding {
    /// The column.
    pub name: String,
    /// What share of the model's work it does; 0 for what the model answers.
    pub importance: f64,
    /// Share of rows without a value.
    pub missing: f64,
    /// Share of rows whose text the reference does not name; none of numbers.
    pub unseen: Option<f64>,
    /// KL, JS, PSI and L∞ from the reference.
    pub distances: Distances,
    /// KS over the bins; of texts L∞ in its place.
    pub ks: f64,
    /// The one that the document asks for.
    pub distance: f64,
    /// The chance of such a difference between two samples of one distribution.
    pub chance: f64,
    /// The bin that moved most, with its shares in the reference and now.
    pub moved: Option<(String, f64, f64)>,
    /// Whether it has drifted.
    pub verdict: Verdict,
}

/// How long answers took, in milliseconds: upper ends of bins a quarter of an octave wide.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Latency {
    /// Half of them took at most that.
    pub p50: f64,
    /// 95 in 100.
    pub p95: f64,
    /// 99 in 100.
    pub p99: f64,
}

/// What a window's counts say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Finding {
    /// Answers.
    pub n: u64,
    /// Requests without one.
    pub failed: u64,
    /// Whether anything has drifted.
    pub verdict: Verdict,
    /// Distances of the features, weighted by their importance; none without rows.
    pub weighted: Option<f64>,
    /// How long answers took.
    pub latency: Option<Latency>,
    /// What quality would be if scores meant what they did on the held-out rows.
    pub estimate: Option<Estimate>,
    /// The features, and last what the model answers.
    pub columns: Vec<ColumnFinding>,
}

impl Finding {
    /// Whether there were enough rows to say something.
    pub const fn is_judged(&self) -> bool {
        matches!(self.verdict, Verdict::Drifted | Verdict::Stable)
    }

    /// The columns that have drifted, those whose drift matters most first.
    pub fn drifted(&self) -> Vec<&ColumnFinding> {
        let mut drifted: Vec<&ColumnFinding> =
            self.columns.iter().filter(|column| column.verdict == Verdict::Drifted).collect();
        drifted.sort_by(|a, b| b.weight().total_cmp(&a.weight()));
        drifted
    }
}

impl ColumnFinding {
    /// One of its distances.
    pub const fn distance_by(&self, metric: DriftMetric) -> f64 {
        match metric {
            DriftMetric::Kl => self.distances.kl,
            DriftMetric::Js => self.distances.js,
            DriftMetric::Psi => self.distances.psi,
            DriftMetric::Ks => self.ks,
        }
    }

    /// How much its drift matters. What the model answers counts whole.
    pub fn weight(&self) -> f64 {
        self.distance * if self.importance > 0.0 { self.importance } else { 1.0 }
    }
}

/// Judges the counts of a window; none when they were not counted in the bins of this reference.
pub fn judge(reference: &Reference, counts: &[u64], rule: &Monitoring) -> Option<Finding> {
    let Counted { columns, durations, failures: failed } = reference.split(counts)?;
    let n: u64 = columns.last()?.iter().sum();
    let verdict = match n {
        0 => Verdict::NoData,
        few if few < rule.min_rows => Verdict::TooFew,
        _ => Verdict::Stable,
    };
    let pairs = reference.columns().zip(&columns);
    let mut found: Vec<ColumnFinding> =
        pairs.filter_map(|(column, now)| column_finding(column, now, rule, verdict)).collect();
    let chances: Vec<f64> = found.iter().map(|column| column.chance).collect();
    for (column, is_no_luck) in found.iter_mut().zip(discoveries(&chances, LUCK)) {
        if verdict == Verdict::Stable && is_no_luck && column.distance > rule.drift.threshold {
            column.verdict = Verdict::Drifted;
        }
    }
    let any = found.iter().any(|column| column.verdict == Verdict::Drifted);
    let features = found.split_last().map_or(&[][..], |(_, features)| features);
    Some(Finding {
        n,
        failed,
        verdict: if any { Verdict::Drifted } else { verdict },
        weighted: (n > 0).then(|| features.iter().map(|column| column.importance * column.distance).sum()),
        latency: latency(durations),
        estimate: estimate(reference, columns.last()?),
        columns: found,
    })
}

fn column_finding(column: &Column, now: &[u64], rule: &Monitoring, verdict: Verdict) -> Option<ColumnFinding> {
    let distances = distances(&column.counts, now)?;
    let ks = match column.binning {
        // Values that are missing have no place among the others; how many more or fewer are is a distance of its own.
        Binning::Numbers { .. } => {
            let bin = column.binning.missing();
            let missing = |counts: &[u64]| counts[bin] as f64 / counts.iter().sum::<u64>().max(1) as f64;
            binned_ks(&column.counts, now).unwrap_or(0.0).max((missing(now) - missing(&column.counts)).abs())
        }
        Binning::Texts { .. } => distances.l_infinity,
    };
    let rows = now.iter().sum::<u64>() as f64;
    let share = |bin: usize| now[bin] as f64 / rows;
    let found = ColumnFinding {
        name: column.name.clone(),
        importance: column.importance,
        missing: share(column.binning.missing()),
        unseen: column.binning.unseen().map(share),
        distances,
        ks,
        distance: 0.0,
        chance: homogeneity(&column.counts, now),
        moved: drift::widest(&column.binning, &column.counts, now),
        verdict,
    };
    Some(ColumnFinding { distance: found.distance_by(rule.drift.metric), ..found })
}

/// The quantiles of counted durations; none when there are none.
fn latency(durations: &[u64]) -> Option<Latency> {
    let total: u64 = durations.iter().sum();
    let quantile = |share: f64| {
        let mut below = 0;
        let reached = |count: &u64| {
            below += count;
            below as f64 >= share * total as f64
        };
        let bin = durations.iter().position(reached).unwrap_or(durations.len());
        latency_of(i32::try_from(bin).unwrap_or(i32::MAX))
    };
    (total > 0).then(|| Latency { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) })
}

#[cfg(test)]
mod tests;
