//! A slice through a search: what came out at each value of one setting, whatever the others were.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::figure::{Draft, Figure, NARROW, header, no_data};
use crate::figures::parallel::Coordinate;
use crate::figures::tuning::Direction;
use crate::ink::{Ink, Pen};
use crate::legend::{Legend, Sample};
use crate::marker::Marker;
use crate::number::{counted, is_plottable, left_out, number};
use crate::plane::Plane;
use crate::sheet::{Drawn, Sheet, px};
use crate::thin;

/// Points drawn at most; the best are always among them.
const DRAWN_POINTS: usize = 1000;

/// Rows in the table: the best points.
const TABLE_ROWS: usize = 200;

/// Words that have a place of their own.
const DRAWN_WORDS: usize = 12;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SettingPoint {
    /// What it is called within a sentence, e.g. `trial 31`.
    pub label: String,
    pub value: Coordinate,
    pub objective: f64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SettingSlice {
    /// Name of the setting.
    pub setting: String,
    /// Places numbers by their logarithm, where all of them are positive.
    pub is_log: bool,
    /// Name of the objective, e.g. `validation ROC AUC`.
    pub objective: String,
    pub direction: Direction,
    pub points: Vec<SettingPoint>,
}

/// A marker for each point over its value; the best tenth stands out.
pub fn setting_slice(values: &SettingSlice, id_prefix: &str) -> Figure {
    let title = format!("{} by {}", values.objective, values.setting);
    let is_placed = |point: &&SettingPoint| point.value.has_place() && is_plottable(point.objective);
    let mut points: Vec<&SettingPoint> = values.points.iter().filter(is_placed).collect();
    let dropped = values.points.len() - points.len();
    match values.direction {
        Direction::Maximise => points.sort_by(|a, b| b.objective.total_cmp(&a.objective)),
        Direction::Minimise => points.sort_by(|a, b| a.objective.total_cmp(&b.objective)),
    }
    if points.is_empty() {
        return no_data(id_prefix, &title, &format!("no trial has a score.{}", left_out(dropped)));
    }
    let places = Places::of(values, &points);
    let best = (points.len() / 10).max(1);
    let legend = legend(best, points.len());
    let rows = points.iter().take(TABLE_ROWS);
    Draft {
        id: id_prefix,
        title: &title,
        caption: format!("{}{}", conclusion(values, &points, best), left_out(dropped)),
        header: header(&["Name", &values.setting, &values.objective]),
        table: rows.map(|point| vec![point.label.clone(), point.value.words(), number(point.objective)]).collect(),
        width: NARROW,
        height: 250.0 + legend.height(),
    }
    .draw(|sheet| draw(sheet, values, &points, best, &places, &legend))
}

/// Where values stand on the horizontal axis.
enum Places {
    Numbers { is_log: bool },
    Words(Vec<String>),
}

impl Places {
    fn of(values: &SettingSlice, points: &[&SettingPoint]) -> Self {
        let numbers: Vec<f64> = points.iter().filter_map(|point| point.value.number()).collect();
        if numbers.len() == points.len() {
            return Self::Numbers { is_log: values.is_log && numbers.iter().all(|value| *value > 0.0) };
        }
        let words: BTreeSet<String> = points.iter().map(|point| point.value.words()).collect();
        let mut words: Vec<String> = words.into_iter().collect();
        if words.len() > DRAWN_WORDS {
            words.truncate(DRAWN_WORDS - 1);
            words.push("others".to_owned());
        }
        Self::Words(words)
    }

    fn place(&self, value: &Coordinate) -> f64 {
        match (self, value) {
            (Self::Numbers { is_log: true }, Coordinate::Number(value)) => value.log10(),
            (Self::Numbers { .. }, Coordinate::Number(value)) => *value,
            (Self::Numbers { .. }, Coordinate::Word(_)) => f64::NAN,
            (Self::Words(words), value) => {
                let word = value.words();
                words.iter().position(|known| *known == word).unwrap_or(words.len() - 1) as f64
            }
        }
    }

    fn axis(&self, title: &str, points: &[&SettingPoint]) -> Axis {
        let places = || points.iter().map(|point| self.place(&point.value));
        match self {
            Self::Words(words) => Axis::names(title, words.iter().cloned()),
            Self::Numbers { is_log: false } => Axis::tight(title, places(), 5, 0.04).without_grid(),
            Self::Numbers { is_log: true } => Axis::logarithmic(title, places(), 0.04).without_grid(),
        }
    }
}

fn draw(
    sheet: &Sheet,
    values: &SettingSlice,
    points: &[&SettingPoint],
    best: usize,
    places: &Places,
    legend: &Legend,
) -> Drawn {
    let (top, rest) = sheet.area().split_vertically(px(legend.height()));
    legend.draw(sheet, &top)?;
    let y = Axis::around(&values.objective, points.iter().map(|point| point.objective), 5);
    let plane = Plane::draw(sheet, &rest, places.axis(&values.setting, points), y)?;
    plane.baseline()?;
    let (leading, others) = points.split_at(best);
    let others = thin::evenly(others, DRAWN_POINTS.saturating_sub(best).max(1));
    let looks = others.iter().map(|point| (point, Marker::Dot, other_pen(), 3.2));
    let leaders = leading.iter().enumerate().rev().map(|(rank, point)| match rank {
        0 => (point, Marker::Diamond, best_pen(), 5.0),
        _ => (point, Marker::Dot, best_pen(), 3.6),
    });
    for (point, marker, pen, radius) in looks.chain(leaders) {
        let value = point.value.words();
        sheet.tip(&format!(
            "{}: {} {value}, {} {}",
            point.label,
            values.setting,
            values.objective,
            number(point.objective)
        ));
        plane.marker((places.place(&point.value), point.objective), marker, pen, radius)?;
    }
    Ok(())
}

fn legend(best: usize, all: usize) -> Legend {
    let mut entries = vec![(Sample::Marker(Marker::Diamond, best_pen()), "best".to_owned())];
    if best > 1 {
        entries.push((Sample::Marker(Marker::Dot, best_pen()), format!("best {best} of {all}")));
    }
    if all > best {
        entries.push((Sample::Marker(Marker::Dot, other_pen()), "others".to_owned()));
    }
    Legend::layout(entries, NARROW)
}

/// Where the best is, and where the best tenth lies.
fn conclusion(values: &SettingSlice, points: &[&SettingPoint], best: usize) -> String {
    let (first, leading) = (points[0], &points[..best]);
    let lower = if values.direction == Direction::Minimise { " (lower is better)" } else { "" };
    let mut words = format!(
        "Best {} {}{lower} at {} {} in {}",
        values.objective,
        number(first.objective),
        values.setting,
        first.value.words(),
        first.label
    );
    if best > 1 {
        let numbers: Option<Vec<f64>> = leading.iter().map(|point| point.value.number()).collect();
        let spread = match numbers {
            Some(numbers) => {
                let (low, high) =
                    numbers.iter().fold((f64::MAX, f64::MIN), |(l, h), value| (l.min(*value), h.max(*value)));
                format!("from {} to {}", number(low), number(high))
            }
            None => {
                let words: BTreeSet<String> = leading.iter().map(|point| point.value.words()).collect();
                format!("at {}", words.into_iter().take(DRAWN_WORDS).collect::<Vec<_>>().join(", "))
            }
        };
        words.push_str(&format!("; the best {best} lie {spread}"));
    }
    format!("{words}; {}.", counted(points.len(), "trial", "trials"))
}

fn best_pen() -> Pen {
    Pen::new(Ink::Series(0))
}

fn other_pen() -> Pen {
    Pen::new(Ink::Muted).opacity(0.6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(points: &[(Coordinate, f64)]) -> SettingSlice {
        let point = |(place, (value, objective)): (usize, &(Coordinate, f64))| SettingPoint {
            label: format!("trial {}", place + 1),
            value: value.clone(),
            objective: *objective,
        };
        SettingSlice {
            setting: "alpha".to_owned(),
            is_log: true,
            objective: "validation ROC AUC".to_owned(),
            direction: Direction::Maximise,
            points: points.iter().enumerate().map(point).collect(),
        }
    }

    #[test]
    fn it_tells_where_the_best_tenth_lies() {
        let points: Vec<_> = (1..=20).map(|i| (Coordinate::Number(f64::from(i)), 1.0 - f64::from(i) / 100.0)).collect();
        let figure = setting_slice(&slice(&points), "p");
        assert_eq!(
            figure.caption,
            "Best validation ROC AUC 0.99 at alpha 1 in trial 1; the best 2 lie from 1 to 2; 20 trials."
        );
        assert_eq!(figure.table.len(), 20);
    }

    #[test]
    fn words_have_places_and_what_has_none_is_counted() {
        let word = |text: &str| Coordinate::Word(text.to_owned());
        let figure =
            setting_slice(&slice(&[(word("b"), 0.8), (word("a"), 0.9), (Coordinate::Number(f64::NAN), 0.7)]), "p");
        assert!(
            figure.caption.starts_with("Best validation ROC AUC 0.9 at alpha a in trial 2; 2 trials."),
            "{}",
            figure.caption
        );
        assert!(figure.svg.contains(">a<") && figure.svg.contains(">b<"), "{}", figure.svg);
        assert_eq!(figure.table.len(), 2);
    }

    #[test]
    fn without_a_score_nothing_is_drawn() {
        assert!(setting_slice(&slice(&[]), "p").caption.starts_with("No data"));
    }
}
