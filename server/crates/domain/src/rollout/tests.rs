//! Rollouts simulated on counts: how often a good candidate is taken back and a bad one is not.

use super::chance::Chance;
use super::sequential::Sums;
use super::*;
use crate::problem::{Drift, DriftMetric};

fn plan() -> Plan {
    let step = |stage, percent, min_predictions| Step { stage, percent, min_predictions, min_seconds: 60 };
    Plan {
        rules: RULES,
        steps: vec![
            step(RolloutStage::Shadow, 0.0, 500),
            step(RolloutStage::Canary, 5.0, 2_000),
            step(RolloutStage::Watch, 100.0, 0),
        ],
        deadline_seconds: 86_400,
        advance: Conduct::Automatic,
        on_breach: Conduct::Automatic,
        watched: Vec::new(),
        slow_ms: 100.0,
        drift: Drift { metric: DriftMetric::Kl, threshold: 0.1, windows: 2, keep_firing: None },
        min_rows: 200,
        loss: Loss::Brier,
        business: None,
    }
}

/// The plan of a document that wants its business metric compared.
fn business_plan() -> Plan {
    let revenue = Business {
        name: "revenue".to_owned(),
        unit: "USD".to_owned(),
        direction: Direction::Up,
        limit: None,
        margin: Some(0.05),
        read: None,
    };
    Plan { business: Some(revenue), ..plan() }
}

/// A pair of models in a canary.
struct Pair {
    /// Share of units that the candidate cannot answer, and the champion.
    failing: (f64, f64),
    /// Share of answers in which the candidate is as far off as it could be.
    wrong: f64,
    /// Share of units whose truth comes to be known.
    labelled: f64,
    /// The truth is yes in so many; in any share of them, evenly, if none is given.
    rare: Option<f64>,
}

const ALIKE: Pair = Pair { failing: (0.0, 0.0), wrong: 0.0, labelled: 0.5, rare: None };

/// Units arrive one by one on both sides and are judged again and again; gives how it ended.
fn canary(pair: &Pair, seed: u64) -> Next {
    // Scores that are a fifth apart are as good, but shifted.
    let watched = if pair.rare.is_some() { vec![RolloutCheck::Shift] } else { Vec::new() };
    let plan = Plan { watched, ..plan() };
    let mut chance = Chance::new(seed);
    let mut seen = Evidence { scores: vec![(0, 0); 400], ..Evidence::default() };
    let mut control_loss = 0.0;
    for unit in 1..=40_000u64 {
        seen.seconds += 0.1;
        let is_candidate = chance.happens(0.5);
        let chances = pair.rare.unwrap_or_else(|| 0.02 + 0.96 * chance.share());
        let truth = chance.happens(chances);
        let guess = |chance: &mut Chance| (chances + 0.05 * chance.normal()).clamp(0.001, 0.999);
        // Of what is rare one says a tenth more than is true and the other a tenth less: neither is further off.
        let (mut new, old) = match pair.rare {
            Some(rare) => (rare * 1.1, rare * 0.9),
            None => (guess(&mut chance), guess(&mut chance)),
        };
        if chance.happens(pair.wrong) {
            new = 1.0 - new;
        }
        let side = if is_candidate { &mut seen.candidate } else { &mut seen.control };
        side.units += 1;
        side.asked += 1;
        let failed = chance.happens(if is_candidate { pair.failing.0 } else { pair.failing.1 });
        side.failed += u64::from(failed);
        side.alone_failed += u64::from(failed);
        let bin = |score: f64| (score_bin(&serde_json::json!({ "score": score }), &[]).unwrap() + 60) as usize;
        seen.scores[bin(new)].0 += 1;
        seen.scores[bin(old)].1 += 1;
        if chance.happens(pair.labelled) {
            let answer = |score: f64| serde_json::json!({ "score": score });
            let losses = Loss::Brier.compare(&answer(new), &answer(old), &truth.into(), &["false", "true"]).unwrap();
            seen.difference.add(1.0, losses.candidate - losses.control);
            seen.excess.add(1.0, losses.candidate - losses.control - MARGIN * losses.control);
            seen.reach_squared += losses.reach_squared;
            control_loss += losses.control;
            seen.control_loss = Some(control_loss / seen.difference.rows);
        }
        if unit % 50 == 0 {
            match judge(&plan, 1, &seen).next {
                Next::Hold => {}
                next => return next,
            }
        }
    }
    judge(&plan, 1, &seen).next
}

fn ended(pair: &Pair, how: Next) -> usize {
    (0..100).filter(|seed| canary(pair, *seed) == how).count()
}

