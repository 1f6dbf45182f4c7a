//! One policy from the first model to the last window.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::gate::Verdict;
use millrace_domain::monitor::incident::{Cause, InARow, Incident, Letter, Seen, State};
use millrace_domain::monitor::{self, Estimate, Height, judge, look_at_estimate};
use millrace_domain::problem::{NoData, Retraining};
use millrace_domain::retraining::{Decision, Reason, Standing, decide};
use millrace_domain::schedule::Schedule;
use millrace_domain::view::{CourseTold, EventTold, WindowTold};
use millrace_ml::model::Prediction;

use millrace_ml::evaluate::Outcomes;

use crate::watch::{Measured, against};

use super::history::{History, Learned, Window, mean};
use super::staged::{Answered, Happened, Staged};
use super::{MOST_TRAININGS, Onlooker, RehearsalError, told_at};

/// Days that the number of trainings is limited within.
const MONTH: TimeDelta = TimeDelta::days(30);

/// A training after the first.
struct Training {
    at: DateTime<Utc>,
    number: u32,
    rows: u64,
    came_to_nothing: bool,
}

/// Answers by row.
type Answers = Vec<(u32, Prediction)>;

pub(super) struct Course<'h> {
    history: &'h History,
    policy: Option<Retraining>,
    schedule: Option<Schedule>,
    live: Learned,
    /// When the newest training saw what was known.
    fitted_at: DateTime<Utc>,
    numbers: u32,
    incidents: BTreeMap<&'static str, Incident>,
    /// Firings that have given reason for a training already.
    used: BTreeSet<(Reason, DateTime<Utc>)>,
    open: BTreeSet<Reason>,
    /// Qualities that are not known yet: when they are, of which model, and what they are.
    awaited: VecDeque<(DateTime<Utc>, u32, Option<Measured>)>,
    looked_until: DateTime<Utc>,
    labels_since: DateTime<Utc>,
    trainings: Vec<Training>,
    has_given_up: bool,
    waits_for: Option<String>,
    /// A bad model that goes out at some time, and then is on its way.
    bad: Option<(DateTime<Utc>, Learned)>,
    /// While the bad model is live, since when rows and labels were new before it was.
    since_before: Option<(DateTime<Utc>, DateTime<Utc>)>,
    staged: Option<Staged>,
    alerts: BTreeMap<&'static str, u64>,
    windows: Vec<WindowTold>,
    events: Vec<EventTold>,
}

impl<'h> Course<'h> {
    pub(super) fn new(history: &'h History, policy: Option<Retraining>, first: Learned) -> Self {
        let schedule =
            policy.as_ref().and_then(|policy| Schedule::read(policy.cron.as_deref()?, &policy.timezone).ok());
        Self {
            history,
            schedule,
            policy,
            fitted_at: DateTime::UNIX_EPOCH,
            numbers: first.number,
            live: first,
            incidents: BTreeMap::new(),
            used: BTreeSet::new(),
            open: BTreeSet::new(),
            awaited: VecDeque::new(),
            looked_until: DateTime::UNIX_EPOCH,
            labels_since: DateTime::UNIX_EPOCH,
            trainings: Vec::new(),
            has_given_up: false,
            waits_for: None,
            bad: None,
            since_before: None,
            staged: None,
            alerts: BTreeMap::new(),
            windows: Vec::new(),
            events: Vec::new(),
        }
    }

    /// In which a bad model goes out.
    pub(super) fn with_bad(self, bad: Option<(DateTime<Utc>, Learned)>) -> Self {
        Self { bad, ..self }
    }

    /// Goes through the windows; `seen` is told which begins.
    pub(super) fn run(
        mut self,
        windows: &[Window],
        seen: &dyn Fn(usize),
        onlooker: &dyn Onlooker,
    ) -> Result<Self, RehearsalError> {
        if let Some((begins, _)) = windows.first() {
            (self.looked_until, self.labels_since, self.fitted_at) = (*begins, *begins, *begins);
            let text = match self.live.open.as_slice() {
                [] => format!("model 1, fitted on {} rows, goes live", self.live.rows),
                open => format!(
                    "model 1, fitted on {} rows, goes live although these gates did not pass: {}",
                    self.live.rows,
                    open.join(", ")
                ),
            };
            self.happened(*begins, "live", text);
        }
        for (number, (begins, ends)) in windows.iter().enumerate() {
            if onlooker.stops() {
                return Err(RehearsalError::new("it was stopped"));
            }
            if self.trainings.len() > MOST_TRAININGS {
                return Err(RehearsalError::new(format!(
                    "a course trains more than {MOST_TRAININGS} times until {}: give the policy a longer cool_down, or the schedule fewer times",
                    told_at(*begins)
                )));
            }
            seen(number);
            self.answer(*begins, *ends);
            self.look_at_outcomes(*ends);
            self.write_reasons_down(*ends);
            self.train_if_due(*ends, onlooker);
        }
        Ok(self)
    }

