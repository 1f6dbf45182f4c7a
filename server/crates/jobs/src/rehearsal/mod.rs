//! Rehearsal: what a document's policy would have done over a history, window by window, beside never training again and training on a
//! fixed schedule.
//!
//! The clock is that of the data: at the end of each window what had happened by then is known, labels after the target's delay, and
//! nothing else. A *course* is one policy from the first model to the last window. In it the rules of production decide, on the same
//! numbers: [`judge`](millrace_domain::monitor::judge) says what has drifted, an [`Incident`](millrace_domain::monitor::incident::Incident)
//! when somebody would have been told, [`decide`](millrace_domain::retraining::decide) when a model is trained, and the gates on numbers
//! whether it goes live. What rests on servers and people is not rehearsed: latency, rollouts, who approves and how soon. A model that passes
//! answers from the next window on.

mod course;
mod history;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use millrace_domain::metric::{Direction, Metric};
use millrace_domain::problem::{ProblemDocument, Promote, Retraining, Span, When};
use millrace_domain::schedule::Schedule;
use millrace_domain::trainer::{CalibrationMethod, TrainerConfig};
use millrace_ml::Dataset;
use serde::Serialize;

use course::Course;
use history::{History, Policy};

/// A history is not cut into more windows.
const MOST_WINDOWS: i64 = 20_000;

/// What is rehearsed.
#[derive(Debug)]
pub struct Rehearsal {
    /// The document; its policy is `retraining`.
    pub document: ProblemDocument,
    /// The history, with event times.
    pub rows: Arc<Dataset>,
    /// The tables that it is joined to, by name.
    pub tables: BTreeMap<String, Arc<Dataset>>,
    /// What every training fits.
    pub config: TrainerConfig,
    /// What makes probabilities of its scores.
    pub calibration: CalibrationMethod,
    /// Seed of every training.
    pub seed: u64,
    /// When the first model is trained, on what was known then; after the first third of the rows when absent.
    pub begins: Option<DateTime<Utc>>,
    /// Trainings see rows of so long before them; all when absent.
    pub trained_on: Option<Span>,
    /// The schedule (cron) beside which the policy is shown.
    pub schedule: String,
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

/// What would have happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rehearsed {
    /// The metric that models are judged by.
    pub metric: Metric,
    /// Which way it is better.
    pub better: &'static str,
    /// When the first model was trained.
    pub begins: DateTime<Utc>,
    /// Seconds of a window.
    pub window: u64,
    /// The courses: never training again, the schedule, and the document's policy where it has one.
    pub courses: Vec<CourseTold>,
    /// The same mean of what repeating the last label known would have reached; none of log loss, which says of who is certain and wrong only
    /// how near to 0 a probability may come.
    pub repeat_last: Option<f64>,
}

/// One policy over the history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CourseTold {
    /// `never`, `schedule` or `policy`.
    pub policy: &'static str,
    /// What it is in words.
    pub title: String,
    /// The metric's mean over the windows, each counted by its rows with a label; none where it is defined in none.
    pub mean: Option<f64>,
    /// Trainings after the first.
    pub trainings: u64,
    /// Rows that these trainings were fitted on, all together: what they cost.
    pub rows_fitted: u64,
    /// Alerts that would have been told, by cause; what comes back within an hour is told once.
    pub alerts: BTreeMap<&'static str, u64>,
    /// Window by window.
    pub windows: Vec<WindowTold>,
    /// What happened, in order.
    pub events: Vec<EventTold>,
}

/// One window of a course.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WindowTold {
    /// Its end.
    pub ends: DateTime<Utc>,
    /// Rows in it.
    pub rows: u64,
    /// Those whose label came to be known and that were answered.
    pub labelled: u64,
    /// Which model answered, from 1.
    pub model: u32,
    /// The metric once labels were known; none where it is not defined.
    pub quality: Option<f64>,
    /// The greatest distance from the model's reference that luck does not explain; none with too few rows.
    pub distance: Option<f64>,
    /// What has drifted, what matters most first.
    pub drifted: Vec<String>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventTold {
    /// When.
    pub at: DateTime<Utc>,
    /// `live`, `not_passed`, `failed`, `alert`, `over`, `waits`, `given_up`.
    pub what: &'static str,
    /// In words.
    pub text: String,
}

impl Rehearsal {
    /// Goes through the history once for each policy; `told` is called with what is being done.
    ///
    /// # Errors
    /// When the history has no times, is too short for a first model, or does not fit the document.
    pub fn run(self, told: &dyn Fn(&str)) -> Result<Rehearsed, RehearsalError> {
        let metric = self.document.success.metric;
        let history = History::new(self)?;
        let windows = history.windows()?;
        let begins = windows.first().map(|(begins, _)| *begins);
        let begins = begins.ok_or_else(|| RehearsalError::new("no row comes after the first model: begin earlier"))?;
        told("training the first model");
        let first = history.learn(begins, 1, None).map_err(|reason| {
            RehearsalError::new(format!(
                "the first model cannot be trained on what was known at {}: {reason}",
                begins.format("%Y-%m-%d %H:%M UTC")
            ))
        })?;
        let mut courses = Vec::new();
        for Policy { name, title, retraining } in history.policies()? {
            told(&format!("going through {} windows: {title}", windows.len()));
            courses.push(Course::new(&history, retraining, first.clone()).run(&windows).told(name, title));
        }
        Ok(Rehearsed {
            metric,
            better: if metric.direction() == Direction::Up { "higher" } else { "lower" },
            begins,
            window: history.length,
            courses,
            repeat_last: history.repeat_last(&windows),
        })
    }
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
        when: When::Any,
        cool_down: Span::of_seconds(0),
        most: None,
        blackout: None,
        give_up_after: Some(u32::MAX),
        promote: Promote::Automatic,
    })
}
