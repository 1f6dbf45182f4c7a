//! What a model's settings and features do.

use millrace_charts::*;

use super::wave;

pub fn of_trials() -> Vec<Figure> {
    let axis = |(name, is_log): (&str, bool)| ParallelAxis { name: name.to_owned(), is_log };
    let line = |i: i32| {
        let share = |factor: f64| (f64::from(i) * factor).fract();
        let (eta, depth) = (0.005 * 80_f64.powf(share(0.618)), (3.0 + 9.0 * share(0.377)).floor());
        let objective = 0.93 - 0.02 * (eta / 0.06).ln().abs() - 0.002 * (depth - 6.0).abs() + wave(i, 0.004);
        let grower = ["depthwise", "lossguide", "symmetric"][i as usize % 3];
        let values = vec![
            Some(Coordinate::Number(eta)),
            (i % 3 == 1).then(|| Coordinate::Number((15.0 + 240.0 * share(0.271)).floor())),
            Some(Coordinate::Number(depth)),
            Some(Coordinate::Word(grower.to_owned())),
            Some(Coordinate::Number(0.001 * 10_000_f64.powf(share(0.739)))),
            Some(Coordinate::Word("gbtree".to_owned())),
            Some(Coordinate::Number(0.5 + 0.5 * share(0.143))),
        ];
        ParallelLine { label: format!("trial {i}"), values, objective: (i % 5 != 4).then_some(objective) }
    };
    let names = [
        ("eta", true),
        ("max_leaves", false),
        ("max_depth", false),
        ("grow_policy", false),
        ("l2_regularisation", true),
        ("booster", false),
        ("subsample", false),
    ];
    let trials = ParallelCoordinates {
        objective: "validation ROC AUC".to_owned(),
        direction: Direction::Maximise,
        axes: names.map(axis).to_vec(),
        lines: (1..=50).map(line).collect(),
        ..ParallelCoordinates::default()
    };
    let brushes = ["eta~0.01..0.1", "validation ROC AUC~0.9..1"].iter().filter_map(|text| text.parse().ok());
    let picked = ParallelCoordinates { brushes: brushes.collect(), ..trials.clone() };
    let slice = |place: usize| SettingSlice {
        setting: trials.axes[place].name.clone(),
        is_log: trials.axes[place].is_log,
        objective: trials.objective.clone(),
        direction: trials.direction,
        points: trials
            .lines
            .iter()
            .filter_map(|line| {
                let (value, objective) = (line.values[place].clone()?, line.objective?);
                Some(SettingPoint { label: line.label.clone(), value, objective })
            })
            .collect(),
    };
    vec![
        parallel_coordinates(&trials, "parallel"),
        parallel_coordinates(&picked, "parallel-picked"),
        setting_slice(&slice(0), "slice-numbers"),
        setting_slice(&slice(3), "slice-words"),
        parallel_coordinates(&crowded_runs(), "parallel-crowded"),
        parallel_coordinates(&ParallelCoordinates { lines: trials.lines[..1].to_vec(), ..trials }, "parallel-single"),
    ]
}

/// More lines, axes and levels than there is room for, and a lower objective is better.
fn crowded_runs() -> ParallelCoordinates {
    let line = |i: i32| {
        let number = |j: i32| Some(Coordinate::Number(wave(i * (j + 3), 1e4) * f64::from(j + 1)));
        let word = Some(Coordinate::Word(format!("encoder of kind {}", i * i % 11)));
        let values: Vec<_> = (0..12).map(|j| if j == 4 { word.clone() } else { number(j) }).chain([None]).collect();
        let objective = Some(3.0 + wave(i * 5, 0.4) + f64::from(i % 13) / 10.0);
        ParallelLine { label: format!("run {i}"), values, objective }
    };
    let name = |j: i32| format!("preprocessing.step_{j}.strength");
    ParallelCoordinates {
        objective: "root mean squared error of the tip".to_owned(),
        direction: Direction::Minimise,
        axes: (0..13).map(|j| ParallelAxis { name: name(j), is_log: false }).collect(),
        lines: (0..700).map(line).collect(),
        ..ParallelCoordinates::default()
    }
}

pub fn explained() -> Vec<Figure> {
    let points = |size: f64, slope: f64, has_level: bool| -> Vec<AttributionPoint> {
        (0..400)
            .map(|i| {
                let level = (f64::from(i) * 0.618).fract();
                let contribution = size * (slope * (level - 0.45) + wave(i * 13, 0.4) * wave(i * 7, 1.0));
                AttributionPoint { contribution, level: has_level.then_some(level) }
            })
            .collect()
    };
    let feature = |(name, size, slope, has_level): (&str, f64, f64, bool)| Attribution {
        name: name.to_owned(),
        mean_absolute: size * 0.4,
        points: points(size, slope, has_level),
    };
    let features = [
        ("log_miles", 1.1, 1.6, true),
        ("payment_type", 0.9, 0.0, false),
        ("fare", 0.7, 1.2, true),
        ("hour", 0.4, 0.1, true),
        ("company_trips_7d", 0.3, -1.4, true),
        ("a_feature_with_a_name_that_is_far_too_long_for_any_axis", 0.12, 0.3, true),
        ("pickup_community_area", 0.05, 0.0, false),
    ];
    let many =
        (0..26).map(|i| feature((&format!("feature_{i}"), 40.0 / f64::from(i + 1), 1.0 - f64::from(i % 3), true)));
    vec![
        attributions(
            &Attributions { unit: "log-odds".to_owned(), rows: 400, features: features.map(feature).to_vec() },
            "attributions",
        ),
        attributions(
            &Attributions { unit: "USD".to_owned(), rows: 400, features: many.collect() },
            "attributions-many",
        ),
    ]
}

pub fn dependence() -> Vec<Figure> {
    let number = |i: i32| {
        let mean = 0.12 + 0.49 / (1.0 + (-(f64::from(i) - 10.0) / 2.5).exp()) - f64::from(i) * 0.004;
        let share = (-(f64::from(i) - 5.0).powi(2) / 30.0).exp() / 9.0;
        let at = DependenceAt::Number(f64::from(i) * 2.0);
        DependencePoint { at, mean, low: mean * 0.6, high: mean * 1.3 + 0.03, share }
    };
    let word = |(word, mean, share): (&str, f64, f64)| DependencePoint {
        at: DependenceAt::Word(word.to_owned()),
        mean,
        low: mean - 1.3,
        high: mean + 0.9,
        share,
    };
    let words = [
        ("Credit Card", 4.1, 0.43),
        ("Cash", 0.7, 0.51),
        ("App", 3.2, 0.03),
        ("a payment with a name that is far too long", 2.8, 0.002),
        ("missing", 2.2, 0.028),
    ];
    let tenure = PartialDependence {
        feature: "tenure_months".to_owned(),
        unit: None,
        answer: "probability of churn".to_owned(),
        points: (0..20).map(number).collect(),
        is_category: false,
    };
    let payment = PartialDependence {
        feature: "payment_type".to_owned(),
        unit: Some("USD".to_owned()),
        answer: "tip".to_owned(),
        points: words.map(word).to_vec(),
        is_category: true,
    };
    let single = PartialDependence { points: tenure.points[9..10].to_vec(), ..tenure.clone() };
    vec![
        partial_dependence(&tenure, "dependence"),
        partial_dependence(&payment, "dependence-words"),
        partial_dependence(&single, "dependence-single"),
    ]
}
