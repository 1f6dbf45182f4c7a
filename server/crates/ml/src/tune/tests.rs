use serde_json::json;

use super::*;
use crate::fixture::prepared;
use crate::train::{Setting, Settings, Trainer};

#[test]
fn a_trial_is_a_function_of_seed_and_number() {
    let space = Space::default_of(Trainer::GradientBoosting);
    let forward: Vec<Settings> = (0..5).map(|number| space.next(Sampler::Random, 9, number, &[])).collect();
    let backward: Vec<Settings> = (0..5).rev().map(|number| space.next(Sampler::Random, 9, number, &[])).collect();
    assert!(forward.iter().eq(backward.iter().rev()));
    assert_ne!(forward[0], forward[1]);
    assert_ne!(forward[0], space.next(Sampler::Random, 10, 0, &[]));
}

#[test]
fn every_draw_is_a_value_the_trainer_takes() {
    for trainer in Trainer::ALL {
        let space = Space::default_of(trainer);
        for number in 0..200 {
            let given = serde_json::to_value(space.next(Sampler::Random, 1, number, &[])).unwrap();
            TrainerConfig::read(trainer, &given).unwrap();
        }
    }
}

#[test]
fn a_space_of_ranges_lists_and_fixed_values_is_drawn_from() {
    let given = json!({"eta": {"low": 0.01, "high": 0.3, "scale": "log"}, "max_depth": [4, 6, 8], "rounds": 20});
    let space = Space::read(Trainer::GradientBoosting, &given).unwrap();
    let mut depths = std::collections::BTreeSet::new();
    let mut small = 0;
    for number in 0..300 {
        let drawn = space.next(Sampler::Random, 2, number, &[]);
        let eta = drawn["eta"].as_f64();
        assert!((0.01..=0.3).contains(&eta));
        small += usize::from(eta < 0.3_f64.sqrt() * 0.1);
        depths.insert(drawn["max_depth"].as_f64() as u64);
        assert_eq!(drawn["rounds"], Setting::Integer(20));
    }
    assert_eq!(depths.into_iter().collect::<Vec<_>>(), [4, 6, 8]);
    assert!((120..180).contains(&small), "half of a log range lies below its geometric mean, got {small} of 300");
}

#[test]
fn every_mistake_of_a_space_is_reported_with_its_pointer() {
    let given = json!({"eat": 1, "eta": {"low": 0, "high": 2, "scale": "cubic", "step": 1}, "max_depth": [4, 99], "rounds": []});
    let mistakes = Space::read(Trainer::GradientBoosting, &given).unwrap_err();
    let pointers: Vec<&str> = mistakes.iter().map(|mistake| mistake.pointer.as_str()).collect();
    assert_eq!(pointers, ["/eat", "/eta/step", "/eta/low", "/eta/high", "/eta/scale", "/max_depth/1", "/rounds"]);
}

#[test]
fn the_best_trial_follows_the_metrics_direction() {
    let trial = |number, score| Trial {
        number,
        config: TrainerConfig::default_of(Trainer::Logistic),
        score,
        state: TrialState::Succeeded,
        iterations: None,
    };
    let trials = [trial(2, Some(0.1)), trial(0, Some(0.3)), trial(1, None), trial(3, Some(0.1))];
    assert_eq!(best(Metric::LogLoss, &trials).unwrap().number, 2);
    assert_eq!(best(Metric::RocAuc, &trials).unwrap().number, 0);
    assert_eq!(best(Metric::RocAuc, &trials[2..3]), None);
}

#[test]
fn the_same_trials_before_give_the_same_trial_which_its_json_keeps() {
    let prepared = prepared(TargetKind::Binary, 200);
    let (base, space) = (TrainerConfig::default_of(Trainer::Logistic), Space::default_of(Trainer::Logistic));
    let study = Study {
        table: &prepared.table,
        labels: &prepared.labels,
        split: &prepared.split,
        kind: prepared.kind,
        base: &base,
        space: &space,
        sampler: Sampler::Tpe,
        metric: Metric::RocAuc,
        seed: 5,
    };
    let first = study.run_trial(&[], &()).unwrap();
    let before = [first.clone()];
    let second = study.run_trial(&before, &()).unwrap();
    assert_eq!((study.run_trial(&[], &()).unwrap(), study.run_trial(&before, &()).unwrap()), (first.clone(), second));
    let text = serde_json::to_string(&first).unwrap();
    assert_eq!(serde_json::from_str::<Trial>(&text).unwrap(), first);
}

#[test]
fn a_trial_that_cannot_be_fitted_fails_and_says_why() {
    let prepared = prepared(TargetKind::Binary, 200);
    let settings = json!({"max_iterations": 10, "tolerance": 1e-10});
    let base = TrainerConfig::read(Trainer::Logistic, &settings).unwrap();
    let space = Space::read(Trainer::Logistic, &json!({"alpha": [0, 0.001]})).unwrap();
    let study = Study {
        table: &prepared.table,
        labels: &prepared.labels,
        split: &prepared.split,
        kind: prepared.kind,
        base: &base,
        space: &space,
        sampler: Sampler::Tpe,
        metric: Metric::RocAuc,
        seed: 5,
    };
    let trial = study.run_trial(&[], &()).unwrap();
    let TrialState::Failed { reason } = trial.state else { panic!("it had ten iterations") };
    assert!(reason.contains("did not converge in 10 iterations"), "{reason}");
    assert_eq!(trial.score, None);
}
