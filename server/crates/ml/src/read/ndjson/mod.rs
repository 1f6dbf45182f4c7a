//! Lines of JSON: an object a line, its keys the columns, in the order in which they come; what an object lacks is missing.
//!
//! The text is read twice, a block at a time: once to see which columns there are, what they hold and what is wrong with them, and
//! once to build them. Pieces of a block are worked on in parallel. A problem is named with its row.

mod cell;
mod lines;
mod seen;

use std::collections::BTreeMap;

use millrace_domain::schema::ColumnType;
use rayon::prelude::*;

use self::cell::{Cell, Slots, entries};
use self::seen::Seen;
use super::csv::{Builder, Gathered, Open, Problems, Reading, Table};
use super::error::{MOST_PROBLEMS, Problem, Rule};
use super::{Limits, Scratch, names, time};

/// A cell takes about so many bytes while columns grow.
const CELL_BYTES: usize = 16;

/// Reads the lines.
///
/// # Errors
/// The first problems of the file, each with its line.
pub(super) fn read<'s>(open: Open<'s>, limits: &'s Limits, scratch: Option<Scratch<'s>>) -> Result<Table, Problems> {
    let alone = |problem: Problem| (vec![problem], 0);
    let mut seen = Seen::default();
    lines::each_block(open, limits, |pieces| {
        for piece in pieces.par_iter().map(|piece| Seen::of(piece, limits)).collect::<Vec<Seen>>() {
            if seen.problems.len() < MOST_PROBLEMS {
                seen.add(piece, limits);
            }
        }
        seen.problems.len() < MOST_PROBLEMS
    })
    .map_err(alone)?;
    seen.check();
    let Seen { slots, columns: noted, rows, problems, .. } = seen;
    if !problems.is_empty() {
        return Err((problems, 0));
    }
    let named = names::check(slots.names(), limits.name_chars).map_err(|problems| (problems, 0))?;
    let types: Vec<ColumnType> = noted.iter().map(seen::Column::column_type).collect();
    let mut gathered = Gathered::new(types.iter().copied().map(Some).collect(), limits.held_bytes, scratch);
    let mut kept = Ok(());
    // A row has a cell in every column, however short its line is.
    let rows_at_once = (limits.held_bytes / 8 / (CELL_BYTES * types.len().max(1))).max(1);
    lines::each_block(open, limits, |pieces| {
        let parts: Vec<&str> = pieces.iter().flat_map(|piece| lines::of_rows(piece, rows_at_once)).collect();
        for parts in parts.chunks(rayon::current_num_threads()) {
            for (rows, builders) in parts.par_iter().map(|part| built(part, &slots, &types)).collect::<Vec<_>>() {
                gathered.take(rows, builders.into_iter());
            }
            kept = gathered.settle();
            if kept.is_err() {
                return false;
            }
        }
        true
    })
    .and(kept)
    .map_err(alone)?;
    let cells = gathered.finish(&types).map_err(alone)?;
    let (mut columns, mut notes) = (Vec::with_capacity(named.len()), BTreeMap::new());
    for (((name, mut told), seen), cells) in named.into_iter().zip(&noted).zip(cells) {
        let changed = || alone(Rule::Unreadable("the file changed while it was read".to_owned()).anywhere());
        told.extend(seen.note());
        if !told.is_empty() {
            notes.insert(name.clone(), told);
        }
        columns.push((name, cells.ok_or_else(changed)?));
    }
    Ok(Table { columns, notes, delimiter: b',', rows: rows as usize })
}

/// The rows of a piece without mistakes, and the cells of its columns.
fn built(piece: &str, slots: &Slots, types: &[ColumnType]) -> (u64, Vec<Builder>) {
    let mut columns: Vec<(Builder, u64)> = types.iter().map(|of| (Builder::new(*of, 0), 0)).collect();
    let mut rows = 0;
    for line in piece.lines() {
        let mut next = 0;
        // Whatever is wrong with the line was found the first time.
        let _seen = entries(line, |name, cell| {
            let Some(slot) = slots.find(&name, next) else { return };
            next = slot + 1;
            let (builder, filled) = &mut columns[slot];
            fill(builder, filled, rows);
            let (reading, text) = match &cell {
                Cell::Text(text) => (reading_of(text, types[slot]), text.as_ref()),
                Cell::Integer(whole) => (Reading::Integer(*whole), ""),
                Cell::Number(number) => (Reading::Decimal(*number), ""),
                Cell::Boolean(truth) => (Reading::Boolean(*truth), ""),
                Cell::Null | Cell::Nested | Cell::Beyond(_) => (Reading::Missing, ""),
            };
            builder.push(reading, text);
            *filled += 1;
        });
        rows += 1;
    }
    let filled = columns.into_iter().map(|(mut builder, mut filled)| {
        fill(&mut builder, &mut filled, rows);
        builder
    });
    (rows, filled.collect())
}

/// Missing cells up to that row.
fn fill(builder: &mut Builder, filled: &mut u64, row: u64) {
    for _ in *filled..row {
        builder.push(Reading::Missing, "");
    }
    *filled = row.max(*filled);
}

fn reading_of(text: &str, column_type: ColumnType) -> Reading {
    let moment = (column_type == ColumnType::Time).then(|| time::parse_iso(text)).flatten();
    moment.map_or(Reading::Text, |moment| Reading::ZonedTime(moment.micros))
}

#[cfg(test)]
mod tests {
    use crate::dataset::Dataset;
    use crate::read::{Content, Packing, ReadError, ReadOptions, read};

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
