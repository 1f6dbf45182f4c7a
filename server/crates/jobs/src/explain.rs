//! What pages tell of how a model answers: what features are worth, what they contribute, how answers depend on them, and the equations
//! of linear models.

use millrace_domain::metric::Metric;
use millrace_ml::features::{FeatureTable, FeatureValue};
use millrace_ml::model::{
    ContributionUnit, Dependence, Model, Place, Worsening, partial_dependence, permutation_importance,
};
use millrace_ml::split::{Part, some_of};
use serde_json::{Value, json};

use crate::load::Prepared;

/// Rows of the test part whose answers are explained, at most and at least.
const EXPLAINED: usize = 500;
const LEAST_EXPLAINED: usize = 50;
/// Leaves of trees that are looked at for it: large forests explain fewer rows.
const MOST_LEAVES: usize = 5_000_000;
/// Rows that the dependence on a feature is told over, at most.
const DEPENDENT: usize = 300;
/// Features that are told of, those that contribute most, and of these those on which the dependence is told.
const TOLD: usize = 12;
const TOLD_DEPENDENCE: usize = 6;

/// What each feature is worth on the test part, most first: its place, and how much the metric worsens without it.
pub(crate) fn permuted(prepared: &Prepared, model: &Model, metric: Metric, seed: u64) -> Vec<(usize, Worsening)> {
    let rows = prepared.split.rows(Part::Test);
    // A row put together from two may have no answer; what features are worth is then not told.
    let worth =
        permutation_importance(model.predictor(), &prepared.table, &prepared.labels, rows, metric, seed).ok().flatten();
    let mut worth: Vec<(usize, Worsening)> = worth.unwrap_or_default().into_iter().enumerate().collect();
    worth.sort_by(|a, b| b.1.mean.total_cmp(&a.1.mean));
    worth
}

/// The same for the page: name, mean, least and most.
pub(crate) fn told_worth(model: &Model, metric: Metric, worth: &[(usize, Worsening)]) -> Value {
    let names = model.features().definitions();
    let bar = |(feature, Worsening { mean, least, most }): &(usize, Worsening)| {
        json!([names[*feature].name, mean, least, most])
    };
    json!({ "metric": metric, "features": worth.iter().map(bar).collect::<Vec<_>>() })
}

/// What features contribute to answers on the test part, most first, and how answers depend on each; nothing of a model that refuses.
/// Of a model that was fitted elsewhere only answers are known: features then come in the order of what they are worth.
pub(crate) fn explained(prepared: &Prepared, model: &Model, worth: &[(usize, Worsening)], seed: u64) -> (Value, Value) {
    let (predictor, table) = (model.predictor(), &prepared.table);
    let affordable = MOST_LEAVES / predictor.contribution_size().max(1);
    let rows = some_of(prepared.split.rows(Part::Test), affordable.clamp(LEAST_EXPLAINED, EXPLAINED), seed);
    let background = some_of(prepared.split.rows(Part::Train), 2_000, seed);
    let Ok(found) = predictor.contributions(table, &rows, &background) else { return (Value::Null, Value::Null) };
    let names: Vec<&str> = model.features().definitions().iter().map(|definition| definition.name.as_str()).collect();
    let mean = |feature: usize| {
        let sizes = found.iter().map(|row| row.of_features[feature].abs());
        sizes.sum::<f64>() / found.len().max(1) as f64
    };
    let mut order: Vec<(usize, f64)> = match found.is_empty() {
        false => (0..names.len()).map(|feature| (feature, mean(feature))).collect(),
        true => worth.iter().map(|(feature, worsening)| (*feature, worsening.mean)).collect(),
    };
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let told = |(feature, mean): &(usize, f64)| {
        let levels = levels(table, &rows, *feature);
        let points: Vec<(f64, Option<f64>)> = found
            .iter()
            .map(|row| row.of_features[*feature])
            .zip(levels)
            .step_by(found.len().div_ceil(200).max(1))
            .collect();
        json!({ "name": names[*feature], "mean": mean, "points": points })
    };
    let unit = match predictor.contribution_unit() {
        ContributionUnit::LogOdds => "log-odds",
        ContributionUnit::Answer => "answer",
    };
    let few = some_of(&rows, DEPENDENT, seed);
    let dependence = order.iter().take(TOLD_DEPENDENCE).filter_map(|(feature, _)| {
        let points = partial_dependence(predictor, table, &few, *feature).ok()?;
        let points: Vec<Value> = points
            .into_iter()
            .map(|Dependence { place, mean, low, high, share }| match place {
                Place::Number(number) => json!([number, mean, low, high, share]),
                Place::Level(level) => json!([level, mean, low, high, share]),
            })
            .collect();
        (!points.is_empty()).then(|| json!({ "feature": names[*feature], "points": points }))
    });
    let dependence: Vec<Value> = dependence.collect();
    if found.is_empty() {
        return (Value::Null, json!(dependence));
    }
    let features: Vec<Value> = order.iter().take(TOLD).map(told).collect();
    (json!({ "unit": unit, "rows": rows.len(), "of": names.len(), "features": features }), json!(dependence))
}

/// The equations of a linear model, with the standard errors of its coefficients or why it has none; nothing of other models.
pub(crate) fn equations(prepared: &Prepared, model: &Model) -> Value {
    let rows = prepared.split.rows(Part::Train);
    let errors = model.standard_errors(&prepared.table, &prepared.labels, rows);
    let (Some(equations), Some(errors)) = (model.coefficients(), errors) else { return Value::Null };
    let (errors, why) = match errors {
        Ok(errors) => (Some(errors), None),
        Err(why) => (None, Some(why.to_string())),
    };
    json!({ "equations": equations, "errors": errors, "no_errors": why, "rows": rows.len() })
}

/// Where the feature of each row lies among all of them: 0 is the least and 1 the greatest; none for a category or a missing value.
fn levels(table: &FeatureTable, rows: &[u32], feature: usize) -> Vec<Option<f64>> {
    let number = |row: &u32| match table.value(feature, *row as usize) {
        FeatureValue::Number(number) => Some(number),
        _ => None,
    };
    let numbers: Vec<Option<f64>> = rows.iter().map(number).collect();
    let mut sorted: Vec<f64> = numbers.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let level = |number: f64| {
        let (below, upto) = (sorted.partition_point(|one| *one < number), sorted.partition_point(|one| *one <= number));
        (below + upto) as f64 / 2.0 / sorted.len() as f64
    };
    numbers.into_iter().map(|number| number.map(level)).collect()
}
