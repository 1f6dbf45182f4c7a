//! Reading: bytes in, a typed dataset out, or every reason why not.
//!
//! The content decides what a file is, not its name: gzip and zstd are unpacked, `PAR1` is Parquet, a brace begins lines of
//! JSON, everything else is CSV. The whole file is read, never a sample, and nothing is repaired in silence: what is not certain
//! is refused with row and rule, or kept as text with a note.
//!
//! **Missing cells in CSV.** Nothing between two delimiters is missing. `""` is an empty text in a text column and missing in
//! any other. Blanks alone and the marks `NA`, `N/A`, `NaN`, `NULL` and `None` are texts in a text column, and are missing,
//! with a note, where all other cells are numbers, times or truth values.
//!
//! **Types in CSV.** `integer` if all cells are whole numbers of 64 bits, `number` if all are finite numbers, `boolean` if all
//! are `true` or `false`, `time` if all are ISO 8601 (without a zone: UTC), else `text`. `007`, `+7`, `1,234` and `01/02/03`
//! are texts (`1,5` is a number where the problem declares `decimal_comma`). Counts of seconds or milliseconds are times only in columns that the options name.

mod archive;
mod arrow;
pub(crate) mod csv;
mod encoding;
mod error;
mod input;
mod names;
mod ndjson;
mod packed;
pub(crate) mod parquet;
pub(crate) mod time;
mod times;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};

use millrace_domain::problem::{Csv, Data, SourceTable, TimeFormat};

pub use error::{Place, Problem, ReadError, Rule};
pub(crate) use input::Input;
pub use packed::Packing;

use crate::dataset::{Dataset, HELD_BYTES};

/// So much of a file is looked at to know what it is.
const HEAD_BYTES: usize = 64 * 1024;

/// Opens an empty file that goes away by itself.
pub type Scratch<'a> = &'a (dyn Fn() -> io::Result<File> + Sync);

/// What the reader is told about a file.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The byte between two fields of CSV; none: the comma, semicolon, tab or bar that divides the first rows evenly.
    pub delimiter: Option<u8>,
    /// CSV without a header: columns are called `column_1`, `column_2` and so on.
    pub headless: bool,
    /// Encoding of CSV by its label in the WHATWG standard, for example `latin1`; none: UTF-8.
    pub encoding: Option<String>,
    /// Columns that hold times, and how they are written; others are times only if written as ISO 8601.
    pub time_columns: Vec<(String, TimeFormat)>,
    /// Unquoted texts that stand for a missing cell, besides nothing at all.
    pub missing: Vec<String>,
    /// Whether `1,5` in CSV is one and a half.
    pub decimal_comma: bool,
    /// Columns of CSV that are texts whatever their cells look like.
    pub text_columns: Vec<String>,
    /// Caps.
    pub limits: Limits,
}

impl ReadOptions {
    /// As a problem declares its data. Times written as ISO 8601 are recognised by themselves.
    pub fn of(data: &Data) -> Self {
        Self::declared([&data.event_time, &data.known_time], data.time_format, data.csv.as_ref())
    }

    /// As a problem declares one of its tables.
    pub fn of_table(table: &SourceTable) -> Self {
        Self::declared([&table.event_time, &table.known_time], table.time_format, table.csv.as_ref())
    }

    fn declared(times: [&Option<String>; 2], time_format: TimeFormat, csv: Option<&Csv>) -> Self {
        let declared = times.into_iter().flatten().filter(|_| time_format != TimeFormat::Iso);
        let time_columns = declared.map(|name| (name.clone(), time_format)).collect();
        let Some(csv) = csv else { return Self { time_columns, ..Self::default() } };
        Self {
            delimiter: csv.delimiter.and_then(|delimiter| u8::try_from(delimiter).ok()),
            headless: !csv.header,
            encoding: csv.encoding.clone(),
            missing: csv.missing.clone(),
            decimal_comma: csv.decimal_comma,
            time_columns,
            text_columns: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// Caps on what is read.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of one row of CSV.
    pub line_bytes: usize,
    /// Columns.
    pub columns: usize,
    /// Bytes of the file, unpacked.
    pub total_bytes: u64,
    /// Characters of a column's name.
    pub name_chars: usize,
    /// Bytes of cells that are held in memory. More are put away in a scratch file, or read again from the file they came in.
    pub held_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line_bytes: 1 << 20, columns: 2_000, total_bytes: 4 << 30, name_chars: 300, held_bytes: HELD_BYTES }
    }
}

/// A file that was read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Its rows.
    pub dataset: Dataset,
    /// What kind of file it is.
    pub format: Format,
    /// The delimiter of a CSV file.
    pub delimiter: Option<char>,
    /// What was noticed while typing, by column.
    pub notes: BTreeMap<String, Vec<String>>,
}

/// Kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// What it holds.
    pub content: Content,
    /// How that is packed.
    pub packing: Option<Packing>,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Text with delimiters.
    Csv,
    /// A JSON object a line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(packing) = self.packing {
            write!(f, "{}-compressed ", packing.as_str())?;
        }
        f.write_str(match self.content {
            Content::Csv => "CSV",
            Content::Ndjson => "NDJSON",
            Content::Parquet => "Parquet",
        })
    }
}

/// Reads bytes; `file_name` only appears in errors.
///
/// # Errors
/// Everything that is wrong with the file as far as it can be seen at once: first with the container, then the header, then
/// the structure, then the values.
pub fn read(source: &[u8], file_name: &str, options: &ReadOptions) -> Result<Loaded, ReadError> {
    load(Input::Bytes(source), options, None).map_err(|(problems, more)| error::refuse(file_name, problems, more))
}

/// Reads an open file, as [`read`] does. What does not fit into memory is kept in `scratch` files or, of Parquet, read again from
/// the file itself when it is wanted: neither file may change as long as the dataset is in use.
///
/// # Errors
/// As [`read`], and when the disk fails.
pub fn read_file(
    file: &File,
    file_name: &str,
    options: &ReadOptions,
    scratch: Scratch<'_>,
) -> Result<Loaded, ReadError> {
    load(Input::File(file), options, Some(scratch)).map_err(|(problems, more)| error::refuse(file_name, problems, more))
}

fn load(input: Input<'_>, options: &ReadOptions, scratch: Option<Scratch<'_>>) -> Result<Loaded, csv::Problems> {
    let alone = |problem: Problem| (vec![problem], 0);
    let failed = |error: io::Error| alone(error.into());
    let size = input.size().map_err(failed)?;
    let packing = Packing::of(&head(&mut input.reader().map_err(failed)?).map_err(failed)?);
    let format = |content: Content| Format { content, packing };
    let refused = |rule: Rule| Err(alone(rule.anywhere()));
    if packing.is_none() && size > options.limits.total_bytes {
        return refused(Rule::TooLarge { limit: options.limits.total_bytes });
    }
    let unpacked = || -> Result<Box<dyn Read + Send + '_>, Problem> {
        let reader = input.reader()?;
        match packing {
            Some(packing) => packed::unpacking(packing, reader, size, &options.limits),
            None => Ok(Box::new(reader)),
        }
    };
    let first = head(&mut unpacked().map_err(alone)?).map_err(failed)?;
    if first.starts_with(parquet::MAGIC) {
        let table = match packing {
            None => parquet::read(input, options)?,
            Some(_) => parquet::read(Input::Bytes(&all(unpacked().map_err(alone)?).map_err(failed)?), options)?,
        };
        return finish(table, format(Content::Parquet), options);
    }
    if let Some(kind) = archive::name(&first) {
        return refused(if packing.is_some() { Rule::Nested(kind) } else { Rule::Archive(kind) });
    }
    let decoded = || -> Result<Box<dyn Read + Send + '_>, Problem> {
        let reader = unpacked()?;
        match &options.encoding {
            Some(label) => encoding::decoding(reader, label).map_err(Rule::anywhere),
            None => Ok(reader),
        }
    };
    let first = head(&mut decoded().map_err(alone)?).map_err(failed)?;
    if let Some(encoding) = archive::encoding(&first) {
        return refused(Rule::OtherEncoding(encoding));
    }
    let mark = first.starts_with(BYTE_ORDER_MARK);
    let text = || -> Result<Box<dyn Read + Send + '_>, Problem> {
        let mut reader = decoded()?;
        if mark {
            reader.read_exact(&mut [0; BYTE_ORDER_MARK.len()])?;
        }
        Ok(reader)
    };
    let begins = &first[if mark { BYTE_ORDER_MARK.len() } else { 0 }..];
    match begins.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None if first.len() < HEAD_BYTES => refused(Rule::NoRows),
        Some(b'{') => finish(ndjson::read(&text, &options.limits, scratch)?, format(Content::Ndjson), options),
        Some(b'[') if is_json_list(text().map_err(alone)?) => refused(Rule::JsonList),
        _ => finish(csv::read(&text, options, scratch)?, format(Content::Csv), options),
    }
}

/// What stands before a text of UTF-8 that some programs write.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The beginning of what a reader gives.
fn head(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(HEAD_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn all(mut reader: Box<dyn Read + Send + '_>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn is_json_list(reader: impl Read) -> bool {
    serde_json::from_reader::<_, Vec<serde::de::IgnoredAny>>(io::BufReader::new(reader)).is_ok()
}

fn finish(table: csv::Table, format: Format, options: &ReadOptions) -> Result<Loaded, csv::Problems> {
    let csv::Table { mut columns, mut notes, delimiter, rows } = table;
    times::apply(&mut columns, &options.time_columns, &mut notes).map_err(|problems| (problems, 0))?;
    let dataset =
        Dataset::of_stocks(rows, columns).map_err(|error| (vec![Rule::Unreadable(error.to_string()).anywhere()], 0))?;
    let delimiter = (format.content == Content::Csv).then(|| char::from(delimiter));
    Ok(Loaded { dataset, format, delimiter, notes })
}
