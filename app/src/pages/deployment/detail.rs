//! One deployment: what is live, what is on its way, what it has answered, how it came to that, and the way back.

use leptos::prelude::*;
use millrace_charts::{count, duration};
use millrace_domain::view::{DeploymentView, MOST_COUNTED, SpreadView};

use crate::components::{Empty, Live, LiveLine, Load, Moment, PageHeader, look_again};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::pages::address::{path_text, query_text};
use crate::pages::quantity::answered;

use super::history::{ChangeHistory, change_in_words};
use super::parity::{JoinedLoads, ParityBroken, ParityStat};
use super::roll_back::{RollBack, RollBackCard};
use super::rollout::{AdvanceRollout, GoOnCard, PauseRollout, RolloutEvidence, RolloutFacts, RolloutSection};
use super::switch::{Drill, DrillCard, SwitchCard, SwitchModel, SwitchedOff, in_words};

/// What is live for a problem.
#[server(name = FetchDeployment, prefix = "/fn", endpoint = "deployment")]
pub async fn fetch_deployment(slug: String) -> Result<DeploymentView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.deployment(&actor, &slug).await?)
}

/// `/deployments/{slug}`; after a change `?done=` names the generation it made and `?took_ms=` how long it took.
#[component]
pub fn DeploymentPage() -> impl IntoView {
    let slug = path_text("slug");
    let forms = Forms {
        roll_back: PageForm::<RollBack>::new(),
        advance: PageForm::<AdvanceRollout>::new(),
        pause: PageForm::<PauseRollout>::new().telling("The rollout stands as you said."),
        switch: PageForm::<SwitchModel>::new(),
        drill: PageForm::<Drill>::new(),
    };
    let deployment = Resource::new(move || (slug.get(), forms.done()), |(slug, _)| fetch_deployment(slug));
    // What is counted changes all the time. It is shown anew without touching the forms; those are made anew only when what they
    // are about has changed, so that nobody loses what they are typing.
    let fresh = RwSignal::new(None::<DeploymentView>);
    let typed = RwSignal::new(String::new());
    Effect::new(move |_| {
        // What was rolled back needs another reason the next time, and so does another problem.
        let _ = (forms.roll_back.done(), slug.get());
        typed.set(String::new());
    });
    let live = look_again(
        move || matches!(deployment.get(), Some(Ok(deployment)) if deployment.rollout.is_some() || !deployment.spread.waiting.is_empty()),
        move || {
            let fetched = fetch_deployment(slug.get_untracked());
            async move { fetched.await.ok() }
        },
        move |seen| {
            let shown = deployment.try_get_untracked().flatten().and_then(Result::ok);
            if shown.is_some_and(|shown| about(&shown) == about(&seen)) {
                fresh.set(Some(seen));
            } else {
                fresh.set(None);
                deployment.refetch();
            }
        },
    );
    view! {
        <Load resource=deployment above=("Deployments", "/deployments") let:deployment>
            <Deployment deployment forms fresh live typed/>
        </Load>
    }
}

/// The forms of the page.
#[derive(Clone, Copy)]
struct Forms {
    roll_back: PageForm<RollBack>,
    advance: PageForm<AdvanceRollout>,
    pause: PageForm<PauseRollout>,
    switch: PageForm<SwitchModel>,
    drill: PageForm<Drill>,
}

impl Forms {
    fn done(self) -> [usize; 4] {
        [self.roll_back.done(), self.advance.done(), self.pause.done(), self.switch.done()]
    }
}

/// What the forms and the notice are about.
fn about(deployment: &DeploymentView) -> (i64, usize, Option<(String, bool)>) {
    let rollout = deployment.rollout.as_ref().map(|rollout| (rollout.state.clone(), rollout.may_advance.allowed));
    (deployment.generation, deployment.spread.waiting.len(), rollout)
}

