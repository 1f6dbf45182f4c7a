//! Incidents: one for each cause on each deployment, from the first window that is not as it should be to the last letter about it.
//!
//! ```text
//! pending ──▶ firing ──▶ resolved        pending: a breach, but not for as many windows as the document asks for
//!    │           ▲            │          firing: stays so until as many windows in a row were fine again
//!    ▼           └────────────┘          resolved: breaches again within [`QUIET`] open the same incident anew
//!  over
//! ```
//!
//! A window without enough data changes nothing but that a firing incident is told to have *no data* since then. Somebody may *acknowledge* a firing incident (no more reminders, no escalation) and
//! *silence* it until a day (no letters at all, also of the next incident of that cause; what is still firing then is told, and what
//! fired and was over meanwhile). Who is told what follows from the incident and
//! what was told last ([`Incident::letter_due`]), so that looking twice tells nothing twice. What is due of one problem in the same way goes out
//! together, and what comes up soon after a letter is gathered for the next one ([`letters_due`]).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::retraining::Reason;

/// A firing incident that nobody acknowledges is told again after so long.
pub const REPEAT: TimeDelta = TimeDelta::hours(4);
/// What breaches again within this time is the same incident, and nobody is written to before it is over.
pub const QUIET: TimeDelta = TimeDelta::hours(1);
/// The longest silence.
pub const LONGEST_SILENCE: TimeDelta = TimeDelta::days(30);

/// What an incident is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Features or answers are distributed otherwise than in the reference.
    Drift,
    /// Answers are worse than the document allows, now that outcomes are known.
    Quality,
    /// Answers are estimated to be worse than the document allows, before outcomes are known.
    Estimate,
    /// The newest data is older than the document allows.
    Freshness,
    /// Nobody asks for predictions.
    NoData,
    /// The business metric is beyond the document's limit.
    Business,
    /// Trainings that were started by themselves come to nothing.
    Retraining,
}

impl Cause {
    /// All causes.
    pub const ALL: [Self; 7] =
        [Self::Drift, Self::Quality, Self::Estimate, Self::Freshness, Self::NoData, Self::Business, Self::Retraining];

    /// Those whose alert is reason to train, with the reason.
    pub const TRAINING: [(Self, Reason); 3] =
        [(Self::Drift, Reason::Drift), (Self::Quality, Reason::Quality), (Self::Estimate, Reason::EstimatedLoss)];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drift => "drift",
            Self::Quality => "quality",
            Self::Estimate => "estimate",
            Self::Freshness => "freshness",
            Self::NoData => "no_data",
            Self::Business => "business",
            Self::Retraining => "retraining",
        }
    }

    /// The word that a subject begins with.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Drift => "Drift",
            Self::Quality => "Quality",
            Self::Estimate => "Estimated quality",
            Self::Freshness => "Stale data",
            Self::NoData => "No traffic",
            Self::Business => "Business metric",
            Self::Retraining => "Retraining",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Cause {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == text).ok_or_else(|| format!("{text:?} is no cause"))
    }
}

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Breached, but not for long enough.
    Pending,
    /// Somebody should look.
    Firing,
    /// Fine again.
    Resolved,
    /// It was over before it fired.
    Over,
}

impl State {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Over => "over",
        }
    }

    /// Whether it is still about something.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Firing)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for State {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Pending, Self::Firing, Self::Resolved, Self::Over]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("{text:?} is no state of an incident"))
    }
}

/// What one look found of a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Not as it should be.
    Breach,
    /// As it should be.
    Fine,
    /// Too little to say.
    Unknown,
    /// Nobody looks any more: the document or the live version knows no such rule.
    Unwatched,
}

/// What a letter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It fires.
    Firing,
    /// It is fine again.
    Resolved,
}

impl Told {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

impl FromStr for Told {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Firing, Self::Resolved]
            .into_iter()
            .find(|told| told.as_str() == text)
            .ok_or_else(|| format!("{text:?} is nothing that is told"))
    }
}

