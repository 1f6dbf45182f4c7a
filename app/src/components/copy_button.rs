use std::time::Duration;

use leptos::prelude::*;

/// Copies a text to the clipboard. Only scripts can do that, so the button appears once the page has come alive.
#[component]
pub fn CopyButton(
    /// What is copied.
    #[prop(into)]
    text: String,
    /// What the button does, for example "Copy the digest".
    #[prop(into)]
    label: String,
) -> impl IntoView {
    let alive = RwSignal::new(false);
    let copied = RwSignal::new(false);
    Effect::new(move |_| alive.set(true));
    let text = StoredValue::new(text);
    let label = StoredValue::new(label);
    move || {
        alive.get().then(|| {
            view! {
                <button
                    class="button button-quiet button-small icon-only"
                    type="button"
                    data-icon=move || if copied.get() { "check" } else { "copy" }
                    aria-label=move || if copied.get() { "Copied".to_owned() } else { label.get_value() }
                    on:click=move |_| {
                        // The promise is not waited for: a browser that refuses leaves the clipboard as it is.
                        let _ = window().navigator().clipboard().write_text(&text.get_value());
                        copied.set(true);
                        set_timeout(move || copied.set(false), Duration::from_secs(2));
                    }
                ></button>
            }
        })
    }
}
