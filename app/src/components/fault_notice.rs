use leptos::prelude::*;
use leptos_router::hooks::use_location;
use millrace_domain::fault::Fault;

use crate::return_path::encoded;
use crate::wording::sentence;

/// What went wrong, which rule stands behind it and the way out. Somebody who is not signed in gets a link to do so that
/// leads back to this page.
#[component]
pub fn FaultNotice(
    /// The fault.
    fault: Fault,
) -> impl IntoView {
    let unrecognised = fault.code == "unauthenticated";
    let unconfirmed = fault.code == "confirm_first";
    // One field's fault says it in its detail already.
    let errors = if fault.errors.len() > 1 { fault.errors } else { Vec::new() };
    view! {
        <div class="callout" data-kind="error" role="alert">
            <p class="callout-title">{fault.title}</p>
            <p>{sentence(&fault.detail)}</p>
            {(!errors.is_empty())
                .then(|| {
                    let errors = errors
                        .into_iter()
                        .map(|mistake| view! { <li><code>{mistake.pointer}</code> " " {mistake.message}</li> })
                        .collect_view();
                    view! { <ul>{errors}</ul> }
                })}
            {unrecognised.then(|| view! { <BackLink page="/sign-in" label="Sign in"/> })}
            {unconfirmed.then(|| view! { <BackLink page="/confirm" label="Confirm with your password"/> })}
        </div>
    }
}

/// A link to a page that leads back to this one.
#[component]
fn BackLink(page: &'static str, label: &'static str) -> impl IntoView {
    let location = use_location();
    let href = move || {
        let search = location.search.get();
        let mark = if search.is_empty() { "" } else { "?" };
        format!("{page}?next={}", encoded(&format!("{}{mark}{search}", location.pathname.get())))
    };
    view! { <div class="cluster"><a class="button" href=href rel="external">{label}</a></div> }
}
