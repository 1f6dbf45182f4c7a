//! `/alerts/{id}`: what is wrong, what happened, and what can be done.

use leptos::prelude::*;
use millrace_domain::view::{IncidentEvent, IncidentView, Permission};

use crate::components::{FaultNotice, Field, Gated, GatedButton, KeyValue, KeyValues, Load, Moment, PageHeader};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::pages::address::path_text;
use crate::wording::{sentence, state_words};

/// One alert.
#[server(name = FetchAlert, prefix = "/fn", endpoint = "alert")]
pub async fn fetch_alert(id: String) -> Result<IncidentView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.alert(&actor, &id).await?)
}

/// What a form asks for.
#[cfg(feature = "ssr")]
pub(super) fn handling(act: &str, hours: u32, reason: &str) -> millrace_services::Handling {
    match act {
        "silence" => millrace_services::Handling::Silence { hours, reason: reason.to_owned() },
        "end_silence" => millrace_services::Handling::Silence { hours: 0, reason: String::new() },
        _ => millrace_services::Handling::Acknowledge,
    }
}

/// Takes an alert on, or silences it.
#[server(name = HandleAlert, prefix = "/fn", endpoint = "handle_alert")]
pub async fn handle_alert(
    id: String,
    act: String,
    #[server(default)] hours: u32,
    #[server(default)] reason: String,
) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let typed = [("reason", reason.as_str())];
    let wanted = handling(&act, hours, &reason);
    crate::caller::submitted(&typed, services.handle_alert(&actor, &id, &wanted)).await?;
    leptos_axum::redirect(&format!("/alerts/{id}"));
    Ok(())
}

/// The page.
#[component]
pub fn AlertPage() -> impl IntoView {
    let id = path_text("id");
    let form = PageForm::<HandleAlert>::new().telling("The alert stands as you said.");
    let alert = Resource::new(move || (id.get(), form.done()), |(id, _)| fetch_alert(id));
    view! {
        <Load resource=alert above=("Alerts", "/alerts") let:alert>
            <Alert alert form/>
        </Load>
    }
}

#[component]
pub fn Alert(alert: IncidentView, form: PageForm<HandleAlert>) -> impl IntoView {
    let slug = alert.line.slug.clone();
    let at = alert.window.map(|(_, ends)| format!("?window={}", ends.timestamp())).unwrap_or_default();
    let monitor = format!("/deployments/{slug}/monitor{at}");
    let deployment = format!("/deployments/{slug}#roll-back");
    let may_roll_back = alert.may_roll_back.clone();
    let runbook = alert.runbook.clone();
    view! {
        <PageHeader
            title=alert.line.title.clone()
            crumbs=vec![("Alerts".to_owned(), "/alerts".to_owned())]
            state=alert.line.state.clone()
            meta=move || view! { <span>{slug.clone()}</span> }
            actions=move || {
                let roll_back = may_roll_back.allowed.then(|| view! {
                    <a class="button button-danger" data-icon="rollback" href=deployment.clone()>"Roll back…"</a>
                });
                let runbook = runbook.clone().map(|href| view! {
                    <a class="button" href=href rel="external noreferrer">"Runbook"</a>
                });
                view! {
                    {roll_back}
                    <a class="button" data-icon="monitor" href=monitor.clone()>"What was counted"</a>
                    {runbook}
                }
            }
        />
        {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
        <div class="stack stack-loose">
            <Facts alert=alert.clone()/>
            <Act id=alert.line.id.clone() permission=alert.may_act.clone() alert=alert.clone() form/>
            <Timeline events=alert.events/>
        </div>
    }
}

/// What is wrong.
#[component]
pub fn Facts(alert: IncidentView) -> impl IntoView {
    view! {
        <section class="card" aria-labelledby="wrong">
            <div class="card-header"><h2 id="wrong">"What is wrong"</h2></div>
            <Known alert/>
        </section>
    }
}

/// What is known of an alert, without a head: several of them may stand on one page.
#[component]
pub fn Known(alert: IncidentView) -> impl IntoView {
    let line = alert.line;
    let window = alert.window.map(|(begins, ends)| {
        view! { <p class="muted">"As of the window from " <Moment at=begins/> " to " <Moment at=ends/> "."</p> }
    });
    let taken_on = line.acknowledged_by.map(|name| view! { <p>{name} " looks after it."</p> });
    let silenced =
        line.silenced_until.map(|until| view! { <p>"Nobody is written to until " <Moment at=until/> "."</p> });
    let blind = line.blind_since.map(|since| {
        view! { <p>"Since " <Moment at=since/> " nothing that was seen says whether it still fires."</p> }
    });
    let version = line.version.map(|version| {
        let href = format!("/models/{}/v/{version}", line.slug);
        view! { <KeyValue name="Model"><a href=href>"version " {version}</a></KeyValue> }
    });
    let facts: Vec<_> =
        alert.facts.into_iter().map(|(name, text)| view! { <KeyValue name>{text}</KeyValue> }).collect();
    view! {
        <div class="card-body stack">
            {taken_on} {silenced} {blind}
            <KeyValues>{facts} {version}</KeyValues>
            {window}
        </div>
    }
}

#[component]
fn Act(id: String, permission: Permission, alert: IncidentView, form: PageForm<HandleAlert>) -> impl IntoView {
    let is_taken = alert.line.acknowledged_by.is_some();
    let is_pending = alert.line.state == "pending";
    let is_silenced = alert.line.silenced_until.is_some();
    let button = |act: &'static str, label: &'static str, kind: &'static str| {
        let (id, permission) = (id.clone(), permission.clone());
        view! {
            <ActionForm action=form.action>
                <input type="hidden" name="id" value=id/>
                <input type="hidden" name="act" value=act/>
                <GatedButton permission label kind/>
            </ActionForm>
        }
    };
    let acknowledge = (!is_taken && !is_pending).then(|| button("acknowledge", "Acknowledge", "primary"));
    let end = is_silenced.then(|| button("end_silence", "End the silence", "quiet"));
    view! {
        <section class="card" aria-labelledby="act">
            <div class="card-header"><h2 id="act">"What to do"</h2></div>
            <div class="card-body stack">
                <p class="muted">
                    "Acknowledging tells the others that you look after it: no more reminders. A silence holds every letter back until its end."
                </p>
                <div class="cluster">{acknowledge} {end}</div>
                <Gated permission>
                    <ActionForm action=form.action attr:class="form">
                        <input type="hidden" name="id" value=id/>
                        <input type="hidden" name="act" value="silence"/>
                        <SilenceFields
                            reason=form.typed("reason").unwrap_or_default()
                            error=Signal::derive(move || form.error_at("/reason"))
                        />
                        <div class="form-actions"><button class="button" type="submit">"Silence"</button></div>
                    </ActionForm>
                </Gated>
            </div>
        </section>
    }
}

