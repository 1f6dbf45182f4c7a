//! Lines of JSON: an object a row, its keys the columns, in the order in which they are first met.
//!
//! JSON says what a value is, so nothing is guessed but one thing: a column of texts that are all ISO 8601 holds times, as in
//! CSV. A key that an object does not have is missing. Whole numbers and fractions in one column are numbers; any other mix
//! of types is refused with its row.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use foldhash::quality::FixedState;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::csv::{Problems, Table};
use super::error::{MOST_PROBLEMS, Place, Problem, Rule};
use super::{Limits, names, time};
use crate::dataset::{Cells, ColumnData};

/// Whole numbers up to this size are doubles without loss.
const EXACT: u64 = 1 << 53;

/// Reads the lines.
///
/// # Errors
/// The first problems of the file, each with its line.
pub(super) fn read(text: &[u8], limits: &Limits) -> Result<Table, Problems> {
    let mut table = Objects::default();
    let mut problems = Vec::new();
    let end = text.trim_ascii_end().len();
    for (number, line) in text[..end].split(|byte| *byte == b'\n').enumerate() {
        let place = || Place::row(number as u64 + 1).on_line(number as u64 + 1);
        if line.len() > limits.line_bytes {
            return Err((vec![Rule::LineTooLong { limit: limits.line_bytes }.at(place())], 0));
        }
        if line.trim_ascii().is_empty() {
            problems.push(Rule::EmptyLine.at(place()));
        } else {
            table.take(line, limits, &place, &mut problems);
        }
        if problems.len() >= MOST_PROBLEMS {
            return Err((problems, 0));
        }
    }
    if !problems.is_empty() {
        return Err((problems, 0));
    }
    let named = names::check(&table.names, limits.name_chars).map_err(|problems| (problems, 0))?;
    let (mut columns, mut notes) = (Vec::with_capacity(named.len()), Notes::new());
    for ((name, mut noted), column) in named.into_iter().zip(table.columns) {
        let (cells, read_as) = column.finish(table.rows);
        noted.extend(read_as);
        if !noted.is_empty() {
            notes.insert(name.clone(), noted);
        }
        columns.push((name, cells.into()));
    }
    Ok(Table { columns, notes, delimiter: b',', rows: table.rows })
}

/// What was noticed, by column.
type Notes = BTreeMap<String, Vec<String>>;

#[derive(Default)]
struct Objects {
    names: Vec<String>,
    slots: HashMap<String, usize, FixedState>,
    columns: Vec<Column>,
    rows: usize,
}

impl Objects {
    fn take(&mut self, line: &[u8], limits: &Limits, place: &impl Fn() -> Place, problems: &mut Vec<Problem>) {
        let record: Record = match serde_json::from_slice(line) {
            Ok(record) => record,
            Err(error) => {
                let told = error.to_string();
                let reason = told.split(" at line").next().unwrap_or_default().to_owned();
                problems.push(Rule::BadJson(reason).at(place()));
                return;
            }
        };
        let row = self.rows;
        self.rows += 1;
        for (name, value) in record.0 {
            let slot = match self.slots.get(&name) {
                Some(slot) => *slot,
                None if self.names.len() >= limits.columns => {
                    problems.push(Rule::TooManyColumns { limit: limits.columns }.at(place()));
                    return;
                }
                None => {
                    self.names.push(name.clone());
                    self.columns.push(Column::default());
                    self.slots.insert(name.clone(), self.names.len() - 1);
                    self.names.len() - 1
                }
            };
            if let Err(rule) = self.columns[slot].take(row, value) {
                problems.push(rule.at(place().in_column(&name)));
            }
        }
    }
}

/// The cells of one column so far; rows that were passed over are missing.
#[derive(Default)]
struct Column {
    data: Option<ColumnData>,
    /// Rows up to the last that has the key.
    seen: usize,
}

