//! What is live.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use millrace_domain::view::{DeploymentView, RolledBack};
use millrace_services::Services;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::api::idempotent::once;
use crate::api::reply::{Body, By, Path, Reply};

/// What is live for a problem.
#[utoipa::path(get, path = "/api/v1/deployments/{slug}", responses((status = 200, body = DeploymentView), (status = 404)))]
pub async fn show_deployment(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
) -> Reply<Json<DeploymentView>> {
    Ok(Json(services.deployment(&actor, &slug).await?))
}

/// Which version goes live.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RolloutRequest {
    /// The version.
    version: i32,
    /// Why.
    #[serde(default = "requested")]
    reason: String,
}

fn requested() -> String {
    "requested by API".to_owned()
}

/// Puts an approved version live.
#[utoipa::path(post, path = "/api/v1/deployments/{slug}/rollouts", request_body = RolloutRequest,
    responses((status = 202), (status = 409)))]
pub async fn start_rollout(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Body(request): Body<RolloutRequest>,
) -> Reply<Response> {
    let kept = json!({ "slug": slug, "request": request });
    let act = async {
        let generation = services.deploy(&actor, &slug, request.version, &request.reason).await?;
        Ok(json!({ "generation": generation, "champion": request.version, "stage": "full" }))
    };
    once(&services, &actor, &headers, &kept, StatusCode::ACCEPTED, act).await
}

/// Why the live version is taken back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequest {
    /// Why.
    reason: String,
    /// Generation that was looked at; a rollback sent twice with it happens once.
    generation: Option<i64>,
}

/// Takes the live version back.
#[utoipa::path(post, path = "/api/v1/deployments/{slug}/rollback", request_body = RollbackRequest,
    responses((status = 200, body = RolledBack), (status = 409)))]
pub async fn roll_back(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    Body(request): Body<RollbackRequest>,
) -> Reply<Json<RolledBack>> {
    Ok(Json(services.roll_back(&actor, &slug, &request.reason, request.generation).await?))
}
