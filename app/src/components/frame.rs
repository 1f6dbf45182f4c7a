//! What surrounds every page of somebody who is signed in.

use leptos::prelude::*;
use leptos_router::components::Outlet;
use leptos_router::hooks::use_location;
use millrace_domain::policy::Role;

use super::{
    Keys, KeysButton, KeysShown, QuickSearch, SearchButton, SearchShown, Shortcut, ThemeSwitch, ToastRegion, Toasts,
};
use crate::visit::visit;
use crate::wording::role_titles;

struct Place {
    href: &'static str,
    icon: &'static str,
    name: &'static str,
    /// The key that leads to it after `g`.
    letter: &'static str,
}

const fn place(href: &'static str, icon: &'static str, name: &'static str, letter: &'static str) -> Place {
    Place { href, icon, name, letter }
}

/// Headings and what is below them.
const PLACES: [(&str, &[Place]); 5] = [
    ("", &[place("/", "home", "Home", "h")]),
    (
        "Build",
        &[
            place("/problems", "problem", "Problems", "p"),
            place("/datasets", "dataset", "Datasets", "d"),
            place("/features", "feature", "Features", "f"),
            place("/runs", "run", "Runs", "r"),
            place("/models", "model", "Models", "m"),
        ],
    ),
    ("Operate", &[place("/deployments", "deployment", "Deployments", "l"), place("/alerts", "alert", "Alerts", "a")]),
    ("Workspace", &[place("/people", "person", "People", "e"), place("/audit", "audit", "Audit", "t")]),
    ("Admin", &[place("/mail", "mail", "Mail", "i")]),
];
/// The heading that only admins see: others could not open what is below it.
const ADMINS_ONLY: &str = "Admin";

/// Navigation, account and theme around the page.
#[component]
pub fn Frame() -> impl IntoView {
    let (toasts, keys, search) = (Toasts::provide(), KeysShown::unseen(), SearchShown::closed());
    let menu = NodeRef::<leptos::html::Details>::new();
    let path = use_location().pathname;
    let is_admin = visit().me.is_some_and(|me| me.roles.iter().any(|role| role == Role::Admin.as_str()));
    // On a narrow screen the menu lies over the page: it closes when another page has been chosen. One that was opened before the page came
    // alive stays.
    Effect::new(move |before: Option<String>| {
        let now = path.get();
        if before.is_some_and(|before| before != now)
            && let Some(menu) = menu.get_untracked()
        {
            menu.set_open(false);
        }
        now
    });
    let shown = || PLACES.into_iter().filter(move |(heading, _)| *heading != ADMINS_ONLY || is_admin);
    let shortcuts = shown()
        .flat_map(|(_, places)| places)
        .map(|place| Shortcut { letter: place.letter, name: place.name, href: place.href })
        .collect::<Vec<_>>();
    view! {
        <a class="skip-link" href="#main" rel="external">"Skip to content"</a>
        <div class="app">
            <header class="app-bar">
                <a class="brand" href="/">"Millrace"</a>
                <details class="nav-toggle" node_ref=menu>
                    <summary>"Menu"</summary>
                </details>
                <nav class="nav" aria-label="Main">
                    {shown().map(|(heading, places)| view! { <Places heading places/> }).collect_view()}
                </nav>
                <div class="app-bar-end">
                    <SearchButton search/>
                    <ThemeSwitch/>
                    <KeysButton keys/>
                    <Account/>
                </div>
            </header>
            <main class="main" id="main">
                <Outlet/>
            </main>
            <QuickSearch search pages=shortcuts.clone()/>
            <Keys keys shortcuts/>
            <ToastRegion toasts/>
        </div>
    }
}

#[component]
fn Places(heading: &'static str, places: &'static [Place]) -> impl IntoView {
    let path = use_location().pathname;
    let links = places
        .iter()
        .map(|place| {
            let current = move || path.with(|path| is_within(path, place.href)).then_some("page");
            view! {
                <li>
                    <a class="nav-link" data-icon=place.icon href=place.href aria-current=current>
                        {place.name}
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        {(!heading.is_empty()).then(|| view! { <p class="nav-heading">{heading}</p> })}
        <ul class="nav-list">{links}</ul>
    }
}

fn is_within(path: &str, place: &str) -> bool {
    match place {
        "/" => path == "/",
        _ => path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
    }
}

#[component]
fn Account() -> impl IntoView {
    match visit().me {
        Some(me) => view! {
            <a class="person" href="/account">
                {me.name}
                " "
                <span class="person-role">{role_titles(&me.roles)}</span>
            </a>
            <form method="post" action="/fn/sign_out">
                <button class="button button-quiet button-small" type="submit">"Sign out"</button>
            </form>
        }
        .into_any(),
        None => view! { <a class="button button-small" href="/sign-in" rel="external">"Sign in"</a> }.into_any(),
    }
}

#[cfg(test)]
mod tests {
    use super::{PLACES, is_within};

    #[test]
    fn every_place_has_a_letter_of_its_own() {
        let mut letters: Vec<&str> =
            PLACES.iter().flat_map(|(_, places)| places.iter().map(|place| place.letter)).collect();
        let count = letters.len();
        letters.sort_unstable();
        letters.dedup();
        assert_eq!(letters.len(), count);
        assert!(!letters.contains(&"g"));
    }

    #[test]
    fn a_page_belongs_to_the_place_it_is_below() {
        assert!(is_within("/runs/17", "/runs") && is_within("/runs", "/runs") && is_within("/", "/"));
        assert!(!is_within("/runs", "/") && !is_within("/runsheet", "/runs"));
    }
}
