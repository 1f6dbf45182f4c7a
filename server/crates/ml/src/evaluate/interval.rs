//! 95 % intervals of metrics.

use std::collections::BTreeMap;

use millrace_domain::metric::Metric;

use super::classes::Counts;
use super::outcomes::{BinaryOutcomes, Outcomes};
use super::ranking::Ranking;
use super::resample::{percentile_interval, resamples};
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
    found.extend(bootstrap(outcomes, &open, seed));
    found
}

fn has_closed_form(outcomes: &Outcomes, metric: Metric) -> bool {
    match outcomes {
        Outcomes::Binary(_) => {
            matches!(metric, Metric::RocAuc | Metric::Accuracy | Metric::Precision | Metric::Recall)
        }
        Outcomes::Multiclass(_) => metric == Metric::Accuracy,
        Outcomes::Regression(_) => false,
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
        Outcomes::Regression(_) => None,
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
fn delong(outcomes: &BinaryOutcomes) -> Option<(f64, f64)> {
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

/// Percentile intervals of several metrics over the same resamples.
fn bootstrap(outcomes: &Outcomes, metrics: &[Metric], seed: u64) -> Vec<(Metric, (f64, f64))> {
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
    scorers
        .iter()
        .zip(replicates)
        .filter_map(|((metric, _), replicates)| Some((*metric, percentile_interval(replicates, RESAMPLES)?)))
        .collect()
}
