//! The prediction door, in the shape that TensorFlow Serving and KServe v1 clients send.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use millrace_domain::fault::Fault;
use millrace_domain::policy::Action;
use millrace_serving::{OutcomeRequest, PredictRequest, Serving};
use serde_json::Value;

use crate::api::reply::Path;
use crate::web::AppState;
use crate::web::guard::Recognised;
use crate::web::refusal::problem_json;

pub fn router() -> Router<AppState> {
    Router::new().route("/v1/models/{call}", post(call))
}

/// `{slug}:predict`, `{slug}:features` or `{slug}:outcome`.
async fn call(
    State(serving): State<Serving>,
    Path(call): Path<String>,
    Extension(recognised): Extension<Recognised>,
    body: Result<Json<Value>, JsonRejection>,
) -> Response {
    let begun = std::time::Instant::now();
    let (slug, verb) = call.split_once(':').unwrap_or((&call, ""));
    let answered = match (verb, body) {
        _ if recognised.0.is_none_or(|actor| actor.may_on(Action::Predict, slug).is_err()) => {
            Err(Serving::no_live_model(slug))
        }
        (_, Err(rejection)) => {
            Err(Fault::invalid(format!("the body is not JSON: {}", rejection.body_text()), Vec::new()))
        }
        ("predict", Ok(Json(body))) => predict(&serving, slug, body).await,
        ("features", Ok(Json(body))) => features(&serving, slug, body),
        ("outcome", Ok(Json(body))) => outcome(&serving, slug, body).await,
        _ => Err(Fault::not_found("call; calls are :predict, :features and :outcome")),
    };
    metrics::histogram!("millrace_prediction_seconds").record(begun.elapsed().as_secs_f64());
    match answered {
        Ok(body) => Json(body).into_response(),
        Err(fault) => problem_json(&fault),
    }
}

async fn predict(serving: &Serving, slug: &str, body: Value) -> Result<Value, Fault> {
    Ok(serde_json::json!(serving.predict(slug, instances(body)?).await?))
}

fn features(serving: &Serving, slug: &str, body: Value) -> Result<Value, Fault> {
    Ok(serde_json::json!(serving.features(slug, &instances(body)?)?))
}

fn instances(body: Value) -> Result<PredictRequest, Fault> {
    serde_json::from_value(body)
        .map_err(|error| Fault::field("/instances", format!("must be a list of objects: {error}")))
}

async fn outcome(serving: &Serving, slug: &str, body: Value) -> Result<Value, Fault> {
    let request: OutcomeRequest = serde_json::from_value(body)
        .map_err(|error| Fault::field("/outcomes", format!("must be a list of {{id, label}}: {error}")))?;
    let report = serving.report_outcomes(slug, request).await?;
    Ok(serde_json::json!(report))
}
