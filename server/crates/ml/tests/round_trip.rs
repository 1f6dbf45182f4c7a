//! Properties of reading: what is written comes back, and nothing that is handed in can crash it.

use std::fmt::Write;

use millrace_ml::read::{Limits, ReadOptions, read};
use millrace_ml::{ColumnData, Dataset};
use proptest::prelude::*;

fn optional<T: std::fmt::Debug + Clone>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop_oneof![1 => Just(None), 4 => value.prop_map(Some)]
}

/// A cell of every type a row; columns of any text.
type Row = (Option<i64>, Option<f64>, Option<bool>, Option<i64>, Option<String>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    // Microseconds of the years 1 to 9999.
    let time = -62_135_596_800_000_000i64..=253_402_300_799_999_999;
    let text = "[ -~äß\u{4e2d}\r\n\t\"]{0,20}";
    let row = (
        optional(any::<i64>()),
        optional(prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL),
        optional(any::<bool>()),
        optional(time),
        optional(text),
    );
    prop::collection::vec(row, 0..30)
}

/// The rows as a dataset; a first row without gaps settles the types.
fn dataset(rows: &[Row]) -> Dataset {
    let first: Row = (Some(1), Some(0.5), Some(true), Some(0), Some("text".to_owned()));
    let rows: Vec<Row> = std::iter::once(first).chain(rows.iter().cloned()).collect();
    Dataset::from_parts([
        ("whole", ColumnData::Integer(rows.iter().map(|row| row.0).collect())),
        ("number", ColumnData::Number(rows.iter().map(|row| row.1).collect())),
        ("truth", ColumnData::Boolean(rows.iter().map(|row| row.2).collect())),
        ("time", ColumnData::Time(rows.iter().map(|row| row.3).collect())),
        ("text, \"quoted\"", ColumnData::Text(rows.iter().map(|row| row.4.clone()).collect())),
    ])
    .expect("columns of one length")
}

/// CSV as a careful program writes it: numbers with a point or an exponent, texts in quotes, nothing for a missing cell.
fn csv(rows: &[Row], delimiter: char, line_end: &str) -> String {
    let mut text = ["whole", "number", "truth", "time", "\"text, \"\"quoted\"\"\""].join(&delimiter.to_string());
    write!(text, "{line_end}1{delimiter}0.5{delimiter}true{delimiter}1970-01-01T00:00:00Z{delimiter}text")
        .expect("memory");
    for (whole, number, truth, time, cell) in rows {
        let cells = [
            whole.map(|value| value.to_string()),
            number.map(|value| format!("{value:?}")),
            truth.map(|value| value.to_string()),
            time.map(|micros| {
                let moment = chrono::DateTime::from_timestamp_micros(micros).expect("a moment of the calendar");
                moment.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
            }),
            cell.as_ref().map(|value| format!("\"{}\"", value.replace('"', "\"\""))),
        ];
        text.push_str(line_end);
        text.push_str(&cells.map(Option::unwrap_or_default).join(&delimiter.to_string()));
    }
    text
}

proptest! {
    #[test]
    fn csv_gives_back_every_cell(
        rows in rows(),
        delimiter in prop::sample::select(vec![',', ';', '\t', '|']),
        line_end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        ends in any::<bool>(),
    ) {
        let mut text = csv(&rows, delimiter, line_end);
        if ends {
            text.push_str(line_end);
        }
        let options = ReadOptions { delimiter: Some(delimiter as u8), ..ReadOptions::default() };
        let loaded = read(text.as_bytes(), "f.csv", &options).map_err(|error| TestCaseError::fail(format!("{error}: {text:?}")))?;
        let expected = dataset(&rows);
        prop_assert_eq!(loaded.dataset.schema(), expected.schema());
        prop_assert_eq!(loaded.dataset.digest(), expected.digest());
    }

    #[test]
    fn parquet_gives_back_every_cell(rows in rows()) {
        let expected = dataset(&rows);
        let bytes = expected.to_parquet().expect("a dataset can be stored");
        let restored = Dataset::from_parquet(&bytes).expect("what was stored can be restored");
        prop_assert_eq!(restored.digest(), expected.digest());
        let loaded = read(&bytes, "f.parquet", &ReadOptions::default()).expect("what was stored can be read");
        prop_assert_eq!(loaded.dataset.digest(), expected.digest());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        drop(read(&bytes, "f", &ReadOptions::default()));
    }

    #[test]
    fn text_that_nearly_is_csv_never_panics(
        text in "([a-c0-9.é]{0,4}[,;\"\r\n]{0,2}){0,40}",
        line_bytes in 1usize..40,
        width in prop::sample::select(vec![None, Some(b','), Some(b'"'), Some(0xE9), Some(b'\n')]),
    ) {
        let limits = Limits { line_bytes, ..Limits::default() };
        drop(read(text.as_bytes(), "f", &ReadOptions { delimiter: width, limits, ..ReadOptions::default() }));
    }

    #[test]
    fn a_column_read_twice_is_the_same_as_one_expected_from_the_start(cells in prop::collection::vec("[0-9]{1,3}(\\.[0-9])?|x|true|", 1..40)) {
        // A long head of whole numbers makes the reader expect integers; the tail decides.
        let head = "7,a\n".repeat(80_000);
        let tail: String = cells.iter().map(|cell| format!("{cell},b\n")).collect();
        let long = read(format!("n,t\n{head}{tail}").as_bytes(), "f", &ReadOptions::default()).expect("well-formed");
        let short = read(format!("n,t\n7,a\n{tail}").as_bytes(), "f", &ReadOptions::default()).expect("well-formed");
        prop_assert_eq!(long.dataset.schema(), short.dataset.schema());
        let rows: Vec<u32> = (79_999..80_000 + cells.len() as u32).collect();
        prop_assert_eq!(long.dataset.take(&rows).digest(), short.dataset.digest());
    }
}
