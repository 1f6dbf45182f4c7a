//! What searches of thirty trials of boosting come to, and the rounds that they pay: on the newest 20,000 of the first 80 % of ad events in
//! time, scored on the next tenth and judged on the last.
//!
//! `MILLRACE_BENCH_PARQUET` names the file of 100,000 events. A peer's script does the same with Optuna and LightGBM, a hundred rounds a
//! trial, and counts the best of ten looks at each; `MILLRACE_BENCH_PEER` is the area under the curve that its search came to, which is
//! looked for as well. Ours make a hundred rounds at most, and stop where the loss stops to fall. The goals: the best of thirty trials of TPE
//! with half of their 3,000 rounds, that of thirty at random with a third.

mod ads;

use std::cell::Cell;
use std::thread;

use millrace_domain::metric::{Metric, TargetKind};
use millrace_domain::trainer::FitPlan;
use millrace_ml::features::{FeaturePlan, FeatureTable, Labels};
use millrace_ml::join::TableColumns;
use millrace_ml::model::outcomes;
use millrace_ml::read::{ReadOptions, read};
use millrace_ml::split::{Part, Split};
use millrace_ml::train::{Progress, train};
use millrace_ml::tune::{Search, Shared, Study, Trial};
use serde_json::json;

const METRIC: Metric = Metric::RocAuc;
const SEEDS: u64 = 5;
/// Sampler, pruner, and trials: halving is given more of them, since most end early.
const WAYS: [(&str, &str, u32); 4] =
    [("random", "none", 30), ("tpe", "none", 30), ("tpe", "median", 30), ("tpe", "asha", 90)];

struct Data {
    table: FeatureTable,
    labels: Labels,
    split: Split,
}

/// What a search came to: the best score and what its model has on the test part, and the best score after so many rounds.
struct Found {
    score: f64,
    test: f64,
    rounds: u64,
    course: Vec<(u64, f64)>,
}

impl Found {
    fn after(&self, score: f64) -> f64 {
        self.course.iter().find(|(_, best)| *best >= score).map_or(f64::INFINITY, |(rounds, _)| *rounds as f64)
    }
}

/// Counts rounds.
#[derive(Default)]
struct Paid(std::sync::atomic::AtomicU64);

impl Progress for Paid {
    fn report(&self, done: u64, _: u64, _: Option<f64>) {
        self.0.fetch_max(done, std::sync::atomic::Ordering::Relaxed);
    }
}

fn search(data: &Data, (sampler, pruner, trials): (&str, &str, u32), seed: u64) -> Found {
    let Data { table, labels, split } = data;
    let asked = json!({
        "sampler": sampler, "pruner": pruner, "budget": trials, "parallel": 1,
        "parameters": { "rounds": 100 }
    });
    let plan = FitPlan::read(&FitPlan::filled_in(asked), TargetKind::Binary).expect("the plan fits");
    let search = Search::new(&plan, table.rows() as u64, METRIC, seed);
    let shared = Shared::default();
    let study = Study {
        table,
        labels,
        split,
        kind: TargetKind::Binary,
        calibration: plan.calibration,
        metric: METRIC,
        seed,
        shared: &shared,
        unfit: &|_| None,
    };
    let (mut done, mut course): (Vec<Trial>, Vec<(u64, f64)>) = (Vec::new(), Vec::new());
    let rounds = Cell::new(0);
    while let Some(wait) = search.waits(done.len() as u32) {
        let draw = search.next(done.len() as u32, &done[..wait as usize]).expect("a trial");
        let paid = Paid::default();
        done.push(study.run(&draw, &paid).expect("nobody stops it"));
        rounds.set(rounds.get() + paid.0.into_inner());
        course.extend(search.best(&done).and_then(|best| best.score).map(|best| (rounds.get(), best)));
    }
    let best = search.best(&done).expect("a trial has a score");
    let fitted = train(table, labels, split, TargetKind::Binary, &best.config, seed, &()).expect("it fits");
    let test = split.rows(Part::Test);
    let predictions = fitted.predictor.predict_table(table, test).expect("answers");
    let test = outcomes(labels, test, &predictions).expect("outcomes").metric(METRIC).unwrap_or(f64::NAN);
    Found { score: best.score.unwrap_or(f64::NAN), test, rounds: rounds.get(), course }
}

/// With each seed, two at a time, each on one thread.
fn searches(data: &Data, way: (&str, &str, u32)) -> Vec<Found> {
    let one = |seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
        pool.install(|| search(data, way, seed))
    };
    thread::scope(|scope| {
        let halves = [0, 1].map(|first| scope.spawn(move || (first..SEEDS).step_by(2).map(one).collect::<Vec<_>>()));
        halves.into_iter().flat_map(|half| half.join().expect("it ends")).collect()
    })
}

fn median(found: &[Found], number: impl Fn(&Found) -> f64) -> f64 {
    let mut numbers: Vec<f64> = found.iter().map(number).collect();
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

#[expect(clippy::disallowed_methods, reason = "a bench is where its settings enter")]
fn main() {
    let Ok(path) = std::env::var("MILLRACE_BENCH_PARQUET") else {
        println!("skipped: MILLRACE_BENCH_PARQUET names no file");
        return;
    };
    let peer: Option<f64> = std::env::var("MILLRACE_BENCH_PEER").ok().map(|peer| peer.parse().expect("a number"));
    let document = ads::document(&json!({ "kind": "time", "validation": 0.25, "test": 0.25 }));
    let bytes = std::fs::read(&path).expect("the file can be read");
    let all = read(&bytes, "ads.parquet", &ReadOptions::of(&document.data)).expect("it is a dataset").dataset;
    let newest: Vec<u32> = (60_000..100_000).collect();
    let dataset = all.take(&newest);
    let plan = FeaturePlan::compile(&document, dataset.schema(), &TableColumns::new()).expect("the features fit");
    let (table, labels) = (plan.table(&dataset).expect("features"), plan.labels(&dataset).expect("labels"));
    let split = Split::new(&document.data.split, &dataset, Some("event_ts"), &labels).expect("parts");
    let data = Data { table, labels, split };
    let found: Vec<Vec<Found>> = WAYS.iter().map(|way| searches(&data, *way)).collect();
    let score = |found: &Vec<Found>| median(found, |found| found.score);
    let (random, tpe) = (score(&found[0]), score(&found[1]));
    for ((sampler, pruner, trials), found) in WAYS.iter().zip(&found) {
        let after = |score: f64| median(found, |found| found.after(score));
        print!(
            "{trials} trials, sampler {sampler}, pruner {pruner}: {:.4} (test {:.4}), {} rounds; random's best after {}, TPE's after {}",
            score(found),
            median(found, |found| found.test),
            median(found, |found| found.rounds as f64),
            after(random),
            after(tpe)
        );
        println!("{}", peer.map(|peer| format!(", the peer's after {}", after(peer))).unwrap_or_default());
    }
}
