//! `Idempotency-Key`: a repeated POST is answered as the first one was.

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use millrace_domain::Digest;
use millrace_domain::fault::Fault;
use millrace_domain::policy::Actor;
use millrace_services::Services;
use serde::Serialize;

use crate::api::reply::{Problem, Reply};

/// Runs `act` once for the caller's key. `request` is what the key must go with.
pub async fn once<T: Serialize>(
    services: &Services,
    actor: &Actor,
    headers: &HeaderMap,
    request: &serde_json::Value,
    status: StatusCode,
    act: impl Future<Output = Result<T, Fault>>,
) -> Reply<Response> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok((status, Json(act.await?)).into_response());
    };
    let key = key.to_str().ok().filter(|key| (1..=200).contains(&key.len()));
    let key = key.ok_or_else(|| Fault::invalid("Idempotency-Key must have 1 to 200 visible characters", Vec::new()))?;
    let request = Digest::of_canonical(request);
    if let Some(kept) = services.kept_answer(actor, key).await? {
        if kept.request != request {
            let detail = "this Idempotency-Key was used for another request; take a new one";
            return Err(Problem(Fault::conflict("idempotency_key_reused", detail)));
        }
        let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
        return Ok((status, Json(kept.response)).into_response());
    }
    let answer = serde_json::json!(act.await?);
    services.keep_answer(actor, key, request, status.as_u16(), &answer).await?;
    Ok((status, Json(answer)).into_response())
}
