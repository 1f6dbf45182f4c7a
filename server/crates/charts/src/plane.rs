//! The plane: a plotting area with two axes, its grid and tick labels drawn, ready for marks.

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::cartesian::Cartesian2d;
use plotters::element::{PathElement, Polygon, Rectangle};
use plotters::style::text_anchor::VPos;

use crate::axis::Axis;
use crate::backend::SvgBackend;
use crate::ink::{Ink, Pen};
use crate::marker::Marker;
use crate::number::is_plottable;
use crate::sheet::{Anchor, Area, DrawingError, Drawn, LAYOUT_TEXT_SIZE, Lettering, Sheet, px};
use crate::text;

/// Widest room that tick labels of the vertical axis may take; longer ones are cut with an ellipsis.
const WIDEST_LABEL: f64 = 170.0;

const GAP: f64 = 6.0;

pub(crate) struct Plane<'s> {
    sheet: &'s Sheet,
    chart: ChartContext<'s, SvgBackend, Cartesian2d<Axis, Axis>>,
    x: Axis,
    y: Axis,
}

impl<'s> Plane<'s> {
    /// Draws axes and grid into `area`. The title of the vertical axis stands above it, where it reads without turning the head.
    pub fn draw(sheet: &'s Sheet, area: &Area, x: Axis, y: Axis) -> Result<Self, DrawingError> {
        let left = label_room(&y);
        Self::draw_with_margin(sheet, area, x, y, left)
    }

    /// Like [`Plane::draw`], with the left margin that the labels of `other` would need if they are wider: planes that stand below
    /// each other and share their horizontal axis.
    pub fn draw_aligned(sheet: &'s Sheet, area: &Area, x: Axis, y: Axis, other: &Axis) -> Result<Self, DrawingError> {
        let left = label_room(&y).max(label_room(other));
        Self::draw_with_margin(sheet, area, x, y, left)
    }

    fn draw_with_margin(sheet: &'s Sheet, area: &Area, x: Axis, y: Axis, left: f64) -> Result<Self, DrawingError> {
        let top = if y.title.is_empty() { 8.0 } else { 30.0 };
        if !y.title.is_empty() {
            sheet.text(area, &y.title, (4.0, 11.0), Anchor::Start, Lettering::QUIET)?;
        }
        let bottom = if x.title.is_empty() { 24.0 } else { 42.0 };
        let last_label = x.ticks.last().map_or(0.0, |(_, t)| text::width(t, LAYOUT_TEXT_SIZE));
        let mut chart = ChartBuilder::on(area)
            .margin_top(px(top))
            .margin_right(px((last_label / 2.0).clamp(8.0, 40.0)))
            .x_label_area_size(px(bottom))
            .y_label_area_size(px(left))
            .build_cartesian_2d(x.clone(), y.clone().fitted(LAYOUT_TEXT_SIZE, left - GAP))?;

        let grid = Pen::new(Ink::Grid).line(1.0);
        let hidden = Pen::new(Ink::Axis).opacity(0.0).line(1.0);
        let lettering = Lettering::QUIET.style(Anchor::Middle, VPos::Center);
        let mut mesh = chart.configure_mesh();
        mesh.bold_line_style(grid)
            .light_line_style(hidden)
            .axis_style(hidden)
            .set_all_tick_mark_size(px(GAP / 2.0))
            .label_style(lettering.clone())
            .axis_desc_style(lettering);
        if !x.title.is_empty() {
            mesh.x_desc(x.title.clone());
        }
        if !x.grid {
            mesh.disable_x_mesh();
        }
        if !y.grid {
            mesh.disable_y_mesh();
        }
        mesh.draw()?;
        Ok(Self { sheet, chart, x, y })
    }

    /// A line along the foot of the plane.
    pub fn baseline(&self) -> Drawn {
        let at = self.y.low;
        self.line(&[(self.x.low, at), (self.x.high, at)], Pen::new(Ink::Axis), 1.0)
    }

    /// A polyline. Points that can't be placed break it into pieces; a piece of one point becomes a dot.
    pub fn line(&self, points: &[(f64, f64)], pen: Pen, width: f64) -> Drawn {
        for piece in points.split(|(x, y)| !is_plottable(*x) || !is_plottable(*y)) {
            match piece {
                [] => {}
                [only] => self.marker(*only, Marker::Dot, pen, 2.5)?,
                _ => self.chart.plotting_area().draw(&PathElement::new(piece.to_vec(), pen.line(width)))?,
            }
        }
        Ok(())
    }

    /// A filled rectangle between two corners.
    pub fn rectangle(&self, corners: [(f64, f64); 2], pen: Pen) -> Drawn {
        self.chart.plotting_area().draw(&Rectangle::new(corners, pen.area()))
    }

    /// The outline of a rectangle between two corners.
    pub fn outline(&self, corners: [(f64, f64); 2], pen: Pen, width: f64) -> Drawn {
        self.chart.plotting_area().draw(&Rectangle::new(corners, pen.line(width)))
    }

    /// A filled area, for bands of uncertainty and areas under a line.
    pub fn area(&self, corners: &[(f64, f64)], pen: Pen) -> Drawn {
        self.chart.plotting_area().draw(&Polygon::new(corners.to_vec(), pen.area()))
    }

    pub fn marker(&self, at: (f64, f64), marker: Marker, pen: Pen, radius: f64) -> Drawn {
        if !self.x.contains(at.0) || !self.y.contains(at.1) {
            return Ok(());
        }
        let (x, y) = self.place(at);
        marker.draw(&self.page(), (x, y), pen, radius)
    }

    /// Words at points of a line that has too many of them for a marker at each.
    pub fn readings(&self, points: &[(f64, f64)], words: impl Fn((f64, f64)) -> String) {
        for point in points {
            self.sheet.reading(self.place(*point), &words(*point));
        }
    }

    /// A text beside a point of the plane, moved by an offset in user units.
    pub fn text(&self, at: (f64, f64), offset: (f64, f64), text: &str, anchor: Anchor, lettering: Lettering) -> Drawn {
        let (x, y) = self.place(at);
        self.sheet.text(&self.page(), text, (x + offset.0, y + offset.1), anchor, lettering)
    }

    /// Where a point of the plane lies on the sheet, in user units.
    pub fn place(&self, at: (f64, f64)) -> (f64, f64) {
        let (x, y) = self.chart.plotting_area().map_coordinate(&at);
        (f64::from(x) / crate::sheet::SUBPIXELS, f64::from(y) / crate::sheet::SUBPIXELS)
    }

    fn page(&self) -> Area {
        self.sheet.area()
    }
}

fn label_room(axis: &Axis) -> f64 {
    let widest = axis.ticks.iter().map(|(_, text)| text::width(text, LAYOUT_TEXT_SIZE)).fold(0.0, f64::max);
    widest.clamp(14.0, WIDEST_LABEL) + GAP + 2.0
}
