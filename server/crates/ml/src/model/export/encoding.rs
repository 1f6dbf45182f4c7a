//! The encoders in a graph: from the features of a caller to the numbers that an estimator calculates with.
//!
//! What a category comes to is not written down here a second time: the encoder itself is asked about each category that it knows, about
//! one that it does not know, and about a missing one, and its answers are the tables of the graph.

use std::borrow::Cow;

use super::graph::{Attribute, Element, Elements, Graph, Tensor};
use crate::features::{FeatureEncoder, FeatureValue, NumberEncoder};

/// The features of a model, in the order of the graph's inputs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Features<'a> {
    /// One encoder an input.
    pub encoders: &'a [FeatureEncoder],
    /// The text that stands for a missing category.
    pub missing: &'a str,
}

/// The numbers that trees branch on.
#[derive(Debug)]
pub(super) struct Columns {
    /// `[rows, columns]`, single precision; NaN is missing.
    pub matrix: Tensor,
    /// Where in the matrix each column of the encoders is: numbers come first, so that all are encoded together.
    pub places: Vec<usize>,
}

impl<'a> Features<'a> {
    /// The inputs that are numbers, each with its place.
    pub(super) fn numbers(self) -> impl Iterator<Item = (usize, &'a NumberEncoder)> {
        self.encoders.iter().enumerate().filter_map(|(place, encoder)| match encoder {
            FeatureEncoder::Number(encoder) => Some((place, encoder)),
            _ => None,
        })
    }

    /// The inputs that are categories, each with its place.
    pub(super) fn categories(self) -> impl Iterator<Item = (usize, &'a FeatureEncoder)> {
        self.encoders.iter().enumerate().filter(|(_, encoder)| !matches!(encoder, FeatureEncoder::Number(_)))
    }

    /// The inputs that are numbers, side by side: `[rows, numbers]`, doubles; none without any.
    pub(super) fn matrix(self, graph: &mut Graph) -> Option<Tensor> {
        let numbers: Vec<Tensor> = self.numbers().map(|(place, _)| graph.input(place)).collect();
        (!numbers.is_empty()).then(|| graph.concat(&numbers, 1))
    }

    /// What the encoders make of the inputs for trees.
    pub(super) fn columns(self, graph: &mut Graph) -> Columns {
        let first_of = firsts(self.encoders, FeatureEncoder::columns);
        let mut places = vec![0; self.encoders.iter().map(FeatureEncoder::columns).sum()];
        let (mut parts, mut next) = (Vec::new(), 0);
        let mut place = |feature: usize, columns: usize| {
            for column in 0..columns {
                places[first_of[feature] + column] = next;
                next += 1;
            }
        };
        self.numbers().for_each(|(feature, _)| place(feature, 1));
        if let Some(matrix) = self.matrix(graph) {
            parts.push(singles(graph, matrix));
        }
        for (feature, encoder) in self.categories() {
            place(feature, encoder.columns());
            if encoder.columns() > 0 {
                parts.push(self.category(graph, feature, encoder));
            }
        }
        if parts.is_empty() {
            let nothing = graph.constant(&[1, 1], Elements::Singles(vec![0.0]));
            parts.push(graph.for_each_row(&nothing, &[1]));
        }
        Columns { matrix: graph.concat(&parts, 1), places }
    }

    /// One category for trees: `[rows, columns]`, single precision.
    fn category(self, graph: &mut Graph, feature: usize, encoder: &FeatureEncoder) -> Tensor {
        let told = asked(encoder, |value| {
            let mut row = Vec::new();
            encoder.for_trees(value, &mut row);
            row
        });
        let columns = encoder.columns();
        if columns == 1 {
            let of = |row: Vec<f32>| row.first().copied().unwrap_or(f32::NAN);
            return self.looked_up_single(graph, feature, encoder, told.into_iter().map(of).collect());
        }
        // A one at one place of many, or at none.
        let at = |row: Vec<f32>| row.iter().position(|size| *size != 0.0).map_or(-1, |place| place as i64);
        let own = self.looked_up(graph, feature, encoder, told.into_iter().map(at).collect());
        let all = graph.constant(&[1, columns], Elements::Wholes((0..columns as i64).collect()));
        let is_own = graph.op("Equal", &[&own, &all]);
        graph.cast(&is_own, Element::Single)
    }

    /// What is told of each of [`asked`]'s cases, for the category of the rows: `[rows, 1]`.
    pub(super) fn looked_up(
        self,
        graph: &mut Graph,
        feature: usize,
        encoder: &FeatureEncoder,
        mut told: Vec<i64>,
    ) -> Tensor {
        let other = told.remove(encoder.known().len());
        let keys = ("keys_strings", Attribute::Texts(self.keys(encoder)));
        let values = ("values_int64s", Attribute::Wholes(told));
        graph.ml("LabelEncoder", &graph.input(feature), [keys, values, ("default_int64", Attribute::Whole(other))])
    }

    /// The same in single precision.
    fn looked_up_single(
        self,
        graph: &mut Graph,
        feature: usize,
        encoder: &FeatureEncoder,
        mut told: Vec<f32>,
    ) -> Tensor {
        let other = told.remove(encoder.known().len());
        let keys = ("keys_strings", Attribute::Texts(self.keys(encoder)));
        let values = ("values_floats", Attribute::Singles(told));
        graph.ml("LabelEncoder", &graph.input(feature), [keys, values, ("default_float", Attribute::Single(other))])
    }

    /// The categories that are looked up, the missing one last.
    fn keys(self, encoder: &FeatureEncoder) -> Vec<String> {
        encoder.known().into_iter().chain([self.missing]).map(str::to_owned).collect()
    }
}

/// Where the first of each encoder's numbers is among those of all.
pub(super) fn firsts(encoders: &[FeatureEncoder], width: fn(&FeatureEncoder) -> usize) -> Vec<usize> {
    let mut next = 0;
    let first = |encoder| {
        let own = next;
        next += width(encoder);
        own
    };
    encoders.iter().map(first).collect()
}

/// What is said of each category that an encoder knows, then of one that it does not know, then of a missing one.
pub(super) fn asked<T>(encoder: &FeatureEncoder, ask: impl Fn(&FeatureValue<'_>) -> T) -> Vec<T> {
    let known = encoder.known();
    let mut other = "?".to_owned();
    while known.contains(&other.as_str()) {
        other.push('?');
    }
    let named = known.into_iter().chain([other.as_str()]);
    let values = named.map(|level| FeatureValue::Category(Cow::Borrowed(level))).chain([FeatureValue::Missing]);
    values.map(|value| ask(&value)).collect()
}

/// Doubles as trees are told them: in single precision, those beyond it at its largest number.
fn singles(graph: &mut Graph, mut numbers: Tensor) -> Tensor {
    // A comparison with NaN is false, which leaves what is missing as it is; `Clip` need not.
    for (beyond, most) in [("Greater", f32::MAX), ("Less", f32::MIN)] {
        let most = graph.double(f64::from(most));
        let is_beyond = graph.op(beyond, &[&numbers, &most]);
        numbers = graph.op("Where", &[&is_beyond, &most, &numbers]);
    }
    graph.cast(&numbers, Element::Single)
}
