use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::AuthCard;
use crate::components::Field;
use crate::fault::PageFault;
use crate::form::kept_for;

/// Mail address and password; goes on to the page that was asked for.
#[component]
pub fn SignInPage() -> impl IntoView {
    let kept = kept_for("/fn/sign_in");
    let email = kept.as_ref().and_then(|kept| kept.typed("email")).unwrap_or_default().to_owned();
    let next = use_query_map().with_untracked(|query| query.get("next")).unwrap_or_default();
    view! {
        <AuthCard title="Sign in" kept>
            <form class="form" method="post" action="/fn/sign_in">
                <input type="hidden" name="next" value=next/>
                <Field name="email" label="E-mail" kind="email" value=email autocomplete="username"/>
                <Field name="password" label="Password" kind="password" autocomplete="current-password"/>
                <div class="form-actions">
                    <button class="button button-primary" type="submit">"Sign in"</button>
                </div>
            </form>
        </AuthCard>
    }
}

/// Signs in and goes on to `next`, if that is a page of this site.
#[server(prefix = "/fn", endpoint = "sign_in")]
pub async fn sign_in(email: String, password: String, #[server(default)] next: String) -> Result<(), PageFault> {
    use crate::caller::{Caller, caller, submitted};

    let Caller { services, sessions, .. } = caller();
    submitted(&[("email", &email)], async {
        let account = services.sign_in(&email, &password, &sessions.address()).await?;
        sessions.open(account).await
    })
    .await?;
    leptos_axum::redirect(crate::return_path::local(&next).unwrap_or("/"));
    Ok(())
}
