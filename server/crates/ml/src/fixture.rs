//! A small sales dataset with every type of column, for tests.

use millrace_domain::Digest;
use millrace_domain::metric::TargetKind;
use millrace_domain::problem::{ProblemDocument, Split as Rule};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::features::{FeaturePlan, FeatureTable, Labels};
use crate::join::TableColumns;
use crate::model::{Lineage, Model};
use crate::split::Split;
use crate::train::{Fitted, TrainError, TrainerConfig, train};
use crate::{ColumnData, Dataset};

const COLOURS: [&str; 5] = ["red", "green", "blue", "grey", "white"];

/// `rows` sales drawn from a fixed seed; about one weight in ten and one colour in ten are missing.
pub(crate) fn sales(rows: usize) -> Dataset {
    let mut generator = ChaCha8Rng::seed_from_u64(42);
    let (mut sizes, mut weights, mut colours, mut opened) = (vec![], vec![], vec![], vec![]);
    let (mut times, mut sold, mut grades, mut prices) = (vec![], vec![], vec![], vec![]);
    for row in 0..rows {
        let size = generator.random_range(1..50_i64);
        let weight = generator.random::<f64>() * 10.0;
        let colour = generator.random_range(0..COLOURS.len());
        let open = generator.random::<bool>();
        let noise = generator.random::<f64>() - 0.5;
        let worth = size as f64 / 50.0 + weight / 10.0 + colour as f64 / 5.0 + f64::from(u8::from(open)) + noise;
        sizes.push(Some(size));
        weights.push((generator.random::<f64>() > 0.1).then_some(weight));
        colours.push((generator.random::<f64>() > 0.1).then(|| COLOURS[colour].to_owned()));
        opened.push(Some(open));
        times.push(Some(1_700_000_000_000_000 + row as i64 * 3_600_000_000));
        sold.push(Some(if worth > 2.0 { "yes" } else { "no" }.to_owned()));
        grades.push(Some(["low", "middle", "top"][((worth * 0.8) as usize).min(2)].to_owned()));
        prices.push(Some(worth * 30.0));
    }
    Dataset::from_parts([
        ("size", ColumnData::Integer(sizes)),
        ("weight", ColumnData::Number(weights)),
        ("colour", ColumnData::Text(colours)),
        ("open", ColumnData::Boolean(opened)),
        ("at", ColumnData::Time(times)),
        ("sold", ColumnData::Text(sold)),
        ("grade", ColumnData::Text(grades)),
        ("price", ColumnData::Number(prices)),
    ])
    .unwrap()
}

/// Features as suits each trainer.
const FEATURES: &str = r#"
        [[features]]
        name = "size"
        [[features]]
        name = "log_weight"
        expression = "ln(1 + weight)"
        nullable = true
        [[features]]
        name = "colour"
        expression = "upper(colour)"
        type = "category"
        nullable = true
        [[features]]
        name = "open"
        [[features]]
        name = "hour"
        expression = "hour(at)"
        type = "category"
"#;

/// Features that are told in every other way, but for [`BY_LABEL`]; one is called as an answer is.
const ENCODED: &str = r#"
        [[features]]
        name = "colour"
        type = "category"
        encoding = "one_hot"
        nullable = true
        [[features]]
        name = "label"
        expression = "size"
        encoding = "min_max"
        [[features]]
        name = "shade"
        expression = "colour"
        type = "category"
        encoding = "ordinal"
        values = ["white", "grey", "blue", "red"]
        nullable = true
        [[features]]
        name = "weight"
        encoding = "robust"
        nullable = true
        [[features]]
        name = "open"
        encoding = "as_is"
"#;

/// A feature that is told by the label, which several classes do not have.
const BY_LABEL: &str = r#"
        [[features]]
        name = "hour"
        expression = "hour(at)"
        type = "category"
        encoding = "target"
"#;

/// A problem on [`sales`] of that kind.
pub(crate) fn document(kind: TargetKind) -> ProblemDocument {
    document_with(kind, FEATURES)
}

fn document_with(kind: TargetKind, features: &str) -> ProblemDocument {
    let (column, success) = match kind {
        TargetKind::Binary => ("sold", "metric = \"roc_auc\"\nat_least = 0.6"),
        TargetKind::Multiclass => ("grade", "metric = \"accuracy\"\nat_least = 0.5"),
        TargetKind::Regression => ("price", "metric = \"rmse\"\nat_most = 30"),
    };
    let text = format!(
        r#"
        slug = "sales"
        title = "Sales"
        decision = "None"
        [target]
        name = "answer"
        kind = "{}"
        column = "{column}"
        [data]
        event_time = "at"
        time_format = "unix_s"
        {features}
        [success]
        {success}
        [serving]
        p99_ms = 10
        throughput_rps = 10
        "#,
        kind.as_str()
    );
    ProblemDocument::parse(&text).unwrap()
}

/// Everything that training takes.
pub(crate) struct Prepared {
    pub dataset: Dataset,
    pub plan: FeaturePlan,
    pub table: FeatureTable,
    pub labels: Labels,
    pub split: Split,
    pub kind: TargetKind,
}

/// [`sales`] of that kind, split at random with a fifth each for validation and test.
pub(crate) fn prepared(kind: TargetKind, rows: usize) -> Prepared {
    prepared_with(&document(kind), rows)
}

/// The same with features that are told in other ways than suits each trainer.
pub(crate) fn encoded(kind: TargetKind, rows: usize) -> Prepared {
    let by_label = if kind == TargetKind::Multiclass { "" } else { BY_LABEL };
    prepared_with(&document_with(kind, &format!("{ENCODED}{by_label}")), rows)
}

fn prepared_with(document: &ProblemDocument, rows: usize) -> Prepared {
    let dataset = sales(rows);
    let plan = FeaturePlan::compile(document, dataset.schema(), &TableColumns::new()).unwrap();
    let (table, labels) = (plan.table(&dataset).unwrap(), plan.labels(&dataset).unwrap());
    let split =
        Split::new(&Rule::Random { validation: 0.2, test: 0.2, seed: 3, entity: None }, &dataset, None, &labels)
            .unwrap();
    Prepared { dataset, plan, table, labels, split, kind: document.target.kind }
}

impl Prepared {
    /// Trains with these settings.
    pub fn fit(&self, config: &TrainerConfig) -> Result<Fitted, TrainError> {
        train(&self.table, &self.labels, &self.split, self.kind, config, 7, &())
    }

    /// A model trained with these settings.
    pub fn model(&self, config: &TrainerConfig) -> Model {
        let lineage = Lineage {
            dataset: Digest::of("dataset"),
            tables: Default::default(),
            problem: Digest::of("problem"),
            features: Digest::of("features"),
            trainer: config.clone(),
            seed: 7,
        };
        Model::new(&self.plan, self.fit(config).unwrap(), lineage)
    }
}
