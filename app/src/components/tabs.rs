use leptos::prelude::*;

/// One tab.
#[derive(Debug, Clone)]
pub struct Tab {
    /// What it shows.
    pub name: &'static str,
    /// Its address: links carry the state.
    pub href: String,
    /// How many things it shows.
    pub count: Option<usize>,
    /// Whether it is open.
    pub current: bool,
}

/// Parts of a page, each with its own address.
#[component]
pub fn Tabs(
    /// What the tabs are parts of.
    label: &'static str,
    /// The tabs.
    tabs: Vec<Tab>,
) -> impl IntoView {
    let links = tabs
        .into_iter()
        .map(|Tab { name, href, count, current }| {
            view! {
                <a href=href aria-current=current.then_some("page")>
                    {name}
                    {count.map(|count| view! { " " <span class="count">{count}</span> })}
                </a>
            }
        })
        .collect_view();
    view! { <nav class="tabs" aria-label=label>{links}</nav> }
}
