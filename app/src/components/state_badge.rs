use leptos::prelude::*;

use crate::wording::state_words;

/// A state as a badge: its words and, by `data-state`, its colour and icon.
#[component]
pub fn StateBadge(
    /// The stored word, for example `in_review`.
    #[prop(into)]
    state: String,
) -> impl IntoView {
    let words = state_words(&state);
    view! { <span class="badge" data-state=state>{words}</span> }
}
