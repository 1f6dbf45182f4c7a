//! Finding runs among many.

use std::collections::HashMap;

use millrace_domain::ids::RunId;
use millrace_domain::run::RunState;
use millrace_domain::search::{Comparison, Condition, Field, Operand, Order, Own};

use super::{Run, select_run};
use crate::Result;
use crate::database::Connection;
use crate::record::{self, Pieces, Record, Row, values};

/// Which runs to list, and in which order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    /// Only of this problem.
    pub problem: Option<&'a str>,
    /// Only of these problems.
    pub visible: Option<&'a [&'a str]>,
    /// Only in this state.
    pub state: Option<RunState>,
    /// Only those that pass all of these.
    pub conditions: &'a [Condition],
    /// What orders them, one after the other; newest first when nothing does.
    pub order: &'a [Order],
}

/// A part of a list.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Only before this id.
    pub before: Option<RunId>,
    /// So many are left out at the beginning.
    pub skip: u32,
    /// At most so many.
    pub most: u32,
}

impl Limit {
    /// The first ones.
    pub const fn first(most: u32) -> Self {
        Self { before: None, skip: 0, most }
    }
}

/// The metrics that a statement names, by their places in it.
struct Metrics<'a>(Vec<&'a str>);

impl<'a> Metrics<'a> {
    fn named(filter: &Filter<'a>) -> Self {
        let fields = filter.order.iter().map(|order| &order.by).chain(filter.conditions.iter().map(|one| &one.field));
        let mut names: Vec<&str> = Vec::new();
        for field in fields {
            if let Field::Metric(name) = field
                && !names.contains(&name.as_str())
            {
                names.push(name);
            }
        }
        Self(names)
    }

    /// Adds the value of each, of a run that has one. It is looked up by the primary key, run by run, and never joined: nothing is known of
    /// metrics that were just logged, and a plan that takes many for few compares all with all.
    fn add(&self, sql: &mut Pieces) {
        for (place, name) in self.0.iter().enumerate() {
            sql.add(" left join lateral (select nullif(m.value, 'NaN') as value from run_metric m where m.run_id = r.id and m.step = 0 and m.name = ")
                .bind(*name)
                .add(" offset 0) ")
                .add_place("m", place)
                .add(" on true");
        }
    }

    /// Adds the value of one of them: null when the run has none, or none that is a number.
    fn value(&self, sql: &mut Pieces, name: &str) {
        let place = self.0.iter().position(|one| *one == name).unwrap_or_default();
        sql.add_place("m", place).add(".value");
    }
}

