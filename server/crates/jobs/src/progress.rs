//! From a computation's progress to the step's.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use millrace_executor::Reporter;
use millrace_ml::train::Progress;
use serde_json::json;

/// Points of a learning curve that are reported while it grows.
const CURVE_POINTS: usize = 100;

/// The loss after some of the rounds so far, evenly spread: of more than fit, every second one is kept.
#[derive(Debug)]
struct Curve {
    /// Every so many rounds.
    every: u64,
    points: Vec<Point>,
    best: Option<Point>,
    newest: Option<Point>,
}

/// Round, loss on the validation part, loss on rows that are learned from.
type Point = (u64, f64, Option<f64>);

impl Curve {
    const fn new() -> Self {
        Self { every: 1, points: Vec::new(), best: None, newest: None }
    }

    fn add(&mut self, round: u64, validation: f64, training: Option<f64>) {
        if !validation.is_finite() {
            return;
        }
        let point = (round, validation, training.filter(|loss| loss.is_finite()));
        self.newest = Some(point);
        self.best = self.best.filter(|best| best.1 <= validation).or(Some(point));
        if round.is_multiple_of(self.every) {
            self.points.push(point);
        }
        if self.points.len() > CURVE_POINTS {
            self.every *= 2;
            self.points.retain(|(round, ..)| round.is_multiple_of(self.every));
        }
    }

    /// The points, the best and the newest among them, in order.
    fn told(&self) -> Vec<Point> {
        let mut told: Vec<Point> = self.points.iter().copied().chain(self.best).chain(self.newest).collect();
        told.sort_by_key(|point| point.0);
        told.dedup_by_key(|point| point.0);
        told
    }
}

/// Reports the units of one computation.
pub(crate) struct Units<'a> {
    reporter: &'a Reporter,
    /// What a unit is, for example `round`.
    unit: &'static str,
    /// Tenths of all that the log has told of.
    tenths: AtomicU64,
    /// Whether the loss on what is learned from is kept.
    watches_training: bool,
    curve: Mutex<Curve>,
}

impl<'a> Units<'a> {
    pub(crate) const fn new(reporter: &'a Reporter, unit: &'static str) -> Self {
        let curve = Mutex::new(Curve::new());
        Self { reporter, unit, tenths: AtomicU64::new(0), watches_training: false, curve }
    }

    /// The same, which keeps the loss on what is learned from.
    pub(crate) fn watching_training(self) -> Self {
        Self { watches_training: true, ..self }
    }
}

impl Progress for Units<'_> {
    fn report(&self, done: u64, of: u64, score: Option<f64>) {
        let text = format!("{} {done} of {of}", self.unit);
        let tenths = done * 10 / of.max(1);
        if self.tenths.fetch_max(tenths, Ordering::Relaxed) < tenths {
            let best = score.map_or_else(String::new, |score| format!(", best validation loss {score:.6}"));
            self.reporter.log(&format!("{text}{best}"));
        }
        let mut told = json!({ "done": done, "total": of, "best": score, "text": text });
        let curve = self.curve.lock().unwrap_or_else(PoisonError::into_inner);
        if curve.newest.is_some() {
            told["curve"] = json!(curve.told());
        }
        drop(curve);
        self.reporter.report(told);
    }

    fn losses(&self, rounds: u64, validation: f64, training: Option<f64>) {
        self.curve.lock().unwrap_or_else(PoisonError::into_inner).add(rounds, validation, training);
    }

    fn is_cancelled(&self) -> bool {
        self.reporter.should_stop()
    }

    fn watches_training(&self) -> bool {
        self.watches_training
    }
}

/// Reports what a computation on one thread has cost, and looks whether to stop.
pub(crate) struct Costs<'a> {
    reporter: &'a Reporter,
    /// Whether to stop, besides when the reporter says so.
    stop: &'a AtomicBool,
}

impl<'a> Costs<'a> {
    pub(crate) const fn new(reporter: &'a Reporter, stop: &'a AtomicBool) -> Self {
        Self { reporter, stop }
    }
}

impl Progress for Costs<'_> {
    fn report(&self, done: u64, of: u64, _: Option<f64>) {
        self.reporter.report(json!({ "done": done, "total": of, "cpu_s": self.reporter.thread_time().as_secs_f64() }));
    }

    fn is_cancelled(&self) -> bool {
        self.reporter.should_stop() || self.stop.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_curve_is_told_evenly_in_few_points() {
        let mut curve = Curve::new();
        (1..=1_001).for_each(|round| curve.add(round, (round as f64 - 333.0).abs(), None));
        let rounds: Vec<u64> = curve.points.iter().map(|point| point.0).collect();
        assert!((50..=CURVE_POINTS).contains(&rounds.len()), "{rounds:?}");
        assert!(rounds.windows(2).all(|pair| pair[1] - pair[0] == curve.every), "{rounds:?}");
        let told: Vec<u64> = curve.told().iter().map(|point| point.0).collect();
        assert!(told.is_sorted() && told.contains(&333) && told.last() == Some(&1_001), "{told:?}");
    }
}
