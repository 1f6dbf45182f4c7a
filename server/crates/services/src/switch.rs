//! Switching a model off, so that every caller gets what the document names, and on again; and measuring how long a change takes.

use std::time::Duration;

use millrace_domain::fault::Fault;
use millrace_domain::ids::{ModelVersionId, ProblemId};
use millrace_domain::policy::{Action, Actor};
use millrace_domain::view::{DrillView, ServerView, SpreadView, Switched};
use millrace_storage::deployment::{self, Change, Deployment};
use millrace_storage::{Transaction, problem, server_route};
use serde_json::{Value, json};

use crate::access::Note;
use crate::deployment::checked_reason;
use crate::{Result, Services, commit, fault};

/// How long a drill waits for servers.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(20);

impl Services {
    /// Switches the model off or on again. A candidate on its way is taken back first: nothing can be shown of it meanwhile. It
    /// needs no analysis, and wins over a change in flight as a rollback does. Switching to how it is already changes nothing.
    ///
    /// # Errors
    /// 409 `no_fallback` when the document signed last names none; 404 when nothing ever was live.
    pub async fn switch_model(&self, actor: &Actor, slug: &str, off: bool, reason: &str) -> Result<Switched> {
        let object = format!("deployment/{slug}");
        self.authorise_on(actor, Action::SwitchModel, slug, &object).await?;
        let outcome = self.try_switch(actor, slug, off, reason).await;
        self.note_if_refused(actor, "deployment.switch", object, outcome).await
    }

    async fn try_switch(&self, actor: &Actor, slug: &str, off: bool, reason: &str) -> Result<Switched> {
        let reason = checked_reason(reason)?;
        let begun = self.now();
        let (tx, mut current) = self.held(actor, Action::SwitchModel, slug).await?;
        if current.fallback.is_some() == off {
            return Ok(Switched { generation: current.generation, fallback: off, took_ms: 0 });
        }
        let answer =
            if off { Some(self.fallback_of(&tx, slug).await?.ok_or_else(|| no_fallback(slug))?) } else { None };
        if let (true, Some(staged)) = (off, current.rollout) {
            self.roll_back_candidate(&tx, actor, current, staged, reason).await?;
            // In the watch the candidate was what is live.
            current = deployment::find(&tx, slug).await.map_err(fault)?.ok_or_else(missing)?;
        }
        let kind = if off { "switched_off" } else { "switched_on" };
        let change = unmoved(&current, kind, actor, reason);
        let generation = self.swap(&tx, slug, &change).await?;
        deployment::set_fallback(&tx, current.problem, answer.as_ref()).await.map_err(fault)?;
        let details = json!({ "generation": generation, "off": off, "answer": answer, "reason": reason });
        self.note(&tx, actor, Note::new("deployment.switch", format!("deployment/{slug}")).details(details)).await?;
        commit(tx).await?;
        Ok(Switched { generation, fallback: off, took_ms: self.milliseconds_since(begun) })
    }

    /// Makes a change that changes nothing for callers, waits until every server has it in place, and tells how long that took: what
    /// a rollback would take now.
    ///
    /// # Errors
    /// 409 `rollout_under_way`, `nothing_live`.
    pub async fn drill(&self, actor: &Actor, slug: &str) -> Result<DrillView> {
        let object = format!("deployment/{slug}");
        self.authorise_on(actor, Action::RollBack, slug, &object).await?;
        let begun = self.try_drill(actor, slug).await;
        let (problem, generation) = self.note_if_refused(actor, "deployment.drill", object, begun).await?;
        let tries = PATIENCE.as_millis() / LOOK.as_millis();
        for _ in 0..tries {
            tokio::time::sleep(LOOK).await;
            let spread = self.spread(problem, generation, None).await?;
            if spread.waiting.is_empty() && !spread.servers.is_empty() {
                return Ok(drilled(generation, spread));
            }
        }
        Ok(drilled(generation, self.spread(problem, generation, None).await?))
    }

    async fn try_drill(&self, actor: &Actor, slug: &str) -> Result<(ProblemId, i64)> {
        let (tx, current) = self.held(actor, Action::RollBack, slug).await?;
        if current.rollout.is_some() {
            let detail = "a version is on its way; a drill would get between its steps";
            return Err(Fault::conflict("rollout_under_way", detail));
        }
        if current.champion.is_none() {
            return Err(Fault::conflict(
                "nothing_live",
                format!("no model is live for {slug}; there is nothing to measure"),
            ));
        }
        let change = unmoved(&current, "drill", actor, "how long a change takes was measured");
        let generation = self.swap(&tx, slug, &change).await?;
        let note = Note::new("deployment.drill", format!("deployment/{slug}"));
        self.note(&tx, actor, note.details(json!({ "generation": generation }))).await?;
        commit(tx).await?;
        Ok((current.problem, generation))
    }

    /// The deployment under the problem's lock, for somebody who may do that.
    async fn held(&self, actor: &Actor, action: Action, slug: &str) -> Result<(Transaction, Deployment)> {
        let tx = self.begin_as(actor, action, Some(slug), &format!("deployment/{slug}")).await?;
        let id = problem::find_id(&tx, slug).await.map_err(fault)?.ok_or_else(missing)?;
        problem::lock(&tx, id).await.map_err(fault)?;
        let current = deployment::find(&tx, slug).await.map_err(fault)?.ok_or_else(missing)?;
        Ok((tx, current))
    }

    /// What callers get while the model is switched off, as the document signed last says: its `serving.fallback`.
    pub(crate) async fn fallback_of(
        &self,
        db: &impl millrace_storage::Connection,
        slug: &str,
    ) -> Result<Option<Value>> {
        let signed = problem::approved(db, slug).await.map_err(fault)?;
        Ok(signed.and_then(|signed| signed.document.serving.fallback).map(|fallback| json!(fallback)))
    }

    /// How a change reached the servers, and when the version that it took back answered last.
    pub(crate) async fn spread(
        &self,
        problem: ProblemId,
        generation: i64,
        taken_back: Option<ModelVersionId>,
    ) -> Result<SpreadView> {
        let pool = self.db.pool();
        let mut spread = SpreadView { servers: Vec::new(), waiting: Vec::new(), last_answer_ms: None };
        for placed in server_route::of_change(pool, problem, generation).await.map_err(fault)? {
            match placed.after_ms {
                Some(after_ms) => spread.servers.push(ServerView { name: placed.server, after_ms }),
                None => spread.waiting.push(placed.server),
            }
        }
        if let Some(version) = taken_back {
            let last = server_route::last_answer_ms(pool, problem, generation, version).await.map_err(fault)?;
            spread.last_answer_ms = last;
        }
        Ok(spread)
    }
}

fn missing() -> Fault {
    Fault::not_found("deployment")
}

/// A change after which the same version answers.
fn unmoved<'a>(current: &Deployment, kind: &'static str, actor: &Actor, reason: &'a str) -> Change<'a> {
    Change {
        problem: current.problem,
        from_generation: current.generation,
        kind,
        champion: current.champion,
        previous: None,
        of_rollout: None,
        staged: None,
        account: Some(actor.account),
        reason,
        checks: None,
    }
}

fn drilled(generation: i64, spread: SpreadView) -> DrillView {
    let took_ms = spread.servers.last().filter(|_| spread.waiting.is_empty()).map(|last| last.after_ms);
    DrillView { generation, took_ms, spread }
}

fn no_fallback(slug: &str) -> Fault {
    Fault::conflict(
        "no_fallback",
        format!(
            "the document of {slug} that was signed last names no serving.fallback; roll back instead, or have one signed"
        ),
    )
}