#[component]
fn Deployment(
    deployment: DeploymentView,
    forms: Forms,
    fresh: RwSignal<Option<DeploymentView>>,
    live: Live,
    typed: RwSignal<String>,
) -> impl IntoView {
    let (done, took_ms) = (query_text("done"), query_text("took_ms"));
    let made = StoredValue::new(deployment.clone());
    let notice = move || {
        let result = made.with_value(|made| result_in_words(made, &done.get(), &took_ms.get()));
        let kind = if made.with_value(|made| is_everywhere(&made.spread)) { "success" } else { "warning" };
        result.map(|words| view! { <div class="callout" data-kind=kind role="status"><p>{words}</p></div> })
    };
    let (slug, changes) = (deployment.slug.clone(), deployment.history.clone());
    let first = StoredValue::new(deployment.clone());
    let shown = move || fresh.get().unwrap_or_else(|| first.get_value());
    let under_way = deployment.rollout.clone().map(|rollout| {
        view! {
            <LiveLine live has_forms=true/>
            {move || shown().rollout.map(|rollout| view! { <RolloutSection rollout/> })}
            <RolloutFacts rollout/>
        }
    });
    let evidence = deployment.rollout.is_some().then(|| {
        view! {
            {move || {
                let shown = shown();
                shown.rollout.map(|rollout| view! { <RolloutEvidence rollout checks=shown.analysis/> })
            }}
        }
    });
    view! {
        <Head deployment=deployment.clone()/>
        <div class="split">
            <div class="split-main stack stack-loose">
                {notice}
                {deployment.fallback.clone().map(|answer| view! { <SwitchedOff answer/> })}
                {under_way}
                <Facts deployment=deployment.clone()/>
                <ParityBroken parity=deployment.parity.clone()/>
                <JoinedLoads loads=deployment.joined.clone()/>
            </div>
            <aside class="split-side stack">
                // The page is made anew when the rollout goes on; why somebody rolls back is kept meanwhile.
                <div on:input=move |event| typed.set(event_target_value(&event))>
                    <RollBackCard deployment=deployment.clone() form=forms.roll_back typed=typed.get_untracked()/>
                </div>
                <GoOnCard deployment=deployment.clone() advance=forms.advance pause=forms.pause/>
                <SwitchCard deployment=deployment.clone() form=forms.switch/>
                <DrillCard deployment form=forms.drill/>
            </aside>
        </div>
        {evidence}
        <section class="section" aria-labelledby="history">
            <div class="section-header"><h2 id="history">"History"</h2></div>
            {if changes.is_empty() {
                view! { <NeverLive slug/> }.into_any()
            } else {
                view! { <ChangeHistory slug changes/> }.into_any()
            }}
        </section>
    }
}

/// Whether every server that is there has the newest change in place.
const fn is_everywhere(spread: &SpreadView) -> bool {
    spread.waiting.is_empty() && !spread.servers.is_empty()
}

/// What a change did, and whether the servers have it, told once after it; only if the change that the address names is the newest one.
fn result_in_words(deployment: &DeploymentView, done: &str, took_ms: &str) -> Option<String> {
    let (newest, spread) = (deployment.history.first()?, &deployment.spread);
    (newest.generation.to_string() == done).then(|| {
        let took = took_ms.parse::<u32>().ok().map(|ms| format!(" in {}", duration(f64::from(ms) / 1000.0)));
        let answers = match newest.champion {
            Some(version) if newest.kind == "canary" => {
                let candidate = newest.candidate.unwrap_or_default();
                format!(
                    "{} % of units are answered by version {candidate}, the others by version {version}.",
                    newest.percent
                )
            }
            _ if deployment.fallback.is_some() => "Every caller gets the fallback.".to_owned(),
            Some(version) => format!("100 % of predictions are answered by version {version}."),
            None => "No version answers predictions.".to_owned(),
        };
        let then = if is_everywhere(spread) { "" } else { " As soon as all have it:" };
        format!("{}{}. {}{then} {answers}", change_in_words(newest), took.unwrap_or_default(), in_words(spread))
    })
}

