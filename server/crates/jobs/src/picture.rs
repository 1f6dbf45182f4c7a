//! Pictures for letters: mail programs show no SVG.

use std::sync::{Arc, LazyLock};

use lettre::message::header::ContentType;
use millrace_charts::Figure;
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

/// Pixels of a unit: sharp on screens of twice the density.
const SCALE: f32 = 2.0;

pub(crate) static PNG: LazyLock<ContentType> =
    LazyLock::new(|| ContentType::parse("image/png").expect("it is a media type"));

/// The font comes with the program, so that a picture has the same bytes on every machine.
static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(epaint_default_fonts::UBUNTU_LIGHT.to_vec());
    // By whatever name it calls itself.
    let family = fonts.faces().next().and_then(|face| Some(face.families.first()?.0.clone()));
    fonts.set_sans_serif_family(family.unwrap_or_default());
    Arc::new(fonts)
});

/// A figure as PNG, in the colours of light on white.
///
/// # Errors
/// What cannot be drawn, in words.
pub(crate) fn png(svg: &str) -> Result<Vec<u8>, String> {
    let undrawn = |reason: String| format!("its picture cannot be drawn: {reason}");
    let options = Options { fontdb: Arc::clone(&FONTS), ..Options::default() };
    let tree = Tree::from_str(&Figure::without_theme(svg), &options).map_err(|error| undrawn(error.to_string()))?;
    let pixels = |units: f32| (units * SCALE).ceil() as u32;
    let mut page = Pixmap::new(pixels(tree.size().width()), pixels(tree.size().height()))
        .ok_or_else(|| undrawn("it has no size".to_owned()))?;
    page.fill(Color::WHITE);
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut page.as_mut());
    page.encode_png().map_err(|error| undrawn(error.to_string()))
}

#[cfg(test)]
mod tests {
    use millrace_charts::{Line, LineChart, Threshold, XAxis, narrow_line_chart};

    use super::*;

    #[test]
    fn a_figure_is_drawn_with_its_words_and_colours_and_to_the_same_bytes_each_time() {
        let chart = |title: &str| {
            let points = (0..20).map(|n| (f64::from(n) * 3_600.0, f64::from(n % 7) / 10.0)).collect();
            let chart = LineChart {
                title: title.to_owned(),
                x: XAxis::Time,
                y: "PSI of x".to_owned(),
                lines: vec![Line { label: title.to_owned(), points, band: Vec::new() }],
                threshold: Some(Threshold { label: "limit".to_owned(), value: 0.25 }),
                annotations: Vec::new(),
                conclusion: None,
            };
            narrow_line_chart(&chart, "alert").svg
        };
        let drawn = png(&chart("PSI of x")).unwrap();
        let page = Pixmap::decode_png(&drawn).unwrap();
        assert_eq!(page.width(), 880, "{}", page.height());
        let blue = |pixel: &resvg::tiny_skia::PremultipliedColorU8| {
            (pixel.red(), pixel.green(), pixel.blue()) == (0x25, 0x63, 0xeb)
        };
        assert!(page.pixels().iter().filter(|pixel| blue(pixel)).count() > 500, "the line has its colour");
        let dark = |svg: &str| {
            let page = Pixmap::decode_png(&png(svg).unwrap()).unwrap();
            page.pixels().iter().filter(|pixel| pixel.red() < 0x80 && pixel.blue() < 0x90).count()
        };
        let without_words: String = {
            let mut rest = chart("PSI of x");
            while let (Some(from), Some(to)) = (rest.find("<text"), rest.find("</text>")) {
                rest.replace_range(from..to + "</text>".len(), "");
            }
            rest
        };
        assert!(dark(&chart("PSI of x")) > dark(&without_words) + 300, "its words are drawn");
        assert_eq!(png(&chart("PSI of x")).unwrap(), drawn);
    }
}
