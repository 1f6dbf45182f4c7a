//! Signing in elsewhere (OpenID Connect): who the provider vouches for is somebody here, by the pair of issuer and subject,
//! never by a mail address alone.
//!
//! A known pair signs its account in. An unknown one is taken to an account of the same address only when the provider says
//! that it verified the address and that account has no password and no other identity (an invitation that was never taken
//! up); else it makes a new account with the roles that the rules give, if they give any. Roles that the rules gave go when they
//! give them no more; those that an admin gave stay.

use std::collections::BTreeSet;

use chrono::Duration;
use millrace_domain::fault::Fault;
use millrace_domain::policy::{Actor, Grant, Origin, Role, Via};
use millrace_storage::account::{self, Account};
use millrace_storage::{StorageError, Transaction};
use serde_json::{Value, json};

use crate::access::Note;
use crate::people::{checked_email, checked_name};
use crate::sign_in::{SignedIn, actor_of};
use crate::{Result, Services, commit, fault};

/// How long a sign-in elsewhere may take.
const ATTEMPT_MINUTES: i64 = 10;
const PURPOSE: &str = "sign-in elsewhere";

/// The provider and what its word is worth.
#[derive(Debug, Clone)]
pub struct Elsewhere {
    /// Name on the button.
    pub name: String,
    /// Which value of which claim gives which roles.
    pub rules: Vec<RoleRule>,
    /// Claim that the rules look at, a text or a list of texts.
    pub claim: String,
}

/// One value of the claim and the role it gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRule {
    /// The value.
    pub value: String,
    /// What it gives.
    pub grant: Grant,
}

/// What a provider vouches for, after its token was checked.
#[derive(Debug, Clone)]
pub struct Vouched {
    /// Who vouches.
    pub issuer: String,
    /// For whom, in the issuer's words.
    pub subject: String,
    /// Their address.
    pub email: Option<String>,
    /// Whether the issuer verified the address.
    pub email_verified: bool,
    /// Their name.
    pub name: Option<String>,
    /// Values of the claim that roles come from.
    pub groups: Vec<String>,
}

impl Services {
    /// Seals what a sign-in elsewhere needs when it comes back, for the browser to keep: nobody can read or change it, and
    /// another browser does not have it.
    pub fn seal_attempt(&self, attempt: &Value) -> String {
        let until = (self.now() + Duration::minutes(ATTEMPT_MINUTES)).timestamp();
        let content = json!({ "until": until, "attempt": attempt }).to_string();
        hex::encode(self.settings.key.seal(content.as_bytes(), PURPOSE, &self.surroundings))
    }

    /// Opens what the browser kept.
    ///
    /// # Errors
    /// 403 when it is not ours, was changed, or took longer than ten minutes.
    pub fn open_attempt(&self, sealed: &str) -> Result<Value> {
        let opened = hex::decode(sealed).ok().and_then(|sealed| self.settings.key.open(&sealed, PURPOSE));
        let content = opened.and_then(|opened| serde_json::from_slice::<Value>(&opened).ok());
        let in_time = |content: &Value| content["until"].as_i64().is_some_and(|until| until > self.now().timestamp());
        content.filter(in_time).map(|mut content| content["attempt"].take()).ok_or_else(|| {
            Fault::forbidden(
                "sign_in_lost",
                "this sign-in was not begun in this browser, or took too long; begin again",
            )
        })
    }

    /// Signs in whom the provider vouches for. Roles that come from the provider are brought up to date.
    ///
    /// # Errors
    /// 403 when the rules give them no role, or their address belongs to an account they have not been tied to.
    pub async fn sign_in_vouched(&self, vouched: &Vouched, origin: &Origin) -> Result<SignedIn> {
        let outcome = self.vouched_account(vouched, origin).await;
        let account = match outcome {
            Ok(account) => account,
            Err(refused) => {
                let details = json!({ "issuer": vouched.issuer, "code": refused.code });
                self.note_unrecognised(origin, Note::new("session.refused", "account").details(details)).await?;
                return Err(refused);
            }
        };
        let owes_second_factor = account.totp_since.is_some();
        if !owes_second_factor {
            self.note_sign_in(&account, origin, &vouched.issuer).await?;
        }
        Ok(SignedIn { owes_second_factor, ..SignedIn::now(&account) })
    }

