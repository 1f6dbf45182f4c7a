//! Putting findings together.

use millrace_domain::schema::{CheckOutcome, Finding, Severity};

/// So many rows are named for each finding.
const MOST_EXAMPLES: usize = 20;
/// So many rows of a finding can be set aside.
const MOST_ROWS: usize = 100_000;

/// A check that is about to be made: its name, what it is about, and what a failure means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Check<'a> {
    pub(super) name: &'a str,
    pub(super) column: Option<&'a str>,
    pub(super) severity: Severity,
}

/// Rows that break a rule: all are counted, the first ones named.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Offenders {
    rows: u64,
    examples: Vec<(u64, String)>,
    indices: Vec<u32>,
}

impl Offenders {
    /// Takes the row at `index` (from 0) down.
    #[inline]
    pub(super) fn add(&mut self, index: usize, shown: impl FnOnce() -> String) {
        self.rows += 1;
        if self.indices.len() < MOST_ROWS {
            self.indices.push(index as u32);
        }
        if self.examples.len() < MOST_EXAMPLES {
            self.examples.push((index as u64 + 1, shown()));
        }
    }

    /// How many rows there are.
    pub(super) const fn rows(&self) -> u64 {
        self.rows
    }
}

impl<'a> Check<'a> {
    pub(super) const fn critical(name: &'a str) -> Self {
        Self { name, column: None, severity: Severity::Critical }
    }

    pub(super) const fn warning(name: &'a str) -> Self {
        Self { name, column: None, severity: Severity::Warning }
    }

    pub(super) const fn info(name: &'a str) -> Self {
        Self { name, column: None, severity: Severity::Info }
    }

    /// About a column or feature.
    pub(super) const fn of(mut self, column: &'a str) -> Self {
        self.column = Some(column);
        self
    }

    pub(super) fn passed(self, expected: impl Into<String>, observed: impl Into<String>) -> Finding {
        self.finding(CheckOutcome::Passed, expected, observed, Offenders::default())
    }

    pub(super) fn failed(self, expected: impl Into<String>, observed: impl Into<String>) -> Finding {
        self.finding(CheckOutcome::Failed, expected, observed, Offenders::default())
    }

    /// Failed because of rows.
    pub(super) fn broken_by(
        self,
        rows: Offenders,
        expected: impl Into<String>,
        observed: impl Into<String>,
    ) -> Finding {
        self.finding(CheckOutcome::Failed, expected, observed, rows)
    }

    /// Passed if it `holds`, else failed because of rows.
    pub(super) fn decided(
        self,
        holds: bool,
        rows: Offenders,
        expected: impl Into<String>,
        observed: impl Into<String>,
    ) -> Finding {
        self.finding(if holds { CheckOutcome::Passed } else { CheckOutcome::Failed }, expected, observed, rows)
    }

    /// It could not be made.
    pub(super) fn errored(self, expected: impl Into<String>, observed: impl Into<String>) -> Finding {
        self.finding(CheckOutcome::Errored, expected, observed, Offenders::default())
    }

    /// There was nothing to make it on.
    pub(super) fn skipped(self, expected: impl Into<String>, observed: impl Into<String>) -> Finding {
        self.finding(CheckOutcome::Skipped, expected, observed, Offenders::default())
    }

    fn finding(
        self,
        outcome: CheckOutcome,
        expected: impl Into<String>,
        observed: impl Into<String>,
        rows: Offenders,
    ) -> Finding {
        // Only what could stop the pipeline can be set aside.
        let stops = outcome == CheckOutcome::Failed && self.severity == Severity::Critical;
        Finding {
            check: self.name.to_owned(),
            column: self.column.map(str::to_owned),
            severity: self.severity,
            outcome,
            expected: expected.into(),
            observed: observed.into(),
            unexpected_rows: rows.rows,
            examples: rows.examples,
            rows: if stops { rows.indices } else { Vec::new() },
        }
    }
}
