//! What the figures of a model's settings and features say and show.

use millrace_charts::*;

fn axis(name: &str) -> ParallelAxis {
    ParallelAxis { name: name.to_owned(), is_log: false }
}

fn word(text: &str) -> Option<Coordinate> {
    Some(Coordinate::Word(text.to_owned()))
}

fn line(i: u32, values: Vec<Option<Coordinate>>, objective: f64) -> ParallelLine {
    ParallelLine { label: format!("trial {i}"), values, objective: Some(objective) }
}

fn number_line(i: u32, value: f64, objective: f64) -> ParallelLine {
    line(i, vec![Some(Coordinate::Number(value))], objective)
}

fn trials(axes: &[&str], lines: Vec<ParallelLine>) -> ParallelCoordinates {
    ParallelCoordinates {
        objective: "AUC".to_owned(),
        direction: Direction::Maximise,
        axes: axes.iter().map(|name| axis(name)).collect(),
        lines,
        ..ParallelCoordinates::default()
    }
}

/// The text between two others, as often as it is there.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    text.split(from).skip(1).filter_map(|part| part.split(to).next()).collect()
}

/// Corners of the line whose tip begins with the label.
fn corners(svg: &str, label: &str) -> Vec<(f64, f64)> {
    let tip = format!("<title>{label}:");
    let lines = between(svg, "<polyline", "</polyline>");
    let line = lines.iter().find(|line| line.contains(&tip)).unwrap_or_else(|| panic!("no line {label} in {svg}"));
    let points = between(line, "points=\"", "\"")[0].split(' ');
    let coordinate = |text: &str| text.parse().expect("a number");
    points.filter_map(|point| point.split_once(',')).map(|(x, y)| (coordinate(x), coordinate(y))).collect()
}

fn heights(svg: &str, label: &str) -> Vec<f64> {
    corners(svg, label).into_iter().map(|(_, y)| y).collect()
}

#[test]
fn a_missing_value_stays_in_the_picture_below_its_axis() {
    let lines = vec![number_line(1, 0.0, 0.7), number_line(2, 1.0, 0.8), line(3, vec![None], 0.9)];
    let figure = parallel_coordinates(&trials(&["depth"], lines), "p");
    let [lowest, missing] = ["trial 1", "trial 3"].map(|label| heights(&figure.svg, label)[0]);
    assert!(missing > lowest + 20.0, "{missing} {lowest}");
    assert!(figure.svg.contains(">None</text>"));
    assert_eq!(figure.table[0], ["trial 3", "None", "0.9"]);
}

#[test]
fn settings_that_are_the_same_in_all_are_left_out_and_named() {
    let values = |x: f64| vec![Some(Coordinate::Number(x)), word("gbtree"), None];
    let lines = vec![line(1, values(0.1), 0.7), line(2, values(0.2), 0.9)];
    let figure = parallel_coordinates(&trials(&["eta", "booster", "seed"], lines), "p");
    assert_eq!(
        figure.caption,
        "Best AUC 0.9 in trial 2: eta 0.2; 2 lines. The same in all: booster gbtree, seed None."
    );
    assert_eq!(corners(&figure.svg, "trial 2").len(), 2);
    assert_eq!(figure.header, ["Name", "eta", "booster", "seed", "AUC"]);
}

#[test]
fn a_single_line_shows_all_its_settings() {
    let lines = vec![line(1, vec![Some(Coordinate::Number(0.1)), word("gbtree")], 0.7)];
    let figure = parallel_coordinates(&trials(&["eta", "booster"], lines), "p");
    assert_eq!(figure.caption, "Best AUC 0.7 in trial 1: eta 0.1, booster gbtree; 1 line.");
    assert_eq!(corners(&figure.svg, "trial 1").len(), 3);
}

#[test]
fn the_better_end_of_the_objective_is_on_top_in_both_directions() {
    for (direction, better, worse) in
        [(Direction::Maximise, "trial 2", "trial 1"), (Direction::Minimise, "trial 1", "trial 2")]
    {
        let lines = vec![number_line(1, 0.0, 0.7), number_line(2, 1.0, 0.9)];
        let figure = parallel_coordinates(&ParallelCoordinates { direction, ..trials(&["depth"], lines) }, "p");
        assert!(heights(&figure.svg, better)[1] < heights(&figure.svg, worse)[1], "{direction:?}");
        assert!(figure.caption.contains(better), "{}", figure.caption);
        assert_eq!(figure.table[0][0], better);
        // Settings keep their greater end on top.
        assert!(heights(&figure.svg, "trial 2")[0] < heights(&figure.svg, "trial 1")[0]);
    }
}