/// A letter that is due, in the order in which they are written: what is over comes before what fires, so that an alert that begins never
/// stands above the end of the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Letter {
    /// Nobody has acknowledged it for so long that others are told.
    Escalation,
    /// It fired and was over while it was silenced, or before it could be told.
    Missed,
    /// It is fine again.
    Resolved,
    /// It fires, and nobody knows yet.
    Firing,
    /// It still fires, and nobody has acknowledged it.
    Reminder,
}

/// Looks in a row that make an incident fire, and that end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InARow {
    /// Breaches.
    pub fires: u32,
    /// Looks that find it fine.
    pub ends: u32,
}

impl InARow {
    /// One look does either.
    pub const ONE: Self = Self { fires: 1, ends: 1 };
}

/// One incident, as far as the rules look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incident {
    /// Where it stands.
    pub state: State,
    /// Breaches in a row while it is pending, fine looks in a row while it fires.
    pub in_a_row: u32,
    /// When it first fired since it was resolved last.
    pub fired_at: Option<DateTime<Utc>>,
    /// When it was resolved.
    pub resolved_at: Option<DateTime<Utc>>,
    /// What was told last, and when.
    pub told: Option<(Told, DateTime<Utc>)>,
    /// When whoever is on call was first told since it fired: it may have been silenced then.
    pub heard_at: Option<DateTime<Utc>>,
    /// Whether others were told since it fired.
    pub escalated: bool,
    /// Whether somebody has taken it on.
    pub acknowledged: bool,
    /// Until when nobody is written to.
    pub silenced_until: Option<DateTime<Utc>>,
    /// Since when nothing that is seen says whether it still fires.
    pub blind_since: Option<DateTime<Utc>>,
}

impl Incident {
    /// An incident of a first breach, which fires after so many.
    pub const fn begin(after: u32, now: DateTime<Utc>) -> Self {
        let state = if after <= 1 { State::Firing } else { State::Pending };
        Self {
            state,
            in_a_row: if after <= 1 { 0 } else { 1 },
            fired_at: if after <= 1 { Some(now) } else { None },
            resolved_at: None,
            told: None,
            heard_at: None,
            escalated: false,
            acknowledged: false,
            silenced_until: None,
            blind_since: None,
        }
    }

    /// Whether a new breach belongs to it.
    pub fn takes_up(&self, now: DateTime<Utc>) -> bool {
        self.state.is_open()
            || self.state == State::Resolved && self.resolved_at.is_some_and(|resolved| resolved + QUIET > now)
    }

    /// The incident after another look. It fires after so many breaches in a row, and is resolved after so many fine looks.
    #[must_use]
    pub fn after_look(mut self, seen: Seen, in_a_row: InARow, now: DateTime<Utc>) -> Self {
        self.blind_since = match (self.state, seen) {
            (State::Firing, Seen::Unknown) => self.blind_since.or(Some(now)),
            _ => None,
        };
        match (self.state, seen) {
            (_, Seen::Unknown) | (State::Over | State::Resolved, Seen::Fine | Seen::Unwatched) => {}
            (State::Pending | State::Resolved | State::Over, Seen::Breach) => {
                self.in_a_row = if self.state == State::Pending { self.in_a_row + 1 } else { 1 };
                if self.state == State::Resolved || self.in_a_row >= in_a_row.fires {
                    (self.state, self.in_a_row) = (State::Firing, 0);
                    (self.fired_at, self.resolved_at) = (Some(now), None);
                    // Whoever has not been told that it was over knows that it fires.
                    if !matches!(self.told, Some((Told::Firing, _))) {
                        (self.acknowledged, self.escalated, self.heard_at) = (false, false, None);
                    }
                } else {
                    self.state = State::Pending;
                }
            }
            (State::Pending, Seen::Fine | Seen::Unwatched) => (self.state, self.in_a_row) = (State::Over, 0),
            (State::Firing, Seen::Breach) => self.in_a_row = 0,
            (State::Firing, Seen::Fine | Seen::Unwatched) => {
                self.in_a_row += 1;
                if self.in_a_row >= in_a_row.ends || seen == Seen::Unwatched {
                    (self.state, self.in_a_row) = (State::Resolved, 0);
                    self.resolved_at = Some(now);
                }
            }
        }
        self
    }

