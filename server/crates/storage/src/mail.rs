//! Outgoing mail. A letter is a row of the transaction that has reason to send it; a sender claims it under a lease, and it
//! keeps its Message-ID however often it is tried, so that a letter delivered twice shows as one.

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::ids::AccountId;

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// A letter as it was written, and what became of it.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Its number.
    pub id: i64,
    /// Its Message-ID, without brackets.
    pub message_id: String,
    /// What it is about, for example `review_request`.
    pub kind: String,
    /// To whom.
    pub recipient: String,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text_body: String,
    /// The same as HTML.
    pub html_body: String,
    /// A link that is put in when it goes out, sealed.
    pub sealed_link: Option<Vec<u8>>,
    /// The Message-ID that it stands under, without brackets.
    pub thread: Option<String>,
    /// A picture in it, as SVG.
    pub chart: Option<String>,
    /// `queued`, `sent` or `failed`.
    pub state: String,
    /// Attempts begun.
    pub attempt: i32,
    /// When it is tried next.
    pub next_at: DateTime<Utc>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it was accepted.
    pub sent_at: Option<DateTime<Utc>>,
}

impl Record for Mail {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            message_id: row.get("message_id")?,
            kind: row.get("kind")?,
            recipient: row.get("recipient")?,
            subject: row.get("subject")?,
            text_body: row.get("text_body")?,
            html_body: row.get("html_body")?,
            sealed_link: row.get("sealed_link")?,
            thread: row.get("thread")?,
            chart: row.get("chart")?,
            state: row.get("state")?,
            attempt: row.get("attempt")?,
            next_at: row.get("next_at")?,
            last_error: row.get("last_error")?,
            created_at: row.get("created_at")?,
            sent_at: row.get("sent_at")?,
        })
    }
}

/// A letter to be sent.
#[derive(Debug, Clone)]
pub struct NewMail<'a> {
    /// Its Message-ID, without brackets.
    pub message_id: &'a str,
    /// What it is about.
    pub kind: &'a str,
    /// Whose account it goes to, if it is one's.
    pub account: Option<AccountId>,
    /// To whom.
    pub recipient: &'a str,
    /// Its subject.
    pub subject: &'a str,
    /// Its text.
    pub text_body: &'a str,
    /// The same as HTML.
    pub html_body: &'a str,
    /// A link that is put in when it goes out, sealed.
    pub sealed_link: Option<Vec<u8>>,
    /// The Message-ID that it stands under, without brackets.
    pub thread: Option<&'a str>,
    /// A picture in it, as SVG.
    pub chart: Option<&'a str>,
}

/// Puts a letter into the outbox.
///
/// # Errors
/// When the database fails.
pub async fn insert(db: &impl Connection, new: NewMail<'_>, now: DateTime<Utc>) -> Result<i64> {
    const SQL: &str = "insert into mail
            (message_id, kind, account_id, recipient, subject, text_body, html_body, sealed_link, next_at, created_at, thread, chart)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11) returning id";
    let stored = values![
        new.message_id,
        new.kind,
        new.account.map(|account| account.0),
        new.recipient,
        new.subject,
        new.text_body,
        new.html_body,
        new.sealed_link,
        now,
        new.thread,
        new.chart
    ];
    record::one(db, SQL, stored).await
}

/// Claims the next letter that is due and counts the attempt; nobody else sees it until the lease ends, by the database's clock: a
/// server whose own is ahead takes nobody's letter.
///
/// # Errors
/// When the database fails.
pub async fn claim(db: &impl Connection, now: DateTime<Utc>, lease: TimeDelta) -> Result<Option<Mail>> {
    const SQL: &str = "update mail set attempt = attempt + 1, lease_until = now() + $2 * interval '1 second'
        where id = (select id from mail where state = 'queued' and next_at <= $1
                    and (lease_until is null or lease_until <= now())
                    order by next_at, id limit 1 for update skip locked)
        returning *";
    record::optional(db, SQL, values![now, lease.as_seconds_f64()]).await
}

/// Notes that the attempt was accepted; the sealed link is forgotten.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when another attempt was begun meanwhile.
pub async fn sent(db: &impl Connection, mail: &Mail, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "update mail set state = 'sent', sent_at = $3, lease_until = null, last_error = null,
            sealed_link = null
        where id = $1 and attempt = $2 and state = 'queued'";
    record::guarded(db, "the letter", SQL, values![mail.id, mail.attempt, now]).await
}

/// Notes why the attempt failed, and when it is tried again; never again when that is none.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when another attempt was begun meanwhile.
pub async fn failed(db: &impl Connection, mail: &Mail, error: &str, again_at: Option<DateTime<Utc>>) -> Result<()> {
    const SQL: &str = "update mail set last_error = $3, lease_until = null, next_at = coalesce($4, next_at),
            state = case when $4::timestamptz is null then 'failed' else 'queued' end,
            sealed_link = case when $4::timestamptz is null then null else sealed_link end
        where id = $1 and attempt = $2 and state = 'queued'";
    let error: String = error.chars().filter(|c| !c.is_control()).take(500).collect();
    record::guarded(db, "the letter", SQL, values![mail.id, mail.attempt, error, again_at]).await
}

/// Letters, newest first, before an id if given.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &impl Connection, before: Option<i64>, limit: u32) -> Result<Vec<Mail>> {
    const SQL: &str = "select * from mail where ($1::bigint is null or id < $1) order by id desc limit $2";
    record::all(db, SQL, values![before, i64::from(limit)]).await
}

/// One letter.
///
/// # Errors
/// When the database fails.
pub async fn find(db: &impl Connection, id: i64) -> Result<Option<Mail>> {
    record::optional(db, "select * from mail where id = $1", values![id]).await
}

/// How many letters could not be sent, or wait although they were tried, since a moment.
///
/// # Errors
/// When the database fails.
pub async fn count_stuck(db: &impl Connection, since: DateTime<Utc>) -> Result<i64> {
    const SQL: &str = "select count(*) from mail where created_at > $1
        and (state = 'failed' or (state = 'queued' and last_error is not null))";
    record::one(db, SQL, values![since]).await
}

/// Whether somebody was written a letter of this kind since then; whoever asks at once waits for the other's transaction.
///
/// # Errors
/// When the database fails.
pub async fn was_written(db: &impl Connection, kind: &str, to: AccountId, since: DateTime<Utc>) -> Result<bool> {
    const TURN: &str = "select pg_advisory_xact_lock(hashtextextended('mail ' || $1 || ' ' || $2::bigint, 0))";
    const SQL: &str = "select count(*) from mail where kind = $1 and account_id = $2 and created_at > $3";
    record::execute(db, TURN, values![kind, to.0]).await?;
    let written: i64 = record::one(db, SQL, values![kind, to.0, since]).await?;
    Ok(written > 0)
}

/// Tries a letter that failed once more.
///
/// # Errors
/// [`crate::StorageError::Conflict`] unless it failed.
pub async fn try_again(db: &impl Connection, id: i64, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "update mail set state = 'queued', next_at = $2 where id = $1 and state = 'failed'";
    record::guarded(db, "the letter", SQL, values![id, now]).await
}
