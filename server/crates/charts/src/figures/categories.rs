//! Bars per category, with an optional reference beside each: for categorical columns and predicted classes.

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::figure::{Draft, Figure, NARROW, header, no_data};
use crate::figures::histogram::{current_pen, percent_axis, share};
use crate::ink::{Ink, Pen};
use crate::legend::{Legend, Sample};
use crate::number::{count, percent};
use crate::plane::Plane;
use crate::sheet::{Anchor, Drawn, Lettering, Sheet, px};

/// Categories drawn; the rest is added up in one bar.
const DRAWN: usize = 20;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CategoryBar {
    pub label: String,
    pub count: u64,
    /// Rows of the reference in this category; `0` with a count above it marks a category never seen before.
    pub reference: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CategoryBars {
    /// What is counted: the column's name.
    pub name: String,
    pub bars: Vec<CategoryBar>,
    /// Rows without a value.
    pub missing: u64,
    pub reference_missing: Option<u64>,
}

struct Totals {
    current: u64,
    reference: u64,
    is_compared: bool,
}

/// Horizontal bars of shares, most frequent first; missing values last, as a bar of their own.
pub fn category_bars(values: &CategoryBars, id_prefix: &str) -> Figure {
    let title = if values.name.is_empty() { "Categories".to_owned() } else { format!("Categories of {}", values.name) };
    let totals = Totals::of(values);
    if totals.current == 0 && totals.reference == 0 {
        return no_data(id_prefix, &title, "");
    }
    let rows = rows(values);
    let legend = legend(&totals);
    let row_height = if totals.is_compared { 30.0 } else { 22.0 };
    Draft {
        id: id_prefix,
        title: &title,
        caption: conclusion(values, &totals),
        header: table_header(&totals),
        table: table(values, &totals),
        width: NARROW,
        height: rows.len() as f64 * row_height + 56.0 + legend.height(),
    }
    .draw(|sheet| draw(sheet, &rows, &totals, &legend))
}

impl Totals {
    fn of(values: &CategoryBars) -> Self {
        let add = |sum: u64, n: u64| sum.saturating_add(n);
        Self {
            current: values.bars.iter().map(|b| b.count).fold(values.missing, add),
            reference: values.bars.iter().filter_map(|b| b.reference).fold(values.reference_missing.unwrap_or(0), add),
            is_compared: values.reference_missing.is_some() || values.bars.iter().any(|b| b.reference.is_some()),
        }
    }
}

/// What is drawn: the most frequent categories, the others added up, missing last.
fn rows(values: &CategoryBars) -> Vec<CategoryBar> {
    let mut bars = values.bars.clone();
    bars.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.label.cmp(&b.label)));
    if bars.len() > DRAWN {
        let others = bars.split_off(DRAWN - 1);
        bars.push(CategoryBar {
            label: format!("{} others", count(others.len() as u64)),
            count: others.iter().map(|b| b.count).fold(0, u64::saturating_add),
            reference: others.iter().filter_map(|b| b.reference).reduce(u64::saturating_add),
        });
    }
    if values.missing > 0 || values.reference_missing.unwrap_or(0) > 0 {
        bars.push(CategoryBar {
            label: "missing".to_owned(),
            count: values.missing,
            reference: values.reference_missing,
        });
    }
    bars
}

fn draw(sheet: &Sheet, rows: &[CategoryBar], totals: &Totals, legend: &Legend) -> Drawn {
    let (top, rest) = sheet.area().split_vertically(px(legend.height()));
    legend.draw(sheet, &top)?;
    let highest = rows
        .iter()
        .flat_map(|r| [share(r.count, totals.current), share(r.reference.unwrap_or(0), totals.reference)])
        .fold(0.0, f64::max);
    // The numbers behind the bars need about a sixth of the width.
    let mut x = percent_axis(highest * 1.2);
    x.ticks.retain(|(at, _)| *at <= 1.0);
    let names = rows.iter().map(|r| r.label.clone());
    let plane = Plane::draw(sheet, &rest, x, Axis::names("", names).reversed())?;
    for (i, row) in rows.iter().enumerate() {
        let at = i as f64;
        let current = share(row.count, totals.current);
        let (from, to) = if totals.is_compared { (at - 0.36, at) } else { (at - 0.32, at + 0.32) };
        let pen = if row.label == "missing" { Pen::new(Ink::Muted) } else { current_pen() };
        sheet.tip(&format!("{}: {} ({})", row.label, count(row.count), percent(current)));
        plane.rectangle([(0.0, from), (current, to)], pen)?;
        if totals.is_compared {
            let reference = share(row.reference.unwrap_or(0), totals.reference);
            sheet.tip(&format!("{}, reference: {}", row.label, percent(reference)));
            plane.outline([(0.0, at + 0.03), (reference, at + 0.33)], reference_outline(), 1.4)?;
        }
        let end = current.max(share(row.reference.unwrap_or(0), totals.reference));
        let is_new = row.reference == Some(0) && row.count > 0 && row.label != "missing";
        let text = format!("{}{}", percent(current), if is_new { " new" } else { "" });
        plane.text((end, at), (5.0, 0.0), &text, Anchor::Start, Lettering::LABEL)?;
    }
    plane.line(&[(0.0, -0.5), (0.0, rows.len() as f64 - 0.5)], Pen::new(Ink::Axis), 1.0)
}

fn reference_outline() -> Pen {
    Pen::new(Ink::Series(1))
}

fn legend(totals: &Totals) -> Legend {
    if !totals.is_compared {
        return Legend::layout(Vec::new(), NARROW);
    }
    Legend::layout(
        vec![
            (Sample::Swatch(current_pen()), format!("current, n {}", count(totals.current))),
            (Sample::Line(reference_outline()), format!("reference, n {}", count(totals.reference))),
        ],
        NARROW,
    )
}

fn conclusion(values: &CategoryBars, totals: &Totals) -> String {
    let mut words = format!("n {}", count(totals.current));
    if let Some(first) = values.bars.iter().max_by_key(|b| b.count).filter(|b| b.count > 0) {
        words.push_str(&format!("; most frequent: {} ({})", first.label, percent(share(first.count, totals.current))));
    }
    words.push_str(&match values.missing {
        0 => "; none missing.".to_owned(),
        n => format!("; {} missing ({}).", count(n), percent(share(n, totals.current))),
    });
    let unseen: Vec<_> =
        values.bars.iter().filter(|b| b.reference == Some(0) && b.count > 0).map(|b| b.label.as_str()).collect();
    match unseen.as_slice() {
        [] => {}
        [only] => words.push_str(&format!(" Not in the reference: {only}.")),
        [first, rest @ ..] => words.push_str(&format!(" Not in the reference: {first} and {} more.", rest.len())),
    }
    words
}

fn table_header(totals: &Totals) -> Vec<String> {
    let mut names = header(&["Category", "Rows", "Share"]);
    if totals.is_compared {
        names.extend(header(&["Reference rows", "Reference share"]));
    }
    names
}

fn table(values: &CategoryBars, totals: &Totals) -> Vec<Vec<String>> {
    let mut bars = values.bars.clone();
    bars.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.label.cmp(&b.label)));
    bars.push(CategoryBar { label: "missing".to_owned(), count: values.missing, reference: values.reference_missing });
    bars.into_iter()
        .map(|bar| {
            let mut row = vec![bar.label, count(bar.count), percent(share(bar.count, totals.current))];
            if totals.is_compared {
                let reference = bar.reference.unwrap_or(0);
                row.extend([count(reference), percent(share(reference, totals.reference))]);
            }
            row
        })
        .collect()
}
