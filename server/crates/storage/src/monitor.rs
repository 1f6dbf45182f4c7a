//! What was counted of live answers, and the windows that were judged by it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::ids::{AccountId, ModelVersionId, ProblemId, ProblemVersionId};
use millrace_domain::monitor::{Finding, Previous, Uncounted};
use millrace_domain::problem::Monitoring;
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

/// Writes down that a server counts from now on.
///
/// # Errors
/// When the database fails.
pub async fn begin_counting(db: &impl Connection, server: Uuid, name: &str, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str =
        "insert into counting_server (server, name, counted_to) values ($1, $2, $3) on conflict (server) do nothing";
    record::execute(db, SQL, values![server, name, now]).await.map(|_| ())
}

/// Writes down that all is written that a server counted up to a moment.
///
/// # Errors
/// When the database fails.
pub async fn counted_to(db: &impl Connection, server: Uuid, moment: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "update counting_server set counted_to = $2 where server = $1";
    record::execute(db, SQL, values![server, moment]).await.map(|_| ())
}

/// Writes down that a server counts nothing any more, and that all it counted is written.
///
/// # Errors
/// When the database fails.
pub async fn end_counting(db: &impl Connection, server: Uuid) -> Result<()> {
    record::execute(db, "delete from counting_server where server = $1", values![server]).await.map(|_| ())
}

impl Record for Uncounted {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self { server: row.get("name")?, since: row.get("counted_to")? })
    }
}

/// Servers that had not written all they counted before a moment; whether they are lost, or only late, cannot be told.
///
/// # Errors
/// When the database fails.
pub async fn counting(db: &impl Connection, before: DateTime<Utc>) -> Result<Vec<Uncounted>> {
    const SQL: &str = "select name, counted_to from counting_server where counted_to < $1 order by counted_to, name";
    record::all(db, SQL, values![before]).await
}

struct Counts(ModelVersionId, Vec<u64>);

impl Record for Counts {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self(ModelVersionId(row.get("model_version_id")?), read_counts(row)?.unwrap_or_default()))
    }
}

fn read_counts(row: &Row) -> Result<Option<Vec<u64>>> {
    row.optional_json("counts")
}

/// The sums of what all servers counted of versions from one moment on and before another, each version once; none of those of which
/// nothing was counted.
///
/// # Errors
/// When the database fails.
pub async fn sum_counts(
    db: &impl Connection,
    spans: &[(ModelVersionId, DateTime<Utc>, DateTime<Utc>)],
) -> Result<HashMap<ModelVersionId, Vec<u64>>> {
    const SQL: &str = "select c.model_version_id, to_jsonb(c.counts) as counts
        from jsonb_to_recordset($1) as s(version bigint, begins timestamptz, ends timestamptz)
            join live_count c on c.model_version_id = s.version and c.begins >= s.begins and c.begins < s.ends";
    let asked: Vec<_> = spans
        .iter()
        .map(|(version, begins, ends)| json!({ "version": version.0, "begins": begins, "ends": ends }))
        .collect();
    let mut sums: HashMap<ModelVersionId, Vec<u64>> = HashMap::with_capacity(spans.len());
    for Counts(version, counts) in record::all(db, SQL, values![json!(asked)]).await? {
        match sums.entry(version) {
            Entry::Vacant(none) => drop(none.insert(counts)),
            Entry::Occupied(mut sum) => sum.get_mut().iter_mut().zip(counts).for_each(|(sum, count)| *sum += count),
        }
    }
    Ok(sums)
}

/// Forgets what was counted in stretches that began before a moment, and which servers were lost before, but for what a window that is
/// not over yet will be judged by.
///
/// # Errors
/// When the database fails.
pub async fn forget_counts(db: &impl Connection, before: DateTime<Utc>) -> Result<u64> {
    const COUNTS: &str = "with judged as (
            select d.problem_id, (select max(w.ends) from monitor_window w where w.problem_id = d.problem_id) as until
            from deployment d where d.champion_id is not null)
        delete from live_count c using model_version m left join judged j on j.problem_id = m.problem_id
        where m.id = c.model_version_id and c.begins < $1
            and (j.problem_id is null or c.begins < coalesce(j.until, '-infinity'))";
    const SERVERS: &str = "delete from counting_server where counted_to < $1 and counted_to < all (
            select coalesce((select max(w.ends) from monitor_window w where w.problem_id = d.problem_id), '-infinity')
            from deployment d where d.champion_id is not null)";
    record::execute(db, SERVERS, values![before]).await?;
    record::execute(db, COUNTS, values![before]).await
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

