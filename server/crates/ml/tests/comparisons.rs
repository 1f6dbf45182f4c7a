//! How often the gate between champion and challenger is wrong, over 1,000 simulated comparisons each.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

use millrace_domain::metric::Metric;
use millrace_ml::evaluate::{BinaryOutcomes, Outcomes, compare};
use millrace_ml::gate::{NonInferiority, non_inferiority};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const COMPARISONS: u64 = 1_000;
const ROWS: usize = 300;
/// The margin of the gate: a share of the champion's value.
const MARGIN: f64 = 0.02;
/// Distance of the classes for an area under the ROC curve of 0.8, and of 0.784, which is worse by just the margin:
/// Φ(d / √2) (scipy 1.17.1, `norm.ppf(0.8) * sqrt(2)` and `norm.ppf(0.784) * sqrt(2)`).
const CHAMPION: f64 = 1.190_232;
const AT_THE_MARGIN: f64 = 1.111_236;

fn normal(random: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (random.random_range(f64::MIN_POSITIVE..1.0), random.random_range(0.0..1.0));
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// How often the gate says each of its three words of a challenger whose classes are that far apart. What is hard about a row is
/// mostly hard for both models.
fn said(challenger: f64) -> [u64; 3] {
    let mut counts = [0; 3];
    for seed in 0..COMPARISONS {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
        let rows: Vec<(f64, f64, bool)> = (0..ROWS)
            .map(|row| {
                let is_positive = row % 2 == 0;
                let shift = f64::from(u8::from(is_positive));
                let (shared, own, other) = (normal(&mut random), normal(&mut random), normal(&mut random));
                let noise = |own: f64| 0.8_f64.sqrt() * shared + 0.2_f64.sqrt() * own;
                (logistic(CHAMPION * shift + noise(own)), logistic(challenger * shift + noise(other)), is_positive)
            })
            .collect();
        let outcomes = |score: fn(&(f64, f64, bool)) -> f64| {
            Outcomes::Binary(BinaryOutcomes::new(rows.iter().map(|row| (score(row), row.2))).unwrap())
        };
        let compared = compare(Metric::RocAuc, &outcomes(|row| row.0), &outcomes(|row| row.1), seed).unwrap().unwrap();
        let word = non_inferiority(&compared, MARGIN * compared.champion);
        counts[match word {
            NonInferiority::Shown => 0,
            NonInferiority::Refuted => 1,
            NonInferiority::Open => 2,
        }] += 1;
    }
    counts
}

#[test]
fn a_challenger_that_is_worse_by_the_margin_is_let_through_in_at_most_5_of_100_comparisons() {
    let [shown, refuted, open] = said(AT_THE_MARGIN);
    assert!(shown <= COMPARISONS / 20, "shown {shown}, refuted {refuted}, open {open}");
}

#[test]
fn an_equal_challenger_is_called_worse_in_at_most_5_of_100_comparisons() {
    let [shown, refuted, open] = said(CHAMPION);
    assert!(refuted <= COMPARISONS / 20, "shown {shown}, refuted {refuted}, open {open}");
}
