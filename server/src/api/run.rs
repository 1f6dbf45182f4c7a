//! Runs.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use millrace_domain::effects::Effects;
use millrace_domain::fault::Fault;
use millrace_domain::gate::Gate;
use millrace_domain::ids::RunId;
use millrace_domain::tracking::Point;
use millrace_domain::view::{
    ArtifactView, Compared, ComparedValues, FailureView, HeldOutView, LaunchRequest, MetricView, Overridden,
    OverrideRequest, Reproduction, RunComparison, RunFilter, RunPage, RunSummary, RunView, SearchedView, SpanView,
    StepView, TrialView, in_words,
};
use millrace_services::Services;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::api::export::{csv, json_file};
use crate::api::idempotent::once;
use crate::api::reply::{Body, By, Items, PageSize, Path, Query, Reply};

/// What a run is asked to do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// Dataset id; the problem's newest valid dataset when absent.
    dataset: Option<String>,
    /// Version of the dataset; the newest valid one when absent.
    version: Option<i32>,
    /// Seed of everything random; 0 when absent.
    seed: Option<u64>,
    /// Trainer, several with commas between them, or `any`: the search then chooses. Gradient boosting when absent.
    trainer: Option<String>,
    /// Fixed hyperparameters; of several trainers, for each under its name.
    parameters: Option<Value>,
    /// Search space; the trainer's own when absent and a budget is given. Of several trainers, for each under its name.
    search: Option<Value>,
    /// How the validation part puts answers right: `platt` or `isotonic` make probabilities of a binary model's scores, `conformal` moves a quantile; `none` when absent.
    calibration: Option<String>,
    /// How trials are drawn: `tpe`, which learns from the trials before, `sobol`, which fills the space evenly, or `random`; `tpe` when absent.
    sampler: Option<String>,
    /// Which trials are ended early: `none`, `median` (boosting that falls behind half of the others), `asha` (behind three quarters, after
    /// 16, 64, 256 … rounds), `halving` (all trials on few rows, the best on more) or `hyperband` (halving again and again from more rows on);
    /// `none` when absent.
    pruner: Option<String>,
    /// Trials; no search when absent or 0.
    budget: Option<u32>,
    /// Trials that may run at once, which is part of what makes a search the same again; 4 when absent.
    parallel: Option<u32>,
    /// Most seconds of processor time for all trials; no limit when absent.
    cpu_seconds: Option<f64>,
    /// Most seconds from the first trial on; no limit when absent.
    wall_seconds: Option<f64>,
    /// The search ends once the trials that are left are expected to gain less than this, in units of its metric; it is made whole when
    /// absent.
    least_gain: Option<f64>,
    /// Repository state of the caller: `git_sha`, `dirty`.
    provenance: Option<Value>,
}

/// Launches a run on the signed-off version of a problem.
#[utoipa::path(post, path = "/api/v1/problems/{slug}/runs", request_body = RunRequest,
    responses((status = 202, body = RunStarted), (status = 400), (status = 409)))]
pub async fn launch_run(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Body(request): Body<RunRequest>,
) -> Reply<Response> {
    let launch = LaunchRequest {
        problem: slug,
        dataset: request.dataset,
        version: request.version,
        seed: request.seed,
        trainer: request.trainer,
        parameters: request.parameters,
        search: request.search,
        calibration: request.calibration,
        sampler: request.sampler,
        pruner: request.pruner,
        budget: request.budget,
        parallel: request.parallel,
        cpu_seconds: request.cpu_seconds,
        wall_seconds: request.wall_seconds,
        least_gain: request.least_gain,
        provenance: request.provenance,
    };
    let act = async { services.launch_run(&actor, &launch).await.map(|run| RunStarted { run: run.to_string() }) };
    once(&services, &actor, &headers, &json!(launch), StatusCode::ACCEPTED, act).await
}

/// A run that was launched.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunStarted {
    /// Its id.
    run: String,
}

