//! What holds for every figure, whatever the values.

mod values;

use millrace_charts::*;

/// Awkward numbers: every figure is drawn with each of them in every place.
const AWKWARD: [f64; 12] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    -0.0,
    0.5,
    1.0,
    -1e12,
    1e15,
    4e18,
];

const HOSTILE: &str = "<script>alert('x')</script>\"&\u{0}\u{202e}";

/// All figures with the same text in every label and the numbers handed out in turn.
fn all(numbers: &[f64], label: &str, length: usize) -> Vec<Figure> {
    let at = |i: usize| numbers.get(i % numbers.len().max(1)).copied().unwrap_or(0.5);
    let label = label.to_owned();
    let pairs: Vec<(f64, f64)> = (0..length).map(|i| (at(i), at(i * 5 + 1))).collect();
    let curve =
        Curve { label: label.clone(), points: pairs.clone(), score: Some(at(3)), interval: Some((at(1), at(2))) };
    let point = OperatingPoint { x: at(1), y: at(2), threshold: at(0) };
    let bar = |i: usize| Bar { label: label.clone(), value: at(i), interval: Some((at(i + 1), at(i + 2))) };
    let dot = |i: usize| Dot {
        label: label.clone(),
        rows: if i == 0 { u64::MAX } else { i as u64 },
        value: (i % 4 != 3).then(|| at(i)),
        interval: Some((at(i + 1), at(i + 2))),
        is_few: i.is_multiple_of(5),
    };
    let bin = |i: usize| CalibrationBin {
        low: at(i),
        high: at(i + 1),
        predicted: at(i + 2),
        observed: at(i + 3),
        count: i as u64,
    };
    let trial = |i: usize| Trial {
        number: i as u64,
        value: (i % 4 != 3).then(|| at(i)),
        state: [TrialState::Complete, TrialState::Pruned, TrialState::Failed, TrialState::Running][i % 4],
    };
    let span = |i: usize| Span {
        step: label.clone(),
        attempt: i as u32,
        state: [SpanState::Succeeded, SpanState::Failed, SpanState::Queued][i % 3],
        queued_at: at(i),
        started_at: (i % 3 != 2).then(|| at(i + 1)),
        finished_at: i.is_multiple_of(2).then(|| at(i + 2)),
    };
    let thing = |i: usize| LineageNode { kind: label.clone(), label: label.clone(), href: None, layer: (i % 9) as u8 };
    let category = |i: usize| CategoryBar {
        label: label.clone(),
        count: if i == 0 { u64::MAX } else { i as u64 },
        reference: Some(i as u64 % 2),
    };
    let line = |x: XAxis| LineChart {
        title: label.clone(),
        x,
        y: label.clone(),
        lines: vec![Line { label: label.clone(), points: pairs.clone(), band: pairs.clone() }],
        threshold: Some(Threshold { label: label.clone(), value: at(4) }),
        annotations: vec![Annotation { x: at(5), label: label.clone() }],
        conclusion: None,
    };
    let histogram_values = Histogram {
        title: String::new(),
        name: label.clone(),
        edges: (0..=length).map(at).collect(),
        counts: (0..length as u64).collect(),
        missing: length as u64,
        reference: Some(ReferenceCounts {
            name: label.clone(),
            counts: vec![u64::MAX; length],
            missing: u64::from(length > 0),
        }),
        current_name: label.clone(),
    };
    let residuals = Residuals { points: pairs.clone(), unit: label.clone(), whole: None };
    let mut figures = values::of_models(at, &label, length);
    figures.extend([
        roc(&Roc { curves: vec![curve.clone(), curve.clone()], operating_point: Some(point) }, "a"),
        precision_recall(
            &PrecisionRecall { curves: vec![curve], prevalence: Some(at(2)), operating_point: Some(point) },
            "b",
        ),
        calibration(
            &Calibration { bins: (0..length).map(bin).collect(), brier: Some(at(0)), expected_error: Some(at(1)) },
            "c",
        ),
        confusion_matrix(
            &ConfusionMatrix {
                classes: vec![label.clone(); length],
                counts: vec![vec![u64::MAX; length / 2]; length],
                places: Vec::new(),
            },
            "d",
        ),
        predicted_vs_actual(&residuals, "e"),
        residual_histogram(&residuals, "f"),
        tuning_history(
            &TuningHistory {
                most: Some(at(1)),
                objective: label.clone(),
                direction: Direction::Minimise,
                is_log: true,
                trials: (0..length).map(trial).collect(),
                budget: Some(u64::MAX),
            },
            "g",
        ),
        horizontal_bars(
            &HorizontalBars {
                title: label.clone(),
                quantity: label.clone(),
                bars: (0..length).map(bar).collect(),
                is_signed: true,
            },
            "h",
        ),
        dots(
            &Dots {
                title: label.clone(),
                quantity: label.clone(),
                dots: (0..length).map(dot).collect(),
                limit: DotLimit::AtLeast(at(3)),
            },
            "p",
        ),
        histogram(&histogram_values, "i"),
        category_bars(
            &CategoryBars {
                name: label.clone(),
                bars: (0..length).map(category).collect(),
                missing: length as u64,
                reference_missing: Some(u64::from(length > 0)),
            },
            "j",
        ),
        sparkline(
            &Sparkline { name: label.clone(), values: (0..length).map(at).collect(), threshold: Some(at(2)) },
            "k",
        ),
        line_chart(&line(XAxis::Time), "l"),
        line_chart(&line(XAxis::Number(label.clone())), "m"),
        line_chart(&line(XAxis::Logarithm(label.clone())), "q"),
        lineage(
            &Lineage {
                nodes: (0..length).map(thing).collect(),
                links: (1..length).map(|i| (i - 1, i)).collect(),
                here: Some(1),
            },
            "o",
        ),
        run_timeline(&RunTimeline { spans: (0..length).map(span).collect(), now: at(1) }, "n"),
    ]);
    figures
}

