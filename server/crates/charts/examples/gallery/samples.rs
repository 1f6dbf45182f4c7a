//! Made-up values for every figure, the awkward ones included.

mod models;

use millrace_charts::*;

/// Every figure once, then those of nothing and of one value.
pub fn figures() -> Vec<Figure> {
    let mut figures = curves();
    figures.extend(classification());
    figures.extend(regression());
    figures.extend(tuning());
    figures.extend(models::of_trials());
    figures.extend(models::explained());
    figures.extend(models::dependence());
    figures.extend(columns());
    figures.extend(over_time());
    figures.push(origins());
    figures.push(roc(&Roc::default(), "nothing"));
    figures
}

/// A drift statistic that rises over its threshold.
pub fn drift_sparkline() -> Figure {
    let values = (0..24).map(|i| 0.05 + f64::from(i * i) / 4000.0 + wave(i, 0.02)).collect();
    sparkline(&Sparkline { name: "PSI of tenure_days".to_owned(), values, threshold: Some(0.15) }, "spark")
}

fn wave(i: i32, size: f64) -> f64 {
    (f64::from(i) * 1.7).sin() * size
}

fn bowed(label: &str, power: f64) -> Curve {
    let points = (0..=2000).map(|i| f64::from(i) / 2000.0).map(|x| (x, x.powf(power))).collect();
    Curve {
        label: label.to_owned(),
        points,
        score: Some(1.0 / (1.0 + power)),
        interval: Some((1.0 / (1.0 + power) - 0.009, 1.0 / (1.0 + power) + 0.008)),
    }
}

fn curves() -> Vec<Figure> {
    let falling = |label: &str, power: f64| Curve {
        points: (0..=500).map(|i| f64::from(i) / 500.0).map(|x| (x, 1.0 - 0.75 * x.powf(power))).collect(),
        score: Some(1.0 - 0.75 / (1.0 + power)),
        interval: None,
        label: label.to_owned(),
    };
    vec![
        roc(
            &Roc {
                curves: vec![
                    bowed("run 41, boosting", 0.15),
                    bowed("run 38, logistic", 0.3),
                    bowed("champion v12", 0.22),
                ],
                operating_point: Some(OperatingPoint { x: 0.18, y: 0.18_f64.powf(0.15), threshold: 0.42 }),
            },
            "roc",
        ),
        precision_recall(
            &PrecisionRecall {
                curves: vec![falling("run 41, boosting", 4.0), falling("champion v12", 2.0)],
                prevalence: Some(0.25),
                operating_point: Some(OperatingPoint { x: 0.7, y: 1.0 - 0.75 * 0.7_f64.powi(4), threshold: 0.42 }),
            },
            "pr",
        ),
    ]
}

