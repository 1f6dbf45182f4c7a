//! The structure of CSV text: records and fields, strictly (RFC 4180, with any mix of CRLF, LF and CR).
//!
//! A *record* is what ends at a line break outside quotes. Nothing is guessed: a quote inside an unquoted field, text after a
//! closing quote, or a quote that is never closed ends the scan, because from there on nobody knows what is a field. A
//! record of the wrong number of fields is reported and the scan goes on.

use std::borrow::Cow;

use memchr::{memchr, memchr2_iter};

use super::super::error::{MOST_PROBLEMS, Place, Problem, Rule};

/// What every record of a file keeps to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// The byte between two fields.
    pub(crate) delimiter: u8,
    /// Fields a record has.
    pub(crate) width: usize,
    /// Bytes a record may have.
    pub(crate) line_bytes: usize,
}

/// Receives the fields of well-formed records.
pub(crate) trait Sink {
    /// The field in `column` of data row `row` (from 1).
    fn field(&mut self, column: usize, row: u64, text: &str, quoted: bool);
}

/// What a scan counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Records, well-formed or not.
    pub(crate) rows: u64,
    /// Line breaks that ended a record or an empty line.
    pub(crate) breaks: u64,
    /// Line breaks inside quoted fields.
    pub(crate) inside: u64,
    /// The first problems; rows, lines and bytes count from the beginning of the scanned text.
    pub(crate) problems: Vec<Problem>,
    /// Further problems.
    pub(crate) more: u64,
    /// Whether the scan had to stop.
    pub(crate) stopped: bool,
}

/// One field as it stands in the text.
pub(crate) struct Field<'a> {
    raw: &'a str,
    quoted: bool,
    doubled: bool,
}

impl<'a> Field<'a> {
    /// The field without quotes.
    pub(crate) fn text(&self) -> Cow<'a, str> {
        if self.doubled { Cow::Owned(self.raw.replace("\"\"", "\"")) } else { Cow::Borrowed(self.raw) }
    }
}

/// How a field ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Delimiter,
    Line,
    Text,
}

/// Scans `text`, which begins at a record, and hands each field of each well-formed prefix of a record to `sink`.
///
/// In a file of one column an empty line is a row whose cell is missing; with more columns it is a mistake.
pub(crate) fn scan(text: &str, shape: Shape, sink: &mut impl Sink) -> Tally {
    let mut tally = Tally::default();
    let mut at = 0;
    while at < text.len() {
        if let Some(next) = empty_line(text.as_bytes(), at).filter(|_| shape.width > 1) {
            let place = Place::row(tally.rows + 1).on_line(line(&tally)).at_byte(at as u64);
            report(&mut tally, Rule::EmptyLine.at(place));
            tally.breaks += 1;
            at = next;
            continue;
        }
        match record(text, at, shape, tally.rows + 1, sink) {
            Ok(record) => {
                if record.fields != shape.width {
                    let rule =
                        Rule::Ragged { expected: shape.width, got: record.fields, delimiter: name_of(shape.delimiter) };
                    let place = Place::row(tally.rows + 1).on_line(line(&tally)).at_byte(at as u64);
                    report(&mut tally, rule.at(place));
                }
                tally.rows += 1;
                tally.inside += record.inside;
                tally.breaks += u64::from(record.ended_by_break);
                at = record.next;
            }
            Err((rule, byte)) => {
                let broken = line(&tally) + breaks(&text.as_bytes()[at..byte]);
                let place = Place::row(tally.rows + 1).on_line(broken).at_byte(byte as u64);
                report(&mut tally, rule.at(place));
                tally.stopped = true;
                return tally;
            }
        }
    }
    tally
}

fn report(tally: &mut Tally, problem: Problem) {
    if tally.problems.len() < MOST_PROBLEMS {
        tally.problems.push(problem);
    } else {
        tally.more += 1;
    }
}

/// The line, from 1, on which the next record begins.
fn line(tally: &Tally) -> u64 {
    tally.breaks + tally.inside + 1
}

struct Record {
    fields: usize,
    inside: u64,
    ended_by_break: bool,
    next: usize,
}

