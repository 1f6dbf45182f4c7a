//! What trainers of trees have in common: the encoded features of a part.

use hessboost::data::{DMatrix, FeatureType};

use super::Task;
use crate::features::FeatureEncoder;
use crate::split::Part;

/// The encoded features of one part, row by row, without labels.
pub(super) fn features(task: &Task<'_>, part: Part) -> hessboost::error::Result<DMatrix> {
    let rows = task.split.rows(part);
    let width = task.encoders.columns();
    let mut values = Vec::with_capacity(rows.len() * width);
    for row in task.values(part) {
        values.extend(task.encoders.for_trees(&row));
    }
    let types: Vec<FeatureType> = task
        .encoders
        .features()
        .iter()
        .flat_map(|encoder| {
            let one = match encoder {
                FeatureEncoder::Category(_) => FeatureType::Categorical,
                _ => FeatureType::Numerical,
            };
            std::iter::repeat_n(one, encoder.columns())
        })
        .collect();
    DMatrix::from_dense_vec(values, rows.len(), width)?.with_feature_types(&types)
}
