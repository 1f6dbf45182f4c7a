use leptos::prelude::*;
use millrace_domain::view::Me;

use crate::components::{FaultNotice, Field, KeyValue, KeyValues};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::wording::role_titles;

/// Name and address, to be changed, and roles, which an admin changes.
#[component]
pub fn Identity(
    /// Who.
    me: Me,
    /// The page's form.
    form: PageForm<ChangeIdentity>,
) -> impl IntoView {
    let at = move |pointer: &'static str| Signal::derive(move || form.error_at(pointer));
    let roles = if me.roles.is_empty() { "none yet; an admin gives them".to_owned() } else { role_titles(&me.roles) };
    view! {
        <section class="card" aria-labelledby="identity-title">
            <div class="card-header">
                <h2 id="identity-title">"Who you are"</h2>
            </div>
            <div class="card-body stack">
                <KeyValues>
                    <KeyValue name="Roles">{roles}</KeyValue>
                </KeyValues>
                <ActionForm action=form.action attr:class="form">
                    {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
                    <div class="form-row">
                        <Field
                            name="name"
                            label="Name"
                            hint="As others see it. Your reviews and your work stay yours under any name."
                            value=form.typed("name").unwrap_or(me.name)
                            autocomplete="name"
                            error=at("/name")
                        />
                        <Field
                            name="email"
                            label="E-mail"
                            kind="email"
                            hint="You sign in with it. Both addresses are told of a change."
                            value=form.typed("email").unwrap_or(me.email)
                            autocomplete="email"
                            error=at("/email")
                        />
                    </div>
                    <div class="form-actions">
                        <button class="button button-primary" type="submit">"Save"</button>
                    </div>
                </ActionForm>
            </div>
        </section>
    }
}

/// Changes the own name and address.
#[server(prefix = "/fn", endpoint = "change_identity")]
pub async fn change_identity(email: String, name: String) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let typed = [("email", email.as_str()), ("name", &name)];
    crate::caller::submitted(&typed, services.change_identity(&actor, &email, &name)).await?;
    leptos_axum::redirect("/account");
    Ok(())
}
