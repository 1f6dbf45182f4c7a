//! plotters' drawing calls as SVG elements.
//!
//! Every element carries the class of its ink and presentation attributes that name a token of the theme. There is no `style`
//! attribute and no `<style>` element: the content security policy of the application blocks both.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::Write;
use std::rc::Rc;

use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontStyle,
    FontTransform,
};

use crate::escape::push_escaped;
use crate::ink::{Ink, Pen};
use crate::sheet::SUBPIXELS;
use crate::text;

type Outcome = Result<(), DrawingErrorKind<Infallible>>;

/// Radius of a dot that is read, in user units.
const READING: f64 = 4.0;

/// Height of a line of text in em.
const LINE_HEIGHT: f64 = 1.25;

/// What has been drawn so far.
#[derive(Default)]
pub(crate) struct Page {
    body: String,
    tip: Option<String>,
    has_links: bool,
}

impl Page {
    pub fn body(&self) -> &str {
        &self.body
    }

    pub fn set_tip(&mut self, text: &str) {
        self.tip = Some(text.to_owned());
    }

    /// Whether anything leads somewhere.
    pub fn has_links(&self) -> bool {
        self.has_links
    }

    /// What is drawn from here on leads to a place, until [`Self::end_link`].
    pub fn begin_link(&mut self, href: &str) {
        self.has_links = true;
        self.body.push_str("<a href=\"");
        push_escaped(&mut self.body, href);
        self.body.push_str("\">");
    }

    pub fn end_link(&mut self) {
        self.body.push_str("</a>");
    }

    /// Writes a dot with words that the theme shows while it is read.
    pub fn reading(&mut self, (x, y): (f64, f64), words: &str) {
        self.set_tip(words);
        self.element("circle", &format!(" cx=\"{x}\" cy=\"{y}\" r=\"{READING}\" class=\"reading\" fill=\"none\""));
    }

    /// Writes one element, and the pending tip as its title.
    fn element(&mut self, name: &str, attributes: &str) {
        self.body.push('<');
        self.body.push_str(name);
        self.body.push_str(attributes);
        match self.tip.take() {
            None => self.body.push_str("/>"),
            Some(tip) => {
                self.body.push('>');
                push_title(&mut self.body, &tip);
                push(&mut self.body, format_args!("</{name}>"));
            }
        }
    }
}

/// Draws onto a page that its owner reads afterwards: plotters takes the backend for itself.
pub(crate) struct SvgBackend {
    page: Rc<RefCell<Page>>,
    size: (u32, u32),
}

impl SvgBackend {
    pub fn new(page: Rc<RefCell<Page>>, size: (u32, u32)) -> Self {
        Self { page, size }
    }

    fn shape(&self, name: &str, geometry: &str, paint: &str) -> Outcome {
        self.page.borrow_mut().element(name, &format!("{geometry}{paint}"));
        Ok(())
    }
}

impl DrawingBackend for SvgBackend {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Outcome {
        Ok(())
    }

