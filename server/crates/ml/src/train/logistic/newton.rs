//! Newton's method for the log loss (iteratively reweighted least squares; McCullagh and Nelder 1989, section 2.5).
//!
//! The curvature is a sum over rows of products of their terms, of which only those are made that are not zero. A first solution is
//! found on a few of the rows: from there the steps on all of them are two or three.

use std::ops::Range;

use linfa_linalg::cholesky::SolveCInplace;
use ndarray::Array2;
use rayon::prelude::*;

use super::{BLOCK, Problem, largest};
use crate::model::{logistic, softmax};
use crate::train::Progress;

/// Most parameters whose curvature is kept whole.
const MOST_PARAMETERS: usize = 512;
/// Most products that one curvature is the sum of.
const MOST_PRODUCTS: f64 = 1e10;
/// Sums of the curvature that are made beside each other: however many threads there are, so that rounding is the same.
const SUMS: usize = 16;
/// Rows of which the first solution is found, where there are several times as many.
const FEW: usize = 4 * BLOCK;
/// What a first solution need come to: that it is off by more, since it is of few rows, is certain.
const ROUGHLY: f64 = 1e-4;
/// Steps after which a first solution is taken as it is.
const FIRST_STEPS: usize = 30;
/// A step is halved so often at most.
const HALVINGS: i32 = 30;
/// The share of the fall that a step's slope promises which it has to bring (Armijo's condition).
const SUFFICIENT: f64 = 1e-4;
/// What is added to the curvature, as a share of its largest entry: where the loss is flat, since levels of a category add up to the
/// constant, a step then goes nowhere.
const RIDGE: f64 = 1e-10;

impl Problem {
    /// Whether its curvature is small enough to be kept.
    pub(super) fn keeps_curvature(&self) -> bool {
        let rows = self.classes.len().max(1) as f64;
        let terms = self.sizes.len() as f64 / rows + 1.0;
        let products = rows * (terms * self.outputs as f64).powi(2) / 2.0;
        self.parameters() <= MOST_PARAMETERS && products <= MOST_PRODUCTS
    }

    /// Where to begin: at a rough solution for a few of the rows if there are many, else at 0.
    pub(super) fn start(&self, progress: &dyn Progress) -> Vec<f64> {
        let every = self.classes.len() / FEW;
        let zeros = vec![0.0; self.parameters()];
        if !self.keeps_curvature() || every < 4 {
            return zeros;
        }
        let few = self.thinned(every);
        let mut at = zeros;
        for _ in 0..FIRST_STEPS {
            if few.gap(&at) <= ROUGHLY || progress.is_cancelled() {
                break;
            }
            let Some(moved) = few.newton_step(&at, progress) else { break };
            at = moved;
        }
        at
    }

    /// One step towards the bottom; none when no part of it leads there, or nobody wants it any more.
    pub(super) fn newton_step(&self, at: &[f64], progress: &dyn Progress) -> Option<Vec<f64>> {
        let here = self.look(at);
        let mut step = Array2::from_shape_vec((at.len(), 1), here.gradient.clone()).ok()?;
        self.curvature(at, progress)?.solvec_inplace(&mut step).ok()?;
        let slope: f64 = here.gradient.iter().zip(&step).map(|(slope, step)| -slope * step).sum();
        // Sums of many losses differ by this much for no reason.
        let rounding = 16.0 * f64::EPSILON * here.loss.abs();
        let moved = (0..HALVINGS).map(|halvings| 0.5_f64.powi(halvings)).find_map(|share| {
            let moved: Vec<f64> = at.iter().zip(&step).map(|(at, step)| at - share * step).collect();
            let is_lower = self.look(&moved).loss <= here.loss + SUFFICIENT * share * slope + rounding;
            is_lower.then_some(moved)
        })?;
        // A step within rounding must at least flatten the slope.
        let (gap, before) = (self.gap(&moved), largest(&here.gradient) / self.classes.len() as f64);
        (self.look(&moved).loss < here.loss || gap < before).then_some(moved)
    }

    fn parameters(&self) -> usize {
        self.outputs * (self.terms + 1)
    }

    /// The problem of every so many-th row, with as much less of a penalty.
    fn thinned(&self, every: usize) -> Self {
        let (mut sizes, mut ends, mut classes) = (Vec::new(), Vec::new(), Vec::new());
        for row in (0..self.classes.len()).step_by(every) {
            sizes.extend_from_slice(self.row(row));
            ends.push(sizes.len());
            classes.push(self.classes[row]);
        }
        let (weights, alpha) = (self.weights.clone(), self.alpha / every as f64);
        Self {
            sizes,
            ends,
            classes,
            weights,
            terms: self.terms,
            outputs: self.outputs,
            alpha,
            last: Default::default(),
        }
    }

