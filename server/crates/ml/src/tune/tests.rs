use std::collections::BTreeSet;

use millrace_domain::trainer::{Pruner, Sampler, Setting, Trainer};
use serde_json::{Value as Json, json};

use super::*;
use crate::fixture::{Prepared, prepared};

fn plan(asked: Json, kind: TargetKind) -> FitPlan {
    FitPlan::read(&FitPlan::filled_in(asked), kind).unwrap()
}

fn at_random(asked: Json, seed: u64, number: u64) -> TrainerConfig {
    draw(&plan(asked, TargetKind::Binary).space, Sampler::Random, seed, number, &[])
}

fn study(prepared: &Prepared, metric: Metric) -> Study<'_> {
    let Prepared { table, labels, split, kind, .. } = prepared;
    Study {
        table,
        labels,
        split,
        kind: *kind,
        calibration: CalibrationMethod::None,
        metric,
        seed: 5,
        shared: Box::leak(Box::default()),
        unfit: &|_| None,
    }
}

/// Every trial of a search, run in an order that `pick` chooses among those that may begin.
fn searched(asked: Json, prepared: &Prepared, pick: impl Fn(usize) -> usize) -> Vec<Trial> {
    let (plan, metric) = (plan(asked, prepared.kind), Metric::RocAuc);
    let search = Search::new(&plan, 240, metric, 5);
    let count = plan.waits(240).len();
    let mut ended: Vec<Option<Trial>> = vec![None; count];
    while let Some(first) = ended.iter().position(Option::is_none) {
        let may_begin =
            |number: &usize| ended[*number].is_none() && search.waits(*number as u32).unwrap() as usize <= first;
        let ready: Vec<usize> = (0..count).filter(may_begin).collect();
        let number = ready[pick(ready.len())];
        let wait = search.waits(number as u32).unwrap() as usize;
        let before: Vec<Trial> = ended[..wait].iter().cloned().map(Option::unwrap).collect();
        let draw = search.next(number as u32, &before).unwrap();
        ended[number] = Some(study(prepared, metric).run(&draw, &()).unwrap());
    }
    ended.into_iter().map(Option::unwrap).collect()
}

#[test]
fn trials_that_share_what_they_encode_come_to_what_they_come_to_alone() {
    let prepared = prepared(TargetKind::Binary, 400);
    let asked = json!({ "trainer": "gradient_boosting,random_forest", "budget": 8, "sampler": "random", "search": {
        "gradient_boosting": { "class_balance": [0.0, 0.5, 1.0], "subsample": {"low": 0.5, "high": 1} },
        "random_forest": { "trees": [5, 9] },
    } });
    let plan = plan(asked, TargetKind::Binary);
    let drawn = |number: u64| Draw {
        config: draw(&plan.space, Sampler::Random, 3, number, &[]),
        share: [0.25, 1.0][number as usize % 2],
        limits: Limits::default(),
    };
    let together = study(&prepared, Metric::RocAuc);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for draw in (0..8).map(drawn) {
        let alone = study(&prepared, Metric::RocAuc).run(&draw, &()).unwrap();
        assert!(alone.score.is_some(), "{:?}", alone.state);
        assert_eq!(pool.install(|| together.run(&draw, &()).unwrap()), alone);
    }
}

#[test]
fn a_random_trial_is_a_function_of_seed_and_number() {
    let forward: Vec<_> = (0..5).map(|number| at_random(json!({}), 9, number)).collect();
    let backward: Vec<_> = (0..5).rev().map(|number| at_random(json!({}), 9, number)).collect();
    assert!(forward.iter().eq(backward.iter().rev()));
    assert_ne!(forward[0], forward[1]);
    assert_ne!(forward[0], at_random(json!({}), 10, 0));
}

#[test]
fn every_draw_is_a_value_the_trainer_takes() {
    for kind in [TargetKind::Binary, TargetKind::Multiclass, TargetKind::Regression] {
        let space = plan(json!({"trainer": "any", "budget": 1}), kind).space;
        let mut drawn = BTreeSet::new();
        for number in 0..200 {
            let config = draw(&space, Sampler::Random, 1, number, &[]);
            TrainerConfig::read(config.trainer(), &json!(config.settings())).unwrap();
            drawn.insert(config.trainer());
        }
        assert_eq!(drawn.len(), Trainer::of(kind).count());
    }
}

