use leptos::prelude::*;

/// A list without items: what the page is for and what to do next.
#[component]
pub fn Empty(
    /// What is not there, for example "No runs yet".
    #[prop(into)]
    title: String,
    /// One sentence that says what would be here and how it comes to be.
    #[prop(into)]
    text: String,
    /// Buttons, a command to copy.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="empty">
            <h2>{title}</h2>
            <p>{text}</p>
            {children.map(|children| view! { <div class="cluster">{children()}</div> })}
        </div>
    }
}
