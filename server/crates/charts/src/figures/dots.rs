//! Dots with whiskers: a metric by the value of a column, beside what each has to reach.

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::figure::{Draft, Figure, NARROW, header, no_data};
use crate::ink::{Dash, Ink, Pen};
use crate::marker::Marker;
use crate::number::{count, counted, is_plottable, number};
use crate::plane::Plane;
use crate::sheet::{Anchor, Drawn, Lettering, Sheet};

/// Dots drawn; the rest stands in the table.
const DRAWN_DOTS: usize = 25;

const ROW: f64 = 24.0;

/// One dot.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Dot {
    pub label: String,
    /// How many rows it was measured on.
    pub rows: u64,
    /// None where it cannot be measured.
    pub value: Option<f64>,
    /// Interval of uncertainty, drawn as a whisker.
    pub interval: Option<(f64, f64)>,
    /// Whether there are too few rows to judge it.
    pub is_few: bool,
}

/// What each dot has to keep to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum DotLimit {
    AtLeast(f64),
    AtMost(f64),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dots {
    pub title: String,
    /// What is measured, e.g. `ROC AUC`.
    pub quantity: String,
    /// In the order in which they are drawn, from the top.
    pub dots: Vec<Dot>,
    pub limit: DotLimit,
}

/// A row for each dot, in the order given. What misses the limit is a red diamond, what has too few rows a ring.
pub fn dots(values: &Dots, id_prefix: &str) -> Figure {
    if !drawn(values).iter().any(|dot| measured(dot).is_some()) {
        return no_data(id_prefix, &values.title, "");
    }
    Draft {
        id: id_prefix,
        title: &values.title,
        caption: conclusion(values),
        header: header(&["Name", "Rows", &values.quantity, "Interval", "Verdict"]),
        table: values.dots.iter().map(|dot| row(values, dot)).collect(),
        width: NARROW,
        height: drawn(values).len() as f64 * ROW + 56.0,
    }
    .draw(|sheet| draw(sheet, values))
}

impl DotLimit {
    const fn value(self) -> f64 {
        match self {
            Self::AtLeast(limit) | Self::AtMost(limit) => limit,
        }
    }

    fn is_kept(self, value: f64) -> bool {
        match self {
            Self::AtLeast(limit) => value >= limit,
            Self::AtMost(limit) => value <= limit,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::AtLeast(_) => "at least",
            Self::AtMost(_) => "at most",
        }
    }
}

fn measured(dot: &Dot) -> Option<f64> {
    dot.value.filter(|value| is_plottable(*value))
}

fn whisker(dot: &Dot) -> Option<(f64, f64)> {
    dot.interval.filter(|(low, high)| is_plottable(*low) && is_plottable(*high))
}

/// What is said of a dot beside the limit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Judged {
    Kept,
    Missed,
    TooFew,
    NotMeasured,
}

impl Judged {
    fn of(values: &Dots, dot: &Dot) -> Self {
        match measured(dot) {
            None => Self::NotMeasured,
            Some(_) if dot.is_few => Self::TooFew,
            Some(value) if values.limit.is_kept(value) => Self::Kept,
            Some(_) => Self::Missed,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Missed => "missed",
            Self::TooFew => "too few rows",
            Self::NotMeasured => "insufficient data",
        }
    }

    const fn mark(self) -> (Marker, Ink) {
        match self {
            Self::Kept => (Marker::Dot, Ink::Series(0)),
            Self::Missed => (Marker::Diamond, Ink::Bad),
            Self::TooFew | Self::NotMeasured => (Marker::Ring, Ink::Muted),
        }
    }
}

fn drawn(values: &Dots) -> &[Dot] {
    &values.dots[..values.dots.len().min(DRAWN_DOTS)]
}

