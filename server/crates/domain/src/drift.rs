//! How far two distributions over the same bins are apart.
//!
//! *p* is a bin's share of the current rows, *q* its share of the reference. Before logarithms are taken, shares are floored at
//! [`FLOOR`], so that an empty bin gives a large distance and not an infinite one; for KL and JS, which are of distributions,
//! they are then scaled to sum 1. All logarithms are natural.
//!
//! | distance | formula | range | source |
//! |---|---|---|---|
//! | KL | Σ p ln(p / q) | 0 to ln(1 / floor) | Kullback and Leibler, 1951 |
//! | JS | ½ Σ p ln(p / m) + ½ Σ q ln(q / m), m = ½ (p + q) | 0 to ln 2 | Lin, 1991 |
//! | PSI | Σ (p − q) ln(p / q) | 0 to 2 ln(1 / floor) | Siddiqi, Credit Risk Scorecards, 2006 |
//! | L∞ | max \|p − q\|, of shares that are not floored | 0 to 1 | as in TensorFlow Data Validation |
//! | KS | greatest difference of the two empirical distribution functions, over values and not bins | 0 to 1 | Smirnov, 1948 |
//!
//! What is missing has a bin of its own, and so have texts that the reference does not name. [`ColumnDrift`] holds bins and
//! counts, so that every number but KS can be computed again from what is stored.

use serde::{Deserialize, Serialize};

use crate::problem::DriftMetric;

/// Smallest share of a bin.
pub const FLOOR: f64 = 1e-4;

/// How values are put into bins. After the bins named here comes, for texts, one for any other text, and always one for missing
/// values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Binning {
    /// Numbers: rising edges, each the lower end of the bin above it.
    Numbers {
        /// The edges.
        edges: Vec<f64>,
    },
    /// Texts and truth values: a bin each.
    Texts {
        /// The texts, sorted.
        values: Vec<String>,
    },
}

impl Binning {
    /// How many bins there are.
    pub const fn bins(&self) -> usize {
        match self {
            Self::Numbers { edges } => edges.len() + 2,
            Self::Texts { values } => values.len() + 2,
        }
    }

    /// The bin of what is missing.
    pub const fn missing(&self) -> usize {
        self.bins() - 1
    }

    /// The bin of a text.
    ///
    /// # Panics
    /// When these are bins of numbers.
    pub fn of_text(&self, text: &str) -> usize {
        let Self::Texts { values } = self else { panic!("a text has no bin among numbers") };
        values.binary_search_by(|value| value.as_str().cmp(text)).unwrap_or(values.len())
    }

    /// The bin of a number, one that is not finite among the missing.
    ///
    /// # Panics
    /// When these are bins of texts.
    pub fn of_number(&self, number: f64) -> usize {
        let Self::Numbers { edges } = self else { panic!("a number has no bin among texts") };
        if number.is_finite() { edges.partition_point(|edge| *edge <= number) } else { self.missing() }
    }

    /// The bin of texts that the reference does not name; none among numbers.
    pub const fn unseen(&self) -> Option<usize> {
        match self {
            Self::Numbers { .. } => None,
            Self::Texts { values } => Some(values.len()),
        }
    }

    /// What people call each bin.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = match self {
            Self::Numbers { edges } => match (edges.first(), edges.last()) {
                (Some(first), Some(last)) => {
                    let between = edges.windows(2).map(|pair| format!("{} to {}", named(pair[0]), named(pair[1])));
                    let (below, from) = (format!("below {}", named(*first)), format!("from {}", named(*last)));
                    std::iter::once(below).chain(between).chain([from]).collect()
                }
                _ => vec!["any number".to_owned()],
            },
            Self::Texts { values } => values.iter().cloned().chain(["any other".to_owned()]).collect(),
        };
        names.push("missing".to_owned());
        names
    }
}