#[test]
fn a_space_of_ranges_lists_and_fixed_values_is_drawn_from() {
    let given = json!({"eta": {"low": 0.01, "high": 0.3, "scale": "log"}, "max_depth": [4, 6, 8], "rounds": 20});
    let mut depths = BTreeSet::new();
    let mut small = 0;
    for number in 0..300 {
        let drawn = at_random(json!({ "search": given }), 2, number);
        let eta = drawn.number("eta");
        assert!((0.01..=0.3).contains(&eta));
        small += usize::from(eta < 0.3_f64.sqrt() * 0.1);
        depths.insert(drawn.whole("max_depth"));
        assert_eq!(drawn.settings()["rounds"], Setting::Integer(20));
    }
    assert_eq!(depths.into_iter().collect::<Vec<_>>(), [4, 6, 8]);
    assert!((120..180).contains(&small), "half of a log range lies below its geometric mean, got {small} of 300");
}

#[test]
fn what_depends_on_another_is_drawn_only_beside_its_values() {
    let given = json!({
        "max_depth": [4, 16],
        "max_leaves": {"low": 8, "high": 128, "scale": "log", "when": {"max_depth": 16}},
        "subsample": {"values": [0.5, 0.75], "when": {"max_leaves": [8, 9, 10, 11, 12, 13, 14, 15, 16], "max_depth": [16]}},
    });
    let space = plan(json!({ "search": given }), TargetKind::Binary).space;
    for sampler in [Sampler::Random, Sampler::Sobol, Sampler::Tpe] {
        let (mut drawn, mut places): (Vec<TrainerConfig>, Vec<Place>) = (Vec::new(), Vec::new());
        for number in 0..120 {
            let tried: Vec<Tried<'_>> = places.iter().map(|place| Tried { place, cost: Some(0.5) }).collect();
            let config = draw(&space, sampler, 4, number, &tried);
            places.push(Place::of(&space, &config));
            drawn.push(config);
        }
        let of = |config: &TrainerConfig| ["max_depth", "max_leaves"].map(|name| config.whole(name));
        let (shallow, deep): (Vec<&TrainerConfig>, Vec<&TrainerConfig>) =
            drawn.iter().partition(|config| of(config)[0] == 4);
        assert!(shallow.len() > 20 && deep.len() > 20, "{sampler:?}: {} and {}", shallow.len(), deep.len());
        assert!(shallow.iter().all(|config| of(config)[1] == 31 && config.number("subsample") == 1.0), "{sampler:?}");
        let leaves: BTreeSet<u64> = deep.iter().map(|config| of(config)[1]).collect();
        assert!(leaves.len() > 10, "{sampler:?}: {leaves:?}");
        let narrow = |config: &&&TrainerConfig| of(config)[1] <= 16;
        assert!(deep.iter().filter(narrow).all(|config| config.number("subsample") < 1.0), "{sampler:?}");
        assert!(
            deep.iter().filter(|config| !narrow(config)).all(|config| config.number("subsample") == 1.0),
            "{sampler:?}"
        );
        let unplaced =
            places.iter().zip(&drawn).all(|(place, config)| place.shares[1].is_none() == (of(config)[0] == 4));
        assert!(unplaced, "what was not drawn says nothing to later trials");
    }
}

fn trial(share: f64, score: Option<f64>) -> Trial {
    Trial {
        config: TrainerConfig::default_of(Trainer::Logistic),
        share,
        score,
        state: TrialState::Succeeded,
        iterations: None,
        costs: Vec::new(),
    }
}

#[test]
fn the_best_trial_follows_the_metrics_direction_and_saw_most_rows() {
    let plan = plan(json!({"budget": 4}), TargetKind::Binary);
    let best =
        |metric, trials: &[Trial]| Search::new(&plan, 100, metric, 0).best(trials).map(|best| best.score.unwrap());
    let trials = [trial(1.0, Some(0.3)), trial(1.0, None), trial(1.0, Some(0.1)), trial(0.25, Some(0.9))];
    assert_eq!(best(Metric::LogLoss, &trials), Some(0.1));
    assert_eq!(best(Metric::RocAuc, &trials), Some(0.3));
    assert_eq!(best(Metric::RocAuc, &trials[3..]), Some(0.9));
    assert_eq!(best(Metric::RocAuc, &trials[1..2]), None);
}

