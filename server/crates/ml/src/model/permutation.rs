//! Permutation importance: how much worse a model gets when one feature is shuffled among the rows (Breiman 2001, section 10; of any
//! model: Fisher, Rudin and Dominici 2019). Unlike the gain of splits it is measured on rows the model was not fitted on, and a
//! feature with many values has no advantage. Features that say the same stand in for each other, and both seem to matter less.

use millrace_domain::metric::{Direction, Metric};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::estimator::{PredictError, Predictor};
use super::prediction::{Prediction, outcomes};
use crate::features::{FeatureTable, FeatureValue, Labels};
use crate::split::some_of;

/// At most so many rows are drawn.
const MOST_ROWS: usize = 2_000;
/// A feature is shuffled so often.
const TIMES: u64 = 3;

/// How much a metric worsens without a feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worsening {
    /// Mean over the shufflings, in the metric's unit; below 0 when the model got better.
    pub mean: f64,
    /// The least of them.
    pub least: f64,
    /// The greatest of them.
    pub most: f64,
}

/// What each feature is worth, in the order of the definitions; none where the metric is not defined on the rows.
///
/// # Errors
/// When a row has no answer.
pub fn permutation_importance(
    predictor: &Predictor,
    table: &FeatureTable,
    labels: &Labels,
    rows: &[u32],
    metric: Metric,
    seed: u64,
) -> Result<Option<Vec<Worsening>>, PredictError> {
    let drawn = some_of(rows, MOST_ROWS, seed);
    let measured = |predictions: &[Prediction]| {
        outcomes(labels, &drawn, predictions).ok().and_then(|outcomes| outcomes.metric(metric))
    };
    let Some(whole) = measured(&predictor.predict_table(table, &drawn)?) else { return Ok(None) };
    let features = predictor.encoders().features().len();
    let shuffled = |feature: usize| -> Result<Option<Worsening>, PredictError> {
        let mut found = Vec::new();
        for time in 0..TIMES {
            let mut generator = ChaCha8Rng::seed_from_u64(seed);
            generator.set_stream(feature as u64 * TIMES + time + 1);
            let mut givers = drawn.clone();
            givers.shuffle(&mut generator);
            let given = |(row, giver): (&u32, &u32)| {
                let mut values = table.values(*row as usize);
                values[feature] = table.value(feature, *giver as usize);
                values
            };
            let values: Vec<Vec<FeatureValue<'_>>> = drawn.iter().zip(&givers).map(given).collect();
            let predictions: Vec<Prediction> = predictor.predict_all(&values).into_iter().collect::<Result<_, _>>()?;
            let Some(value) = measured(&predictions) else { return Ok(None) };
            found.push(match metric.direction() {
                Direction::Up => whole - value,
                Direction::Down => value - whole,
            });
        }
        let mean = found.iter().sum::<f64>() / found.len() as f64;
        let least = found.iter().copied().fold(f64::INFINITY, f64::min);
        Ok(Some(Worsening { mean, least, most: found.iter().copied().fold(f64::NEG_INFINITY, f64::max) }))
    };
    (0..features).into_par_iter().map(shuffled).collect()
}
