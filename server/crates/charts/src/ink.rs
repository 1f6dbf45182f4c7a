//! Ink: the role a mark plays, in place of a colour.
//!
//! plotters knows colours as RGB triples only. A [`Pen`] hides its role and dash pattern in such a triple on the way in, and
//! the backend reads them out on the way out, so a figure never holds a colour: the theme decides at display time.

use plotters::style::{Color, RGBAColor, ShapeStyle};
use plotters_backend::BackendColor;

use crate::sheet::px;

/// How many series colours the theme has; further series start over with another dash pattern.
pub const SERIES_COLOURS: usize = 8;

/// What a mark means. The theme gives every role a colour for light and for dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// The n-th data series, from 0, modulo [`SERIES_COLOURS`].
    Series(u8),
    /// A verdict or direction that is wanted.
    Good,
    /// A verdict or direction that needs a look.
    Warn,
    /// A verdict or direction that is not wanted.
    Bad,
    /// A mark that gives context: references, other trials, waiting time.
    Muted,
    /// Words that carry the message.
    Text,
    /// Words that give context: tick labels, axis titles.
    TextMuted,
    /// Words over marks: drawn with a halo in the colour of the background.
    Label,
    /// Grid lines.
    Grid,
    /// Axis lines.
    Axis,
    /// The background, for halos that separate overlapping marks.
    Surface,
}

/// Dash patterns tell series apart without colour. The lengths are in user units of the figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dash {
    Solid,
    Dashed,
    Dotted,
    Mixed,
    Long,
}

/// A role with its dash pattern and opacity: what a mark is drawn with.
#[derive(Debug, Clone, Copy)]
pub struct Pen {
    pub ink: Ink,
    pub dash: Dash,
    pub opacity: f64,
}

impl Ink {
    /// Class of marks in this ink.
    pub fn class(self) -> &'static str {
        const SERIES: [&str; SERIES_COLOURS] = [
            "chart-series-1",
            "chart-series-2",
            "chart-series-3",
            "chart-series-4",
            "chart-series-5",
            "chart-series-6",
            "chart-series-7",
            "chart-series-8",
        ];
        match self {
            Ink::Series(n) => SERIES[usize::from(n) % SERIES_COLOURS],
            Ink::Good => "chart-good",
            Ink::Warn => "chart-warn",
            Ink::Bad => "chart-bad",
            Ink::Muted => "chart-muted",
            Ink::Text => "chart-text",
            Ink::TextMuted => "chart-text-muted",
            Ink::Label => "chart-label",
            Ink::Grid => "chart-grid",
            Ink::Axis => "chart-axis",
            Ink::Surface => "chart-surface",
        }
    }

    /// The theme's token, with the light value for a figure that is opened without the theme.
    /// A test holds the values equal to those of `style/tokens.css`.
    pub fn paint(self) -> &'static str {
        const SERIES: [&str; SERIES_COLOURS] = [
            "var(--chart-1,#2563eb)",
            "var(--chart-2,#c2410c)",
            "var(--chart-3,#0f766e)",
            "var(--chart-4,#9333ea)",
            "var(--chart-5,#a16207)",
            "var(--chart-6,#be185d)",
            "var(--chart-7,#0369a1)",
            "var(--chart-8,#4d7c0f)",
        ];
        match self {
            Ink::Series(n) => SERIES[usize::from(n) % SERIES_COLOURS],
            Ink::Good => "var(--chart-good,#15803d)",
            Ink::Warn => "var(--chart-warn,#b45309)",
            Ink::Bad => "var(--chart-bad,#c62828)",
            Ink::Muted => "var(--chart-muted,#7b8492)",
            Ink::Text | Ink::Label => "var(--chart-text,#1b2027)",
            Ink::TextMuted => "var(--chart-text-muted,#5a6472)",
            Ink::Grid => "var(--chart-grid,#e6e9ee)",
            Ink::Axis => "var(--chart-axis,#98a1ae)",
            Ink::Surface => "var(--chart-surface,#ffffff)",
        }
    }

    fn code(self) -> (u8, u8) {
        match self {
            Ink::Series(n) => (0, n),
            Ink::Good => (1, 0),
            Ink::Warn => (2, 0),
            Ink::Bad => (3, 0),
            Ink::Muted => (4, 0),
            Ink::Text => (5, 0),
            Ink::TextMuted => (6, 0),
            Ink::Grid => (7, 0),
            Ink::Axis => (8, 0),
            Ink::Surface => (9, 0),
            Ink::Label => (10, 0),
        }
    }

    fn from_code(kind: u8, index: u8) -> Self {
        match kind {
            0 => Ink::Series(index),
            1 => Ink::Good,
            2 => Ink::Warn,
            3 => Ink::Bad,
            4 => Ink::Muted,
            6 => Ink::TextMuted,
            7 => Ink::Grid,
            8 => Ink::Axis,
            9 => Ink::Surface,
            10 => Ink::Label,
            _ => Ink::Text,
        }
    }
}

