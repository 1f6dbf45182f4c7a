//! What clients add to a run.

use axum::Json;
use axum::extract::State;
use millrace_domain::policy::Actor;
use millrace_domain::tracking::{Entry, Logged, Point};
use millrace_services::{Changed, Services};
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::{Asked, Reply};
use super::wire::{RUN_NAME, SentMetric, run_id};
use crate::api::reply::By;

/// A run and what is told of it.
#[derive(Deserialize)]
pub struct OfRun<T> {
    run_id: Option<String>,
    /// What older clients call it.
    run_uuid: Option<String>,
    #[serde(flatten)]
    told: T,
}

pub async fn log_metric(
    State(services): State<Services>,
    By(actor): By,
    Asked(asked): Asked<OfRun<SentMetric>>,
) -> Reply<Value> {
    let point = asked.told.point(services.surroundings().clock.now())?;
    let logged = Logged { points: vec![point], ..Logged::default() };
    log(&services, &actor, asked.run_id, asked.run_uuid, logged).await
}

pub async fn log_parameter(
    State(services): State<Services>,
    By(actor): By,
    Asked(asked): Asked<OfRun<Entry>>,
) -> Reply<Value> {
    let logged = Logged { parameters: vec![asked.told], ..Logged::default() };
    log(&services, &actor, asked.run_id, asked.run_uuid, logged).await
}

pub async fn set_tag(
    State(services): State<Services>,
    By(actor): By,
    Asked(asked): Asked<OfRun<Entry>>,
) -> Reply<Value> {
    if asked.told.key == RUN_NAME {
        let changed = Changed { name: Some(asked.told.value), ..Changed::default() };
        services.change_tracked(&actor, run_id(asked.run_id, asked.run_uuid)?, &changed).await?;
        return Ok(Json(json!({})));
    }
    let logged = Logged { tags: vec![asked.told], ..Logged::default() };
    log(&services, &actor, asked.run_id, asked.run_uuid, logged).await
}

#[derive(Deserialize)]
pub struct Key {
    key: String,
}

pub async fn delete_tag(
    State(services): State<Services>,
    By(actor): By,
    Asked(asked): Asked<OfRun<Key>>,
) -> Reply<Value> {
    services.delete_run_tag(&actor, run_id(asked.run_id, asked.run_uuid)?, &asked.told.key).await?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
pub struct Batch {
    #[serde(default)]
    metrics: Vec<SentMetric>,
    #[serde(default)]
    params: Vec<Entry>,
    #[serde(default)]
    tags: Vec<Entry>,
}

pub async fn log_batch(
    State(services): State<Services>,
    By(actor): By,
    Asked(asked): Asked<OfRun<Batch>>,
) -> Reply<Value> {
    let Batch { metrics, params, tags } = asked.told;
    let now = services.surroundings().clock.now();
    let points: Vec<Point> = metrics.into_iter().map(|metric| metric.point(now)).collect::<Result<_, _>>()?;
    log(&services, &actor, asked.run_id, asked.run_uuid, Logged { points, parameters: params, tags }).await
}

#[derive(Deserialize)]
pub struct Inputs {
    #[serde(default)]
    datasets: Vec<Input>,
}

#[derive(Deserialize)]
pub struct Input {
    dataset: Dataset,
}

#[derive(Deserialize)]
pub struct Dataset {
    name: String,
    digest: String,
}

/// The datasets that a program says it reads, which nobody checked here: tags with their digests.
pub async fn log_inputs(
    State(services): State<Services>,
    By(actor): By,
    Asked(asked): Asked<OfRun<Inputs>>,
) -> Reply<Value> {
    let tag = |Input { dataset }: Input| {
        let name: String = dataset.name.chars().filter(|c| c.is_alphanumeric() || "_-. ".contains(*c)).collect();
        Entry { key: format!("input.{name}"), value: dataset.digest }
    };
    let tags = asked.told.datasets.into_iter().map(tag).collect();
    log(&services, &actor, asked.run_id, asked.run_uuid, Logged { tags, ..Logged::default() }).await
}

async fn log(
    services: &Services,
    actor: &Actor,
    id: Option<String>,
    older: Option<String>,
    logged: Logged,
) -> Reply<Value> {
    services.log_to_run(actor, run_id(id, older)?, logged).await?;
    Ok(Json(json!({})))
}
