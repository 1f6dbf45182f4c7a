//! May this actor do that? And the audit row that belongs to every act.

use millrace_domain::Digest;
use millrace_domain::audit::Outcome;
use millrace_domain::fault::Fault;
use millrace_domain::policy::{Action, Actor, Via};
use millrace_storage::Transaction;
use millrace_storage::audit::{self, Act};
use serde_json::{Value, json};

use crate::{Result, Services, commit, fault};

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

pub(crate) const fn via(actor: &Actor) -> &'static str {
    match actor.via {
        Via::Session => "session",
        Via::Token(_) => "token",
        Via::Host => "host",
    }
}

impl Services {
    /// Lets the actor through, or refuses and writes the refusal down.
    ///
    /// # Errors
    /// 403 when the actor may not.
    pub async fn authorise(&self, actor: &Actor, action: Action, object: &str) -> Result<()> {
        let Err(refused) = actor.may(action) else { return Ok(()) };
        let note = Note::new("refused", object).details(json!({ "action": action.title() }));
        self.note_refusal(actor, note).await?;
        Err(Fault::forbidden("not_allowed", refused.to_string()))
    }

    /// Writes the act down in its own transaction; without the row there is no act.
    pub(crate) async fn note(&self, tx: &Transaction, actor: &Actor, note: Note<'_>) -> Result<()> {
        self.append(tx, actor, note, Outcome::Done).await
    }

    /// Writes down what was refused.
    pub(crate) async fn note_refusal(&self, actor: &Actor, note: Note<'_>) -> Result<()> {
        let tx = self.begin().await?;
        self.append(&tx, actor, note, Outcome::Refused).await?;
        commit(tx).await
    }

    async fn append(&self, tx: &Transaction, actor: &Actor, note: Note<'_>, outcome: Outcome) -> Result<()> {
        let act = Act {
            actor: &actor.email,
            via: via(actor),
            action: note.action,
            object: note.object,
            digest: note.digest,
            outcome,
            details: note.details,
        };
        audit::append(tx, act, self.now()).await.map(|_| ()).map_err(fault)
    }
}
