//! Curves of several runs, drawn over each other.

use std::collections::BTreeMap;

use millrace_charts::{
    ConfusionMatrix, Curve, Direction, Figure, Line, LineChart, ParallelAxis, ParallelCoordinates, ParallelLine,
    PrecisionRecall, Roc, confusion_matrix, line_chart, number, precision_recall, roc,
};
use millrace_domain::metric::{self, Metric};
use millrace_domain::view::{ComparedValues, Course, RunComparison, RunCurves, RunSummary};
use serde_json::Value;

use super::curve_look::CurveLook;
use super::search_plots::coordinate;
use crate::pages::quantity::part_and_metric;

/// Courses that are drawn, at most.
const MOST_COURSES: usize = 12;

/// Every figure that at least one of the runs has values for; a curve keeps the place of its run, so that a run has one colour.
pub(super) fn figures(compared: &RunComparison, look: CurveLook) -> Vec<Figure> {
    let curves = &compared.curves;
    let score = |metric: &str| compared.metrics.iter().find(|row| row.name == metric);
    let overlaid = |points: fn(&RunCurves) -> &Vec<(f64, f64)>, metric: &str| -> Vec<Curve> {
        let curve = |(place, own): (usize, &RunCurves)| Curve {
            label: label(own),
            points: points(own).clone(),
            score: score(metric).and_then(|row: &ComparedValues| row.values.get(place)?.as_f64()),
            interval: score(metric).and_then(|row| *row.intervals.get(place)?),
        };
        curves.iter().enumerate().map(curve).collect()
    };
    let has_any = |curves: &[Curve]| curves.iter().any(|curve| !curve.points.is_empty());
    let receiver = overlaid(|own| &own.roc, "test.roc_auc");
    let precision = overlaid(|own| &own.precision_recall, "test.pr_auc");
    let receiver = has_any(&receiver).then(|| roc(&Roc { curves: receiver, operating_point: None }, "compared-roc"));
    let precision = has_any(&precision).then(|| {
        let mut shares = curves.iter().filter(|own| !own.precision_recall.is_empty()).map(|own| own.prevalence);
        let first = shares.next().flatten();
        // Runs on other data have other shares; a line for one of them would be wrong for the rest.
        let prevalence = first.filter(|first| shares.all(|share| share == Some(*first)));
        precision_recall(&PrecisionRecall { curves: precision, prevalence, operating_point: None }, "compared-pr")
    });
    receiver
        .into_iter()
        .chain(precision)
        .chain(courses(curves, look))
        .chain(curves.iter().filter_map(confusion))
        .collect()
}

/// The confusion matrix of one run.
fn confusion(own: &RunCurves) -> Option<Figure> {
    let values = ConfusionMatrix { classes: own.classes.clone(), counts: own.confusion.clone(), places: Vec::new() };
    let figure =
        (!own.classes.is_empty()).then(|| confusion_matrix(&values, &format!("compared-confusion-{}", own.run)));
    figure.map(|figure| Figure { title: format!("Confusion matrix of {}", label(own)), ..figure })
}

/// A line for each run over the settings that differ, up to the metric by which runs differ; none of fewer than three runs, which a table
/// tells as well.
pub(super) fn settings(compared: &RunComparison) -> Option<ParallelCoordinates> {
    // What only one trainer has does not tell its runs apart.
    let differs = |row: &&ComparedValues| {
        let mut known = row.values.iter().filter(|value| !value.is_null());
        known.next().is_some_and(|first| known.any(|other| other != first))
    };
    let mut axes: Vec<&ComparedValues> = compared.parameters.iter().filter(differs).collect();
    axes.sort_by_key(|row| row.name != "trainer");
    let success = compared.runs.first().map(|run| format!("test.{}", run.metric)).unwrap_or_default();
    let objective = objective(&compared.metrics, &success)?;
    let line = |(place, run): (usize, &RunSummary)| ParallelLine {
        label: format!("run {}", run.id),
        values: axes.iter().map(|row| coordinate(row.values.get(place)?)).collect(),
        objective: objective.values.get(place).and_then(Value::as_f64),
    };
    let values = ParallelCoordinates {
        objective: objective.name.clone(),
        direction: match direction(&objective.name)? {
            metric::Direction::Up => Direction::Maximise,
            metric::Direction::Down => Direction::Minimise,
        },
        axes: axes.iter().map(|row| ParallelAxis { name: row.name.clone(), is_log: false }).collect(),
        lines: compared.runs.iter().enumerate().map(line).collect(),
        ..ParallelCoordinates::default()
    };
    let is_drawn = compared.runs.len() > 2 && !axes.is_empty();
    is_drawn.then_some(values)
}

/// The metric that most runs have, of those that are known to be better one way; of several the success metric, and else of the test part.
fn objective<'m>(metrics: &'m [ComparedValues], success: &str) -> Option<&'m ComparedValues> {
    let known = |row: &&ComparedValues| direction(&row.name).is_some() && !row.is_equal();
    let rank = |row: &ComparedValues| (row.name == success, row.name.starts_with("test."));
    let runs = |row: &ComparedValues| row.values.iter().filter(|value| value.is_number()).count();
    let better = |best, row| if (runs(row), rank(row)) > (runs(best), rank(best)) { row } else { best };
    metrics.iter().filter(known).reduce(better)
}

fn label(own: &RunCurves) -> String {
    format!("run {}", own.run)
}