    fn present(&mut self) -> Outcome {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Outcome {
        self.draw_rect((x, y), (x + 1, y + 1), &color, true)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Outcome {
        let Some(paint) = stroke(style) else { return Ok(()) };
        let geometry =
            format!(" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"", units(from.0), units(from.1), units(to.0), units(to.1));
        self.shape("line", &geometry, &paint)
    }

    fn draw_rect<S: BackendStyle>(&mut self, a: BackendCoord, b: BackendCoord, style: &S, fill: bool) -> Outcome {
        let Some(paint) = paint(style, fill) else {
            return Ok(());
        };
        let geometry = format!(
            " x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"",
            units(a.0.min(b.0)),
            units(a.1.min(b.1)),
            units((a.0 - b.0).abs()),
            units((a.1 - b.1).abs())
        );
        self.shape("rect", &geometry, &paint)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Outcome {
        let Some(paint) = stroke(style) else { return Ok(()) };
        self.shape("polyline", &points(path), &paint)
    }

    fn draw_circle<S: BackendStyle>(&mut self, center: BackendCoord, radius: u32, style: &S, fill: bool) -> Outcome {
        let Some(paint) = paint(style, fill) else {
            return Ok(());
        };
        let geometry =
            format!(" cx=\"{}\" cy=\"{}\" r=\"{}\"", units(center.0), units(center.1), f64::from(radius) / SUBPIXELS);
        self.shape("circle", &geometry, &paint)
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, vert: I, style: &S) -> Outcome {
        let Some(paint) = paint(style, true) else {
            return Ok(());
        };
        self.shape("polygon", &points(vert), &paint)
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Outcome {
        let pen = Pen::from_backend(style.color());
        if text.is_empty() || pen.opacity == 0.0 {
            return Ok(());
        }
        let size = style.size() / SUBPIXELS;
        let anchor = style.anchor();
        let (x, y) = (f64::from(x) / SUBPIXELS, f64::from(y) / SUBPIXELS);
        let baseline = match anchor.v_pos {
            VPos::Top => 0.95,
            VPos::Center => 0.35,
            VPos::Bottom => -0.25,
        };
        let (angle, x, y) = match style.transform() {
            FontTransform::None => (0, x, y),
            FontTransform::Rotate90 => (90, x, y),
            FontTransform::Rotate180 => (180, x, y),
            FontTransform::Rotate270 => (-90, x, y),
        };
        let mut page = self.page.borrow_mut();
        let tip = page.tip.take();
        let body = &mut page.body;
        body.push_str("<text");
        push(body, format_args!(" x=\"{x}\" y=\"{y}\" dy=\"{baseline}em\" font-size=\"{size}\""));
        push(body, format_args!(" class=\"{}\" fill=\"{}\"", pen.ink.class(), pen.ink.paint()));
        if pen.ink == Ink::Label {
            push(
                body,
                format_args!(
                    " stroke=\"{}\" stroke-width=\"3\" stroke-linejoin=\"round\" paint-order=\"stroke\"",
                    Ink::Surface.paint()
                ),
            );
        }
        match anchor.h_pos {
            HPos::Left => {}
            HPos::Center => body.push_str(" text-anchor=\"middle\""),
            HPos::Right => body.push_str(" text-anchor=\"end\""),
        }
        if matches!(style.style(), FontStyle::Bold) {
            body.push_str(" font-weight=\"600\"");
        }
        if angle != 0 {
            push(body, format_args!(" transform=\"rotate({angle} {x} {y})\""));
        }
        body.push('>');
        if let Some(tip) = tip {
            push_title(body, &tip);
        }
        push_escaped(body, text);
        body.push_str("</text>");
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Self::ErrorType>> {
        let width = text::width(text, style.size()).ceil();
        Ok((width as u32, (style.size() * LINE_HEIGHT).ceil() as u32))
    }

    /// Figures hold no bitmaps; one handed over by mistake shows as its frame.
    fn blit_bitmap(&mut self, pos: BackendCoord, (width, height): (u32, u32), _: &[u8]) -> Outcome {
        let corner = (pos.0.saturating_add_unsigned(width), pos.1.saturating_add_unsigned(height));
        self.draw_rect(pos, corner, &Pen::new(Ink::Muted).line(1.0), false)
    }
}

fn paint<S: BackendStyle>(style: &S, fill: bool) -> Option<String> {
    if !fill {
        return stroke(style);
    }
    let pen = Pen::from_backend(style.color());
    if pen.opacity == 0.0 {
        return None;
    }
    let mut out = format!(" class=\"{}\" fill=\"{}\"", pen.ink.class(), pen.ink.paint());
    if pen.opacity < 1.0 {
        push(&mut out, format_args!(" fill-opacity=\"{}\"", pen.opacity));
    }
    Some(out)
}

fn stroke<S: BackendStyle>(style: &S) -> Option<String> {
    let pen = Pen::from_backend(style.color());
    if pen.opacity == 0.0 || style.stroke_width() == 0 {
        return None;
    }
    let mut out = format!(
        " class=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"",
        pen.ink.class(),
        pen.ink.paint(),
        f64::from(style.stroke_width()) / SUBPIXELS
    );
    if pen.opacity < 1.0 {
        push(&mut out, format_args!(" stroke-opacity=\"{}\"", pen.opacity));
    }
    if let Some(pattern) = pen.dash.pattern() {
        push(&mut out, format_args!(" stroke-dasharray=\"{pattern}\""));
    }
    Some(out)
}

fn points(path: impl IntoIterator<Item = BackendCoord>) -> String {
    let mut out = String::from(" points=\"");
    for (i, (x, y)) in path.into_iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        push(&mut out, format_args!("{},{}", units(x), units(y)));
    }
    out.push_str("\" stroke-linejoin=\"round\"");
    out
}

fn push_title(out: &mut String, tip: &str) {
    out.push_str("<title>");
    push_escaped(out, tip);
    out.push_str("</title>");
}

fn units(pixels: i32) -> f64 {
    f64::from(pixels) / SUBPIXELS
}

fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("a String takes any text");
}