#[test]
fn a_candidate_that_answers_as_well_is_taken_back_in_at_most_five_of_a_hundred_canaries() {
    let taken_back = ended(&ALIKE, Next::Breach);
    assert!(taken_back <= 5, "{taken_back} of 100");
    assert!(ended(&ALIKE, Next::Advance) >= 95);
}

#[test]
fn a_candidate_that_answers_as_well_of_what_is_rare_is_taken_back_in_at_most_five_of_a_hundred_canaries() {
    for rare in [0.01, 0.003] {
        let taken_back = ended(&Pair { rare: Some(rare), labelled: 1.0, ..ALIKE }, Next::Breach);
        assert!(taken_back <= 5, "{taken_back} of 100 where {rare} are positive");
    }
}

#[test]
fn what_two_losses_could_be_apart_is_told_of_the_truth_that_did_not_come_out_too() {
    let answer = |score: f64| serde_json::json!({ "score": score });
    let losses = Loss::Brier.compare(&answer(0.2), &answer(0.1), &false.into(), &["no", "yes"]).unwrap();
    assert!((losses.candidate - losses.control - 0.03).abs() < 1e-12);
    assert!((losses.reach_squared.sqrt() - (0.81 - 0.64)).abs() < 1e-12, "{losses:?}");
    let number = |value: f64| serde_json::json!({ "value": value });
    let losses = Loss::Absolute.compare(&number(3.0), &number(1.0), &0.5.into(), &[]).unwrap();
    assert_eq!((losses.candidate, losses.control, losses.reach_squared), (2.5, 0.5, 4.0));
    assert_eq!(Loss::Absolute.compare(&number(3.0), &answer(0.1), &0.5.into(), &[]), None);
}

#[test]
fn what_bounds_allow_for_is_a_dozen_rows_however_many_of_them_a_unit_has() {
    let bounds = |rows: f64| {
        let mut sums = Sums::default();
        (0..60).for_each(|_| sums.add(rows, 0.0));
        let (low, high) = sums.with_unseen(0.04 * 60.0 * rows).bounds(0.01, 200).unwrap();
        high - low
    };
    let mut twelve = Sums::default();
    (0..60).for_each(|unit| {
        twelve.add(
            1.0,
            if unit >= 12 {
                0.0
            } else if unit % 2 == 0 {
                0.2
            } else {
                -0.2
            },
        )
    });
    let (low, high) = twelve.bounds(0.01, 200).unwrap();
    assert!((bounds(1.0) - (high - low)).abs() < 1e-9, "{} {}", bounds(1.0), high - low);
    assert!((bounds(50.0) - bounds(1.0) / 50.0).abs() < 1e-9, "fifty times as many rows, and a dozen of them");
}

#[test]
fn failures_that_both_have_do_not_take_a_candidate_back() {
    let taken_back = ended(&Pair { failing: (0.02, 0.02), ..ALIKE }, Next::Breach);
    assert!(taken_back <= 5, "{taken_back} of 100");
}

#[test]
fn a_candidate_that_fails_on_two_percent_is_taken_back_in_at_least_ninety_five_of_a_hundred_canaries() {
    let taken_back = ended(&Pair { failing: (0.02, 0.0), ..ALIKE }, Next::Breach);
    assert!(taken_back >= 95, "{taken_back} of 100");
}

#[test]
fn a_candidate_that_is_wrong_two_percent_more_often_is_taken_back_in_at_least_ninety_five_of_a_hundred_canaries() {
    let taken_back = ended(&Pair { wrong: 0.02, ..ALIKE }, Next::Breach);
    assert!(taken_back >= 95, "{taken_back} of 100");
}

#[test]
fn a_candidate_is_not_promoted_while_no_truth_is_known() {
    assert_eq!(canary(&Pair { labelled: 0.0, ..ALIKE }, 1), Next::Hold);
}

/// What a healthy step has seen.
fn healthy() -> Evidence {
    let side = Side { units: 5_000, asked: 5_000, ..Side::default() };
    let (mut difference, mut excess) = (Sums::default(), Sums::default());
    for row in 0..5_000 {
        let apart = if row % 2 == 0 { 0.001 } else { -0.001 };
        difference.add(1.0, apart);
        excess.add(1.0, apart - MARGIN * 0.1);
    }
    Evidence {
        seconds: 120.0,
        candidate: side,
        control: side,
        scores: vec![(500, 500); 10],
        difference,
        excess,
        control_loss: Some(0.1),
        ..Evidence::default()
    }
}

fn next(change: impl FnOnce(&mut Evidence)) -> Next {
    let mut seen = healthy();
    change(&mut seen);
    judge(&plan(), 1, &seen).next
}

