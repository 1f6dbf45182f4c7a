//! Many runs: listed, filtered, put in order, and side by side.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use millrace_domain::fault::Fault;
use millrace_domain::ids::RunId;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::run::RunState;
use millrace_domain::search::{self, Field, Order, Own};
use millrace_domain::tracking::Point;
use millrace_domain::view::{
    ComparedValues, Course, RunComparison, RunCurves, RunFilter, RunPage, RunSummary, in_words,
};
use millrace_storage::run::{self, Filter, Limit, MetricValue, Run};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Result, Services, fault, page_size, present};

/// Runs shown on one page when nobody says how many.
const PAGE: u32 = 50;
/// Runs of one export.
const EXPORT: u32 = 10_000;
/// Runs that are put side by side.
const MOST_COMPARED: usize = 50;
/// Runs of which curves are drawn over each other: as many as there are colours to tell them apart.
const MOST_DRAWN: usize = 8;

/// Classes of a confusion matrix that is put beside others.
const MOST_CLASSES: usize = 40;

/// What is asked of a list, read.
struct Asked {
    problem: Option<String>,
    state: Option<RunState>,
    conditions: Vec<search::Condition>,
    order: Vec<Order>,
    columns: Vec<Field>,
}

impl Asked {
    /// Goes on where a page ended: at a run's number where the newest come first, and behind so many where another order was asked for.
    fn go_on(&self, limit: &mut Limit, token: Option<&str>) -> Result<()> {
        let unknown = || Fault::field("/page_token", "is none that a list gave");
        match token {
            None => {}
            Some(token) if self.order.is_empty() => limit.before = Some(token.parse().map_err(|_| unknown())?),
            Some(token) => limit.skip = token.parse().map_err(|_| unknown())?,
        }
        Ok(())
    }

    /// The token of what follows; none when there is no more.
    fn token(&self, runs: &[Run], limit: Limit) -> Option<String> {
        let last = runs.last().filter(|_| runs.len() == limit.most as usize)?;
        Some(if self.order.is_empty() {
            last.id.to_string()
        } else {
            limit.skip.saturating_add(limit.most).to_string()
        })
    }

    fn read(filter: &RunFilter) -> Result<Self> {
        let state = given(&filter.state).map(|word| {
            word.parse::<RunState>().map_err(|()| {
                Fault::field("/state", "must be one of queued, running, succeeded, rejected, failed, cancelled")
            })
        });
        let wrong =
            |pointer: &'static str| move |message: String| Fault::field(pointer, format!("cannot be read: {message}"));
        let order = given(&filter.order_by).map(|text| search::orders(text).map_err(wrong("/order_by")));
        let columns = filter.columns.iter().map(String::as_str);
        let problem = given(&filter.problem).map(str::to_owned);
        if problem.as_deref().is_some_and(|slug| slug.contains('\0')) {
            return Err(Fault::field("/problem", "must not contain NUL"));
        }
        Ok(Self {
            problem,
            state: state.transpose()?,
            conditions: search::filter(filter.filter.as_deref().unwrap_or_default()).map_err(wrong("/filter"))?,
            order: order.transpose()?.unwrap_or_default(),
            columns: search::columns(columns).map_err(wrong("/columns"))?,
        })
    }

    fn filter<'a>(&'a self, visible: Option<&'a [&'a str]>) -> Filter<'a> {
        let Self { problem, state, conditions, order, .. } = self;
        Filter { problem: problem.as_deref(), visible, state: *state, conditions, order }
    }
}

impl Services {
    /// A page of the runs that pass the filter, in its order. The token of the next page is a run's number where the newest come
    /// first, and how many came before where another order was asked for.
    ///
    /// # Errors
    /// 400 that names the part of the filter that cannot be read; 404 when the baseline is none that the caller sees.
    pub async fn list_runs(&self, actor: &Actor, filter: &RunFilter, size: Option<u32>) -> Result<RunPage> {
        self.authorise(actor, Action::ReadWorkspace, "run").await?;
        let size = page_size(size, PAGE)?;
        let asked = Asked::read(filter)?;
        let mut limit = Limit::first(size);
        asked.go_on(&mut limit, given(&filter.page_token))?;
        let visible = visible_problems(actor);
        let runs = run::list(self.db.pool(), asked.filter(visible.as_deref()), limit).await.map_err(fault)?;
        let next_page_token = asked.token(&runs, limit);
        let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
        let metrics = run::metric_names(self.db.pool(), &ids).await.map_err(fault)?;
        let metrics = metrics.into_iter().map(Field::Metric);
        let parameters: BTreeSet<&str> = runs
            .iter()
            .flat_map(|run| fitted(run).as_object().into_iter().flat_map(|all| all.keys()))
            .map(String::as_str)
            .collect();
        let parameters = parameters.into_iter().map(|name| Field::Parameter(name.to_owned()));
        let available = metrics.chain(parameters).chain([Field::Own(Own::Seed)]);
        let available = available.filter(|field| !asked.columns.contains(field)).map(|field| field.to_string());
        Ok(RunPage {
            baseline: self.baseline(actor, filter, &asked).await?,
            available: available.collect(),
            runs: self.told(&runs, &asked.columns).await?,
            columns: asked.columns.iter().map(ToString::to_string).collect(),
            next_page_token,
        })
    }

