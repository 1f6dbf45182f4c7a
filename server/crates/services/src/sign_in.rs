//! Signing in, and recognising who calls.

use chrono::{DateTime, Duration, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::ids::AccountId;
use millrace_domain::policy::{Actor, Origin, Pass, Via};
use millrace_storage::account::{self, Account};
use millrace_storage::{credential, token};
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

/// Whoever showed the right password, or was vouched for elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedIn {
    /// Whose account.
    pub account: AccountId,
    /// Whether the second factor is still owed: the session is then good for showing that alone.
    pub owes_second_factor: bool,
    /// The account's generation when that was judged: if all its sessions end meanwhile, none is opened.
    pub generation: i64,
    /// The session that the new one takes the place of, which must still be open.
    pub in_place_of: Option<i64>,
}

impl SignedIn {
    /// Whoever was judged by what the account is now.
    pub(crate) const fn now(account: &Account) -> Self {
        Self { account: account.id, owes_second_factor: false, generation: account.generation, in_place_of: None }
    }

    /// Whoever goes on after all sessions of the account, read before, were ended.
    pub(crate) const fn after_all_ended(account: &Account) -> Self {
        Self { generation: account.generation + 1, ..Self::now(account) }
    }
}

/// A session that was presented.
#[derive(Debug, Clone, Copy)]
pub struct Presented {
    /// Its number.
    pub session: i64,
    /// Whose.
    pub account: AccountId,
    /// When the password was last shown in it.
    pub confirmed_at: Option<DateTime<Utc>>,
}

impl Services {
    /// Checks address and password; the caller opens the session. Unknown, wrong, invited and disabled get the same answer
    /// after the same work.
    ///
    /// # Errors
    /// 401 for a wrong combination, 429 after too many failures.
    pub async fn sign_in(&self, email: &str, password: &str, origin: &Origin) -> Result<SignedIn> {
        let email = email.trim().to_lowercase();
        let found = account::find_by_email(self.db.pool(), &email).await.map_err(fault)?;
        let hash = found.as_ref().and_then(|account| account.password_hash.clone());
        let typed: String = password.chars().take(129).collect();
        let wrong = Fault::new(401, "wrong_credentials", "Not signed in", "address or password is wrong");
        let check = async {
            let right = self.hasher.verify(typed.clone(), hash.clone()).await?;
            Ok(found.clone().filter(|account| right && account.disabled_at.is_none()))
        };
        let account = self.attempt(&Subjects::of(&email, origin), origin, found.as_ref(), wrong, check).await?;
        let hash = hash.unwrap_or_default();
        if let Some(stronger) = self.hasher.rehash(&typed, &hash).await? {
            account::renew_password_hash(self.db.pool(), account.id, &hash, &stronger).await.map_err(fault)?;
        }
        let owes_second_factor = account.totp_since.is_some();
        if !owes_second_factor {
            self.note_sign_in(&account, origin, "password").await?;
        }
        Ok(SignedIn { owes_second_factor, ..SignedIn::now(&account) })
    }

    /// Writes down that a session is opened.
    pub(crate) async fn note_sign_in(&self, account: &Account, origin: &Origin, how: &str) -> Result<()> {
        let tx = self.begin().await?;
        let actor = Actor { origin: origin.clone(), ..actor_of(account, Via::Session) };
        let note = Note::new("session.open", format!("account/{}", account.id)).details(json!({ "by": how }));
        self.note(&tx, &actor, note).await?;
        commit(tx).await
    }

    /// Checks password and second factor of somebody who is signed in, before a change that their account rests on; the caller
    /// renews the session under a new id.
    ///
    /// # Errors
    /// 401 when one is wrong, 429 after too many failures.
    pub async fn confirm(&self, actor: &Actor, password: &str, code: &str) -> Result<SignedIn> {
        self.people_only(actor)?;
        let account = self.own_account(actor).await?;
        let wrong = Fault::new(401, "wrong_credentials", "Not confirmed", "the password is wrong");
        self.show_again(&account, password, code, &actor.origin, wrong).await?;
        let (tx, _) = self.begin_own(actor).await?;
        self.note(&tx, actor, Note::new("session.confirm", format!("account/{}", account.id))).await?;
        commit(tx).await?;
        let in_place_of = match actor.pass {
            Some(Pass::Session(session)) => Some(session),
            _ => None,
        };
        Ok(SignedIn { in_place_of, ..SignedIn::now(&account) })
    }

    /// Checks password and second factor of an account; `wrong` is the answer to a wrong password.
    pub(crate) async fn show_again(
        &self,
        account: &Account,
        password: &str,
        code: &str,
        origin: &Origin,
        wrong: Fault,
    ) -> Result<()> {
        let typed: String = password.chars().take(129).collect();
        let check = async {
            let right = self.hasher.verify(typed, account.password_hash.clone()).await?;
            Ok(right.then_some(()))
        };
        self.attempt(&Subjects::of(&account.email, origin), origin, Some(account), wrong, check).await?;
        if account.totp_since.is_some() {
            self.take_code(account, code, origin).await?;
        }
        Ok(())
    }

    pub(crate) async fn own_account(&self, actor: &Actor) -> Result<Account> {
        account::find(self.db.pool(), actor.account).await.map_err(fault)?.ok_or_else(Fault::unauthenticated)
    }

