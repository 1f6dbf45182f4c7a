//! Figures: values in, themed SVG out.
//!
//! A *figure* is a picture with its conclusion in words and the numbers behind it ([`Figure`]). Every function of this crate takes a
//! struct of values and an id prefix and returns one; nothing fails: values that are not finite are left out and counted in the
//! caption, and nothing to draw becomes a figure that says so.
//!
//! The pictures hold no colour. Marks carry a class and name a custom property of the theme (`--chart-1`, `--chart-good`, …), so
//! light, dark and print are the page's choice, also after rendering. Colour is never the only code: series differ in dash and
//! marker, signs and verdicts in shape and text. Marks worth reading carry a `<title>`, which a browser shows after a while and a page
//! with scripts at once.
//!
//! Same values, same bytes: no clock, no locale, no font is asked, and the crate compiles to wasm. To add a figure, write a module
//! under `figures` that turns its values into a [`Draft`](figure::Draft) and draws it on a [`Plane`](plane::Plane).

mod axis;
mod backend;
mod escape;
mod figure;
mod figures;
mod ink;
mod legend;
mod marker;
mod number;
mod plane;
mod sheet;
mod text;
mod thin;
mod utc;

pub use figure::Figure;
pub use figures::*;
pub use number::{count, duration, number, percent, signed};
