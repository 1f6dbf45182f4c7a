//! What the lines hold: which columns, of which types, and what is wrong with them.

use millrace_domain::schema::ColumnType;

use super::cell::{Cell, Slots, entries};
use crate::read::error::{MOST_PROBLEMS, Place, Problem, Rule};
use crate::read::{Limits, time};

/// Whole numbers up to this size are doubles without loss.
const EXACT: u64 = 1 << 53;

/// What a text holds, or a piece of it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) slots: Slots,
    pub(super) columns: Vec<Column>,
    pub(super) rows: u64,
    pub(super) problems: Vec<Problem>,
}

/// What the cells of a column were so far.
#[derive(Debug)]
pub(super) struct Column {
    /// What the first cell was, and its row.
    began: Option<(Kind, u64)>,
    /// The first row that has the key, and the last; rows count from 1.
    first: u64,
    row: u64,
    fractions: bool,
    /// The first whole number that a double cannot hold, and its row.
    inexact: Option<(i64, u64)>,
    /// Whether all texts are times.
    times: bool,
    zoned: u64,
    local: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Boolean,
    Text,
}

impl Seen {
    /// What a piece holds, its rows counted from its beginning, up to as many mistakes as are told.
    pub(super) fn of(piece: &str, limits: &Limits) -> Self {
        let mut seen = Self::default();
        for line in piece.lines() {
            seen.rows += 1;
            if seen.problems.len() >= MOST_PROBLEMS {
                // Enough is told; only the rows are still counted.
                continue;
            }
            if line.len() > limits.line_bytes {
                seen.problems.push(Rule::LineTooLong { limit: limits.line_bytes }.at(place(seen.rows)));
            } else if line.trim_ascii().is_empty() {
                seen.problems.push(Rule::EmptyLine.at(place(seen.rows)));
            } else {
                seen.take(line, limits);
            }
        }
        seen
    }

    fn take(&mut self, line: &str, limits: &Limits) {
        let Self { slots, columns, rows, problems } = self;
        let row = *rows;
        // A line that is not JSON says nothing of its columns.
        let mut members = Vec::with_capacity(columns.len());
        if let Err(error) = entries(line, |name, cell| members.push((name, cell))) {
            let told = error.to_string();
            let reason = told.split(" at line").next().unwrap_or_default().to_owned();
            problems.push(Rule::BadJson(reason).at(place(row)));
            return;
        }
        let mut next = 0;
        for (name, cell) in members {
            let slot = match slots.find(&name, next) {
                Some(slot) => slot,
                None if columns.len() >= limits.columns => {
                    problems.push(Rule::TooManyColumns { limit: limits.columns }.at(place(row)));
                    return;
                }
                None => {
                    columns.push(Column { first: row, ..Column::default() });
                    slots.add(name.clone().into_owned())
                }
            };
            next = slot + 1;
            if let Err(rule) = columns[slot].see(row, &cell) {
                problems.push(rule.at(place(row).in_column(&name)));
            }
        }
    }

    /// Adds what comes after it.
    pub(super) fn add(&mut self, later: Self, limits: &Limits) {
        let before = self.rows;
        let mut problems = later.problems;
        for (name, column) in later.slots.names().iter().zip(later.columns) {
            let slot = match self.slots.find(name, usize::MAX) {
                Some(slot) => slot,
                None if self.columns.len() >= limits.columns => {
                    problems.push(Rule::TooManyColumns { limit: limits.columns }.at(place(column.first)));
                    continue;
                }
                None => {
                    self.columns.push(Column::default());
                    self.slots.add(name.clone())
                }
            };
            if let Some((kind, row)) = self.columns[slot].turned(&column) {
                // What was held against the beginning of the piece is not what is wrong with it.
                problems.retain(|problem| {
                    problem.place.column.as_ref() != Some(name) || !matches!(problem.rule, Rule::MixedTypes { .. })
                });
                let expected = self.columns[slot].began.map_or("", |(kind, _)| kind.as_str());
                let rule = Rule::MixedTypes { expected, got: kind.as_one() };
                problems.push(rule.at(place(row).in_column(name)));
            }
            self.columns[slot].add(column, before);
        }
        problems.sort_by_key(|problem| problem.place.row);
        for problem in &mut problems {
            problem.place.row = problem.place.row.map(|row| row + before);
            problem.place.line = problem.place.line.map(|line| line + before);
        }
        self.problems.append(&mut problems);
        self.rows += later.rows;
    }

    /// What can be told only of all rows.
    pub(super) fn check(&mut self) {
        for (name, column) in self.slots.names().iter().zip(&self.columns) {
            if let (true, Some((whole, row))) = (column.fractions, column.inexact) {
                self.problems.push(Rule::Inexact(whole.to_string()).at(place(row).in_column(name)));
            }
        }
    }
}

