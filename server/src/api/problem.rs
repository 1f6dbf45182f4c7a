//! Problems.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use millrace_domain::view::{DecisionRequest, ProblemSummary, ProblemVersionView, SavedVersion};
use millrace_services::Services;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::api::idempotent::once;
use crate::api::reply::{Body, By, Items, Path, Reply};

/// All problems.
#[utoipa::path(get, path = "/api/v1/problems", responses((status = 200, body = Items<ProblemSummary>)))]
pub async fn list_problems(State(services): State<Services>, By(actor): By) -> Reply<Json<Items<ProblemSummary>>> {
    Ok(Json(Items::all(services.list_problems(&actor).await?)))
}

/// Writes a new problem: a draft.
#[utoipa::path(post, path = "/api/v1/problems", request_body = Value,
    responses((status = 201, body = SavedVersion), (status = 400), (status = 409)))]
pub async fn create_problem(
    State(services): State<Services>,
    By(actor): By,
    headers: HeaderMap,
    Body(document): Body<Value>,
) -> Reply<Response> {
    let text = document.to_string();
    let act = services.create_problem(&actor, &text);
    once(&services, &actor, &headers, &document, StatusCode::CREATED, act).await
}

/// The newest version of a problem.
#[utoipa::path(get, path = "/api/v1/problems/{slug}", responses((status = 200, body = ProblemVersionView), (status = 404)))]
pub async fn show_problem(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
) -> Reply<Json<ProblemVersionView>> {
    Ok(Json(services.problem_version(&actor, &slug, None).await?))
}

/// One version of a problem.
#[utoipa::path(get, path = "/api/v1/problems/{slug}/versions/{number}",
    responses((status = 200, body = ProblemVersionView), (status = 404)))]
pub async fn show_problem_version(
    State(services): State<Services>,
    By(actor): By,
    Path((slug, number)): Path<(String, i32)>,
) -> Reply<Json<ProblemVersionView>> {
    Ok(Json(services.problem_version(&actor, &slug, Some(number)).await?))
}

/// Writes a new version: a draft that supersedes an open one.
#[utoipa::path(post, path = "/api/v1/problems/{slug}/versions", request_body = Value,
    responses((status = 201, body = SavedVersion), (status = 400), (status = 404)))]
pub async fn create_problem_version(
    State(services): State<Services>,
    By(actor): By,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Body(document): Body<Value>,
) -> Reply<Response> {
    let text = document.to_string();
    let request = json!({ "slug": slug, "document": document });
    let act = services.revise_problem(&actor, &slug, &text);
    once(&services, &actor, &headers, &request, StatusCode::CREATED, act).await
}

/// Asks for review.
#[utoipa::path(post, path = "/api/v1/problems/{slug}/versions/{number}/submit", responses((status = 200, body = Reviewed), (status = 409)))]
pub async fn submit_problem_version(
    State(services): State<Services>,
    By(actor): By,
    Path((slug, number)): Path<(String, i32)>,
) -> Reply<Json<Reviewed>> {
    services.submit_problem(&actor, &slug, number).await?;
    Ok(Json(Reviewed { slug, version: number, state: "in_review".to_owned() }))
}

/// Where a version of a problem stands now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reviewed {
    /// The problem.
    slug: String,
    /// Its version.
    version: i32,
    /// `draft`, `in_review`, `approved` or `superseded`.
    state: String,
}

/// Decides on a version in review.
#[utoipa::path(post, path = "/api/v1/problems/{slug}/versions/{number}/decisions", request_body = DecisionRequest,
    responses((status = 201, body = Reviewed), (status = 403), (status = 409)))]
pub async fn decide_problem_version(
    State(services): State<Services>,
    By(actor): By,
    Path((slug, number)): Path<(String, i32)>,
    headers: HeaderMap,
    Body(request): Body<DecisionRequest>,
) -> Reply<Response> {
    let kept = json!({ "problem": slug, "version": number, "request": request });
    let act = async {
        let state = services.decide_problem(&actor, &slug, number, &request).await?.to_string();
        Ok(Reviewed { slug: slug.clone(), version: number, state })
    };
    once(&services, &actor, &headers, &kept, StatusCode::CREATED, act).await
}
