//! `/problems/{slug}/retraining`: the policy, the next times, what came up and what it started.

use leptos::prelude::*;
use millrace_domain::view::{TriggerEventView, TriggersView};

use crate::components::{
    Empty, FaultNotice, GatedButton, KeyValue, KeyValues, Load, Moment, PageHeader, ReasonField, StateBadge,
    TableRegion,
};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::pages::address::path_text;
use crate::wording::sentence;

/// When models of a problem are trained by themselves.
#[server(name = FetchRetraining, prefix = "/fn", endpoint = "retraining")]
pub async fn fetch_retraining(slug: String) -> Result<TriggersView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.triggers(&actor, &slug).await?)
}

/// Pauses it, lets it go on, or asks for a training now.
#[server(name = SteerRetraining, prefix = "/fn", endpoint = "steer_retraining")]
pub async fn steer_retraining(slug: String, act: String, reason: String) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let typed = [("reason", reason.as_str())];
    crate::caller::submitted(&typed, async {
        match act.as_str() {
            "pause" => services.pause_retraining(&actor, &slug, true, &reason).await,
            "resume" => services.pause_retraining(&actor, &slug, false, &reason).await,
            _ => services.ask_for_training(&actor, &slug, &reason).await,
        }
    })
    .await?;
    leptos_axum::redirect(&format!("/problems/{slug}/retraining"));
    Ok(())
}

/// The page.
#[component]
pub fn RetrainingPage() -> impl IntoView {
    let slug = path_text("slug");
    let form = PageForm::<SteerRetraining>::new().telling("Retraining stands as you said.");
    let triggers = Resource::new(move || (slug.get(), form.done()), |(slug, _)| fetch_retraining(slug));
    view! {
        <Load resource=triggers above=("Problems", "/problems") let:triggers>
            <Triggers triggers form/>
        </Load>
    }
}

