//! The door that MLflow's clients knock at: `/api/2.0/mlflow/`, with `MLFLOW_TRACKING_URI` the address of this server and
//! `MLFLOW_TRACKING_TOKEN` a token of the scopes `launch` and `read`.
//!
//! An experiment is a problem, by its slug. What a client logs is a tracked run: it stands beside the pipeline's runs, which this door tells
//! as well, and nothing can come of it. Doors add no rules; the use cases are `services`' own.

mod artifacts;
mod experiments;
mod fault;
mod filter;
mod logging;
mod runs;
mod wire;

use axum::Router;
use axum::routing::{get, post};

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
    let files = Router::new()
        .route("/artifacts", get(artifacts::list))
        .route("/artifacts/{*path}", get(artifacts::give).put(artifacts::keep));
    Router::new().nest("/api/2.0/mlflow", door).nest("/api/2.0/mlflow-artifacts", files)
}
