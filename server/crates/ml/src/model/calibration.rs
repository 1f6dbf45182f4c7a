//! Calibration: from the scores of a binary model to probabilities, and of a quantile to where it should lie, fitted on rows that the model
//! was not fitted on.
//!
//! Both ways of scores keep the order of scores (isotonic makes ties). *Platt's* is a logistic curve over the log-odds of the score, with
//! his targets that keep off 0 and 1 (Platt 1999, "Probabilistic Outputs for Support Vector Machines", section 2.2). *Isotonic* is
//! the best rising curve by squared error (Zadrozny and Elkan 2002), found by pooling neighbours that are out of order, and straight
//! between its points. A *quantile* is moved by the shift below which the share that is asked for of the errors of n rows lies, the
//! ⌈share · (n + 1)⌉-th smallest: of new rows that are like them, that share and at most one in n + 1 more lies below (split conformal
//! prediction; Vovk 2005, Romano, Patterson and Candès 2019).

use millrace_domain::metric::TargetKind;
use millrace_domain::trainer::CalibrationMethod;
use serde::{Deserialize, Serialize};

/// Scores are kept so far off 0 and 1 before their odds are taken.
pub(super) const LEAST: f64 = 1e-15;
/// Newton's steps; the likelihood is concave, and a handful is enough.
const MOST_STEPS: usize = 100;

/// A fitted calibration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Calibration {
    /// `1 / (1 + exp(−(slope · log-odds of the score + intercept)))`.
    Platt {
        /// Factor of the log-odds.
        slope: f64,
        /// What is added.
        intercept: f64,
    },
    /// Straight between points, level beyond the first and the last.
    Isotonic {
        /// Scores, rising.
        scores: Vec<f64>,
        /// The probability at each, never falling.
        probabilities: Vec<f64>,
    },
    /// The answer and as much more.
    Conformal {
        /// What is added, in the target's unit.
        shift: f64,
    },
}

impl Calibration {
    /// The shift of a quantile by the errors of rows, actual less predicted; none where there are too few to say.
    pub(crate) fn shift(quantile: f64, mut errors: Vec<f64>) -> Option<Self> {
        errors.sort_by(f64::total_cmp);
        // 0.55 · 100 is a hair above 55 in floating point, and the 55th it is.
        let place = (quantile * (errors.len() + 1) as f64 - 1e-9).ceil() as usize;
        Some(Self::Conformal { shift: *errors.get(place.checked_sub(1)?)? })
    }

    /// Fits one to pairs of score and outcome; none without both outcomes, or when the curve would fall.
    pub(crate) fn fit(method: CalibrationMethod, pairs: &[(f64, bool)]) -> Option<Self> {
        let positives = pairs.iter().filter(|(_, outcome)| *outcome).count();
        if positives == 0 || positives == pairs.len() {
            return None;
        }
        match method {
            CalibrationMethod::None | CalibrationMethod::Conformal => None,
            CalibrationMethod::Platt => platt(pairs, positives as f64),
            CalibrationMethod::Isotonic => Some(isotonic(pairs)),
        }
    }

    /// The probability of a score, or a moved quantile.
    pub fn apply(&self, score: f64) -> f64 {
        match self {
            Self::Conformal { shift } => score + shift,
            Self::Platt { slope, intercept } => super::logistic(slope * log_odds(score) + intercept),
            Self::Isotonic { scores, probabilities } => {
                let above = scores.partition_point(|known| *known < score);
                match (above.checked_sub(1), scores.get(above)) {
                    (None, _) => probabilities[0],
                    (Some(below), None) => probabilities[below],
                    (Some(below), Some(end)) => {
                        let way = (score - scores[below]) / (end - scores[below]);
                        probabilities[below] + way * (probabilities[above] - probabilities[below])
                    }
                }
            }
        }
    }

    /// How it was fitted.
    pub(crate) const fn method(&self) -> CalibrationMethod {
        match self {
            Self::Platt { .. } => CalibrationMethod::Platt,
            Self::Isotonic { .. } => CalibrationMethod::Isotonic,
            Self::Conformal { .. } => CalibrationMethod::Conformal,
        }
    }

