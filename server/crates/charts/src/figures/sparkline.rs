//! Sparkline: a line the height of text, for tables and tiles.

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::escape::id_token;
use crate::figure::{Figure, header};
use crate::ink::{Dash, Ink, Pen};
use crate::marker::Marker;
use crate::number::{counted, is_plottable, left_out, number};
use crate::sheet::{Drawn, Sheet, px};
use crate::thin;

use plotters::element::PathElement;

const WIDTH: f64 = 96.0;
const HEIGHT: f64 = 24.0;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sparkline {
    /// What the line is, for people who don't see it.
    pub name: String,
    /// Values at equal distances; those that are not finite leave a gap.
    pub values: Vec<f64>,
    /// A level to compare with, drawn dotted.
    pub threshold: Option<f64>,
}

/// Line with a dot at its last value. Meant inline: use [`Figure::svg`] alone.
pub fn sparkline(values: &Sparkline, id_prefix: &str) -> Figure {
    let title = if values.name.is_empty() { "Trend" } else { &values.name };
    let finite: Vec<f64> = values.values.iter().copied().filter(|v| is_plottable(*v)).collect();
    let dropped = values.values.len() - finite.len();
    let caption = match finite.last() {
        None => "No data.".to_owned(),
        Some(last) => format!(
            "{} from {} to {}, last {}.{}",
            counted(finite.len(), "value", "values"),
            number(finite.iter().copied().fold(f64::INFINITY, f64::min)),
            number(finite.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
            number(*last),
            left_out(dropped)
        ),
    };
    let sheet = Sheet::new(WIDTH, HEIGHT);
    // A line on a sheet of fixed size has no layout to fail.
    let _ = draw(&sheet, values);
    Figure {
        svg: sheet.into_svg(&id_token(id_prefix), "chart-spark", title, &caption),
        title: title.to_owned(),
        caption,
        header: header(&["Place", "Value"]),
        table: values.values.iter().enumerate().map(|(i, value)| vec![(i + 1).to_string(), number(*value)]).collect(),
    }
}

fn draw(sheet: &Sheet, values: &Sparkline) -> Drawn {
    let area = sheet.area();
    let threshold = values.threshold.filter(|t| is_plottable(*t));
    let axis = Axis::tight("", values.values.iter().copied().chain(threshold), 2, 0.0);
    let last = values.values.len().saturating_sub(1).max(1) as f64;
    let place = |i: f64, value: f64| {
        let across = 3.0 + i / last * (WIDTH - 8.0);
        let up = (value - axis.low) / (axis.high - axis.low);
        (across, HEIGHT - 4.0 - up * (HEIGHT - 8.0))
    };
    if let Some(threshold) = threshold {
        let y = px(place(0.0, threshold).1);
        let pen = Pen::new(Ink::Bad).dashed(Dash::Dotted);
        area.draw(&PathElement::new(vec![(px(0.0), y), (px(WIDTH), y)], pen.line(1.0)))?;
    }
    let indexed: Vec<(f64, f64)> = values.values.iter().enumerate().map(|(i, v)| (i as f64, *v)).collect();
    let pen = Pen::new(Ink::Series(0));
    for piece in indexed.split(|(_, value)| !is_plottable(*value)) {
        let points: Vec<_> = thin::curve(piece, WIDTH as usize)
            .into_iter()
            .map(|(i, value)| place(i, value))
            .map(|(x, y)| (px(x), px(y)))
            .collect();
        if points.len() > 1 {
            area.draw(&PathElement::new(points, pen.line(1.5)))?;
        }
    }
    match indexed.iter().rev().find(|(_, value)| is_plottable(*value)) {
        Some((i, value)) => Marker::Dot.draw(&area, place(*i, *value), pen, 2.2),
        None => Ok(()),
    }
}
