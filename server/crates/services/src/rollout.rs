//! Staged rollouts: an approved version sets out, goes on step by step on what was counted, and can be taken back at any time.
//!
//! Whoever acts (a person, or nobody: what was counted) acts under the problem's lock and names the generation it was decided
//! on, so that a rollback that came first wins over any step that was under way.

use millrace_domain::audit::Outcome;
use millrace_domain::fault::Fault;
use millrace_domain::gate::Gate;
use millrace_domain::ids::{AccountId, ProblemId};
use millrace_domain::policy::{Action, Actor, Origin};
use millrace_domain::problem::Conduct;
use millrace_domain::rollout::{Judgement, Next, Plan, judge};
use millrace_domain::run::{ModelStage, RolloutStage, RolloutState};
use millrace_domain::view::RolloutStarted;
use millrace_storage::audit;
use millrace_storage::deployment::{self, Change, Deployment, Staged};
use millrace_storage::model::ModelVersion;
use millrace_storage::rollout::{self, Rollout};
use millrace_storage::{Connection, StorageError, Transaction, model, problem};
use serde_json::json;

use crate::access::Note;
use crate::deployment::checked_reason;
use crate::model::{locked, may_go_live, missing};
use crate::{Result, Services, commit, fault};

/// There is nothing to take a step with.
const NO_ROLLOUT: &str = "no_rollout";

/// Who takes a step.
#[derive(Clone, Copy)]
enum By<'a> {
    Person(&'a Actor),
    /// Nobody: what was counted.
    Evidence,
}

/// A rollout with what it is part of, held under the problem's lock.
struct Held {
    rollout: Rollout,
    deployment: Deployment,
}

impl Services {
    /// Sends an approved version on its way: past shadow and canary, as the document says, or straight to all callers where no
    /// version is live that it could be compared with. Gives the new generation.
    ///
    /// # Errors
    /// 409 `not_registered`, `not_approved`, `gates_not_passed`, `already_live` or `rollout_under_way`.
    pub async fn start_rollout(&self, actor: &Actor, slug: &str, number: i32, reason: &str) -> Result<RolloutStarted> {
        let object = format!("model/{slug}/v/{number}");
        self.authorise_on(actor, Action::Deploy, slug, &object).await?;
        let outcome = self.try_start(actor, slug, number, reason).await;
        self.note_if_refused(actor, "deployment.rollout", object, outcome).await
    }

    async fn try_start(&self, actor: &Actor, slug: &str, number: i32, reason: &str) -> Result<RolloutStarted> {
        let reason = checked_reason(reason)?;
        let object = format!("model/{slug}/v/{number}");
        // Read before the lock is taken: a rollback waits for no store. What a version's bytes are never changes.
        let Some(version) = model::find_numbered(self.db.pool(), slug, number).await.map_err(fault)? else {
            problem::find_id(self.db.pool(), slug).await.map_err(fault)?.ok_or_else(missing)?;
            let detail = format!(
                "no run registered a version {number} of {slug}; a run does whose gates passed, or were overridden"
            );
            return Err(Fault::conflict("not_registered", detail));
        };
        self.is_whole(&version).await?;
        let tx = self.begin_as(actor, Action::Deploy, Some(slug), &object).await?;
        let version = locked(&tx, slug, number).await?;
        let started = self.set_out(&tx, &version, (actor.account, Some(actor.account)), reason).await?;
        let details = json!({ "generation": started.generation, "stage": started.stage, "reason": reason });
        let note = Note::new("deployment.rollout", object);
        self.note(&tx, actor, note.digest(version.digest).details(details)).await?;
        commit(tx).await?;
        Ok(started)
    }

