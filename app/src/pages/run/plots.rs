//! The figures of a run: which ones its evaluation allows, and their values.

use millrace_charts::{
    Annotation, Bar, Calibration, ConfusionMatrix, Curve, Dot, DotLimit, Dots, Figure, Histogram, HorizontalBars, Line,
    LineChart, OperatingPoint, PrecisionRecall, Residuals, Roc, WholePart, XAxis, calibration, confusion_matrix, count,
    dots, histogram, horizontal_bars, line_chart, number, precision_recall, predicted_vs_actual, residual_histogram,
    roc,
};
use millrace_domain::metric::{Bound, Metric};
use millrace_domain::view::MetricView;
use serde::Deserialize;
use serde_json::Value;

use super::evaluation::{AtThreshold, Class, Confusion, ErrorBin, Evaluation, Slice, Slices};
use super::examples::rows_place;
use super::explained;

/// Classes whose curves are drawn over each other.
const MOST_CLASSES: usize = 8;

/// Every figure that the evaluation has values for, in the order they are read.
pub fn figures(evaluation: &Evaluation, metrics: &[MetricView]) -> Vec<Figure> {
    let scores = Scores { metrics };
    // Where a threshold can be chosen, these are drawn beside it.
    let still = |figure: Option<Figure>| figure.filter(|_| evaluation.thresholds.is_empty());
    [
        still(roc_figure(evaluation, &scores)),
        still(precision_recall_figure(evaluation, &scores)),
        calibration_figure(evaluation, &scores),
        score_figure(&evaluation.scores),
        still(confusion_figure(evaluation)),
        scatter_figure(evaluation, &scores),
        residual_figure(evaluation, &scores),
        tenths_figure(evaluation),
        learning_figure(metrics),
        permutation_figure(evaluation),
        explained::attributions_figure(evaluation),
        importance_figure(&evaluation.importance),
    ]
    .into_iter()
    .flatten()
    .chain(slice_figures(evaluation))
    .chain(explained::dependence_figures(evaluation))
    .collect()
}

/// How a model decides: what each feature is worth, what it contributes, and how answers depend on it.
pub fn deciding_figures(kept: &Value) -> Vec<Figure> {
    let evaluation = Evaluation::read(kept);
    [
        permutation_figure(&evaluation),
        explained::attributions_figure(&evaluation),
        importance_figure(&evaluation.importance),
    ]
    .into_iter()
    .flatten()
    .chain(explained::dependence_figures(&evaluation))
    .collect()
}

/// What a threshold moves: the points on the curves, and how often each class is taken for each.
pub fn at_threshold(evaluation: &Evaluation, metrics: &[MetricView], threshold: f64, at: AtThreshold) -> Vec<Figure> {
    let counts = vec![vec![at.true_negative, at.false_positive], vec![at.false_negative, at.true_positive]];
    let labels = evaluation.confusion.as_ref().map(|confusion| confusion.labels.clone()).unwrap_or_default();
    let moved = Evaluation {
        roc: evaluation.roc.clone(),
        precision_recall: evaluation.precision_recall.clone(),
        prevalence: evaluation.prevalence,
        threshold: Some(threshold),
        confusion: Some(Confusion { labels, counts }),
        // Rows are those of the model's own threshold.
        has_rows: evaluation.has_rows && evaluation.threshold.is_some_and(|own| (own - threshold).abs() < 1e-9),
        ..Evaluation::default()
    };
    let scores = Scores { metrics };
    [roc_figure(&moved, &scores), precision_recall_figure(&moved, &scores), confusion_figure(&moved)]
        .into_iter()
        .flatten()
        .collect()
}

