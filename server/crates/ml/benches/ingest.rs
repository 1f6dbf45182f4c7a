//! How fast a file becomes a checked dataset: reading, profiling and validating 1,000,000 rows of 20 columns.
//!
//! The goals are 1,000,000 rows a second from CSV to a validation report, and a peak of memory below three times the file. The
//! file is made by a seeded generator and holds what real ones do: identifiers, whole numbers, decimals of different
//! length, gaps, categories, free text, truth values and times. `MILLRACE_BENCH_ROWS` makes it smaller.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use millrace_domain::problem::{ProblemDocument, TimeFormat};
use millrace_ml::profile::profile;
use millrace_ml::read::{Loaded, ReadOptions, read};
use millrace_ml::validate::{Known, validate};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ROWS: usize = 1_000_000;
const HEADER: &str = "id,at,seconds,age,visits,code,amount,price,rate,longitude,latitude,score,gap,city,kind,channel,company,\
                      comment,member,clicked";

const PROBLEM: &str = r#"
slug = "clicks"
title = "Clicks"
decision = "What is shown"
target = { name = "clicked", kind = "binary", column = "clicked" }
data = { entity = "company", event_time = "seconds", time_format = "unix_s" }
success = { metric = "roc_auc", at_least = 0.7 }
features = [
  { name = "age", min = 0, max = 120 },
  { name = "visits", min = 0 },
  { name = "log_amount", expression = "ln(1 + amount)" },
  { name = "price", nullable = true, max_null_share = 0.5 },
  { name = "rate" },
  { name = "spread", expression = "abs(longitude - latitude)" },
  { name = "gap", nullable = true },
  { name = "hour", expression = "hour(at)", type = "category" },
  { name = "city", type = "category" },
  { name = "kind", type = "category", values = ["Cash", "Credit Card", "Prepaid", "Unknown"] },
  { name = "member" },
]
"#;

fn csv(rows: usize) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut text = String::with_capacity(rows * 160);
    text.push_str(HEADER);
    text.push('\n');
    for row in 0..rows {
        line(&mut text, row, &mut rng).expect("writing to a String does not fail");
    }
    text
}

fn line(text: &mut String, row: usize, rng: &mut ChaCha8Rng) -> std::fmt::Result {
    const CITIES: [&str; 6] = ["Berlin", "Chicago", "Lagos", "São Paulo", "Tokyo", "Ulaanbaatar"];
    const KINDS: [&str; 4] = ["Cash", "Credit Card", "Prepaid", "Unknown"];
    const COMPANIES: [&str; 3] = ["Taxi Affiliation Services", "Blue Ribbon", "Dispatch, \"\"North\"\""];
    let (day, second) = (rng.random_range(1..29), rng.random_range(0..86_400u32));
    write!(
        text,
        "{row},2024-0{}-{day:02} {:02}:{:02}:{:02},",
        rng.random_range(1..10),
        second / 3_600,
        second / 60 % 60,
        second % 60
    )?;
    write!(
        text,
        "{},{},{},{},",
        1_700_000_000 + row,
        rng.random_range(18..90),
        rng.random_range(0..2_000),
        rng.random::<u32>()
    )?;
    write!(text, "{:.2},{:.2},", rng.random::<f64>() * 500.0, rng.random::<f64>() * 30.0)?;
    write!(
        text,
        "{},{:.6},{:.6},",
        rng.random::<f64>(),
        rng.random_range(-180.0..180.0),
        rng.random_range(-90.0..90.0)
    )?;
    write!(text, "{:.3},", rng.random::<f64>())?;
    if rng.random_bool(0.7) {
        write!(text, "{}", rng.random_range(0..100))?;
    }
    write!(text, ",{},{},web,", CITIES[rng.random_range(0..6)], KINDS[rng.random_range(0..4)])?;
    write!(text, "\"{}\",", COMPANIES[rng.random_range(0..3)])?;
    write!(
        text,
        "order {:08x} of today,{},{}",
        rng.random::<u32>(),
        rng.random_bool(0.5),
        u8::from(rng.random_bool(0.1))
    )?;
    text.push('\n');
    Ok(())
}

fn options() -> ReadOptions {
    ReadOptions { time_columns: vec![("seconds".to_owned(), TimeFormat::UnixS)], ..ReadOptions::default() }
}

fn load(text: &str) -> Loaded {
    read(text.as_bytes(), "clicks.csv", &options()).expect("the generator writes well-formed rows")
}

/// The peak of this process's memory since it was last reset, where the system tells.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

fn report_memory(text: &str, problem: &ProblemDocument) {
    let reset = std::fs::write("/proc/self/clear_refs", "5");
    let loaded = load(text);
    let profile = profile(&loaded.dataset, &loaded.notes);
    let report = validate(&loaded.dataset, &profile, problem, Known::default());
    assert!(report.allows_training(), "{:?}", report.blocking().next());
    if let (Ok(()), Some(peak)) = (reset, peak_bytes()) {
        let file = text.len() as f64;
        println!(
            "file {:.0} MB, peak {:.0} MB: {:.2} times the file (goal: 3)",
            file / 1e6,
            peak as f64 / 1e6,
            peak as f64 / file
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench is where its settings enter")]
fn rows() -> usize {
    std::env::var("MILLRACE_BENCH_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(ROWS)
}

fn ingest(criterion: &mut Criterion) {
    let rows = rows();
    let text = csv(rows);
    let problem = ProblemDocument::parse(PROBLEM).expect("a valid document");
    report_memory(&text, &problem);

    let mut group = criterion.benchmark_group("ingest");
    group.sample_size(10).measurement_time(Duration::from_secs(15)).throughput(Throughput::Elements(rows as u64));
    group.bench_function("read, profile and validate", |bencher| {
        bencher.iter(|| {
            let loaded = load(&text);
            let profile = profile(&loaded.dataset, &loaded.notes);
            black_box(validate(&loaded.dataset, &profile, &problem, Known::default()))
        });
    });
    group.bench_function("read", |bencher| bencher.iter_with_large_drop(|| load(&text)));
    let loaded = load(&text);
    group.bench_function("profile", |bencher| bencher.iter(|| profile(&loaded.dataset, &BTreeMap::new())));
    let known = profile(&loaded.dataset, &loaded.notes);
    group.bench_function("validate", |bencher| {
        bencher.iter(|| validate(&loaded.dataset, &known, &problem, Known::default()))
    });
    group.bench_function("digest", |bencher| bencher.iter(|| loaded.dataset.digest()));
    group.bench_function("to parquet", |bencher| {
        bencher.iter_batched(|| (), |()| loaded.dataset.to_parquet(), BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, ingest);
criterion_main!(benches);
