//! Files larger than what may be held in memory: read in blocks, kept in a scratch file, worked on a column at a time, with the same
//! result to the last bit.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;

use millrace_domain::problem::{ProblemDocument, TimeFormat};
use millrace_domain::schema::ColumnType;
use millrace_ml::Dataset;
use millrace_ml::profile::profile;
use millrace_ml::quarantine;
use millrace_ml::read::{Limits, Loaded, ReadOptions, read, read_file};
use millrace_ml::validate::{Known, Previous, validate};

const ROWS: usize = 40_000;

/// Rows of every type of column; `x` stops being a whole number, and `late` being empty, long after the first block.
fn csv() -> String {
    let mut text = "id,x,share,kind,flag,at,seconds,empty,late,note\n".to_owned();
    for row in 0..ROWS {
        let x = if row == ROWS - 10 { "0.5".to_owned() } else { (row % 97).to_string() };
        let late = if row > ROWS - 100 { "7" } else { "" };
        let kind = ["a", "b", "", "caf\u{e9}"][row % 4];
        writeln!(
            text,
            "{row},{x},{:.3},{kind},{},2024-03-{:02}T10:00:00Z,{},,{late},\"note {row},\nsecond \"\"line\"\"\"",
            row as f64 / 7.0,
            row % 3 == 0,
            row % 28 + 1,
            1_700_000_000 + row
        )
        .unwrap();
    }
    text
}

fn options() -> ReadOptions {
    let time_columns = vec![("seconds".to_owned(), TimeFormat::UnixS)];
    let limits = Limits { line_bytes: 300, held_bytes: 64 << 10, ..Limits::default() };
    ReadOptions { time_columns, limits, ..ReadOptions::default() }
}

fn file(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file
}

fn large(content: &[u8]) -> Loaded {
    read_file(&file(content), "large.csv", &options(), &tempfile::tempfile).unwrap()
}

fn whole(content: &[u8]) -> Loaded {
    let limits = Limits { line_bytes: 300, ..Limits::default() };
    read(content, "large.csv", &ReadOptions { limits, ..options() }).unwrap()
}

#[test]
fn x41_a_file_beyond_memory_is_the_same_dataset_with_the_same_profile() {
    let text = csv();
    let (held, kept) = (whole(text.as_bytes()), large(text.as_bytes()));
    assert_eq!((kept.dataset.rows(), kept.dataset.schema()), (ROWS, held.dataset.schema()));
    assert_eq!(kept.dataset.digest(), held.dataset.digest());
    assert_eq!(kept.notes, held.notes);
    assert_eq!(profile(&kept.dataset, &kept.notes), profile(&held.dataset, &held.notes));
}

/// Objects with keys that come late, are left out or are null; `x` stops being a whole number, and `word` being a time, long after
/// the first block.
fn json() -> String {
    let mut text = String::new();
    for row in 0..ROWS {
        let x = if row == ROWS - 10 { "0.5".to_owned() } else { (row % 97).to_string() };
        let word = if row == ROWS - 20 { "noon" } else { "2024-03-01T12:00:00Z" };
        let zone = if row % 2 == 0 { "Z" } else { "" };
        let late = if row > ROWS - 100 { format!(",\"late\":{}", row % 2 == 0) } else { String::new() };
        let gap = if row % 3 == 0 { "" } else { "\"gap\":null," };
        writeln!(
            text,
            "{{\"id\":{row},{gap}\"x\":{x},\"at\":\"2024-03-{:02}T10:00:00{zone}\",\"word\":\"{word}\",\"note\":\"caf\\u00e9 {row}\"{late}}}",
            row % 28 + 1
        )
        .unwrap();
    }
    text
}

#[test]
fn lines_of_json_beyond_memory_are_the_same_dataset() {
    let text = json();
    let (held, kept) = (whole(text.as_bytes()), large(text.as_bytes()));
    let types: Vec<ColumnType> = kept.dataset.schema().iter().map(|column| column.column_type).collect();
    let expected = [ColumnType::Integer, ColumnType::Number, ColumnType::Time, ColumnType::Text, ColumnType::Text];
    assert_eq!(types, [&expected[..], &[ColumnType::Text, ColumnType::Boolean]].concat());
    assert_eq!((kept.dataset.rows(), kept.dataset.digest()), (ROWS, held.dataset.digest()));
    assert_eq!(kept.notes, held.notes);
    assert!(kept.notes["at"][0].contains("20000 of 40000 times name no zone"), "{:?}", kept.notes);
}

