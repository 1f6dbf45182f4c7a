//! Trainings that start by themselves: reasons are written into a ledger, and what stands open there starts one run.
//!
//! A run that was started so repeats the live version's settings on the newest data, under the name of who launched the live version's
//! run: neither they nor anybody else who would not have been let approve that one approves this one.

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::audit::Outcome;
use millrace_domain::fault::Fault;
use millrace_domain::ids::{AccountId, DatasetVersionId, RunId};
use millrace_domain::monitor::incident::{Cause, InARow, Seen, State};
use millrace_domain::policy::{Action, Actor, Origin};
use millrace_domain::problem::{ProblemDocument, Retraining, Span};
use millrace_domain::repository::Repository;
use millrace_domain::retraining::{Decision, Reason, Standing, decide};
use millrace_domain::run::{ModelStage, RunState};
use millrace_domain::schedule::Schedule;
use millrace_domain::trainer::FitPlan;
use millrace_domain::view::{Permission, TriggerEventView, TriggersView};
use millrace_storage::dataset::DatasetVersion;
use millrace_storage::model::ModelVersion;
use millrace_storage::problem::ProblemVersion;
use millrace_storage::retraining::{self, TriggerEvent};
use millrace_storage::run::Run;
use millrace_storage::{
    Connection, StorageError, Transaction, audit, dataset, deployment, incident, model, problem, run,
};
use serde_json::json;

use crate::access::Note;
use crate::dataset::examples;
use crate::deployment::checked_reason;
use crate::incident::Look;
use crate::run::{Asked, Queued, tables_for};
use crate::{Result, Services, commit, fault};

/// Events that are shown.
const SHOWN: u32 = 50;
/// Trainings that are looked back at for what came to nothing, and for how many there were.
const LOOKED_BACK: u32 = 1_000;
/// Days that the number of trainings is limited within.
const MONTH: TimeDelta = TimeDelta::days(30);

/// What a training would be made of, and what was made before.
pub(crate) struct Ground {
    pub(crate) signed: ProblemVersion,
    pub(crate) champion: ModelVersion,
    /// The run of the live version.
    pub(crate) run: Run,
    /// What that was trained on.
    pub(crate) trained_on: Option<DatasetVersion>,
    /// The newest data.
    pub(crate) newest: Option<DatasetVersion>,
    /// What was started by itself, newest first.
    trainings: Vec<TriggerEvent>,
    /// Which version that was trained by itself waits for people, and for what.
    waiting: Option<String>,
    /// When a run was last started so.
    last: Option<DateTime<Utc>>,
}

impl Ground {
    /// Rows that are new since the live version, or a training after it, was fitted.
    fn new_rows(&self) -> u64 {
        let rows =
            |version: &Option<DatasetVersion>| version.as_ref().and_then(|one| one.rows).map_or(0, i64::unsigned_abs);
        rows(&self.newest).saturating_sub(rows(&self.trained_on))
    }

    /// Whether there is data that the live version was not trained on.
    fn has_newer_data(&self) -> bool {
        let id = |version: &Option<DatasetVersion>| version.as_ref().map(|one| one.id);
        self.newest.is_some() && id(&self.newest) != id(&self.trained_on)
    }

    /// Since when outcomes are new.
    fn since(&self) -> DateTime<Utc> {
        self.last.map_or(self.run.created_at, |last| last.max(self.run.created_at))
    }

    /// Trainings in a row, the newest ones, that came to no better model; what was forgiven does not count.
    fn useless(&self, forgiven_at: Option<DateTime<Utc>>) -> u32 {
        let came_to_nothing = |event: &&TriggerEvent| match (event.run_state, event.model) {
            (Some(RunState::Rejected | RunState::Failed), _) => true,
            (_, Some((_, stage))) => stage == ModelStage::RolledBack,
            _ => false,
        };
        let counts = |event: &&TriggerEvent| forgiven_at.is_none_or(|forgiven| event.launched_at > Some(forgiven));
        let is_over = |event: &&TriggerEvent| event.run_state.is_some_and(RunState::is_final);
        let in_a_row = self.trainings.iter().filter(is_over).take_while(counts).take_while(came_to_nothing).count();
        u32::try_from(in_a_row).unwrap_or(u32::MAX)
    }
}