/// An edge as people read it: whole where that is short, else to four digits.
fn named(edge: f64) -> String {
    let whole = edge.to_string();
    if whole.len() <= 8 {
        return whole;
    }
    format!("{edge:.3e}").parse::<f64>().map_or(whole, |rounded| rounded.to_string())
}

/// The distances between two distributions over bins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Distances {
    /// Kullback–Leibler divergence of the current rows from the reference, in nats.
    pub kl: f64,
    /// Jensen–Shannon divergence, in nats.
    pub js: f64,
    /// Population stability index.
    pub psi: f64,
    /// Greatest difference of a bin's share.
    pub l_infinity: f64,
}

/// The two-sample test of Kolmogorov and Smirnov.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KolmogorovSmirnov {
    /// Greatest difference of the two distribution functions, missing values left out.
    pub statistic: f64,
    /// Chance of such a difference or a greater one between two samples of one distribution, in the limit of many rows.
    pub p_value: f64,
}

/// One column of the current rows against the same of a reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ColumnDrift {
    /// The column.
    pub column: String,
    /// The bins, made of the reference.
    pub binning: Binning,
    /// Rows of the reference in each.
    pub reference: Vec<u64>,
    /// Current rows in each.
    pub current: Vec<u64>,
    /// The distances, computed from these counts.
    pub distances: Distances,
    /// The test on the values themselves; for numbers alone.
    pub ks: Option<KolmogorovSmirnov>,
}

impl ColumnDrift {
    /// The distance that a document asks for. Texts have no distribution function; in place of KS they have L∞, which lies on
    /// the same scale.
    pub fn distance(&self, metric: DriftMetric) -> f64 {
        match metric {
            DriftMetric::Kl => self.distances.kl,
            DriftMetric::Js => self.distances.js,
            DriftMetric::Psi => self.distances.psi,
            DriftMetric::Ks => self.ks.map_or(self.distances.l_infinity, |ks| ks.statistic),
        }
    }

    /// The bin that adds most to the PSI, with its shares of reference and current rows.
    pub fn widest(&self) -> Option<(String, f64, f64)> {
        widest(&self.binning, &self.reference, &self.current)
    }
}

/// The bin that adds most to the PSI, with its shares of reference and current rows; none when one side has none.
pub fn widest(binning: &Binning, reference: &[u64], current: &[u64]) -> Option<(String, f64, f64)> {
    let (q, p) = (floored(reference)?, floored(current)?);
    let part = |bin: usize| (p[bin] - q[bin]) * (p[bin] / q[bin]).ln();
    let widest = (0..p.len()).max_by(|a, b| part(*a).total_cmp(&part(*b)))?;
    let share = |counts: &[u64]| counts[widest] as f64 / total(counts) as f64;
    Some((binning.names().swap_remove(widest), share(reference), share(current)))
}

/// The greatest difference of two distribution functions at the edges of bins, missing values left out: KS as far as counts over bins
/// can tell it. None when one side has no values.
pub fn binned_ks(reference: &[u64], current: &[u64]) -> Option<f64> {
    let (_, q) = reference.split_last()?;
    let (_, p) = current.split_last()?;
    let (n, m) = (total(q) as f64, total(p) as f64);
    if n == 0.0 || m == 0.0 {
        return None;
    }
    let (mut before, mut now, mut greatest) = (0, 0, 0.0f64);
    for (q, p) in q.iter().zip(p) {
        (before, now) = (before + q, now + p);
        greatest = greatest.max((before as f64 / n - now as f64 / m).abs());
    }
    Some(greatest)
}

/// The chance that two samples of one distribution differ in their bins as much as these or more: Pearson's test of homogeneity,
/// over bins that hold anything. 1 when there is nothing to compare.
pub fn homogeneity(reference: &[u64], current: &[u64]) -> f64 {
    let (n, m) = (total(reference) as f64, total(current) as f64);
    let filled: Vec<(f64, f64)> =
        reference.iter().zip(current).map(|(q, p)| (*q as f64, *p as f64)).filter(|(q, p)| q + p > 0.0).collect();
    if n == 0.0 || m == 0.0 || filled.len() < 2 {
        return 1.0;
    }
    let (a, b) = ((m / n).sqrt(), (n / m).sqrt());
    let statistic: f64 = filled.iter().map(|(q, p)| (a * q - b * p).powi(2) / (q + p)).sum();
    chi_square_beyond(statistic, (filled.len() - 1) as f64)
}

