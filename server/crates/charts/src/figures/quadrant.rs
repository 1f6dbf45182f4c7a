//! Drift over importance: what has moved and matters stands at the top right.

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::figure::{Draft, Figure, NARROW, header, no_data};
use crate::ink::{Dash, Ink, Pen};
use crate::marker::Marker;
use crate::number::{is_plottable, left_out, number, percent};
use crate::plane::Plane;
use crate::sheet::{Anchor, Drawn, Lettering, Sheet};

/// Columns that are named in the picture: those that have drifted, and where none has the one that is nearest to it.
const NAMED: usize = 6;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuadrantPoint {
    pub label: String,
    /// Share of the model's work, 0 to 1.
    pub importance: f64,
    pub distance: f64,
    /// Whether it counts as drifted.
    pub is_drifted: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quadrant {
    /// What distances are, e.g. `PSI`.
    pub metric: String,
    pub threshold: f64,
    pub points: Vec<QuadrantPoint>,
}

/// One mark a column: how much it matters to the right, how far it has moved upwards.
pub fn quadrant(values: &Quadrant, id_prefix: &str) -> Figure {
    const TITLE: &str = "Drift and importance";
    let points: Vec<&QuadrantPoint> =
        values.points.iter().filter(|point| is_plottable(point.importance) && is_plottable(point.distance)).collect();
    let dropped = values.points.len() - points.len();
    if points.is_empty() {
        return no_data(id_prefix, TITLE, left_out(dropped).trim_start());
    }
    let mut sorted = points.clone();
    sorted.sort_by(|a, b| (b.importance * b.distance).total_cmp(&(a.importance * a.distance)));
    Draft {
        id: id_prefix,
        title: TITLE,
        caption: format!("{}{}", conclusion(&sorted), left_out(dropped)),
        header: header(&["Feature", "Importance", &values.metric, "Drifted"]),
        table: sorted.iter().map(|point| row(point)).collect(),
        width: NARROW,
        height: 360.0,
    }
    .draw(|sheet| draw(sheet, values, &points))
}

fn draw(sheet: &Sheet, values: &Quadrant, points: &[&QuadrantPoint]) -> Drawn {
    let x = Axis::tight("Importance (share)", points.iter().map(|point| point.importance).chain([0.0]), 5, 0.08);
    let y = Axis::around(&values.metric, points.iter().map(|point| point.distance).chain([0.0, values.threshold]), 5);
    let (left, right, middle) = (x.low, x.high, f64::midpoint(x.low, x.high));
    let plane = Plane::draw(sheet, &sheet.area(), x, y)?;
    sheet.tip(&format!("threshold {}", number(values.threshold)));
    plane.line(&[(left, values.threshold), (right, values.threshold)], Pen::new(Ink::Bad).dashed(Dash::Long), 1.5)?;
    let mut named: Vec<&&QuadrantPoint> = points.iter().collect();
    named.sort_by(|a, b| b.is_drifted.cmp(&a.is_drifted).then(b.distance.total_cmp(&a.distance)));
    named.truncate(points.iter().filter(|point| point.is_drifted).count().clamp(1, NAMED));
    for point in points {
        sheet.tip(&format!(
            "{}: importance {}, {} {}",
            point.label,
            percent(point.importance),
            values.metric,
            number(point.distance)
        ));
        let (marker, ink) = if point.is_drifted { (Marker::Triangle, Ink::Bad) } else { (Marker::Dot, Ink::Series(0)) };
        plane.marker((point.importance, point.distance), marker, Pen::new(ink), 4.5)?;
        if named.iter().any(|other| std::ptr::eq(**other, *point)) {
            let (dx, anchor) = if point.importance > middle { (-7.0, Anchor::End) } else { (7.0, Anchor::Start) };
            plane.text((point.importance, point.distance), (dx, 4.0), &point.label, anchor, Lettering::LABEL)?;
        }
    }
    Ok(())
}

fn row(point: &QuadrantPoint) -> Vec<String> {
    let drifted = if point.is_drifted { "yes" } else { "no" };
    vec![point.label.clone(), percent(point.importance), number(point.distance), drifted.to_owned()]
}

fn conclusion(sorted: &[&QuadrantPoint]) -> String {
    let drifted: Vec<&&QuadrantPoint> = sorted.iter().filter(|point| point.is_drifted).collect();
    let share: f64 = drifted.iter().map(|point| point.importance).sum();
    match drifted.first() {
        None => "No feature has drifted. The dashed line is the threshold.".to_owned(),
        Some(first) => format!(
            "{} of {} features have drifted; together they do {} of the model's work, {} most. The dashed line is the threshold.",
            drifted.len(),
            sorted.len(),
            percent(share),
            first.label
        ),
    }
}
