//! Partial dependence: how the mean answer changes with one feature while the others stay as they are (Friedman 2001, section 8.2).
//!
//! The rows' own curves (individual conditional expectation, Goldstein et al. 2015) are told by the middle half of their answers.
//! Values that never go together are put together all the same: of features that follow each other the curve says little.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rayon::prelude::*;

use super::estimator::{PredictError, Predictor};
use super::prediction::Prediction;
use crate::evaluate::quantile;
use crate::features::{FeatureTable, FeatureValue};

/// Places of a number at which the answer is told, at most.
const MOST_PLACES: usize = 16;
/// Levels of a category at which it is told, the most frequent ones.
const MOST_LEVELS: usize = 10;

/// A value of the feature.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// A number.
    Number(f64),
    /// A level of a category.
    Level(String),
}

/// What is answered when all rows have the same value of a feature.
#[derive(Debug, Clone, PartialEq)]
pub struct Dependence {
    /// That value.
    pub place: Place,
    /// Mean of the answers: scores of a binary model, else numbers.
    pub mean: f64,
    /// A quarter of the answers is below.
    pub low: f64,
    /// A quarter of the answers is above.
    pub high: f64,
    /// The share of rows that are nearest to this place, or have this level.
    pub share: f64,
}

/// The dependence on one feature over `rows`, numbers ascending, levels by frequency; empty for several classes and for a feature
/// that has less than two values in them.
///
/// # Errors
/// When a row has no answer.
///
/// # Panics
/// When there is no such feature.
pub fn partial_dependence(
    predictor: &Predictor,
    table: &FeatureTable,
    rows: &[u32],
    feature: usize,
) -> Result<Vec<Dependence>, PredictError> {
    let values: Vec<FeatureValue<'_>> = rows.iter().map(|row| table.value(feature, *row as usize)).collect();
    let places = places(&values);
    if places.len() < 2 || predictor.classes().len() > 2 {
        return Ok(Vec::new());
    }
    let told = |(place, share): (Place, f64)| {
        let there = |row: &u32| {
            let mut values = table.values(*row as usize);
            values[feature] = match &place {
                Place::Number(number) => FeatureValue::Number(*number),
                Place::Level(level) => FeatureValue::Category(Cow::Borrowed(level)),
            };
            values
        };
        let values: Vec<Vec<FeatureValue<'_>>> = rows.iter().map(there).collect();
        let answer = |prediction: Result<Prediction, PredictError>| {
            prediction.map(|prediction| match prediction {
                Prediction::Binary { score, .. } => score,
                Prediction::Regression { value } => value,
                Prediction::Multiclass { .. } => f64::NAN,
            })
        };
        let answers = predictor.predict_all(&values).into_iter().map(answer);
        let mut answers: Vec<f64> = answers.collect::<Result<_, _>>()?;
        let mean = answers.iter().sum::<f64>() / answers.len() as f64;
        answers.sort_by(f64::total_cmp);
        let (low, high) = (quantile(&answers, 0.25), quantile(&answers, 0.75));
        Ok(Dependence { place, mean, low, high, share })
    };
    places.into_par_iter().map(told).collect()
}

/// Where to tell the answer, and the share of rows that are there.
fn places(values: &[FeatureValue<'_>]) -> Vec<(Place, f64)> {
    let of_all = |count: usize| count as f64 / values.len() as f64;
    let mut levels: BTreeMap<&str, usize> = BTreeMap::new();
    let mut numbers = Vec::new();
    for value in values {
        match value {
            FeatureValue::Number(number) => numbers.push(*number),
            FeatureValue::Category(level) => *levels.entry(level).or_default() += 1,
            FeatureValue::Missing => {}
        }
    }
    if numbers.is_empty() {
        let mut levels: Vec<(&str, usize)> = levels.into_iter().collect();
        levels.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        levels.truncate(MOST_LEVELS);
        return levels.into_iter().map(|(level, count)| (Place::Level(level.to_owned()), of_all(count))).collect();
    }
    numbers.sort_by(f64::total_cmp);
    let mut distinct = numbers.clone();
    distinct.dedup();
    if distinct.len() > MOST_PLACES {
        distinct = (0..MOST_PLACES).map(|place| quantile(&numbers, place as f64 / (MOST_PLACES - 1) as f64)).collect();
        distinct.dedup();
    }
    let mut counts = vec![0; distinct.len()];
    for number in &numbers {
        let above = distinct.partition_point(|place| place < number).min(distinct.len() - 1);
        let is_below_nearer = above > 0 && number - distinct[above - 1] < distinct[above] - number;
        counts[above - usize::from(is_below_nearer)] += 1;
    }
    distinct.into_iter().zip(counts).map(|(number, count)| (Place::Number(number), of_all(count))).collect()
}

#[cfg(test)]
mod tests {
    use millrace_domain::metric::TargetKind;

    use super::*;
    use crate::fixture::prepared;
    use crate::train::{Trainer, TrainerConfig};

    fn told(feature: usize) -> Vec<Dependence> {
        let prepared = prepared(TargetKind::Regression, 400);
        let predictor = prepared.fit(&TrainerConfig::default_of(Trainer::ElasticNet)).unwrap().predictor;
        partial_dependence(&predictor, &prepared.table, &(0..400).collect::<Vec<u32>>(), feature).unwrap()
    }

    #[test]
    fn of_a_linear_model_it_is_a_line_between_the_least_and_the_greatest_value() {
        let told = told(0);
        assert_eq!((&told[0].place, &told[15].place), (&Place::Number(1.0), &Place::Number(49.0)));
        let slope = |from: &Dependence, to: &Dependence| match (&from.place, &to.place) {
            (Place::Number(from_at), Place::Number(to_at)) => (to.mean - from.mean) / (to_at - from_at),
            _ => panic!("numbers"),
        };
        let whole = slope(&told[0], &told[15]);
        assert!(whole > 0.3, "{whole}");
        told.windows(2).for_each(|pair| assert!((slope(&pair[0], &pair[1]) - whole).abs() < 1e-9));
        assert!(told.iter().all(|one| one.low < one.mean && one.mean < one.high));
    }

    #[test]
    fn the_shares_of_all_places_are_those_of_the_rows_that_have_a_value() {
        assert!((told(0).iter().map(|one| one.share).sum::<f64>() - 1.0).abs() < 1e-9);
        let of_colours: f64 = told(2).iter().map(|one| one.share).sum();
        assert!((0.8..0.95).contains(&of_colours), "{of_colours}");
    }

    #[test]
    fn levels_come_by_how_frequent_they_are() {
        let told = told(2);
        assert_eq!(told.len(), 5);
        assert!(told.windows(2).all(|pair| pair[0].share >= pair[1].share));
        assert!(told.iter().all(|one| matches!(one.place, Place::Level(_))));
    }
}