    /// What kind of target it is for.
    pub(super) const fn kind(&self) -> TargetKind {
        match self {
            Self::Platt { .. } | Self::Isotonic { .. } => TargetKind::Binary,
            Self::Conformal { .. } => TargetKind::Regression,
        }
    }

    /// Whether it gives a probability for every score, or a number for every quantile.
    pub(super) fn is_sound(&self) -> bool {
        match self {
            Self::Conformal { shift } => shift.is_finite(),
            Self::Platt { slope, intercept } => slope.is_finite() && *slope > 0.0 && intercept.is_finite(),
            Self::Isotonic { scores, probabilities } => {
                !scores.is_empty()
                    && scores.len() == probabilities.len()
                    && scores.windows(2).all(|pair| pair[0] < pair[1])
                    && probabilities.windows(2).all(|pair| pair[0] <= pair[1])
                    && scores.iter().chain(probabilities).all(|number| (0.0..=1.0).contains(number))
            }
        }
    }
}

fn log_odds(score: f64) -> f64 {
    let score = score.clamp(LEAST, 1.0 - LEAST);
    (score / (1.0 - score)).ln()
}

/// Newton's method on the likelihood of Platt's targets, from the curve that leaves scores as they are; a step that does not help
/// is halved.
fn platt(pairs: &[(f64, bool)], positives: f64) -> Option<Calibration> {
    let negatives = pairs.len() as f64 - positives;
    let (high, low) = ((positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0));
    let rows: Vec<(f64, f64)> =
        pairs.iter().map(|(score, outcome)| (log_odds(*score), if *outcome { high } else { low })).collect();
    // Scores that are all alike have no slope.
    if rows.iter().all(|(odds, _)| *odds == rows[0].0) {
        return None;
    }
    // −target · z + ln(1 + e^z), without overflow.
    let loss = |slope: f64, intercept: f64| -> f64 {
        let of = |(odds, target): &(f64, f64)| {
            let z = slope * odds + intercept;
            z.max(0.0) - target * z + (-z.abs()).exp().ln_1p()
        };
        rows.iter().map(of).sum()
    };
    let (mut slope, mut intercept) = (1.0, 0.0);
    let mut least = loss(slope, intercept);
    for _ in 0..MOST_STEPS {
        let (mut g, mut h) = ([0.0; 2], [1e-12, 0.0, 1e-12]);
        for (odds, target) in &rows {
            let p = super::logistic(slope * odds + intercept);
            let (error, curve) = (p - target, p * (1.0 - p));
            g[0] += error * odds;
            g[1] += error;
            h[0] += curve * odds * odds;
            h[1] += curve * odds;
            h[2] += curve;
        }
        let determinant = h[0] * h[2] - h[1] * h[1];
        let step = [(h[2] * g[0] - h[1] * g[1]) / determinant, (h[0] * g[1] - h[1] * g[0]) / determinant];
        let mut share = 1.0;
        let better = loop {
            let (a, b) = (slope - share * step[0], intercept - share * step[1]);
            let found = loss(a, b);
            if found < least {
                break Some((a, b, found));
            }
            share /= 2.0;
            if share < 1e-10 {
                break None;
            }
        };
        let Some((a, b, found)) = better else { break };
        let gained = least - found;
        (slope, intercept, least) = (a, b, found);
        if gained <= 1e-14 * least.abs() {
            break;
        }
    }
    Some(Calibration::Platt { slope, intercept }).filter(Calibration::is_sound)
}

