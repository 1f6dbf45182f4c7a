//! Finding runs among many.

use millrace_domain::ids::RunId;
use millrace_domain::run::RunState;
use millrace_domain::search::{Comparison, Condition, Operand, Order};
use serde_json::{Value, json};

use super::{Run, select_run};
use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

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
    /// The order; newest first when none.
    pub order: Option<&'a Order>,
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

/// The number that a field of a run is, by the kind and name of the field; null when it is none.
macro_rules! number {
    ($field:literal) => {
        concat!(
            "(case ",
            $field,
            ".kind
                when 'metric' then (select f.value from run_metric f where f.run_id = r.id and f.name = ",
            $field,
            ".name and f.step = 0)
                when 'parameter' then case when jsonb_typeof(coalesce(r.parameters, r.request -> 'parameters') -> ",
            $field,
            ".name) = 'number'
                    -- What a program logs is kept as it wrote it.
                    or r.kind = 'tracked' and r.parameters ->> ",
            $field,
            ".name ~ '^[-+]?([0-9]{1,40}[.]?[0-9]{0,40}|[.][0-9]{1,40})([eE][-+]?[0-9]{1,2})?$'
                    then (coalesce(r.parameters, r.request -> 'parameters') ->> ",
            $field,
            ".name)::double precision end
                when 'seed' then r.seed::double precision
                when 'seconds' then extract(epoch from r.finished_at
                    - case r.kind when 'tracked' then coalesce(r.started_at, r.created_at) else r.created_at end)::double precision
                when 'run' then r.id::double precision
                when 'model' then m.number::double precision end)"
        )
    };
}

/// The text that a field of a run is.
macro_rules! word {
    ($field:literal) => {
        concat!(
            "(case ", $field, ".kind
                when 'parameter' then coalesce(r.parameters, r.request -> 'parameters') ->> ", $field, ".name
                when 'state' then r.state
                when 'trainer' then coalesce(r.trainer, r.request ->> 'trainer')
                when 'problem' then p.slug
                when 'author' then a.name
                when 'kind' then case when r.kind = 'tracked' then 'tracked' when r.reproduces is null then 'run' else 'reproduction' end
                when 'name' then r.name
                when 'created' then to_char(r.created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') end)"
        )
    };
}

/// The runs among which a page is chosen, and what they have to pass: $1 to $4. Nothing large is joined yet.
macro_rules! passing {
    () => {
        concat!(
            "from run r join problem_version v on v.id = r.problem_version_id join problem p on p.id = v.problem_id
             join account a on a.id = r.author_id left join model_version m on m.run_id = r.id
             left join (select $5::text as kind, $6::text as name) o on true
             where ($1::text is null or p.slug = $1) and ($2::text is null or r.state = $2)
               and ($3::jsonb is null or p.slug in (select jsonb_array_elements_text($3)))
               and not exists (
                 select 1 from jsonb_to_recordset($4::jsonb)
                     as c(kind text, name text, comparison text, number double precision, word text)
                 where not coalesce(case when c.number is not null then (
                     select case c.comparison when '=' then h.have = c.number when '!=' then h.have <> c.number
                         when '<' then h.have < c.number when '<=' then h.have <= c.number
                         when '>' then h.have > c.number else h.have >= c.number end
                     from (select ",
            number!("c"),
            " as have) h where h.have <> 'NaN')
                 else (
                     select case c.comparison when '=' then h.have = c.word when '!=' then h.have <> c.word
                         when 'like' then h.have ilike c.word
                         when '<' then h.have collate \"C\" < c.word when '<=' then h.have collate \"C\" <= c.word
                         when '>' then h.have collate \"C\" > c.word else h.have collate \"C\" >= c.word end
                     from (select ",
            word!("c"),
            " as have) h) end, false))"
        )
    };
}

/// Runs that pass the filter, in its order; of equals, and by default, the newest first. What has no finite number in the field that
/// orders them comes last. Index: primary key, where the newest come first.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &impl Connection, filter: Filter<'_>, limit: Limit) -> Result<Vec<Run>> {
    const NEWEST: &str = select_run!(concat!(
        "join (select r.id ",
        passing!(),
        " and ($7::bigint is null or r.id < $7) order by r.id desc limit $8) page on page.id = r.id order by r.id desc"
    ));
    const ORDERED: &str = select_run!(concat!(
        "join (select r.id, row_number() over (order by
           case when $9 then nullif(nullif(nullif(",
        number!("o"),
        ", 'NaN'), 'infinity'), '-infinity') end desc nulls last,
           case when not $9 then nullif(nullif(nullif(",
        number!("o"),
        ", 'NaN'), 'infinity'), '-infinity') end asc nulls last,
           case when $9 then ",
        word!("o"),
        " end desc nulls last,
           case when not $9 then ",
        word!("o"),
        " end asc nulls last,
           r.id desc) as place ",
        passing!(),
        " order by place limit $8 offset $7) page on page.id = r.id order by page.place"
    ));
    let (kind, name) = filter.order.map(|order| order.by.parts()).unzip();
    let conditions: Vec<Value> = filter.conditions.iter().map(condition).collect();
    let mut bound = values![
        filter.problem.map(str::to_owned),
        filter.state.map(|state| state.as_str().to_owned()),
        filter.visible.map(|slugs| json!(slugs)),
        json!(conditions),
        kind.map(str::to_owned),
        name.map(str::to_owned)
    ];
    match filter.order {
        None => {
            bound.extend(values![limit.before.map(|id| id.0), i64::from(limit.most)]);
            record::all(db, NEWEST, bound).await
        }
        Some(order) => {
            bound.extend(values![i64::from(limit.skip), i64::from(limit.most), order.descending]);
            record::all(db, ORDERED, bound).await
        }
    }
}

fn condition(condition: &Condition) -> Value {
    let (kind, name) = condition.field.parts();
    let (number, word) = match &condition.operand {
        Operand::Number(number) => (Some(number), None),
        // Only `%` stands for something else.
        Operand::Text(text) if condition.comparison == Comparison::Like => {
            (None, Some(text.replace('\\', "\\\\").replace('_', "\\_")))
        }
        Operand::Text(text) => (None, Some(text.clone())),
    };
    json!({ "kind": kind, "name": name, "comparison": condition.comparison, "number": number, "word": word })
}

/// The runs of these ids that there are, in no order.
///
/// # Errors
/// When the database fails.
pub async fn find_all(db: &impl Connection, ids: &[RunId]) -> Result<Vec<Run>> {
    const SQL: &str = select_run!("where r.id in (select value::bigint from jsonb_array_elements_text($1))");
    record::all(db, SQL, values![json!(ids.iter().map(|id| id.0).collect::<Vec<_>>())]).await
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
}

impl Record for NamedValue {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self { run: RunId(row.get("run_id")?), name: row.get("name")?, value: row.get("value")? })
    }
}

/// The final values that these runs have of metrics of these names; of all metrics when none are named.
///
/// # Errors
/// When the database fails.
pub async fn values_of(db: &impl Connection, runs: &[RunId], names: Option<&[&str]>) -> Result<Vec<NamedValue>> {
    const SQL: &str = "select run_id, name, value from run_metric
        where step = 0 and run_id in (select value::bigint from jsonb_array_elements_text($1))
          and ($2::jsonb is null or name in (select jsonb_array_elements_text($2))) order by run_id, name";
    let ids: Vec<i64> = runs.iter().map(|id| id.0).collect();
    record::all(db, SQL, values![json!(ids), names.map(|names| json!(names))]).await
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
        where step = 0 and run_id in (select value::bigint from jsonb_array_elements_text($1)) order by name limit 1000";
    let ids: Vec<i64> = runs.iter().map(|id| id.0).collect();
    let names: Vec<Name> = record::all(db, SQL, values![json!(ids)]).await?;
    Ok(names.into_iter().map(|name| name.0).collect())
}