/// The curves of the class of that label against all others; else of those with most rows.
pub(super) fn class_figures(classes: &[Class], label: &str) -> Vec<Figure> {
    let rows = classes.iter().map(|class| class.rows).sum();
    let mut shown: Vec<&Class> = classes.iter().filter(|class| class.label == label).collect();
    if shown.is_empty() {
        shown = classes.iter().filter(|class| !class.roc.is_empty()).collect();
        shown.sort_by_key(|class| std::cmp::Reverse(class.rows));
        shown.truncate(MOST_CLASSES);
    }
    class_roc_figure(&shown).into_iter().chain(class_precision_recall_figure(&shown, rows)).collect()
}

/// A metric by the value of a column, a figure for each rule of the document, also where there are too few rows for a gate.
fn slice_figures(evaluation: &Evaluation) -> Vec<Figure> {
    let figure = |(place, slices): (usize, &Slices)| {
        let is_few = |slice: &Slice| slice.rows < slices.min_rows;
        let (limit, sign) = match slices.bound {
            Bound::AtLeast(limit) => (DotLimit::AtLeast(limit), 1.0),
            Bound::AtMost(limit) => (DotLimit::AtMost(limit), -1.0),
        };
        let height = |slice: &Slice| slice.observed.map_or(f64::INFINITY, |seen| sign * seen);
        let mut values: Vec<&Slice> = slices.values.iter().collect();
        // What is judged comes first, the worst of it on top.
        values.sort_by(|a, b| is_few(a).cmp(&is_few(b)).then(height(a).total_cmp(&height(b))));
        let dot = |slice: &Slice| Dot {
            label: slice.value.clone().unwrap_or_else(|| "missing".to_owned()),
            rows: slice.rows,
            value: slice.observed,
            interval: slice.interval,
            is_few: is_few(slice),
        };
        let title = slices.metric.title();
        let unit = evaluation.unit_of(slices.metric);
        let values = Dots {
            title: format!("{title} by {}, {}{}", slices.by, slices.bound, unit.replacen(',', "", 1)),
            quantity: format!("{title}{unit}"),
            dots: values.into_iter().map(dot).collect(),
            limit,
        };
        (!values.dots.is_empty()).then(|| dots(&values, &format!("slices-{place}")))
    };
    evaluation.slices.iter().enumerate().filter_map(figure).collect()
}

/// The loss by boosting round, on the validation part and on rows that were learned from; none of trainers that have no rounds.
fn learning_figure(metrics: &[MetricView]) -> Option<Figure> {
    let course = |name: &str| -> Vec<(f64, f64)> {
        let rounds = metrics.iter().filter(|metric| metric.step > 0 && metric.name == name);
        rounds.map(|metric| (f64::from(metric.step), metric.value)).collect()
    };
    let points = course("validation.loss");
    let of = metrics.iter().find(|metric| metric.name == "training.loss").map_or(0, |metric| metric.n.unsigned_abs());
    let (round, loss) = least(&points)?;
    let conclusion = format!(
        "The validation loss is least, {}, after {} of {} rounds; with early stopping the model keeps the rounds up to there.",
        number(loss),
        count(round as u64),
        count(points.len() as u64)
    );
    let learned = (format!("training, {} rows", count(of)), course("training.loss"));
    Some(loss_chart(points, learned, round, conclusion))
}

/// The same while the model is fitted, from what its step has reported.
pub(super) fn growing_figure(progress: &Value) -> Option<Figure> {
    let told: Vec<(f64, f64, Option<f64>)> = Deserialize::deserialize(progress.get("curve")?).ok()?;
    let points: Vec<(f64, f64)> = told.iter().map(|(round, validation, _)| (*round, *validation)).collect();
    let learned = told.iter().filter_map(|(round, _, training)| Some((*round, (*training)?))).collect();
    let (round, loss) = least(&points)?;
    let last = points.last()?.0;
    let conclusion = format!(
        "After {} rounds the validation loss is least, {}, in round {}; the model is still fitted.",
        count(last as u64),
        number(loss),
        count(round as u64)
    );
    Some(loss_chart(points, ("training".to_owned(), learned), round, conclusion))
}

fn least(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let finite = points.iter().copied().filter(|point| point.1.is_finite());
    finite.reduce(|best, point| if point.1 < best.1 { point } else { best })
}

