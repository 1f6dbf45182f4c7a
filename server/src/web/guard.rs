//! Deny by default: a route that the policy table does not name is not there, and a caller who is not recognised or may not
//! is turned away before any handler runs.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use millrace_domain::fault::Fault;
use millrace_domain::ids::AccountId;
use millrace_domain::policy::{Access, Action, Actor, access_of};
use tower_sessions::Session;

use crate::web::AppState;
use crate::web::refusal::{self, Door};
use crate::web::session::ACCOUNT;

/// Who was recognised; handlers find it among the request's extensions.
#[derive(Debug, Clone)]
pub struct Recognised(pub Option<Actor>);

/// Recognises the caller and asks the policy table.
pub async fn guard(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match admit(&state, &parts).await {
        Ok(actor) => {
            parts.extensions.insert(Recognised(actor));
            next.run(Request::from_parts(parts, body)).await
        }
        Err(fault) => refusal::answer(&Door::of(&parts.uri), &fault, &parts.uri),
    }
}

async fn admit(state: &AppState, request: &Parts) -> Result<Option<Actor>, Fault> {
    let matched = request.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let access = matched.as_deref().and_then(|path| access_of(request.method.as_str(), path));
    let access = access.ok_or_else(|| Fault::not_found("page"))?;
    let actor = recognise(state, request).await?;
    match (access, &actor) {
        (Access::Public, _) | (Access::Recognised, Some(_)) => {}
        (Access::May(Action::ReadMetrics), None) if is_on_this_host(state, request) => {}
        (Access::Recognised | Access::May(_), None) => return Err(Fault::unauthenticated()),
        (Access::May(action), Some(actor)) => {
            state.services.authorise(actor, action, matched.as_deref().unwrap_or_default()).await?;
        }
    }
    Ok(actor)
}

/// A collector on the host itself; behind a proxy with https everybody comes from the host, so there it takes a token.
fn is_on_this_host(state: &AppState, request: &Parts) -> bool {
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
    !state.cookies.secure && peer.is_some_and(|peer| peer.0.ip().is_loopback())
}

async fn recognise(state: &AppState, request: &Parts) -> Result<Option<Actor>, Fault> {
    if let Some(token) = bearer(&request.headers)? {
        return state.services.recognise_token(token).await.map(Some);
    }
    if request.uri.path().starts_with("/v1/") {
        // Predictions take tokens only: a browser's cookie never speaks for a program.
        return Ok(None);
    }
    let Some(session) = request.extensions.get::<Session>() else { return Ok(None) };
    let account: Option<i64> = session.get(ACCOUNT).await.map_err(|error| {
        tracing::warn!(%error, "a session could not be read");
        Fault::new(
            503,
            "database_unavailable",
            "Try again",
            "the database does not answer just now; try again in a few seconds",
        )
    })?;
    let Some(account) = account else { return Ok(None) };
    check_origin(request)?;
    state.services.recognise_session(AccountId(account)).await
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Fault> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    text.strip_prefix("Bearer ").map(|token| Some(token.trim())).ok_or_else(|| {
        Fault::new(401, "invalid_token", "Token refused", "the Authorization header must read `Bearer mr_…`")
    })
}

/// A change by cookie must say where it comes from; the cross-site layer has judged what it says.
fn check_origin(request: &Parts) -> Result<(), Fault> {
    let safe = matches!(request.method, Method::GET | Method::HEAD);
    let told = request.headers.contains_key("sec-fetch-site") || request.headers.contains_key(header::ORIGIN);
    if safe || told {
        return Ok(());
    }
    Err(Fault::forbidden(
        "origin_missing",
        "a change by session must carry Origin or Sec-Fetch-Site; scripts use a token",
    ))
}
