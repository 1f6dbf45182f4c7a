//! Runs, trials, metrics and the artifacts a run keeps.

mod search;
mod tracked;

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::ids::{AccountId, DatasetId, DatasetVersionId, ProblemVersionId, RunId};
use millrace_domain::run::RunState;
use millrace_domain::schema::{Profile, ValidationReport};

pub use search::{Filter, Limit, NamedValue, find_all, list, metric_names, values_of};
pub use tracked::{
    NewTracked, Newest, add_entries, add_points, courses, delete_tag, history, insert_tracked, newest_points,
    update_tracked,
};

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};
use crate::step::Failure;

/// One pass through the pipeline.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Slug of the problem.
    pub problem: String,
    /// Number of the problem version.
    pub problem_number: i32,
    /// The problem version.
    pub problem_version: ProblemVersionId,
    /// The dataset version; none of a tracked run.
    pub dataset_version: Option<DatasetVersionId>,
    /// What a program elsewhere logs, if it is that.
    pub tracked: Option<Tracked>,
    /// Who launched it.
    pub author: AccountId,
    /// Their name.
    pub author_name: String,
    /// Who started it anew.
    pub retried_by: Vec<AccountId>,
    /// Where it stands.
    pub state: RunState,
    /// What was asked: trainer, parameters, search, budget.
    pub request: serde_json::Value,
    /// The seed of everything random in it.
    pub seed: i64,
    /// Code, data and document digests.
    pub provenance: serde_json::Value,
    /// The trainer the model was fitted with.
    pub trainer: Option<String>,
    /// The parameters the model was fitted with.
    pub parameters: Option<serde_json::Value>,
    /// Why it ended without a model.
    pub failure: Option<Failure>,
    /// When it was launched.
    pub created_at: DateTime<Utc>,
    /// When its first step began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Number of the model version it registered.
    pub model_number: Option<i32>,
    /// The run that it repeats.
    pub reproduces: Option<RunId>,
    /// Name of the problem's success metric.
    pub metric: String,
    /// Its value on the test part.
    pub value: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<(f64, f64)>,
}

/// What a run has that a program elsewhere logs.
#[derive(Debug, Clone)]
pub struct Tracked {
    /// What the program calls it.
    pub name: String,
    /// Its tags, texts by name.
    pub tags: serde_json::Value,
}

impl Record for Run {
    fn read(row: &Row) -> Result<Self> {
        let tracked = match row.get::<String>("kind")?.as_str() {
            "tracked" => {
                let name = row.get::<Option<String>>("name")?.unwrap_or_default();
                Some(Tracked { name, tags: row.get("tags")? })
            }
            _ => None,
        };
        Ok(Self {
            id: RunId(row.get("id")?),
            problem: row.get("slug")?,
            problem_number: row.get("problem_number")?,
            problem_version: ProblemVersionId(row.get("problem_version_id")?),
            dataset_version: row.get::<Option<i64>>("dataset_version_id")?.map(DatasetVersionId),
            tracked,
            author: AccountId(row.get("author_id")?),
            retried_by: row.json::<Vec<i64>>("retried_by")?.into_iter().map(AccountId).collect(),
            author_name: row.get("author_name")?,
            state: row.word("state")?,
            request: row.get("request")?,
            seed: row.get("seed")?,
            provenance: row.get("provenance")?,
            trainer: row.get("trainer")?,
            parameters: row.get("parameters")?,
            failure: row.optional_json("failure")?,
            created_at: row.get("created_at")?,
            started_at: row.get("started_at")?,
            finished_at: row.get("finished_at")?,
            model_number: row.get("model_number")?,
            reproduces: row.get::<Option<i64>>("reproduces")?.map(RunId),
            metric: row.get("metric")?,
            value: row.get("success_value")?,
            interval: row.get::<Option<f64>>("success_low")?.zip(row.get("success_high")?),
        })
    }
}

