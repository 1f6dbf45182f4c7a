use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use millrace_domain::view::{AccountView, TokenView};

use super::page::Forms;
use super::revoke::RevokeForm;
use super::token_form::TokenForm;
use crate::components::{ConfirmFirst, Gated, Moment, StateBadge, TableRegion};

/// The tokens, and the form for a new one.
#[component]
pub fn TokensTab(
    /// The account.
    account: AccountView,
    /// The page's forms.
    forms: Forms,
) -> impl IntoView {
    let AccountView { tokens, must_confirm, may_make_tokens, .. } = account;
    let revoked = use_query_map().with(|query| query.get("revoke"));
    let revoking = tokens.iter().find(|token| Some(&token.id) == revoked.as_ref() && token.state == "active").cloned();
    view! {
        <div class="stack stack-loose">
            {revoking.map(|token| view! { <RevokeForm form=forms.revoke token/> })}
            <Tokens tokens/>
            {if must_confirm {
                view! { <ConfirmFirst what="make a token" back="/account?tab=tokens"/> }.into_any()
            } else {
                view! {
                    <Gated permission=may_make_tokens>
                        <TokenForm form=forms.create/>
                    </Gated>
                }
                    .into_any()
            }}
        </div>
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
            <TableRegion label="Tokens">
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
            </TableRegion>
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
                            <a class="button button-quiet button-small" href=format!("/account?tab=tokens&revoke={}", token.id)>
                                "Revoke"
                                <span class="visually-hidden">" " {token.name}</span>
                            </a>
                        }
                    })}
            </td>
        </tr>
    }
}
