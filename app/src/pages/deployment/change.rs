//! One change of what is live: who or what decided it, on which values, limits and counts, and by which rules.

use leptos::prelude::*;
use millrace_domain::view::ChangeView;

use crate::components::{Load, Moment, PageHeader};
use crate::fault::PageFault;
use crate::pages::address::{path_number, path_text};
use crate::wording::sentence;

use super::history::{change_in_words, standing, who};
use super::rollout::{Checks, Counted, Course, Disagreements, RolloutFacts, Slices, Stepper};
use super::switch::Spread;

/// One change, with what it was decided on.
#[server(name = FetchChange, prefix = "/fn", endpoint = "deployment_change")]
pub async fn fetch_change(slug: String, generation: i32) -> Result<ChangeView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.deployment_change(&actor, &slug, i64::from(generation)).await?)
}

/// `/deployments/{slug}/changes/{generation}`.
#[component]
pub fn ChangePage() -> impl IntoView {
    let (slug, generation) = (path_text("slug"), path_number("generation"));
    let change = Resource::new(move || (slug.get(), generation.get()), |(slug, number)| fetch_change(slug, number));
    view! {
        <Load resource=change above=("Deployments", "/deployments") let:change>
            <Change change/>
        </Load>
    }
}

#[component]
fn Change(change: ChangeView) -> impl IntoView {
    let ChangeView { slug, title, change, checks, rollout, ended_step, spread } = change;
    let crumbs = vec![("Deployments".to_owned(), "/deployments".to_owned()), (title, format!("/deployments/{slug}"))];
    let by = who(&change);
    let generation = format!("generation {}", change.generation);
    let state = standing(&change);
    let (at, reason) = (change.at, sentence(&change.reason));
    let decided = if checks.is_empty() {
        view! { <p>"A person decided it; no check was asked for."</p> }.into_any()
    } else {
        let rules = rollout.as_ref().map_or(0, |rollout| rollout.rules);
        view! { <Checks checks rules/> }.into_any()
    };
    let counted = rollout.as_ref().zip(ended_step).and_then(|(rollout, place)| {
        let step = rollout.steps.get(place)?.clone();
        let prefix = format!("rollout-{}-step-{place}", rollout.id);
        Some(view! {
            <section class="section stack" aria-labelledby="counted">
                <div class="section-header">
                    <h2 id="counted">{format!("What was counted before, in {}", step.title())}</h2>
                </div>
                <Counted counted=rollout.counted.clone() step=Some(step) limit_ms=rollout.limit_ms prefix/>
            </section>
        })
    });
    let of_rollout = rollout.map(|rollout| {
        view! {
            <section class="section stack" aria-labelledby="rollout">
                <div class="section-header">
                    <h2 id="rollout">{format!("The rollout of version {} as it stands now", rollout.candidate)}</h2>
                </div>
                <Stepper rollout=rollout.clone()/>
                <Course rollout=rollout.clone()/>
                <Slices slices=rollout.slices.clone() champion=rollout.champion candidate=rollout.candidate/>
                <Disagreements
                    disagreements=rollout.disagreements.clone()
                    champion=rollout.champion
                    candidate=rollout.candidate
                />
                <RolloutFacts rollout/>
            </section>
        }
    });
    view! {
        <PageHeader
            title=change_in_words(&change)
            crumbs
            state=state.to_owned()
            meta=move || view! { <span>{generation}</span> <span>{by}</span> <span><Moment at/></span> }
        />
        <div class="stack stack-loose">
            <p class="lede">{reason}</p>
            <section class="section stack" aria-labelledby="decided">
                <div class="section-header"><h2 id="decided">"What it was decided on"</h2></div>
                {decided}
            </section>
            {counted}
            {spread.map(|spread| view! { <Spread spread/> })}
            {of_rollout}
        </div>
    }
}

#[cfg(all(test, feature = "ssr"))]
mod rendered_tests {
    use super::*;
    use crate::pages::samples::{deployment_with_canary, rendered};

    #[test]
    fn a_change_that_nobody_made_shows_what_it_was_decided_on() {
        let html = rendered("/deployments/taxi-tips/changes/4", || {
            let deployment = deployment_with_canary();
            let mut change = deployment.history[0].clone();
            (change.kind, change.by) = ("rollback".to_owned(), None);
            let change = ChangeView {
                slug: deployment.slug,
                title: deployment.title,
                change,
                checks: deployment.analysis,
                rollout: deployment.rollout,
                ended_step: Some(0),
                spread: None,
            };
            view! { <Change change/> }
        });
        assert!(html.contains("decided by what was counted") && html.contains("2 of 3 checks passed"), "{html}");
        assert!(html.contains("What was counted before, in shadow") && html.contains("Both sides"), "{html}");
    }
}
