//! Accounts, what they were granted, and who they are at another sign-in.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use millrace_domain::ids::AccountId;
use millrace_domain::policy::Grant;

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
    /// Argon2id hash in PHC form; none until an invitation is taken up, or for who comes by another sign-in.
    pub password_hash: Option<String>,
    /// Its roles, and where they hold.
    pub grants: Vec<Grant>,
    /// The sealed secret of its second factor.
    pub totp_sealed: Option<Vec<u8>>,
    /// Since when the second factor is asked for; none while it is being set up.
    pub totp_since: Option<DateTime<Utc>>,
    /// The last time step whose code was taken.
    pub totp_step: i64,
    /// Goes up whenever all its sessions end.
    pub generation: i64,
    /// Since when it may not sign in.
    pub disabled_at: Option<DateTime<Utc>>,
    /// Since when it exists.
    pub created_at: DateTime<Utc>,
}

impl Record for Account {
    fn read(row: &Row) -> Result<Self> {
        let grants: Vec<String> = row.json("grants")?;
        Ok(Self {
            id: AccountId(row.get("id")?),
            email: row.get("email")?,
            name: row.get("name")?,
            password_hash: row.get("password_hash")?,
            grants: grants.iter().filter_map(|grant| grant.parse().ok()).collect(),
            totp_sealed: row.get("totp_sealed")?,
            totp_since: row.get("totp_since")?,
            totp_step: row.get("totp_step")?,
            generation: row.get("generation")?,
            disabled_at: row.get("disabled_at")?,
            created_at: row.get("created_at")?,
        })
    }
}

macro_rules! select_account {
    ($rest:literal) => {
        concat!(
            "select a.*, coalesce((select jsonb_agg(r.role || coalesce(':' || p.slug, '') order by r.role, p.slug)
                from account_role r left join problem p on p.id = r.problem_id
                where r.account_id = a.id), '[]') as grants from account a ",
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

/// Makes an account; without a password hash it can sign in once it has set one.
///
/// # Errors
/// [`crate::StorageError::Duplicate`] when the address is taken.
pub async fn insert(
    db: &impl Connection,
    email: &str,
    name: &str,
    password_hash: Option<&str>,
    grants: &[Grant],
    now: DateTime<Utc>,
) -> Result<AccountId> {
    const SQL: &str =
        "insert into account (email, name, password_hash, created_at) values ($1, $2, $3, $4) returning id";
    let stored = values![email.to_lowercase(), name, password_hash.map(str::to_owned), now];
    let id = record::one(db, SQL, stored).await.map(AccountId)?;
    set_grants(db, id, grants).await?;
    Ok(id)
}

/// Replaces the roles, whoever gave them. One that the sign-in elsewhere gave and that stays goes on to be its.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when a grant names a problem that does not exist.
pub async fn set_grants(db: &impl Connection, id: AccountId, grants: &[Grant]) -> Result<()> {
    const OTHERS: &str = "delete from account_role r where account_id = $1
        and r.role || coalesce(':' || (select slug from problem p where p.id = r.problem_id), '')
            not in (select jsonb_array_elements_text($2::jsonb))";
    record::execute(db, OTHERS, values![id.0, serde_json::json!(grants)]).await?;
    add_grants(db, id, grants, false).await
}

/// Everybody who signs in elsewhere, with the roles that it gave them.
///
/// # Errors
/// When the database fails.
pub async fn list_elsewhere(db: &impl Connection) -> Result<HashMap<AccountId, Vec<Grant>>> {
    struct Found(AccountId, Vec<String>);
    impl Record for Found {
        fn read(row: &Row) -> Result<Self> {
            Ok(Self(AccountId(row.get("account_id")?), row.json("grants")?))
        }
    }
    const SQL: &str = "select i.account_id, coalesce(jsonb_agg(r.role || coalesce(':' || p.slug, '') order by r.role, p.slug)
            filter (where r.is_vouched), '[]') as grants
        from identity i left join account_role r on r.account_id = i.account_id left join problem p on p.id = r.problem_id
        group by i.account_id";
    let found: Vec<Found> = record::all(db, SQL, values![]).await?;
    let grants = |words: Vec<String>| words.iter().filter_map(|grant| grant.parse().ok()).collect();
    Ok(found.into_iter().map(|Found(account, words)| (account, grants(words))).collect())
}

