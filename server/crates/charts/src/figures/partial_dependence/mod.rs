//! Partial dependence: how the mean answer changes with one feature.

mod drawing;

use serde::{Deserialize, Serialize};

use crate::figure::{Draft, Figure, NARROW, header, no_data};
use crate::number::{counted, is_plottable, left_out, number, percent};
use crate::sheet::px;

/// Categories drawn; the rest stands in the table.
const DRAWN_CATEGORIES: usize = 25;

const ROW: f64 = 24.0;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PartialDependence {
    pub feature: String,
    /// Unit of the answer, if it has one, e.g. `USD`.
    pub unit: Option<String>,
    /// What the model answers, e.g. `probability of churn`.
    pub answer: String,
    /// Numbers are drawn in order of size, categories in the order given.
    pub points: Vec<DependencePoint>,
    pub is_category: bool,
}

/// The answers when every row is given the same value of the feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DependencePoint {
    pub at: DependenceAt,
    pub mean: f64,
    /// A quarter of the rows' own answers lies below.
    pub low: f64,
    /// A quarter of the rows' own answers lies above.
    pub high: f64,
    /// Share of rows whose own value is near this one.
    pub share: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum DependenceAt {
    Number(f64),
    Word(String),
}

/// For numbers a line of the mean in the band of the middle half, for categories a range each; both with the share of rows.
pub fn partial_dependence(values: &PartialDependence, id_prefix: &str) -> Figure {
    let title = match values.feature.as_str() {
        "" => "Partial dependence".to_owned(),
        feature => format!("Partial dependence on {feature}"),
    };
    let mut points: Vec<DependencePoint> = values.points.iter().filter(|point| point.has_place()).cloned().collect();
    let dropped = values.points.len() - points.len();
    if points.is_empty() {
        return no_data(id_prefix, &title, left_out(dropped).trim_start());
    }
    let is_category = values.is_category || points.iter().any(|point| point.at.number().is_none());
    if !is_category {
        points.sort_by(|a, b| a.place().total_cmp(&b.place()));
    }
    let legend = drawing::legend(is_category, &points);
    let rows = points.len().min(DRAWN_CATEGORIES);
    let height = if is_category { rows as f64 * ROW + 62.0 } else { 300.0 };
    Draft {
        id: id_prefix,
        title: &title,
        caption: format!("{}{}", conclusion(values, is_category, &points), left_out(dropped)),
        header: header(&["Value", "Mean answer", "Low (25\u{202f}%)", "High (75\u{202f}%)", "Share of rows"]),
        table: points.iter().map(row).collect(),
        width: NARROW,
        height: height + legend.height(),
    }
    .draw(|sheet| {
        let (top, rest) = sheet.area().split_vertically(px(legend.height()));
        legend.draw(sheet, &top)?;
        if is_category {
            drawing::draw_categories(sheet, &rest, values, &points[..rows])
        } else {
            drawing::draw_numbers(sheet, &rest, values, &points)
        }
    })
}

impl DependencePoint {
    fn has_place(&self) -> bool {
        let at = self.at.number().unwrap_or(0.0);
        [at, self.mean, self.low, self.high, self.share].into_iter().all(is_plottable)
    }

    /// Place of a number on the horizontal axis.
    fn place(&self) -> f64 {
        self.at.number().unwrap_or(0.0)
    }

    fn tip(&self) -> String {
        format!(
            "{}: mean {}, middle half {} to {}, {} of rows",
            self.at.words(),
            number(self.mean),
            number(self.low),
            number(self.high),
            percent(self.share)
        )
    }
}

impl DependenceAt {
    fn number(&self) -> Option<f64> {
        match self {
            DependenceAt::Number(value) => Some(*value),
            DependenceAt::Word(_) => None,
        }
    }

    fn words(&self) -> String {
        match self {
            DependenceAt::Number(value) => number(*value),
            DependenceAt::Word(word) => word.clone(),
        }
    }
}

impl PartialDependence {
    fn answer_name(&self) -> String {
        let answer = if self.answer.is_empty() { "Answer" } else { &self.answer };
        match &self.unit {
            Some(unit) if !unit.is_empty() => format!("{answer}, {unit}"),
            _ => answer.to_owned(),
        }
    }

    fn with_unit(&self, mean: f64) -> String {
        let words = format!("{} {}", number(mean), self.unit.as_deref().unwrap_or_default());
        words.trim_end().to_owned()
    }
}

fn conclusion(values: &PartialDependence, is_category: bool, points: &[DependencePoint]) -> String {
    let course = if is_category { extremes(values, points) } else { course(values, points) };
    let mut words = format!("{course} The mean over the rows, each with its other features as they are.");
    if is_category && points.len() > DRAWN_CATEGORIES {
        let all = counted(points.len(), "category", "categories");
        words.push_str(&format!(" The first {DRAWN_CATEGORIES} of {all} are drawn."));
    }
    words
}

/// `From 0.12 at 0 to 0.61 at 40.`, and the highest and lowest mean where they lie between.
fn course(values: &PartialDependence, points: &[DependencePoint]) -> String {
    let words = |point: &DependencePoint| format!("{} at {}", values.with_unit(point.mean), point.at.words());
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return String::new();
    };
    if points.len() == 1 {
        return format!("{}.", words(first));
    }
    let mut course = format!("From {} to {}.", words(first), words(last));
    if let Some(highest) = highest(points).filter(|point| point.mean > first.mean.max(last.mean)) {
        course.push_str(&format!(" Highest {}.", words(highest)));
    }
    if let Some(lowest) = lowest(points).filter(|point| point.mean < first.mean.min(last.mean)) {
        course.push_str(&format!(" Lowest {}.", words(lowest)));
    }
    course
}

/// `Highest for Cash (0.61), lowest for App (0.12).`
fn extremes(values: &PartialDependence, points: &[DependencePoint]) -> String {
    let words = |point: &DependencePoint| format!("for {} ({})", point.at.words(), values.with_unit(point.mean));
    match (highest(points), lowest(points)) {
        (Some(highest), Some(lowest)) if highest.mean > lowest.mean => {
            format!("Highest {}, lowest {}.", words(highest), words(lowest))
        }
        (Some(any), _) => format!("The same for all: {}.", values.with_unit(any.mean)),
        _ => String::new(),
    }
}

/// The first of the highest.
fn highest(points: &[DependencePoint]) -> Option<&DependencePoint> {
    points.iter().rev().max_by(|a, b| a.mean.total_cmp(&b.mean))
}

fn lowest(points: &[DependencePoint]) -> Option<&DependencePoint> {
    points.iter().min_by(|a, b| a.mean.total_cmp(&b.mean))
}

fn row(point: &DependencePoint) -> Vec<String> {
    vec![point.at.words(), number(point.mean), number(point.low), number(point.high), percent(point.share)]
}
