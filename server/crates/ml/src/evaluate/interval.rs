//! 95 % intervals of metrics.

use std::collections::BTreeMap;

use millrace_domain::metric::Metric;

use super::classes::Counts;
use super::outcomes::{BinaryOutcomes, Outcomes};
use super::ranking::Ranking;
use super::resample::{percentile_interval, quantile, resamples};
use super::{Scorer, sum};

/// The 97.5 % quantile of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;
const RESAMPLES: usize = 200;

/// Intervals of those `metrics` that have one.
pub(super) fn intervals(
    outcomes: &Outcomes,
    metrics: &BTreeMap<Metric, f64>,
    seed: u64,
) -> BTreeMap<Metric, (f64, f64)> {
    let (closed, open): (Vec<Metric>, Vec<Metric>) =
        metrics.keys().partition(|metric| has_closed_form(outcomes, **metric));
    let mut found: BTreeMap<Metric, (f64, f64)> =
        closed.into_iter().filter_map(|metric| Some((metric, closed_form(outcomes, metric)?))).collect();
    found.extend(bootstrap(outcomes, &open, metrics, seed));
    found
}

fn has_closed_form(outcomes: &Outcomes, metric: Metric) -> bool {
    match outcomes {
        Outcomes::Binary(_) => {
            matches!(metric, Metric::RocAuc | Metric::Accuracy | Metric::Precision | Metric::Recall)
        }
        Outcomes::Multiclass(_) => metric == Metric::Accuracy,
        Outcomes::Regression(_) => metric == Metric::CoverageError,
    }
}

fn closed_form(outcomes: &Outcomes, metric: Metric) -> Option<(f64, f64)> {
    match outcomes {
        Outcomes::Binary(outcomes) if metric == Metric::RocAuc => delong(outcomes),
        Outcomes::Binary(outcomes) => {
            let counts = Counts::of(outcomes, &vec![1.0; outcomes.scores.len()]);
            let drawn = counts.true_positive + counts.false_positive;
            let positive = counts.true_positive + counts.false_negative;
            match metric {
                Metric::Precision => wilson(counts.true_positive, drawn),
                Metric::Recall => wilson(counts.true_positive, positive),
                _ => wilson(counts.true_positive + counts.true_negative, outcomes.scores.len() as f64),
            }
        }
        Outcomes::Multiclass(_) => {
            let rows = outcomes.len() as f64;
            wilson((outcomes.metric(Metric::Accuracy)? * rows).round(), rows)
        }
        Outcomes::Regression(outcomes) => {
            let interval = wilson(outcomes.covered(), outcomes.actual.len() as f64)?;
            Some(of_distance(interval, outcomes.quantile?))
        }
    }
}

