//! CSV: one pass over all bytes that checks the structure, types every cell and builds the columns.
//!
//! Types are *expected* from the first records and *decided* from all cells. A column that turns out otherwise is read again
//! with the type it has, so the expectation only saves time. Pieces of the text are worked on in parallel; a problem's row,
//! line and byte are those of the whole file.

mod builder;
pub(crate) mod cell;
mod dialect;
pub(crate) mod evidence;
mod scan;
mod split;

use std::collections::BTreeMap;

use millrace_domain::schema::ColumnType;
use rayon::prelude::*;

use self::builder::Builder;
use self::cell::{Reading, classify};
use self::evidence::Evidence;
use self::scan::{Shape, Sink, Tally};
use super::error::{Place, Problem, Rule};
use super::{ReadOptions, names};
use crate::dataset::Cells;

/// Records from which types are expected.
const SAMPLE_BYTES: usize = 256 * 1024;

/// What a CSV text holds.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) columns: Vec<(String, Cells)>,
    pub(crate) notes: BTreeMap<String, Vec<String>>,
    pub(crate) delimiter: u8,
}

/// Problems of a file, and how many more there are.
pub(crate) type Problems = (Vec<Problem>, u64);

/// Reads CSV.
///
/// # Errors
/// Everything that is wrong with the header, else with the structure, else with the values, as far as it can be told.
pub(crate) fn read(bytes: &[u8], options: &ReadOptions) -> Result<Table, Problems> {
    let text = text_of(bytes).map_err(|problem| (vec![problem], 0))?;
    let limits = &options.limits;
    let delimiter = options
        .delimiter
        .filter(|byte| is_delimiter(*byte))
        .unwrap_or_else(|| dialect::detect(text, limits.line_bytes));
    let (mut written, mut body) =
        dialect::header(text, delimiter, limits.line_bytes, limits.columns).map_err(|problem| (vec![problem], 0))?;
    if options.headless {
        // The first record is a row as well.
        written = (1..=written.len()).map(|number| format!("column_{number}")).collect();
        body = 0;
    }
    let named = names::check(&written, limits.name_chars).map_err(|problems| (problems, 0))?;
    let end = text.trim_end_matches(['\n', '\r']).len();
    if end <= body {
        return Err((vec![Rule::NoRows.anywhere()], 0));
    }
    let body_text = if named.len() > 1 { &text[body..end] } else { &text[body..] };
    let shape = Shape { delimiter, width: named.len(), line_bytes: limits.line_bytes };
    let header = Header { bytes: body, lines: scan::breaks(&bytes[..body]) };
    let style = Style { missing: &options.missing, decimal_comma: options.decimal_comma };
    let file = File { text: body_text, shape, style };
    let (names, mut notes): (Vec<String>, Vec<Vec<String>>) = named.into_iter().unzip();
    let texts: Vec<bool> = names.iter().map(|name| options.text_columns.contains(name)).collect();
    let columns = file.columns(&names, &texts, &mut notes, &header)?;
    let notes = names.iter().cloned().zip(notes).filter(|(_, notes)| !notes.is_empty()).collect();
    Ok(Table { columns: names.into_iter().zip(columns).collect(), notes, delimiter })
}

/// What may stand between fields without being taken for something else.
const fn is_delimiter(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'"' | b'\n' | b'\r' | 0)
}

/// The bytes as text.
fn text_of(bytes: &[u8]) -> Result<&str, Problem> {
    let place = |byte: usize| Place::default().on_line(scan::breaks(&bytes[..byte]) + 1).at_byte(byte);
    let text = std::str::from_utf8(bytes).map_err(|error| Rule::NotUtf8.at(place(error.valid_up_to())))?;
    match memchr::memchr(0, bytes) {
        Some(byte) => Err(Rule::Nul.at(place(byte))),
        None => Ok(text),
    }
}

/// What stands before the first data row.
struct Header {
    bytes: usize,
    lines: u64,
}

/// The data rows of a file.
struct File<'a> {
    text: &'a str,
    shape: Shape,
    style: Style<'a>,
}

/// How cells are written.
#[derive(Clone, Copy)]
struct Style<'a> {
    missing: &'a [String],
    decimal_comma: bool,
}