    /// The letter that is due by now; others are told when nobody has acknowledged it for `escalate_after`.
    pub fn letter_due(&self, escalate_after: Option<TimeDelta>, now: DateTime<Utc>) -> Option<Letter> {
        if self.silenced_until.is_some_and(|until| until > now) {
            return None;
        }
        match (self.state, self.told) {
            (State::Firing, None) => Some(Letter::Firing),
            (State::Firing, Some((Told::Resolved, at))) => (at + QUIET <= now).then_some(Letter::Firing),
            (State::Firing, Some((Told::Firing, at))) if !self.acknowledged => {
                let is_late = escalate_after.zip(self.heard_at).is_some_and(|(after, heard)| heard + after <= now);
                match (is_late && !self.escalated, at + REPEAT <= now) {
                    (true, _) => Some(Letter::Escalation),
                    (false, true) => Some(Letter::Reminder),
                    (false, false) => None,
                }
            }
            (State::Resolved, Some((Told::Firing, _))) => Some(Letter::Resolved),
            (State::Resolved, _) if self.was_missed() => Some(Letter::Missed),
            _ => None,
        }
    }

    /// Whether it fired in a silence and nobody was told since, or was over before anybody could be told.
    fn was_missed(&self) -> bool {
        let Some(fired) = self.fired_at else { return false };
        match self.told {
            None => true,
            Some((_, at)) => {
                // Soon after the last letter it was kept quiet about on purpose.
                let was_due = self.resolved_at.is_some_and(|resolved| at + QUIET <= resolved);
                at < fired && (self.fired_silenced() || was_due)
            }
        }
    }

    /// Whether it fired in a silence.
    fn fired_silenced(&self) -> bool {
        self.fired_at.zip(self.silenced_until).is_some_and(|(fired, until)| fired < until)
    }

    /// The incident once that letter is written.
    #[must_use]
    pub const fn told(mut self, letter: Letter, now: DateTime<Utc>) -> Self {
        match letter {
            Letter::Firing | Letter::Reminder => {
                self.told = Some((Told::Firing, now));
                if self.heard_at.is_none() {
                    self.heard_at = Some(now);
                }
            }
            Letter::Escalation => self.escalated = true,
            Letter::Resolved | Letter::Missed => self.told = Some((Told::Resolved, now)),
        }
        self
    }

    /// What people call where it stands.
    pub fn standing(&self, now: DateTime<Utc>) -> &'static str {
        match self.state {
            State::Firing if self.silenced_until.is_some_and(|until| until > now) => "silenced",
            State::Firing if self.acknowledged => "acknowledged",
            State::Firing if self.blind_since.is_some() => "no_data",
            state => state.as_str(),
        }
    }
}

/// How often is written about one problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// After how long others are told of what nobody has acknowledged.
    pub escalate_after: Option<TimeDelta>,
    /// The time from one look at which letters are written to the next.
    pub interval: TimeDelta,
    /// When the last ones were.
    pub last: Option<DateTime<Utc>>,
}

impl Pace {
    /// Whether such a letter may be written now. One to others than before waits for nothing.
    pub fn allows(&self, letter: Letter, now: DateTime<Utc>) -> bool {
        letter == Letter::Escalation || self.last.is_none_or(|last| last + self.interval <= now)
    }
}

