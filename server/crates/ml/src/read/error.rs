//! Why a file was refused: the file, the place, the rule and the way out.

use std::fmt;

/// At most so many problems are listed for one file.
pub const MOST_PROBLEMS: usize = 10;

/// A file that was refused, with everything that is wrong with it as far as it could be seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file} was refused: {}{}", joined(.problems), and_more(*.more))]
pub struct ReadError {
    /// The file's name as the caller gave it.
    pub file: String,
    /// The first problems, in the order of the file; never empty.
    pub problems: Vec<Problem>,
    /// How many more there are of the same kinds.
    pub more: u64,
}

impl ReadError {
    /// Whether nothing is wrong with the file, but with the disk it is read from or kept on.
    pub fn is_of_the_disk(&self) -> bool {
        self.problems.iter().any(|problem| matches!(problem.rule, Rule::Unreadable(_)))
    }
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it is.
    pub place: Place,
    /// Which rule is broken.
    pub rule: Rule,
}

/// A place in a file; what is not known is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// Data row; the first one below the header is 1.
    pub row: Option<u64>,
    /// Line of the text; the header is on line 1.
    pub line: Option<u64>,
    /// Name of the column.
    pub column: Option<String>,
    /// Offset from the beginning of the (unpacked) file.
    pub byte: Option<u64>,
}

/// The rules a file must keep. The text of each says what is wrong and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the message of each variant says what it is")]
pub enum Rule {
    #[error("there are no rows; a dataset needs a header and at least one row")]
    NoRows,
    #[error(
        "the row has {got} fields, the header has {expected}; add or remove fields, or quote those that hold {delimiter}"
    )]
    Ragged { expected: usize, got: usize, delimiter: &'static str },
    #[error("the line is empty between rows; remove it")]
    EmptyLine,
    #[error("a quote stands inside an unquoted field; quote the whole field and double the quotes in it")]
    StrayQuote,
    #[error("text follows a closing quote; double the quotes inside the field, or put the delimiter after it")]
    TextAfterQuote,
    #[error("a quote is opened and never closed; close it, or double it if it belongs to the text")]
    OpenQuote,
    #[error("a NUL byte; remove it (is this a text file?)")]
    Nul,
    #[error("the bytes are not UTF-8; save the file as UTF-8 (if it is Latin-1: iconv -f latin1 -t utf-8)")]
    NotUtf8,
    #[error("the file is {0}; save it as UTF-8")]
    OtherEncoding(&'static str),
    #[error("the row is longer than {limit} bytes; look for a missing line break or closing quote")]
    LineTooLong { limit: usize },
    #[error("the header has more than {limit} columns; leave out columns")]
    TooManyColumns { limit: usize },
    #[error("the column is named as another one is: {0:?}; rename one of them")]
    DuplicateColumn(String),
    #[error("column {0} of the header has no name; name it or remove it")]
    BlankColumn(usize),
    #[error("the name is longer than {limit} characters; shorten it")]
    NameTooLong { limit: usize },
    #[error("the name holds the character {0}, which cannot be seen or reorders text; rename the column")]
    NameCharacter(String),
    #[error(
        "{0} is beyond the range of numbers (about 1e308, and no closer to zero than 5e-324); correct it or quote the column as text"
    )]
    OutOfRange(String),
    #[error("{0} is infinite; leave the cell empty or give a finite number")]
    Infinite(String),
    #[error("{0} is no moment that {1} can stand for; correct it or the problem's time_format")]
    NotATime(String, &'static str),
    #[error("the {0} data is damaged ({1}); pack the file again")]
    BadPacking(&'static str, String),
    #[error("the file unpacks to more than {limit} times its size; send it unpacked if it is what it should be")]
    Ratio { limit: u64 },
    #[error("the file holds more than {limit} bytes; split it or leave out columns")]
    TooLarge { limit: u64 },
    #[error("the file is {0}; send CSV, lines of JSON (both may be packed with gzip or zstd) or Parquet")]
    Archive(&'static str),
    #[error("an archive lies inside the packed file ({0}); pack the table itself")]
    Nested(&'static str),
    #[error("the bytes are not {0}, which the problem declares; correct the file or data.csv.encoding")]
    NotEncoded(String),
    #[error("the line is not JSON ({0}); each line must be one object")]
    BadJson(String),
    #[error("the file is one list of JSON; write its objects one a line")]
    JsonList,
    #[error("the value is a list or an object; a cell holds a number, a text, true, false or null")]
    NestedValue,
    #[error("{got} in a column that began with {expected}; write one type, as text if it has to be both")]
    MixedTypes { expected: &'static str, got: &'static str },
    #[error(
        "{0} is a whole number that its column cannot hold exactly (64 bits, or 2^53 beside fractions); write it as text"
    )]
    Inexact(String),
    #[error("the key comes twice in one object; remove one")]
    RepeatedKey,
    #[error("the Parquet data is damaged ({0}); write the file again")]
    BadParquet(String),
    #[error(
        "the column is of type {0}, which datasets do not hold; store numbers, booleans, dates, timestamps or text"
    )]
    Type(String),
    #[error("the server could not read or keep it ({0}); nothing is wrong with the file itself, load it again")]
    Unreadable(String),
    #[error(
        "rows and lines do not add up: {rows} rows and {inside} line breaks inside fields make {expected} lines, the file has {lines}; check its quotes"
    )]
    Unreconciled { rows: u64, inside: u64, expected: u64, lines: u64 },
}

