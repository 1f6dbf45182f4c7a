//! What waits for the reader.

use millrace_domain::policy::{Action, Actor};
use millrace_domain::run::RunState;
use millrace_domain::search;
use millrace_domain::view::{HomeView, IncidentsView, WaitingItem};
use millrace_storage::run::{self, Limit};

use crate::model::Lineage;
use crate::runs::visible_problems;
use crate::{Result, Services, fault, present};

impl Services {
    /// Reviews the reader can decide, what is running, and what is live.
    ///
    /// # Errors
    /// For callers without a role.
    pub async fn home(&self, actor: &Actor) -> Result<HomeView> {
        self.authorise(actor, Action::ReadWorkspace, "home").await?;
        let pool = self.db.pool();
        let visible = visible_problems(actor);
        let filter = |state| run::Filter { visible: visible.as_deref(), state, ..run::Filter::default() };
        // Of what runs elsewhere it is not known whether it still does.
        let own = search::filter("kind != 'tracked'").unwrap_or_default();
        let running = run::Filter { conditions: &own, ..filter(Some(RunState::Running)) };
        let under_way = run::list(pool, running, Limit::first(20)).await.map_err(fault)?;
        let queued = run::list(pool, filter(Some(RunState::Queued)), Limit::first(20)).await.map_err(fault)?;
        let recent = run::list(pool, filter(None), Limit::first(8)).await.map_err(fault)?;
        let recent: Vec<_> = recent.into_iter().filter(|run| run.state.is_final()).collect();
        let IncidentsView { items: mut alerts, standing_still, .. } =
            self.list_alerts(actor, None, true, None, None).await?;
        alerts.retain(|alert| alert.state != "pending");
        let may_read_mail = actor.may(Action::ReadMail).is_ok();
        let is_told = may_read_mail || actor.may(Action::HandleIncident).is_ok();
        Ok(HomeView {
            alerts,
            waiting: self.waiting(actor).await?,
            running: under_way.iter().chain(&queued).map(present::run).collect(),
            live: self.list_deployments(actor).await?,
            recent: recent.iter().map(present::run).collect(),
            is_empty: self.list_problems(actor).await?.is_empty(),
            standing_still,
            stuck_mail: if is_told { self.stuck_mail().await? } else { 0 },
            may_read_mail,
        })
    }

    async fn waiting(&self, actor: &Actor) -> Result<Vec<WaitingItem>> {
        let problems = self.problems_waiting(actor).await?.into_iter().map(|version| WaitingItem {
            kind: "problem".to_owned(),
            title: format!("Sign off {}: {}", version.slug, version.document.title),
            href: format!("/problems/{}/v/{}?tab=review", version.slug, version.number),
            by: version.author_name,
            since: version.submitted_at.unwrap_or(version.created_at),
        });
        let models = self.models_waiting(actor).await?.into_iter().map(|Lineage { version, .. }| WaitingItem {
            kind: "model".to_owned(),
            title: format!("Approve model {} version {}", version.slug, version.number),
            href: format!("/models/{}/v/{}", version.slug, version.number),
            by: version.author_name,
            since: version.created_at,
        });
        Ok(problems.chain(models).collect())
    }
}
