//! A model as an ONNX file, for whoever answers without this program.
//!
//! The file takes the *features*, one tensor each under its name, as they are after their expressions and joins, and answers as
//! [`Predictor`](super::Predictor) does: encoders, estimator, link, calibration and threshold are all inside. What calculates is in
//! double precision where it is here, and in single precision where it is here, in the same order; runtimes may round
//! exponentials and logarithms otherwise in the last digit.
//!
//! It is of version 8 of the format, with the operators of version 15 and those of `ai.onnx.ml` of version 3. The same model gives the
//! same bytes.

mod answer;
mod encoding;
mod graph;
mod linear;
#[cfg(test)]
mod runtime_tests;
#[cfg(test)]
mod tests;
mod trees;

use std::collections::BTreeSet;

use millrace_domain::Digest;
use millrace_domain::metric::TargetKind;
use millrace_domain::problem::FeatureType;
use prost::Message as _;
use serde_json::{Value as Json, json};
use tract_onnx::pb::{ModelProto, OperatorSetIdProto, StringStringEntryProto};

use self::encoding::Features;
use self::graph::{Element, Graph, ML};
use super::{Calibration, Model};
use crate::features::{FeatureDefinition, FeatureEncoder};

/// Files of this length and more cannot be read by whoever reads them.
const TOO_LONG: usize = i32::MAX as usize;

/// What stands in the file for everybody who opens it.
const NOTE: &str = "Inputs are the features of the model as they are after their expressions, each of shape [rows, 1]. A number is a double, \
    and NaN stands for a missing one; true is 1 and false is 0. A category is a text: a whole number without a point, any other number in \
    decimal without an exponent, true and false in words; the text millrace.missing_category stands for a missing one. What is not a \
    finite number where a number must be has no answer in Millrace, and here one that means nothing.";

/// Why a model has no ONNX file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotExportable {
    /// A program elsewhere fitted it and left an ONNX file itself.
    #[error(
        "the model was fitted by an external trainer, which left an ONNX file of its own: that file is the model, and takes rows as \
         the encoders of this problem make them; to have the encoders in the file, train with one of the trainers of Millrace, or let \
         the program leave an XGBoost model"
    )]
    Elsewhere,
    /// Trees of a kind that ONNX has no operators for.
    #[error("its trees {0}, for which ONNX has no operator; train with gradient_boosting or random_forest instead")]
    Trees(&'static str),
    /// Features whose names cannot be those of inputs.
    #[error("its features cannot be the inputs of a file: {0}")]
    Features(String),
    /// The file would be longer than such files may be.
    #[error(
        "the file would have {0} bytes, and ONNX files have less than 2 GiB; train with fewer trees or fewer leaves"
    )]
    TooLarge(usize),
}

impl Model {
    /// The model as an ONNX file that names the artifact it was made from; the same model gives the same bytes.
    ///
    /// Inputs are the features by name, `[rows, 1]` each: numbers as doubles with NaN for a missing one, categories as texts. Outputs are
    /// `probabilities` (double, `[rows, classes]` in the order of [`Self::classes`]) and `label` (text, `[rows]`), or of a regression
    /// `value` (double, `[rows, 1]`). An output that would be called as a feature is has underscores behind its name. What
    /// stands for a missing category, and everything else about the file, is in its metadata.
    ///
    /// # Errors
    /// When what answers cannot be told in operators of ONNX, or the file would be too long.
    pub fn to_onnx(&self, artifact: &Digest) -> Result<Vec<u8>, NotExportable> {
        let definitions = self.features.definitions();
        check_names(definitions)?;
        let encoders = self.predictor.encoders.features();
        let missing = missing_text(encoders);
        let inputs = definitions.iter().map(|definition| {
            let element = match definition.feature_type {
                FeatureType::Number => Element::Double,
                FeatureType::Category => Element::Text,
            };
            (definition.name.as_str(), element, definition.expression.clone())
        });
        let mut graph = Graph::new(&self.target, inputs);
        let answered = answer::answer(&mut graph, &self.predictor, Features { encoders, missing: &missing })?;
        let outputs: Vec<String> = std::iter::once(answered.numbers).chain(answered.label).collect();
        let operators = |domain: &str, version| OperatorSetIdProto { domain: domain.to_owned(), version };
        let file = ModelProto {
            ir_version: 8,
            opset_import: vec![operators("", 15), operators(ML, 3)],
            producer_name: "millrace".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            doc_string: NOTE.to_owned(),
            graph: Some(graph.finish()),
            metadata_props: self.metadata(artifact, &missing, &outputs),
            ..ModelProto::default()
        };
        match file.encoded_len() {
            length if length >= TOO_LONG => Err(NotExportable::TooLarge(length)),
            _ => Ok(file.encode_to_vec()),
        }
    }

