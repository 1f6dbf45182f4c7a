//! A linear estimator in a graph: a constant, and of each feature its terms times their weights, added up in the order in which
//! [`LinearEstimator`] adds them. What a category adds is looked up: no row has a column for each of its levels.

use super::encoding::{Features, asked, firsts};
use super::graph::{Element, Elements, Graph, Tensor};
use crate::features::FeatureEncoder;
use crate::model::linear::LinearEstimator;

/// Terms times their weights, in parts that come to be side by side: `[rows, terms, outputs]`.
struct Parts {
    tensors: Vec<Tensor>,
    /// Where the terms of each feature are.
    of_features: Vec<Vec<i64>>,
    next: i64,
}

impl Parts {
    fn push(&mut self, tensor: Tensor, features: impl Iterator<Item = usize>) {
        self.tensors.push(tensor);
        for feature in features {
            self.of_features[feature].push(self.next);
            self.next += 1;
        }
    }
}

/// The sums of a linear estimator, before its link: `[rows, outputs]`, doubles.
pub(super) fn sums(graph: &mut Graph, estimator: &LinearEstimator, features: Features<'_>) -> Tensor {
    let outputs = estimator.outputs.len();
    let first_of = firsts(features.encoders, FeatureEncoder::terms);
    // Of some terms the weights, of each for every output.
    let weights = |terms: &[usize]| {
        let of = |term: &usize| estimator.outputs.iter().map(|output| output.weights[*term]).collect::<Vec<f64>>();
        terms.iter().flat_map(of).collect::<Vec<f64>>()
    };
    let intercepts = estimator.outputs.iter().map(|output| output.intercept).collect();
    let intercepts = graph.constant(&[1, 1, outputs], Elements::Doubles(intercepts));
    let start = graph.for_each_row(&intercepts, &[1, outputs]);
    let mut parts = Parts { tensors: vec![start], of_features: vec![Vec::new(); features.encoders.len()], next: 1 };

    if let Some(matrix) = features.matrix(graph) {
        let (sizes, is_missing) = standardised(graph, &matrix, features);
        let terms: Vec<usize> = features.numbers().map(|(feature, _)| first_of[feature]).collect();
        let tensor = weighted(graph, &sizes, weights(&terms), outputs);
        parts.push(tensor, features.numbers().map(|(feature, _)| feature));
        // Where training saw numbers that were missing, that they are is a term of its own.
        let told: Vec<(usize, usize)> = features
            .numbers()
            .enumerate()
            .filter(|(_, (_, encoder))| encoder.missing_seen)
            .map(|(place, (feature, _))| (place, feature))
            .collect();
        if !told.is_empty() {
            let places = graph.wholes(told.iter().map(|(place, _)| *place as i64).collect());
            let is_missing = graph.op_of("Gather", &[&is_missing, &places], &[("axis", 1)]);
            let sizes = graph.cast(&is_missing, Element::Double);
            let terms: Vec<usize> = told.iter().map(|(_, feature)| first_of[*feature] + 1).collect();
            let tensor = weighted(graph, &sizes, weights(&terms), outputs);
            parts.push(tensor, told.into_iter().map(|(_, feature)| feature));
        }
    }
    for (feature, encoder) in features.categories() {
        let cases = asked(encoder, |value| {
            let mut own = Vec::new();
            encoder.for_linear(value, |position, size| own.push((first_of[feature] + position, size)));
            own
        });
        let most = cases.iter().map(Vec::len).max().unwrap_or_default();
        if most == 0 {
            continue;
        }
        let mut table = Vec::with_capacity(cases.len() * most * outputs);
        for own in &cases {
            for place in 0..most {
                let added = |weights: &[f64]| own.get(place).map_or(0.0, |(term, size)| weights[*term] * size);
                table.extend(estimator.outputs.iter().map(|output| added(&output.weights)));
            }
        }
        let table = graph.constant(&[cases.len(), most, outputs], Elements::Doubles(table));
        let case = features.looked_up(graph, feature, encoder, (0..cases.len() as i64).collect());
        let found = graph.op_of("Gather", &[&table, &case], &[("axis", 0)]);
        let tensor = graph.squeeze(&found, 1);
        parts.push(tensor, std::iter::repeat_n(feature, most));
    }
    let all = graph.concat(&parts.tensors, 1);
    let order: Vec<i64> = std::iter::once(0).chain(parts.of_features.into_iter().flatten()).collect();
    let order = graph.wholes(order);
    let in_order = graph.op_of("Gather", &[&all, &order], &[("axis", 1)]);
    let sum = graph.sum_in_order(&in_order);
    graph.squeeze(&sum, 1)
}

/// Numbers moved and scaled, the median in place of missing ones, and which are missing: both `[rows, numbers]`.
fn standardised(graph: &mut Graph, matrix: &Tensor, features: Features<'_>) -> (Tensor, Tensor) {
    let mut row = |number: fn(&crate::features::NumberEncoder) -> f64| {
        let numbers: Vec<f64> = features.numbers().map(|(_, encoder)| number(encoder)).collect();
        graph.constant(&[1, numbers.len()], Elements::Doubles(numbers))
    };
    let (medians, centres, scales) =
        (row(|encoder| encoder.median), row(|encoder| encoder.centre), row(|encoder| encoder.scale));
    let is_missing = graph.op("IsNaN", &[matrix]);
    let filled = graph.op("Where", &[&is_missing, &medians, matrix]);
    let moved = graph.op("Sub", &[&filled, &centres]);
    (graph.op("Div", &[&moved, &scales]), is_missing)
}

/// Sizes times the weights of their terms: `[rows, terms]` to `[rows, terms, outputs]`.
fn weighted(graph: &mut Graph, sizes: &Tensor, weights: Vec<f64>, outputs: usize) -> Tensor {
    let weights = graph.constant(&[weights.len() / outputs, outputs], Elements::Doubles(weights));
    let sizes = graph.unsqueeze(sizes, 2);
    graph.op("Mul", &[&sizes, &weights])
}