fn ordinary() -> Vec<Figure> {
    all(&[0.1, 0.35, 0.4, 0.62, 0.7, 0.81, 0.93], "tenure & co", 40)
}

/// Checks tags and attributes: enough of XML to see that nothing escaped from a text.
fn assert_well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "stray > in {:?}", &rest[..start]);
        let end = start + rest[start..].find('>').expect("every tag ends");
        let tag = &rest[start + 1..end];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "in {svg}");
        } else {
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            if !tag.ends_with('/') {
                open.push(tag.split(' ').next().expect("split gives one part"));
            }
        }
        rest = &rest[end + 1..];
    }
    assert_eq!(open, Vec::<&str>::new());
}

fn assert_sound(figure: &Figure) {
    let svg = &figure.svg;
    assert_well_formed(svg);
    assert!(
        svg.contains("class=\"chart ")
            && (svg.contains("role=\"img\"") || svg.contains("role=\"group\""))
            && svg.contains("viewBox=")
    );
    assert!(svg.contains("<title id=") && svg.contains("<desc id="));
    for forbidden in [" style=", "<style", "<script", "NaN", "inf\"", "href", " on"] {
        let markup: String = svg.split('>').map(|part| part.split('<').nth(1).unwrap_or("")).collect();
        assert!(!markup.contains(forbidden), "{forbidden} in {svg}");
    }
    assert!(!figure.caption.is_empty());
    for row in &figure.table {
        assert_eq!(row.len(), figure.header.len(), "{}", figure.title);
    }
}

#[test]
fn every_figure_is_sound_markup_in_theme_tokens() {
    for figure in ordinary() {
        assert_sound(&figure);
        assert!(figure.svg.contains("var(--chart-"), "{}", figure.title);
        assert!(!figure.table.is_empty(), "{}", figure.title);
    }
}

