use serde_json::{Value as Json, json};

use super::*;
use crate::metric::TargetKind;

fn read(asked: Json) -> Result<FitPlan, Vec<String>> {
    FitPlan::read(&FitPlan::filled_in(asked), TargetKind::Binary)
        .map_err(|mistakes| mistakes.into_iter().map(|mistake| mistake.pointer).collect())
}

#[test]
fn nothing_asked_for_fits_the_usual_trainer_once() {
    let plan = read(json!({})).unwrap();
    assert_eq!(plan.space.branches()[0].base(), &TrainerConfig::default_of(Trainer::GradientBoosting));
    assert_eq!((plan.trials, plan.waits(1_000)), (0, Vec::new()));
}

#[test]
fn every_mistake_of_a_space_is_reported_with_its_pointer() {
    let search = json!({"eat": 1, "eta": {"low": 0, "high": 2, "scale": "cubic", "step": 1}, "max_depth": [4, 99], "rounds": []});
    let mistakes = read(json!({"search": search, "parameters": {"depth": 1}})).unwrap_err();
    let expected = ["/parameters/depth"].map(str::to_owned).into_iter().chain(
        ["/eat", "/eta/step", "/eta/low", "/eta/high", "/eta/scale", "/max_depth/1", "/rounds"]
            .map(|pointer| format!("/search{pointer}")),
    );
    assert_eq!(mistakes, expected.collect::<Vec<_>>());
}

#[test]
fn a_condition_that_no_trial_meets_or_that_leads_to_itself_is_a_mistake() {
    for (search, pointer) in [
        (json!({"eta": {"low": 0.1, "high": 0.2, "when": {"max_depth": 3}}}), "/search/eta/when/max_depth"),
        (
            json!({"max_depth": [3, 4], "eta": {"low": 0.1, "high": 0.2, "when": {"max_depth": [5, 6]}}}),
            "/search/eta/when/max_depth",
        ),
        // Where the depth is not drawn it is 16, and then nothing is drawn that depends on it.
        (
            json!({"max_depth": {"values": [3, 4], "when": {"colsample": 0.5}}, "colsample": [0.5, 1],
                "eta": {"low": 0.1, "high": 0.2, "when": {"max_depth": 16}}}),
            "/search/eta/when/max_depth",
        ),
        (json!({"eta": {"low": 0.1, "high": 0.2, "when": {"depth": 3}}}), "/search/eta/when/depth"),
        (json!({"eta": {"low": 0.1, "high": 0.2, "when": {"eta": 0.1}}}), "/search/eta/when"),
        (json!({"eta": {"low": 0.1, "high": 0.2, "when": "deep"}}), "/search/eta/when"),
        (json!({"eta": {"values": [0.1, 2.0], "when": {"max_depth": 16}}}), "/search/eta/values/1"),
    ] {
        assert_eq!(read(json!({ "search": search })).unwrap_err(), [pointer], "{search}");
    }
    let around = json!({
        "eta": {"values": [0.1], "when": {"subsample": 0.5}}, "subsample": {"values": [0.5], "when": {"colsample": 0.5}},
        "colsample": {"values": [0.5], "when": {"eta": 0.1}}
    });
    let all = ["/search/colsample/when", "/search/eta/when", "/search/subsample/when"];
    assert_eq!(read(json!({ "search": around })).unwrap_err(), all);
}

#[test]
fn a_number_is_the_same_with_a_point_and_without() {
    assert_eq!(Setting::Integer(1), Setting::Number(1.0));
    assert_ne!(Setting::Category("1".to_owned()), Setting::Integer(1));
}

#[test]
fn a_search_is_asked_for_again_as_it_was_read() {
    let search = json!({"max_depth": [4, 16], "max_leaves": {"low": 8, "high": 64, "scale": "log", "when": {"max_depth": [16]}},
        "eta": {"values": [0.1, 0.2], "when": {"max_depth": [4]}}});
    let plan = read(json!({ "search": search })).unwrap();
    let asked: Json = plan.space.branches()[0].axes().iter().map(|(name, axis)| (name.clone(), axis.asked())).collect();
    assert_eq!(asked, search);
}

