//! Aliases: names that point at versions, with who moved them when and why. Nothing that is live follows one.

use millrace_domain::fault::Fault;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::view::{AliasView, ModelView, Permission};
use millrace_storage::{alias, deployment, problem, rollout};
use serde_json::json;

use crate::access::Note;
use crate::deployment::checked_reason;
use crate::model::{locked, missing};
use crate::{Result, Services, commit, fault};

/// Follow the deployment: what is live, and what is on its way.
const FOLLOWING: [&str; 2] = ["champion", "candidate"];

impl Services {
    /// A model: its versions and aliases.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn registered(&self, actor: &Actor, slug: &str) -> Result<ModelView> {
        let versions = self.model(actor, slug).await?;
        let pool = self.db.pool();
        let live = deployment::find(pool, slug).await.map_err(fault)?;
        let candidate = match live.as_ref().and_then(|live| live.rollout) {
            None => None,
            Some(staged) => rollout::find(pool, staged.id).await.map_err(fault)?.map(|open| open.candidate_number),
        };
        let follows = [live.and_then(|live| live.champion_number), candidate];
        let following = FOLLOWING.into_iter().zip(follows).map(|(name, version)| AliasView {
            name: name.to_owned(),
            follows: true,
            version,
            moves: Vec::new(),
        });
        let mut aliases: Vec<AliasView> = following.collect();
        for moved in alias::moves(pool, slug).await.map_err(fault)? {
            match aliases.last_mut().filter(|alias| alias.name == moved.name) {
                Some(alias) => alias.moves.push(moved.what),
                None => aliases.push(AliasView {
                    name: moved.name,
                    follows: false,
                    version: moved.what.version,
                    moves: vec![moved.what],
                }),
            }
        }
        Ok(ModelView { versions, aliases, may_move: Permission::from_result(actor.may_on(Action::MoveAlias, slug)) })
    }

    /// Lets an alias point at a version, or at none.
    ///
    /// # Errors
    /// 409 `reserved_alias` for those that follow the deployment, `archived`; 400 for a name that is none.
    pub async fn move_alias(
        &self,
        actor: &Actor,
        slug: &str,
        name: &str,
        version: Option<i32>,
        reason: &str,
    ) -> Result<()> {
        let object = format!("model/{slug}");
        self.authorise_on(actor, Action::MoveAlias, slug, &object).await?;
        let outcome = self.try_move(actor, slug, name, version, reason).await;
        self.note_if_refused(actor, "model.alias", object, outcome).await
    }

    async fn try_move(&self, actor: &Actor, slug: &str, name: &str, version: Option<i32>, reason: &str) -> Result<()> {
        let reason = checked_reason(reason)?;
        if FOLLOWING.contains(&name) {
            let detail = format!(
                "{name} follows the deployment and is not moved by hand; send an approved version on its way, or roll back"
            );
            return Err(Fault::conflict("reserved_alias", detail));
        }
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !(1..=40).contains(&name.len())
            || !name.chars().all(fits)
            || !name.starts_with(|c: char| c.is_ascii_lowercase())
        {
            let message = "must be 1 to 40 lower-case letters, digits and hyphens, beginning with a letter";
            return Err(Fault::field("/name", message));
        }
        let object = format!("model/{slug}");
        let tx = self.begin_as(actor, Action::MoveAlias, Some(slug), &object).await?;
        let (problem, target) = match version {
            Some(number) => {
                let version = locked(&tx, slug, number).await?;
                if version.archived_at.is_some() {
                    return Err(Fault::conflict(
                        "archived",
                        format!("version {number} is archived; bring it back first"),
                    ));
                }
                (version.problem, Some(version.id))
            }
            None => {
                let known = alias::moves(&tx, slug).await.map_err(fault)?;
                if known.iter().all(|moved| moved.name != name) {
                    return Err(Fault::not_found("alias"));
                }
                let problem = problem::find_id(&tx, slug).await.map_err(fault)?.ok_or_else(missing)?;
                problem::lock(&tx, problem).await.map_err(fault)?;
                (problem, None)
            }
        };
        alias::insert(&tx, problem, name, target, (actor.account, reason), self.now()).await.map_err(fault)?;
        let details = json!({ "alias": name, "version": version, "reason": reason });
        self.note(&tx, actor, Note::new("model.alias", object).details(details)).await?;
        commit(tx).await
    }
}