fn classification() -> Vec<Figure> {
    let bins = (0..10)
        .map(|i| {
            let low = f64::from(i) / 10.0;
            CalibrationBin {
                low,
                high: low + 0.1,
                predicted: low + 0.05,
                observed: (low + 0.05).powf(1.25) + wave(i, 0.03),
                count: 1900 - 190 * i as u64 + if i == 9 { 600 } else { 0 },
            }
        })
        .collect();
    let species = ["Adelie", "Chinstrap", "Gentoo"].map(str::to_owned).to_vec();
    vec![
        calibration(&Calibration { bins, brier: Some(0.0812), expected_error: Some(0.034) }, "calibration"),
        confusion_matrix(
            &ConfusionMatrix {
                classes: species,
                counts: vec![vec![146, 6, 0], vec![9, 58, 1], vec![0, 2, 121]],
                ..ConfusionMatrix::default()
            },
            "confusion",
        ),
        confusion_matrix(
            &ConfusionMatrix {
                classes: vec!["no tip".to_owned(), "big tip".to_owned()],
                counts: vec![vec![9210, 812], vec![1034, 3160]],
                ..ConfusionMatrix::default()
            },
            "confusion-2",
        ),
        horizontal_bars(
            &HorizontalBars {
                title: "Feature importance".to_owned(),
                quantity: "gain".to_owned(),
                bars: [
                    ("log_miles", 412.0),
                    ("fare", 377.5),
                    ("payment_type", 251.0),
                    ("hour", 88.2),
                    ("company_trips_7d", 61.0),
                    ("pickup_community_area", 33.1),
                    ("a_feature_with_a_name_that_is_far_too_long_for_any_axis", 12.0),
                    ("<script>alert(1)</script>", 4.0),
                ]
                .map(|(label, value)| Bar { label: label.to_owned(), value, interval: None })
                .to_vec(),
                ..HorizontalBars::default()
            },
            "importance",
        ),
        horizontal_bars(
            &HorizontalBars {
                title: "Coefficients".to_owned(),
                quantity: "log odds".to_owned(),
                is_signed: true,
                bars: [("tenure", -0.067), ("monthly_charges", 0.021), ("contract: two year", -0.71), ("fiber", 0.54)]
                    .map(|(label, value)| Bar {
                        label: label.to_owned(),
                        value,
                        interval: Some((value - 0.05, value + 0.05)),
                    })
                    .to_vec(),
            },
            "coefficients",
        ),
        dots(
            &Dots {
                title: "ROC AUC by payment_type, ≥ 0.75".to_owned(),
                quantity: "ROC AUC".to_owned(),
                dots: [
                    ("cash", 1_735, Some(0.71), false),
                    ("card", 895, Some(0.86), false),
                    ("voucher", 12, Some(0.6), true),
                    ("missing", 1, None, true),
                ]
                .map(|(label, rows, value, is_few)| Dot {
                    label: label.to_owned(),
                    rows,
                    value,
                    interval: value.map(|value| (value - 0.04, value + 0.03)),
                    is_few,
                })
                .to_vec(),
                limit: DotLimit::AtLeast(0.75),
            },
            "slices",
        ),
    ]
}

fn regression() -> Vec<Figure> {
    let points = (0..900)
        .map(|i| {
            let actual = 3.0 + f64::from(i % 60) / 10.0;
            (actual, 0.6 * actual + 2.4 + wave(i, 0.7) + wave(i * 31, 0.3))
        })
        .chain([(f64::NAN, 5.0)])
        .collect();
    let residuals = Residuals { points, unit: "points".to_owned(), whole: None };
    vec![predicted_vs_actual(&residuals, "scatter"), residual_histogram(&residuals, "residuals")]
}

fn tuning() -> Vec<Figure> {
    let trials = (1..=42)
        .map(|i| {
            let value = 0.87 - 0.12 / f64::from(i) + wave(i * 7, 0.02);
            let (state, value) = match i % 11 {
                3 => (TrialState::Pruned, Some(value - 0.06)),
                6 => (TrialState::Infeasible, Some(value)),
                9 => (TrialState::Failed, None),
                _ if i == 42 => (TrialState::Running, None),
                _ => (TrialState::Complete, Some(value)),
            };
            Trial { number: i as u64, value, state }
        })
        .collect();
    vec![tuning_history(
        &TuningHistory {
            most: Some(1.0),
            objective: "validation ROC AUC".to_owned(),
            direction: Direction::Maximise,
            is_log: false,
            trials,
            budget: Some(50),
        },
        "tuning",
    )]
}

fn columns() -> Vec<Figure> {
    let bell = |centre: f64| -> Vec<u64> {
        (0..24).map(|i| (900.0 * (-(f64::from(i) - centre).powi(2) / 30.0).exp()) as u64).collect()
    };
    vec![
        histogram(
            &Histogram {
                title: String::new(),
                name: "trip_miles".to_owned(),
                edges: (0..=24).map(|i| f64::from(i) * 0.5).collect(),
                counts: bell(9.0),
                missing: 320,
                reference: Some(ReferenceCounts { name: "training".to_owned(), counts: bell(7.0), missing: 60 }),
                current_name: "last 7 days".to_owned(),
            },
            "miles",
        ),
        histogram(
            &Histogram {
                name: "fare, USD".to_owned(),
                edges: (0..=24).map(|i| f64::from(i) * 2500.0).collect(),
                counts: bell(4.0),
                ..Histogram::default()
            },
            "fare",
        ),
        category_bars(
            &CategoryBars {
                name: "payment_type".to_owned(),
                bars: [("Cash", 5210, 6100), ("Credit Card", 4380, 3990), ("Prcard", 96, 120), ("App", 240, 0)]
                    .map(|(label, count, reference)| CategoryBar {
                        label: label.to_owned(),
                        count,
                        reference: Some(reference),
                    })
                    .to_vec(),
                missing: 37,
                reference_missing: Some(12),
            },
            "payment",
        ),
    ]
}

