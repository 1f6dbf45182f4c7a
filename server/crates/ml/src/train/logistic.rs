//! Logistic regression by linfa: L-BFGS on the summed log loss with an L2 penalty.
//!
//! linfa does not say whether it converged, so iterations are made in stretches, each continuing the last, and after each
//! the gradient is computed here.

use linfa::DatasetBase;
use linfa::traits::Fit as _;
use linfa_logistic::{LogisticRegression, MultiLogisticRegression};
use millrace_domain::metric::TargetKind;
use ndarray::{Array1, Array2};

use super::{Fit, FitReport, Task, TrainError};
use crate::model::{Estimator, LinearEstimator, LinearOutput, Link, logistic, softmax};
use crate::split::Part;

/// Iterations between two looks at the gradient, the progress and the caller's wish to stop.
const STRETCH: u64 = 100;

/// Fits one sum (two classes) or one sum a class.
pub(super) fn fit(task: &Task<'_>) -> Result<Fit, TrainError> {
    let (link, outputs) = match task.kind {
        TargetKind::Binary => (Link::Logistic, 1),
        _ => (Link::Softmax, task.labels.classes().map_or(0, <[String]>::len)),
    };
    let problem = Problem {
        design: task.design(),
        classes: Array1::from(task.classes(Part::Train)),
        alpha: task.config.number("alpha"),
    };
    let (most, tolerance) = (task.config.whole("max_iterations"), task.config.number("tolerance"));
    let zero = LinearOutput { intercept: 0.0, weights: vec![0.0; problem.design.ncols()] };
    let mut sums = vec![zero; outputs];
    let (mut iterations, mut gap, mut stretch) = (0, problem.gradient(&sums), STRETCH);
    while gap > tolerance && iterations < most {
        if task.progress.is_cancelled() {
            return Err(TrainError::Cancelled);
        }
        let length = stretch.min(most - iterations);
        match problem.iterate(&sums, length, tolerance) {
            Ok(moved) => {
                sums = moved;
                gap = problem.gradient(&sums);
                iterations += length;
            }
            // A failed line search loses its whole stretch, so what led up to it is made again in a shorter one.
            Err(_) if length > 1 => stretch = (length / 4).max(1),
            Err(reason) => return Err(task.failed(reason)),
        }
        task.progress.report(iterations, most, None);
    }
    if !(0.0..=tolerance).contains(&gap) {
        let trainer = task.config.trainer();
        return Err(TrainError::NotConverged { trainer, iterations, gap, tolerance });
    }
    let estimator = Estimator::Linear(LinearEstimator { link, outputs: sums });
    Ok((estimator, FitReport { iterations, gap: Some(gap), validation_loss: Vec::new() }))
}

struct Problem {
    design: Array2<f64>,
    classes: Array1<u32>,
    alpha: f64,
}

impl Problem {
    /// Up to `iterations` more from `sums`.
    fn iterate(&self, sums: &[LinearOutput], iterations: u64, tolerance: f64) -> Result<Vec<LinearOutput>, String> {
        // linfa's tolerance is for the 2-norm of the gradient of the summed loss, which is never below its largest component.
        let tolerance = tolerance * self.classes.len() as f64;
        match sums {
            [sum] => self.iterate_two(sum, iterations, tolerance).map(|sum| vec![sum]),
            sums => self.iterate_many(sums, iterations, tolerance),
        }
        .map_err(|error| error.to_string())
    }

    fn iterate_two(
        &self,
        sum: &LinearOutput,
        iterations: u64,
        tolerance: f64,
    ) -> linfa_logistic::error::Result<LinearOutput> {
        // linfa makes the first class it sees the positive one, unless the other has more rows.
        let first = self.classes[0];
        let of_first = self.classes.iter().filter(|class| **class == first).count();
        let positive = if of_first >= self.classes.len() - of_first { first } else { 1 - first };
        let sign = if positive == 1 { 1.0 } else { -1.0 };
        let start = sum.weights.iter().chain([&sum.intercept]).map(|number| number * sign).collect();
        let fitted = LogisticRegression::new()
            .alpha(self.alpha)
            .max_iterations(iterations)
            .gradient_tolerance(tolerance)
            .initial_params(start)
            .fit(&DatasetBase::new(self.design.view(), self.classes.view()))?;
        debug_assert_eq!(fitted.labels().pos.class, positive);
        Ok(LinearOutput {
            intercept: fitted.intercept() * sign,
            weights: fitted.params().iter().map(|weight| weight * sign).collect(),
        })
    }

    fn iterate_many(
        &self,
        sums: &[LinearOutput],
        iterations: u64,
        tolerance: f64,
    ) -> linfa_logistic::error::Result<Vec<LinearOutput>> {
        let start = Array2::from_shape_fn((self.design.ncols() + 1, sums.len()), |(term, class)| {
            sums[class].weights.get(term).copied().unwrap_or(sums[class].intercept)
        });
        let fitted = MultiLogisticRegression::new()
            .alpha(self.alpha)
            .max_iterations(iterations)
            .gradient_tolerance(tolerance)
            .initial_params(start)
            .fit(&DatasetBase::new(self.design.view(), self.classes.view()))?;
        let sum = |(weights, intercept): (ndarray::ArrayView1<'_, f64>, &f64)| LinearOutput {
            intercept: *intercept,
            weights: weights.to_vec(),
        };
        Ok(fitted.params().columns().into_iter().zip(fitted.intercept()).map(sum).collect())
    }

    /// The largest component of the gradient of the mean penalised log loss.
    fn gradient(&self, sums: &[LinearOutput]) -> f64 {
        let count = self.classes.len() as f64;
        let mut slopes: Vec<LinearOutput> = sums
            .iter()
            .map(|sum| LinearOutput {
                intercept: 0.0,
                weights: sum.weights.iter().map(|weight| weight * self.alpha / count).collect(),
            })
            .collect();
        let mut errors = vec![0.0; sums.len()];
        for (row, class) in self.design.rows().into_iter().zip(&self.classes) {
            for (error, sum) in errors.iter_mut().zip(sums) {
                *error = sum.intercept + row.iter().zip(&sum.weights).map(|(x, weight)| x * weight).sum::<f64>();
            }
            if let [error] = errors.as_mut_slice() {
                *error = logistic(*error) - f64::from(*class);
            } else {
                softmax(&mut errors);
                errors[*class as usize] -= 1.0;
            }
            for (error, slope) in errors.iter().zip(&mut slopes) {
                slope.intercept += error / count;
                slope.weights.iter_mut().zip(row).for_each(|(slope, x)| *slope += error / count * x);
            }
        }
        let components = slopes.iter().flat_map(|slope| slope.weights.iter().chain([&slope.intercept]));
        components.fold(0.0, |most: f64, component| most.max(component.abs()))
    }
}
