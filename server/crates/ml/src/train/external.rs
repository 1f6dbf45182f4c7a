//! External training: what a program elsewhere is given, and what it gives back.
//!
//! It is given the training and the validation part, encoded as the model will be asked, never the test part. What it gives back
//! answers from the same encoded features when it serves, so that there is one definition of them.

use std::collections::HashSet;

use millrace_domain::metric::TargetKind;
use millrace_domain::trainer::{ProgramInputs, TrainerConfig};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{FitReport, Fitted, Progress, TrainError, check, fit_encoders};
use crate::dataset::DatasetError;
use crate::features::{Encoders, FeatureEncoder, FeatureTable, Labels, Told};
use crate::model::{Estimator, OnnxModel, PredictError, Predictor, answers, encoded_row};
use crate::split::{Part, Split};
use crate::{ColumnData, Dataset};

use hessboost::model::{BoostedModel, ModelFormat};

/// Rows that a network is asked before it is read here.
const ATTEMPTED: usize = 200;

/// Name of the column of labels: the number, or the place of the class.
pub const LABEL: &str = "label";

/// The name, with as many underscores behind it as keep it apart from those that are taken.
fn free(mut name: String, taken: &mut HashSet<String>) -> String {
    while !taken.insert(name.clone()) {
        name.push('_');
    }
    name
}

/// How many numbers a feature is.
fn width(encoder: &FeatureEncoder, inputs: ProgramInputs) -> usize {
    match inputs {
        ProgramInputs::Columns => encoder.columns(),
        ProgramInputs::Terms => encoder.terms(),
    }
}

/// What an external trainer is given.
#[derive(Debug)]
pub struct Assignment<'a> {
    table: &'a FeatureTable,
    labels: &'a Labels,
    split: &'a Split,
    kind: TargetKind,
    inputs: ProgramInputs,
    encoders: Encoders,
    told: Told,
    names: Vec<String>,
}

/// A model that an external trainer left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModelFile {
    /// `model.onnx`.
    Onnx,
    /// `model.json`, as XGBoost writes it.
    XgboostJson,
    /// `model.ubj`, as XGBoost writes it.
    XgboostUbjson,
}

impl ModelFile {
    /// All of them, in the order in which they are looked for.
    pub const ALL: [Self; 3] = [Self::Onnx, Self::XgboostJson, Self::XgboostUbjson];

    /// The format of its trees; none of a network.
    const fn format(self) -> Option<ModelFormat> {
        match self {
            Self::Onnx => None,
            Self::XgboostJson => Some(ModelFormat::XgboostJson),
            Self::XgboostUbjson => Some(ModelFormat::XgboostUbjson),
        }
    }

    /// The name of the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Onnx => "model.onnx",
            Self::XgboostJson => "model.json",
            Self::XgboostUbjson => "model.ubj",
        }
    }
}

/// What a model is asked before it is trusted with the memory of a server: rows of the validation part, as it will be asked them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    file: ModelFile,
    width: usize,
    answers: Vec<usize>,
    /// No number stands for one that is missing.
    rows: Vec<Vec<Option<f32>>>,
}

impl Attempt {
    /// Reads the model and asks it, in a process of which it does not matter what becomes of it; gives how many rows it answered.
    ///
    /// # Errors
    /// When it is no model, or has no answer; in words that are for nobody, since it is read again where it is used.
    pub fn make(&self, content: &[u8]) -> Result<usize, String> {
        let rows: Vec<Vec<f32>> =
            self.rows.iter().map(|row| row.iter().map(|number| number.unwrap_or(f32::NAN)).collect()).collect();
        match self.file.format() {
            None => OnnxModel::attempt(content, self.width, &self.answers, &rows).map(|()| rows.len()),
            Some(format) => BoostedModel::decode(content, format).map(|_| 0).map_err(|error| error.to_string()),
        }
    }
}

/// Why what an external trainer left is no model.
#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    /// It cannot be read, or does not answer what is asked.
    #[error("{file} is no model that can serve here: {reason}")]
    Model {
        /// The file's name.
        file: &'static str,
        /// Why.
        reason: String,
    },
    /// The caller wanted no more.
    #[error("training was cancelled")]
    Cancelled,
    /// It was read, and has no answer to a row that it was given.
    #[error("{file} has no answer to row {row} of the validation part: {source}")]
    Answer {
        /// The file's name.
        file: &'static str,
        /// The row, counted from 1.
        row: usize,
        /// Why.
        source: PredictError,
    },
}

