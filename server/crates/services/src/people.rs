//! Accounts and roles. There is never a default account: the first admin is made with a one-time code, further people are
//! invited by mail, or made on the host.

use chrono::Duration;
use millrace_domain::Digest;
use millrace_domain::clock::Entropy;
use millrace_domain::fault::Fault;
use millrace_domain::ids::AccountId;
use millrace_domain::policy::{Action, Actor, Grant, Role, Via};
use millrace_domain::text::misleads;
use millrace_domain::view::{ElsewhereView, PeopleView, Permission, PersonView};
use millrace_storage::account::{self, Account};
use millrace_storage::credential::{self, LinkPurpose};
use millrace_storage::{Transaction, problem, session, token};

use crate::access::Note;
use crate::credentials::{Password, random_text};
use crate::mail::Letter;
use crate::sign_in::SignedIn;
use crate::{Result, Services, commit, fault};

/// The code that makes the first admin; printed once at start.
pub struct SetUpCode(pub String);

/// Admins are held to one change at a time, so that two of them cannot remove each other.
enum Change<'a> {
    Grants(&'a [Grant]),
    Disable,
    Enable,
}

impl Services {
    /// Makes a one-time set-up code if there is no account yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn offer_set_up(&self) -> Result<Option<SetUpCode>> {
        if account::count(self.db.pool()).await.map_err(fault)? > 0 {
            return Ok(None);
        }
        let code = random_text(self.surroundings.entropy.as_ref() as &dyn Entropy, 26);
        let now = self.now();
        credential::insert_setup_code(self.db.pool(), &Digest::of(&code), now, now + Duration::hours(24))
            .await
            .map_err(fault)?;
        Ok(Some(SetUpCode(code)))
    }

    /// Uses the set-up code up to make the first admin, who is then signed in. Two at once make one.
    ///
    /// # Errors
    /// 403 when the code is wrong, used or expired, or somebody has an account already.
    pub async fn set_up(&self, code: &str, email: &str, name: &str, password: &str) -> Result<SignedIn> {
        let refused = || {
            Fault::forbidden(
                "set_up_closed",
                "this set-up link is wrong, used or expired; start the server again to get a new one while there is no account",
            )
        };
        let (email, name) = (checked_email(email)?, checked_name(name)?);
        let code = Digest::of(code.trim());
        if !credential::setup_code_is_open(self.db.pool(), &code, self.now()).await.map_err(fault)? {
            return Err(refused());
        }
        let hash = self.hasher.hash(Password::new(password, &[&name, &email])?).await?;
        let tx = self.begin().await?;
        account::lock_all(&tx).await.map_err(fault)?;
        let first = account::count(&tx).await.map_err(fault)? == 0;
        if !first || !credential::use_setup_code(&tx, &code, self.now()).await.map_err(fault)? {
            return Err(refused());
        }
        let grants = vec![Grant::everywhere(Role::Admin)];
        let id = account::insert(&tx, &email, &name, Some(&hash), &grants, self.now()).await.map_err(fault)?;
        let details = account_details(&email, &grants);
        let actor = Actor { account: id, name, email, grants, via: Via::Session, ..Actor::host() };
        self.note(&tx, &actor, Note::new("account.set_up", format!("account/{id}")).details(details)).await?;
        commit(tx).await?;
        Ok(SignedIn { account: id, owes_second_factor: false, generation: 0, in_place_of: None })
    }

    /// Invites a person: an account without a password, and a letter with a link to set one.
    ///
    /// # Errors
    /// For anybody but an admin who has confirmed; 409 when the address has an account.
    pub async fn invite(&self, actor: &Actor, email: &str, name: &str, grants: &[Grant]) -> Result<AccountId> {
        let (email, name) = (checked_email(email)?, checked_name(name)?);
        let tx = self.begin_managing(actor, "account").await?;
        self.check_problems(&tx, grants).await?;
        let id = account::insert(&tx, &email, &name, None, grants, self.now()).await.map_err(taken(&email))?;
        answered_for(&tx, id, actor).await?;
        let invited = account::find(&tx, id).await.map_err(fault)?.ok_or_else(missing)?;
        self.send_invitation(&tx, &invited, &actor.name).await?;
        let note = Note::new("account.invite", format!("account/{id}")).details(account_details(&email, grants));
        self.note(&tx, actor, note).await?;
        commit(tx).await?;
        Ok(id)
    }

    /// Sends the invitation once more, with a new link; the old one ends.
    ///
    /// # Errors
    /// For anybody but an admin who has confirmed; 409 when it was taken up.
    pub async fn invite_again(&self, actor: &Actor, id: AccountId) -> Result<()> {
        let tx = self.begin_managing(actor, &format!("account/{id}")).await?;
        let person = account::find(&tx, id).await.map_err(fault)?.ok_or_else(missing)?;
        let is_taken_up = person.password_hash.is_some() || account::has_identity(&tx, id).await.map_err(fault)?;
        if is_taken_up || person.disabled_at.is_some() {
            return Err(Fault::conflict("not_invited", format!("{} is not waiting for an invitation", person.email)));
        }
        self.send_invitation(&tx, &person, &actor.name).await?;
        self.note(&tx, actor, Note::new("account.invite_again", format!("account/{id}"))).await?;
        commit(tx).await
    }

    pub(crate) async fn send_invitation(&self, tx: &Transaction, to: &Account, by: &str) -> Result<()> {
        let link = self.new_link(tx, to.id, LinkPurpose::Invite).await?;
        let letter = Letter {
            kind: "invitation",
            subject: format!("{by} invites you to Millrace"),
            paragraphs: vec![
                format!("{by} has made an account for you. Choose a password to take it up."),
                "The link works once, within an hour. When it has run out, its page sends a new one.".to_owned(),
            ],
            act: Some(crate::mail::Act { label: "Choose a password", link }),
            secret: true,
            facts: vec![("Account".to_owned(), to.email.clone()), ("Roles".to_owned(), grants_in_words(&to.grants))],
            why: "You get this because somebody invited this address.",
            thread: None,
            chart: None,
        };
        self.write_to(tx, to, letter).await
    }

    /// Adds a person with a first password from the host's command line.
    ///
    /// # Errors
    /// 409 when the address has an account.
    pub async fn add_person_from_host(
        &self,
        email: &str,
        name: &str,
        password: &str,
        roles: &[Role],
    ) -> Result<AccountId> {
        let grants: Vec<Grant> = roles.iter().copied().map(Grant::everywhere).collect();
        self.add_person_with(email, name, password, &grants).await
    }

    /// The same with roles on single problems.
    ///
    /// # Errors
    /// 409 when the address has an account, 400 for a role on an unknown problem.
    pub async fn add_person_with(
        &self,
        email: &str,
        name: &str,
        password: &str,
        grants: &[Grant],
    ) -> Result<AccountId> {
        let (email, name) = (checked_email(email)?, checked_name(name)?);
        let hash = self.hasher.hash(Password::new(password, &[&name, &email])?).await?;
        let tx = self.begin().await?;
        self.check_problems(&tx, grants).await?;
        let id = account::insert(&tx, &email, &name, Some(&hash), grants, self.now()).await.map_err(taken(&email))?;
        let note = Note::new("account.add", format!("account/{id}")).details(account_details(&email, grants));
        self.note(&tx, &Actor::host(), note).await?;
        commit(tx).await?;
        Ok(id)
    }

    /// Replaces a person's roles and ends their sessions, so the new rights hold at once.
    ///
    /// # Errors
    /// For anybody but an admin who has confirmed; 409 for the last admin's.
    pub async fn set_grants(&self, actor: &Actor, id: AccountId, grants: &[Grant]) -> Result<()> {
        self.change_person(actor, id, &Change::Grants(grants)).await
    }

    /// Bars a person from signing in and ends their sessions and tokens for good; their history stays.
    ///
    /// # Errors
    /// For anybody but an admin who has confirmed; 409 for the last admin.
    pub async fn disable_person(&self, actor: &Actor, id: AccountId) -> Result<()> {
        self.change_person(actor, id, &Change::Disable).await
    }

    /// Lets a person who was barred sign in again.
    ///
    /// # Errors
    /// For anybody but an admin who has confirmed.
    pub async fn enable_person(&self, actor: &Actor, id: AccountId) -> Result<()> {
        self.change_person(actor, id, &Change::Enable).await
    }

    async fn change_person(&self, actor: &Actor, id: AccountId, change: &Change<'_>) -> Result<()> {
        let object = format!("account/{id}");
        let tx = self.begin_managing(actor, &object).await?;
        let person = account::take(&tx, id).await.map_err(fault)?.ok_or_else(missing)?;
        let (action, told, details) = match change {
            Change::Grants(grants) => {
                self.check_problems(&tx, grants).await?;
                account::set_grants(&tx, id, grants).await.map_err(fault)?;
                answered_for(&tx, id, actor).await?;
                let details = serde_json::json!({ "email": person.email, "before": person.grants, "after": grants });
                (
                    "account.roles",
                    format!("Your roles were changed. You are now: {}.", grants_in_words(grants)),
                    details,
                )
            }
            Change::Disable => {
                account::disable(&tx, id, self.now()).await.map_err(fault)?;
                token::revoke_all(&tx, id, self.now()).await.map_err(fault)?;
                credential::end_links(&tx, id, self.now()).await.map_err(fault)?;
                let details = account_details(&person.email, &person.grants);
                ("account.disable", "Your account was disabled: you can no longer sign in.".to_owned(), details)
            }
            Change::Enable => {
                account::enable(&tx, id).await.map_err(fault)?;
                let details = account_details(&person.email, &person.grants);
                ("account.enable", "Your account was enabled: you can sign in again.".to_owned(), details)
            }
        };
        if account::count_admins(&tx).await.map_err(fault)? == 0 {
            return Err(Fault::conflict(
                "last_admin",
                "this is the last admin who can sign in; make somebody else an admin first",
            ));
        }
        session::revoke_all(&tx, id, self.now()).await.map_err(fault)?;
        self.tell_of_change(&tx, &person, &told, &actor.name).await?;
        self.note(&tx, actor, Note::new(action, object).details(details)).await?;
        commit(tx).await
    }

    /// Ends every session of somebody else.
    ///
    /// # Errors
    /// For anybody but an admin who has confirmed.
    pub async fn end_sessions_of(&self, actor: &Actor, id: AccountId) -> Result<()> {
        let object = format!("account/{id}");
        let tx = self.begin_managing(actor, &object).await?;
        account::find(&tx, id).await.map_err(fault)?.ok_or_else(missing)?;
        let ended = session::revoke_all(&tx, id, self.now()).await.map_err(fault)?;
        let details = serde_json::json!({ "ended": ended });
        self.note(&tx, actor, Note::new("account.end_sessions", object).details(details)).await?;
        commit(tx).await
    }

    /// Opens the transaction of a change to people: one after the other, so that two admins neither remove nor wait for each other.
    async fn begin_managing(&self, actor: &Actor, object: &str) -> Result<Transaction> {
        if !actor.is_host() {
            self.authorise(actor, Action::ManagePeople, object).await?;
            self.confirmed(actor)?;
        }
        let tx = self.begin().await?;
        account::lock_all(&tx).await.map_err(fault)?;
        self.with_rights(tx, actor, Action::ManagePeople, None, object).await
    }

    async fn check_problems(&self, tx: &Transaction, grants: &[Grant]) -> Result<()> {
        for slug in grants.iter().filter_map(|grant| grant.problem.as_deref()) {
            if problem::find_id(tx, slug).await.map_err(fault)?.is_none() {
                return Err(Fault::field("/problem", format!("{slug:?} is no problem here; write its address")));
            }
        }
        Ok(())
    }

    /// A letter to somebody whose account was changed.
    pub(crate) async fn tell_of_change(&self, tx: &Transaction, to: &Account, what: &str, by: &str) -> Result<()> {
        let when = self.now().format("%Y-%m-%d %H:%M UTC").to_string();
        let letter = Letter {
            kind: "account_changed",
            subject: what.trim_end_matches('.').split(". ").next().unwrap_or(what).to_owned(),
            paragraphs: vec![
                what.to_owned(),
                "If this surprises you, tell an admin: somebody else may be using your account.".to_owned(),
            ],
            act: Some(crate::mail::Act { label: "Look at your account", link: self.link("/account") }),
            secret: false,
            facts: vec![
                ("Account".to_owned(), to.email.clone()),
                ("By".to_owned(), by.to_owned()),
                ("When".to_owned(), when),
            ],
            why: "You get this because your account was changed; such letters cannot be switched off.",
            thread: None,
            chart: None,
        };
        self.write_to(tx, to, letter).await
    }

    /// All people and the role matrix.
    ///
    /// # Errors
    /// For callers without a role.
    pub async fn people(&self, actor: &Actor) -> Result<PeopleView> {
        self.authorise(actor, Action::ReadWorkspace, "people").await?;
        let people = account::list(self.db.pool()).await.map_err(fault)?;
        let words = |roles: &[Role]| roles.iter().map(|role| role.as_str().to_owned()).collect();
        let may_manage = actor.may(Action::ManagePeople);
        let problems = problem::list_newest(self.db.pool()).await.map_err(fault)?;
        let mut elsewhere = account::list_elsewhere(self.db.pool()).await.map_err(fault)?;
        let provider = self.elsewhere_name().unwrap_or_else(|| "elsewhere".to_owned());
        let shown = |grants: &[Grant]| -> Vec<String> {
            grants.iter().filter(|grant| shows(actor, grant)).map(ToString::to_string).collect()
        };
        Ok(PeopleView {
            people: people
                .into_iter()
                .filter(|person| is_known_to(actor, person))
                .map(|person| {
                    let elsewhere = elsewhere.remove(&person.id);
                    let has_come = person.password_hash.is_some() || elsewhere.is_some();
                    PersonView {
                        id: person.id.to_string(),
                        name: person.name,
                        email: person.email,
                        roles: shown(&person.grants),
                        state: match (person.disabled_at, has_come) {
                            (Some(_), _) => "disabled",
                            (None, false) => "invited",
                            (None, true) => "active",
                        }
                        .to_owned(),
                        second_factor: person.totp_since.is_some(),
                        created_at: person.created_at,
                        elsewhere: elsewhere
                            .map(|grants| ElsewhereView { provider: provider.clone(), roles: shown(&grants) }),
                    }
                })
                .collect(),
            matrix: Action::ALL.iter().map(|action| (action.title().to_owned(), words(action.roles()))).collect(),
            problems: problems.into_iter().map(|version| version.slug).filter(|slug| actor.sees(slug)).collect(),
            must_confirm: may_manage.is_ok() && !self.has_confirmed(actor),
            may_manage: Permission::from_result(may_manage),
        })
    }
}

