use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use millrace_domain::view::{PeopleView, Permission, PersonView};

use super::add::{AddPerson, AddPersonForm};
use super::disable::{DisableForm, DisablePerson};
use super::matrix::Matrix;
use super::roles::{RolesForm, SetRoles};
use crate::components::{FaultNotice, GatedLink, Load, Moment, PageHeader, StateBadge};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::wording::role_titles;

/// The forms of the page, made once so that their answers outlive a reload of the list.
#[derive(Clone, Copy)]
struct Forms {
    add: PageForm<AddPerson>,
    roles: PageForm<SetRoles>,
    disable: PageForm<DisablePerson>,
}

/// All accounts and the role matrix. `?add`, `?roles=<id>` and `?disable=<id>` open the form for that.
#[component]
pub fn PeoplePage() -> impl IntoView {
    let forms = Forms { add: PageForm::new(), roles: PageForm::new(), disable: PageForm::new() };
    let changes = move || (forms.add.done(), forms.roles.done(), forms.disable.done());
    let people = Resource::new(changes, |_| list_people());
    view! {
        <PageHeader title="People"/>
        {move || forms.roles.fault().map(|fault| view! { <FaultNotice fault/> })}
        {move || forms.disable.fault().map(|fault| view! { <FaultNotice fault/> })}
        <Load resource=people let:people>
            <People people forms/>
        </Load>
    }
}

#[component]
fn People(people: PeopleView, forms: Forms) -> impl IntoView {
    let PeopleView { people, matrix, may_manage } = people;
    let query = use_query_map();
    let opened = {
        let people = people.clone();
        let allowed = may_manage.allowed;
        move || allowed.then(|| query.with(|query| open_form(query, &people, forms)))
    };
    view! {
        <div class="stack stack-loose">
            {opened}
            <section class="section">
                <div class="section-header">
                    <h2>"Accounts"</h2>
                    <GatedLink permission=may_manage.clone() href="/people?add=1" label="Add person" icon="plus"/>
                </div>
                <PeopleTable people may_manage/>
            </section>
            <Matrix rows=matrix/>
        </div>
    }
}

fn open_form(query: &leptos_router::params::ParamsMap, people: &[PersonView], forms: Forms) -> Option<AnyView> {
    let named = |word: &str| {
        let id = query.get(word)?;
        people.iter().find(|person| person.id == id && !person.disabled).cloned()
    };
    if query.get("add").is_some() {
        return Some(view! { <AddPersonForm form=forms.add/> }.into_any());
    }
    if let Some(person) = named("roles") {
        return Some(view! { <RolesForm form=forms.roles person/> }.into_any());
    }
    named("disable").map(|person| view! { <DisableForm form=forms.disable person/> }.into_any())
}

#[component]
fn PeopleTable(people: Vec<PersonView>, may_manage: Permission) -> impl IntoView {
    let manages = may_manage.allowed;
    view! {
        <div class="table-wrap" role="region" aria-label="Accounts" tabindex="0">
            <table class="table" data-stack>
                <caption class="visually-hidden">"Accounts and their roles"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Name"</th>
                        <th scope="col">"E-mail"</th>
                        <th scope="col">"Roles"</th>
                        <th scope="col">"State"</th>
                        <th scope="col">"Since"</th>
                        {manages.then(|| view! { <th scope="col">"Change"</th> })}
                    </tr>
                </thead>
                <tbody>
                    {people.into_iter().map(|person| view! { <PersonRow person manages/> }).collect_view()}
                </tbody>
            </table>
        </div>
    }
}

#[component]
fn PersonRow(person: PersonView, manages: bool) -> impl IntoView {
    let PersonView { id, name, email, roles, disabled, created_at } = person;
    let acts = manages.then(|| {
        view! {
            <td class="actions" data-label="Change">
                {(!disabled)
                    .then(|| {
                        view! {
                            <a class="button button-quiet button-small" href=format!("/people?roles={id}")>
                                "Roles"
                                <span class="visually-hidden">" of " {name.clone()}</span>
                            </a>
                            <a class="button button-quiet button-small" href=format!("/people?disable={id}")>
                                "Disable"
                                <span class="visually-hidden">" " {name.clone()}</span>
                            </a>
                        }
                    })}
            </td>
        }
    });
    view! {
        <tr>
            <th scope="row" data-label="Name">{name.clone()}</th>
            <td data-label="E-mail">{email}</td>
            <td data-label="Roles">{role_titles(&roles)}</td>
            <td data-label="State">
                <StateBadge state=if disabled { "disabled" } else { "active" }/>
            </td>
            <td data-label="Since">
                <Moment at=created_at/>
            </td>
            {acts}
        </tr>
    }
}

/// All accounts and the role matrix.
#[server(prefix = "/fn", endpoint = "list_people")]
pub async fn list_people() -> Result<PeopleView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.people(&actor).await?)
}