impl Column {
    fn take(&mut self, row: usize, value: Cell) -> Result<(), Rule> {
        if self.seen > row {
            return Err(Rule::RepeatedKey);
        }
        self.seen = row + 1;
        if matches!(value, Cell::Null) {
            return Ok(());
        }
        let data = self.data.get_or_insert_with(|| match &value {
            Cell::Integer(_) => ColumnData::Integer(Vec::new()),
            Cell::Number(_) => ColumnData::Number(Vec::new()),
            Cell::Boolean(_) => ColumnData::Boolean(Vec::new()),
            Cell::Text(_) | Cell::Null | Cell::Nested | Cell::Beyond(_) => ColumnData::Text(Vec::new()),
        });
        if let (ColumnData::Integer(cells), Cell::Number(_)) = (&mut *data, &value) {
            *data = ColumnData::Number(cells.iter().map(|cell| cell.map(exact).transpose()).collect::<Result<_, _>>()?);
        }
        let mixed = |data: &ColumnData, got| Err(Rule::MixedTypes { expected: kind(data), got });
        match (data, value) {
            (_, Cell::Nested) => Err(Rule::NestedValue),
            (_, Cell::Beyond(number)) => Err(Rule::Inexact(number.to_string())),
            (ColumnData::Integer(cells), Cell::Integer(value)) => put(cells, row, value),
            (ColumnData::Number(cells), Cell::Integer(value)) => exact(value).and_then(|value| put(cells, row, value)),
            (ColumnData::Number(cells), Cell::Number(value)) => put(cells, row, value),
            (ColumnData::Boolean(cells), Cell::Boolean(value)) => put(cells, row, value),
            (ColumnData::Text(cells), Cell::Text(value)) => put(cells, row, value),
            (data, Cell::Integer(_) | Cell::Number(_)) => mixed(data, "a number"),
            (data, Cell::Boolean(_)) => mixed(data, "true or false"),
            (data, Cell::Text(_)) => mixed(data, "a text"),
            (_, Cell::Null) => Ok(()),
        }
    }

    /// The cells, and what is to be said of how they were read.
    fn finish(self, rows: usize) -> (Cells, Option<String>) {
        let data = self.data.unwrap_or_else(|| ColumnData::Text(Vec::new()));
        let mut note = None;
        let data = match data {
            ColumnData::Integer(cells) => ColumnData::Integer(filled(cells, rows)),
            ColumnData::Number(cells) => ColumnData::Number(filled(cells, rows)),
            ColumnData::Boolean(cells) => ColumnData::Boolean(filled(cells, rows)),
            ColumnData::Time(cells) => ColumnData::Time(filled(cells, rows)),
            ColumnData::Text(cells) => match times(&cells) {
                Some((times, noted)) => {
                    note = noted;
                    ColumnData::Time(filled(times, rows))
                }
                None => ColumnData::Text(filled(cells, rows)),
            },
        };
        (data.into(), note)
    }
}

/// The texts as times, when there are some and all are; with a note when only some of them name a zone.
fn times(texts: &[Option<String>]) -> Option<(Vec<Option<i64>>, Option<String>)> {
    let (mut zoned, mut local) = (0u64, 0u64);
    let mut times = Vec::with_capacity(texts.len());
    for text in texts {
        let moment = match text {
            Some(text) => Some(time::parse_iso(text)?),
            None => None,
        };
        match &moment {
            Some(moment) if moment.zoned => zoned += 1,
            Some(_) => local += 1,
            None => {}
        }
        times.push(moment.map(|moment| moment.micros));
    }
    let note = (zoned > 0 && local > 0)
        .then(|| format!("{local} of {} times name no zone; those are read as UTC", zoned + local));
    (zoned + local > 0).then_some((times, note))
}

fn filled<T>(mut cells: Vec<Option<T>>, rows: usize) -> Vec<Option<T>> {
    cells.resize_with(rows, || None);
    cells
}

fn put<T>(cells: &mut Vec<Option<T>>, row: usize, value: T) -> Result<(), Rule> {
    cells.resize_with(row, || None);
    cells.push(Some(value));
    Ok(())
}

fn exact(whole: i64) -> Result<f64, Rule> {
    if whole.unsigned_abs() <= EXACT { Ok(whole as f64) } else { Err(Rule::Inexact(whole.to_string())) }
}

const fn kind(data: &ColumnData) -> &'static str {
    match data {
        ColumnData::Integer(_) | ColumnData::Number(_) => "numbers",
        ColumnData::Boolean(_) => "true and false",
        ColumnData::Time(_) => "times",
        ColumnData::Text(_) => "texts",
    }
}

/// One object, its keys in the order of the line.
struct Record(Vec<(String, Cell)>);

