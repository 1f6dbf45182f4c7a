use leptos::prelude::*;
use millrace_domain::view::TokenView;

use crate::fault::PageFault;
use crate::form::PageForm;

/// Asks once more before a token is ended.
#[component]
pub fn RevokeForm(
    /// The page's form.
    form: PageForm<RevokeToken>,
    /// Which token.
    token: TokenView,
) -> impl IntoView {
    view! {
        <section class="card confirm" aria-labelledby="revoke-title">
            <div class="card-header">
                <h2 id="revoke-title">{format!("Revoke the token {}?", token.name)}</h2>
            </div>
            <div class="card-body">
                <ActionForm action=form.action attr:class="form">
                    <p>"Scripts that use it are refused from now on. It cannot be brought back."</p>
                    <input type="hidden" name="token" value=token.id/>
                    <div class="form-actions">
                        <button class="button button-danger" type="submit">"Revoke"</button>
                        <a class="button button-quiet" href="/account?tab=tokens">"Cancel"</a>
                    </div>
                </ActionForm>
            </div>
        </section>
    }
}

/// Ends one of the reader's tokens.
#[server(prefix = "/fn", endpoint = "revoke_token")]
pub async fn revoke_token(token: String) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    crate::caller::submitted(&[], services.revoke_token(&actor, &token)).await?;
    leptos_axum::redirect("/account?tab=tokens");
    Ok(())
}
