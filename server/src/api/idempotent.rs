//! `Idempotency-Key`: a repeated POST is answered as the first one was.

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use millrace_domain::Digest;
use millrace_domain::fault::Fault;
use millrace_domain::policy::Actor;
use millrace_services::{OUTCOME_UNKNOWN, Services};
use millrace_storage::kept::Kept;
use serde::Serialize;

use crate::api::reply::Reply;

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
    if let Some(kept) = services.take_key(actor, key, &request).await? {
        let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
        return Ok((status, Json(kept.response)).into_response());
    }
    let answer = match act.await {
        Ok(answer) => serde_json::json!(answer),
        // The key stays taken: whoever repeats it is not to do it twice.
        Err(fault) if fault.code == OUTCOME_UNKNOWN => return Err(fault.into()),
        Err(fault) => {
            services.free_key(actor, key).await?;
            return Err(fault.into());
        }
    };
    let kept = Kept { request, status: status.as_u16(), response: answer };
    services.keep_answer(actor, key, &kept).await?;
    Ok((status, Json(kept.response)).into_response())
}