/// Which runs to list, in which order, and what to tell of them.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ListRuns {
    /// Only of this problem.
    problem: Option<String>,
    /// Only in this state.
    state: Option<String>,
    /// Only those that pass, for example `metrics.test.roc_auc > 0.8 and params.max_depth <= 6 and state = 'succeeded'`.
    filter: Option<String>,
    /// For example `metrics.test.roc_auc desc`; newest first when absent.
    order_by: Option<String>,
    /// What to tell besides, separated by commas, for example `metrics.test.log_loss,params.eta`.
    columns: Option<String>,
    /// Where the last page ended.
    page_token: Option<String>,
}

impl ListRuns {
    fn filter(self) -> RunFilter {
        let Self { problem, state, filter, order_by, columns, page_token } = self;
        let columns = columns.into_iter().collect();
        RunFilter { problem, state, filter, order_by, columns, page_token, baseline: None }
    }
}

/// Runs that pass a filter, newest first or in the order that is asked for, fifty a page when nobody says how many.
#[utoipa::path(get, path = "/api/v1/runs", params(ListRuns, PageSize), responses((status = 200, body = Items<RunSummary>), (status = 400)))]
pub async fn list_runs(
    State(services): State<Services>,
    By(actor): By,
    Query(list): Query<ListRuns>,
    Query(PageSize { page_size: size }): Query<PageSize>,
) -> Reply<Json<Items<RunSummary>>> {
    let page = services.list_runs(&actor, &list.filter(), size).await?;
    Ok(Json(Items { items: page.runs, next_page_token: page.next_page_token }))
}

/// The same slice whole, as a CSV file: at most 10,000 runs. The name of the file tells the `page_token` of what follows, if it is longer.
#[utoipa::path(get, path = "/api/v1/runs/export.csv", params(ListRuns),
    responses((status = 200, body = String, content_type = "text/csv"), (status = 400)))]
pub async fn export_runs_csv(
    State(services): State<Services>,
    By(actor): By,
    Query(list): Query<ListRuns>,
) -> Reply<Response> {
    const NAMES: [&str; 13] = [
        "run",
        "problem",
        "problem_version",
        "state",
        "trainer",
        "metric",
        "value",
        "low",
        "high",
        "model_version",
        "author",
        "created_at",
        "reproduces",
    ];
    let page = services.export_runs(&actor, &list.filter()).await?;
    let name = named(&page);
    let number = |number: Option<f64>| number.map_or_else(String::new, |number| number.to_string());
    let rows = page.runs.into_iter().map(move |run| {
        let own = [
            run.id,
            run.problem,
            run.problem_version.to_string(),
            run.state,
            run.trainer,
            run.metric,
            run.value.map_or_else(String::new, |value| cell(&in_words(value))),
            number(run.interval.map(|interval| interval.0)),
            number(run.interval.map(|interval| interval.1)),
            run.model_version.map_or_else(String::new, |version| version.to_string()),
            run.author,
            run.created_at.to_rfc3339(),
            run.reproduces.unwrap_or_default(),
        ];
        own.into_iter().chain(run.values.iter().map(cell).collect::<Vec<_>>())
    });
    let columns = NAMES.into_iter().chain(page.columns.iter().map(String::as_str));
    Ok(csv(&format!("{name}.csv"), columns, rows))
}

/// What a file of runs is called: one that does not hold the slice whole says so.
fn named(page: &RunPage) -> String {
    match &page.next_page_token {
        Some(next) => format!("runs-first-{}-page_token-{next}-follows", page.runs.len()),
        None => "runs".to_owned(),
    }
}

/// The same slice whole, as a JSON file: at most 10,000 runs, and the token of what follows.
#[utoipa::path(get, path = "/api/v1/runs/export.json", params(ListRuns),
    responses((status = 200, body = RunPage), (status = 400)))]
pub async fn export_runs_json(
    State(services): State<Services>,
    By(actor): By,
    Query(list): Query<ListRuns>,
) -> Reply<Response> {
    let page = services.export_runs(&actor, &list.filter()).await?;
    json_file(&format!("{}.json", named(&page)), &page)
}

/// Which runs to put side by side.
#[derive(Debug, Deserialize, IntoParams)]
pub struct CompareRuns {
    /// Their ids, separated by commas; at most fifty.
    ids: String,
}

