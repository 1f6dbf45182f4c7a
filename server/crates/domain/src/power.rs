//! What a test part of a given size can show.
//!
//! Before somebody signs that a model must reach a limit, they should know whether the held-out rows can tell reaching it
//! from luck. The *detectable difference* is the smallest true difference that a two-sided test at 5 % finds with a power of
//! 80 %: (z₀.₉₇₅ + z₀.₈) · SE, with SE the standard error of the metric at the limit. Two models measured on the same rows
//! are compared as if they were independent (SE · √2), which errs on the careful side.
//!
//! Standard errors: ROC AUC after Hanley and McNeil (Radiology 143, 1982); accuracy, recall and balanced accuracy as
//! binomial shares. Other metrics have no closed form here; their intervals are on the run's page.

use crate::metric::{Bound, Metric};

/// The quantile of the standard normal distribution at 0.975: half the width of a 95 % interval, in standard errors.
pub const Z_95: f64 = 1.959_963_984_540_054;
/// Quantiles of the standard normal distribution at 0.975 and 0.8.
const Z: f64 = Z_95 + 0.841_621_233_572_914;

/// How many rows there are to measure on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeldOut {
    /// Rows of the test part.
    pub rows: u64,
    /// Share of the rarer class, if it is known; one half is assumed where it is not.
    pub rarer: Option<f64>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Power {
    /// Smallest difference between two models that can be told from noise.
    pub between_models: f64,
    /// Smallest difference between a model and a fixed value that can be told from noise.
    pub from_a_value: f64,
}

/// What the held-out rows can show of a metric near `limit`; none for metrics without a closed form, and for too few rows.
pub fn detectable(metric: Metric, limit: f64, held_out: HeldOut) -> Option<Power> {
    let rows = held_out.rows as f64;
    let rarer = held_out.rarer.unwrap_or(0.5);
    let (few, many) = (rows * rarer, rows * (1.0 - rarer));
    let share = |count: f64| (count >= 1.0).then(|| (limit * (1.0 - limit) / count).sqrt());
    let error = match metric {
        _ if !(0.0..=1.0).contains(&limit) => None,
        Metric::RocAuc => auc_error(limit, few, many),
        Metric::Accuracy => share(rows),
        Metric::Recall => share(few),
        Metric::BalancedAccuracy => Some(share(few)?.hypot(share(many)?) / 2.0),
        _ => None,
    }?;
    Some(Power { between_models: Z * error * std::f64::consts::SQRT_2, from_a_value: Z * error })
}

/// The expectation of the largest of so many independent standard normals: by how many standard errors the best of so many equally
/// good models looks better than it is. Models measured on the same rows err alike, so that less than this is to be expected.
pub fn best_of_equals(count: u64) -> f64 {
    const STEP: f64 = 0.01;
    const END: f64 = 9.0;
    if count < 2 {
        return 0.0;
    }
    let density = |at: f64| (-at * at / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let (mut below, mut sum) = (0.0_f64, 0.0);
    for place in 0..(2.0 * END / STEP) as u32 {
        // The middle of a step, and the share below it.
        let at = -END + (f64::from(place) + 0.5) * STEP;
        let share = below + density(at) * STEP / 2.0;
        sum += at * count as f64 * density(at) * share.powf(count as f64 - 1.0) * STEP;
        below += density(at) * STEP;
    }
    sum
}

/// Standard error of the area under the ROC curve.
fn auc_error(area: f64, positives: f64, negatives: f64) -> Option<f64> {
    if positives < 1.0 || negatives < 1.0 {
        return None;
    }
    let (q1, q2) = (area / (2.0 - area), 2.0 * area * area / (1.0 + area));
    let squares = area * area;
    let variance = area * (1.0 - area) + (positives - 1.0) * (q1 - squares) + (negatives - 1.0) * (q2 - squares);
    Some((variance / (positives * negatives)).sqrt())
}

/// The value of the metric for a model that knows nothing, where it does not depend on the data.
pub const fn floor(metric: Metric) -> Option<f64> {
    match metric {
        Metric::RocAuc | Metric::BalancedAccuracy => Some(0.5),
        _ => None,
    }
}

/// The power check of a document: in words, and whether signing it takes a reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What can be shown, for whoever signs.
    pub statement: String,
    /// What the document wants to see and the rows cannot show.
    pub unproven: Option<String>,
}

