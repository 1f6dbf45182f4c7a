//! Versions are put away, never deleted: what was approved, answered and decided stays to be read.

use std::convert::Infallible;

use millrace_domain::fault::Fault;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::run::ModelStage;
use millrace_storage::{deployment, model, problem, rollout};
use serde_json::json;

use crate::access::Note;
use crate::deployment::checked_reason;
use crate::model::locked;
use crate::{Result, Services, commit, fault};

impl Services {
    /// Puts a version away, so that it is neither approved nor sent out, or brings it back.
    ///
    /// # Errors
    /// 409 `in_use` while it is live, on its way or what a rollback would bring back.
    pub async fn archive_model(
        &self,
        actor: &Actor,
        slug: &str,
        number: i32,
        archived: bool,
        reason: &str,
    ) -> Result<()> {
        let object = format!("model/{slug}/v/{number}");
        self.authorise_on(actor, Action::ArchiveModel, slug, &object).await?;
        let outcome = self.try_archive(actor, slug, number, archived, reason).await;
        self.note_if_refused(actor, "model.archive", object, outcome).await
    }

    /// What somebody gets who wants to register a version without a run: a version comes from a run whose gates passed, and from
    /// nowhere else. That it was tried is written down.
    pub async fn refuse_version(&self, actor: &Actor, slug: &str) -> Fault {
        let detail = format!(
            "versions of {slug} are registered by its runs, once their gates pass, and by nothing else; launch a run (`millrace run --problem {slug}`)"
        );
        self.refuse_in_registry(actor, Action::LaunchRun, slug, "model.register", detail).await
    }

    /// What somebody gets who wants to delete a model or a version. That it was tried is written down.
    pub async fn refuse_deletion(&self, actor: &Actor, slug: &str) -> Fault {
        let detail = "versions and what they rest on are kept for good; archive a version instead".to_owned();
        self.refuse_in_registry(actor, Action::ArchiveModel, slug, "model.delete", detail).await
    }

    async fn refuse_in_registry(
        &self,
        actor: &Actor,
        action: Action,
        slug: &str,
        tried: &'static str,
        detail: String,
    ) -> Fault {
        let object = format!("model/{slug}");
        if let Err(refused) = self.authorise_on(actor, action, slug, &object).await {
            return refused;
        }
        let outcome: Result<Infallible> = match problem::find_id(self.db.pool(), slug).await {
            Err(error) => Err(fault(error)),
            Ok(None) => Err(Fault::not_found("model")),
            Ok(Some(_)) => Err(Fault::conflict("not_by_hand", detail)),
        };
        match self.note_if_refused(actor, tried, object, outcome).await {
            Err(refused) => refused,
            Ok(never) => match never {},
        }
    }

    async fn try_archive(&self, actor: &Actor, slug: &str, number: i32, archived: bool, reason: &str) -> Result<()> {
        let reason = checked_reason(reason)?;
        let object = format!("model/{slug}/v/{number}");
        let tx = self.begin_as(actor, Action::ArchiveModel, Some(slug), &object).await?;
        let version = locked(&tx, slug, number).await?;
        let live = deployment::find(&tx, slug).await.map_err(fault)?;
        let staged = live.as_ref().and_then(|live| live.rollout);
        let moves = deployment::moves(&tx, version.problem).await.map_err(fault)?;
        let way_back = live.and_then(|live| deployment::rollback_target(&moves, live.champion?));
        let on_its_way = match staged {
            None => false,
            Some(staged) => {
                let open = rollout::find(&tx, staged.id).await.map_err(fault)?;
                open.is_some_and(|open| open.candidate == version.id || open.champion == version.id)
            }
        };
        if archived && (version.stage == ModelStage::Live || on_its_way) {
            let detail = format!(
                "version {number} answers callers or is compared with what does; only what is at rest is archived"
            );
            return Err(Fault::conflict("in_use", detail));
        }
        if version.archived_at.is_some() == archived {
            return Ok(());
        }
        if archived && way_back == Some(version.id) {
            let detail =
                format!("version {number} is what a rollback would bring back; it is archived once another one is");
            return Err(Fault::conflict("in_use", detail));
        }
        let put_away = archived.then_some((actor.account, reason));
        model::set_archived(&tx, version.id, put_away, self.now()).await.map_err(fault)?;
        let details = json!({ "archived": archived, "reason": reason });
        self.note(&tx, actor, Note::new("model.archive", object).digest(version.digest).details(details)).await?;
        commit(tx).await
    }
}