/// Which part of a comparison is told.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ComparedPart {
    /// The run that the others are compared with: differences of metrics from it are told then, and in the CSV file the intervals.
    baseline: Option<String>,
    /// Leaves out what all runs have alike.
    #[serde(default)]
    differing: bool,
}

/// Runs side by side, and how far they are from one of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComparedRuns {
    /// The runs and what they have.
    #[serde(flatten)]
    compared: RunComparison,
    /// The run that the others are compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<String>,
    /// What each run, in their order, has more of a metric than the baseline; null where one of them has no number.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    differences: BTreeMap<String, Vec<Option<f64>>>,
}

impl ComparedPart {
    /// What is asked for of a comparison, and the place of the baseline.
    fn of(self, mut compared: RunComparison) -> Reply<(RunComparison, Option<usize>)> {
        let baseline = self.baseline.filter(|baseline| !baseline.is_empty()).map(|baseline| {
            let position = compared.runs.iter().position(|run| run.id == baseline);
            position
                .ok_or_else(|| Fault::field("/baseline", format!("{baseline:?} is none of the runs that are compared")))
        });
        if self.differing {
            let parts = [&mut compared.parameters, &mut compared.metrics, &mut compared.tags, &mut compared.provenance];
            parts.into_iter().for_each(|rows| rows.retain(|row| !row.is_equal()));
        }
        Ok((compared, baseline.transpose()?))
    }
}

/// Runs side by side: parameters, final metrics and provenance.
#[utoipa::path(get, path = "/api/v1/runs/compare", params(CompareRuns, ComparedPart),
    responses((status = 200, body = ComparedRuns), (status = 400), (status = 404)))]
pub async fn compare_runs(
    State(services): State<Services>,
    By(actor): By,
    Query(asked): Query<CompareRuns>,
    Query(part): Query<ComparedPart>,
) -> Reply<Json<ComparedRuns>> {
    let (compared, baseline) = part.of(services.compare_runs(&actor, &[asked.ids]).await?)?;
    let differences = baseline.map_or_else(BTreeMap::new, |baseline| {
        let of = |row: &ComparedValues| (row.name.clone(), differences(row, baseline));
        compared.metrics.iter().map(of).collect()
    });
    let baseline = baseline.map(|baseline| compared.runs[baseline].id.clone());
    Ok(Json(ComparedRuns { compared, baseline, differences }))
}

/// The same as a CSV file: a row for each thing, a column for each run.
#[utoipa::path(get, path = "/api/v1/runs/compare.csv", params(CompareRuns, ComparedPart),
    responses((status = 200, body = String, content_type = "text/csv"), (status = 400), (status = 404)))]
pub async fn export_comparison(
    State(services): State<Services>,
    By(actor): By,
    Query(asked): Query<CompareRuns>,
    Query(part): Query<ComparedPart>,
) -> Reply<Response> {
    let (compared, baseline) = part.of(services.compare_runs(&actor, &[asked.ids]).await?)?;
    let parts = [
        ("parameter", compared.parameters),
        ("metric", compared.metrics),
        ("tag", compared.tags),
        ("provenance", compared.provenance),
    ];
    let rows = parts.into_iter().flat_map(|(kind, rows)| {
        rows.into_iter().map(move |row| {
            let beside = baseline.map_or_else(Vec::new, |baseline| beside(&row, baseline, kind == "metric"));
            [kind.to_owned(), row.name].into_iter().chain(row.values.iter().map(cell).collect::<Vec<_>>()).chain(beside)
        })
    });
    let ids = || compared.runs.iter().map(|run| run.id.as_str());
    let mut columns: Vec<String> = ["kind", "name"].into_iter().chain(ids()).map(str::to_owned).collect();
    if let Some(baseline) = baseline {
        let base = &compared.runs[baseline].id;
        columns.extend(ids().filter(|id| id != base).map(|id| format!("{id} minus {base}")));
        columns.extend(ids().flat_map(|id| [format!("{id} low"), format!("{id} high")]));
    }
    Ok(csv("comparison.csv", columns.iter().map(String::as_str), rows))
}

