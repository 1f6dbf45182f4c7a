//! What feeds datasets by itself.

use leptos::prelude::*;
use millrace_domain::view::SourceView;

use crate::components::{Moment, StateBadge, TableRegion};
use crate::fault::PageFault;

/// What feeds datasets by itself, or those of one problem.
#[server(name = ListSources, prefix = "/fn", endpoint = "list_sources")]
pub async fn list_sources(problem: Option<String>) -> Result<Vec<SourceView>, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.list_sources(&actor, problem.as_deref()).await?)
}

/// The sources, each with how its last look ended; nothing when there are none.
#[component]
pub fn SourceTable(
    /// The sources.
    sources: Vec<SourceView>,
) -> impl IntoView {
    (!sources.is_empty()).then(|| {
        let rows = sources.into_iter().map(|source| view! { <SourceRow source/> }).collect_view();
        view! {
            <section class="section" aria-labelledby="sources">
                <div class="section-header"><h2 id="sources">"Sources"</h2></div>
                <p class="muted">"Signed-off documents have these looked at; what has changed comes in as a new version."</p>
                <TableRegion label="Sources">
                    <table class="table" data-stack>
                        <thead>
                            <tr>
                                <th scope="col">"Feeds"</th>
                                <th scope="col">"From"</th>
                                <th scope="col">"Every"</th>
                                <th scope="col">"Last look"</th>
                                <th scope="col">"Next"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </TableRegion>
            </section>
        }
    })
}

#[component]
fn SourceRow(source: SourceView) -> impl IntoView {
    let problem = format!("/datasets?problem={}", source.problem);
    let ended = match (source.error, source.loaded) {
        (Some(error), _) => view! { <StateBadge state="failed"/> " " {error} }.into_any(),
        (None, Some((dataset, version))) => {
            let href = format!("/datasets/{dataset}/v/{version}");
            view! { <span>"loaded " <a href=href>{format!("version {version}")}</a></span> }.into_any()
        }
        (None, None) => view! { <span class="muted">"nothing yet"</span> }.into_any(),
    };
    view! {
        <tr>
            <th scope="row" data-label="Feeds">
                {source.dataset}
                <div class="muted"><a href=problem>{source.problem}</a></div>
            </th>
            <td data-label="From">
                <span class="tag">{source.connection}</span>
                " "
                <code>{source.reads}</code>
                {source.append.then(|| view! { <div class="muted">"each file after the others"</div> })}
            </td>
            <td data-label="Every">{source.every}</td>
            <td data-label="Last look">
                {ended} {source.looked_at.map(|at| view! { <div class="muted"><Moment at/></div> })}
            </td>
            <td data-label="Next">
                {match source.next_at {
                    Some(at) => view! { <Moment at/> }.into_any(),
                    None => view! { <span class="muted">"at once"</span> }.into_any(),
                }}
            </td>
        </tr>
    }
}
