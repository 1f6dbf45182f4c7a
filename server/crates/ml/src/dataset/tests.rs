use millrace_domain::expr::Expression;
use millrace_domain::schema::{ColumnType, Value};

use super::*;

fn sample() -> Vec<(&'static str, ColumnData)> {
    vec![
        ("count", ColumnData::Integer(vec![Some(i64::MAX), None, Some(-3)])),
        ("share", ColumnData::Number(vec![Some(0.1), Some(-0.0), None])),
        ("flag", ColumnData::Boolean(vec![None, Some(true), Some(false)])),
        ("at", ColumnData::Time(vec![Some(1_388_582_400_000_001), None, Some(-1)])),
        ("kind", ColumnData::Text(vec![Some(String::new()), None, Some("a text beyond twelve bytes".to_owned())])),
    ]
}

fn dataset(parts: Vec<(&'static str, ColumnData)>) -> Dataset {
    Dataset::from_parts(parts).unwrap()
}

#[test]
fn the_schema_follows_the_columns() {
    let types: Vec<ColumnType> = dataset(sample()).schema().iter().map(|column| column.column_type).collect();
    assert_eq!(
        types,
        [ColumnType::Integer, ColumnType::Number, ColumnType::Boolean, ColumnType::Time, ColumnType::Text]
    );
}

#[test]
fn parquet_gives_the_same_dataset_back() {
    let before = dataset(sample());
    let after = Dataset::from_parquet(&before.to_parquet().unwrap()).unwrap();
    assert_eq!((after.digest(), after.schema()), (before.digest(), before.schema()));
}

#[test]
fn a_stored_file_gives_the_same_whether_its_columns_are_held_or_read_when_they_are_wanted() {
    let before = dataset(sample());
    for held_bytes in [0, 1 << 20] {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &before.to_parquet().unwrap()).unwrap();
        let after = Dataset::open_holding(file, held_bytes).unwrap();
        assert_eq!((after.is_kept(), after.schema()), (held_bytes == 0, before.schema()));
        assert_eq!((after.digest(), after.take(&[2, 0]).digest()), (before.digest(), before.take(&[2, 0]).digest()));
    }
}

#[test]
fn equal_datasets_give_equal_parquet_bytes() {
    assert_eq!(dataset(sample()).to_parquet().unwrap(), dataset(sample()).to_parquet().unwrap());
}

#[test]
fn a_dataset_without_rows_survives_parquet() {
    let before = dataset(vec![("a", ColumnData::Integer(vec![])), ("b", ColumnData::Text(vec![]))]);
    let after = Dataset::from_parquet(&before.to_parquet().unwrap()).unwrap();
    assert_eq!((after.rows(), after.digest()), (0, before.digest()));
}

#[test]
fn damaged_parquet_is_refused() {
    let mut bytes = dataset(sample()).to_parquet().unwrap();
    bytes.truncate(bytes.len() / 2);
    assert!(matches!(Dataset::from_parquet(&bytes), Err(DatasetError::Read(_))));
}

#[test]
fn any_change_changes_the_digest() {
    let before = dataset(sample()).digest();
    let with = |slot: usize, data: ColumnData| {
        let mut parts = sample();
        parts[slot].1 = data;
        dataset(parts).digest()
    };
    let mut renamed = sample();
    renamed[0].0 = "Count";
    let mut reordered = sample();
    reordered.swap(0, 1);
    let changes = [
        ("a cell", with(0, ColumnData::Integer(vec![Some(i64::MAX), None, Some(-4)]))),
        (
            "a null for an empty text",
            with(4, ColumnData::Text(vec![None, None, Some("a text beyond twelve bytes".into())])),
        ),
        (
            "a text moved to its neighbour",
            with(4, ColumnData::Text(vec![None, Some(String::new()), Some("a text beyond twelve bytes".into())])),
        ),
        ("a type", with(0, ColumnData::Time(vec![Some(i64::MAX), None, Some(-3)]))),
        ("the sign of zero", with(1, ColumnData::Number(vec![Some(0.1), Some(0.0), None]))),
        ("a name", dataset(renamed).digest()),
        ("the order of columns", dataset(reordered).digest()),
        ("the order of rows", dataset(sample()).take(&[0, 2, 1]).digest()),
    ];
    for (change, after) in changes {
        assert_ne!(after, before, "{change}");
    }
}

/// The definition of the digest is a promise; the value was computed from it with Python 3 (hashlib, struct).
#[test]
fn the_digest_of_the_sample_is_fixed() {
    assert_eq!(
        dataset(sample()).digest().to_string(),
        "835ac0ced1c4ddb7da2e2f3b57a521d55b4fabe5038b52a731bd31085ab18676"
    );
}

#[test]
fn what_lies_under_a_null_mark_does_not_count() {
    let before = dataset(sample());
    let taken = before.take(&[2, 0, 1]).take(&[1, 2, 0]);
    assert_eq!(taken.digest(), before.digest());
}

#[test]
fn taking_repeats_and_reorders_rows() {
    let taken = dataset(sample()).take(&[2, 2, 1]);
    assert_eq!(taken.rows(), 3);
    assert_eq!(taken.cells(0).value(1), Value::Number(-3.0));
    assert_eq!(taken.cells(0).value(2), Value::Null);
}

#[test]
fn expressions_read_rows() {
    let dataset = dataset(sample());
    let bound = Expression::parse("count + share").unwrap().bind(dataset.schema()).unwrap();
    assert_eq!(bound.evaluate(&dataset.row(0)), Value::Number(i64::MAX as f64 + 0.1));
    assert_eq!(bound.evaluate(&dataset.row(2)), Value::Null);
}

#[test]
fn columns_of_different_length_are_refused() {
    let error = Dataset::from_parts([("a", ColumnData::Integer(vec![None])), ("b", ColumnData::Integer(vec![]))]);
    assert_eq!(error.unwrap_err(), DatasetError::Length { column: "b".into(), expected: 1, got: 0 });
}

#[test]
fn a_name_that_comes_twice_is_refused() {
    let error = Dataset::from_parts([("a", ColumnData::Integer(vec![])), ("a", ColumnData::Integer(vec![]))]);
    assert_eq!(error.unwrap_err(), DatasetError::DuplicateName("a".into()));
}

#[test]
fn numbers_that_are_not_finite_are_refused() {
    let error = Dataset::from_parts([("a", ColumnData::Number(vec![None, Some(f64::NAN)]))]);
    assert_eq!(error.unwrap_err(), DatasetError::NotFinite { column: "a".into(), row: 2 });
}
