//! What becomes of a version that was trained by itself: approvers are asked, or, where the signed document says so, it sets out without a
//! person. Either way it passes the same gates and stages as any other.

use millrace_domain::audit::Outcome;
use millrace_domain::fault::Fault;
use millrace_domain::policy::Origin;
use millrace_domain::problem::{Promote, Retraining};
use millrace_domain::run::{ModelStage, RolloutStage};
use millrace_storage::model::{self, ModelVersion};
use millrace_storage::problem::ProblemVersion;
use millrace_storage::{Connection, StorageError, audit, deployment, problem, retraining, run};
use serde_json::json;

use crate::mail::{Act, Letter};
use crate::model::locked;
use crate::{Result, Services, commit, fault};

impl Services {
    /// Takes the newest version on that was trained by itself and that nobody has taken on yet.
    pub(crate) async fn let_retrained_go_on(&self, signed: &ProblemVersion, policy: &Retraining) -> Result<()> {
        let pool = self.db.pool();
        let newest = retraining::trainings(pool, signed.problem, 20).await.map_err(fault)?;
        let newest = newest.into_iter().find_map(|event| event.model);
        let Some((number, stage @ (ModelStage::Registered | ModelStage::Approved))) = newest else { return Ok(()) };
        let version = model::find_numbered(pool, &signed.slug, number).await.map_err(fault)?;
        let Some(version) = version.filter(|version| version.archived_at.is_none()) else { return Ok(()) };
        let run = run::find(pool, version.run).await.map_err(fault)?;
        if stage == ModelStage::Approved {
            // It is under way by itself; whoever may let it go further than that has the time until then.
            let goes_to_everybody = policy.promote.reaches(RolloutStage::Watch);
            return match self.goes_on_by_itself(pool, &version).await? {
                Some(_) if !goes_to_everybody => self.ask_approvers(signed, &version, policy.promote).await,
                _ => Ok(()),
            };
        }
        // What was trained on another document is not what this one lets go on by itself.
        let is_of_this = run.is_some_and(|run| run.problem_version == signed.id && run.retried_by.is_empty());
        if policy.promote != Promote::Approval && is_of_this && !self.is_objected_to(pool, &version).await? {
            return match self.send_on(signed, &version).await {
                // What stands in its way is for people to see to.
                Err(refused) if refused.status < 500 => {
                    let (slug, why) = (&signed.slug, &refused.detail);
                    tracing::warn!(slug, number, why, "a version does not set out by itself");
                    self.ask_approvers(signed, &version, Promote::Approval).await
                }
                sent => sent,
            };
        }
        self.ask_approvers(signed, &version, Promote::Approval).await
    }

    /// Whether somebody has asked for changes of it.
    pub(crate) async fn is_objected_to(&self, db: &impl Connection, version: &ModelVersion) -> Result<bool> {
        let subject = millrace_storage::decision::Subject::Model(version.id.0);
        let given = millrace_storage::decision::list(db, subject).await.map_err(fault)?;
        Ok(given.iter().any(|given| given.decision == millrace_domain::run::ReviewDecision::RequestChanges))
    }

    /// Lets a version set out without a person, once nothing else is on its way.
    async fn send_on(&self, signed: &ProblemVersion, version: &ModelVersion) -> Result<()> {
        let live = deployment::find(self.db.pool(), &signed.slug).await.map_err(fault)?;
        let Some(live) = live.filter(|live| live.rollout.is_none() && live.fallback.is_none()) else { return Ok(()) };
        // Somebody took the last one back: there is nothing to compare with, and whether one answers again is for people to say.
        if live.champion.is_none() {
            return self.ask_approvers(signed, version, Promote::Approval).await;
        }
        self.is_whole(version).await?;
        let tx = self.begin().await?;
        // Another server may have been faster.
        let version = locked(&tx, &signed.slug, version.number).await?;
        if version.stage != ModelStage::Registered {
            return Ok(());
        }
        let now = self.now();
        match model::promote(&tx, version.id, signed.id, now).await {
            // The schema holds the rule as well: then people are asked.
            Err(StorageError::Refused(why)) => {
                drop(tx);
                tracing::warn!(slug = signed.slug, number = version.number, why, "a version does not go on by itself");
                return self.ask_approvers(signed, &version, Promote::Approval).await;
            }
            promoted => promoted.map_err(fault)?,
        }
        model::set_stage(&tx, version.id, ModelStage::Registered, ModelStage::Approved).await.map_err(fault)?;
        let version = locked(&tx, &signed.slug, version.number).await?;
        let reason =
            format!("trained by itself, every gate passed; version {} of the document lets it set out", signed.number);
        let author = run::find(&tx, version.run).await.map_err(fault)?.ok_or_else(|| Fault::not_found("run"))?.author;
        let started = self.set_out(&tx, &version, (author, None), &reason).await?;
        let details = json!({ "generation": started.generation, "stage": started.stage, "reason": reason,
            "document": signed.number });
        let act = audit::Act {
            actor: "retraining",
            via: "none",
            action: "deployment.rollout",
            object: format!("model/{}/v/{}", signed.slug, version.number),
            digest: Some(version.digest),
            outcome: Outcome::Done,
            origin: &Origin::default(),
            details,
        };
        audit::append(&tx, act, now).await.map_err(fault)?;
        commit(tx).await
    }

    /// Asks everybody who may approve it, once, saying how far it goes by itself.
    async fn ask_approvers(&self, signed: &ProblemVersion, version: &ModelVersion, by_itself: Promote) -> Result<()> {
        let asked = retraining::standing(self.db.pool(), signed.problem).await.map_err(fault)?.asked_number;
        if asked >= version.number {
            return Ok(());
        }
        let tx = self.begin().await?;
        problem::lock(&tx, signed.problem).await.map_err(fault)?;
        let asked = retraining::standing(&tx, signed.problem).await.map_err(fault)?.asked_number;
        if asked >= version.number {
            return Ok(());
        }
        let (slug, number) = (&signed.slug, version.number);
        for person in self.approvers_of(&tx, version).await? {
            let letter = Letter {
                kind: "model_review",
                subject: format!("Please review {slug} version {number}: it was trained by itself"),
                paragraphs: vec![
                    format!(
                        "Version {number} of {slug} repeats the live version's settings on newer data, and every gate passed."
                    ),
                    match by_itself {
                        Promote::Shadow => {
                            "It goes into the shadow by itself, and to no caller until it is approved. Until then no other version sets out.".to_owned()
                        }
                        Promote::Canary => {
                            "It goes through the canary by itself, and to everybody once it is approved. Until then no other version sets out.".to_owned()
                        }
                        Promote::Approval | Promote::Automatic => "It goes nowhere until it is approved.".to_owned(),
                    },
                ],
                act: Some(Act { label: "Open the version", link: self.link(&format!("/models/{slug}/v/{number}")) }),
                secret: false,
                facts: vec![
                    ("Problem".to_owned(), signed.document.title.clone()),
                    ("Run".to_owned(), self.link(&format!("/runs/{}", version.run))),
                    ("Digest".to_owned(), version.digest.short()),
                ],
                why: "You get this because you may approve this version.",
                thread: None,

                chart: None,
            };
            self.write_to(&tx, &person, letter).await?;
        }
        retraining::set_asked(&tx, signed.problem, number).await.map_err(fault)?;
        commit(tx).await
    }
}
