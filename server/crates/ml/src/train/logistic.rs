//! Logistic regression: the summed log loss with an L2 penalty, by Newton's method ([`newton`]) where the curvature is small enough to
//! be kept, else by L-BFGS (argmin).
//!
//! Of the terms of a row only those are kept that are not zero: a category is one term, however many levels it has. Sums over rows are
//! made in blocks of fixed size that are added up in their order, so that they are the same on any number of threads. L-BFGS iterates in
//! stretches, each continuing the last; after each it is looked whether the gradient is small enough.

mod newton;

use std::sync::{Mutex, PoisonError};

use argmin::core::{CostFunction, Error, Executor, Gradient, State as _};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use millrace_domain::metric::TargetKind;
use rayon::prelude::*;

use super::{Fit, FitReport, Progress, Task, TrainError};
use crate::model::{Estimator, LinearEstimator, LinearOutput, Link, logistic, softmax};
use crate::split::Part;

/// Iterations between two looks at the progress and the caller's wish to stop.
const STRETCH: u64 = 100;
/// Rows of a block.
const BLOCK: usize = 4_096;
/// Steps that the curvature is told from.
const MEMORY: usize = 10;

/// Fits one sum (two classes) or one sum a class.
pub(super) fn fit(task: &Task<'_>) -> Result<Fit, TrainError> {
    let (link, outputs) = match task.kind {
        TargetKind::Binary => (Link::Logistic, 1),
        _ => (Link::Softmax, task.labels.classes().map_or(0, <[String]>::len)),
    };
    let problem = Problem::of(task, outputs);
    let (most, tolerance) = (task.config.whole("max_iterations"), task.config.number("tolerance"));
    let mut parameters = problem.start(task.progress);
    let (mut iterations, mut gap, mut stretch) = (0, problem.gap(&parameters), STRETCH);
    let mut has_curvature = problem.keeps_curvature();
    while gap > tolerance && iterations < most {
        if task.progress.is_cancelled() {
            return Err(TrainError::Cancelled);
        }
        if has_curvature {
            // A step that leads nowhere leaves the rest to the solver that asks less.
            let step = problem.newton_step(&parameters, task.progress);
            has_curvature = step.is_some();
            if let Some(moved) = step {
                parameters = moved;
                gap = problem.gap(&parameters);
                iterations += 1;
                task.progress.report(iterations, most, None);
            }
            continue;
        }
        let length = stretch.min(most - iterations);
        match problem.iterate(&parameters, length, tolerance, task.progress) {
            Ok((moved, made)) => {
                parameters = moved;
                gap = problem.gap(&parameters);
                iterations += made.max(1);
            }
            Err(_) if task.progress.is_cancelled() => return Err(TrainError::Cancelled),
            // A failed line search loses its whole stretch, so what led up to it is made again in a shorter one.
            Err(_) if length > 1 => stretch = (length / 4).max(1),
            Err(reason) => return Err(task.failed(reason)),
        }
        task.progress.report(iterations.min(most), most, None);
    }
    if !(0.0..=tolerance).contains(&gap) {
        let trainer = task.config.trainer();
        return Err(TrainError::NotConverged { trainer, iterations, gap, tolerance });
    }
    let output = |own: &[f64]| LinearOutput { intercept: own[problem.terms], weights: own[..problem.terms].to_vec() };
    let outputs = parameters.chunks(problem.terms + 1).map(output).collect();
    let estimator = Estimator::Linear(LinearEstimator { link, outputs });
    Ok((estimator, FitReport { iterations, gap: Some(gap), ..FitReport::default() }))
}

/// The summed penalised log loss as a function of the parameters: of each output its weights, then its intercept.
struct Problem {
    /// Position and size of the terms that are not zero, row after row.
    sizes: Vec<(u32, f64)>,
    /// Where the terms of each row end.
    ends: Vec<usize>,
    classes: Vec<u32>,
    /// How much a row of each class counts.
    weights: Vec<f64>,
    terms: usize,
    outputs: usize,
    alpha: f64,
    /// The last point that was looked at: a line search asks for its loss and then for its gradient.
    last: Mutex<Option<Look>>,
}

#[derive(Clone)]
struct Look {
    at: Vec<f64>,
    loss: f64,
    gradient: Vec<f64>,
}

impl Problem {
    fn of(task: &Task<'_>, outputs: usize) -> Self {
        let encoded = task.encoders.for_linear_in(task.table, Some(task.told));
        let (mut sizes, mut ends) = (Vec::new(), Vec::new());
        for (position, row) in task.split.rows(Part::Train).iter().enumerate() {
            encoded.add(position, *row, &mut sizes);
            ends.push(sizes.len());
        }
        Self {
            sizes,
            ends,
            classes: task.classes(Part::Train),
            weights: task.class_weights().unwrap_or_else(|| vec![1.0; outputs.max(2)]),
            terms: task.encoders.terms(),
            outputs,
            alpha: task.config.number("alpha"),
            last: Mutex::new(None),
        }
    }

