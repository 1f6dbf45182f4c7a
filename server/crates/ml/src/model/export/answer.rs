//! From an estimator's numbers to what the model answers: links, calibration, threshold, labels.

use std::sync::Arc;

use millrace_domain::metric::TargetKind;

use super::encoding::Features;
use super::graph::{Element, Elements, Graph, Tensor};
use super::{NotExportable, linear, trees};
use crate::model::calibration::{Calibration, LEAST};
use crate::model::estimator::{Estimator, Predictor};
use crate::model::linear::Link;

/// The names of the outputs.
pub(super) struct Answered {
    /// `probabilities` or `value`, or what they had to be called instead.
    pub numbers: String,
    /// `label`, of classes.
    pub label: Option<String>,
}

/// Writes what the predictor does, from inputs to outputs.
///
/// # Errors
/// Where the estimator cannot be told in a graph.
pub(super) fn answer(
    graph: &mut Graph,
    predictor: &Predictor,
    features: Features<'_>,
) -> Result<Answered, NotExportable> {
    let kind = predictor.kind();
    let mut numbers = match predictor.estimator() {
        Estimator::Linear(estimator) => {
            let sums = linear::sums(graph, estimator, features);
            match estimator.link {
                Link::Identity => sums,
                Link::Logistic => logistic(graph, &sums),
                Link::Softmax => softmax(graph, &sums),
            }
        }
        Estimator::Trees(ensemble) => {
            let margins = trees::margins(graph, ensemble, features)?;
            let singles = match kind {
                TargetKind::Binary => trees::sigmoid(graph, &margins),
                TargetKind::Multiclass => trees::softmax(graph, &margins),
                TargetKind::Regression => margins,
            };
            graph.cast(&singles, Element::Double)
        }
        Estimator::Forest(ensemble) => {
            let means = trees::margins(graph, ensemble, features)?;
            let means = graph.cast(&means, Element::Double);
            as_shares(graph, kind, means)
        }
        Estimator::Onnx(_) => return Err(NotExportable::Elsewhere),
    };
    if let Some(calibration) = predictor.calibration() {
        numbers = calibrated(graph, calibration, &numbers);
    }
    let classes = predictor.classes();
    Ok(match kind {
        TargetKind::Regression => {
            let numbers =
                graph.output("value", &numbers, Element::Double, &[1], "The answer, in the unit of the target.");
            Answered { numbers, label: None }
        }
        TargetKind::Binary => {
            let one = graph.double(1.0);
            let other = graph.op("Sub", &[&one, &numbers]);
            let both = graph.concat(&[other, numbers.clone()], 1);
            let threshold = graph.double(predictor.threshold());
            let is_above = graph.op("Greater", &[&numbers, &threshold]);
            let place = graph.cast(&is_above, Element::Whole);
            let place = graph.squeeze(&place, 1);
            labelled(graph, &both, &place, classes)
        }
        TargetKind::Multiclass => {
            // The first of equals is the default.
            let place = graph.op_of("ArgMax", &[&numbers], &[("axis", 1), ("keepdims", 0)]);
            labelled(graph, &numbers, &place, classes)
        }
    })
}

/// The outputs of a model of classes: probabilities, and the class at a place.
fn labelled(graph: &mut Graph, probabilities: &Tensor, place: &Tensor, classes: &[Arc<str>]) -> Answered {
    let names = classes.iter().map(|class| class.as_ref().to_owned()).collect();
    let names = graph.constant(&[classes.len()], Elements::Texts(names));
    let label = graph.op("Gather", &[&names, place]);
    let doc = "Of each class, in the order of millrace.classes.";
    let numbers = graph.output("probabilities", probabilities, Element::Double, &[classes.len()], doc);
    let doc = "The class that is answered; of two, the second where its probability is above millrace.threshold.";
    let label = graph.output("label", &label, Element::Text, &[], doc);
    Answered { numbers, label: Some(label) }
}

