//! Staged rollout: shadow, canary step by step, full, and a while of watching. The verdict is a function of what was counted.
//!
//! A [`Plan`] follows from the document that was signed off; [`judge`] says what follows from [`Evidence`]. Whoever asks (the
//! conductor, a person who wants to go on, a page) gets the same answer, and missing evidence never goes on.
//!
//! A check passes when the candidate is shown to be at most a margin worse, fails when it is shown to be worse, and else lacks
//! evidence. What shows it to be worse is counted in *units* (entities), since those are what is assigned: a thousand failing requests
//! of one entity are one bad event. All tests may be looked at at any time ([`sequential`]); the level of each is such that a candidate that
//! is as good as the champion is taken back by chance in at most [`FALSE_ALARMS`] of all rollouts. The bounds of the shift alone are
//! not made for many looks: its threshold is far above what chance does.

mod arm;
#[cfg(test)]
pub(crate) mod chance;
mod course;
mod reading;
pub mod sequential;
mod slices;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::drift::distances;
use crate::gate::{Decision, Gate, MARGIN, Verdict, decide};
use crate::metric::Direction;
use crate::problem::{Business, Conduct, Drift, DriftMetric, ProblemDocument, Rollout, RolloutCheck, Span, Stage};
use crate::run::RolloutStage;

pub use arm::{Arm, Unit};
pub use course::{Look, Seen, slot_of};
pub use reading::{Loss, Losses, class_of, latency_bin, latency_of, probability_of, same, score_bin, value_of};
pub use slices::{AskedBoth, SliceCompared, compare_slices};

use sequential::{Sums, is_not, more_often, share_bounds, weighted_bounds};

/// Version of the rules below; it is kept with every decision.
pub const RULES: u32 = 2;
/// Share of rollouts of equally good candidates that may be taken back by chance.
pub const FALSE_ALARMS: f64 = 0.05;
/// Share of requests by which more of the candidate's may fail, or be slow, than of the champion's.
pub const EXTRA: f64 = 0.01;
/// Level at which unequal arms show that the assignment is broken.
const BROKEN_ASSIGNMENT: f64 = 0.001;
/// Groups of scores that are compared.
const GROUPS: u64 = 10;

/// One stretch of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Step {
    /// What is done.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub stage: RolloutStage,
    /// Share of units that the candidate answers, in percent.
    pub percent: f64,
    /// Predictions that it must see.
    pub min_predictions: u64,
    /// Seconds that it must last.
    pub min_seconds: u64,
}

impl Step {
    /// `shadow`, `canary 5 %`, `full, watched`.
    pub fn title(&self) -> String {
        match self.stage {
            RolloutStage::Shadow => "shadow".to_owned(),
            RolloutStage::Canary => format!("canary {} %", self.percent),
            RolloutStage::Watch => "full, watched".to_owned(),
        }
    }
}

/// What a rollout goes through, and by which rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of the rules.
    pub rules: u32,
    /// The steps in order; the last one is the watch after full.
    pub steps: Vec<Step>,
    /// Seconds after which a step without evidence is taken back.
    pub deadline_seconds: u64,
    /// Who goes on when all passes.
    pub advance: Conduct,
    /// Who takes back when a check fails.
    pub on_breach: Conduct,
    /// Checks that are shown and decide nothing.
    pub watched: Vec<RolloutCheck>,
    /// An answer that took longer is slow, in milliseconds.
    pub slow_ms: f64,
    /// When scores have shifted.
    pub drift: Drift,
    /// Predictions below which nothing is said of a shift.
    pub min_rows: u64,
    /// How answers are held against the truth.
    pub loss: Loss,
    /// The business metric that a canary compares; none where its values do not belong to predictions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business: Option<Business>,
}

impl Plan {
    /// The plan that a document asks for. A step that needs neither predictions nor time is left out, except the watch.
    pub fn of(document: &ProblemDocument) -> Self {
        let rollout = &document.rollout;
        let step = |stage, percent, needs: &Stage| Step {
            stage,
            percent,
            min_predictions: needs.min_predictions,
            min_seconds: needs.min_duration.seconds(),
        };
        let canary = &rollout.canary;
        let percents = std::iter::once(canary.percent).chain(canary.steps.iter().copied());
        let mut steps = vec![step(RolloutStage::Shadow, 0.0, &rollout.shadow)];
        steps.extend(percents.map(|percent| step(RolloutStage::Canary, percent, &canary.evidence)));
        steps.retain(|step| step.min_predictions > 0 || step.min_seconds > 0);
        steps.push(step(RolloutStage::Watch, 100.0, &rollout.watch()));
        Self {
            rules: RULES,
            steps,
            deadline_seconds: rollout.deadline.unwrap_or(Rollout::USUAL_DEADLINE).seconds(),
            advance: rollout.advance,
            on_breach: rollout.on_breach,
            watched: rollout.watched.clone(),
            slow_ms: document.serving.p99_ms,
            drift: document.monitoring.drift,
            min_rows: document.monitoring.min_rows,
            loss: Loss::of(document.success.metric, document.target.quantile),
            business: document.business.clone().filter(|business| business.margin.is_some()),
        }
    }

