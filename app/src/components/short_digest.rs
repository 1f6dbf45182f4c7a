use leptos::prelude::*;

use super::CopyButton;

/// The first twelve characters of a digest; all of it on hover and by the copy button.
#[component]
pub fn ShortDigest(
    /// The digest in hexadecimal.
    #[prop(into)]
    digest: String,
) -> impl IntoView {
    let short: String = digest.chars().take(12).collect();
    view! {
        <span class="snippet">
            <code title=digest.clone()>{short}</code>
            <CopyButton text=digest label="Copy the digest"/>
        </span>
    }
}
