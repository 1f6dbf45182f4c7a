//! Runs: launched on a signed-off problem version and a valid dataset version.

use bytes::Bytes;
use millrace_domain::Digest;
use millrace_domain::fault::Fault;
use millrace_domain::ids::{AccountId, DatasetId, RunId};
use millrace_domain::metric::TargetKind;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::power::{Z_95, best_of_equals};
use millrace_domain::problem::{Mistake, ProblemDocument, ProblemState, Target};
use millrace_domain::repository::Repository;
use millrace_domain::run::{DatasetRole, RunState, StepKind, StepState};
use millrace_domain::trainer::{EXTERNAL, FitPlan, Programs, Trainer};
use millrace_domain::view::{
    ArtifactView, HeldOutView, LaunchOptions, LaunchProblem, LaunchRequest, LogView, Permission, RunView, SearchedView,
    StepView,
};
use millrace_storage::dataset::{self, DatasetVersion};
use millrace_storage::problem::ProblemVersion;
use millrace_storage::run::{self, NewRun, Run};
use millrace_storage::step::{self, Stage, Subject};
use millrace_storage::{Connection, StorageError, Transaction, artifact, event, problem};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Note;
use crate::dataset::examples;
use crate::reproduce::{NOT_REPEATABLE, compared, is_repeatable};
use crate::runs::{DRAWN_COURSES, DRAWN_POINTS, courses};
use crate::timeline::timeline;
use crate::{Result, Services, commit, fault, present, search_step, searched};

/// Characters of an external trainer's log that a run's page shows.
const SHOWN_LOG: usize = 8_000;

impl Services {
    /// Launches a run and readies its steps.
    ///
    /// # Errors
    /// 409 `problem_not_signed_off` or `no_valid_dataset`; 400 for a trainer that does not fit.
    pub async fn launch_run(&self, actor: &Actor, request: &LaunchRequest) -> Result<RunId> {
        let object = format!("problem/{}", request.problem);
        self.authorise_on(actor, Action::LaunchRun, &request.problem, &object).await?;
        let told = request.provenance.clone().unwrap_or_default();
        let code = Repository::read(&told).map_err(|reason| Fault::field("/provenance", reason))?;
        let outcome = self.try_launch(actor, request, &code).await;
        if let Err(refused) = &outcome
            && refused.status == 409
        {
            let details = json!({ "code": refused.code });
            self.note_refusal(actor, Note::new("run.launch", object).details(details)).await?;
        }
        outcome
    }

    async fn try_launch(&self, actor: &Actor, request: &LaunchRequest, code: &Repository) -> Result<RunId> {
        let diff = match code.diff.as_deref().filter(|diff| !diff.is_empty()) {
            Some(diff) => Some(self.artifacts.put(Bytes::copy_from_slice(diff.as_bytes())).await.map_err(fault)?),
            None => None,
        };
        let object = format!("problem/{}", request.problem);
        let tx = self.begin_as(actor, Action::LaunchRun, Some(&request.problem), &object).await?;
        let version = self.signed_for_runs(&tx, &request.problem).await?;
        let dataset = self
            .dataset_for(&tx, &request.problem, request.dataset.as_deref(), request.version, &version.document)
            .await?;
        let tables = tables_for(&tx, &version).await?;
        let asked = checked(request, &version, &self.settings.trainers.programs)?;
        let asked_for = asked.request.clone();
        let queued = Queued { version: &version, dataset: &dataset, tables: &tables, code, diff };
        let run = self.queue(&tx, &queued, asked, actor.account).await?;
        if let Some(digest) = &diff {
            let bytes = code.diff.as_ref().map_or(0, |diff| diff.len() as u64);
            artifact::register(&tx, digest, bytes, "text/x-diff", self.now()).await.map_err(fault)?;
            run::set_artifact(&tx, run, "code.diff", digest).await.map_err(fault)?;
        }
        let details = json!({ "problem": request.problem, "version": version.number,
            "dataset": dataset.dataset, "dataset_version": dataset.number, "request": asked_for });
        let note = Note::new("run.launch", format!("run/{run}")).digest(version.digest).details(details);
        self.note(&tx, actor, note).await?;
        commit(tx).await?;
        Ok(run)
    }

