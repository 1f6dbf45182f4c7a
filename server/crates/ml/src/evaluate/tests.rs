//! Reference values: scikit-learn 1.9.1 and numpy 2.4.6 on the vectors below. Both sides are double sums of at most 40
//! terms of order one, so they agree to a few units of 1e-16; 1e-12 leaves room for another order of summation.

use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const TOLERANCE: f64 = 1e-12;

const LABELS: [u8; 40] = [
    1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    0, 1,
];
const SCORES: [f64; 40] = [
    0.16, 0.57, 0.31, 0.69, 0.66, 0.58, 0.0, 0.24, 0.36, 0.4, 0.0, 0.51, 0.38, 0.17, 0.64, 0.42, 0.37, 0.85, 0.23,
    0.35, 0.65, 0.39, 0.07, 0.39, 0.96, 0.0, 0.84, 0.4, 0.21, 1.0, 0.82, 0.33, 0.64, 0.77, 0.58, 0.8, 0.61, 0.79, 0.73,
    0.46,
];
const CLASSES: [u32; 30] = [1, 1, 1, 2, 2, 0, 1, 1, 1, 0, 0, 1, 2, 0, 1, 2, 2, 0, 0, 2, 0, 0, 1, 2, 0, 1, 1, 0, 2, 2];
#[rustfmt::skip]
const PROBABILITIES: [[f64; 3]; 30] = [
    [0.3924, 0.4714, 0.1362], [0.0467, 0.9142, 0.0391], [0.1163, 0.7441, 0.1396], [0.1852, 0.0741, 0.7407],
    [0.0627, 0.3137, 0.6236], [0.5489, 0.3305, 0.1206], [0.3598, 0.415, 0.2252], [0.0533, 0.9108, 0.0359],
    [0.0437, 0.8201, 0.1362], [0.2838, 0.6846, 0.0316], [0.3831, 0.2644, 0.3525], [0.1508, 0.4861, 0.3631],
    [0.3294, 0.0697, 0.6009], [0.6765, 0.0685, 0.255], [0.0408, 0.8428, 0.1164], [0.2379, 0.1205, 0.6416],
    [0.0259, 0.0617, 0.9124], [0.1362, 0.8037, 0.0601], [0.7307, 0.0443, 0.225], [0.0882, 0.0166, 0.8952],
    [0.8922, 0.0595, 0.0483], [0.4559, 0.0608, 0.4833], [0.1388, 0.7532, 0.108], [0.0429, 0.0223, 0.9348],
    [0.4388, 0.405, 0.1562], [0.1441, 0.6911, 0.1648], [0.2501, 0.5661, 0.1838], [0.1285, 0.0685, 0.803],
    [0.0928, 0.0632, 0.844], [0.5824, 0.0333, 0.3843],
];
const ACTUAL: [f64; 25] = [
    7.47, 2.96, 12.94, 9.91, 10.29, 6.99, 11.82, 7.84, 9.43, 5.57, 5.14, 15.34, 7.97, 11.17, 9.86, 8.24, 7.97, 12.52,
    8.79, 9.39, 10.09, 14.71, 12.72, 11.53, 7.75,
];
const PREDICTED: [f64; 25] = [
    5.7, 4.68, 14.69, 10.0, 11.4, 8.46, 13.37, 9.52, 9.05, 8.14, 3.57, 16.93, 9.01, 12.78, 12.98, 10.77, 6.55, 10.29,
    10.32, 8.17, 10.37, 16.27, 10.55, 8.67, 8.44,
];

fn two() -> Outcomes {
    binary(&SCORES, &LABELS)
}

fn binary(scores: &[f64], labels: &[u8]) -> Outcomes {
    let pairs = scores.iter().copied().zip(labels.iter().map(|label| *label == 1));
    Outcomes::Binary(BinaryOutcomes::new(pairs).unwrap())
}

fn three() -> Outcomes {
    Outcomes::Multiclass(ClassOutcomes::new(3, PROBABILITIES.into_iter().zip(CLASSES)).unwrap())
}

fn numbers() -> Outcomes {
    Outcomes::Regression(NumberOutcomes::new(PREDICTED.into_iter().zip(ACTUAL)).unwrap())
}

