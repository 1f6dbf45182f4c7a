//! Files that must be refused, or read without losing anything: one entry a case, each with its verdict.

#![expect(clippy::unwrap_used, reason = "a step that fails is the failure of its test")]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use millrace_domain::problem::TimeFormat;
use millrace_domain::schema::{ColumnType, Value};
use millrace_ml::read::{Loaded, ReadError, ReadOptions, read};
use millrace_ml::{ColumnData, Dataset};

fn load(bytes: &[u8]) -> Result<Loaded, ReadError> {
    read(bytes, "trips.csv", &ReadOptions::default())
}

fn loaded(text: &str) -> Loaded {
    load(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A table whose row 5,000 is replaced.
fn long_table(bad_row: &str) -> Vec<u8> {
    let mut text = String::from("a,b\n");
    for row in 1..=10_000 {
        text.push_str(if row == 5_000 { bad_row } else { "1,\"x y\"\n" });
    }
    text.into_bytes()
}

#[test]
fn every_bad_file_is_refused_with_its_rule_and_place() {
    let cases: Vec<(&str, Vec<u8>, &str, &str)> = vec![
        ("X01 no bytes", vec![], "no_rows", "a header and at least one row"),
        ("X02 header only", b"a,b\n".to_vec(), "no_rows", "a header and at least one row"),
        ("X02 header and empty lines", b"a,b\r\n\r\n\n".to_vec(), "no_rows", "a header and at least one row"),
        (
            "X04 short row",
            b"a,b,c\n1,2,3\n4,5\n".to_vec(),
            "ragged_row",
            "row 2, line 3, byte 12: the row has 2 fields, the header has 3",
        ),
        ("X04 long row", b"a,b\n1,2\n\"x\ny\",5,6\n".to_vec(), "ragged_row", "row 2, line 3"),
        ("X04 long row far down", long_table("1,2,3\n"), "ragged_row", "row 5000, line 5001"),
        ("X04 empty line between rows", b"a,b\n1,2\n\n3,4\n".to_vec(), "empty_line", "row 2, line 3"),
        ("X05 stray quote", b"a,b\n1,2\n3,x\"y\n".to_vec(), "stray_quote", "row 2, line 3, byte 11"),
        ("X05 text after a quote", b"a,b\n1,\"x\"y\n".to_vec(), "text_after_quote", "row 1, line 2, byte 9"),
        ("X05 quote far down", long_table("1,\"x\n"), "text_after_quote", "row 5000"),
        ("X06 quote open at the end", b"a,b\n1,2\n3,\"x\n5,6\n".to_vec(), "open_quote", "row 2, line 3, byte 10"),
        ("X07 NUL", b"a,b\n1,\0\n".to_vec(), "nul_byte", "line 2, byte 6"),
        ("X08 long line", [b"a,b\n1,".as_slice(), &vec![b'x'; 2 << 20]].concat(), "line_too_long", "row 1, line 2"),
        ("X08 long header", vec![b'x'; 2 << 20], "line_too_long", "line 1"),
        (
            "X08 long quoted field",
            [b"a,b\n1,\"".as_slice(), &b"x\n".repeat(1 << 20)].concat(),
            "line_too_long",
            "row 1, line 2",
        ),
        (
            "X09 a million commas",
            [b"a,b\n".as_slice(), &vec![b','; 1_000_000]].concat(),
            "ragged_row",
            "has 1000001 fields",
        ),
        ("X09 a million columns", vec![b','; 1_000_000], "too_many_columns", "more than 2000 columns"),
        ("X10 UTF-16 with a mark", [b"\xFF\xFE".as_slice(), &utf16("a,b\n1,2\n")].concat(), "other_encoding", "UTF-16"),
        ("X10 UTF-16 without a mark", utf16("a,b\n1,2\n"), "other_encoding", "UTF-16"),
        ("X11 Latin-1", b"a,b\n1,caf\xE9\n".to_vec(), "not_utf8", "line 2, byte 9"),
        (
            "X12 invalid in the middle",
            long_table("1,\u{0}").into_iter().map(|byte| if byte == 0 { 0xC0 } else { byte }).collect(),
            "not_utf8",
            "line 5001",
        ),
        ("X14 gzip bomb", gzip(&b"a,b\n1,2\n".repeat(1 << 20)), "ratio", "100 times"),
        ("X14 gzip of one endless line", gzip(&vec![b'x'; 200 << 20]), "ratio", "100 times"),
        ("X15 zip", b"PK\x03\x04....".to_vec(), "archive", "zip"),
        ("X15 tar in gzip", gzip(&tar()), "nested_archive", "tar"),
        ("X16 gzip in gzip", gzip(&gzip(b"a,b\n1,2\n")), "nested_archive", "gzip"),
        (
            "damaged gzip",
            {
                let mut bytes = gzip(&long_table("1,2\n"));
                bytes.truncate(60);
                bytes
            },
            "bad_packing",
            "pack the file again",
        ),
        ("X19 duplicate names", b"a,b,a\n1,2,3\n".to_vec(), "duplicate_column", "\"a\""),
        ("X19 blank name", b"a,,c\n1,2,3\n".to_vec(), "blank_column", "column 2"),
        ("X20 long name", format!("{},b\n1,2\n", "n".repeat(301)).into_bytes(), "name_too_long", "300 characters"),
        ("X21 right-to-left mark", "a\u{202E}b,c\n1,2\n".as_bytes().to_vec(), "name_character", "U+202E"),
        ("X21 zero-width twin", "ab,a\u{200B}b\n1,2\n".as_bytes().to_vec(), "name_character", "U+200B"),
        ("X21 twins of normal form", "caf\u{e9},cafe\u{301}\n1,2\n".as_bytes().to_vec(), "duplicate_column", "caf"),
        ("X36 overflow", b"a,b\n1,2\n1e400,3\n".to_vec(), "out_of_range", "row 2, column \"a\": 1e400"),
        ("X36 infinity", b"a,b\n1,2\n3,-inf\n".to_vec(), "infinite", "row 2, column \"b\": -inf"),
        ("damaged Parquet", b"PAR1 and nothing else PAR1".to_vec(), "bad_parquet", "write the file again"),
        (
            "cut Parquet",
            {
                let mut bytes = parquet();
                bytes.truncate(200);
                bytes
            },
            "bad_parquet",
            "write the file again",
        ),
    ];
    for (case, bytes, code, place) in cases {
        let error = load(&bytes).expect_err(case);
        assert_eq!(error.problems[0].rule.code(), code, "{case}: {error}");
        let message = error.to_string();
        assert!(message.starts_with("trips.csv was refused: ") && message.contains(place), "{case}: {message}");
    }
}

fn parquet() -> Vec<u8> {
    Dataset::from_parts([("a", ColumnData::Integer((0..1_000).map(Some).collect()))]).unwrap().to_parquet().unwrap()
}

/// The beginning of a tar archive with one member.
fn tar() -> Vec<u8> {
    let mut block = vec![0; 1_024];
    block[..10].copy_from_slice(b"../etc/x.c");
    block[257..262].copy_from_slice(b"ustar");
    block
}

#[test]
fn problems_are_listed_ten_at_a_time_with_the_number_of_the_rest() {
    let error = load(format!("a,b\n{}", "1\n".repeat(25)).as_bytes()).unwrap_err();
    assert_eq!((error.problems.len(), error.more), (10, 15));
    assert!(error.to_string().ends_with("; and 15 more"));
}

#[test]
fn rows_of_damaged_files_count_from_the_beginning_in_later_pieces_too() {
    let mut text = String::from("a,b\n");
    for _ in 0..1_500_000 {
        text.push_str("12,\"x\"\"y\"\n");
    }
    text.push_str("12\n");
    let error = load(text.as_bytes()).unwrap_err();
    assert_eq!((error.problems[0].place.row, error.problems[0].place.line), (Some(1_500_001), Some(1_500_002)));
    assert_eq!(error.problems[0].place.byte, Some(text.len() as u64 - 3));
}

#[test]
fn a_declared_time_outside_the_calendar_is_named() {
    let options = ReadOptions { time_columns: vec![("at".to_owned(), TimeFormat::UnixS)], ..ReadOptions::default() };
    let error = read(b"at,b\n1388582400,1\n1388582400000,2\n", "f.csv", &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "f.csv was refused: row 2, column \"at\": 1388582400000 is no moment that seconds since 1970 can stand for; correct \
         it or the problem's time_format"
    );
}

#[track_caller]
fn types(text: &str) -> Vec<ColumnType> {
    loaded(text).dataset.schema().iter().map(|column| column.column_type).collect()
}

#[test]
fn byte_order_mark_and_any_mix_of_line_ends_are_accepted() {
    let loaded = loaded("\u{FEFF}a,b\r\n1,x\r2,y\n3,\"z\r\nz\"\r\n\r\n");
    assert_eq!((loaded.dataset.rows(), loaded.dataset.schema()[0].name.as_str()), (3, "a"));
    assert_eq!(loaded.dataset.cells(1).value(2), Value::Text("z\r\nz".into()));
}

#[test]
fn x17_x18_formulas_markup_and_escapes_are_stored_as_they_are() {
    let cells = [
        "=cmd|' /C calc'!A0",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\tx",
        "<script>alert(1)</script>",
        "[a](javascript:b)",
        "\u{1b}[31m",
    ];
    let text: String = cells.iter().map(|cell| format!("1,\"{cell}\"\n")).collect();
    let loaded = loaded(&format!("a,b\n{text}"));
    for (row, cell) in cells.iter().enumerate() {
        assert_eq!(loaded.dataset.cells(1).value(row), Value::Text((*cell).into()));
    }
}

#[test]
fn a_type_that_changes_in_row_100_001_is_seen() {
    let mut text = String::from("a,b\n");
    for row in 0..100_000 {
        text.push_str(&format!("{row},x\n"));
    }
    text.push_str("oops,x\n");
    let loaded = loaded(&text);
    assert_eq!(loaded.dataset.schema()[0].column_type, ColumnType::Text);
    assert_eq!(
        loaded.notes["a"],
        ["1 of 100001 cells are not numbers, for example \"oops\" (row 100001); the column is read as text"]
    );
    assert_eq!(loaded.dataset.cells(0).value(99_999), Value::Text("99999".into()));
}

#[test]
fn what_can_be_read_in_two_ways_stays_text_with_a_note() {
    let loaded = loaded(
        "id,amount,date,phone,big\n007,\"1,234\",01/02/03,+49171,9223372036854775808\n042,\"5\",02/03/04,+49172,1\n",
    );
    assert!(loaded.dataset.schema().iter().all(|column| column.column_type == ColumnType::Text));
    assert!(loaded.notes["id"][0].contains("leading zeros"));
    assert!(loaded.notes["amount"][0].contains("\"1,234\" (row 1)"));
    assert!(loaded.notes["date"][0].contains("not ISO 8601"));
    assert!(loaded.notes["phone"][0].contains("plus sign"));
    assert!(loaded.notes["big"][0].contains("beyond 64 bits"));
}

#[test]
fn whole_numbers_beyond_doubles_are_exact_and_noted() {
    let loaded = loaded("a,b\n9007199254740993,1\n2,2\n");
    let stored = Dataset::from_parts([
        ("a", ColumnData::Integer(vec![Some(9_007_199_254_740_993), Some(2)])),
        ("b", ColumnData::Integer(vec![Some(1), Some(2)])),
    ]);
    assert_eq!(loaded.dataset.digest(), stored.unwrap().digest());
    assert!(loaded.notes["a"][0].contains("2^53"));
}

#[test]
fn nothing_is_missing_and_quoted_nothing_is_an_empty_text() {
    let loaded = loaded("a,b,c\n1,,\"\"\n\"\",\"\",x\n");
    let cell = |slot: usize, row: usize| loaded.dataset.cells(slot).value(row);
    assert_eq!([cell(0, 0), cell(0, 1)], [Value::Number(1.0), Value::Null]);
    assert_eq!([cell(1, 0), cell(1, 1)], [Value::Null, Value::Text("".into())]);
    assert_eq!(cell(2, 0), Value::Text("".into()));
}

#[test]
fn declared_marks_are_missing_in_every_column_unless_quoted() {
    let options = ReadOptions { missing: vec!["?".to_owned()], ..ReadOptions::default() };
    let loaded = read(b"a,b\n1,x\n?,?\n3,\"?\"\n", "f.csv", &options).unwrap();
    assert_eq!(loaded.dataset.cells(0).missing(), 1);
    assert_eq!([1, 2].map(|row| loaded.dataset.cells(1).value(row)), [Value::Null, Value::Text("?".into())]);
}

#[test]
fn the_five_types_are_recognised() {
    let text = "a,b,c,d,e,f\n1,1.5,TRUE,2024-01-31,x,\n-2,2,false,2024-01-31T10:00:00Z,y,\n";
    assert_eq!(
        types(text),
        [
            ColumnType::Integer,
            ColumnType::Number,
            ColumnType::Boolean,
            ColumnType::Time,
            ColumnType::Text,
            ColumnType::Text
        ]
    );
}

#[test]
fn content_decides_not_the_name() {
    let loaded = read(&parquet(), "data.csv", &ReadOptions::default()).unwrap();
    assert_eq!(loaded.format.to_string(), "Parquet");
    let loaded = read(&gzip(b"a,b\n1,2\n"), "data.parquet", &ReadOptions::default()).unwrap();
    assert_eq!(loaded.format.to_string(), "gzip-compressed CSV");
}

#[test]
fn every_bit_flipped_in_a_parquet_file_is_survived() {
    let whole = parquet();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        drop(load(&bytes));
    }
}
