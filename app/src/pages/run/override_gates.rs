//! Letting a version go on although gates did not pass: one confirmation that names them and the effect.

use leptos::prelude::*;
use millrace_domain::gate::{Decision, LONGEST_OVERRIDE, decide};
use millrace_domain::view::RunView;

use crate::components::{FaultNotice, Field, GatedButton, ReasonField};
use crate::fault::PageFault;
use crate::form::PageForm;

/// Registers the model of a run that its gates stopped, and leads to its page.
#[server(name = OverrideGates, prefix = "/fn", endpoint = "override_gates")]
pub async fn override_gates(id: String, gates: String, reason: String, days: String) -> Result<(), PageFault> {
    use millrace_domain::fault::Fault;
    use millrace_domain::view::OverrideRequest;
    let (services, actor) = crate::caller::actor()?;
    let run = crate::pages::address::id(&id, "run")?;
    let typed = [("reason", reason.as_str()), ("days", &days)];
    let done = async {
        let days = days.trim().parse().map_err(|_| Fault::field("/days", "must be a whole number of days"))?;
        let gates = serde_json::from_str(&gates).map_err(|_| Fault::field("/gates", "must be a list of names"))?;
        services.override_gates(&actor, run, &OverrideRequest { gates, reason: reason.clone(), days }).await
    };
    let done = crate::caller::submitted(&typed, done).await?;
    leptos_axum::redirect(&format!("/models/{}/v/{}", done.slug, done.version));
    Ok(())
}

/// The confirmation; nothing for a run that its gates did not stop.
#[component]
pub fn OverrideCard(
    /// The run.
    run: RunView,
    /// The page's form.
    form: PageForm<OverrideGates>,
) -> impl IntoView {
    let permission = run.may_override?;
    let open = match decide(&run.gates) {
        Decision::Passed => Vec::new(),
        Decision::Rejected(open) => open,
    };
    let reason = form.typed("reason").unwrap_or_default();
    let days = form.typed("days").unwrap_or_else(|| "14".to_owned());
    let disabled = !permission.allowed;
    let listed = open.iter().map(|name| view! { <li><code>{name.clone()}</code></li> }).collect_view();
    Some(view! {
        <section class="card confirm" aria-labelledby="override">
            <div class="card-header"><h2 id="override">"Let it go on all the same?"</h2></div>
            <div class="card-body stack">
                <p>
                    "The model becomes a version that can be approved, by somebody else. What these gates said stays red on it for its life:"
                </p>
                <ul>{listed}</ul>
                {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
                <ActionForm action=form.action attr:class="form">
                    <input type="hidden" name="id" value=run.summary.id/>
                    <input type="hidden" name="gates" value=serde_json::json!(open).to_string()/>
                    <ReasonField id="override-reason" hint="Stands on the version and in the audit trail." text=reason disabled/>
                    <Field
                        name="days"
                        label="Days"
                        kind="number"
                        value=days
                        hint=format!("1 to {LONGEST_OVERRIDE}; after that it does not set out to its users any more.")
                    />
                    <div class="form-actions">
                        <GatedButton permission label="Override the gates" kind="danger"/>
                    </div>
                </ActionForm>
            </div>
        </section>
    })
}