    /// The document that runs are launched by, with the problem locked.
    pub(crate) async fn signed_for_runs(&self, tx: &Transaction, slug: &str) -> Result<ProblemVersion> {
        let id = problem::find_id(tx, slug).await.map_err(fault)?.ok_or_else(|| Fault::not_found("problem"))?;
        problem::lock(tx, id).await.map_err(fault)?;
        let version = problem::approved(tx, slug).await.map_err(fault)?.ok_or_else(|| {
            let detail = format!("no version of {slug} is signed off; submit one and have somebody else approve it");
            Fault::conflict("problem_not_signed_off", detail)
        })?;
        self.is_in_force(&version)?;
        Ok(version)
    }

    /// A sign-off may run out.
    fn is_in_force(&self, version: &ProblemVersion) -> Result<()> {
        let Some(ended) = version.sign_off_ends_at.filter(|end| *end <= self.now()) else { return Ok(()) };
        let (slug, number, day) = (&version.slug, version.number, ended.format("%Y-%m-%d"));
        let detail = format!("the sign-off of {slug} version {number} ran out on {day}; it has to be approved again");
        Err(Fault::conflict("sign_off_ran_out", detail))
    }

    /// Writes a run and its steps, the first of them ready.
    pub(crate) async fn queue(
        &self,
        tx: &millrace_storage::Transaction,
        queued: &Queued<'_>,
        asked: Asked,
        author: AccountId,
    ) -> Result<RunId> {
        let Queued { version, dataset, tables, code, diff } = *queued;
        let new = NewRun {
            problem_version: version.id,
            dataset_version: dataset.id,
            tables: tables.iter().map(|table| (table.name.clone(), table.id)).collect(),
            author,
            provenance: self.provenance(version, dataset, tables, code, diff, asked.seed),
            request: asked.request,
            seed: asked.seed,
            reproduces: None,
        };
        let run = run::insert(tx, &new, self.now()).await.map_err(fault)?;
        let stages = stages(&StepKind::OF_RUN, &asked.plan, dataset);
        step::insert_stages(tx, Subject::Run(run.0), &stages).await.map_err(fault)?;
        event::insert(tx, "run", run.0, "state", json!({ "state": RunState::Queued })).await.map_err(fault)?;
        Ok(run)
    }

    /// The valid dataset version of a problem that is asked for, the newest when none is.
    pub(crate) async fn dataset_for(
        &self,
        tx: &millrace_storage::Transaction,
        slug: &str,
        dataset: Option<&str>,
        number: Option<i32>,
        document: &ProblemDocument,
    ) -> Result<DatasetVersion> {
        let valid = examples(tx, slug, document).await?;
        let wanted: Option<DatasetId> = match dataset {
            None => None,
            Some(id) => Some(id.parse().map_err(|error| Fault::field("/dataset", format!("{error}")))?),
        };
        let fits = |version: &&DatasetVersion| {
            wanted.is_none_or(|id| version.dataset == id) && number.is_none_or(|number| version.number == number)
        };
        valid.iter().find(fits).cloned().ok_or_else(|| {
            Fault::conflict(
                "no_valid_dataset",
                format!("no such valid dataset version of {slug}; upload data, or wait until it is checked"),
            )
        })
    }