/// The chance that a chi-square variable of so many degrees of freedom is at least `x`: the upper regularised incomplete gamma
/// function, by its series below the mean and by Lentz's continued fraction above (Press et al., Numerical Recipes, 6.2).
fn chi_square_beyond(x: f64, freedom: f64) -> f64 {
    const STEPS: usize = 10_000;
    let (a, x) = (freedom / 2.0, x / 2.0);
    if x <= 0.0 {
        return 1.0;
    }
    let scale = (a * x.ln() - x - libm::lgamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for step in 1..STEPS {
            term *= x / (a + step as f64);
            sum += term;
            if term < sum * f64::EPSILON {
                break;
            }
        }
        return (1.0 - scale * sum).clamp(0.0, 1.0);
    }
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (1.0 / f64::MIN_POSITIVE, 1.0 / b);
    let mut fraction = d;
    for step in 1..STEPS {
        let step = step as f64;
        let factor = -step * (step - a);
        b += 2.0;
        d = 1.0 / (factor * d + b);
        c = b + factor / c;
        let change = c * d;
        fraction *= change;
        if (change - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    (scale * fraction).clamp(0.0, 1.0)
}

/// Which of several chances are too small to be luck, so that on average at most a share `rate` of those named is (Benjamini and
/// Hochberg, 1995).
pub fn discoveries(chances: &[f64], rate: f64) -> Vec<bool> {
    let mut sorted: Vec<f64> = chances.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let limit = sorted.iter().enumerate().rev().find(|(rank, chance)| **chance <= rate * (*rank + 1) as f64 / count);
    limit
        .map_or_else(|| vec![false; chances.len()], |(_, limit)| chances.iter().map(|chance| chance <= limit).collect())
}

/// Every column that could be compared, and with what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DriftTable {
    /// The dataset that the reference is a version of, where it is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_dataset: Option<String>,
    /// Number of the dataset version that is the reference.
    pub reference_version: i32,
    /// Rows of the reference.
    pub reference_rows: u64,
    /// Current rows.
    pub current_rows: u64,
    /// Smallest share of a bin where logarithms are taken.
    pub floor: f64,
    /// The columns, in the order of the current rows.
    pub columns: Vec<ColumnDrift>,
}

impl DriftTable {
    /// The reference in words: `version 3`, or `version 3 of trips`.
    pub fn reference(&self) -> String {
        let of = self.reference_dataset.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
        format!("version {}{of}", self.reference_version)
    }
}

fn total(counts: &[u64]) -> u64 {
    counts.iter().sum()
}

/// Shares that are not zero; none without rows.
fn floored(counts: &[u64]) -> Option<Vec<f64>> {
    let total = total(counts);
    (total > 0).then(|| counts.iter().map(|count| (*count as f64 / total as f64).max(FLOOR)).collect())
}

fn scaled(shares: &[f64]) -> Vec<f64> {
    let sum: f64 = shares.iter().sum();
    shares.iter().map(|share| share / sum).collect()
}

/// The distances between counts over the same bins; none when one side has no rows.
///
/// # Panics
/// When there are not as many counts on both sides.
pub fn distances(reference: &[u64], current: &[u64]) -> Option<Distances> {
    assert_eq!(reference.len(), current.len(), "both sides are counted in the same bins");
    let (q, p) = (floored(reference)?, floored(current)?);
    let psi = p.iter().zip(&q).map(|(p, q)| (p - q) * (p / q).ln()).sum();
    let (q, p) = (scaled(&q), scaled(&p));
    let divergence = |p: &[f64], q: &[f64]| p.iter().zip(q).map(|(p, q)| p * (p / q).ln()).sum::<f64>();
    let middle: Vec<f64> = p.iter().zip(&q).map(|(p, q)| f64::midpoint(*p, *q)).collect();
    let (rows, before) = (total(current) as f64, total(reference) as f64);
    let apart = reference.iter().zip(current).map(|(q, p)| (*p as f64 / rows - *q as f64 / before).abs());
    Some(Distances {
        kl: divergence(&p, &q).max(0.0),
        js: f64::midpoint(divergence(&p, &middle), divergence(&q, &middle)).max(0.0),
        psi,
        l_infinity: apart.fold(0.0, f64::max),
    })
}

/// The test on two sorted samples; none when one is empty. The order is that of `compare`; equal values count as one step.
pub fn kolmogorov_smirnov<T: Ord>(reference: &[T], current: &[T]) -> Option<KolmogorovSmirnov> {
    if reference.is_empty() || current.is_empty() {
        return None;
    }
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let (mut i, mut j, mut statistic) = (0, 0, 0.0f64);
    while i < reference.len() && j < current.len() {
        let value = (&reference[i]).min(&current[j]);
        let (before, now) = (i, j);
        i += reference[before..].iter().take_while(|other| *other == value).count();
        j += current[now..].iter().take_while(|other| *other == value).count();
        statistic = statistic.max((i as f64 / n - j as f64 / m).abs());
    }
    Some(KolmogorovSmirnov::of(statistic, reference.len(), current.len()))
}

impl KolmogorovSmirnov {
    /// The test of a statistic of samples of so many values.
    pub fn of(statistic: f64, reference: usize, current: usize) -> Self {
        let (n, m) = (reference as f64, current as f64);
        Self { statistic, p_value: beyond((n * m / (n + m)).sqrt() * statistic) }
    }
}

/// The chance that a Kolmogorov variable is at least `x`: 2 Σ (−1)ᵏ⁻¹ exp(−2 k² x²), k from 1 on.
fn beyond(x: f64) -> f64 {
    if x < 0.2 {
        // The series converges slowly here; the chance is 1 to twelve digits.
        return 1.0;
    }
    let term = |k: i32| {
        let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
        sign * (-2.0 * f64::from(k * k) * x * x).exp()
    };
    (1..=40).map(term).sum::<f64>().clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{found} is not {expected}");
    }

    // scipy 1.17.1: entropy(p, q), jensenshannon(p, q)**2, and numpy's sums.
    #[test]
    fn distances_are_those_of_scipy() {
        let found = distances(&[540, 320, 140], &[400, 250, 350]).unwrap();
        close(found.kl, 0.138_944_899_692_937_52);
        close(found.js, 0.030_631_778_308_431_31);
        close(found.psi, 0.251_715_902_091_826_65);
        close(found.l_infinity, 0.21);
    }

    #[test]
    fn equal_shares_are_no_distance_apart() {
        let found = distances(&[10, 20, 0], &[100, 200, 0]).unwrap();
        assert!(found.kl < 1e-15 && found.js < 1e-15 && found.psi < 1e-15 && found.l_infinity == 0.0, "{found:?}");
    }

    #[test]
    fn an_empty_bin_gives_a_large_distance_and_not_an_infinite_one() {
        let found = distances(&[1_000, 0], &[500, 500]).unwrap();
        assert!(found.kl.is_finite() && found.kl > 3.0, "{found:?}");
    }

    #[test]
    fn nothing_is_told_without_rows() {
        assert_eq!((distances(&[0, 0], &[1, 2]), distances(&[1, 2], &[0, 0])), (None, None));
    }

    #[test]
    fn bins_of_numbers_are_named_by_their_edges() {
        let bins = Binning::Numbers { edges: vec![1.0, 2.0] };
        assert_eq!(bins.names(), ["below 1", "1 to 2", "from 2", "missing"]);
        let long = Binning::Numbers { edges: vec![0.023_514_303_471, 18.200_000_000_07] };
        assert_eq!(long.names(), ["below 0.02351", "0.02351 to 18.2", "from 18.2", "missing"]);
    }

    #[test]
    fn a_text_that_the_reference_does_not_name_has_a_bin_of_its_own() {
        let bins = Binning::Texts { values: vec!["a".to_owned(), "c".to_owned()] };
        assert_eq!(["a", "b", "c", "d"].map(|text| bins.of_text(text)), [0, 2, 1, 2]);
        assert_eq!((bins.missing(), bins.bins()), (3, 4));
    }

    // scipy 1.17.1: ks_2samp(range(0, 20), range(5, 25)).statistic; the chance by kstwobign.sf(sqrt(10) * 0.25).
    #[test]
    fn samples_that_are_shifted_differ_by_the_shift() {
        let (reference, current): (Vec<i32>, Vec<i32>) = ((0..20).collect(), (5..25).collect());
        let found = kolmogorov_smirnov(&reference, &current).unwrap();
        close(found.statistic, 0.25);
        close(found.p_value, 0.559_559_710_195_263_6);
    }

    // scipy 1.17.1: chi2_contingency([[400, 250, 350], [54, 32, 14]], correction=False).pvalue and
    // chi2_contingency([[40, 25, 35, 0], [12, 9, 8, 1]], correction=False).pvalue.
    #[test]
    fn the_test_of_homogeneity_is_that_of_scipy() {
        close(homogeneity(&[400, 250, 350], &[54, 32, 14]), 0.00011334469973139158);
        close(homogeneity(&[40, 25, 35, 0, 0], &[12, 9, 8, 1, 0]), 0.25734548400545715);
        assert_eq!((homogeneity(&[5, 0], &[7, 0]), homogeneity(&[0, 0], &[7, 1])), (1.0, 1.0));
    }

    // scipy 1.17.1: chi2.sf(x, freedom).
    #[test]
    fn the_chi_square_distribution_is_that_of_scipy() {
        for (x, freedom, expected) in [
            (0.5, 1.0, 0.47950012218695337),
            (3.84, 1.0, 0.05004352124870519),
            (10.0, 9.0, 0.3504852123233613),
            (30.0, 9.0, 0.00043872177097947936),
            (9.0, 10.0, 0.5321035763747151),
            (300.0, 256.0, 0.03058993509924451),
            (900.0, 256.0, 1.5488465782809502e-72),
            (200.0, 256.0, 0.9960053797059645),
        ] {
            let found = chi_square_beyond(x, freedom);
            assert!((found / expected - 1.0).abs() < 1e-10, "{x}, {freedom}: {found} is not {expected}");
        }
    }

    // statsmodels 0.14: multipletests([0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205], 0.05, "fdr_bh")[0].
    #[test]
    fn chances_that_may_be_luck_are_no_discoveries() {
        let found = discoveries(&[0.205, 0.001, 0.041, 0.008, 0.039, 0.042, 0.06, 0.074], 0.05);
        assert_eq!(found, [false, true, false, true, false, false, false, false]);
    }

    #[test]
    fn a_number_lies_in_the_bin_that_begins_with_it() {
        let bins = Binning::Numbers { edges: vec![1.0, 2.0] };
        assert_eq!([0.5, 1.0, 1.5, 2.0, f64::NAN].map(|number| bins.of_number(number)), [0, 1, 1, 2, 3]);
    }

    #[test]
    fn distribution_functions_over_bins_leave_missing_values_out() {
        assert_eq!(binned_ks(&[50, 50, 0], &[25, 75, 900]), Some(0.25));
        assert_eq!(binned_ks(&[50, 50, 0], &[0, 0, 9]), None);
    }

    #[test]
    fn ties_are_one_step() {
        let found = kolmogorov_smirnov(&[1, 1, 1, 2], &[1, 2, 2, 2]).unwrap();
        assert_eq!(found.statistic, 0.5);
    }
}
