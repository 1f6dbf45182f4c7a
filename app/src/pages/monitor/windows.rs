//! Every window in one line.

use leptos::prelude::*;
use millrace_charts::{count, number};
use millrace_domain::view::{MonitorView, WindowView};

use super::asked::Asked;
use crate::components::{Moment, TableRegion};

/// Windows that are listed when nobody asks for more.
const USUAL: usize = 12;

/// The windows, newest first.
#[component]
pub fn WindowTable(
    /// What is watched.
    monitor: MonitorView,
    /// The page's path.
    page: String,
    /// What the address asks for.
    asked: Asked,
) -> impl IntoView {
    let column = monitor.bins.as_ref().map(|bins| bins.column.clone()).unwrap_or_default();
    let chosen = monitor.chosen;
    let all = !asked.windows.is_empty() || asked.is_span();
    let older = (!all && (monitor.has_older || monitor.windows.len() > USUAL)).then(|| {
        let href = asked.more(&page, &column) + "#windows";
        view! { <a class="button button-small" href=href>"Show up to 200"</a> }
    });
    let most = if all { usize::MAX } else { USUAL };
    let rows = monitor
        .windows
        .into_iter()
        .rev()
        .take(most)
        .map(|window| {
            let end = window.ends.timestamp().to_string();
            let href = asked.closely(&page, &column, &end);
            let is_chosen = Some(window.ends) == chosen;
            view! { <Row window href is_chosen/> }
        })
        .collect_view();
    view! {
        <section class="section stack" aria-labelledby="windows">
            <div class="section-header"><h2 id="windows">"Windows"</h2> {older}</div>
            <p class="muted">
                "Windows in which nobody asked are left out. \"Perhaps not all\": a server had not written what it counted last when the window \
                 was judged."
            </p>
            <TableRegion label="Windows">
                <table class="table" data-stack>
                    <caption class="visually-hidden">"Windows, newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Until"</th>
                            <th scope="col">"Verdict"</th>
                            <th scope="col" class="num">"Version"</th>
                            <th scope="col" class="num">"Answers"</th>
                            <th scope="col" class="num">"Without one"</th>
                            <th scope="col" class="num">"p99"</th>
                            <th scope="col" class="num">"Weighted drift"</th>
                            <th scope="col">"Quality"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
        </section>
    }
}

#[component]
fn Row(window: WindowView, href: String, is_chosen: bool) -> impl IntoView {
    let finding = window.finding;
    let (state, verdict) = finding.as_ref().map_or(("skipped", "not watched".to_owned()), |finding| {
        (finding.verdict.as_str(), finding.verdict.to_string())
    });
    let number_of = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), number);
    let p99 = finding.as_ref().and_then(|finding| finding.latency).map(|latency| latency.p99);
    let quality = window.quality.map(|quality| {
        let text = format!("{} {}", quality.metric.replace('_', " "), number(quality.value));
        view! { <span class="badge" data-state=quality.verdict>{text}</span> }
    });
    view! {
        <tr>
            <th scope="row" data-label="Until"><a href=href aria-current=is_chosen.then_some("true")><Moment at=window.ends/></a></th>
            <td data-label="Verdict"><span class="badge" data-state=state>{verdict}</span></td>
            <td class="num" data-label="Version">{format!("v{}", window.version)}</td>
            <td class="num" data-label="Answers">
                {(!window.uncounted.is_empty()).then(|| view! { <span class="badge" data-state="warning">"perhaps not all"</span> " " })}
                {count(finding.as_ref().map_or(0, |finding| finding.n))}
            </td>
            <td class="num" data-label="Without one">{count(finding.as_ref().map_or(0, |finding| finding.failed))}</td>
            <td class="num" data-label="p99">{p99.map_or_else(|| "none".to_owned(), |ms| format!("{} ms", number(ms)))}</td>
            <td class="num" data-label="Weighted drift">{number_of(finding.as_ref().and_then(|finding| finding.weighted))}</td>
            <td data-label="Quality">{quality}</td>
        </tr>
    }
}