/// For how long, and why.
#[component]
pub fn SilenceFields(reason: String, #[prop(into)] error: Signal<Option<String>>) -> impl IntoView {
    let hours = [(1, "an hour"), (8, "8 hours"), (24, "a day"), (168, "a week"), (720, "30 days")]
        .map(|(hours, words)| view! { <option value=hours.to_string() selected=hours == 8>{words}</option> });
    view! {
        <div class="field">
            <label class="label" for="hours">"For"</label>
            <select class="input" id="hours" name="hours">{hours}</select>
        </div>
        <Field name="reason" label="Why" hint="Stands in the history of the alert." value=reason error/>
    }
}

#[component]
fn Timeline(events: Vec<IncidentEvent>) -> impl IntoView {
    let items = events
        .into_iter()
        .rev()
        .map(|event| {
            let state = match event.kind.as_str() {
                "fired" | "reopened" => "firing",
                "opened" => "pending",
                "resolved" | "over" => "resolved",
                "acknowledged" => "acknowledged",
                _ => "sent",
            };
            let by = event.by.map(|by| format!("by {by}, "));
            view! {
                <li data-state=state>
                    <div class="timeline-head">
                        <span class="timeline-title">{state_words(&event.kind)}</span>
                        <span class="timeline-meta">{by} <Moment at=event.at/></span>
                    </div>
                    <div class="timeline-body"><p>{sentence(&event.text)}</p></div>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="section" aria-labelledby="happened">
            <div class="section-header"><h2 id="happened">"What happened"</h2></div>
            <ol class="timeline">{items}</ol>
        </section>
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use crate::pages::samples::rendered;
    use crate::pages::samples_watched::alert;

    #[test]
    fn an_alert_says_what_is_wrong_and_offers_what_can_be_done() {
        let html = rendered("/alerts/7", || view! { <Alert alert=alert() form=PageForm::new()/> });
        for expected in ["PSI 0.31", "Acknowledge", "Silence", "Roll back", "action=\"/fn/handle_alert\""] {
            assert!(html.contains(expected), "{expected} is not in {html}");
        }
    }

    #[test]
    fn who_may_not_act_is_told_why() {
        let refused = Permission::refused("you have not the role");
        let seen = IncidentView { may_act: refused.clone(), may_roll_back: refused, ..alert() };
        let html = rendered("/alerts/7", || view! { <Alert alert=seen form=PageForm::new()/> });
        assert!(html.contains("You have not the role.") && !html.contains("Roll back"), "{html}");
    }
}
