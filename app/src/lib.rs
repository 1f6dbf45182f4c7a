//! The pages of Millrace: rendered on the server, taken over by the browser when its bundle has loaded.
//!
//! Every page works without WASM: links carry the state, forms post to server functions ([`form`]), and a page is rendered
//! completely before it is sent. A page reads its address, loads its data ([`components::Load`]) and lays out components; its
//! server functions stand beside it and call one use case each ([`caller`]).
//!
//! To add a page: a file `pages/<resource>/<verb>.rs`, a `Route` in [`App`], and its address and server functions in the
//! policy table of `millrace-domain`.

// A view's type spells out everything below it; the largest pages go beyond the usual limit of 128.
#![recursion_limit = "256"]

#[cfg(feature = "ssr")]
pub mod caller;
pub mod components;
pub mod fault;
pub mod form;
pub mod kept;
pub mod pages;
pub mod return_path;
mod routes;
pub mod theme;
pub mod visit;
pub mod wording;

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::Router;

use crate::routes::Pages;
use crate::visit::provide_visit;

/// The HTML document around the pages. The browser takes over what is in its body, never the document itself.
#[cfg(feature = "ssr")]
pub fn shell(options: LeptosOptions) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme::Theme::of_request().attribute()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <link rel="stylesheet" href="/pkg/millrace.css"/>
                <HydrationScripts options/>
                <leptos_meta::MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

/// Everything in the document's body.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    provide_visit();
    view! {
        <Title formatter=document_title/>
        <Router>
            <Pages/>
        </Router>
    }
    .into_any()
}

/// The name of a page as the browser shows it. `leptos_meta` writes it into the page as it is, so that the server has to make
/// text of markup in it; the browser sets it as text.
fn document_title(page: String) -> String {
    let title = if page.is_empty() { "Millrace".to_owned() } else { format!("{page} · Millrace") };
    if cfg!(feature = "ssr") { escaped(&title) } else { title }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
