//! Attributions: what moves the answers of a model, row by row.

mod effect;

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::figure::{Draft, Figure, WIDE, header, no_data};
use crate::ink::{Ink, Pen};
use crate::legend::{Legend, Sample};
use crate::marker::Marker;
use crate::number::{count, counted, is_plottable, left_out, number, signed};
use crate::plane::Plane;
use crate::sheet::{Drawn, Sheet, px};
use crate::thin;
use effect::Effect;

/// Features drawn; the rest stands in the table.
const DRAWN_FEATURES: usize = 20;

/// Points drawn in a row at most, and in all rows together.
const ROW_POINTS: usize = 150;
const DRAWN_POINTS: usize = 1500;

const ROW: f64 = 27.0;
const RADIUS: f64 = 2.4;

/// SHAP values of a sample of rows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Attributions {
    /// Unit of the contributions, e.g. `log-odds` or `USD`; may be empty.
    pub unit: String,
    /// Rows that were explained.
    pub rows: u64,
    pub features: Vec<Attribution>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Attribution {
    pub name: String,
    /// Mean size of the contributions over all rows.
    pub mean_absolute: f64,
    pub points: Vec<AttributionPoint>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct AttributionPoint {
    pub contribution: f64,
    /// Where the row's value lies among all rows, from 0 (low) to 1 (high); `None` for a category or a missing value.
    pub level: Option<f64>,
}

/// How the value of a row is told: by shape and by ink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Low,
    Middle,
    High,
    Unordered,
}

/// A row per feature, the most important on top, with a point for each explained row; dense points are stacked.
pub fn attributions(values: &Attributions, id_prefix: &str) -> Figure {
    const TITLE: &str = "What moves the answer";
    let (features, dropped) = clean(values);
    if features.is_empty() {
        return no_data(id_prefix, TITLE, left_out(dropped).trim_start());
    }
    let shown = &features[..features.len().min(DRAWN_FEATURES)];
    let legend = legend(shown);
    Draft {
        id: id_prefix,
        title: TITLE,
        caption: format!("{}{}", conclusion(values, &features), left_out(dropped)),
        header: header(&["Feature", "Mean |contribution|", "Direction", "Least", "Greatest"]),
        table: features.iter().map(row).collect(),
        width: WIDE,
        height: shown.len() as f64 * ROW + 62.0 + legend.height(),
    }
    .draw(|sheet| draw(sheet, values, shown, &legend))
}

/// Features by importance with their points by contribution, and the number of values that are not finite.
fn clean(values: &Attributions) -> (Vec<Attribution>, usize) {
    let mut dropped = 0;
    let mut features = Vec::new();
    for feature in &values.features {
        if !is_plottable(feature.mean_absolute) {
            dropped += 1;
            continue;
        }
        let placed = feature.points.iter().filter(|point| is_plottable(point.contribution));
        let mut points: Vec<AttributionPoint> = placed.copied().collect();
        dropped += feature.points.len() - points.len();
        for point in &mut points {
            dropped += usize::from(point.level.is_some_and(|level| !level.is_finite()));
            point.level = point.level.filter(|level| level.is_finite()).map(|level| level.clamp(0.0, 1.0));
        }
        points.sort_by(|a, b| a.contribution.total_cmp(&b.contribution));
        features.push(Attribution { name: feature.name.clone(), mean_absolute: feature.mean_absolute, points });
    }
    features.sort_by(|a, b| b.mean_absolute.total_cmp(&a.mean_absolute).then_with(|| a.name.cmp(&b.name)));
    (features, dropped)
}

fn draw(sheet: &Sheet, values: &Attributions, features: &[Attribution], legend: &Legend) -> Drawn {
    let (top, rest) = sheet.area().split_vertically(px(legend.height()));
    legend.draw(sheet, &top)?;
    let contributions = features.iter().flat_map(|feature| feature.points.iter().map(|point| point.contribution));
    let title = with_unit(values, "Contribution to the answer");
    let x = Axis::tight(&title, contributions.chain([0.0]), 6, 0.02);
    let ends = (x.low, x.high);
    let names = features.iter().map(|feature| feature.name.clone());
    let plane = Plane::draw(sheet, &rest, x, Axis::names("", names).reversed())?;
    let foot = features.len() as f64 - 0.5;
    for i in 0..features.len() {
        plane.line(&[(ends.0, i as f64), (ends.1, i as f64)], Pen::new(Ink::Grid), 1.0)?;
    }
    plane.line(&[(0.0, -0.5), (0.0, foot)], Pen::new(Ink::Axis), 1.5)?;
    for (i, feature) in features.iter().enumerate() {
        draw_row(sheet, &plane, i, feature, points_per_row(features.len()))?;
    }
    Ok(())
}

