//! Sending an approved version on its way: one confirmation that names the version and the effect.

use leptos::prelude::*;
use millrace_domain::view::ModelVersionView;

use crate::components::{FaultNotice, GatedButton, ReasonField};
use crate::fault::PageFault;
use crate::form::PageForm;

/// Sends a version on its way and leads to the deployment's page. Gives the generation that it made.
#[server(name = StartRollout, prefix = "/fn", endpoint = "start_rollout")]
pub async fn start_rollout(slug: String, version: i32, reason: String) -> Result<i64, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let typed = [("reason", reason.as_str())];
    let started = services.start_rollout(&actor, &slug, version, &reason);
    let generation = crate::caller::submitted(&typed, started).await?.generation;
    leptos_axum::redirect(&format!("/deployments/{slug}?done={generation}"));
    Ok(generation)
}

/// The confirmation. A version that is live already needs none.
#[component]
pub fn RollOut(
    /// The version.
    version: ModelVersionView,
    /// The page's form.
    form: PageForm<StartRollout>,
) -> impl IntoView {
    let (slug, number) = (version.summary.slug, version.summary.version);
    if version.summary.stage == "live" {
        let href = format!("/deployments/{slug}");
        return view! {
            <section class="card decision" data-state="done">
                <div class="card-header"><h2>{format!("Version {number} is live")}</h2></div>
                <div class="card-body"><a class="button" data-icon="deployment" href=href>"Open the deployment"</a></div>
            </section>
        }
        .into_any();
    }
    let permission = version.may_deploy;
    let state = if permission.allowed { "ready" } else { "blocked" };
    let effect = match version.generation {
        0 => format!("From then on version {number} answers every prediction of {slug}, the first version to do so."),
        _ if version.rollout.is_empty() => {
            format!("No version of {slug} is live: from then on version {number} answers every prediction.")
        }
        _ => format!(
            "Version {number} goes past {}. It goes on when everything is shown that the problem's document asks for, and is taken \
             back if it turns out worse. It can be rolled back at any time.",
            version.rollout.join(", then ")
        ),
    };
    let is_first = version.rollout.is_empty();
    let label = if is_first { format!("Put version {number} live") } else { format!("Roll out version {number}") };
    let reason = form.typed("reason").unwrap_or_default();
    let disabled = !permission.allowed;
    view! {
        <section class="card decision" data-state=state aria-labelledby="roll-out">
            <div class="card-header"><h2 id="roll-out">{label.clone()}</h2></div>
            <div class="card-body stack">
                <p>{effect}</p>
                {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
                <ActionForm action=form.action attr:class="form">
                    <input type="hidden" name="slug" value=slug/>
                    <input type="hidden" name="version" value=number/>
                    <ReasonField hint="Stands in the deployment's history." text=reason disabled/>
                    <div class="form-actions">
                        <GatedButton
                            permission
                            label
                            kind="primary"
                            icon="deployment"
                        />
                    </div>
                </ActionForm>
            </div>
        </section>
    }
    .into_any()
}
