//! Lines over steps or over time: learning curves, drift statistics, metrics per model version.

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::figure::{Draft, Figure, NARROW, WIDE, header, no_data};
use crate::ink::{Dash, Ink, Pen};
use crate::legend::{Legend, Sample};
use crate::marker::Marker;
use crate::number::{count, is_plottable, left_out, number};
use crate::plane::Plane;
use crate::sheet::{Anchor, Drawn, Lettering, Sheet, px};
use crate::{thin, utc};

/// Points per drawn line.
const LINE_POINTS: usize = 600;

/// Lines with at most this many points get a marker at each: few points are measurements, many are a course.
const MARKED_POINTS: usize = 40;

/// Points of all longer lines together that have words.
const READINGS: usize = 60;

/// Share of the width that the name of an annotation takes.
const ROOM_OF_A_NAME: f64 = 0.16;

/// Rows per series in the table.
const TABLE_ROWS: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum XAxis {
    /// Steps, iterations, versions: plain numbers with this name.
    Number(String),
    /// Positive numbers with this name, equal factors equally far apart.
    Logarithm(String),
    /// Unix seconds, shown in UTC.
    Time,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Line {
    pub label: String,
    /// (x, y) in order of x; a y that is not finite leaves a gap.
    pub points: Vec<(f64, f64)>,
    /// Interval of uncertainty per point, drawn as a band; empty, or as long as `points`.
    pub band: Vec<(f64, f64)>,
}

/// A level that must not be crossed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Threshold {
    pub label: String,
    pub value: f64,
}

/// Something that happened: a deployment, a retraining, an alert.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Annotation {
    pub x: f64,
    pub label: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineChart {
    pub title: String,
    pub x: XAxis,
    /// Name of the vertical axis with its unit.
    pub y: String,
    pub lines: Vec<Line>,
    pub threshold: Option<Threshold>,
    pub annotations: Vec<Annotation>,
    /// What it shows, in a sentence; the last values when absent.
    pub conclusion: Option<String>,
}

struct CleanLine<'a> {
    /// Its place among all lines: one that has nothing to draw leaves its colour free.
    place: usize,
    of: &'a Line,
    points: Vec<(f64, f64)>,
}

/// Several series over one axis; gaps stay gaps.
pub fn line_chart(values: &LineChart, id_prefix: &str) -> Figure {
    line_chart_of_width(values, id_prefix, WIDE)
}

/// The same, to be read at the width of a phone.
pub fn narrow_line_chart(values: &LineChart, id_prefix: &str) -> Figure {
    line_chart_of_width(values, id_prefix, NARROW)
}

fn line_chart_of_width(values: &LineChart, id_prefix: &str, width: f64) -> Figure {
    let title = if values.title.is_empty() { "Line chart" } else { &values.title };
    let mut dropped = 0;
    let mut lines = Vec::new();
    for (place, line) in values.lines.iter().enumerate() {
        let points: Vec<_> = line.points.iter().filter_map(|(x, y)| Some((values.x.place(*x)?, *y))).collect();
        let drawn = points.iter().filter(|(_, y)| is_plottable(*y)).count();
        dropped += line.points.len() - drawn;
        if drawn > 0 {
            lines.push(CleanLine { place, of: line, points });
        }
    }
    if lines.is_empty() {
        return no_data(id_prefix, title, left_out(dropped).trim_start());
    }
    let legend = legend(values, &lines, width);
    Draft {
        id: id_prefix,
        title,
        caption: format!("{}{}", conclusion(values, &lines), left_out(dropped)),
        header: header(&[if values.x == XAxis::Time { "Time" } else { values.x_name() }, "Series", y_name(values)]),
        table: table(values, &lines),
        width,
        height: 270.0 + legend.height(),
    }
    .draw(|sheet| draw(sheet, values, &lines, &legend, width))
}

impl CleanLine<'_> {
    /// A value at a place of the axis, with its interval where it has one.
    fn y_text(&self, x: f64, y: f64) -> String {
        let is_banded = self.of.band.len() == self.points.len();
        let place = self.points.iter().position(|point| *point == (x, y)).filter(|_| is_banded);
        let interval = place.and_then(|place| self.of.band.get(place));
        match interval.filter(|(low, high)| is_plottable(*low) && is_plottable(*high)) {
            Some((low, high)) => format!("{} ({} to {})", number(y), number(*low), number(*high)),
            None => number(y),
        }
    }
}

