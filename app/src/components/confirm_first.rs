use leptos::prelude::*;

use crate::return_path::encoded;

/// In place of a form for which the password has to be shown once more.
#[component]
pub fn ConfirmFirst(
    /// What it is needed for, for example `change people`.
    what: &'static str,
    /// The page to come back to.
    #[prop(into)]
    back: String,
) -> impl IntoView {
    view! {
        <div class="callout" data-kind="info">
            <p class="callout-title">"Confirm that it is you"</p>
            <p>{format!("To {what}, show your password once more: it was given over ten minutes ago.")}</p>
            <div class="cluster">
                <a class="button button-primary" data-icon="lock" href=format!("/confirm?next={}", encoded(&back)) rel="external">
                    "Confirm"
                </a>
            </div>
        </div>
    }
}