    /// Lets a secret be tried: the attempt is counted before it is made, and taken back when it was right or could not be
    /// judged, so that a crowd of attempts at once gets no more of them than one after another. A wrong one is written down.
    ///
    /// # Errors
    /// 429 after too many, else `wrong` when `check` gives nothing.
    pub(crate) async fn attempt<T>(
        &self,
        subjects: &Subjects,
        origin: &Origin,
        account: Option<&Account>,
        wrong: Fault,
        check: impl Future<Output = Result<Option<T>>>,
    ) -> Result<T> {
        let counted = self.count(subjects).await?.ok_or_else(too_many)?;
        let checked = check.await;
        if matches!(checked, Ok(None)) {
            // What was typed as an address is not kept: it may be a password in the wrong field.
            let object = account.map_or_else(|| "account".to_owned(), |account| format!("account/{}", account.id));
            self.note_unrecognised(origin, Note::new("session.refused", object)).await?;
            return Err(wrong);
        }
        credential::take_back(self.db.pool(), &counted).await.map_err(fault)?;
        checked?.ok_or(wrong)
    }

    /// Counts one attempt of every subject; none when one of them has had too many, and then none is counted.
    pub(crate) async fn count(&self, subjects: &Subjects) -> Result<Option<Vec<i64>>> {
        let (now, since) = (self.now(), self.now() - Duration::minutes(15));
        let tx = self.begin().await?;
        let mut counted = Vec::new();
        for (subject, limit) in &subjects.0 {
            match credential::count_attempt(&tx, subject, *limit, since, now).await.map_err(fault)? {
                Some(attempt) => counted.push(attempt),
                None => return Ok(None),
            }
        }
        commit(tx).await?;
        Ok(Some(counted))
    }

    /// Notes that a session was ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_out(&self, actor: &Actor) -> Result<()> {
        self.people_only(actor)?;
        let tx = self.begin().await?;
        self.note(&tx, actor, Note::new("session.close", format!("account/{}", actor.account))).await?;
        commit(tx).await
    }

    /// The person behind a session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recognise_session(&self, session: Presented, origin: Origin) -> Result<Option<Actor>> {
        let found = account::find(self.db.pool(), session.account).await.map_err(fault)?;
        Ok(found.filter(|account| account.disabled_at.is_none()).map(|account| Actor {
            origin,
            confirmed_at: session.confirmed_at,
            pass: Some(Pass::Session(session.session)),
            owes_second_factor: self.owes_set_up(&account),
            ..actor_of(&account, Via::Session)
        }))
    }

    /// The owner of a token, with the token's scopes.
    ///
    /// # Errors
    /// 401 when it is not one of ours, expired or revoked.
    pub async fn recognise_token(&self, token: &str, origin: Origin) -> Result<Actor> {
        let refused = |detail: &str| Fault::new(401, "invalid_token", "Token refused", detail);
        let hash = token_hash(token)
            .ok_or_else(|| refused("this is not a whole Millrace token; it may be cut or mistyped"))?;
        let pool = self.db.pool();
        let token = token::find_usable(pool, &hash, self.now())
            .await
            .map_err(fault)?
            .ok_or_else(|| refused("this token is unknown, expired or revoked; make a new one on your account page"))?;
        let owner = account::find(pool, token.account).await.map_err(fault)?;
        let owner = owner.ok_or_else(|| refused("the owner is gone"))?;
        let owes_second_factor = self.owes_set_up(&owner);
        let pass = Some(Pass::Token(token.id));
        Ok(Actor { origin, owes_second_factor, pass, ..actor_of(&owner, Via::Token(token.scopes)) })
    }

    /// Whether a role of the account demands a second factor that it does not have.
    pub(crate) fn owes_set_up(&self, account: &Account) -> bool {
        account.totp_since.is_none()
            && account.grants.iter().any(|grant| self.settings.second_factor_for.contains(&grant.role))
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
        credential::forget_failures(self.db.pool(), self.now() - Duration::hours(1)).await.map_err(fault)
    }
}

/// What failures are counted by, each with its limit.
pub(crate) struct Subjects(Vec<(String, i64)>);

impl Subjects {
    pub(crate) fn of(email: &str, origin: &Origin) -> Self {
        let address = origin.address.as_deref().unwrap_or("unknown");
        // An address is cut, so that a long one costs no space.
        let email: String = email.chars().take(254).collect();
        Self(vec![
            (format!("address {address}"), ADDRESS_LIMIT),
            (format!("pair {email} {address}"), PAIR_LIMIT),
            (format!("account {email}"), ACCOUNT_LIMIT),
        ])
    }

    /// Of something else than passwords, by the caller's address.
    pub(crate) fn of_address(what: &str, origin: &Origin, limit: i64) -> Self {
        let address = origin.address.as_deref().unwrap_or("unknown");
        Self(vec![(format!("{what} address {address}"), limit)])
    }

    /// Of something else than passwords, by account.
    pub(crate) fn of_account(what: &str, email: &str, limit: i64) -> Self {
        let email: String = email.chars().take(254).collect();
        Self(vec![(format!("{what} account {email}"), limit)])
    }

    /// These and others: addresses first, then accounts, so that two crowds never wait for each other.
    pub(crate) fn and(self, others: Self) -> Self {
        Self([self.0, others.0].concat())
    }
}

pub(crate) fn too_many() -> Fault {
    Fault::new(
        429,
        "too_many_failures",
        "Wait a little",
        "too many failed sign-ins; wait fifteen minutes and try again",
    )
}

pub(crate) fn actor_of(account: &Account, via: Via) -> Actor {
    Actor {
        account: account.id,
        name: account.name.clone(),
        email: account.email.clone(),
        grants: account.grants.clone(),
        via,
        ..Actor::host()
    }
}
