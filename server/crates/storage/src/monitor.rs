//! What was counted of live answers, and the windows that were judged by it.

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::ids::{AccountId, ModelVersionId, ProblemId};
use millrace_domain::monitor::Finding;
use millrace_domain::problem::{Business, Monitoring, Span};
use millrace_domain::view::QualityView;
use sea_orm::prelude::Uuid;
use serde::Serialize;
use serde_json::json;

use crate::database::Connection;
use crate::record::{self, Record, Row, values};
use crate::{Result, StorageError};

/// What one server counted of one version in one stretch of time, so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveCount {
    /// The version.
    pub model_version_id: i64,
    /// The beginning of the stretch.
    pub begins: DateTime<Utc>,
    /// How long it is.
    pub seconds: i32,
    /// The counts, in the order of the version's reference.
    pub counts: Vec<u64>,
}

/// Writes what a server has counted so far; what it wrote before of the same stretches is taken over.
///
/// # Errors
/// When the database fails; nothing is then written.
pub async fn write_counts(db: &impl Connection, server: Uuid, counted: &[LiveCount]) -> Result<()> {
    const SQL: &str = "insert into live_count (model_version_id, begins, seconds, server, counts)
        select c.model_version_id, c.begins, c.seconds, $1, c.counts
        from jsonb_to_recordset($2::text::jsonb) as c(model_version_id bigint, begins timestamptz, seconds int, counts bigint[])
        on conflict (model_version_id, begins, server) do update set counts = excluded.counts";
    let rows = serde_json::to_string(counted)
        .map_err(|error| StorageError::Corrupt { what: "live counts".to_owned(), reason: error.to_string() })?;
    record::execute(db, SQL, values![server, rows]).await.map(|_| ())
}

struct Counts(Vec<u64>);

impl Record for Counts {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self(read_counts(row)?.unwrap_or_default()))
    }
}

fn read_counts(row: &Row) -> Result<Option<Vec<u64>>> {
    row.optional_json("counts")
}

/// The sum of what all servers counted of a version from one moment on and before another; none when they counted nothing.
///
/// # Errors
/// When the database fails.
pub async fn sum_counts(
    db: &impl Connection,
    version: ModelVersionId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Option<Vec<u64>>> {
    const SQL: &str = "select to_jsonb(counts) as counts from live_count
        where model_version_id = $1 and begins >= $2 and begins < $3";
    let rows: Vec<Counts> = record::all(db, SQL, values![version.0, from, to]).await?;
    Ok(rows.into_iter().map(|Counts(counts)| counts).reduce(|mut sum, counts| {
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        sum
    }))
}

/// Forgets what was counted in stretches that began before a moment.
///
/// # Errors
/// When the database fails.
pub async fn forget_counts(db: &impl Connection, before: DateTime<Utc>) -> Result<u64> {
    record::execute(db, "delete from live_count where begins < $1", values![before]).await
}

/// Digest of the reference of a version; none of one that was registered before there were any.
///
/// # Errors
/// When the database fails.
pub async fn reference(db: &impl Connection, version: ModelVersionId) -> Result<Option<Digest>> {
    struct Found(Digest);
    impl Record for Found {
        fn read(row: &Row) -> Result<Self> {
            row.digest("digest").map(Self)
        }
    }
    const SQL: &str = "select a.digest from model_version m join run_artifact a on a.run_id = m.run_id
        where m.id = $1 and a.name = 'reference'";
    Ok(record::optional::<Found>(db, SQL, values![version.0]).await?.map(|found| found.0))
}

/// A window that was judged.
#[derive(Debug, Clone)]
pub struct Window {
    /// Its id.
    pub id: i64,
    /// The version that was live at its end.
    pub version: ModelVersionId,
    /// Its number.
    pub number: i32,
    /// Its beginning.
    pub begins: DateTime<Utc>,
    /// Its end.
    pub ends: DateTime<Utc>,
    /// What was counted; none of a version without a reference.
    pub counts: Option<Vec<u64>>,
    /// What the counts say.
    pub finding: Option<Finding>,
    /// Mean of the business metric, and of how many values.
    pub business: Option<(f64, u64)>,
    /// How good answers were.
    pub quality: Option<QualityView>,
    /// Outcomes that this was computed from.
    pub labelled: i64,
}

impl Record for Window {
    fn read(row: &Row) -> Result<Self> {
        let n: i64 = row.get("business_n")?;
        Ok(Self {
            id: row.get("id")?,
            version: ModelVersionId(row.get("model_version_id")?),
            number: row.get("number")?,
            begins: row.get("begins")?,
            ends: row.get("ends")?,
            counts: read_counts(row)?,
            finding: row.optional_json("finding")?,
            business: row.get::<Option<f64>>("business")?.map(|mean| (mean, n.unsigned_abs())),
            quality: row.optional_json("quality")?,
            labelled: row.get("labelled")?,
        })
    }
}

macro_rules! select_window {
    ($rest:literal) => {
        concat!(
            "select w.id, w.model_version_id, m.number, w.begins, w.ends, to_jsonb(w.counts) as counts, w.finding, w.business,
                w.business_n, w.quality, w.labelled
             from monitor_window w join model_version m on m.id = w.model_version_id ",
            $rest
        )
    };
}

/// A window to be written.
#[derive(Debug, Clone)]
pub struct NewWindow<'a> {
    /// The problem.
    pub problem: ProblemId,
    /// The version that is live.
    pub version: ModelVersionId,
    /// Its beginning.
    pub begins: DateTime<Utc>,
    /// Its end.
    pub ends: DateTime<Utc>,
    /// The rule that it is judged by.
    pub rule: &'a Monitoring,
    /// What was counted.
    pub counts: Option<&'a [u64]>,
    /// What the counts say.
    pub finding: Option<&'a Finding>,
    /// Mean of the business metric, and of how many values.
    pub business: Option<(f64, u64)>,
}

