//! The sheet a figure is drawn on: a plotters drawing area whose backend writes themed SVG.
//!
//! plotters counts whole pixels; the sheet counts tenths of a user unit, so curves stay smooth when the browser scales them.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontDesc, FontFamily, FontStyle, TextStyle};

use crate::backend::{Page, SvgBackend};
use crate::escape::push_escaped;
use crate::ink::{Ink, Pen};

/// Backend pixels per user unit of the SVG.
pub(crate) const SUBPIXELS: f64 = 10.0;

/// Size of ordinary text in user units.
pub(crate) const TEXT_SIZE: f64 = 12.0;

/// Size to lay text out with: on narrow screens the theme enlarges the letters of a scaled-down figure.
pub(crate) const LAYOUT_TEXT_SIZE: f64 = 14.0;

pub(crate) type Area = DrawingArea<SvgBackend, Shift>;
pub(crate) type DrawingError = DrawingAreaErrorKind<Infallible>;
pub(crate) type Drawn = Result<(), DrawingError>;

/// User units in backend pixels.
pub(crate) fn px(units: f64) -> i32 {
    (units * SUBPIXELS).round() as i32
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lettering {
    pub ink: Ink,
    pub size: f64,
    pub bold: bool,
}

impl Lettering {
    pub const PLAIN: Self = Self { ink: Ink::Text, size: TEXT_SIZE, bold: false };
    pub const QUIET: Self = Self { ink: Ink::TextMuted, ..Self::PLAIN };
    /// Words that stand over grid lines and marks.
    pub const LABEL: Self = Self { ink: Ink::Label, ..Self::PLAIN };
    pub const BOLD: Self = Self { bold: true, ..Self::PLAIN };

    pub fn style(self, anchor: Anchor, vertical: VPos) -> TextStyle<'static> {
        let weight = if self.bold { FontStyle::Bold } else { FontStyle::Normal };
        let font = FontDesc::new(FontFamily::SansSerif, self.size * SUBPIXELS, weight);
        let pen = Pen::new(self.ink);
        let horizontal = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        TextStyle { color: plotters::style::Color::to_backend_color(&pen), ..TextStyle::from(font) }
            .pos(Pos::new(horizontal, vertical))
    }
}

pub(crate) struct Sheet {
    width: f64,
    height: f64,
    page: Rc<RefCell<Page>>,
}

impl Sheet {
    pub fn new(width: f64, height: f64) -> Self {
        Self { width, height, page: Rc::new(RefCell::new(Page::default())) }
    }

    pub fn width(&self) -> f64 {
        self.width
    }

    /// The whole sheet as a drawing area.
    pub fn area(&self) -> Area {
        let size = (px(self.width).unsigned_abs(), px(self.height).unsigned_abs());
        SvgBackend::new(Rc::clone(&self.page), size).into_drawing_area()
    }

    /// Gives the next mark a text that the browser shows on hover and reads aloud on focus.
    pub fn tip(&self, text: &str) {
        self.page.borrow_mut().set_tip(text);
    }

    /// What `draw` draws leads to a place of the page, if there is one.
    pub fn linked(&self, place: Option<&str>, draw: impl FnOnce() -> Drawn) -> Drawn {
        let Some(place) = place else { return draw() };
        self.page.borrow_mut().begin_link(&format!("#{place}"));
        let drawn = draw();
        self.page.borrow_mut().end_link();
        drawn
    }

    /// A place that has words and is seen only while it is read, in user units.
    pub fn reading(&self, at: (f64, f64), words: &str) {
        self.page.borrow_mut().reading(at, words);
    }

    /// A text at a point of `area` given in user units, vertically centred.
    pub fn text(&self, area: &Area, text: &str, at: (f64, f64), anchor: Anchor, lettering: Lettering) -> Drawn {
        area.draw_text(text, &lettering.style(anchor, VPos::Center), (px(at.0), px(at.1)))
    }

    /// The document, named and described for people who don't see it.
    pub fn into_svg(self, id: &str, class: &str, title: &str, description: &str) -> String {
        let Self { width, height, page } = self;
        let page = page.borrow();
        // A picture that is one to assistive technology hides the links in it.
        let role = if page.has_links() { "group" } else { "img" };
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart {class}\" viewBox=\"0 0 {width} {height}\" width=\"100%\" \
             role=\"{role}\" aria-labelledby=\"{id}-title {id}-desc\" font-family=\"system-ui,sans-serif\">\
             <title id=\"{id}-title\">"
        );
        push_escaped(&mut out, title);
        out.push_str(&format!("</title><desc id=\"{id}-desc\">"));
        push_escaped(&mut out, description);
        out.push_str("</desc>");
        out.push_str(page.body());
        out.push_str("</svg>");
        out
    }
}