/// What was live when a version was judged, in the bins of that version; none where nothing was, or it could not be told.
///
/// # Errors
/// When the database fails.
pub async fn previous(db: &impl Connection, version: ModelVersionId) -> Result<Option<Previous>> {
    struct Found(Option<Previous>);
    impl Record for Found {
        fn read(row: &Row) -> Result<Self> {
            row.json("previous").map(Self)
        }
    }
    const SQL: &str = "select s.output -> 'previous' as previous from model_version m join step s
            on s.subject_kind = 'run' and s.subject_id = m.run_id and s.kind = 'gate'
        where m.id = $1 and s.output -> 'previous' is not null order by s.id desc limit 1";
    Ok(record::optional::<Found>(db, SQL, values![version.0]).await?.and_then(|found| found.0))
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
    /// The rule that it was judged by.
    pub rule: Monitoring,
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
    /// Servers that had not written all they counted of it when it was judged.
    pub uncounted: Vec<Uncounted>,
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
            rule: row.json("rule")?,
            counts: read_counts(row)?,
            finding: row.optional_json("finding")?,
            business: row.get::<Option<f64>>("business")?.map(|mean| (mean, n.unsigned_abs())),
            quality: row.optional_json("quality")?,
            labelled: row.get("labelled")?,
            uncounted: row.optional_json("uncounted")?.unwrap_or_default(),
        })
    }
}

macro_rules! select_window {
    ($rest:literal) => {
        concat!(
            "select w.id, w.model_version_id, m.number, w.begins, w.ends, w.rule, to_jsonb(w.counts) as counts, w.finding, w.business,
                w.business_n, w.quality, w.labelled, w.uncounted
             from monitor_window w join model_version m on m.id = w.model_version_id ",
            $rest
        )
    };
}

/// A window to be written.
#[derive(Debug, Clone, Serialize)]
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
    /// Who had not written all of it.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub uncounted: &'a [Uncounted],
}

/// Writes windows that were judged, each of another problem; gives the problems of those that nobody else had written.
///
/// # Errors
/// When the database fails; nothing is then written.
pub async fn insert_windows(db: &impl Connection, new: &[NewWindow<'_>]) -> Result<Vec<ProblemId>> {
    const SQL: &str = "insert into monitor_window
            (problem_id, model_version_id, begins, ends, rule, counts, finding, business, business_n, uncounted)
        select problem, version, begins, ends, rule, counts, finding, (business ->> 0)::float8,
            coalesce((business ->> 1)::bigint, 0), uncounted
        from jsonb_to_recordset($1::text::jsonb) as w(problem bigint, version bigint, begins timestamptz, ends timestamptz,
            rule jsonb, counts bigint[], finding jsonb, business jsonb, uncounted jsonb)
        on conflict (problem_id, begins) do nothing returning problem_id";
    let rows = serde_json::to_string(new)
        .map_err(|error| StorageError::Corrupt { what: "windows".to_owned(), reason: error.to_string() })?;
    let written: Vec<i64> = record::all(db, SQL, values![rows]).await?;
    Ok(written.into_iter().map(ProblemId).collect())
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
                and (not $5 or (w.finding ->> 'n')::bigint + (w.finding ->> 'failed')::bigint > 0 or w.business is not null
                    or w.uncounted is not null)
             order by w.ends desc limit $4"
        ),
        bound,
    )
    .await
}

/// What is tried by another rule of a window.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The version that was live at its end.
    pub version: ModelVersionId,
    /// Its end.
    pub ends: DateTime<Utc>,
    /// What its counts said; none of a version without a reference.
    pub finding: Option<Finding>,
    /// Mean of the business metric.
    pub business: Option<f64>,
}

impl Record for Recorded {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            version: ModelVersionId(row.get("model_version_id")?),
            ends: row.get("ends")?,
            finding: row.optional_json("finding")?,
            business: row.get("business")?,
        })
    }
}

