//! The columns of one window, those whose drift matters most first.

use leptos::prelude::*;
use millrace_charts::{Sparkline, number, percent, sparkline};
use millrace_domain::monitor::{ColumnFinding, Finding, Verdict};
use millrace_domain::view::MonitorView;

use super::asked::{Asked, against};
use crate::components::TableRegion;

/// The table.
#[component]
pub fn ColumnTable(
    /// What is watched.
    monitor: MonitorView,
    /// The window's finding.
    finding: Finding,
    /// The page's path.
    page: String,
    /// What the address asks for.
    asked: Asked,
) -> impl IntoView {
    let answers = finding.columns.last().map(|column| column.name.clone());
    let mut columns = finding.columns;
    columns.sort_by(|a, b| {
        let is_drifted = |column: &ColumnFinding| column.verdict == Verdict::Drifted;
        is_drifted(b).cmp(&is_drifted(a)).then(b.weight().total_cmp(&a.weight()))
    });
    let window = monitor.chosen.map(|ends| ends.timestamp().to_string()).unwrap_or_default();
    let caption = format!("Columns with their distances to {}", against(&monitor));
    let shown = monitor.bins.as_ref().map(|bins| bins.column.clone());
    let rows = columns
        .into_iter()
        .map(|column| {
            let is_answer = answers.as_deref() == Some(column.name.as_str());
            let course = monitor.courses.iter().find(|course| course.column == column.name);
            let trend = course.map(|course| Sparkline {
                name: format!("{} of {}", monitor.rule.metric, column.name),
                values: course.distances.iter().map(|distance| distance.unwrap_or(f64::NAN)).collect(),
                threshold: Some(monitor.rule.threshold),
            });
            let trend = trend.map(|trend| sparkline(&trend, &format!("trend-{}", column.name)).svg);
            let href = asked.closely(&page, &column.name, &window) + "#closely-section";
            let current = (shown.as_deref() == Some(column.name.as_str())).then_some("true");
            view! { <Row column href current is_answer trend/> }
        })
        .collect_view();
    view! {
        <TableRegion label="Features and answers">
            <table class="table" data-stack>
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>
                        <th scope="col">"Column"</th>
                        <th scope="col">"Verdict"</th>
                        <th scope="col" class="num">"Distance"</th>
                        <th scope="col">"Over windows"</th>
                        <th scope="col" class="num">"Importance"</th>
                        <th scope="col" class="num">"Missing"</th>
                        <th scope="col" class="num">"Unseen"</th>
                        <th scope="col">"Moved most"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableRegion>
    }
}

#[component]
fn Row(
    column: ColumnFinding,
    href: String,
    current: Option<&'static str>,
    is_answer: bool,
    trend: Option<String>,
) -> impl IntoView {
    let all = format!(
        "KL {}, JS {}, PSI {}, KS {}, p = {}",
        number(column.distances.kl),
        number(column.distances.js),
        number(column.distances.psi),
        number(column.ks),
        number(column.chance)
    );
    let moved = column
        .moved
        .as_ref()
        .map(|(bin, before, now)| format!("{bin}: {} to {}", percent(*before), percent(*now)))
        .unwrap_or_default();
    let importance = if is_answer { "the answer".to_owned() } else { percent(column.importance) };
    view! {
        <tr>
            <th scope="row" data-label="Column"><a href=href aria-current=current>{column.name.clone()}</a></th>
            <td data-label="Verdict"><span class="badge" data-state=column.verdict.as_str()>{column.verdict.to_string()}</span></td>
            <td class="num" data-label="Distance" title=all>{number(column.distance)}</td>
            <td data-label="Over windows">{trend.map(|svg| view! { <span inner_html=svg></span> })}</td>
            <td class="num" data-label="Importance">{importance}</td>
            <td class="num" data-label="Missing">{percent(column.missing)}</td>
            <td class="num" data-label="Unseen">{column.unseen.map_or_else(|| "n/a".to_owned(), percent)}</td>
            <td data-label="Moved most">{moved}</td>
        </tr>
    }
}
