use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::AuthCard;
use crate::components::Field;
use crate::fault::PageFault;
use crate::form::kept_for;

/// What [`SetUpPage`] and the form for new people say of a password.
pub const PASSWORD_RULES: &str = "8 to 128 characters of any kind; the ones that everybody tries first are refused. Several words are easy to remember.";

/// The first account, an admin, made with the one-time code that the server prints when there is none.
#[component]
pub fn SetUpPage() -> impl IntoView {
    let kept = kept_for("/fn/set_up");
    let typed = |name: &str| kept.as_ref().and_then(|kept| kept.typed(name)).unwrap_or_default().to_owned();
    let (email, name) = (typed("email"), typed("name"));
    let code = use_query_map().with_untracked(|query| query.get("code")).unwrap_or_default();
    view! {
        <AuthCard title="Set up Millrace" kept>
            <p class="lede">
                "This makes the first account, an admin who adds everybody else. The code is in the link that the server prints at start while nobody has an account; it works once."
            </p>
            <form class="form" method="post" action="/fn/set_up">
                <Field name="code" label="Set-up code" value=code/>
                <Field name="email" label="E-mail" kind="email" value=email autocomplete="username"/>
                <Field name="name" label="Name" hint="As others see it in reviews and in the audit trail." value=name autocomplete="name"/>
                <Field
                    name="password"
                    label="Password"
                    kind="password"
                    hint=PASSWORD_RULES
                    minlength=8
                    autocomplete="new-password"
                />
                <div class="form-actions">
                    <button class="button button-primary" type="submit">"Create the account"</button>
                </div>
            </form>
        </AuthCard>
    }
}

/// Makes the first account and signs it in.
#[server(prefix = "/fn", endpoint = "set_up")]
pub async fn set_up(code: String, email: String, name: String, password: String) -> Result<(), PageFault> {
    use crate::caller::{Caller, caller, submitted};

    let Caller { services, .. } = caller();
    let typed = [("email", email.as_str()), ("name", &name)];
    let signed_in = submitted(&typed, services.set_up(&code, &email, &name, &password)).await?;
    crate::caller::signed_in(signed_in, "/").await
}
