//! How refusals look at each door: a problem document for programs, a page for people.

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use millrace_domain::fault::Fault;
use serde_json::json;

/// Which kind of caller a path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// A person reading pages.
    Page,
    /// A page's own code calling a server function.
    Function,
    /// A program.
    Program,
    /// A client of MLflow.
    Mlflow,
}

impl Door {
    /// By the path.
    pub fn of(uri: &Uri) -> Self {
        let path = uri.path();
        if path.starts_with("/api/2.0/mlflow") {
            return Self::Mlflow;
        }
        let is_program = ["/api/", "/v1/", "/v2/", "/metrics", "/deadman", "/healthz", "/readyz"]
            .iter()
            .any(|prefix| path.starts_with(prefix));
        match (is_program, path.starts_with("/fn/")) {
            (true, _) => Self::Program,
            (false, true) => Self::Function,
            (false, false) => Self::Page,
        }
    }
}

/// The refusal as that door tells it; a page names the request, so that somebody can be asked about it.
pub fn answer(door: &Door, fault: &Fault, uri: &Uri, headers: &HeaderMap) -> Response {
    match door {
        Door::Program => problem_json(fault),
        Door::Mlflow => crate::mlflow::refused(fault),
        Door::Function => {
            let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, Json(fault)).into_response()
        }
        Door::Page if fault.status == 401 => {
            let next = uri.path_and_query().map_or("/", |path| path.as_str());
            let query: String = form_urlencode(next);
            Redirect::to(&format!("/sign-in?next={query}")).into_response()
        }
        Door::Page if fault.code == "second_factor_required" => Redirect::to("/account?tab=security").into_response(),
        Door::Page => page(fault, headers.get("x-request-id").and_then(|id| id.to_str().ok())),
    }
}

/// RFC 9457.
pub fn problem_json(fault: &Fault) -> Response {
    let body = json!({
        "type": format!("urn:millrace:fault:{}", fault.code),
        "title": fault.title,
        "status": fault.status,
        "detail": fault.detail,
        "code": fault.code,
        "errors": fault.errors,
    });
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if matches!(fault.status, 429 | 503) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// A whole page in itself: it must work when nothing else does.
fn page(fault: &Fault, request: Option<&str>) -> Response {
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let html = format!(
        r#"<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title} · Millrace</title><link rel="stylesheet" href="/pkg/millrace.css"><link rel="icon" href="/favicon.svg"></head><body><main class="auth" id="main"><div class="auth-card card"><a class="brand" href="/">Millrace</a><h1>{title}</h1><p>{detail}</p><p><a class="button" href="/">Go to the start page</a></p>{request}</div></main></body></html>"#,
        title = escape(&fault.title),
        detail = escape(&millrace_app::wording::sentence(&fault.detail)),
        request = request.map(|id| format!("<p class=\"hint\">Request {}</p>", escape(id))).unwrap_or_default(),
    );
    (status, Html(html)).into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// Percent-encodes everything but unreserved characters and `/`.
pub fn form_urlencode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                encoded.push(char::from(byte))
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// Nothing is at that address.
pub async fn no_such_page(uri: Uri, headers: HeaderMap) -> Response {
    answer(&Door::of(&uri), &Fault::not_found("page"), &uri, &headers)
}

/// A handler panicked: the process lives, the caller is told, the log has the reason.
pub fn panicked(reason: Box<dyn std::any::Any + Send + 'static>) -> axum::http::Response<Body> {
    let reason = reason
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| reason.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given");
    tracing::error!(reason, "a handler panicked");
    problem_json(&Fault::new(
        500,
        "internal",
        "Internal error",
        "something failed on our side and was logged; nothing was changed",
    ))
}
