use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::AuthCard;
use crate::components::{Field, Load};
use crate::fault::PageFault;
use crate::form::kept_for;
use crate::return_path::{encoded, local};

/// The password once more, before a change that an account rests on. Goes back to the page that needs it.
#[component]
pub fn ConfirmPage() -> impl IntoView {
    let next = use_query_map().with_untracked(|query| query.get("next")).unwrap_or_default();
    let back = local(&next).unwrap_or("/account").to_owned();
    let account = Resource::new(|| (), |()| crate::pages::account::account());
    let elsewhere = format!("/sign-in/elsewhere?next={}", encoded(&next));
    view! {
        <AuthCard title="Confirm that it is you" kept=kept_for("/fn/confirm")>
            <p class="lede">
                "Changes to people, passwords, second factors and tokens need your password once more, if you gave it over ten minutes ago."
            </p>
            <Load resource=account let:account>
                {if account.has_password {
                    let with_code = account.second_factor_since.is_some();
                    view! {
                        <form class="form" method="post" action="/fn/confirm">
                            <input type="hidden" name="next" value=next.clone()/>
                            <Field name="password" label="Password" kind="password" autocomplete="current-password"/>
                            {with_code
                                .then(|| view! { <Field name="code" label="Code of your second factor" autocomplete="one-time-code"/> })}
                            <div class="form-actions">
                                <button class="button button-primary" type="submit">"Confirm"</button>
                                <a class="button button-quiet" href=back.clone() rel="external">"Cancel"</a>
                            </div>
                        </form>
                    }
                        .into_any()
                } else {
                    view! { <a class="button button-primary" href=elsewhere.clone() rel="external">"Sign in once more"</a> }
                        .into_any()
                }}
            </Load>
        </AuthCard>
    }
}

/// Checks the password and renews the session under a new id.
#[server(prefix = "/fn", endpoint = "confirm")]
pub async fn confirm(
    password: String,
    #[server(default)] code: String,
    #[server(default)] next: String,
) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let signed_in = crate::caller::submitted(&[], services.confirm(&actor, &password, &code)).await?;
    crate::caller::signed_in(signed_in, local(&next).unwrap_or("/account")).await
}