/// Adds the number that a field of a run is; null when it is none.
fn number(sql: &mut Pieces, field: &Field, metrics: &Metrics<'_>) {
    match field {
        Field::Metric(name) => metrics.value(sql, name),
        Field::Parameter(name) => {
            // What a program logs is kept as it wrote it.
            sql.add(
                "(select case when jsonb_typeof(f.have) = 'number' or r.kind = 'tracked'
                    and f.have #>> '{}' ~ '^[-+]?([0-9]{1,40}[.]?[0-9]{0,40}|[.][0-9]{1,40})([eE][-+]?[0-9]{1,2})?$'
                    then (f.have #>> '{}')::double precision end
                from (select coalesce(r.parameters, r.request -> 'parameters') -> ",
            )
            .bind(name.as_str())
            .add(" as have) f)");
        }
        Field::Tag(_) => {
            sql.add("null::double precision");
        }
        Field::Own(own) => {
            sql.add(match own {
                Own::Seed => "r.seed::double precision",
                Own::Seconds => {
                    "extract(epoch from r.finished_at
                        - case r.kind when 'tracked' then coalesce(r.started_at, r.created_at) else r.created_at end)::double precision"
                }
                Own::Began => "floor(extract(epoch from coalesce(r.started_at, r.created_at)) * 1000)::double precision",
                Own::Run => "r.id::double precision",
                Own::Model => "(select m.number::double precision from model_version m where m.run_id = r.id)",
                Own::State | Own::Completion | Own::Trainer | Own::Problem | Own::Author | Own::Created | Own::Kind | Own::Name => {
                    "null::double precision"
                }
            });
        }
    }
}

/// Adds the text that a field of a run is; null when it is none.
fn word(sql: &mut Pieces, field: &Field) {
    match field {
        Field::Metric(_) => {
            sql.add("null::text");
        }
        Field::Parameter(name) => {
            sql.add("(coalesce(r.parameters, r.request -> 'parameters') ->> ").bind(name.as_str()).add(")");
        }
        Field::Tag(name) => {
            sql.add("(r.tags ->> ").bind(name.as_str()).add(")");
        }
        Field::Own(own) => {
            sql.add(match own {
                Own::State => "r.state",
                Own::Completion => "case r.state when 'rejected' then 'succeeded' else r.state end",
                Own::Trainer => "coalesce(r.trainer, r.request ->> 'trainer')",
                Own::Problem => {
                    "(select p.slug from problem_version v join problem p on p.id = v.problem_id where v.id = r.problem_version_id)"
                }
                Own::Author => "(select a.name from account a where a.id = r.author_id)",
                Own::Created => "to_char(r.created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
                Own::Kind => {
                    "case when r.kind = 'tracked' then 'tracked' when r.reproduces is null then 'run' else 'reproduction' end"
                }
                Own::Name => "r.name",
                Own::Seed | Own::Began | Own::Seconds | Own::Run | Own::Model => "null::text",
            });
        }
    }
}

/// Adds what a run has to pass. A run without the value passes nothing, nor does one whose value is not a number.
fn passes(sql: &mut Pieces, condition: &Condition, metrics: &Metrics<'_>) {
    let Condition { field, comparison, operand } = condition;
    sql.add(" and ");
    match operand {
        Operand::Number(than) => {
            number(sql, field, metrics);
            sql.add(sign(*comparison)).bind(*than);
        }
        Operand::Text(than) => {
            word(sql, field);
            match comparison {
                // Only `%` stands for something else.
                Comparison::Like => sql.add(" ilike ").bind(than.replace('\\', "\\\\").replace('_', "\\_")),
                Comparison::Equal | Comparison::Different => sql.add(sign(*comparison)).bind(than.as_str()),
                _ => sql.add(" collate \"C\"").add(sign(*comparison)).bind(than.as_str()),
            };
        }
    }
}

const fn sign(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => " = ",
        Comparison::Different => " <> ",
        Comparison::Below => " < ",
        Comparison::AtMost => " <= ",
        Comparison::Above => " > ",
        Comparison::AtLeast => " >= ",
        Comparison::Like => " like ",
    }
}

