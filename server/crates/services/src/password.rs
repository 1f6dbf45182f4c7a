//! Passwords: changing one's own, and the two one-time links that set one (an invitation, a reset).

use chrono::Duration;
use millrace_domain::Digest;
use millrace_domain::clock::Entropy;
use millrace_domain::fault::Fault;
use millrace_domain::ids::AccountId;
use millrace_domain::policy::{Actor, Origin, Via};
use millrace_domain::view::LinkView;
use millrace_storage::account::{self, Account};
use millrace_storage::credential::{self, LinkPurpose};
use millrace_storage::{Connection, session};

use crate::access::Note;
use crate::credentials::{Password, random_text};
use crate::mail::{Act, Letter};
use crate::people::{checked_email, checked_name, taken};
use crate::sign_in::{SignedIn, Subjects, actor_of, too_many};
use crate::{Result, Services, commit, fault};

/// How long a link works.
const LINK_MINUTES: i64 = 60;
/// Letters with a link that one address, and one account, may ask for within fifteen minutes.
const LINKS_BY_ADDRESS: i64 = 10;
const LINKS_BY_ACCOUNT: i64 = 3;

impl Services {
    /// Changes the own password; every session and open link ends. It takes what signing in takes, the second factor too,
    /// since the caller goes on in a session that counts as confirmed.
    ///
    /// # Errors
    /// 400 when the old one is wrong or the new one is too easy, 401 when the code is wrong.
    pub async fn change_password(&self, actor: &Actor, old: &str, code: &str, new: &str) -> Result<SignedIn> {
        self.people_only(actor)?;
        let account = self.own_account(actor).await?;
        let new = Password::new(new, &[&account.name, &account.email])?;
        let wrong = Fault {
            detail: "what you gave as your password now is wrong; nothing was changed".to_owned(),
            ..Fault::field("/old", "must be your password as it is now")
        };
        self.show_again(&account, old, code, &actor.origin, wrong).await?;
        let hash = self.hasher.hash(new).await?;
        let (tx, account) = self.begin_own(actor).await?;
        account::set_password(&tx, account.id, &hash).await.map_err(fault)?;
        credential::end_links(&tx, account.id, self.now()).await.map_err(fault)?;
        session::revoke_all(&tx, account.id, self.now()).await.map_err(fault)?;
        self.tell_of_change(&tx, &account, "The password of your account was changed.", &account.name).await?;
        self.note(&tx, actor, Note::new("account.password", format!("account/{}", account.id))).await?;
        commit(tx).await?;
        Ok(SignedIn::after_all_ended(&account))
    }

    /// Changes the own name and mail address. Approvals and authorship stay with the account: a new name is nobody new.
    ///
    /// # Errors
    /// 403 for who has not confirmed, 409 when the address has an account.
    pub async fn change_identity(&self, actor: &Actor, email: &str, name: &str) -> Result<()> {
        let (email, name) = (checked_email(email)?, checked_name(name)?);
        let (tx, account) = self.begin_own(actor).await?;
        if email != account.email {
            self.confirmed(actor)?;
        }
        account::set_identity(&tx, account.id, &email, &name).await.map_err(taken(&email))?;
        if email != account.email {
            // A link in the old mailbox would open the account from there.
            credential::end_links(&tx, account.id, self.now()).await.map_err(fault)?;
            let told = format!("The mail address of your account was changed to {email}.");
            self.tell_of_change(&tx, &account, &told, &account.name).await?;
            let after = Account { email: email.clone(), ..account.clone() };
            self.tell_of_change(&tx, &after, &told, &account.name).await?;
        }
        let details = serde_json::json!({
            "before": { "email": account.email, "name": account.name }, "after": { "email": email, "name": name },
        });
        self.note(&tx, actor, Note::new("account.identity", format!("account/{}", account.id)).details(details))
            .await?;
        commit(tx).await
    }

    /// Asks for a letter with a link to set a new password. The answer and its time say nothing of whether there is such an
    /// account: the letter is written after the answer. Whoever got three within fifteen minutes has them still, and gets no
    /// more: a stranger who asks for them takes nothing away.
    ///
    /// # Errors
    /// 429 after too many from one address.
    pub async fn forgot_password(&self, email: &str, origin: &Origin) -> Result<()> {
        let email = email.trim().to_lowercase();
        if !self.count_link(&email, origin).await? {
            return Ok(());
        }
        let services = self.clone();
        tokio::spawn(async move {
            if let Err(error) = services.send_reset(&email).await {
                tracing::warn!(%error, "a reset letter could not be written");
            }
        });
        Ok(())
    }

    /// Counts a letter with a link; whether the account may have one more.
    async fn count_link(&self, email: &str, origin: &Origin) -> Result<bool> {
        self.count(&Subjects::of_address("link", origin, LINKS_BY_ADDRESS)).await?.ok_or_else(too_many)?;
        Ok(self.count(&Subjects::of_account("link", email, LINKS_BY_ACCOUNT)).await?.is_some())
    }

