//! Rows that are not trained on: what they may lack, and what they are compared with.

use millrace_domain::schema::{CheckOutcome, Finding, ValidationReport};

use super::tests::{parts, problem, seen};
use super::*;
use crate::dataset::ColumnData;

const PROBLEM: &str = r#"
slug = "tips"
title = "Tips"
decision = "None"
target = { name = "big", kind = "binary", expression = "tips > 3" }
data = { event_time = "at", known_time = "told" }
success = { metric = "roc_auc", at_least = 0.7 }
slices = [{ by = "kind", metric = "roc_auc", at_least = 0.6, min_rows = 10 }]
features = [{ name = "fare" }]
checks = [
    { name = "tips below fare", expression = "tips <= fare + 7" },
    { name = "fare in range", expression = "fare BETWEEN 0 AND 99" },
]
environments = [{ name = "requests", without = ["tips", "kind", "told"], compared_to = "trips" }]
"#;

/// The columns of that name alone.
fn only(names: &[&str], rows: u32) -> Dataset {
    let kept = parts().into_iter().filter(|(name, _)| names.contains(name));
    Dataset::from_parts(kept).unwrap().take(&(0..rows).collect::<Vec<_>>())
}

fn asked(dataset: &Dataset, known: Known<'_>) -> ValidationReport {
    let problem = problem(PROBLEM);
    validate(dataset, &seen(dataset), &problem, Known { environment: problem.environment("requests"), ..known })
}

#[track_caller]
fn of<'r>(report: &'r ValidationReport, check: &str, column: &str) -> &'r Finding {
    let found = report.findings.iter().find(|one| one.check == check && one.column.as_deref() == Some(column));
    found.unwrap_or_else(|| panic!("no {check} of {column}: {report:#?}"))
}

#[test]
fn requests_come_without_the_label_and_what_reads_it_is_skipped() {
    let report = asked(&only(&["fare", "at"], 5), Known::default());
    assert!(report.allows_training(), "{report:#?}");
    for (check, column) in [("column_present", "kind"), ("column_present", "told"), ("tips below fare", "tips")] {
        assert_eq!(of(&report, check, column).outcome, CheckOutcome::Skipped, "{check}");
    }
    assert_eq!(of(&report, "fare in range", "fare").outcome, CheckOutcome::Passed);
    assert!(!report.findings.iter().any(|finding| finding.check.starts_with("label")), "{report:#?}");
}

#[test]
fn a_label_that_the_document_does_not_leave_out_must_be_there() {
    let text = PROBLEM.replace("\"tips\", \"kind\"", "\"kind\"");
    let problem = problem(&text);
    let check = |dataset: &Dataset| {
        let known = Known { environment: problem.environment("requests"), ..Known::default() };
        validate(dataset, &seen(dataset), &problem, known)
    };
    assert!(!check(&only(&["fare", "at"], 100)).allows_training());
    let labelled = check(&only(&["fare", "at", "tips"], 100));
    assert!(labelled.allows_training(), "{labelled:#?}");
    assert_eq!(of(&labelled, "label_missing", "big").outcome, CheckOutcome::Passed);
}

#[test]
fn what_an_answer_takes_must_be_there() {
    let report = asked(&only(&["at"], 100), Known::default());
    assert!(!report.allows_training());
    assert_eq!(of(&report, "expression", "fare").outcome, CheckOutcome::Failed);
}

#[test]
fn a_column_that_is_there_is_checked_although_it_could_be_absent() {
    let mut parts = parts();
    parts[1].1 = ColumnData::Integer((0..100).map(|_| Some(1_000)).collect());
    let report = asked(&Dataset::from_parts(parts).unwrap(), Known::default());
    let broken = report.findings.iter().find(|finding| finding.check == "tips below fare").unwrap();
    assert_eq!((broken.outcome, broken.unexpected_rows), (CheckOutcome::Failed, 100));
}

#[test]
fn requests_are_compared_with_what_was_trained_on_and_with_nothing_else() {
    let trained = only(&["fare", "at", "tips"], 100);
    let mut moved = parts();
    moved[0].1 = ColumnData::Number((0..100).map(|row| Some(f64::from(row) + 70.0)).collect());
    let moved = Dataset::from_parts(moved).unwrap();
    let text = PROBLEM.replace("features", "monitoring = { min_rows = 50 }\nfeatures");
    let problem = problem(&text);
    let environment = problem.environment("requests");
    let profile = seen(&moved);
    let previous = Some(Previous { version: 9, profile: &profile, dataset: &moved });
    let check = |reference| {
        let known = Known { environment, reference, previous, ..Known::default() };
        validate(&moved, &seen(&moved), &problem, known)
    };
    let report = check(Some(Reference { name: "trips", version: 4, dataset: &trained }));
    let drift = of(&report, "drift", "fare");
    assert_eq!(drift.outcome, CheckOutcome::Failed, "{drift:#?}");
    assert!(drift.expected.contains("version 4 of trips"), "{drift:#?}");
    let without = check(None);
    assert!(without.drift.is_none());
    let skipped = without.findings.iter().find(|finding| finding.check == "drift").unwrap();
    assert_eq!(skipped.outcome, CheckOutcome::Skipped);
}
