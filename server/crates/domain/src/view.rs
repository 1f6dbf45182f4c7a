//! What the doors show: the answers of reading use cases, the same for pages and API.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::case::Case;
use crate::gate::Gate;
use crate::mute::Mute;
use crate::problem::Mistake;
use crate::schema::{Profile, ValidationReport};

/// Predictions that are counted where somebody looks at a deployment, the newest of its live version.
pub const MOST_COUNTED: i64 = 20_000;

macro_rules! views {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty),+ $(,)? })+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind),+ }
    )+ };
}

mod feature;
mod monitor;
mod people;
mod registry;
mod rehearsal;
mod review;
mod rollout;
mod run;
mod word;

pub use feature::*;
pub use monitor::*;
pub use people::*;
pub use registry::*;
pub use rehearsal::*;
pub use review::*;
pub use rollout::*;
pub use run::*;
pub use word::in_words;

views! {
    /// Something that was looked for.
    Found {
        /// What it is: `problem`, `deployment`, `model version`, `dataset`, `dataset version`, `run`, `problem version` or `prediction`.
        kind: String,
        /// Its name.
        name: String,
        /// What tells it from others: a title, a stage, the problem.
        about: Option<String>,
        /// Where it is shown, as a path on this server.
        href: String,
    }

    /// The regression cases of a problem.
    CasesView {
        /// Problem.
        slug: String,
        /// Kind of target.
        kind: String,
        /// Those that are held against versions, the newest first.
        cases: Vec<Case>,
        /// How many are retired.
        retired: u64,
        /// Whether the reader may keep further ones.
        may_keep: Permission,
        /// Whether the reader may retire one.
        may_retire: Permission,
    }

    /// A line of the list of problems.
    ProblemSummary {
        /// Address.
        slug: String,
        /// Title of the newest version.
        title: String,
        /// Number of the newest version.
        version: i32,
        /// Its state.
        state: String,
        /// Kind of target.
        kind: String,
        /// Number of the approved version.
        approved_version: Option<i32>,
        /// Number of the live model version.
        live_model: Option<i32>,
        /// Author of the newest version.
        author: String,
        /// When it was written.
        created_at: DateTime<Utc>,
    }

    /// One version of a problem.
    ProblemVersionView {
        /// Address.
        slug: String,
        /// Number.
        version: i32,
        /// Title.
        title: String,
        /// State.
        state: String,
        /// Digest that people sign.
        digest: String,
        /// The document.
        document: Value,
        /// Plain sentences for stakeholders.
        summary: Vec<String>,
        /// What the held-out rows can show.
        power: String,
        /// Author.
        author: String,
        /// When it was written.
        created_at: DateTime<Utc>,
        /// When it went to review.
        submitted_at: Option<DateTime<Utc>>,
        /// When it was signed off.
        approved_at: Option<DateTime<Utc>>,
        /// When the sign-off runs out.
        sign_off_ends_at: Option<DateTime<Utc>>,
        /// The review.
        review: ReviewView,
        /// What changed since `changes_since`.
        changes: Vec<FieldChange>,
        /// Number of the version it is compared with: the last signed-off one, or the one before.
        changes_since: Option<i32>,
        /// Numbers and states of all versions, newest first.
        versions: Vec<VersionRef>,
        /// Whether the reader may submit it.
        may_submit: Permission,
        /// Whether the reader may write a new version.
        may_write: Permission,
        /// Whether the reader may launch runs on it.
        may_launch: Permission,
    }

    /// A version's number and state.
    VersionRef {
        /// Number.
        number: i32,
        /// State.
        state: String,
    }

    /// A line of the list of datasets, or of versions.
    DatasetSummary {
        /// Dataset id.
        dataset: String,
        /// Name.
        name: String,
        /// Problem.
        problem: String,
        /// Version number.
        version: i32,
        /// State.
        state: String,
        /// Rows.
        rows: Option<i64>,
        /// Columns.
        columns: Option<u32>,
        /// Source file.
        file_name: String,
        /// Size of the source in bytes.
        source_bytes: i64,
        /// Critical findings.
        critical: u32,
        /// Warnings that nobody muted.
        warnings: u32,
        /// What its rows are to the problem: `examples`, `table` or `environment`.
        role: String,
        /// Who brought it.
        author: String,
        /// When.
        created_at: DateTime<Utc>,
    }

    /// One dataset version.
    DatasetVersionView {
        /// The line.
        summary: DatasetSummary,
        /// Digest over every cell.
        digest: Option<String>,
        /// Digest of the source's bytes.
        source_digest: String,
        /// Format of the source.
        format: Option<String>,
        /// Columns.
        profile: Option<Profile>,
        /// What validation found.
        report: Option<ValidationReport>,
        /// Why it could not be read.
        failure: Option<FailureView>,
        /// Its steps.
        steps: Vec<StepView>,
        /// All versions of the dataset, newest first.
        versions: Vec<DatasetSummary>,
        /// Whether the reader may launch a run on it.
        may_launch: Permission,
        /// Number of the version whose rows come before those of its source.
        appended_to: Option<i32>,
        /// Number of the version whose rows that were set aside it brings back.
        corrects: Option<i32>,
        /// What was set aside.
        quarantine: Option<QuarantineView>,
        /// The versions that the histories are of, oldest first, at most thirty.
        history_of: Vec<i32>,
        /// How checks ended in those, for checks that ever did not hold.
        history: Vec<CheckHistory>,
        /// Number of the valid version before.
        schema_since: Option<i32>,
        /// What changed in its columns.
        schema_changes: Vec<SchemaChange>,
        /// The checks of the dataset that are muted now.
        mutes: Vec<Mute>,
        /// Whether the reader may mute one.
        may_mute: Permission,
    }

    /// How a check ended in several versions.
    CheckHistory {
        /// The check.
        check: String,
        /// The column or feature it is about.
        column: Option<String>,
        /// A letter a version: passed, failed, warning, info, errored, skipped, and - where it was not made.
        marks: String,
    }

    /// A column that came, went, or changed its type.
    SchemaChange {
        /// Its name.
        column: String,
        /// Its type before; none when it is new.
        before: Option<String>,
        /// Its type now; none when it is gone.
        after: Option<String>,
    }

    /// Rows that were set aside because they break a critical check.
    QuarantineView {
        /// How many they are.
        rows: i64,
        /// Number of the version that brought them back, corrected.
        corrected_by: Option<i32>,
        /// Whether the reader may bring them back.
        may_correct: Permission,
    }

    /// Why something ended without success.
    FailureView {
        /// Stable word.
        code: String,
        /// In words.
        message: String,
    }

    /// One step.
    StepView {
        /// Kind.
        kind: String,
        /// What it does.
        title: String,
        /// State.
        state: String,
        /// Attempts begun.
        attempt: i32,
        /// Attempts allowed.
        max_attempts: i32,
        /// How far it is: `done`, `total`, `text`.
        progress: Option<Value>,
        /// Why it ended without success.
        failure: Option<FailureView>,
        /// Whether its result was taken over from an earlier step.
        reused: bool,
        /// Seconds of processor time that its attempts used.
        cpu_s: f64,
        /// The most bytes of memory that its worker, or the program it ran, held meanwhile, whatever for.
        peak_bytes: Option<i64>,
        /// Who did it: the worker's kind, host and process.
        worker: Option<String>,
        /// When it began.
        started_at: Option<DateTime<Utc>>,
        /// When it ended.
        finished_at: Option<DateTime<Utc>>,
    }

    /// A line of the list of models, or of versions.
    ModelSummary {
        /// Model name, the problem's slug.
        slug: String,
        /// Title of the problem, as of the document that it was trained on.
        title: String,
        /// Version number.
        version: i32,
        /// Stage.
        stage: String,
        /// Run that made it.
        run: String,
        /// What it was trained by.
        trainer: String,
        /// The dataset version that it was trained on, by name, and its page.
        data: String,
        /// Page of that dataset version.
        data_page: String,
        /// Name of the success metric.
        metric: String,
        /// Its value on the test part.
        value: Option<f64>,
        /// Its 95 % interval.
        interval: Option<(f64, f64)>,
        /// The metrics of the document's guardrails on the test part, by name.
        guardrails: Vec<(String, f64)>,
        /// Who launched the run.
        author: String,
        /// When it was registered.
        created_at: DateTime<Utc>,
        /// When it was last asked for a prediction; in the list of models, when any of its versions was.
        #[serde(default)]
        asked_at: Option<DateTime<Utc>>,
        /// Whether somebody let it go on although a gate did not pass.
        overridden: bool,
        /// Whether it is put away.
        archived: bool,
        /// In the list of models, the version that is live.
        #[serde(default)]
        live: Option<i32>,
    }

    /// A version among those of its model.
    ModelVersionLine {
        /// The line.
        #[serde(flatten)]
        summary: ModelSummary,
        /// What people approve.
        digest: String,
        /// What it proved.
        gates: Vec<Gate>,
    }

    /// Somebody who asked a model version for predictions.
    CallerView {
        /// Their name.
        name: String,
        /// The name of the token they showed.
        token: String,
        /// The first time.
        first_at: DateTime<Utc>,
        /// The last time.
        last_at: DateTime<Utc>,
    }

    /// One model version.
    ModelVersionView {
        /// The line.
        summary: ModelSummary,
        /// Number of the signed document by which it went on without a person, if it did.
        goes_on_by: Option<i32>,
        /// What people approve.
        digest: String,
        /// The model's bytes.
        artifact: String,
        /// What it proved.
        gates: Vec<Gate>,
        /// Metrics of its run.
        metrics: Vec<MetricView>,
        /// Parameters it was fitted with.
        parameters: Option<Value>,
        /// Where it comes from.
        provenance: Value,
        /// Dataset it was trained on.
        dataset: DatasetSummary,
        /// Where it comes from, as a graph.
        lineage: LineageView,
        /// Importance of its inputs, most important first.
        importance: Vec<(String, f64)>,
        /// What a prediction must be sent: name and type.
        inputs: Vec<(String, String)>,
        /// Warnings that travel along from validation.
        warnings: Vec<String>,
        /// Who asked it for predictions, those that asked last first: at most 100.
        #[serde(default)]
        callers: Vec<CallerView>,
        /// The review.
        review: ReviewView,
        /// The version that is live, which it would take the place of.
        live: Option<i32>,
        /// Generation a deployment would change.
        generation: i64,
        /// Whether it may set out, whoever sends it, and what stands in the way.
        promotion: Permission,
        /// What it would go through; nothing where no version is live that it could be compared with.
        rollout: Vec<String>,
        /// Whether the reader may send it on its way.
        may_deploy: Permission,
        /// Whether the reader may put it away, or bring it back.
        may_archive: Permission,
    }

    /// A past change of what is live.
    DeploymentChange {
        /// Generation it made.
        generation: i64,
        /// `deploy`, `shadow`, `canary`, `full`, `settled` or `rollback`.
        kind: String,
        /// Version that became live.
        champion: Option<i32>,
        /// Version that was live, or the candidate that was taken back.
        previous: Option<i32>,
        /// Version that was on its way.
        candidate: Option<i32>,
        /// Share of units that it answered from then on, in percent.
        percent: f64,
        /// Who; none when it was decided by what was counted.
        by: Option<String>,
        /// Why.
        reason: String,
        /// When.
        at: DateTime<Utc>,
    }

    /// What is live for a problem.
    DeploymentView {
        /// Problem.
        slug: String,
        /// Its title.
        title: String,
        /// Rises with every change.
        generation: i64,
        /// Live version.
        champion: Option<i32>,
        /// Version on its way.
        candidate: Option<i32>,
        /// `none`, `shadow`, `canary` or `full`.
        stage: String,
        /// Share of units answered by the candidate, in percent.
        candidate_percent: f64,
        /// Checks of the rollout that is under way.
        analysis: Vec<Gate>,
        /// The rollout that is under way.
        rollout: Option<RolloutView>,
        /// Predictions answered by the live version; [`MOST_COUNTED`] of more.
        predictions: i64,
        /// Predictions of the live version with a known outcome.
        outcomes: i64,
        /// Since when.
        changed_at: Option<DateTime<Utc>>,
        /// Version that a rollback would bring back.
        rollback_to: Option<i32>,
        /// Changes, newest first.
        history: Vec<DeploymentChange>,
        /// How the newest of them reached the servers.
        spread: SpreadView,
        /// Whether the reader may roll back.
        may_roll_back: Permission,
        /// Answers computed again as training computes.
        parity: ParityView,
        /// What the newest answer was joined to.
        joined: Vec<JoinedLoad>,
        /// What callers get while the model is switched off, if it is: `rules`, if any, and where none of them holds the rest.
        fallback: Option<Value>,
        /// What they would get, as the document signed last says: its `serving.fallback`.
        fallback_answer: Option<Value>,
        /// Whether the reader may switch the model off, or on again.
        may_switch: Permission,
        /// Whether the reader may measure how long a change takes.
        may_drill: Permission,
    }

    /// What feeds a dataset by itself.
    SourceView {
        /// The problem.
        problem: String,
        /// The dataset or table.
        dataset: String,
        /// Name of the connection.
        connection: String,
        /// The path or the query.
        reads: String,
        /// Whether each file's rows come after those of the files before.
        append: bool,
        /// How often it is looked at, as in documents.
        every: String,
        /// When it was looked at.
        looked_at: Option<DateTime<Utc>>,
        /// When it is looked at next.
        next_at: Option<DateTime<Utc>>,
        /// Why the last look came to nothing, if it did.
        error: Option<String>,
        /// The version that was loaded last: dataset and number.
        loaded: Option<(String, i32)>,
    }

    /// Answers of the live version, computed again as training computes.
    ParityView {
        /// Answers that were compared.
        compared: i64,
        /// Answers of which any bit differed.
        differing: i64,
        /// When the last look was.
        checked_at: Option<DateTime<Utc>>,
        /// What differed in the first answers.
        examples: Vec<ParityDifference>,
    }

    /// One thing that differed.
    ParityDifference {
        /// The prediction.
        prediction: String,
        /// A joined column, or `answer`.
        what: String,
        /// As it was served.
        served: String,
        /// As it is computed again.
        recomputed: String,
    }

    /// A load that requests are joined to.
    JoinedLoad {
        /// Name of the table; none for the data's own rows.
        table: Option<String>,
        /// Number of the dataset version.
        version: i32,
        /// When it was loaded.
        loaded_at: DateTime<Utc>,
    }

    /// What waits for the reader, what runs, and what is live.
    HomeView {
        /// Alerts that fire.
        alerts: Vec<IncidentLine>,
        /// Reviews the reader can decide.
        waiting: Vec<WaitingItem>,
        /// Runs and loads under way.
        running: Vec<RunSummary>,
        /// What is live.
        live: Vec<DeploymentView>,
        /// Recently ended runs.
        recent: Vec<RunSummary>,
        /// Whether there is no problem yet.
        is_empty: bool,
        /// Letters and messages of the last week that could not be sent, for whoever looks after them or is on call.
        stuck_mail: i64,
        /// Whether the reader may look at them.
        may_read_mail: bool,
        /// What stands still.
        standing_still: Vec<StandingStill>,
    }

    /// Something that waits for a decision.
    WaitingItem {
        /// `problem` or `model`.
        kind: String,
        /// In words.
        title: String,
        /// Page to decide on.
        href: String,
        /// Who asks.
        by: String,
        /// Since when.
        since: DateTime<Utc>,
    }

    /// A version that was written.
    SavedVersion {
        /// Address.
        slug: String,
        /// Number.
        version: i32,
        /// Digest.
        digest: String,
        /// State.
        state: String,
    }

    /// A rollback that was done.
    RolledBack {
        /// New generation.
        generation: i64,
        /// Version that is live now.
        champion: Option<i32>,
        /// Milliseconds from the request to the committed change.
        took_ms: u64,
    }

    /// A document that was read, or its mistakes.
    DocumentCheck {
        /// Mistakes; empty when the document is valid.
        mistakes: Vec<Mistake>,
    }
}
