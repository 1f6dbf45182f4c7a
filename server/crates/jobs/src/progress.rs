//! From a computation's progress to the step's.

use millrace_executor::Reporter;
use millrace_ml::train::Progress;
use serde_json::json;

/// Reports the units of one computation.
pub(crate) struct Units<'a> {
    reporter: &'a Reporter,
    /// What a unit is, for example `round`.
    unit: &'static str,
}

impl<'a> Units<'a> {
    pub(crate) const fn new(reporter: &'a Reporter, unit: &'static str) -> Self {
        Self { reporter, unit }
    }
}

impl Progress for Units<'_> {
    fn report(&self, done: u64, of: u64, score: Option<f64>) {
        let text = format!("{} {done} of {of}", self.unit);
        self.reporter.report(json!({ "done": done, "total": of, "best": score, "text": text }));
    }

    fn is_cancelled(&self) -> bool {
        self.reporter.should_stop()
    }
}

/// Looks whether to stop, and reports nothing: for a computation inside a larger one.
pub(crate) struct Silent<'a>(pub(crate) &'a Reporter);

impl Progress for Silent<'_> {
    fn is_cancelled(&self) -> bool {
        self.0.should_stop()
    }
}