#[test]
fn a_search_comes_to_the_same_trials_in_whatever_order_they_end() {
    let prepared = prepared(TargetKind::Binary, 240);
    for pruner in ["none", "median", "asha"] {
        let search =
            json!({"gradient_boosting": {"eta": {"low": 0.01, "high": 0.5, "scale": "log"}, "rounds": [4, 40]}});
        let asked = json!({"trainer": "logistic,gradient_boosting", "budget": 16, "parallel": 4, "pruner": pruner, "search": search});
        let one_by_one = searched(asked.clone(), &prepared, |_| 0);
        assert_eq!(one_by_one, searched(asked.clone(), &prepared, |ready| ready - 1));
        assert_eq!(one_by_one, searched(asked, &prepared, |ready| ready / 2));
        let text = serde_json::to_string(&one_by_one).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Trial>>(&text).unwrap(), one_by_one);
    }
}

#[test]
fn halving_goes_on_with_the_best_on_more_rows() {
    let prepared = prepared(TargetKind::Binary, 3_000);
    let plan = plan(json!({"trainer": "logistic", "budget": 8, "parallel": 8, "pruner": "halving"}), prepared.kind);
    let search = Search::new(&plan, 3_000, Metric::LogLoss, 5);
    let mut trials: Vec<Trial> = (0..8)
        .map(|number| study(&prepared, Metric::LogLoss).run(&search.next(number, &[]).unwrap(), &()).unwrap())
        .collect();
    assert!(trials.iter().all(|trial| trial.share == 0.25));
    let mut order: Vec<usize> = (0..8).collect();
    order.sort_by(|a, b| trials[*a].score.unwrap().total_cmp(&trials[*b].score.unwrap()));
    let going_on: Vec<Draw> = (8..10).map(|number| search.next(number, &trials).unwrap()).collect();
    for (place, draw) in going_on.iter().enumerate() {
        assert_eq!((&draw.config, draw.share), (&trials[order[place]].config, 1.0));
    }
    trials.iter_mut().for_each(|trial| trial.score = None);
    assert_eq!(search.next(8, &trials), None, "none is left to go on with");
}

#[test]
fn hyperband_goes_on_with_the_best_of_each_bracket_and_comes_to_the_same_in_whatever_order_trials_end() {
    let prepared = prepared(TargetKind::Binary, 3_000);
    let asked = json!({"trainer": "logistic", "budget": 7, "parallel": 2, "pruner": "hyperband"});
    let plan = plan(asked, prepared.kind);
    let search = Search::new(&plan, 3_000, Metric::LogLoss, 5);
    let mut trials: Vec<Trial> = Vec::new();
    for number in 0..plan.waits(3_000).len() as u32 {
        let before = &trials[..search.waits(number).unwrap() as usize];
        let draw = search.next(number, before).unwrap();
        trials.push(study(&prepared, Metric::LogLoss).run(&draw, &()).unwrap());
    }
    let shares: Vec<f64> = trials.iter().map(|trial| trial.share).collect();
    assert_eq!(shares, [0.25, 0.25, 0.25, 0.25, 0.25, 1.0, 1.0, 1.0, 1.0]);
    let best = trials[..5].iter().min_by(|a, b| a.score.unwrap().total_cmp(&b.score.unwrap())).unwrap();
    assert_eq!(trials[5].config, best.config);
    let decides = search.best(&trials).unwrap();
    assert!(trials[5..].iter().all(|trial| decides.score <= trial.score));
}

#[test]
fn a_sobol_sequence_fills_the_space_more_evenly_than_chance() {
    let asked = json!({"trainer": "logistic,gradient_boosting", "budget": 64, "sampler": "sobol"});
    let plan = plan(asked, TargetKind::Binary);
    let drawn = |sampler, seed| (0..64).map(|number| draw(&plan.space, sampler, seed, number, &[])).collect::<Vec<_>>();
    let boosted = |configs: &[TrainerConfig]| {
        configs.iter().filter(|config| config.trainer() == Trainer::GradientBoosting).count()
    };
    // Each half of a dimension has just half of the points.
    assert_eq!(boosted(&drawn(Sampler::Sobol, 1)), 32);
    let eta = |configs: Vec<TrainerConfig>| {
        let own = configs.into_iter().filter(|config| config.trainer() == Trainer::GradientBoosting);
        let eighth = own.map(|config| ((config.number("eta") / 0.01).ln() / 30_f64.ln() * 8.0).min(7.0) as usize);
        let mut counts = [0; 8];
        eighth.for_each(|place| counts[place] += 1);
        counts
    };
    assert!(eta(drawn(Sampler::Sobol, 1)).iter().all(|count| (2..=6).contains(count)));
    assert_eq!(drawn(Sampler::Sobol, 1), drawn(Sampler::Sobol, 1));
    assert_ne!(drawn(Sampler::Sobol, 1), drawn(Sampler::Sobol, 2));
    for config in drawn(Sampler::Sobol, 3) {
        TrainerConfig::read(config.trainer(), &json!(config.settings())).unwrap();
    }
}

