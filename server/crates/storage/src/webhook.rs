//! What webhooks are told. A message is a row of the transaction that has reason to send it; a sender claims it under a lease, and it keeps
//! its id however often it is tried, so that a receiver knows one that it has had.

use chrono::{DateTime, Utc};
use sea_orm::prelude::Uuid;

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// A message to a webhook, and what became of it.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its number.
    pub id: i64,
    /// What the receiver knows it by.
    pub uid: Uuid,
    /// The name of the webhook.
    pub webhook: String,
    /// What it is about, for example `alert.firing`.
    pub kind: String,
    /// What is sent, as it is signed.
    pub body: String,
    /// `queued`, `sent` or `failed`.
    pub state: String,
    /// Attempts begun.
    pub attempt: i32,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it was taken.
    pub sent_at: Option<DateTime<Utc>>,
}

impl Record for Message {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            uid: row.get("uid")?,
            webhook: row.get("webhook")?,
            kind: row.get("kind")?,
            body: row.get("body")?,
            state: row.get("state")?,
            attempt: row.get("attempt")?,
            last_error: row.get("last_error")?,
            created_at: row.get("created_at")?,
            sent_at: row.get("sent_at")?,
        })
    }
}

/// Puts a message into the outbox.
///
/// # Errors
/// When the database fails.
pub async fn insert(db: &impl Connection, webhook: &str, kind: &str, body: &str, now: DateTime<Utc>) -> Result<i64> {
    const SQL: &str = "insert into webhook_message (webhook, kind, body, next_at, created_at)
        values ($1, $2, $3, $4, $4) returning id";
    record::one(db, SQL, values![webhook, kind, body, now]).await
}

/// Claims the next message that is due and counts the attempt; nobody else sees it until the lease ends. Messages to one webhook that are
/// about the same thing go out in their order only as far as none of them fails.
///
/// # Errors
/// When the database fails.
pub async fn claim(db: &impl Connection, now: DateTime<Utc>, lease_until: DateTime<Utc>) -> Result<Option<Message>> {
    const SQL: &str = "update webhook_message set attempt = attempt + 1, lease_until = $2
        where id = (select id from webhook_message where state = 'queued' and next_at <= $1
                    and (lease_until is null or lease_until <= $1)
                    order by next_at, id limit 1 for update skip locked)
        returning *";
    record::optional(db, SQL, values![now, lease_until]).await
}

/// Notes that the attempt was taken.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when another attempt was begun meanwhile.
pub async fn sent(db: &impl Connection, message: &Message, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "update webhook_message set state = 'sent', sent_at = $3, lease_until = null, last_error = null
        where id = $1 and attempt = $2 and state = 'queued'";
    record::guarded(db, "the message", SQL, values![message.id, message.attempt, now]).await
}

/// Notes why the attempt failed, and when it is tried again; never again when that is none.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when another attempt was begun meanwhile.
pub async fn failed(
    db: &impl Connection,
    message: &Message,
    error: &str,
    again_at: Option<DateTime<Utc>>,
) -> Result<()> {
    const SQL: &str = "update webhook_message set last_error = $3, lease_until = null, next_at = coalesce($4, next_at),
            state = case when $4::timestamptz is null then 'failed' else 'queued' end
        where id = $1 and attempt = $2 and state = 'queued'";
    let error: String = error.chars().filter(|c| !c.is_control()).take(500).collect();
    record::guarded(db, "the message", SQL, values![message.id, message.attempt, error, again_at]).await
}

/// The newest messages, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &impl Connection, limit: u32) -> Result<Vec<Message>> {
    record::all(db, "select * from webhook_message order by id desc limit $1", values![i64::from(limit)]).await
}

/// How many messages could not be sent, or wait although they were tried, since a moment.
///
/// # Errors
/// When the database fails.
pub async fn count_stuck(db: &impl Connection, since: DateTime<Utc>) -> Result<i64> {
    const SQL: &str = "select count(*) from webhook_message where created_at > $1
        and (state = 'failed' or (state = 'queued' and last_error is not null))";
    record::one(db, SQL, values![since]).await
}
