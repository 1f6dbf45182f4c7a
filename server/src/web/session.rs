//! Sessions in Postgres. Only the SHA-256 of an id is stored. Nothing that changes is kept in a session, so two
//! requests at once lose nothing, and saving only ever updates an open row: a request in flight cannot bring a session
//! back that signing out has ended.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::fault::Fault;
use millrace_domain::ids::AccountId;
use millrace_services::sessions::{IDLE, LONGEST};
use millrace_services::{Presented, Services, SignedIn};
use millrace_storage::session;
use serde_json::json;
use tower_sessions::cookie::SameSite;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};
use tower_sessions::{Expiry, Session, SessionManagerLayer, SessionStore};

use crate::config::Web;
use crate::web::cookie::Cookies;

/// Keys in a session's data. They come from its row and are never written back.
const NUMBER: &str = "number";
const ACCOUNT: &str = "account";
const OWES: &str = "owes_second_factor";
const CONFIRMED: &str = "confirmed_at";
/// The id of a session that has just been opened.
const OPENED: &str = "opened";

/// What a request's session says.
#[derive(Debug, Clone, Copy)]
pub enum Shown {
    /// Somebody is signed in.
    Open(Presented),
    /// Somebody showed the right password and still owes the second factor: nobody is signed in.
    Owes(Presented),
}

/// What the session of a request says; none without one.
///
/// # Errors
/// When the database fails.
pub async fn shown(session: &Session) -> std::result::Result<Option<Shown>, tower_sessions::session::Error> {
    let Some(account) = session.get::<i64>(ACCOUNT).await?.map(AccountId) else { return Ok(None) };
    let number = session.get::<i64>(NUMBER).await?.unwrap_or_default();
    let confirmed_at = session.get::<Option<DateTime<Utc>>>(CONFIRMED).await?.flatten();
    let presented = Presented { session: number, account, confirmed_at };
    let owes = session.get(OWES).await?.unwrap_or(false);
    Ok(Some(if owes { Shown::Owes(presented) } else { Shown::Open(presented) }))
}

/// What a browser calls itself.
pub fn agent(headers: &HeaderMap) -> &str {
    headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default()
}

/// Opens a session under a new id. What was signed in before ends, and the id that came with the request is never taken over.
///
/// # Errors
/// 401 when what it was judged by has ended meanwhile, 503 when the database fails.
pub async fn open(
    services: &Services,
    session: &Session,
    signed_in: SignedIn,
    address: &str,
    agent: &str,
) -> std::result::Result<(), Fault> {
    let id = Id(i128::from_be_bytes(services.surroundings().bytes()));
    services.open_session(&hash(&id), signed_in, address, agent).await?;
    let carried = async {
        session.flush().await?;
        session.insert(OPENED, id.to_string()).await?;
        session.save().await
    };
    carried.await.map_err(unwritten)
}

/// What a caller is told when a session cannot be written.
pub fn unwritten(error: impl std::fmt::Display) -> Fault {
    tracing::warn!(%error, "a session could not be written");
    Fault::new(
        503,
        "database_unavailable",
        "Try again",
        "the database does not answer just now; try again in a few seconds",
    )
}

/// The store.
#[derive(Debug, Clone)]
pub struct Store {
    services: Services,
    /// Whether being read keeps a session from ending for want of use.
    touches: bool,
}

/// The session of that id as it is now; reading it does not keep it open.
pub fn read_anew(services: &Services, id: Id) -> Session {
    Session::new(Some(id), Arc::new(Store { services: services.clone(), touches: false }), None)
}

/// The layer that reads and sets the cookie.
pub fn layer(services: Services, web: &Web) -> SessionManagerLayer<Store> {
    let cookies = Cookies { secure: web.is_secure() };
    SessionManagerLayer::new(Store { services, touches: true })
        .with_name(cookies.session_name())
        .with_secure(cookies.secure)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(tower_sessions::cookie::time::Duration::days(LONGEST.num_days())))
}

fn hash(id: &Id) -> Digest {
    Digest::of(id.to_string())
}

fn backend(error: impl std::fmt::Display) -> Error {
    Error::Backend(error.to_string())
}

impl Store {
    fn now(&self) -> DateTime<Utc> {
        self.services.surroundings().now()
    }
}

#[async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> Result<()> {
        // The row is there; the record takes its id, whatever id came with the request.
        let opened = record.data.get(OPENED).and_then(serde_json::Value::as_str).and_then(|id| id.parse().ok());
        record.id = opened.ok_or_else(|| backend("a session belongs to somebody who was signed in"))?;
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        session::touch(self.services.db().pool(), &hash(&record.id), self.now()).await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let pool = self.services.db().pool();
        let now = self.now();
        let Some(found) = session::find(pool, &hash(id), now, now - IDLE).await.map_err(backend)? else {
            return Ok(None);
        };
        if self.touches {
            session::touch(pool, &hash(id), now).await.map_err(backend)?;
        }
        let expiry_date =
            tower_sessions::cookie::time::OffsetDateTime::from_unix_timestamp(found.expires_at.timestamp())
                .map_err(backend)?;
        let data = HashMap::from([
            (NUMBER.to_owned(), json!(found.id)),
            (ACCOUNT.to_owned(), json!(found.account.0)),
            (OWES.to_owned(), json!(found.owes_second_factor)),
            (CONFIRMED.to_owned(), json!(found.confirmed_at)),
        ]);
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        session::revoke(self.services.db().pool(), &hash(id), self.now()).await.map_err(backend)
    }
}
