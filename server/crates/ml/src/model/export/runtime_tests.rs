//! What a file answers: onnxruntime is asked, where `MILLRACE_ONNX_PYTHON` names a Python that has it, and says what the model says.

use std::path::Path;
use std::process::Command;

use millrace_domain::metric::Costs;
use millrace_domain::trainer::{CalibrationMethod, Trainer};

use super::tests::{KINDS, read, settings, small};
use super::*;
use crate::features::FeatureValue;
use crate::fixture::{Prepared, encoded, prepared};
use crate::model::{Estimator, Prediction};

/// A model with the features that it is asked.
struct Case {
    name: String,
    model: Model,
    rows: Vec<Vec<FeatureValue<'static>>>,
    tolerance: f64,
}

impl Case {
    fn new(name: &str, prepared: &Prepared, model: Model) -> Self {
        let rows = rows(prepared, &model);
        // Sums of trees have the same bits; a logistic function or a calibration of them is another program's own.
        let tolerance = match model.predictor().estimator() {
            Estimator::Linear(_) => 1e-12,
            Estimator::Forest(_) => 1e-15,
            _ if model.kind() == TargetKind::Regression => 0.0,
            _ => 5e-7,
        };
        Self { name: name.to_owned(), model, rows, tolerance }
    }

    /// Writes the file and what it is to answer.
    fn write(&self, folder: &Path) {
        let file = self.model.to_onnx(&Digest::of("artifact")).unwrap();
        let (proto, _) = read(&file);
        let missing = proto.metadata_props.iter().find(|entry| entry.key == "millrace.missing_category").unwrap();
        let answered: Vec<(&Vec<FeatureValue<'_>>, Prediction)> = self
            .rows
            .iter()
            .filter_map(|values| Some((values, self.model.predictor().predict(values).ok()?)))
            .collect();
        assert!(answered.len() > self.rows.len() / 2, "{}", self.name);
        let inputs = self.model.features().definitions().iter().enumerate().map(|(place, definition)| {
            let is_number = definition.feature_type == FeatureType::Number;
            let value = |(values, _): &(&Vec<FeatureValue<'_>>, Prediction)| match &values[place] {
                FeatureValue::Missing if !is_number => json!(missing.value),
                value => value.to_json(),
            };
            let values: Vec<Json> = answered.iter().map(value).collect();
            json!({"name": definition.name, "tensor": if is_number { "double" } else { "string" }, "values": values})
        });
        let numbers = answered.iter().map(|(_, prediction)| match prediction {
            Prediction::Binary { score, .. } => vec![1.0 - score, *score],
            Prediction::Multiclass { probabilities, .. } => probabilities.clone(),
            Prediction::Regression { value } => vec![*value],
        });
        let labels: Option<Vec<&str>> = answered.iter().map(|(_, prediction)| prediction.label()).collect();
        let case = json!({
            "inputs": inputs.collect::<Vec<_>>(),
            "numbers": numbers.collect::<Vec<_>>(),
            "labels": labels,
            "tolerance": self.tolerance,
        });
        std::fs::write(folder.join(format!("{}.onnx", self.name)), file).unwrap();
        std::fs::write(folder.join(format!("{}.json", self.name)), case.to_string()).unwrap();
    }
}

/// The features of all rows, and after them some where one is missing, is a category that nobody saw, is beyond single precision, or
/// lies on a threshold or a hair beside it.
fn rows(prepared: &Prepared, model: &Model) -> Vec<Vec<FeatureValue<'static>>> {
    let owned = |value: FeatureValue<'_>| match value {
        FeatureValue::Missing => FeatureValue::Missing,
        FeatureValue::Number(number) => FeatureValue::Number(number),
        FeatureValue::Category(level) => FeatureValue::Category(level.into_owned().into()),
    };
    let all: Vec<Vec<FeatureValue<'static>>> =
        (0..prepared.table.rows()).map(|row| prepared.table.values(row).into_iter().map(owned).collect()).collect();
    let thresholds: Vec<f64> = match model.predictor().estimator() {
        Estimator::Trees(trees) | Estimator::Forest(trees) => trees
            .trees()
            .iter()
            .flat_map(|tree| tree.nodes())
            .filter(|node| !node.is_leaf() && !node.is_categorical)
            .map(|node| f64::from(node.split_cond))
            .collect(),
        _ => vec![0.5],
    };
    let mut changed = Vec::new();
    for (place, row) in all.iter().enumerate() {
        let feature = place % row.len();
        let instead = match (&row[feature], place / row.len() % 4) {
            (_, 0) => FeatureValue::Missing,
            (FeatureValue::Category(_), _) => FeatureValue::Category(["never seen", "other", " "][place % 3].into()),
            (_, 1) => FeatureValue::Number([1e300, -1e300, 3.5e38, -3.5e38][place % 4]),
            _ => {
                let threshold = thresholds.get(place % thresholds.len().max(1)).copied().unwrap_or_default();
                FeatureValue::Number(threshold * [1.0, 1.0 + 1e-9, 1.0 - 1e-9, 1.0 + 1e-7, 1.0 - 1e-7][place % 5])
            }
        };
        let mut row = row.clone();
        // A number that is missing in the row is still a number.
        let is_number = prepared.plan.features().definitions()[feature].feature_type == FeatureType::Number;
        if is_number != matches!(instead, FeatureValue::Category(_)) {
            row[feature] = instead;
            changed.push(row);
        }
    }
    all.into_iter().chain(changed).collect()
}