fn loss_chart(points: Vec<(f64, f64)>, learned: (String, Vec<(f64, f64)>), best: f64, conclusion: String) -> Figure {
    let values = LineChart {
        title: "Learning curve".to_owned(),
        x: XAxis::Number("Round".to_owned()),
        y: "Loss".to_owned(),
        lines: [("validation".to_owned(), points), learned]
            .into_iter()
            .filter(|(_, points)| !points.is_empty())
            .map(|(label, points)| Line { label, points, band: Vec::new() })
            .collect(),
        threshold: None,
        annotations: vec![Annotation { x: best, label: "best".to_owned() }],
        conclusion: Some(conclusion),
    };
    line_chart(&values, "learning")
}

/// Features by what the model loses without them, on the test part.
fn permutation_figure(evaluation: &Evaluation) -> Option<Figure> {
    let metric = evaluation.permutation_metric?;
    let bar = |(name, mean, least, most): &(String, f64, f64, f64)| Bar {
        label: name.clone(),
        value: *mean,
        interval: Some((*least, *most)),
    };
    let bars: Vec<Bar> = evaluation.permutation.iter().map(bar).collect();
    let values = HorizontalBars {
        title: "What each feature is worth".to_owned(),
        quantity: format!("{} lost when it is shuffled{}", metric.title(), evaluation.unit_of(metric)),
        is_signed: bars.iter().any(|bar| bar.value < 0.0),
        bars,
    };
    (!evaluation.permutation.is_empty()).then(|| horizontal_bars(&values, "permutation"))
}

/// Inputs by what the model gains from them; none without inputs.
fn importance_figure(importance: &[(String, f64)]) -> Option<Figure> {
    let bars: Vec<Bar> =
        importance.iter().map(|(label, value)| Bar { label: label.clone(), value: *value, interval: None }).collect();
    let is_signed = bars.iter().any(|bar| bar.value < 0.0);
    let values = HorizontalBars {
        title: "What the model was fitted with most".to_owned(),
        quantity: if is_signed { "coefficient" } else { "importance" }.to_owned(),
        bars,
        is_signed,
    };
    (!importance.is_empty()).then(|| horizontal_bars(&values, "importance"))
}

/// Final metrics of the test part, by name.
pub(super) struct Scores<'a> {
    pub metrics: &'a [MetricView],
}

impl Scores<'_> {
    fn find(&self, metric: &str) -> Option<&MetricView> {
        self.metrics.iter().find(|known| known.step == 0 && known.name.strip_prefix("test.") == Some(metric))
    }

    pub(super) fn curve(&self, points: &[(f64, f64)], metric: &str) -> Curve {
        let found = self.find(metric);
        Curve {
            label: "test".to_owned(),
            points: points.to_vec(),
            score: found.map(|metric| metric.value),
            interval: found.and_then(|metric| metric.interval),
        }
    }
}

fn roc_figure(evaluation: &Evaluation, scores: &Scores<'_>) -> Option<Figure> {
    let values = Roc {
        curves: vec![scores.curve(&evaluation.roc, "roc_auc")],
        operating_point: operating_point(evaluation, |[tn, fp, fneg, tp]| (fp / (fp + tn), tp / (tp + fneg))),
    };
    (!evaluation.roc.is_empty()).then(|| roc(&values, "roc"))
}

fn precision_recall_figure(evaluation: &Evaluation, scores: &Scores<'_>) -> Option<Figure> {
    let values = PrecisionRecall {
        curves: vec![scores.curve(&evaluation.precision_recall, "pr_auc")],
        prevalence: evaluation.prevalence,
        operating_point: operating_point(evaluation, |[_, fp, fneg, tp]| (tp / (tp + fneg), tp / (tp + fp))),
    };
    (!evaluation.precision_recall.is_empty()).then(|| precision_recall(&values, "precision-recall"))
}