#[track_caller]
fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() <= TOLERANCE, "{found} is not {expected}");
}

#[track_caller]
fn check(outcomes: &Outcomes, expected: &[(Metric, f64)]) {
    for (metric, expected) in expected {
        close(outcomes.metric(*metric).unwrap(), *expected);
    }
    assert_eq!(evaluate(Part::Test, outcomes, 1).metrics.len(), expected.len());
}

#[test]
fn a_share_of_variance_is_none_where_the_true_numbers_are_all_alike_however_their_mean_is_rounded() {
    let alike = |value: f64, rows: usize| {
        let pairs = (0..rows).map(|row| (value + 0.05 * row as f64, value));
        Outcomes::Regression(NumberOutcomes::new(pairs).unwrap()).metric(Metric::R2)
    };
    for (value, rows) in [(0.1, 3), (7.3, 11), (1e-3, 77), (5.0, 2)] {
        assert_eq!(alike(value, rows), None, "{rows} of {value}");
    }
}

#[test]
fn binary_metrics_agree_with_scikit_learn() {
    check(
        &two(),
        &[
            (Metric::RocAuc, 0.81640625),
            (Metric::PrAuc, 0.8841857372979414),
            (Metric::LogLoss, 1.3814422795194718),
            (Metric::Brier, 0.1849975),
            // By its `calibration_curve` with ten quantile bins.
            (Metric::Ece, 0.17225),
            (Metric::Cost, 1.0 - 0.775),
            (Metric::Accuracy, 0.775),
            (Metric::BalancedAccuracy, 0.7916666666666667),
            (Metric::F1, 0.7906976744186046),
            (Metric::Precision, 0.8947368421052632),
            (Metric::Recall, 0.7083333333333334),
        ],
    );
}

#[test]
fn multiclass_metrics_agree_with_scikit_learn() {
    check(
        &three(),
        &[
            (Metric::RocAuc, 0.9235407964355332),
            (Metric::PrAuc, 0.8688939748695198),
            // With `scale_by_half`.
            (Metric::Brier, 0.16312585933333332),
            // By its `calibration_curve` of the most probable class, with ten quantile bins.
            (Metric::Ece, 0.2329633333333333),
            (Metric::LogLoss, 0.5612052439399328),
            (Metric::Accuracy, 0.8333333333333334),
            (Metric::BalancedAccuracy, 0.8296296296296296),
            (Metric::F1, 0.8215514275885792),
            (Metric::Precision, 0.8344322344322345),
            (Metric::Recall, 0.8296296296296296),
        ],
    );
}

#[test]
fn regression_metrics_agree_with_scikit_learn() {
    check(
        &numbers(),
        &[
            (Metric::Rmse, 1.7438612330113885),
            (Metric::Mae, 1.5804),
            (Metric::Mape, 0.189_463_208_729_726_94),
            (Metric::R2, 0.6315783689119082),
        ],
    );
}

#[test]
fn thresholds_tell_what_the_table_of_each_would_be() {
    let Outcomes::Binary(outcomes) = two() else { unreachable!() };
    let points = outcomes.thresholds();
    assert!(points.windows(2).all(|pair| pair[0].threshold < pair[1].threshold));
    for point in &points {
        let above = |label: u8| {
            SCORES.iter().zip(LABELS).filter(|(score, own)| **score > point.threshold && *own == label).count()
        };
        assert_eq!((point.true_positive, point.false_positive), (above(1) as u64, above(0) as u64), "{point:?}");
        assert_eq!(point.true_positive + point.false_negative + point.false_positive + point.true_negative, 40);
    }
    let own = points.iter().find(|point| point.threshold == 0.5).unwrap();
    let table = [[own.true_negative, own.false_positive], [own.false_negative, own.true_positive]];
    assert_eq!(outcomes.confusion().counts, table, "at the model's own threshold it is its table");
}

