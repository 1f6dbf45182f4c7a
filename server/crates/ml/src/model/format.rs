//! The stored form of a model: one JSON document, `millrace-model/1`.
//!
//! JSON keeps every number exactly (the shortest text that reads back as the same bits), cannot hold anything executable,
//! and takes memory in proportion to its length. Trees are hessboost's native JSON, whose structure is checked on reading:
//! children in range and acyclic, categories and leaves in shape. What is read is checked against itself before it may
//! answer: expressions are parsed and bound, encoders and estimator must fit the features and the target.

use millrace_domain::metric::TargetKind;
use serde::{Deserialize, Serialize};

use super::calibration::Calibration;
use super::estimator::{EVEN, Estimator, Predictor};
use super::{Lineage, Model};
use crate::features::{Encoders, FeatureDefinition, FeatureSet, FeatureSetError, Input};
use crate::join::Joins;

/// The name and version of the format.
pub const FORMAT: &str = "millrace-model/1";
/// Larger models are refused, so that a damaged or hostile artifact cannot exhaust a server.
pub const MOST_BYTES: usize = 512 << 20;

/// Why bytes are no model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Too long.
    #[error("a model of {0} bytes is refused; at most {MOST_BYTES} are read")]
    TooLarge(usize),
    /// Not JSON, or not of the format's shape.
    #[error("the bytes are no {FORMAT} document: {0}")]
    Shape(#[source] serde_json::Error),
    /// Another format or version.
    #[error("the model is of format {0:?}; this version reads {FORMAT}")]
    Version(String),
    /// Features that cannot be computed.
    #[error("the model's features cannot be computed: {0}")]
    Features(#[from] FeatureSetError),
    /// Parts that do not fit each other.
    #[error("the model's parts do not fit each other: {0}")]
    Inconsistent(&'static str),
}

#[derive(Serialize)]
struct Written<'a> {
    format: &'a str,
    target: &'a str,
    kind: TargetKind,
    classes: Vec<&'a str>,
    inputs: &'a [Input],
    #[serde(skip_serializing_if = "Joins::is_empty")]
    joins: &'a Joins,
    features: &'a [FeatureDefinition],
    encoders: &'a Encoders,
    estimator: &'a Estimator,
    #[serde(skip_serializing_if = "Option::is_none")]
    calibration: &'a Option<Calibration>,
    #[serde(skip_serializing_if = "is_even")]
    threshold: f64,
    lineage: &'a Lineage,
}

/// Whether a threshold is the usual one, which is not written.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_even(threshold: &f64) -> bool {
    *threshold == EVEN
}

const fn even() -> f64 {
    EVEN
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    format: String,
    target: String,
    kind: TargetKind,
    classes: Vec<String>,
    inputs: Vec<Input>,
    #[serde(default)]
    joins: Joins,
    features: Vec<FeatureDefinition>,
    encoders: Encoders,
    estimator: Estimator,
    #[serde(default)]
    calibration: Option<Calibration>,
    #[serde(default = "even")]
    threshold: f64,
    lineage: Lineage,
}

impl Model {
    /// The model as bytes; the same model gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let written = Written {
            format: FORMAT,
            target: &self.target,
            kind: self.predictor.kind,
            classes: self.predictor.classes.iter().map(AsRef::as_ref).collect(),
            inputs: self.features.inputs(),
            joins: &self.joins,
            features: self.features.definitions(),
            encoders: &self.predictor.encoders,
            estimator: &self.predictor.estimator,
            calibration: &self.predictor.calibration,
            threshold: self.predictor.threshold,
            lineage: &self.lineage,
        };
        serde_json::to_vec(&written).expect("a model holds only strings, numbers, lists and string-keyed maps")
    }

    /// Reads a model back.
    ///
    /// # Errors
    /// When the bytes are too many, no such document, or a document whose parts do not fit each other.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        if bytes.len() > MOST_BYTES {
            return Err(ModelError::TooLarge(bytes.len()));
        }
        let read: Read = serde_json::from_slice(bytes).map_err(ModelError::Shape)?;
        if read.format != FORMAT {
            return Err(ModelError::Version(read.format));
        }
        let features = FeatureSet::new(read.inputs, read.joins.columns(), read.features)?;
        if !read.encoders.fit_types(features.definitions()) {
            return Err(ModelError::Inconsistent("there is not one encoder of the right type for each feature"));
        }
        let mut predictor = Predictor::new(read.kind, &read.classes, read.encoders, read.estimator)
            .ok_or(ModelError::Inconsistent("encoders, estimator and target are of different shape"))?
            .with_threshold(read.threshold);
        if !(0.0..=1.0).contains(&read.threshold) {
            return Err(ModelError::Inconsistent("the threshold is not between 0 and 1"));
        }
        if let Some(calibration) = read.calibration {
            predictor = Some(predictor)
                .filter(|_| calibration.is_sound())
                .and_then(|predictor| predictor.with_calibration(calibration))
                .ok_or(ModelError::Inconsistent("the calibration is none of such answers"))?;
        }
        Ok(Self { target: read.target, joins: read.joins, features, predictor, lineage: read.lineage })
    }
}
