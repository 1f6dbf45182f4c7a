//! A model: everything that is needed to answer, as data alone.
//!
//! It holds the definitions of its features, the encoders fitted on its training part, and the estimator, and goes to bytes
//! and back ([`Model::to_bytes`], [`Model::from_bytes`]) without changing a bit of an answer. Nothing in it is executable.

mod calibration;
mod coefficients;
mod contribution;
mod dependence;
mod estimator;
mod export;
mod format;
mod instance;
mod linear;
mod matrix;
mod onnx;
mod permutation;
mod prediction;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_domain::Digest;
use millrace_domain::expr::Row;
use millrace_domain::metric::TargetKind;
use millrace_domain::monitor::Reference;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Dataset;
use crate::features::{FeaturePlan, FeatureSet, FeatureSetError, FeatureTable, FeatureValue, Input, Labels, Reordered};
use crate::join::Joins;
use crate::reference::bins;
use crate::train::{Fitted, TrainerConfig};

pub use calibration::Calibration;
pub use coefficients::{Coefficients, NoErrors, StandardErrors};
pub use contribution::{ContributionUnit, Contributions};
pub use dependence::{Dependence, Place, partial_dependence};
pub use estimator::{Estimator, PredictError, Predictor};
pub use export::NotExportable;
pub use format::{FORMAT, MOST_BYTES, ModelError};
pub use instance::{AsOf, Instance, InstanceProblem, Problem, micros};
pub use linear::{LinearEstimator, LinearOutput, Link};
pub(crate) use linear::{logistic, softmax};
pub(crate) use matrix::tree_matrix;
pub use onnx::OnnxModel;
pub(crate) use onnx::{answers, encoded as encoded_row};
pub use permutation::{Worsening, permutation_importance};
pub use prediction::{Prediction, outcomes};

/// What a model was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lineage {
    /// The dataset version.
    pub dataset: Digest,
    /// The versions of the tables that its rows were joined to, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, Digest>,
    /// The signed problem document.
    pub problem: Digest,
    /// Its feature definitions.
    pub features: Digest,
    /// Every hyperparameter.
    pub trainer: TrainerConfig,
    /// Seed of the training.
    pub seed: u64,
}

/// A model that answers.
#[derive(Debug, Clone)]
pub struct Model {
    target: String,
    joins: Joins,
    features: FeatureSet,
    predictor: Predictor,
    lineage: Lineage,
}

/// Why a dataset could not be predicted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The dataset has not what the features read.
    #[error(transparent)]
    Features(#[from] FeatureSetError),
    /// One row has no answer.
    #[error("row {row}: {source}")]
    Row {
        /// The row, counted from 1.
        row: usize,
        /// Why.
        source: PredictError,
    },
}

impl Model {
    /// A model from what training gave.
    pub fn new(plan: &FeaturePlan, fitted: Fitted, lineage: Lineage) -> Self {
        Self {
            target: plan.target_name().to_owned(),
            joins: plan.joins().clone(),
            features: plan.features().clone(),
            predictor: fitted.predictor,
            lineage,
        }
    }

    /// The target's name.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The kind of target.
    pub const fn kind(&self) -> TargetKind {
        self.predictor.kind()
    }

    /// The names of the classes, the positive one of two second; none for a regression.
    pub fn classes(&self) -> &[Arc<str>] {
        self.predictor.classes()
    }

    /// What is joined to a row before its features are computed.
    pub const fn joins(&self) -> &Joins {
        &self.joins
    }

    /// The raw columns that features and joins read: what a caller sends.
    pub fn inputs(&self) -> &[Input] {
        self.features.inputs()
    }

    /// How features are computed.
    pub const fn features(&self) -> &FeatureSet {
        &self.features
    }

    /// Encoders and estimator.
    pub const fn predictor(&self) -> &Predictor {
        &self.predictor
    }

    /// What it was made from.
    pub const fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// The answer for one row whose cell `i` is input `i`, the joined cells after them; [`Instance`] makes one from JSON.
    ///
    /// # Errors
    /// When the calculation leaves the range of numbers.
    pub fn predict_row<R: Row + ?Sized>(&self, row: &R) -> Result<Prediction, PredictError> {
        self.predictor.predict(&self.features.values_of(row))
    }

    /// The answers to several rows, each that of [`Self::predict_row`] bit for bit, with the bin of every feature and of the answer in
    /// a reference of this model; no bins without one. Sixteen rows and more go through trees together, in the current thread pool.
    pub fn predict_and_bin<R: Row + ?Sized>(
        &self,
        rows: &[&R],
        reference: Option<&Reference>,
    ) -> Vec<Result<(Prediction, Vec<u16>), PredictError>> {
        let values: Vec<Vec<FeatureValue<'_>>> = rows.iter().map(|row| self.features.values_of(*row)).collect();
        let answers = self.predictor.predict_all(&values).into_iter().zip(&values);
        let binned = answers.map(|(answer, values)| {
            let answer = answer?;
            let bins = reference.map_or_else(Vec::new, |reference| bins(reference, values, &answer));
            Ok((answer, bins))
        });
        binned.collect()
    }

    /// What made the answer to one row, feature by feature in the order of the definitions.
    ///
    /// # Errors
    /// When the tree ensemble refuses the row.
    pub fn contributions<R: Row + ?Sized>(&self, row: &R) -> Result<Option<Contributions>, PredictError> {
        let values = self.features.values_of(row);
        Ok(self.predictor.contributions_to(&[values], &[])?.pop())
    }

    /// The answers for every row of a dataset that was joined: those of [`Self::predict_row`], bit for bit.
    ///
    /// # Errors
    /// When the dataset lacks an input or has it with another type, or a row has no answer.
    pub fn predict(&self, dataset: &Dataset) -> Result<Vec<Prediction>, BatchError> {
        let slots = self.features.slots_in(dataset)?;
        let all: Vec<usize> = (0..dataset.rows()).collect();
        let answers = |places: &[usize]| -> Vec<Result<Prediction, BatchError>> {
            let rows: Vec<_> = places.iter().map(|row| Reordered { row: dataset.row(*row), slots: &slots }).collect();
            let values: Vec<_> = rows.iter().map(|row| self.features.values_of(row)).collect();
            let answers = self.predictor.predict_all(&values).into_iter().zip(places);
            answers.map(|(answer, row)| answer.map_err(|source| BatchError::Row { row: row + 1, source })).collect()
        };
        all.par_chunks(estimator::TOGETHER).flat_map_iter(answers).collect()
    }

    /// How much each feature matters, most first; the sum is 1 unless nothing matters.
    ///
    /// For trees it is the total gain of the splits on the feature; for a linear model its largest standardised weight.
    pub fn importance(&self) -> Vec<(&str, f64)> {
        let names = self.features.definitions().iter().map(|definition| definition.name.as_str());
        let mut importance: Vec<(&str, f64)> = names.zip(self.predictor.importance()).collect();
        importance.sort_by(|a, b| b.1.total_cmp(&a.1));
        importance
    }

    /// The equations of a linear model in the units of its features; none for trees.
    pub fn coefficients(&self) -> Option<Vec<Coefficients>> {
        self.predictor.coefficients(self.features.definitions())
    }

    /// The standard errors of its equation, from the rows that it was fitted on; none for trees.
    ///
    /// # Errors
    /// When an equation that is fitted so has none.
    pub fn standard_errors(
        &self,
        table: &FeatureTable,
        labels: &Labels,
        rows: &[u32],
    ) -> Option<Result<StandardErrors, NoErrors>> {
        self.predictor.standard_errors(self.features.definitions(), &self.lineage.trainer, table, labels, rows)
    }
}