#[test]
fn a_class_that_is_only_true_or_only_predicted_counts_as_in_scikit_learn() {
    let rows = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]];
    let outcomes = Outcomes::Multiclass(ClassOutcomes::new(3, rows.into_iter().zip([0, 0, 1, 1, 1, 0])).unwrap());
    close(outcomes.metric(Metric::F1).unwrap(), 0.48888888888888893);
    close(outcomes.metric(Metric::Precision).unwrap(), 0.5555555555555555);
    close(outcomes.metric(Metric::Recall).unwrap(), 0.4444444444444444);
    close(outcomes.metric(Metric::BalancedAccuracy).unwrap(), 0.6666666666666666);
}

#[test]
fn a_certain_mistake_costs_a_finite_log_loss() {
    close(binary(&[0.0, 1.0, 0.5], &[1, 0, 1]).metric(Metric::LogLoss).unwrap(), 24.260151319598084);
}

#[test]
fn the_roc_curve_agrees_with_scikit_learn() {
    let Outcomes::Binary(outcomes) = two() else { unreachable!() };
    let curve = outcomes.roc_curve();
    assert_eq!(curve.len(), 17);
    assert_eq!(curve[0], CurvePoint { x: 0.0, y: 0.0, threshold: None });
    assert_eq!(curve[8], CurvePoint { x: 0.125, y: 0.7916666666666666, threshold: Some(0.42) });
    assert_eq!(curve[16], CurvePoint { x: 1.0, y: 1.0, threshold: Some(0.0) });
}

#[test]
fn the_precision_recall_curve_agrees_with_scikit_learn() {
    let Outcomes::Binary(outcomes) = two() else { unreachable!() };
    let curve = outcomes.precision_recall_curve();
    assert_eq!(curve.len(), 35);
    close(curve[11].x, 0.4166666666666667);
    close(curve[11].y, 0.9090909090909091);
    close(curve[34].y, 0.6);
}

#[test]
fn calibration_agrees_with_scikit_learn() {
    let Outcomes::Binary(outcomes) = two() else { unreachable!() };
    let expected = [
        (0.10500000000000001, 0.25),
        (0.34666666666666673, 0.3333333333333333),
        (0.48999999999999994, 0.75),
        (0.66, 0.7142857142857143),
        (0.85375, 1.0),
    ];
    let bins = outcomes.calibration(5);
    assert_eq!(bins.iter().map(|bin| bin.count).sum::<u64>(), 40);
    for (bin, (predicted, observed)) in bins.iter().zip(expected) {
        close(bin.predicted, predicted);
        close(bin.observed, observed);
    }
}

#[test]
fn confusion_counts_actual_by_predicted() {
    let (Outcomes::Binary(two), Outcomes::Multiclass(three)) = (two(), three()) else { unreachable!() };
    assert_eq!(two.confusion().counts, [[14, 2], [7, 17]]);
    assert_eq!(three.confusion().counts, [[6, 2, 2], [0, 11, 0], [1, 0, 8]]);
}

#[test]
fn each_class_against_the_rest_agrees_with_scikit_learn() {
    let Outcomes::Multiclass(outcomes) = three() else { unreachable!() };
    let expected = [
        (10, 0.8571428571428571, 0.6, 0.7058823529411765, 0.855, 0.790860484544695),
        (11, 0.8461538461538461, 1.0, 0.9166666666666666, 0.9473684210526315, 0.8966495625586535),
        (9, 0.8, 0.8888888888888888, 0.8421052631578947, 0.9682539682539683, 0.9191718775052109),
    ];
    let classes = outcomes.per_class();
    assert_eq!(classes.iter().map(|class| class.predicted).sum::<u64>(), 30);
    for (found, (rows, precision, recall, f1, roc_auc, pr_auc)) in classes.iter().zip(expected) {
        assert_eq!(found.rows, rows);
        close(found.precision.unwrap(), precision);
        close(found.recall.unwrap(), recall);
        close(found.f1.unwrap(), f1);
        close(found.roc_auc.unwrap(), roc_auc);
        close(found.pr_auc.unwrap(), pr_auc);
    }
    assert_eq!(classes.iter().map(|class| class.roc.len()).collect::<Vec<_>>(), [12, 10, 10]);
}

