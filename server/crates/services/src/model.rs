//! Registered models: what they proved, where they come from, who approves them.

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::fault::Fault;
use millrace_domain::gate::{Decision as GateDecision, Gate, decide_at};
use millrace_domain::policy::{Action, Actor};
use millrace_domain::problem::Promote;
use millrace_domain::rollout::{Plan, Step};
use millrace_domain::run::{ModelStage, ReviewDecision, RolloutStage};
use millrace_domain::view::{DecisionRequest, ModelSummary, ModelVersionLine, ModelVersionView, Permission};
use millrace_storage::account::Account;
use millrace_storage::decision::Subject;
use millrace_storage::model::{self, ModelVersion};
use millrace_storage::problem::ProblemVersion;
use millrace_storage::run::Run;
use millrace_storage::{Connection, Transaction, caller, dataset, deployment, event, problem, run};
use serde_json::{Value, json};

use crate::access::Note;
use crate::override_gates::GATES_NOT_PASSED;
use crate::review::{self, Reviewed};
use crate::rollout::signed_plan;
use crate::{Result, Services, commit, fault, page_size, present};

/// Parts of an evaluation that tell how a model decides.
const DECIDING: [&str; 4] = ["permutation", "contributions", "importance", "dependence"];

/// Versions of a page when nobody says how many.
const PAGE: u32 = 200;

/// Those that are told of who asked a version.
const MOST_CALLERS: i64 = 100;

/// A model version with the run and the document behind it.
pub(crate) struct Lineage {
    pub version: ModelVersion,
    pub run: Run,
    pub problem: ProblemVersion,
}

impl Services {
    /// The newest version of every model.
    ///
    /// # Errors
    /// For callers without a role.
    pub async fn list_models(&self, actor: &Actor) -> Result<Vec<ModelSummary>> {
        self.authorise(actor, Action::ReadWorkspace, "model").await?;
        let mut newest = model::list_newest(self.db.pool()).await.map_err(fault)?;
        newest.retain(|version| actor.sees(&version.slug));
        let asked = caller::last_of_problems(self.db.pool()).await.map_err(fault)?;
        for version in &mut newest {
            version.asked_at = asked.iter().find(|(problem, _)| *problem == version.problem).map(|(_, at)| *at);
        }
        let deployments = deployment::list(self.db.pool()).await.map_err(fault)?;
        let live = |slug: &str| deployments.iter().find(|one| one.slug == slug).and_then(|one| one.champion_number);
        let mut lines = self.model_summaries(newest).await?;
        lines.iter_mut().for_each(|line| line.live = live(&line.slug));
        Ok(lines)
    }

    /// A page of a model's versions, newest first, with what people approve and decide by, and the token of the next one.
    ///
    /// # Errors
    /// 404 when there is none; 400 for a token that no page gave.
    pub async fn model_versions(
        &self,
        actor: &Actor,
        slug: &str,
        after: Option<&str>,
        size: Option<u32>,
    ) -> Result<(Vec<ModelVersionLine>, Option<String>)> {
        self.authorise_on(actor, Action::ReadWorkspace, slug, &format!("model/{slug}")).await?;
        let size = page_size(size, PAGE)?;
        let unknown = || Fault::field("/page_token", "is none that a list gave");
        let before = after.map(|token| token.parse().map_err(|_| unknown())).transpose()?;
        let versions = model::page(self.db.pool(), slug, before, size).await.map_err(fault)?;
        if versions.is_empty() && before.is_none() {
            return Err(Fault::not_found("model"));
        }
        let next = versions.last().filter(|last| versions.len() == size as usize && last.number > 1);
        let next = next.map(|last| last.number.to_string());
        let kept: Vec<_> = versions.iter().map(|version| (version.digest, version.gates.clone())).collect();
        let lines = self.model_summaries(versions).await?.into_iter().zip(kept);
        let line = |(summary, (digest, gates)): (ModelSummary, (Digest, Vec<Gate>))| {
            let run = summary.run.parse().map_err(|_| missing())?;
            Ok(ModelVersionLine { gates: present::gates(gates, slug, run), digest: digest.to_string(), summary })
        };
        Ok((lines.map(line).collect::<Result<_>>()?, next))
    }