/// The ROC curve of each of these classes.
fn class_roc_figure(classes: &[&Class]) -> Option<Figure> {
    let curve = |class: &&Class| Curve {
        label: class.label.clone(),
        points: class.roc.clone(),
        score: class.roc_auc,
        interval: class.roc_auc_interval,
    };
    let curves: Vec<Curve> = classes.iter().filter(|class| !class.roc.is_empty()).map(curve).collect();
    (!curves.is_empty()).then(|| roc(&Roc { curves, operating_point: None }, "class-roc"))
}

/// The precision–recall curve of each of these classes, of so many rows of all. Each has its own prevalence, so of several there is no one line of
/// guessing.
fn class_precision_recall_figure(classes: &[&Class], rows: u64) -> Option<Figure> {
    let curve = |class: &&Class| Curve {
        label: class.label.clone(),
        points: class.pr.clone(),
        score: class.pr_auc,
        interval: None,
    };
    let curves: Vec<Curve> = classes.iter().filter(|class| !class.pr.is_empty()).map(curve).collect();
    let prevalence = match classes {
        [one] if rows > 0 => Some(one.rows as f64 / rows as f64),
        _ => None,
    };
    let values = PrecisionRecall { curves, prevalence, operating_point: None };
    (!values.curves.is_empty()).then(|| precision_recall(&values, "class-precision-recall"))
}

/// Where the threshold puts the model; none when one side of the matrix is empty.
fn operating_point(evaluation: &Evaluation, place: impl Fn([f64; 4]) -> (f64, f64)) -> Option<OperatingPoint> {
    let threshold = evaluation.threshold?;
    let (x, y) = place(evaluation.confusion.as_ref().and_then(Confusion::two_classes)?);
    (x.is_finite() && y.is_finite()).then_some(OperatingPoint { x, y, threshold })
}

fn calibration_figure(evaluation: &Evaluation, scores: &Scores<'_>) -> Option<Figure> {
    let values = Calibration {
        bins: evaluation.calibration.clone(),
        brier: scores.find("brier").map(|metric| metric.value),
        expected_error: scores.find("ece").map(|metric| metric.value),
    };
    let figure = (!values.bins.is_empty()).then(|| calibration(&values, "calibration"))?;
    Some(match evaluation.classes.is_empty() {
        true => figure,
        false => Figure { title: "Calibration of the most probable class".to_owned(), ..figure },
    })
}

fn confusion_figure(evaluation: &Evaluation) -> Option<Figure> {
    let confusion = evaluation.confusion.as_ref().filter(|confusion| !confusion.labels.is_empty())?;
    let labels = &confusion.labels;
    let places = |actual: &String| labels.iter().map(|predicted| rows_place(actual, predicted)).collect();
    let places: Vec<Vec<String>> = labels.iter().map(places).collect();
    let values = ConfusionMatrix {
        classes: labels.clone(),
        counts: confusion.counts.clone(),
        places: if evaluation.has_rows { places } else { Vec::new() },
    };
    Some(confusion_matrix(&values, "confusion"))
}

fn scatter_figure(evaluation: &Evaluation, scores: &Scores<'_>) -> Option<Figure> {
    let values = residuals(evaluation, scores)?;
    Some(predicted_vs_actual(&values, "scatter"))
}

fn residual_figure(evaluation: &Evaluation, scores: &Scores<'_>) -> Option<Figure> {
    let values = residuals(evaluation, scores)?;
    Some(residual_histogram(&values, "residuals"))
}

fn residuals(evaluation: &Evaluation, scores: &Scores<'_>) -> Option<Residuals> {
    let points = evaluation.scatter.clone();
    let whole = scores.find("rmse").zip(evaluation.residual_mean).map(|(rmse, mean)| WholePart {
        rmse: rmse.value,
        rows: rmse.n.unsigned_abs(),
        mean: -mean,
        largest: evaluation.largest_errors.clone(),
    });
    let whole = whole.filter(|whole| !whole.largest.is_empty());
    (!points.is_empty()).then_some(Residuals { points, unit: evaluation.unit.clone().unwrap_or_default(), whole })
}