/// What one piece of the text gave.
struct Piece {
    columns: Vec<Column>,
    tally: Tally,
    bytes: usize,
    lines: u64,
}

impl File<'_> {
    /// The columns; those marked in `texts` are texts whatever their cells look like.
    fn columns(
        &self,
        names: &[String],
        texts: &[bool],
        notes: &mut [Vec<String>],
        header: &Header,
    ) -> Result<Vec<Cells>, Problems> {
        let pieces = split::pieces(self.text);
        let (mut expected, row_bytes) = self.expect();
        for (expected, _) in expected.iter_mut().zip(texts).filter(|(_, is_text)| **is_text) {
            *expected = Some(ColumnType::Text);
        }
        let scan = |piece: &&str| self.scan(piece, &expected, piece.len() / row_bytes.max(1) + 16);
        let scanned: Vec<Piece> = pieces.par_iter().map(scan).collect();
        check_structure(&scanned, header)?;

        let (parts, evidence) = gather(scanned, names.len());
        let types = decide(&evidence, names, texts)?;
        let mut cells: Vec<Option<Cells>> = parts
            .into_par_iter()
            .zip(&types)
            .zip(&evidence)
            .map(|((parts, decided), evidence)| match evidence.is_empty() {
                true => Some(builder::missing(evidence.cells())),
                false => builder::join(parts, *decided),
            })
            .collect();
        self.read_again(&pieces, &types, &mut cells);
        for ((notes, evidence), decided) in notes.iter_mut().zip(&evidence).zip(&types) {
            notes.extend(evidence.notes(*decided));
        }
        Ok(cells.into_iter().map(|cells| cells.expect("each column was joined or read again with its type")).collect())
    }

    /// The type of each column as far as the first records tell, and the mean length of a record.
    fn expect(&self) -> (Vec<Option<ColumnType>>, usize) {
        let sample = first_lines(self.text, SAMPLE_BYTES);
        let nothing = vec![None; self.shape.width];
        let piece = self.scan(sample, &nothing, 0);
        let expected = piece.columns.iter().map(|column| match column.evidence.is_empty() {
            true => None,
            false => column.evidence.column_type("").ok(),
        });
        (expected.collect(), sample.len() / piece.tally.rows.max(1) as usize)
    }

    fn scan(&self, piece: &str, expected: &[Option<ColumnType>], rows: usize) -> Piece {
        let columns = expected.iter().map(|expected| Column {
            builder: expected.map_or(Builder::Abandoned, |expected| Builder::new(expected, rows)),
            evidence: Evidence::default(),
        });
        let mut sink = Typing { columns: columns.collect(), style: self.style };
        let tally = scan::scan(piece, self.shape, &mut sink);
        Piece { columns: sink.columns, tally, bytes: piece.len(), lines: scan::breaks(piece.as_bytes()) }
    }

    /// Reads the columns that have no cells yet, now that their types are known.
    fn read_again(&self, pieces: &[&str], types: &[ColumnType], cells: &mut [Option<Cells>]) {
        let open: Vec<usize> = (0..cells.len()).filter(|slot| cells[*slot].is_none()).collect();
        if open.is_empty() {
            return;
        }
        let read = |piece: &&str| {
            let builders =
                (0..cells.len()).map(|slot| cells[slot].is_none().then(|| Builder::new(types[slot], 0))).collect();
            let mut sink = Building { builders, style: self.style };
            scan::scan(piece, self.shape, &mut sink);
            sink.builders
        };
        let mut read: Vec<Vec<Option<Builder>>> = pieces.par_iter().map(read).collect();
        for slot in open {
            let parts = read.iter_mut().filter_map(|builders| builders[slot].take()).collect();
            cells[slot] = builder::join(parts, types[slot]);
        }
    }
}

/// Whole lines of about that many bytes.
fn first_lines(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    match memchr::memrchr2(b'\n', b'\r', &text.as_bytes()[..bytes]) {
        Some(end) => &text[..=end],
        None => "",
    }
}