    /// Whether a version may set out, whoever sends it: what is live, and the plan by which it would go past that, if anything is.
    ///
    /// # Errors
    /// 409 with what stands in the way.
    pub(crate) async fn may_set_out(
        &self,
        db: &impl Connection,
        version: &ModelVersion,
    ) -> Result<(Option<Deployment>, Option<Plan>)> {
        let slug = version.slug.as_str();
        may_go_live(version, self.now())?;
        let current = deployment::find(db, slug).await.map_err(fault)?;
        let plan = match current.as_ref().and_then(|current| current.champion) {
            None => None,
            Some(_) => Some(match signed_plan(db, slug).await? {
                Some(plan) => plan,
                None => Plan::of(&self.lineage(db, version.clone()).await?.problem.document),
            }),
        };
        let first = plan.as_ref().map_or(RolloutStage::Watch, |plan| plan.step(0).stage);
        self.still_approved(db, version, first).await?;
        self.parity_holds(db, version.id).await?;
        if current.as_ref().is_some_and(|current| current.fallback.is_some()) {
            let detail = "the model is switched off, so nothing can be shown of another version; switch it on first";
            return Err(Fault::conflict("switched_off", detail));
        }
        if let Some(staged) = current.as_ref().and_then(|current| current.rollout) {
            let open = rollout::find(db, staged.id).await.map_err(fault)?.ok_or_else(missing)?;
            let detail = format!(
                "version {} is on its way already ({}); wait until it has arrived, or roll it back first",
                open.candidate_number,
                open.plan.step(open.step).title()
            );
            return Err(Fault::conflict("rollout_under_way", detail));
        }
        Ok((current, plan))
    }

    /// Sends a version on its way, under the problem's lock: in the name of an account, and by that person unless nobody decided it.
    pub(crate) async fn set_out(
        &self,
        tx: &Transaction,
        version: &ModelVersion,
        (account, by): (AccountId, Option<AccountId>),
        reason: &str,
    ) -> Result<RolloutStarted> {
        let (slug, number) = (version.slug.as_str(), version.number);
        let (current, plan) = self.may_set_out(tx, version).await?;
        let mut change = Change {
            problem: version.problem,
            from_generation: current.as_ref().map_or(0, |current| current.generation),
            kind: "deploy",
            champion: Some(version.id),
            previous: None,
            of_rollout: None,
            staged: None,
            account: by,
            reason,
            checks: by.is_none().then_some(&version.gates[..]),
        };
        let live = current.as_ref().and_then(|current| current.champion_number);
        match current.and_then(|current| current.champion).zip(plan) {
            None => model::set_stage(tx, version.id, version.stage, ModelStage::Live).await.map_err(fault)?,
            Some((champion, plan)) => {
                let begun_by = (account, reason);
                let versions = (version.id, champion);
                let id =
                    rollout::insert(tx, version.problem, versions, &plan, begun_by, self.now()).await.map_err(fault)?;
                let begun = rollout::find(tx, id).await.map_err(fault)?.ok_or_else(missing)?;
                (change.kind, change.champion) = (kind_of(&begun), Some(champion));
                (change.of_rollout, change.staged) = (Some(id), Some(staged(&begun)));
                if change.kind == "full" {
                    self.put_in_place(tx, &begun, &mut change).await?;
                }
            }
        }
        let generation = self.swap(tx, slug, &change).await?;
        let is_on_its_way = matches!(change.kind, "shadow" | "canary");
        Ok(RolloutStarted {
            generation,
            champion: live.filter(|_| is_on_its_way).unwrap_or(number),
            candidate: is_on_its_way.then_some(number),
            stage: if is_on_its_way { change.kind } else { "full" }.to_owned(),
        })
    }

    /// Lets a rollout go on to its next step, if everything that was to be shown is shown. `seen` is the generation that was
    /// looked at. Gives the new one.
    ///
    /// # Errors
    /// 409 `not_enough_evidence` with what is open, `changed_meanwhile`, or without a rollout.
    pub async fn advance_rollout(&self, actor: &Actor, slug: &str, reason: &str, seen: i64) -> Result<i64> {
        let object = format!("deployment/{slug}");
        self.authorise_on(actor, Action::Deploy, slug, &object).await?;
        let outcome = self.try_advance(actor, slug, reason, seen).await;
        self.note_if_refused(actor, "deployment.advance", object, outcome).await
    }