#[test]
fn lines_without_an_objective_are_counted_and_not_drawn() {
    let failed = ParallelLine { objective: None, ..number_line(3, 2.0, 0.0) };
    let lines = vec![number_line(1, 0.0, 0.7), number_line(2, 1.0, 0.9), failed.clone()];
    let figure = parallel_coordinates(&trials(&["depth"], lines), "p");
    assert_eq!(figure.caption, "Best AUC 0.9 in trial 2: depth 1; 2 of 3 lines are drawn, 1 has no objective.");
    assert!(!figure.svg.contains("trial 3"));
    let none = parallel_coordinates(&trials(&["depth"], vec![failed]), "p");
    assert_eq!(none.caption, "No data: none of 1 line has an objective.");
}

#[test]
fn settings_that_are_not_finite_are_counted_and_their_lines_stay() {
    let lines = vec![
        number_line(1, f64::NAN, 0.7),
        number_line(2, 1.0, 0.9),
        number_line(3, 2.0, 0.8),
        number_line(4, 3.0, f64::INFINITY),
    ];
    let figure = parallel_coordinates(&trials(&["depth"], lines), "p");
    assert!(
        figure.caption.ends_with("3 of 4 lines are drawn. 2 values were not finite numbers and are left out."),
        "{}",
        figure.caption
    );
    assert!(heights(&figure.svg, "trial 1")[0] > heights(&figure.svg, "trial 2")[0] + 20.0);
}

#[test]
fn positive_numbers_of_a_log_axis_stand_by_their_logarithm() {
    let middle = |first: f64| {
        let lines = vec![number_line(1, first, 0.7), number_line(2, 0.01, 0.8), number_line(3, 1.0, 0.9)];
        let mut values = trials(&["eta"], lines);
        values.axes[0].is_log = true;
        let svg = parallel_coordinates(&values, "p").svg;
        let [low, middle, high] = ["trial 1", "trial 2", "trial 3"].map(|label| heights(&svg, label)[0]);
        (low - middle) / (low - high)
    };
    assert!((middle(0.0001) - 0.5).abs() < 0.01, "{}", middle(0.0001));
    assert!((middle(0.0) - 0.01).abs() < 0.01, "{}", middle(0.0));
}

#[test]
fn rare_levels_share_a_place() {
    let lines = (0..30).map(|i| line(i, vec![word(&format!("kind {}", if i < 20 { i % 2 } else { i }))], f64::from(i)));
    let svg = parallel_coordinates(&trials(&["kind"], lines.collect()), "p").svg;
    let height = |label: &str| heights(&svg, label)[0];
    assert_ne!(height("trial 0"), height("trial 1"));
    assert_eq!(height("trial 28"), height("trial 29"));
    assert!(svg.contains(">5 others</text>"));
}

#[test]
fn names_of_many_axes_do_not_overlap_and_are_told_apart() {
    let names: Vec<String> = (0..11).map(|i| format!("preprocessing.step_{i}")).collect();
    let values = |x: f64| vec![Some(Coordinate::Number(x)); 11];
    let lines = vec![line(1, values(0.0), 0.7), line(2, values(1.0), 0.9)];
    let svg = parallel_coordinates(&trials(&names.iter().map(String::as_str).collect::<Vec<_>>(), lines), "p").svg;
    let mut drawn = Vec::new();
    for text in between(&svg, "<text", "</text>").into_iter().filter(|text| text.contains("<title>")) {
        let [x, y] = [" x=\"", " y=\""].map(|name| between(text, name, "\"")[0].parse::<f64>().expect("a number"));
        drawn.push((y, x, text.rsplit('>').next().unwrap_or("").to_owned()));
    }
    drawn.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    assert_eq!(drawn.len(), 12);
    for pair in drawn.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        let width = 7.0 * (pair[0].2.chars().count() + pair[1].2.chars().count()) as f64 / 2.0;
        assert!(pair[1].1 - pair[0].1 > width, "{pair:?}");
        assert_ne!(pair[0].2, pair[1].2);
    }
}

#[test]
fn of_many_lines_the_best_are_always_drawn_and_drawn_last() {
    let lines = (0..1000).map(|i| number_line(i, f64::from(i % 7), f64::from(i * 37 % 1000)));
    let figure = parallel_coordinates(&trials(&["depth"], lines.collect()), "p");
    let tips: Vec<_> =
        between(&figure.svg, "<polyline", "</polyline>").into_iter().filter(|line| line.contains(">trial")).collect();
    assert_eq!(tips.len(), 300);
    assert!(tips[299].contains("AUC 999") && tips[270].contains("AUC 970"), "{}", tips[270]);
    assert!(tips[0].contains("class=\"chart-muted\"") && tips[270].contains("class=\"chart-series-1\""));
    assert_eq!(figure.table.len(), 200);
    assert!(figure.caption.contains("300 of 1\u{202f}000 lines are drawn."), "{}", figure.caption);
}

