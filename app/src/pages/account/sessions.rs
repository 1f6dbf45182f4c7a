use leptos::prelude::*;
use millrace_domain::view::SessionView;

use crate::components::{Moment, TableRegion};
use crate::fault::PageFault;
use crate::form::PageForm;

/// Where the reader is signed in, each to be ended, and all at once.
#[component]
pub fn Sessions(
    /// Open sessions, newest first.
    sessions: Vec<SessionView>,
    /// The page's form.
    form: PageForm<EndSession>,
) -> impl IntoView {
    let rows = sessions.into_iter().map(|session| view! { <SessionRow session form/> }).collect_view();
    view! {
        <section class="section">
            <div class="section-header">
                <h2>"Where you are signed in"</h2>
                <form method="post" action="/fn/end_all_sessions">
                    <button class="button button-danger" type="submit">"Sign out everywhere"</button>
                </form>
            </div>
            <p class="lede">"A session ends after twelve hours without use, and after seven days in any case."</p>
            <TableRegion label="Sessions">
                <table class="table" data-stack>
                    <caption class="visually-hidden">"Open sessions of this account"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Browser"</th>
                            <th scope="col">"Address"</th>
                            <th scope="col">"Since"</th>
                            <th scope="col">"Last used"</th>
                            <th scope="col">"Change"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
        </section>
    }
}

#[component]
fn SessionRow(session: SessionView, form: PageForm<EndSession>) -> impl IntoView {
    let named = browser_name(&session.agent);
    view! {
        <tr>
            <th scope="row" data-label="Browser" title=session.agent>{named.clone()}</th>
            <td data-label="Address"><code>{session.address}</code></td>
            <td data-label="Since"><Moment at=session.created_at/></td>
            <td data-label="Last used"><Moment at=session.last_seen_at/></td>
            <td class="actions" data-label="Change">
                <ActionForm action=form.action>
                    <input type="hidden" name="session" value=session.id/>
                    <button class="button button-quiet button-small" type="submit">
                        "End"
                        <span class="visually-hidden">" the session of " {named}</span>
                    </button>
                </ActionForm>
            </td>
        </tr>
    }
}

/// What people call the program behind a `User-Agent`.
fn browser_name(agent: &str) -> String {
    let browsers =
        [("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")];
    let systems = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let find =
        |known: &[(&str, &'static str)]| known.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    match (find(&browsers), find(&systems)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) if agent.is_empty() => "a program".to_owned(),
        (None, _) => agent.split(['/', ' ']).next().unwrap_or_default().chars().take(40).collect(),
    }
}

/// Ends one of the reader's sessions.
#[server(prefix = "/fn", endpoint = "end_session")]
pub async fn end_session(session: String) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    crate::caller::submitted(&[], services.end_session(&actor, &session)).await
}

/// Ends all of the reader's sessions, this one too.
#[server(prefix = "/fn", endpoint = "end_all_sessions")]
pub async fn end_all_sessions() -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    services.end_all_sessions(&actor).await?;
    crate::caller::signed_out().await
}

#[cfg(test)]
mod tests {
    use super::browser_name;

    #[test]
    fn a_browser_is_called_what_people_call_it() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
        assert_eq!(browser_name(chrome), "Chrome on Linux");
        assert_eq!(browser_name("curl/8.9"), "curl");
        assert_eq!(browser_name(""), "a program");
    }
}
