use chrono::{DateTime, SecondsFormat, Utc};
use leptos::prelude::*;

/// A point in time, to the minute, in UTC; exact on hover and for programs.
#[component]
pub fn Moment(
    /// When.
    at: DateTime<Utc>,
) -> impl IntoView {
    let exact = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    view! {
        <time class="nowrap" datetime=exact.clone() title=exact>
            {at.format("%Y-%m-%d %H:%M UTC").to_string()}
        </time>
    }
}
