//! What a window, or what is known of it later, shows of each cause of an alert.

use chrono::{DateTime, Utc};
use millrace_domain::metric::{Direction, Metric};
use millrace_domain::monitor::incident::{Cause, InARow, Seen};
use millrace_domain::monitor::{Estimate, Finding, Reference, Verdict, look_at_estimate};
use millrace_domain::problem::{Business, Monitoring, Span};
use millrace_domain::view::{FreshnessView, QualityView};

use crate::incident::{Look, UNWATCHED};

pub(crate) type Between = Option<(DateTime<Utc>, DateTime<Utc>)>;

pub(crate) fn drift_look(slug: &str, rule: &Monitoring, finding: &Finding, window: Between) -> Look {
    let metric = rule.drift.metric;
    let limit = rule.drift.threshold;
    let drifted = finding.drifted();
    let title = match drifted.first() {
        None => format!("Drift: {slug}"),
        Some(first) => {
            let more = if drifted.len() > 1 { format!(" and {} more", drifted.len() - 1) } else { String::new() };
            format!("Drift: {slug} / {} {metric} {} > {limit}{more}", first.name, short(first.distance))
        }
    };
    let fact = |column: &&millrace_domain::monitor::ColumnFinding| {
        let moved = column
            .moved
            .as_ref()
            .map(|(bin, before, now)| format!("; {bin} went from {} % to {} %", percent(*before), percent(*now)));
        let what = format!("{metric} {} > {limit}{}", short(column.distance), moved.unwrap_or_default());
        (column.name.clone(), what)
    };
    let mut facts: Vec<(String, String)> = drifted.iter().map(fact).collect();
    facts.push(("Answers in the window".to_owned(), finding.n.to_string()));
    Look {
        cause: Cause::Drift,
        seen: match finding.verdict {
            Verdict::Drifted => Seen::Breach,
            Verdict::Stable => Seen::Fine,
            Verdict::TooFew | Verdict::NoData => Seen::Unknown,
        },
        in_a_row: rule.drift.in_a_row(),
        title,
        facts,
        window,
    }
}

/// None where the document sets no limit, or its metric is not estimated.
pub(crate) fn estimate_look(
    rule: &Monitoring,
    metric: Metric,
    reference: &Reference,
    finding: &Finding,
    window: Between,
) -> Option<Look> {
    let limit = rule.estimated_loss.filter(|_| Estimate::has(metric))?;
    let (seen, estimates) = look_at_estimate(reference, metric, Some(finding), limit);
    let metric = metric.title();
    let told = estimates.map_or_else(
        || "cannot be told".to_owned(),
        |(held_out, now)| format!("{}, {} on the held-out rows", short(now), short(held_out)),
    );
    Some(Look {
        cause: Cause::Estimate,
        seen,
        in_a_row: rule.drift.in_a_row(),
        title: format!("Estimated quality: {metric} {told}"),
        facts: vec![
            (format!("{metric}, estimated"), format!("{told}; it may be {limit} worse")),
            ("Answers in the window".to_owned(), finding.n.to_string()),
        ],
        window,
    })
}

pub(crate) fn no_data_look(rule: &Monitoring, finding: &Finding, window: Between) -> Look {
    Look {
        cause: Cause::NoData,
        seen: if finding.n + finding.failed == 0 { Seen::Breach } else { Seen::Fine },
        in_a_row: rule.drift.in_a_row(),
        title: format!("No traffic: nobody asked within {}", rule.window.in_words()),
        facts: vec![("Answers in the window".to_owned(), finding.n.to_string())],
        window,
    }
}

