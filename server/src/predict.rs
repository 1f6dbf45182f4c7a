//! The prediction door, in the shape that TensorFlow Serving and KServe v1 clients send.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use millrace_domain::fault::Fault;
use millrace_domain::policy::{Action, Actor, Pass};
use millrace_serving::{
    Answer, Asking, FeatureAnswer, Metadata, OutcomeReport, OutcomeRequest, PredictRequest, Serving,
};
use serde::de::DeserializeOwned;
use serde_json::json;
use utoipa::OpenApi;

use crate::api::reply::Path;
use crate::web::AppState;
use crate::web::guard::Recognised;
use crate::web::refusal::problem_json;

#[derive(OpenApi)]
#[openapi(paths(predict, features, outcome, status, metadata, ready))]
struct Document;

/// What this door answers.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

pub fn router() -> Router<AppState> {
    Router::new()
        .route("/v1/models/{call}", post(call).get(status))
        .route("/v2/models/{slug}", get(metadata))
        .route("/v2/models/{slug}/ready", get(ready))
}

/// `{slug}:predict`, `{slug}:features` or `{slug}:outcome`.
async fn call(
    State(state): State<AppState>,
    Path(call): Path<String>,
    Extension(recognised): Extension<Recognised>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let begun = std::time::Instant::now();
    let (slug, verb) = call.split_once(':').unwrap_or((&call, ""));
    let actor = recognised.0.filter(|actor| actor.may_on(Action::Predict, slug).is_ok());
    let answered = match (body, actor) {
        (_, None) => Err(Serving::no_live_model(slug)),
        (Ok(body), Some(actor)) => answer(&state.serving, slug, verb, &actor, &headers, &body).await,
        (Err(rejection), _) => Err(Fault::new(413, "too_large", "Too large", rejection.body_text())),
    };
    metrics::histogram!("millrace_prediction_seconds").record(begun.elapsed().as_secs_f64());
    answered.unwrap_or_else(|fault| problem_json(&fault))
}

async fn answer(
    serving: &Serving,
    slug: &str,
    verb: &str,
    actor: &Actor,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Fault> {
    match verb {
        "predict" => predict(serving, slug, actor, headers, body).await,
        "features" => features(serving, slug, headers, body),
        "outcome" => outcome(serving, slug, headers, body).await,
        _ => Err(Fault::not_found("call; calls are :predict, :features and :outcome")),
    }
}

/// Answers instances by what is live, and logs what it answered.
#[utoipa::path(post, path = "/v1/models/{slug}:predict", request_body = PredictRequest,
    params(
        ("slug" = String, Path, description = "The problem"),
        ("Millrace-Version" = Option<u32>, Header, description = "The version that is to answer, for those who may send versions on their way; nothing is logged"),
        ("Millrace-Timeout-Ms" = Option<u32>, Header, description = "Milliseconds that the caller waits"),
    ),
    responses((status = 200, body = Answer), (status = 400), (status = 404), (status = 413), (status = 429), (status = 503)))]
async fn predict(
    serving: &Serving,
    slug: &str,
    actor: &Actor,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Fault> {
    let request: PredictRequest = read(headers, body, "/instances", "a list of objects")?;
    let asking = asking(headers, actor, slug)?;
    Ok(Json(serving.predict(slug, request, asking).await?).into_response())
}

/// What instances are joined to, and the features that a model is asked with; nothing is logged.
#[utoipa::path(post, path = "/v1/models/{slug}:features", request_body = PredictRequest,
    params(("slug" = String, Path, description = "The problem")),
    responses((status = 200, body = FeatureAnswer), (status = 400), (status = 404)))]
fn features(serving: &Serving, slug: &str, headers: &HeaderMap, body: &[u8]) -> Result<Response, Fault> {
    let request: PredictRequest = read(headers, body, "/instances", "a list of objects")?;
    Ok(Json(serving.features(slug, &request)?).into_response())
}

/// Takes in what became of predictions.
#[utoipa::path(post, path = "/v1/models/{slug}:outcome", request_body = OutcomeRequest,
    params(("slug" = String, Path, description = "The problem")),
    responses((status = 200, body = OutcomeReport), (status = 400), (status = 404), (status = 503)))]
async fn outcome(serving: &Serving, slug: &str, headers: &HeaderMap, body: &[u8]) -> Result<Response, Fault> {
    let request: OutcomeRequest = read(headers, body, "/outcomes", "a list of {id, label}")?;
    Ok(Json(serving.report_outcomes(slug, request).await?).into_response())
}