fn record(text: &str, start: usize, shape: Shape, row: u64, sink: &mut impl Sink) -> Result<Record, (Rule, usize)> {
    let limit = text.len().min(start.saturating_add(shape.line_bytes));
    let mut record = Record { fields: 0, inside: 0, ended_by_break: false, next: start };
    loop {
        let (field, end, next) = field(text, record.next, limit, shape)?;
        if field.quoted {
            record.inside += breaks(field.raw.as_bytes());
        }
        if record.fields < shape.width {
            if field.doubled {
                sink.field(record.fields, row, &field.text(), true);
            } else {
                sink.field(record.fields, row, field.raw, field.quoted);
            }
        }
        record.fields += 1;
        record.next = next;
        if end != End::Delimiter {
            record.ended_by_break = end == End::Line;
            return Ok(record);
        }
    }
}

/// The field that begins at `start`, how it ended, and where the next one begins.
#[inline]
pub(crate) fn field(
    text: &str,
    start: usize,
    limit: usize,
    shape: Shape,
) -> Result<(Field<'_>, End, usize), (Rule, usize)> {
    let bytes = text.as_bytes();
    if bytes.get(start) == Some(&b'"') {
        return quoted(text, start, limit, shape);
    }
    let window = &bytes[start..bytes.len().min(limit + 1)];
    let stops = |byte: &u8| *byte == shape.delimiter || matches!(byte, b'\n' | b'\r' | b'"');
    let at = match window.iter().position(stops) {
        Some(offset) if window[offset] == b'"' => return Err((Rule::StrayQuote, start + offset)),
        Some(offset) => start + offset,
        None if limit < bytes.len() => return Err((Rule::LineTooLong { limit: shape.line_bytes }, start)),
        None => bytes.len(),
    };
    let (end, next) = end_at(bytes, at, shape.delimiter);
    Ok((Field { raw: &text[start..at], quoted: false, doubled: false }, end, next))
}

fn quoted(text: &str, start: usize, limit: usize, shape: Shape) -> Result<(Field<'_>, End, usize), (Rule, usize)> {
    let bytes = text.as_bytes();
    let inner = start + 1;
    let mut at = inner;
    let mut doubled = false;
    let close = loop {
        match memchr(b'"', &bytes[at.min(limit)..limit]) {
            Some(offset) if bytes.get(at + offset + 1) == Some(&b'"') => {
                doubled = true;
                at += offset + 2;
            }
            Some(offset) => break at + offset,
            None if limit < bytes.len() => return Err((Rule::LineTooLong { limit: shape.line_bytes }, start)),
            None => return Err((Rule::OpenQuote, start)),
        }
    };
    let after = close + 1;
    let ends = match bytes.get(after) {
        Some(byte) => *byte == shape.delimiter || matches!(byte, b'\n' | b'\r'),
        None => true,
    };
    if !ends {
        return Err((Rule::TextAfterQuote, after));
    }
    let (end, next) = end_at(bytes, after, shape.delimiter);
    Ok((Field { raw: &text[inner..close], quoted: true, doubled }, end, next))
}

/// What stands at `at`, the first byte after a field, and where the next field begins.
fn end_at(bytes: &[u8], at: usize, delimiter: u8) -> (End, usize) {
    match bytes.get(at) {
        None => (End::Text, at),
        Some(byte) if *byte == delimiter => (End::Delimiter, at + 1),
        Some(_) => (End::Line, after_break(bytes, at)),
    }
}

/// Where the line break at `at` ends.
pub(crate) fn after_break(bytes: &[u8], at: usize) -> usize {
    if bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n') { at + 2 } else { at + 1 }
}

/// Where the next line begins if the line at `at` is empty.
fn empty_line(bytes: &[u8], at: usize) -> Option<usize> {
    matches!(bytes[at], b'\n' | b'\r').then(|| after_break(bytes, at))
}

/// Line breaks: CRLF, LF or CR.
pub(crate) fn breaks(bytes: &[u8]) -> u64 {
    memchr2_iter(b'\n', b'\r', bytes).filter(|at| bytes[*at] == b'\n' || bytes.get(at + 1) != Some(&b'\n')).count()
        as u64
}

/// What a delimiter is called in messages.
pub(crate) const fn name_of(delimiter: u8) -> &'static str {
    match delimiter {
        b',' => "commas",
        b';' => "semicolons",
        b'\t' => "tabs",
        b'|' => "bars",
        _ => "the delimiter",
    }
}
