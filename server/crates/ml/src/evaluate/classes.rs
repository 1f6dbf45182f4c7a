//! Metrics of classification.

use millrace_domain::metric::Metric;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::Scorer;
use super::diagnostics::CALIBRATION_BINS;
use super::outcomes::{BinaryOutcomes, ClassOutcomes};
use super::ranking::Ranking;
use super::sum::{share, sum};

/// Scorers of binary outcomes.
pub(super) fn of_two(outcomes: &BinaryOutcomes, metric: Metric) -> Option<Scorer<'_>> {
    let BinaryOutcomes { scores, labels, costs } = outcomes;
    let of_counts = |f: fn(Counts) -> Option<f64>| of_counts_with(outcomes, f);
    Some(match metric {
        Metric::RocAuc => {
            let ranking = Ranking::new(scores);
            Box::new(move |weights| ranking.roc_auc(|row| labels[row], weights))
        }
        Metric::PrAuc => {
            let ranking = Ranking::new(scores);
            Box::new(move |weights| ranking.average_precision(|row| labels[row], weights))
        }
        Metric::LogLoss => {
            let losses: Vec<f64> = scores
                .iter()
                .zip(labels)
                .map(|(&score, &label)| surprise(if label { score } else { 1.0 - score }))
                .collect();
            Box::new(move |weights| weighted_mean(&losses, weights))
        }
        Metric::Brier => {
            let losses: Vec<f64> =
                scores.iter().zip(labels).map(|(score, &label)| (score - f64::from(u8::from(label))).powi(2)).collect();
            Box::new(move |weights| weighted_mean(&losses, weights))
        }
        Metric::Ece => {
            let bin_of = outcomes.bins(CALIBRATION_BINS);
            Box::new(move |weights| calibration_error(outcomes, &bin_of, weights))
        }
        Metric::Cost => {
            let costs = *costs;
            of_counts_with(outcomes, move |counts| {
                let cost = costs.false_positive * counts.false_positive + costs.false_negative * counts.false_negative;
                share(cost, counts.total())
            })
        }
        Metric::Accuracy => of_counts(Counts::accuracy),
        Metric::BalancedAccuracy => of_counts(Counts::balanced_accuracy),
        Metric::F1 => of_counts(Counts::f1),
        Metric::Precision => of_counts(Counts::precision),
        Metric::Recall => of_counts(Counts::recall),
        Metric::Rmse | Metric::Mae | Metric::Mape | Metric::R2 | Metric::Pinball | Metric::CoverageError => {
            return None;
        }
    })
}

fn of_counts_with<'o>(outcomes: &'o BinaryOutcomes, f: impl Fn(Counts) -> Option<f64> + 'o) -> Scorer<'o> {
    Box::new(move |weights| f(Counts::of(outcomes, weights)))
}

/// The mean distance of mean score and share of positives over the bins that rows are in.
fn calibration_error(outcomes: &BinaryOutcomes, bin_of: &[usize], weights: &[f64]) -> Option<f64> {
    let mut bins = [(0.0, 0.0); CALIBRATION_BINS];
    for (row, (&bin, &weight)) in bin_of.iter().zip(weights).enumerate() {
        bins[bin].0 += weight * outcomes.scores[row];
        bins[bin].1 += weight * f64::from(u8::from(outcomes.labels[row]));
    }
    share(sum(bins.iter().map(|(scores, positives)| (scores - positives).abs())), sum(weights.iter().copied()))
}

impl BinaryOutcomes {
    /// The calibration errors of so many draws, from `seed`, of labels that come true as often as the scores say.
    pub(super) fn calibration_errors_by_chance(&self, draws: usize, seed: u64) -> Vec<f64> {
        let bin_of = self.bins(CALIBRATION_BINS);
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let mut error = |_| {
            let mut bins = [0.0; CALIBRATION_BINS];
            for (&bin, &score) in bin_of.iter().zip(&self.scores) {
                bins[bin] += score - f64::from(u8::from(generator.random::<f64>() < score));
            }
            sum(bins.iter().map(|distance| distance.abs())) / self.scores.len() as f64
        };
        (0..draws).map(&mut error).collect()
    }
}

/// Scorers of multiclass outcomes.
pub(super) fn of_many(outcomes: &ClassOutcomes, metric: Metric) -> Option<Scorer<'_>> {
    let labels = &outcomes.labels;
    let of_table = |f: fn(&Table) -> Option<f64>| -> Scorer<'_> {
        let predicted = outcomes.predicted();
        Box::new(move |weights| f(&Table::of(outcomes.classes, labels, &predicted, weights)))
    };
    Some(match metric {
        Metric::RocAuc => against_rest(outcomes, |ranking, is_of, weights| ranking.roc_auc(is_of, weights)),
        Metric::PrAuc => against_rest(outcomes, |ranking, is_of, weights| ranking.average_precision(is_of, weights)),
        Metric::Brier => {
            let square = |row: usize, class: usize, probability: f64| {
                (probability - f64::from(u8::from(labels[row] as usize == class))).powi(2)
            };
            let of_row = |row: usize| {
                0.5 * sum(outcomes
                    .row(row)
                    .iter()
                    .enumerate()
                    .map(|(class, probability)| square(row, class, *probability)))
            };
            let losses: Vec<f64> = (0..labels.len()).map(of_row).collect();
            Box::new(move |weights| weighted_mean(&losses, weights))
        }
        Metric::Ece => {
            let certain = outcomes.most_probable();
            let bin_of = certain.bins(CALIBRATION_BINS);
            Box::new(move |weights| calibration_error(&certain, &bin_of, weights))
        }
        Metric::LogLoss => {
            let losses: Vec<f64> =
                labels.iter().enumerate().map(|(row, &label)| surprise(outcomes.row(row)[label as usize])).collect();
            Box::new(move |weights| weighted_mean(&losses, weights))
        }
        Metric::Accuracy => of_table(Table::accuracy),
        Metric::BalancedAccuracy => of_table(Table::balanced_accuracy),
        Metric::F1 => of_table(|table| table.macro_average(|right, drawn, true_| 2.0 * right / (drawn + true_))),
        Metric::Precision => of_table(|table| table.macro_average(|right, drawn, _| right / drawn)),
        Metric::Recall => of_table(|table| table.macro_average(|right, _, true_| right / true_)),
        Metric::Cost
        | Metric::Rmse
        | Metric::Mae
        | Metric::Mape
        | Metric::R2
        | Metric::Pinball
        | Metric::CoverageError => return None,
    })
}

