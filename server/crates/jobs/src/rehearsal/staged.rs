//! A model on its way: the steps of a rollout over the rows of a history, judged by the rules of production.
//!
//! Each row is one request of its entity. What rests on servers is left out: no answer is slow. The business metric is not in a history, and
//! whoever would have to agree does so at once.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use millrace_domain::gate::MARGIN;
use millrace_domain::ids::RolloutId;
use millrace_domain::problem::{Conduct, RolloutCheck};
use millrace_domain::rollout::{Arm, Evidence, Losses, Next, Plan, Side, Unit, judge, score_bin};
use millrace_domain::run::RolloutStage;
use millrace_ml::model::Prediction;

use super::history::{History, Learned, Window};

/// Evidence is looked at so often in a window.
const LOOKS: i32 = 24;
/// While the units double, evidence is looked at hardly more often than so many times: a history may have a million of them.
const MOST_LOOKS: u64 = 200;

/// What was counted of a unit.
#[derive(Default)]
struct OfUnit {
    /// Asked and failed in the present step: of the candidate and of the champion.
    candidate: (u64, u64),
    control: (u64, u64),
    /// Rows whose outcome is known, the candidate's loss less the champion's, and the champion's, in all steps.
    labelled: f64,
    difference: f64,
    control_loss: f64,
    /// Sum of the squares of how far the two could have been apart.
    reach_squared: f64,
}

/// Something that happened on the way.
pub(super) struct Happened {
    pub at: DateTime<Utc>,
    pub what: &'static str,
    pub text: String,
}

/// How it ended.
enum Ended {
    /// It was taken back.
    RolledBack,
    /// It went through all steps.
    Stays,
}

/// What the rows of a window were answered.
pub(super) struct Answered {
    /// Row by row where there is an answer, by whoever answers users.
    pub answers: Vec<(u32, Prediction)>,
    /// Those of them that are of whoever is live at the window's end.
    pub of_live: Vec<(u32, Prediction)>,
    /// What a server would have counted of the answers of whoever is live at the window's end.
    pub counts: Vec<u64>,
    pub happened: Vec<Happened>,
}

/// A model on its way.
pub(super) struct Staged {
    candidate: Learned,
    champion: Learned,
    plan: Plan,
    rollout: RolloutId,
    position: usize,
    begins: DateTime<Utc>,
    step_began: DateTime<Utc>,
    /// The last look, and requests and outcomes since.
    looked_at: DateTime<Utc>,
    changes: u64,
    ended: Option<Ended>,
    units: BTreeMap<Unit, OfUnit>,
    scores: BTreeMap<i32, (u64, u64)>,
    /// When outcomes are known, by row.
    known: HashMap<u32, i64>,
    /// Outcomes that are not known yet, in the order in which they will be: of which unit, and both losses.
    awaited: BTreeMap<(i64, u32), (Unit, Losses)>,
}

impl Staged {
    /// On its way from a moment on, by the document's plan.
    pub(super) fn new(history: &History, candidate: Learned, champion: Learned, begins: DateTime<Utc>) -> Self {
        let mut plan = Plan::of(&history.rehearsal.plan.document);
        // It is not in a history. The level of the other checks is as in production.
        plan.watched.push(RolloutCheck::Business);
        Self {
            rollout: RolloutId(i64::from(candidate.number)),
            candidate,
            champion,
            plan,
            position: 0,
            begins,
            step_began: begins,
            looked_at: begins,
            changes: 0,
            ended: None,
            units: BTreeMap::new(),
            scores: BTreeMap::new(),
            known: history.known_when(begins),
            awaited: BTreeMap::new(),
        }
    }

    /// What it is doing first.
    pub(super) fn first_step(&self) -> String {
        self.plan.step(0).title()
    }

    /// Who answers when nothing else is said.
    pub(super) fn live(&self) -> &Learned {
        if self.is_full() { &self.candidate } else { &self.champion }
    }

    /// When it went out.
    pub(super) const fn begins(&self) -> DateTime<Utc> {
        self.begins
    }

    /// Which model is on its way.
    pub(super) const fn number(&self) -> u32 {
        self.candidate.number
    }

    /// Whether it was taken back.
    pub(super) const fn is_rolled_back(&self) -> bool {
        matches!(self.ended, Some(Ended::RolledBack))
    }

    /// Whether nothing more comes of it.
    pub(super) const fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    fn stage(&self) -> RolloutStage {
        self.plan.step(self.position).stage
    }

