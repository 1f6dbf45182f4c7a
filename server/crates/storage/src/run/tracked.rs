//! Runs that a program elsewhere logs: begun, added to, ended.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use millrace_domain::ids::{AccountId, ProblemVersionId, RunId};
use millrace_domain::run::RunState;
use millrace_domain::tracking::{Entry, Logged, MOST_KEPT, Point};
use serde_json::{Value, json};

use super::search::numbers;
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
/// the greatest step, of those the latest, and of those the greatest value. Points of one metric that come together are one row.
///
/// # Errors
/// When the database fails.
pub async fn add_points(db: &impl Connection, points: &[(RunId, &Point)]) -> Result<()> {
    const SQL: &str = "with given as (
            select g.run_id, g.name, g.step::bigint[] as step, g.at::timestamptz[] as at, g.value::double precision[] as value,
                g.last_step, g.last_at, g.last_value
            from unnest($1, $2, $3, $4, $5, $6, $7, $8) as g(run_id, name, step, at, value, last_step, last_at, last_value)
            where (select r.kind from run r where r.id = g.run_id) = 'tracked'),
        added as (insert into run_points (run_id, name, step, at, value) select run_id, name, step, at, value from given),
        told as (insert into run_metric as m (run_id, name, step, value, n, logged_step, logged_at)
            select run_id, name, 0, last_value, 0, last_step, last_at from given order by run_id, name
            on conflict (run_id, name, step) do update
            set value = excluded.value, logged_step = excluded.logged_step, logged_at = excluded.logged_at
            where (excluded.logged_step, excluded.logged_at, excluded.value) >= (m.logged_step, m.logged_at, m.value))
        select count(*) from given";
    let mut of_metrics: BTreeMap<(RunId, &str), Vec<&Point>> = BTreeMap::new();
    for (run, point) in points {
        of_metrics.entry((*run, &point.name)).or_default().push(point);
    }
    let rows = of_metrics.len();
    let (mut runs, mut names): (Vec<i64>, Vec<String>) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let mut columns: [Vec<String>; 3] = Default::default();
    let (mut last_steps, mut last_moments, mut last_values) = (Vec::new(), Vec::new(), Vec::new());
    for ((run, name), points) in of_metrics {
        let Some(last) = points.iter().max_by(|one, other| one.order(other)) else { continue };
        runs.push(run.0);
        names.push(name.to_owned());
        columns[0].push(array(points.iter().map(|point| point.step.to_string())));
        columns[1].push(array(points.iter().map(|point| point.at.to_rfc3339_opts(SecondsFormat::Micros, true))));
        columns[2].push(array(points.iter().map(|point| format!("{:e}", point.value))));
        last_steps.push(last.step);
        last_moments.push(last.at);
        last_values.push(last.value);
    }
    let [steps, moments, given] = columns;
    let stored = values![runs, names, steps, moments, given, last_steps, last_moments, last_values];
    record::one::<i64>(db, SQL, stored).await.map(|_| ())
}

/// Numbers or moments as the text of an array; none of them has a character that would need quotes.
fn array(items: impl Iterator<Item = String>) -> String {
    format!("{{{}}}", items.collect::<Vec<_>>().join(","))
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

/// The course of a metric, by step and time, from a place on. A point that was logged twice is one.
///
/// # Errors
/// When the database fails.
pub async fn history(db: &impl Connection, id: RunId, name: &str, skip: u32, most: u32) -> Result<Vec<Point>> {
    struct Columns(Vec<i64>, Vec<DateTime<Utc>>, Vec<f64>);
    impl Record for Columns {
        fn read(row: &Row) -> Result<Self> {
            Ok(Self(row.get("step")?, row.get("at")?, row.get("value")?))
        }
    }
    const SQL: &str = "select step, at, value from run_points where run_id = $1 and name = $2";
    let rows: Vec<Columns> = record::all(db, SQL, values![id.0, name]).await?;
    let points = rows.into_iter().flat_map(|Columns(steps, moments, given)| {
        let columns = steps.into_iter().zip(moments).zip(given);
        columns.map(|((step, at), value)| Point { name: String::new(), value, step, at })
    });
    let mut points: Vec<Point> = points.collect();
    points.sort_unstable_by(Point::order);
    points.dedup_by(|next, point| next.order(point).is_eq());
    // The name is written for those alone that are told.
    let page = points.into_iter().skip(skip as usize).take(most as usize);
    Ok(page.map(|point| Point { name: name.to_owned(), ..point }).collect())
}

/// The courses of metrics of a run that have one: of so many metrics, by name, and of each at most about so many points at even
/// distances, the last one among them.
///
/// # Errors
/// When the database fails.
pub async fn courses(db: &impl Connection, id: RunId, metrics: u32, most: u32) -> Result<Vec<Point>> {
    struct Stored(Point);
    impl Record for Stored {
        fn read(row: &Row) -> Result<Self> {
            let (name, value) = (row.get("name")?, row.get("value")?);
            Ok(Self(Point { name, value, step: row.get("step")?, at: row.get("at")? }))
        }
    }
    const SQL: &str = "select name, value, step, at from (
            select *, row_number() over w as place, count(*) over (partition by name) as points,
                row_number() over (partition by name order by value, step, at) as from_least,
                row_number() over (partition by name order by value desc, step, at) as from_most
            from (select distinct c.name, p.step, p.at, p.value
                from run_points c, unnest(c.step, c.at, c.value) as p(step, at, value)
                where c.run_id = $1 and c.name in (select c.name
                    from run_points c, unnest(c.step, c.at, c.value) as p(step, at, value) where c.run_id = $1 group by c.name
                    having min(p.step) < max(p.step) or min(p.at) < max(p.at) or min(p.value) < max(p.value)
                    order by c.name limit $2)) p
            window w as (partition by name order by step, at, value)) p
        where 1 in (from_least, from_most) or place = points or place % greatest(1, points / $3) = 0
        order by name, step, at, value";
    let stored = values![id.0, i64::from(metrics), i64::from(most)];
    let rows: Vec<Stored> = record::all(db, SQL, stored).await?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// The final value of each metric of a run, by name.
#[derive(Debug, Clone)]
pub struct Newest {
    /// The run.
    pub run: RunId,
    /// The metrics.
    pub names: Vec<String>,
    /// Their values.
    pub values: Vec<f64>,
    /// Of which step each is: 0 of what the pipeline measured.
    pub steps: Vec<i64>,
    /// When each was logged: at the end, of what the pipeline measured.
    pub moments: Vec<DateTime<Utc>>,
}

impl Record for Newest {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            run: RunId(row.get("run_id")?),
            names: row.get("names")?,
            values: row.get("given")?,
            steps: row.get("steps")?,
            moments: row.get("moments")?,
        })
    }
}

/// The final values of the metrics of those of these runs that have any.
///
/// # Errors
/// When the database fails.
pub async fn newest_points(db: &impl Connection, runs: &[RunId]) -> Result<Vec<Newest>> {
    const SQL: &str = "select r.id as run_id, f.* from run r cross join lateral (
            select array_agg(m.name) as names, array_agg(m.value) as given, array_agg(coalesce(m.logged_step, 0)) as steps,
                array_agg(coalesce(m.logged_at, r.finished_at, r.created_at)) as moments
            from (select * from run_metric m where m.run_id = r.id and m.step = 0 order by m.name) m) f
        where r.id = any($1) and f.names is not null";
    record::all(db, SQL, values![numbers(runs)]).await
}
