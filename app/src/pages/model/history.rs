//! The success metric over the versions of a model.

use millrace_charts::{Annotation, Figure, Line, LineChart, XAxis, line_chart};
use millrace_domain::view::{AliasView, ModelSummary};

use crate::pages::quantity::metric_title;

/// One line over the versions that were measured, and which of them is live or has an alias; none for fewer than two, which make no
/// course.
pub fn metric_over_versions(versions: &[ModelSummary], aliases: &[AliasView]) -> Option<Figure> {
    let mut measured: Vec<&ModelSummary> = versions.iter().filter(|version| version.value.is_some()).collect();
    measured.sort_by_key(|version| version.version);
    let newest = measured.last()?;
    let y = metric_title(&newest.metric);
    let comparable: Vec<&ModelSummary> =
        measured.iter().filter(|version| version.metric == newest.metric).copied().collect();
    let points = comparable.iter().filter_map(|version| Some((f64::from(version.version), version.value?))).collect();
    let intervals: Option<Vec<(f64, f64)>> = comparable.iter().map(|version| version.interval).collect();
    let named = |version: &&ModelSummary| {
        let live = (version.stage == "live").then_some("live");
        // An alias that follows the deployment says what the stage does.
        let own = aliases.iter().filter(|alias| !alias.follows && alias.version == Some(version.version));
        let names: Vec<&str> = live.into_iter().chain(own.map(|alias| alias.name.as_str())).collect();
        (!names.is_empty()).then(|| Annotation { x: f64::from(version.version), label: names.join(", ") })
    };
    let values = LineChart {
        title: format!("{y} over versions"),
        x: XAxis::Number("Version".to_owned()),
        y: y.clone(),
        lines: vec![Line { label: y, points, band: intervals.unwrap_or_default() }],
        threshold: None,
        annotations: comparable.iter().filter_map(named).collect(),
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
            title: "Big tips".to_owned(),
            version: number,
            stage: "registered".to_owned(),
            run: "17".to_owned(),
            trainer: "gradient_boosting".to_owned(),
            data: "january v2".to_owned(),
            data_page: "/datasets/5/v/2".to_owned(),
            metric: metric.to_owned(),
            value,
            interval: None,
            guardrails: Vec::new(),
            author: "Engineer".to_owned(),
            overridden: false,
            archived: false,
            live: None,
            asked_at: None,
            created_at: serde_json::from_str("\"2026-11-23T14:05:00Z\"").expect("a time"),
        }
    }

    #[test]
    fn one_version_makes_no_course() {
        assert_eq!(metric_over_versions(&[version(1, "roc_auc", Some(0.8))], &[]), None);
    }

    #[test]
    fn only_values_of_the_same_metric_are_joined() {
        let versions =
            [version(3, "roc_auc", Some(0.9)), version(2, "roc_auc", Some(0.8)), version(1, "log_loss", Some(0.4))];
        let figure = metric_over_versions(&versions, &[]).expect("two versions share the metric");
        assert_eq!(figure.table.len(), 2, "{:?}", figure.table);
    }

    #[test]
    fn versions_that_are_live_or_have_an_alias_are_named() {
        let live = ModelSummary { stage: "live".to_owned(), ..version(2, "roc_auc", Some(0.8)) };
        let alias = |name: &str, follows: bool, version: i32| AliasView {
            name: name.to_owned(),
            follows,
            version: Some(version),
            moves: Vec::new(),
        };
        let aliases = [alias("champion", true, 2), alias("stable", false, 2), alias("next", false, 3)];
        let versions = [version(3, "roc_auc", Some(0.9)), live, version(1, "roc_auc", Some(0.7))];
        let figure = metric_over_versions(&versions, &aliases).expect("a course");
        for label in ["2: live, stable", "3: next"] {
            assert!(figure.svg.contains(label), "{label}: {}", figure.svg);
        }
        assert!(!figure.svg.contains("champion"), "the stage says so");
    }
}