/// The mean over the classes of what the order of their probabilities gives, each against all others; none where it is not defined of one.
fn against_rest<'o>(
    outcomes: &'o ClassOutcomes,
    of_one: impl Fn(&Ranking, &dyn Fn(usize) -> bool, &[f64]) -> Option<f64> + Sync + 'o,
) -> Scorer<'o> {
    let rankings: Vec<Ranking> =
        (0..outcomes.classes).into_par_iter().map(|class| Ranking::new(&outcomes.against_rest(class).scores)).collect();
    Box::new(move |weights| {
        let of = |(class, ranking)| of_one(ranking, &|row| outcomes.labels[row] as usize == class, weights);
        let values: Option<Vec<f64>> = rankings.par_iter().enumerate().map(of).collect();
        values.map(|values| mean(&values))
    })
}

/// Negative log-likelihood in nats of what came true; its probability is kept off 0 and 1 by double's ε.
fn surprise(probability: f64) -> f64 {
    -probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
}

pub(super) fn weighted_mean(values: &[f64], weights: &[f64]) -> Option<f64> {
    share(sum(values.iter().zip(weights).map(|(value, weight)| value * weight)), sum(weights.iter().copied()))
}

fn mean(values: &[f64]) -> f64 {
    sum(values.iter().copied()) / values.len() as f64
}

/// The weights of a two-by-two table.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub true_positive: f64,
    pub false_positive: f64,
    pub true_negative: f64,
    pub false_negative: f64,
}

impl Counts {
    pub fn of(outcomes: &BinaryOutcomes, weights: &[f64]) -> Self {
        let mut counts = Self::default();
        let threshold = outcomes.costs.threshold();
        for ((&score, &label), &weight) in outcomes.scores.iter().zip(&outcomes.labels).zip(weights) {
            *match (score > threshold, label) {
                (true, true) => &mut counts.true_positive,
                (true, false) => &mut counts.false_positive,
                (false, false) => &mut counts.true_negative,
                (false, true) => &mut counts.false_negative,
            } += weight;
        }
        counts
    }

    fn total(self) -> f64 {
        self.true_positive + self.false_positive + self.true_negative + self.false_negative
    }

    fn accuracy(self) -> Option<f64> {
        share(self.true_positive + self.true_negative, self.total())
    }

    fn balanced_accuracy(self) -> Option<f64> {
        let specificity = share(self.true_negative, self.true_negative + self.false_positive)?;
        Some((self.recall()? + specificity) / 2.0)
    }

    fn f1(self) -> Option<f64> {
        let twice = 2.0 * self.true_positive;
        share(twice, twice + self.false_positive + self.false_negative)
    }

    fn precision(self) -> Option<f64> {
        share(self.true_positive, self.true_positive + self.false_positive)
    }

    fn recall(self) -> Option<f64> {
        share(self.true_positive, self.true_positive + self.false_negative)
    }
}

/// Per class: the weight rightly predicted, predicted at all, and true.
struct Table {
    classes: Vec<(f64, f64, f64)>,
    total: f64,
}

impl Table {
    fn of(classes: usize, labels: &[u32], predicted: &[u32], weights: &[f64]) -> Self {
        let mut table = Self { classes: vec![(0.0, 0.0, 0.0); classes], total: 0.0 };
        for ((&label, &guess), &weight) in labels.iter().zip(predicted).zip(weights) {
            if label == guess {
                table.classes[label as usize].0 += weight;
            }
            table.classes[guess as usize].1 += weight;
            table.classes[label as usize].2 += weight;
            table.total += weight;
        }
        table
    }

    fn accuracy(&self) -> Option<f64> {
        share(self.classes.iter().map(|(right, _, _)| right).sum(), self.total)
    }

    /// Mean recall over the classes that occur; none when only one does.
    fn balanced_accuracy(&self) -> Option<f64> {
        let recalls: Vec<f64> = self.classes.iter().filter_map(|(right, _, true_)| share(*right, *true_)).collect();
        (recalls.len() > 1).then(|| mean(&recalls))
    }

    /// Mean of `score` over the classes that occur or were predicted. As in scikit-learn, a class without a right
    /// prediction scores 0, also where its own score would be undefined.
    fn macro_average(&self, score: impl Fn(f64, f64, f64) -> f64) -> Option<f64> {
        let scores: Vec<f64> = self
            .classes
            .iter()
            .filter(|(_, drawn, true_)| *drawn > 0.0 || *true_ > 0.0)
            .map(|&(right, drawn, true_)| if right > 0.0 { score(right, drawn, true_) } else { 0.0 })
            .collect();
        (scores.len() > 1).then(|| mean(&scores))
    }
}
