//! Figures of how a model answers: what features contribute, and how answers depend on them.

use millrace_charts::{
    Attribution, AttributionPoint, Attributions, DependenceAt, DependencePoint, Figure, PartialDependence,
    attributions, partial_dependence,
};

use super::evaluation::{Dependence, Evaluation, Place};

/// What features contribute to the answers of some test rows; none of runs from before it was measured.
pub(super) fn attributions_figure(evaluation: &Evaluation) -> Option<Figure> {
    let found = evaluation.contributions.as_ref().filter(|found| !found.features.is_empty())?;
    let features = found.features.iter().map(|feature| Attribution {
        name: feature.name.clone(),
        mean_absolute: feature.mean,
        points: feature.points.iter().map(|(contribution, level)| point(*contribution, *level)).collect(),
    });
    // Where it is the answer that moves, it moves by what the answer is counted in.
    let unit = evaluation.unit.as_ref().filter(|_| found.unit == "answer").unwrap_or(&found.unit);
    let values = Attributions { unit: unit.clone(), rows: found.rows, features: features.collect() };
    Some(attributions(&values, "attributions"))
}

const fn point(contribution: f64, level: Option<f64>) -> AttributionPoint {
    AttributionPoint { contribution, level }
}

/// How the mean answer depends on the features that contribute most.
pub(super) fn dependence_figures(evaluation: &Evaluation) -> Vec<Figure> {
    // Only classes are told by a score between 0 and 1.
    let answer = if evaluation.scatter.is_empty() { "score" } else { "prediction" };
    let drawn = evaluation.dependence.iter().enumerate();
    drawn.map(|(place, found)| dependence_figure(place, found, answer, evaluation.unit.as_ref())).collect()
}

fn dependence_figure(place: usize, found: &Dependence, answer: &str, unit: Option<&String>) -> Figure {
    let point = |(at, mean, low, high, share): &(Place, f64, f64, f64, f64)| DependencePoint {
        at: match at {
            Place::Number(number) => DependenceAt::Number(*number),
            Place::Level(level) => DependenceAt::Word(level.clone()),
        },
        mean: *mean,
        low: *low,
        high: *high,
        share: *share,
    };
    let values = PartialDependence {
        feature: found.feature.clone(),
        unit: unit.cloned(),
        answer: answer.to_owned(),
        is_category: found.points.iter().any(|point| matches!(point.0, Place::Level(_))),
        points: found.points.iter().map(point).collect(),
    };
    partial_dependence(&values, &format!("dependence-{place}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn contributions_and_dependence_are_read_as_they_were_written() {
        let artifact = json!({
            "contributions": {"unit": "log-odds", "rows": 3, "features": [
                {"name": "fare", "mean": 0.8, "points": [[0.9, 0.9], [-0.7, 0.1], [0.2, null]]}]},
            "dependence": [
                {"feature": "fare", "points": [[1.0, 0.2, 0.1, 0.3, 0.5], [9.0, 0.6, 0.4, 0.7, 0.5]]},
                {"feature": "company", "points": [["Blue", 0.4, 0.3, 0.5, 0.6], ["Other", 0.3, 0.2, 0.5, 0.4]]}],
        });
        let evaluation = Evaluation::read(&artifact);
        let figure = attributions_figure(&evaluation).expect("a figure");
        assert!(figure.caption.contains("fare"), "{}", figure.caption);
        assert_eq!(dependence_figures(&evaluation).len(), 2);
    }

    #[test]
    fn a_run_from_before_shows_none_of_them() {
        let evaluation = Evaluation::read(&json!({}));
        assert_eq!(attributions_figure(&evaluation), None);
        assert_eq!(dependence_figures(&evaluation), []);
    }
}
