use leptos::prelude::*;
use millrace_domain::policy::Role;
use millrace_domain::view::{ElsewhereView, PersonView};

use crate::fault::PageFault;
use crate::form::PageForm;

/// A checkbox per role, for everywhere and for one problem besides.
#[component]
pub fn RoleBoxes(
    /// Stored words of the roles that are checked.
    checked: Vec<String>,
    /// Slugs of the problems a role can be given on.
    problems: Vec<String>,
) -> impl IntoView {
    let boxes = Role::ALL
        .map(|role| {
            let about = match role {
                Role::Stakeholder => "reads, and signs documents and promotions off",
                Role::MlEngineer => "writes problems, brings data, trains and puts models live",
                Role::OnCall => "watches production and rolls back",
                Role::Admin => "manages people",
            };
            view! { <RoleBox word=role.as_str().to_owned() title=role.title().to_owned() about checked=checked.clone()/> }
        })
        .collect_view();
    let given: Vec<String> = checked.iter().filter(|word| word.contains(':')).cloned().collect();
    let given = given
        .into_iter()
        .map(|word| {
            let title = crate::wording::role_titles(std::slice::from_ref(&word));
            view! { <RoleBox word title about="" checked=checked.clone()/> }
        })
        .collect_view();
    let option = |slug: String| {
        let value = slug.clone();
        view! { <option value=value>{slug}</option> }
    };
    let options = problems.into_iter().map(option).collect_view();
    let roles = [Role::Stakeholder, Role::MlEngineer, Role::OnCall]
        .map(|role| view! { <option value=role.as_str()>{role.title()}</option> })
        .collect_view();
    view! {
        <fieldset class="fieldset">
            <legend>"Roles"</legend>
            {boxes}
            {given}
        </fieldset>
        <fieldset class="fieldset">
            <legend>"One more role, on one problem"</legend>
            <p class="hint">"It covers that problem, its data, runs, models and deployment, and shows nothing of the others."</p>
            <div class="form-row">
                <div class="field">
                    <label class="label" for="extra_role">"Role"</label>
                    <select class="input" id="extra_role" name="extra_role">
                        <option value="">"none"</option>
                        {roles}
                    </select>
                </div>
                <div class="field">
                    <label class="label" for="extra_problem">"Problem"</label>
                    <select class="input" id="extra_problem" name="extra_problem">
                        <option value="">"none"</option>
                        {options}
                    </select>
                </div>
            </div>
        </fieldset>
    }
}

#[component]
fn RoleBox(word: String, title: String, about: &'static str, checked: Vec<String>) -> impl IntoView {
    let is_checked = checked.contains(&word);
    view! {
        <label class="check">
            <input type="checkbox" name="roles[]" value=word checked=is_checked/>
            <span>{title} " " <span class="hint">{about}</span></span>
        </label>
    }
}

/// Changes somebody's roles.
#[component]
pub fn RolesForm(
    /// The page's form.
    form: PageForm<SetRoles>,
    /// Whose roles.
    person: PersonView,
    /// Slugs of the problems a role can be given on.
    problems: Vec<String>,
) -> impl IntoView {
    let follows = person.elsewhere.filter(|elsewhere| !elsewhere.roles.is_empty()).map(|elsewhere| {
        let ElsewhereView { provider, roles } = elsewhere;
        let titles = crate::wording::role_titles(&roles);
        view! {
            <p>
                {format!(
                    "From {provider}: {titles}. That follows their groups there: what is taken away here comes back when they sign in again.",
                )}
            </p>
        }
    });
    view! {
        <section class="card confirm" aria-labelledby="roles-title">
            <div class="card-header">
                <h2 id="roles-title">{format!("Roles of {}", person.name)}</h2>
            </div>
            <div class="card-body">
                <ActionForm action=form.action attr:class="form">
                    <p>"The change ends their sessions, so that it holds at once; they sign in again."</p>
                    {follows}
                    <input type="hidden" name="account" value=person.id/>
                    <RoleBoxes checked=person.roles problems/>
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
pub async fn set_roles(
    account: String,
    #[server(default)] roles: Vec<String>,
    #[server(default)] extra_role: String,
    #[server(default)] extra_problem: String,
) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    crate::caller::submitted(&[], async {
        let grants = grants_of(&roles, &extra_role, &extra_problem)?;
        services.set_grants(&actor, account_id(&account)?, &grants).await
    })
    .await?;
    leptos_axum::redirect("/people");
    Ok(())
}

/// The roles of a form's checkboxes, and the one on one problem.
#[cfg(feature = "ssr")]
pub fn grants_of(
    words: &[String],
    role: &str,
    problem: &str,
) -> Result<Vec<millrace_domain::policy::Grant>, millrace_domain::fault::Fault> {
    use millrace_domain::fault::Fault;
    let extra = match (role, problem) {
        ("", "") => None,
        ("", _) => return Err(Fault::field("/extra_role", "is needed with a problem")),
        (_, "") => return Err(Fault::field("/extra_problem", "is needed with a role")),
        (role, problem) => Some(format!("{role}:{problem}")),
    };
    let parsed: Result<Vec<_>, String> = words.iter().chain(&extra).map(|word| word.parse()).collect();
    parsed.map_err(|reason| Fault::field("/roles", reason))
}

/// The account that a form names.
#[cfg(feature = "ssr")]
pub fn account_id(text: &str) -> Result<millrace_domain::ids::AccountId, millrace_domain::fault::Fault> {
    text.parse().map_err(|_| millrace_domain::fault::Fault::not_found("account"))
}