    fn is_full(&self) -> bool {
        match self.ended {
            Some(Ended::RolledBack) => false,
            Some(Ended::Stays) => true,
            None => self.stage() == RolloutStage::Watch,
        }
    }

    /// Goes through the rows of a window, and looks at the evidence again and again until its end.
    pub(super) fn go_through(&mut self, history: &History, (begins, ends): Window) -> Answered {
        let mut answers: Vec<(u32, Prediction)> = Vec::new();
        let mut by_candidate = Vec::new();
        let mut counts =
            [self.champion.reference.width(), self.candidate.reference.width()].map(|width| vec![0; width]);
        let mut happened = Vec::new();
        let part = (ends - begins) / LOOKS;
        for look in 0..LOOKS {
            let from = begins + part * look;
            let until = if look + 1 == LOOKS { ends } else { from + part };
            for (at, row) in history.timed(from, until) {
                let is_begun = self.ended.is_none() && *at >= self.begins.timestamp_micros();
                if let Some((answer, is_candidates)) = self.ask(history, *row, is_begun, &mut counts) {
                    answers.push((*row, answer));
                    by_candidate.push(is_candidates);
                }
            }
            if self.ended.is_none() && until > self.begins {
                self.learn_outcomes(until);
                if self.is_worth_a_look(until) {
                    happened.extend(self.look(until));
                    (self.looked_at, self.changes) = (until, 0);
                }
            }
        }
        let [champion, candidate] = counts;
        let is_full = self.is_full();
        let own = answers.iter().zip(by_candidate).filter(|(_, by_candidate)| *by_candidate == is_full);
        let of_live: Vec<_> = own.map(|(answer, _)| answer.clone()).collect();
        // Answers of models that know other classes cannot be put together.
        let answers =
            if self.candidate.model.classes() == self.champion.model.classes() { answers } else { of_live.clone() };
        Answered { answers, of_live, counts: if is_full { candidate } else { champion }, happened }
    }

    /// One request: what its caller gets, and whether that is the candidate's.
    fn ask(
        &mut self,
        history: &History,
        row: u32,
        is_begun: bool,
        counts: &mut [Vec<u64>; 2],
    ) -> Option<(Prediction, bool)> {
        let entity = history.entity(row);
        let unit = Unit::of_prediction(self.rollout, entity.as_deref(), &u128::from(row).to_be_bytes());
        let stage = self.stage();
        let arm = match stage {
            _ if !is_begun => Arm::Rest,
            RolloutStage::Shadow => Arm::Control,
            RolloutStage::Canary => unit.arm(self.plan.step(self.position).percent),
            RolloutStage::Watch => Arm::Candidate,
        };
        let by_candidate = if is_begun { arm == Arm::Candidate } else { self.has_ended() && self.is_full() };
        if arm == Arm::Rest {
            let (by, counts) = match by_candidate {
                true => (&self.candidate, &mut counts[1]),
                false => (&self.champion, &mut counts[0]),
            };
            return history.answer(by, row, Some(counts)).map(|answer| (answer, by_candidate));
        }
        let [of_champion, of_candidate] = counts;
        let candidate = history.answer(&self.candidate, row, by_candidate.then_some(of_candidate));
        let control = history.answer(&self.champion, row, (!by_candidate).then_some(of_champion));
        let own = self.units.entry(unit).or_default();
        // In the shadow and once it is full both are asked; in a canary each counts what its own callers got.
        let is_canary = stage == RolloutStage::Canary;
        if !is_canary || by_candidate {
            own.candidate.0 += 1;
            own.candidate.1 += u64::from(candidate.is_none());
        }
        if !is_canary || !by_candidate {
            own.control.0 += 1;
            own.control.1 += u64::from(control.is_none());
        }
        if let (Some(candidate), Some(control)) = (&candidate, &control) {
            self.compare(history, row, unit, candidate, control);
        }
        // Where the candidate has no answer, the champion helps out.
        self.changes += 1;
        match candidate {
            Some(answer) if by_candidate => Some((answer, true)),
            _ => control.map(|answer| (answer, false)),
        }
    }

