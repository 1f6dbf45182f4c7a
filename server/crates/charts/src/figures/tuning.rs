//! Tuning history: every trial with its state, and the best value so far.

use serde::{Deserialize, Serialize};

use crate::axis::Axis;
use crate::figure::{Draft, Figure, WIDE, header, no_data};
use crate::ink::{Ink, Pen};
use crate::legend::{Legend, Sample};
use crate::marker::Marker;
use crate::number::{count, counted, is_plottable, left_out, number};
use crate::plane::Plane;
use crate::sheet::{Drawn, Sheet, px};
use crate::thin;

/// Trials drawn at most; the best-so-far line always covers all.
const DRAWN_TRIALS: usize = 2000;

/// Rows in the table: the latest trials.
const TABLE_ROWS: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrialState {
    Complete,
    /// Finished on part of the data, which decides nothing.
    Partial,
    /// Stopped early because it fell behind.
    Pruned,
    /// Finished, but breaks a constraint such as the latency limit.
    Infeasible,
    Failed,
    /// Ended, or never begun, since the budget was used up.
    Stopped,
    Running,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    pub number: u64,
    /// The objective; the last one reported for trials that did not finish.
    pub value: Option<f64>,
    pub state: TrialState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Direction {
    #[default]
    Maximise,
    Minimise,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TuningHistory {
    /// Name of the objective, e.g. `validation ROC AUC`.
    pub objective: String,
    pub direction: Direction,
    /// The greatest value that the objective can have, if there is one.
    pub most: Option<f64>,
    /// Places values by their logarithm, where all of them are positive.
    pub is_log: bool,
    pub trials: Vec<Trial>,
    /// Trials the budget allows, if it is counted in trials.
    pub budget: Option<u64>,
}

/// Trials as markers by state; a step line for the best complete trial so far. Trials without a value stand at the foot.
pub fn tuning_history(values: &TuningHistory, id_prefix: &str) -> Figure {
    const TITLE: &str = "Tuning history";
    if values.trials.is_empty() {
        return no_data(id_prefix, TITLE, "no trial has started.");
    }
    let mut trials = values.trials.clone();
    trials.sort_by_key(|trial| trial.number);
    let dropped = trials.iter().filter(|t| t.value.is_some_and(|v| !is_plottable(v))).count();
    for trial in &mut trials {
        trial.value = trial.value.filter(|v| is_plottable(*v));
    }
    let legend = legend(&trials);
    Draft {
        id: id_prefix,
        title: TITLE,
        caption: format!("{}{}", conclusion(values, &trials), left_out(dropped)),
        header: header(&["Trial", "State", objective(values), "Best so far"]),
        table: table(values.direction, &trials),
        width: WIDE,
        height: 290.0 + legend.height(),
    }
    .draw(|sheet| draw(sheet, values, &trials, &legend))
}

impl TrialState {
    const ALL: [TrialState; 7] = [
        TrialState::Complete,
        TrialState::Partial,
        TrialState::Pruned,
        TrialState::Infeasible,
        TrialState::Failed,
        TrialState::Stopped,
        TrialState::Running,
    ];

    fn name(self) -> &'static str {
        match self {
            TrialState::Complete => "complete",
            TrialState::Partial => "on fewer rows",
            TrialState::Pruned => "pruned",
            TrialState::Infeasible => "infeasible",
            TrialState::Failed => "failed",
            TrialState::Stopped => "stopped",
            TrialState::Running => "running",
        }
    }

    fn look(self) -> (Marker, Pen) {
        match self {
            TrialState::Complete => (Marker::Dot, Pen::new(Ink::Series(0)).opacity(0.7)),
            TrialState::Partial => (Marker::Dot, Pen::new(Ink::Muted).opacity(0.7)),
            TrialState::Pruned => (Marker::Square, Pen::new(Ink::Muted)),
            TrialState::Infeasible => (Marker::Triangle, Pen::new(Ink::Warn)),
            TrialState::Failed => (Marker::Cross, Pen::new(Ink::Bad)),
            TrialState::Stopped => (Marker::Cross, Pen::new(Ink::Muted)),
            TrialState::Running => (Marker::Ring, Pen::new(Ink::Series(0))),
        }
    }
}

fn draw(sheet: &Sheet, values: &TuningHistory, trials: &[Trial], legend: &Legend) -> Drawn {
    let (top, rest) = sheet.area().split_vertically(px(legend.height()));
    legend.draw(sheet, &top)?;
    let numbers = || trials.iter().filter_map(|trial| trial.value);
    let is_log = values.is_log && numbers().all(|value| value > 0.0);
    let height = |value: f64| if is_log { value.log10() } else { value };
    let y = match is_log {
        true => Axis::logarithmic(objective(values), numbers().map(height), 0.06),
        false => Axis::around(objective(values), numbers(), 5).up_to(values.most),
    };
    let numbers = trials.iter().map(|t| t.number as f64);
    let x = Axis::tight("Trial", numbers, 8, 0.02).whole_ticks().without_grid();
    let foot = y.low;
    let plane = Plane::draw(sheet, &rest, x, y)?;
    plane.baseline()?;
    let steps: Vec<_> =
        best_steps(values.direction, trials).into_iter().map(|(trial, best)| (trial, height(best))).collect();
    plane.line(&steps, best_pen(), 2.0)?;
    for trial in thin::evenly(trials, DRAWN_TRIALS) {
        let (marker, pen) = trial.state.look();
        let at = (trial.number as f64, trial.value.map_or(foot, height));
        let value = trial.value.map_or_else(|| "no value".to_owned(), number);
        sheet.tip(&format!("trial {}, {}: {value}", trial.number, trial.state.name()));
        plane.marker(at, marker, pen, 3.6)?;
    }
    Ok(())
}

/// Corners of the best-so-far line, and its last value carried to the last trial.
fn best_steps(direction: Direction, trials: &[Trial]) -> Vec<(f64, f64)> {
    let mut steps: Vec<(f64, f64)> = Vec::new();
    let mut best: Option<f64> = None;
    for trial in trials {
        let at = trial.number as f64;
        if let Some(better) = improvement(direction, best, trial) {
            if let Some(before) = best {
                steps.push((at, before));
            }
            steps.push((at, better));
            best = Some(better);
        }
    }
    if let (Some(best), Some(last)) = (best, trials.last()) {
        steps.push((last.number as f64, best));
    }
    steps.dedup();
    steps
}

fn improvement(direction: Direction, best: Option<f64>, trial: &Trial) -> Option<f64> {
    let value = trial.value.filter(|_| trial.state == TrialState::Complete)?;
    let better = match (direction, best) {
        (_, None) => true,
        (Direction::Maximise, Some(best)) => value > best,
        (Direction::Minimise, Some(best)) => value < best,
    };
    better.then_some(value)
}

fn best_pen() -> Pen {
    Pen::new(Ink::Good)
}

fn objective(values: &TuningHistory) -> &str {
    if values.objective.is_empty() { "Objective" } else { &values.objective }
}

fn legend(trials: &[Trial]) -> Legend {
    let mut entries = vec![(Sample::Line(best_pen()), "best so far".to_owned())];
    for state in TrialState::ALL {
        let n = trials.iter().filter(|t| t.state == state).count();
        if n > 0 {
            let (marker, pen) = state.look();
            entries.push((Sample::Marker(marker, pen), format!("{} ({})", state.name(), count(n as u64))));
        }
    }
    Legend::layout(entries, WIDE)
}

fn conclusion(values: &TuningHistory, trials: &[Trial]) -> String {
    let mut best: Option<(f64, u64)> = None;
    for trial in trials {
        if let Some(value) = improvement(values.direction, best.map(|(value, _)| value), trial) {
            best = Some((value, trial.number));
        }
    }
    let n = match values.budget {
        Some(budget) => format!("{} of {} trials", count(trials.len() as u64), count(budget)),
        None => counted(trials.len(), "trial", "trials"),
    };
    match best {
        Some((value, at)) => format!("Best {} {} in trial {at}; {n}.", objective(values), number(value)),
        None => format!("No complete trial yet; {n}."),
    }
}

fn table(direction: Direction, trials: &[Trial]) -> Vec<Vec<String>> {
    let mut best = None;
    let rows: Vec<_> = trials
        .iter()
        .map(|trial| {
            best = improvement(direction, best, trial).or(best);
            vec![
                trial.number.to_string(),
                trial.state.name().to_owned(),
                trial.value.map_or_else(|| "–".to_owned(), number),
                best.map_or_else(|| "–".to_owned(), number),
            ]
        })
        .collect();
    rows[rows.len().saturating_sub(TABLE_ROWS)..].to_vec()
}
