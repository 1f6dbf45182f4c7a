//! Rehearsal: what a document's policy would have done over a history, window by window, beside never training again and training on a
//! fixed schedule.
//!
//! The clock is that of the data: at the end of each window what had happened by then is known, labels after the target's delay, and
//! nothing else. A *course* is one policy from the first model to the last window. In it the rules of production decide, on the same
//! numbers: [`judge`](millrace_domain::monitor::judge) says what has drifted, an [`Incident`](millrace_domain::monitor::incident::Incident)
//! when somebody would have been told, [`decide`](millrace_domain::retraining::decide) when a model is trained, and the gates on numbers
//! whether it goes live. What rests on servers and people is not rehearsed: latency, who approves and how soon. A model that passes
//! goes out step by step as the document's rollout says where that is asked for, as a bad one does in a fire drill; else it answers from the
//! next window on.

mod course;
mod drill;
mod history;
mod staged;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use millrace_domain::metric::Direction;
use millrace_domain::problem::{Promote, Retraining, Span, When};
use millrace_domain::rehearsal::{Drill, RehearsalPlan};
use millrace_domain::schedule::Schedule;
use millrace_domain::view::Rehearsed;
use millrace_ml::Dataset;
use millrace_ml::broken::{broken, broken_all_along};
use millrace_ml::train::Progress;

use course::Course;
use history::{History, Policy};

/// No course trains more often.
const MOST_TRAININGS: usize = 1_000;
/// A history is not cut into more windows.
const MOST_WINDOWS: i64 = 20_000;

/// What is rehearsed.
#[derive(Debug)]
pub struct Rehearsal {
    /// What was asked for.
    pub plan: RehearsalPlan,
    /// The history, with event times.
    pub rows: Arc<Dataset>,
    /// The tables that it is joined to, by name.
    pub tables: BTreeMap<String, Arc<Dataset>>,
}

/// Who looks on.
pub trait Onlooker: Sync {
    /// So many windows of so many are done (0 of 0 while that is not known), and this is being done.
    fn sees(&self, done: u64, of: u64, doing: &str);

    /// Whether to stop.
    fn stops(&self) -> bool {
        false
    }
}

/// A training ends when the onlooker says so.
pub(crate) struct Watched<'a>(pub(crate) &'a dyn Onlooker);

impl Progress for Watched<'_> {
    fn is_cancelled(&self) -> bool {
        self.0.stops()
    }
}

/// Why there is no rehearsal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RehearsalError(String);