/// The roles that the sign-in elsewhere gave.
///
/// # Errors
/// When the database fails.
pub async fn vouched_grants(db: &impl Connection, id: AccountId) -> Result<Vec<Grant>> {
    const SQL: &str = "select r.role || coalesce(':' || p.slug, '')
        from account_role r left join problem p on p.id = r.problem_id
        where r.account_id = $1 and r.is_vouched";
    let found: Vec<String> = record::all(db, SQL, values![id.0]).await?;
    Ok(found.iter().filter_map(|grant| grant.parse().ok()).collect())
}

/// Replaces the roles that the sign-in elsewhere gave; those that an admin gave stay.
///
/// # Errors
/// [`crate::StorageError::Conflict`] when a grant names a problem that does not exist.
pub async fn set_vouched_grants(db: &impl Connection, id: AccountId, grants: &[Grant]) -> Result<()> {
    record::execute(db, "delete from account_role where account_id = $1 and is_vouched", values![id.0]).await?;
    add_grants(db, id, grants, true).await
}

async fn add_grants(db: &impl Connection, id: AccountId, grants: &[Grant], is_vouched: bool) -> Result<()> {
    for grant in grants {
        const SQL: &str = "insert into account_role (account_id, role, problem_id, is_vouched)
            select $1, $2, p.id, $4 from (select 1) one left join problem p on p.slug = $3
            where $3::text is null or p.id is not null
            on conflict (account_id, role, coalesce(problem_id, 0)) do update set is_vouched = account_role.is_vouched";
        let stored = values![id.0, grant.role.as_str(), grant.problem.clone(), is_vouched];
        record::guarded(db, "the problem a role was given on", SQL, stored).await?;
    }
    Ok(())
}

/// Notes that an admin made the account or gave it its roles. What is bound stays bound, whoever gives the roles next.
///
/// # Errors
/// When the database fails.
pub async fn vouch(db: &impl Connection, id: AccountId, by: AccountId) -> Result<()> {
    const SQL: &str = "insert into voucher (account_id, by_id) select $1, $2 where $1 <> $2 on conflict do nothing";
    record::execute(db, SQL, values![id.0, by.0]).await.map(|_| ())
}

/// Notes that nobody of the workspace answers for the account any more: its roles come from the host or from elsewhere.
///
/// # Errors
/// When the database fails.
pub async fn unbind(db: &impl Connection, id: AccountId) -> Result<()> {
    record::execute(db, "delete from voucher where account_id = $1", values![id.0]).await.map(|_| ())
}

/// The accounts that `author` made or gave their roles, and those that such accounts made in turn. `apart` adds who made the author,
/// and everybody else whom the same people made.
///
/// # Errors
/// When the database fails.
pub async fn bound_to(db: &impl Connection, author: AccountId, apart: bool) -> Result<Vec<AccountId>> {
    const SQL: &str = "with recursive bound as (
            select $1::bigint as id
            union
            select case when v.by_id = bound.id then v.account_id else v.by_id end from voucher v
                join bound on v.by_id = bound.id or ($2 and v.account_id = bound.id))
        select id from bound where id <> $1";
    let found: Vec<i64> = record::all(db, SQL, values![author.0, apart]).await?;
    Ok(found.into_iter().map(AccountId).collect())
}

/// The account with its row held until the transaction ends: rights that were read then hold for what the transaction does,
/// and a change of them waits or comes first.
///
/// # Errors
/// When the database fails.
pub async fn hold(db: &impl Connection, id: AccountId) -> Result<Option<Account>> {
    record::execute(db, "select 1 from account where id = $1 for share", values![id.0]).await?;
    find(db, id).await
}

/// Takes the account's row for a change of its rights: waits for acts under way, and makes later ones wait.
///
/// # Errors
/// When the database fails.
pub async fn take(db: &impl Connection, id: AccountId) -> Result<Option<Account>> {
    record::execute(db, "select 1 from account where id = $1 for update", values![id.0]).await?;
    find(db, id).await
}

