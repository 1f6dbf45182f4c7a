//! What is live.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use millrace_domain::view::{ChangeView, DeploymentView, DrillView, RolledBack, RolloutStarted, Switched};
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

/// One change of what is live, with every check that it was decided on.
#[utoipa::path(get, path = "/api/v1/deployments/{slug}/changes/{generation}",
    responses((status = 200, body = ChangeView), (status = 404)))]
pub async fn show_change(
    State(services): State<Services>,
    By(actor): By,
    Path((slug, generation)): Path<(String, i64)>,
) -> Reply<Json<ChangeView>> {
    Ok(Json(services.deployment_change(&actor, &slug, generation).await?))
}

/// Which version sets out.
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

/// Sends an approved version on its way: past shadow and canary, or straight to all callers where nothing is live.
#[utoipa::path(post, path = "/api/v1/deployments/{slug}/rollouts", request_body = RolloutRequest,
    responses((status = 202, body = RolloutStarted), (status = 404), (status = 409)))]
pub async fn start_rollout(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Body(request): Body<RolloutRequest>,
) -> Reply<Response> {
    let kept = json!({ "slug": slug, "request": request });
    let act = services.start_rollout(&actor, &slug, request.version, &request.reason);
    once(&services, &actor, &headers, &kept, StatusCode::ACCEPTED, act).await
}

/// Which step may be taken.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdvanceRequest {
    /// Generation that was looked at.
    generation: i64,
    /// Why.
    #[serde(default = "requested")]
    reason: String,
}

/// Lets a rollout go on to its next step, if everything that was to be shown is shown.
#[utoipa::path(post, path = "/api/v1/deployments/{slug}/advance", request_body = AdvanceRequest,
    responses((status = 200), (status = 409)))]
pub async fn advance_rollout(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    Body(request): Body<AdvanceRequest>,
) -> Reply<Json<serde_json::Value>> {
    let generation = services.advance_rollout(&actor, &slug, &request.reason, request.generation).await?;
    Ok(Json(json!({ "generation": generation })))
}

/// Why a rollout waits, or goes on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    /// Why.
    #[serde(default = "requested")]
    reason: String,
}

/// Lets a rollout wait where it is. It is taken back all the same when a check fails.
#[utoipa::path(post, path = "/api/v1/deployments/{slug}/pause", request_body = PauseRequest,
    responses((status = 204), (status = 409)))]
pub async fn pause_rollout(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    Body(request): Body<PauseRequest>,
) -> Reply<StatusCode> {
    services.pause_rollout(&actor, &slug, true, &request.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a rollout that waits go on by itself.
#[utoipa::path(post, path = "/api/v1/deployments/{slug}/resume", request_body = PauseRequest,
    responses((status = 204), (status = 409)))]
pub async fn resume_rollout(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    Body(request): Body<PauseRequest>,
) -> Reply<StatusCode> {
    services.pause_rollout(&actor, &slug, false, &request.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Why the candidate or the live version is taken back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequest {
    /// Why.
    reason: String,
    /// Generation that was looked at; a rollback sent twice with it happens once. Without it, one that the same person sent for the same
    /// reason half a minute before is that one.
    generation: Option<i64>,
}

/// Takes the candidate back that is on its way, else the live version.
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

/// Whether the model answers.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchRequest {
    /// Whether callers get what the document names in place of the model's answers.
    on: bool,
    /// Why.
    reason: String,
}

/// Lets every caller get the fallback that the signed document names, or the model's answers again.
#[utoipa::path(post, path = "/api/v1/deployments/{slug}/fallback", request_body = SwitchRequest,
    responses((status = 200, body = Switched), (status = 409)))]
pub async fn switch_model(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    Body(request): Body<SwitchRequest>,
) -> Reply<Json<Switched>> {
    Ok(Json(services.switch_model(&actor, &slug, request.on, &request.reason).await?))
}

/// Makes a change that changes nothing for callers, and measures how long it takes until every server has it in place.
#[utoipa::path(post, path = "/api/v1/deployments/{slug}/drill", responses((status = 200, body = DrillView), (status = 409)))]
pub async fn drill(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
) -> Reply<Json<DrillView>> {
    Ok(Json(services.drill(&actor, &slug).await?))
}
