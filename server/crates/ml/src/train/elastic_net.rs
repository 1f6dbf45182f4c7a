//! Linear regression with L1 and L2 penalties by linfa's coordinate descent.
//!
//! With x centred and y scaled to mean 0 and standard deviation 1, it minimises
//! (1 / 2n) ‖y − Xw‖² + α ρ ‖w‖₁ + ½ α (1 − ρ) ‖w‖². Scaling makes α mean the same whatever the target's unit.
//!
//! linfa stops by its duality gap, which never closes for ridge (ρ = 0), and does not say whether it stopped or ran out of
//! passes. So the passes are doubled until the optimality conditions, computed here, hold.

use linfa::DatasetBase;
use linfa::traits::Fit as _;
use linfa_elasticnet::ElasticNet;
use ndarray::{Array1, Array2, Axis};

use super::{Fit, FitReport, Task, TrainError};
use crate::model::{Estimator, LinearEstimator, LinearOutput, Link};
use crate::split::Part;

const FIRST_PASSES: u64 = 64;

/// Fits the weights on the training part.
pub(super) fn fit(task: &Task<'_>) -> Result<Fit, TrainError> {
    let mut design = task.design();
    let means: Vec<f64> = design.mean_axis(Axis(0)).map_or_else(Vec::new, |means| means.to_vec());
    design -= &Array1::from(means.clone());
    let mut target = Array1::from(task.numbers(Part::Train));
    let mean = target.mean().unwrap_or(0.0);
    target -= mean;
    let deviation = Some(target.std(0.0)).filter(|deviation| *deviation > 0.0).unwrap_or(1.0);
    target /= deviation;

    let problem = Problem {
        dataset: DatasetBase::new(design, target),
        alpha: task.config.number("alpha"),
        ratio: task.config.number("l1_ratio"),
    };
    let (most, tolerance) = (task.config.whole("max_iterations"), task.config.number("tolerance"));
    let mut passes = FIRST_PASSES.min(most);
    let (weights, gap) = loop {
        if task.progress.is_cancelled() {
            return Err(TrainError::Cancelled);
        }
        let weights = problem.solve(passes as u32, tolerance).map_err(|error| task.failed(error))?;
        let gap = problem.violation(&weights);
        task.progress.report(passes, most, None);
        if gap <= tolerance {
            break (weights, gap);
        }
        if passes == most {
            let trainer = task.config.trainer();
            return Err(TrainError::NotConverged { trainer, iterations: passes, gap, tolerance });
        }
        passes = (passes * 2).min(most);
    };
    let weights: Vec<f64> = weights.iter().map(|weight| weight * deviation).collect();
    let shift: f64 = weights.iter().zip(&means).map(|(weight, mean)| weight * mean).sum();
    let outputs = vec![LinearOutput { intercept: mean - shift, weights }];
    let estimator = Estimator::Linear(LinearEstimator { link: Link::Identity, outputs });
    Ok((estimator, FitReport { iterations: passes, gap: Some(gap), ..FitReport::default() }))
}

struct Problem {
    dataset: DatasetBase<Array2<f64>, Array1<f64>>,
    alpha: f64,
    ratio: f64,
}

impl Problem {
    fn solve(&self, passes: u32, tolerance: f64) -> linfa_elasticnet::Result<Array1<f64>> {
        let fitted = ElasticNet::params()
            .penalty(self.alpha)
            .l1_ratio(self.ratio)
            .with_intercept(false)
            .max_iterations(passes)
            // The gap is quadratic in the weights' error where the conditions are linear.
            .tolerance(tolerance * tolerance)
            .fit(&self.dataset)?;
        Ok(fitted.hyperplane().clone())
    }

    /// How far the worst optimality condition is missed. With g = xⱼ·r / n − α (1 − ρ) wⱼ, optimal weights have g = α ρ sign(wⱼ)
    /// where wⱼ ≠ 0, and |g| ≤ α ρ elsewhere.
    fn violation(&self, weights: &Array1<f64>) -> f64 {
        let design = self.dataset.records();
        let residual = self.dataset.targets() - &design.dot(weights);
        let count = residual.len() as f64;
        let limit = self.alpha * self.ratio;
        design
            .columns()
            .into_iter()
            .zip(weights)
            .map(|(column, &weight)| {
                let slope = column.dot(&residual) / count - self.alpha * (1.0 - self.ratio) * weight;
                if weight == 0.0 { (slope.abs() - limit).max(0.0) } else { (slope - limit * weight.signum()).abs() }
            })
            .fold(0.0, f64::max)
    }
}
