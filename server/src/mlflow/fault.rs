//! Refusals in the words that MLflow's clients read.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use millrace_domain::fault::Fault;
use serde::de::DeserializeOwned;
use serde_json::json;

/// A fault that answers with MLflow's `error_code`.
#[derive(Debug)]
pub struct Refusal {
    fault: Fault,
    /// Whether what stands against it is told as a conflict; who logs runs looks for a wrong value.
    is_of_registry: bool,
}

/// What handlers give.
pub type Reply<T> = Result<Json<T>, Refusal>;

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self { fault, is_of_registry: false }
    }
}

impl Refusal {
    /// A refusal of the registry.
    pub const fn of_registry(fault: Fault) -> Self {
        Self { fault, is_of_registry: true }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self.fault.status {
            // MLflow's clients ask for what is not there in no other way.
            409 if self.is_of_registry && self.fault.code == "not_registered" => {
                answer(&self.fault, 404, "RESOURCE_DOES_NOT_EXIST")
            }
            409 if self.is_of_registry && self.fault.code != "model_exists" => {
                answer(&self.fault, 409, "RESOURCE_CONFLICT")
            }
            _ => refused(&self.fault),
        }
    }
}

/// A fault as this door tells it. Clients try again what answers 5xx or 429, so what they did wrong is never that.
pub fn refused(fault: &Fault) -> Response {
    let (status, code) = match fault.status {
        401 => (401, "UNAUTHENTICATED"),
        403 => (403, "PERMISSION_DENIED"),
        404 => (404, "RESOURCE_DOES_NOT_EXIST"),
        429 => (429, "REQUEST_LIMIT_EXCEEDED"),
        503 => (503, "TEMPORARILY_UNAVAILABLE"),
        500.. => (fault.status, "INTERNAL_ERROR"),
        _ if fault.code == "experiment_exists" || fault.code == "model_exists" => (400, "RESOURCE_ALREADY_EXISTS"),
        _ => (400, "INVALID_PARAMETER_VALUE"),
    };
    answer(fault, status, code)
}

fn answer(fault: &Fault, status: u16, code: &str) -> Response {
    let more = fault.errors.iter().filter(|error| !fault.detail.contains(&error.message));
    let more = more.map(|error| format!("; {} {}", error.pointer, error.message));
    let message: String = std::iter::once(fault.detail.clone()).chain(more).collect();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(json!({ "error_code": code, "message": message }))).into_response();
    if matches!(fault.status, 429 | 503) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// A JSON body, whatever its content type says.
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let body = axum::body::Bytes::from_request(request, state).await;
        let body = body.map_err(|error| Fault::invalid(error.body_text(), Vec::new()))?;
        let read = serde_json::from_slice(&body);
        Ok(Self(read.map_err(|error| Fault::invalid(format!("the body does not fit: {error}"), Vec::new()))?))
    }
}

/// Parts of the query.
pub struct InQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for InQuery<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let query = query
            .map_err(|error| Fault::invalid(format!("the query does not fit: {}", error.body_text()), Vec::new()))?;
        Ok(Self(query.0))
    }
}
