//! What is live, and the way back: any live version and any candidate can be taken back, by compare-and-set on a generation.

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::run::{ModelStage, RolloutStage};
use millrace_domain::view::{DeploymentChange, DeploymentView, MOST_COUNTED, Permission, RolledBack};
use millrace_storage::deployment::{self, Change, Deployment, PastChange};
use millrace_storage::{Transaction, event, model, prediction, problem, rollout};
use serde_json::json;

use crate::access::Note;
use crate::model::missing;
use crate::rollout::changed_since;
use crate::{Result, Services, commit, fault};

/// A rollback that does not say what it was decided on is so long the same person's for the same reason, sent again.
const SENT_AGAIN: TimeDelta = TimeDelta::seconds(30);

impl Services {
    /// Takes the candidate back that is on its way, else the live version: the version that was live before it is live again, or
    /// none. It needs no analysis and always wins over a change in flight, since it is decided under the problem's lock.
    ///
    /// With the `seen` generation, a rollback pressed twice happens once: the second answer is the first one's. Steps that the same
    /// rollout took since do not count. Without it, what the
    /// same person asked for with the same reason half a minute before is that one sent again.
    ///
    /// # Errors
    /// 409 when nothing is live, or something else than a rollback happened since `seen`; 400 without a reason.
    pub async fn roll_back(&self, actor: &Actor, slug: &str, reason: &str, seen: Option<i64>) -> Result<RolledBack> {
        let object = format!("deployment/{slug}");
        self.authorise_on(actor, Action::RollBack, slug, &object).await?;
        let outcome = self.try_roll_back(actor, slug, reason, seen).await;
        self.note_if_refused(actor, "deployment.rollback", object, outcome).await
    }

    async fn try_roll_back(&self, actor: &Actor, slug: &str, reason: &str, seen: Option<i64>) -> Result<RolledBack> {
        let object = format!("deployment/{slug}");
        let reason = checked_reason(reason)?;
        let begun = self.now();
        let tx = self.begin_as(actor, Action::RollBack, Some(slug), &object).await?;
        let id = problem::find_id(&tx, slug).await.map_err(fault)?.ok_or_else(|| Fault::not_found("deployment"))?;
        problem::lock(&tx, id).await.map_err(fault)?;
        let current = deployment::find(&tx, slug).await.map_err(fault)?;
        // What moved nothing (a drill, a switch) is not in the way of a rollback, nor of one that was decided before it.
        let history = deployment::moves(&tx, id).await.map_err(fault)?;
        let seen =
            seen.map(|seen| history.iter().map(|change| change.generation).find(|one| *one <= seen).unwrap_or(seen));
        if let (None, Some(newest)) = (seen, history.first())
            && newest.kind == "rollback"
            && (newest.account, newest.reason.as_str()) == (Some(actor.account), reason)
            && (self.now() - newest.changed_at).abs() < SENT_AGAIN
        {
            return Ok(RolledBack { generation: newest.generation, champion: newest.champion, took_ms: 0 });
        }
        if let (Some(seen), Some(newest)) = (seen, history.first())
            && newest.generation != seen
            && !is_same_rollout(&history, seen)
        {
            return done_since(&history, seen, newest);
        }
        if let Some((deployment, staged)) = current.as_ref().and_then(|current| Some((current, current.rollout?))) {
            let (generation, champion) =
                self.roll_back_candidate(&tx, actor, deployment.clone(), staged, reason).await?;
            commit(tx).await?;
            return Ok(RolledBack { generation, champion, took_ms: self.milliseconds_since(begun) });
        }
        let Some((current, live)) = current.and_then(|current| current.champion.map(|live| (current, live))) else {
            return Err(Fault::conflict(
                "nothing_live",
                format!("no model is live for {slug}; there is nothing to take back"),
            ));
        };
        let target = deployment::rollback_target(&history, live);
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
            of_rollout: None,
            staged: None,
            account: Some(actor.account),
            reason,
            checks: None,
        };
        let generation = self.swap(&tx, slug, &change).await?;
        let details =
            json!({ "generation": generation, "from": current.champion_number, "to": champion, "reason": reason });
        self.note(&tx, actor, Note::new("deployment.rollback", object).details(details)).await?;
        commit(tx).await?;
        Ok(RolledBack { generation, champion, took_ms: self.milliseconds_since(begun) })
    }

    pub(crate) fn milliseconds_since(&self, begun: DateTime<Utc>) -> u64 {
        (self.now() - begun).num_milliseconds().max(0).unsigned_abs()
    }

    /// Makes a change and tells of it; gives the new generation.
    pub(crate) async fn swap(&self, tx: &Transaction, slug: &str, change: &Change<'_>) -> Result<i64> {
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
            views.push(self.present_deployment(actor, current, false).await?);
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
        self.present_deployment(actor, current.ok_or_else(|| Fault::not_found("deployment"))?, true).await
    }

    /// A deployment as it is shown; what was counted in its rollout only `in_full`.
    async fn present_deployment(&self, actor: &Actor, current: Deployment, in_full: bool) -> Result<DeploymentView> {
        let pool = self.db.pool();
        let history = deployment::history(pool, current.problem).await.map_err(fault)?;
        let versions = problem::versions(pool, &current.slug).await.map_err(fault)?;
        let (predictions, outcomes) = match current.champion {
            Some(champion) => prediction::counts(pool, champion, MOST_COUNTED).await.map_err(fault)?,
            None => (0, 0),
        };
        let moves = deployment::moves(pool, current.problem).await.map_err(fault)?;
        let target = current.champion.and_then(|live| deployment::rollback_target(&moves, live));
        let target_number = moves.iter().find(|change| change.champion_id == target).and_then(|change| change.champion);
        let may_roll_back = match actor.may_on(Action::RollBack, &current.slug) {
            Err(refused) => Permission::refused(refused.to_string()),
            Ok(()) if current.champion.is_none() => {
                Permission::refused("no model is live; there is nothing to take back")
            }
            Ok(()) => Permission::granted(),
        };
        let (parity, joined) = self.parity_of(current.champion).await?;
        let rollout = match current.rollout {
            Some(staged) => rollout::find(pool, staged.id).await.map_err(fault)?,
            None => None,
        };
        let analysis = rollout.as_ref().map(|rollout| rollout.checks.clone()).unwrap_or_default();
        let stage = match (current.rollout.map(|staged| staged.stage), current.champion) {
            (Some(stage @ (RolloutStage::Shadow | RolloutStage::Canary)), _) => stage.as_str(),
            (_, Some(_)) => "full",
            (_, None) => "none",
        };
        let target_number = match &rollout {
            Some(rollout) => Some(rollout.champion_number),
            None => target.and(target_number),
        };
        let candidate = rollout.as_ref().filter(|_| stage != "full").map(|rollout| rollout.candidate_number);
        let rollout = match rollout {
            Some(rollout) if in_full => {
                let step = rollout.step;
                Some(self.present_rollout(actor, rollout, step).await?)
            }
            _ => None,
        };
        let spread = self.spread(current.problem, current.generation, None).await?;
        let fallback_answer = self.fallback_of(pool, &current.slug).await?;
        let switch = actor.may_on(Action::SwitchModel, &current.slug).map_err(|refused| refused.to_string());
        let may_switch = switch.and_then(|()| match (&current.fallback, &fallback_answer) {
            (None, None) => Err("the document names no serving.fallback to answer with".to_owned()),
            _ => Ok(()),
        });
        let may_drill = actor.may_on(Action::RollBack, &current.slug).map_err(|refused| refused.to_string());
        let may_drill = may_drill.and_then(|()| match (current.champion, current.rollout) {
            (None, _) => Err("no model is live; there is nothing to measure".to_owned()),
            (_, Some(_)) => Err("a version is on its way; a drill would get between its steps".to_owned()),
            _ => Ok(()),
        });
        Ok(DeploymentView {
            fallback: current.fallback,
            fallback_answer,
            may_switch: Permission::from_result(may_switch),
            may_drill: Permission::from_result(may_drill),
            title: versions.first().map(|version| version.document.title.clone()).unwrap_or_default(),
            slug: current.slug,
            generation: current.generation,
            champion: current.champion_number,
            candidate,
            stage: stage.to_owned(),
            candidate_percent: current.rollout.map_or(0.0, |staged| staged.percent),
            analysis,
            rollout,
            predictions,
            outcomes,
            changed_at: Some(current.changed_at),
            rollback_to: target_number,
            history: history.into_iter().map(present_change).collect(),
            spread,
            may_roll_back,
            parity,
            joined,
        })
    }
}

