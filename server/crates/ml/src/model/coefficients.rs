//! The weights of a linear model in the units of its features, and how far the training part leaves them open.

use linfa_linalg::cholesky::{CholeskyInplace as _, SolveC as _};
use millrace_domain::metric::TargetKind;
use millrace_domain::trainer::{CLASS_BALANCE, TrainerConfig};
use ndarray::{Array1, Array2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::estimator::{Estimator, Predictor};
use super::linear::{LinearOutput, Link, logistic};
use crate::features::{FeatureDefinition, FeatureEncoder, FeatureTable, Labels, NumberEncoder};

/// Most parameters whose standard errors are computed.
const MOST_PARAMETERS: usize = 512;
/// Most products of terms that are added up for them.
const MOST_PRODUCTS: f64 = 1e10;
/// Sums that are made beside each other, and least rows of one: whatever the number of threads, so that rounding is the same.
const SUMS: usize = 16;
const BLOCK: usize = 4_096;
/// A term that all others explain but for this share of its variation follows from them.
const FOLLOWS: f64 = 1e-9;

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

/// The standard errors of an equation, in the units of its [`Coefficients`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StandardErrors {
    /// Of the constant.
    pub intercept: f64,
    /// Of each term, in the order of the equation's.
    pub terms: Vec<f64>,
}

/// Why an equation has no standard errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoErrors {
    /// One equation a class, which are known up to a common shift only.
    #[error("only models of two classes or of a number have them")]
    ManyClasses,
    /// Weights that a penalty sets to 0.
    #[error("a penalty that sets weights to 0 (l1_ratio above 0) leaves none; they need alpha 0, or l1_ratio 0")]
    Sparse,
    /// Rows that count differently.
    #[error("rows that count by their class (class_balance above 0) leave none")]
    Weighted,
    /// A feature that is itself told by the labels.
    #[error("a feature that is encoded by its mean label is estimated itself")]
    MeanLabels,
    /// Too many terms.
    #[error("it has too many terms: more than {MOST_PARAMETERS}, or too many for so many rows")]
    ManyTerms,
    /// Terms of which some follow from others.
    #[error("some terms follow from others, as all levels of a category do from the constant; give alpha more than 0")]
    Collinear,
    /// Not more rows than terms.
    #[error("the training part has no more rows than the equation has terms")]
    FewRows,
}

/// What a term is, and how it enters the model: as (x − centre) / scale.
struct Term {
    name: String,
    centre: f64,
    scale: f64,
}

impl Term {
    const fn of_number(name: String, number: &NumberEncoder) -> Self {
        Self { name, centre: number.centre, scale: number.scale }
    }

    /// Those of one feature, in the order of its encoder.
    fn of_feature(definition: &FeatureDefinition, encoder: &FeatureEncoder) -> Vec<Self> {
        let name = &definition.name;
        let (mut terms, missing_seen) = match encoder {
            FeatureEncoder::Number(number) => (vec![Self::of_number(name.clone(), number)], number.missing_seen),
            FeatureEncoder::Ordinal(ordinal) => {
                (vec![Self::of_number(format!("place of {name}"), &ordinal.number)], ordinal.number.missing_seen)
            }
            FeatureEncoder::Target(target) => {
                let name = format!("mean label of {name}");
                (vec![Self { name, centre: target.mean, scale: target.standard_deviation }], false)
            }
            FeatureEncoder::Category(category) | FeatureEncoder::OneHot(category) => {
                let other = category.other_seen().then(|| format!("{name} is another"));
                let levels = category.levels().iter().map(|level| format!("{name} = {level}"));
                (levels.chain(other).map(Self::indicator).collect(), category.missing_seen())
            }
        };
        terms.extend(missing_seen.then(|| Self::indicator(format!("{name} is missing"))));
        terms
    }

    const fn indicator(name: String) -> Self {
        Self { name, centre: 0.0, scale: 1.0 }
    }
}