/// Writes a window that was judged; whether nobody else had.
///
/// # Errors
/// When the database fails.
pub async fn insert_window(db: &impl Connection, new: &NewWindow<'_>) -> Result<bool> {
    const SQL: &str = "insert into monitor_window
            (problem_id, model_version_id, begins, ends, rule, counts, finding, business, business_n)
        values ($1, $2, $3, $4, $5, $6::text::bigint[], $7, $8, $9) on conflict (problem_id, begins) do nothing";
    let counts = new.counts.map(|counts| {
        let counts: Vec<String> = counts.iter().map(u64::to_string).collect();
        format!("{{{}}}", counts.join(","))
    });
    let stored = values![
        new.problem.0,
        new.version.0,
        new.begins,
        new.ends,
        json!(new.rule),
        counts,
        new.finding.map(|finding| json!(finding)),
        new.business.map(|(mean, _)| mean),
        new.business.map_or(0, |(_, n)| i64::try_from(n).unwrap_or(i64::MAX))
    ];
    Ok(record::execute(db, SQL, stored).await? == 1)
}

/// Which windows to read.
#[derive(Debug, Clone, Copy)]
pub struct Which {
    /// The problem.
    pub problem: ProblemId,
    /// Those that ended after it, if a moment is given.
    pub after: Option<DateTime<Utc>>,
    /// Those that ended by then.
    pub until: DateTime<Utc>,
    /// Only those in which somebody asked.
    pub only_busy: bool,
    /// At most so many.
    pub limit: u32,
}

/// Windows of a problem, newest first.
///
/// # Errors
/// When the database fails.
pub async fn windows(db: &impl Connection, which: Which) -> Result<Vec<Window>> {
    let Which { problem, after, until, only_busy, limit } = which;
    let bound = values![problem.0, after, until, i64::from(limit), only_busy];
    record::all(
        db,
        select_window!(
            "where w.problem_id = $1 and ($2::timestamptz is null or w.ends > $2) and w.ends <= $3
                and (not $5 or (w.finding ->> 'n')::bigint + (w.finding ->> 'failed')::bigint > 0 or w.business is not null)
             order by w.ends desc limit $4"
        ),
        bound,
    )
    .await
}

/// The ends of the newest windows of a problem, oldest first, and what their counts said.
///
/// # Errors
/// When the database fails.
pub async fn findings(db: &impl Connection, problem: ProblemId, limit: u32) -> Result<Vec<(DateTime<Utc>, Finding)>> {
    struct Found(DateTime<Utc>, Option<Finding>);
    impl Record for Found {
        fn read(row: &Row) -> Result<Self> {
            Ok(Self(row.get("ends")?, row.optional_json("finding")?))
        }
    }
    const SQL: &str = "select ends, finding from monitor_window where problem_id = $1 and finding is not null
        order by ends desc limit $2";
    let found: Vec<Found> = record::all(db, SQL, values![problem.0, i64::from(limit)]).await?;
    Ok(found.into_iter().rev().filter_map(|Found(ends, finding)| Some((ends, finding?))).collect())
}

/// An answer with its outcome.
#[derive(Debug, Clone)]
pub struct Labelled {
    /// The answer.
    pub output: serde_json::Value,
    /// What became of it.
    pub label: serde_json::Value,
}

impl Record for Labelled {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self { output: row.get("output")?, label: row.get("label")? })
    }
}

