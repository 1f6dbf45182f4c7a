//! Rehearsals: what a policy would have done over data of the past.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use millrace_domain::fault::Fault;
use millrace_domain::ids::RehearsalId;
use millrace_domain::view::{RehearsalLine, RehearsalRequest, RehearsalView};
use millrace_services::Services;
use serde_json::json;

use crate::api::idempotent::once;
use crate::api::reply::{Body, By, Items, Path, Reply};

fn known(id: &str) -> Result<RehearsalId, Fault> {
    id.parse().map_err(|_| Fault::not_found("rehearsal"))
}

/// The rehearsals of a problem, newest first, with what each course came to.
#[utoipa::path(get, path = "/api/v1/problems/{slug}/rehearsals",
    responses((status = 200, body = Items<RehearsalLine>), (status = 404)))]
pub async fn list_rehearsals(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
) -> Reply<Json<Items<RehearsalLine>>> {
    Ok(Json(Items::all(services.rehearsals(&actor, &slug).await?.rehearsals)))
}

/// Goes through data of the past by the policy of a document, signed or not, or by another one that is tried.
#[utoipa::path(post, path = "/api/v1/problems/{slug}/rehearsals", request_body = RehearsalRequest,
    responses((status = 202), (status = 400), (status = 404), (status = 409)))]
pub async fn ask_for_rehearsal(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Body(request): Body<RehearsalRequest>,
) -> Reply<Response> {
    let kept = json!({ "slug": slug, "request": request });
    let act = async { services.rehearse(&actor, &slug, &request).await.map(|id| json!({ "rehearsal": id })) };
    once(&services, &actor, &headers, &kept, StatusCode::ACCEPTED, act).await
}

/// One rehearsal, with every window of every course once it has ended.
#[utoipa::path(get, path = "/api/v1/rehearsals/{id}", responses((status = 200, body = RehearsalView), (status = 404)))]
pub async fn show_rehearsal(
    State(services): State<Services>,
    By(actor): By,
    Path(id): Path<String>,
) -> Reply<Json<RehearsalView>> {
    Ok(Json(services.rehearsal(&actor, known(&id)?).await?))
}

/// Asks a rehearsal to stop.
#[utoipa::path(post, path = "/api/v1/rehearsals/{id}/cancel", responses((status = 202), (status = 404), (status = 409)))]
pub async fn cancel_rehearsal(
    State(services): State<Services>,
    By(actor): By,
    Path(id): Path<String>,
) -> Reply<StatusCode> {
    services.cancel_rehearsal(&actor, known(&id)?).await?;
    Ok(StatusCode::ACCEPTED)
}