impl Predictor {
    fn terms(&self, definitions: &[FeatureDefinition]) -> Vec<Term> {
        let features = definitions.iter().zip(self.encoders.features());
        features.flat_map(|(definition, encoder)| Term::of_feature(definition, encoder)).collect()
    }

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
        let terms = self.terms(definitions);
        let equation = |(class, output): (Option<String>, &LinearOutput)| {
            let slopes: Vec<f64> =
                terms.iter().zip(&output.weights).map(|(term, weight)| weight / term.scale).collect();
            Coefficients {
                class,
                intercept: terms
                    .iter()
                    .zip(&slopes)
                    .fold(output.intercept, |sum, (term, slope)| sum - slope * term.centre),
                terms: terms.iter().map(|term| term.name.clone()).zip(slopes).collect(),
            }
        };
        Some(classes.into_iter().zip(&linear.outputs).map(equation).collect())
    }

    /// The standard errors of its equation, from the rows that it was fitted on; none for trees.
    ///
    /// With H the second derivatives of the fitted loss, the covariance of the parameters is H⁻¹ for the summed log loss and σ² H⁻¹ for
    /// half the summed squares, where σ² is the sum of squares over the rows less the degrees of freedom tr(H⁻¹XᵀX). Without a penalty
    /// these are the classical errors (McCullagh and Nelder 1989, sections 3.6 and 4.4); with an L2 penalty, which is part of H, they are
    /// what data and penalty together leave open (Laplace's approximation; Bishop 2006, section 4.5).
    pub(super) fn standard_errors(
        &self,
        definitions: &[FeatureDefinition],
        config: &TrainerConfig,
        table: &FeatureTable,
        labels: &Labels,
        rows: &[u32],
    ) -> Option<Result<StandardErrors, NoErrors>> {
        let Estimator::Linear(linear) = &self.estimator else {
            return None;
        };
        let errors = || {
            let penalty = penalty(linear.link, config, rows.len())?;
            if self.encoders.features().iter().any(|encoder| matches!(encoder, FeatureEncoder::Target(_))) {
                return Err(NoErrors::MeanLabels);
            }
            let covariance = self.seen(&linear.outputs[0], table, labels, rows)?.covariance(penalty)?;
            let terms = self.terms(definitions);
            let deviation = |place: usize| covariance[[place, place]].max(0.0).sqrt();
            // The constant in original units is a sum of all parameters: −centre / scale of each term's, and the fitted constant.
            let shares = Array1::from_iter(terms.iter().map(|term| -term.centre / term.scale).chain([1.0]));
            Ok(StandardErrors {
                intercept: shares.dot(&covariance.dot(&shares)).max(0.0).sqrt(),
                terms: terms.iter().enumerate().map(|(place, term)| deviation(place) / term.scale).collect(),
            })
        };
        Some(errors())
    }

    /// What the rows tell of the parameters of an equation that was fitted on them.
    fn seen(
        &self,
        output: &LinearOutput,
        table: &FeatureTable,
        labels: &Labels,
        rows: &[u32],
    ) -> Result<Seen, NoErrors> {
        let size = output.weights.len() + 1;
        let products = rows.len() as f64 * (2.0 * self.encoders.features().len() as f64 + 1.0).powi(2) / 2.0;
        if size > MOST_PARAMETERS || products > MOST_PRODUCTS {
            return Err(NoErrors::ManyTerms);
        }
        let of_rows = |rows: &[u32]| {
            let mut seen = Seen::nothing(self.kind, size);
            let mut terms: Vec<(usize, f64)> = Vec::new();
            for row in rows.iter().map(|row| *row as usize) {
                terms.clear();
                self.encoders.for_linear(&table.values(row), |place, size| terms.push((place, size)));
                let sum = terms.iter().fold(output.intercept, |sum, (place, size)| sum + output.weights[*place] * size);
                terms.push((size - 1, 1.0));
                seen.add(&terms, sum, labels.number(row));
            }
            seen
        };
        let each = rows.len().div_ceil(SUMS).max(BLOCK);
        let blocks: Vec<Seen> = rows.par_chunks(each).map(of_rows).collect();
        Ok(blocks.into_iter().fold(Seen::nothing(self.kind, size), Seen::and))
    }
}

