//! What the cells of a column are, all taken together, and the type that follows from it.
//!
//! The type of a column is a function of *all* its cells, never of a sample: the narrowest type that loses nothing of any
//! cell. Cells without a value (empty, blank, `NA` and the like) fit every type. What kept a column from being numbers, or
//! was read as missing, is said in *notes*, which travel with the profile and become warnings of validation.

use millrace_domain::schema::ColumnType;

use super::super::error::{Place, Problem, Rule};
use super::cell::{KINDS, Reading};

/// So many examples are kept of each kind of cell.
const EXAMPLES: usize = 3;
/// Longer cells are cut in messages.
const LONGEST_EXAMPLE: usize = 40;

const NUMBERS: [usize; 3] = [Reading::Integer(0).kind(), Reading::Decimal(0.0).kind(), Reading::BigInteger(0.0).kind()];
const TIMES: [usize; 2] = [Reading::LocalTime(0).kind(), Reading::ZonedTime(0).kind()];
const BOOLEAN: usize = Reading::Boolean(true).kind();
/// Kinds that have no value: they fit every type.
const ABSENT: [usize; 4] =
    [Reading::Missing.kind(), Reading::EmptyText.kind(), Reading::Blank.kind(), Reading::Mark.kind()];
/// Doubles hold every whole number up to here.
const EXACT: u64 = 1 << 53;

/// How many cells of each kind a column has, with the first few of each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    counts: [u64; KINDS],
    examples: Vec<Example>,
    /// Whole numbers that doubles cannot hold exactly.
    beyond_doubles: u64,
}

#[derive(Debug, Clone)]
struct Example {
    kind: usize,
    row: u64,
    text: String,
}

impl Evidence {
    /// Takes the cell of data row `row` (from 1) into account.
    #[inline]
    pub(crate) fn see(&mut self, reading: Reading, text: &str, row: u64) {
        let kind = reading.kind();
        self.counts[kind] += 1;
        if let Reading::Integer(integer) = reading
            && integer.unsigned_abs() > EXACT
        {
            self.beyond_doubles += 1;
        }
        if self.counts[kind] <= EXAMPLES as u64 {
            self.remember(kind, text, row);
        }
    }

    #[cold]
    fn remember(&mut self, kind: usize, text: &str, row: u64) {
        let text = text.chars().take(LONGEST_EXAMPLE).collect();
        self.examples.push(Example { kind, row, text });
    }

    /// Adds what was seen in later rows; `rows_before` is how many came before those.
    pub(crate) fn add(&mut self, later: Self, rows_before: u64) {
        self.beyond_doubles += later.beyond_doubles;
        for (kind, count) in later.counts.into_iter().enumerate() {
            let wanted = EXAMPLES.saturating_sub(self.counts[kind] as usize);
            let found = later.examples.iter().filter(|example| example.kind == kind).take(wanted);
            self.examples.extend(found.cloned().map(|example| Example { row: example.row + rows_before, ..example }));
            self.counts[kind] += count;
        }
    }

    fn count(&self, kinds: &[usize]) -> u64 {
        kinds.iter().map(|kind| self.counts[*kind]).sum()
    }

    fn kind(&self, reading: Reading) -> u64 {
        self.counts[reading.kind()]
    }

    /// Cells with a value.
    fn present(&self) -> u64 {
        self.cells() - self.count(&ABSENT)
    }

    /// All cells.
    pub(crate) fn cells(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Whether no cell has even a text: the column is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.cells() == self.kind(Reading::Missing)
    }

    /// The narrowest type that loses nothing.
    ///
    /// # Errors
    /// Where all cells are numbers but some are infinite or beyond the range of doubles: those, with their rows.
    pub(crate) fn column_type(&self, name: &str) -> Result<ColumnType, Vec<Problem>> {
        let present = self.present();
        let numbers = self.count(&NUMBERS);
        let unusable = self.kind(Reading::OutOfRange) + self.kind(Reading::Infinite);
        if present == 0 {
            return Ok(ColumnType::Text);
        }
        if numbers > 0 && unusable > 0 && numbers + unusable == present {
            return Err(self.unusable(name));
        }
        Ok(if numbers == present {
            match (self.kind(Reading::Decimal(0.0)), self.kind(Reading::BigInteger(0.0))) {
                (0, 0) => ColumnType::Integer,
                (0, _) => ColumnType::Text,
                _ => ColumnType::Number,
            }
        } else if self.counts[BOOLEAN] == present {
            ColumnType::Boolean
        } else if self.count(&TIMES) == present {
            ColumnType::Time
        } else {
            ColumnType::Text
        })
    }

    fn unusable(&self, name: &str) -> Vec<Problem> {
        let mut found: Vec<&Example> = self
            .examples
            .iter()
            .filter(|example| example.kind == Reading::OutOfRange.kind() || example.kind == Reading::Infinite.kind())
            .collect();
        found.sort_by_key(|example| example.row);
        let problem = |example: &&Example| {
            let infinite = example.kind == Reading::Infinite.kind();
            let rule = if infinite { Rule::Infinite } else { Rule::OutOfRange };
            rule(example.text.clone()).at(Place::row(example.row).in_column(name))
        };
        found.iter().map(problem).collect()
    }