    async fn send_reset(&self, email: &str) -> Result<()> {
        let found = account::find_by_email(self.db.pool(), email).await.map_err(fault)?;
        let Some(account) = found.filter(|account| account.disabled_at.is_none()) else { return Ok(()) };
        let tx = self.begin().await?;
        // The account may be moving to another address, or be barred, just now.
        let held = account::hold(&tx, account.id).await.map_err(fault)?;
        let same = |held: &Account| held.email == account.email && held.disabled_at.is_none();
        let Some(account) = held.filter(same) else { return Ok(()) };
        if account.password_hash.is_none() {
            // They never took their invitation up: that is what they need.
            self.send_invitation(&tx, &account, "Millrace").await?;
            return commit(tx).await;
        }
        let link = self.new_link(&tx, account.id, LinkPurpose::Reset).await?;
        let letter = Letter {
            kind: "password_reset",
            subject: "Set a new password".to_owned(),
            paragraphs: vec![
                "Somebody, hopefully you, asked for a new password. The link works once, within an hour.".to_owned(),
                "If it was not you, there is nothing to do: your password stays as it is.".to_owned(),
            ],
            act: Some(Act { label: "Choose a new password", link }),
            secret: true,
            facts: vec![("Account".to_owned(), account.email.clone())],
            why: "You get this because somebody asked for it on the sign-in page.",
            thread: None,
            chart: None,
        };
        self.write_to(&tx, &account, letter).await?;
        commit(tx).await
    }

    /// Draws a one-time link. A new invitation takes the place of the earlier one.
    pub(crate) async fn new_link(
        &self,
        tx: &impl Connection,
        account: AccountId,
        purpose: LinkPurpose,
    ) -> Result<String> {
        let code = random_text(self.surroundings.entropy.as_ref() as &dyn Entropy, 32);
        let now = self.now();
        let until = now + Duration::minutes(LINK_MINUTES);
        if purpose == LinkPurpose::Invite {
            credential::end_links(tx, account, now).await.map_err(fault)?;
        }
        credential::insert_link(tx, account, purpose, &Digest::of(&code), now, until).await.map_err(fault)?;
        Ok(match purpose {
            LinkPurpose::Invite => self.link(&format!("/invite?code={code}")),
            LinkPurpose::Reset => self.link(&format!("/reset?code={code}")),
        })
    }

    /// What the page of a link shows: whose it is, and whether it still works. An unknown code and a used one look the same.
    ///
    /// # Errors
    /// 404 for an unknown or used code.
    pub async fn look_at_link(&self, purpose: LinkPurpose, code: &str) -> Result<LinkView> {
        let found = credential::find_link(self.db.pool(), purpose, &Digest::of(code.trim())).await.map_err(fault)?;
        let (id, expires_at) = found.ok_or_else(dead_link)?;
        let account = account::find(self.db.pool(), id).await.map_err(fault)?;
        let account = account.filter(|account| account.disabled_at.is_none()).ok_or_else(dead_link)?;
        Ok(LinkView { email: account.email, name: account.name, open: expires_at > self.now() })
    }

    /// Sends a new link in place of one that has run out, to the same address.
    ///
    /// # Errors
    /// 404 for an unknown or used code, 429 after too many.
    pub async fn renew_link(&self, purpose: LinkPurpose, code: &str, origin: &Origin) -> Result<()> {
        let LinkView { email, .. } = self.look_at_link(purpose, code).await?;
        if !self.count_link(&email, origin).await? {
            return Err(too_many());
        }
        self.send_reset(&email).await
    }

    /// Sets the password by a link: it is used up, and every session of the account ends.
    ///
    /// # Errors
    /// 404 for a code that is unknown, used or run out; 400 for a password that is too easy.
    pub async fn set_password_by_link(
        &self,
        purpose: LinkPurpose,
        code: &str,
        password: &str,
        origin: &Origin,
    ) -> Result<SignedIn> {
        let LinkView { email, name, open } = self.look_at_link(purpose, code).await?;
        if !open {
            return Err(dead_link());
        }
        let hash = self.hasher.hash(Password::new(password, &[&name, &email])?).await?;
        let tx = self.begin().await?;
        let used = credential::use_link(&tx, purpose, &Digest::of(code.trim()), self.now()).await.map_err(fault)?;
        let id = used.ok_or_else(dead_link)?;
        let account = account::take(&tx, id).await.map_err(fault)?.ok_or_else(dead_link)?;
        account::set_password(&tx, id, &hash).await.map_err(fault)?;
        credential::end_links(&tx, id, self.now()).await.map_err(fault)?;
        session::revoke_all(&tx, id, self.now()).await.map_err(fault)?;
        let action = match purpose {
            LinkPurpose::Invite => "account.accept",
            LinkPurpose::Reset => {
                self.tell_of_change(&tx, &account, "The password of your account was changed.", "a link by mail")
                    .await?;
                "account.password_reset"
            }
        };
        let actor = Actor { origin: origin.clone(), ..actor_of(&account, Via::Session) };
        self.note(&tx, &actor, Note::new(action, format!("account/{id}"))).await?;
        commit(tx).await?;
        let owes_second_factor = account.totp_since.is_some();
        if !owes_second_factor {
            self.note_sign_in(&account, origin, "a link by mail").await?;
        }
        Ok(SignedIn { owes_second_factor, ..SignedIn::after_all_ended(&account) })
    }
}

fn dead_link() -> Fault {
    Fault::new(
        404,
        "dead_link",
        "This link no longer works",
        "it was used, has run out, or is incomplete; ask for a new one on the sign-in page",
    )
}
