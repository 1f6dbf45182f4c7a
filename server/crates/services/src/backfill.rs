//! Backfill: trains for times of a schedule that have passed, each on the data that was the newest then. What is done is the plan that was
//! shown, or nothing.

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::Digest;
use millrace_domain::fault::Fault;
use millrace_domain::ids::{DatasetVersionId, RunId};
use millrace_domain::policy::{Action, Actor};
use millrace_domain::problem::Retraining;
use millrace_domain::run::DatasetRole;
use millrace_domain::schedule::Schedule;
use millrace_domain::trainer::FitPlan;
use millrace_domain::view::{BackfillTime, BackfillView, Permission};
use millrace_storage::dataset::DatasetVersion;
use millrace_storage::problem::ProblemVersion;
use millrace_storage::{Connection, dataset, problem, run};
use serde_json::json;

use crate::access::Note;
use crate::deployment::checked_reason;
use crate::retraining::Ground;
use crate::{Result, Services, commit, fault};

/// Times that are looked at together.
const MOST_TIMES: usize = 100;
/// Trainings that are started together.
const MOST_TRAININGS: usize = 20;

/// A time of the schedule.
struct Planned {
    at: DateTime<Utc>,
    /// The newest data that was checked by then, and the tables that it is joined to.
    data: Option<(DatasetVersion, Vec<DatasetVersion>)>,
    /// The run that has fitted the live version's settings to it.
    known: Option<RunId>,
    /// Whether a training on it is due; one for all times that have the same data.
    is_due: bool,
}

impl Planned {
    /// The data and the tables.
    fn ids(&self) -> Option<Vec<DatasetVersionId>> {
        let (data, tables) = self.data.as_ref()?;
        Some([data].into_iter().chain(tables).map(|version| version.id).collect())
    }
}

/// What a backfill follows.
struct Plan {
    schedule: Schedule,
    ground: Ground,
    times: Vec<Planned>,
}

impl Plan {
    fn due(&self) -> impl Iterator<Item = &Planned> {
        self.times.iter().filter(|time| time.is_due)
    }

    /// What would be started.
    fn digest(&self) -> Digest {
        let due: Vec<_> = self.due().map(Planned::ids).collect();
        Digest::of_canonical(
            &json!({ "problem": self.ground.signed.digest, "settings_of": self.ground.champion.id, "due": due }),
        )
    }

    /// Why it cannot be started as it is.
    fn obstacle(&self, now: DateTime<Utc>) -> Option<Fault> {
        let signed = &self.ground.signed;
        if signed.sign_off_ends_at.is_some_and(|end| end <= now) {
            return Some(Fault::conflict("sign_off_ran_out", "the sign-off ran out; it has to be approved again"));
        }
        if FitPlan::read(&self.ground.run.request, &signed.document.target).is_err() {
            let detail = "the live version's settings do not fit the signed document any more; train and approve a version by it";
            return Some(Fault::conflict("settings_do_not_fit", detail));
        }
        let due = self.due().count();
        if due == 0 {
            let detail = "the live version's settings were fitted to all data that these times have; choose others";
            return Some(Fault::conflict("nothing_to_train", detail));
        }
        let detail = format!("these are {due} trainings, and {MOST_TRAININGS} are started at once; choose less");
        (due > MOST_TRAININGS).then(|| Fault::conflict("too_many_trainings", detail))
    }
}

