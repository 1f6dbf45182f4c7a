//! CSV: one pass over all bytes that checks the structure, types every cell and builds the columns, a block of text at a time.
//!
//! Types are *expected* from the first records and *decided* from all cells. A column that turns out otherwise is read again
//! with the type it has, so the expectation only saves time. Pieces of a block are worked on in parallel; a problem's row,
//! line and byte are those of the whole file. Columns that become too much for memory are gathered in a scratch file.

mod blocks;
mod builder;
pub(crate) mod cell;
mod dialect;
pub(crate) mod evidence;
mod gather;
mod scan;
mod split;

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use millrace_domain::schema::ColumnType;
use rayon::prelude::*;

pub(super) use self::blocks::Blocks;
pub(super) use self::builder::Builder;
pub(super) use self::cell::Reading;
use self::cell::classify;
use self::evidence::Evidence;
pub(super) use self::gather::Gathered;
use self::scan::{Shape, Sink, Tally};
use super::error::{MOST_PROBLEMS, Problem, Rule};
use super::{Limits, ReadOptions, Scratch, names};
use crate::dataset::{Missing, Stock};

/// Records from which types are expected.
const SAMPLE_BYTES: usize = 256 * 1024;

/// What a file of rows holds.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) columns: Vec<(String, Stock)>,
    pub(crate) notes: BTreeMap<String, Vec<String>>,
    pub(crate) delimiter: u8,
    pub(crate) rows: usize,
}

/// Problems of a file, and how many more there are.
pub(crate) type Problems = (Vec<Problem>, u64);

/// Opens the text at its beginning.
pub(crate) type Open<'s> = &'s (dyn Fn() -> Result<Box<dyn Read + Send + 's>, Problem> + Sync);

/// Reads CSV, a block at a time.
///
/// # Errors
/// Everything that is wrong with the header, else with the structure, else with the values, as far as it can be told.
pub(crate) fn read<'s>(
    open: Open<'s>,
    options: &'s ReadOptions,
    scratch: Option<Scratch<'s>>,
) -> Result<Table, Problems> {
    let alone = |problem: Problem| (vec![problem], 0);
    let limits = &options.limits;
    let mut blocks = open().and_then(|text| Blocks::begin(text, block_bytes(limits))).map_err(alone)?;
    let text = blocks.text();
    let delimiter = options
        .delimiter
        .filter(|byte| is_delimiter(*byte))
        .unwrap_or_else(|| dialect::detect(text, limits.line_bytes));
    let (mut written, mut body) = dialect::header(text, delimiter, limits.line_bytes, limits.columns).map_err(alone)?;
    if options.headless {
        // The first record is a row as well.
        written = (1..=written.len()).map(|number| format!("column_{number}")).collect();
        body = 0;
    }
    let named = names::check(&written, limits.name_chars).map_err(|problems| (problems, 0))?;
    if blocks.is_last() && text.trim_end_matches(['\n', '\r']).len() <= body {
        return Err(alone(Rule::NoRows.anywhere()));
    }
    let shape = Shape { delimiter, width: named.len(), line_bytes: limits.line_bytes };
    let style = Style { missing: &options.missing, decimal_comma: options.decimal_comma };
    let header = Header { bytes: body, lines: scan::breaks(&text.as_bytes()[..body]) };
    let (names, mut notes): (Vec<String>, Vec<Vec<String>>) = named.into_iter().unzip();
    let texts: Vec<bool> = names.iter().map(|name| options.text_columns.contains(name)).collect();
    let file =
        File { open, shape, style, header, held_bytes: limits.held_bytes, block_bytes: block_bytes(limits), scratch };
    let expected = file.expect(&text[body..], &texts);
    blocks.consume(body, header.lines);
    let (columns, rows) = file.columns(blocks, expected, &names, &texts, &mut notes)?;
    let notes = names.iter().cloned().zip(notes).filter(|(_, notes)| !notes.is_empty()).collect();
    Ok(Table { columns: names.into_iter().zip(columns).collect(), notes, delimiter, rows })
}

/// How much text is read at a time: a part of what may be held, and always more than a row.
pub(super) fn block_bytes(limits: &Limits) -> usize {
    (limits.held_bytes / 4).max(2 * limits.line_bytes)
}

/// What may stand between fields without being taken for something else.
const fn is_delimiter(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'"' | b'\n' | b'\r' | 0)
}

/// What stands before the first data row.
#[derive(Clone, Copy)]
struct Header {
    bytes: usize,
    lines: u64,
}

