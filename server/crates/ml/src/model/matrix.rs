//! The encoded features of many rows, as the library of trees takes them.

use hessboost::data::{DMatrix, FeatureType};

use crate::features::{Encoders, FeatureEncoder, FeatureValue};

/// The encoded features of `rows` rows, whose values are given row by row; without labels.
pub(crate) fn tree_matrix<'v>(
    encoders: &Encoders,
    rows: usize,
    values: impl Iterator<Item = Vec<FeatureValue<'v>>>,
) -> hessboost::error::Result<DMatrix> {
    let width = encoders.columns();
    let mut encoded = Vec::with_capacity(rows * width);
    for row in values {
        encoded.extend(encoders.for_trees(&row));
    }
    let of = |encoder: &FeatureEncoder| match encoder {
        FeatureEncoder::Category(_) => FeatureType::Categorical,
        _ => FeatureType::Numerical,
    };
    let types: Vec<FeatureType> =
        encoders.features().iter().flat_map(|encoder| std::iter::repeat_n(of(encoder), encoder.columns())).collect();
    DMatrix::from_dense_vec(encoded, rows, width)?.with_feature_types(&types)
}