impl Services {
    /// Looks at every problem with a retraining policy: writes down what came up, and starts what may start. Gives the problems where
    /// that could not be done, with why.
    ///
    /// # Errors
    /// When the deployments cannot be listed.
    pub async fn look_at_retraining(&self) -> Result<Vec<(String, Fault)>> {
        let mut failed = Vec::new();
        for slug in problem::retrained(self.db.pool()).await.map_err(fault)? {
            if let Err(error) = self.look_at_retraining_of(&slug).await {
                failed.push((slug, error));
            }
        }
        Ok(failed)
    }

    async fn look_at_retraining_of(&self, slug: &str) -> Result<()> {
        let signed = problem::approved(self.db.pool(), slug).await.map_err(fault)?;
        let Some((signed, policy)) = signed.and_then(|signed| {
            let policy = signed.document.retraining.clone()?;
            Some((signed, policy))
        }) else {
            return Ok(());
        };
        // What keeps one version from going on keeps nothing else from being looked at.
        if let Err(error) = self.let_retrained_go_on(&signed, &policy).await {
            tracing::warn!(
                slug,
                code = error.code,
                detail = error.detail,
                "a version that was trained by itself does not go on"
            );
        }
        // While nothing is live there is nothing to train anew.
        let live = deployment::find(self.db.pool(), slug).await.map_err(fault)?;
        if live.is_none_or(|live| live.champion.is_none()) {
            return Ok(());
        }
        self.write_reasons_down(&signed, &policy).await?;
        if retraining::open_events(self.db.pool(), signed.problem).await.map_err(fault)?.is_empty() {
            return Ok(());
        }
        self.failpoint.reach("retraining:written");
        self.start_if_due(&signed, &policy).await
    }

    /// Writes everything down that came up since the last look, each once.
    async fn write_reasons_down(&self, signed: &ProblemVersion, policy: &Retraining) -> Result<()> {
        let (pool, id, now) = (self.db.pool(), signed.problem, self.now());
        let standing = retraining::standing(pool, id).await.map_err(fault)?;
        // What was scheduled before the schedule was signed is not due.
        let looked = standing.looked_until.unwrap_or(now).max(signed.approved_at.unwrap_or_default());
        let due = match (&policy.cron, standing.paused.is_some()) {
            (Some(cron), false) => {
                Schedule::read(cron, &policy.timezone).ok().and_then(|schedule| schedule.last_between(looked, now))
            }
            _ => None,
        };
        if due.is_some() || standing.looked_until.is_none() {
            let tx = self.begin().await?;
            problem::lock(&tx, id).await.map_err(fault)?;
            if let Some((at, times)) = due {
                let missed = match times {
                    0 | 1 => String::new(),
                    2 => ", and a time before it that was missed".to_owned(),
                    times => format!(", and {} times before it that were missed", times - 1),
                };
                let detail = format!("{}{missed}", at.format("%Y-%m-%d %H:%M UTC"));
                let key = at.to_rfc3339();
                // One that waits stands for those that come while it does.
                let open = retraining::open_events(&tx, id).await.map_err(fault)?;
                if open.iter().all(|event| event.reason != Reason::Schedule) {
                    retraining::insert_event(&tx, id, Reason::Schedule, &key, &detail, None, now)
                        .await
                        .map_err(fault)?;
                }
            }
            retraining::set_looked(&tx, id, now).await.map_err(fault)?;
            commit(tx).await?;
        }
        let Some(ground) = self.ground(pool, signed).await? else { return Ok(()) };
        for (reason, key, detail) in self.reasons(&ground, policy).await? {
            retraining::insert_event(pool, id, reason, &key, &detail, None, now).await.map_err(fault)?;
        }
        for (cause, reason) in Cause::TRAINING {
            if !policy.reasons().contains(&reason) {
                continue;
            }
            let newest = incident::newest(pool, id, cause).await.map_err(fault)?;
            let Some(firing) = newest.filter(|newest| newest.incident.state == State::Firing) else {
                let open = retraining::open_events(pool, id).await.map_err(fault)?;
                if open.iter().any(|event| event.reason == reason) {
                    // What is over by itself needs no training any more.
                    let why = "the alert was over before a training could start";
                    retraining::drop_open(pool, id, reason, why).await.map_err(fault)?;
                }
                continue;
            };
            let fired = firing.incident.fired_at.unwrap_or(firing.opened_at);
            let mut key = format!("{} {}", firing.id, fired.to_rfc3339());
            let mut detail = format!("alert {}: {}", firing.id, firing.title);
            if let Some(training) = ground.trainings.iter().find(|training| training.launched_at >= Some(fired)) {
                // What it was started on is not new, whatever became of it.
                let started_on = match training.run {
                    Some(run) => run::find(pool, run).await.map_err(fault)?.and_then(|run| run.dataset_version),
                    None => None,
                };
                let is_new = |newest: &&DatasetVersion| ground.has_newer_data() && Some(newest.id) != started_on;
                let Some(newest) = ground.newest.as_ref().filter(is_new) else { continue };
                key = format!("{key} {}", newest.id);
                detail = format!("{detail}; it goes on, and {} version {} is new", newest.name, newest.number);
            }
            retraining::insert_event(pool, id, reason, &key, &detail, None, now).await.map_err(fault)?;
        }
        Ok(())
    }