/// What the penalty adds to the second derivatives by each weight.
fn penalty(link: Link, config: &TrainerConfig, rows: usize) -> Result<f64, NoErrors> {
    let alpha = config.number("alpha");
    match link {
        Link::Softmax => Err(NoErrors::ManyClasses),
        Link::Logistic if config.number(CLASS_BALANCE) > 0.0 => Err(NoErrors::Weighted),
        Link::Logistic => Ok(alpha),
        Link::Identity if alpha > 0.0 && config.number("l1_ratio") > 0.0 => Err(NoErrors::Sparse),
        // It is fitted to (1 / 2n) of the squares, in units in which both target and weights are smaller alike.
        Link::Identity => Ok(alpha * rows as f64),
    }
}

/// What rows tell of parameters, the constant last.
struct Seen {
    kind: TargetKind,
    rows: usize,
    /// The sum over rows of their terms' products, each by the variance of the answer in units of σ²; its lower triangle.
    information: Array2<f64>,
    /// The squares of what the answers are off by.
    squares: f64,
}

impl Seen {
    fn nothing(kind: TargetKind, size: usize) -> Self {
        Self { kind, rows: 0, information: Array2::zeros((size, size)), squares: 0.0 }
    }

    /// Takes a row of these terms, in the order of their places, whose sum is this.
    fn add(&mut self, terms: &[(usize, f64)], sum: f64, truth: Option<f64>) {
        let share = logistic(sum);
        let counts = if self.kind == TargetKind::Binary { share * (1.0 - share) } else { 1.0 };
        for (at, (place, size)) in terms.iter().enumerate() {
            let mut line = self.information.row_mut(*place);
            terms[..=at].iter().for_each(|(other, others)| line[*other] += counts * size * others);
        }
        self.squares += truth.map_or(0.0, |truth| (truth - sum).powi(2));
        self.rows += 1;
    }

    fn and(self, other: Self) -> Self {
        Self {
            kind: self.kind,
            rows: self.rows + other.rows,
            information: self.information + other.information,
            squares: self.squares + other.squares,
        }
    }

    /// The covariance of the parameters, where a penalty adds this to the second derivatives by each weight.
    fn covariance(self, penalty: f64) -> Result<Array2<f64>, NoErrors> {
        let size = self.information.nrows();
        let mut curvature = self.information;
        for place in 0..size - 1 {
            curvature[[place, place]] += penalty;
        }
        // With all parameters in units in which their own curvature is 1, a pivot is the share that the others leave of it.
        let units: Vec<f64> = curvature.diag().iter().map(|own| own.sqrt()).collect();
        for ((row, column), entry) in curvature.indexed_iter_mut() {
            *entry /= units[row] * units[column];
        }
        let pivots = curvature.clone().cholesky_into().map_err(|_| NoErrors::Collinear)?;
        if !pivots.diag().iter().all(|pivot| pivot * pivot > FOLLOWS) {
            return Err(NoErrors::Collinear);
        }
        let mut covariance = curvature.solvec(&Array2::eye(size)).map_err(|_| NoErrors::Collinear)?;
        for ((row, column), entry) in covariance.indexed_iter_mut() {
            *entry /= units[row] * units[column];
        }
        if self.kind == TargetKind::Binary {
            return Ok(covariance);
        }
        let held: f64 = covariance.diag().iter().take(size - 1).sum::<f64>() * penalty;
        let free = self.rows as f64 - (size as f64 - held);
        if free < 1.0 {
            return Err(NoErrors::FewRows);
        }
        Ok(covariance * (self.squares / free))
    }
}
