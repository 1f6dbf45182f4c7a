//! Histogram of a numeric column, with missing values as a bar of their own and an optional reference over it.

mod values;

use crate::axis::Axis;
use crate::figure::{Draft, Figure, NARROW, header, no_data};
use crate::ink::{Dash, Ink, Pen};
use crate::legend::{Legend, Sample};
use crate::number::{count, left_out, number, percent};
use crate::plane::Plane;
use crate::sheet::{Anchor, Area, Drawn, Lettering, Sheet, px};

use values::{Bin, Totals};
pub use values::{Histogram, ReferenceCounts};

pub(crate) use values::share;

/// Share of the width that the bar of missing values takes.
const MISSING_SHARE: f64 = 0.12;

/// Bars of the current set; the reference as an outline of steps over them.
pub fn histogram(values: &Histogram, id_prefix: &str) -> Figure {
    captioned_histogram(values, id_prefix, None)
}

/// A histogram whose conclusion its caller knows better.
pub(super) fn captioned_histogram(values: &Histogram, id_prefix: &str, caption: Option<String>) -> Figure {
    let title = values.title();
    let (bins, dropped) = values.bins();
    let totals = Totals::of(values, &bins);
    if totals.current == 0 && totals.reference == 0 {
        return no_data(id_prefix, &title, left_out(dropped).trim_start());
    }
    let legend = legend(values);
    Draft {
        id: id_prefix,
        title: &title,
        caption: caption.unwrap_or_else(|| format!("{}{}", conclusion(values, &bins, &totals), left_out(dropped))),
        header: table_header(values),
        table: table(values, &bins, &totals),
        width: NARROW,
        height: 270.0 + legend.height(),
    }
    .draw(|sheet| draw(sheet, values, &bins, &totals, &legend))
}

fn draw(sheet: &Sheet, values: &Histogram, bins: &[Bin], totals: &Totals, legend: &Legend) -> Drawn {
    let (top, rest) = sheet.area().split_vertically(px(legend.height()));
    legend.draw(sheet, &top)?;
    let missing = values.missing.max(values.reference.as_ref().map_or(0, |r| r.missing));
    let highest = bins
        .iter()
        .flat_map(|b| [totals.current_share(b.current), totals.reference_share(b.reference)])
        .chain([
            totals.current_share(values.missing),
            values.reference.as_ref().map_or(0.0, |r| totals.reference_share(r.missing)),
        ])
        .fold(0.0, f64::max);
    let y = percent_axis(highest);
    let edges = bins.iter().flat_map(|b| [b.low, b.high]);
    let x = Axis::tight(&values.name, edges, 5, 0.0).without_grid();
    if missing == 0 {
        return draw_bins(sheet, &rest, x, y, bins, totals, values.reference.is_some());
    }
    let split = px(sheet.width() * (1.0 - MISSING_SHARE - 0.04));
    let (left, right) = rest.split_horizontally(split);
    draw_bins(sheet, &left, x, y.clone(), bins, totals, values.reference.is_some())?;
    draw_missing(sheet, &right, y, values, totals)
}

fn draw_bins(sheet: &Sheet, area: &Area, x: Axis, y: Axis, bins: &[Bin], totals: &Totals, compared: bool) -> Drawn {
    let plane = Plane::draw(sheet, area, x, y)?;
    for bin in bins {
        let tip = format!(
            "{} to {}: {} ({})",
            number(bin.low),
            number(bin.high),
            count(bin.current),
            percent(totals.current_share(bin.current))
        );
        sheet.tip(&tip);
        let gap = (bin.high - bin.low) * 0.04;
        let corners = [(bin.low + gap, 0.0), (bin.high - gap, totals.current_share(bin.current))];
        plane.rectangle(corners, current_pen())?;
    }
    if compared {
        let mut steps: Vec<(f64, f64)> = Vec::with_capacity(bins.len() * 2 + 2);
        if let (Some(first), Some(last)) = (bins.first(), bins.last()) {
            steps.push((first.low, 0.0));
            for bin in bins {
                let height = totals.reference_share(bin.reference);
                steps.extend([(bin.low, height), (bin.high, height)]);
            }
            steps.push((last.high, 0.0));
        }
        plane.line(&steps, reference_pen(), 2.0)?;
    }
    plane.baseline()
}

