//! `/alerts/{id}/by-mail`: what the link of a letter leads to. Opening it does nothing, since programs that look through mail open
//! links by themselves; its forms do, without signing in.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use millrace_domain::view::IncidentView;

use crate::components::{FaultNotice, Load, StateBadge};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::pages::address::path_text;

use super::detail::{Facts, Known, SilenceFields};

/// The alerts that the link is about.
#[server(prefix = "/fn", endpoint = "alert_by_mail")]
pub async fn alerts_by_mail(id: String, key: String) -> Result<Vec<IncidentView>, PageFault> {
    Ok(crate::caller::caller().services.alerts_by_mail(&id, &key).await?)
}

/// Does what the link lets its reader do.
#[server(name = HandleAlertByMail, prefix = "/fn", endpoint = "handle_alert_by_mail")]
pub async fn handle_alert_by_mail(
    id: String,
    key: String,
    act: String,
    #[server(default)] hours: u32,
    #[server(default)] reason: String,
) -> Result<(), PageFault> {
    let services = crate::caller::caller().services;
    let wanted = super::detail::handling(&act, hours, &reason);
    let typed = [("reason", reason.as_str())];
    crate::caller::submitted(&typed, services.handle_alert_by_mail(&id, &key, &wanted)).await?;
    leptos_axum::redirect(&format!("/alerts/{id}/by-mail?key={key}"));
    Ok(())
}

/// The page.
#[component]
pub fn AlertByMailPage() -> impl IntoView {
    let id = path_text("id");
    let key = use_query_map().with_untracked(|query| query.get("key")).unwrap_or_default();
    let form = PageForm::<HandleAlertByMail>::new();
    let asked = key.clone();
    let alerts = Resource::new(move || (id.get(), form.done(), asked.clone()), |(id, _, key)| alerts_by_mail(id, key));
    view! {
        <main class="main main-narrow" id="main">
            <a class="brand" href="/">"Millrace"</a>
            {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
            <Load resource=alerts let:alerts>
                <Linked alerts key=key.clone() form/>
            </Load>
        </main>
    }
}

#[component]
fn Linked(alerts: Vec<IncidentView>, key: String, form: PageForm<HandleAlertByMail>) -> impl IntoView {
    let id = alerts.first().map(|alert| alert.line.id.clone()).unwrap_or_default();
    let is_one = alerts.len() == 1;
    let is_open = alerts.iter().any(|alert| alert.may_act.allowed);
    let waits = alerts.iter().any(|alert| alert.may_act.allowed && alert.line.acknowledged_by.is_none());
    let page = is_one.then(|| view! { <WholeAlert id=id.clone()/> });
    let hidden = move |act: &'static str| {
        view! {
            <input type="hidden" name="id" value=id.clone()/>
            <input type="hidden" name="key" value=key.clone()/>
            <input type="hidden" name="act" value=act/>
        }
    };
    let (for_taking, for_silence) = (hidden.clone(), hidden);
    let (acknowledge, silence, over) = match is_one {
        true => ("Acknowledge", "Silence", "The alert is over; there is nothing left to do."),
        false => ("Acknowledge all", "Silence all", "All of them are over; there is nothing left to do."),
    };
    let shown = match <[IncidentView; 1]>::try_from(alerts) {
        Ok([alert]) => view! { <One alert/> }.into_any(),
        Err(alerts) => view! { <Several alerts/> }.into_any(),
    };
    view! {
        <div class="stack stack-loose">
            {shown}
            {waits.then(|| view! {
                <ActionForm action=form.action>
                    {for_taking("acknowledge")}
                    <button class="button button-primary" type="submit">{acknowledge}</button>
                </ActionForm>
            })}
            {is_open.then(|| view! {
                <ActionForm action=form.action attr:class="form">
                    {for_silence("silence")}
                    <SilenceFields
                        reason=form.typed("reason").unwrap_or_default()
                        error=Signal::derive(move || form.error_at("/reason"))
                    />
                    <div class="form-actions"><button class="button" type="submit">{silence}</button></div>
                </ActionForm>
            })}
            {(!is_open).then(|| view! { <p>{over}</p> })}
            {page}
        </div>
    }
}