#[test]
fn labels_cannot_become_markup() {
    for figure in all(&[0.1, 0.4, 0.7], HOSTILE, 12) {
        assert_sound(&figure);
        let html = figure.html();
        assert!(!html.contains("<script"), "{}", figure.title);
        assert!(html.contains("&lt;script&gt;") || !html.contains("script"), "{}", figure.title);
    }
}

#[test]
fn no_value_breaks_a_figure() {
    for shift in 0..AWKWARD.len() {
        let mut numbers = AWKWARD.to_vec();
        numbers.rotate_left(shift);
        for length in [1, 2, 3, 12, 60] {
            for figure in all(&numbers, "x", length) {
                assert_sound(&figure);
            }
        }
    }
    for number in AWKWARD {
        for figure in all(&[number], "x", 5) {
            assert_sound(&figure);
        }
    }
}

#[test]
fn nothing_to_draw_is_said_in_words() {
    for figure in all(&[0.5], "", 0) {
        assert_sound(&figure);
        assert!(figure.caption.starts_with("No data"), "{}: {}", figure.title, figure.caption);
    }
}

#[test]
fn values_that_are_not_finite_are_counted_in_the_caption() {
    let points = vec![(1.0, 1.0), (f64::NAN, 2.0), (3.0, f64::INFINITY)];
    let values = Residuals { points, ..Residuals::default() };
    let figure = predicted_vs_actual(&values, "p");
    assert!(figure.caption.ends_with("2 values were not finite numbers and are left out."), "{}", figure.caption);
}

#[test]
fn the_same_values_give_the_same_bytes() {
    assert_eq!(ordinary(), ordinary());
}

#[test]
fn ids_carry_the_prefix_so_that_figures_share_a_page() {
    let figure = roc(&Roc::default(), "run 41");
    assert!(figure.svg.contains("aria-labelledby=\"run-41-title run-41-desc\""), "{}", figure.svg);
}

#[test]
fn a_long_curve_is_thinned_to_what_can_be_seen() {
    let points = (0..50_000).map(|i| f64::from(i) / 49_999.0).map(|x| (x, x.sqrt())).collect();
    let values = Roc { curves: vec![Curve { points, ..Curve::default() }], operating_point: None };
    let svg = roc(&values, "r").svg;
    let longest = svg.split("points=\"").map(|part| part.split('"').next().unwrap_or("").split(' ').count()).max();
    assert_eq!(longest, Some(400));
    assert!(svg.len() < 20_000, "{}", svg.len());
}

#[test]
fn a_long_line_has_words_at_its_ends_and_at_its_turn() {
    let height = |step: u32| if step == 137 { 0.25 } else { 1.0 };
    let line = Line {
        label: "loss".to_owned(),
        points: (1..=500).map(|step| (f64::from(step), height(step))).collect(),
        band: Vec::new(),
    };
    let values = LineChart {
        title: String::new(),
        x: XAxis::Number("round".to_owned()),
        y: String::new(),
        lines: vec![line],
        threshold: None,
        annotations: Vec::new(),
        conclusion: None,
    };
    let svg = line_chart(&values, "x").svg;
    for words in ["loss: 1 at 1", "loss: 0.25 at 137", "loss: 1 at 500"] {
        assert!(svg.contains(&format!("<title>{words}</title>")), "{words}: {svg}");
    }
    assert_eq!(svg.matches("class=\"reading\"").count(), 60);
}

