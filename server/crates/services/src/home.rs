//! What waits for the reader.

use millrace_domain::policy::{Action, Actor};
use millrace_domain::run::RunState;
use millrace_domain::view::{HomeView, WaitingItem};
use millrace_storage::decision::{self, Subject};
use millrace_storage::{model, problem, run};

use crate::{Result, Services, fault, review};

impl Services {
    /// Reviews the reader can decide, what is running, and what is live.
    ///
    /// # Errors
    /// For callers without a role.
    pub async fn home(&self, actor: &Actor) -> Result<HomeView> {
        self.authorise(actor, Action::ReadWorkspace, "home").await?;
        let pool = self.db.pool();
        let under_way = run::list(pool, None, Some(RunState::Running), None, 20).await.map_err(fault)?;
        let queued = run::list(pool, None, Some(RunState::Queued), None, 20).await.map_err(fault)?;
        let recent = run::list(pool, None, None, None, 8).await.map_err(fault)?;
        let recent: Vec<_> = recent.into_iter().filter(|run| run.state.is_final()).collect();
        Ok(HomeView {
            waiting: self.waiting(actor).await?,
            running: self.summaries(&[under_way, queued].concat()).await?,
            live: self.list_deployments(actor).await?,
            recent: self.summaries(&recent).await?,
            is_empty: problem::list_newest(pool).await.map_err(fault)?.is_empty(),
        })
    }

    async fn waiting(&self, actor: &Actor) -> Result<Vec<WaitingItem>> {
        let pool = self.db.pool();
        let mut waiting = Vec::new();
        if actor.may(Action::ReviewProblem).is_ok() {
            for version in problem::list_in_review(pool).await.map_err(fault)? {
                let decisions = decision::list(pool, Subject::Problem(version.id.0)).await.map_err(fault)?;
                let needed = version.document.approvals.specification;
                let rules = review::rules(version.digest, version.author, needed, &decisions);
                if review::present(actor, Action::ReviewProblem, &rules, decisions, Ok(())).may_decide.allowed {
                    waiting.push(WaitingItem {
                        kind: "problem".to_owned(),
                        title: format!("Sign off {}: {}", version.slug, version.document.title),
                        href: format!("/problems/{}/v/{}?tab=review", version.slug, version.number),
                        by: version.author_name,
                        since: version.submitted_at.unwrap_or(version.created_at),
                    });
                }
            }
        }
        if actor.may(Action::ReviewModel).is_ok() {
            for version in model::list_waiting(pool).await.map_err(fault)? {
                let decisions = decision::list(pool, Subject::Model(version.id.0)).await.map_err(fault)?;
                let lineage = self.lineage(version).await?;
                let needed = lineage.problem.document.approvals.promotion;
                let rules = review::rules(lineage.version.digest, lineage.run.author, needed, &decisions);
                if review::present(actor, Action::ReviewModel, &rules, decisions, Ok(())).may_decide.allowed {
                    waiting.push(WaitingItem {
                        kind: "model".to_owned(),
                        title: format!("Approve model {} version {}", lineage.version.slug, lineage.version.number),
                        href: format!("/models/{}/v/{}", lineage.version.slug, lineage.version.number),
                        by: lineage.version.author_name,
                        since: lineage.version.created_at,
                    });
                }
            }
        }
        Ok(waiting)
    }
}