/// Pools neighbours that are out of order, as often as there are any; rows of one score are one point.
fn isotonic(pairs: &[(f64, bool)]) -> Calibration {
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    /// Rows that have one probability: the first and last score, positives, rows.
    struct Pool(f64, f64, f64, f64);
    let mut pools: Vec<Pool> = Vec::new();
    let mut at = 0;
    while at < sorted.len() {
        let score = sorted[at].0;
        let alike = sorted[at..].iter().take_while(|pair| pair.0 == score).count();
        let positives = sorted[at..at + alike].iter().filter(|pair| pair.1).count();
        at += alike;
        let mut pool = Pool(score, score, positives as f64, alike as f64);
        while let Some(before) = pools.pop_if(|before| before.2 * pool.3 >= pool.2 * before.3) {
            pool = Pool(before.0, pool.1, before.2 + pool.2, before.3 + pool.3);
        }
        pools.push(pool);
    }
    let (mut scores, mut probabilities) = (Vec::new(), Vec::new());
    for Pool(first, last, positives, rows) in pools {
        scores.push(first);
        probabilities.push(positives / rows);
        if last > first {
            scores.push(last);
            probabilities.push(positives / rows);
        }
    }
    Calibration::Isotonic { scores, probabilities }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Forty scores that are surer than they may be.
    fn pairs() -> Vec<(f64, bool)> {
        (0..40_u32)
            .map(|row| {
                let score = (f64::from(row * 37 % 40) + 0.5) / 40.0;
                (score, f64::from((row * row * 7 + row * 3) % 41) / 41.0 < 0.15 + 0.6 * score)
            })
            .collect()
    }

    /// scikit-learn 1.9.1, `_sigmoid_calibration` on the log-odds, whose a and b are the negatives, and brought to a gradient of
    /// 1e-12 by SciPy's BFGS: by itself it stops at 1e-7.
    #[test]
    fn platts_curve_agrees_with_scikit_learn() {
        let Some(Calibration::Platt { slope, intercept }) = Calibration::fit(CalibrationMethod::Platt, &pairs()) else {
            panic!("it has both outcomes")
        };
        assert!((slope - PLATT.0).abs() < 1e-7 && (intercept - PLATT.1).abs() < 1e-7, "{slope} {intercept}");
    }

    #[test]
    fn a_quantile_is_moved_to_the_error_of_its_place() {
        let shift = |quantile: f64, errors: usize| {
            Calibration::shift(quantile, (1..=errors).map(|error| error as f64).collect())
        };
        let at = |place: f64| Some(Calibration::Conformal { shift: place });
        assert_eq!((shift(0.5, 99), shift(0.9, 20)), (at(50.0), at(19.0)));
        // In floating point 0.55 · 100 is above 55, 0.56 · 25 above 14, and 0.07 · 100 above 7.
        assert_eq!((shift(0.55, 99), shift(0.56, 24), shift(0.07, 99)), (at(55.0), at(14.0), at(7.0)));
        assert_eq!(shift(0.9, 5), None);
    }

    /// scikit-learn 1.9.1, `IsotonicRegression(out_of_bounds="clip")`.
    #[test]
    fn the_rising_curve_agrees_with_scikit_learn() {
        let curve = Calibration::fit(CalibrationMethod::Isotonic, &pairs()).unwrap();
        assert!(curve.is_sound());
        for (score, expected) in ISOTONIC {
            assert!((curve.apply(score) - expected).abs() < 1e-12, "{score}: {} is not {expected}", curve.apply(score));
        }
    }

    #[test]
    fn outcomes_or_scores_of_one_kind_calibrate_nothing() {
        assert_eq!(Calibration::fit(CalibrationMethod::Platt, &[(0.3, true), (0.3, false)]), None);
        assert_eq!(Calibration::fit(CalibrationMethod::Platt, &[(0.1, true), (0.9, true)]), None);
    }

    const PLATT: (f64, f64) = (0.305_027_642, -0.653_079_143);
    const ISOTONIC: [(f64, f64); 9] = [
        (0.0, 0.125),
        (0.01, 0.125),
        (0.2, 0.177_884_615_384_615_45),
        (0.3337, 0.230_769_230_769_230_78),
        (0.5, 0.230_769_230_769_230_78),
        (0.61, 0.428_571_428_571_428_55),
        (0.75, 0.428_571_428_571_428_55),
        (0.9, 0.5),
        (1.0, 1.0),
    ];
}