impl XAxis {
    /// Where a value stands along the axis; none where it has no place on it.
    fn place(&self, x: f64) -> Option<f64> {
        let place = match self {
            Self::Number(_) => x,
            Self::Logarithm(_) => Some(x).filter(|x| *x > 0.0)?.log10(),
            Self::Time => Some(x).filter(|x| utc::is_representable(*x))?,
        };
        is_plottable(place).then_some(place)
    }
}

impl LineChart {
    fn x_name(&self) -> &str {
        match &self.x {
            XAxis::Number(name) | XAxis::Logarithm(name) => name,
            XAxis::Time => "Time (UTC)",
        }
    }

    /// The value at a place of the axis.
    fn x_text(&self, place: f64) -> String {
        match self.x {
            XAxis::Number(_) => number(place),
            XAxis::Logarithm(_) => number(10_f64.powf(place)),
            XAxis::Time => utc::full(place),
        }
    }

    fn x_axis(&self, lines: &[CleanLine<'_>], width: f64) -> Axis {
        let places = lines.iter().flat_map(|line| line.points.iter().map(|(x, _)| *x));
        match &self.x {
            XAxis::Time => Axis::time("Time (UTC)", places, if width > NARROW { 7 } else { 4 }),
            XAxis::Number(name) => {
                let is_whole = places.clone().all(|place| place.fract() == 0.0);
                let axis = Axis::tight(name, places, 8, 0.01).without_grid();
                if is_whole { axis.whole_ticks() } else { axis }
            }
            // A limit that is far off is seen where it is.
            XAxis::Logarithm(name) => {
                let named = self.annotations.iter().filter_map(|annotation| self.x.place(annotation.x));
                Axis::logarithmic(name, places.chain(named), 0.01).without_grid()
            }
        }
    }
}

fn draw(sheet: &Sheet, values: &LineChart, lines: &[CleanLine<'_>], legend: &Legend, width: f64) -> Drawn {
    let (top, rest) = sheet.area().split_vertically(px(legend.height()));
    legend.draw(sheet, &top)?;
    let threshold = values.threshold.as_ref().filter(|t| is_plottable(t.value));
    let heights = lines
        .iter()
        .flat_map(|line| {
            let own = line.points.iter().map(|(_, y)| *y);
            own.chain(line.of.band.iter().flat_map(|(low, high)| [*low, *high]))
        })
        .chain(threshold.map(|t| t.value));
    let x = values.x_axis(lines, width);
    let y = Axis::around(y_name(values), heights, 5);
    let (left, right, foot, head) = (x.low, x.high, y.low, y.high);
    let plane = Plane::draw(sheet, &rest, x, y)?;
    plane.baseline()?;
    let annotations =
        values.annotations.iter().filter_map(|annotation| Some((values.x.place(annotation.x)?, annotation)));
    let mut annotations: Vec<(f64, &Annotation)> = annotations.filter(|(x, _)| (left..=right).contains(x)).collect();
    annotations.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut named = f64::NEG_INFINITY;
    for (at, annotation) in annotations {
        let pen = Pen::new(Ink::Muted).dashed(Dash::Dotted);
        sheet.tip(&format!("{}: {}", values.x_text(at), annotation.label));
        plane.line(&[(at, foot), (at, head)], pen, 1.5)?;
        // Names of what happened close together would stand on each other; the tip has them all.
        if at - named < (right - left) * ROOM_OF_A_NAME {
            continue;
        }
        named = at;
        let is_late = at > left + (right - left) * 0.8;
        let (dx, anchor) = if is_late { (-4.0, Anchor::End) } else { (4.0, Anchor::Start) };
        plane.text((at, head), (dx, 9.0), &annotation.label, anchor, Lettering::LABEL)?;
    }
    if let Some(threshold) = threshold {
        sheet.tip(&format!("{} {}", threshold.label, number(threshold.value)));
        plane.line(&[(left, threshold.value), (right, threshold.value)], threshold_pen(), 1.5)?;
    }
    for line in lines.iter().rev() {
        draw_line(sheet, &plane, values, line, thin::share_of(READINGS, lines.len()))?;
    }
    Ok(())
}

fn draw_line(sheet: &Sheet, plane: &Plane<'_>, values: &LineChart, line: &CleanLine<'_>, readings: usize) -> Drawn {
    let pen = Pen::series(line.place);
    for band in bands(line.of, &values.x) {
        plane.area(&band, pen.opacity(0.15))?;
    }
    for piece in line.points.split(|(_, y)| !is_plottable(*y)).filter(|piece| !piece.is_empty()) {
        sheet.tip(&line.of.label);
        plane.line(&thin::curve(piece, LINE_POINTS), pen, 2.0)?;
    }
    let words = |(x, y): (f64, f64)| format!("{}: {} at {}", line.of.label, line.y_text(x, y), values.x_text(x));
    let points: Vec<_> = line.points.iter().copied().filter(|(_, y)| is_plottable(*y)).collect();
    if line.points.len() > MARKED_POINTS {
        plane.readings(&thin::curve(&points, readings), words);
        return Ok(());
    }
    for point in points {
        sheet.tip(&words(point));
        plane.marker(point, Marker::of_series(line.place), pen.dashed(Dash::Solid), 3.2)?;
    }
    Ok(())
}

/// Outlines of the bands of uncertainty, one for each run of points with finite limits.
fn bands(line: &Line, axis: &XAxis) -> Vec<Vec<(f64, f64)>> {
    if line.band.len() != line.points.len() {
        return Vec::new();
    }
    let at = |x: f64| axis.place(x).unwrap_or(f64::NAN);
    let limits: Vec<_> =
        line.points.iter().zip(&line.band).map(|((x, _), (low, high))| (at(*x), *low, *high)).collect();
    limits
        .split(|(x, low, high)| ![*x, *low, *high].into_iter().all(is_plottable))
        .filter(|piece| piece.len() > 1)
        .map(|piece| {
            let above = piece.iter().map(|(x, _, high)| (*x, *high));
            let below = piece.iter().rev().map(|(x, low, _)| (*x, *low));
            above.chain(below).collect()
        })
        .collect()
}

fn threshold_pen() -> Pen {
    Pen::new(Ink::Bad).dashed(Dash::Long)
}

fn y_name(values: &LineChart) -> &str {
    if values.y.is_empty() { "Value" } else { &values.y }
}

fn legend(values: &LineChart, lines: &[CleanLine<'_>], width: f64) -> Legend {
    let mut entries: Vec<_> =
        lines.iter().map(|line| (Sample::Line(Pen::series(line.place)), line.of.label.clone())).collect();
    if let Some(threshold) = &values.threshold {
        let name = format!("{} {}", threshold.label, number(threshold.value));
        entries.push((Sample::Line(threshold_pen()), name.trim_start().to_owned()));
    }
    Legend::layout(entries, width)
}

fn conclusion(values: &LineChart, lines: &[CleanLine<'_>]) -> String {
    if let Some(conclusion) = &values.conclusion {
        return conclusion.clone();
    }
    let last = |line: &CleanLine<'_>| line.points.iter().rev().map(|(_, y)| *y).find(|y| is_plottable(*y));
    let named = |line: &CleanLine<'_>, y: f64| {
        if line.of.label.is_empty() {
            format!("{} {}", y_name(values), number(y))
        } else {
            format!("{} {}", line.of.label, number(y))
        }
    };
    let latest: Vec<_> = lines.iter().filter_map(|line| last(line).map(|y| named(line, y))).take(4).collect();
    let mut words = format!("Last: {}.", latest.join(", "));
    if lines.len() > latest.len() {
        words.push_str(&format!(" {} more series.", lines.len() - latest.len()));
    }
    if let Some(threshold) = values.threshold.as_ref().filter(|t| is_plottable(t.value)) {
        let points = || lines.iter().flat_map(|line| &line.points).filter(|(_, y)| is_plottable(*y));
        let above = points().filter(|(_, y)| *y > threshold.value).count();
        words.push_str(&format!(
            " {} of {} points are above {}{}.",
            count(above as u64),
            count(points().count() as u64),
            number(threshold.value),
            if threshold.label.is_empty() { String::new() } else { format!(" ({})", threshold.label) }
        ));
    }
    words
}

fn table(values: &LineChart, lines: &[CleanLine<'_>]) -> Vec<Vec<String>> {
    lines
        .iter()
        .flat_map(|line| {
            thin::evenly(&line.points, TABLE_ROWS)
                .into_iter()
                .map(|(x, y)| vec![values.x_text(x), line.of.label.clone(), line.y_text(x, y)])
        })
        .collect()
}