/// The builders of each column and everything seen in it, with rows counted from the beginning of the file.
fn gather(pieces: Vec<Piece>, width: usize) -> (Vec<Vec<Builder>>, Vec<Evidence>) {
    let mut parts: Vec<Vec<Builder>> = (0..width).map(|_| Vec::with_capacity(pieces.len())).collect();
    let mut evidence = vec![Evidence::default(); width];
    let mut rows = 0;
    for piece in pieces {
        for (slot, column) in piece.columns.into_iter().enumerate() {
            parts[slot].push(column.builder);
            evidence[slot].add(column.evidence, rows);
        }
        rows += piece.tally.rows;
    }
    (parts, evidence)
}

fn decide(evidence: &[Evidence], names: &[String], texts: &[bool]) -> Result<Vec<ColumnType>, Problems> {
    let mut types = Vec::with_capacity(names.len());
    let mut problems = Vec::new();
    for ((evidence, name), is_text) in evidence.iter().zip(names).zip(texts) {
        if *is_text {
            types.push(ColumnType::Text);
            continue;
        }
        match evidence.column_type(name) {
            Ok(decided) => types.push(decided),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(types) } else { Err((problems, 0)) }
}

/// Turns what the pieces found into problems of the file, up to the first one that makes the rest doubtful, and checks that
/// rows and lines add up.
fn check_structure(pieces: &[Piece], header: &Header) -> Result<(), Problems> {
    let (mut rows, mut inside, mut breaks, mut lines, mut bytes) = (0, 0, 0, header.lines, header.bytes as u64);
    let (mut problems, mut more) = (Vec::new(), 0);
    for piece in pieces {
        for problem in &piece.tally.problems {
            let mut problem = problem.clone();
            problem.place.row = problem.place.row.map(|row| row + rows);
            problem.place.line = problem.place.line.map(|line| line + lines);
            problem.place.byte = problem.place.byte.map(|byte| byte + bytes);
            problems.push(problem);
        }
        more += piece.tally.more;
        rows += piece.tally.rows;
        inside += piece.tally.inside;
        breaks += piece.tally.breaks;
        lines += piece.lines;
        bytes += piece.bytes as u64;
        if piece.tally.stopped {
            break;
        }
    }
    if !problems.is_empty() {
        return Err((problems, more));
    }
    let (expected, lines) = (breaks + inside, lines - header.lines);
    if expected == lines {
        Ok(())
    } else {
        Err((vec![Rule::Unreconciled { rows, inside, expected, lines }.anywhere()], 0))
    }
}

struct Column {
    builder: Builder,
    evidence: Evidence,
}

/// Types and builds at once.
struct Typing<'a> {
    columns: Vec<Column>,
    style: Style<'a>,
}

impl Sink for Typing<'_> {
    #[inline]
    fn field(&mut self, column: usize, row: u64, text: &str, quoted: bool) {
        let reading = self.style.read(text, quoted);
        let column = &mut self.columns[column];
        column.evidence.see(reading, text, row);
        column.builder.push(reading, text);
    }
}

/// Builds columns of known type; others are passed over.
struct Building<'a> {
    builders: Vec<Option<Builder>>,
    style: Style<'a>,
}

impl Sink for Building<'_> {
    fn field(&mut self, column: usize, _row: u64, text: &str, quoted: bool) {
        if let Some(builder) = &mut self.builders[column] {
            builder.push(self.style.read(text, quoted), text);
        }
    }
}

impl Style<'_> {
    /// A cell that is written as one of the declared marks, without quotes, is missing in every type of column.
    #[inline]
    fn read(self, text: &str, quoted: bool) -> Reading {
        if !quoted && !self.missing.is_empty() && self.missing.iter().any(|mark| mark == text) {
            return Reading::Missing;
        }
        if self.decimal_comma { with_decimal_comma(text, quoted) } else { classify(text, quoted) }
    }
}

/// Where a comma divides a number from its fraction, a point does not: `1.234` could be either.
fn with_decimal_comma(text: &str, quoted: bool) -> Reading {
    let reading = if text.bytes().filter(|byte| *byte == b',').count() == 1 {
        classify(&text.replacen(',', ".", 1), quoted)
    } else {
        classify(text, quoted)
    };
    match reading {
        Reading::Decimal(_) if text.contains('.') => Reading::Grouped,
        // Nothing but a number reads a comma otherwise.
        Reading::Decimal(_) | Reading::OutOfRange | Reading::LeadingZero | Reading::PlusSign => reading,
        _ => classify(text, quoted),
    }
}