    /// The line of the run that others are told beside, if one is asked for.
    async fn baseline(&self, actor: &Actor, filter: &RunFilter, asked: &Asked) -> Result<Option<RunSummary>> {
        let Some(id) = given(&filter.baseline) else { return Ok(None) };
        let id = id.parse().map_err(|_| Fault::field("/baseline", "must be the id of a run"))?;
        let run = self.run_for(actor, Action::ReadWorkspace, RunId(id)).await?;
        Ok(self.told(std::slice::from_ref(&run), &asked.columns).await?.pop())
    }

    /// The runs of these problems that pass a filter, as they are stored, for a door that tells them in its own words: at most so many
    /// of a page, and the token of the next one.
    ///
    /// # Errors
    /// 400 that names the part of the filter that cannot be read.
    pub async fn search_runs(
        &self,
        actor: &Actor,
        problems: &[String],
        filter: &RunFilter,
        most: u32,
    ) -> Result<(Vec<Run>, Option<String>)> {
        self.authorise(actor, Action::ReadWorkspace, "run").await?;
        let asked = Asked::read(filter)?;
        let skip = match given(&filter.page_token) {
            None => 0,
            Some(token) => token.parse().map_err(|_| Fault::field("/page_token", "is none that a list gave"))?,
        };
        let seen: Vec<&str> = problems.iter().map(String::as_str).filter(|slug| actor.sees(slug)).collect();
        // Every order is one by a field, so that a place is a number.
        let newest = Order { by: Field::Own(Own::Run), descending: true };
        let order = if asked.order.is_empty() { vec![newest] } else { asked.order };
        let asked = Asked { order, ..asked };
        let limit = Limit { before: None, skip, most };
        let runs = run::list(self.db.pool(), asked.filter(Some(&seen)), limit).await.map_err(fault)?;
        let next = (runs.len() == most as usize).then(|| skip.saturating_add(most).to_string());
        Ok((runs, next))
    }

    /// The same slice whole, for an export: at most 10,000 runs, and the token of what follows them.
    ///
    /// # Errors
    /// As [`Self::list_runs`].
    pub async fn export_runs(&self, actor: &Actor, filter: &RunFilter) -> Result<RunPage> {
        self.authorise(actor, Action::ReadWorkspace, "run").await?;
        let asked = Asked::read(filter)?;
        let visible = visible_problems(actor);
        let mut limit = Limit::first(EXPORT);
        asked.go_on(&mut limit, given(&filter.page_token))?;
        let runs = run::list(self.db.pool(), asked.filter(visible.as_deref()), limit).await.map_err(fault)?;
        Ok(RunPage {
            next_page_token: asked.token(&runs, limit),
            runs: self.told(&runs, &asked.columns).await?,
            columns: asked.columns.iter().map(ToString::to_string).collect(),
            baseline: self.baseline(actor, filter, &asked).await?,
            available: Vec::new(),
        })
    }

    /// The lines of a list, with the columns that were asked for.
    async fn told(&self, runs: &[Run], columns: &[Field]) -> Result<Vec<RunSummary>> {
        let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
        let names: Vec<&str> = columns
            .iter()
            .filter_map(|field| if let Field::Metric(name) = field { Some(name.as_str()) } else { None })
            .collect();
        let values = if names.is_empty() {
            Vec::new()
        } else {
            run::values_of(self.db.pool(), &ids, Some(&names)).await.map_err(fault)?
        };
        let values: HashMap<(RunId, &str), f64> =
            values.iter().map(|value| ((value.run, value.name.as_str()), value.value)).collect();
        let line = |run: &Run| {
            let mut line = present::run(run);
            let value = |field: &Field| match field {
                Field::Metric(name) => {
                    values.get(&(run.id, name.as_str())).map_or(Value::Null, |value| in_words(*value))
                }
                Field::Parameter(name) => fitted(run).get(name).cloned().unwrap_or(Value::Null),
                Field::Tag(name) => {
                    run.tracked.as_ref().and_then(|tracked| tracked.tags.get(name)).cloned().unwrap_or(Value::Null)
                }
                Field::Own(own) => own_value(run, &line, *own),
            };
            line.values = columns.iter().map(value).collect();
            line
        };
        Ok(runs.iter().map(line).collect())
    }