/// Whether a model is off more where it predicts more.
fn tenths_figure(evaluation: &Evaluation) -> Option<Figure> {
    let tenths = &evaluation.tenths;
    let counted = |name: &str| format!("{name}{}", evaluation.unit_of(Metric::Mae));
    let at = |bin: &ErrorBin| f64::midpoint(bin.low, bin.high);
    let line = |label: &str, of: &dyn Fn(&ErrorBin) -> f64| Line {
        label: label.to_owned(),
        points: tenths.iter().map(|bin| (at(bin), of(bin))).collect(),
        band: Vec::new(),
    };
    let bias = Line {
        band: tenths.iter().map(|bin| (-bin.quantiles.1, -bin.quantiles.0)).collect(),
        ..line("mean of predicted − actual, and where nine in ten lie", &|bin| -bin.mean)
    };
    let worst = tenths.iter().reduce(|worst, bin| if bin.absolute > worst.absolute { bin } else { worst })?;
    let conclusion = format!(
        "Predictions from {} to {} are furthest off: by {} in the mean over {} rows.",
        number(worst.low),
        number(worst.high),
        number(worst.absolute),
        count(worst.rows)
    );
    let values = LineChart {
        title: "Errors by tenths of the predictions".to_owned(),
        x: XAxis::Number(counted("Predicted")),
        y: counted("Error"),
        lines: vec![bias, line("mean absolute error", &|bin| bin.absolute)],
        threshold: None,
        annotations: Vec::new(),
        conclusion: Some(conclusion),
    };
    Some(line_chart(&values, "tenths"))
}