pub(crate) fn business_look(
    rule: &Monitoring,
    metric: &Business,
    mean: Option<(f64, u64)>,
    window: Between,
) -> Option<Look> {
    let limit = metric.limit?;
    let (seen, told) = match mean {
        None => (Seen::Unknown, "no value".to_owned()),
        Some((mean, n)) => {
            let is_worse = if metric.direction == Direction::Up { mean < limit } else { mean > limit };
            let sign = if metric.direction == Direction::Up { '<' } else { '>' };
            let told = format!("{} {} {sign} {limit}, mean of {n} values", short(mean), metric.unit);
            (if is_worse { Seen::Breach } else { Seen::Fine }, told)
        }
    };
    let title = format!("Business metric: {} {told}", metric.name);
    Some(Look {
        cause: Cause::Business,
        seen,
        in_a_row: rule.drift.in_a_row(),
        title,
        facts: vec![(metric.name.clone(), told)],
        window,
    })
}

pub(crate) fn freshness_look(freshness: &[FreshnessView], window: Between) -> Look {
    let stale: Vec<&FreshnessView> = freshness.iter().filter(|data| data.is_stale).collect();
    let age = |seconds: i64| Span::of_seconds(rounded(seconds.unsigned_abs())).in_words();
    let title = match stale.first() {
        None => "Stale data".to_owned(),
        Some(first) => {
            let limit = age(first.limit_seconds.unwrap_or_default());
            format!(
                "Stale data: the newest row of {} is {} old, more than {limit}",
                first.dataset,
                age(first.age_seconds)
            )
        }
    };
    let fact = |data: &&FreshnessView| {
        let newest = data.newest.format("%Y-%m-%d %H:%M UTC");
        (
            data.dataset.clone(),
            format!("newest row of {newest}, {} old (version {})", age(data.age_seconds), data.version),
        )
    };
    Look {
        cause: Cause::Freshness,
        seen: match (freshness.is_empty(), stale.is_empty()) {
            (true, _) => Seen::Unknown,
            (_, true) => Seen::Fine,
            _ => Seen::Breach,
        },
        in_a_row: InARow::ONE,
        title,
        facts: stale.iter().map(fact).collect(),
        window,
    }
}

pub(crate) fn quality_look(quality: &QualityView, window: Between) -> Look {
    let QualityView { metric, value, limit, labelled, answered, interval, .. } = quality;
    let range = interval.map(|(low, high)| format!(" (95 %: {} to {})", short(low), short(high))).unwrap_or_default();
    Look {
        cause: Cause::Quality,
        seen: match quality.verdict.as_str() {
            "fail" => Seen::Breach,
            "pass" => Seen::Fine,
            _ => Seen::Unknown,
        },
        in_a_row: InARow::ONE,
        title: format!("Quality: {metric} {} against {limit}", short(*value)),
        facts: vec![
            (metric.clone(), format!("{}{range}; the document asks for {limit}", short(*value))),
            ("Known outcomes".to_owned(), format!("{labelled} of {answered} answers")),
        ],
        window,
    }
}

/// Seconds to the minute, from two hours on to the hour.
const fn rounded(seconds: u64) -> u64 {
    match seconds {
        0..120 => seconds,
        120..7_200 => seconds / 60 * 60,
        _ => seconds / 3_600 * 3_600,
    }
}

/// A number with as many digits as somebody reads at night.
fn short(number: f64) -> String {
    if number == 0.0 || (1e-3..1e6).contains(&number.abs()) {
        let digits = if number.abs() < 10.0 { 3 } else { 1 };
        let text = format!("{number:.digits$}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    format!("{number:.2e}")
}

fn percent(share: f64) -> String {
    short((share * 1_000.0).round() / 10.0)
}

/// What is not watched any more is over.
pub(crate) fn not_watched(cause: Cause) -> Look {
    let facts = vec![("Why it is over".to_owned(), UNWATCHED.to_owned())];
    Look { cause, seen: Seen::Unwatched, in_a_row: InARow::ONE, title: String::new(), facts, window: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.314_15, 12.04, 0.0, 1e-9, 0.5].map(short), ["0.314", "12", "0", "1.00e-9", "0.5"]);
        assert_eq!([0.034_56, 1.0].map(percent), ["3.5", "100"]);
    }
}
