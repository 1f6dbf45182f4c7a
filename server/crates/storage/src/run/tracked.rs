//! Runs that a program elsewhere logs: begun, added to, ended.

use chrono::{DateTime, Utc};
use millrace_domain::ids::{AccountId, ProblemVersionId, RunId};
use millrace_domain::run::RunState;
use millrace_domain::tracking::{Entry, Logged, MOST_KEPT, Point};
use serde_json::{Value, json};

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// A run that a program begins to log.
#[derive(Debug, Clone)]
pub struct NewTracked<'a> {
    /// The version of its problem.
    pub problem_version: ProblemVersionId,
    /// Who logs it.
    pub author: AccountId,
    /// What the program calls it.
    pub name: &'a str,
    /// Its tags.
    pub tags: &'a [Entry],
    /// What of its origin is known: repository state.
    pub provenance: Value,
    /// When it began.
    pub started_at: DateTime<Utc>,
}

/// Adds a run that is under way.
///
/// # Errors
/// When the database fails.
pub async fn insert_tracked(db: &impl Connection, run: &NewTracked<'_>, now: DateTime<Utc>) -> Result<RunId> {
    const SQL: &str =
        "insert into run (kind, problem_version_id, author_id, state, request, seed, provenance, parameters,
            name, tags, created_at, started_at)
        values ('tracked', $1, $2, 'running', '{}', 0, $3, '{}', $4, $5, $6, $7) returning id";
    let stored = values![
        run.problem_version.0,
        run.author.0,
        run.provenance.clone(),
        run.name,
        object(run.tags),
        now,
        run.started_at
    ];
    record::one(db, SQL, stored).await.map(RunId)
}

/// Ends a run that was logged, begins it again, or renames it.
///
/// # Errors
/// [`crate::StorageError::Conflict`] unless it is a tracked run.
pub async fn update_tracked(
    db: &impl Connection,
    id: RunId,
    state: Option<RunState>,
    ended_at: Option<DateTime<Utc>>,
    name: Option<&str>,
) -> Result<()> {
    const SQL: &str = "update run set state = coalesce($2, state), name = coalesce($4, name),
            failure = null, finished_at = case when coalesce($2, state) in ('queued', 'running') then null
                else coalesce($3, finished_at, now()) end
        where id = $1 and kind = 'tracked'";
    let stored = values![id.0, state.map(RunState::as_str), ended_at, name];
    record::guarded(db, "the tracked run", SQL, stored).await
}

/// Takes a tag away.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when a tracked run of that number has no such tag.
pub async fn delete_tag(db: &impl Connection, id: RunId, key: &str) -> Result<()> {
    const SQL: &str = "update run set tags = tags - $2 where id = $1 and kind = 'tracked' and tags ? $2";
    record::guarded(db, "the tag", SQL, values![id.0, key]).await
}

/// Points of several runs, all or none; a run that is not tracked gets none. The final value of each metric follows its newest point: of
/// the greatest step, of those the latest, and of those the greatest value.
///
/// # Errors
/// When the database fails.
pub async fn add_points(db: &impl Connection, points: &[(RunId, &Point)]) -> Result<()> {
    const SQL: &str = "with given as (
            select g.run_id, g.name, g.step, g.at, g.value::double precision as value
            from jsonb_to_recordset($1) as g(run_id bigint, name text, step bigint, at timestamptz, value text)
            join run r on r.id = g.run_id and r.kind = 'tracked'),
        added as (insert into run_point (run_id, name, step, at, value) select run_id, name, step, at, value from given
            order by run_id, name, step, at, value on conflict do nothing),
        newest as (select distinct on (run_id, name) * from given order by run_id, name, step desc, at desc, value desc),
        told as (insert into run_metric as m (run_id, name, step, value, n, logged_step, logged_at)
            select run_id, name, 0, value, 0, step, at from newest order by run_id, name
            on conflict (run_id, name, step) do update
            set value = excluded.value, logged_step = excluded.logged_step, logged_at = excluded.logged_at
            where (excluded.logged_step, excluded.logged_at, excluded.value) >= (m.logged_step, m.logged_at, m.value))
        select count(*) from newest";
    let rows: Vec<Value> = points
        .iter()
        .map(|(run, point)| {
            json!({ "run_id": run.0, "name": point.name, "step": point.step, "at": point.at, "value": point.value.to_string() })
        })
        .collect();
    record::one::<i64>(db, SQL, values![json!(rows)]).await.map(|_| ())
}

