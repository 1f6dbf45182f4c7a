//! What rows are about, as small numbers.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::FixedState;
use millrace_domain::schema::ColumnType;
use rayon::prelude::*;
use serde_json::Value as Json;

use crate::dataset::Cells;
use crate::order::key_of;

/// One cell of a key. Whole numbers are equal whatever the type of their column, and exact beyond 2^53.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Part<'a> {
    Whole(i64),
    Fraction(i64),
    Text(Cow<'a, str>),
    Truth(bool),
}

impl<'a> Part<'a> {
    /// The cell of a row; none when it is missing.
    pub fn of_cell(cells: &'a Cells, row: usize) -> Option<Self> {
        if cells.is_missing(row) {
            return None;
        }
        Some(match cells {
            Cells::Integer(cells) | Cells::Time(cells) => Self::Whole(cells.values()[row]),
            Cells::Number(cells) => Self::of_number(cells.values()[row]),
            Cells::Boolean(cells) => Self::Truth(cells.values().get_bit(row)),
            Cells::Text(cells) => Self::Text(Cow::Borrowed(cells.value(row))),
        })
    }

    /// The member of a caller's object, of a column of that type; none when it is null. Times are read elsewhere.
    pub fn of_json(column_type: ColumnType, json: &'a Json) -> Option<Self> {
        match (column_type, json) {
            (ColumnType::Text, Json::String(text)) => Some(Self::Text(Cow::Borrowed(text))),
            (ColumnType::Boolean, Json::Bool(truth)) => Some(Self::Truth(*truth)),
            (ColumnType::Integer | ColumnType::Number, Json::Number(number)) => match number.as_i64() {
                Some(whole) => Some(Self::Whole(whole)),
                None => number.as_f64().map(Self::of_number),
            },
            _ => None,
        }
    }

    fn of_number(number: f64) -> Self {
        const LARGEST: f64 = 9.2e18;
        if number.fract() == 0.0 && number.abs() < LARGEST {
            Self::Whole(number as i64)
        } else {
            Self::Fraction(key_of(number))
        }
    }
}

/// Stands for a row without a key.
pub(crate) const NO_KEY: u32 = u32::MAX;

/// The keys that were met, numbered.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    near: Near,
    wholes: HashMap<i64, u32, FixedState>,
    texts: HashMap<Box<str>, u32, FixedState>,
    others: HashMap<Part<'static>, u32, FixedState>,
    pairs: HashMap<(u32, u32), u32, FixedState>,
    met: u32,
}

impl Keys {
    /// Numbers are below this; some may be of no key.
    pub const fn len(&self) -> usize {
        self.met as usize
    }

    /// The number of a key; none when a part is missing or it was never met.
    pub fn find<'p>(&self, parts: impl Iterator<Item = Option<Part<'p>>>) -> Option<u32> {
        let mut key = None;
        for part in parts {
            let part = match part? {
                Part::Whole(whole) => self.near.find(whole).or_else(|| self.wholes.get(&whole).copied()),
                Part::Text(text) => self.texts.get(text.as_ref()).copied(),
                other => self.others.get(&other.owned()).copied(),
            };
            let part = part?;
            key = Some(match key {
                None => part,
                Some(key) => *self.pairs.get(&(key, part))?,
            });
        }
        key
    }

    /// The number of a key, a new one when it is met for the first time; none when a part is missing.
    pub fn enter<'p>(&mut self, parts: impl Iterator<Item = Option<Part<'p>>>) -> Option<u32> {
        let mut key = None;
        for part in parts {
            let part = self.part(part?);
            key = Some(match key {
                None => part,
                Some(key) => numbered(&mut self.pairs, (key, part), &mut self.met),
            });
        }
        key
    }

    /// The numbers of the keys of all rows; [`NO_KEY`] where a part is missing.
    pub fn enter_all(&mut self, key: &[&Cells], rows: usize) -> Vec<u32> {
        if let [Cells::Integer(cells)] = key
            && cells.validity().is_none()
        {
            if let Some(near) = Near::over(cells.values()).filter(|_| self.met == 0) {
                self.met = near.width;
                self.near = near;
                let number = |whole: &i64| self.near.find(*whole).unwrap_or(NO_KEY);
                return cells.values().par_iter().map(number).collect();
            }
            let (wholes, met) = (&mut self.wholes, &mut self.met);
            return cells.values().iter().map(|whole| numbered(wholes, *whole, met)).collect();
        }
        let parts = |row: usize| key.iter().map(move |cells| Part::of_cell(cells, row));
        (0..rows).map(|row| self.enter(parts(row)).unwrap_or(NO_KEY)).collect()
    }

    fn part(&mut self, part: Part<'_>) -> u32 {
        match part {
            Part::Whole(whole) => match self.near.find(whole) {
                Some(number) => number,
                None => numbered(&mut self.wholes, whole, &mut self.met),
            },
            Part::Text(text) => match self.texts.get(text.as_ref()) {
                Some(number) => *number,
                None => numbered(&mut self.texts, text.into(), &mut self.met),
            },
            other => numbered(&mut self.others, other.owned(), &mut self.met),
        }
    }
}

/// Whole numbers that lie close together, as identifiers do: the number of each is its distance from the least, which costs less
/// than hashing.
#[derive(Debug, Default)]
struct Near {
    least: i64,
    /// Distances are below this.
    width: u32,
}

impl Near {
    /// All of `values`; none where they lie far apart.
    fn over(values: &[i64]) -> Option<Self> {
        const SLACK: u64 = 4;
        let (least, greatest) = (*values.par_iter().min()?, *values.par_iter().max()?);
        let distance = greatest.abs_diff(least);
        let width = u32::try_from(distance).ok()?.checked_add(1)?;
        (distance < SLACK * values.len() as u64).then_some(Self { least, width })
    }

    fn find(&self, whole: i64) -> Option<u32> {
        let distance = u32::try_from(whole.checked_sub(self.least)?).ok()?;
        (distance < self.width).then_some(distance)
    }
}

impl Part<'_> {
    fn owned(self) -> Part<'static> {
        match self {
            Self::Whole(whole) => Part::Whole(whole),
            Self::Fraction(key) => Part::Fraction(key),
            Self::Truth(truth) => Part::Truth(truth),
            Self::Text(text) => Part::Text(Cow::Owned(text.into_owned())),
        }
    }
}

fn numbered<K: std::hash::Hash + Eq>(map: &mut HashMap<K, u32, FixedState>, key: K, met: &mut u32) -> u32 {
    *map.entry(key).or_insert_with(|| {
        let number = *met;
        *met += 1;
        number
    })
}
