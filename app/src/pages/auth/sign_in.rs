use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::AuthCard;
use crate::components::{Field, Load};
use crate::fault::PageFault;
use crate::form::kept_for;
use crate::return_path::encoded;

/// Mail address and password; goes on to the page that was asked for.
#[component]
pub fn SignInPage() -> impl IntoView {
    let kept = kept_for("/fn/sign_in");
    let email = kept.as_ref().and_then(|kept| kept.typed("email")).unwrap_or_default().to_owned();
    let next = use_query_map().with_untracked(|query| query.get("next")).unwrap_or_default();
    let ways = Resource::new(|| (), |()| ways_in());
    let elsewhere = format!("/sign-in/elsewhere?next={}", encoded(&next));
    view! {
        <AuthCard title="Sign in" kept>
            <form class="form" method="post" action="/fn/sign_in">
                <input type="hidden" name="next" value=next/>
                <Field name="email" label="E-mail" kind="email" value=email autocomplete="username"/>
                <Field name="password" label="Password" kind="password" autocomplete="current-password"/>
                <div class="form-actions">
                    <button class="button button-primary" type="submit">"Sign in"</button>
                    <a class="button button-quiet" href="/forgot" rel="external">"Forgot the password?"</a>
                </div>
            </form>
            <Load resource=ways let:elsewhere_name>
                {
                    let href = elsewhere.clone();
                    elsewhere_name
                        .map(|name| {
                            view! {
                                <p class="auth-or muted">"or"</p>
                                <a class="button" href=href rel="external">{format!("Sign in with {name}")}</a>
                            }
                        })
                }
            </Load>
        </AuthCard>
    }
}

/// Name of the other sign-in, if there is one.
#[server(prefix = "/fn", endpoint = "ways_in")]
pub async fn ways_in() -> Result<Option<String>, PageFault> {
    Ok(crate::caller::caller().services.elsewhere_name())
}

/// Signs in and goes on to `next`, if that is a page of this site, or to the second factor first.
#[server(prefix = "/fn", endpoint = "sign_in")]
pub async fn sign_in(email: String, password: String, #[server(default)] next: String) -> Result<(), PageFault> {
    use crate::caller::{Caller, caller, submitted};

    let Caller { services, sessions, .. } = caller();
    let origin = sessions.origin();
    let signed_in = submitted(&[("email", &email)], services.sign_in(&email, &password, &origin)).await?;
    crate::caller::signed_in(signed_in, &next).await
}