    /// The versions of a model, newest first: the newest 200, and older ones that are live, on their way, or that an alias points at.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn model(&self, actor: &Actor, slug: &str) -> Result<Vec<ModelSummary>> {
        self.authorise_on(actor, Action::ReadWorkspace, slug, &format!("model/{slug}")).await?;
        let versions = model::versions(self.db.pool(), slug).await.map_err(fault)?;
        if versions.is_empty() {
            return Err(Fault::not_found("model"));
        }
        self.model_summaries(versions).await
    }

    async fn model_summaries(&self, versions: Vec<ModelVersion>) -> Result<Vec<ModelSummary>> {
        let mut lines = Vec::with_capacity(versions.len());
        for version in versions {
            let lineage = self.lineage(self.db.pool(), version).await?;
            let metrics = run::metrics(self.db.pool(), lineage.run.id).await.map_err(fault)?;
            lines.push(present::model(&lineage, &metrics));
        }
        Ok(lines)
    }

    /// What a version came of. Under a lock it is read by who holds it: another connection may be held by whoever waits for that lock.
    pub(crate) async fn lineage(&self, db: &impl Connection, version: ModelVersion) -> Result<Lineage> {
        let run = run::find(db, version.run).await.map_err(fault)?.ok_or_else(missing)?;
        let problem = problem::find_version(db, run.problem_version).await.map_err(fault)?.ok_or_else(missing)?;
        Ok(Lineage { version, run, problem })
    }

    /// One version with all its evidence.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn model_version(&self, actor: &Actor, slug: &str, number: i32) -> Result<ModelVersionView> {
        self.authorise_on(actor, Action::ReadWorkspace, slug, &format!("model/{slug}/v/{number}")).await?;
        let pool = self.db.pool();
        let version = model::find_numbered(pool, slug, number).await.map_err(fault)?.ok_or_else(missing)?;
        let lineage = self.lineage(pool, version).await?;
        let metrics = run::metrics(pool, lineage.run.id).await.map_err(fault)?;
        let data = dataset::of_run(pool, &lineage.run).await.map_err(fault)?.ok_or_else(missing)?;
        let evaluation = self.evaluation(&lineage.run).await?;
        let graph = self.lineage_of_model(&lineage).await?;
        let computed = run::features_report(pool, lineage.run.id).await.map_err(fault)?;
        let callers = caller::of_version(pool, lineage.version.id, MOST_CALLERS).await.map_err(fault)?;
        let reviewed = reviewed(&lineage);
        let review = self.review(pool, &reviewed).await?;
        let by_itself = self.goes_on_by_itself(pool, &lineage.version).await?;
        let open = match lineage.version.stage {
            _ if lineage.version.archived_at.is_some() => Err(archived(number).detail),
            ModelStage::Registered => gates_pass(&lineage.version, self.now()).map_err(|refused| refused.detail),
            stage if is_undecided(stage, review.rules.tally().complete) => Ok(()),
            stage => Err(format!("this version is {stage} already; only a registered one is decided on")),
        };
        let live = deployment::find(pool, slug).await.map_err(fault)?;
        let promotion = match self.may_set_out(pool, &lineage.version).await {
            Ok(_) => Ok(()),
            Err(refused) if refused.status == 409 => Err(refused.detail),
            Err(failed) => return Err(failed),
        };
        let right = actor.may_on(Action::Deploy, slug).map_err(|refused| refused.to_string());
        let deployable = right.and_then(|()| promotion.clone());
        let review = self.present_review(actor, &reviewed, review, open).await?;
        Ok(ModelVersionView {
            summary: ModelSummary {
                // Those that asked may have been written since the version was read.
                asked_at: callers.first().map(|newest| newest.last_at),
                ..present::model(&lineage, &metrics)
            },
            goes_on_by: by_itself.map(|(document, _)| document),
            digest: lineage.version.digest.to_string(),
            artifact: lineage.version.artifact.to_string(),
            metrics: metrics.iter().map(present::metric).collect(),
            parameters: lineage.run.parameters,
            provenance: lineage.run.provenance,
            importance: pairs(&evaluation, "importance"),
            inputs: pairs(&evaluation, "inputs"),
            warnings: data
                .report
                .iter()
                .chain(&computed)
                .flat_map(|report| report.warnings())
                .map(|finding| {
                    let place = finding.column.as_deref().unwrap_or("the whole dataset");
                    let mute = data.mutes.iter().find(|mute| mute.covers(finding, self.now()));
                    let muted = mute.map(|mute| format!("; muted by {}: {}", mute.by, mute.reason)).unwrap_or_default();
                    format!("{place}: {} ({}{muted})", finding.observed, finding.check)
                })
                .collect(),
            callers: callers.into_iter().map(present::caller).collect(),
            dataset: present::dataset(&data, self.now()),
            lineage: graph,
            review,
            rollout: match live.as_ref().and_then(|live| live.champion) {
                None => Vec::new(),
                Some(_) => {
                    let plan = signed_plan(pool, slug).await?;
                    plan.unwrap_or_else(|| Plan::of(&lineage.problem.document)).steps.iter().map(Step::title).collect()
                }
            },
            live: live.as_ref().and_then(|live| live.champion_number),
            generation: live.map_or(0, |live| live.generation),
            promotion: Permission::from_result(promotion),
            may_deploy: Permission::from_result(deployable),
            may_archive: Permission::from_result(actor.may_on(Action::ArchiveModel, slug)),
            gates: present::gates(lineage.version.gates, slug, lineage.run.id),
        })
    }

    /// What the evaluation of a version left for figures of how it decides: what features are worth, contribute and do to the answer.
    ///
    /// # Errors
    /// 404 when there is no such version.
    pub async fn model_figures(&self, actor: &Actor, slug: &str, number: i32) -> Result<Value> {
        self.authorise_on(actor, Action::ReadWorkspace, slug, &format!("model/{slug}/v/{number}")).await?;
        let version = model::find_numbered(self.db.pool(), slug, number).await.map_err(fault)?.ok_or_else(missing)?;
        let mut kept = self.evaluation(&self.lineage(self.db.pool(), version).await?.run).await?;
        // That answers are numbers is told by one of them.
        let number = kept["test"]["scatter"].as_array().and_then(|points| points.first()).cloned();
        let deciding = DECIDING.iter().map(|name| ((*name).to_owned(), kept[*name].take())).collect();
        let mut deciding = Value::Object(deciding);
        if let Some(number) = number {
            deciding["test"] = json!({ "scatter": [number] });
        }
        Ok(deciding)
    }

    /// How much a run's model relies on each feature, the most important first.
    pub(crate) async fn importance_of(&self, run: &Run) -> Result<Vec<(String, f64)>> {
        Ok(pairs(&self.evaluation(run).await?, "importance"))
    }

    pub(crate) async fn evaluation(&self, run: &Run) -> Result<Value> {
        let artifacts = run::artifacts(self.db.pool(), run.id).await.map_err(fault)?;
        let Some(artifact) = artifacts.into_iter().find(|artifact| artifact.name == "evaluation") else {
            return Ok(Value::Null);
        };
        let content = self.artifacts.get(&artifact.digest).await.map_err(fault)?;
        Ok(serde_json::from_slice(&content).unwrap_or_default())
    }

    /// Decides on a registered version.
    ///
    /// # Errors
    /// 403 for who launched its run, 409 when the digest is not current or it is not registered.
    pub async fn decide_model(
        &self,
        actor: &Actor,
        slug: &str,
        number: i32,
        request: &DecisionRequest,
    ) -> Result<ModelStage> {
        let object = format!("model/{slug}/v/{number}");
        self.authorise_on(actor, Action::ReviewModel, slug, &object).await?;
        let outcome = self.try_decide_model(actor, slug, number, request).await;
        if let Err(refused) = &outcome
            && refused.status < 500
        {
            let details = json!({ "decision": request.decision, "code": refused.code });
            self.note_refusal(actor, Note::new("model.decide", object).details(details)).await?;
        }
        outcome
    }

    async fn try_decide_model(
        &self,
        actor: &Actor,
        slug: &str,
        number: i32,
        request: &DecisionRequest,
    ) -> Result<ModelStage> {
        let object = format!("model/{slug}/v/{number}");
        let tx = self.begin_as(actor, Action::ReviewModel, Some(slug), &object).await?;
        let version = locked(&tx, slug, number).await?;
        let lineage = self.lineage(&tx, version).await?;
        let version = &lineage.version;
        let reviewed = reviewed(&lineage);
        let before = self.review(&tx, &reviewed).await?;
        if request.decision != ReviewDecision::Comment && version.archived_at.is_some() {
            return Err(archived(number));
        }
        let is_open =
            version.stage == ModelStage::Registered || is_undecided(version.stage, before.rules.tally().complete);
        if request.decision != ReviewDecision::Comment && !is_open {
            let by = review::closed_by(&before.decisions);
            let detail = format!("this version is {} already; only a registered one is decided on{by}", version.stage);
            return Err(Fault::conflict("not_registered", detail));
        }
        if request.decision == ReviewDecision::Approve {
            gates_pass(version, self.now())?;
        }
        let metrics = run::metrics(&tx, lineage.run.id).await.map_err(fault)?;
        let measured: serde_json::Map<String, Value> = metrics
            .iter()
            .filter(|metric| metric.step == 0)
            .map(|metric| (metric.name.clone(), json!(metric.value)))
            .collect();
        let shown = json!({ "gates": version.gates, "metrics": measured, "digest": version.digest });
        let tally = self.record_decision(&tx, actor, &reviewed, request, shown).await?;
        let approved = request.decision == ReviewDecision::Approve && tally.complete;
        // One that was taken back may set out again as it stands.
        let stage = match version.stage {
            ModelStage::Registered if approved => ModelStage::Approved,
            stage => stage,
        };
        if stage != version.stage {
            model::set_stage(&tx, version.id, version.stage, stage).await.map_err(fault)?;
        }
        let action = match request.decision {
            ReviewDecision::Approve => "model.approve",
            ReviewDecision::RequestChanges => "model.request_changes",
            ReviewDecision::Comment => "model.comment",
        };
        let details = json!({ "approvals": tally.given, "needed": reviewed.quorum.needed, "stage": stage });
        let note = Note::new(action, object).digest(version.digest).details(details);
        self.note(&tx, actor, note).await?;
        let payload = json!({ "slug": slug, "version": number, "stage": stage });
        event::insert(&tx, "model", version.id.0, "stage", payload).await.map_err(fault)?;
        commit(tx).await?;
        Ok(stage)
    }

    /// Whether the approvals of a version still stand: they can run out, and their givers can lose their roles, between the
    /// approval and the day it goes to that stage. Without them it goes as far as the signed document lets it by itself.
    pub(crate) async fn still_approved(
        &self,
        db: &impl Connection,
        version: &ModelVersion,
        to: RolloutStage,
    ) -> Result<()> {
        let by_itself = self.goes_on_by_itself(db, version).await?;
        if by_itself.is_some_and(|(_, promote)| promote.reaches(to)) {
            return Ok(());
        }
        let lineage = self.lineage(db, version.clone()).await?;
        let review = self.review(db, &reviewed(&lineage)).await?;
        match by_itself {
            _ if review.rules.tally().complete => Ok(()),
            Some((document, _)) => Err(Fault::conflict(
                "needs_approval",
                format!(
                    "version {document} of the document lets version {} of the model go no further by itself; it goes on once it is \
                     approved",
                    version.number
                ),
            )),
            None => Err(approval_ran_out()),
        }
    }

    /// Number of the signed document by which a version goes on without a person, and how far: as long as that is in force, nobody has
    /// asked for changes, and it was not taken back.
    pub(crate) async fn goes_on_by_itself(
        &self,
        db: &impl Connection,
        version: &ModelVersion,
    ) -> Result<Option<(i32, Promote)>> {
        let Some(by) = model::promoted_by(db, version.id).await.map_err(fault)? else { return Ok(None) };
        if version.stage == ModelStage::RolledBack || self.is_objected_to(db, version).await? {
            return Ok(None);
        }
        let signed = problem::approved(db, &version.slug).await.map_err(fault)?;
        let now = self.now();
        let in_force = signed.filter(|signed| signed.id == by && signed.sign_off_ends_at.is_none_or(|end| end > now));
        Ok(in_force.and_then(|signed| Some((signed.number, signed.document.retraining?.promote))))
    }

    /// Everybody who may approve a version.
    pub(crate) async fn approvers_of(&self, db: &impl Connection, version: &ModelVersion) -> Result<Vec<Account>> {
        let lineage = self.lineage(db, version.clone()).await?;
        let reviewed = reviewed(&lineage);
        let rules = self.review(db, &reviewed).await?.rules;
        self.reviewers(db, &reviewed, &rules).await
    }

    /// The versions that wait for people, registered or gone as far as they go by themselves, on which the reader could decide.
    pub(crate) async fn models_waiting(&self, actor: &Actor) -> Result<Vec<Lineage>> {
        let pool = self.db.pool();
        let mut waiting = Vec::new();
        for version in model::list_waiting(pool).await.map_err(fault)? {
            if actor.may_on(Action::ReviewModel, &version.slug).is_err() {
                continue;
            }
            let lineage = self.lineage(pool, version).await?;
            let rules = self.review(pool, &reviewed(&lineage)).await?.rules;
            if rules.may_approve(actor.account).is_ok() && !rules.tally().complete {
                waiting.push(lineage);
            }
        }
        Ok(waiting)
    }
}

