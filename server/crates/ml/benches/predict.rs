//! How long one answer takes: features and model, from the JSON object of a request to the prediction.
//!
//! The problem is of the size of a real one: 20 inputs, 16 features of 12 kinds of expression, 200 trees of 31 leaves. The goal
//! is 200 µs for the whole path on a server core.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use millrace_domain::Digest;
use millrace_domain::monitor::{Reference, judge};
use millrace_domain::problem::{Drift, DriftMetric, Monitoring, NoData, ProblemDocument, Span, Split as Rule};
use millrace_ml::evaluate::{BinaryOutcomes, Outcomes};
use millrace_ml::features::{FeaturePlan, FeatureTable};
use millrace_ml::join::TableColumns;
use millrace_ml::model::{Lineage, Model};
use millrace_ml::reference::{bins, reference};
use millrace_ml::split::Split;
use millrace_ml::train::{Trainer, TrainerConfig, train};
use millrace_ml::{ColumnData, Dataset};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value as Json, json};

const ROWS: usize = 5_000;
const NUMBERS: usize = 16;
const TEXTS: usize = 4;

const FEATURES: [(&str, &str); 16] = [
    ("number", "n0"),
    ("number", "ln(1 + abs(n1))"),
    ("number", "n2 * n3"),
    ("number", "n4 / (n5 + 1)"),
    ("number", "case when n6 > 0.5 then n7 else n8 end"),
    ("number", "coalesce(n9, 0)"),
    ("number", "greatest(n10, n11)"),
    ("number", "round(n12, 2)"),
    ("number", "power(n13, 2)"),
    ("number", "n14"),
    ("number", "n15 between 0.2 and 0.8"),
    ("number", "length(t0)"),
    ("category", "t0"),
    ("category", "upper(t1)"),
    ("category", "t2"),
    ("category", "t3 || t1"),
];

fn dataset() -> Dataset {
    let mut generator = ChaCha8Rng::seed_from_u64(1);
    let numbers = (0..NUMBERS).map(|column| {
        let cells = (0..ROWS).map(|_| Some(generator.random::<f64>())).collect();
        (format!("n{column}"), ColumnData::Number(cells))
    });
    let mut columns: Vec<(String, ColumnData)> = numbers.collect();
    for column in 0..TEXTS {
        let cells = (0..ROWS).map(|_| Some(format!("level {}", generator.random_range(0..20)))).collect();
        columns.push((format!("t{column}"), ColumnData::Text(cells)));
    }
    let label = |row: usize| match (&columns[0].1, &columns[2].1) {
        (ColumnData::Number(a), ColumnData::Number(b)) => Some(a[row]? + b[row]? + generator.random::<f64>() > 1.5),
        _ => None,
    };
    let labels = (0..ROWS).map(label).collect();
    columns.push(("label".to_owned(), ColumnData::Boolean(labels)));
    Dataset::from_parts(columns).expect("columns are of one length")
}

fn model(dataset: &Dataset, trainer: Trainer, settings: &Json) -> (Model, FeatureTable) {
    let features: String = FEATURES
        .iter()
        .enumerate()
        .map(|(number, (kind, expression))| {
            format!("[[features]]\nname = \"f{number}\"\ntype = \"{kind}\"\nexpression = \"{expression}\"\nnullable = true\n")
        })
        .collect();
    let text = format!(
        "slug = \"bench\"\ntitle = \"Bench\"\ndecision = \"None\"\n[target]\nname = \"label\"\nkind = \"binary\"\n\
         column = \"label\"\n[data]\n{features}[success]\nmetric = \"roc_auc\"\nat_least = 0.5\n[serving]\np99_ms = 1\n\
         throughput_rps = 1\n"
    );
    let document = ProblemDocument::parse(&text).expect("the document is valid");
    let plan = FeaturePlan::compile(&document, dataset.schema(), &TableColumns::new()).expect("every column exists");
    let table = plan.table(dataset).expect("every column exists");
    let labels = plan.labels(dataset).expect("two classes");
    let rule = Rule::Random { validation: 0.0, test: 0.2, seed: 1, entity: None };
    let split = Split::new(&rule, dataset, None, &labels).expect("there are rows enough");
    let config = TrainerConfig::read(trainer, settings).expect("the settings are in range");
    let fitted = train(&table, &labels, &split, plan.kind(), &config, 1, &()).expect("it can be fitted");
    let digest = Digest::of("bench");
    let model = Model::new(
        &plan,
        fitted,
        Lineage {
            dataset: digest,
            tables: Default::default(),
            problem: digest,
            features: digest,
            trainer: config,
            seed: 1,
        },
    );
    (model, table)
}