impl<'a> Assignment<'a> {
    /// Fits the encoders on the training part.
    ///
    /// # Errors
    /// As [`super::train`].
    pub fn new(
        table: &'a FeatureTable,
        labels: &'a Labels,
        split: &'a Split,
        kind: TargetKind,
        inputs: ProgramInputs,
        config: &TrainerConfig,
        seed: u64,
    ) -> Result<Self, TrainError> {
        check(table, labels, split, kind, config)?;
        let (encoders, told) = fit_encoders(table, labels, split, seed);
        let wanted = table.definitions().iter().zip(encoders.features()).flat_map(|(definition, encoder)| {
            let feature = &definition.name;
            match width(encoder, inputs) {
                1 => vec![feature.clone()],
                width => (0..width).map(|place| format!("{feature}.{place}")).collect(),
            }
        });
        let mut taken = HashSet::from([LABEL.to_owned()]);
        let names = wanted.map(|name| free(name, &mut taken)).collect();
        Ok(Self { table, labels, split, kind, inputs, encoders, told, names })
    }

    /// One part as Parquet: a column for each number that the model will be asked with, null where it is missing, and the label.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn part(&self, part: Part) -> Result<Vec<u8>, DatasetError> {
        let rows = self.split.rows(part);
        let mut columns = vec![Vec::with_capacity(rows.len()); self.names.len()];
        for (position, row) in rows.iter().enumerate() {
            let mut values = self.table.values(*row as usize);
            if part == Part::Train {
                self.told.apply(position, &mut values);
            }
            for (column, number) in columns.iter_mut().zip(encoded_row(&self.encoders, self.inputs, &values)) {
                column.push((!number.is_nan()).then(|| f64::from(number)));
            }
        }
        let label = match self.kind {
            TargetKind::Regression => {
                ColumnData::Number(rows.iter().map(|row| self.labels.number(*row as usize)).collect())
            }
            _ => {
                ColumnData::Integer(rows.iter().map(|row| Some(i64::from(self.labels.class(*row as usize)?))).collect())
            }
        };
        let named = self.names.iter().map(String::as_str).zip(columns.into_iter().map(ColumnData::Number));
        Dataset::from_parts(named.chain([(LABEL, label)]))?.to_parquet()
    }

    /// What the program is told besides: the target, the columns and what their codes stand for.
    pub fn description(&self) -> Value {
        let mut names = self.names.iter();
        let features = self.table.definitions().iter().zip(self.encoders.features()).map(|(definition, encoder)| {
            let columns: Vec<&String> = names.by_ref().take(width(encoder, self.inputs)).collect();
            let levels = match (encoder, self.inputs) {
                (FeatureEncoder::Category(encoder), ProgramInputs::Columns) => Some(encoder.levels()),
                _ => None,
            };
            json!({ "feature": definition.name, "columns": columns, "levels": levels })
        });
        let features: Vec<Value> = features.collect();
        json!({
            "kind": self.kind,
            "classes": self.labels.classes(),
            "quantile": self.labels.quantile(),
            "label": LABEL,
            "inputs": self.inputs,
            "columns": self.names,
            "features": features,
        })
    }

    /// What a model that the program left as that file is asked before it is read here.
    pub fn attempt(&self, file: ModelFile) -> Attempt {
        // Trees take no more to answer than to be read.
        let asked = if file.format().is_none() { ATTEMPTED } else { 0 };
        let rows = self.split.rows(Part::Validation).iter().take(asked);
        let encoded = |row: &u32| {
            let numbers = encoded_row(&self.encoders, self.inputs, &self.table.values(*row as usize));
            numbers.into_iter().map(|number| (!number.is_nan()).then_some(number)).collect()
        };
        let classes = self.labels.classes().map_or(0, <[String]>::len);
        Attempt {
            file,
            width: self.names.len(),
            answers: answers(self.kind, classes),
            rows: rows.map(encoded).collect(),
        }
    }

    /// Makes a predictor of what the program left, which must answer every row of the validation part.
    ///
    /// # Errors
    /// When it is no model, does not fit the features and the target, or has no answer to a row, or `progress` says to stop.
    pub fn fitted(self, file: ModelFile, content: Vec<u8>, progress: &dyn Progress) -> Result<Fitted, ExternalError> {
        let named = |reason: String| ExternalError::Model { file: file.name(), reason };
        let classes = self.labels.classes().unwrap_or_default();
        let (estimator, iterations) = match file.format() {
            None => {
                let model =
                    OnnxModel::read(content, self.inputs, &self.encoders, self.kind, classes.len()).map_err(named)?;
                (Estimator::Onnx(Box::new(model)), 0)
            }
            Some(format) => {
                if self.inputs != ProgramInputs::Columns {
                    return Err(named("trees are asked with inputs = \"columns\"".to_owned()));
                }
                let trees = BoostedModel::decode(&content, format).map_err(|error| named(error.to_string()))?;
                let (objective, columns) = (trees.objective().name().to_owned(), trees.n_features());
                if columns != self.encoders.columns() {
                    let own = self.encoders.columns();
                    return Err(named(format!("it takes rows of {columns} numbers, and the features are {own}")));
                }
                let objectives = Estimator::boosting_objectives(self.kind);
                let wanted = objectives[usize::from(self.labels.quantile().is_some())];
                if objective != wanted {
                    return Err(named(format!("its objective is {objective}; for this target it must be {wanted}")));
                }
                let rounds = trees.num_boost_rounds() as u64;
                (Estimator::Trees(Box::new(trees)), rounds)
            }
        };
        let predictor = Predictor::new(self.kind, classes, self.encoders, estimator)
            .ok_or_else(|| named("its answers are not of the target's shape".to_owned()))?
            .with_threshold(self.labels.costs().threshold());
        let refused = |(place, row): (usize, &u32)| {
            if progress.is_cancelled() {
                return Some(ExternalError::Cancelled);
            }
            let source = predictor.predict(&self.table.values(*row as usize)).err()?;
            Some(ExternalError::Answer { file: file.name(), row: place + 1, source })
        };
        if let Some(error) = self.split.rows(Part::Validation).par_iter().enumerate().find_map_first(refused) {
            return Err(error);
        }
        let report = FitReport { iterations, ..FitReport::default() };
        Ok(Fitted { predictor, report })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::features::FeatureValue;
    use crate::fixture::{Prepared, prepared};
    use crate::model::{Lineage, Model, Prediction};

    /// See `tests/external/make.py`.
    fn kept(name: &str) -> Vec<u8> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/external").join(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn config() -> TrainerConfig {
        TrainerConfig::external("elsewhere".to_owned().try_into().expect("a name"), &Value::Null).expect("no settings")
    }

    fn assigned(prepared: &Prepared, inputs: ProgramInputs) -> Assignment<'_> {
        let Prepared { table, labels, split, kind, .. } = prepared;
        Assignment::new(table, labels, split, *kind, inputs, &config(), 7).expect("all belongs together")
    }

    fn numbers(prediction: &Prediction) -> Vec<f64> {
        match prediction {
            Prediction::Binary { score, .. } => vec![*score],
            Prediction::Regression { value } => vec![*value],
            Prediction::Multiclass { probabilities, .. } => probabilities.clone(),
        }
    }

    fn expected(name: &str) -> Vec<Vec<f64>> {
        let all: BTreeMap<String, Vec<Value>> = serde_json::from_slice(&kept("answers.json")).expect("answers");
        let row = |value: &Value| match value {
            Value::Array(numbers) => numbers.iter().filter_map(Value::as_f64).collect(),
            number => vec![number.as_f64().expect("a number")],
        };
        all[name].iter().map(row).collect()
    }

    const KINDS: [TargetKind; 3] = [TargetKind::Binary, TargetKind::Multiclass, TargetKind::Regression];

    /// Against onnxruntime 1.32.0 and xgboost 3.2.0.
    #[test]
    fn models_fitted_elsewhere_answer_here_what_they_answer_there() {
        for (kind, file) in KINDS.into_iter().flat_map(|kind| [(kind, ModelFile::Onnx), (kind, ModelFile::XgboostJson)])
        {
            let (ending, inputs) = match file {
                ModelFile::Onnx => ("onnx", ProgramInputs::Terms),
                _ => ("json", ProgramInputs::Columns),
            };
            let name = format!("{}.{ending}", kind.as_str());
            let prepared = prepared(kind, 400);
            let fitted = assigned(&prepared, inputs).fitted(file, kept(&name), &()).unwrap();
            let rows = prepared.split.rows(Part::Validation);
            let answers = fitted.predictor.predict_table(&prepared.table, rows).unwrap();
            let expected = expected(&name);
            assert_eq!(answers.len(), expected.len());
            for (answer, expected) in answers.iter().zip(expected) {
                for (own, expected) in numbers(answer).into_iter().zip(expected) {
                    assert!((own - expected).abs() <= 2e-6 * expected.abs().max(1.0), "{name}: {own}, {expected}");
                }
            }
        }
    }

    #[test]
    fn a_model_fitted_elsewhere_goes_to_bytes_and_back_to_the_same_answers() {
        for kind in KINDS {
            let prepared = prepared(kind, 400);
            let fitted = assigned(&prepared, ProgramInputs::Terms)
                .fitted(ModelFile::Onnx, kept(&format!("{}.onnx", kind.as_str())), &())
                .unwrap();
            let digest = millrace_domain::Digest::of("x");
            let lineage = Lineage {
                dataset: digest,
                tables: BTreeMap::new(),
                problem: digest,
                features: digest,
                trainer: config(),
                seed: 7,
            };
            let model = Model::new(&prepared.plan, fitted, lineage);
            let again = Model::from_bytes(&model.to_bytes()).unwrap();
            assert_eq!(again.to_bytes(), model.to_bytes());
            assert_eq!(again.predict(&prepared.dataset).unwrap(), model.predict(&prepared.dataset).unwrap());
        }
    }

    #[test]
    fn what_a_program_is_given_has_every_row_but_those_held_out_and_no_number_where_one_is_missing() {
        let prepared = prepared(TargetKind::Binary, 400);
        let assignment = assigned(&prepared, ProgramInputs::Columns);
        let part = |part| Dataset::from_parquet(&assignment.part(part).unwrap()).unwrap();
        let (train, validation) = (part(Part::Train), part(Part::Validation));
        assert_eq!(train.rows() + validation.rows() + prepared.split.rows(Part::Test).len(), 400);
        let names: Vec<&str> = train.schema().iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["size", "log_weight", "colour", "open", "hour", LABEL]);
        let missing = prepared
            .split
            .rows(Part::Train)
            .iter()
            .filter(|row| prepared.table.value(1, **row as usize) == FeatureValue::Missing);
        assert_eq!(train.cells(1).missing(), missing.count());
        assert_eq!(assignment.description()["features"][2]["levels"].as_array().unwrap().len(), 5);
    }

    #[test]
    fn columns_have_names_of_their_own_whatever_features_are_called() {
        let mut taken = HashSet::from([LABEL.to_owned()]);
        let names = ["label", "colour.0", "colour.0", "label_"].map(|name| free(name.to_owned(), &mut taken));
        assert_eq!(names, ["label_", "colour.0", "colour.0_", "label__"]);
    }

    fn refused(kind: TargetKind, inputs: ProgramInputs, file: ModelFile, content: Vec<u8>) -> String {
        let prepared = prepared(kind, 400);
        assigned(&prepared, inputs).fitted(file, content, &()).expect_err("no model").to_string()
    }

    #[test]
    fn a_model_that_cannot_answer_is_refused_with_the_reason() {
        use TargetKind::{Binary, Regression};
        for (kind, inputs, file, content, reason) in [
            (
                Binary,
                ProgramInputs::Terms,
                ModelFile::Onnx,
                kept("scaler.onnx"),
                "operators that are not known here: Scaler",
            ),
            (Binary, ProgramInputs::Columns, ModelFile::Onnx, kept("binary.onnx"), "and the features are 5"),
            (Regression, ProgramInputs::Terms, ModelFile::Onnx, kept("multiclass.onnx"), "none of its outputs"),
            (Binary, ProgramInputs::Terms, ModelFile::Onnx, kept("regression.onnx"), "is no probability"),
            (Binary, ProgramInputs::Terms, ModelFile::Onnx, b"no model".to_vec(), "model.onnx is no model"),
            (
                Binary,
                ProgramInputs::Columns,
                ModelFile::XgboostJson,
                kept("regression.json"),
                "must be binary:logistic",
            ),
            (Binary, ProgramInputs::Terms, ModelFile::XgboostJson, kept("binary.json"), "inputs = \"columns\""),
            (Binary, ProgramInputs::Columns, ModelFile::XgboostJson, b"{}".to_vec(), "model.json is no model"),
        ] {
            let told = refused(kind, inputs, file, content);
            assert!(told.contains(reason), "{told}");
        }
    }
}