    async fn try_advance(&self, actor: &Actor, slug: &str, reason: &str, seen: i64) -> Result<i64> {
        let reason = checked_reason(reason)?;
        let present = deployment::find(self.db.pool(), slug).await.map_err(fault)?;
        let present = present.ok_or_else(|| Fault::not_found("deployment"))?;
        let staged = present.rollout.ok_or_else(|| no_rollout(slug))?;
        let open = rollout::find(self.db.pool(), staged.id).await.map_err(fault)?.ok_or_else(missing)?;
        self.candidate_is_whole(&open).await?;
        // All that was counted is gone through before a lock is taken: a rollback waits for neither.
        let judged = self.judged(self.db.pool(), &open).await?;
        let tx = self.begin_as(actor, Action::Deploy, Some(slug), &format!("deployment/{slug}")).await?;
        let held = self.hold_rollout(&tx, slug).await?;
        if held.deployment.generation != seen {
            return Err(changed_since(seen, held.deployment.generation));
        }
        if (held.rollout.id, held.rollout.step) != (open.id, open.step) {
            return Err(changed_since(seen, held.deployment.generation));
        }
        if judged.next != Next::Advance {
            let step = held.rollout.plan.step(held.rollout.step).title();
            let detail = format!("{step} has not shown what it must: {}", judged.open.join(", "));
            return Err(Fault::conflict("not_enough_evidence", detail));
        }
        let generation = self.step_on(&tx, By::Person(actor), &held, reason, &judged.checks).await?;
        commit(tx).await?;
        Ok(generation)
    }

    /// Lets a rollout wait where it is, or go on by itself again. It is taken back all the same when a check fails.
    ///
    /// # Errors
    /// 409 when it does so already, or there is none.
    pub async fn pause_rollout(&self, actor: &Actor, slug: &str, paused: bool, reason: &str) -> Result<()> {
        let object = format!("deployment/{slug}");
        self.authorise_on(actor, Action::Deploy, slug, &object).await?;
        let action = if paused { "deployment.pause" } else { "deployment.resume" };
        let outcome = self.try_pause(actor, slug, paused, reason).await;
        self.note_if_refused(actor, action, object, outcome).await
    }

    async fn try_pause(&self, actor: &Actor, slug: &str, paused: bool, reason: &str) -> Result<()> {
        let reason = checked_reason(reason)?;
        let object = format!("deployment/{slug}");
        let tx = self.begin_as(actor, Action::Deploy, Some(slug), &object).await?;
        let held = self.hold_rollout(&tx, slug).await?;
        let id = held.rollout.id;
        let set = match paused {
            true => rollout::pause(&tx, id, actor.account, reason, self.now()).await,
            false => rollout::resume(&tx, id).await,
        };
        set.map_err(fault)?;
        let action = if paused { "deployment.pause" } else { "deployment.resume" };
        let details = json!({ "version": held.rollout.candidate_number, "reason": reason });
        self.note(&tx, actor, Note::new(action, object).details(details)).await?;
        self.tell(&tx, held.rollout.problem, slug, action).await?;
        commit(tx).await
    }

    /// Looks at every rollout that is under way and does what follows from what was counted. Gives the problems whose rollout
    /// could not be looked at, with why.
    ///
    /// # Errors
    /// When the rollouts cannot be listed.
    pub async fn look_at_rollouts(&self) -> Result<Vec<(String, Fault)>> {
        let mut failed = Vec::new();
        for open in rollout::list_open(self.db.pool()).await.map_err(fault)? {
            if let Err(error) = self.look_at(&open).await {
                failed.push((open.slug, error));
            }
        }
        Ok(failed)
    }

    async fn look_at(&self, open: &Rollout) -> Result<()> {
        // First without a lock: most looks change nothing.
        let judged = self.judged(self.db.pool(), open).await?;
        let asked = match (judged.next, open.plan.advance, open.plan.on_breach) {
            (Next::Advance, _, _) if open.state == RolloutState::Paused => Some("it is paused; it could go on"),
            (Next::Advance, Conduct::Ask, _) if !judged.open.is_empty() => {
                Some("its deadline is over, and nothing was shown against it; somebody has to let it end")
            }
            (Next::Advance, Conduct::Ask, _) => Some("everything is shown; somebody has to let it go on"),
            (Next::Breach, _, Conduct::Ask) => Some("a check failed; somebody has to decide whether it is rolled back"),
            _ => None,
        };
        if asked.is_some() || judged.next == Next::Hold {
            return self.note_look(open, &judged.checks, asked).await;
        }
        if judged.next == Next::Advance
            && let Err(refused) = self.could_step_on(open).await
        {
            return match refused.status {
                500.. => Err(refused),
                _ => self.note_look(open, &judged.checks, Some(&refused.detail)).await,
            };
        }
        let tx = self.begin().await?;
        let held = match self.hold_rollout(&tx, &open.slug).await {
            // Another server, or a person, was faster.
            Err(fault) if fault.code == NO_ROLLOUT => return Ok(()),
            held => held?,
        };
        if (held.rollout.id, held.rollout.step, held.rollout.state) != (open.id, open.step, open.state) {
            return Ok(());
        }
        let step = open.plan.step(open.step).title();
        match judged.next {
            Next::Advance => {
                let reason = match judged.open.as_slice() {
                    [] => format!("everything that {step} must show is shown"),
                    open => format!(
                        "{step} ends with its deadline: nothing was shown against it, and not shown is {}",
                        open.join(", ")
                    ),
                };
                match self.step_on(&tx, By::Evidence, &held, &reason, &judged.checks).await {
                    Ok(_) => {}
                    Err(refused) if refused.status < 500 => {
                        drop(tx);
                        return self.note_look(open, &judged.checks, Some(&refused.detail)).await;
                    }
                    Err(error) => return Err(error),
                }
            }
            _ => {
                let open_checks = judged.open.join(", ");
                let reason = if judged.next == Next::Breach {
                    format!("in {step} it failed: {open_checks}")
                } else {
                    format!("in {step} it did not show within its deadline: {open_checks}")
                };
                self.take_back(&tx, By::Evidence, &held, &reason, Some(&judged.checks)).await?;
                self.tell_of_rollout(&tx, open, &format!("it was rolled back: {reason}"), &judged.checks).await?;
            }
        }
        commit(tx).await
    }

