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
mod names;
mod ndjson;
mod packed;
pub(crate) mod parquet;
pub(crate) mod time;
mod times;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use millrace_domain::problem::{Csv, Data, SourceTable, TimeFormat};

pub use error::{Place, Problem, ReadError, Rule};
pub use packed::Packing;

use crate::dataset::{Cells, Dataset};

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
}

impl Default for Limits {
    fn default() -> Self {
        Self { line_bytes: 1 << 20, columns: 2_000, total_bytes: 4 << 30, name_chars: 300 }
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

/// Reads a file; `file_name` only appears in errors.
///
/// # Errors
/// Everything that is wrong with the file as far as it can be seen at once: first with the container, then the header, then
/// the structure, then the values.
pub fn read(source: &[u8], file_name: &str, options: &ReadOptions) -> Result<Loaded, ReadError> {
    load(source, options).map_err(|(problems, more)| error::refuse(file_name, problems, more))
}

fn load(source: &[u8], options: &ReadOptions) -> Result<Loaded, csv::Problems> {
    let Some(packing) = Packing::of(source) else { return content(source, options, None) };
    let unpacked = packed::unpack(packing, source, &options.limits).map_err(|problem| (vec![problem], 0))?;
    content(&unpacked, options, Some(packing))
}

fn content(bytes: &[u8], options: &ReadOptions, packing: Option<Packing>) -> Result<Loaded, csv::Problems> {
    let format = |content: Content| Format { content, packing };
    let refused = |rule: Rule| Err((vec![rule.anywhere()], 0));
    if bytes.len() as u64 > options.limits.total_bytes {
        return refused(Rule::TooLarge { limit: options.limits.total_bytes });
    }
    if bytes.starts_with(parquet::MAGIC) {
        let table = parquet::read(bytes, options)?;
        return finish(table.columns, table.notes, format(Content::Parquet), None, options);
    }
    if let Some(kind) = archive::name(bytes) {
        return refused(Rule::Archive(kind));
    }
    let decoded = match &options.encoding {
        Some(label) => encoding::decode(bytes, label).map_err(|rule| (vec![rule.anywhere()], 0))?,
        None => Cow::Borrowed(bytes),
    };
    if let Some(encoding) = archive::encoding(&decoded) {
        return refused(Rule::OtherEncoding(encoding));
    }
    let text = decoded.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&decoded);
    match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => refused(Rule::NoRows),
        Some(b'{') => {
            let (columns, notes) = ndjson::read(text, &options.limits)?;
            finish(columns, notes, format(Content::Ndjson), None, options)
        }
        Some(b'[') if serde_json::from_slice::<Vec<serde::de::IgnoredAny>>(text).is_ok() => refused(Rule::JsonList),
        Some(_) => {
            let table = csv::read(text, options)?;
            finish(table.columns, table.notes, format(Content::Csv), Some(char::from(table.delimiter)), options)
        }
    }
}

fn finish(
    mut columns: Vec<(String, Cells)>,
    mut notes: BTreeMap<String, Vec<String>>,
    format: Format,
    delimiter: Option<char>,
    options: &ReadOptions,
) -> Result<Loaded, csv::Problems> {
    times::apply(&mut columns, &options.time_columns, &mut notes).map_err(|problems| (problems, 0))?;
    let dataset =
        Dataset::from_parts(columns).expect("readers give columns of one length, distinct names and finite numbers");
    Ok(Loaded { dataset, format, delimiter, notes })
}
