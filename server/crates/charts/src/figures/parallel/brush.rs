//! Lines that are picked out by their values on some axes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::drawing::{Layout, legend};
use super::scale::MISSING;
use super::{Coordinate, ParallelCoordinates, Picture, Ranked, picture};
use crate::number::number;

/// How far beside an axis it can be taken hold of, in units of the picture.
const REACH: f64 = 24.0;

/// What is shorter is no stretch of an axis but a click on it.
const CLICK: f64 = 5.0;

/// Only lines within it are picked out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Brush {
    /// Name of the axis, or of the objective.
    pub axis: String,
    pub range: BrushRange,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum BrushRange {
    /// Numbers from the one to the other, both included.
    Between(f64, f64),
    /// One of these words; a missing value is called `None`.
    AnyOf(Vec<String>),
}

impl BrushRange {
    fn has(&self, coordinate: Option<&Coordinate>, words: &str) -> bool {
        match (self, coordinate) {
            (Self::Between(low, high), Some(Coordinate::Number(value))) => low <= value && value <= high,
            (Self::Between(..), _) => false,
            (Self::AnyOf(any), _) => any.iter().any(|one| one == words),
        }
    }
}

impl fmt::Display for BrushRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Between(low, high) => write!(f, "{} to {}", number(*low), number(*high)),
            Self::AnyOf(words) => f.write_str(&words.join(" or ")),
        }
    }
}

impl Brush {
    /// As an address carries it: `alpha~0.01..0.1`, `kind~a|b`.
    pub fn to_text(&self) -> String {
        match &self.range {
            BrushRange::Between(low, high) => format!("{}~{low}..{high}", self.axis),
            BrushRange::AnyOf(words) => format!("{}~{}", self.axis, words.join("|")),
        }
    }
}

impl FromStr for Brush {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (axis, range) =
            text.rsplit_once('~').filter(|(axis, range)| !axis.is_empty() && !range.is_empty()).ok_or(())?;
        let ends = range.split_once("..").and_then(|(low, high)| Some((finite(low)?, finite(high)?)));
        let range = match ends {
            Some((low, high)) => BrushRange::Between(low.min(high), low.max(high)),
            None => BrushRange::AnyOf(range.split('|').map(str::to_owned).collect()),
        };
        Ok(Self { axis: axis.to_owned(), range })
    }
}

