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
                <p class="callout-title">"Nobody looks after what is live"</p>
                <ul>{parts.collect_view()}</ul>
                <p>"See whether a server runs that watches, and what its log says."</p>
            </div>
        }
    })
}