fn request(dataset: &Dataset) -> Map<String, Json> {
    use millrace_domain::schema::Value;
    let member = |slot: usize| {
        let value = match dataset.cells(slot).value(0) {
            Value::Number(number) => json!(number),
            Value::Text(text) => json!(text),
            _ => Json::Null,
        };
        (dataset.schema()[slot].name.clone(), value)
    };
    (0..NUMBERS + TEXTS).map(member).collect()
}

fn reference_of(model: &Model, table: &FeatureTable, dataset: &Dataset) -> Reference {
    let rows: Vec<u32> = (0..ROWS as u32).collect();
    let answers = model.predict(dataset).expect("finite");
    let pairs = answers.iter().map(|answer| (answer.number().unwrap_or(0.0), answer.label() == Some("true")));
    let outcomes = Outcomes::Binary(BinaryOutcomes::new(pairs).expect("scores"));
    reference(model, table, &rows, &answers, &outcomes)
}

/// What watching costs an answer (the goal is 2 µs at 20 features), and what judging a window of 100 features costs (10 ms).
fn watch(criterion: &mut Criterion) {
    let dataset = dataset();
    let (model, table) = model(&dataset, Trainer::Logistic, &json!({"alpha": 1}));
    let held_against = reference_of(&model, &table, &dataset);
    let instance = model.instance(&request(&dataset), None).expect("the object is complete");
    let values = model.features().values_of(&instance);
    let answer = model.predict_row(&instance).expect("finite");
    let mut counts = vec![0; held_against.width()];
    let mut group = criterion.benchmark_group("watch");
    group.bench_function("one answer of 16 features", |bench| {
        bench.iter(|| {
            let bins = bins(black_box(&held_against), black_box(&values), &answer);
            held_against.count(&mut counts, &bins, 120);
        });
    });
    let mut wide = held_against.clone();
    wide.features = held_against.features.iter().cycle().take(100).cloned().collect();
    let mut counted = vec![0; wide.width()];
    let even: Vec<u16> = vec![1; 101];
    (0..1_000).for_each(|_| wide.count(&mut counted, &even, 120));
    let drift = Drift { metric: DriftMetric::Psi, threshold: 0.1, windows: 2, keep_firing: None };
    let (window, no_data) = (Span::of_seconds(3_600), NoData::Show);
    let rule = Monitoring { window, drift, freshness: None, min_rows: 200, no_data, estimated_loss: None };
    group.bench_function("a window of 100 features", |bench| bench.iter(|| judge(&wide, black_box(&counted), &rule)));
    group.finish();
}

fn predict(criterion: &mut Criterion) {
    let dataset = dataset();
    let object = request(&dataset);
    for (trainer, settings) in [
        (Trainer::GradientBoosting, json!({"rounds": 200, "max_leaves": 31})),
        (Trainer::Logistic, json!({"alpha": 1})),
    ] {
        let (model, _) = model(&dataset, trainer, &settings);
        let instance = model.instance(&object, None).expect("the object is complete");
        let mut group = criterion.benchmark_group(trainer.as_str());
        group.bench_function("request to prediction", |bench| {
            bench.iter(|| {
                model.predict_row(&model.instance(black_box(&object), None).expect("complete")).expect("finite")
            });
        });
        group.bench_function("features and model", |bench| {
            bench.iter(|| model.predict_row(black_box(&instance)).expect("finite"));
        });
        group.bench_function("features alone", |bench| {
            bench.iter(|| model.features().values_of(black_box(&instance)).len());
        });
        group.throughput(Throughput::Elements(ROWS as u64)).sample_size(20);
        group.bench_function("batch", |bench| bench.iter(|| model.predict(black_box(&dataset)).expect("finite").len()));
        group.finish();
    }
}

criterion_group!(benches, predict, watch);
criterion_main!(benches);
