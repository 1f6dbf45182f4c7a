//! ROC, precision–recall and calibration curves.

use serde::{Deserialize, Serialize};

use super::outcomes::BinaryOutcomes;
use super::ranking::Ranking;
use super::resample::quantile;
use super::sum::sum;

/// A point of a curve and the score from which rows count as positive there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// ROC: false positive rate. Precision–recall: recall.
    pub x: f64,
    /// ROC: true positive rate. Precision–recall: precision.
    pub y: f64,
    /// Rows with at least this score count as positive; none where no row does.
    pub threshold: Option<f64>,
}

/// How often a threshold is right and wrong; scores above it count as positive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ThresholdPoint {
    /// The threshold.
    pub threshold: f64,
    /// Positives above it.
    pub true_positive: u64,
    /// Negatives above it.
    pub false_positive: u64,
    /// Positives not above it.
    pub false_negative: u64,
    /// Negatives not above it.
    pub true_negative: u64,
}

/// The rows of one interval of scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Lower edge, not in the bin but for the first.
    pub low: f64,
    /// Upper edge, in the bin.
    pub high: f64,
    /// Mean score.
    pub predicted: f64,
    /// Share of positives.
    pub observed: f64,
    /// Rows.
    pub count: u64,
}

impl BinaryOutcomes {
    /// The ROC curve from (0, 0) to (1, 1); points in the middle of a straight run of equal steps are left out, as in
    /// scikit-learn. Empty with a single class.
    pub fn roc_curve(&self) -> Vec<CurvePoint> {
        let steps = self.steps();
        let Some(&(_, positives, negatives)) = steps.last() else {
            return Vec::new();
        };
        if positives == 0.0 || negatives == 0.0 {
            return Vec::new();
        }
        let start = (None, 0.0, 0.0);
        let path: Vec<_> = std::iter::once(start).chain(steps.iter().map(|&(t, p, n)| (Some(t), p, n))).collect();
        let straight = |position: usize| {
            let [(_, a, b), (_, c, d), (_, e, f)] = [path[position - 1], path[position], path[position + 1]];
            (c - a) == (e - c) && (d - b) == (f - d)
        };
        (0..path.len())
            .filter(|&position| position <= 1 || position + 1 == path.len() || !straight(position))
            .map(|position| {
                let (threshold, found, raised) = path[position];
                CurvePoint { x: raised / negatives, y: found / positives, threshold }
            })
            .collect()
    }

    /// The precision–recall curve from recall 0 (precision 1 by convention) to recall 1. Empty without positives.
    pub fn precision_recall_curve(&self) -> Vec<CurvePoint> {
        let steps = self.steps();
        let positives = steps.last().map_or(0.0, |step| step.1);
        if positives == 0.0 {
            return Vec::new();
        }
        let point = |&(threshold, found, raised): &(f64, f64, f64)| CurvePoint {
            x: found / positives,
            y: found / (found + raised),
            threshold: Some(threshold),
        };
        std::iter::once(CurvePoint { x: 0.0, y: 1.0, threshold: None }).chain(steps.iter().map(point)).collect()
    }

    /// Mean score beside the share of positives in `bins` bins of equally many rows; empty bins are left out.
    ///
    /// The edges are quantiles of the scores; a score on an edge belongs to the bin below it, as in scikit-learn's
    /// `calibration_curve(strategy="quantile")`.
    pub fn calibration(&self, bins: usize) -> Vec<CalibrationBin> {
        let edges = self.edges(bins);
        let mut rows = vec![Vec::new(); bins];
        for (row, bin) in self.bins(bins).into_iter().enumerate() {
            rows[bin].push(row);
        }
        rows.iter()
            .enumerate()
            .filter(|(_, rows)| !rows.is_empty())
            .map(|(bin, rows)| {
                let count = rows.len() as f64;
                CalibrationBin {
                    low: edges[bin],
                    high: edges[bin + 1],
                    predicted: sum(rows.iter().map(|&row| self.scores[row])) / count,
                    observed: rows.iter().filter(|&&row| self.labels[row]).count() as f64 / count,
                    count: rows.len() as u64,
                }
            })
            .collect()
    }

    /// The bin of each row, of so many of equally many rows.
    pub(super) fn bins(&self, bins: usize) -> Vec<usize> {
        let edges = self.edges(bins);
        let inner = &edges[1..bins];
        self.scores.iter().map(|score| inner.partition_point(|edge| edge < score)).collect()
    }

    fn edges(&self, bins: usize) -> Vec<f64> {
        let mut sorted = self.scores.clone();
        sorted.sort_by(f64::total_cmp);
        (0..=bins).map(|edge| quantile(&sorted, edge as f64 / bins as f64)).collect()
    }

    /// What comes of thresholds, lowest first: of every two hundredth from 0 to 1, of the one of the costs, and of up to a hundred of
    /// the scores themselves, which may lie close together.
    pub fn thresholds(&self) -> Vec<ThresholdPoint> {
        let steps = self.steps();
        let (positives, negatives) = steps.last().map_or((0.0, 0.0), |step| (step.1, step.2));
        let grid = (0..=200_u32).map(|part| f64::from(part) / 200.0);
        let scores = thin(steps.iter().map(|step| step.0).collect(), 100);
        let mut thresholds: Vec<f64> = grid.chain(scores).chain([self.costs.threshold()]).collect();
        thresholds.sort_by(f64::total_cmp);
        thresholds.dedup();
        let point = |threshold: f64| {
            // Steps fall; those above the threshold come first.
            let above = steps.partition_point(|step| step.0 > threshold);
            let (found, raised) = above.checked_sub(1).map_or((0.0, 0.0), |last| (steps[last].1, steps[last].2));
            ThresholdPoint {
                threshold,
                true_positive: found as u64,
                false_positive: raised as u64,
                false_negative: (positives - found) as u64,
                true_negative: (negatives - raised) as u64,
            }
        };
        thresholds.into_iter().map(point).collect()
    }

    /// Each distinct score, highest first, with the positives and negatives at or above it.
    fn steps(&self) -> Vec<(f64, f64, f64)> {
        let ranking = Ranking::new(&self.scores);
        let ones = vec![1.0; self.scores.len()];
        let thresholds = ranking.runs().map(|run| self.scores[run[0] as usize]);
        let (mut found, mut raised) = (0.0, 0.0);
        thresholds
            .zip(ranking.tallies(|row| self.labels[row], &ones))
            .map(|(threshold, tally)| {
                found += tally.positive;
                raised += tally.negative;
                (threshold, found, raised)
            })
            .collect()
    }
}

/// At most `most` points (at least two), evenly spaced by position, with both ends kept.
pub(super) fn thin<T: Copy>(points: Vec<T>, most: usize) -> Vec<T> {
    if points.len() <= most {
        return points;
    }
    (0..most).map(|position| points[position * (points.len() - 1) / (most - 1)]).collect()
}
