use leptos::prelude::*;

use super::AuthCard;
use crate::components::Field;
use crate::fault::PageFault;
use crate::form::kept_for;

/// Asks for a letter with a link to set a new password.
#[component]
pub fn ForgotPage() -> impl IntoView {
    let kept = kept_for("/fn/forgot_password");
    let email = kept.as_ref().and_then(|kept| kept.typed("email")).unwrap_or_default().to_owned();
    view! {
        <AuthCard title="Forgot the password" kept>
            <p class="lede">"You get a letter with a link that works once, within an hour."</p>
            <form class="form" method="post" action="/fn/forgot_password">
                <Field name="email" label="E-mail" kind="email" value=email autocomplete="username"/>
                <div class="form-actions">
                    <button class="button button-primary" type="submit">"Send the link"</button>
                    <a class="button button-quiet" href="/sign-in" rel="external">"Back to sign-in"</a>
                </div>
            </form>
        </AuthCard>
    }
}

/// Sends the link, if there is such an account; the answer does not say.
#[server(prefix = "/fn", endpoint = "forgot_password")]
pub async fn forgot_password(email: String) -> Result<(), PageFault> {
    use crate::caller::{Caller, caller, show_once, submitted};

    let Caller { services, sessions, .. } = caller();
    submitted(&[("email", &email)], services.forgot_password(&email, &sessions.origin())).await?;
    show_once("If that address has an account here, a letter is on its way to it.").await
}