/// The alert of a letter about one.
#[component]
fn One(alert: IncidentView) -> impl IntoView {
    view! {
        <h1>{alert.line.title.clone()}</h1>
        <p><StateBadge state=alert.line.state.clone()/></p>
        <Facts alert/>
    }
}

/// The alerts of a letter about several of one model, with where each stands.
#[component]
fn Several(alerts: Vec<IncidentView>) -> impl IntoView {
    let slug = alerts.first().map(|alert| alert.line.slug.clone()).unwrap_or_default();
    let title = format!("{slug}: {} alerts", alerts.len());
    let alerts = alerts
        .into_iter()
        .map(|alert| {
            let (id, heading) = (alert.line.id.clone(), format!("alert-{}", alert.line.id));
            view! {
                <section class="card" aria-labelledby=heading>
                    <div class="card-header">
                        <h2 id=heading.clone()>{alert.line.title.clone()}</h2>
                        <StateBadge state=alert.line.state.clone()/>
                    </div>
                    <Known alert/>
                    <div class="card-footer"><WholeAlert id/></div>
                </section>
            }
        })
        .collect_view();
    view! {
        <h1>{title}</h1>
        {alerts}
    }
}

#[component]
fn WholeAlert(id: String) -> impl IntoView {
    let page = format!("/alerts/{id}");
    view! { <p><a href=page>"The whole alert"</a> " (signed in)"</p> }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use millrace_domain::view::{IncidentLine, Permission};

    use super::*;
    use crate::pages::samples::rendered;
    use crate::pages::samples_watched::alert;

    /// Another alert of the same model, which somebody looks after.
    fn taken() -> IncidentView {
        let line = IncidentLine {
            id: "8".to_owned(),
            title: "Stale data: the newest row of trips is 2 days old".to_owned(),
            state: "acknowledged".to_owned(),
            acknowledged_by: Some("Ann".to_owned()),
            ..alert().line
        };
        IncidentView { line, ..alert() }
    }

    fn page(alerts: Vec<IncidentView>) -> String {
        let key = "00".to_owned();
        rendered("/alerts/7/by-mail", move || view! { <Linked alerts key form=PageForm::new()/> })
    }

    #[test]
    fn a_letter_about_several_alerts_leads_to_all_of_them_and_to_one_form_for_all() {
        let html = page(vec![alert(), taken()]);
        let expected = [
            "taxi-tips: 2 alerts",
            "PSI 0.31",
            "Stale data",
            "Ann",
            "data-state=\"firing\"",
            "data-state=\"acknowledged\"",
            "Acknowledge all",
            "Silence all",
            "href=\"/alerts/8\"",
        ];
        for expected in expected {
            assert!(html.contains(expected), "{expected} is not in {html}");
        }
        assert_eq!(html.matches("value=\"acknowledge\"").count(), 1, "{html}");
        assert_eq!(html.matches("id=\"wrong\"").count(), 0, "no two parts have one name: {html}");
    }

    #[test]
    fn what_is_left_to_do_is_offered_and_nothing_else() {
        assert!(!page(vec![taken(), taken()]).contains("value=\"acknowledge\""));
        let over = |alert: IncidentView| IncidentView { may_act: Permission::refused("the alert is over"), ..alert };
        let one = page(vec![over(alert()), taken()]);
        assert!(!one.contains("value=\"acknowledge\"") && one.contains("Silence all"), "{one}");
        let none = page(vec![over(alert()), over(taken())]);
        assert!(none.contains("All of them are over") && !none.contains("<form"), "{none}");
        let alone = page(vec![alert()]);
        assert!(alone.contains("id=\"wrong\"") && !alone.contains("Acknowledge all"), "{alone}");
    }
}