impl RehearsalError {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl Rehearsal {
    /// Goes through the history once for each policy.
    ///
    /// # Errors
    /// When the history has no times, is too short for a first model, does not fit the document, trains too often, or the onlooker stops it.
    pub fn run(self, onlooker: &dyn Onlooker) -> Result<Rehearsed, RehearsalError> {
        let metric = self.plan.document.success.metric;
        onlooker.sees(0, 0, "computing features");
        let (plan, rows, tables) = (self.plan.clone(), Arc::clone(&self.rows), self.tables.clone());
        let history = History::new(self)?;
        let windows = history.windows()?;
        let begins = windows.first().map(|(begins, _)| *begins);
        let begins = begins.ok_or_else(|| RehearsalError::new("no row comes after the first model: begin earlier"))?;
        onlooker.sees(0, 0, "training the first model");
        let first = history.learn(begins, 1, None, onlooker).map_err(|reason| {
            RehearsalError::new(format!(
                "the first model cannot be trained on what was known at {}: {reason}",
                told_at(begins)
            ))
        })?;
        let policies = history.policies()?;
        let of = (windows.len() * (policies.len() + usize::from(plan.drill.is_some()))) as u64;
        if let Some(drill) = &plan.drill
            && (drill.from < begins || windows.last().is_none_or(|(_, last)| drill.from >= *last))
        {
            return Err(RehearsalError::new(format!(
                "the drill begins outside of what is gone through: let it begin after the first model, {}, and before the end",
                told_at(begins)
            )));
        }
        let event_time = plan.document.data.event_time.clone().unwrap_or_default();
        let changed = |broken: Dataset, drill: &Drill| match is_changed(&rows, &broken, &drill.column) {
            true => Ok(Arc::new(broken)),
            false => Err(RehearsalError::new(format!(
                "the drill changes nothing: every {:?} would be as it was; choose another column, another way to break, or another time",
                drill.column
            ))),
        };
        // What it comes to is not known before all courses are gone through; whether it can be held is.
        let bad = match plan.drill.as_ref().filter(|drill| drill.is_model) {
            None => None,
            Some(drill) => {
                onlooker.sees(0, 0, "training the bad model");
                let rows = changed(broken_all_along(&rows, &event_time, drill, plan.seed), drill)?;
                let bad = History::new(Self { plan: plan.clone(), rows, tables: tables.clone() })?;
                let bad = bad.learn(drill.from, 0, None, onlooker).map_err(|reason| {
                    let what = drill.in_words();
                    RehearsalError::new(format!("{what} cannot be trained on what was known then: {reason}"))
                })?;
                Some((drill.from, bad))
            }
        };
        let broken = match plan.drill.as_ref().filter(|drill| !drill.is_model) {
            None => None,
            Some(drill) => Some(changed(broken(&rows, &event_time, history.length, drill, plan.seed), drill)?),
        };
        let mut courses = Vec::new();
        for (place, Policy { name, title, retraining }) in policies.into_iter().enumerate() {
            let before = (place * windows.len()) as u64;
            let seen = |window: usize| onlooker.sees(before + window as u64, of, &title);
            let course = Course::new(&history, retraining, first.clone()).run(&windows, &seen, onlooker)?;
            courses.push(course.told(name, title));
        }
        let repeat_last = history.repeat_last(&windows);
        let length = history.length;
        let document = plan.document.clone();
        let drill = match plan.drill.clone() {
            None => None,
            Some(drill) => {
                let until = drill.until.map_or_else(|| "on".to_owned(), |until| format!("until {}", told_at(until)));
                let title = match drill.is_model {
                    true => format!("{}, goes out at {}", drill.in_words(), told_at(drill.from)),
                    false => format!("{}, from {} {until}", drill.in_words(), told_at(drill.from)),
                };
                let before = (courses.len() * windows.len()) as u64;
                let seen = |window: usize| onlooker.sees(before + window as u64, of, &title);
                let history = match broken {
                    None => history,
                    Some(rows) => {
                        drop(history);
                        History::new(Self { plan, rows, tables })?
                    }
                };
                let course = Course::new(&history, document.retraining.clone(), first).with_bad(bad);
                let with = course.run(&windows, &seen, onlooker)?.told("drill", title.clone());
                let without = if document.retraining.is_some() { courses.last() } else { courses.first() };
                let came = without.map(|without| drill::told(&document, &drill, &with, without));
                courses.push(with);
                came
            }
        };
        Ok(Rehearsed {
            metric: metric.as_str().to_owned(),
            better: if metric.direction() == Direction::Up { "higher" } else { "lower" }.to_owned(),
            limit: document.success.bound.limit(),
            drift: document.monitoring.drift.metric.as_str().to_owned(),
            drift_limit: document.monitoring.drift.threshold,
            begins,
            window: length,
            courses,
            drill,
            repeat_last,
        })
    }
}

/// Whether any value of a column is another one.
fn is_changed(rows: &Dataset, broken: &Dataset, column: &str) -> bool {
    rows.slot(column).is_some_and(|slot| {
        let (before, after) = (rows.cells(slot), broken.cells(slot));
        (0..rows.rows()).any(|row| before.value(row) != after.value(row))
    })
}

fn told_at(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A policy that trains on a schedule alone.
fn scheduled(cron: &str) -> Result<Retraining, RehearsalError> {
    Schedule::read(cron, "UTC").map_err(|(_, reason)| RehearsalError::new(reason))?;
    Ok(Retraining {
        cron: Some(cron.to_owned()),
        timezone: "UTC".to_owned(),
        new_rows: None,
        new_labels: None,
        on_drift: false,
        on_quality: false,
        on_estimated_loss: false,
        when: When::Any,
        cool_down: Span::of_seconds(0),
        most: None,
        cpu: None,
        blackout: None,
        give_up_after: Some(u32::MAX),
        promote: Promote::Automatic,
    })
}