    /// What has come up that follows from data and outcomes, with its key.
    async fn reasons(&self, ground: &Ground, policy: &Retraining) -> Result<Vec<(Reason, String, String)>> {
        let mut found = Vec::new();
        if let (Some(wanted), Some(newest)) = (policy.new_rows, &ground.newest)
            && ground.has_newer_data()
            && ground.new_rows() >= wanted
        {
            let detail = format!("{} new rows in {} version {}", ground.new_rows(), newest.name, newest.number);
            found.push((Reason::NewRows, newest.id.to_string(), detail));
        }
        if let Some(wanted) = policy.new_labels {
            let since = ground.since();
            let known =
                retraining::outcomes_since(self.db.pool(), ground.signed.problem, since).await.map_err(fault)?;
            if known.unsigned_abs() >= wanted {
                let detail = format!("{known} outcomes since {}", since.format("%Y-%m-%d %H:%M UTC"));
                found.push((Reason::NewLabels, since.to_rfc3339(), detail));
            }
        }
        Ok(found)
    }

    pub(crate) async fn ground(&self, db: &impl Connection, signed: &ProblemVersion) -> Result<Option<Ground>> {
        let live = deployment::find(db, &signed.slug).await.map_err(fault)?.and_then(|live| live.champion);
        let Some(champion) = live else { return Ok(None) };
        let Some(champion) = model::find(db, champion).await.map_err(fault)? else { return Ok(None) };
        let Some(run) = run::find(db, champion.run).await.map_err(fault)? else { return Ok(None) };
        let trainings = retraining::trainings(db, signed.problem, LOOKED_BACK).await.map_err(fault)?;
        let last = trainings.first().and_then(|training| training.launched_at);
        // What a training after the live one was fitted on is not new any more, whatever its gates said; one that failed or was
        // cancelled was fitted on nothing.
        let has_fitted =
            |training: &&TriggerEvent| !matches!(training.run_state, Some(RunState::Failed | RunState::Cancelled));
        let newer = trainings.iter().filter(has_fitted).find(|training| training.launched_at > Some(run.created_at));
        let newest_run = newer.and_then(|training| training.run);
        let trained_last: Option<DatasetVersionId> = match newest_run {
            Some(id) => run::find(db, id).await.map_err(fault)?.and_then(|run| run.dataset_version),
            None => run.dataset_version,
        };
        let trained_on = match trained_last {
            Some(id) => dataset::find_version(db, id).await.map_err(fault)?,
            None => None,
        };
        let waiting = self.retrained_waiting(db, &champion, &trainings).await?;
        let valid = examples(db, &signed.slug, &signed.document).await?;
        let own = trained_on.as_ref().map(|version| version.dataset);
        let newest = valid.into_iter().find(|version| own.is_none_or(|own| version.dataset == own));
        Ok(Some(Ground { signed: signed.clone(), champion, run, trained_on, newest, trainings, waiting, last }))
    }

    /// The newest version after the live one that was trained by itself and about which people have not decided yet.
    async fn retrained_waiting(
        &self,
        db: &impl Connection,
        champion: &ModelVersion,
        trainings: &[TriggerEvent],
    ) -> Result<Option<String>> {
        for (number, stage) in trainings.iter().filter_map(|training| training.model) {
            let what = match stage {
                ModelStage::Registered => "waits for approval",
                ModelStage::Approved => "is approved and has not set out",
                _ => continue,
            };
            if number < champion.number {
                continue;
            }
            let version = model::find_numbered(db, &champion.slug, number).await.map_err(fault)?;
            let Some(version) = version.filter(|version| version.archived_at.is_none()) else { continue };
            if !self.is_objected_to(db, &version).await? {
                return Ok(Some(format!("version {number}, which was trained by itself, {what}")));
            }
        }
        Ok(None)
    }