    /// Runs side by side, in the order they are asked for.
    ///
    /// # Errors
    /// 400 for ids that are none, or too many; 404 when one of them is not there for the caller.
    pub async fn compare_runs(&self, actor: &Actor, ids: &[String]) -> Result<RunComparison> {
        self.authorise(actor, Action::ReadWorkspace, "run").await?;
        let read = ids.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|text| !text.is_empty());
        let mut asked: Vec<RunId> = Vec::new();
        for text in read {
            let id = text.parse().map_err(|error| Fault::field("/ids", format!("{text:?}: {error}")))?;
            if !asked.contains(&id) {
                asked.push(id);
            }
            if asked.len() > MOST_COMPARED {
                return Err(Fault::field("/ids", format!("are more than {MOST_COMPARED} runs; choose fewer")));
            }
        }
        let found = run::find_all(self.db.pool(), &asked).await.map_err(fault)?;
        let visible = visible_problems(actor);
        let is_seen = |run: &&Run| visible.as_ref().is_none_or(|slugs| slugs.contains(&run.problem.as_str()));
        let found: HashMap<RunId, &Run> = found.iter().filter(is_seen).map(|run| (run.id, run)).collect();
        let one = |id: &RunId| found.get(id).copied().ok_or_else(|| Fault::not_found(&format!("run {id}")));
        let runs: Vec<&Run> = asked.iter().map(one).collect::<Result<_>>()?;
        let values = run::values_of(self.db.pool(), &asked, None).await.map_err(fault)?;
        let mut metrics: BTreeMap<&str, ComparedValues> = BTreeMap::new();
        for value in &values {
            if let Some(position) = asked.iter().position(|id| *id == value.run) {
                let row = metrics.entry(&value.name).or_insert_with(|| ComparedValues {
                    name: value.name.clone(),
                    values: vec![Value::Null; asked.len()],
                    intervals: vec![None; asked.len()],
                });
                row.values[position] = in_words(value.value);
                row.intervals[position] = value.interval;
            }
        }
        let parameters: Vec<Value> = runs.iter().map(|run| asked_and_fitted(run)).collect();
        let provenance: Vec<Value> = runs.iter().map(|run| run.provenance.clone()).collect();
        let tags = runs.iter().map(|run| run.tracked.as_ref().map_or(Value::Null, |tracked| json!(tracked.tags)));
        let tags: Vec<Value> = tags.collect();
        let mut curves = Vec::new();
        for run in runs.iter().take(MOST_DRAWN) {
            curves.push(self.curves(run).await?);
        }
        Ok(RunComparison {
            curves,
            metrics: metrics.into_values().collect(),
            tags: side_by_side(&tags),
            parameters: side_by_side(&parameters),
            provenance: side_by_side(&provenance),
            runs: runs.into_iter().map(present::run).collect(),
        })
    }
}

impl Services {
    /// What is drawn of a run beside others.
    async fn curves(&self, run: &Run) -> Result<RunCurves> {
        let pool = self.db.pool();
        let artifacts = run::artifacts(pool, run.id).await.map_err(fault)?;
        let evaluation: Value = match artifacts.iter().find(|artifact| artifact.name == "evaluation") {
            None => Value::Null,
            Some(artifact) => {
                let content = self.artifacts.get(&artifact.digest).await.map_err(fault)?;
                serde_json::from_slice(&content).unwrap_or_default()
            }
        };
        let test = &evaluation["test"];
        let points = |name: &str| -> Vec<(f64, f64)> { Deserialize::deserialize(&test[name]).unwrap_or_default() };
        let courses = match run.tracked {
            Some(_) => courses(run::courses(pool, run.id, DRAWN_COURSES, DRAWN_POINTS).await.map_err(fault)?),
            None => courses_of(&run::metrics(pool, run.id).await.map_err(fault)?),
        };
        let classes: Vec<String> = Deserialize::deserialize(&test["confusion"]["labels"]).unwrap_or_default();
        let (classes, confusion) = match classes.len() <= MOST_CLASSES {
            true => (classes, Deserialize::deserialize(&test["confusion"]["counts"]).unwrap_or_default()),
            false => Default::default(),
        };
        Ok(RunCurves {
            run: run.id.to_string(),
            roc: points("roc"),
            precision_recall: points("pr"),
            prevalence: test["prevalence"].as_f64(),
            classes,
            confusion,
            courses,
        })
    }
}

/// Courses of a run that are drawn.
pub(crate) const DRAWN_COURSES: u32 = 24;
/// Points of one metric that are drawn.
pub(crate) const DRAWN_POINTS: u32 = 500;

