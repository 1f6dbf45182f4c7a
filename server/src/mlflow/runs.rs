//! Runs: begun, told, changed and searched.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use millrace_domain::fault::Fault;
use millrace_domain::ids::RunId;
use millrace_domain::tracking::Entry;
use millrace_domain::view::RunFilter;
use millrace_services::{Begun, Changed, Services};
use millrace_storage::run::Newest;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::fault::{Asked, InQuery, Reply};
use super::filter::own_words;
use super::wire::{self, Course, Info, Told, Whole, moment, run_id};
use crate::api::reply::By;

/// Runs of one page, and points of one page of a history, at most.
const MOST_RUNS: u32 = 1_000;
const MOST_POINTS: u32 = 25_000;

#[derive(Deserialize)]
pub struct New {
    #[serde(default)]
    experiment_id: String,
    run_name: Option<String>,
    start_time: Option<Whole>,
    #[serde(default)]
    tags: Vec<Entry>,
}

/// One run.
#[derive(Serialize)]
pub struct OneRun {
    run: Told,
}

pub async fn create(State(services): State<Services>, By(actor): By, Asked(new): Asked<New>) -> Reply<OneRun> {
    if matches!(new.experiment_id.as_str(), "" | "0") {
        let hint = "an experiment is a problem here: choose one by `mlflow.set_experiment(\"SLUG\")`";
        return Err(Fault::field("/experiment_id", hint).into());
    }
    let of_tags = new.tags.iter().find(|tag| tag.key == "mlflow.runName").map(|tag| tag.value.clone());
    let begun = Begun {
        problem: new.experiment_id,
        name: new.run_name.filter(|name| !name.is_empty()).or(of_tags).unwrap_or_default(),
        tags: new.tags,
        started_at: new.start_time.map(|at| moment(at, "start_time")).transpose()?,
    };
    let id = services.begin_tracked(&actor, &begun).await?;
    let run = services.stored_run(&actor, id).await?;
    Ok(Json(OneRun { run: Told { run, newest: None } }))
}

#[derive(Deserialize)]
pub struct One {
    run_id: Option<String>,
    run_uuid: Option<String>,
}

pub async fn show(State(services): State<Services>, By(actor): By, InQuery(asked): InQuery<One>) -> Reply<OneRun> {
    let run = services.stored_run(&actor, run_id(asked.run_id, asked.run_uuid)?).await?;
    let newest = services.newest_points(&[run.id]).await?.pop();
    Ok(Json(OneRun { run: Told { run, newest } }))
}

#[derive(Deserialize)]
pub struct Change {
    run_id: Option<String>,
    run_uuid: Option<String>,
    status: Option<String>,
    end_time: Option<Whole>,
    run_name: Option<String>,
}

pub async fn update(State(services): State<Services>, By(actor): By, Asked(asked): Asked<Change>) -> Reply<Value> {
    let id = run_id(asked.run_id, asked.run_uuid)?;
    let changed = Changed {
        state: asked.status.as_deref().map(wire::state).transpose()?,
        ended_at: asked.end_time.map(|at| moment(at, "end_time")).transpose()?,
        name: asked.run_name.filter(|name| !name.is_empty()),
    };
    services.change_tracked(&actor, id, &changed).await?;
    let run = services.stored_run(&actor, id).await?;
    Ok(Json(json!({ "run_info": Info::of(&run) })))
}

#[derive(Deserialize)]
pub struct Search {
    #[serde(default)]
    experiment_ids: Vec<String>,
    filter: Option<String>,
    run_view_type: Option<String>,
    max_results: Option<u32>,
    #[serde(default)]
    order_by: Vec<String>,
    page_token: Option<String>,
}

/// A page of runs.
#[derive(Serialize)]
pub struct Page {
    runs: Vec<Told>,
    next_page_token: Option<String>,
}

pub async fn search(State(services): State<Services>, By(actor): By, Asked(asked): Asked<Search>) -> Reply<Page> {
    // Nothing is ever deleted.
    if asked.run_view_type.as_deref() == Some("DELETED_ONLY") {
        return Ok(Json(Page { runs: Vec::new(), next_page_token: None }));
    }
    // Clients ask for tens of thousands, and go on from page to page by themselves.
    let most = asked.max_results.unwrap_or(MOST_RUNS).clamp(1, MOST_RUNS);
    let orders: Vec<String> = asked.order_by.iter().map(|order| own_words(order)).collect();
    let filter = RunFilter {
        problem: None,
        state: None,
        filter: asked.filter.as_deref().map(own_words),
        order_by: Some(orders.join(",")),
        columns: Vec::new(),
        page_token: asked.page_token,
        baseline: None,
    };
    let (runs, next_page_token) = services.search_runs(&actor, &asked.experiment_ids, &filter, most).await?;
    let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
    let newest = services.newest_points(&ids).await?;
    let mut newest: HashMap<RunId, Newest> = newest.into_iter().map(|newest| (newest.run, newest)).collect();
    let runs = runs.into_iter().map(|run| Told { newest: newest.remove(&run.id), run }).collect();
    Ok(Json(Page { runs, next_page_token }))
}

/// Newer clients ask for models that a run logged before they look for its files. None are kept as such.
pub async fn no_models() -> Json<Value> {
    Json(json!({ "models": [] }))
}

#[derive(Deserialize)]
pub struct OfMetric {
    run_id: Option<String>,
    run_uuid: Option<String>,
    metric_key: String,
    max_results: Option<u32>,
    page_token: Option<String>,
}

/// A part of a metric's course.
#[derive(Serialize)]
pub struct History {
    metrics: Course,
    next_page_token: Option<String>,
}

pub async fn history(
    State(services): State<Services>,
    By(actor): By,
    InQuery(asked): InQuery<OfMetric>,
) -> Reply<History> {
    let skip: u32 = match asked.page_token.as_deref().filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => token.parse().map_err(|_| Fault::field("/page_token", "is none that a history gave"))?,
    };
    let most = asked.max_results.unwrap_or(MOST_POINTS).clamp(1, MOST_POINTS);
    let id = run_id(asked.run_id, asked.run_uuid)?;
    let points = services.run_history(&actor, id, &asked.metric_key, skip, most).await?;
    let next_page_token = (points.len() == most as usize).then(|| skip.saturating_add(most).to_string());
    Ok(Json(History { metrics: Course(points), next_page_token }))
}