    /// What is done about what stands open.
    async fn retraining_decided(&self, db: &impl Connection, ground: &Ground, policy: &Retraining) -> Result<Decision> {
        let (id, now) = (ground.signed.problem, self.now());
        let open = retraining::open_events(db, id).await.map_err(fault)?;
        let open: Vec<Reason> = open.iter().map(|event| event.reason).collect();
        let state = retraining::standing(db, id).await.map_err(fault)?;
        let under_way = match retraining::run_under_way(db, id).await.map_err(fault)? {
            Some(run) => Some(format!("run {run}")),
            None => deployment::find(db, &ground.signed.slug)
                .await
                .map_err(fault)?
                .and_then(|live| live.rollout)
                .map(|_| "a rollout".to_owned()),
        };
        let is_lately = |training: &&TriggerEvent| training.launched_at.is_some_and(|at| at + MONTH > now);
        let lately = ground.trainings.iter().filter(is_lately).count();
        let cpu_lately = match policy.cpu {
            Some(_) => retraining::cpu_since(db, id, now - MONTH).await.map_err(fault)?.unsigned_abs(),
            None => 0,
        };
        let minute = Schedule::read("0 0 * * *", &policy.timezone).map_or(0, |schedule| schedule.minute_of_day(now));
        let standing = Standing {
            open: &open,
            paused: state.paused.as_ref().map(|(_, reason, _)| reason.as_str()),
            under_way: under_way.as_deref(),
            waiting: ground.waiting.as_deref(),
            since_last: ground.last.map(|last| (now - last).num_seconds().max(0).unsigned_abs()),
            lately: u32::try_from(lately).unwrap_or(u32::MAX),
            cpu_lately,
            sign_off_ended: ground.signed.sign_off_ends_at.is_some_and(|end| end <= now),
            useless: ground.useless(state.forgiven_at),
            has_newer_data: ground.has_newer_data(),
            minute,
        };
        Ok(decide(policy, &standing))
    }

    async fn start_if_due(&self, signed: &ProblemVersion, policy: &Retraining) -> Result<()> {
        let pool = self.db.pool();
        let Some(ground) = self.ground(pool, signed).await? else { return Ok(()) };
        let given_up = match self.retraining_decided(pool, &ground, policy).await? {
            Decision::Start => None,
            Decision::GivenUp(why) => Some(why),
            Decision::Idle | Decision::Wait(_) => return Ok(()),
        };
        let known = incident::newest(pool, signed.problem, Cause::Retraining).await.map_err(fault)?;
        if given_up.is_some() && known.is_some_and(|known| known.incident.state == State::Firing) {
            return Ok(());
        }
        let tx = self.begin().await?;
        problem::lock(&tx, signed.problem).await.map_err(fault)?;
        if let Some(why) = given_up {
            self.look_at_incident(&tx, signed.problem, &given_up_look(&why)).await?;
            return commit(tx).await;
        }
        // Under the lock everything is looked at again: another server may have been faster, or somebody has stopped it.
        let Some(ground) = self.ground(&tx, signed).await? else { return Ok(()) };
        if self.retraining_decided(&tx, &ground, policy).await? != Decision::Start {
            return Ok(());
        }
        let newest =
            ground.newest.as_ref().ok_or_else(|| Fault::conflict("no_valid_dataset", "there is no valid data"))?;
        let tables = tables_for(&tx, &ground.signed).await?;
        let run = self.launch_again(&tx, &ground, (newest, &tables), ground.run.author).await?;
        let open = retraining::open_events(&tx, signed.problem).await.map_err(fault)?;
        let because: Vec<String> =
            open.iter().map(|event| format!("{}: {}", event.reason.title(), event.detail)).collect();
        match retraining::start(&tx, signed.problem, run).await {
            Err(StorageError::Conflict(_)) => return Ok(()),
            started => started.map_err(fault)?,
        }
        let act = audit::Act {
            actor: "retraining",
            via: "none",
            action: "run.launch",
            object: format!("run/{run}"),
            digest: Some(signed.digest),
            outcome: Outcome::Done,
            origin: &Origin::default(),
            details: json!({ "problem": signed.slug, "version": signed.number, "because": because,
                "repeats": ground.run.id, "of_version": ground.champion.number }),
        };
        audit::append(&tx, act, self.now()).await.map_err(fault)?;
        self.failpoint.reach("retraining:before_commit");
        commit(tx).await?;
        self.failpoint.reach("retraining:after_commit");
        tracing::info!(slug = signed.slug, %run, because = because.join("; "), "a training was started by itself");
        Ok(())
    }

