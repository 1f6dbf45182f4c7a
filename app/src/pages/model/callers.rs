//! Who asks a version for predictions: what somebody wants to know who is to put it away.

use leptos::prelude::*;
use millrace_domain::view::CallerView;

use crate::components::Moment;

/// A line a caller, those that asked last first.
#[component]
pub fn CallersCard(
    /// Who asked.
    callers: Vec<CallerView>,
) -> impl IntoView {
    let is_asked = !callers.is_empty();
    let rows: Vec<_> = callers.into_iter().map(|caller| view! { <Caller caller/> }).collect();
    view! {
        <section class="card" aria-labelledby="callers">
            <div class="card-header"><h2 id="callers">"Who asks it"</h2></div>
            {if is_asked {
                view! { <ul class="card-list">{rows}</ul> }.into_any()
            } else {
                view! { <div class="card-body"><p class="muted">"No call of it was noted. What was asked before callers were noted is in the prediction log alone."</p></div> }.into_any()
            }}
        </section>
    }
}

#[component]
fn Caller(caller: CallerView) -> impl IntoView {
    view! {
        <li>
            <div class="card-row">
                <span class="card-row-title">{caller.name} " with " <span class="tag">{caller.token}</span></span>
                <span class="card-row-meta">"last " <Moment at=caller.last_at/> ", since " <Moment at=caller.first_at/></span>
            </div>
        </li>
    }
}
