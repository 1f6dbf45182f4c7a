//! What validation found in a dataset version: the banner, the filter that the address carries, and the findings.

use leptos::prelude::*;
use leptos_router::components::Form;
use leptos_router::params::ParamsMap;
use millrace_charts::count;
use millrace_domain::schema::{CheckOutcome, Finding, Severity, ValidationReport};
use millrace_domain::view::CheckHistory;

use crate::components::TableRegion;
use crate::wording::sentence;

use super::mutes::{MuteNote, Mutes};
use super::strip::HistoryStrip;

/// Which findings are shown; empty means all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FindingFilter {
    /// Outcome word.
    pub outcome: String,
    /// Column name.
    pub column: String,
}

impl FindingFilter {
    /// From an address.
    pub fn from_query(query: &ParamsMap) -> Self {
        Self { outcome: query.get("outcome").unwrap_or_default(), column: query.get("column").unwrap_or_default() }
    }

    /// Whether nothing is left out.
    pub fn is_open(&self) -> bool {
        self.outcome.is_empty() && self.column.is_empty()
    }

    /// What passes the filter, the most serious first.
    pub fn apply(&self, report: &ValidationReport) -> Vec<Finding> {
        let mut kept: Vec<Finding> = report.findings.iter().filter(|finding| self.keeps(finding)).cloned().collect();
        kept.sort_by_key(rank);
        kept
    }

    fn keeps(&self, finding: &Finding) -> bool {
        (self.outcome.is_empty() || finding.outcome.as_str() == self.outcome)
            && (self.column.is_empty() || finding.column.as_deref() == Some(self.column.as_str()))
    }
}

/// Failed before errored before skipped before passed, critical before warnings within each.
fn rank(finding: &Finding) -> (u8, std::cmp::Reverse<Severity>) {
    let outcome = match finding.outcome {
        CheckOutcome::Failed => 0,
        CheckOutcome::Errored => 1,
        CheckOutcome::Skipped => 2,
        CheckOutcome::Passed => 3,
    };
    (outcome, std::cmp::Reverse(finding.severity))
}

/// "37 of 40 checks passed", and whether training may go on.
#[component]
pub fn ReportBanner(
    /// The report.
    report: ValidationReport,
    /// What the rows are to the problem: `examples`, `table` or `environment`.
    role: String,
    /// What is muted.
    mutes: Mutes,
) -> impl IntoView {
    let title = format!("{} of {} checks passed", report.passed(), report.findings.len());
    let muted = report.warnings().filter(|finding| mutes.of(finding).is_some()).count();
    let open = report.warnings().count() - muted;
    let (kind, words) = verdict(&report, &role, open, muted);
    view! {
        <div class="callout" data-kind=kind>
            <p class="callout-title">{title}</p>
            <p>{words}</p>
        </div>
    }
}

/// Callout kind and words.
fn verdict(report: &ValidationReport, role: &str, open: usize, muted: usize) -> (&'static str, String) {
    let (may, blocked, warned) = match role {
        "table" => ("Rows may be joined to it", "No row is joined to it", "along with the model"),
        "environment" => ("No critical check is broken", "These rows are not as the document asks", "with them"),
        _ => ("Training may start on it", "Training is blocked", "along with the model"),
    };
    let muted = match muted {
        0 => String::new(),
        1 => " 1 warning is muted.".to_owned(),
        n => format!(" {n} warnings are muted."),
    };
    match (report.allows_training(), report.blocking().count(), open) {
        (false, 0, _) => ("error", format!("{blocked}: nothing was checked.")),
        (false, n, _) => ("error", format!("{blocked}: {} must hold first.{muted}", checks(n, "critical check"))),
        (true, _, 0) => ("success", format!("{may}.{muted}")),
        (true, _, n) => ("warning", format!("{may}; {} {warned}.{muted}", travelling(n))),
    }
}

fn checks(n: usize, name: &str) -> String {
    if n == 1 { format!("1 {name}") } else { format!("{n} {name}s") }
}

