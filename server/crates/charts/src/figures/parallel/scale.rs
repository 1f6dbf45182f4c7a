//! Where a value stands on a vertical axis.

use std::collections::BTreeMap;

use super::{BrushRange, Coordinate, ParallelAxis};
use crate::figures::tuning::Direction;
use crate::number::{counted, number};
use crate::sheet::LAYOUT_TEXT_SIZE;
use crate::text;

/// Levels drawn on an axis of words; the rarer ones share a place.
const DRAWN_LEVELS: usize = 8;

/// What the place of lines without a value is called.
pub(super) const MISSING: &str = "None";

/// An axis that is drawn.
pub(super) struct Scale<'a> {
    pub name: &'a str,
    /// Position among the axes of the figure.
    pub axis: usize,
    pub has_missing: bool,
    kind: Kind,
}

enum Kind {
    Numbers { foot: f64, head: f64, is_log: bool },
    Levels { drawn: Vec<String>, others: usize },
}

impl<'a> Scale<'a> {
    /// Any word makes it an axis of levels, numbers among them included.
    pub fn of<'v>(of: &'a ParallelAxis, axis: usize, values: impl Iterator<Item = Option<&'v Coordinate>>) -> Self {
        let values: Vec<_> = values.collect();
        let present: Vec<&Coordinate> = values.iter().copied().flatten().collect();
        let numbers: Vec<f64> = present.iter().filter_map(|coordinate| coordinate.number()).collect();
        let kind = if numbers.len() == present.len() {
            let (foot, head) = ends(numbers.into_iter());
            Kind::Numbers { foot, head, is_log: of.is_log && foot > 0.0 }
        } else {
            levels(&present)
        };
        Self { name: &of.name, axis, has_missing: present.len() < values.len(), kind }
    }

    /// The better end is the head.
    pub fn objective(name: &'a str, direction: Direction, is_log: bool, values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = ends(values);
        let (foot, head) = match direction {
            Direction::Maximise => (low, high),
            Direction::Minimise => (high, low),
        };
        Self {
            name,
            axis: usize::MAX,
            has_missing: false,
            kind: Kind::Numbers { foot, head, is_log: is_log && low > 0.0 },
        }
    }

    pub fn has_levels(&self) -> bool {
        matches!(self.kind, Kind::Levels { .. })
    }

    /// Height of a value from 0 at the foot to 1 at the head; nothing for a missing value.
    pub fn height(&self, value: Option<&Coordinate>) -> Option<f64> {
        match (&self.kind, value?) {
            (Kind::Numbers { .. }, Coordinate::Number(value)) => Some(self.height_of_number(*value)),
            (Kind::Numbers { .. }, Coordinate::Word(_)) => None,
            (Kind::Levels { drawn, .. }, value) => {
                let level = value.words();
                Some(self.level_height(drawn.iter().position(|word| *word == level).unwrap_or(drawn.len())))
            }
        }
    }

    pub fn height_of_number(&self, value: f64) -> f64 {
        let Kind::Numbers { foot, head, is_log } = &self.kind else {
            return 0.5;
        };
        let place = |v: f64| if *is_log { v.ln() } else { v };
        let share = (place(value) - place(*foot)) / (place(*head) - place(*foot));
        // A single number stands in the middle of its axis.
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.5 }
    }

    /// The values from one height to another that is above it.
    pub fn range(&self, low: f64, high: f64, has_missing: bool) -> Option<BrushRange> {
        match &self.kind {
            Kind::Numbers { .. } => {
                let (one, other) = (self.number_at(low)?, self.number_at(high)?);
                Some(BrushRange::Between(one.min(other), one.max(other)))
            }
            Kind::Levels { drawn, .. } => {
                let heights = drawn.iter().enumerate().map(|(level, word)| (self.level_height(level), word));
                let within = heights.filter(|(height, _)| (low..=high).contains(height)).map(|(_, word)| word.clone());
                let words: Vec<String> = within.chain(has_missing.then(|| MISSING.to_owned())).collect();
                (!words.is_empty()).then_some(BrushRange::AnyOf(words))
            }
        }
    }

    /// The number at a height, with four digits.
    fn number_at(&self, height: f64) -> Option<f64> {
        let Kind::Numbers { foot, head, is_log } = &self.kind else { return None };
        let value = match height {
            // Its own ends are not rounded: what stands there belongs to it.
            ..=0.0 => return Some(*foot).filter(|end| end.is_finite()),
            1.0.. => return Some(*head).filter(|end| end.is_finite()),
            _ if *is_log => (foot.ln() + height * (head.ln() - foot.ln())).exp(),
            _ => foot + height * (head - foot),
        };
        format!("{value:.3e}").parse().ok().filter(|value: &f64| value.is_finite())
    }

    /// From where to where a brush covers the axis, from the foot; one stretch for each word.
    pub fn covered(&self, range: &BrushRange) -> Vec<(f64, f64)> {
        match (&self.kind, range) {
            (Kind::Numbers { .. }, BrushRange::Between(low, high)) => {
                let (one, other) = (self.height_of_number(*low), self.height_of_number(*high));
                vec![(one.min(other), one.max(other))]
            }
            (Kind::Levels { drawn, others }, BrushRange::AnyOf(words)) => {
                let half = 0.5 / (drawn.len() + usize::from(*others > 0)) as f64;
                let places = drawn.iter().enumerate().filter(|(_, word)| words.contains(word));
                places.map(|(level, _)| self.level_height(level)).map(|at| (at - half, at + half)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The words along the axis, each at its height; numbers are written shorter where they would not fit.
    pub fn marks(&self, room: f64) -> Vec<(f64, String)> {
        match &self.kind {
            // An axis that nobody has a value on.
            Kind::Numbers { foot, head, .. } if foot.is_infinite() || head.is_infinite() => Vec::new(),
            Kind::Numbers { foot, head, .. } if self.height_of_number(*foot) == self.height_of_number(*head) => {
                vec![(0.5, short(*foot, room))]
            }
            Kind::Numbers { foot, head, .. } => vec![(0.0, short(*foot, room)), (1.0, short(*head, room))],
            Kind::Levels { drawn, others } => {
                let rest = (*others > 0).then(|| counted(*others, "other", "others"));
                let words = drawn.iter().cloned().chain(rest);
                words.enumerate().map(|(i, word)| (self.level_height(i), word)).collect()
            }
        }
    }

    fn level_height(&self, level: usize) -> f64 {
        match &self.kind {
            Kind::Numbers { .. } => 0.5,
            Kind::Levels { drawn, others } => {
                let places = drawn.len() + usize::from(*others > 0);
                1.0 - (level as f64 + 0.5) / places as f64
            }
        }
    }
}

impl Coordinate {
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Coordinate::Number(value) => Some(*value),
            Coordinate::Word(_) => None,
        }
    }
}

/// The number, with two digits and a power of ten if it is too long: a number that is cut would be another number.
fn short(value: f64, room: f64) -> String {
    let words = number(value);
    if text::width(&words, LAYOUT_TEXT_SIZE) <= room { words } else { format!("{value:.1e}").replace('-', "−") }
}

fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}

/// Levels in order, numbers by size and before words. Of too many the most frequent keep a place of their own.
fn levels(present: &[&Coordinate]) -> Kind {
    let mut found: BTreeMap<String, (Option<f64>, usize)> = BTreeMap::new();
    for coordinate in present {
        found.entry(coordinate.words()).or_insert((coordinate.number(), 0)).1 += 1;
    }
    let mut levels: Vec<_> = found.into_iter().map(|(word, (number, count))| (word, number, count)).collect();
    let others = if levels.len() > DRAWN_LEVELS { levels.len() + 1 - DRAWN_LEVELS } else { 0 };
    levels.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
    levels.truncate(levels.len() - others);
    let size = |number: &Option<f64>| number.unwrap_or(f64::INFINITY);
    levels.sort_by(|a, b| size(&a.1).total_cmp(&size(&b.1)).then_with(|| a.0.cmp(&b.0)));
    Kind::Levels { drawn: levels.into_iter().map(|(word, ..)| word).collect(), others }
}
