//! Backfill: trains for times of a schedule that have passed, each on the data that was the newest then. What is shown before and what is
//! done are one plan.

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::ids::RunId;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::problem::Retraining;
use millrace_domain::schedule::Schedule;
use millrace_domain::view::{BackfillTime, BackfillView, Permission};
use millrace_storage::dataset::DatasetVersion;
use millrace_storage::problem::ProblemVersion;
use millrace_storage::{Connection, problem, run};
use serde_json::json;

use crate::access::Note;
use crate::dataset::examples;
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
    /// The newest data that was checked by then.
    data: Option<DatasetVersion>,
    /// The run that has fitted the live version's settings to it.
    known: Option<RunId>,
    /// Whether a training on it is due; one for all times that have the same data.
    is_due: bool,
}

/// What a backfill follows.
struct Plan {
    schedule: Schedule,
    ground: Ground,
    times: Vec<Planned>,
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

    /// Starts the trainings of such a plan, under the name of who asks. They pass the same gates and approvals as any other.
    ///
    /// # Errors
    /// As [`Self::plan_backfill`]; 409 when nothing is to be trained, or too much at once; 400 without a reason.
    pub async fn backfill(
        &self,
        actor: &Actor,
        slug: &str,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
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
            let due: Vec<&DatasetVersion> =
                plan.times.iter().filter(|time| time.is_due).filter_map(|time| time.data.as_ref()).collect();
            if due.is_empty() {
                let detail = "the live version's settings were fitted to all data that these times have; choose others";
                return Err(Fault::conflict("nothing_to_train", detail));
            }
            if due.len() > MOST_TRAININGS {
                let detail =
                    format!("these are {} trainings, and {MOST_TRAININGS} are started at once; choose less", due.len());
                return Err(Fault::conflict("too_many_trainings", detail));
            }
            let mut runs = Vec::new();
            for data in due {
                runs.push(self.launch_again(&tx, &plan.ground, data, actor.account).await?);
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
        let mut valid = examples(db, &signed.slug, &signed.document).await?;
        if let Some(own) = ground.newest.as_ref().or(ground.trained_on.as_ref()).map(|version| version.dataset) {
            valid.retain(|version| version.dataset == own);
        }
        let mut planned: Vec<Planned> = Vec::new();
        for at in times {
            let data = valid.iter().find(|version| version.finished_at.unwrap_or(version.created_at) <= at).cloned();
            let (mut known, mut is_due) = (None, false);
            if let Some(data) = &data {
                let again = run::Settings {
                    problem_version: signed.id,
                    dataset_version: data.id,
                    request: &ground.run.request,
                    seed: ground.run.seed,
                };
                known = run::with_settings(db, again).await.map_err(fault)?;
                let is_same = |earlier: &Planned| earlier.data.as_ref().is_some_and(|other| other.id == data.id);
                is_due = known.is_none() && !planned.iter().any(is_same);
            }
            planned.push(Planned { at, data, known, is_due });
        }
        Ok(Plan { schedule, ground, times: planned })
    }
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
            data: time.data.as_ref().map(|data| (data.name.clone(), data.number)),
            rows: time.data.as_ref().and_then(|data| data.rows).map(i64::unsigned_abs),
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
        times,
        may_act,
    }
}
