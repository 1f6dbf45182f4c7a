//! What webhooks are told. A message is a row of the transaction that has reason to send it; a sender claims it under a lease, and it keeps
//! its id however often it is tried, so that a receiver knows one that it has had.

use chrono::{DateTime, TimeDelta, Utc};
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

/// Puts a message into the outbox; those to one webhook about one subject go out in their order.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    db: &impl Connection,
    webhook: &str,
    kind: &str,
    subject: &str,
    body: &str,
    now: DateTime<Utc>,
) -> Result<i64> {
    const SQL: &str = "insert into webhook_message (webhook, kind, subject, body, next_at, created_at)
        values ($1, $2, $3, $4, $5, $5) returning id";
    record::one(db, SQL, values![webhook, kind, subject, body, now]).await
}

/// Claims the next message to a webhook that is due and counts the attempt; nobody else sees it until the lease ends, by the database's clock. One waits as long as
/// an earlier one about the same thing does.
///
/// # Errors
/// When the database fails.
pub async fn claim(
    db: &impl Connection,
    webhook: &str,
    now: DateTime<Utc>,
    lease: TimeDelta,
) -> Result<Option<Message>> {
    const SQL: &str = "update webhook_message set attempt = attempt + 1, lease_until = now() + $2 * interval '1 second'
        where id = (select m.id from webhook_message m
                    where m.webhook = $3 and m.state = 'queued' and m.next_at <= $1
                        and (m.lease_until is null or m.lease_until <= now())
                        and not exists (select from webhook_message e where e.webhook = m.webhook
                            and e.subject = m.subject and e.state = 'queued' and e.id < m.id)
                    order by m.next_at, m.id limit 1 for update of m skip locked)
        returning *";
    record::optional(db, SQL, values![now, lease.as_seconds_f64(), webhook]).await
}

/// Gives up what was written before a moment and is still not sent.
///
/// # Errors
/// When the database fails.
pub async fn give_up(db: &impl Connection, before: DateTime<Utc>) -> Result<u64> {
    const SQL: &str = "update webhook_message set state = 'failed', lease_until = null,
            last_error = coalesce(last_error, 'no server that knows the webhook sent it in time')
        where state = 'queued' and created_at < $1";
    record::execute(db, SQL, values![before]).await
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
        and (state = 'failed' or (state = 'queued' and (last_error is not null or created_at < now() - interval '10 minutes')))";
    record::one(db, SQL, values![since]).await
}