fn draw_missing(sheet: &Sheet, area: &Area, y: Axis, values: &Histogram, totals: &Totals) -> Drawn {
    let y =
        Axis { ticks: y.ticks.into_iter().map(|(at, _)| (at, String::new())).collect(), title: " ".to_owned(), ..y };
    // A title of the same height as the histogram's, or the two feet would not be level.
    let x = Axis {
        title: if values.name.is_empty() { "" } else { " " }.to_owned(),
        ..Axis::names("", ["missing".to_owned()])
    };
    let plane = Plane::draw(sheet, area, x, y)?;
    sheet.tip(&format!("missing: {} ({})", count(values.missing), percent(totals.current_share(values.missing))));
    plane.rectangle([(-0.4, 0.0), (0.4, totals.current_share(values.missing))], Pen::new(Ink::Muted))?;
    if let Some(reference) = &values.reference {
        let height = totals.reference_share(reference.missing);
        plane.line(&[(-0.5, height), (0.5, height)], reference_pen(), 2.0)?;
    }
    plane.baseline()?;
    let share = percent(totals.current_share(values.missing));
    plane.text((0.0, totals.current_share(values.missing)), (0.0, -9.0), &share, Anchor::Middle, Lettering::LABEL)
}

/// From 0 to the highest share, its ticks in percent.
pub(crate) fn percent_axis(highest: f64) -> Axis {
    let axis = Axis::around("Share of rows", [0.0, (highest * 100.0).max(1e-3)], 4);
    Axis {
        low: 0.0,
        high: axis.high / 100.0,
        ticks: axis.ticks.into_iter().map(|(at, text)| (at / 100.0, format!("{text}\u{202f}%"))).collect(),
        ..axis
    }
}

pub(crate) fn current_pen() -> Pen {
    Pen::new(Ink::Series(0)).opacity(0.75)
}

pub(crate) fn reference_pen() -> Pen {
    Pen::new(Ink::Series(1)).dashed(Dash::Dashed)
}

fn legend(values: &Histogram) -> Legend {
    let Some(reference) = &values.reference else {
        return Legend::layout(Vec::new(), NARROW);
    };
    let or = |name: &str, fallback: &str| {
        if name.is_empty() { fallback.to_owned() } else { name.to_owned() }
    };
    Legend::layout(
        vec![
            (Sample::Swatch(current_pen()), or(&values.current_name, "current")),
            (Sample::Line(reference_pen()), or(&reference.name, "reference")),
        ],
        NARROW,
    )
}

fn conclusion(values: &Histogram, bins: &[Bin], totals: &Totals) -> String {
    let mut words = format!("n {}", count(totals.current));
    if let Some(fullest) = bins.iter().max_by_key(|b| b.current).filter(|b| b.current > 0) {
        words.push_str(&format!(
            "; most between {} and {} ({})",
            number(fullest.low),
            number(fullest.high),
            percent(totals.current_share(fullest.current))
        ));
    }
    words.push_str(&match values.missing {
        0 => "; none missing.".to_owned(),
        n => format!("; {} missing ({}).", count(n), percent(totals.current_share(n))),
    });
    if values.reference.is_some() {
        words.push_str(&format!(" Compared with n {}.", count(totals.reference)));
    }
    words
}

fn table_header(values: &Histogram) -> Vec<String> {
    let mut names = header(&["Bin", "Rows", "Share"]);
    if values.reference.is_some() {
        names.extend(header(&["Reference rows", "Reference share"]));
    }
    names
}

fn table(values: &Histogram, bins: &[Bin], totals: &Totals) -> Vec<Vec<String>> {
    let row = |name: String, current: u64, reference: u64| {
        let mut row = vec![name, count(current), percent(totals.current_share(current))];
        if values.reference.is_some() {
            row.extend([count(reference), percent(totals.reference_share(reference))]);
        }
        row
    };
    let missing = values.reference.as_ref().map_or(0, |r| r.missing);
    bins.iter()
        .map(|b| row(format!("{} to {}", number(b.low), number(b.high)), b.current, b.reference))
        .chain([row("missing".to_owned(), values.missing, missing)])
        .collect()
}