#[test]
fn a_class_that_no_row_has_or_is_taken_for_lacks_evidence() {
    let rows = [[0.8, 0.2, 0.0], [0.3, 0.7, 0.0], [0.6, 0.4, 0.0]];
    let outcomes = ClassOutcomes::new(3, rows.into_iter().zip([0, 1, 0])).unwrap();
    let missing = &outcomes.per_class()[2];
    assert_eq!((missing.rows, missing.predicted), (0, 0));
    assert_eq!((missing.precision, missing.recall, missing.f1, missing.roc_auc), (None, None, None, None));
    assert_eq!(Outcomes::Multiclass(outcomes).metric(Metric::PrAuc), None);
}

#[test]
fn errors_are_told_by_tenths_of_what_was_predicted_and_equal_predictions_stay_together() {
    let pairs = (0..100).map(|row| (f64::from(row), f64::from(row) + if row < 50 { 1.0 } else { -2.0 }));
    let tenths = NumberOutcomes::new(pairs).unwrap().residuals().tenths;
    assert_eq!(tenths.iter().map(|bin| bin.rows).collect::<Vec<_>>(), [10; 10]);
    assert_eq!((tenths[0].low, tenths[0].high, tenths[0].mean), (0.0, 9.0, 1.0));
    assert_eq!((tenths[9].mean, tenths[9].absolute, tenths[9].quantiles), (-2.0, 2.0, (-2.0, -2.0)));
    let alike = NumberOutcomes::new((0..10).map(|row| (if row < 7 { 5.0 } else { 6.0 }, f64::from(row))));
    let tenths = alike.unwrap().residuals().tenths;
    assert_eq!(tenths.iter().map(|bin| (bin.low, bin.rows)).collect::<Vec<_>>(), [(5.0, 7), (6.0, 3)]);
}

#[test]
fn the_interval_of_a_calibration_error_holds_the_true_one() {
    // Scores between 0.2 and 0.7, whose class comes true that much more often than they say.
    let held = |more: f64| {
        let is_held = |seed: u64| {
            let mut generator = ChaCha8Rng::seed_from_u64(seed);
            let pair = |_| {
                let score: f64 = generator.random_range(0.2..0.7);
                (score, generator.random::<f64>() < score + more)
            };
            let outcomes = Outcomes::Binary(BinaryOutcomes::new((0..800).map(pair).collect::<Vec<_>>()).unwrap());
            let (observed, interval) = measure(Metric::Ece, &outcomes, seed).unwrap();
            let (low, high) = interval.unwrap();
            assert!(low <= observed && observed <= high, "{observed} is not from {low} to {high}");
            assert!(high - low < 0.12 && (more == 0.0 || low > 0.0), "{low} to {high} says little of {more}");
            low <= more && more <= high
        };
        (0..200).filter(|seed| is_held(*seed)).count()
    };
    let (of_right, of_wrong) = (held(0.0), held(0.1));
    assert!(of_right >= 180 && of_wrong >= 180, "{of_right} and {of_wrong} of 200");
}

#[test]
fn residuals_agree_with_numpy() {
    let Outcomes::Regression(outcomes) = numbers() else { unreachable!() };
    let residuals = outcomes.residuals();
    close(residuals.mean, -0.49079999999999996);
    close(residuals.standard_deviation, 1.67337006068592);
    let expected = [-3.12, -2.5620000000000003, -1.61, -1.11, 1.22, 2.218, 2.86];
    for (found, expected) in residuals.quantiles.into_iter().zip(expected) {
        close(found, expected);
    }
}

/// DeLong's variance was computed from all pairs with numpy, Wilson's interval by scipy 1.17.1.
#[test]
fn closed_form_intervals_agree_with_their_definitions() {
    let intervals = evaluate(Part::Test, &two(), 1).intervals;
    let (low, high) = intervals[&Metric::RocAuc];
    close(low, 0.6405286535503246);
    close(high, 0.9173378423323936);
    let (low, high) = intervals[&Metric::Accuracy];
    close(low, 0.6249690325768997);
    close(high, 0.8768390867645925);
}

#[test]
fn bootstrap_intervals_hold_the_metric_and_depend_on_the_seed_alone() {
    let outcomes = numbers();
    let evaluation = evaluate(Part::Test, &outcomes, 7);
    for (metric, (low, high)) in &evaluation.intervals {
        assert!((*low..=*high).contains(&evaluation.metrics[metric]), "{metric}");
    }
    assert_eq!(evaluation, evaluate(Part::Test, &outcomes, 7));
    assert_ne!(evaluation.intervals, evaluate(Part::Test, &outcomes, 8).intervals);
}

