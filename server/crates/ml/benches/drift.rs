//! How fast a version is compared with the one before: 20 columns, 1,000,000 rows against 1,000,000.
//!
//! The goals are a third of what numpy takes for the same distances, a hundredth of what Evidently takes, and time that grows with the
//! cells: 1,000 columns of a fiftieth of the rows take as long. `MILLRACE_BENCH_ROWS` makes it smaller.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use millrace_ml::drift::compare;
use millrace_ml::{ColumnData, Dataset};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Fourteen numbers, two of them whole and one with gaps, and six texts of 3 to 1,000 values.
fn dataset(rows: usize, seed: u64, shift: f64) -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut parts: Vec<(String, ColumnData)> = Vec::with_capacity(20);
    for column in 0..11 {
        let mut normal = || (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0 + shift;
        parts.push((format!("number_{column}"), ColumnData::Number((0..rows).map(|_| Some(normal())).collect())));
    }
    for column in 0..2 {
        let cells = (0..rows).map(|_| Some(rng.random_range(0..10_000))).collect();
        parts.push((format!("whole_{column}"), ColumnData::Integer(cells)));
    }
    let gaps = (0..rows).map(|_| rng.random_bool(0.9).then(|| rng.random())).collect();
    parts.push(("gaps".to_owned(), ColumnData::Number(gaps)));
    for (column, values) in [3, 10, 30, 100, 300, 1_000].into_iter().enumerate() {
        let cells = (0..rows).map(|_| Some(format!("value {}", rng.random_range(0..values)))).collect();
        parts.push((format!("text_{column}"), ColumnData::Text(cells)));
    }
    Dataset::from_parts(parts).expect("columns of one length and different names")
}

#[expect(clippy::disallowed_methods, reason = "a bench is where its settings enter")]
fn rows() -> usize {
    std::env::var("MILLRACE_BENCH_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000)
}

/// A line of this process's status in bytes, where the system tells.
fn status_bytes(line: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|one| one.strip_prefix(line))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// What a comparison takes besides the rows themselves.
fn report_memory(reference: &Dataset, current: &Dataset) {
    let (reset, before) = (std::fs::write("/proc/self/clear_refs", "5"), status_bytes("VmRSS:"));
    black_box(compare(reference, current, 1));
    if let (Ok(()), Some(before), Some(peak)) = (reset, before, status_bytes("VmHWM:")) {
        println!("{:.0} MB besides the rows (goal: 200)", peak.saturating_sub(before) as f64 / 1e6);
    }
}

fn drift(criterion: &mut Criterion) {
    let rows = rows();
    let (reference, current) = (dataset(rows, 1, 0.0), dataset(rows, 2, 0.1));
    report_memory(&reference, &current);
    let mut group = criterion.benchmark_group("drift");
    group.sample_size(10).measurement_time(Duration::from_secs(10)).throughput(Throughput::Elements(rows as u64));
    group.bench_function("20 columns against 20 columns", |bencher| {
        bencher.iter(|| black_box(compare(&reference, &current, 1)));
    });
    let many = |seed: u64, shift: f64| -> Dataset {
        let some = dataset(rows / 50, seed, shift);
        let column = |column: usize| {
            let slot = column % some.schema().len();
            (format!("{}_{column}", some.schema()[slot].name), some.cells(slot).clone())
        };
        Dataset::from_parts((0..1_000).map(column)).expect("columns of one length and different names")
    };
    let (reference, current) = (many(1, 0.0), many(2, 0.1));
    group.bench_function("1,000 columns of a fiftieth of the rows", |bencher| {
        bencher.iter(|| black_box(compare(&reference, &current, 1)));
    });
    group.finish();
}

criterion_group!(benches, drift);
criterion_main!(benches);