/// What each run has more of a metric than the baseline.
fn differences(row: &ComparedValues, baseline: usize) -> Vec<Option<f64>> {
    let base = row.values.get(baseline).and_then(Value::as_f64);
    row.values.iter().map(|value| value.as_f64().zip(base).map(|(value, base)| value - base)).collect()
}

/// What each other run has more of a metric than the baseline, and the ends of each run's interval; nothing where there is none.
fn beside(row: &ComparedValues, baseline: usize, is_metric: bool) -> Vec<String> {
    let written = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    let others = differences(row, baseline).into_iter().enumerate().filter(|(place, _)| *place != baseline);
    let differences = others.map(|(_, difference)| written(difference.filter(|_| is_metric)));
    let ends = (0..row.values.len()).flat_map(|place| {
        let (low, high) = row.intervals.get(place).copied().flatten().unzip();
        [written(low), written(high)]
    });
    differences.chain(ends).collect()
}

/// A value as a cell: a text as it is, nothing for none, anything else as JSON writes it.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn run_id(id: &str) -> Reply<RunId> {
    Ok(id.parse().map_err(|_| Fault::not_found("run"))?)
}

/// One run.
#[utoipa::path(get, path = "/api/v1/runs/{id}", responses((status = 200, body = RunReply), (status = 404)))]
pub async fn show_run(
    State(services): State<Services>,
    By(actor): By,
    Path(id): Path<String>,
) -> Reply<Json<RunReply>> {
    Ok(Json(RunReply::of(services.run(&actor, run_id(&id)?).await?)))
}

/// A run: the contract's shape beside everything else that is known.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunReply {
    /// Its id.
    id: String,
    /// Problem.
    problem: String,
    /// Version of its document.
    problem_version: i32,
    /// `queued`, `running`, `succeeded`, `rejected`, `failed` or `cancelled`.
    state: String,
    /// The dataset version that it is trained on.
    dataset: Option<DatasetOfRun>,
    /// The name that a program elsewhere logs it under, if one does.
    tracked: Option<String>,
    /// Tags.
    tags: BTreeMap<String, String>,
    /// What was asked for, filled in.
    request: Value,
    /// Trainer.
    trainer: String,
    /// Parameters that the model was fitted with.
    params: Option<Value>,
    /// Final values of metrics by name; words where one is no number.
    #[schema(value_type = BTreeMap<String, Object>)]
    metrics: BTreeMap<String, Value>,
    /// 95 % intervals of those that have one.
    intervals: BTreeMap<String, (f64, f64)>,
    /// The version that it registered.
    model: Option<ModelOfRun>,
    /// What it had to prove.
    gates: Vec<Gate>,
    /// What moved the challenger apart from the live version.
    effects: Option<Effects>,
    /// Its steps.
    steps: Vec<StepView>,
    /// When each was begun and ended.
    timeline: Vec<SpanView>,
    /// Trials of its search.
    trials: Vec<TrialView>,
    /// What the search drew.
    searched: Vec<SearchedView>,
    /// What so many more trials would be expected to gain.
    forecast: Vec<(u32, f64)>,
    /// Why it failed.
    failure: Option<FailureView>,
    /// The run that it computes again.
    reproduces: Option<String>,
    /// Digests beside those of that run.
    compared: Vec<Compared>,
    /// Runs that computed it again.
    reproductions: Vec<Reproduction>,
    /// Where it comes from.
    provenance: Value,
    /// Looks at the held-out part.
    held_out: Option<HeldOutView>,
    /// Who launched it.
    author: String,
    /// When.
    created_at: DateTime<Utc>,
    /// How long it took, in seconds.
    seconds: Option<f64>,
}

/// The dataset version of a run.
#[derive(Debug, Serialize, ToSchema)]
pub struct DatasetOfRun {
    /// The dataset.
    id: String,
    /// Its version.
    version: i32,
}

/// The model version of a run.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelOfRun {
    /// The model.
    slug: String,
    /// Its version.
    version: i32,
}