    fn happened(&mut self, at: DateTime<Utc>, what: &'static str, text: String) {
        self.events.push(EventTold { at, what: what.to_owned(), text });
    }

    /// A window of answers, judged at its end.
    fn answer(&mut self, begins: DateTime<Utc>, ends: DateTime<Utc>) {
        let document = &self.history.rehearsal.plan.document;
        self.send_out(begins, ends);
        let rows = self.history.window(begins, ends);
        let (answers, of_live, counts) = match self.staged.take() {
            Some(staged) => {
                let (answers, of_live, counts) = self.go_on(staged, (begins, ends));
                (answers, Some(of_live), counts)
            }
            None => {
                let (answers, counts) = self.history.answers(&self.live, &rows);
                (answers, None, counts)
            }
        };
        let judged = |outcomes: Option<Outcomes>| {
            outcomes.and_then(|outcomes| against(&document.success, &outcomes, document.monitoring.min_rows))
        };
        let outcomes = self.history.outcomes(&self.live, &answers);
        let labelled = outcomes.as_ref().map_or(0, |outcomes| outcomes.len() as u64);
        let measured = judged(outcomes);
        let quality = measured.as_ref().map(|measured| measured.value);
        let is_met = measured.as_ref().and_then(|measured| match measured.verdict {
            Verdict::Pass => Some(true),
            Verdict::Fail => Some(false),
            Verdict::Insufficient => None,
        });
        let delay = TimeDelta::seconds(i64::try_from(document.target.delay.seconds()).unwrap_or(0));
        // What is told of is the one that is live at the window's end, whoever else answered in it.
        let told = match of_live {
            None => measured,
            Some(own) => judged(self.history.outcomes(&self.live, &own)),
        };
        self.awaited.push_back((ends + delay, self.live.number, told));
        let (rule, finding) = (&document.monitoring, judge(&self.live.reference, &counts, &document.monitoring));
        let estimate = rule.estimated_loss.filter(|_| Estimate::has(document.success.metric));
        let estimate = estimate
            .map(|limit| look_at_estimate(&self.live.reference, document.success.metric, finding.as_ref(), limit));
        let drifted = finding.as_ref().map(monitor::Finding::drifted).unwrap_or_default();
        let title = drifted.first().map(|first| format!("{} {} {:.3}", first.name, rule.drift.metric, first.distance));
        let height = finding.as_ref().map(|finding| Height::of_drift(ends, finding, rule.drift.metric, rule.min_rows));
        self.windows.push(WindowTold {
            ends,
            rows: rows.len() as u64,
            labelled,
            model: self.live.number,
            quality: quality.filter(|quality| quality.is_finite()),
            is_met,
            distance: height.and_then(|height| height.value),
            drifted: drifted.iter().map(|column| column.name.clone()).collect(),
        });
        let seen = match finding.map(|finding| finding.verdict) {
            Some(monitor::Verdict::Drifted) => Seen::Breach,
            Some(monitor::Verdict::Stable) => Seen::Fine,
            _ => Seen::Unknown,
        };
        self.look(Cause::Drift, seen, rule.drift.in_a_row(), ends, title.unwrap_or_default());
        if rule.no_data == NoData::Mail {
            let seen = if rows.is_empty() { Seen::Breach } else { Seen::Fine };
            let title = format!("nobody asked within {}", rule.window.in_words());
            self.look(Cause::NoData, seen, rule.drift.in_a_row(), ends, title);
        }
        if let (Some(limit), Some(newest)) = (rule.freshness, self.history.newest_row(ends)) {
            let is_stale = (ends - newest).num_seconds().unsigned_abs() > limit.seconds();
            let seen = if is_stale { Seen::Breach } else { Seen::Fine };
            let title = format!("the newest row is of {}, more than {} before", told_at(newest), limit.in_words());
            self.look(Cause::Freshness, seen, InARow::ONE, ends, title);
        }
        if let Some((seen, estimates)) = estimate {
            let told = estimates.map(|(held_out, now)| format!("{now:.4}, {held_out:.4} on the held-out rows"));
            let title = format!("{} {}", document.success.metric, told.unwrap_or_default());
            self.look(Cause::Estimate, seen, rule.drift.in_a_row(), ends, title);
        }
    }

