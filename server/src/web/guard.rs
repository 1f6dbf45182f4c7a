//! Deny by default: a route that the policy table does not name is not there, and a caller who is not recognised or may not
//! is turned away before any handler runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use millrace_domain::fault::Fault;
use millrace_domain::policy::{Access, Action, Actor, Origin, access_of};
use tokio::time::Instant;
use tower_sessions::Session;

use crate::web::refusal::{self, Door};
use crate::web::session::{self, Shown};
use crate::web::upload;
use crate::web::{AppState, BODY_BYTES};

/// Who was recognised; handlers find it among the request's extensions.
#[derive(Debug, Clone)]
pub struct Recognised(pub Option<Arc<Actor>>);

/// Recognises the caller and asks the policy table.
pub async fn guard(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match admit_whole(&state, &mut parts, body).await {
        Ok((actor, body)) => {
            parts.extensions.insert(Recognised(actor.map(Arc::new)));
            next.run(Request::from_parts(parts, body)).await
        }
        Err(fault) => refusal::answer(&Door::of(&parts.uri), &fault, &parts.uri, &parts.headers),
    }
}

/// A body that is not there by then was held back, and the caller may not be what they were.
const PROMPT: Duration = Duration::from_millis(250);

/// A body that is not there by then is not waited for any longer.
const BODY_TIME: Duration = Duration::from_secs(60);

/// Admits a request that is whole: whoever sends the body late is recognised anew when it is there. Files come as long as they
/// take; the act that takes them in asks for itself.
async fn admit_whole(state: &AppState, request: &mut Parts, body: Body) -> Result<(Option<Actor>, Body), Fault> {
    let begun = Instant::now();
    let actor = admit(state, request).await?;
    let has_files =
        request.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/"));
    if has_files || actor.is_none() || body.is_end_stream() {
        return Ok((actor, body));
    }
    let whole = whole(body, BODY_TIME).await?;
    if begun.elapsed() < PROMPT {
        return Ok((actor, whole.into()));
    }
    let session = request.extensions.get::<Session>().cloned();
    let again = admit_again(state, request).await;
    // What the handler changes of the session goes into the answer's cookie.
    if let Some(session) = session {
        request.extensions.insert(session);
    }
    Ok((Some(again?), whole.into()))
}

async fn whole(body: Body, time: Duration) -> Result<Bytes, Fault> {
    let read = tokio::time::timeout(time, axum::body::to_bytes(body, BODY_BYTES)).await;
    let read = read.map_err(|_| too_slow(&format!("the body was not there within {} s", time.as_secs())))?;
    read.map_err(|_| {
        Fault::new(413, "too_large", "Too large", format!("the body is cut or has more than {BODY_BYTES} bytes"))
    })
}

/// What is answered to whoever does not send what they began.
pub fn too_slow(what: &str) -> Fault {
    Fault::new(408, "too_slow", "Too slow", format!("{what}; send it again"))
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
    check_form(request)?;
    Ok(actor)
}

/// Asks again about a request that is still being answered. The session is read anew, which counts as no sign of life.
///
/// # Errors
/// Those of a new request.
pub async fn admit_again(state: &AppState, request: &mut Parts) -> Result<Actor, Fault> {
    if let Some(id) = request.extensions.get::<Session>().and_then(Session::id) {
        request.extensions.insert(session::read_anew(&state.services, id));
    }
    admit(state, request).await?.ok_or_else(Fault::unauthenticated)
}

/// A collector on the host itself; behind a proxy with https everybody comes from the host, so there it takes a token.
fn is_on_this_host(state: &AppState, request: &Parts) -> bool {
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
    !state.cookies.secure && peer.is_some_and(|peer| peer.0.ip().is_loopback())
}

