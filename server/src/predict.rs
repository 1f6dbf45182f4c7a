//! The prediction door, in the shape that TensorFlow Serving and KServe v1 clients send.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use millrace_domain::fault::Fault;
use millrace_domain::policy::Action;
use millrace_serving::{OutcomeRequest, PredictRequest, Serving};
use serde::de::DeserializeOwned;

use crate::api::reply::Path;
use crate::web::AppState;
use crate::web::guard::Recognised;
use crate::web::refusal::problem_json;

pub fn router() -> Router<AppState> {
    Router::new().route("/v1/models/{call}", post(call))
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
    let may = recognised.0.is_some_and(|actor| actor.may_on(Action::Predict, slug).is_ok());
    let answered = match body {
        _ if !may => Err(Serving::no_live_model(slug)),
        Ok(body) => answer(&state.serving, slug, verb, &headers, &body).await,
        Err(rejection) => Err(Fault::new(413, "too_large", "Too large", rejection.body_text())),
    };
    metrics::histogram!("millrace_prediction_seconds").record(begun.elapsed().as_secs_f64());
    answered.unwrap_or_else(|fault| problem_json(&fault))
}

async fn answer(
    serving: &Serving,
    slug: &str,
    verb: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Fault> {
    match verb {
        "predict" => {
            let request: PredictRequest = read(headers, body, "/instances", "a list of objects")?;
            Ok(Json(serving.predict(slug, request).await?).into_response())
        }
        "features" => {
            let request: PredictRequest = read(headers, body, "/instances", "a list of objects")?;
            Ok(Json(serving.features(slug, &request)?).into_response())
        }
        "outcome" => {
            let request: OutcomeRequest = read(headers, body, "/outcomes", "a list of {id, label}")?;
            Ok(Json(serving.report_outcomes(slug, request).await?).into_response())
        }
        _ => Err(Fault::not_found("call; calls are :predict, :features and :outcome")),
    }
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
