//! Reading: bytes in, a typed dataset out, or every reason why not.
//!
//! The content decides what a file is, not its name: gzip is unpacked, `PAR1` is Parquet, everything else is CSV. The whole
//! file is read, never a sample, and nothing is repaired in silence: what is not certain is refused with row and rule, or
//! kept as text with a note.
//!
//! **Missing cells in CSV.** Nothing between two delimiters is missing. `""` is an empty text in a text column and missing in
//! any other. Blanks alone and the marks `NA`, `N/A`, `NaN`, `NULL` and `None` are texts in a text column, and are missing,
//! with a note, where all other cells are numbers, times or truth values.
//!
//! **Types in CSV.** `integer` if all cells are whole numbers of 64 bits, `number` if all are finite numbers, `boolean` if all
//! are `true` or `false`, `time` if all are ISO 8601 (without a zone: UTC), else `text`. `007`, `+7`, `1,234` and `01/02/03`
//! are texts. Counts of seconds or milliseconds are times only in columns that the options name.

mod archive;
mod arrow;
pub(crate) mod csv;
mod error;
mod gzip;
mod names;
pub(crate) mod parquet;
pub(crate) mod time;
mod times;

use std::collections::BTreeMap;

use millrace_domain::problem::TimeFormat;

pub use error::{Place, Problem, ReadError, Rule};

use crate::dataset::{Cells, Dataset};

/// What the reader is told about a file.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The byte between two fields of CSV; none: the comma, semicolon, tab or bar that divides the first rows evenly.
    pub delimiter: Option<u8>,
    /// Columns that hold times, and how they are written; others are times only if written as ISO 8601.
    pub time_columns: Vec<(String, TimeFormat)>,
    /// Unquoted texts that stand for a missing cell, besides nothing at all.
    pub missing: Vec<String>,
    /// Caps.
    pub limits: Limits,
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
pub enum Format {
    /// Text with delimiters.
    Csv,
    /// The same, packed.
    CsvGzip,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// The word shown to people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::CsvGzip => "gzip-compressed CSV",
            Self::Parquet => "Parquet",
        }
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
    if !gzip::is_gzip(source) {
        return content(source, options, Format::Csv);
    }
    let unpacked = gzip::unpack(source, &options.limits).map_err(|problem| (vec![problem], 0))?;
    content(&unpacked, options, Format::CsvGzip)
}

fn content(bytes: &[u8], options: &ReadOptions, csv_format: Format) -> Result<Loaded, csv::Problems> {
    let refused = |rule: Rule| Err((vec![rule.anywhere()], 0));
    if bytes.len() as u64 > options.limits.total_bytes {
        return refused(Rule::TooLarge { limit: options.limits.total_bytes });
    }
    if bytes.starts_with(parquet::MAGIC) {
        let table = parquet::read(bytes, options)?;
        return finish(table.columns, table.notes, Format::Parquet, None, options);
    }
    if let Some(kind) = archive::name(bytes) {
        return refused(Rule::Archive(kind));
    }
    if let Some(encoding) = archive::encoding(bytes) {
        return refused(Rule::OtherEncoding(encoding));
    }
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if text.is_empty() {
        return refused(Rule::NoRows);
    }
    let table = csv::read(text, options)?;
    finish(table.columns, table.notes, csv_format, Some(char::from(table.delimiter)), options)
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
