//! Runs, as they are shown, listed and launched.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::effects::Effects;
use crate::gate::Gate;
use crate::trainer::Condition;
use crate::view::{DatasetSummary, FailureView, Permission, StepView};

views! {
    /// A line of the list of runs.
    RunSummary {
        /// Run id.
        id: String,
        /// Problem.
        problem: String,
        /// Problem version.
        problem_version: i32,
        /// State.
        state: String,
        /// Trainer.
        trainer: String,
        /// Name of the success metric.
        metric: String,
        /// Its value on the test part.
        #[serde(with = "super::word::optional")]
        value: Option<f64>,
        /// Its 95 % interval.
        interval: Option<(f64, f64)>,
        /// Model version it registered.
        model_version: Option<i32>,
        /// Who launched it.
        author: String,
        /// When.
        created_at: DateTime<Utc>,
        /// Seconds from launch to end.
        seconds: Option<f64>,
        /// The run that it repeats, to see whether the same comes of it.
        reproduces: Option<String>,
        /// What a program that logs a run of its own calls it; none of a run of the pipeline.
        tracked: Option<String>,
        /// Of the columns that were asked for, in their order; null where it has none, and words for numbers that are none.
        values: Vec<Value>,
    }

    /// A metric of a run.
    MetricView {
        /// For example `test.roc_auc`.
        name: String,
        /// Iteration; 0 for a final value.
        step: i32,
        /// Value.
        #[serde(with = "super::word::number")]
        value: f64,
        /// 95 % interval.
        interval: Option<(f64, f64)>,
        /// Rows behind it.
        n: i64,
    }

    /// A trial of a run.
    TrialView {
        /// Counts from 0.
        number: i32,
        /// Trainer.
        trainer: String,
        /// The share of the training rows that it saw.
        share: f64,
        /// Iterations, boosting rounds or trees.
        iterations: Option<i64>,
        /// Seconds of processor time; none of trials from before it was counted.
        cpu_s: Option<f64>,
        /// Whether it was taken over from another run.
        reused: bool,
        /// Parameters.
        parameters: Value,
        /// Score on the validation part.
        score: Option<f64>,
        /// State.
        state: String,
        /// Why it did not succeed.
        message: Option<String>,
    }

    /// What the steps of a run told.
    LogView {
        /// The kinds of its steps, in the order of the pipeline.
        steps: Vec<String>,
        /// The lines that were asked for, oldest first.
        lines: Vec<LogLineView>,
    }

    /// A line of what the steps of a run told.
    LogLineView {
        /// When.
        at: DateTime<Utc>,
        /// The kind of the step.
        step: String,
        /// Of a trial: its number, from 1.
        trial: Option<i32>,
        /// Which attempt at the step, from 1.
        attempt: i32,
        /// What it told.
        text: String,
    }

    /// What a search drew of one trainer.
    SearchedView {
        /// Trainer.
        trainer: String,
        /// Trials of it that have a score, or were ended early since they fell behind.
        trials: u64,
        /// Its hyperparameters that were drawn, those that mattered most first.
        hyperparameters: Vec<DrawnView>,
    }

    /// A hyperparameter that a search drew.
    DrawnView {
        /// Its name.
        name: String,
        /// Whether equal factors were equally likely.
        is_log: bool,
        /// How much of what all hyperparameters explain is by this one, 0 to 1 (PED-ANOVA); none of too few trials.
        importance: Option<f64>,
        /// The least and the greatest that is found when a tenth of the trials is left out.
        interval: Option<(f64, f64)>,
        /// The values of others where it is drawn; everywhere when there are none.
        when: Condition,
    }

    /// An artifact of a run.
    ArtifactView {
        /// Name.
        name: String,
        /// SHA-256.
        digest: String,
        /// Size.
        bytes: i64,
        /// Media type.
        media_type: String,
    }

    /// One run.
    RunView {
        /// The line.
        summary: RunSummary,
        /// Dataset it ran on; none of a tracked run.
        dataset: Option<DatasetSummary>,
        /// What was asked.
        request: Value,
        /// Parameters the model was fitted with.
        parameters: Option<Value>,
        /// Code, data and document digests, and the seed.
        provenance: Value,
        /// Why it ended without a model.
        failure: Option<FailureView>,
        /// Steps of the dataset load and of the run.
        steps: Vec<StepView>,
        /// When its own steps waited and were worked at.
        timeline: Vec<SpanView>,
        /// Metrics.
        metrics: Vec<MetricView>,
        /// Gates.
        gates: Vec<Gate>,
        /// What the data and what the settings did beside the live version; none without one, and where neither differs.
        effects: Option<Effects>,
        /// Trials.
        trials: Vec<TrialView>,
        /// What its search drew, by trainer.
        searched: Vec<SearchedView>,
        /// How much better the best trial is expected to be after so many more; empty where that cannot be told.
        forecast: Vec<(u32, f64)>,
        /// Artifacts.
        artifacts: Vec<ArtifactView>,
        /// How often its held-out part was looked at; none before it is measured.
        held_out: Option<HeldOutView>,
        /// Curves and tables for plots.
        evaluation: Option<Value>,
        /// Of a tracked run: its tags, by name.
        tags: Vec<(String, String)>,
        /// Of a tracked run: the courses of its metrics, thinned out.
        courses: Vec<Course>,
        /// The end of what an external trainer wrote.
        log: Option<String>,
        /// Whether the reader may cancel it.
        may_cancel: Permission,
        /// Whether the reader may try it again from the step that failed.
        may_retry: Permission,
        /// Whether the reader may have it computed once more.
        may_reproduce: Permission,
        /// Whether the reader may let it go on; none of a run that its gates did not stop.
        may_override: Option<Permission>,
        /// What a repetition compared; empty for other runs, and until it did.
        compared: Vec<Compared>,
        /// The times it was computed once more, newest first.
        reproductions: Vec<Reproduction>,
    }

    /// An attempt at a step of a run, or its wait for one. All trials of a search are one.
    SpanView {
        /// What the step does.
        step: String,
        /// Which attempt, from 1.
        attempt: i32,
        /// `queued`, `running`, or how it ended: `succeeded`, `failed`, `cancelled`, `lost` with its worker, or `handed_over` to another.
        state: String,
        /// When it might have begun: when what it follows from had ended.
        queued_at: DateTime<Utc>,
        /// When it began; none while it waits.
        started_at: Option<DateTime<Utc>>,
        /// When it ended; of one that goes on or waits, when this was told.
        until: DateTime<Utc>,
    }

    /// The wear of a held-out part: with every look at it, luck has one chance more.
    HeldOutView {
        /// Runs of the problem that were measured on this part of this data so far, this one counted.
        looks: u64,
        /// By how much the best of so many equally good models is expected to look better than it is, in the success metric's unit.
        luck: f64,
    }

    /// The course of one metric that was logged.
    Course {
        /// The metric.
        name: String,
        /// Step and value, in order; of many steps some.
        #[serde(with = "super::word::points")]
        points: Vec<(i64, f64)>,
        /// When each of them was logged; none of what the pipeline measured, which has no times.
        #[serde(default)]
        times: Vec<DateTime<Utc>>,
    }

    /// What a step made in a run, and what it made when the run was repeated.
    Compared {
        /// The step.
        step: String,
        /// Digest of what it made first.
        first: String,
        /// Digest of what it made again.
        again: String,
    }

    /// A time a run was computed once more.
    Reproduction {
        /// The run that did.
        run: String,
        /// Its state: `succeeded` when every step made the same.
        state: String,
        /// The steps that made something else.
        differing: Vec<String>,
        /// The program that did.
        program_version: Option<String>,
        /// When it ended, or else began.
        at: DateTime<Utc>,
    }

    /// What can be launched.
    LaunchOptions {
        /// Problems with a signed-off version and at least one valid dataset version.
        problems: Vec<LaunchProblem>,
        /// Whether the reader may launch.
        may_launch: Permission,
    }

    /// A problem that can be launched.
    LaunchProblem {
        /// Address.
        slug: String,
        /// Title.
        title: String,
        /// The version that is signed off, by which a run goes.
        version: i32,
        /// How many features it names.
        features: usize,
        /// Kind of target.
        kind: String,
        /// Of a number: the quantile that is predicted, where it is not the mean.
        quantile: Option<f64>,
        /// Trainers that fit.
        trainers: Vec<String>,
        /// Whether rows are kept to choose by: without any nothing is searched for or calibrated.
        has_validation: bool,
        /// What keeps any run of it from being launched.
        obstacles: Vec<String>,
        /// Valid dataset versions, newest first.
        datasets: Vec<DatasetSummary>,
    }

    /// What a run is asked to do.
    LaunchRequest {
        /// Problem.
        problem: String,
        /// Dataset id; the problem's newest valid dataset when absent.
        dataset: Option<String>,
        /// Version of the dataset; the newest valid one when absent.
        version: Option<i32>,
        /// Seed of everything random; 0 when absent.
        seed: Option<u64>,
        /// Trainer, several with commas between them, or `any`; gradient boosting when absent.
        trainer: Option<String>,
        /// Fixed hyperparameters.
        parameters: Option<Value>,
        /// Search space; the trainer's own when absent and a budget is given.
        search: Option<Value>,
        /// What makes probabilities of a binary model's scores; `none` when absent.
        calibration: Option<String>,
        /// How trials are drawn; `tpe` when absent.
        sampler: Option<String>,
        /// Which trials are ended early; `none` when absent.
        pruner: Option<String>,
        /// Trials; no search when absent or 0.
        budget: Option<u32>,
        /// Trials that may run at once; 4 when absent.
        parallel: Option<u32>,
        /// Most seconds of processor time for all trials; no limit when absent.
        cpu_seconds: Option<f64>,
        /// Most seconds from the first trial on; no limit when absent.
        wall_seconds: Option<f64>,
        /// The search ends once what is left of it is expected to gain less than this; it is made whole when absent.
        least_gain: Option<f64>,
        /// Repository state of the caller.
        provenance: Option<Value>,
    }

    /// Which runs to list, in which order, and what to tell of them.
    RunFilter {
        /// Only of this problem.
        problem: Option<String>,
        /// Only in this state.
        state: Option<String>,
        /// Only those that pass it, for example `metrics.test.roc_auc > 0.8 and params.max_depth <= 6`.
        filter: Option<String>,
        /// For example `metrics.test.roc_auc desc`; newest first when absent.
        order_by: Option<String>,
        /// What to tell besides, for example `metrics.test.log_loss`.
        columns: Vec<String>,
        /// Where the last page ended.
        page_token: Option<String>,
        /// A run that the others are held against, whether it passes or not.
        #[serde(default)]
        baseline: Option<String>,
    }

    /// A page of the list of runs.
    RunPage {
        /// The runs.
        runs: Vec<RunSummary>,
        /// The run that they are to be held against, with the same columns.
        #[serde(default)]
        baseline: Option<RunSummary>,
        /// The columns that were asked for.
        columns: Vec<String>,
        /// What more could be asked for.
        available: Vec<String>,
        /// Send it as `page_token` for what follows.
        next_page_token: Option<String>,
    }

    /// Runs side by side.
    RunComparison {
        /// The runs, in the order they were asked for.
        runs: Vec<RunSummary>,
        /// What was asked for and fitted with.
        parameters: Vec<ComparedValues>,
        /// Final values of metrics.
        metrics: Vec<ComparedValues>,
        /// Data, code and documents.
        provenance: Vec<ComparedValues>,
        /// Tags of runs that programs elsewhere log.
        tags: Vec<ComparedValues>,
        /// What is drawn of the first eight of them.
        curves: Vec<RunCurves>,
    }

    /// What is drawn of one of several runs.
    RunCurves {
        /// The run.
        run: String,
        /// Of a binary model on its test part: (false positive rate, true positive rate).
        roc: Vec<(f64, f64)>,
        /// Of a binary model on its test part: (recall, precision).
        precision_recall: Vec<(f64, f64)>,
        /// Share of positives in its test part.
        prevalence: Option<f64>,
        /// The classes of its confusion matrix; empty without one.
        classes: Vec<String>,
        /// How often each class was taken for each on its test part: `[actual][predicted]`.
        confusion: Vec<Vec<u64>>,
        /// The courses of its metrics, thinned out.
        courses: Vec<Course>,
    }

    /// One thing of several runs.
    ComparedValues {
        /// What it is.
        name: String,
        /// Of each run, in their order; null where a run has none, and words for numbers that are none.
        values: Vec<Value>,
        /// 95 % intervals of those of metrics that have one, in the same order; empty of anything else.
        intervals: Vec<Option<(f64, f64)>>,
    }
}