#[derive(Debug)]
enum Cell {
    Null,
    Integer(i64),
    Number(f64),
    Boolean(bool),
    Text(String),
    /// A list or an object.
    Nested,
    /// A whole number that no 64 bits hold.
    Beyond(u64),
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Record;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
                let mut fields: Vec<(String, Cell)> = Vec::with_capacity(map.size_hint().unwrap_or(16));
                while let Some((name, cell)) = map.next_entry::<String, Cell>()? {
                    fields.push((name, cell));
                }
                Ok(Record(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Cell;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Cell, E> {
                Ok(Cell::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Cell, E> {
                Ok(Cell::Boolean(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
                Ok(Cell::Integer(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Cell, E> {
                Ok(i64::try_from(value).map_or_else(|_| Cell::Beyond(value), Cell::Integer))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Cell, E> {
                Ok(Cell::Number(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Cell, E> {
                Ok(Cell::Text(value.to_owned()))
            }

            fn visit_string<E>(self, value: String) -> Result<Cell, E> {
                Ok(Cell::Text(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cell, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Cell::Nested)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Cell::Nested)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Content, Packing, ReadError, ReadOptions, read};
    use crate::dataset::Dataset;

    fn dataset(text: &str) -> Dataset {
        read(text.as_bytes(), "rows.ndjson", &ReadOptions::default()).unwrap().dataset
    }

    fn refusal(text: &str) -> String {
        let error: ReadError = read(text.as_bytes(), "rows.ndjson", &ReadOptions::default()).unwrap_err();
        error.to_string()
    }

    fn column(dataset: &Dataset, name: &str) -> Vec<String> {
        let cells = dataset.cells(dataset.slot(name).unwrap());
        (0..dataset.rows()).map(|row| format!("{:?}", cells.value(row))).collect()
    }

    #[test]
    fn keys_are_columns_and_what_an_object_lacks_is_missing() {
        let found = dataset("{\"b\":1,\"a\":\"x\"}\n{\"a\":null,\"c\":true}\r\n{\"b\":2.5}\n");
        let names: Vec<&str> = found.schema().iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["b", "a", "c"]);
        assert_eq!(column(&found, "b"), ["Number(1.0)", "Null", "Number(2.5)"]);
        assert_eq!(column(&found, "a"), ["Text(\"x\")", "Null", "Null"]);
        assert_eq!(column(&found, "c"), ["Null", "Boolean(true)", "Null"]);
    }

    #[test]
    fn the_same_table_as_csv_is_the_same_dataset() {
        let lines =
            "{\"at\":\"2014-01-01T13:20:00Z\",\"n\":7,\"t\":\"a\"}\n{\"at\":\"2014-01-02\",\"n\":null,\"t\":\"b\"}\n";
        let csv = "at,n,t\n2014-01-01T13:20:00Z,7,a\n2014-01-02,,b\n";
        assert_eq!(dataset(lines).digest(), dataset(csv).digest());
    }

    #[test]
    fn what_was_changed_or_assumed_is_noted() {
        let lines = "{\" a \":1,\"at\":\"2014-01-01T10:00\"}\n{\" a \":2,\"at\":\"2014-01-01T10:00Z\"}\n";
        let loaded = read(lines.as_bytes(), "rows.ndjson", &ReadOptions::default()).unwrap();
        assert!(loaded.notes["a"][0].contains("blanks around"), "{:?}", loaded.notes);
        assert!(loaded.notes["at"][0].contains("1 of 2 times name no zone"), "{:?}", loaded.notes);
    }

    #[test]
    fn a_text_that_looks_like_a_number_stays_a_text() {
        assert_eq!(column(&dataset("{\"a\":\"007\"}\n{\"a\":\"8\"}\n"), "a"), ["Text(\"007\")", "Text(\"8\")"]);
    }

    #[test]
    fn every_mistake_is_named_with_its_row() {
        for (text, told) in [
            ("{\"a\":1}\n{\"a\":\"x\"}\n", "row 2, line 2, column \"a\": a text in a column that began with numbers"),
            ("{\"a\":1}\n[1]\n", "row 2, line 2: the line is not JSON"),
            ("{\"a\":1}\n\n{\"a\":2}\n", "line 2: the line is empty"),
            ("{\"a\":{\"b\":1}}\n", "column \"a\": the value is a list or an object"),
            ("{\"a\":1,\"a\":2}\n", "column \"a\": the key comes twice"),
            ("{\"a\":9223372036854775808}\n", "9223372036854775808 is a whole number that"),
            ("{\"a\":9007199254740993}\n{\"a\":0.5}\n", "9007199254740993 is a whole number that"),
            ("{\"a\":1e999}\n", "number out of range"),
            ("[{\"a\":1}]", "the file is one list of JSON"),
            ("{\"\":1,\"b\":2,\"B\u{301}\":1", "not JSON"),
        ] {
            let refused = refusal(text);
            assert!(refused.contains(told), "{text}: {refused}");
        }
    }

    #[test]
    fn packed_lines_are_unpacked() {
        let packed = zstd::encode_all(&b"{\"a\":1}\n{\"a\":2}\n"[..], 3).unwrap();
        let loaded = read(&packed, "rows.ndjson.zst", &ReadOptions::default()).unwrap();
        assert_eq!((loaded.format.content, loaded.format.packing), (Content::Ndjson, Some(Packing::Zstd)));
        assert_eq!(loaded.format.to_string(), "zstd-compressed NDJSON");
    }

    #[test]
    fn a_zstd_bomb_is_refused_before_it_unpacks() {
        let bomb = zstd::encode_all(&vec![b'a'; 200 << 20][..], 19).unwrap();
        let refused = read(&bomb, "bomb", &ReadOptions::default()).unwrap_err().to_string();
        assert!(refused.contains("times its size") || refused.contains("longer than"), "{refused}");
    }
}