    /// The bad model goes out where that is to be before the window's end, or as soon as none is on its way any more.
    fn send_out(&mut self, begins: DateTime<Utc>, ends: DateTime<Utc>) {
        if self.staged.is_some() {
            return;
        }
        let Some((at, bad)) = self.bad.take_if(|(at, _)| *at < ends) else { return };
        let at = at.max(begins);
        self.numbers += 1;
        let bad = Learned { number: self.numbers, ..bad };
        let staged = Staged::new(self.history, bad, self.live.clone(), at);
        let text = format!("a bad model, number {}, goes out: {} begins", self.numbers, staged.first_step());
        self.happened(at, "stage", text);
        self.staged = Some(staged);
    }

    /// A window in which a model is on its way.
    fn go_on(&mut self, mut staged: Staged, window: Window) -> (Answers, Answers, Vec<u64>) {
        let was_live = self.live.number;
        let Answered { answers, of_live, counts, happened } = staged.go_through(self.history, window);
        let number = staged.number();
        let trained = self.trainings.iter_mut().find(|training| training.number == number);
        let is_trained = trained.is_some();
        if let Some(training) = trained.filter(|_| staged.is_rolled_back()) {
            training.came_to_nothing = true;
        }
        let full_at = happened.iter().rev().find(|event| matches!(event.what, "stage" | "stays")).map(|event| event.at);
        for Happened { at, what, text } in happened {
            if what == "rolled_back" {
                // Whoever is on call is written to, as about an alert.
                *self.alerts.entry("rollout").or_default() += 1;
            }
            self.happened(at, what, text);
        }
        self.live = staged.live().clone();
        if is_trained && self.live.number == number && was_live != number {
            self.happened(full_at.unwrap_or(window.0), "live", format!("model {number} answers everybody"));
        }
        // What is new is counted from what is live on.
        let since = (self.fitted_at, self.labels_since);
        if self.live.number != self.numbers {
            (self.fitted_at, self.labels_since) = self.since_before.take().unwrap_or(since);
        } else if self.since_before.is_none() {
            self.since_before = Some(since);
            (self.fitted_at, self.labels_since) = (since.0.max(staged.begins()), since.1.max(staged.begins()));
        }
        self.staged = Some(staged).filter(|staged| !staged.has_ended());
        (answers, of_live, counts)
    }

    /// Answers whose outcomes have come in by now. What a model answered that has been replaced says nothing of the one that is live.
    fn look_at_outcomes(&mut self, now: DateTime<Utc>) {
        let document = &self.history.rehearsal.plan.document;
        while self.awaited.front().is_some_and(|(known, ..)| *known <= now) {
            let Some((_, number, Some(Measured { value, verdict, .. }))) = self.awaited.pop_front() else { continue };
            if number != self.live.number {
                continue;
            }
            let seen = match verdict {
                Verdict::Fail => Seen::Breach,
                Verdict::Pass => Seen::Fine,
                Verdict::Insufficient => Seen::Unknown,
            };
            let title = format!("{} {value:.4} against {}", document.success.metric, document.success.bound.limit());
            self.look(Cause::Quality, seen, InARow::ONE, now, title);
        }
    }

    /// What a look does to the incident of a cause.
    fn look(&mut self, cause: Cause, seen: Seen, in_a_row: InARow, now: DateTime<Utc>, title: String) {
        let known = self.incidents.get(cause.as_str()).copied().filter(|incident| incident.takes_up(now));
        let next = match known {
            None if seen != Seen::Breach => return,
            None => Incident::begin(in_a_row.fires, now),
            Some(known) => known.after_look(seen, in_a_row, now),
        };
        // What whoever is on call would have been written, reminders aside.
        let letter = next.letter_due(None, now);
        match letter {
            Some(Letter::Firing) => {
                *self.alerts.entry(cause.as_str()).or_default() += 1;
                self.happened(now, "alert", format!("{}: {title}", cause.title()));
            }
            Some(Letter::Resolved) => self.happened(now, "over", format!("{} is over", cause.title())),
            Some(Letter::Reminder | Letter::Escalation | Letter::Missed) | None => {}
        }
        let told = letter.map_or(next, |letter| next.told(letter, now));
        self.incidents.insert(cause.as_str(), told);
    }

