use leptos::prelude::*;
use millrace_domain::view::PersonView;

use crate::fault::PageFault;
use crate::form::PageForm;

/// Asks once more before somebody is barred from signing in.
#[component]
pub fn DisableForm(
    /// The page's form.
    form: PageForm<DisablePerson>,
    /// Whom.
    person: PersonView,
) -> impl IntoView {
    view! {
        <section class="card confirm" aria-labelledby="disable-title">
            <div class="card-header">
                <h2 id="disable-title">{format!("Disable {}?", person.name)}</h2>
            </div>
            <div class="card-body">
                <ActionForm action=form.action attr:class="form">
                    <p>
                        {person.email}
                        " can no longer sign in, and their tokens stop working. Their reviews and everything else they did stay."
                    </p>
                    <input type="hidden" name="account" value=person.id/>
                    <div class="form-actions">
                        <button class="button button-danger" type="submit">"Disable"</button>
                        <a class="button button-quiet" href="/people">"Cancel"</a>
                    </div>
                </ActionForm>
            </div>
        </section>
    }
}

/// Bars somebody from signing in.
#[server(prefix = "/fn", endpoint = "disable_person")]
pub async fn disable_person(account: String) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    crate::caller::submitted(&[], async { services.disable_person(&actor, super::roles::account_id(&account)?).await })
        .await?;
    leptos_axum::redirect("/people");
    Ok(())
}