    /// Up to `iterations` more, and how many were made.
    fn iterate(
        &self,
        from: &[f64],
        iterations: u64,
        tolerance: f64,
        progress: &dyn Progress,
    ) -> Result<(Vec<f64>, u64), Error> {
        // The solver's tolerance is for the 2-norm of the gradient, which is never below its largest component. That the loss hardly
        // falls any more says nothing: near its bottom it is flat long before the gradient is small.
        let tolerance = tolerance * self.classes.len() as f64;
        let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY);
        let solver = solver.with_tolerance_grad(tolerance)?.with_tolerance_cost(0.0)?;
        let run = Executor::new(Watched { problem: self, progress }, solver)
            .configure(|state| state.param(from.to_vec()).max_iters(iterations))
            .run()?;
        let made = run.state.get_iter();
        let reached = run.state.param.or(run.state.best_param);
        Ok((reached.ok_or_else(|| Error::msg("the solver came to no point"))?, made))
    }

    /// The largest component of the gradient of the mean loss.
    fn gap(&self, at: &[f64]) -> f64 {
        largest(&self.look(at).gradient) / self.classes.len() as f64
    }

    fn look(&self, at: &[f64]) -> Look {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = last.as_ref().filter(|known| known.at == at) {
            return known.clone();
        }
        let look = self.evaluated(at);
        *last = Some(look.clone());
        look
    }

    fn evaluated(&self, at: &[f64]) -> Look {
        let blocks = self.classes.par_chunks(BLOCK).enumerate();
        let blocks: Vec<(f64, Vec<f64>)> =
            blocks.map(|(place, classes)| self.block(at, place * BLOCK, classes)).collect();
        let (mut loss, mut gradient) = (0.0, vec![0.0; at.len()]);
        for (of_block, slopes) in blocks {
            loss += of_block;
            gradient.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += slope);
        }
        for (place, (slope, weight)) in gradient.iter_mut().zip(at).enumerate() {
            // Intercepts are not penalised.
            if place % (self.terms + 1) != self.terms {
                *slope += self.alpha * weight;
                loss += self.alpha * weight * weight / 2.0;
            }
        }
        Look { at: at.to_vec(), loss, gradient }
    }

    /// The terms of a row that are not zero.
    fn row(&self, row: usize) -> &[(u32, f64)] {
        let begin = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.sizes[begin..self.ends[row]]
    }

    /// The sums of terms of a row, one an output.
    fn sums(&self, at: &[f64], terms: &[(u32, f64)], sums: &mut [f64]) {
        for (sum, own) in sums.iter_mut().zip(at.chunks(self.terms + 1)) {
            *sum = own[self.terms] + terms.iter().map(|(term, size)| own[*term as usize] * size).sum::<f64>();
        }
    }

    /// The summed loss of the rows from `first` on, which are of these classes, and its gradient.
    fn block(&self, at: &[f64], first: usize, classes: &[u32]) -> (f64, Vec<f64>) {
        let width = self.terms + 1;
        let (mut loss, mut slopes) = (0.0, vec![0.0; at.len()]);
        let mut sums = vec![0.0; self.outputs];
        for (row, class) in (first..).zip(classes) {
            let terms = self.row(row);
            self.sums(at, terms, &mut sums);
            let class = *class as usize;
            let weight = self.weights[class];
            // What becomes of the sums are the errors: probability less truth.
            if let [sum] = sums.as_mut_slice() {
                let truth = class as f64;
                loss += weight * (sum.max(0.0) - truth * *sum + (-sum.abs()).exp().ln_1p());
                *sum = logistic(*sum) - truth;
            } else {
                let own = sums[class];
                loss += weight * (softmax(&mut sums) - own);
                sums[class] -= 1.0;
            }
            for (error, own) in sums.iter().zip(slopes.chunks_mut(width)) {
                let error = weight * error;
                own[self.terms] += error;
                terms.iter().for_each(|(term, size)| own[*term as usize] += error * size);
            }
        }
        (loss, slopes)
    }
}

/// The size of the largest component.
fn largest(gradient: &[f64]) -> f64 {
    gradient.iter().fold(0.0, |most: f64, component| most.max(component.abs()))
}

/// The problem, which is given up when the caller wants no more.
struct Watched<'a> {
    problem: &'a Problem,
    progress: &'a dyn Progress,
}

impl CostFunction for Watched<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, at: &Vec<f64>) -> Result<f64, Error> {
        if self.progress.is_cancelled() {
            return Err(Error::msg("nobody wants it any more"));
        }
        Ok(self.problem.look(at).loss)
    }
}

impl Gradient for Watched<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, at: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(self.problem.look(at).gradient)
    }
}
