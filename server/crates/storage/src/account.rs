//! Accounts, roles and set-up codes.

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::ids::AccountId;
use millrace_domain::policy::Role;

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// A person who can sign in.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Lower-case mail address.
    pub email: String,
    /// Name in records.
    pub name: String,
    /// Argon2id hash in PHC form.
    pub password_hash: String,
    /// Its roles.
    pub roles: Vec<Role>,
    /// Since when it may not sign in.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Since when it exists.
    pub created_at: DateTime<Utc>,
}

impl Record for Account {
    fn read(row: &Row) -> Result<Self> {
        let roles: Vec<String> = row.json("roles")?;
        Ok(Self {
            id: AccountId(row.get("id")?),
            email: row.get("email")?,
            name: row.get("name")?,
            password_hash: row.get("password_hash")?,
            roles: roles.iter().filter_map(|role| role.parse().ok()).collect(),
            disabled_at: row.get("disabled_at")?,
            created_at: row.get("created_at")?,
        })
    }
}

macro_rules! select_account {
    ($rest:literal) => {
        concat!(
            "select a.*, coalesce((select jsonb_agg(r.role order by r.role) from account_role r
                where r.account_id = a.id), '[]') as roles from account a ",
            $rest
        )
    };
}

/// The account of that address.
///
/// # Errors
/// When the database fails.
pub async fn find_by_email(db: &impl Connection, email: &str) -> Result<Option<Account>> {
    record::optional(db, select_account!("where a.email = $1"), values![email.to_lowercase()]).await
}

/// The account of that id.
///
/// # Errors
/// When the database fails.
pub async fn find(db: &impl Connection, id: AccountId) -> Result<Option<Account>> {
    record::optional(db, select_account!("where a.id = $1"), values![id.0]).await
}

/// All accounts by address.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &impl Connection) -> Result<Vec<Account>> {
    record::all(db, select_account!("order by a.email limit 1000"), values![]).await
}

/// Makes an account.
///
/// # Errors
/// [`crate::StorageError::Duplicate`] when the address is taken.
pub async fn insert(
    db: &impl Connection,
    email: &str,
    name: &str,
    password_hash: &str,
    roles: &[Role],
    now: DateTime<Utc>,
) -> Result<AccountId> {
    const SQL: &str =
        "insert into account (email, name, password_hash, created_at) values ($1, $2, $3, $4) returning id";
    let id = record::one(db, SQL, values![email.to_lowercase(), name, password_hash, now]).await.map(AccountId)?;
    set_roles(db, id, roles).await?;
    Ok(id)
}

/// Replaces the roles.
///
/// # Errors
/// When the database fails.
pub async fn set_roles(db: &impl Connection, id: AccountId, roles: &[Role]) -> Result<()> {
    record::execute(db, "delete from account_role where account_id = $1", values![id.0]).await?;
    for role in roles {
        const SQL: &str = "insert into account_role (account_id, role) values ($1, $2) on conflict do nothing";
        record::execute(db, SQL, values![id.0, role.as_str()]).await?;
    }
    Ok(())
}

/// Replaces the password hash.
///
/// # Errors
/// When the database fails.
pub async fn set_password(db: &impl Connection, id: AccountId, password_hash: &str) -> Result<()> {
    const SQL: &str = "update account set password_hash = $2 where id = $1";
    record::guarded(db, "the account", SQL, values![id.0, password_hash]).await
}

/// Bars the account from signing in.
///
/// # Errors
/// When the database fails.
pub async fn disable(db: &impl Connection, id: AccountId, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "update account set disabled_at = coalesce(disabled_at, $2) where id = $1";
    record::guarded(db, "the account", SQL, values![id.0, now]).await
}

/// How many accounts exist.
///
/// # Errors
/// When the database fails.
pub async fn count(db: &impl Connection) -> Result<i64> {
    record::one(db, "select count(*) from account", values![]).await
}

/// Locks the table of accounts until the transaction ends, so two set-ups cannot both find it empty and the last admin
/// cannot be removed twice.
///
/// # Errors
/// When the database fails.
pub async fn lock_all(db: &impl Connection) -> Result<()> {
    record::execute(db, "lock table account in share row exclusive mode", values![]).await.map(|_| ())
}

/// How many admins can sign in.
///
/// # Errors
/// When the database fails.
pub async fn count_admins(db: &impl Connection) -> Result<i64> {
    const SQL: &str = "select count(*) from account a join account_role r on r.account_id = a.id
        where r.role = 'admin' and a.disabled_at is null";
    record::one(db, SQL, values![]).await
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

/// Remembers a failed sign-in of a subject (an address or an account).
///
/// # Errors
/// When the database fails.
pub async fn insert_failure(db: &impl Connection, subject: &str, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "insert into sign_in_failure (subject, failed_at) values ($1, $2)";
    record::execute(db, SQL, values![subject, now]).await.map(|_| ())
}

/// How many sign-ins of a subject failed since a moment.
///
/// # Errors
/// When the database fails.
pub async fn count_failures(db: &impl Connection, subject: &str, since: DateTime<Utc>) -> Result<i64> {
    const SQL: &str = "select count(*) from sign_in_failure where subject = $1 and failed_at > $2";
    record::one(db, SQL, values![subject, since]).await
}

/// Forgets failed sign-ins before a moment.
///
/// # Errors
/// When the database fails.
pub async fn forget_failures(db: &impl Connection, before: DateTime<Utc>) -> Result<u64> {
    record::execute(db, "delete from sign_in_failure where failed_at < $1", values![before]).await
}