#[test]
fn a_healthy_canary_goes_on() {
    assert_eq!(next(|_| {}), Next::Advance);
}

#[test]
fn missing_evidence_of_any_kind_holds() {
    assert_eq!(next(|seen| seen.candidate.asked = 1_999), Next::Hold, "too few predictions");
    assert_eq!(next(|seen| seen.seconds = 59.0), Next::Hold, "too short");
    assert_eq!(next(|seen| *seen = Evidence { seconds: 120.0, ..Evidence::default() }), Next::Hold, "no data");
    assert_eq!(next(|seen| seen.scores.clear()), Next::Hold, "answers that are no numbers");
    assert_eq!(next(|seen| seen.difference = Sums::default()), Next::Hold, "no truth");
    assert_eq!(next(|seen| seen.control_loss = None), Next::Hold, "no truth of the champion's");
    assert_eq!(next(|seen| seen.control = Side::default()), Next::Hold, "one-sided traffic");
    assert_eq!(next(|seen| seen.candidate.units = 4_000), Next::Hold, "arms of unequal size");
    assert_eq!(next(|seen| seen.excess.total_squared = f64::NAN), Next::Hold, "a number that is none");
    assert_eq!(next(|seen| seen.seconds = -3_600.0), Next::Hold, "a clock that went back");
}

#[test]
fn what_was_not_shown_by_the_deadline_is_taken_back() {
    let late = |seen: &mut Evidence| (seen.seconds, seen.candidate.asked) = (86_401.0, 100);
    assert_eq!(next(late), Next::OutOfTime);
}

#[test]
fn a_watch_without_new_evidence_ends_at_the_deadline_and_nothing_is_taken_back() {
    let mut seen = healthy();
    (seen.seconds, seen.candidate) = (86_401.0, Side::default());
    let judged = judge(&plan(), 2, &seen);
    assert_eq!(judged.next, Next::Advance);
    assert!(!judged.open.is_empty(), "and what it does not show is told");
    assert_eq!(follows(&plan(), 2, &judged.checks, 60.0).0, Next::Hold, "before the deadline it waits");
}

#[test]
fn answers_that_have_shifted_take_it_back_unless_they_are_only_watched() {
    let mut seen = healthy();
    seen.scores = (0..10).map(|bin| (if bin == 9 { 4_100 } else { 100 }, 500)).collect();
    let judged = judge(&plan(), 1, &seen);
    assert_eq!((judged.next, judged.open), (Next::Breach, vec!["shift".to_owned()]));
    let watching = Plan { watched: vec![RolloutCheck::Shift], ..plan() };
    assert_eq!(judge(&watching, 1, &seen).next, Next::Advance);
}

#[test]
fn failing_requests_of_a_single_unit_are_one_bad_event() {
    let burst = |seen: &mut Evidence| (seen.candidate.failed, seen.candidate.alone_failed) = (1_000, 1);
    assert_eq!(next(burst), Next::Hold, "neither shown to be worse nor to be as good");
}

#[test]
fn a_few_units_with_many_requests_are_enough_to_show_that_nothing_fails() {
    let few = |seen: &mut Evidence| (seen.candidate.units, seen.control.units) = (12, 14);
    assert_eq!(next(few), Next::Advance);
}

#[test]
fn a_document_s_steps_are_those_of_its_plan() {
    let text = crate::problem::tests::TAXI.replace("percent = 5,", "percent = 5, steps = [25],");
    let document = ProblemDocument::parse(&text).unwrap();
    let titles: Vec<String> = Plan::of(&document).steps.iter().map(Step::title).collect();
    assert_eq!(titles, ["shadow", "canary 5 %", "canary 25 %", "full, watched"]);
}

#[test]
fn units_that_always_fail_are_not_hidden_by_the_requests_of_another_one() {
    let hidden = |seen: &mut Evidence| {
        (seen.candidate.asked, seen.candidate.units) = (100_000, 1_000);
        (seen.control.asked, seen.control.units) = (100_000, 1_000);
        (seen.candidate.failed, seen.candidate.alone_failed) = (200, 200);
    };
    assert_eq!(next(hidden), Next::Breach);
}

#[test]
fn one_absurd_label_shows_neither_that_it_is_worse_nor_that_it_is_as_good() {
    let absurd = |seen: &mut Evidence| {
        seen.difference.add(1.0, 0.0);
        seen.excess.add(1.0, -MARGIN * 1e99);
        seen.control_loss = Some(1e99 / 5_001.0);
    };
    assert_eq!(next(absurd), Next::Hold);
}