/// Points in order of name and step, as courses.
pub(crate) fn courses(points: Vec<Point>) -> Vec<Course> {
    let mut courses: Vec<Course> = Vec::new();
    for point in points {
        match courses.last_mut().filter(|course| course.name == point.name) {
            Some(course) => {
                course.points.push((point.step, point.value));
                course.times.push(point.at);
            }
            None => courses.push(Course {
                name: point.name,
                points: vec![(point.step, point.value)],
                times: vec![point.at],
            }),
        }
    }
    courses
}

/// The courses among the metrics of a run of the pipeline, thinned out; the least and the greatest point of each stay.
fn courses_of(metrics: &[MetricValue]) -> Vec<Course> {
    let mut of: BTreeMap<&str, Vec<(i64, f64)>> = BTreeMap::new();
    for metric in metrics.iter().filter(|metric| metric.step > 0) {
        of.entry(&metric.name).or_default().push((i64::from(metric.step), metric.value));
    }
    let thinned = |mut points: Vec<(i64, f64)>| {
        points.sort_unstable_by_key(|point| point.0);
        let every = points.len().div_ceil(DRAWN_POINTS as usize).max(1);
        let place_of = |order: fn(&f64, &f64) -> bool| {
            let finite = (0..points.len()).filter(|place| points[*place].1.is_finite());
            finite.reduce(|best, place| if order(&points[place].1, &points[best].1) { place } else { best })
        };
        let kept = [place_of(f64::lt), place_of(f64::gt), Some(points.len() - 1)];
        let is_kept = |(place, _): &(usize, &(i64, f64))| place % every == 0 || kept.contains(&Some(*place));
        points.iter().enumerate().filter(is_kept).map(|(_, point)| *point).collect()
    };
    of.into_iter()
        .take(DRAWN_COURSES as usize)
        .map(|(name, points)| Course { name: name.to_owned(), points: thinned(points), times: Vec::new() })
        .collect()
}

/// The problems somebody reads whose roles are on single problems alone; none for who reads them all.
pub(crate) fn visible_problems(actor: &Actor) -> Option<Vec<&str>> {
    if actor.may_everywhere(Action::ReadWorkspace).is_ok() {
        return None;
    }
    Some(actor.grants.iter().filter_map(|grant| grant.problem.as_deref()).collect())
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// What the model was fitted with, else what was asked for.
fn fitted(run: &Run) -> &Value {
    run.parameters.as_ref().unwrap_or(&run.request["parameters"])
}

fn asked_and_fitted(run: &Run) -> Value {
    let mut all = fitted(run).as_object().cloned().unwrap_or_default();
    let asked = [
        "calibration",
        "budget",
        "sampler",
        "pruner",
        "parallel",
        "cpu_seconds",
        "wall_seconds",
        "least_gain",
        "search",
    ];
    for name in asked {
        all.insert(name.to_owned(), run.request[name].clone());
    }
    all.insert(
        "trainer".to_owned(),
        run.trainer.as_ref().map_or_else(|| run.request["trainer"].clone(), |own| json!(own)),
    );
    all.insert("seed".to_owned(), json!(run.seed));
    Value::Object(all)
}

fn own_value(run: &Run, line: &RunSummary, own: Own) -> Value {
    match own {
        Own::State => json!(line.state),
        Own::Completion if run.state == RunState::Rejected => json!(RunState::Succeeded),
        Own::Completion => json!(line.state),
        Own::Began => json!(run.started_at.unwrap_or(run.created_at).timestamp_millis()),
        Own::Trainer => json!(line.trainer),
        Own::Problem => json!(line.problem),
        Own::Author => json!(line.author),
        Own::Created => json!(line.created_at),
        Own::Kind if run.tracked.is_some() => json!("tracked"),
        Own::Kind => json!(if run.reproduces.is_some() { "reproduction" } else { "run" }),
        Own::Name => json!(line.tracked),
        Own::Seed => json!(run.seed),
        Own::Seconds => json!(line.seconds),
        Own::Run => json!(run.id.0),
        Own::Model => json!(run.model_number),
    }
}

/// The members of several objects by name; those of objects within them by their path.
fn side_by_side(objects: &[Value]) -> Vec<ComparedValues> {
    let mut rows: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (position, object) in objects.iter().enumerate() {
        let mut note = |name: String, value: &Value| {
            rows.entry(name).or_insert_with(|| vec![Value::Null; objects.len()])[position] = value.clone();
        };
        for (name, value) in object.as_object().into_iter().flatten() {
            match value {
                Value::Object(inner) => inner.iter().for_each(|(key, value)| note(format!("{name}.{key}"), value)),
                value => note(name.clone(), value),
            }
        }
    }
    rows.into_iter().map(|(name, values)| ComparedValues { name, values, intervals: Vec::new() }).collect()
}
