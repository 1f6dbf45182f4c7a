//! Models.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use millrace_domain::view::{DecisionRequest, ModelSummary, ModelVersionView};
use millrace_services::Services;
use serde_json::{Value, json};

use crate::api::reply::{Body, By, Items, Path, Reply};

/// The versions of a model, newest first.
#[utoipa::path(get, path = "/api/v1/models/{slug}", responses((status = 200, body = Items<ModelSummary>), (status = 404)))]
pub async fn show_model(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
) -> Reply<Json<Items<ModelSummary>>> {
    Ok(Json(Items::all(services.model(&actor, &slug).await?)))
}

/// One version with its gates and lineage.
#[utoipa::path(get, path = "/api/v1/models/{slug}/versions/{number}",
    responses((status = 200, body = ModelVersionView), (status = 404)))]
pub async fn show_model_version(
    State(services): State<Services>,
    By(actor): By,
    Path((slug, number)): Path<(String, i32)>,
) -> Reply<Json<ModelVersionView>> {
    Ok(Json(services.model_version(&actor, &slug, number).await?))
}

/// Decides on a registered version.
#[utoipa::path(post, path = "/api/v1/models/{slug}/versions/{number}/decisions", request_body = DecisionRequest,
    responses((status = 201), (status = 403), (status = 409)))]
pub async fn decide_model_version(
    State(services): State<Services>,
    By(actor): By,
    Path((slug, number)): Path<(String, i32)>,
    Body(request): Body<DecisionRequest>,
) -> Reply<(StatusCode, Json<Value>)> {
    let stage = services.decide_model(&actor, &slug, number, &request).await?;
    Ok((StatusCode::CREATED, Json(json!({ "slug": slug, "version": number, "stage": stage }))))
}
