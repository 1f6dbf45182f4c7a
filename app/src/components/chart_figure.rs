use leptos::prelude::*;
use millrace_charts::Figure;

/// A figure with its conclusion in words and its numbers behind a disclosure.
#[component]
pub fn ChartFigure(
    /// The figure; its picture is well-formed and escaped by its maker.
    figure: Figure,
) -> impl IntoView {
    view! { <div inner_html=figure.html()></div> }
}
