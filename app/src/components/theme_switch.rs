use leptos::prelude::*;

use crate::theme::{SetTheme, Theme};
use crate::visit::visit;

/// Three buttons: system, light, dark. Without WASM the page loads again in the chosen theme; with it the page changes at once
/// and the cookie follows.
#[component]
pub fn ThemeSwitch() -> impl IntoView {
    let action = ServerAction::<SetTheme>::new();
    let chosen = RwSignal::new(visit().theme);
    let choose = move |theme: Theme| {
        chosen.set(theme);
        show(theme);
    };
    let buttons = Theme::ALL
        .map(|theme| {
            view! {
                <button
                    type="submit"
                    name="theme"
                    value=theme.as_str()
                    data-icon=theme.icon()
                    aria-pressed=move || if chosen.get() == theme { "true" } else { "false" }
                    aria-label=theme.label()
                    on:click=move |_| choose(theme)
                ></button>
            }
        })
        .collect_view();
    view! { <ActionForm action attr:class="theme-switch">{buttons}</ActionForm> }
}

/// Sets the theme of the document that is on the screen.
fn show(theme: Theme) {
    let Some(root) = document().document_element() else {
        return;
    };
    // Neither can fail: the name is a valid attribute name.
    let _ = match theme.attribute() {
        Some(name) => root.set_attribute("data-theme", name),
        None => root.remove_attribute("data-theme"),
    };
}