/// Whether all that happened since a generation is that the rollout that was under way then went on: whoever takes its candidate
/// back means it wherever it is by now.
fn is_same_rollout(history: &[PastChange], seen: i64) -> bool {
    let since: Vec<&PastChange> = history.iter().take_while(|change| change.generation > seen).collect();
    let looked_at = history.iter().find(|change| change.generation == seen);
    let Some(rollout) = looked_at.and_then(|change| change.rollout) else { return false };
    let went_on = |change: &&PastChange| {
        matches!(change.kind.as_str(), "canary" | "full" | "settled") && change.rollout == Some(rollout)
    };
    since.iter().all(went_on)
}

/// What a rollback decided on an earlier generation comes to: that generation's rollback, or a conflict.
fn done_since(history: &[PastChange], seen: i64, newest: &PastChange) -> Result<RolledBack> {
    let before = history.get(1..).unwrap_or_default();
    let was_next = before.first().is_some_and(|change| change.generation == seen);
    if newest.kind == "rollback" && (was_next || is_same_rollout(before, seen)) {
        return Ok(RolledBack { generation: newest.generation, champion: newest.champion, took_ms: 0 });
    }
    Err(changed_since(seen, newest.generation))
}

pub(crate) fn present_change(change: PastChange) -> DeploymentChange {
    DeploymentChange {
        generation: change.generation,
        kind: change.kind,
        champion: change.champion,
        previous: change.previous,
        candidate: change.candidate,
        percent: change.percent,
        by: change.account_name,
        reason: change.reason,
        at: change.changed_at,
    }
}

pub(crate) fn checked_reason(reason: &str) -> Result<&str> {
    let reason = reason.trim();
    if (1..=1_000).contains(&reason.chars().count()) {
        return Ok(reason);
    }
    Err(Fault::field("/reason", "must say why, in 1 to 1,000 characters"))
}
