//! The caller as pages and server functions see it.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use chrono::Duration;
use millrace_app::caller::{BoxFuture, Caller, SessionDoor};
use millrace_app::kept::Kept;
use millrace_domain::Digest;
use millrace_domain::clock::Entropy;
use millrace_domain::fault::Fault;
use millrace_domain::ids::AccountId;
use millrace_domain::policy::Origin;
use millrace_services::credentials::random_text;
use millrace_services::{Services, SignedIn};
use tower_sessions::Session;

use crate::web::AppState;
use crate::web::cookie::{self, Cookies};
use crate::web::guard::{self, Recognised};
use crate::web::session::{self, Shown};

/// Name of the cookie that finds what was kept for the next page.
const KEPT: &str = "millrace-kept";
/// How long something is kept for the next page.
const KEPT_SECONDS: u32 = 600;

/// Cookies to be set on the answer.
pub type Jar = Arc<Mutex<Vec<HeaderValue>>>;

/// The browser's session.
struct Browser {
    services: Services,
    session: Session,
    origin: Origin,
    agent: String,
    kept: Option<String>,
    cookies: Cookies,
    jar: Jar,
}

/// The caller of a request, and the cookies that its answer sets.
///
/// # Errors
/// When the session cannot be read.
pub async fn of(state: &AppState, request: &Parts) -> Result<(Caller, Jar), Fault> {
    let jar = Jar::default();
    let extensions = &request.extensions;
    let browser = Browser {
        services: state.services.clone(),
        session: extensions.get::<Session>().cloned().ok_or_else(Fault::unauthenticated)?,
        origin: guard::origin(request),
        agent: session::agent(&request.headers).to_owned(),
        kept: kept_key(&request.headers),
        cookies: state.cookies,
        jar: Arc::clone(&jar),
    };
    let actor = extensions.get::<Recognised>().and_then(|recognised| recognised.0.clone());
    let caller = Caller::new(state.services.clone(), actor, Arc::new(browser), request.uri.query()).await?;
    Ok((caller, jar))
}

fn kept_key(headers: &HeaderMap) -> Option<String> {
    cookie::read(headers, KEPT).filter(|key| key.len() == 26 && key.is_ascii()).map(str::to_owned)
}

/// Sets the collected cookies.
pub fn set_cookies(jar: &Jar, headers: &mut HeaderMap) {
    for cookie in jar.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        headers.append(axum::http::header::SET_COOKIE, cookie);
    }
}

fn unreadable(error: impl std::fmt::Display) -> Fault {
    tracing::warn!(%error, "a session could not be written");
    Fault::new(
        503,
        "database_unavailable",
        "Try again",
        "the database does not answer just now; try again in a few seconds",
    )
}

impl SessionDoor for Browser {
    fn open(&self, signed_in: SignedIn) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            let address = self.origin.address.as_deref().unwrap_or_default();
            session::open(&self.session, signed_in, address, &self.agent).await.map_err(unreadable)
        })
    }

    fn owes_second_factor(&self) -> BoxFuture<'_, Result<Option<AccountId>, Fault>> {
        Box::pin(async move {
            Ok(match session::shown(&self.session).await.map_err(unreadable)? {
                Some(Shown::Owes(account)) => Some(account),
                _ => None,
            })
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move { self.session.flush().await.map_err(unreadable) })
    }

    fn origin(&self) -> Origin {
        self.origin.clone()
    }

    fn keep(&self, kept: Kept) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            let surroundings = self.services.surroundings();
            let key = random_text(surroundings.entropy.as_ref() as &dyn Entropy, 26);
            let content = serde_json::to_value(&kept).map_err(unreadable)?;
            let until = surroundings.now() + Duration::seconds(i64::from(KEPT_SECONDS));
            self.services.keep_note(&Digest::of(&key), &content, until).await?;
            if let Some(cookie) = self.cookies.set(KEPT, &key, KEPT_SECONDS) {
                self.jar.lock().unwrap_or_else(PoisonError::into_inner).push(cookie);
            }
            Ok(())
        })
    }

    fn take_kept(&self) -> BoxFuture<'_, Result<Option<Kept>, Fault>> {
        Box::pin(async move {
            let Some(key) = &self.kept else { return Ok(None) };
            let content = self.services.take_note(&Digest::of(key)).await?;
            Ok(content.and_then(|content| serde_json::from_value(content).ok()))
        })
    }
}