/// `1 / (1 + e⁻ˢ)`, in doubles.
fn logistic(graph: &mut Graph, sums: &Tensor) -> Tensor {
    let negative = graph.op("Neg", &[sums]);
    let power = graph.op("Exp", &[&negative]);
    let one = graph.double(1.0);
    let sum = graph.op("Add", &[&one, &power]);
    graph.op("Div", &[&one, &sum])
}

/// Shares of e to the power of each sum, in doubles.
fn softmax(graph: &mut Graph, sums: &Tensor) -> Tensor {
    let largest = graph.largest(sums);
    let less = graph.op("Sub", &[sums, &largest]);
    let powers = graph.op("Exp", &[&less]);
    let total = graph.sum(&powers);
    graph.op("Div", &[&powers, &total])
}

/// Means of shares as what shares can be.
fn as_shares(graph: &mut Graph, kind: TargetKind, means: Tensor) -> Tensor {
    if kind == TargetKind::Regression {
        return means;
    }
    let (zero, one) = (graph.double(0.0), graph.double(1.0));
    let shares = graph.op("Clip", &[&means, &zero, &one]);
    if kind == TargetKind::Binary {
        return shares;
    }
    let total = graph.sum(&shares);
    graph.op("Div", &[&shares, &total])
}

/// What a calibration makes of scores or of a quantile: `[rows, 1]`, doubles.
fn calibrated(graph: &mut Graph, calibration: &Calibration, numbers: &Tensor) -> Tensor {
    match calibration {
        Calibration::Conformal { shift } => {
            let shift = graph.double(*shift);
            graph.op("Add", &[numbers, &shift])
        }
        Calibration::Platt { slope, intercept } => {
            let (least, most, one) = (graph.double(LEAST), graph.double(1.0 - LEAST), graph.double(1.0));
            let score = graph.op("Clip", &[numbers, &least, &most]);
            let other = graph.op("Sub", &[&one, &score]);
            let odds = graph.op("Div", &[&score, &other]);
            let log_odds = graph.op("Log", &[&odds]);
            let (slope, intercept) = (graph.double(*slope), graph.double(*intercept));
            let steep = graph.op("Mul", &[&slope, &log_odds]);
            let sum = graph.op("Add", &[&steep, &intercept]);
            logistic(graph, &sum)
        }
        Calibration::Isotonic { scores, probabilities } => rising(graph, scores, probabilities, numbers),
    }
}

/// The curve that is straight between points and level beyond them. How many points a score is above says which stretch it is in; of each
/// stretch there are four numbers.
fn rising(graph: &mut Graph, points: &[f64], probabilities: &[f64], score: &Tensor) -> Tensor {
    let all = graph.constant(&[1, points.len()], Elements::Doubles(points.to_vec()));
    let is_above = graph.op("Less", &[&all, score]);
    let is_above = graph.cast(&is_above, Element::Whole);
    let stretch = graph.sum(&is_above);
    // Level stretches go from 0 to 1 and rise by nothing.
    let level = |place: usize| [0.0, 1.0, probabilities[place], 0.0];
    let between = |place: usize| {
        let (length, rise) = (points[place + 1] - points[place], probabilities[place + 1] - probabilities[place]);
        [points[place], length, probabilities[place], rise]
    };
    let last = points.len() - 1;
    let stretches: Vec<[f64; 4]> =
        std::iter::once(level(0)).chain((0..last).map(between)).chain([level(last)]).collect();
    let [start, length, low, rise] = std::array::from_fn(|part| {
        let numbers = stretches.iter().map(|stretch| stretch[part]).collect();
        let table = graph.constant(&[stretches.len()], Elements::Doubles(numbers));
        graph.op("Gather", &[&table, &stretch])
    });
    let moved = graph.op("Sub", &[score, &start]);
    let way = graph.op("Div", &[&moved, &length]);
    let risen = graph.op("Mul", &[&way, &rise]);
    graph.op("Add", &[&low, &risen])
}
