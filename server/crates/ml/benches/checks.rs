//! How fast 22 declared checks are made on 1,000,000 rows of 25 columns, rows that break them being named in the same pass.
//!
//! They are those that the other validator makes, but for its list of columns, in place of which a presence is checked twice: which
//! columns there are, every load is asked anyway. The goals are a twenty-fifth of what Great Expectations takes on the same rows, and 1.1 times bare polars. `MILLRACE_BENCH_PARQUET`
//! names the file: ad events with `event_id`, `user_id`, `age`, … as another validator reads them. `MILLRACE_BENCH_HELD_BYTES` says how
//! much of it may be held; of a larger one, columns are read from the file as they are wanted.

use std::collections::BTreeMap;
use std::fs::File;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use millrace_domain::problem::ProblemDocument;
use millrace_domain::schema::{CheckOutcome, Value};
use millrace_ml::profile::profile;
use millrace_ml::read::{ReadOptions, read_file};
use millrace_ml::validate::check_rules;
use millrace_ml::{ColumnData, Dataset};

const CHECKS: &str = r#"
slug = "ads"
title = "Ads"
decision = "What is shown"
target = { name = "clicked", kind = "binary", column = "clicked" }
data = { split = { kind = "random", validation = 0.1, test = 0.1, seed = 1 } }
success = { metric = "roc_auc", at_least = 0.6 }
features = [{ name = "bid_price" }]
checks = [
  { name = "every column", expression = "event_ts IS NOT NULL" },
  { name = "rows", statistic = "rows", min = 1000 },
  { name = "event", expression = "event_id IS NOT NULL" },
  { name = "time", expression = "event_ts IS NOT NULL" },
  { name = "user", expression = "user_id IS NOT NULL" },
  { name = "label", expression = "clicked IS NOT NULL" },
  { name = "age known", expression = "age IS NOT NULL", at_least = 0.90 },
  { name = "rate known", expression = "user_ctr_7d IS NOT NULL", at_least = 0.75 },
  { name = "age", expression = "age BETWEEN 13 AND 100" },
  { name = "bid", expression = "bid_price BETWEEN 0 AND 1000" },
  { name = "depth", expression = "scroll_depth BETWEEN 0 AND 1" },
  { name = "position", expression = "position BETWEEN 1 AND 8" },
  { name = "hour", expression = "hour BETWEEN 0 AND 23" },
  { name = "session", expression = "session_len_s BETWEEN 0 AND 100000" },
  { name = "device", expression = "device IN ('phone', 'desktop', 'tablet', 'tv')" },
  { name = "os", expression = "os IN ('android', 'ios', 'windows', 'macos', 'linux', 'other')" },
  { name = "connection", expression = "connection IN ('wifi', '4g', '5g', 'wired')" },
  { name = "clicked", expression = "clicked IN (0, 1)" },
  { name = "events differ", unique = ["event_id"] },
  { name = "share of clicks", statistic = "mean", of = "clicked", min = 0.01, max = 0.5 },
  { name = "in order", increasing = "event_id" },
  { name = "events of users differ", unique = ["event_id", "user_id"] },
]
"#;

#[expect(clippy::disallowed_methods, reason = "a bench is where its settings enter")]
fn events() -> Option<Dataset> {
    let path = std::env::var("MILLRACE_BENCH_PARQUET").ok()?;
    let held_bytes = std::env::var("MILLRACE_BENCH_HELD_BYTES").ok().and_then(|bytes| bytes.parse().ok());
    let mut options = ReadOptions::default();
    options.limits.held_bytes = held_bytes.unwrap_or(options.limits.held_bytes);
    let file = File::open(&path).expect("the file can be opened");
    let scratch = || Err(std::io::Error::other("the file fits memory"));
    Some(read_file(&file, &path, &options, &scratch).expect("the file can be read").dataset)
}

fn checks(criterion: &mut Criterion) {
    let Some(dataset) = events() else {
        println!("skipped: MILLRACE_BENCH_PARQUET names no file");
        return;
    };
    let problem = ProblemDocument::parse(CHECKS).expect("a valid document");
    let known = profile(&dataset, &BTreeMap::new());
    for finding in check_rules(&dataset, &known, &problem.checks) {
        assert!(finding.outcome != CheckOutcome::Errored, "{finding:?}");
    }
    // The profile, which a version has anyway, is told once; of it the checks take the mean of one column.
    let clicked = dataset.cells(dataset.slot("clicked").expect("the label"));
    let values =
        (0..clicked.len()).map(|row| if let Value::Number(value) = clicked.value(row) { Some(value) } else { None });
    let clicked = Dataset::from_parts([("clicked", ColumnData::Number(values.collect()))]).expect("one column");
    let mut group = criterion.benchmark_group("checks");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(10))
        .throughput(Throughput::Elements(dataset.rows() as u64));
    group.bench_function("22 declared checks", |bencher| {
        bencher.iter(|| {
            black_box(profile(&clicked, &BTreeMap::new()));
            black_box(check_rules(&dataset, &known, &problem.checks))
        });
    });
    group.finish();
}

criterion_group!(benches, checks);
criterion_main!(benches);