#[test]
fn a_mistake_in_a_later_block_of_json_is_named_with_its_row() {
    let text = json().replace("\"id\":39999,", "\"id\":true,");
    let refused = read_file(&file(text.as_bytes()), "large.ndjson", &options(), &tempfile::tempfile).unwrap_err();
    let told = "row 40000, line 40000, column \"id\": true or false in a column that began with numbers";
    assert!(refused.to_string().contains(told), "{refused}");
}

#[test]
fn wide_rows_in_short_lines_are_put_away_before_they_are_too_many() {
    let keys: Vec<String> = (0..300).map(|key| format!("\"k{key}\":{key}")).collect();
    let text = format!("{{{}}}\n{}", keys.join(","), "{}\n".repeat(20_000));
    let kept = read_file(&file(text.as_bytes()), "wide.ndjson", &large_lines(), &tempfile::tempfile).unwrap();
    assert_eq!((kept.dataset.rows(), kept.dataset.schema().len()), (20_001, 300));
    assert_eq!(
        kept.dataset.digest(),
        read(text.as_bytes(), "wide.ndjson", &ReadOptions::default()).unwrap().dataset.digest()
    );
}

#[test]
fn empty_lines_at_the_end_of_a_large_file_are_left_out_and_those_between_rows_are_named() {
    let rows = "{\"a\":1}\n".repeat(30_000);
    let blank = "\n".repeat(200_000);
    let read = |text: String| read_file(&file(text.as_bytes()), "rows.ndjson", &options(), &tempfile::tempfile);
    assert_eq!(read(format!("{rows}{blank}")).unwrap().dataset.rows(), 30_000);
    let refused = read(format!("{rows}{blank}{rows}")).unwrap_err().to_string();
    assert!(refused.contains("row 30001, line 30001: the line is empty between rows"), "{refused}");
}

/// Options under which lines may be long and little is held.
fn large_lines() -> ReadOptions {
    let limits = Limits { line_bytes: 10_000, held_bytes: 4 << 20, ..Limits::default() };
    ReadOptions { limits, ..ReadOptions::default() }
}

/// Real files, with what is real about them: quotes, blanks, marks for missing cells, times, many categories.
const REAL: [&str; 6] = [
    "tfx_chicago_taxi/data.csv",
    "tfx_chicago_taxi/tfdv_golden/train.csv.gz",
    "gx_nyc_taxi/yellow_tripdata_sample_2019-02.csv.gz",
    "evidently_bike_sharing/hour.csv",
    "mlflow_wine/wine-quality.csv",
    "nannyml_california_housing/reference.csv",
];

#[test]
fn real_files_in_small_blocks_are_the_same_datasets() {
    for path in REAL {
        let Some(bytes) = support::file(path) else { continue };
        let limits = |held_bytes| Limits { line_bytes: 4_000, held_bytes, ..Limits::default() };
        let options = |held_bytes| ReadOptions { limits: limits(held_bytes), ..ReadOptions::default() };
        let held = read(&bytes, path, &options(Limits::default().held_bytes)).unwrap();
        let kept = read_file(&file(&bytes), path, &options(20_000), &tempfile::tempfile).unwrap();
        assert_eq!((kept.dataset.digest(), kept.notes), (held.dataset.digest(), held.notes), "{path}");
    }
}

#[test]
fn packed_and_in_another_encoding_it_is_the_same_too() {
    let text = csv();
    let latin: Vec<u8> = text.chars().map(|char| u8::try_from(u32::from(char)).unwrap()).collect();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&latin).unwrap();
    let latin = ReadOptions { encoding: Some("latin1".to_owned()), ..options() };
    let found = read_file(&file(&packed.finish().unwrap()), "large.csv.gz", &latin, &tempfile::tempfile).unwrap();
    assert_eq!(found.dataset.digest(), whole(text.as_bytes()).dataset.digest());
}

#[test]
fn its_stored_form_has_the_same_bytes_and_is_read_a_column_at_a_time() {
    let text = csv();
    let (held, kept) = (whole(text.as_bytes()).dataset, large(text.as_bytes()).dataset);
    let bytes = held.to_parquet().unwrap();
    assert!(kept.to_parquet().unwrap() == bytes);
    // As a Parquet file that somebody brings, too.
    let brought = read_file(&file(&bytes), "large.parquet", &options(), &tempfile::tempfile).unwrap().dataset;
    assert_eq!((brought.digest(), brought.fresh().digest()), (held.digest(), held.digest()));
    assert_eq!(Dataset::open(file(&bytes)).unwrap().digest(), held.digest());
}

