//! Drift against the version before, or what an environment is compared with, by the distance and the limit of the document.

use std::collections::BTreeSet;

use millrace_domain::drift::{ColumnDrift, DriftTable};
use millrace_domain::problem::{DriftMetric, ProblemDocument};
use millrace_domain::schema::{Finding, Severity};

use super::finding::Check;
use crate::wording::counted;

pub(super) fn check(table: &DriftTable, problem: &ProblemDocument, used: &BTreeSet<String>) -> Vec<Finding> {
    let rule = &problem.monitoring;
    let (limit, metric) = (rule.drift.threshold, rule.drift.metric);
    let rows = table.reference_rows.min(table.current_rows);
    let expected = format!("{} to {} at most {limit}", title(metric), table.reference());
    if rows < rule.min_rows {
        let observed = format!("{} on one side; a verdict takes {}", counted(rows, "row"), rule.min_rows);
        return vec![Check::warning("drift").skipped(expected, observed)];
    }
    let severity = |column: &str| if used.contains(column) { Severity::Warning } else { Severity::Info };
    table
        .columns
        .iter()
        .map(|column| {
            let check = Check { name: "drift", column: Some(&column.column), severity: severity(&column.column) };
            let distance = column.distance(metric);
            check.decided(distance <= limit, super::Offenders::default(), expected.clone(), told(column, distance))
        })
        .collect()
}

/// The reference that a document names has no valid version yet.
pub(super) fn without_reference(asked: &str) -> Finding {
    let expected = format!("a valid version of {asked} to compare with");
    Check::warning("drift").skipped(expected, "there is none yet")
}

fn told(column: &ColumnDrift, distance: f64) -> String {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    match column.widest() {
        Some((bin, before, now)) => {
            format!("{distance:.4}; most in {bin:?}, from {} to {}", percent(before), percent(now))
        }
        None => format!("{distance:.4}"),
    }
}

const fn title(metric: DriftMetric) -> &'static str {
    match metric {
        DriftMetric::Kl => "Kullback\u{2013}Leibler divergence",
        DriftMetric::Js => "Jensen\u{2013}Shannon divergence",
        DriftMetric::Psi => "population stability index",
        DriftMetric::Ks => "Kolmogorov\u{2013}Smirnov statistic",
    }
}