    /// Queues a run with the settings of the live version on other data.
    pub(crate) async fn launch_again(
        &self,
        tx: &Transaction,
        ground: &Ground,
        (dataset, tables): (&DatasetVersion, &[DatasetVersion]),
        author: AccountId,
    ) -> Result<RunId> {
        let plan = FitPlan::read(&ground.run.request, &ground.signed.document.target).map_err(|mistakes| {
            Fault::invalid("the live version's settings do not fit the document any more", mistakes)
        })?;
        let asked = Asked { plan, request: ground.run.request.clone(), seed: ground.run.seed };
        let code = Repository::default();
        let queued = Queued { version: &ground.signed, dataset, tables, code: &code, diff: None };
        self.queue(tx, &queued, asked, author).await
    }

    /// When models of a problem are trained by themselves.
    ///
    /// # Errors
    /// 404 when there is no such problem.
    pub async fn triggers(&self, actor: &Actor, slug: &str) -> Result<TriggersView> {
        self.authorise_on(actor, Action::ReadWorkspace, slug, &format!("problem/{slug}")).await?;
        let pool = self.db.pool();
        let newest = problem::newest(pool, slug).await.map_err(fault)?.ok_or_else(|| Fault::not_found("problem"))?;
        let signed = problem::approved(pool, slug).await.map_err(fault)?;
        let policy = signed.as_ref().and_then(|signed| signed.document.retraining.clone());
        let state = retraining::standing(pool, newest.problem).await.map_err(fault)?;
        let events = retraining::events(pool, newest.problem, SHOWN).await.map_err(fault)?;
        let may = actor.may_on(Action::SteerRetraining, slug).map_err(|refused| refused.to_string());
        let mut view = TriggersView {
            slug: slug.to_owned(),
            title: newest.document.title.clone(),
            has_policy: policy.is_some(),
            policy: policy.as_ref().map(Retraining::in_words).unwrap_or_default(),
            cron: None,
            next: Vec::new(),
            paused: state.paused.clone(),
            standing: "The signed document has no [retraining]; nothing is trained by itself.".to_owned(),
            has_given_up: false,
            nearness: Vec::new(),
            events: events.into_iter().map(present_event).collect(),
            may_act: Permission::from_result(may),
        };
        let Some((signed, policy)) = signed.zip(policy) else {
            view.may_act = Permission::refused("the document signed last has no [retraining]");
            return Ok(view);
        };
        self.fill_in(&mut view, &signed, &policy).await?;
        Ok(view)
    }

    async fn fill_in(&self, view: &mut TriggersView, signed: &ProblemVersion, policy: &Retraining) -> Result<()> {
        let pool = self.db.pool();
        if let Some(cron) = &policy.cron {
            let schedule = Schedule::read(cron, &policy.timezone);
            if let Ok(schedule) = &schedule {
                view.nearness.push(("Schedule".to_owned(), format!("{} ({})", schedule.in_words(), policy.timezone)));
                let mut at = self.now();
                while let Some(next) = schedule.next_after(at).filter(|_| view.paused.is_none() && view.next.len() < 5)
                {
                    view.next.push((next, schedule.on_the_wall(next)));
                    at = next;
                }
            }
            view.cron = Some((cron.clone(), policy.timezone.clone()));
        }
        let Some(ground) = self.ground(pool, signed).await? else {
            view.standing = "No version is live yet; a first one is trained and approved by people.".to_owned();
            return Ok(());
        };
        if let Some(wanted) = policy.new_rows {
            view.nearness.push(("New rows".to_owned(), format!("{} of {wanted}", ground.new_rows())));
        }
        if let Some(wanted) = policy.new_labels {
            let known = retraining::outcomes_since(pool, signed.problem, ground.since()).await.map_err(fault)?;
            view.nearness.push(("New outcomes".to_owned(), format!("{known} of {wanted}")));
        }
        if let Some(cpu) = policy.cpu {
            let used = retraining::cpu_since(pool, signed.problem, self.now() - MONTH).await.map_err(fault)?;
            let used = Span::of_seconds(used.unsigned_abs()).in_words();
            view.nearness.push(("Processor time of thirty days".to_owned(), format!("{used} of {}", cpu.in_words())));
        }
        for (cause, reason) in Cause::TRAINING {
            if policy.reasons().contains(&reason) {
                let newest = incident::newest(pool, signed.problem, cause).await.map_err(fault)?;
                let state = newest.map_or_else(|| "no alert".to_owned(), |newest| newest.incident.state.to_string());
                view.nearness.push((cause.title().to_owned(), state));
            }
        }
        view.standing = match self.retraining_decided(pool, &ground, policy).await? {
            Decision::Idle if view.paused.is_some() => "Paused: nothing is trained by itself.".to_owned(),
            Decision::Idle => "Nothing has come up that is reason to train.".to_owned(),
            Decision::Start => "A training is about to start.".to_owned(),
            Decision::Wait(why) => format!("A training waits: {why}."),
            Decision::GivenUp(why) => {
                view.has_given_up = true;
                format!("Stopped: {why}.")
            }
        };
        Ok(())
    }