/// Answers of a version between two moments whose outcome is known. Index: prediction_version.
///
/// # Errors
/// When the database fails.
pub async fn labelled(
    db: &impl Connection,
    version: ModelVersionId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<Labelled>> {
    const SQL: &str = "select p.output, o.label from prediction p join outcome o on o.prediction_id = p.id
        where p.model_version_id = $1 and p.predicted_at >= $2 and p.predicted_at < $3 order by p.id limit $4";
    record::all(db, SQL, values![version.0, from, to, i64::from(limit)]).await
}

/// Adds how good the answers of a window were.
///
/// # Errors
/// When the database fails.
pub async fn set_quality(db: &impl Connection, window: i64, quality: &QualityView, labelled: i64) -> Result<()> {
    const SQL: &str = "update monitor_window set quality = $2, labelled = $3 where id = $1";
    record::execute(db, SQL, values![window, json!(quality), labelled]).await.map(|_| ())
}

/// Stores a value of the business metric, of a prediction where it is of one.
///
/// # Errors
/// When the database fails.
pub async fn insert_business(
    db: &impl Connection,
    problem: ProblemId,
    at: DateTime<Utc>,
    value: f64,
    of: Option<Uuid>,
    by: AccountId,
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "insert into business_value (problem_id, at, value, prediction_id, account_id, received_at)
        values ($1, $2, $3, $4, $5, $6)";
    record::execute(db, SQL, values![problem.0, at, value, of, by.0, now]).await.map(|_| ())
}

/// Takes values that were told after their window was judged into that window.
///
/// # Errors
/// When the database fails.
pub async fn take_in_business(db: &impl Connection, problem: ProblemId, since: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "update monitor_window w set business = b.mean, business_n = b.n
        from (select w.id, avg(v.value::numeric)::float8 as mean, count(*) as n
            from monitor_window w join business_value v on v.problem_id = w.problem_id and v.at >= w.begins and v.at < w.ends
            where w.problem_id = $1 and w.ends > $2 group by w.id) b
        where w.id = b.id and w.business_n <> b.n";
    record::execute(db, SQL, values![problem.0, since]).await.map(|_| ())
}

/// Mean of the business metric between two moments, and of how many values; none without any.
///
/// # Errors
/// When the database fails.
pub async fn business(
    db: &impl Connection,
    problem: ProblemId,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Option<(f64, u64)>> {
    struct Mean(Option<f64>, i64);
    impl Record for Mean {
        fn read(row: &Row) -> Result<Self> {
            Ok(Self(row.get("mean")?, row.get("n")?))
        }
    }
    const SQL: &str = "select avg(value::numeric)::float8 as mean, count(*) as n from business_value
        where problem_id = $1 and at >= $2 and at < $3";
    let Mean(mean, n) = record::one(db, SQL, values![problem.0, from, to]).await?;
    Ok(mean.map(|mean| (mean, n.unsigned_abs())))
}

/// The end of the newest window of a problem whose quality was told by enough outcomes.
///
/// # Errors
/// When the database fails.
pub async fn newest_measured(db: &impl Connection, problem: ProblemId) -> Result<Option<DateTime<Utc>>> {
    struct End(Option<DateTime<Utc>>);
    impl Record for End {
        fn read(row: &Row) -> Result<Self> {
            Ok(Self(row.get("ends")?))
        }
    }
    const SQL: &str = "select max(ends) as ends from monitor_window
        where problem_id = $1 and quality ->> 'verdict' in ('pass', 'fail')";
    record::one::<End>(db, SQL, values![problem.0]).await.map(|end| end.0)
}

/// Notes from how many outcomes a window's quality was looked for.
///
/// # Errors
/// When the database fails.
pub async fn set_labelled(db: &impl Connection, window: i64, labelled: i64) -> Result<()> {
    let sql = "update monitor_window set labelled = $2 where id = $1";
    record::execute(db, sql, values![window, labelled]).await.map(|_| ())
}

/// The version that was live at a moment; none before the first one was.
///
/// # Errors
/// When the database fails.
pub async fn live_at(db: &impl Connection, problem: ProblemId, at: DateTime<Utc>) -> Result<Option<ModelVersionId>> {
    struct Live(Option<i64>);
    impl Record for Live {
        fn read(row: &Row) -> Result<Self> {
            Ok(Self(row.get("champion_id")?))
        }
    }
    const SQL: &str = "select champion_id from deployment_change where problem_id = $1 and changed_at <= $2
        order by generation desc limit 1";
    let live: Option<Live> = record::optional(db, SQL, values![problem.0, at]).await?;
    Ok(live.and_then(|live| live.0).map(ModelVersionId))
}

/// A deployment with what the document signed last says of watching it.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The problem.
    pub problem: ProblemId,
    /// Its slug.
    pub slug: String,
    /// The live version.
    pub champion: ModelVersionId,
    /// Its number.
    pub number: i32,
    /// When what is live last changed.
    pub changed_at: DateTime<Utc>,
    /// What is watched.
    pub monitoring: Monitoring,
    /// The business metric.
    pub business: Option<Business>,
    /// Seconds until the label of an event is known.
    pub delay: Span,
    /// End of the newest window that was judged.
    pub last_end: Option<DateTime<Utc>>,
}

impl Record for Watched {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            problem: ProblemId(row.get("problem_id")?),
            slug: row.get("slug")?,
            champion: ModelVersionId(row.get("champion_id")?),
            number: row.get("number")?,
            changed_at: row.get("changed_at")?,
            monitoring: row.json("monitoring")?,
            business: row.optional_json("business")?,
            delay: row.json("delay")?,
            last_end: row.get("last_end")?,
        })
    }
}

