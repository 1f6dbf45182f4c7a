//! The way back: one confirmation that names the version that answers again.

use leptos::prelude::*;
use millrace_domain::view::{DeploymentView, RolledBack};

use crate::components::{FaultNotice, GatedButton, ReasonField};
use crate::fault::PageFault;
use crate::form::PageForm;

/// Brings the version before back and leads to the deployment's page, which says how long it took.
#[server(name = RollBack, prefix = "/fn", endpoint = "roll_back")]
pub async fn roll_back(slug: String, generation: i64, reason: String) -> Result<RolledBack, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let typed = [("reason", reason.as_str())];
    let done = crate::caller::submitted(&typed, services.roll_back(&actor, &slug, &reason, Some(generation))).await?;
    leptos_axum::redirect(&format!("/deployments/{slug}?done={}&took_ms={}", done.generation, done.took_ms));
    Ok(done)
}

/// The confirmation, or why there is nothing to go back to.
#[component]
pub fn RollBackCard(
    /// The deployment.
    deployment: DeploymentView,
    /// The page's form.
    form: PageForm<RollBack>,
    /// What was typed before the page was made anew.
    #[prop(optional)]
    typed: String,
) -> impl IntoView {
    let Some(live) = deployment.champion else {
        return view! {
            <section class="card">
                <div class="card-header"><h2>"Roll back"</h2></div>
                <div class="card-body">
                    <p>"No version is live; there is nothing to take back."</p>
                </div>
            </section>
        }
        .into_any();
    };
    let candidate = deployment.rollout.as_ref().map(|rollout| rollout.candidate);
    let Confirmation { title, effect, label } =
        Confirmation::of(&deployment.slug, candidate.unwrap_or(live), deployment.rollback_to, candidate.is_some());
    let (slug, generation) = (deployment.slug, deployment.generation);
    let reason = form.typed("reason").unwrap_or(typed);
    let permission = deployment.may_roll_back;
    let disabled = !permission.allowed;
    view! {
        <section class="card confirm" aria-labelledby="roll-back">
            <div class="card-header"><h2 id="roll-back">{title}</h2></div>
            <div class="card-body stack">
                <p>{effect}</p>
                {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
                <ActionForm action=form.action attr:class="form">
                    <input type="hidden" name="slug" value=slug/>
                    <input type="hidden" name="generation" value=generation/>
                    <ReasonField hint="What you saw; it stands in the history." text=reason disabled/>
                    <div class="form-actions">
                        <GatedButton permission label kind="danger" icon="rollback"/>
                    </div>
                </ActionForm>
            </div>
        </section>
    }
    .into_any()
}

/// What is confirmed, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Confirmation {
    title: String,
    effect: String,
    label: String,
}

impl Confirmation {
    /// Names the version that stops, the one that answers in its place, and what that means where there is none. A version on
    /// its way is taken back from wherever it is.
    fn of(slug: &str, live: i32, target: Option<i32>, is_on_its_way: bool) -> Self {
        match target {
            Some(target) if is_on_its_way => Self {
                title: format!("Take v{live} back to v{target}?"),
                effect: format!(
                    "From then on version {target} answers every prediction of {slug}, and the rollout of version {live} has \
                     ended. It takes effect at once and needs no analysis and no approval."
                ),
                label: format!("Roll back to v{target}"),
            },
            Some(target) => Self {
                title: format!("Roll back to v{target}?"),
                effect: format!(
                    "From then on version {target} answers every prediction of {slug} and version {live} stops. \
                     It takes effect at once and needs no analysis and no approval."
                ),
                label: format!("Roll back to v{target}"),
            },
            None => Self {
                title: format!("Take v{live} back?"),
                effect: format!(
                    "There is no earlier version of {slug} to go back to: version {live} stops and predictions are \
                     answered \"no model is live\" until another version goes live."
                ),
                label: format!("Take v{live} back"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_that_answers_again_is_named() {
        let confirmation = Confirmation::of("taxi-tips", 13, Some(12), false);
        assert_eq!(confirmation.label, "Roll back to v12");
        assert!(confirmation.effect.contains("version 12 answers") && confirmation.effect.contains("version 13 stops"));
    }

    #[test]
    fn without_an_earlier_version_the_gap_is_told() {
        assert!(Confirmation::of("taxi-tips", 1, None, false).effect.contains("no model is live"));
    }
}
