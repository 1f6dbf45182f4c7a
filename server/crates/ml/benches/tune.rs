//! What a search costs besides training: drawing the next trial of seven hyperparameters after 999 others.
//!
//! The goal is half a millisecond; Optuna's sampler takes 10 ms in memory. How near 50 trials come to the bottom of a bowl is printed
//! beside it, the median of nine seeds, for both samplers.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use millrace_domain::metric::{Metric, TargetKind};
use millrace_domain::trainer::{FitPlan, Sampler, Space, TrainerConfig};
use millrace_ml::tune::{Map, Place, Search, Trial, TrialState, Tried, draw};
use serde_json::{Value as Json, json};

/// A bowl in four dimensions, one of them on a log scale and one of choices.
fn cost(config: &TrainerConfig) -> f64 {
    let of = |name: &str| config.number(name);
    let eta = (of("eta") / 0.05).ln() / 1000_f64.ln();
    let depth = if of("max_depth") == 6.0 { 0.0 } else { 0.3 };
    eta.powi(2) + (of("subsample") - 0.8).powi(2) + depth + ((of("rounds") - 400.0) / 990.0).powi(2)
}

/// What so many trials cost, one after the other.
fn costs(space: &Space, sampler: Sampler, seed: u64, trials: u64) -> Vec<f64> {
    let mut ended: Vec<(Place, f64)> = Vec::new();
    for number in 0..trials {
        let tried: Vec<Tried<'_>> = ended.iter().map(|(place, cost)| Tried { place, cost: Some(*cost) }).collect();
        let config = draw(space, sampler, seed, number, &tried);
        ended.push((Place::of(space, &config), cost(&config)));
    }
    ended.into_iter().map(|(_, cost)| cost).collect()
}

fn space(asked: Json) -> Space {
    FitPlan::read(&FitPlan::filled_in(asked), TargetKind::Binary).expect("a space of the trainer").space
}

fn tune(criterion: &mut Criterion) {
    let bowl = space(json!({ "search": {
        "eta": {"low": 0.001, "high": 1, "scale": "log"}, "subsample": {"low": 0.1, "high": 1},
        "max_depth": [3, 4, 5, 6, 7, 8], "rounds": {"low": 10, "high": 1000}
    } }));
    for sampler in Sampler::ALL {
        let least = |seed| costs(&bowl, sampler, seed, 50).into_iter().fold(f64::INFINITY, f64::min);
        let mut found: Vec<f64> = (0..9).map(least).collect();
        found.sort_by(f64::total_cmp);
        println!("{}: {:.5} above the bottom after 50 trials", sampler.as_str(), found[4]);
    }
    let plan = FitPlan::read(&FitPlan::filled_in(json!({ "budget": 1_000, "parallel": 4 })), TargetKind::Binary);
    let plan = plan.expect("a plan");
    let trial = |number: u64| Trial {
        config: draw(&plan.space, Sampler::Random, 1, number, &[]),
        share: 1.0,
        score: Some((number * 7_919 % 1_000) as f64 / 1_000.0),
        state: TrialState::Succeeded,
        iterations: None,
        costs: Vec::new(),
    };
    let trials: Vec<Trial> = (0..999).map(trial).collect();
    let places = || -> Vec<Place> {
        let map = Map::of(&plan.space);
        trials.iter().map(|trial| map.place(&trial.config)).collect()
    };
    // Where those before lie is found anew, as a step does that reads them.
    criterion.bench_function("draw trial 1,000", |bencher| {
        bencher.iter(|| {
            let places = places();
            let tried: Vec<Tried<'_>> =
                places.iter().zip(&trials).map(|(place, trial)| Tried { place, cost: trial.score }).collect();
            black_box(draw(&plan.space, Sampler::Tpe, 1, 999, &tried))
        });
    });
    // Three of the trials before may still run, and are drawn first.
    let search = Search::new(&plan, 100_000, Metric::RocAuc, 1);
    criterion.bench_function("trial 1,000 of a search by four", |bencher| {
        bencher.iter(|| black_box(search.next(999, &trials[..996])));
    });
}

criterion_group!(benches, tune);
criterion_main!(benches);