/// The accounts that may do something to a problem by one of these roles, and may sign in.
///
/// # Errors
/// When the database fails.
pub async fn list_with_role(db: &impl Connection, roles: &[&str], problem: &str) -> Result<Vec<Account>> {
    const SQL: &str = select_account!(
        "where a.disabled_at is null and exists (select 1 from account_role r
            left join problem p on p.id = r.problem_id
            where r.account_id = a.id and (r.problem_id is null or p.slug = $2)
              and r.role in (select jsonb_array_elements_text($1::jsonb)))
         order by a.email limit 1000"
    );
    record::all(db, SQL, values![serde_json::json!(roles), problem]).await
}

/// Replaces the password hash.
///
/// # Errors
/// When the database fails.
pub async fn set_password(db: &impl Connection, id: AccountId, password_hash: &str) -> Result<()> {
    const SQL: &str = "update account set password_hash = $2 where id = $1";
    record::guarded(db, "the account", SQL, values![id.0, password_hash]).await
}

/// Replaces the password hash by another one of the same password, if it is still `before`.
///
/// # Errors
/// When the database fails.
pub async fn renew_password_hash(db: &impl Connection, id: AccountId, before: &str, after: &str) -> Result<()> {
    const SQL: &str = "update account set password_hash = $3 where id = $1 and password_hash = $2";
    record::execute(db, SQL, values![id.0, before, after]).await.map(|_| ())
}

/// Bars the account from signing in.
///
/// # Errors
/// When the database fails.
pub async fn disable(db: &impl Connection, id: AccountId, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "update account set disabled_at = coalesce(disabled_at, $2) where id = $1";
    record::guarded(db, "the account", SQL, values![id.0, now]).await
}

/// Lets a disabled account sign in again.
///
/// # Errors
/// When the database fails.
pub async fn enable(db: &impl Connection, id: AccountId) -> Result<()> {
    record::guarded(db, "the account", "update account set disabled_at = null where id = $1", values![id.0]).await
}

/// Changes name and address.
///
/// # Errors
/// [`crate::StorageError::Duplicate`] when the address is taken.
pub async fn set_identity(db: &impl Connection, id: AccountId, email: &str, name: &str) -> Result<()> {
    const SQL: &str = "update account set email = $2, name = $3 where id = $1";
    record::guarded(db, "the account", SQL, values![id.0, email.to_lowercase(), name]).await
}

/// The account behind a sign-in elsewhere.
///
/// # Errors
/// When the database fails.
pub async fn find_by_identity(db: &impl Connection, issuer: &str, subject: &str) -> Result<Option<Account>> {
    const SQL: &str = select_account!("join identity i on i.account_id = a.id where i.issuer = $1 and i.subject = $2");
    record::optional(db, SQL, values![issuer, subject]).await
}

/// Remembers who an account is at a sign-in elsewhere: one person.
///
/// # Errors
/// [`crate::StorageError::Duplicate`] when that identity has an account, or the account an identity.
pub async fn insert_identity(
    db: &impl Connection,
    id: AccountId,
    issuer: &str,
    subject: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "insert into identity (issuer, subject, account_id, created_at) values ($1, $2, $3, $4)";
    record::execute(db, SQL, values![issuer, subject, id.0, now]).await.map(|_| ())
}

/// Whether an account has signed in elsewhere.
///
/// # Errors
/// When the database fails.
pub async fn has_identity(db: &impl Connection, id: AccountId) -> Result<bool> {
    let found: i64 = record::one(db, "select count(*) from identity where account_id = $1", values![id.0]).await?;
    Ok(found > 0)
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

/// How many admins can sign in: an invitation that was not taken up is none.
///
/// # Errors
/// When the database fails.
pub async fn count_admins(db: &impl Connection) -> Result<i64> {
    const SQL: &str = "select count(*) from account a join account_role r on r.account_id = a.id
        where r.role = 'admin' and r.problem_id is null and a.disabled_at is null
          and (a.password_hash is not null or exists (select 1 from identity i where i.account_id = a.id))";
    record::one(db, SQL, values![]).await
}
