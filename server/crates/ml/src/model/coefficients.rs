//! The weights of a linear model in the units of its features.

use serde::{Deserialize, Serialize};

use super::estimator::{Estimator, Predictor};
use crate::features::{FeatureDefinition, FeatureEncoder, NumberEncoder};

/// One linear equation: the constant, and the effect of one unit more of each term.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Coefficients {
    /// The class it is the log-odds (binary) or the score (multiclass) of; none for a regression.
    pub class: Option<String>,
    /// The constant.
    pub intercept: f64,
    /// What each term is, and its weight: `age`, `age is missing`, `colour = red`.
    pub terms: Vec<(String, f64)>,
}

impl Predictor {
    /// The equations of a linear model in original units; none for trees.
    ///
    /// A number enters the model as z = (x − centre) / scale, so its weight w is w / scale for x and −w · centre / scale for the constant.
    pub(super) fn coefficients(&self, definitions: &[FeatureDefinition]) -> Option<Vec<Coefficients>> {
        let Estimator::Linear(linear) = &self.estimator else {
            return None;
        };
        let classes: Vec<Option<String>> = match self.classes.as_slice() {
            [] => vec![None],
            [_, positive] => vec![Some(positive.to_string())],
            classes => classes.iter().map(|class| Some(class.to_string())).collect(),
        };
        let equation = |(class, output): (Option<String>, &super::linear::LinearOutput)| {
            let mut weights = output.weights.iter().copied();
            let mut equation = Coefficients { class, intercept: output.intercept, terms: Vec::new() };
            for (definition, encoder) in definitions.iter().zip(self.encoders.features()) {
                equation.add(&definition.name, encoder, &mut weights);
            }
            equation
        };
        Some(classes.into_iter().zip(&linear.outputs).map(equation).collect())
    }
}

impl Coefficients {
    /// Takes the weights of one feature's terms.
    fn add(&mut self, name: &str, encoder: &FeatureEncoder, weights: &mut impl Iterator<Item = f64>) {
        let (labels, missing_seen) = match encoder {
            FeatureEncoder::Number(number) => {
                self.add_number(name.to_owned(), number, weights);
                (Vec::new(), number.missing_seen)
            }
            FeatureEncoder::Ordinal(ordinal) => {
                self.add_number(format!("place of {name}"), &ordinal.number, weights);
                (Vec::new(), ordinal.number.missing_seen)
            }
            FeatureEncoder::Target(target) => {
                let slope = weights.next().unwrap_or(0.0) / target.standard_deviation;
                self.intercept -= slope * target.mean;
                self.terms.push((format!("mean label of {name}"), slope));
                (Vec::new(), false)
            }
            FeatureEncoder::Category(category) | FeatureEncoder::OneHot(category) => {
                let other = category.other_seen().then(|| format!("{name} is another"));
                let levels = category.levels().iter().map(|level| format!("{name} = {level}"));
                (levels.chain(other).collect(), category.missing_seen())
            }
        };
        let missing = missing_seen.then(|| format!("{name} is missing"));
        self.terms.extend(labels.into_iter().chain(missing).zip(weights));
    }

    /// Takes the weight of one number.
    fn add_number(&mut self, term: String, number: &NumberEncoder, weights: &mut impl Iterator<Item = f64>) {
        let slope = weights.next().unwrap_or(0.0) / number.scale;
        self.intercept -= slope * number.centre;
        self.terms.push((term, slope));
    }
}