// The metric is looked up by the primary key, run by run, and never joined: once a thousand runs are asked for, a join reads all that was ever
// measured.
macro_rules! select_run {
    ($rest:expr) => {
        concat!(
            "select r.*, p.slug, v.number as problem_number, a.name as author_name, m.number as model_number,
                v.success_metric as metric,
                s.value as success_value, s.low as success_low, s.high as success_high from run r
                join problem_version v on v.id = r.problem_version_id join problem p on p.id = v.problem_id
                join account a on a.id = r.author_id left join model_version m on m.run_id = r.id
                left join lateral (select s.value, s.low, s.high from run_metric s where s.run_id = r.id and s.step = 0
                    and s.name = 'test.' || v.success_metric offset 0) s on true ",
            $rest
        )
    };
}
use select_run;

/// A run to be launched.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// The signed-off problem version.
    pub problem_version: ProblemVersionId,
    /// The valid dataset version.
    pub dataset_version: DatasetVersionId,
    /// The valid versions of the tables that its rows are joined to, by name.
    pub tables: Vec<(String, DatasetVersionId)>,
    /// Who launches it.
    pub author: AccountId,
    /// What is asked.
    pub request: serde_json::Value,
    /// The seed.
    pub seed: i64,
    /// Code, data and document digests.
    pub provenance: serde_json::Value,
    /// The run that it repeats.
    pub reproduces: Option<RunId>,
}

/// Adds a queued run.
///
/// # Errors
/// [`crate::StorageError::Refused`] when the problem version is not signed off or the dataset version is not valid, or when it is
/// to repeat a run and does not.
pub async fn insert(db: &impl Connection, run: &NewRun, now: DateTime<Utc>) -> Result<RunId> {
    const SQL: &str = "insert into run (problem_version_id, dataset_version_id, author_id, state, request, seed,
            provenance, created_at, reproduces) values ($1, $2, $3, 'queued', $4, $5, $6, $7, $8) returning id";
    let stored = values![
        run.problem_version.0,
        run.dataset_version.0,
        run.author.0,
        run.request.clone(),
        run.seed,
        run.provenance.clone(),
        now,
        run.reproduces.map(|id| id.0)
    ];
    let id = record::one(db, SQL, stored).await.map(RunId)?;
    for (name, version) in &run.tables {
        const TABLE: &str = "insert into run_table (run_id, name, dataset_version_id) values ($1, $2, $3)";
        record::execute(db, TABLE, values![id.0, name.as_str(), version.0]).await?;
    }
    Ok(id)
}

/// A table version that a run's rows are joined to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunTable {
    /// The table's name.
    pub name: String,
    /// Its dataset version.
    pub version: DatasetVersionId,
    /// The number of that.
    pub number: i32,
    /// Digest over every cell.
    pub digest: Digest,
    /// Artifact of the typed frame (Parquet).
    pub frame: Digest,
    /// Its dataset.
    pub dataset: DatasetId,
}

impl Record for RunTable {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            name: row.get("name")?,
            version: DatasetVersionId(row.get("id")?),
            number: row.get("number")?,
            digest: row.digest("digest")?,
            frame: row.digest("frame")?,
            dataset: DatasetId(row.get("dataset_id")?),
        })
    }
}

/// The table versions that a run's rows are joined to, by name.
///
/// # Errors
/// When the database fails.
pub async fn tables(db: &impl Connection, id: RunId) -> Result<Vec<RunTable>> {
    const SQL: &str = "select t.name, v.id, v.number, v.digest, v.frame, v.dataset_id
        from run_table t join dataset_version v on v.id = t.dataset_version_id where t.run_id = $1 order by t.name";
    record::all(db, SQL, values![id.0]).await
}

/// What runs do alike that repeat each other.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    /// The document.
    pub problem_version: ProblemVersionId,
    /// The data.
    pub dataset_version: DatasetVersionId,
    /// The tables that its rows are joined to.
    pub tables: &'a [DatasetVersionId],
    /// Trainer, parameters and search.
    pub request: &'a serde_json::Value,
    /// The seed.
    pub seed: i64,
}