    /// Writes down what a look found, and tells on-call what they are asked: once in a step.
    async fn note_look(&self, open: &Rollout, checks: &[Gate], asked: Option<&str>) -> Result<()> {
        let tx = self.begin().await?;
        match rollout::note_look(&tx, open, checks, asked, self.now()).await {
            Err(StorageError::Conflict(_)) => return Ok(()),
            noted => noted.map_err(fault)?,
        }
        rollout::keep_look(&tx, open, checks, self.now()).await.map_err(fault)?;
        if let Some(asked) = asked
            && rollout::is_news(&tx, open.id, asked).await.map_err(fault)?
        {
            self.tell_of_rollout(&tx, open, asked, checks).await?;
        }
        commit(tx).await
    }

    async fn judged(&self, db: &impl millrace_storage::Connection, rollout: &Rollout) -> Result<Judgement> {
        let seen = rollout::evidence(db, rollout).await.map_err(fault)?;
        Ok(judge(&rollout.plan, rollout.step, &seen))
    }

    /// The open rollout of a problem, with the problem locked until the transaction ends.
    async fn hold_rollout(&self, tx: &Transaction, slug: &str) -> Result<Held> {
        let id = problem::find_id(tx, slug).await.map_err(fault)?.ok_or_else(|| Fault::not_found("deployment"))?;
        problem::lock(tx, id).await.map_err(fault)?;
        let deployment = deployment::find(tx, slug).await.map_err(fault)?;
        let deployment = deployment.ok_or_else(|| Fault::not_found("deployment"))?;
        let staged = deployment.rollout.ok_or_else(|| no_rollout(slug))?;
        let rollout = rollout::find(tx, staged.id).await.map_err(fault)?.ok_or_else(missing)?;
        Ok(Held { rollout, deployment })
    }

    /// The candidate's bytes are read before a lock is taken: a rollback waits for no store.
    async fn candidate_is_whole(&self, rollout: &Rollout) -> Result<()> {
        let version = model::find(self.db.pool(), rollout.candidate).await.map_err(fault)?.ok_or_else(missing)?;
        self.is_whole(&version).await
    }

    /// What is looked at without a lock before a step, what costs least first: one that waits for an approval may do so for days.
    async fn could_step_on(&self, rollout: &Rollout) -> Result<()> {
        let version = model::find(self.db.pool(), rollout.candidate).await.map_err(fault)?.ok_or_else(missing)?;
        if let Some(next) = rollout.plan.steps.get(rollout.step + 1) {
            may_go_live(&version, self.now())?;
            self.still_approved(self.db.pool(), &version, next.stage).await?;
            self.parity_holds(self.db.pool(), version.id).await?;
        }
        self.is_whole(&version).await
    }

    /// What has to hold at every step that brings the candidate to more callers, and not only when the rollout began.
    async fn may_still_go_on(&self, tx: &Transaction, rollout: &Rollout) -> Result<()> {
        let version = model::find(tx, rollout.candidate).await.map_err(fault)?.ok_or_else(missing)?;
        may_go_live(&version, self.now())?;
        self.still_approved(tx, &version, rollout.plan.step(rollout.step + 1).stage).await?;
        self.parity_holds(tx, version.id).await
    }