/// The newest windows of a problem that end before a time, oldest first: with what was found of each column, those alone of which anything
/// was; or all, without.
///
/// # Errors
/// When the database fails.
pub async fn recorded(
    db: &impl Connection,
    problem: ProblemId,
    with_columns: bool,
    before: Option<DateTime<Utc>>,
    limit: u32,
) -> Result<Vec<Recorded>> {
    const SQL: &str = "select model_version_id, ends, business,
            case when $2 then finding else jsonb_set(finding, '{columns}', '[]') end as finding
        from monitor_window where problem_id = $1 and (not $2 or finding is not null) and ends < coalesce($4, 'infinity')
        order by ends desc limit $3";
    let mut found: Vec<Recorded> =
        record::all(db, SQL, values![problem.0, with_columns, i64::from(limit), before]).await?;
    found.reverse();
    Ok(found)
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

/// Answers of a version between two moments whose outcome is known; of more than `limit` some by chance, which the last bytes of their ids
/// are drawn by. Index: prediction_version.
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
        where p.model_version_id = $1 and p.predicted_at >= $2 and p.predicted_at < $3
        order by substr(uuid_send(p.id), 9) limit $4";
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

/// Changes what the business metric was in a window: its mean, and of how many values.
///
/// # Errors
/// When the database fails.
pub async fn set_business(db: &impl Connection, window: i64, mean: Option<(f64, u64)>) -> Result<()> {
    const SQL: &str = "update monitor_window set business = $2, business_n = $3 where id = $1";
    let n = mean.map_or(0, |(_, n)| i64::try_from(n).unwrap_or(i64::MAX));
    record::execute(db, SQL, values![window, mean.map(|(mean, _)| mean), n]).await.map(|_| ())
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
    const SQL: &str = "update monitor_window w set business = b.mean, business_n = b.n,
            business_late = w.business_late or w.business_n = 0
        from (select w.id, avg(v.value::numeric)::float8 as mean, count(*) as n
            from monitor_window w join business_value v on v.problem_id = w.problem_id and v.at >= w.begins and v.at < w.ends
            where w.problem_id = $1 and w.ends > $2 group by w.id) b
        where w.id = b.id and w.business_n <> b.n";
    record::execute(db, SQL, values![problem.0, since]).await.map(|_| ())
}

/// A window whose business metric was told after it was judged: from when to when, the mean, and of how many values.
#[derive(Debug, Clone, Copy)]
pub struct LateBusiness {
    /// From when.
    pub begins: DateTime<Utc>,
    /// To when.
    pub ends: DateTime<Utc>,
    /// Mean of the business metric, and of how many values.
    pub mean: (f64, u64),
}

impl Record for LateBusiness {
    fn read(row: &Row) -> Result<Self> {
        let n: i64 = row.get("business_n")?;
        Ok(Self { begins: row.get("begins")?, ends: row.get("ends")?, mean: (row.get("business")?, n.unsigned_abs()) })
    }
}

/// Takes the windows that ended by `until` and were told late, the oldest first: each is given once. One that is older than a window that was
/// judged with its value says nothing new.
///
/// # Errors
/// When the database fails.
pub async fn take_late_business(
    db: &impl Connection,
    problem: ProblemId,
    until: DateTime<Utc>,
) -> Result<Vec<LateBusiness>> {
    const SQL: &str = "with late as (update monitor_window set business_late = false
            where problem_id = $1 and business_late and ends <= $2 returning begins, ends, business, business_n)
        select l.* from late l where not exists (select 1 from monitor_window w
            where w.problem_id = $1 and w.ends > l.ends and w.ends <= $2 and w.business_n > 0 and not w.business_late)
        order by l.ends";
    record::all(db, SQL, values![problem.0, until]).await
}

