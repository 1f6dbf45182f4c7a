//! What a search costs besides training: drawing the next trial of seven hyperparameters after 1,000 others.
//!
//! The goal is half a millisecond; Optuna's sampler takes 10 ms in memory. How near 50 trials come to the bottom of a bowl is printed
//! beside it, the median of nine seeds, for both samplers.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use millrace_ml::train::{Settings, Trainer};
use millrace_ml::tune::{Sampler, Space, Tried};
use serde_json::json;

/// A bowl in four dimensions, one of them on a log scale and one of choices.
fn cost(settings: &Settings) -> f64 {
    let of = |name: &str| settings[name].as_f64();
    let eta = (of("eta") / 0.05).ln() / 1000_f64.ln();
    let depth = if of("max_depth") == 6.0 { 0.0 } else { 0.3 };
    eta.powi(2) + (of("subsample") - 0.8).powi(2) + depth + ((of("rounds") - 400.0) / 990.0).powi(2)
}

fn tried(space: &Space, sampler: Sampler, seed: u64, trials: u64) -> Vec<Tried> {
    let mut tried = Vec::new();
    for number in 0..trials {
        let settings = space.next(sampler, seed, number, &tried);
        tried.push(Tried { cost: Some(cost(&settings)), settings });
    }
    tried
}

fn tune(criterion: &mut Criterion) {
    let given = json!({
        "eta": {"low": 0.001, "high": 1, "scale": "log"}, "subsample": {"low": 0.1, "high": 1},
        "max_depth": [3, 4, 5, 6, 7, 8], "rounds": {"low": 10, "high": 1000}
    });
    let bowl = Space::read(Trainer::GradientBoosting, &given).expect("a space of the trainer");
    for sampler in Sampler::ALL {
        let least =
            |seed| tried(&bowl, sampler, seed, 50).iter().filter_map(|trial| trial.cost).fold(f64::INFINITY, f64::min);
        let mut found: Vec<f64> = (0..9).map(least).collect();
        found.sort_by(f64::total_cmp);
        println!("{}: {:.5} above the bottom after 50 trials", sampler.as_str(), found[4]);
    }
    let space = Space::default_of(Trainer::GradientBoosting);
    let random: Vec<Tried> = (0..1_000)
        .map(|number| Tried {
            settings: space.next(Sampler::Random, 1, number, &[]),
            cost: Some((number * 7_919 % 1_000) as f64),
        })
        .collect();
    criterion.bench_function("draw trial 1,001", |bencher| {
        bencher.iter(|| black_box(space.next(Sampler::Tpe, 1, 1_000, &random)));
    });
}

criterion_group!(benches, tune);
criterion_main!(benches);
