//! Signing in and out by API.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use millrace_domain::fault::Fault;
use millrace_domain::view::Me;
use millrace_services::Services;
use serde::Deserialize;
use tower_sessions::Session;
use utoipa::ToSchema;

use crate::api::reply::{Body, By, Problem, Reply};
use crate::web::session_key;

/// Who signs in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// Mail address.
    email: String,
    /// Password.
    password: String,
}

/// Opens a session; the cookie comes back.
#[utoipa::path(post, path = "/api/v1/session", request_body = Credentials,
    responses((status = 200, body = Me), (status = 401), (status = 429)))]
pub async fn open_session(
    State(services): State<Services>,
    session: Session,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Body(credentials): Body<Credentials>,
) -> Reply<Json<Me>> {
    let address = peer.ip().to_string();
    let account = services.sign_in(&credentials.email, &credentials.password, &address).await?;
    let unreadable = |_| {
        Problem(Fault::new(
            503,
            "database_unavailable",
            "Try again",
            "the session could not be written; try again in a few seconds",
        ))
    };
    session.flush().await.map_err(unreadable)?;
    session.insert(session_key(), account.0).await.map_err(unreadable)?;
    session.save().await.map_err(unreadable)?;
    let actor = services.recognise_session(account).await?.ok_or_else(Fault::unauthenticated)?;
    Ok(Json(Services::me(&actor)))
}

/// Signs out.
#[utoipa::path(delete, path = "/api/v1/session", responses((status = 204)))]
pub async fn close_session(State(services): State<Services>, session: Session, By(actor): By) -> Reply<StatusCode> {
    services.sign_out(&actor).await?;
    if session.flush().await.is_err() {
        return Err(
            Fault::new(503, "database_unavailable", "Try again", "the session could not be ended; try again").into()
        );
    }
    Ok(StatusCode::NO_CONTENT)
}
