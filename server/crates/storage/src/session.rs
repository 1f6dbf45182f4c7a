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
    /// Its number; no secret.
    pub id: i64,
    /// Whose.
    pub account: AccountId,
    /// Whether the second factor is still owed: such a session is good for nothing else.
    pub owes_second_factor: bool,
    /// Network address it was opened from.
    pub address: String,
    /// What the browser calls itself.
    pub agent: String,
    /// When the person last showed the password (and the second factor, if they have one).
    pub confirmed_at: Option<DateTime<Utc>>,
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
            id: row.get("id")?,
            account: AccountId(row.get("account_id")?),
            owes_second_factor: row.get::<String>("stage")? == "second_factor",
            address: row.get("address")?,
            agent: row.get("agent")?,
            confirmed_at: row.get("confirmed_at")?,
            created_at: row.get("created_at")?,
            last_seen_at: row.get("last_seen_at")?,
            expires_at: row.get("expires_at")?,
        })
    }
}

/// A session to be opened.
#[derive(Debug, Clone)]
pub struct NewSession<'a> {
    /// Whose.
    pub account: AccountId,
    /// Whether the second factor is still owed.
    pub owes_second_factor: bool,
    /// Network address it is opened from.
    pub address: &'a str,
    /// What the browser calls itself, at most 300 characters of it.
    pub agent: &'a str,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
    /// The account's generation when the sign-in was judged.
    pub generation: i64,
    /// The session that it takes the place of.
    pub in_place_of: Option<i64>,
}

/// Opens a session and ends the one that it takes the place of; says whether it did. It does not when that one has ended
/// meanwhile, when all sessions of the account have, or when the account may not sign in any more.
///
/// # Errors
/// When the database fails.
pub async fn insert(db: &impl Connection, id_hash: &Digest, new: &NewSession<'_>, now: DateTime<Utc>) -> Result<bool> {
    const SQL: &str = "with held as (
            select id from account where id = $2 and generation = $8 and disabled_at is null for share),
        ended as (
            update login_session s set revoked_at = $3 from held
            where s.id = $9 and s.account_id = held.id and s.revoked_at is null and s.expires_at > $3 returning s.id)
        insert into login_session
            (id_hash, account_id, created_at, last_seen_at, expires_at, stage, address, agent, confirmed_at)
        select $1, held.id, $3, $3, $4, $5, $6, $7, case when $5 = 'open' then $3 end
        from held where $9::bigint is null or exists (select 1 from ended)";
    let stage = if new.owes_second_factor { "second_factor" } else { "open" };
    let stored = values![
        record::bytes(id_hash),
        new.account.0,
        now,
        new.expires_at,
        stage,
        new.address,
        new.agent.chars().take(300).collect::<String>(),
        new.generation,
        new.in_place_of
    ];
    Ok(record::execute(db, SQL, stored).await? == 1)
}

/// Holds the session of that number until the transaction ends: whoever ends it waits, or came first. Says whether it is open.
///
/// # Errors
/// When the database fails.
pub async fn hold(db: &impl Connection, id: i64, account: AccountId, now: DateTime<Utc>) -> Result<bool> {
    const SQL: &str = "select id from login_session
        where id = $1 and account_id = $2 and stage = 'open' and revoked_at is null and expires_at > $3 for share";
    Ok(!record::all::<i64>(db, SQL, values![id, account.0, now]).await?.is_empty())
}

/// The open sessions of an account, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    db: &impl Connection,
    account: AccountId,
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
) -> Result<Vec<Session>> {
    const SQL: &str = "select * from login_session where account_id = $1 and revoked_at is null and stage = 'open'
        and expires_at > $2 and last_seen_at > $3 order by id desc limit 200";
    record::all(db, SQL, values![account.0, now, idle_since]).await
}

/// Ends one session of an account by its number; one of somebody else is as good as none.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when the account has no such open session.
pub async fn revoke_numbered(db: &impl Connection, account: AccountId, id: i64, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "update login_session set revoked_at = $3
        where account_id = $1 and id = $2 and revoked_at is null";
    record::guarded(db, "the session", SQL, values![account.0, id, now]).await
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

/// Ends all sessions of an account; sign-ins that are under way open none.
///
/// # Errors
/// When the database fails.
pub async fn revoke_all(db: &impl Connection, account: AccountId, now: DateTime<Utc>) -> Result<u64> {
    record::execute(db, "update account set generation = generation + 1 where id = $1", values![account.0]).await?;
    const SQL: &str = "update login_session set revoked_at = $2 where account_id = $1 and revoked_at is null";
    record::execute(db, SQL, values![account.0, now]).await
}
