//! What the steps of a run told, oldest first.

use leptos::prelude::*;
use millrace_domain::run::StepKind;
use millrace_domain::view::LogView;

use crate::components::{Empty, Load};
use crate::fault::PageFault;
use crate::pages::address::address;

/// Lines that the page shows; the file has more.
#[cfg(feature = "ssr")]
const SHOWN: u32 = 500;

/// The newest lines of a run's log, all or those of one kind of step.
#[server(name = FetchRunLog, prefix = "/fn", endpoint = "run_log")]
pub async fn fetch_run_log(id: String, #[server(default)] step: String) -> Result<LogView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.run_log(&actor, crate::pages::address::id(&id, "run")?, Some(&step), SHOWN).await?)
}

/// The tab. Its lines are fetched beside the run, not with it: a reader keeps their place when the run comes anew.
#[component]
pub fn RunLog(
    /// The run.
    #[prop(into)]
    run: Signal<String>,
    /// The kind of step whose lines are shown; all when empty.
    #[prop(into)]
    step: Signal<String>,
    /// Its lines; none of a run that is not there.
    log: Resource<Result<Option<LogView>, PageFault>>,
) -> impl IntoView {
    view! {
        <Load resource=log let:log>
            {log.map(|log| view! { <Lines log run=run.get_untracked() step=step.get_untracked()/> })}
        </Load>
    }
}

#[component]
fn Lines(log: LogView, run: String, step: String) -> impl IntoView {
    if log.lines.is_empty() && step.is_empty() {
        let text =
            "Its steps tell here what they do once they begin. Runs of earlier versions of the program kept none.";
        return view! { <Empty title="No log yet" text/> }.into_any();
    }
    let file = address(&format!("/api/v1/runs/{run}/log"), [("step", step.as_str())]);
    let choice = |kind: &str, title: &str| {
        let href = address(&format!("/runs/{run}"), [("tab", "log"), ("step", kind)]);
        let current = (kind == step).then_some("true");
        let kind = if current.is_some() { "button button-small button-primary" } else { "button button-small" };
        view! { <a class=kind href=href aria-current=current>{title.to_owned()}</a> }
    };
    let choices: Vec<_> = std::iter::once(choice("", "All steps"))
        .chain(log.steps.iter().map(|kind| choice(kind, title(kind))))
        .collect();
    let text: String = log.lines.iter().map(|line| format!("{line}\n")).collect();
    let lines = match text.is_empty() {
        true => view! { <p class="muted">"This step has told nothing."</p> }.into_any(),
        false => view! { <pre class="code log" tabindex="0" aria-label="Log of the run"><code>{text}</code></pre> }
            .into_any(),
    };
    view! {
        <section class="section" aria-labelledby="log">
            <div class="section-header">
                <h2 id="log">"Log"</h2>
                <a href=file rel="external">"All of it"</a>
            </div>
            <nav class="cluster" aria-label="Steps whose lines are shown">{choices}</nav>
            {lines}
        </section>
    }
    .into_any()
}

fn title(kind: &str) -> &str {
    StepKind::ALL.into_iter().find(|step| step.as_str() == kind).map_or(kind, |step| step.title())
}