impl Dash {
    const ALL: [Dash; 5] = [Dash::Solid, Dash::Dashed, Dash::Dotted, Dash::Mixed, Dash::Long];

    /// The pattern of the n-th series: the first is solid, neighbours differ.
    pub fn of_series(n: usize) -> Self {
        Self::ALL[n % Self::ALL.len()]
    }

    /// Value of `stroke-dasharray`, where one is needed.
    pub fn pattern(self) -> Option<&'static str> {
        match self {
            Dash::Solid => None,
            Dash::Dashed => Some("6 3"),
            Dash::Dotted => Some("1.5 3"),
            Dash::Mixed => Some("8 3 2 3"),
            Dash::Long => Some("12 4"),
        }
    }
}

impl Pen {
    pub fn new(ink: Ink) -> Self {
        Self { ink, dash: Dash::Solid, opacity: 1.0 }
    }

    /// Colour and dash of the n-th series.
    pub fn series(n: usize) -> Self {
        let colour = u8::try_from(n % SERIES_COLOURS).unwrap_or(0);
        Self::new(Ink::Series(colour)).dashed(Dash::of_series(n))
    }

    pub fn dashed(self, dash: Dash) -> Self {
        Self { dash, ..self }
    }

    pub fn opacity(self, opacity: f64) -> Self {
        Self { opacity, ..self }
    }

    /// A line of this width in user units.
    pub fn line(self, width: f64) -> ShapeStyle {
        ShapeStyle { color: self.rgba(), filled: false, stroke_width: px(width).unsigned_abs() }
    }

    /// A filled area.
    pub fn area(self) -> ShapeStyle {
        ShapeStyle { color: self.rgba(), filled: true, stroke_width: 0 }
    }

    /// The pen hidden in a colour that went through plotters.
    pub fn from_backend(color: BackendColor) -> Self {
        let (kind, index, dash) = color.rgb;
        Self { ink: Ink::from_code(kind, index), dash: Dash::of_series(usize::from(dash)), opacity: color.alpha }
    }

    fn rgba(self) -> RGBAColor {
        let (kind, index) = self.ink.code();
        RGBAColor(kind, index, self.dash as u8, self.opacity)
    }
}

impl Color for Pen {
    fn to_backend_color(&self) -> BackendColor {
        self.rgba().to_backend_color()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pen_survives_the_way_through_plotters() {
        for n in 0..20 {
            let pen = Pen::series(n).opacity(0.5);
            let back = Pen::from_backend(pen.to_backend_color());
            assert_eq!((back.ink, back.dash, back.opacity), (pen.ink, pen.dash, 0.5));
        }
        for ink in [
            Ink::Good,
            Ink::Warn,
            Ink::Bad,
            Ink::Muted,
            Ink::Text,
            Ink::TextMuted,
            Ink::Label,
            Ink::Grid,
            Ink::Axis,
            Ink::Surface,
        ] {
            assert_eq!(Pen::from_backend(Pen::new(ink).to_backend_color()).ink, ink);
        }
    }

    #[test]
    fn neighbouring_series_differ_in_colour_and_in_dash() {
        for n in 0..16 {
            assert_ne!(Pen::series(n).ink, Pen::series(n + 1).ink);
            assert_ne!(Pen::series(n).dash, Pen::series(n + 1).dash);
        }
    }
}