/// Means of the business metrics of problems, each between two moments, and of how many values; none of those without any.
///
/// # Errors
/// When the database fails.
pub async fn business(
    db: &impl Connection,
    spans: &[(ProblemId, DateTime<Utc>, DateTime<Utc>)],
) -> Result<HashMap<ProblemId, (f64, u64)>> {
    struct Mean(ProblemId, f64, i64);
    impl Record for Mean {
        fn read(row: &Row) -> Result<Self> {
            Ok(Self(ProblemId(row.get("problem_id")?), row.get("mean")?, row.get("n")?))
        }
    }
    const SQL: &str = "select v.problem_id, avg(v.value::numeric)::float8 as mean, count(*) as n
        from jsonb_to_recordset($1) as s(problem bigint, begins timestamptz, ends timestamptz)
            join business_value v on v.problem_id = s.problem and v.at >= s.begins and v.at < s.ends
        group by v.problem_id";
    if spans.is_empty() {
        return Ok(HashMap::new());
    }
    let asked: Vec<_> = spans
        .iter()
        .map(|(problem, begins, ends)| json!({ "problem": problem.0, "begins": begins, "ends": ends }))
        .collect();
    let found: Vec<Mean> = record::all(db, SQL, values![json!(asked)]).await?;
    Ok(found.into_iter().map(|Mean(problem, mean, n)| (problem, (mean, n.unsigned_abs()))).collect())
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

/// The versions that were live, each of a problem at a moment; none of those where none was.
///
/// # Errors
/// When the database fails.
pub async fn live_at(
    db: &impl Connection,
    moments: &[(ProblemId, DateTime<Utc>)],
) -> Result<HashMap<ProblemId, ModelVersionId>> {
    struct Live(ProblemId, ModelVersionId);
    impl Record for Live {
        fn read(row: &Row) -> Result<Self> {
            Ok(Self(ProblemId(row.get("problem")?), ModelVersionId(row.get("champion_id")?)))
        }
    }
    const SQL: &str = "select m.problem, c.champion_id from jsonb_to_recordset($1) as m(problem bigint, at timestamptz)
        join lateral (select champion_id from deployment_change where problem_id = m.problem and changed_at <= m.at
            order by generation desc limit 1) c on c.champion_id is not null";
    let asked: Vec<_> = moments.iter().map(|(problem, at)| json!({ "problem": problem.0, "at": at })).collect();
    let live: Vec<Live> = record::all(db, SQL, values![json!(asked)]).await?;
    Ok(live.into_iter().map(|Live(problem, version)| (problem, version)).collect())
}

/// A deployment that answers.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The problem.
    pub problem: ProblemId,
    /// Its slug.
    pub slug: String,
    /// The live version.
    pub champion: ModelVersionId,
    /// Since when some version has been live without a pause.
    pub live_since: DateTime<Utc>,
    /// The document that says how it is watched: the one signed last or, where none is any more, that of the live version.
    pub document: ProblemVersionId,
    /// End of the newest window that was judged.
    pub last_end: Option<DateTime<Utc>>,
}

impl Record for Watched {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            problem: ProblemId(row.get("problem_id")?),
            slug: row.get("slug")?,
            champion: ModelVersionId(row.get("champion_id")?),
            live_since: row.get("live_since")?,
            document: ProblemVersionId(row.get("document_id")?),
            last_end: row.get("last_end")?,
        })
    }
}

/// Every deployment that answers.
///
/// # Errors
/// When the database fails.
pub async fn watched(db: &impl Connection) -> Result<Vec<Watched>> {
    const SQL: &str = "select d.problem_id, p.slug, d.champion_id,
            coalesce((select c.changed_at from deployment_change c where c.problem_id = d.problem_id
                and c.generation > coalesce((select max(n.generation) from deployment_change n
                    where n.problem_id = d.problem_id and n.champion_id is null), 0)
                order by c.generation limit 1), d.changed_at) as live_since,
            coalesce(s.id, r.problem_version_id) as document_id,
            (select max(w.ends) from monitor_window w where w.problem_id = d.problem_id) as last_end
        from deployment d join problem p on p.id = d.problem_id join model_version m on m.id = d.champion_id
        join run r on r.id = m.run_id left join problem_version s on s.problem_id = d.problem_id and s.state = 'approved'
        order by p.slug limit 10000";
    record::all(db, SQL, values![]).await
}

/// The newest valid version of a dataset that models are trained on or joined to.
#[derive(Debug, Clone)]
pub struct NewestData {
    /// The problem.
    pub problem: ProblemId,
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
            problem: ProblemId(row.get("problem_id")?),
            name: row.get("name")?,
            number: row.get("number")?,
            loaded_at: row.get("created_at")?,
            is_table: row.get("is_table")?,
            times: row.json("times")?,
        })
    }
}

/// The greatest value of each column of times of a dataset version `v`.
macro_rules! newest_times {
    () => {
        "coalesce((select jsonb_object_agg(c ->> 'name', c -> 'quantiles' -> 6)
            from jsonb_array_elements(v.profile -> 'columns') c
            where c ->> 'type' = 'time' and jsonb_typeof(c -> 'quantiles' -> 6) = 'number'), '{}'::jsonb)"
    };
}