/// The first run that does the same, has not failed and was not cancelled.
///
/// # Errors
/// When the database fails.
pub async fn with_settings(db: &impl Connection, same: Settings<'_>) -> Result<Option<RunId>> {
    const SQL: &str =
        "select r.id from run r where r.problem_version_id = $1 and r.dataset_version_id = $2 and r.request = $3
            and r.seed = $4 and r.kind = 'pipeline' and r.reproduces is null and r.state not in ('failed', 'cancelled')
            and (select coalesce(jsonb_agg(t.dataset_version_id order by t.dataset_version_id), '[]') from run_table t
                where t.run_id = r.id) = $5
        order by r.id limit 1";
    let Settings { problem_version, dataset_version, tables, request, seed } = same;
    let mut tables: Vec<i64> = tables.iter().map(|table| table.0).collect();
    tables.sort_unstable();
    let stored = values![problem_version.0, dataset_version.0, request.clone(), seed, serde_json::json!(tables)];
    Ok(record::optional::<i64>(db, SQL, stored).await?.map(RunId))
}

/// A run by id.
///
/// # Errors
/// When the database fails.
pub async fn find(db: &impl Connection, id: RunId) -> Result<Option<Run>> {
    record::optional(db, select_run!("where r.id = $1"), values![id.0]).await
}

/// The runs that repeated this one, newest first, twenty at most.
///
/// # Errors
/// When the database fails.
pub async fn reproductions(db: &impl Connection, id: RunId) -> Result<Vec<Run>> {
    record::all(db, select_run!("where r.reproduces = $1 order by r.id desc limit 20"), values![id.0]).await
}

/// Ends a run.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when it has ended already.
pub async fn finish(db: &impl Connection, id: RunId, state: RunState, failure: Option<&Failure>) -> Result<()> {
    const SQL: &str = "update run set state = $2, failure = $3, finished_at = now()
        where id = $1 and state in ('queued', 'running')";
    let failure = failure.map(|failure| serde_json::json!(failure));
    record::guarded(db, "the run", SQL, values![id.0, state.as_str(), failure]).await
}

/// Opens a run again, whose steps are to be tried again.
///
/// # Errors
/// [`crate::StorageError::Conflict`] unless it failed or was cancelled.
pub async fn reopen(db: &impl Connection, id: RunId, by: AccountId) -> Result<()> {
    const SQL: &str = "update run set state = 'running', failure = null, finished_at = null,
            retried_by = case when retried_by @> to_jsonb($2::bigint) then retried_by else retried_by || to_jsonb($2::bigint) end
        where id = $1 and state in ('failed', 'cancelled')";
    record::guarded(db, "the run", SQL, values![id.0, by.0]).await
}

/// Records what the model is fitted with.
///
/// # Errors
/// When the database fails.
pub async fn set_fitted_with(
    db: &impl Connection,
    id: RunId,
    trainer: &str,
    parameters: &serde_json::Value,
) -> Result<()> {
    const SQL: &str = "update run set trainer = $2, parameters = $3 where id = $1";
    record::execute(db, SQL, values![id.0, trainer, parameters.clone()]).await.map(|_| ())
}

/// One trial of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Counts from 0.
    pub number: i32,
    /// Its trainer.
    pub trainer: String,
    /// Its parameters.
    pub parameters: serde_json::Value,
    /// The share of the training rows that it saw.
    pub share: f64,
    /// Its score on the validation part.
    pub score: Option<f64>,
    /// `succeeded`, `failed`, `infeasible`, `pruned` or `stopped`.
    pub state: String,
    /// Why it did not succeed.
    pub message: Option<String>,
    /// Iterations, boosting rounds or trees.
    pub iterations: Option<i64>,
    /// Seconds of processor time; none of a trial that is from before it was counted.
    pub cpu_s: Option<f64>,
    /// Whether it was taken over from another run.
    pub reused: bool,
}