#[component]
fn Head(deployment: DeploymentView) -> impl IntoView {
    let model = format!("/models/{}", deployment.slug);
    let monitor = format!("/deployments/{}/monitor", deployment.slug);
    let problem = format!("/problems/{}", deployment.slug);
    // On a phone the confirmation stands below the history; whoever is called at night gets there in one touch.
    let roll_back = deployment.champion.filter(|_| deployment.may_roll_back.allowed).map(|_| {
        view! { <a class="button button-danger" data-icon="rollback" href="#roll-back" rel="external">"Roll back"</a> }
    });
    view! {
        <PageHeader
            title=deployment.title
            crumbs=vec![("Deployments".to_owned(), "/deployments".to_owned())]
            state=if deployment.fallback.is_some() { "switched_off".to_owned() } else { deployment.stage }
            meta=move || {
                view! {
                    <span>{deployment.slug}</span>
                    <span>{format!("generation {}", deployment.generation)}</span>
                    {deployment.changed_at.map(|at| view! { <span>"since " <Moment at/></span> })}
                }
            }
            actions=move || {
                view! {
                    {roll_back}
                    <a class="button" data-icon="monitor" href=monitor>"Monitoring"</a>
                    <a class="button" data-icon="model" href=model>"Model versions"</a>
                    <a class="button" data-icon="problem" href=problem>"Problem"</a>
                    <a class="button" href="/predictions">"Look up a prediction"</a>
                }
            }
        />
    }
}

#[component]
fn Facts(deployment: DeploymentView) -> impl IntoView {
    let live = match deployment.champion {
        Some(version) => {
            let href = format!("/models/{}/v/{version}", deployment.slug);
            view! { <a href=href>{format!("v{version}")}</a> }.into_any()
        }
        None => view! { <span>"none"</span> }.into_any(),
    };
    let answers = match deployment.candidate.filter(|_| deployment.stage == "canary") {
        Some(candidate) => format!("answers all but the {} % of v{candidate}", deployment.candidate_percent),
        None if deployment.fallback.is_some() => "answers nobody: it is switched off".to_owned(),
        None => "answers every prediction".to_owned(),
    };
    let outcomes = deployment.outcomes.unsigned_abs();
    let of = match deployment.predictions >= MOST_COUNTED {
        true => format!("of the newest {}", count(MOST_COUNTED.unsigned_abs())),
        false => "of those predictions".to_owned(),
    };
    view! {
        <div class="grid grid-stats">
            <div class="stat">
                <span class="stat-label">"Live version"</span>
                <span class="stat-value">{live}</span>
                <span class="stat-note">{answers}</span>
            </div>
            <div class="stat">
                <span class="stat-label">"Predictions"</span>
                <span class="stat-value">{answered(deployment.predictions)}</span>
                <span class="stat-note">"answered by the live version"</span>
            </div>
            <div class="stat">
                <span class="stat-label">"Known outcomes"</span>
                <span class="stat-value">{count(outcomes)}</span>
                <span class="stat-note">{of}</span>
            </div>
            <ParityStat parity=deployment.parity/>
        </div>
    }
}