fn finite(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

impl ParallelCoordinates {
    /// Whether a line lies within all brushes; one of an axis that is not there holds nothing back.
    pub(super) fn is_picked(&self, line: &Ranked<'_>) -> bool {
        self.brushes.iter().all(|brush| {
            if brush.axis == self.objective_name() {
                return brush.range.has(Some(&Coordinate::Number(line.objective)), "");
            }
            let axis = self.axes.iter().position(|axis| axis.name == brush.axis);
            axis.is_none_or(|axis| brush.range.has(line.of.at(axis), &line.of.words_at(axis)))
        })
    }
}

/// What a pointer that was pressed at one place of the picture and let go at another picks out, in units of the picture: the axis, and the
/// stretch of it; a click lets the axis go. None where no axis is near.
pub fn brushed(values: &ParallelCoordinates, from: (f64, f64), to: (f64, f64)) -> Option<(String, Option<BrushRange>)> {
    let (picture, _) = picture(values)?;
    let layout = Layout::of(&picture);
    let (place, scale) = picture
        .scales()
        .enumerate()
        .min_by(|a, b| (layout.x(a.0) - from.0).abs().total_cmp(&(layout.x(b.0) - from.0).abs()))
        .filter(|(place, _)| (layout.x(*place) - from.0).abs() <= REACH)?;
    debug_assert!(place < layout.axes);
    let axis = scale.name.to_owned();
    let above = legend(&picture).height();
    let (head, foot) = (layout.y(1.0) - REACH, layout.missing_y() + REACH);
    if !(head..=foot).contains(&(from.1 - above)) {
        return None;
    }
    let (top, foot) = (from.1.min(to.1) - above, from.1.max(to.1) - above);
    if foot - top < CLICK {
        return Some((axis, None));
    }
    let (low, high) = (layout.height_at(foot), layout.height_at(top));
    let has_missing = scale.has_missing && (top..=foot).contains(&layout.missing_y());
    let range = match high {
        // Below the axis there is only what has no value.
        ..0.0 => has_missing.then(|| BrushRange::AnyOf(vec![MISSING.to_owned()]))?,
        _ => scale.range(low, high, has_missing).filter(|_| low <= 1.0)?,
    };
    Some((axis, Some(range)))
}

/// The words of what is picked out, and how many lines are; empty where nothing is asked for.
pub(super) fn in_words(values: &ParallelCoordinates, picture: &Picture<'_>) -> String {
    if values.brushes.is_empty() {
        return String::new();
    }
    let (picked, all) = picture.picked;
    let asked: Vec<_> = values.brushes.iter().map(|brush| format!("{} {}", brush.axis, brush.range)).collect();
    format!("{picked} of {all} lines lie within {}. ", asked.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::super::{ParallelAxis, ParallelLine, parallel_coordinates};
    use super::*;

    fn values(brushes: &[&str]) -> ParallelCoordinates {
        let line = |alpha: f64, kind: &str, objective: f64| ParallelLine {
            label: format!("trial {alpha}"),
            values: vec![Some(Coordinate::Number(alpha)), Some(Coordinate::Word(kind.to_owned()))],
            objective: Some(objective),
        };
        ParallelCoordinates {
            objective: "score".to_owned(),
            axes: ["alpha", "kind"].map(|name| ParallelAxis { name: name.to_owned(), is_log: false }).to_vec(),
            lines: vec![line(1.0, "a", 0.9), line(2.0, "b", 0.8), line(3.0, "a", 0.7)],
            brushes: brushes.iter().map(|text| text.parse().unwrap()).collect(),
            ..ParallelCoordinates::default()
        }
    }

    #[test]
    fn an_address_carries_what_is_picked_out() {
        for text in ["alpha~0.01..0.1", "kind~a|b", "forest: depth~3..8", "a~b~-2..1e-7"] {
            let brush: Brush = text.parse().unwrap();
            assert_eq!(brush.to_text().parse::<Brush>().unwrap(), brush, "{text}");
        }
        assert_eq!("alpha~9..1".parse::<Brush>().unwrap().range, BrushRange::Between(1.0, 9.0));
        assert_eq!("alpha".parse::<Brush>(), Err(()));
    }

    #[test]
    fn only_lines_within_all_brushes_are_told_of() {
        let figure = parallel_coordinates(&values(&["kind~a", "alpha~2..9"]), "p");
        assert!(
            figure.caption.starts_with("1 of 3 lines lie within kind a and alpha 2 to 9. Best score 0.7"),
            "{}",
            figure.caption
        );
        assert_eq!(figure.table.len(), 1);
        let objective = parallel_coordinates(&values(&["score~0.75..1"]), "p");
        assert_eq!(objective.table.len(), 2);
    }

    #[test]
    fn where_no_line_lies_within_all_are_faded_and_it_says_so() {
        let figure = parallel_coordinates(&values(&["alpha~7..9"]), "p");
        assert_eq!(figure.caption, "0 of 3 lines lie within alpha 7 to 9. 3 lines.");
        assert!(figure.table.is_empty() && figure.svg.contains("<polyline"));
    }

    #[test]
    fn a_stretch_of_an_axis_is_picked_out_and_a_click_lets_it_go() {
        let values = values(&[]);
        let (picture, _) = picture(&values).unwrap();
        let (layout, above) = (Layout::of(&picture), legend(&picture).height());
        let at = |axis: usize, height: f64| (layout.x(axis) + 3.0, layout.y(height) + above);
        let upper_half = brushed(&values, at(0, 0.5), at(0, 1.2));
        assert_eq!(upper_half, Some(("alpha".to_owned(), Some(BrushRange::Between(2.0, 3.0)))));
        let word = brushed(&values, at(1, 1.0), at(1, 0.6));
        assert_eq!(word, Some(("kind".to_owned(), Some(BrushRange::AnyOf(vec!["a".to_owned()])))));
        assert_eq!(brushed(&values, at(2, 0.5), at(2, 0.5)), Some(("score".to_owned(), None)));
        assert_eq!(brushed(&values, (layout.x(0) + 60.0, 100.0), (0.0, 0.0)), None);
    }
}
