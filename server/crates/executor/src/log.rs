//! What an attempt tells while it runs, until it is written down.

use std::sync::{Arc, Mutex, PoisonError};

use millrace_domain::clock::Clock;
use millrace_storage::step::LogLine;

/// Lines of one attempt; what comes after them is left out, and the last one says so.
const MOST_LINES: usize = 1_000;
/// Characters of a line.
const MOST_CHARS: usize = 2_000;

/// The log of one attempt. Adding to it never waits.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    clock: Arc<dyn Clock>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Lines that were written down.
    written: usize,
    /// Those that are still to be.
    waiting: Vec<LogLine>,
}

impl Log {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, kept: Arc::default() }
    }

    /// Adds the lines of a text.
    pub(crate) fn add(&self, text: &str) {
        let at = self.clock.now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for line in text.lines() {
            let text = match kept.written + kept.waiting.len() {
                many if many > MOST_LINES => return,
                MOST_LINES => "more lines were left out".to_owned(),
                _ => cut(line),
            };
            kept.waiting.push(LogLine { at, text });
        }
    }

    /// Adds how the attempt ended, however many lines there are.
    pub(crate) fn end(&self, text: &str) {
        let at = self.clock.now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.waiting.extend(text.lines().map(|line| LogLine { at, text: cut(line) }));
    }

    /// The place of the first line that was not written down, and those from there on.
    pub(crate) fn waiting(&self) -> (usize, Vec<LogLine>) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.written, kept.waiting.clone())
    }

    /// Forgets lines that were written down.
    pub(crate) fn wrote(&self, lines: usize) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.waiting.drain(..lines);
        kept.written += lines;
    }
}

/// A line that Postgres, which has no NUL, can keep.
fn cut(line: &str) -> String {
    line.chars().filter(|own| *own != '\0').take(MOST_CHARS).collect()
}
