//! Signing in, and recognising who calls.

use chrono::Duration;
use millrace_domain::fault::Fault;
use millrace_domain::ids::AccountId;
use millrace_domain::policy::{Actor, Via};
use millrace_storage::account::{self, Account};
use millrace_storage::token;
use serde_json::json;

use crate::access::Note;
use crate::credentials::token_hash;
use crate::{Result, Services, commit, fault};

/// Failures of one account from anywhere within fifteen minutes after which tries must wait: high, since it also holds up
/// the owner, yet far below what guessing needs.
const ACCOUNT_LIMIT: i64 = 1_000;
/// Failures from one address within fifteen minutes after which it must wait.
const ADDRESS_LIMIT: i64 = 10;
/// Failures of one account from one address after which that address must wait, so a stranger elsewhere cannot lock the
/// owner out.
const PAIR_LIMIT: i64 = 5;

impl Services {
    /// Checks address and password; the caller opens the session. Unknown, wrong and disabled get the same answer after the
    /// same work.
    ///
    /// # Errors
    /// 401 for a wrong combination, 429 after too many failures.
    pub async fn sign_in(&self, email: &str, password: &str, address: &str) -> Result<AccountId> {
        let email = email.trim().to_lowercase();
        let pool = self.db.pool();
        self.throttle(&email, address).await?;
        let found = account::find_by_email(pool, &email).await.map_err(fault)?;
        let hash = found.as_ref().map(|account| account.password_hash.clone());
        let typed: String = password.chars().take(129).collect();
        let right = self.hasher.verify(typed, hash).await?;
        let Some(account) = found.filter(|account| right && account.disabled_at.is_none()) else {
            for subject in [format!("address {address}"), format!("pair {email} {address}"), format!("account {email}")]
            {
                account::insert_failure(pool, &subject, self.now()).await.map_err(fault)?;
            }
            return Err(Fault::new(401, "wrong_credentials", "Not signed in", "address or password is wrong"));
        };
        let tx = self.begin().await?;
        let actor = actor_of(&account, Via::Session);
        self.note(&tx, &actor, Note::new("session.open", format!("account/{}", account.id))).await?;
        commit(tx).await?;
        Ok(account.id)
    }

    async fn throttle(&self, email: &str, address: &str) -> Result<()> {
        let since = self.now() - Duration::minutes(15);
        let limits = [
            (format!("address {address}"), ADDRESS_LIMIT),
            (format!("pair {email} {address}"), PAIR_LIMIT),
            (format!("account {email}"), ACCOUNT_LIMIT),
        ];
        for (subject, limit) in limits {
            if account::count_failures(self.db.pool(), &subject, since).await.map_err(fault)? >= limit {
                return Err(Fault::new(
                    429,
                    "too_many_failures",
                    "Wait a little",
                    "too many failed sign-ins; wait fifteen minutes and try again",
                ));
            }
        }
        Ok(())
    }

    /// Notes that a session was ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_out(&self, actor: &Actor) -> Result<()> {
        let tx = self.begin().await?;
        self.note(&tx, actor, Note::new("session.close", format!("account/{}", actor.account))).await?;
        commit(tx).await
    }

    /// The person behind a session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recognise_session(&self, account: AccountId) -> Result<Option<Actor>> {
        let found = account::find(self.db.pool(), account).await.map_err(fault)?;
        Ok(found.filter(|account| account.disabled_at.is_none()).map(|account| actor_of(&account, Via::Session)))
    }

    /// The owner of a token, with the token's scopes.
    ///
    /// # Errors
    /// 401 when it is not one of ours, expired or revoked.
    pub async fn recognise_token(&self, token: &str) -> Result<Actor> {
        let refused = |detail: &str| Fault::new(401, "invalid_token", "Token refused", detail);
        let hash = token_hash(token)
            .ok_or_else(|| refused("this is not a whole Millrace token; it may be cut or mistyped"))?;
        let pool = self.db.pool();
        let token = token::find_usable(pool, &hash, self.now())
            .await
            .map_err(fault)?
            .ok_or_else(|| refused("this token is unknown, expired or revoked; make a new one on your account page"))?;
        let owner = account::find(pool, token.account).await.map_err(fault)?;
        owner.map(|owner| actor_of(&owner, Via::Token(token.scopes))).ok_or_else(|| refused("the owner is gone"))
    }

    /// Somebody who works on the host itself, acting as that account.
    ///
    /// # Errors
    /// 404 when there is no such account.
    pub async fn recognise_host(&self, email: &str) -> Result<Actor> {
        let found = account::find_by_email(self.db.pool(), email).await.map_err(fault)?;
        found.map(|account| actor_of(&account, Via::Host)).ok_or_else(|| Fault::not_found("account"))
    }

    /// Notes failed sign-ins older than an hour away.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_failures(&self) -> Result<u64> {
        account::forget_failures(self.db.pool(), self.now() - Duration::hours(1)).await.map_err(fault)
    }
}

pub(crate) fn actor_of(account: &Account, via: Via) -> Actor {
    Actor {
        account: account.id,
        name: account.name.clone(),
        email: account.email.clone(),
        roles: account.roles.clone(),
        via,
    }
}

/// Details of an account for the audit trail.
pub(crate) fn account_details(email: &str, roles: &[millrace_domain::policy::Role]) -> serde_json::Value {
    json!({ "email": email, "roles": roles })
}
