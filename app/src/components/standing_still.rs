//! What stands still on the servers.

use leptos::prelude::*;
use millrace_domain::view::StandingStill as Part;

use crate::components::Moment;

/// Says what is not done, and since when. Nobody would notice otherwise: what stands still tells nothing.
#[component]
pub fn StandingStill(parts: Vec<Part>) -> impl IntoView {
    (!parts.is_empty()).then(|| {
        let parts =
            parts.into_iter().map(|part| view! { <li>{part.missing} " since " <Moment at=part.since/> "."</li> });
        view! {
            <div class="callout" data-kind="error" role="status">
                <p class="callout-title">"Part of the servers stands still"</p>
                <ul>{parts.collect_view()}</ul>
                <p>"See which servers run, whether one of them watches, and what their logs say."</p>
            </div>
        }
    })
}
