//! ROC and precision–recall: curves in the unit square.

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::figure::{Draft, Figure, NARROW, header, no_data};
use crate::ink::{Dash, Ink, Pen};
use crate::legend::{Legend, Sample};
use crate::marker::Marker;
use crate::number::{is_plottable, left_out, number};
use crate::plane::Plane;
use crate::sheet::{Anchor, Drawn, Lettering, Sheet, px};
use crate::thin;

/// Points per drawn curve; more can't be seen at the size of a figure.
const CURVE_POINTS: usize = 400;

/// Points of all curves together that have words.
const READINGS: usize = 60;

/// Rows per curve in the table of numbers.
const TABLE_POINTS: usize = 50;

/// One curve of an overlay.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Curve {
    pub label: String,
    /// ROC: (false positive rate, true positive rate). Precision–recall: (recall, precision). In order of the threshold.
    pub points: Vec<(f64, f64)>,
    /// ROC: area under the curve. Precision–recall: average precision. Shown in the legend; not computed here.
    pub score: Option<f64>,
    /// Confidence interval of the score.
    pub interval: Option<(f64, f64)>,
}

/// Where a chosen threshold puts the model on the curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OperatingPoint {
    pub x: f64,
    pub y: f64,
    pub threshold: f64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Roc {
    pub curves: Vec<Curve>,
    pub operating_point: Option<OperatingPoint>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PrecisionRecall {
    pub curves: Vec<Curve>,
    /// Share of positives: the precision of guessing, drawn as a reference line.
    pub prevalence: Option<f64>,
    pub operating_point: Option<OperatingPoint>,
}

/// Receiver operating characteristic, with the diagonal of guessing.
pub fn roc(values: &Roc, id_prefix: &str) -> Figure {
    UnitSquare {
        title: "ROC curve",
        score_name: "AUC",
        x_name: "False positive rate",
        y_name: "True positive rate",
        curves: &values.curves,
        reference: [(0.0, 0.0), (1.0, 1.0)],
        reference_name: "guessing".to_owned(),
        operating_point: values.operating_point,
    }
    .figure(id_prefix)
}

/// Precision over recall, with the prevalence as the line of guessing.
pub fn precision_recall(values: &PrecisionRecall, id_prefix: &str) -> Figure {
    let prevalence = values.prevalence.filter(|p| (0.0..=1.0).contains(p));
    let reference_name = prevalence.map_or_else(String::new, |p| format!("prevalence {}", number(p)));
    let at = prevalence.unwrap_or(f64::NAN);
    UnitSquare {
        title: "Precision–recall curve",
        score_name: "AP",
        x_name: "Recall",
        y_name: "Precision",
        curves: &values.curves,
        reference: [(0.0, at), (1.0, at)],
        reference_name,
        operating_point: values.operating_point,
    }
    .figure(id_prefix)
}

struct UnitSquare<'a> {
    title: &'a str,
    score_name: &'a str,
    x_name: &'a str,
    y_name: &'a str,
    curves: &'a [Curve],
    reference: [(f64, f64); 2],
    reference_name: String,
    operating_point: Option<OperatingPoint>,
}

struct CleanCurve<'a> {
    /// Its place among all curves: one that has nothing to draw leaves its colour free.
    place: usize,
    of: &'a Curve,
    points: Vec<(f64, f64)>,
}