/// Letters to be written now about incidents of one problem, in their order, each with what it is about, in the order in which the incidents
/// come: what is told in the same way at the same time is told in one.
pub fn letters_due<T>(
    incidents: impl IntoIterator<Item = (Incident, T)>,
    pace: Pace,
    now: DateTime<Utc>,
) -> Vec<(Letter, Vec<T>)> {
    let mut letters: BTreeMap<Letter, Vec<T>> = BTreeMap::new();
    for (incident, about) in incidents {
        let due = incident.letter_due(pace.escalate_after, now).filter(|due| pace.allows(*due, now));
        if let Some(due) = due {
            letters.entry(due).or_default().push(about);
        }
    }
    letters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(minutes * 60, 0).unwrap()
    }

    /// Looks once a minute and writes what is due; gives the letters with their minutes.
    fn watched(after: u32, looks: impl Iterator<Item = Seen>) -> (Vec<(i64, Letter)>, Vec<Incident>) {
        let (mut all, mut letters): (Vec<Incident>, Vec<(i64, Letter)>) = (Vec::new(), Vec::new());
        for (minute, seen) in (0..).zip(looks) {
            let now = at(minute);
            match all.last_mut().filter(|last| last.takes_up(now)) {
                Some(last) => *last = last.after_look(seen, InARow { fires: after, ends: after }, now),
                None if seen == Seen::Breach => all.push(Incident::begin(after, now)),
                None => {}
            }
            if let Some(last) = all.last_mut()
                && let Some(letter) = last.letter_due(None, now)
            {
                *last = last.told(letter, now);
                letters.push((minute, letter));
            }
        }
        (letters, all)
    }

    use Seen::{Breach, Fine, Unknown};

    #[test]
    fn one_breach_of_two_needed_tells_nobody() {
        let (letters, all) = watched(2, [Breach, Fine, Fine].into_iter());
        assert_eq!((letters, all.len(), all[0].state), (vec![], 1, State::Over));
    }

    #[test]
    fn it_fires_once_after_enough_breaches_in_a_row_and_is_resolved_once() {
        let (letters, _) = watched(2, [Breach, Breach, Breach, Fine, Breach, Fine, Fine, Fine].into_iter());
        assert_eq!(letters, [(1, Letter::Firing), (6, Letter::Resolved)]);
    }

    #[test]
    fn windows_without_enough_data_change_nothing() {
        let (letters, _) = watched(2, [Breach, Unknown, Breach, Unknown, Unknown, Fine, Unknown, Fine].into_iter());
        assert_eq!(letters, [(2, Letter::Firing), (7, Letter::Resolved)]);
    }

    #[test]
    fn a_thousand_looks_at_one_open_incident_are_one_letter_and_reminders_every_four_hours() {
        let (letters, all) = watched(1, std::iter::repeat_n(Breach, 1_000));
        let reminders = [240, 480, 720, 960].map(|minute| (minute, Letter::Reminder));
        assert_eq!((&letters[..1], &letters[1..], all.len()), (&[(0, Letter::Firing)][..], &reminders[..], 1));
    }

    #[test]
    fn twenty_flips_in_ten_minutes_are_two_letters_at_most() {
        let flips = (0..20).map(|flip| if flip % 2 == 0 { Breach } else { Fine });
        let (letters, all) = watched(1, flips);
        assert_eq!((letters, all.len()), (vec![(0, Letter::Firing), (1, Letter::Resolved)], 1));
    }

    #[test]
    fn what_breaches_again_and_lasts_is_told_when_the_quiet_is_over() {
        let looks = [Breach, Fine].into_iter().chain(std::iter::repeat_n(Breach, 90));
        let (letters, _) = watched(1, looks);
        assert_eq!(letters, [(0, Letter::Firing), (1, Letter::Resolved), (61, Letter::Firing)]);
    }

    #[test]
    fn whoever_acknowledges_is_not_reminded_and_still_hears_that_it_is_over() {
        let mut incident = Incident::begin(1, at(0)).told(Letter::Firing, at(0));
        incident.acknowledged = true;
        assert_eq!(incident.letter_due(Some(TimeDelta::minutes(30)), at(600)), None);
        let over = incident.after_look(Fine, InARow::ONE, at(601));
        assert_eq!(over.letter_due(None, at(601)), Some(Letter::Resolved));
    }

    #[test]
    fn a_silence_holds_every_letter_back_until_its_end() {
        let mut incident = Incident::begin(1, at(0));
        incident.silenced_until = Some(at(60));
        assert_eq!((incident.letter_due(None, at(59)), incident.standing(at(59))), (None, "silenced"));
        assert_eq!(incident.letter_due(None, at(60)), Some(Letter::Firing));
    }

    #[test]
    fn what_fired_and_was_over_in_a_silence_is_told_once_when_it_ends() {
        let mut incident = Incident::begin(1, at(0));
        incident.silenced_until = Some(at(60));
        let over = incident.after_look(Fine, InARow::ONE, at(10));
        assert_eq!((over.state, over.letter_due(None, at(59))), (State::Resolved, None));
        assert_eq!(over.letter_due(None, at(60)), Some(Letter::Missed));
        assert_eq!(over.told(Letter::Missed, at(60)).letter_due(None, at(61)), None);
        // What was told to fire before the silence is told to be over.
        let mut known = Incident::begin(1, at(0)).told(Letter::Firing, at(0));
        known.silenced_until = Some(at(60));
        assert_eq!(known.after_look(Fine, InARow::ONE, at(10)).letter_due(None, at(60)), Some(Letter::Resolved));
    }

    #[test]
    fn an_alert_keeps_firing_for_as_many_fine_windows_as_the_document_asks_for() {
        let rule = InARow { fires: 1, ends: 3 };
        let mut incident = Incident::begin(1, at(0));
        for (minute, seen) in (1..).zip([Fine, Fine, Breach, Fine, Fine]) {
            incident = incident.after_look(seen, rule, at(minute));
            assert_eq!(incident.state, State::Firing, "{minute}");
        }
        assert_eq!(incident.after_look(Fine, rule, at(6)).state, State::Resolved);
    }

    #[test]
    fn a_firing_alert_of_which_nothing_is_known_any_more_says_since_when() {
        let fired = Incident::begin(1, at(0));
        let blind = fired.after_look(Unknown, InARow::ONE, at(5)).after_look(Unknown, InARow::ONE, at(6));
        assert_eq!((blind.state, blind.standing(at(6)), blind.blind_since), (State::Firing, "no_data", Some(at(5))));
        assert_eq!(blind.after_look(Breach, InARow::ONE, at(7)).standing(at(7)), "firing");
    }

    #[test]
    fn what_is_told_in_the_same_way_at_the_same_time_is_told_in_one_letter() {
        let fires = Incident::begin(1, at(0));
        let known = fires.told(Letter::Firing, at(0));
        let mut taken = known;
        taken.acknowledged = true;
        let over = known.after_look(Fine, InARow::ONE, at(240));
        let pending = Incident::begin(2, at(0));
        let all = [
            (known, "drift"),
            (fires, "data"),
            (pending, "quality"),
            (over, "traffic"),
            (taken, "sales"),
            (fires, "x"),
        ];
        let expected = [
            (Letter::Resolved, vec!["traffic"]),
            (Letter::Firing, vec!["data", "x"]),
            (Letter::Reminder, vec!["drift"]),
        ];
        let pace = Pace { escalate_after: None, interval: TimeDelta::zero(), last: Some(at(240)) };
        assert_eq!(letters_due(all, pace, at(240)), expected);
        assert!(letters_due([(pending, "quality"), (taken, "sales")], pace, at(240)).is_empty());
    }

    #[test]
    fn what_comes_up_soon_after_a_letter_waits_for_the_next_one_but_others_are_told_in_time() {
        let fires = Incident::begin(1, at(0));
        let over = fires.told(Letter::Firing, at(0)).after_look(Fine, InARow::ONE, at(29));
        let ignored = fires.told(Letter::Firing, at(0));
        let all = [(over, "traffic"), (fires, "data"), (ignored, "drift"), (fires, "sales")];
        let pace = |last| Pace {
            escalate_after: Some(TimeDelta::minutes(30)),
            interval: TimeDelta::minutes(5),
            last: Some(at(last)),
        };
        let escalated = (Letter::Escalation, vec!["drift"]);
        assert_eq!(letters_due(all, pace(26), at(30)), std::slice::from_ref(&escalated));
        let (over, fires) = ((Letter::Resolved, vec!["traffic"]), (Letter::Firing, vec!["data", "sales"]));
        assert_eq!(letters_due(all, pace(25), at(30)), [escalated, over, fires]);
    }

    #[test]
    fn that_an_alert_is_over_is_told_before_the_next_one_of_its_cause_fires() {
        let mut first = Incident::begin(1, at(0));
        first.silenced_until = Some(at(120));
        let first = first.after_look(Fine, InARow::ONE, at(10));
        assert!(!first.takes_up(at(90)), "what breaches then is another one");
        let mut next = Incident::begin(1, at(90));
        next.silenced_until = first.silenced_until;
        let all = [(next, "next"), (first, "first")];
        let pace = Pace { escalate_after: None, interval: TimeDelta::minutes(5), last: None };
        assert_eq!(letters_due(all, pace, at(119)), []);
        assert_eq!(letters_due(all, pace, at(120)), [(Letter::Missed, vec!["first"]), (Letter::Firing, vec!["next"])]);
    }

    #[test]
    fn what_is_over_before_its_turn_is_told_once_and_what_comes_back_before_is_as_if_it_had_gone_on() {
        let fires = Incident::begin(1, at(0));
        let over = fires.after_look(Fine, InARow::ONE, at(3));
        assert_eq!(over.letter_due(None, at(5)), Some(Letter::Missed));
        assert_eq!(over.told(Letter::Missed, at(5)).letter_due(None, at(6)), None);

        // It was to be told an hour after the last letter, and another one was just out.
        let again = over.told(Letter::Missed, at(5)).after_look(Breach, InARow::ONE, at(55));
        let over_soon = again.after_look(Fine, InARow::ONE, at(60));
        assert_eq!(over_soon.letter_due(None, at(66)), None, "it was still kept quiet about");
        let over_late = again.after_look(Fine, InARow::ONE, at(66));
        assert_eq!(over_late.letter_due(None, at(68)), Some(Letter::Missed));

        let mut taken = fires.told(Letter::Firing, at(0));
        taken.acknowledged = true;
        let back = taken.after_look(Fine, InARow::ONE, at(2)).after_look(Breach, InARow::ONE, at(3));
        assert!(back.acknowledged && back.heard_at == Some(at(0)), "{back:?}");
        assert_eq!(back.letter_due(None, at(5)), None, "nobody was told that it was over");
    }

    #[test]
    fn others_are_told_no_sooner_than_whoever_is_on_call_had_the_time_to_answer() {
        let after = Some(TimeDelta::minutes(30));
        // It fired while it was silenced; the first letter came two hours later.
        let incident = Incident::begin(1, at(0)).told(Letter::Firing, at(120));
        assert_eq!(incident.letter_due(after, at(121)), None);
        assert_eq!(incident.letter_due(after, at(150)), Some(Letter::Escalation));
        // Where others are told after days, reminders do not put that off.
        let (days, mut incident) = (Some(TimeDelta::days(2)), Incident::begin(1, at(0)).told(Letter::Firing, at(0)));
        for hours in (4..48).step_by(4) {
            assert_eq!(incident.letter_due(days, at(hours * 60)), Some(Letter::Reminder), "{hours}");
            incident = incident.told(Letter::Reminder, at(hours * 60));
        }
        assert_eq!(incident.letter_due(days, at(48 * 60)), Some(Letter::Escalation));
    }

    #[test]
    fn others_are_told_once_when_nobody_acknowledges() {
        let after = Some(TimeDelta::minutes(30));
        let incident = Incident::begin(1, at(0)).told(Letter::Firing, at(0));
        assert_eq!(incident.letter_due(after, at(29)), None);
        assert_eq!(incident.letter_due(after, at(30)), Some(Letter::Escalation));
        assert_eq!(incident.told(Letter::Escalation, at(30)).letter_due(after, at(31)), None);
    }
}
