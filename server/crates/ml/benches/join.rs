//! How fast rows are joined as of their time: 100,000 events against 500,000 table rows of 20,000 users, and 1,000,000 against
//! 5,000,000; five columns looked up, known time included. Windows over the same events beside it, and one request alone.
//!
//! The goal is the best of pandas' and polars' asof joins on data of that shape, which know no known time.
//! `MILLRACE_BENCH_EVENTS` chooses one size.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use millrace_domain::problem::ProblemDocument;
use millrace_ml::join::{History, Joins, Sources};
use millrace_ml::{ColumnData, Dataset};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Thirty days in microseconds.
const SPAN: i64 = 30 * 86_400_000_000;

fn times(rng: &mut ChaCha8Rng, rows: usize) -> Vec<i64> {
    let mut times: Vec<i64> = (0..rows).map(|_| rng.random_range(0..SPAN)).collect();
    times.sort_unstable();
    times
}

fn users(rng: &mut ChaCha8Rng, rows: usize) -> ColumnData {
    let most = (rows / 5).clamp(1, 100_000) as i64;
    ColumnData::Integer((0..rows).map(|_| Some(rng.random_range(0..most))).collect())
}

fn events(rows: usize) -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let at = times(&mut rng, rows).into_iter().map(Some).collect();
    Dataset::from_parts([
        ("user_id", users(&mut rng, rows)),
        ("at", ColumnData::Time(at)),
        ("bid", ColumnData::Number((0..rows).map(|_| Some(rng.random())).collect())),
        ("clicked", ColumnData::Boolean((0..rows).map(|_| Some(rng.random())).collect())),
    ])
    .expect("columns of one length")
}

fn history(events: usize) -> Dataset {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let rows = events * 5;
    let most = (events / 5).clamp(1, 100_000) as i64;
    let since = times(&mut rng, rows);
    let known = since.iter().map(|at| Some(at + rng.random_range(0..3_600_000_000))).collect();
    let mut parts = vec![
        ("user_id".to_owned(), ColumnData::Integer((0..rows).map(|_| Some(rng.random_range(0..most))).collect())),
        ("since".to_owned(), ColumnData::Time(since.into_iter().map(Some).collect())),
        ("known".to_owned(), ColumnData::Time(known)),
    ];
    for column in 0..3 {
        let cells = (0..rows).map(|_| Some(rng.random_range(0..100))).collect();
        parts.push((format!("count_{column}"), ColumnData::Integer(cells)));
    }
    for column in 0..2 {
        let cells = (0..rows).map(|_| Some(rng.random())).collect();
        parts.push((format!("share_{column}"), ColumnData::Number(cells)));
    }
    Dataset::from_parts(parts).expect("columns of one length")
}

fn document(joins: &str) -> ProblemDocument {
    ProblemDocument::parse(&format!(
        "slug = \"clicks\"\ntitle = \"T\"\ndecision = \"D\"\n\
         target = {{ name = \"clicked\", kind = \"binary\", column = \"clicked\" }}\n\
         data = {{ event_time = \"at\", split = {{ kind = \"time\", validation = 0.2, test = 0.2 }} }}\n\
         success = {{ metric = \"roc_auc\", at_least = 0.6 }}\n{joins}"
    ))
    .expect("the document is valid")
}

fn lookups() -> ProblemDocument {
    let columns = ["count_0", "count_1", "count_2", "share_0", "share_1"];
    let feature =
        |name: &str| format!("[[features]]\nname = \"{name}\"\nexpression = \"users.{name}\"\nnullable = true\n");
    document(&format!(
        "[[tables]]\nname = \"users\"\nkey = \"user_id\"\nevent_time = \"since\"\nknown_time = \"known\"\n\
         [[lookups]]\ntable = \"users\"\ntime_to_live = \"3d\"\n{}",
        columns.map(feature).concat()
    ))
}

fn windows() -> ProblemDocument {
    let aggregate = |function: &str, of: &str| {
        format!(
            "[[aggregates]]\nname = \"w_{function}\"\nover = \"user_id\"\nfunction = \"{function}\"\n{of}window = \"7d\"\n"
        )
    };
    let of = "of = \"bid\"\n";
    document(&[aggregate("count", ""), aggregate("sum", of), aggregate("mean", of), aggregate("max", of)].concat())
}

#[expect(clippy::disallowed_methods, reason = "a bench is where its settings enter")]
fn sizes() -> Vec<usize> {
    let chosen = std::env::var("MILLRACE_BENCH_EVENTS").ok().and_then(|rows| rows.parse().ok());
    chosen.map_or_else(|| vec![100_000, 1_000_000], |rows| vec![rows])
}

fn join(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("join");
    group.sample_size(10).measurement_time(Duration::from_secs(15));
    for rows in sizes() {
        let own = Arc::new(events(rows));
        let mut sources = Sources { own: Some(Arc::clone(&own)), ..Sources::default() };
        sources.tables.insert("users".to_owned(), Arc::new(history(rows)));
        for (name, document) in [("looked up", lookups()), ("four windows", windows())] {
            let joins = Joins::compile(&document, own.schema(), &sources.table_columns()).expect("everything is there");
            group.throughput(Throughput::Elements(rows as u64));
            group.bench_function(format!("{rows} events, {name}"), |bencher| {
                bencher.iter(|| {
                    let history = History::new(&joins, &sources).expect("everything is there");
                    black_box(history.join(&own).expect("columns of one length"))
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, join);
criterion_main!(benches);