async fn recognise(state: &AppState, request: &Parts) -> Result<Option<Actor>, Fault> {
    let origin = origin(request);
    if let Some(token) = bearer(&request.headers)? {
        return state.tokens.recognise(&state.services, token, origin, request.uri.path()).await.map(Some);
    }
    if ["/v1/", "/v2/"].iter().any(|prefix| request.uri.path().starts_with(prefix)) {
        // Predictions take tokens only: a browser's cookie never speaks for a program.
        return Ok(None);
    }
    let Some(session) = request.extensions.get::<Session>() else { return Ok(None) };
    let shown = session::shown(session).await.map_err(|error| {
        tracing::warn!(%error, "a session could not be read");
        Fault::new(
            503,
            "database_unavailable",
            "Try again",
            "the database does not answer just now; try again in a few seconds",
        )
    })?;
    // Whoever presents a cookie says where a change comes from, whatever stage the session is in.
    let Some(shown) = shown else { return Ok(None) };
    check_origin(state, request)?;
    match shown {
        Shown::Owes(_) => Ok(None),
        Shown::Open(presented) => state.services.recognise_session(presented, origin).await,
    }
}

/// Where the request came from, for the audit trail.
pub fn origin(request: &Parts) -> Origin {
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
    let id = request.headers.get("x-request-id").and_then(|id| id.to_str().ok());
    Origin {
        address: peer.map(|peer| peer.0.ip().to_string()),
        request: id.map(|id| id.chars().filter(|c| !c.is_control()).take(100).collect()),
    }
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Fault> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    text.strip_prefix("Bearer ").map(|token| Some(token.trim())).ok_or_else(|| {
        Fault::new(401, "invalid_token", "Token refused", "the Authorization header must read `Bearer mr_…`")
    })
}

/// What comes by cookie comes from a page of this site, or is a person following a link: a change must say so, by
/// `Sec-Fetch-Site` or by an `Origin` that is this site's to the letter.
fn check_origin(state: &AppState, request: &Parts) -> Result<(), Fault> {
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    let changes = !matches!(request.method, Method::GET | Method::HEAD);
    let foreign = || Err(Fault::forbidden("cross_site", "another site's page may not use your session here"));
    let own = state.services.settings().base_url.as_str();
    let here = header("host").map(|host| format!("http://{host}")).filter(|_| !state.cookies.secure);
    let origin = header("origin");
    let is_own = |origin: &str| origin == own || Some(origin) == here.as_deref();
    // Pages that send no referrer say `null` of themselves; any other name counts, whatever else is said.
    if changes && origin.is_some_and(|origin| origin != "null" && !is_own(origin)) {
        return foreign();
    }
    match header("sec-fetch-site") {
        Some("same-origin" | "none") => return Ok(()),
        Some(_) if !changes && header("sec-fetch-mode") == Some("navigate") => return Ok(()),
        Some(_) => return foreign(),
        None if !changes => return Ok(()),
        None => {}
    }
    let origin = origin.ok_or_else(|| {
        Fault::forbidden(
            "origin_missing",
            "a change by session must carry Origin or Sec-Fetch-Site; scripts use a token",
        )
    })?;
    if is_own(origin) { Ok(()) } else { foreign() }
}

/// Forms of pages come as forms do: what else a page of another kind could send is not read at all.
fn check_form(request: &Parts) -> Result<(), Fault> {
    let path = request.uri.path();
    let wanted =
        if upload::TAKES_FILES.contains(&path) { "multipart/form-data" } else { "application/x-www-form-urlencoded" };
    let text = |name| request.headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let kind = text(header::CONTENT_TYPE).and_then(|kind| kind.split(';').next()).map(str::trim);
    let is_wanted = match kind {
        Some(kind) => kind.eq_ignore_ascii_case(wanted),
        // A form without fields.
        None => {
            text(header::CONTENT_LENGTH).is_none_or(|length| length == "0") && text(header::TRANSFER_ENCODING).is_none()
        }
    };
    if request.method == Method::POST && path.starts_with("/fn/") && !is_wanted {
        return Err(Fault::new(415, "unsupported_media_type", "Not a form", format!("send the fields as {wanted}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, stream};

    use super::*;

    #[tokio::test]
    async fn a_body_that_is_held_back_is_not_waited_for_for_ever() {
        let begun = stream::once(async { Ok::<_, std::io::Error>("{") });
        let refused =
            whole(Body::from_stream(begun.chain(stream::pending())), Duration::from_millis(20)).await.unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (408, "too_slow"));
    }
}