fn draw(sheet: &Sheet, values: &Dots) -> Drawn {
    let shown = drawn(values);
    let ends = shown.iter().flat_map(|dot| {
        let (low, high) = whisker(dot).unzip();
        [measured(dot), low, high].into_iter().flatten().collect::<Vec<_>>()
    });
    let limit = Some(values.limit.value()).filter(|limit| is_plottable(*limit));
    let x = Axis::tight(&values.quantity, ends.chain(limit), 5, 0.06);
    let left = x.low;
    let names = shown.iter().map(|dot| format!("{}, n {}", dot.label, count(dot.rows)));
    let plane = Plane::draw(sheet, &sheet.area(), x, Axis::names("", names).reversed())?;
    if let Some(limit) = limit {
        sheet.tip(&format!("{} {}", values.limit.words(), number(limit)));
        let ends = [(limit, -0.5), (limit, shown.len() as f64 - 0.5)];
        plane.line(&ends, Pen::new(Ink::Bad).dashed(Dash::Dashed), 1.5)?;
    }
    for (place, dot) in shown.iter().enumerate() {
        let at = place as f64;
        let Some(value) = measured(dot) else {
            plane.text((left, at), (4.0, 0.0), Judged::NotMeasured.words(), Anchor::Start, Lettering::QUIET)?;
            continue;
        };
        let (marker, ink) = Judged::of(values, dot).mark();
        if let Some((low, high)) = whisker(dot) {
            plane.line(&[(low, at), (high, at)], Pen::new(ink), 1.5)?;
            for tip in [low, high] {
                plane.line(&[(tip, at - 0.16), (tip, at + 0.16)], Pen::new(ink), 1.5)?;
            }
        }
        sheet.tip(&words(values, dot, value));
        plane.marker((value, at), marker, Pen::new(ink), 4.5)?;
    }
    Ok(())
}

fn words(values: &Dots, dot: &Dot, value: f64) -> String {
    let interval =
        dot.interval.map_or_else(String::new, |(low, high)| format!(" ({} to {})", number(low), number(high)));
    format!(
        "{}: {} {}{interval}, {}, {}",
        dot.label,
        values.quantity,
        number(value),
        counted(usize::try_from(dot.rows).unwrap_or(usize::MAX), "row", "rows"),
        Judged::of(values, dot).words()
    )
}

fn row(values: &Dots, dot: &Dot) -> Vec<String> {
    let interval =
        dot.interval.map_or_else(|| "–".to_owned(), |(low, high)| format!("{} to {}", number(low), number(high)));
    let value = dot.value.map_or_else(|| "–".to_owned(), number);
    vec![dot.label.clone(), count(dot.rows), value, interval, Judged::of(values, dot).words().to_owned()]
}

fn conclusion(values: &Dots) -> String {
    let judged: Vec<(&Dot, f64)> =
        values.dots.iter().filter(|dot| !dot.is_few).filter_map(|dot| Some((dot, measured(dot)?))).collect();
    let others = values.dots.len() - judged.len();
    let worst = judged.iter().reduce(|worst, one| {
        let is_worse = match values.limit {
            DotLimit::AtLeast(_) => one.1 < worst.1,
            DotLimit::AtMost(_) => one.1 > worst.1,
        };
        if is_worse { one } else { worst }
    });
    let mut text = match worst {
        Some((dot, value)) => {
            let missed = judged.iter().filter(|(_, value)| !values.limit.is_kept(*value)).count();
            format!(
                "Worst: {} ({} {}, n {}). {} of {} miss {} {}.",
                dot.label,
                values.quantity,
                number(*value),
                count(dot.rows),
                missed,
                judged.len(),
                values.limit.words(),
                number(values.limit.value())
            )
        }
        None => "None has enough rows to be judged.".to_owned(),
    };
    if worst.is_some() && others > 0 {
        text.push_str(&format!(" {} more cannot be judged.", counted(others, "value", "values")));
    }
    if values.dots.len() > DRAWN_DOTS {
        text.push_str(&format!(" The first {DRAWN_DOTS} of {} are drawn.", values.dots.len()));
    }
    text
}
