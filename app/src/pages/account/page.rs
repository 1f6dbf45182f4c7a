use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use millrace_domain::view::{AccountView, Me, TokenView};

use super::revoke::{RevokeForm, RevokeToken};
use super::token_form::{CreateToken, NewSecret, TokenForm};
use crate::components::{FaultNotice, KeyValue, KeyValues, Load, Moment, PageHeader, StateBadge};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::wording::role_titles;

/// Who the reader is, and their tokens. `?revoke=<id>` asks once more before one is ended.
#[component]
pub fn AccountPage() -> impl IntoView {
    let create = PageForm::<CreateToken>::new();
    let revoke = PageForm::<RevokeToken>::new();
    let changes = move || (create.done(), revoke.done());
    let account = Resource::new(changes, |_| account());
    let query = use_query_map();
    view! {
        <PageHeader title="Account"/>
        {move || revoke.fault().map(|fault| view! { <FaultNotice fault/> })}
        <NewSecret form=create/>
        <Load resource=account let:account>
            <div class="stack stack-loose">
                {
                    let tokens = account.tokens.clone();
                    move || {
                        let id = query.with(|query| query.get("revoke"))?;
                        let token = tokens.iter().find(|token| token.id == id && token.state == "active")?.clone();
                        Some(view! { <RevokeForm form=revoke token/> })
                    }
                }
                <Person me=account.me/>
                <Tokens tokens=account.tokens/>
            </div>
        </Load>
        <TokenForm form=create/>
    }
}

#[component]
fn Person(me: Me) -> impl IntoView {
    view! {
        <section class="card" aria-label="Account">
            <div class="card-body">
                <KeyValues>
                    <KeyValue name="Name">{me.name}</KeyValue>
                    <KeyValue name="E-mail">{me.email}</KeyValue>
                    <KeyValue name="Roles">{role_titles(&me.roles)}</KeyValue>
                </KeyValues>
            </div>
        </section>
    }
}

#[component]
fn Tokens(tokens: Vec<TokenView>) -> impl IntoView {
    if tokens.is_empty() {
        return view! {
            <section class="section">
                <div class="section-header"><h2>"Tokens"</h2></div>
                <p class="muted">"No token yet. A token lets a script act in your name, within its scopes and for its time."</p>
            </section>
        }
        .into_any();
    }
    view! {
        <section class="section">
            <div class="section-header"><h2>"Tokens"</h2></div>
            <div class="table-wrap" role="region" aria-label="Tokens" tabindex="0">
                <table class="table" data-stack>
                    <caption class="visually-hidden">"Tokens of this account"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Name"</th>
                            <th scope="col">"Begins with"</th>
                            <th scope="col">"Scopes"</th>
                            <th scope="col">"State"</th>
                            <th scope="col">"Until"</th>
                            <th scope="col">"Last used"</th>
                            <th scope="col">"Change"</th>
                        </tr>
                    </thead>
                    <tbody>{tokens.into_iter().map(|token| view! { <TokenRow token/> }).collect_view()}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn TokenRow(token: TokenView) -> impl IntoView {
    let revocable = token.state == "active";
    let scopes = token.scopes.into_iter().map(|scope| view! { <span class="tag">{scope}</span> }).collect_view();
    view! {
        <tr>
            <th scope="row" data-label="Name">{token.name.clone()}</th>
            <td data-label="Begins with"><code>{format!("{}…", token.prefix)}</code></td>
            <td data-label="Scopes"><span class="cluster">{scopes}</span></td>
            <td data-label="State"><StateBadge state=token.state/></td>
            <td data-label="Until"><Moment at=token.expires_at/></td>
            <td data-label="Last used">
                {match token.last_used_at {
                    Some(at) => view! { <Moment at/> }.into_any(),
                    None => view! { <span class="muted">"never"</span> }.into_any(),
                }}
            </td>
            <td class="actions" data-label="Change">
                {revocable
                    .then(|| {
                        view! {
                            <a class="button button-quiet button-small" href=format!("/account?revoke={}", token.id)>
                                "Revoke"
                                <span class="visually-hidden">" " {token.name}</span>
                            </a>
                        }
                    })}
            </td>
        </tr>
    }
}

/// The own account.
#[server(prefix = "/fn", endpoint = "account")]
pub async fn account() -> Result<AccountView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.account(&actor).await?)
}
