//! Rehearsals: asked for over a valid dataset version, computed as a step, shown with what would have happened.

use std::collections::BTreeMap;

use millrace_domain::Digest;
use millrace_domain::fault::Fault;
use millrace_domain::ids::RehearsalId;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::rehearsal::{RehearsalPlan, breakable, label_columns, policy_of};
use millrace_domain::run::{StepKind, StepState};
use millrace_domain::trainer::Trainer;
use millrace_domain::view::{Permission, RehearsalLine, RehearsalRequest, RehearsalView, RehearsalsView, Rehearsed};
use millrace_storage::rehearsal::{NewRehearsal, Rehearsal};
use millrace_storage::step::{self, Stage, Subject};
use millrace_storage::{event, problem, rehearsal};
use serde_json::json;

use crate::access::Note;
use crate::dataset::examples;
use crate::run::{all_at_once, tables_for};
use crate::{Result, Services, commit, fault, present};

/// Rehearsals that are listed.
const LISTED: u32 = 100;

impl Services {
    /// The rehearsals of a problem, newest first, and what a new one can be made of.
    ///
    /// # Errors
    /// 404 when there is no such problem.
    pub async fn rehearsals(&self, actor: &Actor, slug: &str) -> Result<RehearsalsView> {
        self.authorise_on(actor, Action::ReadWorkspace, slug, &format!("problem/{slug}")).await?;
        let pool = self.db.pool();
        let versions = problem::versions(pool, slug).await.map_err(fault)?;
        let newest = versions.first().ok_or_else(|| Fault::not_found("problem"))?;
        let document = &newest.document;
        let datasets = examples(pool, slug, document).await?;
        let lacks = if document.data.event_time.is_none() {
            Some("The document names no data.event_time, so it is not known which row came when.".to_owned())
        } else if datasets.is_empty() {
            Some("No version of its data is valid yet.".to_owned())
        } else {
            None
        };
        let found = rehearsal::list(pool, slug, LISTED).await.map_err(fault)?;
        Ok(RehearsalsView {
            slug: slug.to_owned(),
            title: document.title.clone(),
            versions: versions.iter().map(|version| (version.number, version.state.as_str().to_owned())).collect(),
            datasets: datasets.iter().map(|version| present::dataset(version, self.now())).collect(),
            trainers: Trainer::of(&document.target).map(|trainer| trainer.as_str().to_owned()).collect(),
            columns: breakable(document).into_iter().map(str::to_owned).collect(),
            labels: label_columns(document).into_iter().map(str::to_owned).collect(),
            policy: policy_of(document),
            lacks,
            rehearsals: found.iter().map(line).collect(),
            may_rehearse: Permission::from_result(actor.may_on(Action::LaunchRun, slug)),
        })
    }

    /// Readies a rehearsal.
    ///
    /// # Errors
    /// 400 naming every mistake; 404 without such a version; 409 without valid data or tables.
    pub async fn rehearse(&self, actor: &Actor, slug: &str, request: &RehearsalRequest) -> Result<RehearsalId> {
        let object = format!("problem/{slug}");
        self.authorise_on(actor, Action::LaunchRun, slug, &object).await?;
        let tx = self.begin_as(actor, Action::LaunchRun, Some(slug), &object).await?;
        let version = match request.version {
            None => problem::newest(&tx, slug).await.map_err(fault)?.ok_or_else(|| Fault::not_found("problem"))?,
            Some(number) => {
                let numbered = problem::find_numbered(&tx, slug, number).await.map_err(fault)?;
                numbered.ok_or_else(|| Fault::not_found("problem version"))?
            }
        };
        let plan = RehearsalPlan::read(&version.document, request).map_err(all_at_once)?;
        // A policy that is the document's own is no other one.
        let policy = request.policy.clone().filter(|_| plan.document != version.document);
        let request = RehearsalRequest { policy, ..request.clone() };
        let (wanted, number) = (request.dataset.as_deref(), request.dataset_version);
        let data = self.dataset_for(&tx, slug, wanted, number, &version.document).await?;
        let tables: BTreeMap<String, i64> =
            tables_for(&tx, &version).await?.into_iter().map(|table| (table.name, table.id.0)).collect();
        let new = NewRehearsal {
            problem_version: version.id,
            dataset_version: data.id,
            tables: &tables,
            request: json!(request),
            author: actor.account,
        };
        let id = rehearsal::insert(&tx, &new, self.now()).await.map_err(fault)?;
        let stages = [Stage::one(StepKind::Rehearse.as_str())];
        step::insert_stages(&tx, Subject::Rehearsal(id.0), &stages).await.map_err(fault)?;
        let details = json!({ "problem": slug, "version": version.number, "dataset": data.dataset,
            "dataset_version": data.number, "request": RehearsalRequest { policy: None, ..request.clone() },
            "policy": request.policy.as_ref().map(Digest::of) });
        self.note(&tx, actor, Note::new("rehearsal.ask", format!("rehearsal/{id}")).details(details)).await?;
        commit(tx).await?;
        Ok(id)
    }

