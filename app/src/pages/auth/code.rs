use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::AuthCard;
use crate::components::Field;
use crate::fault::PageFault;
use crate::form::kept_for;

/// The second factor, after the password.
#[component]
pub fn CodePage() -> impl IntoView {
    let next = use_query_map().with_untracked(|query| query.get("next")).unwrap_or_default();
    view! {
        <AuthCard title="Second factor" kept=kept_for("/fn/second_factor")>
            <p class="lede">"Type the six digits that your authenticator shows now, or one of your recovery codes."</p>
            <form class="form" method="post" action="/fn/second_factor">
                <input type="hidden" name="next" value=next/>
                <Field name="code" label="Code" autocomplete="one-time-code"/>
                <div class="form-actions">
                    <button class="button button-primary" type="submit">"Go on"</button>
                    <a class="button button-quiet" href="/sign-in" rel="external">"Begin again"</a>
                </div>
            </form>
        </AuthCard>
    }
}

/// Takes the second factor of whoever showed the password in this session.
#[server(prefix = "/fn", endpoint = "second_factor")]
pub async fn show_second_factor(code: String, #[server(default)] next: String) -> Result<(), PageFault> {
    use millrace_domain::fault::Fault;
    use millrace_services::SignedIn;

    use crate::caller::{Caller, caller, submitted};

    let Caller { services, sessions, .. } = caller();
    let signed_in = submitted(&[], async {
        let half = sessions.owes_second_factor().await?.ok_or_else(|| {
            Fault::new(401, "sign_in_first", "Sign in again", "the password was shown too long ago; begin again")
        })?;
        let signed_in = services.show_second_factor(half.account, &code, &sessions.origin()).await?;
        Ok(SignedIn { in_place_of: Some(half.session), ..signed_in })
    })
    .await?;
    crate::caller::signed_in(signed_in, &next).await
}
