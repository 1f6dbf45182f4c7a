//! May this actor do that? And the audit row that belongs to every act.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::Digest;
use millrace_domain::audit::Outcome;
use millrace_domain::fault::Fault;
use millrace_domain::ids::AccountId;
use millrace_domain::policy::{Action, Actor, Origin, Pass, Refused, Via};
use millrace_storage::account::{self, Account};
use millrace_storage::audit::{self, Act};
use millrace_storage::{Transaction, session, token};
use serde_json::{Value, json};

use crate::{Result, Services, commit, fault};

/// How long after showing the password somebody may change what their account rests on.
pub(crate) const CONFIRMED_MINUTES: i64 = 10;

/// What is written down of an act.
pub(crate) struct Note<'a> {
    pub action: &'a str,
    pub object: String,
    pub digest: Option<Digest>,
    pub details: Value,
}

impl<'a> Note<'a> {
    pub(crate) fn new(action: &'a str, object: impl Into<String>) -> Self {
        Self { action, object: object.into(), digest: None, details: json!({}) }
    }

    pub(crate) fn digest(mut self, digest: Digest) -> Self {
        self.digest = Some(digest);
        self
    }

    pub(crate) fn details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}

/// Refusals of one account that are written down within an hour: nobody fills the trail, or keeps others from it, by asking for what they may
/// not do.
const MOST_REFUSALS: u32 = 1_000;

/// How many refusals each account had in its hour, on this server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refusals(Arc<Mutex<HashMap<AccountId, Hour>>>);

#[derive(Debug)]
struct Hour {
    since: DateTime<Utc>,
    count: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Counted {
    Within,
    Last,
    Beyond,
}

impl Refusals {
    fn count(&self, account: AccountId, now: DateTime<Utc>) -> Counted {
        let mut hours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hour = hours.entry(account).or_insert(Hour { since: now, count: 0 });
        if now - hour.since >= TimeDelta::hours(1) {
            *hour = Hour { since: now, count: 0 };
        }
        hour.count = hour.count.saturating_add(1);
        match hour.count.cmp(&MOST_REFUSALS) {
            Ordering::Less => Counted::Within,
            Ordering::Equal => Counted::Last,
            Ordering::Greater => Counted::Beyond,
        }
    }
}

impl Services {
    /// Lets the actor through, or refuses and writes the refusal down. What a door asks before the problem is known.
    ///
    /// # Errors
    /// 403 when the actor may not.
    pub async fn authorise(&self, actor: &Actor, action: Action, object: &str) -> Result<()> {
        self.decided(actor, actor.may(action), action, object).await
    }

    /// The same for a problem and what belongs to it. A problem the actor may not read is as good as none.
    ///
    /// # Errors
    /// 404 for a problem the actor does not see, 403 when they see it and may not.
    pub async fn authorise_on(&self, actor: &Actor, action: Action, problem: &str, object: &str) -> Result<()> {
        if !actor.sees(problem) && actor.may_on(action, problem).is_err() {
            // First what the caller could learn anyway: that their roles or scopes do not cover it on any problem.
            self.authorise(actor, action, object).await?;
            let note = Note::new("refused", object).details(json!({ "action": action.title(), "answered": 404 }));
            self.note_refusal(actor, note).await?;
            return Err(Fault::not_found(thing(object)));
        }
        self.decided(actor, actor.may_on(action, problem), action, object).await
    }

    async fn decided(
        &self,
        actor: &Actor,
        decided: std::result::Result<(), Refused>,
        action: Action,
        object: &str,
    ) -> Result<()> {
        let Err(refused) = decided else { return Ok(()) };
        let note = Note::new("refused", object).details(json!({ "action": action.title() }));
        self.note_refusal(actor, note).await?;
        Err(Fault::forbidden(code_of(&refused), refused.to_string()))
    }

    /// Opens the transaction of an act: the actor's rights as they are now, and the session or token they showed, held until it
    /// ends. What was taken away before this moment does not count, however long ago the request began, and taking it away waits
    /// for the act. The problem is the one it is done to, if it is.
    pub(crate) async fn begin_as(
        &self,
        actor: &Actor,
        action: Action,
        problem: Option<&str>,
        object: &str,
    ) -> Result<Transaction> {
        match problem {
            Some(problem) => self.authorise_on(actor, action, problem, object).await?,
            None => self.authorise(actor, action, object).await?,
        }
        let tx = self.begin().await?;
        self.with_rights(tx, actor, action, problem, object).await
    }

    /// The transaction with the actor's rights held in it; without them it ends before that is written down.
    pub(crate) async fn with_rights(
        &self,
        tx: Transaction,
        actor: &Actor,
        action: Action,
        problem: Option<&str>,
        object: &str,
    ) -> Result<Transaction> {
        if actor.via == Via::Host {
            return Ok(tx);
        }
        let held = account::hold(&tx, actor.account).await.map_err(fault)?;
        let held = held.filter(|held| held.disabled_at.is_none()).ok_or_else(Fault::unauthenticated)?;
        self.hold_pass(&tx, actor).await?;
        let now = Actor { grants: held.grants, ..actor.clone() };
        let still = problem.map_or_else(|| now.may(action), |problem| now.may_on(action, problem));
        if still.is_err() {
            drop(tx);
            return self.decided(actor, still, action, object).await.and_then(|()| Err(Fault::unauthenticated()));
        }
        Ok(tx)
    }

