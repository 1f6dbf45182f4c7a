use leptos::prelude::*;
use millrace_domain::policy::Role;

use crate::components::TableRegion;

/// What each role may do, for everybody to read.
#[component]
pub fn Matrix(
    /// An action in words, and the stored words of the roles that may do it.
    rows: Vec<(String, Vec<String>)>,
) -> impl IntoView {
    let heads = Role::ALL.map(|role| view! { <th scope="col">{role.title()}</th> }).collect_view();
    let rows = rows
        .into_iter()
        .map(|(action, roles)| {
            let cells =
                Role::ALL.map(|role| view! { <Cell role allowed=roles.iter().any(|word| word == role.as_str())/> });
            view! {
                <tr>
                    <th scope="row" data-label="May">{action}</th>
                    {cells.collect_view()}
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="section">
            <div class="section-header">
                <h2>"What roles may do"</h2>
            </div>
            <p class="lede">
                "Somebody with several roles may do what any of them may. Nobody approves what they wrote or launched, whatever their roles."
            </p>
            <TableRegion label="What roles may do">
                <table class="table" data-stack>
                    <caption class="visually-hidden">"What each role may do"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"May"</th>
                            {heads}
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
        </section>
    }
}

#[component]
fn Cell(role: Role, allowed: bool) -> impl IntoView {
    let word = if allowed {
        view! { <span class="badge badge-plain" data-state="pass">"yes"</span> }.into_any()
    } else {
        view! { <span class="muted">"no"</span> }.into_any()
    };
    view! { <td data-label=role.title()>{word}</td> }
}
