//! The data corpus from the table on: what is readable, and what may be trained on. Each test quotes the id of its case.

#![expect(clippy::unwrap_used, reason = "a step that fails is the failure of its test")]

use std::fmt::Write as _;

use millrace_domain::problem::ProblemDocument;
use millrace_domain::schema::{CheckOutcome, Finding, Severity, ValidationReport};
use millrace_ml::profile::profile;
use millrace_ml::read::{Loaded, ReadOptions, read};
use millrace_ml::validate::{Known, Previous, copies_of_target, validate};

const FEATURES: &str = "[{ name = \"x\", nullable = true }]";

fn problem(features: &str, more: &str) -> ProblemDocument {
    let random = "data = { split = { kind = \"random\", seed = 1 } }\n";
    let more = if more.contains("data = ") { more.to_owned() } else { format!("{random}{more}") };
    let text = format!(
        "slug = \"corpus\"\ntitle = \"T\"\ndecision = \"D\"\ntarget = {{ name = \"y\", kind = \"binary\", column = \"y\" }}\n\
         success = {{ metric = \"roc_auc\", at_least = 0.6 }}\nfeatures = {features}\n{more}\n"
    );
    ProblemDocument::parse(&text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

/// A hundred rows `x,y,` and what `more` says of each.
fn table(header: &str, more: impl Fn(usize) -> String) -> Loaded {
    let mut text = format!("x,y{header}\n");
    for row in 0..100 {
        writeln!(text, "{},{}{}", (row * 37) % 101, u8::from((row * 31) % 7 < 3), more(row)).unwrap();
    }
    load(&text)
}

fn load(text: &str) -> Loaded {
    read(text.as_bytes(), "corpus.csv", &ReadOptions::default()).unwrap()
}

fn report(loaded: &Loaded, problem: &ProblemDocument, known: Known<'_>) -> ValidationReport {
    validate(&loaded.dataset, &profile(&loaded.dataset, &loaded.notes), problem, known)
}

fn alone(loaded: &Loaded, features: &str, more: &str) -> ValidationReport {
    report(loaded, &problem(features, more), Known::default())
}

fn failed<'r>(report: &'r ValidationReport, check: &str, column: &str) -> &'r Finding {
    let is_it = |finding: &&Finding| {
        finding.check == check
            && finding.outcome == CheckOutcome::Failed
            && finding.column.as_deref().is_none_or(|name| name == column)
    };
    report.findings.iter().find(is_it).unwrap_or_else(|| panic!("no failed {check} of {column}: {report:#?}"))
}

#[test]
fn x13_marks_and_line_ends_of_every_kind_are_taken_off() {
    let loaded = load("\u{FEFF}x,y\r\n1,0\r2,1\n");
    assert_eq!((loaded.dataset.rows(), loaded.dataset.schema()[0].name.as_str()), (2, "x"));
}

#[test]
fn x22_names_that_mean_something_elsewhere_are_names() {
    let loaded = table(",constructor,select,__proto__", |row| format!(",{row},{row},{row}"));
    let features =
        "[{ name = \"constructor\" }, { name = \"select\", expression = '\"select\" + 1' }, { name = \"__proto__\" }]";
    assert!(alone(&loaded, features, "").allows_training());
}

#[test]
fn x23_a_column_without_a_value_is_a_warning() {
    let report = alone(&table(",gone", |_| ",".to_owned()), FEATURES, "");
    assert_eq!(failed(&report, "empty_column", "gone").severity, Severity::Warning);
    assert!(report.allows_training());
}

#[test]
fn x24_to_x26_inputs_that_teach_nothing_are_warnings() {
    let loaded = table(",one,id,rare", |row| format!(",5,id-{row},{}", if row == 7 { "b" } else { "a" }));
    let text = "[{ name = \"x\" }, { name = \"one\" }, { name = \"id\", type = \"category\" }]";
    let found = alone(&loaded, text, "");
    failed(&found, "constant_feature", "one");
    failed(&found, "unique_category", "id");
    let mut rows = String::from("x,y,rare\n");
    for row in 0..10_000 {
        writeln!(rows, "{},{},{}", row % 101, u8::from(row % 7 < 3), if row == 7 { "b" } else { "a" }).unwrap();
    }
    let nearly = alone(&load(&rows), "[{ name = \"x\" }, { name = \"rare\", type = \"category\" }]", "");
    failed(&nearly, "nearly_constant_feature", "rare");
    assert!(found.allows_training() && nearly.allows_training());
}

#[test]
fn x27_a_target_of_one_class_stops() {
    let loaded = load(&format!("x,y\n{}", (0..100).map(|row| format!("{row},1\n")).collect::<String>()));
    let report = alone(&loaded, FEATURES, "");
    assert!(!report.allows_training());
    assert!(report.blocking().any(|finding| finding.column.as_deref() == Some("y")), "{report:#?}");
}

#[test]
fn x28_missing_labels_stop_with_their_rows() {
    let text = |row: usize| if row == 40 { "NaN".to_owned() } else { (row % 2).to_string() };
    let loaded = load(&format!("x,y\n{}", (0..100).map(|row| format!("{row},{}\n", text(row))).collect::<String>()));
    let report = alone(&loaded, FEATURES, "");
    let finding = failed(&report, "label_missing", "y");
    assert_eq!((finding.severity, finding.examples[0].0), (Severity::Critical, 41));
    let infinite = read(b"x,y\n1,inf\n2,0\n", "corpus.csv", &ReadOptions::default()).unwrap_err().to_string();
    assert!(infinite.contains("row 1") && infinite.contains("infinite"), "{infinite}");
}