impl fmt::Display for LogLineView {
    /// `2026-11-23T14:05:14.200Z  train: round 50 of 500`, and the attempt where it is not the first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.at.to_rfc3339_opts(SecondsFormat::Millis, true), self.step)?;
        if let Some(trial) = self.trial {
            write!(f, " {trial}")?;
        }
        if self.attempt > 1 {
            write!(f, " (attempt {})", self.attempt)?;
        }
        write!(f, ": {}", self.text)
    }
}

impl LaunchRequest {
    /// How the model is to be fitted, with what is left out filled in: what is stored with a run, and read by
    /// [`crate::trainer::FitPlan::read`].
    pub fn fit(&self) -> Value {
        crate::trainer::FitPlan::filled_in(serde_json::json!({
            "trainer": self.trainer,
            "parameters": self.parameters,
            "search": self.search,
            "calibration": self.calibration,
            "sampler": self.sampler,
            "pruner": self.pruner,
            "budget": self.budget,
            "parallel": self.parallel,
            "cpu_seconds": self.cpu_seconds,
            "wall_seconds": self.wall_seconds,
            "least_gain": self.least_gain,
        }))
    }
}

impl Compared {
    /// Whether the step made the same again.
    pub fn is_equal(&self) -> bool {
        self.first == self.again
    }
}

impl ComparedValues {
    /// Whether all runs have the same.
    pub fn is_equal(&self) -> bool {
        self.values.windows(2).all(|pair| pair[0] == pair[1])
    }
}

/// What is asked for when gates are overridden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OverrideRequest {
    /// Every gate that did not pass, by name: those that were looked at.
    pub gates: Vec<String>,
    /// Why.
    pub reason: String,
    /// For so many days, at most 90: from then on the version does not set out any more.
    pub days: i64,
}

views! {
    /// A version that gates had stopped.
    Overridden {
        /// Model.
        slug: String,
        /// Version.
        version: i32,
        /// Until when it may set out.
        until: DateTime<Utc>,
    }
}
