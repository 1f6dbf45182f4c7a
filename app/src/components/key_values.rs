use leptos::prelude::*;

/// A list of names and values; its children are [`KeyValue`]s.
#[component]
pub fn KeyValues(
    /// For narrow columns: each value below its name.
    #[prop(optional)]
    stacked: bool,
    /// The pairs.
    children: Children,
) -> impl IntoView {
    view! { <dl class=if stacked { "kv kv-stacked" } else { "kv" }>{children()}</dl> }
}

/// One name and its value.
#[component]
pub fn KeyValue(
    /// The name.
    #[prop(into)]
    name: String,
    /// The value.
    children: Children,
) -> impl IntoView {
    view! {
        <div>
            <dt>{name}</dt>
            <dd>{children()}</dd>
        </div>
    }
}