fn draw_row(sheet: &Sheet, plane: &Plane<'_>, row: usize, feature: &Attribution, limit: usize) -> Drawn {
    let mut shown = thin::evenly(&feature.points, limit);
    // Even steps end before the last point, which is the greatest contribution.
    if let (Some(last), Some(greatest)) = (shown.last_mut(), feature.points.last()) {
        *last = *greatest;
    }
    let column = |point: &AttributionPoint| (plane.place((point.contribution, 0.0)).0 / (2.0 * RADIUS)).floor();
    for stack in shown.chunk_by_mut(|a, b| column(a) == column(b)) {
        stack.sort_by(|a, b| a.level.unwrap_or(-1.0).total_cmp(&b.level.unwrap_or(-1.0)));
        // Stacks higher than the row are pressed together.
        let step = (2.0 * RADIUS).min((ROW - 2.0 * RADIUS - 2.0) / stack.len() as f64) / ROW;
        let middle = (stack.len() - 1) as f64 / 2.0;
        for (i, point) in stack.iter().enumerate() {
            let level = Level::of(point.level);
            let (marker, pen, radius) = level.look();
            sheet.tip(&format!("{}{}", signed(point.contribution), level.words()));
            let at = (point.contribution, row as f64 + (middle - i as f64) * step);
            plane.marker(at, marker, pen, radius)?;
        }
    }
    Ok(())
}

fn points_per_row(rows: usize) -> usize {
    ROW_POINTS.min(DRAWN_POINTS / rows.max(1))
}

impl Level {
    const ALL: [Level; 4] = [Level::Low, Level::Middle, Level::High, Level::Unordered];

    fn of(level: Option<f64>) -> Self {
        match level {
            None => Level::Unordered,
            Some(level) if level < 1.0 / 3.0 => Level::Low,
            Some(level) if level > 2.0 / 3.0 => Level::High,
            Some(_) => Level::Middle,
        }
    }

    fn look(self) -> (Marker, Pen, f64) {
        match self {
            Level::Low => (Marker::Ring, Pen::new(Ink::Series(0)), RADIUS - 0.3),
            Level::Middle => (Marker::Dot, Pen::new(Ink::Muted), RADIUS - 0.4),
            Level::High => (Marker::Triangle, Pen::new(Ink::Series(1)), RADIUS + 0.2),
            Level::Unordered => (Marker::Square, Pen::new(Ink::Muted).opacity(0.8), RADIUS),
        }
    }

    /// What follows a contribution in a tip.
    fn words(self) -> &'static str {
        match self {
            Level::Low => ", low value",
            Level::Middle => ", middle value",
            Level::High => ", high value",
            Level::Unordered => "",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Level::Low => "low value",
            Level::Middle => "middle value",
            Level::High => "high value",
            Level::Unordered => "category or missing",
        }
    }
}

fn legend(features: &[Attribution]) -> Legend {
    let points = || features.iter().flat_map(|feature| &feature.points);
    let is_used = |level: &Level| points().any(|point| Level::of(point.level) == *level);
    let entry = |level: Level| (Sample::Marker(level.look().0, level.look().1), level.name().to_owned());
    Legend::layout(Level::ALL.into_iter().filter(is_used).map(entry).collect(), WIDE)
}

fn with_unit(values: &Attributions, words: &str) -> String {
    if values.unit.is_empty() { words.to_owned() } else { format!("{words}, {}", values.unit) }
}

fn conclusion(values: &Attributions, features: &[Attribution]) -> String {
    let first = &features[0];
    let mut words = if first.mean_absolute > 0.0 {
        let size = format!("{} {}", number(first.mean_absolute), values.unit);
        format!("{} moves the answer most, by {} on average", first.name, size.trim_end())
    } else {
        "No feature moves the answer".to_owned()
    };
    if let Some(effect) = Effect::of(first).filter(|effect| *effect != Effect::Mixed) {
        words.push_str(&format!("; {} it", effect.words()));
    }
    words.push_str(&format!(". n {}.", count(values.rows)));
    let shown = features.len().min(DRAWN_FEATURES);
    if features.len() > shown {
        words.push_str(&format!(" The first {shown} of {} are drawn.", counted(features.len(), "feature", "features")));
    }
    let limit = points_per_row(shown);
    if features[..shown].iter().any(|feature| feature.points.len() > limit) {
        words.push_str(&format!(" At most {limit} rows a feature are drawn."));
    }
    words
}

fn row(feature: &Attribution) -> Vec<String> {
    let end = |point: Option<&AttributionPoint>| point.map_or_else(|| "–".to_owned(), |p| signed(p.contribution));
    vec![
        feature.name.clone(),
        number(feature.mean_absolute),
        Effect::of(feature).map_or("–", Effect::words).to_owned(),
        end(feature.points.first()),
        end(feature.points.last()),
    ]
}