    fn provenance(
        &self,
        version: &ProblemVersion,
        dataset: &DatasetVersion,
        tables: &[DatasetVersion],
        code: &Repository,
        diff: Option<Digest>,
        seed: i64,
    ) -> Value {
        let mut provenance = json!({
            "git_sha": code.git_sha,
            "branch": code.branch,
            "dirty": code.dirty,
            "diff_digest": diff,
            "problem_digest": version.digest,
            "dataset_digest": dataset.digest,
            "feature_digest": version.document.feature_digest(),
            "lock_digest": self.settings.lock_digest,
            "program_version": self.settings.version,
            "seed": seed,
        });
        if !tables.is_empty() {
            let digests = tables.iter().map(|table| (table.name.clone(), json!(table.digest)));
            provenance["table_digests"] = Value::Object(digests.collect());
        }
        provenance
    }

    /// The run, if the caller may do that to it; what they do not see is as good as not there.
    pub(crate) async fn run_for(&self, actor: &Actor, action: Action, id: RunId) -> Result<Run> {
        let object = format!("run/{id}");
        self.authorise(actor, action, &object).await?;
        let found = run::find(self.db.pool(), id).await.map_err(fault)?.ok_or_else(missing)?;
        self.authorise_on(actor, action, &found.problem, &object).await?;
        Ok(found)
    }

    /// Whether the caller may follow what happens to a run.
    ///
    /// # Errors
    /// 404 when there is none, or none for them.
    pub async fn follow_run(&self, actor: &Actor, id: RunId) -> Result<()> {
        self.run_for(actor, Action::ReadWorkspace, id).await.map(|_| ())
    }

