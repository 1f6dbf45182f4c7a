//! What is live: an approved version goes live, and any live version can be taken back, by compare-and-set on a generation.

use millrace_domain::fault::Fault;
use millrace_domain::ids::ModelVersionId;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::run::ModelStage;
use millrace_domain::view::{DeploymentChange, DeploymentView, Permission, RolledBack};
use millrace_storage::deployment::{self, Change, Deployment, PastChange};
use millrace_storage::{Transaction, event, model, prediction, problem};
use serde_json::json;

use crate::access::Note;
use crate::model::{locked, may_go_live, missing};
use crate::{Result, Services, commit, fault};

impl Services {
    /// Puts an approved version live; gives the new generation.
    ///
    /// # Errors
    /// 409 `not_approved`, `gates_not_passed` or `already_live`.
    pub async fn deploy(&self, actor: &Actor, slug: &str, number: i32, reason: &str) -> Result<i64> {
        let object = format!("model/{slug}/v/{number}");
        self.authorise_on(actor, Action::Deploy, slug, &object).await?;
        let outcome = self.try_deploy(actor, slug, number, reason).await;
        if let Err(refused) = &outcome
            && refused.status < 500
        {
            let details = json!({ "code": refused.code });
            self.note_refusal(actor, Note::new("deployment.deploy", object).details(details)).await?;
        }
        outcome
    }

    async fn try_deploy(&self, actor: &Actor, slug: &str, number: i32, reason: &str) -> Result<i64> {
        let reason = checked_reason(reason)?;
        let object = format!("model/{slug}/v/{number}");
        let tx = self.begin_as(actor, Action::Deploy, Some(slug), &object).await?;
        let version = locked(&tx, slug, number).await?;
        may_go_live(&version)?;
        self.still_approved(&tx, &version).await?;
        self.parity_holds(&tx, version.id).await?;
        self.artifacts.get(&version.artifact).await.map_err(fault)?;
        let current = deployment::find(&tx, slug).await.map_err(fault)?;
        let previous = current.as_ref().and_then(|current| current.champion);
        if let Some(previous) = previous {
            model::set_stage(&tx, previous, ModelStage::Live, ModelStage::Superseded).await.map_err(fault)?;
        }
        model::set_stage(&tx, version.id, version.stage, ModelStage::Live).await.map_err(fault)?;
        let change = Change {
            problem: version.problem,
            from_generation: current.map_or(0, |current| current.generation),
            kind: "deploy",
            champion: Some(version.id),
            previous,
            account: actor.account,
            reason,
        };
        let generation = self.swap(&tx, slug, &change).await?;
        let details = json!({ "generation": generation, "reason": reason });
        let note = Note::new("deployment.deploy", object);
        self.note(&tx, actor, note.digest(version.digest).details(details)).await?;
        commit(tx).await?;
        Ok(generation)
    }

    /// Takes the live version back: the version that was live before it is live again, or none. It needs no analysis and
    /// always wins over a change in flight, since it is decided under the problem's lock.
    ///
    /// With the `seen` generation, a rollback pressed twice happens once: the second answer is the first one's.
    ///
    /// # Errors
    /// 409 when nothing is live, or something else than a rollback happened since `seen`; 400 without a reason.
    pub async fn roll_back(&self, actor: &Actor, slug: &str, reason: &str, seen: Option<i64>) -> Result<RolledBack> {
        let object = format!("deployment/{slug}");
        self.authorise_on(actor, Action::RollBack, slug, &object).await?;
        let reason = checked_reason(reason)?;
        let begun = self.now();
        let tx = self.begin_as(actor, Action::RollBack, Some(slug), &object).await?;
        let id = problem::find_id(&tx, slug).await.map_err(fault)?.ok_or_else(|| Fault::not_found("deployment"))?;
        problem::lock(&tx, id).await.map_err(fault)?;
        let current = deployment::find(&tx, slug).await.map_err(fault)?;
        let history = deployment::history(&tx, id).await.map_err(fault)?;
        if let (Some(seen), Some(newest)) = (seen, history.first())
            && newest.generation != seen
        {
            return done_since(seen, newest);
        }
        let Some((current, live)) = current.and_then(|current| current.champion.map(|live| (current, live))) else {
            return Err(Fault::conflict(
                "nothing_live",
                format!("no model is live for {slug}; there is nothing to take back"),
            ));
        };
        let target = rollback_target(&history, live);
        model::set_stage(&tx, live, ModelStage::Live, ModelStage::RolledBack).await.map_err(fault)?;
        let champion = match target {
            None => None,
            Some(target) => {
                let version = model::find(&tx, target).await.map_err(fault)?.ok_or_else(missing)?;
                model::set_stage(&tx, target, version.stage, ModelStage::Live).await.map_err(fault)?;
                Some(version.number)
            }
        };
        let change = Change {
            problem: id,
            from_generation: current.generation,
            kind: "rollback",
            champion: target,
            previous: Some(live),
            account: actor.account,
            reason,
        };
        let generation = self.swap(&tx, slug, &change).await?;
        let details =
            json!({ "generation": generation, "from": current.champion_number, "to": champion, "reason": reason });
        self.note(&tx, actor, Note::new("deployment.rollback", object).details(details)).await?;
        commit(tx).await?;
        let took_ms = (self.now() - begun).num_milliseconds().max(0).unsigned_abs();
        Ok(RolledBack { generation, champion, took_ms })
    }

