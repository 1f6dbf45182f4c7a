//! The encoded features of many rows, as the library of trees takes them.

use hessboost::data::{DMatrix, FeatureType};

use crate::features::{Encoders, FeatureEncoder};

/// The features of `rows` rows, encoded one row after the other; without labels.
pub(crate) fn tree_matrix(encoders: &Encoders, rows: usize, encoded: Vec<f32>) -> hessboost::error::Result<DMatrix> {
    let width = encoders.columns();
    let of = |encoder: &FeatureEncoder| match encoder {
        FeatureEncoder::Category(_) => FeatureType::Categorical,
        _ => FeatureType::Numerical,
    };
    let types: Vec<FeatureType> =
        encoders.features().iter().flat_map(|encoder| std::iter::repeat_n(of(encoder), encoder.columns())).collect();
    DMatrix::from_dense_vec(encoded, rows, width)?.with_feature_types(&types)
}
