//! Runs as rows.

use leptos::prelude::*;
use millrace_charts::duration;
use millrace_domain::view::RunSummary;

use crate::components::{Measured, Moment, StateBadge};
use crate::pages::quantity::metric_title;

/// A row a run.
#[component]
pub fn RunTable(
    /// The runs, in the order they are shown.
    rows: Vec<RunSummary>,
) -> impl IntoView {
    view! {
        <div class="table-wrap" role="region" aria-label="Runs" tabindex="0">
            <table class="table" data-stack>
                <caption class="visually-hidden">"Runs, newest first"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Run"</th>
                        <th scope="col">"Problem"</th>
                        <th scope="col">"State"</th>
                        <th scope="col">"Trainer"</th>
                        <th scope="col">"Test value, 95 % interval"</th>
                        <th scope="col">"Model"</th>
                        <th scope="col">"Launched"</th>
                        <th scope="col" class="num">"Took"</th>
                    </tr>
                </thead>
                <tbody>{rows.into_iter().map(run_row).collect_view()}</tbody>
            </table>
        </div>
    }
}

fn run_row(run: RunSummary) -> impl IntoView {
    let problem = format!("/problems/{}/v/{}", run.problem, run.problem_version);
    let model = run.model_version.map(|version| {
        let href = format!("/models/{}/v/{version}", run.problem);
        view! { <a href=href>{format!("v{version}")}</a> }
    });
    view! {
        <tr>
            <th scope="row" data-label="Run"><a href=format!("/runs/{}", run.id)>{format!("#{}", run.id)}</a></th>
            <td data-label="Problem"><a href=problem>{format!("{} v{}", run.problem, run.problem_version)}</a></td>
            <td data-label="State"><StateBadge state=run.state/></td>
            <td data-label="Trainer">
                <span class="tag">{run.trainer}</span>
                {run.reproduces.map(|first| view! { <span class="muted">{format!(" repeats #{first}")}</span> })}
            </td>
            <td data-label="Test value">
                <span class="muted">{metric_title(&run.metric)} " "</span>
                <Measured value=run.value interval=run.interval/>
            </td>
            <td data-label="Model">{model}</td>
            <td data-label="Launched"><Moment at=run.created_at/> <span class="muted">" by " {run.author}</span></td>
            <td class="num" data-label="Took">{run.seconds.map_or_else(|| "n/a".to_owned(), duration)}</td>
        </tr>
    }
}