#[test]
fn a_search_ends_where_what_is_left_is_expected_to_gain_too_little() {
    let plan = plan(json!({"budget": 100, "parallel": 4, "least_gain": 0.01}), TargetKind::Binary);
    let search = Search::new(&plan, 240, Metric::RocAuc, 5);
    let alike: Vec<Trial> = (0..100).map(|number| trial(1.0, Some(0.8 + f64::from(number % 7) * 1e-4))).collect();
    let apart: Vec<Trial> =
        (0..100).map(|number| trial(1.0, Some(0.5 + f64::from(number * 37 % 100) * 4e-3))).collect();
    let ends = |trials: &[Trial]| (0..100).find(|number| search.is_enough(*number, trials).is_some());
    assert_eq!(ends(&alike), Some(18), "fifteen scores tell, four trials run at once");
    assert_eq!(search.is_enough(18, &alike[..15]), search.is_enough(18, &alike));
    assert!(ends(&apart) > Some(25), "{:?}", ends(&apart));
}

#[test]
fn a_trial_whose_model_could_not_serve_is_out_of_the_race() {
    let prepared = prepared(TargetKind::Binary, 240);
    let plan = plan(json!({"budget": 1}), prepared.kind);
    let draw = Search::new(&plan, 240, Metric::RocAuc, 5).next(0, &[]).unwrap();
    let state = TrialState::Infeasible { reason: "it is too slow".to_owned(), measured: true };
    let unfit = |_: &Fitted| Some(state.clone());
    let trial = Study { unfit: &unfit, ..study(&prepared, Metric::RocAuc) }.run(&draw, &()).unwrap();
    assert_eq!((trial.score, &trial.state), (None, &state));
}

#[test]
fn a_trial_worse_than_the_median_is_ended_early() {
    let prepared = prepared(TargetKind::Binary, 240);
    let asked = |eta: f64| json!({"parameters": {"eta": eta, "early_stopping_rounds": 0, "rounds": 100}});
    let config = |eta| plan(asked(eta), TargetKind::Binary).space.branches()[0].base().clone();
    let run =
        |eta, limits| study(&prepared, Metric::LogLoss).run(&Draw { config: config(eta), share: 1.0, limits }, &());
    let good: Vec<Trial> = [0.08, 0.09, 0.1, 0.11, 0.12].map(|eta| run(eta, Limits::default()).unwrap()).to_vec();
    assert_eq!(good[0].costs.len(), 5, "8, 16, 32, 64 and 100 rounds");
    let boosting = TrainerConfig::default_of(Trainer::GradientBoosting);
    let limits = Limits::of(&good, &boosting, Pruner::Median, Metric::LogLoss);
    let balanced = boosting.with(&[("class_balance".to_owned(), Setting::Number(1.0))].into());
    let of_others = Limits::of(&good, &balanced, Pruner::Median, Metric::LogLoss);
    assert!(of_others.values().is_empty(), "losses of other weights say nothing");
    let slow = run(0.001, limits.clone()).unwrap();
    assert_eq!((slow.iterations, slow.costs.len()), (Some(8), 1));
    assert!(matches!(slow.state, TrialState::Pruned { .. }), "{slow:?}");
    for trial in &good {
        let again = run(trial.config.number("eta"), limits.clone()).unwrap();
        let behind =
            trial.costs.iter().zip(limits.values()).position(|(loss, limit)| limit.is_some_and(|limit| *loss > limit));
        let seen = behind.map_or(trial.costs.len(), |place| place + 1);
        assert_eq!(again.costs, trial.costs[..seen], "it ends where it falls behind");
    }
    let of_four = Limits::of(&good[..4], &boosting, Pruner::Median, Metric::LogLoss);
    assert!(of_four.values().iter().all(Option::is_none), "four are no ground");
    let of_one = Limits::of(&good[..1], &boosting, Pruner::Asha, Metric::LogLoss);
    assert_eq!(of_one.values()[1], Some(good[0].costs[1]), "of two the better one goes on");
    let of_asha = Limits::of(&good, &boosting, Pruner::Asha, Metric::LogLoss);
    let asked: Vec<bool> = of_asha.values().iter().map(Option::is_some).collect();
    assert_eq!(asked, [false, true, false, true, false], "after 16 and 64 rounds");
    let mut at_16: Vec<f64> = good.iter().map(|trial| trial.costs[1]).collect();
    at_16.sort_by(f64::total_cmp);
    assert_eq!(of_asha.values()[1], Some(at_16[1]), "the second best of five ends the best quarter");
}