/// The version that is to answer, whoever is live: a test, for those who may send versions on their way.
const VERSION: &str = "millrace-version";
/// Milliseconds that the caller waits for the answer.
const PATIENCE: &str = "millrace-timeout-ms";

fn asking(headers: &HeaderMap, actor: &Actor, slug: &str) -> Result<Asking, Fault> {
    let number = |name: &'static str| -> Result<Option<u32>, Fault> {
        let Some(value) = headers.get(name) else { return Ok(None) };
        let read = value.to_str().ok().and_then(|text| text.trim().parse().ok()).filter(|number| *number > 0);
        let read =
            read.ok_or_else(|| Fault::invalid(format!("the header {name} must be a whole number above 0"), Vec::new()));
        read.map(Some)
    };
    let version = number(VERSION)?.map(|number| i32::try_from(number).unwrap_or(i32::MAX));
    if version.is_some() {
        actor.may_on(Action::Deploy, slug).map_err(|refused| {
            Fault::forbidden("not_allowed", format!("to choose the version that answers: {refused}"))
        })?;
    }
    let patience = number(PATIENCE)?.map(|ms| Duration::from_millis(u64::from(ms)));
    let token = match actor.pass {
        Some(Pass::Token(token)) => Some(token),
        Some(Pass::Session(_)) | None => None,
    };
    Ok(Asking { version, patience, token })
}

fn described(state: &AppState, recognised: Recognised, slug: &str) -> Result<Metadata, Fault> {
    let may = recognised.0.is_some_and(|actor| actor.may_on(Action::Predict, slug).is_ok());
    may.then(|| state.serving.metadata(slug)).flatten().ok_or_else(|| Serving::no_live_model(slug))
}

/// What a live model is asked and answers, as the Open Inference protocol has it.
#[utoipa::path(get, path = "/v2/models/{slug}", params(("slug" = String, Path, description = "The problem")),
    responses((status = 200, body = Metadata), (status = 404)))]
async fn metadata(
    State(state): State<AppState>,
    Path(slug): Path<String>,
    Extension(recognised): Extension<Recognised>,
) -> Response {
    described(&state, recognised, &slug).map_or_else(|fault| problem_json(&fault), |model| Json(model).into_response())
}

/// Whether a model is live, as the Open Inference protocol has it.
#[utoipa::path(get, path = "/v2/models/{slug}/ready", params(("slug" = String, Path, description = "The problem")),
    responses((status = 200, body = Object), (status = 404), (status = 503)))]
async fn ready(
    State(state): State<AppState>,
    Path(slug): Path<String>,
    Extension(recognised): Extension<Recognised>,
) -> Response {
    let is_ready = state.serving.is_answering(&slug);
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let answer = |model: Metadata| (status, Json(json!({ "name": model.name, "ready": is_ready }))).into_response();
    described(&state, recognised, &slug).map_or_else(|fault| problem_json(&fault), answer)
}

/// The versions that answer, as TensorFlow Serving has it.
#[utoipa::path(get, path = "/v1/models/{slug}", params(("slug" = String, Path, description = "The problem")),
    responses((status = 200, body = Object), (status = 404)))]
async fn status(
    State(state): State<AppState>,
    Path(slug): Path<String>,
    Extension(recognised): Extension<Recognised>,
) -> Response {
    let standing = if state.serving.is_answering(&slug) { "AVAILABLE" } else { "UNAVAILABLE" };
    let one = |version: &String| json!({ "version": version, "state": standing, "status": { "error_code": "OK", "error_message": "" } });
    let answer = |model: Metadata| {
        let versions: Vec<_> = model.versions.iter().map(one).collect();
        Json(json!({ "model_version_status": versions })).into_response()
    };
    described(&state, recognised, &slug).map_or_else(|fault| problem_json(&fault), answer)
}

/// The body as what it should be, read once.
fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8], pointer: &str, wanted: &str) -> Result<T, Fault> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    if kind != "application/json" && !(kind.starts_with("application/") && kind.ends_with("+json")) {
        let detail = format!("the body is not JSON: Content-Type must be application/json, got {kind:?}");
        return Err(Fault::invalid(detail, Vec::new()));
    }
    serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            Fault::field(pointer, format!("must be {wanted}: {error}"))
        } else {
            Fault::invalid(format!("the body is not JSON: {error}"), Vec::new())
        }
    })
}