#[test]
fn one_metric_alone_is_measured_as_it_is_among_all() {
    for outcomes in [two(), three(), numbers()] {
        let evaluation = evaluate(Part::Test, &outcomes, 3);
        for (metric, value) in &evaluation.metrics {
            let alone = measure(*metric, &outcomes, 3);
            assert_eq!(alone, Some((*value, evaluation.intervals.get(metric).copied())), "{metric}");
        }
    }
}

#[test]
fn an_evaluation_reads_back_from_its_json() {
    for outcomes in [two(), three(), numbers()] {
        let evaluation = evaluate(Part::Validation, &outcomes, 1);
        let text = serde_json::to_string(&evaluation).unwrap();
        assert_eq!(serde_json::from_str::<Evaluation>(&text).unwrap(), evaluation);
    }
}

#[test]
fn one_class_alone_leaves_what_needs_two_without_a_number() {
    let evaluation = evaluate(Part::Test, &binary(&[0.2, 0.9], &[1, 1]), 1);
    let known: Vec<Metric> = evaluation.metrics.into_keys().collect();
    use Metric::{Accuracy, Brier, Cost, Ece, F1, LogLoss, PrAuc, Precision, Recall};
    assert_eq!(known, [PrAuc, LogLoss, Brier, Ece, Cost, Accuracy, F1, Precision, Recall]);
}

#[test]
fn quantiles_are_measured_by_the_pinball_loss_and_by_what_they_cover() {
    assert_eq!(numbers().metric(Metric::Pinball), None, "of a mean");
    let Outcomes::Regression(numbers) = numbers() else { panic!() };
    let of = |quantile| Outcomes::Regression(numbers.clone().with_quantile(Some(quantile)));
    // scikit-learn 1.9.1, mean_pinball_loss.
    close(of(0.1).metric(Metric::Pinball).unwrap(), 0.986_520_000_000_000_1);
    close(of(0.9).metric(Metric::Pinball).unwrap(), 0.593_88);
    // 17 of 25 numbers are at most what was predicted.
    close(of(0.9).metric(Metric::CoverageError).unwrap(), 0.22);
}

#[test]
fn numbers_that_do_not_vary_have_no_r2() {
    let outcomes = Outcomes::Regression(NumberOutcomes::new([(1.0, 3.0), (2.0, 3.0)]).unwrap());
    assert_eq!(outcomes.metric(Metric::R2), None);
}

#[test]
fn what_is_no_outcome_is_refused() {
    assert_eq!(BinaryOutcomes::new([]), Err(OutcomeError::Empty));
    assert!(BinaryOutcomes::new([(f64::NAN, true)]).is_err());
    assert_eq!(ClassOutcomes::new(3, [([0.5, 0.5], 0)]), Err(OutcomeError::Classes { row: 0, classes: 3 }));
    assert!(ClassOutcomes::new(2, [([0.5, 0.5], 2)]).is_err());
    assert_eq!(NumberOutcomes::new([(0.0, f64::INFINITY)]), Err(OutcomeError::NotFinite { row: 0 }));
}

#[test]
fn a_model_is_no_better_than_itself() {
    let comparison = compare(Metric::LogLoss, &two(), &two(), 3).unwrap().unwrap();
    assert_eq!((comparison.improvement, comparison.interval), (0.0, Some((0.0, 0.0))));
}

#[test]
fn a_smaller_loss_is_an_improvement() {
    let certain: Vec<f64> = LABELS.iter().map(|label| f64::from(*label)).collect();
    let comparison = compare(Metric::LogLoss, &two(), &binary(&certain, &LABELS), 3).unwrap().unwrap();
    assert!(comparison.improvement > 1.0 && comparison.interval.unwrap().0 > 0.0);
}

#[test]
fn models_measured_on_different_rows_are_not_compared() {
    let other = binary(&SCORES[..39], &LABELS[..39]);
    assert_eq!(compare(Metric::RocAuc, &two(), &other, 1), Err(OutcomeError::Unpaired));
}

