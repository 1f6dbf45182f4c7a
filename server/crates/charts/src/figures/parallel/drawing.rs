//! The picture of parallel coordinates.

use plotters::element::{PathElement, Rectangle};

use super::scale::{MISSING, Scale};
use super::{Picture, Ranked};
use crate::figure::WIDE;
use crate::ink::{Ink, Pen};
use crate::legend::{Legend, Sample};
use crate::marker::Marker;
use crate::number::{count, number};
use crate::sheet::{Anchor, Area, Drawn, LAYOUT_TEXT_SIZE, Lettering, Sheet, px};
use crate::text;

const SIDE: f64 = 44.0;
const AXIS_HEIGHT: f64 = 210.0;
const NAME_ROW: f64 = 17.0;
/// Room for the words at the ends of an axis.
const END: f64 = 22.0;
/// Half of the width of a brush.
const BRUSH: f64 = 6.0;
/// From the foot of the axes to the place of missing values.
const TO_MISSING: f64 = 34.0;

pub(super) struct Layout {
    name_rows: usize,
    head: f64,
    spacing: f64,
    pub axes: usize,
}

impl Layout {
    pub fn of(picture: &Picture<'_>) -> Self {
        let axes = picture.scales.len() + 1;
        let spacing = if axes > 1 { (WIDE - 2.0 * SIDE) / (axes - 1) as f64 } else { 0.0 };
        let single = Self { name_rows: 1, head: NAME_ROW + END, spacing, axes };
        let mut names = picture.scales().enumerate();
        let fits = |(i, scale): (usize, &Scale<'_>)| name_width(scale.name) <= single.room(i).1 - single.room(i).0;
        if names.all(fits) {
            return single;
        }
        Self { name_rows: 2, head: 2.0 * NAME_ROW + END, ..single }
    }

    pub fn x(&self, i: usize) -> f64 {
        if self.axes > 1 { SIDE + i as f64 * self.spacing } else { WIDE / 2.0 }
    }

    pub fn y(&self, height: f64) -> f64 {
        self.head + (1.0 - height) * AXIS_HEIGHT
    }

    /// From 0 at the foot of the axes to 1 at their head; beyond both outside of them.
    pub fn height_at(&self, y: f64) -> f64 {
        1.0 - (y - self.head) / AXIS_HEIGHT
    }

    pub fn missing_y(&self) -> f64 {
        self.y(0.0) + TO_MISSING
    }

    /// From where to where the name of an axis may reach without touching its neighbours in the same row.
    fn room(&self, i: usize) -> (f64, f64) {
        let reach = if self.axes > 1 { self.name_rows as f64 * self.spacing / 2.0 - 4.0 } else { WIDE };
        ((self.x(i) - reach).max(2.0), (self.x(i) + reach).min(WIDE - 2.0))
    }
}

impl<'a> Picture<'a> {
    /// The axes from left to right.
    pub(super) fn scales(&self) -> impl Iterator<Item = &Scale<'a>> {
        self.scales.iter().chain([&self.objective])
    }
}

pub(super) fn height(picture: &Picture<'_>, legend: &Legend) -> f64 {
    let foot = if picture.scales().any(|scale| scale.has_missing) { TO_MISSING + END } else { END };
    legend.height() + Layout::of(picture).head + AXIS_HEIGHT + foot + 4.0
}

pub(super) fn legend(picture: &Picture<'_>) -> Legend {
    let (all, best) = (picture.lines.len(), picture.best);
    let mut entries = Vec::new();
    if let Some(line) = picture.lines.first() {
        let label = &line.of.label;
        let first = if label.is_empty() { "best".to_owned() } else { format!("best: {label}") };
        entries.push((Sample::Marker(Marker::Diamond, best_pen()), first));
    }
    if best > 1 {
        entries.push((Sample::Line(best_pen()), format!("best {} of {}", count(best as u64), count(all as u64))));
    }
    if all > best {
        entries.push((Sample::Line(Pen::new(Ink::Muted)), "others".to_owned()));
    }
    if !picture.faded.is_empty() {
        entries.push((Sample::Line(faded_pen()), "not picked out".to_owned()));
    }
    Legend::layout(entries, WIDE)
}

pub(super) fn draw(sheet: &Sheet, picture: &Picture<'_>, legend: &Legend) -> Drawn {
    let (top, rest) = sheet.area().split_vertically(px(legend.height()));
    legend.draw(sheet, &top)?;
    let layout = Layout::of(picture);
    for (i, scale) in picture.scales().enumerate() {
        sheet.tip(scale.name);
        path(&rest, &[(layout.x(i), layout.y(1.0)), (layout.x(i), layout.y(0.0))], Pen::new(Ink::Axis), 1.5)?;
    }
    for line in &picture.faded {
        sheet.tip(&tip(picture, line, false));
        path(&rest, &points(&layout, picture, line), faded_pen(), 1.0)?;
    }
    for (i, scale) in picture.scales().enumerate() {
        let brushes = picture.brushes.iter().filter(|brush| brush.axis == scale.name);
        for (low, high) in brushes.flat_map(|brush| scale.covered(&brush.range)) {
            let (x, head, foot) = (layout.x(i), layout.y(high) - 1.5, layout.y(low) + 1.5);
            let corners = [(px(x - BRUSH), px(head)), (px(x + BRUSH), px(foot))];
            rest.draw(&Rectangle::new(corners, Pen::new(Ink::Series(1)).opacity(0.35).area()))?;
        }
    }
    let others = if picture.lines.len() > 100 { 0.3 } else { 0.5 };
    for (rank, line) in picture.lines.iter().enumerate().rev() {
        let (pen, width) = match rank {
            0 => (best_pen(), 3.0),
            _ if rank < picture.best => (best_pen().opacity(0.6), 1.8),
            _ => (Pen::new(Ink::Muted).opacity(others), 1.0),
        };
        let points = points(&layout, picture, line);
        if rank == 0 {
            path(&rest, &points, Pen::new(Ink::Surface), 6.0)?;
        }
        sheet.tip(&tip(picture, line, rank < picture.best));
        path(&rest, &points, pen, width)?;
        // A path of one point is invisible.
        if points.len() == 1 {
            Marker::Dot.draw(&rest, points[0], pen, 2.5)?;
        }
    }
    for best in picture.lines.iter().take(1) {
        for at in points(&layout, picture, best) {
            sheet.tip(&tip(picture, best, true));
            Marker::Diamond.draw(&rest, at, best_pen(), 4.0)?;
        }
    }
    let names = names(&layout, picture);
    for (i, (scale, name)) in picture.scales().zip(&names).enumerate() {
        draw_words(sheet, &rest, &layout, i, scale, name)?;
    }
    Ok(())
}