/// Parameters and tags of one run. A parameter is written once.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when the run is not there, is not tracked, has one of the parameters with another value, or has too
/// many.
pub async fn add_entries(db: &impl Connection, id: RunId, logged: &Logged) -> Result<()> {
    const SQL: &str = "update run set parameters = $2 || coalesce(parameters, '{}'), tags = tags || $3
        where id = $1 and kind = 'tracked'
          and not exists (select 1 from jsonb_each($2) given
              where parameters ? given.key and parameters -> given.key <> given.value)
          and (select count(*) from jsonb_object_keys(coalesce(parameters, '{}') || $2)) <= $4
          and (select count(*) from jsonb_object_keys(tags || $3)) <= $4";
    let most = i64::try_from(MOST_KEPT).unwrap_or(i64::MAX);
    let stored = values![id.0, object(&logged.parameters), object(&logged.tags), most];
    record::guarded(db, "the parameters", SQL, stored).await
}

fn object(entries: &[Entry]) -> Value {
    Value::Object(entries.iter().map(|entry| (entry.key.clone(), json!(entry.value))).collect())
}

struct Stored(Point);

impl Record for Stored {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self(Point { name: row.get("name")?, value: row.get("value")?, step: row.get("step")?, at: row.get("at")? }))
    }
}

/// The course of a metric, by step and time, from a place on.
///
/// # Errors
/// When the database fails.
pub async fn history(db: &impl Connection, id: RunId, name: &str, skip: u32, most: u32) -> Result<Vec<Point>> {
    const SQL: &str = "select name, value, step, at from run_point where run_id = $1 and name = $2
        order by step, at, value limit $4 offset $3";
    let rows: Vec<Stored> = record::all(db, SQL, values![id.0, name, i64::from(skip), i64::from(most)]).await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// The courses of metrics of a run that have one: of so many metrics, by name, and of each at most about so many points at even
/// distances, the last one among them.
///
/// # Errors
/// When the database fails.
pub async fn courses(db: &impl Connection, id: RunId, metrics: u32, most: u32) -> Result<Vec<Point>> {
    const SQL: &str = "select name, value, step, at from (
            select *, row_number() over w as place, count(*) over (partition by name) as points,
                row_number() over (partition by name order by value, step, at) as from_least,
                row_number() over (partition by name order by value desc, step, at) as from_most
            from run_point where run_id = $1 and name in (select name from run_point where run_id = $1
                group by name having count(*) > 1 order by name limit $2)
            window w as (partition by name order by step, at, value)) p
        where 1 in (from_least, from_most) or place = points or place % greatest(1, points / $3) = 0 order by name, step, at, value";
    let stored = values![id.0, i64::from(metrics), i64::from(most)];
    let rows: Vec<Stored> = record::all(db, SQL, stored).await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

struct OfRun(RunId, Point);

impl Record for OfRun {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self(RunId(row.get("run_id")?), Stored::read(row)?.0))
    }
}

/// The newest point of each metric of these runs, in order of run and name.
///
/// # Errors
/// When the database fails.
pub async fn newest_points(db: &impl Connection, runs: &[RunId]) -> Result<Vec<(RunId, Point)>> {
    const SQL: &str = "select m.run_id, m.name, m.value, coalesce(m.logged_step, 0) as step,
            coalesce(m.logged_at, r.finished_at, r.created_at) as at
        from run_metric m join run r on r.id = m.run_id
        where m.step = 0 and m.run_id in (select value::bigint from jsonb_array_elements_text($1)) order by m.run_id, m.name";
    let ids: Vec<i64> = runs.iter().map(|id| id.0).collect();
    let rows: Vec<OfRun> = record::all(db, SQL, values![json!(ids)]).await?;
    Ok(rows.into_iter().map(|OfRun(run, point)| (run, point)).collect())
}