/// Every trainer on every kind of target, with features told in every way, and what else an answer goes through.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in KINDS {
        for (told, prepared) in [("trainers", prepared(kind, 600)), ("encoded", encoded(kind, 600))] {
            for trainer in Trainer::ALL.into_iter().filter(|trainer| trainer.fits(kind)) {
                let name = format!("{}-{}-{told}", kind.as_str(), trainer.as_str());
                cases.push(Case::new(&name, &prepared, prepared.model(&small(trainer))));
            }
        }
        let many = settings(
            Trainer::GradientBoosting,
            &json!({"rounds": 300, "early_stopping_rounds": 0, "max_leaves": 8, "min_child_weight": 0.1}),
        );
        let prepared = prepared(kind, 600);
        cases.push(Case::new(&format!("{}-many-trees", kind.as_str()), &prepared, prepared.model(&many)));
        let bare = settings(Trainer::DecisionTree, &json!({"min_leaf_rows": 1_000_000}));
        cases.push(Case::new(&format!("{}-tree-without-a-split", kind.as_str()), &prepared, prepared.model(&bare)));
    }
    let prepared = prepared(TargetKind::Binary, 2_000);
    for method in [CalibrationMethod::Platt, CalibrationMethod::Isotonic] {
        for trainer in Trainer::ALL.into_iter().filter(|trainer| trainer.fits(TargetKind::Binary)) {
            let (config, name) = (small(trainer), format!("binary-{}-{}", trainer.as_str(), method.as_str()));
            let fitted = prepared.fit(&config).unwrap();
            let fitted = fitted.calibrated(method, &prepared.table, &prepared.labels, &prepared.split).unwrap();
            let lineage = prepared.model(&config).lineage().clone();
            cases.push(Case::new(&name, &prepared, Model::new(&prepared.plan, fitted, lineage)));
        }
    }
    let costs = Costs { false_positive: 1.0, false_negative: 4.0 };
    let dear = Prepared { labels: prepared.labels.clone().with_costs(costs), ..prepared };
    cases.push(Case::new("binary-costs", &dear, dear.model(&small(Trainer::GradientBoosting))));
    let prepared = crate::fixture::prepared(TargetKind::Regression, 600);
    let high = Prepared { labels: prepared.labels.clone().with_quantile(Some(0.9)), ..prepared };
    let config = small(Trainer::GradientBoosting);
    let lineage = high.model(&config).lineage().clone();
    let fitted = high.fit(&config).unwrap();
    let fitted = fitted.calibrated(CalibrationMethod::Conformal, &high.table, &high.labels, &high.split).unwrap();
    cases.push(Case::new("regression-quantile", &high, Model::new(&high.plan, fitted, lineage)));
    cases
}

#[expect(clippy::disallowed_methods, reason = "a test is where its settings enter")]
fn python() -> Option<String> {
    std::env::var("MILLRACE_ONNX_PYTHON").ok()
}

#[test]
fn onnxruntime_answers_as_the_model_does() {
    let Some(python) = python() else {
        println!("skipped: MILLRACE_ONNX_PYTHON names no Python that has onnxruntime");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    cases().iter().for_each(|case| case.write(folder.path()));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/onnx_export/check.py");
    let checked = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    println!("{}", String::from_utf8_lossy(&checked.stdout));
    assert!(
        checked.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr)
    );
}
