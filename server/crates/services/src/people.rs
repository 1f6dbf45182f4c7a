//! Accounts and roles. There is never a default account: the first admin is made with a one-time code, and further people
//! by an admin or on the host.

use chrono::Duration;
use millrace_domain::Digest;
use millrace_domain::clock::Entropy;
use millrace_domain::fault::Fault;
use millrace_domain::ids::AccountId;
use millrace_domain::policy::{Action, Actor, Role, Via};
use millrace_domain::view::{PeopleView, Permission, PersonView};
use millrace_storage::{account, session};

use crate::access::Note;
use crate::credentials::{Password, random_text};
use crate::sign_in::account_details;
use crate::{Result, Services, commit, fault};

/// The code that makes the first admin; printed once at start.
pub struct SetUpCode(pub String);

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
        account::insert_setup_code(self.db.pool(), &Digest::of(&code), now, now + Duration::hours(24))
            .await
            .map_err(fault)?;
        Ok(Some(SetUpCode(code)))
    }

    /// Uses the set-up code up to make the first admin. Two at once make one.
    ///
    /// # Errors
    /// 403 when the code is wrong, used or expired, or somebody has an account already.
    pub async fn set_up(&self, code: &str, email: &str, name: &str, password: &str) -> Result<AccountId> {
        let refused = || {
            Fault::forbidden(
                "set_up_closed",
                "this set-up link is wrong, used or expired; start the server again to get a new one while there is no account",
            )
        };
        let (email, name) = (checked_email(email)?, checked_name(name)?);
        let code = Digest::of(code.trim());
        if !account::setup_code_is_open(self.db.pool(), &code, self.now()).await.map_err(fault)? {
            return Err(refused());
        }
        let hash = self.hasher.hash(Password::new(password)?).await?;
        let tx = self.begin().await?;
        account::lock_all(&tx).await.map_err(fault)?;
        let first = account::count(&tx).await.map_err(fault)? == 0;
        if !first || !account::use_setup_code(&tx, &code, self.now()).await.map_err(fault)? {
            return Err(refused());
        }
        let roles = [Role::Admin];
        let id = account::insert(&tx, &email, &name, &hash, &roles, self.now()).await.map_err(fault)?;
        let actor = Actor { account: id, name, email: email.clone(), roles: roles.to_vec(), via: Via::Session };
        let note = Note::new("account.set_up", format!("account/{id}")).details(account_details(&email, &roles));
        self.note(&tx, &actor, note).await?;
        commit(tx).await?;
        Ok(id)
    }

    /// Adds a person.
    ///
    /// # Errors
    /// For anybody but an admin; 409 when the address has an account.
    pub async fn add_person(
        &self,
        actor: &Actor,
        email: &str,
        name: &str,
        password: &str,
        roles: &[Role],
    ) -> Result<AccountId> {
        self.authorise(actor, Action::ManagePeople, "account").await?;
        self.insert_person(actor, email, name, password, roles).await
    }

    /// Adds a person from the host's command line.
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
        let host = Actor {
            account: AccountId(0),
            name: "host".to_owned(),
            email: "host".to_owned(),
            roles: Vec::new(),
            via: Via::Host,
        };
        self.insert_person(&host, email, name, password, roles).await
    }

    async fn insert_person(
        &self,
        actor: &Actor,
        email: &str,
        name: &str,
        password: &str,
        roles: &[Role],
    ) -> Result<AccountId> {
        let (email, name) = (checked_email(email)?, checked_name(name)?);
        let hash = self.hasher.hash(Password::new(password)?).await?;
        let tx = self.begin().await?;
        let id = account::insert(&tx, &email, &name, &hash, roles, self.now()).await.map_err(|error| {
            if error.is_duplicate("account_email_key") {
                return Fault::conflict("account_exists", format!("{email} has an account already"));
            }
            fault(error)
        })?;
        let note = Note::new("account.add", format!("account/{id}")).details(account_details(&email, roles));
        self.note(&tx, actor, note).await?;
        commit(tx).await?;
        Ok(id)
    }

    /// Replaces a person's roles and ends their sessions, so the new rights hold at once.
    ///
    /// # Errors
    /// For anybody but an admin; 409 for one's own roles or the last admin's.
    pub async fn set_roles(&self, actor: &Actor, id: AccountId, roles: &[Role]) -> Result<()> {
        self.authorise(actor, Action::ManagePeople, &format!("account/{id}")).await?;
        let tx = self.begin().await?;
        account::lock_all(&tx).await.map_err(fault)?;
        let person = account::find(&tx, id).await.map_err(fault)?.ok_or_else(|| Fault::not_found("account"))?;
        account::set_roles(&tx, id, roles).await.map_err(fault)?;
        if account::count_admins(&tx).await.map_err(fault)? == 0 {
            return Err(last_admin());
        }
        session::revoke_all(&tx, id, self.now()).await.map_err(fault)?;
        let details = serde_json::json!({ "email": person.email, "before": person.roles, "after": roles });
        self.note(&tx, actor, Note::new("account.roles", format!("account/{id}")).details(details)).await?;
        commit(tx).await
    }

    /// Bars a person from signing in and ends their sessions and tokens' use; their history stays.
    ///
    /// # Errors
    /// For anybody but an admin; 409 for the last admin.
    pub async fn disable_person(&self, actor: &Actor, id: AccountId) -> Result<()> {
        self.authorise(actor, Action::ManagePeople, &format!("account/{id}")).await?;
        let tx = self.begin().await?;
        account::lock_all(&tx).await.map_err(fault)?;
        let person = account::find(&tx, id).await.map_err(fault)?.ok_or_else(|| Fault::not_found("account"))?;
        account::disable(&tx, id, self.now()).await.map_err(fault)?;
        if account::count_admins(&tx).await.map_err(fault)? == 0 {
            return Err(last_admin());
        }
        session::revoke_all(&tx, id, self.now()).await.map_err(fault)?;
        let details = account_details(&person.email, &person.roles);
        self.note(&tx, actor, Note::new("account.disable", format!("account/{id}")).details(details)).await?;
        commit(tx).await
    }

    /// All people and the role matrix.
    ///
    /// # Errors
    /// For callers without a role.
    pub async fn people(&self, actor: &Actor) -> Result<PeopleView> {
        self.authorise(actor, Action::ReadWorkspace, "people").await?;
        let people = account::list(self.db.pool()).await.map_err(fault)?;
        let words = |roles: &[Role]| roles.iter().map(|role| role.as_str().to_owned()).collect();
        Ok(PeopleView {
            people: people
                .into_iter()
                .map(|person| PersonView {
                    id: person.id.to_string(),
                    name: person.name,
                    email: person.email,
                    roles: words(&person.roles),
                    disabled: person.disabled_at.is_some(),
                    created_at: person.created_at,
                })
                .collect(),
            matrix: Action::ALL.iter().map(|action| (action.title().to_owned(), words(action.roles()))).collect(),
            may_manage: Permission::from_result(actor.may(Action::ManagePeople)),
        })
    }
}

fn last_admin() -> Fault {
    Fault::conflict("last_admin", "this is the last admin who can sign in; make somebody else an admin first")
}

fn checked_email(text: &str) -> Result<String> {
    let email = text.trim().to_lowercase();
    let plausible = email.len() <= 254
        && email.split_once('@').is_some_and(|(local, host)| {
            !local.is_empty() && host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
        })
        && !email.contains(|c: char| c.is_whitespace() || c.is_control() || "<>,;:\"()[]\\".contains(c));
    if plausible { Ok(email) } else { Err(Fault::field("/email", "must be a mail address such as name@example.org")) }
}

fn checked_name(text: &str) -> Result<String> {
    let name = text.trim();
    if (1..=100).contains(&name.chars().count()) && !name.contains(char::is_control) {
        return Ok(name.to_owned());
    }
    Err(Fault::field("/name", "must have 1 to 100 characters on one line"))
}
