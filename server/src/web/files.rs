//! The browser bundle and styles. Names are ours: only a plain file name of the bundle's folder is looked up.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use millrace_domain::Digest;

use crate::web::{AppState, SitePath};

const FAVICON: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0f5c73"/><g fill="none" stroke="#fff" stroke-width="2.4" stroke-linecap="round"><circle cx="16" cy="13" r="6.5"/><path d="M16 6.5v13M9.5 13h13M11.4 8.4l9.2 9.2M20.6 8.4l-9.2 9.2"/><path d="M5 25c3-2.4 5.5-2.4 8 0s5 2.4 8 0 4-2.4 6 0"/></g></svg>"##;

pub(super) fn router() -> Router<AppState> {
    Router::new().route("/pkg/{*file}", get(bundle_file)).route("/favicon.svg", get(favicon))
}

async fn favicon() -> Response {
    ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "public, max-age=86400")], FAVICON)
        .into_response()
}

async fn bundle_file(State(SitePath(site)): State<SitePath>, Path(file): Path<String>, headers: HeaderMap) -> Response {
    let plain = file.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) && !file.starts_with('.');
    let media_type = match file.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js") => "text/javascript",
        Some("wasm") => "application/wasm",
        Some("css") => "text/css; charset=utf-8",
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    if !plain {
        return StatusCode::NOT_FOUND.into_response();
    }
    let Ok(content) = tokio::fs::read(site.join("pkg").join(&file)).await else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tag = format!("\"{}\"", Digest::of(&content).short());
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    let fields = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::ETAG, tag),
    ];
    (fields, content).into_response()
}