    /// What the model is and was made from, for whoever has nothing but the file.
    fn metadata(&self, artifact: &Digest, missing: &str, outputs: &[String]) -> Vec<StringStringEntryProto> {
        let lineage = &self.lineage;
        let inputs: Vec<Json> = self.features.definitions().iter().map(input).collect();
        let calibration = self.predictor.calibration().map_or("none", |calibration| match calibration {
            Calibration::Platt { .. } => "platt",
            Calibration::Isotonic { .. } => "isotonic",
            Calibration::Conformal { .. } => "conformal",
        });
        let mut entries = vec![
            ("model", artifact.to_string()),
            ("dataset", lineage.dataset.to_string()),
            ("tables", json!(lineage.tables).to_string()),
            ("problem", lineage.problem.to_string()),
            ("features", lineage.features.to_string()),
            ("trainer", json!(lineage.trainer).to_string()),
            ("seed", lineage.seed.to_string()),
            ("target", self.target.clone()),
            ("kind", self.kind().as_str().to_owned()),
            ("calibration", calibration.to_owned()),
            ("inputs", json!(inputs).to_string()),
            ("outputs", json!(outputs).to_string()),
            ("missing_number", "NaN".to_owned()),
            ("missing_category", missing.to_owned()),
        ];
        if self.kind() != TargetKind::Regression {
            let classes: Vec<&str> = self.classes().iter().map(AsRef::as_ref).collect();
            entries.push(("classes", json!(classes).to_string()));
        }
        if self.kind() == TargetKind::Binary {
            entries.push(("threshold", self.predictor.threshold().to_string()));
        }
        let entry = |(key, value): (&str, String)| StringStringEntryProto { key: format!("millrace.{key}"), value };
        entries.into_iter().map(entry).collect()
    }
}

/// What is said of one input.
fn input(definition: &FeatureDefinition) -> Json {
    let tensor = match definition.feature_type {
        FeatureType::Number => "double",
        FeatureType::Category => "string",
    };
    json!({
        "name": definition.name,
        "type": definition.feature_type,
        "tensor": tensor,
        "nullable": definition.nullable,
        "expression": definition.expression,
    })
}

/// A graph has at least one input, and none without a name or with that of another.
fn check_names(definitions: &[FeatureDefinition]) -> Result<(), NotExportable> {
    let mut names = BTreeSet::new();
    let wrong = definitions.iter().find(|definition| definition.name.is_empty() || !names.insert(&definition.name));
    match wrong {
        Some(definition) if definition.name.is_empty() => Err(NotExportable::Features("one has no name".to_owned())),
        Some(definition) => Err(NotExportable::Features(format!("two are called {:?}", definition.name))),
        None if definitions.is_empty() => Err(NotExportable::Features("there are none".to_owned())),
        None => Ok(()),
    }
}

/// The text that stands for a missing category: the empty one, or where that is a category, the first that is none.
fn missing_text(encoders: &[FeatureEncoder]) -> String {
    let known: BTreeSet<&str> = encoders.iter().flat_map(FeatureEncoder::known).collect();
    let mut text = String::new();
    while known.contains(text.as_str()) {
        text = if text.is_empty() { "missing".to_owned() } else { format!("({text})") };
    }
    text
}