    /// Everything that came up since the last look.
    fn write_reasons_down(&mut self, now: DateTime<Utc>) {
        let Some(policy) = self.policy.clone() else { return };
        let is_due = self.schedule.as_ref().and_then(|schedule| schedule.last_between(self.looked_until, now));
        if is_due.is_some() {
            self.open.insert(Reason::Schedule);
        }
        self.looked_until = now;
        if policy.new_rows.is_some_and(|wanted| self.history.new_rows(self.fitted_at, now) >= wanted) {
            self.open.insert(Reason::NewRows);
        }
        if policy.new_labels.is_some_and(|wanted| self.history.new_labels(self.labels_since, now) >= wanted) {
            self.open.insert(Reason::NewLabels);
        }
        for (cause, reason) in Cause::TRAINING {
            let incident = self.incidents.get(cause.as_str()).filter(|incident| incident.state == State::Firing);
            let fired = incident.and_then(|incident| incident.fired_at);
            match fired.filter(|_| policy.reasons().contains(&reason)) {
                // An alert that goes on is a reason once more as soon as there is newer data.
                Some(fired) => {
                    let is_new = self.used.insert((reason, fired));
                    if is_new || self.history.new_rows(self.fitted_at, now) > 0 {
                        self.open.insert(reason);
                    }
                }
                None => {
                    self.open.remove(&reason);
                }
            }
        }
    }

    fn train_if_due(&mut self, now: DateTime<Utc>, onlooker: &dyn Onlooker) {
        let Some(policy) = self.policy.clone() else { return };
        let open: Vec<Reason> = self.open.iter().copied().collect();
        let zone = Schedule::read("0 0 * * *", &policy.timezone);
        let in_a_row = self.trainings.iter().rev().take_while(|training| training.came_to_nothing).count();
        let lately = self.trainings.iter().filter(|training| training.at + MONTH > now).count();
        let standing = Standing {
            open: &open,
            paused: None,
            under_way: self.staged.as_ref().map(|_| "a rollout"),
            waiting: None,
            since_last: self.trainings.last().map(|last| (now - last.at).num_seconds().unsigned_abs()),
            lately: u32::try_from(lately).unwrap_or(u32::MAX),
            // What a training costs is not known to a clock that is not real.
            cpu_lately: 0,
            useless: u32::try_from(in_a_row).unwrap_or(u32::MAX),
            sign_off_ended: false,
            has_newer_data: self.history.new_rows(self.fitted_at, now) > 0,
            minute: zone.map_or(0, |zone| zone.minute_of_day(now)),
        };
        match decide(&policy, &standing) {
            Decision::Start => self.train(now, &open, onlooker),
            Decision::Idle => self.waits_for = None,
            Decision::Wait(why) => {
                // What changes from look to look is how much time is left, not what is waited for.
                let what = why.split(';').next().unwrap_or_default().to_owned();
                if self.waits_for.as_ref() != Some(&what) {
                    self.happened(now, "waits", why);
                    self.waits_for = Some(what);
                }
            }
            Decision::GivenUp(why) => {
                if !std::mem::replace(&mut self.has_given_up, true) {
                    *self.alerts.entry(Cause::Retraining.as_str()).or_default() += 1;
                    self.happened(now, "given_up", why);
                }
            }
        }
    }

    fn train(&mut self, now: DateTime<Utc>, because: &[Reason], onlooker: &dyn Onlooker) {
        let because: Vec<&str> = because.iter().map(|reason| reason.title()).collect();
        let because = because.join(", ");
        self.open.clear();
        (self.waits_for, self.labels_since) = (None, now);
        self.numbers += 1;
        let number = self.numbers;
        let (rows, came_to_nothing) = match self.history.learn(now, number, Some(&self.live), onlooker) {
            Ok(learned) => {
                self.fitted_at = now;
                let rows = learned.rows;
                let fitted = format!("model {number}, fitted on {rows} rows ({because}),");
                if learned.open.is_empty() && self.history.rehearsal.plan.staged {
                    let staged = Staged::new(self.history, learned, self.live.clone(), now);
                    self.happened(
                        now,
                        "stage",
                        format!("{fitted} passes and goes out: {} begins", staged.first_step()),
                    );
                    self.staged = Some(staged);
                    (rows, false)
                } else if learned.open.is_empty() {
                    self.happened(now, "live", format!("{fitted} passes and goes live"));
                    self.live = learned;
                    (rows, false)
                } else {
                    self.happened(now, "not_passed", format!("{fitted} does not pass: {}", learned.open.join(", ")));
                    (rows, true)
                }
            }
            Err(reason) => {
                self.happened(now, "failed", format!("model {number} ({because}) cannot be trained: {reason}"));
                (0, true)
            }
        };
        self.trainings.push(Training { at: now, number, rows, came_to_nothing });
    }

    pub(super) fn told(self, policy: &'static str, title: String) -> CourseTold {
        let judged = self.windows.iter().filter_map(|window| Some((window.quality?, window.labelled)));
        CourseTold {
            policy: policy.to_owned(),
            title,
            mean: mean(judged),
            trainings: self.trainings.len() as u64,
            rows_fitted: self.trainings.iter().map(|training| training.rows).sum(),
            alerts: self.alerts.into_iter().map(|(cause, told)| (cause.to_owned(), told)).collect(),
            windows: self.windows,
            events: self.events,
        }
    }
}