fn point(contribution: f64, level: f64) -> AttributionPoint {
    AttributionPoint { contribution, level: Some(level) }
}

fn explained(features: Vec<(&str, f64, Vec<AttributionPoint>)>) -> Figure {
    let feature = |(name, mean_absolute, points): (&str, f64, Vec<AttributionPoint>)| Attribution {
        name: name.to_owned(),
        mean_absolute,
        points,
    };
    let features = features.into_iter().map(feature).collect();
    attributions(&Attributions { unit: "USD".to_owned(), rows: 40, features }, "a")
}

#[test]
fn the_feature_that_moves_the_answer_most_is_named_with_its_direction() {
    let rising = vec![point(-1.0, 0.0), point(0.1, 0.5), point(1.0, 1.0)];
    let falling = vec![point(2.0, 0.0), point(0.1, 0.5), point(-2.0, 1.0)];
    let mixed = vec![point(1.0, 0.0), point(-2.0, 0.5), point(1.0, 1.0)];
    let figure = explained(vec![("fare", 0.7, rising), ("miles", 1.4, falling), ("hour", 0.1, mixed.clone())]);
    assert_eq!(figure.caption, "miles moves the answer most, by 1.4 USD on average; high values lower it. n 40.");
    assert_eq!(figure.table[0], ["miles", "1.4", "high values lower", "−2", "+2"]);
    assert_eq!(figure.table[1][2], "high values raise");
    assert_eq!(figure.table[2][2], "mixed");
    let weak = explained(vec![("hour", 0.1, mixed)]);
    assert_eq!(weak.caption, "hour moves the answer most, by 0.1 USD on average. n 40.");
    let unordered = AttributionPoint { contribution: 1.0, level: None };
    assert_eq!(explained(vec![("kind", 0.1, vec![unordered])]).table[0][2], "–");
}

#[test]
fn low_middle_and_high_values_differ_in_shape_and_ink() {
    let unordered = AttributionPoint { contribution: 2.0, level: None };
    // The tag right before the tip of the only point.
    let shape = |point: AttributionPoint| {
        let svg = explained(vec![("fare", 0.7, vec![point])]).svg;
        let before = svg.split("<title>+").next().unwrap_or("");
        before.rsplit('<').next().unwrap_or("").to_owned()
    };
    let shapes = [point(2.0, 0.1), point(2.0, 0.5), point(2.0, 0.9), unordered].map(shape);
    let look = |tag: &str| {
        let corners = tag.matches(',').count();
        (tag.split(' ').next().unwrap_or("").to_owned(), corners, between(tag, "class=\"", "\"")[0].to_owned())
    };
    let looks: Vec<_> = shapes.iter().map(|tag| look(tag)).collect();
    for (i, one) in looks.iter().enumerate() {
        assert!(looks[i + 1..].iter().all(|other| other != one), "{looks:?}");
    }
    assert!(looks[0].0 == "circle" && looks[2].0 == "polygon", "{looks:?}");
}

#[test]
fn equal_contributions_are_stacked_and_stay_in_their_row() {
    let figure = explained(vec![("fare", 0.7, vec![point(1.0, 0.5); 12]), ("miles", 0.5, vec![point(0.5, 0.5)])]);
    let dots = between(&figure.svg, "<circle", "</circle>").into_iter().filter(|dot| dot.contains("<title>+1,"));
    let mut places: Vec<f64> = dots.map(|dot| between(dot, "cy=\"", "\"")[0].parse().expect("a number")).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    assert_eq!(places.len(), 12);
    assert!(places[11] - places[0] < 27.0, "{places:?}");
}

#[test]
fn only_so_many_features_and_points_are_drawn_and_the_ends_are_among_them() {
    let points: Vec<_> = (0..1000).map(|i| point(f64::from(i) - 300.0, 0.5)).collect();
    let one = explained(vec![("fare", 0.7, points.clone())]);
    assert_eq!(between(&one.svg, "<circle", "/").len() - 1, 150);
    assert!(one.svg.contains("<title>−300,") && one.svg.contains("<title>+699,"));
    assert!(one.caption.ends_with("At most 150 rows a feature are drawn."), "{}", one.caption);
    let many = explained((0..25).map(|i| ("fare", f64::from(i), points[..3].to_vec())).collect());
    assert!(many.caption.ends_with("The first 20 of 25 features are drawn."), "{}", many.caption);
    assert_eq!(many.table.len(), 25);
}

#[test]
fn contributions_and_levels_that_are_not_finite_are_counted() {
    let figure =
        explained(vec![("fare", 0.7, vec![point(f64::NAN, 0.5), point(1.0, f64::NAN)]), ("x", f64::NAN, vec![])]);
    assert!(figure.caption.ends_with("3 values were not finite numbers and are left out."), "{}", figure.caption);
    assert!(figure.svg.contains("<title>+1</title>"));
}

