use leptos::prelude::*;

use super::roles::RoleBoxes;
use crate::components::{FaultNotice, Field};
use crate::fault::PageFault;
use crate::form::PageForm;

/// An invitation: a new account whose person chooses the password.
#[component]
pub fn InviteForm(
    /// The page's form.
    form: PageForm<InvitePerson>,
    /// Slugs of the problems a role can be given on.
    problems: Vec<String>,
) -> impl IntoView {
    let at = move |pointer: &'static str| Signal::derive(move || form.error_at(pointer));
    let typed = move |name: &str| form.typed(name).unwrap_or_default();
    let checked = typed("roles").split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    view! {
        <section class="card confirm" aria-labelledby="invite-title">
            <div class="card-header">
                <h2 id="invite-title">"Invite a person"</h2>
            </div>
            <div class="card-body">
                <ActionForm action=form.action attr:class="form">
                    {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
                    <p>"They get a letter with a link to choose a password. It works once, within an hour; its page sends a new one."</p>
                    <div class="form-row">
                        <Field name="name" label="Name" value=typed("name") error=at("/name")/>
                        <Field name="email" label="E-mail" kind="email" value=typed("email") error=at("/email")/>
                    </div>
                    <RoleBoxes checked problems/>
                    <div class="form-actions">
                        <button class="button button-primary" type="submit" data-icon="mail">"Send the invitation"</button>
                        <a class="button button-quiet" href="/people">"Cancel"</a>
                    </div>
                </ActionForm>
            </div>
        </section>
    }
}

/// Invites somebody.
#[server(prefix = "/fn", endpoint = "invite_person")]
pub async fn invite_person(
    email: String,
    name: String,
    #[server(default)] roles: Vec<String>,
    #[server(default)] extra_role: String,
    #[server(default)] extra_problem: String,
) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let typed = [("email", email.as_str()), ("name", &name), ("roles", &roles.join(" "))];
    crate::caller::submitted(&typed, async {
        let grants = super::roles::grants_of(&roles, &extra_role, &extra_problem)?;
        services.invite(&actor, &email, &name, &grants).await
    })
    .await?;
    leptos_axum::redirect("/people");
    Ok(())
}
