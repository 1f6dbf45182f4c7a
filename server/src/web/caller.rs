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
use millrace_services::{Presented, Services, SignedIn};
use serde::{Deserialize, Serialize};
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

/// What waits for the next page, and of whom.
#[derive(Serialize, Deserialize)]
struct Left {
    of: Option<AccountId>,
    kept: Kept,
}

/// The browser's session.
struct Browser {
    services: Services,
    session: Session,
    /// Whose, when somebody is signed in.
    account: Option<AccountId>,
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
    let actor = extensions.get::<Recognised>().and_then(|recognised| recognised.0.as_deref().cloned());
    let browser = Browser {
        services: state.services.clone(),
        session: extensions.get::<Session>().cloned().ok_or_else(Fault::unauthenticated)?,
        account: actor.as_ref().map(|actor| actor.account),
        origin: guard::origin(request),
        agent: session::agent(&request.headers).to_owned(),
        kept: kept_key(&request.headers),
        cookies: state.cookies,
        jar: Arc::clone(&jar),
    };
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

impl SessionDoor for Browser {
    fn open(&self, signed_in: SignedIn) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            let address = self.origin.address.as_deref().unwrap_or_default();
            session::open(&self.services, &self.session, signed_in, address, &self.agent).await
        })
    }

    fn owes_second_factor(&self) -> BoxFuture<'_, Result<Option<Presented>, Fault>> {
        Box::pin(async move {
            Ok(match session::shown(&self.session).await.map_err(session::unwritten)? {
                Some(Shown::Owes(presented)) => Some(presented),
                _ => None,
            })
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            // What waits for the next page of this person is for nobody else.
            self.take_kept().await?;
            self.session.flush().await.map_err(session::unwritten)
        })
    }

    fn origin(&self) -> Origin {
        self.origin.clone()
    }

    fn keep(&self, kept: Kept) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            let surroundings = self.services.surroundings();
            let key = random_text(surroundings.entropy.as_ref() as &dyn Entropy, 26);
            let left = Left { of: self.account, kept };
            let content = serde_json::to_value(&left).map_err(session::unwritten)?;
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
            let left = content.and_then(|content| serde_json::from_value::<Left>(content).ok());
            Ok(left.filter(|left| left.of.is_none() || left.of == self.account).map(|left| left.kept))
        })
    }
}