impl RunReply {
    fn of(run: RunView) -> Self {
        let RunSummary { id, problem, problem_version, state, tracked, trainer, model_version, .. } = run.summary;
        let finals = run.metrics.iter().filter(|metric| metric.step == 0);
        Self {
            metrics: finals.map(|metric| (metric.name.clone(), in_words(metric.value))).collect(),
            intervals: run.metrics.iter().filter_map(|metric| Some((metric.name.clone(), metric.interval?))).collect(),
            model: model_version.map(|version| ModelOfRun { slug: problem.clone(), version }),
            dataset: run.dataset.map(|own| DatasetOfRun { id: own.dataset, version: own.version }),
            tags: run.tags.into_iter().collect(),
            id,
            problem,
            problem_version,
            state,
            tracked,
            request: run.request,
            trainer,
            params: run.parameters,
            gates: run.gates,
            effects: run.effects,
            steps: run.steps,
            timeline: run.timeline,
            trials: run.trials,
            searched: run.searched,
            forecast: run.forecast,
            failure: run.failure,
            reproduces: run.summary.reproduces,
            compared: run.compared,
            reproductions: run.reproductions,
            provenance: run.provenance,
            held_out: run.held_out,
            author: run.summary.author,
            created_at: run.summary.created_at,
            seconds: run.summary.seconds,
        }
    }
}

/// One metric of a run, by step.
#[utoipa::path(get, path = "/api/v1/runs/{id}/metrics/{name}",
    params(CourseQuery), responses((status = 200, body = Items<MetricView>), (status = 404)))]
pub async fn show_run_metric(
    State(services): State<Services>,
    By(actor): By,
    Path((id, name)): Path<(String, String)>,
    Query(asked): Query<CourseQuery>,
) -> Reply<Json<Items<MetricView>>> {
    let id = run_id(&id)?;
    let run = services.run(&actor, id).await?;
    let skip = asked.page_token.unwrap_or(0);
    let items: Vec<MetricView> = match run.summary.tracked {
        None => run.metrics.into_iter().filter(|metric| metric.name == name).collect(),
        Some(_) => services.run_history(&actor, id, &name, skip, MOST_POINTS).await?.into_iter().map(metric).collect(),
    };
    if items.is_empty() && skip == 0 {
        return Err(Fault::not_found("metric of this run").into());
    }
    // A course of the pipeline is told whole.
    let is_cut = run.summary.tracked.is_some() && items.len() == MOST_POINTS as usize;
    let next_page_token = is_cut.then(|| skip.saturating_add(MOST_POINTS).to_string());
    Ok(Json(Items { items, next_page_token }))
}

/// Which part of a course.
#[derive(Debug, Deserialize, IntoParams)]
pub struct CourseQuery {
    /// The `next_page_token` of the part before.
    page_token: Option<u32>,
}

/// Points of a course that are told at once.
const MOST_POINTS: u32 = 25_000;

/// A point that a program logged, whatever it was measured on.
fn metric(point: Point) -> MetricView {
    let step = i32::try_from(point.step).unwrap_or(if point.step < 0 { i32::MIN } else { i32::MAX });
    MetricView { name: point.name, step, value: point.value, interval: None, n: 0 }
}

/// Most lines of a log that are told at once.
const MOST_LOG_LINES: u32 = 100_000;

/// Which lines of a log to tell.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ShowLog {
    /// Only those of this kind of step, for example `train`.
    step: Option<String>,
}

/// What the steps of a run told, a line each: when, which step, and what. The newest 100,000 lines.
#[utoipa::path(get, path = "/api/v1/runs/{id}/log", params(ShowLog),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 400), (status = 404)))]
pub async fn show_run_log(
    State(services): State<Services>,
    By(actor): By,
    Path(id): Path<String>,
    Query(show): Query<ShowLog>,
) -> Reply<impl IntoResponse> {
    let log = services.run_log(&actor, run_id(&id)?, show.step.as_deref(), MOST_LOG_LINES).await?;
    let text: String = log.lines.into_iter().map(|line| format!("{line}\n")).collect();
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text))
}

/// The trials of a run's search as a CSV file, in the order of their numbers: a column for each hyperparameter that one of them has.
#[utoipa::path(get, path = "/api/v1/runs/{id}/trials.csv",
    responses((status = 200, body = String, content_type = "text/csv"), (status = 404)))]
