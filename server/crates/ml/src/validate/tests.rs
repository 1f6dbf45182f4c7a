use std::collections::BTreeMap;

use super::*;
use crate::dataset::ColumnData;
use crate::profile::profile;

/// A hundred rows: `fare` 0 to 99, `tips` 0 to 6, `kind` of two texts, `at` a day apart.
pub(super) fn parts() -> Vec<(&'static str, ColumnData)> {
    let day = 86_400_000_000;
    vec![
        ("fare", ColumnData::Number((0..100).map(|row| Some(f64::from(row))).collect())),
        ("tips", ColumnData::Integer((0..100).map(|row| Some(row * 5 % 7)).collect())),
        (
            "kind",
            ColumnData::Text((0..100).map(|row| Some(if row % 3 == 0 { "Cash" } else { "Card" }.to_owned())).collect()),
        ),
        ("at", ColumnData::Time((0..100).map(|row| Some(row * day)).collect())),
    ]
}

const PROBLEM: &str = r#"
slug = "tips"
title = "Tips"
decision = "None"
target = { name = "big", kind = "binary", expression = "tips > 3" }
data = { event_time = "at" }
success = { metric = "roc_auc", at_least = 0.7 }
[[features]]
name = "fare"
"#;

pub(super) fn problem(text: &str) -> ProblemDocument {
    ProblemDocument::parse(text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

fn report_on(parts: Vec<(&'static str, ColumnData)>, document: &str) -> ValidationReport {
    let dataset = Dataset::from_parts(parts).unwrap();
    validate(&dataset, &profile(&dataset, &BTreeMap::new()), &problem(document), Known::default())
}

fn with(slot: usize, data: ColumnData) -> Vec<(&'static str, ColumnData)> {
    let mut parts = parts();
    parts[slot].1 = data;
    parts
}

#[track_caller]
fn failure<'r>(report: &'r ValidationReport, check: &str, column: &str) -> &'r Finding {
    let found =
        report.findings.iter().find(|finding| finding.check == check && finding.column.as_deref() == Some(column));
    let finding = found.unwrap_or_else(|| panic!("no {check} of {column}: {report:#?}"));
    assert_eq!(finding.outcome, CheckOutcome::Failed, "{finding:#?}");
    finding
}

#[test]
fn clean_data_may_be_trained_on() {
    let report = report_on(parts(), PROBLEM);
    assert!(report.allows_training(), "{report:#?}");
    assert_eq!(report.warnings().count(), 0, "{report:#?}");
}

#[test]
fn a_dataset_without_rows_is_never_valid() {
    let empty = vec![
        ("fare", ColumnData::Number(vec![])),
        ("tips", ColumnData::Integer(vec![])),
        ("at", ColumnData::Time(vec![])),
    ];
    assert!(!report_on(empty, PROBLEM).allows_training());
}

#[test]
fn thirty_rows_are_the_least() {
    let first = |rows: u32| {
        let dataset = Dataset::from_parts(parts()).unwrap().take(&(0..rows).collect::<Vec<_>>());
        validate(&dataset, &profile(&dataset, &BTreeMap::new()), &problem(PROBLEM), Known::default()).allows_training()
    };
    assert_eq!((first(29), first(30)), (false, true));
}

#[test]
fn a_column_that_is_not_there_is_named_with_its_neighbour() {
    let report = report_on(parts(), &PROBLEM.replace(r#""fare""#, r#""fares""#));
    assert!(failure(&report, "expression", "fares").observed.contains(r#"did you mean "fare"?"#));
    assert!(!report.allows_training());
}

#[test]
fn a_slice_over_nothing_is_critical() {
    let document = format!("{PROBLEM}[[slices]]\nby = \"company\"\nmetric = \"roc_auc\"\nat_least = 0.5\n");
    let report = report_on(parts(), &document);
    assert!(failure(&report, "column_present", "company").observed.contains("\"kind\""));
}

#[test]
fn a_feature_of_the_wrong_type_says_what_to_do() {
    let report = report_on(parts(), &PROBLEM.replace(r#""fare""#, r#""kind""#));
    assert!(failure(&report, "expression", "kind").observed.contains("make the feature a category"));
}

#[test]
fn missing_values_are_counted_against_the_document() {
    let mut fares: Vec<Option<f64>> = (0..100).map(|row| Some(f64::from(row))).collect();
    fares[4] = None;
    fares[7] = None;
    let gaps = || with(0, ColumnData::Number(fares.clone()));
    let report = report_on(gaps(), PROBLEM);
    let finding = failure(&report, "null_share", "fare");
    assert_eq!((finding.unexpected_rows, finding.examples[0].0, finding.examples[1].0), (2, 5, 8));
    assert_eq!(finding.observed, "missing in 2 of 100 rows (2.00 %)");
    assert!(report_on(gaps(), &format!("{PROBLEM}nullable = true\n")).allows_training());
    assert!(report_on(gaps(), &format!("{PROBLEM}nullable = true\nmax_null_share = 0.02\n")).allows_training());
    assert!(!report_on(gaps(), &format!("{PROBLEM}nullable = true\nmax_null_share = 0.01\n")).allows_training());
}

#[test]
fn values_outside_the_range_are_named_with_their_rows() {
    let report = report_on(parts(), &format!("{PROBLEM}min = 1\nmax = 90\n"));
    assert_eq!(failure(&report, "min_value", "fare").examples, [(1, "0".to_owned())]);
    let above = failure(&report, "max_value", "fare");
    assert_eq!(
        (above.unexpected_rows, above.observed.as_str()),
        (9, "values from 0 to 99; outside in 9 of 100 rows (9.00 %)")
    );
}

#[test]
fn at_most_twenty_rows_are_named() {
    let report = report_on(parts(), &format!("{PROBLEM}min = 50\n"));
    let finding = failure(&report, "min_value", "fare");
    assert_eq!((finding.unexpected_rows, finding.examples.len()), (50, 20));
}

#[test]
fn a_value_that_is_not_allowed_is_named() {
    let document = PROBLEM.replace(r#""fare""#, "\"kind\"\ntype = \"category\"\nvalues = [\"Card\"]");
    let report = report_on(parts(), &document);
    let finding = failure(&report, "allowed_values", "kind");
    assert_eq!((finding.observed.as_str(), finding.unexpected_rows), ("\"Cash\" in 34 of 100 rows (34.0 %)", 34));
}

#[test]
fn a_numeric_category_is_compared_as_features_have_it() {
    let document = PROBLEM
        .replace(r#""fare""#, "\"tips\"\ntype = \"category\"\nvalues = [\"0\", \"1\", \"2\", \"3\", \"4\", \"5\"]");
    let report = report_on(parts(), &document);
    assert_eq!(failure(&report, "allowed_values", "tips").examples[0].1, "6");
}

#[test]
fn missing_labels_are_critical() {
    let mut tips: Vec<Option<i64>> = (0..100).map(|row| Some(row * 5 % 7)).collect();
    tips[99] = None;
    let report = report_on(with(1, ColumnData::Integer(tips)), PROBLEM);
    assert_eq!(failure(&report, "label_missing", "big").examples, [(100, "missing".to_owned())]);
    assert!(!report.allows_training());
}

#[test]
fn one_class_is_nothing_to_learn() {
    let report = report_on(with(1, ColumnData::Integer(vec![Some(9); 100])), PROBLEM);
    assert!(failure(&report, "label_classes", "big").observed.contains("nothing to tell apart"));
    assert!(!report.allows_training());
}

#[test]
fn the_number_of_classes_must_fit_the_kind() {
    let of = |kind: &str| {
        PROBLEM
            .replace(r#"kind = "binary", expression = "tips > 3""#, &format!("kind = \"{kind}\", column = \"kind\""))
            .replace("roc_auc", "accuracy")
    };
    assert!(report_on(parts(), &of("binary")).allows_training());
    let report = report_on(parts(), &of("multiclass"));
    assert!(failure(&report, "label_classes", "big").observed.starts_with("2 classes: \"Card\" (66 rows)"));
}

#[test]
fn a_rare_class_is_a_warning() {
    let rows = 20_000;
    let parts = vec![
        ("fare", ColumnData::Number((0..rows).map(|row| Some(f64::from(row * 7 % rows))).collect())),
        ("tips", ColumnData::Integer((0..rows).map(|row| Some(if row == 77 || row == 99 { 9 } else { 0 })).collect())),
        ("at", ColumnData::Time((0..rows).map(|row| Some(i64::from(row))).collect())),
    ];
    let report = report_on(parts, PROBLEM);
    assert!(report.allows_training());
    assert!(failure(&report, "label_balance", "big").observed.contains("2 of 20,000 rows (0.01 %)"));
    assert!(failure(&report, "label_class_rows", "big").observed.contains("\"true\""));
}

#[test]
fn a_regression_needs_labels_that_differ_and_are_numbers() {
    let of = |column: &str| {
        PROBLEM
            .replace(
                r#"kind = "binary", expression = "tips > 3""#,
                &format!("kind = \"regression\", column = \"{column}\""),
            )
            .replace("metric = \"roc_auc\", at_least = 0.7", "metric = \"rmse\", at_most = 1")
    };
    failure(&report_on(parts(), &of("kind")), "label_type", "big");
    failure(&report_on(with(1, ColumnData::Integer(vec![Some(3); 100])), &of("tips")), "label_constant", "big");
    assert!(report_on(parts(), &of("tips")).allows_training());
}

#[test]
fn a_copy_of_the_target_is_a_leak() {
    let document = PROBLEM.replace(r#""fare""#, "\"paid\"\nexpression = \"tips * 2 + 1\"");
    let report = report_on(parts(), &document);
    assert!(failure(&report, "target_copy", "paid").observed.contains("explains the target alone"));
    assert!(report.allows_training());
}

#[test]
fn what_is_signed_as_known_before_the_label_is_no_leak() {
    let document = PROBLEM.replace(r#""fare""#, "\"paid\"\nexpression = \"tips * 2 + 1\"\nknown_before_label = true");
    let dataset = Dataset::from_parts(parts()).unwrap();
    assert_eq!(copies_of_target(&dataset, &problem(&document)), []);
    let unsigned = document.replace("known_before_label = true", "");
    assert_eq!(copies_of_target(&dataset, &problem(&unsigned)).len(), 1);
}

#[test]
fn constant_and_unique_inputs_are_warnings() {
    let document = format!(
        "{PROBLEM}[[features]]\nname = \"one\"\nexpression = \"1\"\n[[features]]\nname = \"id\"\nexpression = \"cast(fare as text)\"\ntype = \"category\"\n"
    );
    let report = report_on(parts(), &document);
    failure(&report, "constant_feature", "one");
    failure(&report, "unique_category", "id");
    assert!(report.allows_training());
}

#[test]
fn an_empty_column_is_named() {
    let mut parts = parts();
    parts.push(("gone", ColumnData::Text(vec![None; 100])));
    let report = report_on(parts, PROBLEM);
    assert_eq!(failure(&report, "empty_column", "gone").severity, Severity::Warning);
}

#[test]
fn rows_that_come_twice_are_counted() {
    let dataset = Dataset::from_parts(parts()).unwrap().take(&(0..100).chain([3, 3]).collect::<Vec<_>>());
    let report = validate(&dataset, &profile(&dataset, &BTreeMap::new()), &problem(PROBLEM), Known::default());
    let finding = report.findings.iter().find(|finding| finding.check == "duplicate_rows").unwrap();
    assert_eq!(finding.examples, [(101, "repeats row 4".to_owned()), (102, "repeats row 4".to_owned())]);
}

#[test]
fn an_event_time_that_is_no_time_is_critical() {
    let report = report_on(with(3, ColumnData::Text(vec![Some("01/02/03".to_owned()); 100])), PROBLEM);
    assert!(failure(&report, "event_time", "at").observed.contains("read as text"));
    let mut times: Vec<Option<i64>> = (0..100).map(Some).collect();
    times[0] = None;
    let report = report_on(with(3, ColumnData::Time(times)), PROBLEM);
    assert_eq!(failure(&report, "event_time_missing", "at").severity, Severity::Critical);
}

#[test]
fn notes_of_the_reader_become_warnings() {
    let dataset = Dataset::from_parts(parts()).unwrap();
    let notes = BTreeMap::from([("fare".to_owned(), vec!["blank text in 11 rows".to_owned()])]);
    let report = validate(&dataset, &profile(&dataset, &notes), &problem(PROBLEM), Known::default());
    assert_eq!(failure(&report, "reading", "fare").observed, "blank text in 11 rows");
}

pub(super) fn seen(dataset: &Dataset) -> Profile {
    profile(dataset, &BTreeMap::new())
}

/// Checks rows that come after others.
fn since(before: &Dataset, now: &Dataset, document: &str) -> ValidationReport {
    let profile = seen(before);
    let previous = Some(Previous { version: 1, profile: &profile, dataset: before });
    validate(now, &seen(now), &problem(document), Known { previous, ..Known::default() })
}

#[test]
fn drift_since_the_version_before_is_weighed_by_use() {
    let wide = |shift: f64| -> Dataset {
        let number = |row: i64, shift: f64| Some((row * 37 % 101) as f64 + shift);
        Dataset::from_parts([
            ("fare", ColumnData::Number((0..400).map(|row| number(row, shift)).collect())),
            ("other", ColumnData::Number((0..400).map(|row| number(row, shift)).collect())),
            ("tips", ColumnData::Integer((0..400).map(|row| Some(row * 5 % 7)).collect())),
            ("at", ColumnData::Time((0..400).map(Some).collect())),
        ])
        .unwrap()
    };
    let report = since(&wide(0.0), &wide(60.0), PROBLEM);
    assert_eq!(failure(&report, "drift", "fare").severity, Severity::Warning);
    assert_eq!(failure(&report, "drift", "other").severity, Severity::Info);
    let still = since(&wide(0.0), &wide(0.0), PROBLEM);
    assert!(
        still
            .findings
            .iter()
            .filter(|finding| finding.check == "drift")
            .all(|finding| finding.outcome == CheckOutcome::Passed)
    );
    assert_eq!(still.drift.unwrap().columns.len(), 3);
}

#[test]
fn too_few_rows_tell_nothing_of_drift() {
    let before = Dataset::from_parts(parts()).unwrap();
    let report = since(&before, &before, PROBLEM);
    let drift: Vec<&Finding> = report.findings.iter().filter(|finding| finding.check == "drift").collect();
    assert_eq!((drift.len(), drift[0].outcome), (1, CheckOutcome::Skipped));
}

#[test]
fn the_newest_event_is_held_against_the_time_of_the_load() {
    let document = format!("{PROBLEM}[monitoring]\nfreshness = \"2d\"\n");
    let dataset = Dataset::from_parts(parts()).unwrap();
    let (day, newest) = (86_400_000_000, 99 * 86_400_000_000);
    let outcome = |loaded_at: i64| {
        let known = Known { loaded_at: Some(loaded_at), ..Known::default() };
        let report = validate(&dataset, &profile(&dataset, &BTreeMap::new()), &problem(&document), known);
        report.findings.iter().find(|finding| finding.check == "freshness").unwrap().outcome
    };
    assert_eq!(outcome(newest + 2 * day), CheckOutcome::Passed);
    assert_eq!(outcome(newest + 2 * day + 1_000_000), CheckOutcome::Failed);
}

#[test]
fn events_of_the_future_stop_the_pipeline() {
    let dataset = Dataset::from_parts(parts()).unwrap();
    let (day, newest) = (86_400_000_000, 99 * 86_400_000_000);
    let report = |loaded_at: i64| {
        let known = Known { loaded_at: Some(loaded_at), ..Known::default() };
        validate(&dataset, &profile(&dataset, &BTreeMap::new()), &problem(PROBLEM), known)
    };
    assert!(report(newest - day).allows_training());
    let early = report(newest - 3 * day);
    assert_eq!(failure(&early, "event_time_future", "at").unexpected_rows, 2);
    assert!(!early.allows_training());
}

/// The finding of one declared check on the hundred rows.
fn declared(rule: &str) -> Finding {
    let report = report_on(parts(), &format!("{PROBLEM}[[checks]]\nname = \"rule\"\n{rule}\n"));
    report.findings.into_iter().find(|finding| finding.check == "rule").unwrap()
}

#[test]
fn a_rule_on_rows_counts_and_names_those_that_break_it() {
    let finding = declared("expression = \"tips <= fare\"");
    assert_eq!((finding.outcome, finding.unexpected_rows), (CheckOutcome::Failed, 3));
    assert_eq!(finding.examples[0], (2, "tips: 5, fare: 1".to_owned()));
    assert_eq!(declared("expression = \"tips <= fare\"\nat_least = 0.97").outcome, CheckOutcome::Passed);
    assert_eq!(declared("expression = \"tips <= fare\"\nat_least = 0.98").outcome, CheckOutcome::Failed);
}

#[test]
fn a_rule_that_cannot_be_evaluated_is_neither_kept_nor_broken() {
    for rule in
        ["expression = \"tip <= fare\"", "expression = \"tips + 1\"", "unique = [\"id\"]", "increasing = \"kind\""]
    {
        assert_eq!(declared(rule).outcome, CheckOutcome::Errored, "{rule}");
    }
    assert_eq!(declared("statistic = \"mean\"\nof = \"kind\"\nmin = 0").outcome, CheckOutcome::Errored);
}

#[test]
fn a_pattern_is_searched_for_in_texts() {
    assert_eq!(declared("expression = \"kind ~ '^Ca(sh|rd)$'\"").outcome, CheckOutcome::Passed);
    assert_eq!(declared("expression = \"kind !~ 'sh'\"").unexpected_rows, 34);
}

#[test]
fn a_key_is_unique_and_repeats_are_named_with_their_first_row() {
    assert_eq!(declared("unique = [\"fare\"]").outcome, CheckOutcome::Passed);
    let finding = declared("unique = [\"kind\", \"tips\"]");
    assert_eq!((finding.outcome, finding.unexpected_rows), (CheckOutcome::Failed, 86));
    assert!(finding.examples[0].1.contains("as in row"), "{finding:?}");
}

#[test]
fn a_column_that_falls_is_not_increasing() {
    assert_eq!(declared("increasing = \"at\"").outcome, CheckOutcome::Passed);
    assert_eq!(declared("increasing = \"tips\"").outcome, CheckOutcome::Failed);
}

#[test]
fn a_statistic_is_held_within_its_bounds() {
    let fare = |bounds: &str| declared(&format!("statistic = \"mean\"\nof = \"fare\"\n{bounds}"));
    assert_eq!((fare("min = 49.5").outcome, fare("max = 49.4").outcome), (CheckOutcome::Passed, CheckOutcome::Failed));
    assert_eq!(declared("statistic = \"rows\"\nmin = 100\nmax = 100").outcome, CheckOutcome::Passed);
}

#[test]
fn changes_since_the_version_before_are_weighed_by_use() {
    let before = Dataset::from_parts(parts()).unwrap();
    let mut changed = parts();
    changed.remove(2);
    changed[0].1 = ColumnData::Text(vec![Some("x".to_owned()); 100]);
    changed.push(("new", ColumnData::Boolean(vec![Some(true); 100])));
    let now = Dataset::from_parts(changed).unwrap();
    let report = since(&before, &now, PROBLEM);
    assert_eq!(failure(&report, "column_removed", "kind").severity, Severity::Warning);
    assert_eq!(failure(&report, "column_type_changed", "fare").severity, Severity::Critical);
    assert_eq!(failure(&report, "column_new", "new").severity, Severity::Info);
}

#[test]
fn reordered_columns_are_the_same_schema() {
    let before = Dataset::from_parts(parts()).unwrap();
    let mut reordered = parts();
    reordered.reverse();
    let now = Dataset::from_parts(reordered).unwrap();
    let report = since(&before, &now, PROBLEM);
    assert!(report.findings.iter().any(|finding| finding.check == "schema_unchanged"));
}

#[test]
fn half_as_many_rows_is_a_warning() {
    let before = Dataset::from_parts(parts()).unwrap();
    let now = before.take(&(0..49).collect::<Vec<_>>());
    let report = since(&before, &now, PROBLEM);
    assert!(report.warnings().any(|finding| finding.check == "row_count_change"));
}

#[test]
fn failures_come_first() {
    let mut parts = parts();
    parts.push(("gone", ColumnData::Text(vec![None; 100])));
    let report = report_on(parts, &format!("{PROBLEM}min = 1\n"));
    let ranks: Vec<u8> = report.findings.iter().map(rank).collect();
    assert!(ranks.is_sorted());
    assert_eq!((report.findings[0].check.as_str(), report.findings[1].check.as_str()), ("min_value", "empty_column"));
}
