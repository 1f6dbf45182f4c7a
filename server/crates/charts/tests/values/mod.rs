//! Values for the figures of what a model's settings and features do.

use millrace_charts::*;

/// Those figures with the same text in every label and the numbers handed out in turn.
pub fn of_models(at: impl Fn(usize) -> f64, label: &str, length: usize) -> Vec<Figure> {
    let label = label.to_owned();
    let coordinate = |i: usize| match i % 5 {
        0 => None,
        1 => Some(Coordinate::Word(format!("{label}{}", i % 11))),
        _ => Some(Coordinate::Number(at(i))),
    };
    let line = |i: usize| ParallelLine {
        label: label.clone(),
        values: vec![coordinate(i), Some(Coordinate::Number(at(i + 1))), Some(Coordinate::Number(at(0)))],
        objective: (i % 4 != 3).then(|| at(i + 2)),
    };
    let attribution = |i: usize| Attribution {
        name: label.clone(),
        mean_absolute: at(i),
        points: (0..length * 5)
            .map(|j| AttributionPoint { contribution: at(i + j), level: (j % 3 != 2).then(|| at(j + 1)) })
            .collect(),
    };
    let point = |is_category: bool, i: usize| DependencePoint {
        at: if is_category { DependenceAt::Word(label.clone()) } else { DependenceAt::Number(at(i)) },
        mean: at(i + 1),
        low: at(i + 2),
        high: at(i + 3),
        share: at(i + 4),
    };
    let dependence = |is_category: bool| PartialDependence {
        feature: label.clone(),
        unit: Some(label.clone()),
        answer: label.clone(),
        points: (0..length).map(|i| point(is_category, i)).collect(),
        is_category,
    };
    let trials = |direction: Direction| ParallelCoordinates {
        objective: label.clone(),
        direction,
        axes: [false, true, true].map(|is_log| ParallelAxis { name: label.clone(), is_log }).to_vec(),
        lines: (0..length).map(line).collect(),
        is_log: direction == Direction::Minimise,
        ..ParallelCoordinates::default()
    };
    let brushed = ParallelCoordinates {
        brushes: vec![
            Brush { axis: label.clone(), range: BrushRange::Between(f64::MIN, f64::MAX) },
            Brush { axis: label.clone(), range: BrushRange::AnyOf(vec![String::new(), format!("{label}1")]) },
        ],
        best_percent: Some(at(3)),
        ..trials(Direction::Maximise)
    };
    let setting = |i: usize| SettingPoint {
        label: label.clone(),
        value: coordinate(i).unwrap_or(Coordinate::Number(at(i + 4))),
        objective: at(i + 1),
    };
    let slice = |step: usize| SettingSlice {
        setting: label.clone(),
        is_log: true,
        objective: label.clone(),
        direction: Direction::Minimise,
        points: (0..length).map(|i| setting(i * step + 2)).collect(),
    };
    vec![
        parallel_coordinates(&trials(Direction::Maximise), "q"),
        parallel_coordinates(&trials(Direction::Minimise), "r"),
        parallel_coordinates(&brushed, "brushed"),
        setting_slice(&slice(1), "slice"),
        setting_slice(&slice(5), "slice-numbers"),
        attributions(
            &Attributions {
                unit: label.clone(),
                rows: length as u64,
                features: (0..length).map(attribution).collect(),
            },
            "s",
        ),
        partial_dependence(&dependence(false), "t"),
        partial_dependence(&dependence(true), "u"),
    ]
}
