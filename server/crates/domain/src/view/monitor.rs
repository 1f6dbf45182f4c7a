//! What is watched, incidents, and trainings that start by themselves, as they are shown.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Permission;
use crate::drift::Binning;
use crate::monitor::{Baseline, Finding, Uncounted};

/// A rule to try on recorded windows; what is absent is as the document has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct BackTestQuery {
    /// What it is about: `drift`, `business`, `freshness` or `estimate`; drift when absent.
    pub about: Option<String>,
    /// Of drift, the distance: `kl`, `js`, `psi` or `ks`.
    pub metric: Option<String>,
    /// The limit: of freshness in hours, of `estimate` by how much worse.
    pub threshold: Option<f64>,
    /// Windows in a row that make an alarm.
    pub windows: Option<u32>,
    /// Windows in a row, as they should be, that end it; as many as make it when absent.
    pub keep_firing: Option<u32>,
    /// Rows that a window needs.
    pub min_rows: Option<u64>,
    /// Alarms in thirty days that a suggested limit may have; 1 when absent.
    pub alarms: Option<f64>,
}

views! {
    /// How good answers of a window were, as far as their outcomes are known.
    QualityView {
        /// The success metric.
        metric: String,
        /// Its value.
        value: f64,
        /// Its 95 % interval.
        interval: Option<(f64, f64)>,
        /// Answers whose outcome is known.
        labelled: u64,
        /// Answers in all.
        answered: u64,
        /// What the document asks for.
        limit: f64,
        /// `pass`, `fail` or `insufficient`.
        verdict: String,
    }

    /// One window of a deployment.
    WindowView {
        /// Its beginning.
        begins: DateTime<Utc>,
        /// Its end.
        ends: DateTime<Utc>,
        /// The version that was live at its end.
        version: i32,
        /// What its counts say; none of a version that was registered before references were kept.
        finding: Option<Finding>,
        /// How good its answers were; none before outcomes are known.
        quality: Option<QualityView>,
        /// Mean of the business metric, and of how many values.
        business: Option<(f64, u64)>,
        /// Servers that had not written all they counted of it when it was judged: they were lost, or late.
        uncounted: Vec<Uncounted>,
    }

    /// How old the newest rows of a dataset are.
    FreshnessView {
        /// The dataset.
        dataset: String,
        /// Its newest valid version.
        version: i32,
        /// Time of its newest row; when it was loaded where rows have no time.
        newest: DateTime<Utc>,
        /// Seconds since then.
        age_seconds: i64,
        /// What the document allows, in seconds.
        limit_seconds: Option<i64>,
        /// Whether it is older than that.
        is_stale: bool,
    }

    /// Reading the business metric by a query.
    BusinessReadView {
        /// The connection.
        connection: String,
        /// The query.
        query: String,
        /// Seconds after the end of a window until its values are there.
        delay_seconds: u64,
        /// When it was read.
        looked_at: Option<DateTime<Utc>>,
        /// Why the last look came to nothing, if it did.
        error: Option<String>,
    }

    /// The rule by which windows are judged.
    MonitorRule {
        /// Length of a window in seconds.
        window_seconds: u64,
        /// The distance, in words.
        metric: String,
        /// Its limit.
        threshold: f64,
        /// Windows in a row that make an alarm.
        windows: u32,
        /// Rows that a window needs.
        min_rows: u64,
        /// Seconds until outcomes are known.
        delay_seconds: u64,
        /// The success metric, by its stored word.
        success: String,
        /// What the document asks of it.
        success_limit: f64,
    }

    /// A rule that was tried.
    TriedRule {
        /// The distance, of drift; else the name of what is measured.
        metric: String,
        /// The limit: of freshness in hours.
        threshold: f64,
        /// Windows in a row that make an alarm.
        windows: u32,
        /// Windows in a row, as they should be, that end it.
        keep_firing: u32,
        /// Rows that a window needs.
        min_rows: u64,
    }

    /// What a rule would have done in the recorded windows.
    BackTestView {
        /// The problem.
        slug: String,
        /// Its title.
        title: String,
        /// What the rule is about: `drift`, `business`, `freshness` or `estimate`.
        about: String,
        /// What else can be tried.
        choices: Vec<String>,
        /// Unit of the limit; none of distances and of metrics.
        unit: Option<String>,
        /// Whether a window is worse the smaller its value is.
        is_worse_below: bool,
        /// The rule of the document; none where it sets no limit.
        signed: Option<TriedRule>,
        /// The rule that was tried; where no limit is signed and none asked for, by the one that is suggested.
        tried: TriedRule,
        /// The beginning of the first recorded window.
        begins: Option<DateTime<Utc>>,
        /// The end of the last one.
        ends: Option<DateTime<Utc>>,
        /// Days between them.
        days: f64,
        /// Windows that give a verdict.
        judged: u64,
        /// The end of each window, oldest first, and what is held against the limit: of drift the greatest distance of a column that luck
        /// does not explain, of freshness the hours since the newest row of the oldest dataset; none where nothing is known, or too little.
        windows: Vec<(DateTime<Utc>, Option<f64>)>,
        /// When an alert would have fired.
        fired: Vec<DateTime<Utc>>,
        /// When it would have by the document's rule; never where it sets no limit.
        fired_as_signed: Vec<DateTime<Utc>>,
        /// Alarms in thirty days that a suggested limit may have.
        alarms: f64,
        /// The tightest limit that would have had no more of them; none without a window that gives a verdict.
        suggested: Option<f64>,
        /// Whether the reader may have a letter sent, to see that alerts would arrive.
        may_test: Permission,
    }

    /// The bins of one column in a window.
    BinsView {
        /// The column.
        column: String,
        /// The bins.
        binning: Binning,
        /// Rows of the reference in each.
        reference: Vec<u64>,
        /// Answers of the window in each.
        current: Vec<u64>,
    }

    /// The distances of one column over windows.
    CourseView {
        /// The column.
        column: String,
        /// The distances, in the order of the windows.
        distances: Vec<Option<f64>>,
        /// Shares of rows without a value.
        missing: Vec<Option<f64>>,
        /// Shares of rows whose text the training data does not have; none of numbers.
        unseen: Vec<Option<f64>>,
    }

    /// Rows, other than those of training, that windows are held against.
    BaselineView {
        /// What they are of.
        kind: Baseline,
        /// The version whose answers they are; windows of others have no columns here.
        version: i32,
        /// The version before it, where windows are held against what that one was trained on.
        previous: Option<i32>,
        /// The beginning of their first window, where they are of windows.
        begins: Option<DateTime<Utc>>,
        /// The end of the last one.
        ends: Option<DateTime<Utc>>,
        /// Answers in them.
        n: u64,
        /// Whether these are enough to be held against; else windows are held against the training data.
        is_used: bool,
    }

    /// How old a dataset's newest row was at the end of each window.
    AgesView {
        /// The dataset.
        dataset: String,
        /// Seconds, in the order of the windows; none before its first valid version.
        seconds: Vec<Option<i64>>,
    }

    /// What was counted of a deployment, window by window.
    MonitorView {
        /// The problem.
        slug: String,
        /// Its title.
        title: String,
        /// The live version.
        champion: Option<i32>,
        /// Whether the live version can be watched: it has a reference.
        is_watched: bool,
        /// The rule.
        rule: MonitorRule,
        /// The windows asked for, oldest first.
        windows: Vec<WindowView>,
        /// Whether there are older ones.
        has_older: bool,
        /// The end of the last one, where one was asked for that lies before the newest.
        shown_until: Option<DateTime<Utc>>,
        /// Distances of every column, window by window; none where nothing was counted.
        courses: Vec<CourseView>,
        /// What windows of the version that is looked at closely are held against, if not against the training data.
        baseline: Option<BaselineView>,
        /// End of the window that is looked at closely.
        chosen: Option<DateTime<Utc>>,
        /// The bins of the column that was asked for, in that window.
        bins: Option<BinsView>,
        /// How old data is.
        freshness: Vec<FreshnessView>,
        /// How old it was, window by window.
        ages: Vec<AgesView>,
        /// Name and unit of the business metric, and its limit.
        business: Option<(String, String, Option<f64>)>,
        /// Where its values are read; none when they are reported.
        business_read: Option<BusinessReadView>,
        /// Incidents that are open.
        incidents: Vec<IncidentLine>,
        /// What changed what is live while these windows were counted.
        changes: Vec<(DateTime<Utc>, String)>,
        /// How far estimates of quality were from what it turned out to be: mean absolute difference, and over how many windows.
        estimate_error: Option<(f64, u64)>,
        /// Addresses of the document that nobody with an account has, so that nothing is sent there.
        unreachable: Vec<String>,
    }

    /// A line of the list of incidents.
    IncidentLine {
        /// Its id.
        id: String,
        /// The problem.
        slug: String,
        /// What it is about.
        cause: String,
        /// What it says.
        title: String,
        /// `pending`, `firing`, `no_data` (it fires, and nothing that is seen says whether it still does), `acknowledged`, `silenced`, `resolved`
        /// or `over`.
        state: String,
        /// The version that was live in the window of the last breach.
        version: Option<i32>,
        /// Since when nothing says whether it still fires.
        blind_since: Option<DateTime<Utc>>,
        /// When it began.
        opened_at: DateTime<Utc>,
        /// When it fired.
        fired_at: Option<DateTime<Utc>>,
        /// When it was fine again.
        resolved_at: Option<DateTime<Utc>>,
        /// Who took it on.
        acknowledged_by: Option<String>,
        /// Until when nobody is written to.
        silenced_until: Option<DateTime<Utc>>,
    }

    /// Something that happened to an incident.
    IncidentEvent {
        /// When.
        at: DateTime<Utc>,
        /// What: `opened`, `fired`, `told`, `acknowledged`, …
        kind: String,
        /// In words.
        text: String,
        /// Who did it, if anybody did.
        by: Option<String>,
    }

    /// One incident.
    IncidentView {
        /// The line.
        line: IncidentLine,
        /// What is wrong, column by column or number by number, as of the last window that was not as it should be.
        facts: Vec<(String, String)>,
        /// Beginning and end of the last window it was seen in.
        window: Option<(DateTime<Utc>, DateTime<Utc>)>,
        /// What happened.
        events: Vec<IncidentEvent>,
        /// Where it is written what to do.
        runbook: Option<String>,
        /// Whether the reader may acknowledge and silence it.
        may_act: Permission,
        /// Whether the reader may roll the deployment back.
        may_roll_back: Permission,
    }

    /// A list of incidents.
    IncidentsView {
        /// The incidents, those that are open first.
        items: Vec<IncidentLine>,
        /// What stands still, so that no alert comes of it.
        standing_still: Vec<StandingStill>,
        /// Where the next page begins.
        next: Option<String>,
    }

    /// A part of the servers that has not been at work for a while.
    StandingStill {
        /// What is not done meanwhile.
        missing: String,
        /// Since when.
        since: DateTime<Utc>,
    }

    /// A part of the servers that must be at work.
    HeartView {
        /// `watch`, `letters`, `rollouts`.
        name: String,
        /// When it last was; of one that never was, when it was first to be.
        beat_at: DateTime<Utc>,
        /// Whether that is too long ago.
        stands_still: bool,
    }

    /// Something that was reason to train.
    TriggerEventView {
        /// Its id.
        id: String,
        /// `schedule`, `new_rows`, `new_labels`, `drift`, `quality` or `asked`.
        reason: String,
        /// What exactly.
        detail: String,
        /// When it came up.
        at: DateTime<Utc>,
        /// The run that it started.
        run: Option<String>,
        /// Where that run stands.
        run_state: Option<String>,
        /// The version that the run registered.
        version: Option<i32>,
        /// What came of it, where it started no run.
        ended: Option<String>,
    }

    /// A time of the schedule that has passed.
    BackfillTime {
        /// In UTC.
        at: DateTime<Utc>,
        /// On the wall of the schedule's zone.
        wall: String,
        /// The newest data that was checked by then, its name and version; none where it, or a table that it is joined to, was not there yet.
        data: Option<(String, i32)>,
        /// Its rows.
        rows: Option<u64>,
        /// The run that has fitted, or fits, the live version's settings to it.
        run: Option<String>,
        /// Whether a backfill starts one for it; of times that have the same data, for the first.
        is_due: bool,
    }

    /// What a backfill does.
    BackfillView {
        /// The problem.
        slug: String,
        /// Its title.
        title: String,
        /// The zone of the schedule.
        zone: String,
        /// The schedule in words.
        schedule: String,
        /// The first moment.
        from: DateTime<Utc>,
        /// The last one.
        to: DateTime<Utc>,
        /// The live version, whose settings are used.
        of_version: i32,
        /// The times between them, oldest first.
        times: Vec<BackfillTime>,
        /// Trainings that would be started.
        due: u64,
        /// Digest of what would be started: which settings are fitted to which data.
        plan: String,
        /// Whether the reader may start them.
        may_act: Permission,
    }

    /// When models are trained by themselves.
    TriggersView {
        /// The problem.
        slug: String,
        /// Its title.
        title: String,
        /// Whether the signed document asks for it.
        has_policy: bool,
        /// The policy in words.
        policy: Vec<String>,
        /// The schedule as it is written, with its zone.
        cron: Option<(String, String)>,
        /// The next times: in UTC, and on the wall of the zone.
        next: Vec<(DateTime<Utc>, String)>,
        /// Who has paused it, why and since when.
        paused: Option<(String, String, DateTime<Utc>)>,
        /// What it does now, in words.
        standing: String,
        /// Whether it has given up.
        has_given_up: bool,
        /// How near each reason is.
        nearness: Vec<(String, String)>,
        /// What came up, newest first.
        events: Vec<TriggerEventView>,
        /// Whether the reader may pause it, let it go on, and ask for a training.
        may_act: Permission,
    }
}