    /// Whether somebody may see a rehearsal, for following it.
    ///
    /// # Errors
    /// 404 when there is none, or none for them.
    pub async fn follow_rehearsal(&self, actor: &Actor, id: RehearsalId) -> Result<()> {
        self.rehearsal_for(actor, Action::ReadWorkspace, id).await.map(|_| ())
    }

    /// One rehearsal with every window.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn rehearsal(&self, actor: &Actor, id: RehearsalId) -> Result<RehearsalView> {
        let found = self.rehearsal_for(actor, Action::ReadWorkspace, id).await?;
        let steps = step::list(self.db.pool(), Subject::Rehearsal(id.0)).await.map_err(fault)?;
        let step = steps.first().ok_or_else(missing)?;
        let result: Option<Digest> =
            found.output.as_ref().and_then(|output| serde_json::from_value(output["result"].clone()).ok());
        let rehearsed: Option<Rehearsed> = match result {
            None => None,
            Some(digest) => {
                let content = self.artifacts.get(&digest).await.map_err(fault)?;
                serde_json::from_slice(&content).ok()
            }
        };
        let may_cancel = match actor.may_on(Action::CancelRun, &found.problem) {
            Ok(()) if step.state.is_final() => Permission::refused("it has ended"),
            Ok(()) if step.cancel_requested => Permission::refused("it is being stopped"),
            may => Permission::from_result(may),
        };
        Ok(RehearsalView {
            line: line(&found),
            title: found.title.clone(),
            request: serde_json::from_value(found.request).unwrap_or_default(),
            step: present::step(step),
            rehearsed,
            may_cancel,
        })
    }

    /// Asks a rehearsal to stop; one that waits is cancelled at once, one that computes when it next looks.
    ///
    /// # Errors
    /// 409 when it has ended.
    pub async fn cancel_rehearsal(&self, actor: &Actor, id: RehearsalId) -> Result<()> {
        let found = self.rehearsal_for(actor, Action::CancelRun, id).await?;
        let object = format!("rehearsal/{id}");
        let tx = self.begin_as(actor, Action::CancelRun, Some(&found.problem), &object).await?;
        let subject = Subject::Rehearsal(id.0);
        step::request_cancel(&tx, subject).await.map_err(fault)?;
        // One that had ended is as it was; one that waited is cancelled by now, and so is seen by its end alone.
        let steps = step::list(&tx, subject).await.map_err(fault)?;
        let step = steps.first().ok_or_else(missing)?;
        let was_over = found.state.parse::<StepState>().is_ok_and(StepState::is_final);
        if was_over || (step.state.is_final() && step.state != StepState::Cancelled) {
            return Err(Fault::conflict("rehearsal_ended", format!("rehearsal {id} has ended: {}", step.state)));
        }
        self.note(&tx, actor, Note::new("rehearsal.cancel", object)).await?;
        event::insert(&tx, subject.kind(), id.0, "state", json!({ "cancel": true })).await.map_err(fault)?;
        commit(tx).await
    }

    /// What an earlier rehearsal of the problem was asked, for asking again; as usual where there is none.
    ///
    /// # Errors
    /// 404 when the caller does not see it.
    pub async fn rehearsal_like(&self, actor: &Actor, slug: &str, id: RehearsalId) -> Result<RehearsalRequest> {
        let found = self.rehearsal_for(actor, Action::ReadWorkspace, id).await?;
        if found.problem != slug {
            return Err(missing());
        }
        let request: RehearsalRequest = serde_json::from_value(found.request).unwrap_or_default();
        Ok(RehearsalRequest {
            version: Some(found.number),
            dataset: Some(found.dataset.to_string()),
            dataset_version: Some(found.dataset_number),
            ..request
        })
    }

    async fn rehearsal_for(&self, actor: &Actor, action: Action, id: RehearsalId) -> Result<Rehearsal> {
        let object = format!("rehearsal/{id}");
        self.authorise(actor, action, &object).await?;
        let found = rehearsal::find(self.db.pool(), id).await.map_err(fault)?.ok_or_else(missing)?;
        self.authorise_on(actor, action, &found.problem, &object).await?;
        Ok(found)
    }
}

fn line(found: &Rehearsal) -> RehearsalLine {
    let output = found.output.clone().unwrap_or_default();
    RehearsalLine {
        id: found.id.to_string(),
        slug: found.problem.clone(),
        version: found.number,
        is_other_policy: found.request["policy"].as_str().is_some_and(|policy| !policy.trim().is_empty()),
        data: found.data.clone(),
        dataset: found.dataset.to_string(),
        dataset_version: found.dataset_number,
        state: found.state.clone(),
        metric: output["metric"].as_str().unwrap_or_default().to_owned(),
        courses: serde_json::from_value(output["courses"].clone()).unwrap_or_default(),
        author: found.author.clone(),
        requested_at: found.requested_at,
    }
}

fn missing() -> Fault {
    Fault::not_found("rehearsal")
}