/// The newest valid versions of the datasets that models were trained on, and of every table of their problems.
///
/// # Errors
/// When the database fails.
pub async fn newest_data(
    db: &impl Connection,
    models: &[(ProblemId, ModelVersionId)],
) -> Result<HashMap<ProblemId, Vec<NewestData>>> {
    const SQL: &str = concat!(
        "select d.problem_id, d.name, v.number, v.created_at, v.role = 'table' as is_table, ",
        newest_times!(),
        " as times
        from jsonb_to_recordset($1) as a(problem bigint, version bigint) join dataset d on d.problem_id = a.problem
            join lateral (select * from dataset_version v where v.dataset_id = d.id and v.state = 'valid'
            order by v.number desc limit 1) v on true
        where v.role = 'table' or v.role = 'examples' and d.id = (
            select t.dataset_id from model_version m join run r on r.id = m.run_id
                join dataset_version t on t.id = r.dataset_version_id where m.id = a.version)
        order by d.problem_id, d.name"
    );
    let mut newest: HashMap<ProblemId, Vec<NewestData>> = HashMap::new();
    if models.is_empty() {
        return Ok(newest);
    }
    let asked: Vec<_> =
        models.iter().map(|(problem, version)| json!({ "problem": problem.0, "version": version.0 })).collect();
    for data in record::all::<NewestData>(db, SQL, values![json!(asked)]).await? {
        newest.entry(data.problem).or_default().push(data);
    }
    Ok(newest)
}

/// The valid versions of the datasets that a model was trained on or is joined to, in the order they were loaded: of each the newest one that
/// was there at a moment, and at most the first of so many that came after it.
///
/// # Errors
/// When the database fails.
pub async fn data_history(
    db: &impl Connection,
    problem: ProblemId,
    version: ModelVersionId,
    since: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<NewestData>> {
    const SQL: &str = concat!(
        "select * from (select d.problem_id, d.name, v.number, v.created_at, v.role = 'table' as is_table, v.id, ",
        newest_times!(),
        " as times
        from dataset d join dataset_version v on v.dataset_id = d.id and v.state = 'valid'
        where d.problem_id = $1 and (v.role = 'table' or v.role = 'examples' and d.id = (
            select t.dataset_id from model_version m join run r on r.id = m.run_id
                join dataset_version t on t.id = r.dataset_version_id where m.id = $2))
            and (v.created_at > $3 or v.id = (select o.id from dataset_version o where o.dataset_id = d.id and o.state = 'valid'
                and o.created_at <= $3 order by o.created_at desc, o.id desc limit 1))
        order by v.created_at, v.id limit $4) n order by n.created_at, n.id"
    );
    record::all(db, SQL, values![problem.0, version.0, since, i64::from(limit)]).await
}

/// Windows that ended between two moments, each problem's own, whose outcomes are more by now than those their quality was computed
/// from, newest first, with how many.
///
/// # Errors
/// When the database fails.
pub async fn windows_with_new_outcomes(
    db: &impl Connection,
    spans: &[(ProblemId, DateTime<Utc>, DateTime<Utc>)],
) -> Result<Vec<(ProblemId, Window, i64)>> {
    struct Found(ProblemId, Window, i64);
    impl Record for Found {
        fn read(row: &Row) -> Result<Self> {
            Ok(Self(ProblemId(row.get("problem_id")?), Window::read(row)?, row.get("known")?))
        }
    }
    const SQL: &str = "select * from (select w.id, w.problem_id, w.model_version_id, m.number, w.begins, w.ends, w.rule, null::jsonb as counts,
            w.finding, w.business, w.business_n, w.quality, w.labelled, w.uncounted,
            (select count(*) from prediction p join outcome o on o.prediction_id = p.id
             where p.model_version_id = w.model_version_id and p.predicted_at >= w.begins and p.predicted_at < w.ends) as known
        from jsonb_to_recordset($1) as s(problem bigint, after timestamptz, until timestamptz)
            join monitor_window w on w.problem_id = s.problem and w.ends > s.after and w.ends <= s.until
            join model_version m on m.id = w.model_version_id offset 0) f
        where f.known <> f.labelled order by f.ends desc";
    if spans.is_empty() {
        return Ok(Vec::new());
    }
    let asked: Vec<_> = spans
        .iter()
        .map(|(problem, after, until)| json!({ "problem": problem.0, "after": after, "until": until }))
        .collect();
    let found: Vec<Found> = record::all(db, SQL, values![json!(asked)]).await?;
    Ok(found.into_iter().map(|Found(problem, window, known)| (problem, window, known)).collect())
}