/// Wilson's score interval of a share (Journal of the American Statistical Association 22, 1927).
pub(super) fn wilson(successes: f64, n: f64) -> Option<(f64, f64)> {
    if n == 0.0 {
        return None;
    }
    let share = successes / n;
    let centre = share + Z * Z / (2.0 * n);
    let spread = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    Some((((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0)))
}

/// DeLong's interval of the area under the ROC curve (Biometrics 44, 1988), on the logit scale so that it stays inside 0
/// to 1. None when the two classes are perfectly separated or one has fewer than two rows: the variance is then unknown.
pub(super) fn delong(outcomes: &BinaryOutcomes) -> Option<(f64, f64)> {
    let ones = vec![1.0; outcomes.scores.len()];
    let ranking = Ranking::new(&outcomes.scores);
    let tallies: Vec<_> = ranking.tallies(|row| outcomes.labels[row], &ones).collect();
    let positives = sum::sum(tallies.iter().map(|tally| tally.positive));
    let negatives = sum::sum(tallies.iter().map(|tally| tally.negative));
    if positives < 2.0 || negatives < 2.0 {
        return None;
    }
    let area = ranking.roc_auc(|row| outcomes.labels[row], &ones)?;
    // Per run: how often its positives beat a negative, and its negatives are beaten by a positive.
    let (mut positives_above, mut negatives_above) = (0.0, 0.0);
    let (mut of_positives, mut of_negatives) = (0.0, 0.0);
    for tally in &tallies {
        let wins = (negatives - negatives_above - tally.negative / 2.0) / negatives;
        let losses = (positives_above + tally.positive / 2.0) / positives;
        of_positives += tally.positive * (wins - area).powi(2);
        of_negatives += tally.negative * (losses - area).powi(2);
        positives_above += tally.positive;
        negatives_above += tally.negative;
    }
    let variance = of_positives / (positives - 1.0) / positives + of_negatives / (negatives - 1.0) / negatives;
    if !(variance > 0.0 && area > 0.0 && area < 1.0) {
        return None;
    }
    let centre = (area / (1.0 - area)).ln();
    let spread = Z * variance.sqrt() / (area * (1.0 - area));
    let back = |logit: f64| 1.0 / (1.0 + (-logit).exp());
    Some((back(centre - spread), back(centre + spread)))
}

/// The interval of a calibration error, from what it is in resamples. A sum of distances is greater there than on the rows that they are
/// drawn from, by about as much as there it is greater than in truth: the upper end is moved down by that once, the lower one twice. It
/// is 0 where so much comes of labels that are drawn by the scores (Bröcker and Smith 2007, "Increasing the Reliability of Reliability
/// Diagrams"). In simulations of 400 and 2,000 rows whose scores are all off by as much, from 0 to 0.2, it held the true error 93 to 97
/// times of 100; of 400 rows whose scores are off by little in both directions, 86 times.
fn of_calibration_error(
    outcomes: &BinaryOutcomes,
    observed: f64,
    mut replicates: Vec<f64>,
    seed: u64,
) -> Option<(f64, f64)> {
    let more = sum::sum(replicates.iter().copied()) / replicates.len() as f64 - observed;
    let (low, high) = percentile_interval(&mut replicates, RESAMPLES)?;
    let mut by_chance = outcomes.calibration_errors_by_chance(RESAMPLES, seed);
    by_chance.sort_by(f64::total_cmp);
    let is_by_chance = observed <= quantile(&by_chance, 0.975);
    Some((if is_by_chance { 0.0 } else { (low - 2.0 * more).max(0.0) }, (high - more).min(1.0)))
}

/// How far a share may lie from what it should be, by Wilson's interval of the share.
fn of_distance((low, high): (f64, f64), from: f64) -> (f64, f64) {
    let (below, above) = ((low - from).abs(), (high - from).abs());
    let is_inside = low <= from && from <= high;
    (if is_inside { 0.0 } else { below.min(above) }, below.max(above))
}

/// Intervals of several metrics over the same resamples.
fn bootstrap(
    outcomes: &Outcomes,
    metrics: &[Metric],
    values: &BTreeMap<Metric, f64>,
    seed: u64,
) -> Vec<(Metric, (f64, f64))> {
    let scorers: Vec<(Metric, Scorer<'_>)> =
        metrics.iter().filter_map(|metric| Some((*metric, outcomes.scorer(*metric)?))).collect();
    if scorers.is_empty() || outcomes.len() < 2 {
        return Vec::new();
    }
    let mut replicates = vec![Vec::with_capacity(RESAMPLES); scorers.len()];
    resamples(outcomes.len(), RESAMPLES, seed, |weights| {
        for ((_, scorer), replicates) in scorers.iter().zip(&mut replicates) {
            replicates.extend(scorer(weights));
        }
    });
    let interval = |metric: Metric, mut replicates: Vec<f64>| match (metric, outcomes) {
        (Metric::Ece, Outcomes::Binary(scored)) => of_calibration_error(scored, values[&metric], replicates, seed),
        (Metric::Ece, Outcomes::Multiclass(classes)) => {
            of_calibration_error(&classes.most_probable(), values[&metric], replicates, seed)
        }
        _ => percentile_interval(&mut replicates, RESAMPLES),
    };
    let found = scorers.iter().map(|(metric, _)| *metric).zip(replicates);
    found.filter_map(|(metric, replicates)| Some((metric, interval(metric, replicates)?))).collect()
}