fn dependence(means: &[(f64, f64)]) -> PartialDependence {
    let point = |(at, mean): &(f64, f64)| DependencePoint {
        at: DependenceAt::Number(*at),
        mean: *mean,
        low: mean - 0.1,
        high: mean + 0.1,
        share: 0.25,
    };
    PartialDependence { feature: "tenure".to_owned(), points: means.iter().map(point).collect(), ..Default::default() }
}

#[test]
fn the_course_of_the_mean_answer_is_said_from_end_to_end() {
    const AVERAGE: &str = "The mean over the rows, each with its other features as they are.";
    let figure = partial_dependence(&dependence(&[(40.0, 0.61), (0.0, 0.12), (20.0, 0.3)]), "d");
    assert_eq!(figure.caption, format!("From 0.12 at 0 to 0.61 at 40. {AVERAGE}"));
    assert_eq!(figure.table[0], ["0", "0.12", "0.02", "0.22", "25.0\u{202f}%"]);
    let peaked = partial_dependence(&dependence(&[(0.0, 0.12), (20.0, 0.9), (30.0, 0.05), (40.0, 0.61)]), "d");
    assert_eq!(
        peaked.caption,
        format!("From 0.12 at 0 to 0.61 at 40. Highest 0.9 at 20. Lowest 0.05 at 30. {AVERAGE}")
    );
}

#[test]
fn the_middle_half_and_the_shares_of_rows_are_in_the_picture() {
    let mut values = dependence(&[(0.0, 0.12), (20.0, 0.3), (40.0, 0.61)]);
    let svg = partial_dependence(&values, "d").svg;
    assert!(svg.contains("<polygon") && svg.contains("<title>20: 25.0\u{202f}% of rows</title>"));
    for point in &mut values.points {
        point.share = 0.0;
    }
    assert!(!partial_dependence(&values, "d").svg.contains("share of rows"));
}

#[test]
fn categories_keep_their_order_and_name_highest_and_lowest() {
    let mut values = dependence(&[(0.0, 0.3), (0.0, 0.1), (0.0, 0.7)]);
    values.unit = Some("USD".to_owned());
    values.is_category = true;
    for (point, name) in values.points.iter_mut().zip(["Card", "Cash", "App"]) {
        point.at = DependenceAt::Word(name.to_owned());
    }
    values.points[0].at = DependenceAt::Number(9.0);
    let figure = partial_dependence(&values, "d");
    assert!(figure.caption.starts_with("Highest for App (0.7 USD), lowest for Cash (0.1 USD). "), "{}", figure.caption);
    let height = |name: &str| {
        let texts = between(&figure.svg, "<text", "</text>");
        let text = texts.into_iter().find(|text| text.ends_with(&format!(">{name}"))).expect("every category is named");
        between(text, " y=\"", "\"")[0].parse::<f64>().expect("a number")
    };
    assert!(height("9") < height("Cash") && height("Cash") < height("App"));
}

#[test]
fn points_that_are_not_finite_are_left_out_of_the_dependence_and_counted() {
    let figure = partial_dependence(&dependence(&[(0.0, 0.12), (f64::NAN, 0.3), (40.0, f64::NAN)]), "d");
    assert!(figure.caption.starts_with("0.12 at 0. "), "{}", figure.caption);
    assert!(figure.caption.ends_with("2 values were not finite numbers and are left out."), "{}", figure.caption);
    assert_eq!(figure.table.len(), 1);
}

#[test]
fn what_has_moved_and_matters_is_named_first_and_marked() {
    let point = |label: &str, importance: f64, distance: f64| QuadrantPoint {
        label: label.to_owned(),
        importance,
        distance,
        is_drifted: distance > 0.2,
    };
    let points = vec![point("idle", 0.01, 0.9), point("miles", 0.7, 0.4), point("hour", 0.29, 0.01)];
    let figure = quadrant(&Quadrant { metric: "PSI".to_owned(), threshold: 0.2, points }, "q");
    assert!(figure.caption.starts_with("2 of 3 features have drifted"), "{}", figure.caption);
    assert_eq!(figure.table[0], ["miles", "70.0\u{202f}%", "0.4", "yes"]);
    assert!(figure.svg.contains("miles: importance 70.0\u{202f}%, PSI 0.4"), "{}", figure.svg);
}

#[test]
fn a_quadrant_of_nothing_says_so() {
    let figure = quadrant(&Quadrant { metric: "PSI".to_owned(), threshold: 0.2, points: Vec::new() }, "q");
    assert!(figure.caption.contains("No data"), "{}", figure.caption);
}
