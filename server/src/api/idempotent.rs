//! `Idempotency-Key`: a repeated POST is answered as the first one was, whether its answer was waited for or not.

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use millrace_domain::Digest;
use millrace_domain::fault::Fault;
use millrace_domain::policy::Actor;
use millrace_services::{OUTCOME_UNKNOWN, Services};
use serde::Serialize;

use crate::api::reply::Reply;

const KEY: &str = "idempotency-key";

/// Goes on with a request that has a key when its caller goes away: what was done is then told to whoever asks again.
pub async fn to_the_end(request: Request, next: Next) -> Response {
    if !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    }
}

/// Runs `act` once for the caller's key. `request` is what the key must go with.
pub async fn once<T: Serialize>(
    services: &Services,
    actor: &Actor,
    headers: &HeaderMap,
    request: &serde_json::Value,
    status: StatusCode,
    act: impl Future<Output = Result<T, Fault>>,
) -> Reply<Response> {
    let Some(key) = headers.get(KEY) else {
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
    services.keep_answer(actor, key, &request, status.as_u16(), &answer).await?;
    Ok((status, Json(answer)).into_response())
}