#[test]
fn x29_one_in_ten_thousand_is_said_and_so_are_fewer_than_ten() {
    let rows = |positives: usize| -> Loaded {
        let line = |row: usize| format!("{},{}\n", row % 101, u8::from(row < positives));
        load(&format!("x,y\n{}", (0..110_000).map(line).collect::<String>()))
    };
    let eleven = alone(&rows(11), FEATURES, "");
    assert!(eleven.allows_training());
    assert!(eleven.warnings().any(|finding| finding.column.as_deref() == Some("y")), "{:?}", eleven.findings);
    assert_eq!(failed(&alone(&rows(3), FEATURES, ""), "label_class_rows", "y").severity, Severity::Warning);
}

#[test]
fn x30_fewer_than_thirty_rows_stop() {
    let loaded = load(&format!("x,y\n{}", (0..29).map(|row| format!("{row},{}\n", row % 2)).collect::<String>()));
    assert_eq!(failed(&alone(&loaded, FEATURES, ""), "row_count", "").severity, Severity::Critical);
}

#[test]
fn x31_a_copy_of_the_target_is_a_leak_that_no_gate_lets_pass() {
    let loaded = table(",copy", |row| format!(",{}", 5 + 2 * u8::from((row * 31) % 7 < 3)));
    let document = problem("[{ name = \"x\" }, { name = \"copy\" }]", "");
    failed(&report(&loaded, &document, Known::default()), "target_copy", "copy");
    let found = copies_of_target(&loaded.dataset, &document);
    assert_eq!(found.iter().map(|finding| finding.column.as_deref()).collect::<Vec<_>>(), [Some("copy")]);
}

#[test]
fn x32_entities_that_a_random_split_tears_apart_are_told() {
    let loaded = table(",customer", |row| format!(",c{}", row % 10));
    let torn = "data = { entity = \"customer\", split = { kind = \"random\", seed = 1 } }";
    let report = alone(&loaded, FEATURES, torn);
    assert!(failed(&report, "entity_split", "customer").observed.contains("10 entities have 100 rows"));
    let whole = torn.replace("seed = 1", "seed = 1, entity = \"customer\"");
    assert!(!alone(&loaded, FEATURES, &whole).warnings().any(|finding| finding.check == "entity_split"));
}

#[test]
fn x33_events_more_than_a_day_ahead_stop() {
    let loaded = table(",at", |row| format!(",2026-01-{:02}T00:00:00Z", 1 + row % 28));
    let document = problem(FEATURES, "data = { event_time = \"at\" }");
    let loaded_at = chrono::DateTime::parse_from_rfc3339("2026-01-26T12:00:00Z").unwrap().timestamp_micros();
    let found = report(&loaded, &document, Known { loaded_at: Some(loaded_at), ..Known::default() });
    assert_eq!(failed(&found, "event_time_future", "at").severity, Severity::Critical);
}

#[test]
fn x34_a_key_that_comes_twice_breaks_the_declared_rule() {
    let loaded = table(",id", |row| format!(",{}", if row == 99 { 3 } else { row }));
    let report = alone(&loaded, FEATURES, "[[checks]]\nname = \"keys\"\nunique = [\"id\"]");
    assert_eq!(failed(&report, "keys", "id").examples, [(100, "3 as in row 4".to_owned())]);
    assert!(!report.allows_training());
}

#[test]
fn x37_a_type_that_changes_in_the_last_row_is_seen_there() {
    let mut text = String::from("x,y\n");
    for row in 0..100_001 {
        writeln!(text, "{},{}", if row == 100_000 { "oops".to_owned() } else { row.to_string() }, row % 2).unwrap();
    }
    let report = alone(&load(&text), FEATURES, "");
    assert!(!report.allows_training());
    assert!(failed(&report, "reading", "x").observed.contains("row 100001"), "{report:#?}");
}

/// A version against the one before, which had the columns x, y and z.
fn against(before: &Loaded, after: &Loaded, features: &str) -> ValidationReport {
    let was = profile(&before.dataset, &before.notes);
    let previous = Previous { version: 1, profile: &was, dataset: &before.dataset };
    report(
        after,
        &problem(features, "monitoring = { min_rows = 50 }"),
        Known { previous: Some(previous), ..Known::default() },
    )
}

const WITH_Z: &str = "[{ name = \"x\" }, { name = \"z\" }]";

fn with_z(name: &str, value: impl Fn(usize) -> String) -> Loaded {
    table(&format!(",{name}"), move |row| format!(",{}", value(row)))
}

#[test]
fn x38_a_column_that_is_gone_renamed_or_of_another_type_stops() {
    let before = with_z("z", |row| row.to_string());
    for after in
        [table("", |_| String::new()), with_z("zz", |row| row.to_string()), with_z("z", |row| format!("t{row}"))]
    {
        let report = against(&before, &after, WITH_Z);
        assert!(report.blocking().any(|finding| finding.column.as_deref() == Some("z")), "{report:#?}");
    }
}

#[test]
fn x39_another_order_is_taken_by_name_and_a_new_column_is_told() {
    let before = with_z("z", |row| row.to_string());
    let swapped = load(&format!(
        "z,y,x\n{}",
        (0..100).map(|row| format!("{row},{},{}\n", row % 2, row % 11)).collect::<String>()
    ));
    assert!(against(&before, &swapped, WITH_Z).allows_training());
    let wider = table(",z,fresh", |row| format!(",{row},{row}"));
    let report = against(&before, &wider, WITH_Z);
    assert!(report.allows_training());
    assert_eq!(failed(&report, "column_new", "fresh").severity, Severity::Info);
}

#[test]
fn x40_the_same_name_in_another_unit_is_drift() {
    let before = with_z("z", |row| (row + 1).to_string());
    let after = with_z("z", |row| ((row + 1) * 1_000).to_string());
    failed(&against(&before, &after, WITH_Z), "drift", "z");
}