/// Every deployment that answers, with what the document signed last says of watching it; where none is signed any more, that of the live
/// version.
///
/// # Errors
/// When the database fails.
pub async fn watched(db: &impl Connection) -> Result<Vec<Watched>> {
    const SQL: &str = "select d.problem_id, p.slug, d.champion_id, m.number, d.changed_at,
            coalesce(s.document, t.document) -> 'monitoring' as monitoring,
            nullif(coalesce(s.document, t.document) -> 'business', 'null') as business,
            coalesce(s.document, t.document) -> 'target' -> 'delay' as delay,
            (select max(w.ends) from monitor_window w where w.problem_id = d.problem_id) as last_end
        from deployment d join problem p on p.id = d.problem_id join model_version m on m.id = d.champion_id
        join run r on r.id = m.run_id join problem_version t on t.id = r.problem_version_id
        left join problem_version s on s.problem_id = d.problem_id and s.state = 'approved'
        order by p.slug limit 10000";
    record::all(db, SQL, values![]).await
}

/// The newest valid version of a dataset that models are trained on or joined to.
#[derive(Debug, Clone)]
pub struct NewestData {
    /// The dataset.
    pub name: String,
    /// Number of the version.
    pub number: i32,
    /// When it was loaded.
    pub loaded_at: DateTime<Utc>,
    /// Whether it is a table that is joined to, and not what is trained on.
    pub is_table: bool,
    /// The newest time in each column of times, in microseconds since 1970.
    pub times: std::collections::BTreeMap<String, f64>,
}

impl Record for NewestData {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            name: row.get("name")?,
            number: row.get("number")?,
            loaded_at: row.get("created_at")?,
            is_table: row.get("is_table")?,
            times: row.json("times")?,
        })
    }
}

/// The newest valid version of the dataset that a model was trained on, and of every table of its problem.
///
/// # Errors
/// When the database fails.
pub async fn newest_data(db: &impl Connection, problem: ProblemId, version: ModelVersionId) -> Result<Vec<NewestData>> {
    const SQL: &str = "select d.name, v.number, v.created_at, v.role = 'table' as is_table,
            coalesce((select jsonb_object_agg(c ->> 'name', c -> 'quantiles' -> 6)
                from jsonb_array_elements(v.profile -> 'columns') c
                where c ->> 'type' = 'time' and jsonb_typeof(c -> 'quantiles' -> 6) = 'number'), '{}'::jsonb) as times
        from dataset d join lateral (select * from dataset_version v where v.dataset_id = d.id and v.state = 'valid'
            order by v.number desc limit 1) v on true
        where d.problem_id = $1 and (v.role = 'table' or v.role = 'examples' and d.id = (
            select t.dataset_id from model_version m join run r on r.id = m.run_id
                join dataset_version t on t.id = r.dataset_version_id where m.id = $2))
        order by d.name limit 200";
    record::all(db, SQL, values![problem.0, version.0]).await
}

/// Windows of a problem that ended after a moment, whose outcomes are more by now than those their quality was computed from, newest
/// first, with how many.
///
/// # Errors
/// When the database fails.
pub async fn windows_with_new_outcomes(
    db: &impl Connection,
    problem: ProblemId,
    after: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<Vec<(Window, i64)>> {
    struct Found(Window, i64);
    impl Record for Found {
        fn read(row: &Row) -> Result<Self> {
            Ok(Self(Window::read(row)?, row.get("known")?))
        }
    }
    const SQL: &str = "select * from (select w.id, w.model_version_id, m.number, w.begins, w.ends, null::jsonb as counts, w.finding,
            w.business, w.business_n, w.quality, w.labelled,
            (select count(*) from prediction p join outcome o on o.prediction_id = p.id
             where p.model_version_id = w.model_version_id and p.predicted_at >= w.begins and p.predicted_at < w.ends) as known
        from monitor_window w join model_version m on m.id = w.model_version_id
        where w.problem_id = $1 and w.ends > $2 and w.ends <= $3) f
        where f.known <> f.labelled order by f.ends desc";
    let found: Vec<Found> = record::all(db, SQL, values![problem.0, after, until]).await?;
    Ok(found.into_iter().map(|Found(window, known)| (window, known)).collect())
}
