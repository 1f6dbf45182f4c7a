//! Reproductions: a run is computed once more from its recorded inputs, taking nothing over, and compared.

use millrace_domain::fault::Fault;
use millrace_domain::ids::RunId;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::run::{RunState, StepKind};
use millrace_domain::trainer::FitPlan;
use millrace_domain::view::{Compared, Reproduction};
use millrace_storage::run::{self, NewRun, Run};
use millrace_storage::step::{self, Step, Subject};
use millrace_storage::{dataset, event, problem};
use serde_json::json;

use crate::access::Note;
use crate::run::{missing, stages};
use crate::{Result, Services, commit, fault};

/// Why a run cannot be repeated.
pub(crate) const NOT_REPEATABLE: &str =
    "only a run that trained a model and went before its gates is computed once more, and no repetition of one";

/// Whether a run can be repeated.
pub(crate) const fn is_repeatable(run: &Run) -> bool {
    matches!(run.state, RunState::Succeeded | RunState::Rejected) && run.reproduces.is_none() && run.tracked.is_none()
}

/// What the steps of a repetition compared.
pub(crate) fn compared(steps: &[Step]) -> Vec<Compared> {
    let step = steps.iter().find(|step| step.kind == StepKind::Compare.as_str());
    let compared = step.and_then(|step| serde_json::from_value(step.output.as_ref()?.get("steps")?.clone()).ok());
    compared.unwrap_or_default()
}

impl Services {
    /// Launches a run that computes another one once more: the same problem version, data, request and seed, also where
    /// newer ones are signed off by now.
    ///
    /// # Errors
    /// 409 `not_repeatable` unless it trained a model and ended.
    pub async fn reproduce_run(&self, actor: &Actor, id: RunId) -> Result<RunId> {
        let first = self.run_for(actor, Action::LaunchRun, id).await?;
        let object = format!("run/{id}");
        let tx = self.begin_as(actor, Action::LaunchRun, Some(&first.problem), &object).await?;
        let first = run::find(&tx, id).await.map_err(fault)?.ok_or_else(missing)?;
        if !is_repeatable(&first) {
            drop(tx);
            let details = json!({ "code": "not_repeatable" });
            self.note_refusal(actor, Note::new("run.reproduce", object).details(details)).await?;
            return Err(Fault::conflict("not_repeatable", NOT_REPEATABLE));
        }
        let tables = run::tables(&tx, id).await.map_err(fault)?;
        let version = problem::find_version(&tx, first.problem_version).await.map_err(fault)?;
        let version = version.ok_or_else(|| Fault::not_found("problem version"))?;
        let dataset = dataset::of_run(&tx, &first).await.map_err(fault)?;
        let dataset = dataset.ok_or_else(|| Fault::not_found("dataset version"))?;
        let plan = FitPlan::read(&first.request, &version.document.target)
            .map_err(|mistakes| Fault::invalid("what the run asked for is not understood any more", mistakes))?;
        let stages = stages(&StepKind::OF_REPRODUCTION, &plan, &dataset);
        let mut provenance = first.provenance;
        provenance["lock_digest"] = json!(self.settings.lock_digest);
        provenance["program_version"] = json!(self.settings.version);
        let new = NewRun {
            problem_version: first.problem_version,
            dataset_version: dataset.id,
            tables: tables.into_iter().map(|table| (table.name, table.version)).collect(),
            author: actor.account,
            request: first.request,
            seed: first.seed,
            provenance,
            reproduces: Some(id),
        };
        let again = run::insert(&tx, &new, self.now()).await.map_err(fault)?;
        step::insert_stages(&tx, Subject::Run(again.0), &stages).await.map_err(fault)?;
        let note = Note::new("run.reproduce", object).digest(version.digest).details(json!({ "run": again }));
        self.note(&tx, actor, note).await?;
        event::insert(&tx, "run", again.0, "state", json!({ "state": RunState::Queued })).await.map_err(fault)?;
        event::insert(&tx, "run", id.0, "reproduction", json!({ "run": again })).await.map_err(fault)?;
        commit(tx).await?;
        Ok(again)
    }

    /// The times a run was computed once more, newest first.
    pub(crate) async fn reproductions(&self, id: RunId) -> Result<Vec<Reproduction>> {
        let pool = self.db.pool();
        let mut found = Vec::new();
        for run in run::reproductions(pool, id).await.map_err(fault)? {
            let steps = step::list(pool, Subject::Run(run.id.0)).await.map_err(fault)?;
            let differing = compared(&steps).into_iter().filter(|compared| !compared.is_equal());
            found.push(Reproduction {
                run: run.id.to_string(),
                state: run.state.as_str().to_owned(),
                differing: differing.map(|compared| compared.step).collect(),
                program_version: run.provenance["program_version"].as_str().map(str::to_owned),
                at: run.finished_at.unwrap_or(run.created_at),
            });
        }
        Ok(found)
    }
}