    /// Opens the transaction of a change to the own account, whose row it takes: the session that was shown is still open, and two
    /// such changes come one after the other.
    ///
    /// # Errors
    /// 401 when the session has ended or the account may not sign in any more, 403 for a token.
    pub(crate) async fn begin_own(&self, actor: &Actor) -> Result<(Transaction, Account)> {
        self.people_only(actor)?;
        let tx = self.begin().await?;
        let account = account::take(&tx, actor.account).await.map_err(fault)?;
        let account = account.filter(|account| account.disabled_at.is_none()).ok_or_else(Fault::unauthenticated)?;
        if actor.via != Via::Host {
            self.hold_pass(&tx, actor).await?;
        }
        Ok((tx, account))
    }

    async fn hold_pass(&self, tx: &Transaction, actor: &Actor) -> Result<()> {
        let holds = match actor.pass {
            Some(Pass::Session(id)) => session::hold(tx, id, actor.account, self.now()).await.map_err(fault)?,
            Some(Pass::Token(id)) => token::hold(tx, id, actor.account, self.now()).await.map_err(fault)?,
            None => false,
        };
        if holds { Ok(()) } else { Err(Fault::unauthenticated()) }
    }

    /// Lets through who has shown the password within the last ten minutes: for changes that whoever sits at a screen left
    /// open must not make.
    ///
    /// # Errors
    /// 403 `confirm_first`.
    pub(crate) fn confirmed(&self, actor: &Actor) -> Result<()> {
        if self.has_confirmed(actor) {
            return Ok(());
        }
        Err(Fault::forbidden(
            "confirm_first",
            format!("this change needs your password once more, as it was given over {CONFIRMED_MINUTES} minutes ago"),
        ))
    }

    pub(crate) fn has_confirmed(&self, actor: &Actor) -> bool {
        let since = self.now() - chrono::Duration::minutes(CONFIRMED_MINUTES);
        actor.via == Via::Host || actor.confirmed_at.is_some_and(|at| at > since)
    }

    /// Writes the act down in its own transaction; without the row there is no act.
    pub(crate) async fn note(&self, tx: &Transaction, actor: &Actor, note: Note<'_>) -> Result<()> {
        self.append(tx, actor, note, Outcome::Done).await
    }

    /// Writes down what was refused; of one account at most [`MOST_REFUSALS`] an hour.
    pub(crate) async fn note_refusal(&self, actor: &Actor, mut note: Note<'_>) -> Result<()> {
        match self.refusals.count(actor.account, self.now()) {
            Counted::Within => {}
            Counted::Last => note.details["further"] = json!("those of the rest of the hour are counted, not written"),
            Counted::Beyond => {
                metrics::counter!("millrace_refusals_not_written_total").increment(1);
                return Ok(());
            }
        }
        let tx = self.begin().await?;
        self.append(&tx, actor, note, Outcome::Refused).await?;
        commit(tx).await
    }

    async fn append(&self, tx: &Transaction, actor: &Actor, mut note: Note<'_>, outcome: Outcome) -> Result<()> {
        // An address can pass to somebody else; the account's number does not.
        if let (Some(details), false) = (note.details.as_object_mut(), actor.via == Via::Host) {
            details.insert("account".to_owned(), json!(actor.account));
        }
        let act = Act {
            actor: &actor.email,
            via: actor.via.as_str(),
            action: note.action,
            object: note.object,
            digest: note.digest,
            outcome,
            origin: &actor.origin,
            details: note.details,
        };
        audit::append(tx, act, self.now()).await.map(|_| ()).map_err(fault)
    }

    /// Writes down what somebody did, or tried, who was not recognised.
    pub(crate) async fn note_unrecognised(&self, origin: &Origin, note: Note<'_>) -> Result<()> {
        let tx = self.begin().await?;
        let act = Act {
            actor: "unknown",
            via: "none",
            action: note.action,
            object: note.object,
            digest: None,
            outcome: Outcome::Refused,
            origin,
            details: note.details,
        };
        audit::append(&tx, act, self.now()).await.map_err(fault)?;
        commit(tx).await
    }
}

const fn code_of(refused: &Refused) -> &'static str {
    match refused {
        Refused::SecondFactor => "second_factor_required",
        Refused::Role(_) | Refused::Scope { .. } | Refused::PersonOnly(_) => "not_allowed",
    }
}

/// What an object is called in "there is no such …": the same words as for one that does not exist.
fn thing(object: &str) -> &'static str {
    let is_version = object.contains("/v/");
    match object.split('/').next() {
        Some("problem") if is_version => "problem version",
        Some("problem") => "problem",
        Some("dataset") if is_version => "dataset version",
        Some("dataset") => "dataset",
        Some("model") if is_version => "model version",
        Some("model") => "model",
        Some("run") => "run",
        Some("deployment") => "deployment",
        _ => "page",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_one_account_are_written_a_thousand_times_an_hour() {
        let refusals = Refusals::default();
        let now = "2026-05-01T12:00:00Z".parse::<DateTime<Utc>>().unwrap();
        let written = |account: i64, at: DateTime<Utc>, times: usize| {
            (0..times).filter(|_| refusals.count(AccountId(account), at) != Counted::Beyond).count()
        };
        assert_eq!(written(1, now, 1_500), 1_000);
        assert_eq!(written(1, now + TimeDelta::minutes(59), 1), 0);
        assert_eq!(written(2, now, 1), 1);
        assert_eq!(written(1, now + TimeDelta::minutes(60), 1), 1);
    }
}
