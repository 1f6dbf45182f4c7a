//! Health for orchestrators and metrics for collectors.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;
use std::sync::OnceLock;
use utoipa::OpenApi;

use crate::web::AppState;

/// The process's metrics recorder.
static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Begins recording metrics.
pub fn record_metrics() {
    match metrics_exporter_prometheus::PrometheusBuilder::new().install_recorder() {
        Ok(handle) => drop(RECORDER.set(handle)),
        Err(error) => tracing::warn!(%error, "metrics are not recorded"),
    }
}

#[derive(OpenApi)]
#[openapi(paths(healthz, readyz, deadman, show_metrics))]
struct Document;

/// What these addresses answer.
pub(super) fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(show_metrics))
        .route("/deadman", get(deadman))
}

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", security(()), responses((status = 200, body = String, content_type = "text/plain")))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Ready: the database answers, and everything that should be live is loaded.
#[utoipa::path(get, path = "/readyz", security(()), responses((status = 200, body = Object), (status = 503, body = Object)))]
async fn readyz(State(state): State<AppState>) -> Response {
    let database = state.services.db().ping().await.is_ok();
    let models = state.serving.is_loaded();
    let status = if database && models { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "database": database, "models": models, "prediction_log_dropped": state.serving.dropped() });
    (status, Json(body)).into_response()
}

/// Whether all that must never stand still is at work: for somebody outside, who also notices when nothing answers at all. No process can
/// tell of its own death.
#[utoipa::path(get, path = "/deadman", responses((status = 200, body = Object), (status = 503, body = Object)))]
async fn deadman(State(state): State<AppState>) -> Response {
    match state.services.hearts().await {
        Ok(hearts) => {
            let is_alive = hearts.iter().all(|heart| !heart.stands_still);
            let status = if is_alive { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            (status, Json(json!({ "hearts": hearts }))).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "detail": error.detail }))).into_response(),
    }
}

/// Metrics in Prometheus' text format; for a token that may read them, or somebody on the same host.
#[utoipa::path(get, path = "/metrics", responses((status = 200, body = String, content_type = "text/plain"), (status = 401)))]
async fn show_metrics() -> Response {
    let text = RECORDER.get().map(PrometheusHandle::render).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
