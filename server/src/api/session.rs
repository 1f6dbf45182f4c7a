//! Signing in and out by API.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use millrace_domain::fault::Fault;
use millrace_domain::view::Me;
use millrace_services::{Presented, Services, SignedIn};
use serde::Deserialize;
use tower_sessions::Session;
use utoipa::ToSchema;

use crate::api::reply::{Body, By, CameFrom, Reply};
use crate::web::session;

/// Who signs in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// Mail address.
    email: String,
    /// Password.
    password: String,
    /// Code of the second factor, or a recovery code; needed where one is set up.
    #[serde(default)]
    code: String,
}

/// Opens a session; the cookie comes back.
#[utoipa::path(post, path = "/api/v1/session", request_body = Credentials,
    responses((status = 200, body = Me), (status = 401), (status = 429)))]
pub async fn open_session(
    State(services): State<Services>,
    session: Session,
    CameFrom(origin): CameFrom,
    headers: HeaderMap,
    Body(credentials): Body<Credentials>,
) -> Reply<Json<Me>> {
    let signed_in = services.sign_in(&credentials.email, &credentials.password, &origin).await?;
    if signed_in.owes_second_factor {
        if credentials.code.trim().is_empty() {
            return Err(Fault::new(
                401,
                "second_factor_needed",
                "Not signed in",
                "this account has a second factor; send its code as `code`",
            )
            .into());
        }
        services.show_second_factor(signed_in.account, &credentials.code, &origin).await?;
    }
    let address = origin.address.as_deref().unwrap_or_default();
    let signed_in = SignedIn { owes_second_factor: false, ..signed_in };
    session::open(&services, &session, signed_in, address, session::agent(&headers)).await?;
    // Only to say who it is; what they do with it comes with the cookie.
    let presented = Presented { session: 0, account: signed_in.account, confirmed_at: None };
    let actor = services.recognise_session(presented, origin).await?.ok_or_else(Fault::unauthenticated)?;
    Ok(Json(Services::me(&actor)))
}

/// Signs out.
#[utoipa::path(delete, path = "/api/v1/session", responses((status = 204)))]
pub async fn close_session(
    State(services): State<Services>,
    session: Session,
    By(actor): By,
) -> Reply<(StatusCode, [(HeaderName, &'static str); 1])> {
    services.sign_out(&actor).await?;
    if session.flush().await.is_err() {
        return Err(
            Fault::new(503, "database_unavailable", "Try again", "the session could not be ended; try again").into()
        );
    }
    Ok((StatusCode::NO_CONTENT, [(HeaderName::from_static("clear-site-data"), "\"storage\"")]))
}