#[test]
fn answers_that_moved_from_the_bin_of_most_into_a_rare_one_are_seen() {
    let mut seen = healthy();
    seen.scores = vec![(100, 4_900), (4_900, 100)];
    assert_eq!(judge(&plan(), 1, &seen).next, Next::Breach);
}

/// A canary that is healthy but for what its answers earn: units whose revenue is 10 on average in the control group, and less by a share
/// with the candidate.
fn earning(less: f64, seed: u64) -> Next {
    let mut chance = Chance::new(seed);
    let mut seen = healthy();
    for unit in 1..=20_000u64 {
        let is_candidate = chance.happens(0.5);
        let mean = if is_candidate { 10.0 * (1.0 - less) } else { 10.0 };
        let sums = if is_candidate { &mut seen.business.0 } else { &mut seen.business.1 };
        let values = 1.0 + (chance.share() * 3.0).floor();
        sums.add(values, values * 4.0f64.mul_add(chance.normal(), mean));
        if unit % 50 == 0 {
            match judge(&business_plan(), 1, &seen).next {
                Next::Hold => {}
                next => return next,
            }
        }
    }
    Next::Hold
}

#[test]
fn a_candidate_that_earns_as_much_is_taken_back_in_at_most_five_of_a_hundred_canaries() {
    let ended: Vec<Next> = (0..100).map(|seed| earning(0.0, seed)).collect();
    let count = |how: Next| ended.iter().filter(|next| **next == how).count();
    assert!(count(Next::Breach) <= 5 && count(Next::Advance) >= 95, "{ended:?}");
}

#[test]
fn a_candidate_that_earns_a_tenth_less_is_taken_back_in_at_least_ninety_five_of_a_hundred_canaries() {
    let taken_back = (0..100).filter(|seed| earning(0.1, *seed) == Next::Breach).count();
    assert!(taken_back >= 95, "{taken_back} of 100");
}

#[test]
fn without_values_of_both_sides_a_canary_waits_and_a_shadow_does_not() {
    let mut seen = healthy();
    (0..500).for_each(|_| seen.business.0.add(1.0, 10.0));
    let open = judge(&business_plan(), 1, &seen).open;
    assert_eq!(open, ["business"]);
    assert!(judge(&business_plan(), 0, &seen).checks.iter().all(|check| check.name != "business"));
}

#[test]
fn of_a_metric_that_should_fall_more_is_worse() {
    let mut falling = business_plan();
    falling.business.as_mut().unwrap().direction = Direction::Down;
    let mut seen = healthy();
    for unit in 0..2_000 {
        let apart = if unit % 2 == 0 { 1.0 } else { -1.0 };
        seen.business.0.add(1.0, 12.0 + apart);
        seen.business.1.add(1.0, 10.0 + apart);
    }
    let next = |plan: &Plan| judge(plan, 1, &seen).next;
    assert_eq!((next(&falling), next(&business_plan())), (Next::Breach, Next::Advance));
}

/// Of so many units each, the share that buys; sums as they are reported for all of them.
fn bought(units: u64, of_candidate: u64, of_control: u64) -> Evidence {
    let mut seen = healthy();
    for unit in 0..units {
        seen.business.0.add(1.0, f64::from(u8::from(unit < of_candidate)));
        seen.business.1.add(1.0, f64::from(u8::from(unit < of_control)));
    }
    seen
}

#[test]
fn values_that_are_all_alike_pass_only_once_there_are_many() {
    let next = |seen: &Evidence| judge(&business_plan(), 1, seen).next;
    assert_eq!(next(&bought(100, 0, 0)), Next::Hold, "nobody has bought anything yet");
    assert_eq!(next(&bought(2_000, 0, 0)), Next::Advance);
}

#[test]
fn where_the_candidate_s_units_report_less_often_means_of_what_is_reported_are_not_compared() {
    let mut seen = healthy();
    for unit in 0..2_000 {
        let value = if unit % 2 == 0 { 49.0 } else { 51.0 };
        seen.business.1.add(1.0, value);
        if unit < 1_000 {
            seen.business.0.add(1.0, value);
        }
    }
    let judged = judge(&business_plan(), 1, &seen);
    let check = judged.checks.iter().find(|check| check.name == "business").unwrap();
    assert_eq!(judged.next, Next::Hold);
    assert!(check.note.as_deref().unwrap().contains("0 where nothing came of it"), "{check:?}");
}

#[test]
fn a_watch_waits_for_no_value_of_a_canary_and_still_hears_that_it_is_worse() {
    let next = |seen: &Evidence| judge(&business_plan(), 2, seen).next;
    assert_eq!(next(&healthy()), Next::Advance);
    assert_eq!(next(&bought(2_000, 100, 400)), Next::Breach);
}
