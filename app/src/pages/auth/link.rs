//! The pages behind one-time links: taking up an invitation, and setting a new password.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use millrace_domain::view::LinkView;

use super::{AuthCard, PASSWORD_RULES};
use crate::components::{Field, Load};
use crate::fault::PageFault;
use crate::form::kept_for;

/// Takes up an invitation.
#[component]
pub fn InvitePage() -> impl IntoView {
    view! { <LinkPage title="Welcome to Millrace" purpose="invite"/> }
}

/// Sets a new password.
#[component]
pub fn ResetPage() -> impl IntoView {
    view! { <LinkPage title="Set a new password" purpose="reset"/> }
}

#[component]
fn LinkPage(title: &'static str, purpose: &'static str) -> impl IntoView {
    let code = use_query_map().with_untracked(|query| query.get("code")).unwrap_or_default();
    let asked = code.clone();
    let link = Resource::new(move || asked.clone(), move |code| look_at_link(purpose.to_owned(), code));
    let kept = kept_for("/fn/set_password").or_else(|| kept_for("/fn/renew_link"));
    view! {
        <AuthCard title kept>
            <Load resource=link let:link>
                <LinkForm link purpose code=code.clone()/>
            </Load>
            <p class="hint">
                <a href="/sign-in">"Sign in"</a> " or " <a href="/forgot">"ask for a new link"</a> "."
            </p>
        </AuthCard>
    }
}

#[component]
fn LinkForm(link: LinkView, purpose: &'static str, code: String) -> impl IntoView {
    let LinkView { email, name, open } = link;
    if !open {
        return view! {
            <p>{format!("This link to the account of {email} has run out.")}</p>
            <form class="form" method="post" action="/fn/renew_link">
                <input type="hidden" name="purpose" value=purpose/>
                <input type="hidden" name="code" value=code/>
                <div class="form-actions">
                    <button class="button button-primary" type="submit">"Send a new link to this address"</button>
                </div>
            </form>
        }
        .into_any();
    }
    view! {
        <p>{name} ", choose a password for " <strong>{email.clone()}</strong> "."</p>
        <form class="form" method="post" action="/fn/set_password">
            <input type="hidden" name="purpose" value=purpose/>
            <input type="hidden" name="code" value=code/>
            // For password managers, which keep it with the password.
            <input type="hidden" name="username" value=email autocomplete="username"/>
            <Field
                name="password"
                label="Password"
                kind="password"
                hint=PASSWORD_RULES
                minlength=8
                autocomplete="new-password"
            />
            <div class="form-actions">
                <button class="button button-primary" type="submit">"Set the password"</button>
            </div>
        </form>
    }
    .into_any()
}

#[cfg(feature = "ssr")]
fn purpose_of(word: &str) -> Result<millrace_services::LinkPurpose, millrace_domain::fault::Fault> {
    match word {
        "invite" => Ok(millrace_services::LinkPurpose::Invite),
        "reset" => Ok(millrace_services::LinkPurpose::Reset),
        _ => Err(millrace_domain::fault::Fault::field("/purpose", "must be invite or reset")),
    }
}

/// Whose link it is, and whether it works.
#[server(prefix = "/fn", endpoint = "look_at_link")]
pub async fn look_at_link(purpose: String, code: String) -> Result<LinkView, PageFault> {
    Ok(crate::caller::caller().services.look_at_link(purpose_of(&purpose)?, &code).await?)
}

/// Sets the password by a link and signs in.
#[server(prefix = "/fn", endpoint = "set_password")]
pub async fn set_password(
    purpose: String,
    code: String,
    #[server(default)] username: String,
    password: String,
) -> Result<(), PageFault> {
    use crate::caller::{Caller, caller, submitted};

    drop(username);
    let Caller { services, sessions, .. } = caller();
    let signed_in = submitted(&[], async {
        services.set_password_by_link(purpose_of(&purpose)?, &code, &password, &sessions.origin()).await
    })
    .await?;
    crate::caller::signed_in(signed_in, "/").await
}

/// Sends a new link in place of one that has run out.
#[server(prefix = "/fn", endpoint = "renew_link")]
pub async fn renew_link(purpose: String, code: String) -> Result<(), PageFault> {
    use crate::caller::{Caller, caller, show_once, submitted};

    let Caller { services, sessions, .. } = caller();
    submitted(&[], async { services.renew_link(purpose_of(&purpose)?, &code, &sessions.origin()).await }).await?;
    show_once("A new link is on its way to the same address.").await
}
