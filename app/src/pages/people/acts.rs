//! Small acts on one person, each a button of its own in their row's confirmation card.

use leptos::prelude::*;
use millrace_domain::view::PersonView;

use crate::fault::PageFault;
use crate::form::PageForm;

/// What an admin can do about somebody besides their roles.
#[component]
pub fn ActsCard(
    /// The page's form.
    form: PageForm<ActOnPerson>,
    /// On whom.
    person: PersonView,
) -> impl IntoView {
    let acts: Vec<(&'static str, &'static str, &'static str, &'static str)> = match person.state.as_str() {
        "disabled" => vec![("enable", "Enable", "button", "They can sign in again, with the roles they had.")],
        "invited" => vec![
            ("invite_again", "Send the invitation again", "button", "The earlier link stops working."),
            ("disable", "Disable", "button button-danger", "They can no longer take the invitation up."),
        ],
        _ => vec![
            ("end_sessions", "Sign them out everywhere", "button", "They sign in again wherever they work."),
            (
                "disable",
                "Disable",
                "button button-danger",
                "They can no longer sign in, and their tokens stop working. Their reviews and everything else they did stay.",
            ),
        ],
    };
    let rows = acts
        .into_iter()
        .map(|(act, label, class, effect)| {
            let id = person.id.clone();
            view! {
                <ActionForm action=form.action attr:class="form">
                    <input type="hidden" name="account" value=id/>
                    <input type="hidden" name="act" value=act/>
                    <p>{effect}</p>
                    <div class="form-actions">
                        <button class=class type="submit">{label}</button>
                    </div>
                </ActionForm>
            }
        })
        .collect_view();
    view! {
        <section class="card confirm" aria-labelledby="acts-title">
            <div class="card-header">
                <h2 id="acts-title">{person.name}</h2>
                <a class="button button-quiet" href="/people">"Cancel"</a>
            </div>
            <div class="card-body stack">
                <p class="muted">{person.email}</p>
                {rows}
            </div>
        </section>
    }
}

/// Disables, enables, signs out or invites again.
#[server(prefix = "/fn", endpoint = "act_on_person")]
pub async fn act_on_person(account: String, act: String) -> Result<(), PageFault> {
    use millrace_domain::fault::Fault;

    let (services, actor) = crate::caller::actor()?;
    crate::caller::submitted(&[], async {
        let id = super::roles::account_id(&account)?;
        match act.as_str() {
            "disable" => services.disable_person(&actor, id).await,
            "enable" => services.enable_person(&actor, id).await,
            "end_sessions" => services.end_sessions_of(&actor, id).await,
            "invite_again" => services.invite_again(&actor, id).await,
            _ => Err(Fault::field("/act", "must be disable, enable, end_sessions or invite_again")),
        }
    })
    .await?;
    leptos_axum::redirect("/people");
    Ok(())
}