/// The names of the axes, cut to their rooms; of those that would then read the same the ends are kept.
fn names(layout: &Layout, picture: &Picture<'_>) -> Vec<String> {
    let room = |i: usize| layout.room(i).1 - layout.room(i).0;
    let full: Vec<&str> = picture.scales().map(|scale| scale.name).collect();
    let cut: Vec<_> = full.iter().enumerate().map(|(i, name)| text::fitted(name, LAYOUT_TEXT_SIZE, room(i))).collect();
    let begins_alike = |i: usize| (0..cut.len()).any(|j| cut[j] == cut[i] && full[j] != full[i]);
    let name = |i: usize| {
        if begins_alike(i) { text::fitted_end(full[i], LAYOUT_TEXT_SIZE, room(i)) } else { cut[i].clone() }
    };
    (0..cut.len()).map(name).collect()
}

fn points(layout: &Layout, picture: &Picture<'_>, line: &Ranked<'_>) -> Vec<(f64, f64)> {
    let height = |scale: &Scale<'_>| scale.height(line.of.at(scale.axis));
    let mut points: Vec<_> = picture
        .scales
        .iter()
        .enumerate()
        .map(|(i, scale)| (layout.x(i), height(scale).map_or(layout.missing_y(), |height| layout.y(height))))
        .collect();
    let objective = picture.objective.height_of_number(line.objective);
    points.push((layout.x(picture.scales.len()), layout.y(objective)));
    points
}

/// The name as it is drawn, marks and the place of missing values of the i-th axis.
fn draw_words(sheet: &Sheet, area: &Area, layout: &Layout, i: usize, scale: &Scale<'_>, name: &str) -> Drawn {
    let x = layout.x(i);
    let row = (i % layout.name_rows) as f64;
    sheet.tip(scale.name);
    within(sheet, area, name, (x, row * NAME_ROW + 8.0), layout.room(i), Lettering::PLAIN)?;
    let width = if layout.axes > 1 { layout.spacing - 4.0 } else { WIDE };
    for (height, words) in scale.marks(width) {
        let y = layout.y(height);
        if scale.has_levels() {
            sheet.tip(&words);
            let words = text::fitted(&words, LAYOUT_TEXT_SIZE, width - 10.0);
            sheet.text(area, &words, (x + 7.0, y), Anchor::Start, Lettering::LABEL)?;
        } else {
            let beyond = if height == 0.0 { 11.0 } else { -11.0 };
            let room = (x - width / 2.0, x + width / 2.0);
            within(sheet, area, &words, (x, y + beyond), room, Lettering::LABEL)?;
        }
    }
    if scale.has_missing {
        sheet.text(area, MISSING, (x, layout.missing_y() + 13.0), Anchor::Middle, Lettering::QUIET)?;
    }
    Ok(())
}

/// A text in the middle of a place, cut and moved so that it stays within its room and the sheet.
fn within(sheet: &Sheet, area: &Area, words: &str, at: (f64, f64), room: (f64, f64), lettering: Lettering) -> Drawn {
    let (left, right) = (room.0.max(2.0), room.1.min(WIDE - 2.0));
    let words = text::fitted(words, LAYOUT_TEXT_SIZE, right - left);
    let half = name_width(&words) / 2.0;
    let x = at.0.min(right - half).max(left + half);
    sheet.text(area, &words, (x, at.1), Anchor::Middle, lettering)
}

fn path(area: &Area, points: &[(f64, f64)], pen: Pen, width: f64) -> Drawn {
    let points: Vec<_> = points.iter().map(|(x, y)| (px(*x), px(*y))).collect();
    area.draw(&PathElement::new(points, pen.line(width)))
}

/// Label and objective; the settings too for the best lines, which are the ones looked at.
fn tip(picture: &Picture<'_>, line: &Ranked<'_>, has_settings: bool) -> String {
    let mut words = format!("{}: {} {}", line.of.label, picture.objective.name, number(line.objective));
    for scale in picture.scales.iter().filter(|_| has_settings) {
        words.push_str(&format!(", {} {}", scale.name, line.of.words_at(scale.axis)));
    }
    words
}

fn name_width(name: &str) -> f64 {
    text::width(name, LAYOUT_TEXT_SIZE)
}

fn faded_pen() -> Pen {
    Pen::new(Ink::Muted).opacity(0.15)
}

fn best_pen() -> Pen {
    Pen::new(Ink::Series(0))
}