#[test]
fn a_small_step_that_ranks_well_goes_on_where_an_area_decides() {
    let prepared = prepared(TargetKind::Binary, 400);
    let asked = json!({"parameters": {"eta": 0.02, "early_stopping_rounds": 0, "rounds": 20}});
    let config = plan(asked, TargetKind::Binary).space.branches()[0].base().clone();
    // Five trials before that came to this in 8 rounds.
    let ended = |metric: Metric, cost: f64| {
        let before = [0.0; 5].map(|_| Trial { config: config.clone(), costs: vec![cost], ..trial(1.0, Some(0.5)) });
        let limits = Limits::of(&before, &config, Pruner::Median, metric);
        study(&prepared, metric).run(&Draw { config: config.clone(), share: 1.0, limits }, &()).unwrap()
    };
    let by_loss = ended(Metric::LogLoss, 0.55);
    let TrialState::Pruned { reason } = &by_loss.state else { panic!("{by_loss:?}") };
    assert!(reason.starts_with("its validation loss was 0.6"), "{reason}");
    for metric in [Metric::RocAuc, Metric::PrAuc] {
        let by_area = ended(metric, -0.7);
        assert_eq!(by_area.state, TrialState::Succeeded, "{metric}: {by_area:?}");
        assert!(by_area.costs.iter().all(|cost| (-1.0..-0.7).contains(cost)), "areas: {by_area:?}");
        assert!(by_area.costs.is_sorted_by(|before, after| before >= after), "each at its best so far: {by_area:?}");
    }
}

#[test]
fn a_trial_that_is_ended_by_an_area_says_which() {
    let prepared = prepared(TargetKind::Binary, 400);
    let config = TrainerConfig::default_of(Trainer::GradientBoosting);
    let out_of_reach = Limits::of(
        &[0.0; 5].map(|_| Trial { config: config.clone(), costs: vec![-2.0], ..trial(1.0, Some(0.9)) }),
        &config,
        Pruner::Median,
        Metric::RocAuc,
    );
    let draw = Draw { config, share: 1.0, limits: out_of_reach };
    let ended = study(&prepared, Metric::RocAuc).run(&draw, &()).unwrap();
    let TrialState::Pruned { reason } = &ended.state else { panic!("{ended:?}") };
    let told =
        format!("its validation ROC AUC was {:.6} after 8 rounds, which is behind the trials before", -ended.costs[0]);
    assert_eq!(*reason, told);
}

#[test]
fn a_trial_of_an_earlier_version_still_reads() {
    let stored = json!({"number": 3, "config": {"trainer": "logistic", "settings": {"alpha": 1.0}}, "score": 0.7,
        "state": "succeeded", "iterations": 9});
    let trial: Trial = serde_json::from_value(stored).unwrap();
    assert_eq!((trial.share, trial.score, trial.state), (1.0, Some(0.7), TrialState::Succeeded));
}

#[test]
fn a_trial_that_cannot_be_fitted_fails_and_says_why() {
    let prepared = prepared(TargetKind::Binary, 200);
    let asked = json!({"trainer": "logistic", "parameters": {"max_iterations": 10, "tolerance": 1e-10, "alpha": 0}});
    let config = plan(asked, TargetKind::Binary).space.branches()[0].base().clone();
    let draw = Draw { config, share: 1.0, limits: Limits::default() };
    let trial = study(&prepared, Metric::RocAuc).run(&draw, &()).unwrap();
    let TrialState::Failed { reason } = trial.state else { panic!("it had ten iterations") };
    assert!(reason.contains("did not converge in 10 iterations"), "{reason}");
    assert_eq!(trial.score, None);
}