impl UnitSquare<'_> {
    fn figure(&self, id: &str) -> Figure {
        let mut dropped = 0;
        let mut curves = Vec::new();
        for (place, curve) in self.curves.iter().enumerate() {
            let in_square = |v: f64| is_plottable(v) && (-1e-9..=1.0 + 1e-9).contains(&v);
            let points: Vec<_> = curve.points.iter().copied().filter(|(x, y)| in_square(*x) && in_square(*y)).collect();
            dropped += curve.points.len() - points.len();
            if !points.is_empty() {
                curves.push(CleanCurve { place, of: curve, points });
            }
        }
        if curves.is_empty() {
            return no_data(id, self.title, left_out(dropped).trim_start());
        }
        Draft {
            id,
            title: self.title,
            caption: format!("{}{}", self.conclusion(&curves), left_out(dropped)),
            header: header(&["Series", self.x_name, self.y_name]),
            table: table(&curves),
            width: NARROW,
            height: 360.0 + self.legend(&curves).height(),
        }
        .draw(|sheet| self.draw(sheet, &curves))
    }

    fn draw(&self, sheet: &Sheet, curves: &[CleanCurve<'_>]) -> Drawn {
        let legend = self.legend(curves);
        let (top, rest) = sheet.area().split_vertically(px(legend.height()));
        legend.draw(sheet, &top)?;
        let plane = Plane::draw(sheet, &rest, Axis::unit(self.x_name), Axis::unit(self.y_name))?;
        plane.line(&self.reference, reference_pen(), 1.5)?;
        for curve in curves.iter().rev() {
            sheet.tip(&self.entry(curve.of));
            plane.line(&thin::curve(&curve.points, CURVE_POINTS), Pen::series(curve.place), 2.0)?;
        }
        for curve in curves.iter().rev() {
            let points = thin::curve(&curve.points, thin::share_of(READINGS, curves.len()));
            let label = &curve.of.label;
            plane.readings(&points, |point| match label.is_empty() {
                true => self.words(point),
                false => format!("{label}: {}", self.words(point)),
            });
        }
        let Some(point) = self.operating_point else {
            return Ok(());
        };
        let at = (point.x, point.y);
        sheet.tip(&format!("threshold {}: {}", number(point.threshold), self.words(at)));
        plane.marker(at, Marker::Ring, Pen::new(Ink::Text), 5.0)?;
        let (dx, anchor) = if point.x > 0.6 { (-10.0, Anchor::End) } else { (10.0, Anchor::Start) };
        let dy = if point.y > 0.5 { 12.0 } else { -12.0 };
        let text = format!("threshold {}", number(point.threshold));
        if [point.x, point.y].into_iter().all(|v| (0.0..=1.0).contains(&v)) {
            plane.text(at, (dx, dy), &text, anchor, Lettering::LABEL)?;
        }
        Ok(())
    }

    fn words(&self, (x, y): (f64, f64)) -> String {
        format!("{} {}, {} {}", self.x_name.to_lowercase(), number(x), self.y_name.to_lowercase(), number(y))
    }

    fn legend(&self, curves: &[CleanCurve<'_>]) -> Legend {
        let mut entries: Vec<_> =
            curves.iter().map(|curve| (Sample::Line(Pen::series(curve.place)), self.entry(curve.of))).collect();
        entries.push((Sample::Line(reference_pen()), self.reference_name.clone()));
        Legend::layout(entries, NARROW)
    }

    fn entry(&self, curve: &Curve) -> String {
        let Some(score) = curve.score else {
            return curve.label.clone();
        };
        let interval =
            curve.interval.map_or_else(String::new, |(low, high)| format!(" ({}–{})", number(low), number(high)));
        let text = format!("{} {}{interval}", self.score_name, number(score));
        if curve.label.is_empty() { text } else { format!("{}: {text}", curve.label) }
    }

    fn conclusion(&self, curves: &[CleanCurve<'_>]) -> String {
        let best = curves
            .iter()
            .filter(|c| c.of.score.is_some_and(is_plottable))
            .max_by(|a, b| a.of.score.unwrap_or(f64::NAN).total_cmp(&b.of.score.unwrap_or(f64::NAN)));
        let mut words = match (best, curves.len()) {
            (Some(best), 1) => format!("{}.", self.entry(best.of)),
            (Some(best), n) => format!("Best of {n}: {}.", self.entry(best.of)),
            (None, n) => format!("{} of {n} series.", self.title),
        };
        if let Some(point) = self.operating_point {
            words.push_str(&format!(
                " At threshold {} the {} is {} and the {} {}.",
                number(point.threshold),
                self.x_name.to_lowercase(),
                number(point.x),
                self.y_name.to_lowercase(),
                number(point.y)
            ));
        }
        words
    }
}

fn reference_pen() -> Pen {
    Pen::new(Ink::Muted).dashed(Dash::Dashed)
}

fn table(curves: &[CleanCurve<'_>]) -> Vec<Vec<String>> {
    curves
        .iter()
        .flat_map(|curve| {
            thin::curve(&curve.points, TABLE_POINTS)
                .into_iter()
                .map(|(x, y)| vec![curve.of.label.clone(), number(x), number(y)])
        })
        .collect()
}