/// Who works on single problems alone knows the people of those, and the ones of the whole workspace.
fn is_known_to(actor: &Actor, person: &Account) -> bool {
    actor.may_everywhere(Action::ReadWorkspace).is_ok()
        || person.id == actor.account
        || person.grants.iter().any(|grant| shows(actor, grant))
}

/// A role on a problem is shown to those who see the problem.
fn shows(actor: &Actor, grant: &Grant) -> bool {
    grant.problem.as_deref().is_none_or(|problem| actor.sees(problem))
}

/// Notes who answers for an account: the admin who made it or gave it its roles, or the host alone.
async fn answered_for(tx: &Transaction, id: AccountId, actor: &Actor) -> Result<()> {
    if actor.via == Via::Host {
        return account::unbind(tx, id).await.map_err(fault);
    }
    account::vouch(tx, id, actor.account).await.map_err(fault)
}

fn missing() -> Fault {
    Fault::not_found("account")
}

pub(crate) fn taken(email: &str) -> impl FnOnce(millrace_storage::StorageError) -> Fault {
    move |error| {
        if error.is_duplicate("account_email_key") {
            return Fault::conflict("account_exists", format!("{email} has an account already"));
        }
        fault(error)
    }
}

/// Details of an account for the audit trail.
fn account_details(email: &str, grants: &[Grant]) -> serde_json::Value {
    serde_json::json!({ "email": email, "roles": grants })
}

/// `ML engineer, stakeholder on taxi-tips`.
pub(crate) fn grants_in_words(grants: &[Grant]) -> String {
    let words: Vec<String> = grants.iter().map(Grant::in_words).collect();
    if words.is_empty() { "without a role".to_owned() } else { words.join(", ") }
}

pub(crate) fn checked_email(text: &str) -> Result<String> {
    let email = text.trim().to_lowercase();
    let plausible = email.len() <= 254
        && email.split_once('@').is_some_and(|(local, host)| {
            !local.is_empty() && host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
        })
        && !email.contains(|c: char| c.is_whitespace() || c.is_control() || "<>,;:\"()[]\\".contains(c));
    if plausible { Ok(email) } else { Err(Fault::field("/email", "must be a mail address such as name@example.org")) }
}

/// A name of a person, data or a token: one line, and nothing that turns or breaks the text around it.
pub(crate) fn checked_name(text: &str) -> Result<String> {
    let name = text.trim();
    if (1..=100).contains(&name.chars().count()) && !name.contains(misleads) {
        return Ok(name.to_owned());
    }
    Err(Fault::field("/name", "must have 1 to 100 characters on one line, none of them turning the direction of text"))
}
