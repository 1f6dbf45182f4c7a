use leptos::prelude::*;

use crate::components::{FaultNotice, Field};
use crate::fault::PageFault;
use crate::form::kept_for;
use crate::pages::auth::PASSWORD_RULES;

/// Changes the own password. It is posted plainly: every session ends, this one goes on under a new id.
#[component]
pub fn PasswordForm(
    /// Whether there is one to change.
    has_password: bool,
    /// Whether a second factor is asked for.
    with_code: bool,
) -> impl IntoView {
    if !has_password {
        return view! {
            <section class="section">
                <div class="section-header"><h2>"Password"</h2></div>
                <p class="muted">
                    "You sign in elsewhere and have no password here. To set one, ask for a link on the sign-in page."
                </p>
            </section>
        }
        .into_any();
    }
    let fault = kept_for("/fn/change_password").and_then(|kept| kept.refusal());
    let error = |pointer: &str| {
        let found = fault.as_ref().and_then(|fault| fault.errors.iter().find(|mistake| mistake.pointer == pointer));
        let message = found.map(|mistake| mistake.message.clone());
        Signal::derive(move || message.clone())
    };
    let (old, new) = (error("/old"), error("/password"));
    view! {
        <section class="card" aria-labelledby="password-title">
            <div class="card-header">
                <h2 id="password-title">"Password"</h2>
            </div>
            <div class="card-body">
                <form class="form" method="post" action="/fn/change_password">
                    {fault.map(|fault| view! { <FaultNotice fault/> })}
                    <p>"The change ends all your sessions but this one."</p>
                    <Field name="old" label="Password now" kind="password" autocomplete="current-password" error=old/>
                    {with_code
                        .then(|| view! { <Field name="code" label="Code of your second factor" autocomplete="one-time-code"/> })}
                    <Field
                        name="password"
                        label="New password"
                        kind="password"
                        hint=PASSWORD_RULES
                        minlength=8
                        autocomplete="new-password"
                        error=new
                    />
                    <div class="form-actions">
                        <button class="button button-primary" type="submit">"Change the password"</button>
                    </div>
                </form>
            </div>
        </section>
    }
    .into_any()
}

/// Changes the own password and renews this session.
#[server(prefix = "/fn", endpoint = "change_password")]
pub async fn change_password(old: String, #[server(default)] code: String, password: String) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let signed_in = crate::caller::submitted(&[], services.change_password(&actor, &old, &code, &password)).await?;
    crate::caller::signed_in(signed_in, "/account?tab=security").await
}