    /// Stops trainings from being started by themselves, or lets them start again.
    ///
    /// # Errors
    /// 409 when they are stopped already, or the document has no policy; 400 without a reason.
    pub async fn pause_retraining(&self, actor: &Actor, slug: &str, paused: bool, reason: &str) -> Result<()> {
        let action = if paused { "retraining.pause" } else { "retraining.resume" };
        let reason = checked_reason(reason)?;
        self.steer(actor, slug, action, json!({ "reason": reason }), async |tx, signed, _| {
            let id = signed.problem;
            if paused {
                retraining::pause(tx, id, actor.account, reason, self.now()).await.map_err(fault)
            } else {
                retraining::resume(tx, id, self.now()).await.map_err(fault)?;
                let fine = Look { seen: Seen::Fine, ..given_up_look("") };
                self.look_at_incident(tx, id, &fine).await
            }
        })
        .await
    }

    /// Asks for a training now, with the live version's settings on the newest data. It waits for no cool-down.
    ///
    /// # Errors
    /// 409 when the document has no policy; 400 without a reason.
    pub async fn ask_for_training(&self, actor: &Actor, slug: &str, reason: &str) -> Result<()> {
        let reason = checked_reason(reason)?;
        self.steer(actor, slug, "retraining.ask", json!({ "reason": reason }), async |tx, signed, _| {
            let (now, by) = (self.now(), Some(actor.account));
            let key = now.to_rfc3339();
            retraining::insert_event(tx, signed.problem, Reason::Asked, &key, reason, by, now).await.map_err(fault)?;
            Ok(())
        })
        .await
    }

    async fn steer(
        &self,
        actor: &Actor,
        slug: &str,
        action: &'static str,
        details: serde_json::Value,
        act: impl AsyncFnOnce(&Transaction, &ProblemVersion, &ProblemDocument) -> Result<()>,
    ) -> Result<()> {
        let object = format!("problem/{slug}");
        self.authorise_on(actor, Action::SteerRetraining, slug, &object).await?;
        let outcome = async {
            let tx = self.begin_as(actor, Action::SteerRetraining, Some(slug), &object).await?;
            let signed = problem::approved(&tx, slug).await.map_err(fault)?;
            let signed = signed.filter(|signed| signed.document.retraining.is_some()).ok_or_else(|| {
                Fault::conflict(
                    "no_retraining_policy",
                    "the document signed last has no [retraining]; write and sign one first",
                )
            })?;
            problem::lock(&tx, signed.problem).await.map_err(fault)?;
            act(&tx, &signed, &signed.document).await?;
            self.note(&tx, actor, Note::new(action, object.clone()).details(details)).await?;
            commit(tx).await
        };
        let outcome = outcome.await;
        self.note_if_refused(actor, action, object, outcome).await
    }
}

fn given_up_look(why: &str) -> Look {
    Look {
        cause: Cause::Retraining,
        seen: Seen::Breach,
        in_a_row: InARow::ONE,
        title: format!("Retraining: {why}"),
        facts: vec![(
            "What to do".to_owned(),
            "look at the last runs, mend the cause, and resume retraining".to_owned(),
        )],
        window: None,
    }
}

fn present_event(event: TriggerEvent) -> TriggerEventView {
    TriggerEventView {
        id: event.id.to_string(),
        reason: event.reason.to_string(),
        detail: event.detail,
        at: event.at,
        run: event.run.map(|run| run.to_string()),
        run_state: event.run_state.map(|state| state.to_string()),
        version: event.model.map(|(number, _)| number),
        ended: event.ended,
    }
}