    /// What a reader of the column should know, given the type it got.
    pub(crate) fn notes(&self, column_type: ColumnType) -> Vec<String> {
        let mut notes = Vec::new();
        if column_type != ColumnType::Text {
            self.note_absent(&mut notes);
        }
        match column_type {
            ColumnType::Integer if self.beyond_doubles > 0 => notes.push(format!(
                "{} whole numbers are beyond ±2^53: they are stored exactly, but expressions see the nearest double",
                self.beyond_doubles
            )),
            ColumnType::Number if self.beyond_doubles + self.kind(Reading::BigInteger(0.0)) > 0 => {
                notes.push(format!(
                    "{} whole numbers beyond ±2^53 stand among decimals and are read as the nearest double",
                    self.beyond_doubles + self.kind(Reading::BigInteger(0.0))
                ));
            }
            ColumnType::Time if self.count(&TIMES) > self.counts[TIMES[0]] && self.counts[TIMES[0]] > 0 => {
                notes.push(format!(
                    "{} of {} times name no zone (first: row {}); those are read as UTC",
                    self.counts[TIMES[0]],
                    self.count(&TIMES),
                    self.first_row(&TIMES[..1]),
                ));
            }
            ColumnType::Text => self.note_almost(&mut notes),
            _ => {}
        }
        notes
    }

    /// Blanks and marks in a column that is no text.
    fn note_absent(&self, notes: &mut Vec<String>) {
        let blank = [Reading::Blank.kind()];
        if self.count(&blank) > 0 {
            let rows = self.count(&blank);
            notes.push(format!("blank text in {rows} rows (first: row {}) read as missing", self.first_row(&blank)));
        }
        let mark = [Reading::Mark.kind()];
        if let Some(example) = self.first(&mark) {
            let rows = self.count(&mark);
            notes.push(format!("{:?} in {rows} rows (first: row {}) read as missing", example.text, example.row));
        }
    }

    /// Why a column that nearly is of another type is text.
    fn note_almost(&self, notes: &mut Vec<String>) {
        let present = self.present();
        let numbers = self.count(&NUMBERS);
        let whole = |kind: Reading| self.kind(kind) > 0 && numbers + self.kind(kind) == present;
        let named = |kind: Reading| self.examples_of(&[kind.kind()]);
        if whole(Reading::LeadingZero) {
            notes.push(format!(
                "numbers with leading zeros, for example {}, are identifiers: the column is read as text",
                named(Reading::LeadingZero)
            ));
        } else if whole(Reading::PlusSign) {
            notes.push(format!("numbers with a plus sign, for example {}, are read as text", named(Reading::PlusSign)));
        } else if whole(Reading::Grouped) {
            notes.push(format!(
                "numbers with grouping or decimal commas, for example {}, can be read in two ways: the column is read \
                 as text",
                named(Reading::Grouped)
            ));
        } else if present > 0 && numbers == present {
            notes.push(format!(
                "whole numbers beyond 64 bits, for example {}: the column is read as text",
                named(Reading::BigInteger(0.0))
            ));
        } else if present > 0 && self.kind(Reading::OtherDate) == present {
            notes.push(format!(
                "dates that are not ISO 8601, for example {}, can be read in two ways: the column is read as text",
                named(Reading::OtherDate)
            ));
        } else {
            self.note_outliers("numbers", &NUMBERS, notes);
            self.note_outliers("ISO 8601 times", &TIMES, notes);
            self.note_outliers("true or false", &[BOOLEAN], notes);
        }
    }

    /// Where at least half of the cells are of a type, the others are named: they keep the column text.
    fn note_outliers(&self, what: &str, kinds: &[usize], notes: &mut Vec<String>) {
        let (present, fitting) = (self.present(), self.count(kinds));
        if fitting == 0 || fitting == present || fitting * 2 < present {
            return;
        }
        let others: Vec<usize> = (0..KINDS).filter(|kind| !kinds.contains(kind) && !ABSENT.contains(kind)).collect();
        notes.push(format!(
            "{} of {present} cells are not {what}, for example {}; the column is read as text",
            present - fitting,
            self.examples_of(&others),
        ));
    }

    fn first(&self, kinds: &[usize]) -> Option<&Example> {
        self.examples.iter().filter(|example| kinds.contains(&example.kind)).min_by_key(|example| example.row)
    }

    fn first_row(&self, kinds: &[usize]) -> u64 {
        self.first(kinds).map_or(0, |example| example.row)
    }

    fn examples_of(&self, kinds: &[usize]) -> String {
        let mut found: Vec<&Example> = self.examples.iter().filter(|example| kinds.contains(&example.kind)).collect();
        found.sort_by_key(|example| example.row);
        let named = found.iter().take(EXAMPLES).map(|example| format!("{:?} (row {})", example.text, example.row));
        named.collect::<Vec<_>>().join(", ")
    }
}
