//! Aliases of a model: where each points, who moved it when and why, and moving it on or back.

use leptos::prelude::*;
use millrace_domain::view::{AliasMove, AliasView, Permission};

use crate::components::{FaultNotice, Field, GatedButton, Moment, ReasonField, TableRegion};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::pages::address::{address, query_text};
use crate::wording::sentence;

use super::table::version_address;

/// Moves an alias to a version, or takes it away where none is given.
#[server(name = MoveAlias, prefix = "/fn", endpoint = "move_alias")]
pub async fn move_alias(
    slug: String,
    name: String,
    #[server(default)] version: String,
    reason: String,
) -> Result<(), PageFault> {
    use millrace_domain::fault::Fault;
    let (services, actor) = crate::caller::actor()?;
    let typed = [("name", name.as_str()), ("version", &version), ("reason", &reason)];
    let moved = async {
        let number = match version.trim().trim_start_matches('v') {
            "" => None,
            text => Some(text.parse().map_err(|_| Fault::field("/version", "must be the number of a version"))?),
        };
        services.move_alias(&actor, &slug, name.trim(), number, &reason).await
    };
    crate::caller::submitted(&typed, moved).await?;
    leptos_axum::redirect(&format!("/models/{slug}#aliases"));
    Ok(())
}

/// The aliases, and the form to move one; `?alias=` and `?to=` fill it in.
#[component]
pub fn Aliases(
    /// Model.
    slug: String,
    /// Its aliases.
    aliases: Vec<AliasView>,
    /// Whether the reader may move them.
    permission: Permission,
    /// The page's form.
    form: PageForm<MoveAlias>,
) -> impl IntoView {
    let rows = aliases.into_iter().map(|alias| view! { <Alias slug=slug.clone() alias/> }).collect_view();
    view! {
        <section class="section stack" aria-labelledby="aliases">
            <div class="section-header"><h2 id="aliases">"Aliases"</h2></div>
            <p class="muted">
                "Names for people and scripts. Nothing that is live follows one: champion and candidate follow the deployment."
            </p>
            <TableRegion label="Aliases">
                <table class="table" data-stack>
                    <caption class="visually-hidden">"Aliases with the versions that they point at"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Alias"</th>
                            <th scope="col">"Version"</th>
                            <th scope="col">"Last move"</th>
                            <th scope="col"><span class="visually-hidden">"Acts"</span></th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
            <MoveCard slug permission form/>
        </section>
    }
}

#[component]
fn MoveCard(slug: String, permission: Permission, form: PageForm<MoveAlias>) -> impl IntoView {
    let (alias, to) = (query_text("alias"), query_text("to"));
    let disabled = !permission.allowed;
    move || {
        let typed = |name: &str, asked: String| form.typed(name).unwrap_or(asked);
        let (name, version) = (typed("name", alias.get()), typed("version", to.get()));
        let (slug, permission) = (slug.clone(), permission.clone());
        let text = form.typed("reason").unwrap_or_default();
        let is_asked = !name.is_empty() || form.fault().is_some();
        view! {
            <details open=is_asked>
                <summary id="move">"Move an alias"</summary>
                <div class="stack">
                    {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
                    <ActionForm action=form.action attr:class="form">
                        <input type="hidden" name="slug" value=slug/>
                        <Field name="name" label="Alias" value=name hint="Lower-case letters, digits and hyphens."/>
                        <Field name="version" label="Version" value=version optional=true hint="Empty takes the alias away."/>
                        <ReasonField id="alias-reason" hint="Stands beside the move." text disabled/>
                        <div class="form-actions">
                            <GatedButton permission label="Move the alias"/>
                        </div>
                    </ActionForm>
                </div>
            </details>
        }
    }
}

#[component]
fn Alias(slug: String, alias: AliasView) -> impl IntoView {
    let version = match alias.version {
        Some(number) => {
            let href = version_address(&slug, number);
            view! { <a href=href>{format!("v{number}")}</a> }.into_any()
        }
        None => view! { <span class="muted">"none"</span> }.into_any(),
    };
    let last = match alias.moves.first().cloned() {
        Some(last) => view! { <Move last/> }.into_any(),
        None => view! { <span class="muted">"follows the deployment"</span> }.into_any(),
    };
    let earlier = (alias.moves.len() > 1).then(|| {
        let items = alias.moves.iter().skip(1).cloned().map(|last| view! { <li><Move last/></li> }).collect_view();
        view! { <details><summary>{format!("{} earlier", alias.moves.len() - 1)}</summary><ul>{items}</ul></details> }
    });
    let acts = alias.moves.first().map(|last| {
        let back = last.previous.map(|version| version.to_string()).unwrap_or_default();
        let href =
            address(&format!("/models/{slug}"), [("alias", alias.name.as_str()), ("to", back.as_str())]) + "#move";
        view! { <a class="muted" href=href aria-label=format!("Undo the last move of {}", alias.name)>"Undo…"</a> }
    });
    view! {
        <tr>
            <th scope="row" data-label="Alias"><code>{alias.name.clone()}</code></th>
            <td data-label="Version">{version}</td>
            <td data-label="Last move"><div>{last}{earlier}</div></td>
            <td data-label="">{acts}</td>
        </tr>
    }
}

#[component]
fn Move(last: AliasMove) -> impl IntoView {
    let words = |version: Option<i32>| version.map_or_else(|| "nothing".to_owned(), |version| format!("v{version}"));
    let way = format!("{} to {} by {}, ", words(last.previous), words(last.version), last.by);
    view! {
        <div>{way} <Moment at=last.at/> <div class="muted">{sentence(&last.reason)}</div></div>
    }
}
