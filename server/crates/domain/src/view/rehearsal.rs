//! Rehearsals, as they are asked for and shown.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{DatasetSummary, Permission, StepView};

/// What is rehearsed; what is absent is as usual.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RehearsalRequest {
    /// Version of the problem whose policy it is; the newest one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i32>,
    /// Dataset with the past; the problem's newest valid one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// Version of the dataset; the newest valid one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset_version: Option<i32>,
    /// Another policy to try: tables `monitoring` and `retraining` in TOML that take the place of those of the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// What every training fits: one trainer; gradient boosting when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trainer: Option<String>,
    /// Its hyperparameters; those that are absent are as usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
    /// How the validation part puts answers right; `none` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration: Option<String>,
    /// When the first model is trained, on what was known then; after the first third of the rows when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Trainings see rows of so long before them, for example `16w`; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<String>,
    /// Five-field cron (UTC) of the schedule beside which the policy is shown; Mondays at three when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Seed of every training; 0 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Whether a trained model goes out step by step, as the document's rollout says, each row being a request; else it answers from the next
    /// window on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub staged: bool,
    /// A fire drill: data that breaks at some time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillRequest>,
}

/// Data that breaks: one column of the rows that are answered and trained on, never a label. Or a model of such data that goes out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DrillRequest {
    /// A column of the data that features are computed from; for a model also one that labels are read from.
    pub column: String,
    /// `missing`: no value arrives; `stuck`: the last value before arrives for every row; `shuffled`: values arrive at other rows;
    /// `drifting`: numbers move evenly until the end, other values come more and more as the commonest.
    pub how: String,
    /// How far what drifts gets: numbers so many of the standard deviations they had before, of other values that share; 1 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<f64>,
    /// From when on.
    pub from: DateTime<Utc>,
    /// Until when; to the end of the past when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// The data stays whole, and a model goes out that was fitted on rows whose column was broken all along: by the document's rollout,
    /// whatever its gates say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub model: bool,
}

/// How a column breaks, by the word of a request.
pub fn breakage(how: &str) -> &'static str {
    match how {
        "missing" => "is missing",
        "stuck" => "is stuck at its last value",
        "drifting" => "drifts",
        _ => "comes with other rows",
    }
}

