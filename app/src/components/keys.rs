//! Keys: `/` leads to the filter of a page, `g` and a letter to another page, `?` shows them all. Who is in their way switches them off, in
//! that browser.

use leptos::html::Dialog;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

/// A page and the letter that leads to it after `g`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortcut {
    /// The letter.
    pub letter: &'static str,
    /// The page's name.
    pub name: &'static str,
    /// Its address.
    pub href: &'static str,
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Filter,
    Show,
    /// The next letter names a page.
    Go,
    Open(&'static str),
}

/// The first field of a page's filter.
const FILTER: &str = "form[role=search] :is(input:not([type=hidden]), select)";
/// So many milliseconds after `g` a letter still counts.
const PATIENCE: f64 = 1_500.0;
/// Where a browser remembers that they are switched off.
const STORED: &str = "millrace-keys";
const OFF: &str = "off";

/// Which act a key stands for, after `g` or not.
fn act(key: &str, after_g: bool, shortcuts: &[Shortcut]) -> Option<Act> {
    let page = shortcuts.iter().find(|shortcut| after_g && shortcut.letter == key);
    match (page, key) {
        (Some(page), _) => Some(Act::Open(page.href)),
        (None, "/") => Some(Act::Filter),
        (None, "?") => Some(Act::Show),
        (None, "g") => Some(Act::Go),
        _ => None,
    }
}

/// The dialog that tells of the keys, and whether they work.
#[derive(Debug, Clone, Copy)]
pub struct KeysShown {
    dialog: NodeRef<Dialog>,
    is_on: RwSignal<bool>,
    /// Whether there are scripts.
    is_alive: RwSignal<bool>,
}

impl KeysShown {
    /// Of a page that has not come alive yet.
    pub fn unseen() -> Self {
        Self { dialog: NodeRef::new(), is_on: RwSignal::new(true), is_alive: RwSignal::new(false) }
    }
}

/// Opens the dialog, once the page has come alive. Where there is no keyboard it is not shown, unless the keys are to be switched on again.
#[component]
pub fn KeysButton(
    /// The dialog.
    keys: KeysShown,
) -> impl IntoView {
    let KeysShown { dialog, is_on, is_alive } = keys;
    let class = move || {
        if is_on.get() { "button button-quiet button-small keys-button" } else { "button button-quiet button-small" }
    };
    move || {
        is_alive.get().then(|| {
            view! {
                <button class=class type="button" title="Keys" aria-label="Keys" on:click=move |_| show(dialog)>
                    "?"
                </button>
            }
        })
    }
}

/// Listens for keys, and tells of them in a dialog.
#[component]
pub fn Keys(
    /// The dialog.
    keys: KeysShown,
    /// The pages that are a letter away.
    shortcuts: Vec<Shortcut>,
) -> impl IntoView {
    let KeysShown { dialog, is_on, is_alive } = keys;
    let navigate = use_navigate();
    let pages = StoredValue::new(shortcuts.clone());
    Effect::new(move |_| {
        is_alive.set(true);
        is_on.set(stored().as_deref() != Some(OFF));
        let (navigate, pending) = (navigate.clone(), StoredValue::new(None::<f64>));
        let listener = window_event_listener(leptos::ev::keydown, move |event| {
            let is_chord = event.ctrl_key() || event.alt_key() || event.meta_key();
            let is_taken = event.default_prevented() || event.repeat() || first("dialog[open]").is_some();
            if is_chord || is_taken || !is_on.get_untracked() || is_written_in(&event) {
                return;
            }
            let after_g = pending.get_value().is_some_and(|at| event.time_stamp() - at < PATIENCE);
            pending.set_value(None);
            let Some(act) = pages.with_value(|pages| act(&event.key(), after_g, pages)) else { return };
            match act {
                Act::Filter => match first(FILTER) {
                    Some(filter) => drop(filter.focus()),
                    // The key is left to the browser.
                    None => return,
                },
                Act::Show => show(dialog),
                Act::Go => pending.set_value(Some(event.time_stamp())),
                Act::Open(href) => navigate(href, NavigateOptions::default()),
            }
            event.prevent_default();
        });
        on_cleanup(move || listener.remove());
    });
    let rows: Vec<_> = shortcuts.iter().map(|page| row(format!("g {}", page.letter), page.name)).collect();
    view! {
        <dialog class="dialog" node_ref=dialog aria-labelledby="keys">
            <h2 id="keys">"Keys"</h2>
            <dl class="keys">
                {row("/".to_owned(), "To the filter of the page")}
                {rows}
                {row("Ctrl K".to_owned(), "Search")}
                {row("?".to_owned(), "These keys")}
                {row("Esc".to_owned(), "Close")}
            </dl>
            <label class="check">
                <input
                    type="checkbox"
                    prop:checked=move || is_on.get()
                    on:change=move |event| {
                        let on = event_target_checked(&event);
                        is_on.set(on);
                        store(on);
                    }
                />
                "Keys without Ctrl or Alt work in this browser"
            </label>
            <form method="dialog" class="form-actions">
                <button class="button" type="submit">"Close"</button>
            </form>
        </dialog>
    }
}

fn row(keys: String, does: &'static str) -> impl IntoView {
    let keys: Vec<_> = keys.split(' ').map(|key| view! { <kbd>{key.to_owned()}</kbd> " " }).collect();
    view! {
        <dt>{keys}</dt>
        <dd>{does}</dd>
    }
}

/// Where text is typed, a letter is a letter.
fn is_written_in(event: &web_sys::KeyboardEvent) -> bool {
    let target: web_sys::Element = event_target(event);
    target.closest("input, textarea, select, [contenteditable]").is_ok_and(|found| found.is_some())
}

/// The first element of the page that a selector finds.
fn first(selector: &str) -> Option<web_sys::HtmlElement> {
    document().query_selector(selector).ok().flatten().map(leptos::wasm_bindgen::JsCast::unchecked_into)
}

fn show(dialog: NodeRef<Dialog>) {
    if let Some(dialog) = dialog.get_untracked() {
        // One that is shown already refuses, and stays.
        let _ = dialog.show_modal();
    }
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

fn stored() -> Option<String> {
    storage()?.get_item(STORED).ok().flatten()
}

/// A browser that remembers nothing has them on again at the next page.
fn store(on: bool) {
    let Some(storage) = storage() else { return };
    let _ = if on { storage.remove_item(STORED) } else { storage.set_item(STORED, OFF) };
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: [Shortcut; 1] = [Shortcut { letter: "r", name: "Runs", href: "/runs" }];

    #[test]
    fn a_letter_leads_to_a_page_only_after_g() {
        assert_eq!(act("r", true, &PAGES), Some(Act::Open("/runs")));
        assert_eq!(act("r", false, &PAGES), None);
        assert_eq!(act("x", true, &PAGES), None);
        assert_eq!(act("g", false, &PAGES), Some(Act::Go));
        assert_eq!(act("/", false, &PAGES), Some(Act::Filter));
        assert_eq!(act("?", true, &PAGES), Some(Act::Show));
    }
}