/// The data rows of a file.
struct File<'a> {
    open: Open<'a>,
    shape: Shape,
    style: Style<'a>,
    header: Header,
    held_bytes: usize,
    block_bytes: usize,
    scratch: Option<Scratch<'a>>,
}

/// What the first records tell of a file.
struct Expected {
    types: Vec<Option<ColumnType>>,
    row_bytes: usize,
}

/// How cells are written.
#[derive(Clone, Copy)]
struct Style<'a> {
    missing: &'a [String],
    decimal_comma: bool,
}

/// What one piece of the text gave.
struct Piece {
    columns: Vec<ColumnSeen>,
    tally: Tally,
    bytes: usize,
    lines: u64,
}

impl File<'_> {
    /// The columns, and how many rows they have; those marked in `texts` are texts whatever their cells look like.
    fn columns(
        &self,
        blocks: Blocks<'_>,
        expected: Expected,
        names: &[String],
        texts: &[bool],
        notes: &mut [Vec<String>],
    ) -> Result<(Vec<Stock>, usize), Problems> {
        let alone = |problem: Problem| (vec![problem], 0);
        let mut structure = Structure::after(self.header);
        let mut evidence = vec![Evidence::default(); names.len()];
        let mut gathered = Gathered::new(expected.types, self.held_bytes, self.scratch);
        self.each_block(blocks, |pieces| {
            if structure.stopped {
                // Nobody knows any more what is a field; only the text is still looked at.
                return Ok(pieces.par_iter().map(|piece| scan::breaks(piece.as_bytes())).sum());
            }
            let (types, lines) = (gathered.types(), structure.lines);
            let scan = |piece: &&str| self.scan(piece, types, piece.len() / expected.row_bytes.max(1) + 16);
            for piece in pieces.par_iter().map(scan).collect::<Vec<Piece>>() {
                let (before, rows) = (structure.rows, piece.tally.rows);
                structure.add(&piece);
                let (builders, seen): (Vec<Builder>, Vec<Evidence>) =
                    piece.columns.into_iter().map(|column| (column.builder, column.evidence)).unzip();
                evidence.iter_mut().zip(seen).for_each(|(evidence, seen)| evidence.add(seen, before));
                gathered.take(rows, builders.into_iter());
            }
            if !structure.problems.is_empty() {
                // It is only looked for more mistakes from here on.
                gathered.give_up();
            }
            gathered.settle()?;
            Ok(structure.lines - lines)
        })
        .map_err(alone)?;
        let rows = structure.check()? as usize;
        let types = decide(&evidence, names, texts)?;
        let mut columns = gathered.finish(&types).map_err(alone)?;
        for (column, _) in columns.iter_mut().zip(&evidence).filter(|(_, evidence)| evidence.is_empty()) {
            *column = Some(Stock::kept(ColumnType::Text, Arc::new(Missing(rows))));
        }
        self.read_again(&types, &mut columns).map_err(alone)?;
        for ((notes, evidence), decided) in notes.iter_mut().zip(&evidence).zip(&types) {
            notes.extend(evidence.notes(*decided));
        }
        let columns = columns.into_iter().map(|column| column.expect("a column is gathered, or read with its type"));
        Ok((columns.collect(), rows))
    }

    /// Hands every data row over, in pieces that can be scanned at the same time, a block of them at once; `work` says how many lines
    /// they hold.
    fn each_block(
        &self,
        mut blocks: Blocks<'_>,
        mut work: impl FnMut(&[&str]) -> Result<u64, Problem>,
    ) -> Result<(), Problem> {
        loop {
            let pieces = split::records(blocks.text(), blocks.is_last(), self.shape);
            let bytes = pieces.iter().map(|piece| piece.len()).sum();
            let lines = if pieces.is_empty() { 0 } else { work(&pieces)? };
            if blocks.is_last() {
                return Ok(());
            }
            blocks.consume(bytes, lines);
            blocks.more()?;
        }
    }

    /// What the first records tell: the type of each column, and the mean length of a record.
    fn expect(&self, body: &str, texts: &[bool]) -> Expected {
        let sample = first_lines(body, SAMPLE_BYTES);
        let piece = self.scan(sample, &vec![None; self.shape.width], 0);
        let types = piece.columns.iter().zip(texts).map(|(column, is_text)| match column.evidence.is_empty() {
            _ if *is_text => Some(ColumnType::Text),
            true => None,
            false => column.evidence.column_type("").ok(),
        });
        Expected { types: types.collect(), row_bytes: sample.len() / piece.tally.rows.max(1) as usize }
    }

    fn scan(&self, piece: &str, expected: &[Option<ColumnType>], rows: usize) -> Piece {
        let columns = expected.iter().map(|expected| ColumnSeen {
            builder: expected.map_or(Builder::Abandoned, |expected| Builder::new(expected, rows)),
            evidence: Evidence::default(),
        });
        let mut sink = Typing { columns: columns.collect(), style: self.style };
        let tally = scan::scan(piece, self.shape, &mut sink);
        Piece { columns: sink.columns, tally, bytes: piece.len(), lines: scan::breaks(piece.as_bytes()) }
    }

    /// Reads the columns that have no cells yet, now that their types are known.
    fn read_again(&self, types: &[ColumnType], columns: &mut [Option<Stock>]) -> Result<(), Problem> {
        if columns.iter().all(Option::is_some) {
            return Ok(());
        }
        let open: Vec<Option<ColumnType>> =
            columns.iter().zip(types).map(|(column, decided)| column.is_none().then_some(*decided)).collect();
        let mut gathered = Gathered::new(open, self.held_bytes, self.scratch);
        let mut blocks = Blocks::begin((self.open)()?, self.block_bytes)?;
        blocks.consume(self.header.bytes, self.header.lines);
        self.each_block(blocks, |pieces| {
            let types = gathered.types();
            let read = |piece: &&str| {
                let builders = types.iter().map(|open| open.map_or(Builder::Abandoned, |open| Builder::new(open, 0)));
                let mut sink = Building { builders: builders.collect(), style: self.style };
                let tally = scan::scan(piece, self.shape, &mut sink);
                (tally.rows, sink.builders)
            };
            for (rows, builders) in pieces.par_iter().map(read).collect::<Vec<_>>() {
                gathered.take(rows, builders.into_iter());
            }
            gathered.settle()?;
            // Whatever is wrong with the text was found the first time.
            Ok(0)
        })?;
        for (column, again) in columns.iter_mut().zip(gathered.finish(types)?) {
            if column.is_none() {
                *column = again;
            }
        }
        Ok(())
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

/// What the pieces found, with rows, lines and bytes counted from the beginning of the file, up to the first mistake that makes
/// the rest doubtful.
struct Structure {
    header: Header,
    rows: u64,
    inside: u64,
    breaks: u64,
    lines: u64,
    bytes: u64,
    problems: Vec<Problem>,
    more: u64,
    stopped: bool,
}

impl Structure {
    const fn after(header: Header) -> Self {
        let Header { bytes, lines } = header;
        Self {
            header,
            rows: 0,
            inside: 0,
            breaks: 0,
            lines,
            bytes: bytes as u64,
            problems: Vec::new(),
            more: 0,
            stopped: false,
        }
    }

    fn add(&mut self, piece: &Piece) {
        if self.stopped {
            return;
        }
        for problem in &piece.tally.problems {
            if self.problems.len() >= MOST_PROBLEMS {
                self.more += 1;
                continue;
            }
            let mut problem = problem.clone();
            problem.place.row = problem.place.row.map(|row| row + self.rows);
            problem.place.line = problem.place.line.map(|line| line + self.lines);
            problem.place.byte = problem.place.byte.map(|byte| byte + self.bytes);
            self.problems.push(problem);
        }
        self.more += piece.tally.more;
        self.rows += piece.tally.rows;
        self.inside += piece.tally.inside;
        self.breaks += piece.tally.breaks;
        self.lines += piece.lines;
        self.bytes += piece.bytes as u64;
        self.stopped = piece.tally.stopped;
    }

    /// The number of rows, when nothing is wrong with them and rows and lines add up.
    fn check(self) -> Result<u64, Problems> {
        if !self.problems.is_empty() {
            return Err((self.problems, self.more));
        }
        let (rows, inside) = (self.rows, self.inside);
        let (expected, lines) = (self.breaks + inside, self.lines - self.header.lines);
        if rows == 0 {
            Err((vec![Rule::NoRows.anywhere()], 0))
        } else if expected == lines {
            Ok(rows)
        } else {
            Err((vec![Rule::Unreconciled { rows, inside, expected, lines }.anywhere()], 0))
        }
    }
}

struct ColumnSeen {
    builder: Builder,
    evidence: Evidence,
}

/// Types and builds at once.
struct Typing<'a> {
    columns: Vec<ColumnSeen>,
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
    builders: Vec<Builder>,
    style: Style<'a>,
}

impl Sink for Building<'_> {
    fn field(&mut self, column: usize, _row: u64, text: &str, quoted: bool) {
        let builder = &mut self.builders[column];
        if !matches!(builder, Builder::Abandoned) {
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