    /// The level of each test: all of them together keep [`FALSE_ALARMS`].
    pub fn alpha(&self) -> f64 {
        // Failures and slow answers are tested anew in every step, quality and the business metric once over all of them.
        FALSE_ALARMS / (2 * self.steps.len() + 1 + usize::from(self.business.is_some())) as f64
    }

    /// The units around which bounds of means are narrowest. One boundary for all steps: another one for each would be another test.
    fn expected_units(&self) -> u64 {
        self.steps.iter().map(|step| step.min_predictions).max().unwrap_or(0).max(200)
    }

    /// The business metric as it is compared from this step on, with its margin: from the first canary on, since nobody is answered by a
    /// candidate in the shadow.
    fn compared_business(&self, position: usize) -> Option<(&Business, f64)> {
        let is_begun = self.steps.iter().take(position + 1).any(|step| step.stage == RolloutStage::Canary);
        let business = self.business.as_ref().filter(|_| is_begun)?;
        Some((business, business.margin?))
    }

    /// Whether a check is shown and decides nothing.
    fn is_watched(&self, check: &Gate) -> bool {
        self.watched.iter().any(|watched| watched.as_str() == check.name)
    }

    /// What the checks say together, without those that are watched only.
    pub fn decide(&self, checks: &[Gate]) -> Decision {
        let deciding: Vec<Gate> = checks.iter().filter(|check| !self.is_watched(check)).cloned().collect();
        decide(&deciding)
    }

    /// A step by its position; the last one for positions beyond.
    ///
    /// # Panics
    /// Never: a plan has a watch at least.
    pub fn step(&self, position: usize) -> &Step {
        &self.steps[position.min(self.steps.len() - 1)]
    }
}

/// One side of a comparison.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Side {
    /// Units that asked.
    pub units: u64,
    /// Their requests.
    pub asked: u64,
    /// Requests that were not answered.
    pub failed: u64,
    /// Requests that were answered slowly.
    pub slow: u64,
    /// Units with a failure that the other side did not have.
    pub alone_failed: u64,
    /// Units with a slow answer that the other side did not have.
    pub alone_slow: u64,
}

/// What was counted in a step, and of quality in all steps.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    /// How long the step has lasted, by the database's clock.
    pub seconds: f64,
    /// The candidate's units.
    pub candidate: Side,
    /// The champion's units that are compared with.
    pub control: Side,
    /// Answers by bin: the candidate's and the champion's.
    pub scores: Vec<(u64, u64)>,
    /// Loss of the candidate less that of the champion, over rows whose truth is known and that both answered.
    pub difference: Sums,
    /// The same less [`MARGIN`] of the champion's loss: below zero, the candidate is within the margin.
    pub excess: Sums,
    /// Σ over rows of the square of how far the two losses could have been apart, whatever the truth is.
    pub reach_squared: f64,
    /// Mean loss of the champion on those rows.
    pub control_loss: Option<f64>,
    /// The business metric over what the candidate was asked in all canaries, and over what the control group was.
    pub business: (Sums, Sums),
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Everything is shown: the next step may begin.
    Advance,
    /// Not enough is known yet.
    Hold,
    /// The candidate is shown to be worse.
    Breach,
    /// What had to be shown was not shown in time.
    OutOfTime,
}

/// A look at a rollout.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Every check.
    pub checks: Vec<Gate>,
    /// What follows of them.
    pub next: Next,
    /// Names of the checks that failed, or lack evidence where none failed, without those that are watched only. A watch that ends with its
    /// deadline goes on with some.
    pub open: Vec<String>,
}