impl Record for Trial {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            number: row.get("number")?,
            trainer: row.get("trainer")?,
            parameters: row.get("parameters")?,
            share: row.get("share")?,
            score: row.get("score")?,
            state: row.get("state")?,
            message: row.get("message")?,
            iterations: row.get("iterations")?,
            cpu_s: row.get("cpu_s")?,
            reused: row.get("reused")?,
        })
    }
}

/// Records a trial that has ended; the one of that number before it, from before the run was tried again, is gone.
///
/// # Errors
/// When the database fails.
pub async fn set_trial(db: &impl Connection, id: RunId, trial: &Trial) -> Result<()> {
    const SQL: &str =
        "insert into trial (run_id, number, trainer, parameters, share, score, state, message, iterations)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (run_id, number) do update set trainer = excluded.trainer, parameters = excluded.parameters,
            share = excluded.share, score = excluded.score, state = excluded.state, message = excluded.message,
            iterations = excluded.iterations";
    let Trial { number, trainer, parameters, share, score, state, message, iterations, cpu_s: _, reused: _ } =
        trial.clone();
    let stored = values![id.0, number, trainer, parameters, share, score, state, message, iterations];
    record::execute(db, SQL, stored).await.map(|_| ())
}

/// The trials of a run in order.
///
/// # Errors
/// When the database fails.
pub async fn trials(db: &impl Connection, id: RunId) -> Result<Vec<Trial>> {
    const SQL: &str = "select t.*, s.cpu_s, s.reused_from is not null as reused from trial t
        left join step s on s.subject_kind = 'run' and s.subject_id = t.run_id and s.kind = 'trial' and s.part = t.number
        where t.run_id = $1 order by t.number limit 10000";
    record::all(db, SQL, values![id.0]).await
}

/// One metric value.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricValue {
    /// For example `test.roc_auc`.
    pub name: String,
    /// Iteration, 0 for a final value.
    pub step: i32,
    /// The value.
    pub value: f64,
    /// 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// Rows behind it.
    pub n: i64,
}

impl Record for MetricValue {
    fn read(row: &Row) -> Result<Self> {
        let low: Option<f64> = row.get("low")?;
        let high: Option<f64> = row.get("high")?;
        Ok(Self {
            name: row.get("name")?,
            step: row.get("step")?,
            value: row.get("value")?,
            interval: low.zip(high),
            n: row.get("n")?,
        })
    }
}

/// Records metrics, replacing those of the same name and step.
///
/// # Errors
/// When the database fails.
pub async fn set_metrics(db: &impl Connection, id: RunId, metrics: &[MetricValue]) -> Result<()> {
    // As texts, since JSON has no word for numbers that are none.
    const SQL: &str = "insert into run_metric (run_id, name, step, value, low, high, n)
        select $1, m.name, m.step, m.value::double precision, m.low::double precision, m.high::double precision, m.n
        from jsonb_to_recordset($2) as m(name text, step int, value text, low text, high text, n bigint)
        on conflict (run_id, name, step) do update
        set value = excluded.value, low = excluded.low, high = excluded.high, n = excluded.n";
    let row = |metric: &MetricValue| {
        let (low, high) = metric.interval.unzip();
        let text = |number: Option<f64>| number.map(|number| number.to_string());
        serde_json::json!({ "name": metric.name, "step": metric.step, "value": metric.value.to_string(),
            "low": text(low), "high": text(high), "n": metric.n })
    };
    let rows: Vec<serde_json::Value> = metrics.iter().map(row).collect();
    record::execute(db, SQL, values![id.0, serde_json::json!(rows)]).await.map(|_| ())
}

/// The metrics of a run by name and step.
///
/// # Errors
/// When the database fails.
pub async fn metrics(db: &impl Connection, id: RunId) -> Result<Vec<MetricValue>> {
    const SQL: &str = "select * from run_metric where run_id = $1 order by name, step limit 100000";
    record::all(db, SQL, values![id.0]).await
}

