use leptos::prelude::*;
use millrace_domain::policy::Role;
use millrace_domain::view::PersonView;

use crate::fault::PageFault;
use crate::form::PageForm;

/// A checkbox per role.
#[component]
pub fn RoleBoxes(
    /// Stored words of the roles that are checked.
    checked: Vec<String>,
) -> impl IntoView {
    let boxes = Role::ALL
        .map(|role| {
            let about = match role {
                Role::Stakeholder => "reads, and signs documents and promotions off",
                Role::MlEngineer => "writes problems, brings data, trains and puts models live",
                Role::OnCall => "watches production and rolls back",
                Role::Admin => "manages people",
            };
            view! {
                <label class="check">
                    <input
                        type="checkbox"
                        name="roles[]"
                        value=role.as_str()
                        checked=checked.iter().any(|word| word == role.as_str())
                    />
                    <span>{role.title()} " " <span class="hint">{about}</span></span>
                </label>
            }
        })
        .collect_view();
    view! {
        <fieldset class="fieldset">
            <legend>"Roles"</legend>
            {boxes}
        </fieldset>
    }
}

/// Changes somebody's roles.
#[component]
pub fn RolesForm(
    /// The page's form.
    form: PageForm<SetRoles>,
    /// Whose roles.
    person: PersonView,
) -> impl IntoView {
    view! {
        <section class="card confirm" aria-labelledby="roles-title">
            <div class="card-header">
                <h2 id="roles-title">{format!("Roles of {}", person.name)}</h2>
            </div>
            <div class="card-body">
                <ActionForm action=form.action attr:class="form">
                    <p>"The change ends their sessions, so that it holds at once; they sign in again."</p>
                    <input type="hidden" name="account" value=person.id/>
                    <RoleBoxes checked=person.roles/>
                    <div class="form-actions">
                        <button class="button button-primary" type="submit">"Set roles"</button>
                        <a class="button button-quiet" href="/people">"Cancel"</a>
                    </div>
                </ActionForm>
            </div>
        </section>
    }
}

/// Replaces somebody's roles.
#[server(prefix = "/fn", endpoint = "set_roles")]
pub async fn set_roles(account: String, #[server(default)] roles: Vec<String>) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    crate::caller::submitted(&[], async {
        services.set_roles(&actor, account_id(&account)?, &roles_of(&roles)?).await
    })
    .await?;
    leptos_axum::redirect("/people");
    Ok(())
}

/// The roles of a form's checkboxes.
#[cfg(feature = "ssr")]
pub fn roles_of(words: &[String]) -> Result<Vec<Role>, millrace_domain::fault::Fault> {
    let parsed: Result<Vec<Role>, String> = words.iter().map(|word| word.parse()).collect();
    parsed.map_err(|reason| millrace_domain::fault::Fault::field("/roles", reason))
}

/// The account that a form names.
#[cfg(feature = "ssr")]
pub fn account_id(text: &str) -> Result<millrace_domain::ids::AccountId, millrace_domain::fault::Fault> {
    text.parse().map_err(|_| millrace_domain::fault::Fault::not_found("account"))
}