/// What follows from what was counted in a step.
pub fn judge(plan: &Plan, position: usize, seen: &Evidence) -> Judgement {
    let step = plan.step(position);
    let alpha = plan.alpha();
    let mut checks = vec![
        enough(step, seen),
        bad_events("failures", "requests without an answer", alpha, seen, |side| (side.failed, side.alone_failed)),
        bad_events(RolloutCheck::Slow.as_str(), &format!("answers after {} ms", plan.slow_ms), alpha, seen, |side| {
            (side.slow, side.alone_slow)
        }),
        shift(plan, &seen.scores),
        quality(plan, seen),
    ];
    checks.extend(plan.compared_business(position).map(|(rule, margin)| {
        let mut check = business(plan, rule, margin, seen);
        // Nobody is answered by the champion any more, so no new value can show what was shown in the canary; only worse counts.
        if step.stage == RolloutStage::Watch && check.verdict == Verdict::Insufficient {
            check.verdict = Verdict::Pass;
            let said = check.note.take().unwrap_or_default();
            check.note = Some(format!("it was shown in the canary, and is not shown to be worse since; {said}"));
        }
        check
    }));
    if step.stage == RolloutStage::Canary {
        checks.push(ratio(seen));
    }
    for check in checks.iter_mut().filter(|check| plan.is_watched(check)) {
        check.note =
            Some(format!("only watched, as the document says; {}", check.note.as_deref().unwrap_or("as measured")));
    }
    let (next, open) = follows(plan, position, &checks, seen.seconds);
    Judgement { checks, next, open }
}

/// What follows from checks of a step that has lasted so long, and the names of those that failed, or lack evidence where none failed.
pub fn follows(plan: &Plan, position: usize, checks: &[Gate], seconds: f64) -> (Next, Vec<String>) {
    let failed: Vec<String> = checks
        .iter()
        .filter(|check| check.verdict == Verdict::Fail && !plan.is_watched(check))
        .map(|check| check.name.clone())
        .collect();
    let late = seconds > plan.deadline_seconds as f64;
    match plan.decide(checks) {
        Decision::Passed => (Next::Advance, Vec::new()),
        Decision::Rejected(_) if !failed.is_empty() => (Next::Breach, failed),
        // What is full already has shown all that the steps before asked for: without new evidence it stays.
        Decision::Rejected(open) if late && plan.step(position).stage == RolloutStage::Watch => (Next::Advance, open),
        Decision::Rejected(open) if late => (Next::OutOfTime, open),
        Decision::Rejected(open) => (Next::Hold, open),
    }
}

fn gate(name: &str, rule: String, n: u64) -> Gate {
    Gate { n, ..Gate::new(name, rule) }
}

fn enough(step: &Step, seen: &Evidence) -> Gate {
    let shortest = Span::of_seconds(step.min_seconds).in_words();
    let rule = format!("at least {} predictions over at least {shortest}", step.min_predictions);
    let answered = seen.candidate.asked.saturating_sub(seen.candidate.failed);
    let mut gate = gate("evidence", rule, answered);
    gate.observed = Some(answered as f64);
    gate.threshold = Some(step.min_predictions as f64);
    gate.note = Some(format!("{} so far", Span::of_seconds(seen.seconds.max(0.0) as u64).in_words()));
    if answered >= step.min_predictions && seen.seconds >= step.min_seconds as f64 {
        gate.verdict = Verdict::Pass;
    }
    gate
}

/// How much greater the share of bad events is among the candidate's requests, and whether units had some that were spared them by
/// the champion more often than the other way round.
fn bad_events(name: &str, what: &str, alpha: f64, seen: &Evidence, of: impl Fn(&Side) -> (u64, u64)) -> Gate {
    let rule = format!("{what}: at most {} % more of the candidate's requests than of the champion's", EXTRA * 100.0);
    let (candidate, control) = (&seen.candidate, &seen.control);
    let ((bad, alone), (bad_control, alone_control)) = (of(candidate), of(control));
    let mut gate = gate(name, rule, candidate.asked);
    gate.threshold = Some(EXTRA);
    if candidate.asked == 0 || control.asked == 0 {
        let missing = if candidate.asked == 0 { "the candidate" } else { "the champion beside it" };
        gate.note = Some(format!("{missing} was not asked yet"));
        return gate;
    }
    let (low, high) = share_bounds(bad, candidate.asked, alpha / 2.0);
    let (low_control, high_control) = share_bounds(bad_control, control.asked, alpha / 2.0);
    let share = |bad: u64, asked: u64| bad as f64 / asked as f64;
    gate.observed = Some(share(bad, candidate.asked) - share(bad_control, control.asked));
    gate.interval = Some((low - high_control, high - low_control));
    gate.note = Some(format!(
        "{bad} of {}, the champion's {bad_control} of {}; units that had it on one side alone: {alone} and {alone_control}",
        candidate.asked, control.asked
    ));
    // A few units that fail always hide among the requests of many: once units show it to be worse, they have to show that it
    // is within the margin as well.
    let is_within = |high: f64| high - low_control <= EXTRA;
    let of_units = share_bounds(alone, candidate.units, alpha).1;
    gate.verdict = match more_often(alone, alone_control, alpha) {
        true if is_within(high) && of_units <= EXTRA => Verdict::Pass,
        true => Verdict::Fail,
        false if is_within(high) => Verdict::Pass,
        false => Verdict::Insufficient,
    };
    gate
}