#[test]
fn every_other_mistake_is_reported_at_once() {
    let asked = json!({"trainer": "elastic_net", "sampler": "grid", "pruner": "wilcoxon", "calibration": "beta", "budget": 1_001, "parallel": 0,
        "cpu_seconds": 0, "wall_seconds": -1, "parameters": []});
    let expected = [
        "/trainer",
        "/parameters",
        "/calibration",
        "/sampler",
        "/pruner",
        "/budget",
        "/parallel",
        "/cpu_seconds",
        "/wall_seconds",
    ];
    assert_eq!(read(asked).unwrap_err(), expected);
    let numbers = FitPlan::read(&json!({"calibration": "platt"}), TargetKind::Regression).unwrap_err();
    assert_eq!(numbers[0].pointer, "/calibration");
}

#[test]
fn of_several_trainers_each_is_told_under_its_name() {
    let asked = json!({"trainer": "logistic, random_forest", "budget": 10, "parameters": {"logistic": {"tolerance": 1e-5}},
        "search": {"random_forest": {"trees": [50, 100]}}});
    let plan = read(asked).unwrap();
    let [logistic, forest] = plan.space.branches() else { panic!("two trainers were asked for") };
    assert_eq!((logistic.base().number("tolerance"), logistic.axes().len()), (1e-5, 1));
    assert_eq!(forest.axes().keys().collect::<Vec<_>>(), ["trees"]);
    assert_eq!(read(json!({"trainer": "any", "budget": 1})).unwrap().space.branches().len(), 4);
    assert_eq!(read(json!({"trainer": "any"})).unwrap_err(), ["/budget"]);
    let stray = json!({"trainer": "logistic,random_forest", "budget": 1, "parameters": {"alpha": 1}});
    assert_eq!(read(stray).unwrap_err(), ["/parameters/alpha"]);
}

#[test]
fn a_trial_waits_for_those_it_may_learn_from_whatever_the_number_of_workers() {
    let plan = read(json!({"budget": 6, "parallel": 3})).unwrap();
    assert_eq!(plan.waits(10_000), [0, 0, 0, 1, 2, 3]);
}

#[test]
fn hyperband_begins_with_more_and_more_rows_and_fewer_and_fewer_trials() {
    let plan = |budget: u32| read(json!({"budget": budget, "parallel": 2, "pruner": "hyperband"})).unwrap();
    let rungs = |budget, rows| {
        let rungs = plan(budget).rungs(rows);
        rungs.iter().map(|rung| (rung.first, rung.trials, rung.share, rung.below)).collect::<Vec<_>>()
    };
    assert_eq!(
        rungs(25, 8_000),
        [
            (0, 16, 0.0625, None),
            (16, 4, 0.25, Some(0)),
            (20, 1, 1.0, Some(1)),
            (21, 6, 0.25, None),
            (27, 2, 1.0, Some(3)),
            (29, 3, 1.0, None),
        ]
    );
    assert_eq!(rungs(1, 8_000), [(0, 1, 1.0, None)]);
    assert_eq!(rungs(9, 100), [(0, 9, 1.0, None)]);
    // Trials are as many as are begun with, whatever the rows.
    for budget in 1..=60 {
        let begun =
            plan(budget).rungs(8_000).iter().filter(|rung| rung.below.is_none()).map(|rung| rung.trials).sum::<u32>();
        assert_eq!(begun, budget);
    }
}

#[test]
fn a_least_gain_is_a_number_above_zero_and_not_of_trials_on_few_rows() {
    assert_eq!(read(json!({"budget": 9, "least_gain": 0.001})).unwrap().least_gain, Some(0.001));
    for asked in [json!({"budget": 9, "least_gain": 0}), json!({"budget": 9, "least_gain": 0.1, "pruner": "halving"})] {
        assert!(read(asked).unwrap_err()[0].starts_with("/least_gain"));
    }
}

#[test]
fn halving_goes_on_with_a_quarter_on_four_times_the_rows() {
    let plan = read(json!({"budget": 18, "parallel": 2, "pruner": "halving"})).unwrap();
    let rungs = |rows| plan.rungs(rows).iter().map(|rung| (rung.first, rung.trials, rung.share)).collect::<Vec<_>>();
    assert_eq!(rungs(8_000), [(0, 18, 0.0625), (18, 5, 0.25), (23, 2, 1.0)]);
    assert_eq!(rungs(7_999), [(0, 18, 0.25), (18, 5, 1.0)]);
    assert_eq!(rungs(100), [(0, 18, 1.0)]);
    assert_eq!(plan.waits(8_000)[16..], [15, 16, 18, 18, 19, 20, 21, 23, 23]);
}
