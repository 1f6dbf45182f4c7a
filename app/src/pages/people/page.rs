use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use millrace_domain::view::{ElsewhereView, PeopleView, Permission, PersonView};

use super::acts::{ActOnPerson, ActsCard};
use super::invite::{InviteForm, InvitePerson};
use super::matrix::Matrix;
use super::roles::{RolesForm, SetRoles};
use crate::components::{ConfirmFirst, FaultNotice, GatedLink, Load, Moment, PageHeader, StateBadge, TableRegion};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::wording::role_titles;

/// The forms of the page, made once so that their answers outlive a reload of the list.
#[derive(Clone, Copy)]
struct Forms {
    invite: PageForm<InvitePerson>,
    roles: PageForm<SetRoles>,
    acts: PageForm<ActOnPerson>,
}

/// All accounts and the role matrix. `?invite`, `?roles=<id>` and `?person=<id>` open the form for that.
#[component]
pub fn PeoplePage() -> impl IntoView {
    let forms = Forms { invite: PageForm::new(), roles: PageForm::new(), acts: PageForm::new() };
    let changes = move || (forms.invite.done(), forms.roles.done(), forms.acts.done());
    let people = Resource::new(changes, |_| list_people());
    view! {
        <PageHeader title="People"/>
        {move || forms.roles.fault().map(|fault| view! { <FaultNotice fault/> })}
        {move || forms.acts.fault().map(|fault| view! { <FaultNotice fault/> })}
        <Load resource=people let:people>
            <People people forms/>
        </Load>
    }
}

#[component]
fn People(people: PeopleView, forms: Forms) -> impl IntoView {
    let query = use_query_map();
    let opened = {
        let people = people.clone();
        move || people.may_manage.allowed.then(|| query.with(|query| open_form(query, &people, forms)))
    };
    let PeopleView { people, matrix, may_manage, .. } = people;
    view! {
        <div class="stack stack-loose">
            {opened}
            <section class="section">
                <div class="section-header">
                    <h2>"Accounts"</h2>
                    <GatedLink permission=may_manage.clone() href="/people?invite=1" label="Invite a person" icon="mail"/>
                </div>
                <PeopleTable people may_manage/>
            </section>
            <Matrix rows=matrix/>
        </div>
    }
}

fn open_form(query: &leptos_router::params::ParamsMap, view: &PeopleView, forms: Forms) -> Option<AnyView> {
    let named = |word: &str| {
        let id = query.get(word)?;
        view.people.iter().find(|person| person.id == id).cloned()
    };
    let asked = ["invite", "roles", "person"].into_iter().find_map(|word| Some((word, query.get(word)?)));
    let (word, value) = asked?;
    if view.must_confirm {
        let back = format!("/people?{word}={value}");
        return Some(view! { <ConfirmFirst what="change people" back/> }.into_any());
    }
    let problems = view.problems.clone();
    match word {
        "invite" => Some(view! { <InviteForm form=forms.invite problems/> }.into_any()),
        "roles" => named("roles").map(|person| view! { <RolesForm form=forms.roles person problems/> }.into_any()),
        _ => named("person").map(|person| view! { <ActsCard form=forms.acts person/> }.into_any()),
    }
}

#[component]
fn PeopleTable(people: Vec<PersonView>, may_manage: Permission) -> impl IntoView {
    let manages = may_manage.allowed;
    view! {
        <TableRegion label="Accounts">
            <table class="table" data-stack>
                <caption class="visually-hidden">"Accounts and their roles"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Name"</th>
                        <th scope="col">"E-mail"</th>
                        <th scope="col">"Roles"</th>
                        <th scope="col">"Second factor"</th>
                        <th scope="col">"State"</th>
                        <th scope="col">"Since"</th>
                        {manages.then(|| view! { <th scope="col">"Change"</th> })}
                    </tr>
                </thead>
                <tbody>
                    {people.into_iter().map(|person| view! { <PersonRow person manages/> }).collect_view()}
                </tbody>
            </table>
        </TableRegion>
    }
}

#[component]
fn PersonRow(person: PersonView, manages: bool) -> impl IntoView {
    let PersonView { id, name, email, roles, state, second_factor, created_at, elsewhere } = person;
    let follows = elsewhere.filter(|elsewhere| !elsewhere.roles.is_empty()).map(|ElsewhereView { provider, roles }| {
        view! { <div class="muted">{format!("{} from {provider}", role_titles(&roles))}</div> }
    });
    let acts = manages.then(|| {
        let is_there = state != "disabled";
        view! {
            <td class="actions" data-label="Change">
                {is_there
                    .then(|| {
                        view! {
                            <a class="button button-quiet button-small" href=format!("/people?roles={id}")>
                                "Roles"
                                <span class="visually-hidden">" of " {name.clone()}</span>
                            </a>
                        }
                    })}
                <a class="button button-quiet button-small" href=format!("/people?person={id}")>
                    "More"
                    <span class="visually-hidden">" about " {name.clone()}</span>
                </a>
            </td>
        }
    });
    view! {
        <tr>
            <th scope="row" data-label="Name">{name.clone()}</th>
            <td data-label="E-mail">{email}</td>
            <td data-label="Roles"><div>{role_titles(&roles)} {follows}</div></td>
            <td data-label="Second factor">
                {if second_factor { view! { "on" }.into_any() } else { view! { <span class="muted">"off"</span> }.into_any() }}
            </td>
            <td data-label="State"><StateBadge state/></td>
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
