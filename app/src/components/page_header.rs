use leptos::prelude::*;
use leptos_meta::Title;

use super::{CopyButton, StateBadge};

/// The head of a page: where it is, what it shows, what can be done. Sets the document's title.
#[component]
pub fn PageHeader(
    /// The page's name.
    #[prop(into)]
    title: String,
    /// The pages above it: name and address.
    #[prop(optional)]
    crumbs: Vec<(String, String)>,
    /// State of what is shown, as a badge beside the title.
    #[prop(optional, into)]
    state: Option<String>,
    /// What others call it by, to copy: its id or address.
    #[prop(optional, into)]
    id: Option<String>,
    /// Short facts below the title, each in a `<span>`.
    #[prop(optional, into)]
    meta: Option<ViewFnOnce>,
    /// Buttons.
    #[prop(optional, into)]
    actions: Option<ViewFnOnce>,
) -> impl IntoView {
    view! {
        <Title text=title.clone()/>
        <header class="page-header">
            {(!crumbs.is_empty()).then(|| view! { <Crumbs crumbs here=title.clone()/> })}
            <div class="page-title">
                <h1>{title}</h1>
                {state.map(|state| view! { <StateBadge state/> })}
                {id.map(|id| view! { <CopyButton label=format!("Copy {id}") text=id/> })}
            </div>
            {meta.map(|meta| view! { <p class="page-meta">{meta.run()}</p> })}
            {actions.map(|actions| view! { <div class="page-actions">{actions.run()}</div> })}
        </header>
    }
}

#[component]
fn Crumbs(crumbs: Vec<(String, String)>, here: String) -> impl IntoView {
    view! {
        <nav class="breadcrumb" aria-label="Breadcrumb">
            <ol>
                {crumbs.into_iter().map(|(name, href)| view! { <li><a href=href>{name}</a></li> }).collect_view()}
                <li aria-current="page">{here}</li>
            </ol>
        </nav>
    }
}