/// Judges a success goal against the rows there are, or are expected.
pub fn check(metric: Metric, bound: Bound, smallest: Option<f64>, held_out: Option<HeldOut>) -> Check {
    let name = metric.title();
    let silent = |statement: String| Check { statement, unproven: None };
    let Some(held_out) = held_out else {
        return silent(
            "There is no data yet, so nothing can be said about noise. Load data, or state data.expected_rows."
                .to_owned(),
        );
    };
    let rows = held_out.rows;
    let Some(power) = detectable(metric, bound.limit(), held_out) else {
        return silent(format!(
            "The test part has {rows} rows. The noise of {name} shows in the interval on each run's page."
        ));
    };
    let classes = if held_out.rarer.is_none() && metric != Metric::Accuracy {
        ", if both classes are equally frequent"
    } else {
        ""
    };
    let statement = format!(
        "With {rows} held-out rows{classes}, a difference of {name} between two models below {:.3} cannot be told from noise \
         (two-sided test at 5 %, power 80 %).",
        power.between_models
    );
    let unproven = match (smallest, floor(metric)) {
        (Some(smallest), _) if smallest < power.between_models => Some(format!(
            "a difference of {smallest} in {name} matters, but {rows} held-out rows show only {:.3}",
            power.between_models
        )),
        (None, Some(floor)) if (bound.limit() - floor).abs() < power.from_a_value => {
            Some(format!("{rows} held-out rows cannot tell {name} {} from guessing ({floor})", bound.limit()))
        }
        _ => None,
    };
    Check { statement, unproven }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: u64) -> Option<HeldOut> {
        Some(HeldOut { rows, rarer: None })
    }

    /// Hanley and McNeil 1982, table I: area 0.7, 50 normal and 50 abnormal cases: standard error 0.0521; 100 and 100: 0.0367.
    #[test]
    fn the_error_of_an_auc_is_the_published_one() {
        assert!((auc_error(0.7, 50.0, 50.0).unwrap() - 0.0521).abs() < 5e-4);
        assert!((auc_error(0.7, 100.0, 100.0).unwrap() - 0.0367).abs() < 5e-4);
    }

    /// Order statistics of normal samples: Harter, Biometrika 48 (1961), table 1.
    #[test]
    fn the_best_of_equals_is_the_published_expectation() {
        for (count, expected) in [(1, 0.0), (2, 0.564_19), (5, 1.162_96), (10, 1.538_75), (100, 2.507_59)] {
            let found = best_of_equals(count);
            assert!((found - expected).abs() < 1e-4, "{found} for {count}");
        }
    }

    #[test]
    fn an_accuracy_is_a_binomial_share() {
        let power = detectable(Metric::Accuracy, 0.9, HeldOut { rows: 900, rarer: Some(0.1) }).unwrap();
        assert!((power.from_a_value - Z * 0.01).abs() < 1e-12);
    }

    #[test]
    fn four_times_the_rows_show_half_the_difference() {
        let ratio = detectable(Metric::Accuracy, 0.8, of(400).unwrap()).unwrap().between_models
            / detectable(Metric::Accuracy, 0.8, of(1_600).unwrap()).unwrap().between_models;
        assert!((ratio - 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_difference_that_matters_and_cannot_be_shown_takes_a_waiver() {
        let check = check(Metric::RocAuc, Bound::AtLeast(0.7), Some(0.01), of(500));
        assert!(check.unproven.is_some_and(|reason| reason.contains("0.01")));
        assert_eq!(super::check(Metric::RocAuc, Bound::AtLeast(0.7), Some(0.2), of(500)).unproven, None);
    }

    #[test]
    fn a_limit_that_cannot_be_told_from_guessing_takes_a_waiver() {
        assert!(check(Metric::RocAuc, Bound::AtLeast(0.55), None, of(60)).unproven.is_some());
        assert_eq!(check(Metric::RocAuc, Bound::AtLeast(0.75), None, of(3_000)).unproven, None);
    }

    #[test]
    fn without_data_nothing_is_claimed() {
        let check = check(Metric::RocAuc, Bound::AtLeast(0.7), Some(0.01), None);
        assert!(check.unproven.is_none() && check.statement.contains("no data yet"));
    }

    #[test]
    fn no_rows_show_nothing() {
        assert_eq!(detectable(Metric::RocAuc, 0.7, of(1).unwrap()), None);
        assert_eq!(detectable(Metric::Rmse, 0.7, of(1_000).unwrap()), None);
    }
}