fn travelling(n: usize) -> String {
    if n == 1 { "1 warning travels".to_owned() } else { format!("{n} warnings travel") }
}

/// The filter as a form; its fields live in the address.
#[component]
pub fn FindingFilterForm(
    /// Page to filter.
    action: String,
    /// What is chosen.
    filter: FindingFilter,
    /// The report, for the columns that it speaks of.
    report: ValidationReport,
) -> impl IntoView {
    let outcomes =
        [CheckOutcome::Failed, CheckOutcome::Errored, CheckOutcome::Skipped, CheckOutcome::Passed].map(|outcome| {
            let n = report.findings.iter().filter(|finding| finding.outcome == outcome).count();
            let label = format!("{} ({n})", outcome.as_str());
            view! { <option value=outcome.as_str() selected=filter.outcome == outcome.as_str()>{label}</option> }
        });
    let columns: std::collections::BTreeSet<String> =
        report.findings.iter().filter_map(|finding| finding.column.clone()).collect();
    let columns: Vec<_> = columns
        .into_iter()
        .map(|column| {
            let selected = filter.column == column;
            view! { <option value=column.clone() selected=selected>{column.clone()}</option> }
        })
        .collect();
    let clear =
        (!filter.is_open()).then(|| view! { <a class="button button-quiet" href=action.clone()>"Clear filters"</a> });
    view! {
        <Form method="GET" action=action attr:class="filters" attr:role="search">
            <div class="field">
                <label class="label" for="finding-outcome">"Outcome"</label>
                <select class="input" id="finding-outcome" name="outcome">
                    <option value="">"All"</option>
                    {outcomes}
                </select>
            </div>
            <div class="field">
                <label class="label" for="finding-column">"Column"</label>
                <select class="input" id="finding-column" name="column">
                    <option value="">"All"</option>
                    {columns}
                </select>
            </div>
            <button class="button" data-icon="search">"Filter"</button>
            {clear}
        </Form>
    }
}

/// How checks ended in a version and in those before it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histories {
    /// The versions, oldest first.
    pub versions: Vec<i32>,
    /// The checks that ever did not hold.
    pub checks: Vec<CheckHistory>,
}

impl Histories {
    /// What is known of the check of a finding, once there is more than one version.
    fn of(&self, finding: &Finding) -> Option<CheckHistory> {
        let is_it = |history: &&CheckHistory| history.check == finding.check && history.column == finding.column;
        self.checks.iter().find(is_it).filter(|_| self.versions.len() > 1).cloned()
    }
}

/// Findings with what was expected, what was seen, and example rows.
#[component]
pub fn FindingTable(
    /// The findings, in the order they are shown.
    findings: Vec<Finding>,
    /// How the checks ended in the versions before.
    history: Histories,
    /// What is muted.
    mutes: Mutes,
) -> impl IntoView {
    let rows: Vec<_> = findings
        .into_iter()
        .map(|finding| {
            let before = history.of(&finding);
            finding_row(finding, before, history.versions.clone(), mutes.clone())
        })
        .collect();
    view! {
        <TableRegion label="Findings">
            <table class="table" data-stack>
                <caption class="visually-hidden">"Checks with what was expected and what was seen"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Check"</th>
                        <th scope="col">"Outcome"</th>
                        <th scope="col">"Column"</th>
                        <th scope="col">"Seen, and what was asked"</th>
                        <th scope="col" class="num">"Rows"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableRegion>
    }
}