    /// One run with everything known of it.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn run(&self, actor: &Actor, id: RunId) -> Result<RunView> {
        let pool = self.db.pool();
        let found = self.run_for(actor, Action::ReadWorkspace, id).await?;
        let dataset = dataset::of_run(pool, &found).await.map_err(fault)?;
        let steps = match &dataset {
            Some(dataset) => step::list(pool, Subject::Dataset(dataset.id.0)).await.map_err(fault)?,
            None => Vec::new(),
        };
        let own = step::list(pool, Subject::Run(id.0)).await.map_err(fault)?;
        let judged = own.iter().find(|step| step.kind == StepKind::Gate.as_str()).and_then(|step| step.output.as_ref());
        let gates = judged.and_then(|judged| Deserialize::deserialize(judged.get("gates")?).ok()).unwrap_or_default();
        let gates = present::gates(gates, &found.problem, id);
        let effects = judged.and_then(|judged| Deserialize::deserialize(judged.get("effects")?).ok());
        let compared = compared(&own);
        let is_running = own.iter().any(|step| step.state == StepState::Running);
        let trials = run::trials(pool, id).await.map_err(fault)?;
        let (searched, forecast) = match trials.is_empty() {
            true => (Vec::new(), Vec::new()),
            false => self.searched(&found, &trials).await?,
        };
        let loads = steps.iter().map(|step| StepView { reused: true, ..present::step(step) });
        let shown = search_step::steps(&own, &trials, found.metric.parse().ok(), self.now());
        let attempts = step::attempts(pool, Subject::Run(id.0), StepKind::Trial.as_str()).await.map_err(fault)?;
        let timeline = timeline(found.created_at, &own, &shown, &attempts, self.now());
        let steps = loads.chain(shown).collect();
        let artifacts = run::artifacts(pool, id).await.map_err(fault)?;
        let evaluation = match artifacts.iter().find(|artifact| artifact.name == "evaluation") {
            None => None,
            Some(artifact) => {
                let content = self.artifacts.get(&artifact.digest).await.map_err(fault)?;
                serde_json::from_slice(&content).ok()
            }
        };
        let metrics = run::metrics(pool, id).await.map_err(fault)?;
        let reproductions = self.reproductions(id).await?;
        let held_out = match (found.interval, found.dataset_version) {
            (Some((low, high)), Some(_)) => {
                let looks = run::looks_at_test_part(pool, id).await.map_err(fault)?;
                Some(HeldOutView { looks, luck: best_of_equals(looks) * (high - low) / (2.0 * Z_95) })
            }
            _ => None,
        };
        let log = match artifacts.iter().find(|artifact| artifact.name == "log") {
            None => None,
            Some(artifact) => Some(end_of(&self.artifacts.get(&artifact.digest).await.map_err(fault)?)),
        };
        let courses = match found.tracked {
            Some(_) => courses(run::courses(pool, id, DRAWN_COURSES, DRAWN_POINTS).await.map_err(fault)?),
            None => Vec::new(),
        };
        let may = |action: Action, open: bool, reason: &str| match actor.may_on(action, &found.problem) {
            Err(refused) => Permission::refused(refused.to_string()),
            Ok(()) if !open => Permission::refused(reason),
            Ok(()) => Permission::granted(),
        };
        Ok(RunView {
            summary: present::run(&found),
            dataset: dataset.map(|dataset| present::dataset(&dataset, self.now())),
            may_cancel: may(Action::CancelRun, !found.state.is_final(), "the run has ended"),
            tags: found.tracked.as_ref().map(|tracked| tags(&tracked.tags)).unwrap_or_default(),
            courses,
            log,
            may_retry: match is_tried_again(&found) && is_running {
                true => may(Action::LaunchRun, false, STILL_STOPPING),
                false => may(Action::LaunchRun, is_tried_again(&found), NOT_TRIED_AGAIN),
            },
            may_reproduce: may(Action::LaunchRun, is_repeatable(&found), NOT_REPEATABLE),
            may_override: Self::may_override(actor, &found),
            compared,
            reproductions,
            request: found.request,
            parameters: found.parameters,
            provenance: found.provenance,
            failure: found.failure.as_ref().map(present::failure),
            steps,
            timeline,
            metrics: metrics.iter().map(present::metric).collect(),
            gates,
            effects,
            trials: trials.into_iter().map(present::trial).collect(),
            searched,
            forecast,
            held_out,
            artifacts: artifacts.into_iter().map(present::artifact).collect(),
            evaluation,
        })
    }

    /// What the steps of a run told, all or those of one kind, oldest first; of more than `most` lines the newest.
    ///
    /// # Errors
    /// 404 when there is no such run, or it was tracked from elsewhere and has no steps; 400 for a step that it does not have.
    pub async fn run_log(&self, actor: &Actor, id: RunId, kind: Option<&str>, most: u32) -> Result<LogView> {
        if self.run_for(actor, Action::ReadWorkspace, id).await?.tracked.is_some() {
            return Err(Fault::not_found("log of a run that was tracked from elsewhere"));
        }
        let steps = step::kinds(self.db.pool(), Subject::Run(id.0)).await.map_err(fault)?;
        let kind = kind.filter(|kind| !kind.is_empty());
        if let Some(kind) = kind.filter(|kind| !steps.iter().any(|step| step == kind)) {
            let message = format!("{kind:?} is no step of this run; it has {}", steps.join(", "));
            return Err(Fault::field("/step", message));
        }
        let lines = step::log(self.db.pool(), Subject::Run(id.0), kind, most).await.map_err(fault)?;
        Ok(LogView { lines: lines.into_iter().map(present::log_line).collect(), steps })
    }

    /// What a run kept, by name: its digest, media type and content.
    ///
    /// # Errors
    /// 404 when the run is not there or kept nothing of that name.
    pub async fn run_artifact(&self, actor: &Actor, id: RunId, name: &str) -> Result<(ArtifactView, Bytes)> {
        self.run_for(actor, Action::ReadWorkspace, id).await?;
        let kept = run::artifacts(self.db.pool(), id).await.map_err(fault)?;
        let artifact = kept.into_iter().find(|kept| kept.name == name);
        let artifact = artifact.ok_or_else(|| Fault::not_found("artifact of this run"))?;
        let content = self.artifacts.get(&artifact.digest).await.map_err(fault)?;
        Ok((present::artifact(artifact), content))
    }

    /// What a run's search drew, and what more trials would gain; nothing of one that an earlier version asked for in words that are no
    /// longer read.
    async fn searched(&self, run: &Run, trials: &[run::Trial]) -> Result<(Vec<SearchedView>, Vec<(u32, f64)>)> {
        let version = problem::find_version(self.db.pool(), run.problem_version).await.map_err(fault)?;
        let document = version.ok_or_else(missing)?.document;
        let plan = FitPlan::read(&run.request, &document.target).ok();
        let metric = document.success.metric;
        Ok(plan.map_or_else(Default::default, |plan| {
            (searched::searched(&plan, trials, metric), searched::forecast(&plan, trials, metric))
        }))
    }

    /// What the caller could launch now.
    ///
    /// # Errors
    /// For callers without a role.
    pub async fn launch_options(&self, actor: &Actor) -> Result<LaunchOptions> {
        self.authorise(actor, Action::ReadWorkspace, "run").await?;
        let pool = self.db.pool();
        let mut problems = Vec::new();
        for newest in problem::list_newest(pool).await.map_err(fault)? {
            let approved = match newest.state {
                ProblemState::Approved => Some(newest),
                _ => problem::approved(pool, &newest.slug).await.map_err(fault)?,
            };
            let Some(approved) = approved.filter(|approved| actor.may_on(Action::LaunchRun, &approved.slug).is_ok())
            else {
                continue;
            };
            let datasets = examples(pool, &approved.slug, &approved.document).await?;
            let tables = match tables_for(pool, &approved).await {
                Err(failed) if failed.status >= 500 => return Err(failed),
                tables => tables.map(|_| ()),
            };
            let obstacles = [self.is_in_force(&approved), tables].into_iter().filter_map(Result::err);
            let obstacles = obstacles.map(|refused| refused.detail).collect();
            let kind = approved.document.target.kind;
            problems.push(LaunchProblem {
                slug: approved.slug,
                version: approved.number,
                features: approved.document.features.len(),
                title: approved.document.title,
                kind: kind.as_str().to_owned(),
                trainers: self.trainers_of(&approved.document.target),
                quantile: approved.document.target.quantile,
                has_validation: approved.document.data.split.validation() > 0.0,
                obstacles,
                datasets: datasets.iter().map(|version| present::dataset(version, self.now())).collect(),
            });
        }
        Ok(LaunchOptions { problems, may_launch: Permission::from_result(actor.may(Action::LaunchRun)) })
    }

    /// What may be asked for as a trainer: our own, then the external ones.
    fn trainers_of(&self, target: &Target) -> Vec<String> {
        let own = Trainer::of(target).map(|trainer| trainer.as_str().to_owned());
        let external = self.settings.trainers.programs.of(target.kind).map(|name| format!("{EXTERNAL}{name}"));
        own.chain(external).collect()
    }

    /// Asks a run to stop; what waits is cancelled at once, what computes when it next looks.
    ///
    /// # Errors
    /// 409 when it has ended.
    pub async fn cancel_run(&self, actor: &Actor, id: RunId) -> Result<()> {
        let run = self.run_for(actor, Action::CancelRun, id).await?;
        let tx = self.begin_as(actor, Action::CancelRun, Some(&run.problem), &format!("run/{id}")).await?;
        let found = run::find(&tx, id).await.map_err(fault)?.ok_or_else(missing)?;
        if found.state.is_final() {
            return Err(Fault::conflict("run_ended", format!("run {id} has ended: {}", found.state)));
        }
        let running = step::request_cancel(&tx, Subject::Run(id.0)).await.map_err(fault)?;
        if running == 0 {
            let reason =
                step::Failure { code: "cancelled".to_owned(), message: format!("cancelled by {}", actor.name) };
            run::finish(&tx, id, RunState::Cancelled, Some(&reason)).await.map_err(fault)?;
        }
        self.note(&tx, actor, Note::new("run.cancel", format!("run/{id}"))).await?;
        event::insert(&tx, "run", id.0, "state", json!({ "cancel": true })).await.map_err(fault)?;
        commit(tx).await
    }

    /// Tries a failed or cancelled run again from the step that did not succeed.
    ///
    /// # Errors
    /// 409 unless it failed or was cancelled.
    pub async fn retry_run(&self, actor: &Actor, id: RunId) -> Result<()> {
        let run = self.run_for(actor, Action::LaunchRun, id).await?;
        let tx = self.begin_as(actor, Action::LaunchRun, Some(&run.problem), &format!("run/{id}")).await?;
        let found = run::find(&tx, id).await.map_err(fault)?.ok_or_else(missing)?;
        let refused = || Fault::conflict("not_failed", NOT_TRIED_AGAIN);
        if !is_tried_again(&found) {
            return Err(refused());
        }
        run::reopen(&tx, id, actor.account).await.map_err(|_| refused())?;
        step::retry(&tx, Subject::Run(id.0)).await.map_err(|error| match error {
            StorageError::Conflict(_) => Fault::conflict("still_stopping", STILL_STOPPING),
            error => fault(error),
        })?;
        self.note(&tx, actor, Note::new("run.retry", format!("run/{id}"))).await?;
        event::insert(&tx, "run", id.0, "state", json!({ "state": RunState::Running })).await.map_err(fault)?;
        commit(tx).await
    }
}