views! {
    /// What would have happened.
    Rehearsed {
        /// The metric that models are judged by.
        metric: String,
        /// Which way it is better: `higher` or `lower`.
        better: String,
        /// What the document asks of it.
        limit: f64,
        /// The distance that drift is judged by.
        drift: String,
        /// Its limit.
        drift_limit: f64,
        /// When the first model was trained.
        begins: DateTime<Utc>,
        /// Seconds of a window.
        window: u64,
        /// The courses: never training again, the schedule, the document's policy where it has one, and that with the data of a fire drill.
        courses: Vec<CourseTold>,
        /// What came of the fire drill, if there was one.
        drill: Option<DrillTold>,
        /// The same mean of what repeating the last label known would have reached; none of log loss, which says of who is certain and wrong
        /// only how near to 0 a probability may come.
        repeat_last: Option<f64>,
    }

    /// How long it took until what broke was told and mended, on the data's clock.
    DrillTold {
        /// What broke, in words.
        title: String,
        /// Whether it was a model that went out, and no data broke.
        #[serde(default)]
        is_model: bool,
        /// From when on.
        from: DateTime<Utc>,
        /// Until when; of a model until it was taken back.
        until: DateTime<Utc>,
        /// The end of the first window in which something had drifted that would not have otherwise, and what; told or not. Of a model
        /// that was taken back when and why, where that was before.
        seen: Option<(DateTime<Utc>, String)>,
        /// When the first alert that would not have been told otherwise was told, and what it said.
        alert: Option<(DateTime<Utc>, String)>,
        /// When the model that went out was taken back, and why; none where data broke.
        #[serde(default)]
        rolled_back: Option<(DateTime<Utc>, String)>,
        /// When the model that went out had gone through all steps of its rollout; none where it was taken back, or was still on its way at the
        /// end of the past.
        #[serde(default)]
        stays: Option<DateTime<Utc>>,
        /// When a model went live that would not have otherwise and could have been trained on rows since.
        model: Option<DateTime<Utc>>,
        /// Windows since it broke that were shown to be what the document asks for or not.
        judged: u64,
        /// The end of the last of them, to the end of the past, that was shown not to be, and would have been otherwise; none when none was.
        outside_until: Option<DateTime<Utc>>,
        /// Whether the last one judged was such a window.
        is_still_outside: bool,
        /// The metric's mean over the windows that lie in the drill, at least in part.
        mean: Option<f64>,
        /// The same had nothing broken.
        mean_otherwise: Option<f64>,
    }

    /// One policy over the history.
    CourseTold {
        /// `never`, `schedule`, `policy` or `drill`.
        policy: String,
        /// What it is in words.
        title: String,
        /// The metric's mean over the windows, each counted by its rows with a label; none where it is defined in none.
        mean: Option<f64>,
        /// Trainings after the first.
        trainings: u64,
        /// Rows that these trainings were fitted on, all together: what they cost.
        rows_fitted: u64,
        /// Alerts that would have been told, by cause; what comes back within an hour is told once.
        alerts: BTreeMap<String, u64>,
        /// Window by window.
        windows: Vec<WindowTold>,
        /// What happened, in order.
        events: Vec<EventTold>,
    }

    /// One window of a course, or several of a long one.
    WindowTold {
        /// Its end.
        ends: DateTime<Utc>,
        /// Rows in it.
        rows: u64,
        /// Those whose label came to be known and that were answered.
        labelled: u64,
        /// Which model answered, from 1.
        model: u32,
        /// The metric once labels were known; none where it is not defined.
        quality: Option<f64>,
        /// Whether it was shown to be what the document asks for; none where that cannot be told.
        is_met: Option<bool>,
        /// The greatest distance from the model's reference that luck does not explain; none with too few rows.
        distance: Option<f64>,
        /// What has drifted, what matters most first.
        drifted: Vec<String>,
    }

    /// Something that happened.
    EventTold {
        /// When.
        at: DateTime<Utc>,
        /// `live`, `not_passed`, `failed`, `alert`, `over`, `waits`, `given_up`; of a model that goes out step by step `stage`, `rolled_back`, `stays`.
        what: String,
        /// In words.
        text: String,
    }

    /// What a course came to.
    CourseSummary {
        /// `never`, `schedule`, `policy` or `drill`.
        policy: String,
        /// The metric's mean.
        mean: Option<f64>,
        /// Trainings after the first.
        trainings: u64,
        /// Rows that these were fitted on.
        rows_fitted: u64,
        /// Alerts that would have been told.
        alerts: u64,
    }

    /// A line of the list of rehearsals.
    RehearsalLine {
        /// Its id.
        id: String,
        /// The problem.
        slug: String,
        /// Version of the problem.
        version: i32,
        /// Whether another policy than the document's was tried.
        is_other_policy: bool,
        /// Name of the data.
        data: String,
        /// Its dataset.
        dataset: String,
        /// Version of the dataset.
        dataset_version: i32,
        /// State of its step.
        state: String,
        /// The metric that models are judged by.
        metric: String,
        /// What each course came to; nothing before it has ended.
        courses: Vec<CourseSummary>,
        /// Who asked for it.
        author: String,
        /// When.
        requested_at: DateTime<Utc>,
    }

    /// The rehearsals of a problem, and what a new one can be made of.
    RehearsalsView {
        /// The problem.
        slug: String,
        /// Its title.
        title: String,
        /// Number and state of its versions, newest first.
        versions: Vec<(i32, String)>,
        /// Valid versions of its data, newest first.
        datasets: Vec<DatasetSummary>,
        /// What may be trained.
        trainers: Vec<String>,
        /// Columns of the data that may break in a fire drill.
        columns: Vec<String>,
        /// Columns that labels are read from.
        labels: Vec<String>,
        /// `monitoring` and `retraining` of the newest version, in TOML.
        policy: String,
        /// Why nothing can be rehearsed, if nothing can.
        lacks: Option<String>,
        /// The newest ones.
        rehearsals: Vec<RehearsalLine>,
        /// Whether the reader may ask for one.
        may_rehearse: Permission,
    }

    /// One rehearsal.
    RehearsalView {
        /// The line.
        line: RehearsalLine,
        /// Title of the problem.
        title: String,
        /// What was asked for.
        request: RehearsalRequest,
        /// How far it is.
        step: StepView,
        /// What would have happened; none before it has ended.
        rehearsed: Option<Rehearsed>,
        /// Whether the reader may stop it.
        may_cancel: Permission,
    }
}

impl Rehearsed {
    /// What each course came to.
    pub fn summaries(&self) -> Vec<CourseSummary> {
        let summary = |course: &CourseTold| CourseSummary {
            policy: course.policy.clone(),
            mean: course.mean,
            trainings: course.trainings,
            rows_fitted: course.rows_fitted,
            alerts: course.alerts.values().sum(),
        };
        self.courses.iter().map(summary).collect()
    }

    /// With at most so many windows a course: neighbours are put together, quality as their mean by rows, distance as the greatest.
    pub fn thinned(mut self, most: usize) -> Self {
        for course in &mut self.courses {
            let every = course.windows.len().div_ceil(most.max(1)).max(1);
            if every > 1 {
                course.windows = course.windows.chunks(every).filter_map(WindowTold::together).collect();
            }
        }
        self
    }
}

impl WindowTold {
    fn together(windows: &[Self]) -> Option<Self> {
        let last = windows.last()?;
        let judged = windows.iter().filter_map(|window| Some((window.quality?, window.labelled)));
        let (sum, labelled) = judged.fold((0.0, 0), |(sum, all), (quality, n)| (sum + quality * n as f64, all + n));
        let mut drifted: Vec<String> = Vec::new();
        for name in windows.iter().flat_map(|window| &window.drifted) {
            if !drifted.contains(name) {
                drifted.push(name.clone());
            }
        }
        Some(Self {
            ends: last.ends,
            rows: windows.iter().map(|window| window.rows).sum(),
            labelled: windows.iter().map(|window| window.labelled).sum(),
            model: last.model,
            quality: (labelled > 0).then(|| sum / labelled as f64),
            is_met: windows.iter().filter_map(|window| window.is_met).reduce(|all, met| all && met),
            distance: windows.iter().filter_map(|window| window.distance).reduce(f64::max),
            drifted,
        })
    }
}
