//! What is kept for a caller to come back: answers under an `Idempotency-Key`, so that a repeated POST creates once, and
//! notes that the next page shows once.

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::ids::AccountId;

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// A kept answer.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Digest of the request it answers.
    pub request: Digest,
    /// HTTP status; 0 while the request is under way.
    pub status: u16,
    /// JSON body.
    pub response: serde_json::Value,
    /// When the request began.
    pub since: DateTime<Utc>,
}

impl Record for Kept {
    fn read(row: &Row) -> Result<Self> {
        let status: i32 = row.get("status")?;
        Ok(Self {
            request: row.digest("request_hash")?,
            status: u16::try_from(status).unwrap_or(500),
            response: row.get("response")?,
            since: row.get("created_at")?,
        })
    }
}

/// The answer kept under a key.
///
/// # Errors
/// When the database fails.
pub async fn find(db: &impl Connection, account: AccountId, key: &str) -> Result<Option<Kept>> {
    const SQL: &str = "select * from idempotency where account_id = $1 and key = $2";
    record::optional(db, SQL, values![account.0, key]).await
}

/// Takes a key for a request that begins now; says whether it was free.
///
/// # Errors
/// When the database fails.
pub async fn take_key(
    db: &impl Connection,
    account: AccountId,
    key: &str,
    request: &Digest,
    now: DateTime<Utc>,
) -> Result<bool> {
    const SQL: &str = "insert into idempotency (account_id, key, request_hash, status, response, created_at)
        values ($1, $2, $3, 0, 'null', $4)
        on conflict (account_id, key) do nothing";
    Ok(record::execute(db, SQL, values![account.0, key, record::bytes(request), now]).await? == 1)
}

/// Keeps the answer of the request under way.
///
/// # Errors
/// When the database fails.
pub async fn answer(
    db: &impl Connection,
    account: AccountId,
    key: &str,
    request: &Digest,
    status: u16,
    response: &serde_json::Value,
) -> Result<()> {
    const SQL: &str = "update idempotency set status = $4, response = $5
        where account_id = $1 and key = $2 and request_hash = $3 and status = 0";
    let stored = values![account.0, key, record::bytes(request), i32::from(status), response.clone()];
    record::execute(db, SQL, stored).await.map(|_| ())
}

/// Frees the key of a request that came to nothing.
///
/// # Errors
/// When the database fails.
pub async fn free_key(db: &impl Connection, account: AccountId, key: &str) -> Result<()> {
    const SQL: &str = "delete from idempotency where account_id = $1 and key = $2 and status = 0";
    record::execute(db, SQL, values![account.0, key]).await.map(|_| ())
}

/// Forgets the keys of requests that began before a time.
///
/// # Errors
/// When the database fails.
pub async fn forget_answers(db: &impl Connection, before: DateTime<Utc>) -> Result<()> {
    record::execute(db, "delete from idempotency where created_at < $1", values![before]).await.map(|_| ())
}

/// Keeps a note for whoever has the key, until it is taken or its time is over; a note of the same key is replaced.
///
/// # Errors
/// When the database fails.
pub async fn keep_note(
    db: &impl Connection,
    key: &Digest,
    content: &serde_json::Value,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    record::execute(db, "delete from kept_note where expires_at < $1", values![now]).await?;
    const SQL: &str = "insert into kept_note (key_hash, content, expires_at) values ($1, $2, $3)
        on conflict (key_hash) do update set content = excluded.content, expires_at = excluded.expires_at";
    record::execute(db, SQL, values![record::bytes(key), content.clone(), until]).await.map(|_| ())
}

/// Takes a note out.
///
/// # Errors
/// When the database fails.
pub async fn take_note(db: &impl Connection, key: &Digest, now: DateTime<Utc>) -> Result<Option<serde_json::Value>> {
    struct Note(serde_json::Value);
    impl Record for Note {
        fn read(row: &Row) -> Result<Self> {
            row.get("content").map(Self)
        }
    }
    const SQL: &str = "delete from kept_note where key_hash = $1 and expires_at > $2 returning content";
    Ok(record::optional::<Note>(db, SQL, values![record::bytes(key), now]).await?.map(|note| note.0))
}