/// What a run is made of.
#[derive(Clone, Copy)]
pub(crate) struct Queued<'a> {
    pub version: &'a ProblemVersion,
    pub dataset: &'a DatasetVersion,
    pub tables: &'a [DatasetVersion],
    pub code: &'a Repository,
    pub diff: Option<Digest>,
}

/// The newest valid version of each table that the document's joins read.
pub(crate) async fn tables_for(tx: &impl Connection, version: &ProblemVersion) -> Result<Vec<DatasetVersion>> {
    let document = &version.document;
    if document.tables.is_empty() {
        return Ok(Vec::new());
    }
    let valid = dataset::list_valid(tx, &version.slug, DatasetRole::Table).await.map_err(fault)?;
    let mut tables = Vec::new();
    for name in document.joined_tables() {
        let newest = valid.iter().find(|version| version.name == name).ok_or_else(|| {
            Fault::conflict(
                "no_valid_table",
                format!(
                    "rows are joined to the table {name:?}, of which no version is valid; upload a dataset of that name"
                ),
            )
        })?;
        tables.push(newest.clone());
    }
    Ok(tables)
}

/// Why a run cannot be tried again.
const NOT_TRIED_AGAIN: &str =
    "only a run that failed or was cancelled is tried again, and no repetition that was compared";

