use millrace_domain::problem::ProblemDocument;
use millrace_domain::schema::{CheckOutcome, Severity};
use serde_json::json;

use super::file::CorrectionError;
use super::{Checked, check, corrections};
use crate::dataset::Dataset;
use crate::profile::profile;
use crate::read::{ReadOptions, read};
use crate::validate::Known;

fn problem(at_most: f64) -> ProblemDocument {
    ProblemDocument::from_json(&json!({
        "slug": "trips", "title": "T", "decision": "D",
        "target": { "name": "big", "kind": "binary", "column": "big" },
        "data": {
            "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 },
            "quarantine": { "at_most": at_most },
        },
        "features": [
            { "name": "x", "min": 0, "max": 100 },
            { "name": "kind", "type": "category", "values": ["a", "b", "=c"] },
        ],
        "checks": [{ "name": "ids", "unique": ["id"] }],
        "success": { "metric": "roc_auc", "at_least": 0.6 }
    }))
    .unwrap()
}

/// A hundred rows, of which the third has an impossible x, the fifth an unknown kind and a missing x, and the last repeats the
/// first one's id.
fn text() -> String {
    let mut rows = "id,x,kind,big,note\n".to_owned();
    for row in 0..100 {
        let id = if row == 99 { 0 } else { row };
        let x = match row {
            2 => "-7.5".to_owned(),
            4 => String::new(),
            _ => format!("{}.5", row % 50),
        };
        let kind = match row {
            4 => "unheard of",
            row if row % 2 == 0 => "a",
            _ => "\"=c\"",
        };
        let note = ["\"\"", "", "+49 30", "'=x"][row % 4];
        rows.push_str(&format!("{id},{x},{kind},{},{note}\n", row % 3 == 0));
    }
    rows
}

fn dataset() -> Dataset {
    let options = ReadOptions { text_columns: vec!["note".to_owned()], ..ReadOptions::default() };
    read(text().as_bytes(), "rows.csv", &options).unwrap().dataset
}

fn checked(at_most: f64) -> Checked {
    let dataset = dataset();
    let profile = profile(&dataset, &Default::default());
    check(&dataset, &profile, &problem(at_most), Known::default())
}

#[test]
fn rows_that_break_a_critical_check_are_set_aside_with_their_reasons() {
    let checked = checked(0.05);
    assert!(checked.report.allows_training(), "{:?}", checked.report.blocking().collect::<Vec<_>>());
    let aside = checked.aside.unwrap();
    assert_eq!((aside.rows, aside.kept.rows(), aside.profile.rows), (3, 97, 97));
    let file = String::from_utf8(aside.file).unwrap();
    let lines: Vec<&str> = file.lines().collect();
    assert_eq!(lines[0], "\"_row\",\"_checks\",\"id\",\"x\",\"kind\",\"big\",\"note\"");
    assert_eq!(lines[1], "3,\"min_value of x\",2,-7.5,\"a\",false,\"'+49 30\"");
    assert_eq!(lines[2], "5,\"allowed_values of kind; null_share of x\",4,,\"unheard of\",false,\"\"");
    assert_eq!(lines[3], "100,\"ids of id\",0,49.5,\"'=c\",true,\"''=x\"");
    let told = checked.report.findings.iter().filter(|finding| finding.check == "quarantine");
    assert_eq!(told.filter(|finding| finding.severity == Severity::Warning).count(), 4);
}

#[test]
fn more_than_may_be_set_aside_stops_the_pipeline() {
    let checked = checked(0.02);
    assert!(checked.aside.is_none() && !checked.report.allows_training());
    let refused = checked.report.blocking().find(|finding| finding.check == "quarantine").unwrap();
    assert_eq!(refused.observed, "3 of 100 rows (3.00 %) break a critical check");
}

#[test]
fn what_no_row_is_to_blame_for_stops_the_pipeline() {
    let dataset = dataset();
    let mut narrow = problem(0.5);
    narrow.features[0].expression = millrace_domain::expr::Expression::column("gone");
    let profile = profile(&dataset, &Default::default());
    let checked = check(&dataset, &profile, &narrow, Known::default());
    assert!(checked.aside.is_none() && !checked.report.allows_training());
}

#[test]
fn rows_keep_the_numbers_of_the_source() {
    let checked = checked(0.05);
    let examples = |check: &str| {
        let found = checked.report.findings.iter().find(|finding| finding.check == check).unwrap();
        (found.outcome, found.examples.clone())
    };
    assert_eq!(examples("ids"), (CheckOutcome::Passed, Vec::new()));
    let (_, quarantined) = examples("quarantine");
    assert!([3, 5, 100].contains(&quarantined[0].0), "{quarantined:?}");
}

#[test]
fn corrected_rows_come_back_bit_for_bit() {
    let aside = checked(0.05).aside.unwrap();
    let corrected = String::from_utf8(aside.file.clone()).unwrap().replace("-7.5", "7.5");
    let whole = corrections(&aside.file, corrected.as_bytes(), "fixed.csv", &aside.kept).unwrap();
    assert_eq!(whole.rows(), 100);
    assert_eq!(
        whole.take(&(0..97).collect::<Vec<_>>()).digest(),
        aside.kept.take(&(0..97).collect::<Vec<_>>()).digest()
    );
    // Untouched cells are those of the source, apostrophes and empty texts too.
    assert_eq!(whole.take(&[98, 99]).digest(), dataset().take(&[4, 99]).digest());
}

#[test]
fn only_what_was_set_aside_comes_back_and_once() {
    let aside = checked(0.05).aside.unwrap();
    let file = String::from_utf8(aside.file.clone()).unwrap();
    let back =
        |corrected: String| corrections(&aside.file, corrected.as_bytes(), "fixed.csv", &aside.kept).unwrap_err();
    assert_eq!(back(file.replace("\n3,", "\n4,")), CorrectionError::NotSetAside(4));
    assert_eq!(back(file.replace("\n3,", "\n5,")), CorrectionError::Twice(5));
    assert_eq!(back(file.replace("\"_row\"", "\"row\"")), CorrectionError::NoRowNumbers);
}

#[test]
fn more_rows_than_are_known_by_their_places_are_not_set_aside_and_that_is_said() {
    let rows: String =
        (0..300_000).map(|row| format!("{row},{},a,{},n\n", if row % 5 < 2 { -1 } else { 7 }, row % 3 == 0)).collect();
    let text = format!("id,x,kind,big,note\n{rows}");
    let dataset = read(text.as_bytes(), "rows.csv", &ReadOptions::default()).unwrap().dataset;
    let profile = profile(&dataset, &Default::default());
    let checked = check(&dataset, &profile, &problem(0.5), Known::default());
    assert!(checked.aside.is_none() && !checked.report.allows_training());
    let why = checked.report.findings.iter().find(|finding| finding.check == "quarantine").expect("it says why");
    assert_eq!(
        why.observed,
        "120,000 rows break min_value of x, of which 100,000 are known by their places; load the data in parts"
    );
}