impl Services {
    /// What a backfill of a stretch of time would do; it does nothing.
    ///
    /// # Errors
    /// 404 when there is no such problem; 409 when there is no schedule or nothing is live; 400 for a stretch that is none.
    pub async fn plan_backfill(
        &self,
        actor: &Actor,
        slug: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<BackfillView> {
        self.authorise_on(actor, Action::ReadWorkspace, slug, &format!("problem/{slug}")).await?;
        let pool = self.db.pool();
        problem::newest(pool, slug).await.map_err(fault)?.ok_or_else(|| Fault::not_found("problem"))?;
        let signed = problem::approved(pool, slug).await.map_err(fault)?;
        let plan = self.planned(pool, signed.as_ref(), from, to).await?;
        let may = actor.may_on(Action::LaunchRun, slug).map_err(|refused| refused.to_string());
        let may = may.and_then(|()| plan.obstacle(self.now()).map_or(Ok(()), |fault| Err(fault.detail)));
        Ok(present(slug, &plan, (from, to), &[], Permission::from_result(may)))
    }

    /// The same of the last thirty days or, where these have too many times, of the last day or hour.
    ///
    /// # Errors
    /// As [`Self::plan_backfill`].
    pub async fn plan_usual_backfill(&self, actor: &Actor, slug: &str) -> Result<BackfillView> {
        let now = self.now();
        let is_few = |schedule: &Schedule, back: TimeDelta| schedule.between(now - back, now, MOST_TIMES).is_some();
        let signed = problem::approved(self.db.pool(), slug).await.map_err(fault)?;
        let schedule = signed.and_then(|signed| schedule_of(signed.document.retraining.as_ref()?));
        let mut lengths = [TimeDelta::days(30), TimeDelta::days(1)].into_iter();
        let back = lengths.find(|back| schedule.as_ref().is_none_or(|schedule| is_few(schedule, *back)));
        self.plan_backfill(actor, slug, now - back.unwrap_or(TimeDelta::hours(1)), now).await
    }

    /// Starts the trainings of the plan of that digest, under the name of who asks. They pass the same gates and approvals as any other.
    ///
    /// # Errors
    /// As [`Self::plan_backfill`]; 409 when it would be another plan by now, and for one without trainings or with too many; 400 without a
    /// reason.
    pub async fn backfill(
        &self,
        actor: &Actor,
        slug: &str,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        shown: &str,
        reason: &str,
    ) -> Result<BackfillView> {
        const ACTION: &str = "retraining.backfill";
        let object = format!("problem/{slug}");
        self.authorise_on(actor, Action::LaunchRun, slug, &object).await?;
        let outcome = async {
            let reason = checked_reason(reason)?;
            let tx = self.begin_as(actor, Action::LaunchRun, Some(slug), &object).await?;
            let signed = self.signed_for_runs(&tx, slug).await?;
            let plan = self.planned(&tx, Some(&signed), from, to).await?;
            if plan.digest().to_string() != shown {
                let detail = "the live version, the document, or what was trained has changed since this plan was shown; look again";
                return Err(Fault::conflict("plan_changed", detail));
            }
            if let Some(obstacle) = plan.obstacle(self.now()) {
                return Err(obstacle);
            }
            let mut runs = Vec::new();
            for (at, (data, tables)) in plan.due().filter_map(|time| Some((time.at, time.data.as_ref()?))) {
                let run = self.launch_again(&tx, &plan.ground, (data, tables), actor.account).await?;
                let details = json!({ "problem": slug, "version": signed.number, "dataset": data.dataset,
                    "dataset_version": data.number, "repeats": plan.ground.run.id, "for": at });
                let note = Note::new("run.launch", format!("run/{run}")).digest(signed.digest).details(details);
                self.note(&tx, actor, note).await?;
                runs.push(run);
            }
            let details = json!({ "reason": reason, "from": from, "to": to, "runs": runs });
            self.note(&tx, actor, Note::new(ACTION, object.clone()).digest(signed.digest).details(details)).await?;
            commit(tx).await?;
            Ok(present(slug, &plan, (from, to), &runs, Permission::granted()))
        };
        let outcome = outcome.await;
        self.note_if_refused(actor, ACTION, object, outcome).await
    }

    /// The times of the schedule from one moment to another, both included, with what each trains on.
    async fn planned(
        &self,
        db: &impl Connection,
        signed: Option<&ProblemVersion>,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Plan> {
        let scheduled = signed.and_then(|signed| Some((signed, schedule_of(signed.document.retraining.as_ref()?)?)));
        let (signed, schedule) = scheduled.ok_or_else(|| {
            Fault::conflict(
                "no_schedule",
                "the document signed last has no [retraining] cron; write and sign one first",
            )
        })?;
        if from < DateTime::UNIX_EPOCH {
            return Err(Fault::field("/from", "must not lie before 1970"));
        }
        if to < from {
            return Err(Fault::field("/to", "must not be before the beginning"));
        }
        if to > self.now() {
            return Err(Fault::field("/to", "must have passed: what comes is trained when it is due"));
        }
        let times = schedule.between(from - TimeDelta::seconds(1), to, MOST_TIMES).ok_or_else(|| {
            Fault::field("/from", format!("there are more than {MOST_TIMES} times up to the end; choose a later one"))
        })?;
        let ground = self.ground(db, signed).await?.ok_or_else(|| {
            Fault::conflict("nothing_live", "no version is live whose settings could be used; put one live first")
        })?;
        let mut planned: Vec<Planned> = Vec::new();
        for at in times {
            let mut time = Planned { at, data: data_by(db, &ground, at).await?, known: None, is_due: false };
            if let Some([data, tables @ ..]) = time.ids().as_deref() {
                let again = run::Settings {
                    problem_version: signed.id,
                    dataset_version: *data,
                    tables,
                    request: &ground.run.request,
                    seed: ground.run.seed,
                };
                time.known = run::with_settings(db, again).await.map_err(fault)?;
                time.is_due = time.known.is_none() && planned.iter().all(|earlier| earlier.ids() != time.ids());
            }
            planned.push(time);
        }
        Ok(Plan { schedule, ground, times: planned })
    }
}

/// The data that the live version is trained on as it was at a moment, with the tables that it is joined to; none where one of them was not
/// there yet.
async fn data_by(
    db: &impl Connection,
    ground: &Ground,
    at: DateTime<Utc>,
) -> Result<Option<(DatasetVersion, Vec<DatasetVersion>)>> {
    let Some(own) = ground.newest.as_ref().or(ground.trained_on.as_ref()) else { return Ok(None) };
    if ground.signed.document.role_of(&own.name) != DatasetRole::Examples {
        return Ok(None);
    }
    let slug = ground.signed.slug.as_str();
    let data = dataset::newest_by(db, (slug, &own.name, DatasetRole::Examples), at).await.map_err(fault)?;
    let Some(data) = data else { return Ok(None) };
    let mut tables = Vec::new();
    for name in ground.signed.document.joined_tables() {
        let table = dataset::newest_by(db, (slug, name, DatasetRole::Table), at).await.map_err(fault)?;
        let Some(table) = table else { return Ok(None) };
        tables.push(table);
    }
    Ok(Some((data, tables)))
}

fn schedule_of(policy: &Retraining) -> Option<Schedule> {
    Schedule::read(policy.cron.as_deref()?, &policy.timezone).ok()
}

fn present(
    slug: &str,
    plan: &Plan,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    started: &[RunId],
    may_act: Permission,
) -> BackfillView {
    let mut started = started.iter();
    let times = plan.times.iter().map(|time| {
        let is_started = time.is_due.then(|| started.next()).flatten();
        BackfillTime {
            at: time.at,
            wall: plan.schedule.on_the_wall(time.at),
            data: time.data.as_ref().map(|(data, _)| (data.name.clone(), data.number)),
            rows: time.data.as_ref().and_then(|(data, _)| data.rows).map(i64::unsigned_abs),
            run: is_started.or(time.known.as_ref()).map(ToString::to_string),
            is_due: time.is_due && is_started.is_none(),
        }
    });
    let times: Vec<_> = times.collect();
    BackfillView {
        slug: slug.to_owned(),
        title: plan.ground.signed.document.title.clone(),
        zone: plan.ground.signed.document.retraining.as_ref().map(|policy| policy.timezone.clone()).unwrap_or_default(),
        schedule: plan.schedule.in_words(),
        from,
        to,
        of_version: plan.ground.champion.number,
        due: times.iter().filter(|time| time.is_due).count() as u64,
        plan: plan.digest().to_string(),
        times,
        may_act,
    }
}
