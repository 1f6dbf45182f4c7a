//! What a model sees: features computed from the raw columns of one row.
//!
//! A *feature plan* is the document's feature and label expressions, bound to raw columns. The raw columns that features
//! read are its *inputs*: the signature that predictions are asked with. Training walks the plan over the rows of a
//! dataset, serving over the single row of a request; both go through [`FeatureSet::values_of`], so they cannot differ.
//!
//! *Encoders* turn feature values into the numbers an estimator calculates with. They are fitted on the training part
//! alone and stored with the model.

mod category;
mod encode;
mod json;
mod labels;
mod number;
mod plan;
mod rows;
mod set;
mod table;
mod target;
#[cfg(test)]
mod tests;

pub use category::{CategoryEncoder, OrdinalEncoder};
pub use encode::{Encoders, FeatureEncoder, Told};
pub use labels::{LabelError, Labels, MOST_CLASSES};
pub use number::NumberEncoder;
pub use plan::FeaturePlan;
pub(crate) use set::Reordered;
pub use set::{FeatureDefinition, FeatureSet, FeatureSetError, FeatureValue, Input};
pub use table::{FeatureColumn, FeatureTable};
pub use target::TargetEncoder;
