//! API tokens: only the hash is stored.

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::ids::AccountId;
use millrace_domain::policy::Scope;

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// A token as its owner sees it.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its id.
    pub id: i64,
    /// Whose.
    pub account: AccountId,
    /// What it is for.
    pub name: String,
    /// The first characters, to tell tokens apart.
    pub prefix: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Until when.
    pub expires_at: DateTime<Utc>,
    /// Last use, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Since when it is dead.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl Record for Token {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            account: AccountId(row.get("account_id")?),
            name: row.get("name")?,
            prefix: row.get("prefix")?,
            scopes: row.json("scopes")?,
            created_at: row.get("created_at")?,
            expires_at: row.get("expires_at")?,
            last_used_at: row.get("last_used_at")?,
            revoked_at: row.get("revoked_at")?,
        })
    }
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken<'a> {
    /// Whose.
    pub account: AccountId,
    /// What it is for.
    pub name: &'a str,
    /// SHA-256 of the secret.
    pub hash: Digest,
    /// The first characters.
    pub prefix: &'a str,
    /// What it may be used for.
    pub scopes: &'a [Scope],
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// Keeps a token.
///
/// # Errors
/// When the database fails.
pub async fn insert(db: &impl Connection, token: NewToken<'_>, now: DateTime<Utc>) -> Result<i64> {
    const SQL: &str = "insert into api_token (account_id, name, token_hash, prefix, scopes, created_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7) returning id";
    let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
    let stored = values![
        token.account.0,
        token.name,
        record::bytes(&token.hash),
        token.prefix,
        serde_json::json!(scopes),
        now,
        token.expires_at
    ];
    record::one(db, SQL, stored).await
}

/// The token of that hash, if it may be used now; notes the use, at most once a minute.
///
/// # Errors
/// When the database fails.
pub async fn find_usable(db: &impl Connection, hash: &Digest, now: DateTime<Utc>) -> Result<Option<Token>> {
    const SQL: &str = "select t.* from api_token t join account a on a.id = t.account_id
        where t.token_hash = $1 and t.revoked_at is null and t.expires_at > $2 and a.disabled_at is null";
    let found: Option<Token> = record::optional(db, SQL, values![record::bytes(hash), now]).await?;
    if let Some(token) = &found {
        const TOUCH: &str = "update api_token set last_used_at = $2
            where id = $1 and (last_used_at is null or last_used_at < $2 - interval '1 minute')";
        record::execute(db, TOUCH, values![token.id, now]).await?;
    }
    Ok(found)
}

/// Holds the token of that number until the transaction ends: whoever revokes it waits, or came first. Says whether it is good.
///
/// # Errors
/// When the database fails.
pub async fn hold(db: &impl Connection, id: i64, account: AccountId, now: DateTime<Utc>) -> Result<bool> {
    const SQL: &str = "select id from api_token
        where id = $1 and account_id = $2 and revoked_at is null and expires_at > $3 for share";
    Ok(!record::all::<i64>(db, SQL, values![id, account.0, now]).await?.is_empty())
}

/// Ends all tokens of an account.
///
/// # Errors
/// When the database fails.
pub async fn revoke_all(db: &impl Connection, account: AccountId, now: DateTime<Utc>) -> Result<u64> {
    const SQL: &str = "update api_token set revoked_at = $2 where account_id = $1 and revoked_at is null";
    record::execute(db, SQL, values![account.0, now]).await
}

/// The tokens of an account, newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &impl Connection, account: AccountId) -> Result<Vec<Token>> {
    const SQL: &str = "select * from api_token where account_id = $1 order by id desc limit 200";
    record::all(db, SQL, values![account.0]).await
}

/// Ends a token of that account; a token of somebody else is as good as none.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when the account has no such open token.
pub async fn revoke(db: &impl Connection, account: AccountId, id: i64, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "update api_token set revoked_at = $3 where id = $2 and account_id = $1 and revoked_at is null";
    record::guarded(db, "the token", SQL, values![account.0, id, now]).await
}
