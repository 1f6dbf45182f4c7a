//! What fitting costs: each trainer of a binary target on the first 80 % of ad events in time, judged on the rest.
//!
//! `MILLRACE_BENCH_PARQUET` names the file, with twenty features of which eight are categories, as a peer's script fits them too:
//! LightGBM and HistGradientBoosting 200 trees of 31 leaves, scikit-learn's forest 100 trees with at least 20 rows in a leaf. The goals
//! are no more time than theirs at equal areas under the curve, boosting on one thread. One fit each, preparation included; criterion
//! would repeat for minutes what varies by a few percent.

mod ads;

use std::time::Instant;

use millrace_domain::metric::Metric;
use millrace_domain::trainer::{Trainer, TrainerConfig};
use millrace_ml::features::FeaturePlan;
use millrace_ml::join::TableColumns;
use millrace_ml::model::outcomes;
use millrace_ml::read::{ReadOptions, read};
use millrace_ml::split::{Part, Split};
use millrace_ml::train::train;
use serde_json::json;

#[expect(clippy::disallowed_methods, reason = "a bench is where its settings enter and its clock is read")]
fn main() {
    let Ok(path) = std::env::var("MILLRACE_BENCH_PARQUET") else {
        println!("skipped: MILLRACE_BENCH_PARQUET names no file");
        return;
    };
    let document = ads::document(&json!({ "kind": "time", "validation": 0.0, "test": 0.2 }));
    let bytes = std::fs::read(&path).expect("the file can be read");
    let dataset = read(&bytes, "ads.parquet", &ReadOptions::of(&document.data)).expect("it is a dataset").dataset;
    let plan = FeaturePlan::compile(&document, dataset.schema(), &TableColumns::new()).expect("the features fit");
    let (table, labels) = (plan.table(&dataset).expect("features"), plan.labels(&dataset).expect("labels"));
    let split = Split::new(&document.data.split, &dataset, Some("event_ts"), &labels).expect("parts");
    let test = split.rows(Part::Test);
    println!("{} rows to fit on, {} to judge on", split.rows(Part::Train).len(), test.len());
    let runs = [
        (1, Trainer::GradientBoosting, json!({ "rounds": 200, "max_depth": 16 })),
        (1, Trainer::Logistic, json!({})),
        (2, Trainer::RandomForest, json!({ "trees": 100, "min_leaf_rows": 20, "max_features": 0.22, "max_depth": 64 })),
        (1, Trainer::RandomForest, json!({ "trees": 100, "min_leaf_rows": 20, "max_features": 0.22, "max_depth": 64 })),
        (1, Trainer::DecisionTree, json!({})),
    ];
    for (threads, trainer, settings) in runs {
        let config = TrainerConfig::read(trainer, &settings).expect("the settings fit");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let begun = Instant::now();
        let fitted = pool.install(|| train(&table, &labels, &split, plan.kind(), &config, 1, &())).expect("it fits");
        let took = begun.elapsed().as_secs_f64();
        let predictions = fitted.predictor.predict_table(&table, test).expect("answers");
        let measured = outcomes(&labels, test, &predictions).expect("outcomes");
        let of = |metric| measured.metric(metric).unwrap_or(f64::NAN);
        println!(
            "{trainer} on {threads} thread(s): {took:.2} s, ROC AUC {:.4}, log loss {:.4}",
            of(Metric::RocAuc),
            of(Metric::LogLoss)
        );
    }
}