fn over_time() -> Vec<Figure> {
    let start = 1_795_000_000.0;
    let drift = |base: f64, slope: f64| {
        (0..96)
            .map(|i| {
                let y = base + slope * f64::from(i) + wave(i, 0.012);
                (start + f64::from(i) * 3600.0, if (40..46).contains(&i) { f64::NAN } else { y })
            })
            .collect()
    };
    let loss =
        |floor: f64| -> Vec<(f64, f64)> { (1..=30).map(|i| (f64::from(i), floor + 0.5 / f64::from(i))).collect() };
    let validation = loss(0.33);
    let span = |step: &str, attempt, state, queued: f64, started: Option<f64>, finished: Option<f64>| Span {
        step: step.to_owned(),
        attempt,
        state,
        queued_at: start + queued,
        started_at: started.map(|t| start + t),
        finished_at: finished.map(|t| start + t),
    };
    vec![
        line_chart(
            &LineChart {
                title: "Drift of the inputs".to_owned(),
                x: XAxis::Time,
                y: "PSI".to_owned(),
                lines: vec![
                    Line { label: "trip_miles".to_owned(), points: drift(0.04, 0.0022), band: Vec::new() },
                    Line { label: "fare".to_owned(), points: drift(0.07, 0.0002), band: Vec::new() },
                ],
                threshold: Some(Threshold { label: "alert above".to_owned(), value: 0.2 }),
                annotations: vec![Annotation { x: start + 60.0 * 3600.0, label: "v13 live".to_owned() }],
                conclusion: None,
            },
            "drift",
        ),
        line_chart(
            &LineChart {
                title: "Learning curve".to_owned(),
                x: XAxis::Number("Iteration".to_owned()),
                y: "log loss".to_owned(),
                lines: vec![
                    Line { label: "training".to_owned(), points: loss(0.28), band: Vec::new() },
                    Line {
                        label: "validation".to_owned(),
                        band: validation.iter().map(|(_, y)| (y - 0.03, y + 0.03)).collect(),
                        points: validation,
                    },
                ],
                threshold: None,
                annotations: Vec::new(),
                conclusion: None,
            },
            "learning",
        ),
        run_timeline(
            &RunTimeline {
                spans: vec![
                    span("ingest", 1, SpanState::Succeeded, 0.0, Some(0.4), Some(3.1)),
                    span("validate", 1, SpanState::Succeeded, 3.1, Some(3.3), Some(4.9)),
                    span("features", 1, SpanState::Failed, 4.9, Some(5.0), Some(7.4)),
                    span("features", 2, SpanState::Succeeded, 7.4, Some(11.4), Some(14.0)),
                    span("tune", 1, SpanState::Succeeded, 14.0, Some(14.2), Some(41.0)),
                    span("train", 1, SpanState::Running, 41.0, Some(41.6), None),
                    span("evaluate", 1, SpanState::Queued, 41.0, None, None),
                ],
                now: start + 52.0,
            },
            "timeline",
        ),
    ]
}

fn origins() -> Figure {
    let node = |kind: &str, label: &str, layer: u8| LineageNode {
        kind: kind.to_owned(),
        label: label.to_owned(),
        href: Some(format!("/{layer}")),
        layer,
    };
    let nodes = vec![
        node("file", "rides-2026-11.parquet", 0),
        node("file", "a file with a name that is too long for its box.csv", 0),
        node("dataset version", "rides v4", 1),
        node("table version", "zones v2", 1),
        node("problem version", "taxi-tips v3", 1),
        node("run", "run #41", 2),
        node("model version", "taxi-tips v12", 3),
        node("deployment", "taxi-tips", 4),
    ];
    let links = vec![(0, 2), (1, 3), (2, 5), (3, 5), (4, 5), (5, 6), (6, 7)];
    lineage(&Lineage { nodes, links, here: Some(6) }, "lineage")
}
