//! Quick search: Ctrl-K (⌘K) opens a dialog that finds pages and things while one types. Without scripts its button is a link to `/find`.

use std::time::Duration;

use leptos::ev::{KeyboardEvent, MouseEvent};
use leptos::html::{Dialog, Input};
use leptos::prelude::*;
use millrace_domain::view::Found;

use super::Shortcut;
use crate::pages::find::find;

/// So long nobody has typed before the server is asked.
const REST: Duration = Duration::from_millis(150);

/// Things that were found, each a link that says what it is.
#[component]
pub fn FoundList(
    /// The things.
    found: Vec<Found>,
) -> impl IntoView {
    let items: Vec<_> = found
        .into_iter()
        .map(|Found { kind, name, about, href }| {
            let about = about.filter(|about| *about != name).map(|about| view! { <span class="muted">{about}</span> });
            view! {
                <li>
                    <a class="found" href=href>
                        <span class="found-kind">{kind}</span>
                        <span class="found-name">{name}</span>
                        {about}
                    </a>
                </li>
            }
        })
        .collect();
    (!items.is_empty()).then(|| view! { <ul class="found-list">{items}</ul> })
}

/// The button in the bar, and the dialog that it opens.
#[component]
pub fn QuickSearch(
    /// The pages that can be gone to.
    pages: Vec<Shortcut>,
) -> impl IntoView {
    let (dialog, input) = (NodeRef::<Dialog>::new(), NodeRef::<Input>::new());
    let (text, found) = (RwSignal::new(String::new()), RwSignal::new(Vec::<Found>::new()));
    let trouble = RwSignal::new(None::<String>);
    let is_open = RwSignal::new(false);
    let pages = StoredValue::new(pages);
    let open = move || {
        let Some(dialog) = dialog.get_untracked() else { return };
        is_open.set(true);
        // One that is shown already refuses, and stays.
        let _ = dialog.show_modal();
        if let Some(input) = input.get_untracked() {
            input.select();
        }
    };
    let close = move || {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    Effect::new(move |_| {
        let listener = window_event_listener(leptos::ev::keydown, move |event| {
            let is_chord = (event.ctrl_key() || event.meta_key()) && !event.alt_key() && !event.shift_key();
            if is_chord && event.key().eq_ignore_ascii_case("k") && !event.repeat() {
                event.prevent_default();
                open();
            }
        });
        on_cleanup(move || listener.remove());
    });
    let look = move || {
        let asked = text.get_untracked();
        // Who goes on typing asks for something else.
        set_timeout(
            move || {
                if text.try_get_untracked().as_ref() != Some(&asked) {
                    return;
                }
                leptos::task::spawn_local(async move {
                    let answer = find(asked.clone()).await;
                    if text.try_get_untracked().as_ref() != Some(&asked) {
                        return;
                    }
                    trouble.set(answer.as_ref().err().map(|fault| fault.0.detail.clone()));
                    found.set(answer.unwrap_or_default());
                });
            },
            REST,
        );
    };
    let shown = move || {
        let asked = text.get().trim().to_lowercase();
        let pages = pages.with_value(|pages| named(pages, &asked));
        pages.into_iter().chain(found.get()).collect::<Vec<_>>()
    };
    let step = move |event: KeyboardEvent| {
        let Some(dialog) = dialog.get_untracked() else { return };
        if event.key() == "Enter" && event_target::<web_sys::Element>(&event).tag_name() == "INPUT" {
            event.prevent_default();
            if let Some(first) = links(&dialog).first() {
                first.click();
            }
            return;
        }
        let by = match event.key().as_str() {
            "ArrowDown" => 1,
            "ArrowUp" => -1,
            _ => return,
        };
        event.prevent_default();
        walk(&dialog, by);
    };
    let pressed = move |event: MouseEvent| {
        let is_plain = !(event.ctrl_key() || event.meta_key() || event.shift_key());
        if is_plain && event_target::<web_sys::Element>(&event).closest("a").is_ok_and(|link| link.is_some()) {
            close();
        }
    };
    view! {
        <a
            class="button button-quiet button-small"
            data-icon="search"
            href="/find"
            title="Search (Ctrl K)"
            on:click=move |event| {
                event.prevent_default();
                open();
            }
        >
            "Search"
        </a>
        <dialog
            class="dialog dialog-search"
            node_ref=dialog
            aria-label="Search"
            on:keydown=step
            on:click=pressed
            on:close=move |_| is_open.set(false)
        >
            <input
                class="input"
                type="search"
                maxlength="200"
                node_ref=input
                aria-label="A piece of a name, a run's number, or a digest"
                placeholder="A page, a name, a run's number, a digest"
                autocomplete="off"
                prop:value=move || text.get()
                on:input=move |event| {
                    text.set(event_target_value(&event));
                    look();
                }
            />
            {move || is_open.get().then(|| view! { <FoundList found=shown()/> })}
            <p class="muted" role="status">
                {move || trouble.get().unwrap_or_else(|| told(text.get().trim(), shown().len()))}
            </p>
        </dialog>
    }
}

/// The pages with that in their names; all where nothing is asked for.
fn named(pages: &[Shortcut], asked: &str) -> Vec<Found> {
    let fitting = pages.iter().filter(|page| page.name.to_lowercase().contains(asked));
    let page = |page: &Shortcut| Found {
        kind: "page".to_owned(),
        name: page.name.to_owned(),
        about: None,
        href: page.href.to_owned(),
    };
    fitting.map(page).collect()
}

fn told(asked: &str, count: usize) -> String {
    match (asked, count) {
        (asked, 0) if !asked.is_empty() => "Nothing found.".to_owned(),
        _ => "Arrow keys choose, Enter opens, Esc closes.".to_owned(),
    }
}

/// The links of a dialog in order.
fn links(dialog: &web_sys::Element) -> Vec<web_sys::HtmlElement> {
    let found = dialog.get_elements_by_class_name("found");
    let link = |place| found.item(place).map(leptos::wasm_bindgen::JsCast::unchecked_into);
    (0..found.length()).filter_map(link).collect()
}

/// Moves the focus among the field and the links after it.
fn walk(dialog: &web_sys::Element, by: isize) {
    let links = links(dialog);
    let now = document().active_element();
    let place =
        links.iter().position(|link| now.as_ref().is_some_and(|now| now == AsRef::<web_sys::Element>::as_ref(link)));
    match next(place, by, links.len()) {
        Some(place) => drop(links[place].focus()),
        None => {
            let field = dialog.query_selector("input").ok().flatten();
            if let Some(field) = field {
                let field: web_sys::HtmlElement = leptos::wasm_bindgen::JsCast::unchecked_into(field);
                drop(field.focus());
            }
        }
    }
}

/// The link after or before one, of so many; none is the field before the first.
fn next(place: Option<usize>, by: isize, count: usize) -> Option<usize> {
    match (place, by) {
        (None, 1..) => (count > 0).then_some(0),
        (None, _) => None,
        (Some(place), 1..) => Some((place + 1).min(count.saturating_sub(1))),
        (Some(place), _) => place.checked_sub(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrow_keys_walk_from_the_field_through_the_links_and_back() {
        assert_eq!(next(None, 1, 3), Some(0));
        assert_eq!(next(Some(2), 1, 3), Some(2));
        assert_eq!(next(Some(0), -1, 3), None);
        assert_eq!(next(None, -1, 3), None);
        assert_eq!(next(None, 1, 0), None);
    }

    #[test]
    fn pages_are_found_by_a_piece_of_their_name() {
        let pages = [
            Shortcut { letter: "r", name: "Runs", href: "/runs" },
            Shortcut { letter: "a", name: "Alerts", href: "/alerts" },
        ];
        let found: Vec<String> = named(&pages, "run").into_iter().map(|page| page.href).collect();
        assert_eq!(found, ["/runs"]);
        assert_eq!(named(&pages, "").len(), 2);
    }
}
