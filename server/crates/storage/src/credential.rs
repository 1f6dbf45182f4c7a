//! What people show besides a password: second factors, recovery codes, one-time links, the set-up code; and the count of what
//! was shown wrongly.

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::ids::AccountId;

use crate::Result;
use crate::database::{Connection, Transaction};
use crate::record::{self, Record, Row, values};

/// Keeps the sealed secret of a second factor that is being set up, or takes the second factor away.
///
/// # Errors
/// When the database fails.
pub async fn set_totp(db: &impl Connection, id: AccountId, sealed: Option<Vec<u8>>) -> Result<()> {
    const SQL: &str = "update account set totp_sealed = $2, totp_since = null, totp_step = 0 where id = $1";
    record::guarded(db, "the account", SQL, values![id.0, sealed]).await
}

/// Takes the code of a time step, which is never taken twice; from the first one on the second factor is asked for.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when that step or a later one was taken already.
pub async fn take_totp_step(db: &impl Connection, id: AccountId, step: i64, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "update account set totp_step = $2, totp_since = coalesce(totp_since, $3)
        where id = $1 and totp_sealed is not null and totp_step < $2";
    record::guarded(db, "the second factor", SQL, values![id.0, step, now]).await
}

/// Replaces the recovery codes.
///
/// # Errors
/// When the database fails.
pub async fn set_recovery_codes(db: &impl Connection, id: AccountId, hashes: &[Digest]) -> Result<()> {
    record::execute(db, "delete from recovery_code where account_id = $1", values![id.0]).await?;
    for hash in hashes {
        const SQL: &str = "insert into recovery_code (account_id, code_hash) values ($1, $2)";
        record::execute(db, SQL, values![id.0, record::bytes(hash)]).await?;
    }
    Ok(())
}

/// Uses a recovery code up; false when it is unknown or used.
///
/// # Errors
/// When the database fails.
pub async fn use_recovery_code(db: &impl Connection, id: AccountId, hash: &Digest, now: DateTime<Utc>) -> Result<bool> {
    const SQL: &str = "update recovery_code set used_at = $3
        where account_id = $1 and code_hash = $2 and used_at is null";
    Ok(record::execute(db, SQL, values![id.0, record::bytes(hash), now]).await? == 1)
}

/// How many recovery codes are left.
///
/// # Errors
/// When the database fails.
pub async fn count_recovery_codes(db: &impl Connection, id: AccountId) -> Result<i64> {
    record::one(db, "select count(*) from recovery_code where account_id = $1 and used_at is null", values![id.0]).await
}

/// What a one-time link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPurpose {
    /// Taking up an invitation.
    Invite,
    /// Setting a new password.
    Reset,
}

impl LinkPurpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Reset => "reset",
        }
    }
}

/// Keeps a one-time link by the hash of its code.
///
/// # Errors
/// When the database fails.
pub async fn insert_link(
    db: &impl Connection,
    id: AccountId,
    purpose: LinkPurpose,
    code_hash: &Digest,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "insert into mail_link (code_hash, purpose, account_id, created_at, expires_at)
        values ($1, $2, $3, $4, $5)";
    let stored = values![record::bytes(code_hash), purpose.as_str(), id.0, now, expires_at];
    record::execute(db, SQL, stored).await.map(|_| ())
}

/// Ends the open links of an account.
///
/// # Errors
/// When the database fails.
pub async fn end_links(db: &impl Connection, id: AccountId, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "update mail_link set used_at = $2 where account_id = $1 and used_at is null";
    record::execute(db, SQL, values![id.0, now]).await.map(|_| ())
}

