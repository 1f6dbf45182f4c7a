//! Rollouts as they are shown.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Permission;
use crate::gate::Gate;
use crate::rollout::{Look, SliceCompared, Step};

views! {
    /// A candidate on its way, or a way that has ended.
    RolloutView {
        /// Its id.
        id: String,
        /// The version that is rolled out.
        candidate: i32,
        /// The version that it is compared with.
        champion: i32,
        /// What it goes through.
        steps: Vec<Step>,
        /// Position of the present step, or of the last one.
        step: usize,
        /// `running`, `paused`, `completed` or `rolled_back`.
        state: String,
        /// Seconds that the present step has lasted.
        seconds: f64,
        /// Seconds after which a step without evidence is taken back.
        deadline_seconds: u64,
        /// What a person is asked, if one is.
        waits_for: Option<String>,
        /// Who let it wait, why and since when, while it does.
        paused: Option<(String, String, DateTime<Utc>)>,
        /// Version of the rules by which it is judged.
        rules: u32,
        /// Who began it.
        by: String,
        /// Why.
        reason: String,
        /// When.
        started_at: DateTime<Utc>,
        /// When it was looked at last.
        looked_at: Option<DateTime<Utc>>,
        /// When it ended.
        ended_at: Option<DateTime<Utc>>,
        /// What was counted in the present step.
        counted: RolloutCounts,
        /// What its checks said at looks from its beginning on, about 40 of them.
        #[serde(default)]
        looks: Vec<Look>,
        /// What the candidate's document lets 99 of 100 answers take, in milliseconds.
        limit_ms: Option<f64>,
        /// Of the newest requests that both versions answered, those on which they are furthest apart.
        disagreements: Vec<DisagreementView>,
        /// Of the newest requests that both versions answered, in all and by the document's slices.
        slices: Vec<SliceCompared>,
        /// Whether the reader may let it go on to the next step.
        may_advance: Permission,
        /// Whether the reader may let it wait, or go on again.
        may_pause: Permission,
    }

    /// A request that two versions answered differently.
    DisagreementView {
        /// The prediction.
        prediction: String,
        /// Whom it is about.
        entity: Option<String>,
        /// What the champion answers.
        champion: serde_json::Value,
        /// What the candidate answers.
        candidate: serde_json::Value,
        /// When.
        at: DateTime<Utc>,
    }

    /// Where a version that was sent on its way is now.
    RolloutStarted {
        /// The generation that it made.
        generation: i64,
        /// The live version.
        champion: i32,
        /// The version on its way; none where it is live at once.
        candidate: Option<i32>,
        /// `shadow`, `canary` or `full`.
        stage: String,
    }

    /// What was counted in a step.
    RolloutCounts {
        /// Share of all answers that the candidate gave in this step, in percent.
        share: Option<f64>,
        /// The sides: the candidate and the champion beside it.
        sides: Vec<RolloutSide>,
        /// Requests to which both gave the same answer (same class, or a number within 1 %), and another one.
        agreed: u64,
        /// Requests to which they gave another answer.
        differed: u64,
        /// Requests that were not compared, because too many waited.
        dropped: u64,
        /// Answers by group of scores in ascending order, or by class.
        scores: Vec<ScoreGroup>,
        /// Answers and failures by minute.
        minutes: Vec<RolloutMinute>,
    }

    /// Answers that lie close together.
    ScoreGroup {
        /// The greatest score (a probability, or a number in the target's unit) in it; none for a class.
        at_most: Option<f64>,
        /// The class, where that is what models answer.
        class: Option<String>,
        /// The candidate's.
        candidate: u64,
        /// The champion's.
        control: u64,
    }

    /// One side of a comparison.
    RolloutSide {
        /// `candidate` or `control`.
        arm: String,
        /// Answers.
        answered: u64,
        /// Requests without an answer.
        failed: u64,
        /// Time of an answer in milliseconds that half of them keep; upper end of the bin it was counted in.
        p50_ms: Option<f64>,
        /// The same for 95 of 100.
        p95_ms: Option<f64>,
        /// The same for 99 of 100.
        p99_ms: Option<f64>,
        /// Times of answers: the upper end of each bin in milliseconds, and how many lay in it.
        times: Vec<(f64, u64)>,
    }

    /// What was counted within a minute.
    RolloutMinute {
        /// The minute.
        minute: DateTime<Utc>,
        /// The candidate's answers.
        candidate: u64,
        /// The champion's, beside them.
        control: u64,
        /// The champion's, outside the comparison.
        rest: u64,
        /// Requests the candidate did not answer.
        failed: u64,
    }

    /// A change of what is live, with what it was decided on.
    ChangeView {
        /// Problem.
        slug: String,
        /// Its title.
        title: String,
        /// The change.
        change: super::DeploymentChange,
        /// Every check as it stood then.
        checks: Vec<Gate>,
        /// The rollout that it belongs to, with what was counted in the step that the change ended.
        rollout: Option<RolloutView>,
        /// Position of that step; none of a change that began the rollout.
        #[serde(default)]
        ended_step: Option<usize>,
        /// When every server had it, if it is the newest or that was written down.
        spread: Option<SpreadView>,
    }

    /// How a change reached the servers.
    SpreadView {
        /// Servers that had it in place within a minute, the slowest last.
        servers: Vec<ServerView>,
        /// Of the newest change, servers that were seen in the last quarter of a minute and do not have it, as far as they told.
        waiting: Vec<String>,
        /// Milliseconds from the change, by the database's clock, to the last answer of the version that it took back, by the clock of
        /// the server that gave it; none without one.
        last_answer_ms: Option<f64>,
    }

    /// A server that has a change in place.
    ServerView {
        /// Its name.
        name: String,
        /// Milliseconds from the beginning of the change until callers were answered by it.
        after_ms: f64,
    }

    /// What a drill measured.
    DrillView {
        /// The generation that it made.
        generation: i64,
        /// Milliseconds until the last server had it; none while one does not.
        took_ms: Option<f64>,
        /// How it reached the servers.
        spread: SpreadView,
    }

    /// What a switch came to.
    Switched {
        /// The generation that it made.
        generation: i64,
        /// Whether callers get the fallback now.
        fallback: bool,
        /// How long it took, in milliseconds.
        took_ms: u64,
    }

    /// A prediction with all that is kept of it.
    PredictionView {
        /// Its id.
        id: String,
        /// Problem.
        slug: String,
        /// Version that answered.
        model_version: i32,
        /// Generation of the routing table that it was live in.
        generation: i64,
        /// Side of a comparison that its unit was on: `candidate`, `control` or `rest`.
        arm: Option<String>,
        /// Whom it is about.
        entity: Option<String>,
        /// The instance as sent.
        inputs: serde_json::Value,
        /// The answer as given.
        output: serde_json::Value,
        /// What it was joined to.
        joined: Option<JoinedView>,
        /// When the event was.
        event_time: Option<DateTime<Utc>>,
        /// When it was answered.
        predicted_at: DateTime<Utc>,
        /// How long it took, in microseconds.
        micros: Option<i32>,
        /// What another version answered to the same request, unseen.
        counterpart: Option<CounterpartView>,
        /// The true label.
        label: Option<serde_json::Value>,
        /// When it was observed.
        observed_at: Option<DateTime<Utc>>,
        /// Whether the reader may keep it as a regression case.
        may_keep: Permission,
    }

    /// What a prediction was joined to.
    JoinedView {
        /// The columns that it was given, by name.
        cells: Vec<JoinedCellView>,
        /// The loads that they came from.
        loads: serde_json::Value,
    }

    /// A column that a prediction was joined to.
    JoinedCellView {
        /// Its name.
        name: String,
        /// Its value.
        value: serde_json::Value,
        /// The event time of the newest row it was made of; none where it was made of no row, or of one that holds always.
        as_of: Option<DateTime<Utc>>,
        /// How old that row was at the time that the prediction is about, in seconds.
        age_seconds: Option<f64>,
    }

    /// What another version answered to the same request.
    CounterpartView {
        /// The version.
        model_version: i32,
        /// Its answer.
        output: Option<serde_json::Value>,
        /// Why there is none.
        failure: Option<String>,
    }

    /// A prediction computed again as training computes.
    ReplayView {
        /// The prediction.
        prediction: String,
        /// Whether every bit is the same.
        same: bool,
        /// What differed.
        differences: Vec<super::ParityDifference>,
        /// The value of each feature, by name.
        features: serde_json::Value,
    }
}