/// How far the candidate's answers are from the champion's to the same requests.
fn shift(plan: &Plan, scores: &[(u64, u64)]) -> Gate {
    let (metric, limit) = (plan.drift.metric, plan.drift.threshold);
    let (candidate, control): (u64, u64) = (scores.iter().map(|bin| bin.0).sum(), scores.iter().map(|bin| bin.1).sum());
    let mut gate = gate(
        RolloutCheck::Shift.as_str(),
        format!("{metric} of its answers from the champion's at most {limit}"),
        candidate,
    );
    gate.threshold = Some(limit);
    if candidate.min(control) < plan.min_rows.max(1) {
        gate.note = Some(format!(
            "{candidate} and {control} answers; needs {} of each (monitoring.min_rows)",
            plan.min_rows.max(1)
        ));
        return gate;
    }
    let groups = grouped(scores, candidate + control);
    let (new, old): (Vec<u64>, Vec<u64>) = groups.iter().copied().unzip();
    let Some(apart) = distances(&old, &new) else { return gate };
    let by_sampling = 1.0 / candidate as f64 + 1.0 / control as f64;
    let freedom = (groups.len() - 1) as f64;
    // Under equality n · PSI is about chi-squared; the others are that times a constant, near zero.
    let noise = |factor: f64| factor * (freedom + 3.0 * (2.0 * freedom).sqrt()) * by_sampling;
    let (observed, noise) = match metric {
        DriftMetric::Kl => (apart.kl, noise(0.5)),
        DriftMetric::Js => (apart.js, noise(0.125)),
        DriftMetric::Psi => (apart.psi, noise(1.0)),
        DriftMetric::Ks => (steps_apart(scores, candidate, control), 1.95 * by_sampling.sqrt()),
    };
    gate.observed = Some(observed);
    gate.note = Some(format!("over {} groups of scores; equal models would be up to {noise:.4} apart", groups.len()));
    gate.verdict = match observed {
        observed if observed <= limit => Verdict::Pass,
        observed if observed - noise > limit => Verdict::Fail,
        _ => Verdict::Insufficient,
    };
    gate
}

/// Neighbouring bins put together until each group holds a tenth of all answers of both; what is left after the last is a group of
/// its own, unless it is next to nothing.
fn grouped(scores: &[(u64, u64)], all: u64) -> Vec<(u64, u64)> {
    let mut groups: Vec<(u64, u64)> = Vec::new();
    let mut open = (0, 0);
    for bin in scores {
        open = (open.0 + bin.0, open.1 + bin.1);
        if (open.0 + open.1) * GROUPS >= all {
            groups.push(std::mem::take(&mut open));
        }
    }
    match groups.last_mut() {
        Some(last) if (open.0 + open.1) * 10 * GROUPS < all => *last = (last.0 + open.0, last.1 + open.1),
        _ => groups.push(open),
    }
    groups
}

/// The greatest difference of the two distribution functions, over the bins.
fn steps_apart(scores: &[(u64, u64)], candidate: u64, control: u64) -> f64 {
    let mut below = (0, 0);
    let apart = scores.iter().map(|bin| {
        below = (below.0 + bin.0, below.1 + bin.1);
        (below.0 as f64 / candidate as f64 - below.1 as f64 / control as f64).abs()
    });
    apart.fold(0.0, f64::max)
}

