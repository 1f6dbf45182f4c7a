//! `/alerts/{id}/by-mail`: what the link of a letter leads to. Opening it does nothing, since programs that look through mail open
//! links by themselves; its forms do, without signing in.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use millrace_domain::view::IncidentView;

use crate::components::{FaultNotice, Load, StateBadge};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::pages::address::path_text;

use super::detail::{Facts, SilenceFields};

/// The alert that the link is about.
#[server(prefix = "/fn", endpoint = "alert_by_mail")]
pub async fn alert_by_mail(id: String, key: String) -> Result<IncidentView, PageFault> {
    Ok(crate::caller::caller().services.alert_by_mail(&id, &key).await?)
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
    let alert = Resource::new(move || (id.get(), form.done(), asked.clone()), |(id, _, key)| alert_by_mail(id, key));
    view! {
        <main class="main main-narrow" id="main">
            <a class="brand" href="/">"Millrace"</a>
            {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
            <Load resource=alert let:alert>
                <Linked alert key=key.clone() form/>
            </Load>
        </main>
    }
}

#[component]
fn Linked(alert: IncidentView, key: String, form: PageForm<HandleAlertByMail>) -> impl IntoView {
    let id = alert.line.id.clone();
    let is_open = alert.may_act.allowed;
    let is_taken = alert.line.acknowledged_by.is_some();
    let hidden = move |act: &'static str| {
        view! {
            <input type="hidden" name="id" value=id.clone()/>
            <input type="hidden" name="key" value=key.clone()/>
            <input type="hidden" name="act" value=act/>
        }
    };
    let (for_taking, for_silence) = (hidden.clone(), hidden);
    let page = format!("/alerts/{}", alert.line.id);
    view! {
        <div class="stack stack-loose">
            <h1>{alert.line.title.clone()}</h1>
            <p><StateBadge state=alert.line.state.clone()/></p>
            <Facts alert=alert.clone()/>
            {(is_open && !is_taken).then(|| view! {
                <ActionForm action=form.action>
                    {for_taking("acknowledge")}
                    <button class="button button-primary" type="submit">"Acknowledge"</button>
                </ActionForm>
            })}
            {is_open.then(|| view! {
                <ActionForm action=form.action attr:class="form">
                    {for_silence("silence")}
                    <SilenceFields
                        reason=form.typed("reason").unwrap_or_default()
                        error=Signal::derive(move || form.error_at("/reason"))
                    />
                    <div class="form-actions"><button class="button" type="submit">"Silence"</button></div>
                </ActionForm>
            })}
            {(!is_open).then(|| view! { <p>"The alert is over; there is nothing left to do."</p> })}
            <p><a href=page>"The whole alert"</a> " (signed in)"</p>
        </div>
    }
}
