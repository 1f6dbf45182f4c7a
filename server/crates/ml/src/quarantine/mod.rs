//! Quarantine: rows that break a critical check are set aside with their reasons, and the others go on.
//!
//! What is set aside can be downloaded as CSV, corrected, and brought back ([`corrections`]): a corrected row names the row it
//! was, and none comes back twice.

mod file;

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain::mute::SET_ASIDE;
use millrace_domain::problem::{ProblemDocument, Quarantine};
use millrace_domain::schema::{CheckOutcome, Finding, Profile, Severity, ValidationReport};

pub use file::{CorrectionError, corrections};

use crate::dataset::Dataset;
use crate::profile::profile;
use crate::validate::{Known, sort, validate};
use crate::wording::{count, counted, share};

/// A dataset that was checked.
#[derive(Debug)]
pub struct Checked {
    /// What was found in the rows that go on.
    pub report: ValidationReport,
    /// What was set aside, if anything.
    pub aside: Option<Aside>,
}

/// Rows that were set aside, and those that were not.
#[derive(Debug)]
pub struct Aside {
    /// The rows that go on.
    pub kept: Dataset,
    /// Their profile.
    pub profile: Profile,
    /// How many rows were set aside.
    pub rows: u64,
    /// These rows as CSV, each with its number and the checks it breaks.
    pub file: Vec<u8>,
}

/// Checks `dataset` for `problem`, setting rows aside where the problem allows it.
pub fn check(dataset: &Dataset, profile: &Profile, problem: &ProblemDocument, known: Known<'_>) -> Checked {
    let report = validate(dataset, profile, problem, known);
    match problem.data.quarantine {
        Some(quarantine) if !report.allows_training() => {
            set_aside(dataset, profile, problem, known, report, quarantine)
        }
        _ => Checked { report, aside: None },
    }
}

fn set_aside(
    dataset: &Dataset,
    whole: &Profile,
    problem: &ProblemDocument,
    known: Known<'_>,
    mut report: ValidationReport,
    quarantine: Quarantine,
) -> Checked {
    let broken = broken(&report);
    // What no row is to blame for, setting rows aside does not mend.
    if broken.is_empty() || report.blocking().any(|finding| !is_of_rows(finding)) {
        return Checked { report, aside: None };
    }
    let unnamed = report.blocking().find(|finding| !names_all_rows(finding));
    let (rows, of) = (broken.len() as u64, dataset.rows() as u64);
    let refused = if dataset.slot(file::ROW).or_else(|| dataset.slot(file::CHECKS)).is_some() {
        Some(format!("columns {} and {} are needed for it; rename those of the data", file::ROW, file::CHECKS))
    } else if let Some(finding) = unnamed {
        Some(format!(
            "{} rows break {}, of which {} are known by their places; load the data in parts",
            count(finding.unexpected_rows),
            named(finding),
            count(finding.rows.len() as u64)
        ))
    } else if rows as f64 > quarantine.at_most * of as f64 {
        Some(format!("{} of {} rows ({}) break a critical check", count(rows), count(of), share(rows, of)))
    } else {
        None
    };
    if let Some(observed) = refused {
        let expected = format!("at most {} % of the rows to set aside", quarantine.at_most * 100.0);
        report.findings.push(Finding {
            check: SET_ASIDE.to_owned(),
            column: None,
            severity: Severity::Critical,
            outcome: CheckOutcome::Failed,
            expected,
            observed,
            unexpected_rows: rows,
            examples: Vec::new(),
            rows: Vec::new(),
        });
        sort(&mut report.findings);
        return Checked { report, aside: None };
    }
    let left: Vec<u32> = (0..dataset.rows() as u32).filter(|row| !broken.contains_key(row)).collect();
    let kept = dataset.keep(&left);
    let notes: BTreeMap<String, Vec<String>> =
        whole.columns.iter().map(|column| (column.column.name.clone(), column.notes.clone())).collect();
    let profile = profile(&kept, &notes);
    let mut after = validate(&kept, &profile, problem, known);
    for (row, _) in after.findings.iter_mut().flat_map(|finding| &mut finding.examples) {
        *row = u64::from(left[*row as usize - 1]) + 1;
    }
    after.findings.extend(report.blocking().map(told));
    sort(&mut after.findings);
    let apart: Vec<u32> = broken.keys().copied().collect();
    let aside = after.allows_training().then(|| Aside {
        rows,
        file: file::write(&dataset.keep(&apart), broken.values()),
        kept,
        profile,
    });
    Checked { report: after, aside }
}

/// A check by its name, and what it is of.
fn named(finding: &Finding) -> String {
    match &finding.column {
        Some(column) => format!("{} of {column}", finding.check),
        None => finding.check.clone(),
    }
}

/// Each row that breaks a critical check, with those checks.
fn broken(report: &ValidationReport) -> BTreeMap<u32, BTreeSet<String>> {
    let mut broken: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for finding in report.blocking() {
        let check = named(finding);
        for row in &finding.rows {
            broken.entry(*row).or_default().insert(check.clone());
        }
    }
    broken
}

/// Whether a finding is only about rows, of which some are known by their places.
const fn is_of_rows(finding: &Finding) -> bool {
    matches!(finding.outcome, CheckOutcome::Failed) && finding.unexpected_rows > 0 && !finding.rows.is_empty()
}

/// Whether the places of all rows of a finding are known.
const fn names_all_rows(finding: &Finding) -> bool {
    finding.rows.len() as u64 == finding.unexpected_rows
}

/// That rows were set aside for a finding, as a warning that travels with the model.
fn told(finding: &Finding) -> Finding {
    Finding {
        check: SET_ASIDE.to_owned(),
        severity: Severity::Warning,
        expected: format!("{}: {}", finding.check.replace('_', " "), finding.expected),
        observed: format!("{} set aside: {}", counted(finding.unexpected_rows, "row"), finding.observed),
        rows: Vec::new(),
        ..finding.clone()
    }
}

#[cfg(test)]
mod tests;
