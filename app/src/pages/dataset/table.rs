//! Dataset versions as rows: in the list of datasets, and among the versions of one.

use leptos::prelude::*;
use millrace_charts::count;
use millrace_domain::view::DatasetSummary;

use crate::components::{Moment, StateBadge, TableRegion};

/// A row a dataset version, each linked to its report.
#[component]
pub fn DatasetTable(
    /// The versions, in the order they are shown.
    rows: Vec<DatasetSummary>,
    /// What the table holds, for people who don't see it.
    caption: &'static str,
) -> impl IntoView {
    let rows: Vec<_> = rows.into_iter().map(dataset_row).collect();
    view! {
        <TableRegion label=caption>
            <table class="table" data-stack>
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>
                        <th scope="col">"Dataset"</th>
                        <th scope="col">"Problem"</th>
                        <th scope="col">"State"</th>
                        <th scope="col" class="num">"Rows"</th>
                        <th scope="col" class="num">"Columns"</th>
                        <th scope="col">"Findings"</th>
                        <th scope="col">"Uploaded"</th>
                        <th scope="col">"By"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableRegion>
    }
}

fn dataset_row(row: DatasetSummary) -> impl IntoView {
    let findings = findings_in_words(&row);
    let problem = format!("/problems/{}", row.problem);
    view! {
        <tr>
            <th scope="row" data-label="Dataset">
                <div>
                    <a href=version_address(&row.dataset, row.version)>{format!("{} v{}", row.name, row.version)}</a>
                    <div class="muted">{row.file_name}</div>
                    {role_in_words(&row.role).map(|role| view! { <span class="tag">{role}</span> })}
                </div>
            </th>
            <td data-label="Problem"><a href=problem>{row.problem}</a></td>
            <td data-label="State"><StateBadge state=row.state /></td>
            <td class="num" data-label="Rows">{rows_in_words(row.rows)}</td>
            <td class="num" data-label="Columns">{columns_in_words(row.columns)}</td>
            <td data-label="Findings">{findings}</td>
            <td data-label="Uploaded"><Moment at=row.created_at /></td>
            <td data-label="By">{row.author}</td>
        </tr>
    }
}

/// What a version is that is not trained on.
pub fn role_in_words(role: &str) -> Option<&'static str> {
    match role {
        "table" => Some("Table"),
        "environment" => Some("Environment"),
        _ => None,
    }
}

/// Page of a dataset version.
pub fn version_address(dataset: &str, version: i32) -> String {
    format!("/datasets/{dataset}/v/{version}")
}

/// Rows with grouped thousands; a version that is not read yet has none.
pub fn rows_in_words(rows: Option<i64>) -> String {
    rows.map_or_else(|| "n/a".to_owned(), |rows| count(rows.unsigned_abs()))
}

/// Columns, once they are known.
pub fn columns_in_words(columns: Option<u32>) -> String {
    columns.map_or_else(|| "n/a".to_owned(), |columns| count(u64::from(columns)))
}

/// "1 critical, 2 warnings", or "none".
pub fn findings_in_words(row: &DatasetSummary) -> String {
    let warnings = if row.warnings == 1 { "warning" } else { "warnings" };
    match (row.critical, row.warnings) {
        (0, 0) if row.state == "loading" => "n/a".to_owned(),
        (0, 0) if row.state == "rejected" => "could not be read".to_owned(),
        (0, 0) => "none".to_owned(),
        (critical, 0) => format!("{critical} critical"),
        (0, n) => format!("{n} {warnings}"),
        (critical, n) => format!("{critical} critical, {n} {warnings}"),
    }
}