#[test]
fn curves_of_slices_are_of_their_rows_alone_and_none_is_of_one_class() {
    let Outcomes::Binary(all) = two() else { panic!("binary") };
    // Every third row, those that came true, and the others.
    let value = |(row, label): (usize, &bool)| {
        if row % 3 == 0 {
            "third"
        } else if *label {
            "true"
        } else {
            "false"
        }
    };
    let values: Vec<Option<String>> = all.labels.iter().enumerate().map(|one| Some(value(one).to_owned())).collect();
    let rows: Vec<usize> = (0..all.labels.len()).filter(|row| row % 3 == 0).collect();
    let alone = two().select(&rows).expect("rows");
    let Outcomes::Binary(alone_binary) = &alone else { panic!("binary") };
    let found = slice_curves(&two(), values.clone(), 8);
    assert_eq!(found.len(), 1, "the other two are of one class each");
    assert_eq!((found[0].value.as_deref(), found[0].rows), (Some("third"), rows.len() as u64));
    assert_eq!(found[0].roc, alone_binary.roc_curve());
    assert_eq!(found[0].roc_auc, alone.metric(Metric::RocAuc));
    assert_eq!(slice_curves(&two(), values, 0), []);
}

#[test]
fn slices_are_measured_each_on_its_rows() {
    let values = (0..40).map(|row| if row < 25 { Some("card".to_owned()) } else { None });
    let slices = evaluate_slices(&two(), values, Metric::Accuracy, 1);
    assert_eq!(slices.iter().map(|slice| slice.rows).collect::<Vec<_>>(), [25, 15]);
    let expected = binary(&SCORES[..25], &LABELS[..25]).metric(Metric::Accuracy);
    assert_eq!((slices[0].value.as_deref(), slices[0].observed), (Some("card"), expected));
}

proptest! {
    #[test]
    fn swapping_the_classes_mirrors_the_area(pairs in prop::collection::vec((0.0..=1.0f64, any::<bool>()), 2..60)) {
        let area = |flip: bool| {
            let pairs = pairs.iter().map(|(score, label)| (*score, label ^ flip));
            Outcomes::Binary(BinaryOutcomes::new(pairs).unwrap()).metric(Metric::RocAuc)
        };
        match (area(false), area(true)) {
            (Some(a), Some(b)) => prop_assert!((a + b - 1.0).abs() < TOLERANCE),
            (a, b) => prop_assert_eq!(a, b),
        }
    }

    #[test]
    fn the_order_of_rows_does_not_change_a_metric(
        pairs in prop::collection::vec((0.0..=1.0f64, any::<bool>()), 1..40),
    ) {
        let metrics = |pairs: Vec<(f64, bool)>| {
            let outcomes = Outcomes::Binary(BinaryOutcomes::new(pairs).unwrap());
            Metric::ALL.map(|metric| outcomes.metric(metric))
        };
        let reversed = pairs.iter().rev().copied().collect();
        for (a, b) in metrics(pairs).into_iter().zip(metrics(reversed)) {
            prop_assert!(a == b || (a.unwrap() - b.unwrap()).abs() < TOLERANCE);
        }
    }
}

#[test]
fn what_one_model_gets_right_and_the_other_wrong_is_counted_both_ways() {
    let outcomes = |scores: [f64; 6]| {
        let labels = [true, true, true, false, false, false];
        Outcomes::Binary(BinaryOutcomes::new(scores.into_iter().zip(labels)).unwrap())
    };
    let (champion, challenger) = (outcomes([0.9, 0.9, 0.1, 0.1, 0.9, 0.9]), outcomes([0.9, 0.2, 0.8, 0.1, 0.1, 0.1]));
    assert_eq!(flips(&champion, &challenger), Ok(Flips { rows: 6, lost: 1, won: 3 }));
}

#[test]
fn numbers_are_right_by_no_rule_and_flip_not() {
    let numbers = Outcomes::Regression(NumberOutcomes::new([(1.0, 1.0)]).unwrap());
    assert_eq!(flips(&numbers, &numbers), Err(OutcomeError::Kind));
}