pub async fn export_trials(State(services): State<Services>, By(actor): By, Path(id): Path<String>) -> Reply<Response> {
    const NAMES: [&str; 9] =
        ["trial", "trainer", "state", "score", "share_of_rows", "iterations", "cpu_s", "taken_over", "message"];
    let mut trials = services.run(&actor, run_id(&id)?).await?.trials;
    trials.sort_by_key(|trial| trial.number);
    let names = |trial: &TrialView| {
        trial.parameters.as_object().into_iter().flat_map(|all| all.keys().cloned()).collect::<Vec<_>>()
    };
    let parameters: BTreeSet<String> = trials.iter().flat_map(names).collect();
    let written = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    let rows = trials.iter().map(|trial| {
        let own = [
            trial.number.to_string(),
            trial.trainer.clone(),
            trial.state.clone(),
            written(trial.score),
            trial.share.to_string(),
            trial.iterations.map(|count| count.to_string()).unwrap_or_default(),
            written(trial.cpu_s),
            trial.reused.to_string(),
            trial.message.clone().unwrap_or_default(),
        ];
        own.into_iter().chain(parameters.iter().map(|name| cell(&trial.parameters[name]))).collect::<Vec<_>>()
    });
    Ok(csv(&format!("run-{id}-trials.csv"), NAMES.into_iter().chain(parameters.iter().map(String::as_str)), rows))
}

/// What a run kept.
#[utoipa::path(get, path = "/api/v1/runs/{id}/artifacts", responses((status = 200, body = Items<ArtifactView>), (status = 404)))]
pub async fn list_run_artifacts(
    State(services): State<Services>,
    By(actor): By,
    Path(id): Path<String>,
) -> Reply<Json<Items<ArtifactView>>> {
    Ok(Json(Items::all(services.run(&actor, run_id(&id)?).await?.artifacts)))
}

/// One of the things that a run kept.
#[utoipa::path(get, path = "/api/v1/runs/{id}/artifacts/{name}", responses((status = 200), (status = 404)))]
pub async fn download_run_artifact(
    State(services): State<Services>,
    By(actor): By,
    Path((id, name)): Path<(String, String)>,
) -> Reply<impl IntoResponse> {
    let (artifact, content) = services.run_artifact(&actor, run_id(&id)?, &name).await?;
    // Names are the program's own: letters, digits, and `._-`.
    let plain: String = artifact.name.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).collect();
    let headers = [
        (header::CONTENT_TYPE, artifact.media_type),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"run-{id}-{plain}\"")),
        (header::ETAG, format!("\"{}\"", artifact.digest)),
    ];
    Ok((headers, content))
}

/// Asks a run to stop.
#[utoipa::path(post, path = "/api/v1/runs/{id}/cancel", responses((status = 202), (status = 409)))]
pub async fn cancel_run(State(services): State<Services>, By(actor): By, Path(id): Path<String>) -> Reply<StatusCode> {
    services.cancel_run(&actor, run_id(&id)?).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Computes a run once more from its recorded inputs and compares digests.
#[utoipa::path(post, path = "/api/v1/runs/{id}/reproduce",
    responses((status = 202, body = RunStarted), (status = 404), (status = 409)))]
pub async fn reproduce_run(
    State(services): State<Services>,
    By(actor): By,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Reply<Response> {
    let first = run_id(&id)?;
    let act = async { services.reproduce_run(&actor, first).await.map(|run| RunStarted { run: run.to_string() }) };
    once(&services, &actor, &headers, &json!({ "reproduces": id }), StatusCode::ACCEPTED, act).await
}

/// Registers the model of a run that its gates stopped. The request names every gate that did not pass; the verdicts stay what they
/// are, for the version's life.
#[utoipa::path(post, path = "/api/v1/runs/{id}/override", request_body = OverrideRequest,
    responses((status = 201, body = Overridden), (status = 403), (status = 409)))]
pub async fn override_gates(
    State(services): State<Services>,
    By(actor): By,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(request): Body<OverrideRequest>,
) -> Reply<Response> {
    let kept = json!({ "overrides": id, "request": request });
    let act = services.override_gates(&actor, run_id(&id)?, &request);
    once(&services, &actor, &headers, &kept, StatusCode::CREATED, act).await
}
