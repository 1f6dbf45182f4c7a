//! Sessions: only the hash of an id is stored, and a session ends by `revoked_at`, so a request in flight cannot bring it
//! back.

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::ids::AccountId;

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// An open session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Whose.
    pub account: AccountId,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Last request, to the minute.
    pub last_seen_at: DateTime<Utc>,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
}

impl Record for Session {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            account: AccountId(row.get("account_id")?),
            created_at: row.get("created_at")?,
            last_seen_at: row.get("last_seen_at")?,
            expires_at: row.get("expires_at")?,
        })
    }
}

/// Opens a session.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    db: &impl Connection,
    id_hash: &Digest,
    account: AccountId,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "insert into login_session (id_hash, account_id, created_at, last_seen_at, expires_at)
        values ($1, $2, $3, $3, $4)";
    record::execute(db, SQL, values![record::bytes(id_hash), account.0, now, expires_at]).await.map(|_| ())
}

/// The session of that id, if it is open: not revoked, not expired, seen since `idle_since`, its account not disabled.
///
/// # Errors
/// When the database fails.
pub async fn find(
    db: &impl Connection,
    id_hash: &Digest,
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
) -> Result<Option<Session>> {
    const SQL: &str = "select s.* from login_session s join account a on a.id = s.account_id
        where s.id_hash = $1 and s.revoked_at is null and s.expires_at > $2 and s.last_seen_at > $3
          and a.disabled_at is null";
    record::optional(db, SQL, values![record::bytes(id_hash), now, idle_since]).await
}

/// Notes a request, at most once a minute.
///
/// # Errors
/// When the database fails.
pub async fn touch(db: &impl Connection, id_hash: &Digest, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "update login_session set last_seen_at = $2
        where id_hash = $1 and revoked_at is null and last_seen_at < $2 - interval '1 minute'";
    record::execute(db, SQL, values![record::bytes(id_hash), now]).await.map(|_| ())
}

/// Ends a session.
///
/// # Errors
/// When the database fails.
pub async fn revoke(db: &impl Connection, id_hash: &Digest, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "update login_session set revoked_at = $2 where id_hash = $1 and revoked_at is null";
    record::execute(db, SQL, values![record::bytes(id_hash), now]).await.map(|_| ())
}

/// Ends all sessions of an account.
///
/// # Errors
/// When the database fails.
pub async fn revoke_all(db: &impl Connection, account: AccountId, now: DateTime<Utc>) -> Result<u64> {
    const SQL: &str = "update login_session set revoked_at = $2 where account_id = $1 and revoked_at is null";
    record::execute(db, SQL, values![account.0, now]).await
}
