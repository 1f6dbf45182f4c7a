//! Legends: sample and name, in rows that wrap.

use plotters::element::{PathElement, Rectangle};

use crate::ink::Pen;
use crate::marker::Marker;
use crate::sheet::{Anchor, Area, Drawn, LAYOUT_TEXT_SIZE, Lettering, Sheet, px};
use crate::text;

const ROW: f64 = 19.0;
const SAMPLE: f64 = 22.0;
const GAP: f64 = 6.0;
const BETWEEN: f64 = 16.0;

pub(crate) enum Sample {
    Line(Pen),
    Swatch(Pen),
    Marker(Marker, Pen),
}

pub(crate) struct Legend {
    rows: Vec<Vec<(Sample, String, f64)>>,
}

impl Legend {
    /// Lays the entries out for a sheet of this width; entries with an empty name are left away.
    pub fn layout(entries: Vec<(Sample, String)>, sheet_width: f64) -> Self {
        let room = sheet_width - 8.0;
        let mut rows: Vec<Vec<(Sample, String, f64)>> = Vec::new();
        let mut used = f64::INFINITY;
        for (sample, name) in entries.into_iter().filter(|(_, name)| !name.is_empty()) {
            let name = text::fitted(&name, LAYOUT_TEXT_SIZE, room - SAMPLE - GAP);
            let width = SAMPLE + GAP + text::width(&name, LAYOUT_TEXT_SIZE) + BETWEEN;
            match rows.last_mut() {
                Some(row) if used + width - BETWEEN <= room => {
                    row.push((sample, name, used));
                    used += width;
                }
                _ => {
                    rows.push(vec![(sample, name, 0.0)]);
                    used = width;
                }
            }
        }
        Self { rows }
    }

    /// Height it takes, in user units.
    pub fn height(&self) -> f64 {
        if self.rows.is_empty() { 0.0 } else { self.rows.len() as f64 * ROW + 4.0 }
    }

    pub fn draw(&self, sheet: &Sheet, area: &Area) -> Drawn {
        for (i, row) in self.rows.iter().enumerate() {
            let y = i as f64 * ROW + ROW / 2.0 + 1.0;
            for (sample, name, x) in row {
                let x = x + 4.0;
                draw_sample(area, sample, x, y)?;
                sheet.text(area, name, (x + SAMPLE + GAP, y), Anchor::Start, Lettering::PLAIN)?;
            }
        }
        Ok(())
    }
}

fn draw_sample(area: &Area, sample: &Sample, x: f64, y: f64) -> Drawn {
    match sample {
        Sample::Line(pen) => {
            let ends = vec![(px(x), px(y)), (px(x + SAMPLE), px(y))];
            area.draw(&PathElement::new(ends, pen.line(2.0)))
        }
        Sample::Swatch(pen) => {
            let corners = [(px(x + SAMPLE - 14.0), px(y - 5.0)), (px(x + SAMPLE - 2.0), px(y + 5.0))];
            area.draw(&Rectangle::new(corners, pen.area()))
        }
        Sample::Marker(marker, pen) => marker.draw(area, (x + SAMPLE - 8.0, y), *pen, 4.0),
    }
}
