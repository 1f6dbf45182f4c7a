//! The success metric over the versions of a model.

use millrace_charts::{Annotation, Figure, Line, LineChart, XAxis, line_chart};
use millrace_domain::view::ModelSummary;

use crate::pages::quantity::metric_title;

/// One line over the versions that were measured; none for fewer than two, which make no course.
pub fn metric_over_versions(versions: &[ModelSummary]) -> Option<Figure> {
    let mut measured: Vec<&ModelSummary> = versions.iter().filter(|version| version.value.is_some()).collect();
    measured.sort_by_key(|version| version.version);
    let newest = measured.last()?;
    let y = metric_title(&newest.metric);
    let comparable: Vec<&ModelSummary> =
        measured.iter().filter(|version| version.metric == newest.metric).copied().collect();
    let points = comparable.iter().filter_map(|version| Some((f64::from(version.version), version.value?))).collect();
    let intervals: Option<Vec<(f64, f64)>> = comparable.iter().map(|version| version.interval).collect();
    let live = comparable.iter().filter(|version| version.stage == "live");
    let values = LineChart {
        title: format!("{y} over versions"),
        x: XAxis::Number("Version".to_owned()),
        y: y.clone(),
        lines: vec![Line { label: y, points, band: intervals.unwrap_or_default() }],
        threshold: None,
        annotations: live
            .map(|version| Annotation { x: f64::from(version.version), label: "live".to_owned() })
            .collect(),
        conclusion: None,
    };
    (comparable.len() > 1).then(|| line_chart(&values, "metric-over-versions"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: i32, metric: &str, value: Option<f64>) -> ModelSummary {
        ModelSummary {
            slug: "taxi-tips".to_owned(),
            version: number,
            stage: "registered".to_owned(),
            run: "17".to_owned(),
            metric: metric.to_owned(),
            value,
            interval: None,
            author: "Engineer".to_owned(),
            overridden: false,
            archived: false,
            created_at: serde_json::from_str("\"2026-11-23T14:05:00Z\"").expect("a time"),
        }
    }

    #[test]
    fn one_version_makes_no_course() {
        assert_eq!(metric_over_versions(&[version(1, "roc_auc", Some(0.8))]), None);
    }

    #[test]
    fn only_values_of_the_same_metric_are_joined() {
        let versions =
            [version(3, "roc_auc", Some(0.9)), version(2, "roc_auc", Some(0.8)), version(1, "log_loss", Some(0.4))];
        let figure = metric_over_versions(&versions).expect("two versions share the metric");
        assert_eq!(figure.table.len(), 2, "{:?}", figure.table);
    }
}