    /// Two answers to one request.
    fn compare(&mut self, history: &History, row: u32, unit: Unit, candidate: &Prediction, control: &Prediction) {
        let outputs =
            (candidate.to_json(self.candidate.model.classes()), control.to_json(self.champion.model.classes()));
        let classes: Vec<&str> = self.champion.model.classes().iter().map(AsRef::as_ref).collect();
        if let Some(bin) = score_bin(&outputs.0, &classes) {
            self.scores.entry(bin).or_default().0 += 1;
        }
        if let Some(bin) = score_bin(&outputs.1, &classes) {
            self.scores.entry(bin).or_default().1 += 1;
        }
        let Some((known, label)) = self.known.get(&row).copied().zip(history.label(row)) else { return };
        if let Some(losses) = self.plan.loss.compare(&outputs.0, &outputs.1, &label, &classes) {
            self.awaited.insert((known, row), (unit, losses));
        }
    }

    /// Outcomes that have come to be known.
    fn learn_outcomes(&mut self, now: DateTime<Utc>) {
        let later = self.awaited.split_off(&(now.timestamp_micros() + 1, 0));
        for (unit, losses) in std::mem::replace(&mut self.awaited, later).into_values() {
            let own = self.units.entry(unit).or_default();
            own.labelled += 1.0;
            own.difference += losses.candidate - losses.control;
            own.control_loss += losses.control;
            own.reach_squared += losses.reach_squared;
            self.changes += 1;
        }
    }

    /// Whether there is so much new, or so much time went by, that another look may say something else. All units are gone through for one.
    fn is_worth_a_look(&self, now: DateTime<Utc>) -> bool {
        let step = self.plan.step(self.position);
        let passes = |seconds: u64| {
            let limit = i64::try_from(seconds).unwrap_or(i64::MAX);
            (self.looked_at - self.step_began).num_seconds() <= limit && (now - self.step_began).num_seconds() >= limit
        };
        self.changes * MOST_LOOKS >= self.units.len() as u64 && self.changes > 0
            || passes(step.min_seconds)
            || passes(self.plan.deadline_seconds)
    }

    fn evidence(&self, now: DateTime<Utc>) -> Evidence {
        let mut seen = Evidence {
            seconds: (now - self.step_began).as_seconds_f64(),
            scores: self.scores.values().copied().collect(),
            ..Evidence::default()
        };
        let mut control_loss = 0.0;
        let count = |side: &mut Side, (asked, failed): (u64, u64), other: u64| {
            side.units += u64::from(asked > 0);
            side.asked += asked;
            side.failed += failed;
            side.alone_failed += u64::from(failed > 0 && other == 0);
        };
        for own in self.units.values() {
            count(&mut seen.candidate, own.candidate, own.control.1);
            count(&mut seen.control, own.control, own.candidate.1);
            if own.labelled > 0.0 {
                seen.difference.add(own.labelled, own.difference);
                seen.excess.add(own.labelled, own.difference - MARGIN * own.control_loss);
                seen.reach_squared += own.reach_squared;
                control_loss += own.control_loss;
            }
        }
        seen.control_loss = (seen.difference.rows > 0.0).then(|| control_loss / seen.difference.rows);
        seen
    }

    /// What follows from what was counted.
    fn look(&mut self, now: DateTime<Utc>) -> Option<Happened> {
        let judged = judge(&self.plan, self.position, &self.evidence(now));
        let title = self.plan.step(self.position).title();
        let asked = |conduct: Conduct| if conduct == Conduct::Ask { ", and somebody agrees at once" } else { "" };
        let number = self.candidate.number;
        match judged.next {
            Next::Hold => None,
            Next::Advance if self.position + 1 < self.plan.steps.len() => {
                self.position += 1;
                self.step_began = now;
                self.scores.clear();
                self.units.values_mut().for_each(|own| (own.candidate, own.control) = ((0, 0), (0, 0)));
                let next = self.plan.step(self.position).title();
                let text = format!(
                    "model {number} shows everything that {title} must show{}: {next} begins",
                    asked(self.plan.advance)
                );
                Some(Happened { at: now, what: "stage", text })
            }
            Next::Advance => {
                self.ended = Some(Ended::Stays);
                Some(Happened {
                    at: now,
                    what: "stays",
                    text: format!("model {number} went through all steps and stays"),
                })
            }
            next => {
                self.ended = Some(Ended::RolledBack);
                let open = judged.open.join(", ");
                let text = match next {
                    Next::Breach => format!("in {title} it failed: {open}{}", asked(self.plan.on_breach)),
                    _ => format!("in {title} it did not show within its deadline: {open}"),
                };
                Some(Happened { at: now, what: "rolled_back", text })
            }
        }
    }
}