/// Only a two-class model has scores; for others every bin is empty.
fn score_figure(bins: &[(f64, f64, u64)]) -> Option<Figure> {
    let first = bins.first().filter(|_| bins.iter().any(|bin| bin.2 > 0))?;
    let values = Histogram {
        title: "Scores of the test part".to_owned(),
        name: "Score".to_owned(),
        edges: std::iter::once(first.0).chain(bins.iter().map(|bin| bin.1)).collect(),
        counts: bins.iter().map(|bin| bin.2).collect(),
        ..Histogram::default()
    };
    Some(histogram(&values, "scores"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn titles(artifact: &serde_json::Value) -> Vec<String> {
        figures(&Evaluation::read(artifact), &[]).into_iter().map(|figure| figure.title).collect()
    }

    #[test]
    fn only_figures_with_values_are_drawn() {
        let artifact = json!({"test": {"roc": [[0.0, 0.0], [1.0, 1.0]]}, "importance": [["fare", 0.4]]});
        assert_eq!(titles(&artifact), ["ROC curve", "What the model was fitted with most"]);
    }

    #[test]
    fn boosting_shows_where_its_loss_was_least() {
        let loss = |step: i32, value: f64| MetricView {
            name: "validation.loss".to_owned(),
            step,
            value,
            interval: None,
            n: 100,
        };
        let metrics = [loss(1, 0.6), loss(2, 0.4), loss(3, f64::NAN), loss(4, 0.5)];
        let figure = learning_figure(&metrics).expect("a figure");
        assert!(figure.caption.contains("0.4, after 2 of 4 rounds"), "{}", figure.caption);
        assert_eq!(learning_figure(&[]), None);
    }

    #[test]
    fn a_model_that_is_being_fitted_shows_its_losses_so_far() {
        let figure =
            growing_figure(&json!({"curve": [[2, 0.6, 0.5], [4, 0.4, 0.3], [6, 0.5, null]]})).expect("a figure");
        assert!(
            figure.caption.contains("After 6 rounds the validation loss is least, 0.4, in round 4"),
            "{}",
            figure.caption
        );
        assert!(figure.html().contains("training"));
        assert_eq!(growing_figure(&json!({"done": 1, "total": 9})), None);
    }

    #[test]
    fn a_regression_shows_its_scatter_and_residuals() {
        let artifact = json!({"test": {"scatter": [[1.0, 1.2], [2.0, 1.9]], "scores": [[0.0, 1.0, 0]]}});
        assert_eq!(titles(&artifact), ["Predicted against actual", "Residuals"]);
    }

    #[test]
    fn the_operating_point_follows_from_the_confusion_matrix() {
        let artifact =
            json!({"test": {"threshold": 0.5, "confusion": {"labels": ["no", "yes"], "counts": [[6, 2], [1, 3]]}}});
        let evaluation = Evaluation::read(&artifact);
        let point = operating_point(&evaluation, |[tn, fp, fneg, tp]| (fp / (fp + tn), tp / (tp + fneg)));
        assert_eq!(point, Some(OperatingPoint { x: 0.25, y: 0.75, threshold: 0.5 }));
    }

    #[test]
    fn curves_are_of_the_class_that_is_chosen_with_its_prevalence_or_of_those_with_most_rows() {
        let class = |place: u64| Class {
            label: format!("c{place}"),
            rows: 10 * place,
            roc: vec![(0.0, 0.0), (1.0, 1.0)],
            pr: vec![(0.0, 1.0), (1.0, 0.5)],
            ..Class::default()
        };
        let mut classes: Vec<Class> = (1..=9).map(class).collect();
        let chosen = class_figures(&classes, "c9");
        assert!(chosen[0].svg.contains("c9") && !chosen[0].svg.contains("c8"), "{}", chosen[0].svg);
        assert!(chosen[1].svg.contains("prevalence 0.2"), "90 of 450 rows: {}", chosen[1].svg);
        let most = &class_figures(&classes, "")[0].svg;
        assert!(most.contains("c9") && most.contains("c2") && !most.contains("c1"), "{most}");
        (classes[0].roc, classes[0].pr) = (Vec::new(), Vec::new());
        assert_eq!(class_figures(&classes, "c1"), []);
    }

    #[test]
    fn a_calibration_is_told_with_the_edges_and_the_error_that_were_measured() {
        let bin = json!({"low": 0.02, "high": 0.31, "predicted": 0.2, "observed": 0.25, "count": 40});
        let ece = MetricView { name: "test.ece".to_owned(), step: 0, value: 0.05, interval: None, n: 40 };
        let drawn = figures(&Evaluation::read(&json!({"test": {"calibration": [bin]}})), &[ece]);
        assert_eq!(drawn[0].table[0][0], "0.02–0.31");
        assert!(drawn[0].caption.starts_with("Expected calibration error 0.05."), "{}", drawn[0].caption);
    }

    #[test]
    fn a_threshold_moves_the_points_on_the_curves_and_the_confusion_together() {
        let artifact = json!({"test": {
            "roc": [[0.0, 0.0], [1.0, 1.0]], "pr": [[0.0, 1.0], [1.0, 0.4]],
            "confusion": {"labels": ["no", "yes"], "counts": [[9, 1], [5, 5]]}, "thresholds": [[0.2, 4, 6, 1, 9]]
        }});
        let evaluation = Evaluation::read(&artifact);
        assert_eq!(figures(&evaluation, &[]), []);
        let drawn = at_threshold(&evaluation, &[], 0.2, evaluation.thresholds[0]);
        let titles: Vec<&str> = drawn.iter().map(|figure| figure.title.as_str()).collect();
        assert_eq!(titles, ["ROC curve", "Precision–recall curve", "Confusion matrix"]);
        assert!(
            drawn[2].table[0][2].starts_with("6 (") && drawn[2].table[1][2].starts_with("9 ("),
            "{:?}",
            drawn[2].table
        );
    }

    #[test]
    fn a_confusion_leads_to_its_rows_at_the_threshold_that_they_are_of_and_at_no_other() {
        let artifact = json!({"test": {
            "threshold": 0.5, "confusion": {"labels": ["no", "yes"], "counts": [[9, 1], [5, 5]]}, "thresholds": [[0.2, 4, 6, 1, 9]]
        }});
        let evaluation = Evaluation { has_rows: true, ..Evaluation::read(&artifact) };
        let svg = |threshold| at_threshold(&evaluation, &[], threshold, evaluation.thresholds[0]).remove(0).svg;
        assert!(svg(0.5).contains(&format!("href=\"#{}\"", rows_place("no", "yes"))), "{}", svg(0.5));
        assert!(!svg(0.2).contains("<a "), "{}", svg(0.2));
    }

    #[test]
    fn slices_are_shown_also_where_they_have_too_few_rows_for_a_gate() {
        let values = json!([
            {"value": "card", "rows": 700, "observed": 0.9, "interval": [0.8, 0.95]},
            {"value": "cash", "rows": 900, "observed": 0.5, "interval": [0.4, 0.6]},
            {"value": "other", "rows": 3, "observed": null, "interval": null},
            {"value": null, "rows": 150, "observed": 0.48, "interval": null}
        ]);
        let slices = json!({"by": "payment", "metric": "roc_auc", "bound": {"at_least": 0.55}, "min_rows": 200, "values": values});
        let drawn = figures(&Evaluation::read(&json!({"slices": [slices]})), &[]);
        assert_eq!(drawn[0].title, "ROC AUC by payment, ≥ 0.55");
        let names: Vec<&str> = drawn[0].table.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(names, ["cash", "card", "missing", "other"], "the worst that is judged is on top");
    }

    #[test]
    fn figures_of_a_number_name_what_it_is_counted_in() {
        let artifact = json!({
            "unit": "minutes",
            "test": {"scatter": [[1.0, 1.2], [2.0, 1.9]], "tenths": [
                {"low": 1.0, "high": 2.0, "rows": 40, "mean": 0.1, "absolute": 0.2, "quantiles": [-0.4, 0.5]}]},
            "permutation": {"metric": "rmse", "features": [["queue", 0.5, 0.4, 0.6]]},
            "slices": [{"by": "door", "metric": "mae", "bound": {"at_most": 5.0}, "min_rows": 9, "values": [
                {"value": "north", "rows": 70, "observed": 4.0, "interval": null}]}],
            "contributions": {"unit": "answer", "rows": 3, "features": [{"name": "queue", "mean": 0.8, "points": [[0.9, 0.9]]}]},
            "dependence": [{"feature": "queue", "points": [[1.0, 0.2, 0.1, 0.3, 0.5], [9.0, 0.6, 0.4, 0.7, 0.5]]}],
        });
        let drawn = figures(&Evaluation::read(&artifact), &[]);
        let without: Vec<&str> =
            drawn.iter().filter(|figure| !figure.svg.contains("minutes")).map(|figure| figure.title.as_str()).collect();
        assert_eq!((drawn.len(), without), (7, Vec::new()));
        assert!(drawn.iter().any(|figure| figure.title == "mean absolute error by door, ≤ 5 minutes"), "{drawn:?}");
    }

    #[test]
    fn residuals_are_told_of_all_rows_and_not_of_those_that_are_drawn() {
        let artifact = json!({"test": {
            "scatter": [[1.0, 1.2], [2.0, 1.9]], "largest_errors": [[5.0, 1.0], [1.0, 1.2]], "residual_mean": 0.5
        }});
        let rmse = MetricView { name: "test.rmse".to_owned(), step: 0, value: 3.0, interval: None, n: 8_690 };
        let drawn = figures(&Evaluation::read(&artifact), &[rmse]);
        let told = "Root mean squared error 3, largest error 4, n 8\u{202f}690. 2 of them are drawn.";
        assert!(drawn[0].caption.starts_with(told), "{}", drawn[0].caption);
        assert_eq!(drawn[0].table[0], ["5", "1", "−4"]);
        assert!(drawn[1].caption.starts_with("Mean residual −0.5"), "{}", drawn[1].caption);
    }
}