#[component]
pub fn Triggers(triggers: TriggersView, form: PageForm<SteerRetraining>) -> impl IntoView {
    let problem = format!("/problems/{}", triggers.slug);
    let monitor = format!("/deployments/{}/monitor", triggers.slug);
    let runs = format!("/runs?problem={}", triggers.slug);
    let rehearsals = format!("{problem}/rehearsals");
    let state = match (&triggers.paused, triggers.has_given_up, triggers.has_policy) {
        (Some(_), ..) => "paused",
        (_, true, _) => "stopped",
        (.., true) => "active",
        _ => "off",
    };
    let slug = triggers.slug.clone();
    let head = view! {
        <PageHeader
            title="Retraining"
            crumbs=vec![("Problems".to_owned(), "/problems".to_owned()), (triggers.title.clone(), problem.clone())]
            state
            meta=move || view! { <span>{slug.clone()}</span> }
            actions=move || {
                view! {
                    <a class="button" data-icon="monitor" href=monitor.clone()>"Monitoring"</a>
                    <a class="button" data-icon="play" href=rehearsals.clone()>"Rehearse"</a>
                    <a class="button" data-icon="run" href=runs.clone()>"Runs"</a>
                    <a class="button" data-icon="problem" href=problem.clone()>"Problem"</a>
                }
            }
        />
    };
    if !triggers.has_policy {
        return view! {
            {head}
            <Empty
                title="Nothing is trained by itself"
                text="A document can say when a new model is trained: on a schedule, after so many new rows or outcomes, on drift, or when answers get worse. It takes effect once it is signed."
            >
                <span class="snippet"><code>"[retraining]  cron = \"0 3 * * 1\"  on_drift = true  cool_down = \"6h\""</code></span>
            </Empty>
        }
        .into_any();
    }
    let policy = triggers.policy.iter().map(|line| view! { <li>{line.clone()}</li> }).collect_view();
    let paused = triggers.paused.clone().map(|(by, reason, since)| {
        view! {
            <div class="callout" data-kind="warning" role="status">
                <p class="callout-title">"Paused, no next run"</p>
                <p>{by} " paused it " <Moment at=since/> ": " {sentence(&reason)}</p>
            </div>
        }
    });
    let kind = if triggers.has_given_up { "error" } else { "info" };
    view! {
        {head}
        <div class="stack stack-loose">
            {paused}
            <div class="callout" data-kind=kind role="status"><p>{triggers.standing.clone()}</p></div>
            {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
            <section class="card" aria-labelledby="policy">
                <div class="card-header"><h2 id="policy">"What the signed document says"</h2></div>
                <div class="card-body stack">
                    <ul>{policy}</ul>
                    <Nearness triggers=triggers.clone()/>
                </div>
            </section>
            <Next triggers=triggers.clone()/>
            <Steer triggers=triggers.clone() form/>
            <Events events=triggers.events/>
        </div>
    }
    .into_any()
}

#[component]
fn Nearness(triggers: TriggersView) -> impl IntoView {
    let facts: Vec<_> =
        triggers.nearness.into_iter().map(|(name, how)| view! { <KeyValue name>{how}</KeyValue> }).collect();
    view! { <KeyValues>{facts}</KeyValues> }
}

#[component]
fn Next(triggers: TriggersView) -> impl IntoView {
    let (cron, zone) = triggers.cron.clone()?;
    if triggers.next.is_empty() {
        return None;
    }
    let is_utc = zone == "UTC";
    let backfill = format!("/problems/{}/backfill", triggers.slug);
    let rows = triggers
        .next
        .into_iter()
        .map(|(at, wall)| {
            view! {
                <tr>
                    <td data-label="On the wall">{wall}</td>
                    {(!is_utc).then(|| view! { <td data-label="In UTC"><Moment at/></td> })}
                </tr>
            }
        })
        .collect_view();
    let title = format!("The next times of {cron} ({zone})");
    Some(view! {
        <section class="section stack" aria-labelledby="next">
            <div class="section-header"><h2 id="next">{title}</h2></div>
            <TableRegion label="Next times">
                <table class="table" data-stack>
                    <caption class="visually-hidden">"The next times"</caption>
                    <thead>
                        <tr>
                            <th scope="col">{format!("In {zone}")}</th>
                            {(!is_utc).then(|| view! { <th scope="col">"In UTC"</th> })}
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
            <p class="muted">
                "Times that pass while no server runs are caught up with once, not one by one. One run at a time. "
                <a href=backfill>"Train for times that have passed"</a>
            </p>
        </section>
    })
}

#[component]
fn Steer(triggers: TriggersView, form: PageForm<SteerRetraining>) -> impl IntoView {
    let permission = triggers.may_act.clone();
    let disabled = !permission.allowed;
    let is_stopped = triggers.paused.is_some() || triggers.has_given_up;
    let (act, label) = if is_stopped { ("resume", "Let it go on") } else { ("pause", "Pause") };
    view! {
        <section class="card" aria-labelledby="steer">
            <div class="card-header"><h2 id="steer">"Steer it"</h2></div>
            <div class="card-body stack">
                <p class="muted">
                    "A training repeats the live version's settings on the newest data, and passes the same gates, approvals and stages as any \
                     other."
                </p>
                <ActionForm action=form.action attr:class="form">
                    <input type="hidden" name="slug" value=triggers.slug/>
                    <ReasonField
                        id="steer-reason"
                        hint="Stands in the audit trail."
                        text=form.typed("reason").unwrap_or_default()
                        disabled
                    />
                    <div class="form-actions">
                        <GatedButton permission=permission.clone() label="Train now" kind="primary" sends=("act", "ask") id="ask"/>
                        <GatedButton permission label sends=("act", act) id="pause"/>
                    </div>
                </ActionForm>
            </div>
        </section>
    }
}

#[component]
fn Events(events: Vec<TriggerEventView>) -> impl IntoView {
    if events.is_empty() {
        return view! { <p class="muted">"Nothing has come up yet."</p> }.into_any();
    }
    let rows = events
        .into_iter()
        .map(|event| {
            let run = event.run.clone().map(|run| {
                let version = event.version.map(|version| format!(", version {version}"));
                view! { <a href=format!("/runs/{run}")>{format!("run {run}")}</a> {version} }
            });
            let state = event
                .run_state
                .clone()
                .unwrap_or_else(|| if event.ended.is_some() { "skipped".to_owned() } else { "waiting".to_owned() });
            view! {
                <tr>
                    <td data-label="When"><Moment at=event.at/></td>
                    <th scope="row" data-label="Reason">{event.reason.replace('_', " ")}</th>
                    <td data-label="What">{event.detail}</td>
                    <td data-label="Started">{run}</td>
                    <td data-label="State"><StateBadge state/></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="section stack" aria-labelledby="events">
            <div class="section-header"><h2 id="events">"What came up"</h2></div>
            <TableRegion label="What came up">
                <table class="table" data-stack>
                    <caption class="visually-hidden">"Reasons to train, newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"When"</th>
                            <th scope="col">"Reason"</th>
                            <th scope="col">"What"</th>
                            <th scope="col">"Started"</th>
                            <th scope="col">"State"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
        </section>
    }
    .into_any()
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use crate::pages::samples::rendered;
    use crate::pages::samples_watched::triggers;

    fn page(triggers: TriggersView) -> String {
        rendered("/problems/taxi-tips/retraining", || view! { <Triggers triggers form=PageForm::new()/> })
    }

    #[test]
    fn the_next_times_stand_in_the_zone_and_in_utc_and_what_came_up_leads_to_its_run() {
        let html = page(triggers());
        for expected in ["Mon 2026-11-30 03:00 CET", "In UTC", "120 of 1000", "/runs/42", "Train now", "Pause"] {
            assert!(html.contains(expected), "{expected} is not in {html}");
        }
    }

    #[test]
    fn a_pause_shows_who_and_why_and_no_next_time() {
        let since = triggers().events[0].at;
        let paused = Some(("On-call".to_owned(), "holidays".to_owned(), since));
        let html = page(TriggersView { paused, next: Vec::new(), ..triggers() });
        assert!(html.contains("Paused, no next run") && html.contains("Let it go on"), "{html}");
        assert!(!html.contains("The next times"), "{html}");
    }
}