    /// Takes the next step of a rollout, or ends it after the last; gives the new generation.
    async fn step_on(&self, tx: &Transaction, by: By<'_>, held: &Held, reason: &str, checks: &[Gate]) -> Result<i64> {
        let Held { rollout, deployment } = held;
        let mut change = self.change(held, by, reason, Some(checks));
        if rollout.step + 1 == rollout.plan.steps.len() {
            rollout::end(tx, rollout.id, RolloutState::Completed, self.now()).await.map_err(fault)?;
            (change.kind, change.staged) = ("settled", None);
        } else {
            self.may_still_go_on(tx, rollout).await?;
            rollout::step_on(tx, rollout.id, rollout.step).await.map_err(fault)?;
            let next = Rollout { step: rollout.step + 1, ..rollout.clone() };
            (change.kind, change.staged) = (kind_of(&next), Some(staged(&next)));
            if change.kind == "full" {
                self.put_in_place(tx, rollout, &mut change).await?;
            }
        }
        // After the rollout's own row, as whoever only looks takes them: two that take them crosswise would wait for each other.
        rollout::keep_look(tx, rollout, checks, self.now()).await.map_err(fault)?;
        let generation = self.swap(tx, &deployment.slug, &change).await?;
        self.note_step(tx, by, rollout, change.kind, generation, reason).await?;
        Ok(generation)
    }

    /// The candidate takes the champion's place.
    async fn put_in_place(&self, tx: &Transaction, rollout: &Rollout, change: &mut Change<'_>) -> Result<()> {
        let version = model::find(tx, rollout.candidate).await.map_err(fault)?.ok_or_else(missing)?;
        model::set_stage(tx, rollout.champion, ModelStage::Live, ModelStage::Superseded).await.map_err(fault)?;
        model::set_stage(tx, version.id, version.stage, ModelStage::Live).await.map_err(fault)?;
        (change.champion, change.previous) = (Some(rollout.candidate), Some(rollout.champion));
        Ok(())
    }

    /// Takes the candidate of a rollout back, wherever it stands; gives the new generation.
    async fn take_back(
        &self,
        tx: &Transaction,
        by: By<'_>,
        held: &Held,
        reason: &str,
        checks: Option<&[Gate]>,
    ) -> Result<i64> {
        let rollout = &held.rollout;
        let version = model::find(tx, rollout.candidate).await.map_err(fault)?.ok_or_else(missing)?;
        model::set_stage(tx, version.id, version.stage, ModelStage::RolledBack).await.map_err(fault)?;
        if version.stage == ModelStage::Live {
            model::set_stage(tx, rollout.champion, ModelStage::Superseded, ModelStage::Live).await.map_err(fault)?;
        }
        rollout::end(tx, rollout.id, RolloutState::RolledBack, self.now()).await.map_err(fault)?;
        rollout::keep_look(tx, rollout, checks.unwrap_or_default(), self.now()).await.map_err(fault)?;
        let change = Change {
            kind: "rollback",
            champion: Some(rollout.champion),
            previous: Some(rollout.candidate),
            staged: None,
            ..self.change(held, by, reason, checks)
        };
        let generation = self.swap(tx, &held.deployment.slug, &change).await?;
        self.note_step(tx, by, rollout, "rollback", generation, reason).await?;
        Ok(generation)
    }

    /// A rollback by a person while a rollout is under way: its candidate is taken back.
    pub(crate) async fn roll_back_candidate(
        &self,
        tx: &Transaction,
        actor: &Actor,
        deployment: Deployment,
        staged: Staged,
        reason: &str,
    ) -> Result<(i64, Option<i32>)> {
        let rollout = rollout::find(tx, staged.id).await.map_err(fault)?.ok_or_else(missing)?;
        let held = Held { rollout, deployment };
        let generation = self.take_back(tx, By::Person(actor), &held, reason, None).await?;
        Ok((generation, Some(held.rollout.champion_number)))
    }