#[test]
fn rows_after_rows_and_rows_left_out_are_the_same_whether_held_or_kept() {
    let text = csv();
    let (held, kept) = (whole(text.as_bytes()).dataset, large(text.as_bytes()).dataset);
    let every_third: Vec<u32> = (0..ROWS as u32).step_by(3).collect();
    assert_eq!(kept.keep(&every_third).digest(), held.take(&every_third).digest());
    let twice = kept.append(&held).unwrap().append(&kept).unwrap();
    assert_eq!((twice.rows(), twice.digest()), (3 * ROWS, held.append(&held).unwrap().append(&held).unwrap().digest()));
    assert!(twice.keep(&every_third).to_parquet().unwrap() == held.take(&every_third).to_parquet().unwrap());
}

const PROBLEM: &str = r#"
slug = "large"
title = "Large"
decision = "What is shown"
target = { name = "flag", kind = "binary", column = "flag" }
success = { metric = "roc_auc", at_least = 0.7 }
checks = [
  { name = "small", expression = "x < 90", severity = "critical", at_least = 0.5 },
  { name = "ids", unique = ["id"] },
  { name = "kinds", unique = ["kind", "x"], severity = "warning" },
]
features = [
  { name = "x", max = 80 },
  { name = "share" },
  { name = "kind", type = "category", nullable = true },
  { name = "hour", expression = "hour(at)", type = "category" },
]

[data]
event_time = "at"
split = { kind = "random", validation = 0.2, test = 0.2, seed = 1 }
quarantine = { at_most = 0.5 }
"#;

#[test]
fn every_check_finds_the_same_in_it_and_sets_the_same_rows_aside() {
    let problem = ProblemDocument::parse(PROBLEM).unwrap();
    let text = csv();
    let (held, kept) = (whole(text.as_bytes()), large(text.as_bytes()));
    let known = profile(&held.dataset, &held.notes);
    let report = |dataset: &Dataset| {
        let previous = Some(Previous { version: 1, profile: &known, dataset });
        validate(dataset, &known, &problem, Known { previous, ..Known::default() })
    };
    assert_eq!(report(&kept.dataset), report(&held.dataset));
    let aside = |dataset: &Dataset| {
        let checked = quarantine::check(dataset, &known, &problem, Known::default());
        let aside = checked.aside.expect("rows are set aside");
        (checked.report, aside.kept.digest(), aside.file, aside.profile)
    };
    assert!(aside(&kept.dataset) == aside(&held.dataset));
}

#[test]
fn what_is_wrong_late_in_it_is_named_with_its_place_in_the_whole_file() {
    let good = csv();
    let refusals = |text: &str| {
        let limits = Limits { line_bytes: 300, ..Limits::default() };
        let held = read(text.as_bytes(), "large.csv", &ReadOptions { limits, ..options() }).unwrap_err();
        let kept = read_file(&file(text.as_bytes()), "large.csv", &options(), &tempfile::tempfile).unwrap_err();
        assert_eq!(kept, held);
        kept.to_string()
    };
    for (late, told) in [
        ("1,2\n", "the row has 2 fields"),
        ("\n1,2,3,4,5,6,7,8,9,10\n", "the line is empty"),
        ("1,2,3,4,5,6,7,8,9,\"10\n", "a quote is opened and never closed"),
        ("1,2,3,4,5,6,7,8,9,a\"b\n", "a quote stands inside"),
        ("1,2,3,4,5,6,7,8,9,\0\n", "a NUL byte"),
    ] {
        let said = refusals(&format!("{good}{late}"));
        assert!(said.contains(told), "{said}");
    }
    let mut bytes = good.into_bytes();
    let at = bytes.len() - 5;
    bytes[at] = 0xFF;
    let said = read_file(&file(&bytes), "large.csv", &options(), &tempfile::tempfile).unwrap_err().to_string();
    assert!(said.contains(&format!("byte {at}")), "{said}");
}

#[test]
fn a_disk_that_takes_no_more_is_named_and_not_the_file() {
    let full = || std::fs::OpenOptions::new().read(true).write(true).open("/dev/full");
    let refused = read_file(&file(csv().as_bytes()), "large.csv", &options(), &full).unwrap_err();
    assert!(refused.is_of_the_disk(), "{refused}");
    assert!(read_file(&file(b"a,b\n1\n"), "small.csv", &options(), &full).is_err_and(|error| !error.is_of_the_disk()));
}

#[test]
fn nothing_is_noted_twice_where_a_column_is_read_again() {
    let notes: BTreeMap<String, Vec<String>> = large(csv().as_bytes()).notes;
    assert!(notes.values().all(|notes| notes.len() == 1), "{notes:?}");
}