/// Answers held against the truth, where both models answered the same row.
fn quality(plan: &Plan, seen: &Evidence) -> Gate {
    let title = plan.loss.title();
    let rule = format!("{title} at most {} % worse than the champion's, on rows whose truth is known", MARGIN * 100.0);
    let mut gate = gate(RolloutCheck::Quality.as_str(), rule, seen.difference.rows as u64);
    let (Some(mean), Some(control)) = (seen.difference.mean(), seen.control_loss) else {
        gate.note = Some("no outcome of a prediction that both models answered was reported yet".to_owned());
        return gate;
    };
    let margin = MARGIN * control;
    gate.observed = Some(mean);
    gate.threshold = Some(margin);
    let expected = plan.expected_units();
    gate.interval = seen.difference.with_unseen(seen.reach_squared).bounds(plan.alpha(), expected);
    // The margin is not known better than the champion's loss that it is a share of. It may be too small by no more than the difference is.
    let excess = seen.excess.with_unseen(seen.reach_squared).bounds(plan.alpha(), expected);
    gate.note = Some(format!(
        "candidate {:.4}, champion {control:.4}, over {} units and all steps; shown is the difference, greater is worse",
        control + mean,
        seen.difference.units
    ));
    gate.verdict = match (excess, gate.interval) {
        (Some((_, high)), _) if high <= 0.0 => Verdict::Pass,
        (_, Some((low, _))) if low > 0.0 => Verdict::Fail,
        _ => Verdict::Insufficient,
    };
    gate
}

/// The business metric where the candidate answers beside that of the control group at the same time. Who is asked by chance is compared,
/// whatever answered in the end.
fn business(plan: &Plan, rule: &Business, margin: f64, seen: &Evidence) -> Gate {
    let (candidate, control) = &seen.business;
    let words = format!(
        "{} ({}) at most {} % worse where the candidate answers than in the control group",
        rule.name,
        rule.unit,
        in_percent(margin)
    );
    let mut gate = gate(RolloutCheck::Business.as_str(), words, candidate.rows as u64);
    let (Some(new), Some(old)) = (candidate.mean(), control.mean()) else {
        gate.note = Some("no value was reported yet of predictions of both sides".to_owned());
        return gate;
    };
    // Of a metric that should rise, less is worse.
    let way = if rule.direction == Direction::Up { 1.0 } else { -1.0 };
    let bounds = |of_control: f64| {
        let groups = [(-way, candidate), (of_control, control)];
        weighted_bounds(groups, plan.alpha(), plan.expected_units())
    };
    gate.observed = Some(way * (old - new));
    gate.threshold = Some(margin * old.abs());
    gate.interval = bounds(way);
    gate.note = Some(format!(
        "candidate {new:.4}, control group {old:.4}, over {} and {} units and all canaries; shown is the difference, greater is worse",
        candidate.units, control.units
    ));
    let both = candidate.units + control.units;
    if is_not(0.5, candidate.units, both, BROKEN_ASSIGNMENT) {
        gate.note = Some(format!(
            "values came of {} units that the candidate answers and of {} of the control group: what is reported depends on the answer, so \
             means of it cannot be compared; report a value of every prediction, 0 where nothing came of it",
            candidate.units, control.units
        ));
        return gate;
    }
    // A mean of values that are all alike says nothing of rarer ones until there are many.
    let is_settled = |group: &Sums| group.varies() || group.units >= plan.expected_units();
    let can_pass = is_settled(candidate) && is_settled(control);
    // The margin is not known better than the mean that it is a share of.
    gate.verdict = match (bounds(way - margin * old.signum()).filter(|_| can_pass), gate.interval) {
        (Some((_, high)), _) if high <= 0.0 => Verdict::Pass,
        (_, Some((low, _))) if low > 0.0 => Verdict::Fail,
        _ => Verdict::Insufficient,
    };
    gate
}

/// A share in percent, without the noise of its last bits.
pub(crate) fn in_percent(share: f64) -> f64 {
    (share * 1e4).round() / 1e2
}

/// Whether the arms are as large as they should be: if not, who is answered by what is not by chance, and nothing can be
/// compared.
fn ratio(seen: &Evidence) -> Gate {
    let (candidate, control) = (seen.candidate.units, seen.control.units);
    let both = candidate + control;
    let mut gate = gate("ratio", "as many units in the control group as with the candidate".to_owned(), both);
    gate.threshold = Some(0.5);
    gate.observed = (both > 0).then(|| candidate as f64 / both as f64);
    let broken = both > 0 && is_not(0.5, candidate, both, BROKEN_ASSIGNMENT);
    if broken {
        gate.note = Some(format!(
            "{candidate} against {control} units is not chance: who is answered by what is not as planned, so nothing can be compared"
        ));
    } else if candidate > 0 && control > 0 {
        gate.verdict = Verdict::Pass;
    }
    gate
}