/// Why a run cannot be tried again yet.
const STILL_STOPPING: &str = "a step of it is still being stopped; try again in a few seconds";

/// Whether a run can be tried again: a repetition that made something else would only be compared once more.
fn is_tried_again(run: &Run) -> bool {
    if run.tracked.is_some() {
        return false;
    }
    let is_compared = run.failure.as_ref().is_some_and(|failure| failure.code == "not_reproduced");
    matches!(run.state, RunState::Failed | RunState::Cancelled) && !is_compared
}

fn tags(tags: &Value) -> Vec<(String, String)> {
    let all = tags.as_object().into_iter().flatten();
    all.map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))).collect()
}

/// What a run is asked to fit, read and as it was asked.
pub(crate) struct Asked {
    pub plan: FitPlan,
    pub request: Value,
    pub seed: i64,
}

/// Checks what is asked and fills in what is left out.
fn checked(request: &LaunchRequest, version: &ProblemVersion, programs: &Programs) -> Result<Asked> {
    let mut asked = request.fit();
    let mut mistakes = Vec::new();
    let target = &version.document.target;
    let mut plan = FitPlan::read(&asked, target).map_err(|found| mistakes.extend(found)).ok();
    if let Some(read) = plan.as_mut().filter(|plan| plan.space.branches()[0].base().program().is_some()) {
        // Kept with the run, so that a changed declaration does not change what is done.
        let complete = declared(&asked, read, target.kind, programs).and_then(|complete| {
            asked = complete;
            FitPlan::read(&asked, target)
        });
        match complete {
            Ok(complete) => *read = complete,
            Err(found) => mistakes.extend(found),
        }
    }
    if let Some(plan) = plan.as_ref().filter(|_| version.document.data.split.validation() == 0.0) {
        mistakes.extend(plan.lacks_validation());
    }
    let plan = plan.filter(|_| mistakes.is_empty());
    let seed = i64::try_from(request.seed.unwrap_or(0)).ok();
    if seed.is_none() {
        let message = "must be below 9223372036854775808".to_owned();
        mistakes.push(Mistake { pointer: "/seed".to_owned(), message });
    }
    match (plan, seed) {
        (Some(plan), Some(seed)) => Ok(Asked { plan, request: asked, seed }),
        _ => Err(all_at_once(mistakes)),
    }
}

