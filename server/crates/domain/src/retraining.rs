//! When a new model is trained by itself.
//!
//! A *reason* that comes up (a time on the schedule, enough new rows or outcomes, an incident) is written into a ledger once, under a
//! key of its own. What stands open there starts one run together, as soon as nothing is in the way ([`decide`]), in the
//! transaction that closes it: a server that dies between the two leaves it open, and none starts it twice. An alert that goes on after the
//! training it started is a reason once more with every newer version of the data, but its versions do not pile up: while one of them waits
//! for people, no alert trains the next.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::monitor::incident::Cause;
use crate::problem::{Retraining, When};

/// Why a model is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The time on the schedule has come.
    Schedule,
    /// So many rows are new.
    NewRows,
    /// So many outcomes are new.
    NewLabels,
    /// Drift was confirmed.
    Drift,
    /// Answers are worse than allowed.
    Quality,
    /// Answers are estimated to be worse than allowed.
    EstimatedLoss,
    /// Somebody asked for it.
    Asked,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 7] =
        [Self::Schedule, Self::NewRows, Self::NewLabels, Self::Drift, Self::Quality, Self::EstimatedLoss, Self::Asked];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::NewRows => "new_rows",
            Self::NewLabels => "new_labels",
            Self::Drift => "drift",
            Self::Quality => "quality",
            Self::EstimatedLoss => "estimated_loss",
            Self::Asked => "asked",
        }
    }

    /// What people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::NewRows => "new rows",
            Self::NewLabels => "new outcomes",
            Self::Drift => "drift",
            Self::Quality => "quality",
            Self::EstimatedLoss => "estimated quality",
            Self::Asked => "asked for",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Reason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or_else(|| format!("{text:?} is no reason"))
    }
}

impl Retraining {
    /// The reasons that this policy knows.
    pub fn reasons(&self) -> Vec<Reason> {
        let known = [
            (Reason::Schedule, self.cron.is_some()),
            (Reason::NewRows, self.new_rows.is_some()),
            (Reason::NewLabels, self.new_labels.is_some()),
            (Reason::Drift, self.on_drift),
            (Reason::Quality, self.on_quality),
            (Reason::EstimatedLoss, self.on_estimated_loss),
        ];
        known.into_iter().filter(|(_, known)| *known).map(|(reason, _)| reason).collect()
    }
}

/// What a decision looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing<'s> {
    /// Reasons that came up and started nothing yet.
    pub open: &'s [Reason],
    /// Whether somebody has stopped it, with why.
    pub paused: Option<&'s str>,
    /// Whether a run of the problem is under way, or a version on its way to its users.
    pub under_way: Option<&'s str>,
    /// Whether a version that was trained by itself waits for people, and which.
    pub waiting: Option<&'s str>,
    /// Seconds since the last training was started by itself.
    pub since_last: Option<u64>,
    /// Trainings that were started by themselves within thirty days.
    pub lately: u32,
    /// Seconds of processor time that they used; 0 where that is not known.
    pub cpu_lately: u64,
    /// Trainings in a row, the newest ones, that came to no better model.
    pub useless: u32,
    /// Whether the sign-off of the document has run out.
    pub sign_off_ended: bool,
    /// Whether there is data that the live version was not trained on.
    pub has_newer_data: bool,
    /// Minute of the day, in the policy's zone.
    pub minute: u16,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing is open, or not all that is needed.
    Idle,
    /// One run is started, for all that is open.
    Start,
    /// It waits, and for what.
    Wait(String),
    /// It has given up until somebody lets it go on.
    GivenUp(String),
}