fn finding_row(finding: Finding, history: Option<CheckHistory>, versions: Vec<i32>, mutes: Mutes) -> impl IntoView {
    let (state, words, tone) = appearance(&finding);
    let column = finding.column.clone().map_or_else(
        || view! { <span class="muted">"whole dataset"</span> }.into_any(),
        |column| view! { <code>{column}</code> }.into_any(),
    );
    view! {
        <tr data-tone=tone>
            <th scope="row" data-label="Check">
                <div class="check-title stack stack-tight">
                    <span>{finding.check.replace('_', " ")}</span>
                    {history.map(|history| view! { <HistoryStrip history versions/> })}
                </div>
            </th>
            <td data-label="Outcome"><span class="badge" data-state=state>{words}</span></td>
            <td data-label="Column">{column}</td>
            <td data-label="Seen">
                <div class="stack stack-tight">
                    <span>{sentence(&finding.observed)}</span>
                    <span class="muted">"Asked: " {finding.expected.clone()}</span>
                    {examples(finding.examples.clone(), finding.unexpected_rows)}
                    <MuteNote mutes finding=finding.clone()/>
                </div>
            </td>
            <td class="num" data-label="Rows">
                {(finding.unexpected_rows > 0).then(|| count(finding.unexpected_rows))}
            </td>
        </tr>
    }
}

fn examples(examples: Vec<(u64, String)>, unexpected: u64) -> Option<impl IntoView> {
    let summary = format!("{} of {} rows", examples.len(), count(unexpected));
    let shown = !examples.is_empty();
    let items: Vec<_> = examples
        .into_iter()
        .map(|(row, value)| view! { <li>{format!("row {}: ", count(row))}<code>{value}</code></li> })
        .collect();
    shown.then(|| view! { <details><summary>{summary}</summary><ul>{items}</ul></details> })
}

/// Badge state, words and row tone of a finding.
fn appearance(finding: &Finding) -> (&'static str, &'static str, Option<&'static str>) {
    match (finding.outcome, finding.severity) {
        (CheckOutcome::Passed, _) => ("pass", "Passed", None),
        (CheckOutcome::Failed, Severity::Critical) => ("fail", "Failed, critical", Some("bad")),
        (CheckOutcome::Failed, Severity::Warning) => ("warning", "Failed, warning", Some("warn")),
        (CheckOutcome::Failed, Severity::Info) => ("warning", "Noted", None),
        (CheckOutcome::Errored, Severity::Critical) => ("error", "Could not be checked, critical", Some("bad")),
        (CheckOutcome::Errored, _) => ("error", "Could not be checked", Some("warn")),
        (CheckOutcome::Skipped, _) => ("skipped", "Nothing to check", None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(check: &str, column: &str, severity: Severity, outcome: CheckOutcome) -> Finding {
        Finding {
            check: check.to_owned(),
            column: Some(column.to_owned()),
            severity,
            outcome,
            expected: String::new(),
            observed: String::new(),
            unexpected_rows: 0,
            examples: Vec::new(),
            rows: Vec::new(),
        }
    }

    fn report() -> ValidationReport {
        ValidationReport {
            drift: None,
            findings: vec![
                finding("types", "fare", Severity::Critical, CheckOutcome::Passed),
                finding("range", "fare", Severity::Warning, CheckOutcome::Failed),
                finding("categories", "company", Severity::Info, CheckOutcome::Skipped),
                finding("null_share", "tips", Severity::Critical, CheckOutcome::Failed),
                finding("label", "tips", Severity::Critical, CheckOutcome::Errored),
            ],
        }
    }

    fn shown(outcome: &str, column: &str) -> Vec<String> {
        let filter = FindingFilter { outcome: outcome.to_owned(), column: column.to_owned() };
        filter.apply(&report()).into_iter().map(|finding| finding.check).collect()
    }

    #[test]
    fn the_most_serious_findings_come_first() {
        assert_eq!(shown("", ""), ["null_share", "range", "label", "categories", "types"]);
    }

    #[test]
    fn filters_hold_together() {
        assert_eq!(shown("failed", "fare"), ["range"]);
    }

    #[test]
    fn a_check_that_could_not_be_made_never_looks_passed() {
        let errored = finding("label", "tips", Severity::Critical, CheckOutcome::Errored);
        assert_eq!(appearance(&errored).0, "error");
    }
}
