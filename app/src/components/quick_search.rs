//! Quick search: Ctrl-K (⌘K) opens a dialog that finds pages and things while one types. Without scripts its button is a link to `/find`.

use std::time::Duration;

use leptos::ev::{KeyboardEvent, MouseEvent};
use leptos::html::{Dialog, Input};
use leptos::prelude::*;
use millrace_domain::view::Found;

use super::Shortcut;
use crate::pages::find::find;
use crate::wording::state_words;

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
            let is_state = matches!(kind.as_str(), "model version" | "problem version");
            let about = about.map(|about| if is_state { state_words(&about) } else { about });
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

/// The dialog of quick search, which the button in the bar opens.
#[derive(Debug, Clone, Copy)]
pub struct SearchShown {
    dialog: NodeRef<Dialog>,
    input: NodeRef<Input>,
    is_open: RwSignal<bool>,
}

impl SearchShown {
    /// Not opened yet.
    pub fn closed() -> Self {
        Self { dialog: NodeRef::new(), input: NodeRef::new(), is_open: RwSignal::new(false) }
    }

    fn open(self) {
        let Some(dialog) = self.dialog.get_untracked() else { return };
        self.is_open.set(true);
        // One that is shown already refuses, and stays.
        let _ = dialog.show_modal();
        if let Some(input) = self.input.get_untracked() {
            input.select();
        }
    }

    fn close(self) {
        if let Some(dialog) = self.dialog.get_untracked() {
            dialog.close();
        }
    }
}

/// Opens the dialog; without scripts a link to the page that does the same.
#[component]
pub fn SearchButton(
    /// The dialog.
    search: SearchShown,
) -> impl IntoView {
    let press = move |event: MouseEvent| {
        if is_plain(&event) {
            event.prevent_default();
            search.open();
        }
    };
    view! {
        <a class="button button-quiet button-small" data-icon="search" href="/find" title="Search (Ctrl K)" on:click=press>
            "Search"
        </a>
    }
}

/// What was found for a text.
#[derive(Debug, Clone, PartialEq)]
struct Answered {
    text: String,
    found: Result<Vec<Found>, String>,
}

/// Listens for Ctrl-K, and finds in a dialog.
#[component]
pub fn QuickSearch(
    /// The dialog.
    search: SearchShown,
    /// The pages that can be gone to.
    pages: Vec<Shortcut>,
) -> impl IntoView {
    let SearchShown { dialog, input, is_open } = search;
    let text = RwSignal::new(String::new());
    let answered = RwSignal::new(Answered { text: String::new(), found: Ok(Vec::new()) });
    let pages = StoredValue::new(pages);
    Effect::new(move |_| {
        let listener = window_event_listener(leptos::ev::keydown, move |event| {
            let is_chord = (event.ctrl_key() || event.meta_key()) && !event.alt_key() && !event.shift_key();
            if is_chord && event.key().eq_ignore_ascii_case("k") && !event.repeat() {
                event.prevent_default();
                search.open();
            }
        });
        on_cleanup(move || listener.remove());
    });
    let look = move || {
        let asked = text.get_untracked();
        // Who goes on typing asks for something else, and who has gone to another page for nothing.
        let is_asked = move |asked: &String| text.try_get_untracked().as_ref() == Some(asked);
        let ask = move || {
            if is_asked(&asked) {
                leptos::task::spawn_local(async move {
                    let found = find(asked.clone()).await.map_err(|fault| fault.0.detail);
                    if is_asked(&asked) {
                        answered.set(Answered { text: asked, found });
                    }
                });
            }
        };
        set_timeout(ask, REST);
    };
    let shown = Memo::new(move |_| {
        let (asked, answered) = (text.get(), answered.get());
        let mut shown = pages.with_value(|pages| named(pages, &asked.trim().to_lowercase()));
        // What was found for another text is not what Enter should open.
        let is_current = answered.text == asked;
        shown.extend(answered.found.clone().unwrap_or_default().into_iter().filter(|_| is_current));
        let words = told(asked.trim(), is_current, answered.found.as_ref().err(), shown.len());
        (shown, words)
    });
    let step = move |event: KeyboardEvent| {
        let Some(dialog) = dialog.get_untracked() else { return };
        // What is being composed is not typed yet.
        if event.is_composing() {
            return;
        }
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
        let is_link = event_target::<web_sys::Element>(&event).closest("a").is_ok_and(|link| link.is_some());
        if is_link && is_plain(&event) {
            search.close();
        }
    };
    view! {
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
                aria-label="A page, a piece of a name, a run's number, or the beginning of a digest"
                placeholder="A page, a name, a run's number, a digest"
                autocomplete="off"
                prop:value=move || text.get()
                on:input=move |event| {
                    text.set(event_target_value(&event));
                    look();
                }
            />
            {move || is_open.get().then(|| view! { <FoundList found=shown.get().0/> })}
            <p class="muted" role="status">{move || shown.get().1}</p>
        </dialog>
    }
}

/// Whether a click asks for nothing but what is clicked: with Ctrl or Shift it opens another tab or window.
fn is_plain(event: &MouseEvent) -> bool {
    !(event.ctrl_key() || event.meta_key() || event.shift_key())
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

/// How a search stands, for those who do not see the list.
fn told(asked: &str, is_current: bool, trouble: Option<&String>, count: usize) -> String {
    match (trouble, count) {
        _ if !is_current && !asked.is_empty() => "Searching\u{2026}".to_owned(),
        (Some(trouble), _) => trouble.clone(),
        (None, 0) => "Nothing found.".to_owned(),
        (None, count) => format!("{count} found. Arrow keys choose, Enter opens, Esc closes."),
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
    fn nothing_is_said_to_be_missing_before_it_was_looked_for() {
        assert_eq!(told("x", false, None, 0), "Searching\u{2026}");
        assert_eq!(told("x", true, None, 0), "Nothing found.");
        assert!(told("", true, None, 9).starts_with("9 found"));
        assert_eq!(told("x", true, Some(&"too long".to_owned()), 0), "too long");
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
