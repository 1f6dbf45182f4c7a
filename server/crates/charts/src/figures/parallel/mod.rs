//! Parallel coordinates: which settings the best trials or runs have in common.

mod brush;
mod drawing;
mod scale;

use serde::{Deserialize, Serialize};

use crate::figure::{Draft, Figure, WIDE, no_data};
use crate::figures::tuning::Direction;
use crate::number::{count, counted, is_plottable, left_out, number};
use crate::thin;
use scale::Scale;

pub use brush::{Brush, BrushRange, brushed};

/// Lines drawn at most; the best of them are always among those.
const DRAWN_LINES: usize = 300;

/// The best lines that thinning never touches.
const BEST_KEPT: usize = 30;

/// Settings drawn at most; more axes would leave no room for their names.
const DRAWN_AXES: usize = 12;

/// Rows in the table: the best lines.
const TABLE_ROWS: usize = 200;

/// Settings of the best line that the caption names.
const NAMED_SETTINGS: usize = 6;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ParallelCoordinates {
    /// Name of the objective, e.g. `validation ROC AUC`.
    pub objective: String,
    pub direction: Direction,
    pub axes: Vec<ParallelAxis>,
    pub lines: Vec<ParallelLine>,
    /// Only lines within all of them are picked out; the others fade.
    pub brushes: Vec<Brush>,
    /// The best so many of a hundred stand out; ten where it is not said.
    pub best_percent: Option<f64>,
    /// Places the objective by its logarithm, where all are positive.
    pub is_log: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ParallelAxis {
    pub name: String,
    /// Places numbers by their logarithm, where all of them are positive.
    pub is_log: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Coordinate {
    Number(f64),
    Word(String),
}

/// A trial or a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ParallelLine {
    /// What it is called within a sentence, e.g. `trial 31`.
    pub label: String,
    /// One for each axis; `None` where the line has no such setting.
    pub values: Vec<Option<Coordinate>>,
    /// Absent where it failed or has not finished.
    pub objective: Option<f64>,
}

/// A line with an objective to rank it by.
struct Ranked<'a> {
    of: &'a ParallelLine,
    objective: f64,
}

/// What is drawn: the lines best first, how many of them stand out, and the axes that differ between them.
struct Picture<'a> {
    /// Those that are picked out, which are all where nothing is asked for.
    lines: Vec<Ranked<'a>>,
    faded: Vec<Ranked<'a>>,
    /// How many lines are picked out, drawn or not, and how many there are.
    picked: (usize, usize),
    brushes: &'a [Brush],
    best: usize,
    scales: Vec<Scale<'a>>,
    objective: Scale<'a>,
    /// Positions of the axes that are the same in all lines.
    constant: Vec<usize>,
    /// Axes that differ but find no room.
    more: usize,
}

/// A vertical axis for each setting that differs and the objective last, its better end on top; a line for each trial or run.
pub fn parallel_coordinates(values: &ParallelCoordinates, id_prefix: &str) -> Figure {
    const TITLE: &str = "Parallel coordinates";
    let Some((picture, dropped)) = picture(values) else {
        let lines = counted(values.lines.len(), "line", "lines");
        let why = if values.lines.is_empty() { String::new() } else { format!("none of {lines} has an objective.") };
        return no_data(id_prefix, TITLE, &format!("{why}{}", left_out(ranked(values).1)));
    };
    let legend = drawing::legend(&picture);
    Draft {
        id: id_prefix,
        title: TITLE,
        caption: format!("{}{}", conclusion(values, &picture), left_out(dropped)),
        header: header(values),
        table: table(values, &picture),
        width: WIDE,
        height: drawing::height(&picture, &legend),
    }
    .draw(|sheet| drawing::draw(sheet, &picture, &legend))
}

/// What is drawn, and the number of values that are not finite; none where no line has an objective.
fn picture(values: &ParallelCoordinates) -> Option<(Picture<'_>, usize)> {
    let (ranked, dropped) = ranked(values);
    (!ranked.is_empty()).then(|| (Picture::of(values, ranked), dropped))
}

impl ParallelCoordinates {
    fn objective_name(&self) -> &str {
        if self.objective.is_empty() { "Objective" } else { &self.objective }
    }
}

impl ParallelLine {
    /// The value on an axis, if it has a place there.
    fn at(&self, axis: usize) -> Option<&Coordinate> {
        self.values.get(axis)?.as_ref().filter(|coordinate| coordinate.has_place())
    }

    fn words_at(&self, axis: usize) -> String {
        self.values.get(axis).and_then(Option::as_ref).map_or_else(|| scale::MISSING.to_owned(), Coordinate::words)
    }
}

impl Coordinate {
    pub(crate) fn has_place(&self) -> bool {
        match self {
            Coordinate::Number(value) => is_plottable(*value),
            Coordinate::Word(_) => true,
        }
    }

    pub(crate) fn words(&self) -> String {
        match self {
            Coordinate::Number(value) => number(*value),
            Coordinate::Word(word) => word.clone(),
        }
    }
}

