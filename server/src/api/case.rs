//! Regression cases.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use millrace_domain::case::{Case, CasesRequest, Expected};
use millrace_services::Services;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::api::idempotent::once;
use crate::api::prediction::known;
use crate::api::reply::{Body, By, Items, Path, Reply};

/// The regression cases that versions of a problem's model are held against, the newest first.
#[utoipa::path(get, path = "/api/v1/problems/{slug}/cases", responses((status = 200, body = Items<Case>), (status = 404)))]
pub async fn list_cases(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
) -> Reply<Json<Items<Case>>> {
    Ok(Json(Items::all(services.cases(&actor, &slug).await?.cases)))
}

/// Keeps regression cases, all or none.
#[utoipa::path(post, path = "/api/v1/problems/{slug}/cases", request_body = CasesRequest,
    responses((status = 201), (status = 400), (status = 409)))]
pub async fn keep_cases(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Body(request): Body<CasesRequest>,
) -> Reply<Response> {
    let kept = json!({ "slug": slug, "request": request });
    let act = async { Ok(json!({ "cases": services.keep_cases(&actor, &slug, &request).await? })) };
    once(&services, &actor, &headers, &kept, StatusCode::CREATED, act).await
}

/// Why a case is retired.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RetireRequest {
    /// Why.
    reason: String,
}

/// Holds a case against no version any more.
#[utoipa::path(delete, path = "/api/v1/problems/{slug}/cases/{case}", request_body = RetireRequest,
    responses((status = 204), (status = 403), (status = 404)))]
pub async fn retire_case(
    State(services): State<Services>,
    By(actor): By,
    Path((slug, case)): Path<(String, String)>,
    Body(request): Body<RetireRequest>,
) -> Reply<StatusCode> {
    services.retire_case(&actor, &slug, &case, &request.reason).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What must be answered to what a prediction was asked.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PredictionCase {
    /// What it is about, in one line.
    name: String,
    /// What must be answered.
    expect: Expected,
}

/// Keeps a regression case of what a prediction was asked.
#[utoipa::path(post, path = "/api/v1/predictions/{id}/case", request_body = PredictionCase,
    responses((status = 201), (status = 400), (status = 404)))]
pub async fn keep_prediction(
    State(services): State<Services>,
    By(actor): By,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(request): Body<PredictionCase>,
) -> Reply<Response> {
    let kept = json!({ "prediction": id, "request": request });
    let id = known(&id)?;
    let act =
        async { Ok(json!({ "case": services.keep_prediction(&actor, id, &request.name, &request.expect).await? })) };
    once(&services, &actor, &headers, &kept, StatusCode::CREATED, act).await
}