impl Default for Column {
    fn default() -> Self {
        Self { began: None, first: 0, row: 0, fractions: false, inexact: None, times: true, zoned: 0, local: 0 }
    }
}

impl Column {
    fn see(&mut self, row: u64, cell: &Cell<'_>) -> Result<(), Rule> {
        if self.row == row {
            return Err(Rule::RepeatedKey);
        }
        self.row = row;
        let kind = match cell {
            Cell::Null => return Ok(()),
            Cell::Nested => return Err(Rule::NestedValue),
            Cell::Beyond(number) => return Err(Rule::Inexact(number.to_string())),
            Cell::Integer(_) | Cell::Number(_) => Kind::Number,
            Cell::Boolean(_) => Kind::Boolean,
            Cell::Text(_) => Kind::Text,
        };
        let (began, _) = *self.began.get_or_insert((kind, row));
        if began != kind {
            return Err(Rule::MixedTypes { expected: began.as_str(), got: kind.as_one() });
        }
        match cell {
            Cell::Number(_) => self.fractions = true,
            Cell::Integer(whole) if whole.unsigned_abs() > EXACT => {
                self.inexact.get_or_insert((*whole, row));
            }
            Cell::Text(text) if self.times => match time::parse_iso(text) {
                Some(moment) if moment.zoned => self.zoned += 1,
                Some(_) => self.local += 1,
                None => self.times = false,
            },
            _ => {}
        }
        Ok(())
    }

    /// How a later part of it begins, and in which of its rows, when it holds something else.
    fn turned(&self, later: &Self) -> Option<(Kind, u64)> {
        let (began, _) = self.began?;
        later.began.filter(|(kind, _)| *kind != began)
    }

    fn add(&mut self, later: Self, rows: u64) {
        self.began = self.began.or(later.began.map(|(kind, row)| (kind, row + rows)));
        self.fractions |= later.fractions;
        self.inexact = self.inexact.or(later.inexact.map(|(whole, row)| (whole, row + rows)));
        self.times &= later.times;
        self.zoned += later.zoned;
        self.local += later.local;
    }

    /// The type of the column; a text where every cell is missing.
    pub(super) fn column_type(&self) -> ColumnType {
        match self.began {
            Some((Kind::Number, _)) if self.fractions => ColumnType::Number,
            Some((Kind::Number, _)) => ColumnType::Integer,
            Some((Kind::Boolean, _)) => ColumnType::Boolean,
            Some((Kind::Text, _)) if self.times => ColumnType::Time,
            Some((Kind::Text, _)) | None => ColumnType::Text,
        }
    }

    /// What is to be said of how it was read: only some of its times name a zone.
    pub(super) fn note(&self) -> Option<String> {
        let is_mixed = self.column_type() == ColumnType::Time && self.zoned > 0 && self.local > 0;
        let Self { zoned, local, .. } = self;
        is_mixed.then(|| format!("{local} of {} times name no zone; those are read as UTC", zoned + local))
    }
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Number => "numbers",
            Self::Boolean => "true and false",
            Self::Text => "texts",
        }
    }

    const fn as_one(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Text => "a text",
        }
    }
}

fn place(row: u64) -> Place {
    Place::row(row).on_line(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pieces: &[&str]) -> Vec<String> {
        let limits = Limits::default();
        let mut seen = Seen::default();
        for piece in pieces {
            seen.add(Seen::of(piece, &limits), &limits);
        }
        seen.check();
        seen.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn mistakes_are_those_of_the_whole_text_wherever_it_is_cut() {
        let lines = ["{\"a\":1,\"b\":true}\n", "{\"b\":\"x\",\"c\":9007199254740993}\n", "{\"a\":{},\"c\":0.5}\n"];
        let whole = told(&[&lines.concat()]);
        assert_eq!(whole.len(), 3, "{whole:?}");
        assert_eq!(told(&lines), whole);
    }

    #[test]
    fn rows_are_counted_on_where_enough_is_told() {
        let later = format!("{}{{\"a\":[]}}\n", "{\"a\":\"x\"}\n{\"a\":2}\n".repeat(20));
        let told = told(&["{\"a\":1}\n", &later, "{\"a\":true}\n"]);
        assert!(told.iter().any(|told| told.starts_with("row 43, line 43, column \"a\": true or false")), "{told:?}");
    }

    #[test]
    fn a_line_that_is_not_json_says_nothing_of_its_columns() {
        let told = told(&["{\"a\":\"1\",}\n{\"a\":2}\n"]);
        assert_eq!(told.len(), 1, "{told:?}");
    }
}