/// The refusal that tells all mistakes of a request.
pub(crate) fn all_at_once(mistakes: Vec<Mistake>) -> Fault {
    let told = |mistake: &Mistake| format!("{} {}", mistake.pointer.trim_start_matches('/'), mistake.message);
    let detail: Vec<String> = mistakes.iter().map(told).collect();
    Fault::invalid(detail.join("; "), mistakes)
}

/// The end of a log, from the beginning of a line.
fn end_of(log: &[u8]) -> String {
    let text = String::from_utf8_lossy(log);
    let Some((from, _)) = text.char_indices().rev().nth(SHOWN_LOG) else { return text.into_owned() };
    let from = text[from..].find('\n').map_or(from, |line| from + line + 1);
    text[from..].to_owned()
}

/// What is asked of an external trainer, with every hyperparameter and all that its search draws: this server must know it, and it must
/// be for the target.
fn declared(
    asked: &Value,
    plan: &FitPlan,
    kind: TargetKind,
    programs: &Programs,
) -> std::result::Result<Value, Vec<Mistake>> {
    let config = plan.space.branches()[0].base();
    let Some(name) = config.program() else { return Ok(asked.clone()) };
    let mistake = |pointer: &str, message: String| vec![Mistake { pointer: pointer.to_owned(), message }];
    let program = programs.find(name).map_err(|message| mistake("/trainer", message))?;
    if !program.fits(kind) {
        return Err(mistake("/trainer", format!("{name} is not declared for a {} target", kind.as_str())));
    }
    let under = |pointer: &'static str| {
        move |own: Vec<Mistake>| -> Vec<Mistake> {
            own.into_iter().map(|own| Mistake { pointer: format!("{pointer}{}", own.pointer), ..own }).collect()
        }
    };
    let mut complete = asked.clone();
    complete["parameters"] = json!(program.settings(config.settings()).map_err(under("/parameters"))?);
    let axes = program.axes(&asked["search"]).map_err(under("/search"))?;
    if plan.trials > 0 {
        if axes.is_empty() {
            return Err(mistake("/budget", format!("must be 0: {name} declares no hyperparameter to search")));
        }
        complete["search"] = axes.iter().map(|(name, axis)| (name.clone(), axis.asked())).collect();
    }
    Ok(complete)
}

/// The steps of a run: one each, and the trials of a search before one is chosen.
pub(crate) fn stages(kinds: &[StepKind], plan: &FitPlan, dataset: &DatasetVersion) -> Vec<Stage<'static>> {
    let waits = plan.waits(dataset.rows.map_or(0, i64::unsigned_abs));
    let trials = (!waits.is_empty()).then(|| Stage { kind: StepKind::Trial.as_str(), waits });
    let mut stages: Vec<Stage<'_>> = kinds.iter().map(|kind| Stage::one(kind.as_str())).collect();
    if let (Some(trials), Some(tune)) = (trials, kinds.iter().position(|kind| *kind == StepKind::Tune)) {
        stages.insert(tune, trials);
    }
    stages
}

pub(crate) fn missing() -> Fault {
    Fault::not_found("run")
}