    async fn swap(&self, tx: &Transaction, slug: &str, change: &Change<'_>) -> Result<i64> {
        let generation = deployment::change(tx, change, self.now()).await.map_err(fault)?;
        let payload = json!({ "slug": slug, "generation": generation, "kind": change.kind });
        event::insert(tx, "deployment", change.problem.0, "change", payload).await.map_err(fault)?;
        Ok(generation)
    }

    /// What is live for every problem that ever had a model live.
    ///
    /// # Errors
    /// For callers without a role.
    pub async fn list_deployments(&self, actor: &Actor) -> Result<Vec<DeploymentView>> {
        self.authorise(actor, Action::ReadWorkspace, "deployment").await?;
        let mut views = Vec::new();
        let all = deployment::list(self.db.pool()).await.map_err(fault)?;
        for current in all.into_iter().filter(|current| actor.sees(&current.slug)) {
            views.push(self.present_deployment(actor, current).await?);
        }
        Ok(views)
    }

    /// What is live for one problem.
    ///
    /// # Errors
    /// 404 when nothing ever was.
    pub async fn deployment(&self, actor: &Actor, slug: &str) -> Result<DeploymentView> {
        self.authorise_on(actor, Action::ReadWorkspace, slug, &format!("deployment/{slug}")).await?;
        let current = deployment::find(self.db.pool(), slug).await.map_err(fault)?;
        self.present_deployment(actor, current.ok_or_else(|| Fault::not_found("deployment"))?).await
    }

    async fn present_deployment(&self, actor: &Actor, current: Deployment) -> Result<DeploymentView> {
        let pool = self.db.pool();
        let history = deployment::history(pool, current.problem).await.map_err(fault)?;
        let versions = problem::versions(pool, &current.slug).await.map_err(fault)?;
        let (predictions, outcomes) = match current.champion {
            Some(champion) => prediction::counts(pool, champion).await.map_err(fault)?,
            None => (0, 0),
        };
        let target = current.champion.and_then(|live| rollback_target(&history, live));
        let target_number =
            history.iter().find(|change| change.champion_id == target).and_then(|change| change.champion);
        let may_roll_back = match actor.may_on(Action::RollBack, &current.slug) {
            Err(refused) => Permission::refused(refused.to_string()),
            Ok(()) if current.champion.is_none() => {
                Permission::refused("no model is live; there is nothing to take back")
            }
            Ok(()) => Permission::granted(),
        };
        let (parity, joined) = self.parity_of(current.champion).await?;
        Ok(DeploymentView {
            title: versions.first().map(|version| version.document.title.clone()).unwrap_or_default(),
            slug: current.slug,
            generation: current.generation,
            champion: current.champion_number,
            candidate: None,
            stage: if current.champion.is_some() { "full" } else { "none" }.to_owned(),
            candidate_percent: 0.0,
            predictions,
            outcomes,
            changed_at: Some(current.changed_at),
            rollback_to: target.and(target_number),
            history: history
                .into_iter()
                .map(|change| DeploymentChange {
                    generation: change.generation,
                    kind: change.kind,
                    champion: change.champion,
                    previous: change.previous,
                    by: change.account_name,
                    reason: change.reason,
                    at: change.changed_at,
                })
                .collect(),
            may_roll_back,
            parity,
            joined,
        })
    }
}

/// What a rollback decided on an earlier generation comes to: that generation's rollback, or a conflict.
fn done_since(seen: i64, newest: &PastChange) -> Result<RolledBack> {
    if newest.kind == "rollback" && newest.generation == seen + 1 {
        return Ok(RolledBack { generation: newest.generation, champion: newest.champion, took_ms: 0 });
    }
    let detail = format!(
        "what is live has changed since generation {seen}: it is generation {} now; look again and decide on that",
        newest.generation
    );
    Err(Fault::conflict("changed_meanwhile", detail))
}

/// The version a rollback brings back: the one that the live version replaced when it was last deployed. Versions that were
/// themselves rolled back do not come back.
fn rollback_target(history: &[PastChange], live: ModelVersionId) -> Option<ModelVersionId> {
    let rolled_back: Vec<ModelVersionId> =
        history.iter().filter(|change| change.kind == "rollback").filter_map(|change| change.previous_id).collect();
    history
        .iter()
        .skip_while(|change| change.champion_id != Some(live))
        .filter_map(|change| change.previous_id)
        .find(|candidate| *candidate != live && !rolled_back.contains(candidate))
}

fn checked_reason(reason: &str) -> Result<&str> {
    let reason = reason.trim();
    if (1..=1_000).contains(&reason.chars().count()) {
        return Ok(reason);
    }
    Err(Fault::field("/reason", "must say why, in 1 to 1,000 characters"))
}
