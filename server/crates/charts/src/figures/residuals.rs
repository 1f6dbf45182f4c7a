//! Regression: predicted against actual, and the spread of the residuals.

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::figure::{Draft, Figure, NARROW, header, no_data};
use crate::figures::histogram::{Histogram, captioned_histogram};
use crate::ink::{Dash, Ink, Pen};
use crate::marker::Marker;
use crate::number::{count, is_plottable, left_out, number, signed};
use crate::plane::Plane;
use crate::sheet::{Drawn, Sheet};
use crate::thin;

/// Points drawn at most; a larger set is thinned evenly, and the caption says so.
const SCATTER_POINTS: usize = 1500;

/// Rows in the table: the largest errors first, since those are the ones looked for.
const TABLE_ROWS: usize = 20;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Residuals {
    /// (actual, predicted) per case.
    pub points: Vec<(f64, f64)>,
    /// Unit of both, e.g. `USD`; may be empty.
    pub unit: String,
    /// What is known of all cases, where `points` are some of them.
    pub whole: Option<WholePart>,
}

/// All cases of which some are drawn.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WholePart {
    pub rmse: f64,
    /// How many they are.
    pub rows: u64,
    /// Mean of predicted minus actual.
    pub mean: f64,
    /// (actual, predicted) of those that are furthest off, the worst first.
    pub largest: Vec<(f64, f64)>,
}

impl Residuals {
    fn finite(&self) -> (Vec<(f64, f64)>, usize) {
        let points: Vec<_> = self
            .points
            .iter()
            .copied()
            .filter(|(actual, predicted)| is_plottable(*actual) && is_plottable(*predicted))
            .collect();
        let dropped = self.points.len() - points.len();
        (points, dropped)
    }

    fn counted(&self, number: String) -> String {
        if self.unit.is_empty() { number } else { format!("{number} {}", self.unit) }
    }

    fn with_unit(&self, name: &str) -> String {
        if self.unit.is_empty() { name.to_owned() } else { format!("{name}, {}", self.unit) }
    }
}

/// Scatter of predicted over actual with the line where both are equal.
pub fn predicted_vs_actual(values: &Residuals, id_prefix: &str) -> Figure {
    const TITLE: &str = "Predicted against actual";
    let (points, dropped) = values.finite();
    if points.is_empty() {
        return no_data(id_prefix, TITLE, left_out(dropped).trim_start());
    }
    Draft {
        id: id_prefix,
        title: TITLE,
        caption: format!("{}{}", conclusion(values, &points), left_out(dropped)),
        header: header(&["Actual", "Predicted", "Residual"]),
        table: largest_errors(values.whole.as_ref().map_or(&points, |whole| &whole.largest)),
        width: NARROW,
        height: 400.0,
    }
    .draw(|sheet| draw_scatter(sheet, values, &points))
}

/// Histogram of predicted minus actual.
pub fn residual_histogram(values: &Residuals, id_prefix: &str) -> Figure {
    let (points, dropped) = values.finite();
    let residuals: Vec<f64> = points.iter().map(|(actual, predicted)| predicted - actual).collect();
    let mut binned = Histogram::of_values(&values.with_unit("Predicted − actual"), &residuals, 30);
    binned.title = "Residuals".to_owned();
    let bias = values.whole.as_ref().map_or_else(|| bias(&residuals), |whole| whole.bias(residuals.len()));
    let caption = (!residuals.is_empty()).then(|| format!("{bias}{}", left_out(dropped)));
    captioned_histogram(&binned, id_prefix, caption)
}

fn draw_scatter(sheet: &Sheet, values: &Residuals, points: &[(f64, f64)]) -> Drawn {
    let all = points.iter().flat_map(|(actual, predicted)| [*actual, *predicted]);
    let axis = Axis::tight("", all, 5, 0.04);
    let ends = [(axis.low, axis.low), (axis.high, axis.high)];
    let titled = |name: &str| Axis { title: values.with_unit(name), ..axis.clone() };
    let plane = Plane::draw(sheet, &sheet.area(), titled("Actual"), titled("Predicted"))?;
    let shown = thin::evenly(points, SCATTER_POINTS);
    let opacity = if shown.len() > 300 { 0.35 } else { 0.65 };
    let pen = Pen::new(Ink::Series(0)).opacity(opacity);
    for point in &shown {
        plane.marker(*point, Marker::Dot, pen, 2.6)?;
    }
    plane.line(&ends, Pen::new(Ink::TextMuted).dashed(Dash::Dashed), 1.5)
}

impl WholePart {
    fn bias(&self, drawn: usize) -> String {
        let n = count(self.rows);
        format!("Mean residual {}, n {n}; {} of them are counted here.", signed(self.mean), count(drawn as u64))
    }
}

fn conclusion(values: &Residuals, points: &[(f64, f64)]) -> String {
    let (rmse, largest, n) = match &values.whole {
        Some(whole) => (whole.rmse, whole.largest.first().map_or(0.0, |(a, p)| (p - a).abs()), whole.rows),
        None => errors_of(points),
    };
    let drawn = points.len().min(SCATTER_POINTS) as u64;
    let drawn = if drawn < n { format!(" {} of them are drawn.", count(drawn)) } else { String::new() };
    let (rmse, largest, n) = (values.counted(number(rmse)), values.counted(number(largest)), count(n));
    format!(
        "Root mean squared error {rmse}, largest error {largest}, n {n}.{drawn} The dashed line is a perfect prediction."
    )
}

/// Root mean square and greatest of the errors, and how many they are.
fn errors_of(points: &[(f64, f64)]) -> (f64, f64, u64) {
    let n = points.len();
    let errors = || points.iter().map(|(actual, predicted)| predicted - actual);
    // Squares are taken of errors relative to the largest one, so that they can't overflow.
    let largest = errors().map(f64::abs).fold(0.0, f64::max);
    let rmse = if largest == 0.0 {
        0.0
    } else {
        largest * (errors().map(|e| (e / largest).powi(2)).sum::<f64>() / n as f64).sqrt()
    };
    (rmse, largest, n as u64)
}

fn bias(residuals: &[f64]) -> String {
    let n = residuals.len();
    let mean = residuals.iter().map(|r| r / n as f64).sum::<f64>();
    let over = residuals.iter().filter(|r| **r > 0.0).count();
    format!("Mean residual {}; {} of {} predictions are too high.", signed(mean), count(over as u64), count(n as u64))
}

fn largest_errors(points: &[(f64, f64)]) -> Vec<Vec<String>> {
    let mut rows = points.to_vec();
    rows.sort_by(|a, b| (b.1 - b.0).abs().total_cmp(&(a.1 - a.0).abs()));
    rows.truncate(TABLE_ROWS);
    rows.into_iter()
        .map(|(actual, predicted)| vec![number(actual), number(predicted), signed(predicted - actual)])
        .collect()
}