/// Adds that a run is of one of these problems. The versions are known before any run is read, so that the newest are found from the end of
/// the primary key.
fn of_problems(sql: &mut Pieces, slugs: Vec<String>) {
    sql.add(
        " and r.problem_version_id = any(array(select v.id from problem_version v join problem p on p.id = v.problem_id
            where p.slug = any(",
    )
    .bind(slugs)
    .add(")))");
}

/// Adds orders by a number and a text, of which a field is one; what is no finite number comes last, and of equals the newest first.
fn ordered(sql: &mut Pieces, orders: &[Order], metrics: &Metrics<'_>) {
    sql.add(" order by ");
    for order in orders {
        if order.by == Field::Own(Own::Run) {
            // No two are equal.
            sql.add(if order.descending { "r.id desc" } else { "r.id" });
            return;
        }
        let direction = if order.descending { " desc nulls last, " } else { " asc nulls last, " };
        sql.add("nullif(nullif(nullif(");
        number(sql, &order.by, metrics);
        sql.add(", 'NaN'), 'infinity'), '-infinity')").add(direction);
        word(sql, &order.by);
        sql.add(direction);
    }
    sql.add("r.id desc");
}

/// Runs that pass the filter, in its order; of equals, and by default, the newest first. What has no finite number in the field that
/// orders them comes last. The statement has what was asked for alone, so that each can be planned for what it is. Indexes: primary keys; of
/// runs the newest come first.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &impl Connection, filter: Filter<'_>, limit: Limit) -> Result<Vec<Run>> {
    let metrics = Metrics::named(&filter);
    let mut sql = Pieces::new("select r.id from run r");
    metrics.add(&mut sql);
    sql.add(" where true");
    if let Some(problem) = filter.problem {
        of_problems(&mut sql, vec![problem.to_owned()]);
    }
    if let Some(visible) = filter.visible {
        of_problems(&mut sql, visible.iter().map(|&slug| slug.to_owned()).collect());
    }
    if let Some(state) = filter.state {
        sql.add(" and r.state = ").bind(state.as_str());
    }
    for condition in filter.conditions {
        passes(&mut sql, condition, &metrics);
    }
    if let Some(before) = limit.before {
        sql.add(" and r.id < ").bind(before.0);
    }
    ordered(&mut sql, filter.order, &metrics);
    sql.add(" limit ").bind(i64::from(limit.most)).add(" offset ").bind(i64::from(limit.skip));
    // Two statements are planned and read faster than one of as many tables.
    let ids: Vec<RunId> = sql.all::<i64>(db).await?.into_iter().map(RunId).collect();
    let mut found: HashMap<RunId, Run> = find_all(db, &ids).await?.into_iter().map(|run| (run.id, run)).collect();
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

/// Ids as one bound value.
pub(super) fn numbers(ids: &[RunId]) -> Vec<i64> {
    ids.iter().map(|id| id.0).collect()
}

/// The runs of these ids that there are, in no order.
///
/// # Errors
/// When the database fails.
pub async fn find_all(db: &impl Connection, ids: &[RunId]) -> Result<Vec<Run>> {
    record::all(db, select_run!("where r.id = any($1)"), values![numbers(ids)]).await
}

/// The final value of a metric of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedValue {
    /// The run.
    pub run: RunId,
    /// The metric.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its 95 % interval, if it has one.
    pub interval: Option<(f64, f64)>,
}

impl Record for NamedValue {
    fn read(row: &Row) -> Result<Self> {
        let (low, high): (Option<f64>, Option<f64>) = (row.get("low")?, row.get("high")?);
        Ok(Self {
            run: RunId(row.get("run_id")?),
            name: row.get("name")?,
            value: row.get("value")?,
            interval: low.zip(high),
        })
    }
}

/// The final values that these runs have of metrics of these names; of all metrics when none are named.
///
/// # Errors
/// When the database fails.
pub async fn values_of(db: &impl Connection, runs: &[RunId], names: Option<&[&str]>) -> Result<Vec<NamedValue>> {
    const SQL: &str = "select run_id, name, value, low, high from run_metric
        where step = 0 and run_id = any($1) and ($2::text[] is null or name = any($2)) order by run_id, name";
    let names: Option<Vec<String>> = names.map(|names| names.iter().map(|&name| name.to_owned()).collect());
    record::all(db, SQL, values![numbers(runs), names]).await
}

struct Name(String);

impl Record for Name {
    fn read(row: &Row) -> Result<Self> {
        row.get("name").map(Self)
    }
}

/// The names of the metrics that these runs have final values of.
///
/// # Errors
/// When the database fails.
pub async fn metric_names(db: &impl Connection, runs: &[RunId]) -> Result<Vec<String>> {
    const SQL: &str = "select distinct name from run_metric
        where step = 0 and run_id = any($1) order by name limit 1000";
    let names: Vec<Name> = record::all(db, SQL, values![numbers(runs)]).await?;
    Ok(names.into_iter().map(|name| name.0).collect())
}