/// How many runs of a run's problem were measured on its data, up to it and with it; repetitions look at nothing new.
///
/// # Errors
/// When the database fails.
pub async fn looks_at_test_part(db: &impl Connection, id: RunId) -> Result<u64> {
    const SQL: &str = "select count(*) from run r join problem_version v on v.id = r.problem_version_id
        join run own on own.id = $1 join problem_version o on o.id = own.problem_version_id
        where r.id <= own.id and r.dataset_version_id = own.dataset_version_id and v.problem_id = o.problem_id
          and r.reproduces is null and exists (select 1 from step s where s.subject_kind = 'run' and s.subject_id = r.id
              and s.kind = 'evaluate' and s.state = 'succeeded')";
    let looks: i64 = record::one(db, SQL, values![id.0]).await?;
    Ok(looks.unsigned_abs())
}

/// An artifact of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunArtifact {
    /// For example `model`.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub bytes: i64,
    /// Its media type.
    pub media_type: String,
}

impl Record for RunArtifact {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            name: row.get("name")?,
            digest: row.digest("digest")?,
            bytes: row.get("bytes")?,
            media_type: row.get("media_type")?,
        })
    }
}

/// Names an artifact of a run.
///
/// # Errors
/// When the database fails.
pub async fn set_artifact(db: &impl Connection, id: RunId, name: &str, digest: &Digest) -> Result<()> {
    const SQL: &str = "insert into run_artifact (run_id, name, digest) values ($1, $2, $3)
        on conflict (run_id, name) do update set digest = excluded.digest";
    record::execute(db, SQL, values![id.0, name, record::bytes(digest)]).await.map(|_| ())
}

/// The artifacts of a run by name.
///
/// # Errors
/// When the database fails.
pub async fn artifacts(db: &impl Connection, id: RunId) -> Result<Vec<RunArtifact>> {
    const SQL: &str = "select r.name, r.digest, a.bytes, a.media_type from run_artifact r
        join artifact a on a.digest = r.digest where r.run_id = $1 order by r.name";
    record::all(db, SQL, values![id.0]).await
}

/// Features that a run computed.
#[derive(Debug, Clone)]
pub struct ComputedFeatures {
    /// The run.
    pub run: RunId,
    /// The problem version whose features they are.
    pub problem_version: ProblemVersionId,
    /// What is known of their values.
    pub statistics: Profile,
}

impl Record for ComputedFeatures {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            run: RunId(row.get("id")?),
            problem_version: ProblemVersionId(row.get("problem_version_id")?),
            statistics: row.json("statistics")?,
        })
    }
}

/// The features that the newest runs of a problem computed, newest first.
///
/// # Errors
/// When the database fails.
pub async fn computed_features(db: &impl Connection, slug: &str) -> Result<Vec<ComputedFeatures>> {
    const SQL: &str = "select r.id, r.problem_version_id, s.output -> 'statistics' as statistics
        from run r join problem_version v on v.id = r.problem_version_id join problem p on p.id = v.problem_id
        join step s on s.subject_kind = 'run' and s.subject_id = r.id and s.kind = 'features'
        where p.slug = $1 and r.reproduces is null and s.state = 'succeeded' and s.output ? 'statistics'
        order by r.id desc limit 10";
    record::all(db, SQL, values![slug]).await
}

struct FeaturesReport(ValidationReport);

impl Record for FeaturesReport {
    fn read(row: &Row) -> Result<Self> {
        row.json("report").map(Self)
    }
}

/// What a run found about what only it knows: what was joined, and which rows test; none before it has computed its features.
///
/// # Errors
/// When the database fails.
pub async fn features_report(db: &impl Connection, id: RunId) -> Result<Option<ValidationReport>> {
    const SQL: &str = "select output -> 'report' as report from step
        where subject_kind = 'run' and subject_id = $1 and kind = 'features' and state = 'succeeded' and output ? 'report'";
    let found: Option<FeaturesReport> = record::optional(db, SQL, values![id.0]).await?;
    Ok(found.map(|found| found.0))
}
