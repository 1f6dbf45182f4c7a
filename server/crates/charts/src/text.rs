//! How wide a text will be, without a font: the browser picks the font long after the layout is made.
//!
//! The widths are those of common system sans-serif faces in em, by class of character, rounded up, so that a box is rather a
//! little too wide than too narrow.

const NARROW: &str = "iIjl.,:;'|!()[]{}ft-−\u{202f} /\\";
const WIDE: &str = "mwMW@%—…";

/// Estimated width of `text` at `size` user units per em.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(em_width).sum::<f64>() * size
}

/// `text` itself if it fits into `room`, else its beginning and an ellipsis.
pub(crate) fn fitted(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut used = em_width('…') * size;
    let mut out = String::new();
    for c in text.chars() {
        used += em_width(c) * size;
        if used > room {
            break;
        }
        out.push(c);
    }
    out.truncate(out.trim_end().len());
    out.push('…');
    out
}

/// Like [`fitted`], but what is kept is the end: for names that begin alike.
pub(crate) fn fitted_end(text: &str, size: f64, room: f64) -> String {
    let reversed: String = text.chars().rev().collect();
    fitted(&reversed, size, room).chars().rev().collect()
}

fn em_width(c: char) -> f64 {
    match c {
        c if NARROW.contains(c) => 0.36,
        c if WIDE.contains(c) => 0.92,
        c if c.is_ascii_uppercase() => 0.7,
        c if c.is_ascii_digit() => 0.63,
        c if c.is_ascii() => 0.6,
        c if (c as u32) < 0x2e80 => 0.65,
        _ => 1.05,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_fits_is_kept() {
        assert_eq!(fitted("tenure", 12.0, 100.0), "tenure");
    }

    #[test]
    fn a_long_text_ends_in_an_ellipsis_and_fits() {
        let text = fitted(&"w".repeat(80), 12.0, 100.0);
        assert!(text.ends_with('…'));
        assert!(width(&text, 12.0) <= 100.0);
    }

    #[test]
    fn a_text_can_keep_its_end() {
        assert_eq!(fitted_end("preprocessing.step_3", 12.0, 55.0), "…step_3");
    }
}