impl<'a> Picture<'a> {
    fn of(values: &'a ParallelCoordinates, ranked: Vec<Ranked<'a>>) -> Self {
        let (picked, others): (Vec<_>, Vec<_>) = ranked.into_iter().partition(|line| values.is_picked(line));
        let counts = (picked.len(), picked.len() + others.len());
        let lines = thinned(picked, DRAWN_LINES);
        let faded = thinned(others, DRAWN_LINES - lines.len());
        let all = || lines.iter().chain(&faded);
        // With a single line there is nothing to differ from: all of its settings are shown.
        let is_constant = |axis: usize| {
            let first = all().next().and_then(|line| line.of.at(axis));
            lines.len() + faded.len() > 1 && all().all(|line| line.of.at(axis) == first)
        };
        let (constant, differing): (Vec<usize>, Vec<usize>) = (0..values.axes.len()).partition(|i| is_constant(*i));
        let column = |axis: usize| all().map(move |line| line.of.at(axis));
        let scales = differing.iter().take(DRAWN_AXES).map(|i| Scale::of(&values.axes[*i], *i, column(*i))).collect();
        let objectives = all().map(|line| line.objective);
        let share = values.best_percent.filter(|percent| (0.0..=100.0).contains(percent)).unwrap_or(10.0) / 100.0;
        Self {
            best: ((lines.len() as f64 * share) as usize).max(1),
            scales,
            objective: Scale::objective(values.objective_name(), values.direction, values.is_log, objectives),
            constant,
            more: differing.len().saturating_sub(DRAWN_AXES),
            lines,
            faded,
            picked: counts,
            brushes: &values.brushes,
        }
    }
}

/// Lines with an objective, best first, and the number of values that are not finite.
fn ranked(values: &ParallelCoordinates) -> (Vec<Ranked<'_>>, usize) {
    let with_objective = values.lines.iter().filter_map(|of| Some(Ranked { of, objective: of.objective? }));
    let (mut lines, unplaced): (Vec<_>, Vec<_>) = with_objective.partition(|line| is_plottable(line.objective));
    match values.direction {
        Direction::Maximise => lines.sort_by(|a, b| b.objective.total_cmp(&a.objective)),
        Direction::Minimise => lines.sort_by(|a, b| a.objective.total_cmp(&b.objective)),
    }
    let settings = lines.iter().flat_map(|line| line.of.values.iter().take(values.axes.len()).flatten());
    let dropped = unplaced.len() + settings.filter(|coordinate| !coordinate.has_place()).count();
    (lines, dropped)
}

/// At most so many lines: the best, and those after them at equal steps.
fn thinned(mut lines: Vec<Ranked<'_>>, most: usize) -> Vec<Ranked<'_>> {
    if lines.len() <= most || most == 0 {
        lines.truncate(most);
        return lines;
    }
    let best = BEST_KEPT.min(most - 1);
    let rest: Vec<_> = lines.split_off(best).into_iter().map(|line| (line.of, line.objective)).collect();
    let kept = thin::evenly(&rest, most - best);
    lines.extend(kept.into_iter().map(|(of, objective)| Ranked { of, objective }));
    lines
}

fn conclusion(values: &ParallelCoordinates, picture: &Picture<'_>) -> String {
    let mut words = brush::in_words(values, picture);
    let Some(best) = picture.lines.first() else {
        return format!("{words}{}.", drawn(values, picture));
    };
    words.push_str(&format!("Best {} {}", values.objective_name(), number(best.objective)));
    if !best.of.label.is_empty() {
        words.push_str(&format!(" in {}", best.of.label));
    }
    if values.direction == Direction::Minimise {
        words.push_str(" (lower is better)");
    }
    let setting = |i: usize| format!("{} {}", values.axes[i].name, best.of.words_at(i));
    let settings: Vec<_> = picture.scales.iter().map(|scale| setting(scale.axis)).collect();
    if !settings.is_empty() {
        words.push_str(&format!(": {}", settings[..settings.len().min(NAMED_SETTINGS)].join(", ")));
    }
    words.push_str(&format!("; {}.", drawn(values, picture)));
    if !picture.constant.is_empty() {
        let same: Vec<_> = picture.constant.iter().map(|i| setting(*i)).collect();
        words.push_str(&format!(" The same in all: {}.", same.join(", ")));
    }
    if picture.more > 0 {
        words.push_str(&format!(
            " {} only in the table.",
            counted(picture.more, "more setting is", "more settings are")
        ));
    }
    words
}

/// `40 of 50 lines are drawn, 10 have no objective`.
fn drawn(values: &ParallelCoordinates, picture: &Picture<'_>) -> String {
    let without = values.lines.iter().filter(|line| line.objective.is_none()).count();
    let shown = picture.lines.len() + picture.faded.len();
    let mut words = match values.lines.len() {
        all if all == shown => counted(all, "line", "lines"),
        all => format!("{} of {} are drawn", count(shown as u64), counted(all, "line", "lines")),
    };
    if without > 0 {
        words.push_str(&format!(", {} no objective", counted(without, "has", "have")));
    }
    words
}

fn header(values: &ParallelCoordinates) -> Vec<String> {
    let names = values.axes.iter().map(|axis| axis.name.as_str());
    ["Name"].into_iter().chain(names).chain([values.objective_name()]).map(str::to_owned).collect()
}

fn table(values: &ParallelCoordinates, picture: &Picture<'_>) -> Vec<Vec<String>> {
    let row = |line: &Ranked<'_>| {
        let settings = (0..values.axes.len()).map(|i| line.of.words_at(i));
        [line.of.label.clone()].into_iter().chain(settings).chain([number(line.objective)]).collect()
    };
    picture.lines.iter().take(TABLE_ROWS).map(row).collect()
}