/// Whether people may still decide on a version that is past being registered: it went on by itself, or too few of its approvals stand.
const fn is_undecided(stage: ModelStage, is_complete: bool) -> bool {
    matches!(stage, ModelStage::Approved | ModelStage::RolledBack) && !is_complete
}

fn reviewed(lineage: &Lineage) -> Reviewed<'_> {
    Reviewed {
        subject: Subject::Model(lineage.version.id.0),
        problem: &lineage.version.slug,
        action: Action::ReviewModel,
        digest: lineage.version.digest,
        authors: std::iter::once(lineage.run.author)
            .chain(lineage.run.retried_by.iter().copied())
            .chain(lineage.version.gates.iter().filter_map(|gate| Some(gate.overridden.as_ref()?.account)))
            .collect(),
        quorum: lineage.problem.document.approvals.of_promotion(),
        unproven: None,
    }
}

fn archived(number: i32) -> Fault {
    Fault::conflict(
        "archived",
        format!("version {number} is archived; whoever may put versions away can bring it back"),
    )
}

fn approval_ran_out() -> Fault {
    Fault::conflict(
        "not_approved",
        "the approvals of this version no longer stand (they ran out, or who gave them may no longer review); it has to be approved again",
    )
}

/// The version, with its problem locked until the transaction ends.
pub(crate) async fn locked(tx: &Transaction, slug: &str, number: i32) -> Result<ModelVersion> {
    let id = problem::find_id(tx, slug).await.map_err(fault)?.ok_or_else(missing)?;
    problem::lock(tx, id).await.map_err(fault)?;
    model::find_numbered(tx, slug, number).await.map_err(fault)?.ok_or_else(missing)
}