/// Whose link it is, open or run out, but not used; for showing the page of it.
///
/// # Errors
/// When the database fails.
pub async fn find_link(
    db: &impl Connection,
    purpose: LinkPurpose,
    code_hash: &Digest,
) -> Result<Option<(AccountId, DateTime<Utc>)>> {
    struct Found(AccountId, DateTime<Utc>);
    impl Record for Found {
        fn read(row: &Row) -> Result<Self> {
            Ok(Self(AccountId(row.get("account_id")?), row.get("expires_at")?))
        }
    }
    const SQL: &str = "select account_id, expires_at from mail_link
        where code_hash = $1 and purpose = $2 and used_at is null";
    let found: Option<Found> = record::optional(db, SQL, values![record::bytes(code_hash), purpose.as_str()]).await?;
    Ok(found.map(|Found(id, expires_at)| (id, expires_at)))
}

/// Uses a link up; whose it was, or none when it is unknown, used or run out.
///
/// # Errors
/// When the database fails.
pub async fn use_link(
    db: &impl Connection,
    purpose: LinkPurpose,
    code_hash: &Digest,
    now: DateTime<Utc>,
) -> Result<Option<AccountId>> {
    const SQL: &str = "update mail_link set used_at = $3
        where code_hash = $1 and purpose = $2 and used_at is null and expires_at > $3 returning account_id";
    let id: Option<i64> = record::optional(db, SQL, values![record::bytes(code_hash), purpose.as_str(), now]).await?;
    Ok(id.map(AccountId))
}

/// Keeps a set-up code by its hash.
///
/// # Errors
/// When the database fails.
pub async fn insert_setup_code(
    db: &impl Connection,
    code_hash: &Digest,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "insert into setup_code (code_hash, created_at, expires_at) values ($1, $2, $3)";
    record::execute(db, SQL, values![record::bytes(code_hash), now, expires_at]).await.map(|_| ())
}

/// Whether the code could be used now.
///
/// # Errors
/// When the database fails.
pub async fn setup_code_is_open(db: &impl Connection, code_hash: &Digest, now: DateTime<Utc>) -> Result<bool> {
    const SQL: &str = "select count(*) from setup_code where code_hash = $1 and used_at is null and expires_at > $2";
    Ok(record::one::<i64>(db, SQL, values![record::bytes(code_hash), now]).await? > 0)
}

/// Uses a set-up code up; false when it is unknown, used or expired.
///
/// # Errors
/// When the database fails.
pub async fn use_setup_code(db: &impl Connection, code_hash: &Digest, now: DateTime<Utc>) -> Result<bool> {
    const SQL: &str = "update setup_code set used_at = $2
        where code_hash = $1 and used_at is null and expires_at > $2";
    Ok(record::execute(db, SQL, values![record::bytes(code_hash), now]).await? == 1)
}

/// Counts an attempt of a subject before it is made and gives its number; none when the subject has had `limit` of them since a
/// moment. Attempts of one subject are counted one after another until the transaction ends, so that a crowd gets no more than
/// the limit.
///
/// # Errors
/// When the database fails.
pub async fn count_attempt(
    tx: &Transaction,
    subject: &str,
    limit: i64,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<i64>> {
    record::execute(tx, "select pg_advisory_xact_lock(hashtextextended($1, 0))", values![subject]).await?;
    const SQL: &str = "insert into sign_in_failure (subject, failed_at) select $1, $4
        where (select count(*) from sign_in_failure where subject = $1 and failed_at > $3) < $2 returning id";
    record::optional(tx, SQL, values![subject, limit, since, now]).await
}

/// Takes counted attempts back: they were good.
///
/// # Errors
/// When the database fails.
pub async fn take_back(db: &impl Connection, attempts: &[i64]) -> Result<()> {
    const SQL: &str =
        "delete from sign_in_failure where id in (select value::bigint from jsonb_array_elements_text($1))";
    record::execute(db, SQL, values![serde_json::json!(attempts)]).await.map(|_| ())
}

/// Forgets failed sign-ins before a moment.
///
/// # Errors
/// When the database fails.
pub async fn forget_failures(db: &impl Connection, before: DateTime<Utc>) -> Result<u64> {
    record::execute(db, "delete from sign_in_failure where failed_at < $1", values![before]).await
}