#[test]
fn equal_factors_are_equally_far_apart_and_what_is_not_positive_has_no_place() {
    let points = vec![(0.0, 0.0), (1.0, 0.25), (10.0, 0.5), (100.0, 1.0)];
    let values = LineChart {
        title: String::new(),
        x: XAxis::Logarithm("ms".to_owned()),
        y: String::new(),
        lines: vec![Line { label: "candidate".to_owned(), points, band: Vec::new() }],
        threshold: None,
        annotations: vec![Annotation { x: 1_000.0, label: "limit".to_owned() }],
        conclusion: None,
    };
    let figure = line_chart(&values, "x");
    let circles: Vec<f64> = figure
        .svg
        .split("cx=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap_or_default().parse().expect("a number"))
        .collect();
    assert_eq!(circles.len(), 3, "{}", figure.svg);
    assert!((circles[1] - circles[0] - (circles[2] - circles[1])).abs() < 0.3, "{circles:?}");
    assert!(figure.svg.contains("<title>1\u{202f}000: limit</title>"), "{}", figure.svg);
    assert!(figure.caption.contains("1 value"), "it says what was left out: {}", figure.caption);
}

#[test]
fn each_point_of_a_curve_that_is_read_says_both_rates() {
    let curve = |label: &str| Curve {
        label: label.to_owned(),
        points: vec![(0.0, 0.0), (0.125, 0.75), (1.0, 1.0)],
        ..Curve::default()
    };
    let values = Roc { curves: vec![curve("validation"), curve("held-out")], operating_point: None };
    let svg = roc(&values, "r").svg;
    for label in ["validation", "held-out"] {
        let words = format!("<title>{label}: false positive rate 0.125, true positive rate 0.75</title>");
        assert!(svg.contains(&words), "{svg}");
    }
}

#[test]
fn dots_keep_their_order_and_say_which_miss_the_limit() {
    let dot = |label: &str, rows: u64, value: Option<f64>, is_few: bool| Dot {
        label: label.to_owned(),
        rows,
        value,
        interval: value.map(|value| (value - 0.02, value + 0.02)),
        is_few,
    };
    let values = Dots {
        title: "ROC AUC by shift".to_owned(),
        quantity: "ROC AUC".to_owned(),
        dots: vec![
            dot("night", 400, Some(0.7), false),
            dot("day", 900, Some(0.9), false),
            dot("dusk", 20, Some(0.5), true),
            dot("dawn", 1, None, true),
        ],
        limit: DotLimit::AtLeast(0.75),
    };
    let figure = dots(&values, "p");
    let told: Vec<_> = figure.table.iter().map(|row| (row[0].as_str(), row[4].as_str())).collect();
    assert_eq!(told, [("night", "missed"), ("day", "kept"), ("dusk", "too few rows"), ("dawn", "insufficient data")]);
    assert_eq!(
        figure.caption,
        "Worst: night (ROC AUC 0.7, n 400). 1 of 2 miss at least 0.75. 2 values more cannot be judged."
    );
    assert!(figure.svg.contains("insufficient data</text>"), "{}", figure.svg);
    assert_eq!(figure.svg.matches("<polygon").count(), 1, "one diamond: {}", figure.svg);
}

#[test]
fn overlaid_series_differ_in_more_than_colour() {
    let line = |label: &str, y: f64| Line {
        label: label.to_owned(),
        points: vec![(0.0, y), (1.0, y), (2.0, y + 1.0)],
        band: Vec::new(),
    };
    let values = LineChart {
        title: String::new(),
        x: XAxis::Number("step".to_owned()),
        y: String::new(),
        lines: vec![line("first", 1.0), line("second", 2.0)],
        threshold: None,
        annotations: Vec::new(),
        conclusion: None,
    };
    let svg = line_chart(&values, "x").svg;
    assert!(svg.contains("class=\"chart-series-2\" fill=\"none\"") && svg.contains("stroke-dasharray=\"6 3\""));
    assert!(svg.contains("<circle") && svg.contains("<polygon"));
}

#[test]
fn best_so_far_ignores_trials_that_did_not_complete() {
    let trial = |number, value, state| Trial { number, value: Some(value), state };
    let values = TuningHistory {
        objective: "AUC".to_owned(),
        direction: Direction::Maximise,
        most: Some(1.0),
        is_log: false,
        trials: vec![
            trial(4, 0.95, TrialState::Partial),
            trial(2, 0.7, TrialState::Complete),
            trial(1, 0.6, TrialState::Complete),
            trial(3, 0.99, TrialState::Infeasible),
        ],
        budget: Some(10),
    };
    let figure = tuning_history(&values, "t");
    assert_eq!(figure.caption, "Best AUC 0.7 in trial 2; 4 of 10 trials.");
    assert_eq!(figure.table[2], ["3", "infeasible", "0.99", "0.7"]);
    assert_eq!(figure.table[3], ["4", "on fewer rows", "0.95", "0.7"]);
}

#[test]
fn an_axis_ends_where_values_can_go_no_further() {
    let trial = Trial { number: 1, value: Some(0.96), state: TrialState::Complete };
    let of = |most| tuning_history(&TuningHistory { trials: vec![trial], most, ..TuningHistory::default() }, "t").svg;
    assert!(of(None).contains(">1.05<") && !of(Some(1.0)).contains(">1.05<") && of(Some(1.0)).contains(">1.00<"));
}

#[test]
fn a_history_stands_on_a_logarithmic_axis_unless_a_value_is_not_positive() {
    let of = |last: f64| {
        let values = [1_000.0, 0.1, last];
        let trial = |(number, value)| Trial { number, value: Some(value), state: TrialState::Complete };
        let trials = (1..).zip(values).map(trial).collect();
        let direction = Direction::Minimise;
        tuning_history(&TuningHistory { trials, direction, is_log: true, ..TuningHistory::default() }, "t").svg
    };
    assert!(of(10.0).contains(">0.1<") && of(10.0).contains(">100<"), "{}", of(10.0));
    assert!(of(0.0).contains(">400<") && !of(0.0).contains(">0.1<"), "{}", of(0.0));
}

#[test]
fn a_confusion_matrix_gives_the_share_of_each_actual_class() {
    let values = ConfusionMatrix {
        classes: vec!["no".to_owned(), "yes".to_owned()],
        counts: vec![vec![90, 10], vec![5, 15]],
        places: Vec::new(),
    };
    let figure = confusion_matrix(&values, "m");
    assert_eq!(figure.table[0], ["no", "90 (90.0\u{202f}%)", "10 (10.0\u{202f}%)"]);
    assert_eq!(
        figure.caption,
        "105 of 120 cases right (87.5\u{202f}%). Most frequent error: no taken for yes, 10 cases."
    );
}

#[test]
fn cells_of_a_confusion_matrix_lead_to_rows_where_there_are_some() {
    let places = |names: [&str; 2]| names.map(str::to_owned).to_vec();
    let values = ConfusionMatrix {
        classes: vec!["no".to_owned(), "yes".to_owned()],
        counts: vec![vec![90, 0], vec![5, 15]],
        places: vec![places(["right", "wrong"]), places(["a\"b", ""])],
    };
    let svg = confusion_matrix(&values, "m").svg;
    assert_eq!(svg.matches("<a href=").count(), 2, "neither of no rows nor of no place: {svg}");
    assert!(svg.contains("<a href=\"#right\">") && svg.contains("<a href=\"#a&quot;b\">"), "{svg}");
    assert!(svg.contains("role=\"group\"") && svg.matches("</a>").count() == 2, "{svg}");
}

#[test]
fn a_histogram_of_values_counts_every_value_once() {
    let binned = Histogram::of_values("x", &[0.0, 1.0, 2.0, 10.0, f64::NAN], 5);
    assert_eq!(binned.counts, [2, 1, 0, 0, 1]);
    assert_eq!(binned.missing, 1);
    let constant = Histogram::of_values("x", &[3.0; 7], 5);
    assert_eq!(constant.counts, [7]);
}

#[test]
fn html_holds_caption_picture_and_numbers() {
    let html = ordinary()[0].html();
    let order = [
        "<figure class=\"figure\">",
        "<figcaption",
        "<svg",
        "<details class=\"figure-data\">",
        "<table class=\"table\">",
    ];
    let places: Vec<_> = order.iter().map(|part| html.find(part)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
}
