//! From a computation's progress to the step's.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use millrace_executor::Reporter;
use millrace_ml::train::Progress;
use serde_json::json;

/// Reports the units of one computation.
pub(crate) struct Units<'a> {
    reporter: &'a Reporter,
    /// What a unit is, for example `round`.
    unit: &'static str,
    /// Tenths of all that the log has told of.
    tenths: AtomicU64,
    /// Whether the loss on what is learned from is kept.
    watches_training: bool,
}

impl<'a> Units<'a> {
    pub(crate) const fn new(reporter: &'a Reporter, unit: &'static str) -> Self {
        Self { reporter, unit, tenths: AtomicU64::new(0), watches_training: false }
    }

    /// The same, which keeps the loss on what is learned from.
    pub(crate) const fn watching_training(self) -> Self {
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
        self.reporter.report(json!({ "done": done, "total": of, "best": score, "text": text }));
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