    async fn vouched_account(&self, vouched: &Vouched, origin: &Origin) -> Result<Account> {
        let refused = |detail: &str| Fault::forbidden("not_admitted", detail);
        let grants = self.granted_elsewhere(&vouched.groups);
        let tx = self.begin().await?;
        let known = account::find_by_identity(&tx, &vouched.issuer, &vouched.subject).await.map_err(fault)?;
        let (account, action) = match known {
            Some(account) => (account, "account.vouched"),
            None => {
                let email = vouched.email.as_deref().ok_or_else(|| refused("the provider gave no mail address"))?;
                let email = checked_email(email)?;
                if !vouched.email_verified {
                    return Err(refused("the provider has not verified your mail address"));
                }
                let id = match account::find_by_email(&tx, &email).await.map_err(fault)? {
                    Some(account) if account.password_hash.is_some() => {
                        return Err(refused(
                            "your address has an account here with a password; sign in with that, or ask an admin",
                        ));
                    }
                    Some(account) => account.id,
                    None if grants.is_empty() => {
                        return Err(refused("none of your groups has a role here; ask an admin"));
                    }
                    None => {
                        let name = checked_name(vouched.name.as_deref().unwrap_or(&email))?;
                        account::insert(&tx, &email, &name, None, &[], self.now()).await.map_err(fault)?
                    }
                };
                let tied = account::insert_identity(&tx, id, &vouched.issuer, &vouched.subject, self.now()).await;
                tied.map_err(|error| match error {
                    StorageError::Duplicate { .. } => {
                        refused("the account of your address is somebody else's at the provider; ask an admin")
                    }
                    other => fault(other),
                })?;
                let account = account::find(&tx, id).await.map_err(fault)?.ok_or_else(Fault::unauthenticated)?;
                (account, "account.tied")
            }
        };
        if account.disabled_at.is_some() {
            return Err(refused("your account here is disabled; ask an admin"));
        }
        let account = self.with_vouched(&tx, account, &grants).await?;
        let actor = Actor { origin: origin.clone(), ..actor_of(&account, Via::Session) };
        let details = json!({ "issuer": vouched.issuer, "roles": account.grants });
        let note = Note::new(action, format!("account/{}", account.id)).details(details);
        self.note(&tx, &actor, note).await?;
        commit(tx).await?;
        if account.grants.is_empty() && !self.rules().is_empty() {
            return Err(refused("none of your groups has a role here any more; ask an admin"));
        }
        Ok(account)
    }

    /// The account with the roles that the provider's rules give it now, beside those that an admin gave; the last admin stays one.
    async fn with_vouched(&self, tx: &Transaction, account: Account, grants: &BTreeSet<Grant>) -> Result<Account> {
        if self.rules().is_empty() {
            return Ok(account);
        }
        let had = account::vouched_grants(tx, account.id).await.map_err(fault)?;
        if lacking(&account, &had, grants) == had.iter().cloned().collect() {
            return Ok(account);
        }
        account::lock_all(tx).await.map_err(fault)?;
        let account = account::take(tx, account.id).await.map_err(fault)?.ok_or_else(Fault::unauthenticated)?;
        let had = account::vouched_grants(tx, account.id).await.map_err(fault)?;
        let given: Vec<Grant> = lacking(&account, &had, grants).into_iter().collect();
        account::set_vouched_grants(tx, account.id, &given).await.map_err(fault)?;
        let was_admin = account.grants.contains(&Grant::everywhere(Role::Admin));
        if was_admin && account::count_admins(tx).await.map_err(fault)? == 0 {
            account::set_vouched_grants(tx, account.id, &had).await.map_err(fault)?;
        } else if account.grants.iter().all(|grant| had.contains(grant)) {
            account::unbind(tx, account.id).await.map_err(fault)?;
        }
        account::find(tx, account.id).await.map_err(fault)?.ok_or_else(Fault::unauthenticated)
    }

    fn rules(&self) -> &[RoleRule] {
        self.settings.elsewhere.as_ref().map_or(&[], |elsewhere| &elsewhere.rules)
    }

    fn granted_elsewhere(&self, groups: &[String]) -> BTreeSet<Grant> {
        let rules = self.rules().iter().filter(|rule| groups.contains(&rule.value));
        rules.map(|rule| rule.grant.clone()).collect()
    }

    /// Name of the other sign-in, if there is one.
    pub fn elsewhere_name(&self) -> Option<String> {
        self.settings.elsewhere.as_ref().map(|elsewhere| elsewhere.name.clone())
    }
}

/// The granted roles that an account would not have without the provider, which gave those that it `had`.
fn lacking(account: &Account, had: &[Grant], grants: &BTreeSet<Grant>) -> BTreeSet<Grant> {
    grants.iter().filter(|grant| had.contains(grant) || !account.grants.contains(grant)).cloned().collect()
}
