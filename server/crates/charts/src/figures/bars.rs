//! Horizontal bars: feature importance, coefficients.

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::figure::{Draft, Figure, NARROW, header, no_data};
use crate::ink::{Ink, Pen};
use crate::number::{counted, is_plottable, left_out, number, signed};
use crate::plane::Plane;
use crate::sheet::{Anchor, Drawn, LAYOUT_TEXT_SIZE, Lettering, Sheet};
use crate::text;

/// Bars drawn; the rest stands in the table.
const DRAWN_BARS: usize = 25;

const ROW: f64 = 22.0;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Bar {
    pub label: String,
    pub value: f64,
    /// Interval of uncertainty, drawn as a whisker.
    pub interval: Option<(f64, f64)>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HorizontalBars {
    pub title: String,
    /// What the length is, e.g. `gain`, `coefficient`, `ROC AUC`.
    pub quantity: String,
    pub bars: Vec<Bar>,
    /// Draws positive and negative bars in two colours and writes the signs: for coefficients and directions.
    pub is_signed: bool,
}

/// Bars by size of their absolute value, largest on top.
pub fn horizontal_bars(values: &HorizontalBars, id_prefix: &str) -> Figure {
    let title = if values.title.is_empty() { "Bars" } else { &values.title };
    let mut bars: Vec<&Bar> = values.bars.iter().filter(|bar| is_plottable(bar.value)).collect();
    let dropped = values.bars.len() - bars.len();
    if bars.is_empty() {
        return no_data(id_prefix, title, left_out(dropped).trim_start());
    }
    bars.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()).then_with(|| a.label.cmp(&b.label)));
    let shown = &bars[..bars.len().min(DRAWN_BARS)];
    Draft {
        id: id_prefix,
        title,
        caption: format!("{}{}", conclusion(values, &bars, shown.len()), left_out(dropped)),
        header: header(&["Name", quantity(values), "Interval"]),
        table: bars.iter().map(|bar| row(values, bar)).collect(),
        width: NARROW,
        height: shown.len() as f64 * ROW + 56.0,
    }
    .draw(|sheet| draw(sheet, values, shown))
}

fn draw(sheet: &Sheet, values: &HorizontalBars, bars: &[&Bar]) -> Drawn {
    let x = value_axis(values, bars);
    let names = bars.iter().map(|bar| bar.label.clone());
    let plane = Plane::draw(sheet, &sheet.area(), x.clone(), Axis::names("", names).reversed())?;
    for (i, bar) in bars.iter().enumerate() {
        let at = i as f64;
        let words = words(values, bar.value);
        sheet.tip(&format!("{}: {words}", bar.label));
        plane.rectangle([(0.0, at - 0.32), (bar.value, at + 0.32)], pen(values, bar.value))?;
        let mut end = bar.value;
        if let Some((low, high)) = bar.interval.filter(|(low, high)| is_plottable(*low) && is_plottable(*high)) {
            plane.line(&[(low, at), (high, at)], Pen::new(Ink::Text), 1.5)?;
            for tip in [low, high] {
                plane.line(&[(tip, at - 0.18), (tip, at + 0.18)], Pen::new(Ink::Text), 1.5)?;
            }
            end = if bar.value < 0.0 { low.min(end) } else { high.max(end) };
        }
        let (dx, anchor) = if bar.value < 0.0 { (-5.0, Anchor::End) } else { (5.0, Anchor::Start) };
        plane.text((end, at), (dx, 0.0), &words, anchor, Lettering::LABEL)?;
    }
    let ends = |at: f64| [(at, -0.5), (at, bars.len() as f64 - 0.5)];
    plane.line(&ends(0.0), Pen::new(Ink::Axis), 1.0)
}

/// Holds all bars and whiskers, with room for the numbers behind the ends.
fn value_axis(values: &HorizontalBars, bars: &[&Bar]) -> Axis {
    let ends: Vec<f64> = bars
        .iter()
        .flat_map(|bar| {
            let (low, high) = bar.interval.unwrap_or((bar.value, bar.value));
            [bar.value, low, high]
        })
        .chain([0.0])
        .filter(|v| is_plottable(*v))
        .collect();
    let low = ends.iter().copied().fold(0.0, f64::min);
    let high = ends.iter().copied().fold(0.0, f64::max);
    let widest =
        bars.iter().map(|bar| text::width(&words(values, bar.value), LAYOUT_TEXT_SIZE) + 8.0).fold(0.0, f64::max);
    let per_unit = (high - low) / (NARROW * 0.5);
    let room = |is_used: bool| if is_used { widest * per_unit } else { 0.0 };
    let low = low - room(bars.iter().any(|bar| bar.value < 0.0));
    let high = high + room(bars.iter().any(|bar| bar.value >= 0.0));
    Axis::tight(quantity(values), [low, high], 5, 0.0)
}

fn quantity(values: &HorizontalBars) -> &str {
    if values.quantity.is_empty() { "Value" } else { &values.quantity }
}

fn words(values: &HorizontalBars, value: f64) -> String {
    if values.is_signed { signed(value) } else { number(value) }
}

fn pen(values: &HorizontalBars, value: f64) -> Pen {
    let ink = if values.is_signed && value < 0.0 { Ink::Series(1) } else { Ink::Series(0) };
    Pen::new(ink).opacity(0.8)
}

fn row(values: &HorizontalBars, bar: &Bar) -> Vec<String> {
    let interval =
        bar.interval.map_or_else(|| "–".to_owned(), |(low, high)| format!("{} to {}", number(low), number(high)));
    vec![bar.label.clone(), words(values, bar.value), interval]
}

fn conclusion(values: &HorizontalBars, bars: &[&Bar], shown: usize) -> String {
    let first = bars[0];
    let mut words = format!("Largest: {} ({} {}).", first.label, quantity(values), words(values, first.value));
    if bars.len() > shown {
        words.push_str(&format!(" The largest {shown} of {} are drawn.", counted(bars.len(), "value", "values")));
    }
    words
}