impl Rule {
    /// The rule's stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoRows => "no_rows",
            Self::Ragged { .. } => "ragged_row",
            Self::EmptyLine => "empty_line",
            Self::StrayQuote => "stray_quote",
            Self::TextAfterQuote => "text_after_quote",
            Self::OpenQuote => "open_quote",
            Self::Nul => "nul_byte",
            Self::NotUtf8 => "not_utf8",
            Self::OtherEncoding(_) => "other_encoding",
            Self::LineTooLong { .. } => "line_too_long",
            Self::TooManyColumns { .. } => "too_many_columns",
            Self::DuplicateColumn(_) => "duplicate_column",
            Self::BlankColumn(_) => "blank_column",
            Self::NameTooLong { .. } => "name_too_long",
            Self::NameCharacter(_) => "name_character",
            Self::OutOfRange(_) => "out_of_range",
            Self::Infinite(_) => "infinite",
            Self::NotATime(..) => "not_a_time",
            Self::BadPacking(..) => "bad_packing",
            Self::NotEncoded(_) => "not_encoded",
            Self::BadJson(_) => "bad_json",
            Self::JsonList => "json_list",
            Self::NestedValue => "nested_value",
            Self::MixedTypes { .. } => "mixed_types",
            Self::Inexact(_) => "inexact",
            Self::RepeatedKey => "repeated_key",
            Self::Ratio { .. } => "ratio",
            Self::TooLarge { .. } => "too_large",
            Self::Archive(_) => "archive",
            Self::Nested(_) => "nested_archive",
            Self::BadParquet(_) => "bad_parquet",
            Self::Type(_) => "column_type",
            Self::Unreadable(_) => "unreadable",
            Self::Unreconciled { .. } => "unreconciled",
        }
    }

    /// Of the whole file.
    pub(crate) fn anywhere(self) -> Problem {
        self.at(Place::default())
    }

    /// At a place.
    pub(crate) const fn at(self, place: Place) -> Problem {
        Problem { place, rule: self }
    }
}

impl Place {
    /// A data row, counted from 1.
    pub(crate) fn row(row: u64) -> Self {
        Self { row: Some(row), ..Self::default() }
    }

    pub(crate) fn on_line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    pub(crate) fn in_column(mut self, column: &str) -> Self {
        self.column = Some(column.to_owned());
        self
    }

    pub(crate) fn at_byte(mut self, byte: u64) -> Self {
        self.byte = Some(byte);
        self
    }
}

impl std::error::Error for Problem {}

impl From<Problem> for std::io::Error {
    fn from(problem: Problem) -> Self {
        Self::other(problem)
    }
}

impl From<std::io::Error> for Problem {
    /// What a reader along the way found, or else what the system says.
    fn from(error: std::io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(problem) => problem,
            Err(error) => Rule::Unreadable(error.to_string()).anywhere(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { row, line, column, byte } = &self.place;
        let parts = [
            row.map(|row| format!("row {row}")),
            line.map(|line| format!("line {line}")),
            column.as_ref().map(|column| format!("column {column:?}")),
            byte.map(|byte| format!("byte {byte}")),
        ];
        let place: Vec<String> = parts.into_iter().flatten().collect();
        if !place.is_empty() {
            write!(f, "{}: ", place.join(", "))?;
        }
        self.rule.fmt(f)
    }
}

/// A list of problems as the error of a file: the first ten, and how many more.
pub(crate) fn refuse(file: &str, mut problems: Vec<Problem>, more: u64) -> ReadError {
    let cut = problems.len().saturating_sub(MOST_PROBLEMS) as u64;
    problems.truncate(MOST_PROBLEMS);
    ReadError { file: file.to_owned(), problems, more: more + cut }
}

fn joined(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn and_more(more: u64) -> String {
    if more == 0 { String::new() } else { format!("; and {more} more") }
}
