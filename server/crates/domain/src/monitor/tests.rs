use super::*;
use crate::metric::Metric;
use crate::problem::{Drift, NoData, Span};

fn numbers(name: &str, counts: [u64; 4], importance: f64) -> Column {
    let binning = Binning::Numbers { edges: vec![1.0, 2.0] };
    Column { name: name.to_owned(), binning, counts: counts.to_vec(), importance }
}

fn reference() -> Reference {
    let values = vec!["a".to_owned(), "b".to_owned()];
    let texts = Column {
        name: "t".to_owned(),
        binning: Binning::Texts { values },
        counts: vec![500, 500, 0, 0],
        importance: 0.25,
    };
    let scores = Binning::Numbers { edges: vec![0.25, 0.5_f64.next_up(), 0.75] };
    Reference {
        features: vec![numbers("x", [400, 300, 300, 0], 0.75), texts],
        prediction: Column {
            name: "score".to_owned(),
            binning: scores,
            counts: vec![250, 250, 250, 250, 0],
            importance: 0.0,
        },
        positives: vec![Some(0.1), Some(0.4), Some(0.6), Some(0.9)],
        threshold: 0.5,
    }
}

fn rule(threshold: f64, min_rows: u64) -> Monitoring {
    let drift = Drift { metric: DriftMetric::Psi, threshold, windows: 2, keep_firing: None };
    Monitoring {
        window: Span::of_seconds(3_600),
        drift,
        freshness: None,
        min_rows,
        no_data: NoData::Show,
        estimated_loss: None,
    }
}

/// Counts as a server would: so many answers with these bins.
fn counted(answers: &[(u64, [u16; 3])]) -> Vec<u64> {
    let reference = reference();
    let mut counts = vec![0; reference.width()];
    for (times, bins) in answers {
        (0..*times).for_each(|_| reference.count(&mut counts, bins, 900));
    }
    counts
}

#[test]
fn a_feature_that_moved_is_named_and_one_that_did_not_is_not() {
    let counts = counted(&[(100, [2, 0, 0]), (100, [2, 1, 1]), (100, [1, 0, 2]), (100, [2, 1, 3])]);
    let found = judge(&reference(), &counts, &rule(0.1, 200)).unwrap();
    let drifted: Vec<&str> = found.drifted().iter().map(|column| column.name.as_str()).collect();
    assert_eq!((found.n, found.verdict, drifted), (400, Verdict::Drifted, vec!["x"]));
}

#[test]
fn eight_rows_against_many_raise_no_alarm_and_it_is_said_why() {
    let found = judge(&reference(), &counted(&[(8, [2, 1, 3])]), &rule(0.1, 200)).unwrap();
    assert_eq!(found.verdict, Verdict::TooFew);
    assert!(found.columns.iter().all(|column| column.verdict == Verdict::TooFew && column.distances.psi > 0.1));
}

#[test]
fn a_number_that_is_missing_has_moved_by_every_measure() {
    let drift = Drift { metric: DriftMetric::Ks, threshold: 0.2, windows: 2, keep_firing: None };
    let by_ks = Monitoring { drift, ..rule(0.2, 200) };
    for (missing, expected) in [(400, 1.0), (200, 0.5)] {
        let counts = counted(&[
            (missing, [3, 0, 0]),
            ((400 - missing) * 2 / 5, [0, 1, 1]),
            ((400 - missing) * 3 / 5, [1, 0, 2]),
        ]);
        let found = judge(&reference(), &counts, &by_ks).unwrap();
        assert!(found.columns[0].ks >= expected, "{found:?}");
        assert_eq!(found.columns[0].verdict, Verdict::Drifted);
    }
}

#[test]
fn a_distance_that_may_be_luck_is_no_drift() {
    // 24 of 40 in place of 20: PSI 0.04, and one time in five by luck.
    let counts = counted(&[(16, [0, 0, 0]), (12, [1, 0, 1]), (12, [2, 1, 2]), (4, [0, 1, 3])]);
    let found = judge(&reference(), &counts, &rule(0.01, 10)).unwrap();
    assert_eq!(found.columns[1].verdict, Verdict::Stable);
    assert!(found.columns[1].distance > 0.01, "{found:?}");
}

#[test]
fn texts_that_are_new_and_values_that_are_missing_have_their_shares() {
    let found = judge(&reference(), &counted(&[(3, [3, 0, 0]), (1, [0, 2, 0])]), &rule(0.1, 1)).unwrap();
    assert_eq!((found.columns[0].missing, found.columns[0].unseen), (0.75, None));
    assert_eq!((found.columns[1].missing, found.columns[1].unseen), (0.0, Some(0.25)));
}

#[test]
fn a_window_without_requests_has_no_columns_and_no_verdict_on_them() {
    let found = judge(&reference(), &counted(&[]), &rule(0.1, 1)).unwrap();
    assert_eq!((found.n, found.verdict, found.columns.len(), found.latency), (0, Verdict::NoData, 0, None));
}

#[test]
fn counts_of_another_reference_are_refused() {
    assert_eq!(judge(&reference(), &[0; 7], &rule(0.1, 1)), None);
}

#[test]
fn durations_and_failures_are_counted_beside_columns() {
    let reference = reference();
    let mut counts = vec![0; reference.width()];
    (0..98).for_each(|_| reference.count(&mut counts, &[0, 0, 0], 1_000));
    (0..2).for_each(|_| reference.count(&mut counts, &[0, 0, 0], u64::MAX));
    reference.count_failure(&mut counts);
    let found = judge(&reference, &counts, &rule(0.1, 1)).unwrap();
    let latency = found.latency.unwrap();
    assert_eq!((found.n, found.failed), (100, 1));
    assert!((1.0..1.2).contains(&latency.p50) && latency.p99 > 30_000.0, "{latency:?}");
}

// scikit-learn 1.9.1: roc_auc_score and accuracy_score over 4,000 rows made of these bins, each bin's rows positive by its share.
#[test]
fn quality_is_estimated_from_how_often_bins_were_right() {
    let even = counted(&[(25, [0, 0, 0]), (25, [0, 0, 1]), (25, [0, 0, 2]), (25, [0, 0, 3])]);
    let found = judge(&reference(), &even, &rule(0.1, 1)).unwrap().estimate.unwrap();
    assert!((found.roc_auc - 0.825).abs() < 1e-12 && (found.accuracy - 0.75).abs() < 1e-12, "{found:?}");
    let unsure = counted(&[(50, [0, 0, 1]), (50, [0, 0, 2])]);
    let found = judge(&reference(), &unsure, &rule(0.1, 1)).unwrap().estimate.unwrap();
    assert!((found.roc_auc - 0.6).abs() < 1e-12 && (found.accuracy - 0.6).abs() < 1e-12, "{found:?}");
    let both = estimates(&reference(), Metric::RocAuc, Some(found)).unwrap();
    assert!((both.0 - 0.825).abs() < 1e-12 && (both.1 - 0.6).abs() < 1e-12, "{both:?}");
    assert_eq!(estimates(&reference(), Metric::LogLoss, Some(found)), None);
}

#[test]
fn windows_are_whole_grains() {
    assert_eq!([1, 7, 60, 90, 3_600, 86_400, 61].map(grain), [1, 7, 60, 45, 60, 60, 1]);
}
