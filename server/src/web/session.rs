//! Sessions in Postgres. Only the SHA-256 of an id is stored. Nothing mutable is kept in a session but whose it is, so two
//! requests at once lose nothing, and saving only ever updates an open row: a request in flight cannot bring a session
//! back that signing out has ended.

use std::collections::HashMap;

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use millrace_domain::Digest;
use millrace_domain::ids::AccountId;
use millrace_services::Services;
use millrace_storage::session;
use tower_sessions::cookie::SameSite;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};
use tower_sessions::{Expiry, SessionManagerLayer, SessionStore};

use crate::config::Web;
use crate::web::cookie::Cookies;

/// Key of the account in a session's data.
pub const ACCOUNT: &str = "account";
/// A session that is not used for so long ends.
const IDLE: Duration = Duration::hours(12);
/// A session ends after so long however it is used.
const LONGEST: Duration = Duration::days(7);

/// The store.
#[derive(Debug, Clone)]
pub struct Store {
    services: Services,
}

/// The layer that reads and sets the cookie.
pub fn layer(services: Services, web: &Web) -> SessionManagerLayer<Store> {
    let cookies = Cookies { secure: web.is_secure() };
    SessionManagerLayer::new(Store { services })
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
        let account = record.data.get(ACCOUNT).and_then(serde_json::Value::as_i64);
        let account = account.ok_or_else(|| backend("a session belongs to an account"))?;
        let now = self.now();
        let pool = self.services.db().pool();
        session::insert(pool, &hash(&record.id), AccountId(account), now, now + LONGEST).await.map_err(backend)
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
        session::touch(pool, &hash(id), now).await.map_err(backend)?;
        let expiry_date =
            tower_sessions::cookie::time::OffsetDateTime::from_unix_timestamp(found.expires_at.timestamp())
                .map_err(backend)?;
        let data = HashMap::from([(ACCOUNT.to_owned(), serde_json::json!(found.account.0))]);
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        session::revoke(self.services.db().pool(), &hash(id), self.now()).await.map_err(backend)
    }
}
