//! The door that MLflow's clients knock at: `/api/2.0/mlflow/`, with `MLFLOW_TRACKING_URI` the address of this server and
//! `MLFLOW_TRACKING_TOKEN` a token of the scopes `launch` and `read`.
//!
//! An experiment is a problem, by its slug. What a client logs is a tracked run: it stands beside the pipeline's runs, which this door tells
//! as well, and nothing can come of it. A registered model is a problem with versions ([`registry`]). Doors add no rules; the use cases are `services`' own.

mod artifacts;
mod experiments;
mod fault;
mod filter;
mod logging;
mod registry;
mod runs;
mod wire;

use axum::Router;
use axum::routing::{delete, get, post};

use crate::web::AppState;

pub use fault::refused;

pub fn router() -> Router<AppState> {
    let door = Router::new()
        .route("/experiments/create", post(experiments::create))
        .route("/experiments/get", get(experiments::show))
        .route("/experiments/get-by-name", get(experiments::show_by_name))
        .route("/experiments/search", post(experiments::search).get(experiments::list))
        .route("/runs/create", post(runs::create))
        .route("/runs/get", get(runs::show))
        .route("/runs/update", post(runs::update))
        .route("/runs/search", post(runs::search))
        .route("/runs/log-metric", post(logging::log_metric))
        .route("/runs/log-parameter", post(logging::log_parameter))
        .route("/runs/set-tag", post(logging::set_tag))
        .route("/runs/delete-tag", post(logging::delete_tag))
        .route("/runs/log-batch", post(logging::log_batch))
        .route("/runs/log-inputs", post(logging::log_inputs))
        .route("/logged-models/search", post(runs::no_models))
        .route("/metrics/get-history", get(runs::history));
    let registry = Router::new()
        .route("/registered-models/create", post(registry::create))
        .route("/registered-models/get", get(registry::show))
        .route("/registered-models/search", get(registry::search))
        .route("/registered-models/get-latest-versions", post(registry::latest))
        .route(
            "/registered-models/alias",
            get(registry::by_alias).post(registry::set_alias).delete(registry::take_alias),
        )
        .route("/registered-models/delete", delete(registry::delete))
        .route("/model-versions/create", post(registry::create_version))
        .route("/model-versions/get", get(registry::version))
        .route("/model-versions/get-download-uri", get(registry::download))
        .route("/model-versions/search", get(registry::search_versions))
        .route("/model-versions/transition-stage", post(registry::transition))
        .route("/model-versions/delete", delete(registry::delete));
    let files = Router::new()
        .route("/artifacts", get(artifacts::list))
        .route("/artifacts/{*path}", get(artifacts::give).put(artifacts::keep));
    Router::new().nest("/api/2.0/mlflow", door.merge(registry)).nest("/api/2.0/mlflow-artifacts", files)
}