/// Whether a run is started now.
pub fn decide(policy: &Retraining, standing: &Standing<'_>) -> Decision {
    let open = |reason: Reason| standing.open.contains(&reason);
    let is_due = open(Reason::Asked)
        || match policy.when {
            When::Any => policy.reasons().into_iter().any(open),
            When::All => !policy.reasons().is_empty() && policy.reasons().into_iter().all(open),
        };
    if !is_due {
        return Decision::Idle;
    }
    if let Some(why) = standing.paused {
        return Decision::Wait(format!("it is paused: {why}"));
    }
    if standing.sign_off_ended {
        return Decision::Wait("the document's sign-off ran out; it has to be approved again".to_owned());
    }
    if standing.useless >= policy.patience() {
        return Decision::GivenUp(format!(
            "{} trainings in a row came to no better model; somebody has to look and let it go on",
            standing.useless
        ));
    }
    if let Some(what) = standing.under_way {
        return Decision::Wait(format!("{what} is under way"));
    }
    let is_alert = |reason: &Reason| Cause::TRAINING.iter().any(|(_, of)| of == reason);
    if let Some(what) = standing.waiting.filter(|_| standing.open.iter().all(is_alert)) {
        return Decision::Wait(what.to_owned());
    }
    let cool_down = policy.cool_down.seconds();
    if let Some(since) = standing.since_last.filter(|since| *since < cool_down && !open(Reason::Asked)) {
        let left = crate::problem::Span::of_seconds(cool_down - since).in_words();
        return Decision::Wait(format!(
            "the last training is less than {} ago; {left} are left",
            policy.cool_down.in_words()
        ));
    }
    if let Some(most) = policy.most.filter(|most| standing.lately >= *most) {
        return Decision::Wait(format!("{} of {most} trainings of thirty days are used up", standing.lately));
    }
    if let Some(cpu) = policy.cpu.filter(|cpu| standing.cpu_lately >= cpu.seconds()) {
        return Decision::Wait(format!(
            "the trainings of thirty days have used up their {} of processor time",
            cpu.in_words()
        ));
    }
    if let Some(blackout) = policy.blackout.filter(|blackout| blackout.holds(standing.minute) && !open(Reason::Asked)) {
        return Decision::Wait(format!("none is started from {} ({})", String::from(blackout), policy.timezone));
    }
    if !standing.has_newer_data {
        return Decision::Wait("there is no data yet that the live version was not trained on".to_owned());
    }
    Decision::Start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::{Blackout, Promote, Span};

    fn policy() -> Retraining {
        Retraining {
            cron: Some("0 3 * * 1".to_owned()),
            timezone: "UTC".to_owned(),
            new_rows: None,
            new_labels: None,
            on_drift: true,
            on_quality: false,
            on_estimated_loss: false,
            when: When::Any,
            cool_down: Span::of_seconds(3_600),
            most: Some(5),
            cpu: Some(Span::of_seconds(7_200)),
            blackout: None,
            give_up_after: None,
            promote: Promote::Approval,
        }
    }

    const OPEN: Standing<'_> = Standing {
        open: &[Reason::Drift],
        paused: None,
        under_way: None,
        waiting: None,
        since_last: None,
        lately: 0,
        cpu_lately: 0,
        useless: 0,
        sign_off_ended: false,
        has_newer_data: true,
        minute: 0,
    };

    fn waits(standing: &Standing<'_>, policy: &Retraining) -> String {
        match decide(policy, standing) {
            Decision::Wait(why) | Decision::GivenUp(why) => why,
            other => panic!("it does not wait: {other:?}"),
        }
    }

    #[test]
    fn one_reason_is_enough_unless_all_are_asked_for() {
        assert_eq!(decide(&policy(), &OPEN), Decision::Start);
        let all = Retraining { when: When::All, ..policy() };
        assert_eq!(decide(&all, &OPEN), Decision::Idle);
        let both = Standing { open: &[Reason::Schedule, Reason::Drift], ..OPEN };
        assert_eq!(decide(&all, &both), Decision::Start);
        assert_eq!(decide(&policy(), &Standing { open: &[], ..OPEN }), Decision::Idle);
    }

    #[test]
    fn whatever_is_in_the_way_is_named() {
        let night = Retraining { blackout: Blackout::try_from("22:00-06:00".to_owned()).ok(), ..policy() };
        for (standing, policy, expected) in [
            (Standing { paused: Some("holidays"), ..OPEN }, policy(), "paused: holidays"),
            (Standing { under_way: Some("run 7"), ..OPEN }, policy(), "run 7 is under way"),
            (Standing { since_last: Some(600), ..OPEN }, policy(), "50 min"),
            (Standing { lately: 5, ..OPEN }, policy(), "5 of 5"),
            (Standing { cpu_lately: 7_200, ..OPEN }, policy(), "used up their 2 hours of processor time"),
            (Standing { sign_off_ended: true, ..OPEN }, policy(), "sign-off ran out"),
            (Standing { has_newer_data: false, ..OPEN }, policy(), "no data yet"),
            (Standing { minute: 30, ..OPEN }, night, "22:00-06:00 (UTC)"),
        ] {
            let why = waits(&standing, &policy);
            assert!(why.contains(expected), "{why}");
        }
    }

    #[test]
    fn an_alert_trains_no_second_version_while_one_waits_for_people_and_other_reasons_do() {
        let waiting = Standing { waiting: Some("version 7 waits"), ..OPEN };
        assert_eq!(waits(&waiting, &policy()), "version 7 waits");
        for open in [&[Reason::Drift, Reason::Asked][..], &[Reason::Schedule, Reason::Quality], &[Reason::Schedule]] {
            assert_eq!(decide(&policy(), &Standing { open, ..waiting.clone() }), Decision::Start, "{open:?}");
        }
    }

    #[test]
    fn after_three_trainings_for_nothing_it_gives_up() {
        assert_eq!(decide(&policy(), &Standing { useless: 2, ..OPEN }), Decision::Start);
        assert!(matches!(decide(&policy(), &Standing { useless: 3, ..OPEN }), Decision::GivenUp(_)));
    }

    #[test]
    fn what_somebody_asks_for_waits_for_no_cool_down() {
        let asked = Standing { open: &[Reason::Asked], since_last: Some(1), ..OPEN };
        assert_eq!(decide(&policy(), &asked), Decision::Start);
    }
}