#[component]
fn NeverLive(slug: String) -> impl IntoView {
    view! {
        <Empty title="Nothing was ever live" text="An approved model version is put live from its page.">
            <a class="button button-primary" data-icon="model" href=format!("/models/{slug}")>"Model versions"</a>
        </Empty>
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use millrace_domain::view::DeploymentChange;

    use super::*;

    fn rolled_back() -> DeploymentView {
        let mut deployment = crate::pages::samples::deployment();
        deployment.history[0] = rollback();
        deployment
    }

    fn rollback() -> DeploymentChange {
        DeploymentChange {
            generation: 4,
            kind: "rollback".to_owned(),
            champion: Some(12),
            previous: Some(13),
            candidate: None,
            percent: 0.0,
            by: Some("On-call".to_owned()),
            reason: "scores dropped".to_owned(),
            at: serde_json::from_str("\"2026-11-23T14:05:00Z\"").expect("a time"),
        }
    }

    #[test]
    fn a_rollback_says_how_long_it_took_and_who_answers_now() {
        let expected = "Rolled back from version 13 to version 12 in 1.4 s. In place on 1 server after 210 ms. \
            100 % of predictions are answered by version 12.";
        assert_eq!(result_in_words(&rolled_back(), "4", "1400").as_deref(), Some(expected));
    }

    #[test]
    fn what_a_server_does_not_have_yet_is_not_told_as_answered_everywhere() {
        let mut deployment = rolled_back();
        deployment.spread.waiting.push("b".to_owned());
        let words = result_in_words(&deployment, "4", "1400").expect("the newest change");
        let end = "In place on 1 server; 1 does not have it yet. As soon as all have it: 100 % of predictions are answered by version 12.";
        assert!(words.ends_with(end), "{words}");
        assert!(!is_everywhere(&deployment.spread));
        deployment.spread = SpreadView { servers: Vec::new(), waiting: Vec::new(), last_answer_ms: None };
        assert!(!is_everywhere(&deployment.spread), "a change that no server is there for is in place nowhere");
    }

    #[test]
    fn an_address_of_an_older_change_claims_nothing() {
        assert_eq!(result_in_words(&rolled_back(), "3", "1"), None);
    }
}

#[cfg(all(test, feature = "ssr"))]
mod rendered_tests {
    use super::*;
    use crate::pages::samples::{deployment, deployment_with_canary, rendered};

    fn forms() -> Forms {
        Forms {
            roll_back: PageForm::new(),
            advance: PageForm::new(),
            pause: PageForm::new(),
            switch: PageForm::new(),
            drill: PageForm::new(),
        }
    }

    #[test]
    fn a_candidate_on_its_way_is_shown_with_its_checks_and_what_it_waits_for() {
        let html = rendered("/deployments/taxi-tips", || {
            view! { <Deployment deployment=deployment_with_canary() forms=forms() fresh=RwSignal::new(None) live=Live::default() typed=RwSignal::new(String::new())/> }
        });
        for expected in [
            "Rollout of version 3",
            "aria-current=\"step\"",
            "2 of 3 checks passed, 1 without enough evidence",
            "Everything is shown; somebody has to let it go on.",
            "Take v3 back to v2?",
            "Go on to full, watched",
            "Where they are furthest apart",
            "99 of 100 answers took at most: candidate 0.9 ms, champion beside it 0.9 ms. The document allows 100 ms.",
            "cab-12",
        ] {
            assert!(html.contains(expected), "{expected} is not in {html}");
        }
    }

    #[test]
    fn a_rollout_that_is_paused_says_by_whom_and_why() {
        let html = rendered("/deployments/taxi-tips", || {
            let mut deployment = deployment_with_canary();
            if let Some(rollout) = &mut deployment.rollout {
                rollout.state = "paused".to_owned();
                rollout.paused = Some(("On call".to_owned(), "a holiday in the data".to_owned(), rollout.started_at));
            }
            view! { <Deployment deployment forms=forms() fresh=RwSignal::new(None) live=Live::default() typed=RwSignal::new(String::new())/> }
        });
        assert!(html.contains("Paused by On call, ") && html.contains("A holiday in the data."), "{html}");
    }

    #[test]
    fn a_model_that_is_switched_off_is_told_before_all_else() {
        let html = rendered("/deployments/taxi-tips", || {
            let fallback = Some(serde_json::json!({ "label": "false", "score": 0.1 }));
            let off = millrace_domain::view::DeploymentView { fallback, ..deployment() };
            view! { <Deployment deployment=off forms=forms() fresh=RwSignal::new(None) live=Live::default() typed=RwSignal::new(String::new())/> }
        });
        assert!(html.contains("The model is switched off") && html.contains("Switch the model on again?"), "{html}");
        assert!(html.contains("answers nobody"), "{html}");
    }

    #[test]
    fn rolling_back_is_a_plain_form_that_needs_a_reason() {
        let html = rendered("/deployments/taxi-tips", || {
            view! { <Deployment deployment=deployment() forms=forms() fresh=RwSignal::new(None) live=Live::default() typed=RwSignal::new(String::new())/> }
        });
        assert!(html.contains("Roll back to v1?") && html.contains("action=\"/fn/roll_back\""), "{html}");
        assert!(html.contains("required"), "{html}");
    }
}
