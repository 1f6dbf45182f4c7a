//! What the steps of a run told, oldest first.

use leptos::prelude::*;
use millrace_domain::view::LogLineView;

use crate::components::{Empty, Load};
use crate::fault::PageFault;

/// Lines that the page shows; the file has more.
#[cfg(feature = "ssr")]
const SHOWN: u32 = 500;

/// The newest lines of a run's log.
#[server(name = FetchRunLog, prefix = "/fn", endpoint = "run_log")]
pub async fn fetch_run_log(id: String) -> Result<Vec<LogLineView>, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.run_log(&actor, crate::pages::address::id(&id, "run")?, SHOWN).await?)
}

/// The tab. Its lines are fetched beside the run, not with it: a reader keeps their place when the run comes anew.
#[component]
pub fn RunLog(
    /// The run.
    #[prop(into)]
    run: Signal<String>,
    /// Its lines; none of a run that is not there.
    lines: Resource<Result<Option<Vec<LogLineView>>, PageFault>>,
) -> impl IntoView {
    view! {
        <Load resource=lines let:lines>
            {lines.map(|lines| view! { <Lines lines file=format!("/api/v1/runs/{}/log", run.get_untracked())/> })}
        </Load>
    }
}

#[component]
fn Lines(lines: Vec<LogLineView>, file: String) -> impl IntoView {
    if lines.is_empty() {
        let text =
            "Its steps tell here what they do once they begin. Runs of earlier versions of the program kept none.";
        return view! { <Empty title="No log yet" text/> }.into_any();
    }
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    view! {
        <section class="section" aria-labelledby="log">
            <div class="section-header">
                <h2 id="log">"Log"</h2>
                <a href=file rel="external">"All of it"</a>
            </div>
            <pre class="code log" tabindex="0" aria-label="Log of the run"><code>{text}</code></pre>
        </section>
    }
    .into_any()
}