    /// The lower triangle of the second derivatives of the loss.
    fn curvature(&self, at: &[f64], progress: &dyn Progress) -> Option<Array2<f64>> {
        let rows = self.classes.len();
        let each = rows.div_ceil(SUMS).max(BLOCK);
        let firsts: Vec<usize> = (0..rows).step_by(each).collect();
        let of_rows = |first: &usize| self.curvature_of(at, *first..rows.min(first + each), progress);
        let sums: Vec<Array2<f64>> = firsts.par_iter().map(of_rows).collect::<Option<_>>()?;
        let mut whole = sums.into_iter().fold(Array2::zeros((at.len(), at.len())), |whole, sum| whole + sum);
        for place in 0..at.len() {
            if place % (self.terms + 1) != self.terms {
                whole[[place, place]] += self.alpha;
            }
        }
        let ridge = RIDGE * whole.diag().iter().fold(f64::MIN_POSITIVE, |most: f64, entry| most.max(*entry));
        whole.diag_mut().iter_mut().for_each(|entry| *entry += ridge);
        Some(whole)
    }

    fn curvature_of(&self, at: &[f64], rows: Range<usize>, progress: &dyn Progress) -> Option<Array2<f64>> {
        let (width, size) = (self.terms + 1, at.len());
        let mut sum = vec![0.0; size * size];
        let mut answers = vec![0.0; self.outputs];
        let mut own: Vec<(usize, f64)> = Vec::new();
        for row in rows {
            if row % BLOCK == 0 && progress.is_cancelled() {
                return None;
            }
            let (terms, counts) = (self.row(row), self.weights[self.classes[row] as usize]);
            self.sums(at, terms, &mut answers);
            own.clear();
            own.extend(terms.iter().map(|(term, size)| (*term as usize, *size)));
            own.push((self.terms, 1.0));
            if let [answer] = answers.as_slice() {
                let share = logistic(*answer);
                add_products(&mut sum, size, (0, 0), &own, counts * share * (1.0 - share));
                continue;
            }
            softmax(&mut answers);
            for (output, share) in answers.iter().enumerate() {
                for (other, others) in answers[..=output].iter().enumerate() {
                    let weight = if other == output { share * (1.0 - share) } else { -share * others };
                    add_products(&mut sum, size, (output * width, other * width), &own, counts * weight);
                }
            }
        }
        Array2::from_shape_vec((size, size), sum).ok()
    }
}

/// Adds the weighted products of a row's terms, in the order of their places, to the block that begins at this row and column: of one
/// on the diagonal the lower triangle, of one below it all.
fn add_products(sum: &mut [f64], size: usize, (row, column): (usize, usize), terms: &[(usize, f64)], weight: f64) {
    for (place, (term, own)) in terms.iter().enumerate() {
        let line = &mut sum[(row + term) * size + column..][..size - column];
        let others = if row == column { &terms[..=place] } else { terms };
        for (other, size) in others {
            line[*other] += weight * own * size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three standing terms a row and one of four levels; the classes follow from them and from noise.
    fn problem(rows: usize, classes: u32) -> Problem {
        let (mut sizes, mut ends, mut own) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..rows as u64 {
            let noise = |times: u64| ((row * times) % 997) as f64 / 997.0 - 0.5;
            let (a, b, level) = (noise(37), noise(61), (row * 31 % 4) as u32);
            sizes.extend([(0, a), (1, b), (2 + level, 1.0)]);
            ends.push(sizes.len());
            let sum = 2.0 * a - b + 0.3 * f64::from(level) + 2.0 * noise(89) + 0.6;
            own.push((sum.max(0.0) as u32).min(classes - 1));
        }
        let outputs = if classes == 2 { 1 } else { classes as usize };
        let weights = vec![1.0, 2.5, 0.5];
        Problem { sizes, ends, classes: own, weights, terms: 6, outputs, alpha: 1.0, last: Default::default() }
    }

    fn steps(problem: &Problem, mut at: Vec<f64>) -> (Vec<f64>, usize) {
        let mut made = 0;
        while problem.gap(&at) > 1e-10 && made < 20 {
            at = problem.newton_step(&at, &()).unwrap();
            made += 1;
        }
        (at, made)
    }

    #[test]
    fn newton_comes_to_the_bottom_that_lbfgs_comes_to() {
        for classes in [2, 3] {
            let problem = problem(3_000, classes);
            let zeros = vec![0.0; problem.parameters()];
            let (by_newton, made) = steps(&problem, zeros.clone());
            let (by_lbfgs, _) = problem.iterate(&zeros, 2_000, 1e-9, &()).unwrap();
            assert!(made < 12, "{made} steps");
            for (one, other) in by_newton.iter().zip(&by_lbfgs) {
                // L-BFGS leaves a gradient of 3e-6, which the flattest direction (curvature 0.1) turns into 3e-5.
                assert!((one - other).abs() < 1e-4, "{one} is not {other}");
            }
        }
    }

    #[test]
    fn of_many_rows_a_few_say_where_to_begin() {
        let problem = problem(5 * FEW, 2);
        let (from_zero, many) = steps(&problem, vec![0.0; problem.parameters()]);
        let (from_start, few) = steps(&problem, problem.start(&()));
        assert!(few < many, "{few} steps instead of {many}");
        assert!(from_zero.iter().zip(&from_start).all(|(one, other)| (one - other).abs() < 1e-6));
    }
}
