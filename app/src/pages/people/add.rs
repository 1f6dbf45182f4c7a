use leptos::prelude::*;

use super::roles::RoleBoxes;
use crate::components::{FaultNotice, Field};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::pages::auth::PASSWORD_RULES;

/// A new account.
#[component]
pub fn AddPersonForm(
    /// The page's form.
    form: PageForm<AddPerson>,
) -> impl IntoView {
    let at = move |pointer: &'static str| Signal::derive(move || form.error_at(pointer));
    let typed = move |name: &str| form.typed(name).unwrap_or_default();
    let checked = typed("roles").split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    view! {
        <section class="card confirm" aria-labelledby="add-title">
            <div class="card-header">
                <h2 id="add-title">"Add person"</h2>
            </div>
            <div class="card-body">
                <ActionForm action=form.action attr:class="form">
                    {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
                    <div class="form-row">
                        <Field name="name" label="Name" value=typed("name") error=at("/name")/>
                        <Field name="email" label="E-mail" kind="email" value=typed("email") error=at("/email")/>
                    </div>
                    <Field
                        name="password"
                        label="First password"
                        kind="password"
                        hint=format!("Tell it to them yourself. {PASSWORD_RULES}")
                        minlength=8
                        autocomplete="new-password"
                        error=at("/password")
                    />
                    <RoleBoxes checked/>
                    <div class="form-actions">
                        <button class="button button-primary" type="submit">"Add person"</button>
                        <a class="button button-quiet" href="/people">"Cancel"</a>
                    </div>
                </ActionForm>
            </div>
        </section>
    }
}

/// Adds an account.
#[server(prefix = "/fn", endpoint = "add_person")]
pub async fn add_person(
    email: String,
    name: String,
    password: String,
    #[server(default)] roles: Vec<String>,
) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let typed = [("email", email.as_str()), ("name", &name), ("roles", &roles.join(" "))];
    crate::caller::submitted(&typed, async {
        services.add_person(&actor, &email, &name, &password, &super::roles::roles_of(&roles)?).await
    })
    .await?;
    leptos_axum::redirect("/people");
    Ok(())
}
