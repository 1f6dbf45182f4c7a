//! Sizes and metrics in words.

use millrace_charts::count;
use millrace_domain::metric::Metric;
use millrace_domain::view::MOST_COUNTED;

use crate::wording::state_words;

/// A size in the unit that leaves one to three digits before the point: `812 B`, `1.4 MB`.
pub fn bytes(size: i64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = size.max(0) as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 || value >= 99.95 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// How many predictions a live version answered: beyond some they are not counted.
pub fn answered(predictions: i64) -> String {
    let told = count(predictions.unsigned_abs());
    if predictions >= MOST_COUNTED { format!("{told} or more") } else { told }
}

/// `test.roc_auc` or `roc_auc` as `ROC AUC`, to stand at the beginning; an unknown name as it is.
pub fn metric_title(name: &str) -> String {
    state_words(metric_words(name))
}

/// The same, to stand inside a sentence: `log loss`.
pub fn metric_words(name: &str) -> &str {
    let (_, metric) = part_and_metric(name);
    let title = metric.parse::<Metric>().ok().map(Metric::title);
    title.unwrap_or(metric)
}

/// `test.roc_auc` as (`test`, `roc_auc`); a name without a part has an empty one.
pub fn part_and_metric(name: &str) -> (&str, &str) {
    name.split_once('.').unwrap_or(("", name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_keep_to_three_digits() {
        let sizes = [0, 812, 1_400, 99_960, 999_600, 3_500_000_000].map(bytes);
        assert_eq!(sizes, ["0 B", "812 B", "1.4 kB", "100 kB", "1.0 MB", "3.5 GB"]);
    }

    #[test]
    fn metrics_are_named_without_their_part() {
        let titles = ["test.roc_auc", "log_loss", "test.slice"].map(metric_title);
        assert_eq!(titles, ["ROC AUC", "Log loss", "Slice"]);
    }
}
