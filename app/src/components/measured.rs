//! A value that decides something, beside its uncertainty.

use leptos::prelude::*;
use millrace_charts::number;

/// A value with its 95 % interval; words where there is none.
#[component]
pub fn Measured(
    /// The value.
    value: Option<f64>,
    /// Its 95 % interval, where one is known.
    interval: Option<(f64, f64)>,
) -> impl IntoView {
    let value = value.map_or_else(|| "n/a".to_owned(), number);
    let interval = interval.map(|(low, high)| {
        view! { <span class="muted nowrap">{format!(" ({} to {})", number(low), number(high))}</span> }
    });
    view! { <span class="num">{value}</span>{interval} }
}
