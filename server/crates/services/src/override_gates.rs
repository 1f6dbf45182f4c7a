//! Letting a version go on although gates did not pass: a right of its own, with a reason and a day on which it ends. The verdicts stay
//! what they are, for the version's life.

use std::collections::BTreeSet;

use chrono::Duration;
use millrace_domain::Digest;
use millrace_domain::evidence::VersionFile;
use millrace_domain::fault::Fault;
use millrace_domain::gate::{Decision, Gate, LONGEST_OVERRIDE, Override, Verdict, decide};
use millrace_domain::ids::RunId;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::run::{RunState, StepKind};
use millrace_domain::view::{Overridden, OverrideRequest, Permission};
use millrace_storage::run::{self, Run};
use millrace_storage::step::{self, Subject};
use millrace_storage::{StorageError, Transaction, account, event, model, problem};
use serde::Deserialize;
use serde_json::json;

use crate::access::Note;
use crate::deployment::checked_reason;
use crate::run::missing;
use crate::{Result, Services, commit, fault};

/// Code of the failure with which the gate step stops a run.
pub const GATES_NOT_PASSED: &str = "gates_not_passed";

/// What the gate step said.
#[derive(Deserialize)]
struct Judged {
    model: Digest,
    gates: Vec<Gate>,
}

impl Services {
    /// Registers the model of a run that its gates stopped. The request names every gate that did not pass.
    ///
    /// # Errors
    /// 403 `own_work` for who launched the run or started it anew; 409 `not_stopped_by_gates`, `gates_differ` or
    /// `registered_already`; 400 without a reason or for more days than allowed.
    pub async fn override_gates(&self, actor: &Actor, id: RunId, request: &OverrideRequest) -> Result<Overridden> {
        let run = self.run_for(actor, Action::OverrideGate, id).await?;
        let outcome = self.try_override(actor, &run, request).await;
        if let Err(refused) = &outcome
            && refused.status < 500
        {
            let note = Note::new("run.override_gates", format!("run/{id}"));
            self.note_refusal(actor, note.details(json!({ "code": refused.code, "gates": request.gates }))).await?;
        }
        outcome
    }

    async fn try_override(&self, actor: &Actor, run: &Run, request: &OverrideRequest) -> Result<Overridden> {
        let (id, object) = (run.id, format!("run/{}", run.id));
        let reason = checked_reason(&request.reason)?;
        if !(1..=LONGEST_OVERRIDE).contains(&request.days) {
            let message = format!("must be 1 to {LONGEST_OVERRIDE}: nothing is let be for good");
            return Err(Fault::field("/days", message));
        }
        let tx = self.begin_as(actor, Action::OverrideGate, Some(&run.problem), &object).await?;
        let owner = problem::find_id(&tx, &run.problem).await.map_err(fault)?.ok_or_else(missing)?;
        problem::lock(&tx, owner).await.map_err(fault)?;
        let run = run::find(&tx, id).await.map_err(fault)?.ok_or_else(missing)?;
        stopped_by_gates(&run).map_err(|(code, detail)| Fault::conflict(code, detail))?;
        by_another(actor, &run).map_err(|detail| Fault::forbidden("own_work", detail))?;
        self.no_bond(&tx, actor, &run).await?;
        let mut judged = judged(&tx, id).await?;
        let open: BTreeSet<String> = match decide(&judged.gates) {
            Decision::Passed => BTreeSet::new(),
            Decision::Rejected(open) => open.into_iter().collect(),
        };
        if open != request.gates.iter().cloned().collect() {
            let listed: Vec<String> = open.into_iter().collect();
            let detail = format!("name every gate that did not pass, and no other: {}", listed.join(", "));
            return Err(Fault::conflict("gates_differ", detail));
        }
        let until = self.now() + Duration::days(request.days);
        let given = Override { account: actor.account, by: actor.name.clone(), reason: reason.to_owned(), until };
        for gate in judged.gates.iter_mut().filter(|gate| gate.verdict != Verdict::Pass) {
            gate.overridden = Some(given.clone());
        }
        let Judged { model: artifact, gates } = judged;
        let version = VersionFile { artifact, gates, provenance: run.provenance.clone(), run: id };
        let digest = version.digest();
        let number = model::insert(&tx, owner, id, &digest, &version.artifact, &version.gates).await;
        let number = number.map_err(|error| match error {
            StorageError::Duplicate { .. } => registered_already(),
            error => fault(error),
        })?;
        let details =
            json!({ "slug": run.problem, "version": number, "gates": request.gates, "reason": reason, "until": until });
        self.note(&tx, actor, Note::new("run.override_gates", object).digest(digest).details(details)).await?;
        event::insert(&tx, "run", id.0, "state", json!({ "overridden": number })).await.map_err(fault)?;
        commit(tx).await?;
        Ok(Overridden { slug: run.problem, version: number, until })
    }

    /// A second pair of eyes is not of the same head: whose account an author made, or gave its roles, overrides nothing of theirs.
    async fn no_bond(&self, tx: &Transaction, actor: &Actor, run: &Run) -> Result<()> {
        for author in std::iter::once(run.author).chain(run.retried_by.iter().copied()) {
            let bound = account::bound_to(tx, author, self.settings.approvers_apart).await.map_err(fault)?;
            if bound.contains(&actor.account) {
                let detail = "an author of the run made your account or gave you your roles; somebody else has to override its gates";
                return Err(Fault::forbidden("made_by_author", detail));
            }
        }
        Ok(())
    }

    /// Whether the caller may override the gates of a run; nothing for a run that they did not stop.
    pub(crate) fn may_override(actor: &Actor, run: &Run) -> Option<Permission> {
        stopped_by_gates(run).ok()?;
        let allowed = actor.may_on(Action::OverrideGate, &run.problem).map_err(|refused| refused.to_string());
        Some(Permission::from_result(allowed.and_then(|()| by_another(actor, run))))
    }
}

fn stopped_by_gates(run: &Run) -> std::result::Result<(), (&'static str, String)> {
    if let Some(number) = run.model_number {
        return Err(("registered_already", format!("the run has registered version {number} already")));
    }
    let by_gates = run.failure.as_ref().is_some_and(|failure| failure.code == GATES_NOT_PASSED);
    if run.state == RunState::Rejected && by_gates && run.reproduces.is_none() {
        return Ok(());
    }
    Err((
        "not_stopped_by_gates",
        format!("run {} is {}; only a run that its gates stopped has any to override", run.id, run.state),
    ))
}

fn by_another(actor: &Actor, run: &Run) -> std::result::Result<(), String> {
    let authors = std::iter::once(run.author).chain(run.retried_by.iter().copied());
    if authors.into_iter().any(|author| author == actor.account) {
        return Err("nobody overrides the gates of a run that they launched or started anew".to_owned());
    }
    Ok(())
}

fn registered_already() -> Fault {
    Fault::conflict("registered_already", "the run has registered a version already")
}

async fn judged(tx: &Transaction, id: RunId) -> Result<Judged> {
    let steps = step::list(tx, Subject::Run(id.0)).await.map_err(fault)?;
    let gate = steps.into_iter().find(|step| step.kind == StepKind::Gate.as_str());
    let output = gate.and_then(|step| step.output).ok_or_else(|| Fault::not_found("verdict of the gates"))?;
    serde_json::from_value(output)
        .map_err(|error| fault(StorageError::Corrupt { what: "the gates".to_owned(), reason: error.to_string() }))
}