/// A chart for each metric that at least one run has a course of.
fn courses(curves: &[RunCurves], look: CurveLook) -> Vec<Figure> {
    let own: Vec<&[Course]> = curves.iter().map(|own| own.courses.as_slice()).collect();
    let (drawn, along) = look.points(&own);
    let lines = || curves.iter().map(|own| Line { label: label(own), points: Vec::new(), band: Vec::new() }).collect();
    let mut by_metric: BTreeMap<&str, Vec<Line>> = BTreeMap::new();
    for (place, (own, drawn)) in curves.iter().zip(drawn).enumerate() {
        for (course, points) in own.courses.iter().zip(drawn) {
            let points = look.smoothed(&points).unwrap_or(points);
            by_metric.entry(&course.name).or_insert_with(lines)[place].points = points;
        }
    }
    let figure = |(place, (name, lines)): (usize, (&str, Vec<Line>))| {
        let values = LineChart {
            title: name.to_owned(),
            x: along.clone(),
            y: match look.smoothing {
                Some(weight) => format!("{name}, smoothed by {}", number(weight)),
                None => name.to_owned(),
            },
            conclusion: conclusion(name, curves),
            lines,
            threshold: None,
            annotations: Vec::new(),
        };
        line_chart(&values, &format!("compared-course-{place}"))
    };
    by_metric.into_iter().take(MOST_COURSES).enumerate().map(figure).collect()
}

/// Which run came to the best value that was logged; none where it is not known which way is better.
fn conclusion(name: &str, curves: &[RunCurves]) -> Option<String> {
    let sign = if direction(name)? == metric::Direction::Up { 1.0 } else { -1.0 };
    let courses = curves.iter().flat_map(|own| own.courses.iter().map(move |course| (own, course)));
    let named = courses.filter(|(_, course)| course.name == name);
    let points = named.flat_map(|(own, course)| course.points.iter().map(move |point| (own, point)));
    let finite = points.filter(|(_, point)| point.1.is_finite());
    let (own, point) = finite.reduce(|best, other| if sign * other.1.1 > sign * best.1.1 { other } else { best })?;
    Some(format!("Run {} came to the best value, {} at step {}.", own.run, number(point.1), number(point.0 as f64)))
}

/// Which way a metric is better, if its name says so.
pub(super) fn direction(name: &str) -> Option<metric::Direction> {
    let word = part_and_metric(name).1;
    let is_loss = word.ends_with("loss") || word.ends_with("error");
    match word.parse::<Metric>() {
        Ok(metric) => Some(metric.direction()),
        Err(_) => is_loss.then_some(metric::Direction::Down),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn curves(run: &str, roc: Vec<(f64, f64)>, points: Vec<(i64, f64)>) -> RunCurves {
        RunCurves {
            run: run.to_owned(),
            roc,
            precision_recall: Vec::new(),
            prevalence: None,
            classes: Vec::new(),
            confusion: Vec::new(),
            courses: vec![Course { name: "validation.loss".to_owned(), points, times: Vec::new() }],
        }
    }

    #[test]
    fn runs_are_drawn_over_each_other_each_with_its_score() {
        let compared = RunComparison {
            runs: Vec::new(),
            parameters: Vec::new(),
            metrics: vec![ComparedValues {
                intervals: vec![Some((0.75, 0.85)), None],
                ..row("test.roc_auc", json!([0.8, 0.9]))
            }],
            provenance: Vec::new(),
            tags: Vec::new(),
            curves: vec![
                curves("7", vec![(0.0, 0.0), (1.0, 1.0)], vec![(1, 0.6), (2, 0.5)]),
                curves("9", vec![(0.0, 0.0), (0.2, 0.9), (1.0, 1.0)], vec![(1, 0.5), (2, 0.4), (3, 0.45)]),
            ],
        };
        let figures = figures(&compared, CurveLook::default());
        assert_eq!(figures.len(), 2, "what no run has is not drawn");
        for part in ["run 7: AUC 0.8 (0.75–0.85)", "run 9: AUC 0.9"] {
            assert!(figures[0].svg.contains(part), "{part} in {}", figures[0].svg);
        }
        assert!(
            format!("{:?}", figures[1]).contains("Run 9 came to the best value, 0.4 at step 2."),
            "{:?}",
            figures[1]
        );
    }

    fn row(name: &str, values: Value) -> ComparedValues {
        let values = values.as_array().cloned().unwrap_or_default();
        ComparedValues { name: name.to_owned(), values, intervals: Vec::new() }
    }

    #[test]
    fn settings_that_differ_lead_to_the_metric_that_most_runs_have_on_the_test_part() {
        let metrics = [
            row("baseline.roc_auc", json!([0.5, 0.5, 0.5])),
            row("test.accuracy", json!([0.5, null, 0.6])),
            row("external.temperature", json!([1, 2, 3])),
            row("validation.roc_auc", json!([0.8, 0.7, 0.9])),
            row("test.roc_auc", json!([0.8, 0.7, 0.9])),
        ];
        let name = |success| objective(&metrics, success).map(|row| row.name.as_str());
        assert_eq!((name("test.accuracy"), name("test.roc_auc")), (Some("test.roc_auc"), Some("test.roc_auc")));
        assert_eq!(objective(&metrics[..1], ""), None, "what all runs have alike tells none from another");
    }

    #[test]
    fn of_a_metric_that_is_not_known_none_is_called_the_best() {
        let of = |name: &str| {
            let course = Course { name: name.to_owned(), points: vec![(1, 2.0)], times: Vec::new() };
            conclusion(name, &[RunCurves { courses: vec![course], ..curves("1", Vec::new(), Vec::new()) }])
        };
        assert_eq!(of("external.temperature"), None);
        assert!(of("external.logloss").is_some());
    }
}