    fn change<'a>(&self, held: &Held, by: By<'_>, reason: &'a str, checks: Option<&'a [Gate]>) -> Change<'a> {
        Change {
            problem: held.rollout.problem,
            from_generation: held.deployment.generation,
            kind: "",
            champion: held.deployment.champion,
            previous: None,
            of_rollout: Some(held.rollout.id),
            staged: held.deployment.rollout,
            account: match by {
                By::Person(actor) => Some(actor.account),
                By::Evidence => None,
            },
            reason,
            checks,
        }
    }

    async fn note_step(
        &self,
        tx: &Transaction,
        by: By<'_>,
        rollout: &Rollout,
        kind: &str,
        generation: i64,
        reason: &str,
    ) -> Result<()> {
        let object = format!("deployment/{}", rollout.slug);
        let version = rollout.candidate_number;
        let details = json!({ "generation": generation, "version": version, "to": kind, "reason": reason });
        let action = if kind == "rollback" { "deployment.rollback" } else { "deployment.advance" };
        match by {
            By::Person(actor) => self.note(tx, actor, Note::new(action, object).details(details)).await,
            By::Evidence => {
                let act = audit::Act {
                    actor: "rollout",
                    via: "none",
                    action,
                    object,
                    digest: None,
                    outcome: Outcome::Done,
                    origin: &Origin::default(),
                    details,
                };
                audit::append(tx, act, self.now()).await.map(|_| ()).map_err(fault)
            }
        }
    }

    async fn tell(&self, tx: &Transaction, problem: ProblemId, slug: &str, kind: &str) -> Result<()> {
        let payload = json!({ "slug": slug, "kind": kind });
        millrace_storage::event::insert(tx, "deployment", problem.0, "change", payload).await.map_err(fault).map(|_| ())
    }

    /// Tells whoever is on call what a rollout came to.
    async fn tell_of_rollout(&self, tx: &Transaction, rollout: &Rollout, what: &str, checks: &[Gate]) -> Result<()> {
        let step = rollout.plan.step(rollout.step).title();
        let found = checks.iter().map(|check| {
            let note = check.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
            format!("{}: {} — {}{note}", check.name, check.verdict, check.rule)
        });
        let mut paragraphs = vec![format!("Version {} of {}, {step}: {what}.", rollout.candidate_number, rollout.slug)];
        paragraphs.extend(found);
        let subject = format!("{}: version {}, {step}: {what}", rollout.slug, rollout.candidate_number);
        let facts = vec![
            ("Candidate".to_owned(), format!("version {}", rollout.candidate_number)),
            ("Champion".to_owned(), format!("version {}", rollout.champion_number)),
        ];
        self.tell_on_call(tx, &rollout.slug, "rollout", subject, paragraphs, facts).await
    }

    /// Writes a refusal down before it is given.
    pub(crate) async fn note_if_refused<T>(
        &self,
        actor: &Actor,
        action: &'static str,
        object: String,
        outcome: Result<T>,
    ) -> Result<T> {
        if let Err(refused) = &outcome
            && refused.status < 500
        {
            let details = json!({ "code": refused.code });
            self.note_refusal(actor, Note::new(action, object).details(details)).await?;
        }
        outcome
    }
}

/// The plan of the document that people signed last, which holds also for a version that was trained by an earlier one.
pub(crate) async fn signed_plan(db: &impl Connection, slug: &str) -> Result<Option<Plan>> {
    let signed = problem::approved(db, slug).await.map_err(fault)?;
    Ok(signed.map(|signed| Plan::of(&signed.document)))
}

/// What a change to the present step of a rollout is called.
fn kind_of(rollout: &Rollout) -> &'static str {
    match rollout.plan.step(rollout.step).stage {
        RolloutStage::Shadow => "shadow",
        RolloutStage::Canary => "canary",
        RolloutStage::Watch => "full",
    }
}

/// What the present step of a rollout does to the routing.
fn staged(rollout: &Rollout) -> Staged {
    let step = rollout.plan.step(rollout.step);
    let percent = if step.stage == RolloutStage::Canary { step.percent } else { 0.0 };
    let position = i32::try_from(rollout.step).unwrap_or(i32::MAX);
    Staged { id: rollout.id, stage: step.stage, percent, step: position }
}

pub(crate) fn changed_since(seen: i64, now: i64) -> Fault {
    let detail = format!(
        "what is live has changed since generation {seen}: it is generation {now} now; look again and decide on that"
    );
    Fault::conflict("changed_meanwhile", detail)
}

fn no_rollout(slug: &str) -> Fault {
    Fault::conflict(NO_ROLLOUT, format!("no version of {slug} is on its way"))
}