/// Every gate passed, or somebody let it be and that still holds: asked before an approval and before anything goes live.
fn gates_pass(version: &ModelVersion, now: DateTime<Utc>) -> Result<()> {
    match decide_at(&version.gates, now) {
        GateDecision::Passed => Ok(()),
        GateDecision::Rejected(open) => Err(Fault::conflict(
            GATES_NOT_PASSED,
            format!("these gates did not pass, and no override of them holds: {}", open.join(", ")),
        )),
    }
}

/// Whether the version may go live: gates passed and approved.
pub(crate) fn may_go_live(version: &ModelVersion, now: DateTime<Utc>) -> Result<()> {
    gates_pass(version, now)?;
    if version.archived_at.is_some() {
        return Err(archived(version.number));
    }
    match version.stage {
        ModelStage::Registered => Err(Fault::conflict(
            "not_approved",
            "this version is not approved; somebody other than who launched its run has to approve it",
        )),
        ModelStage::Live => Err(Fault::conflict("already_live", "this version is live already")),
        ModelStage::Approved | ModelStage::Superseded | ModelStage::RolledBack => Ok(()),
    }
}

fn pairs<T: serde::de::DeserializeOwned>(evaluation: &Value, key: &str) -> Vec<(String, T)> {
    evaluation.get(key).cloned().and_then(|found| serde_json::from_value(found).ok()).unwrap_or_default()
}

pub(crate) fn missing() -> Fault {
    Fault::not_found("model version")
}
