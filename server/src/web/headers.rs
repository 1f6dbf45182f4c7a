//! Security headers of every answer. The nonce is fresh for each, and pages find it among the request's extensions.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use millrace_domain::clock::Entropy;
use millrace_services::credentials::random_text;

use crate::web::AppState;

/// The nonce of the scripts in this answer.
#[derive(Debug, Clone)]
pub struct ScriptNonce(pub String);

/// Mints the nonce and adds the headers.
pub async fn add(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let nonce = random_text(state.services.surroundings().entropy.as_ref() as &dyn Entropy, 26);
    let is_static = request.uri().path().starts_with("/pkg/") || request.uri().path() == "/favicon.svg";
    request.extensions_mut().insert(ScriptNonce(nonce.clone()));
    let mut response = next.run(request).await;
    let policy = format!(
        "default-src 'self'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self' 'nonce-{nonce}'; \
         img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    add_fixed(headers, state.cookies.secure);
    if !is_static && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// The same for answers that are no pages and have no scripts.
pub async fn add_to_data(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let policy = "default-src 'none'; frame-ancestors 'none'";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    add_fixed(headers, state.cookies.secure);
    response
}

fn add_fixed(headers: &mut HeaderMap, is_secure: bool) {
    let fixed = [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
    ];
    for (name, value) in fixed {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if is_secure {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
}
