use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use millrace_domain::view::{MailLine, MailListView};

use crate::components::{Empty, Load, Moment, PageHeader, StateBadge};
use crate::fault::PageFault;
use crate::wording::{counted, state_words};

/// All letters, newest first.
#[component]
pub fn MailListPage() -> impl IntoView {
    let query = use_query_map();
    let before = move || query.with(|query| query.get("before").and_then(|id| id.parse::<i64>().ok()));
    let letters = Resource::new(before, list_mail);
    view! {
        <PageHeader title="Mail"/>
        <p class="lede">
            "Every letter waits here until a mail server has taken it, or lies in the directory for mail where none is set."
        </p>
        <Load resource=letters let:letters>
            <Letters letters/>
        </Load>
    }
}

#[component]
fn Letters(letters: MailListView) -> impl IntoView {
    let MailListView { letters, next, stuck } = letters;
    if letters.is_empty() {
        return view! {
            <Empty title="No letter yet" text="Invitations, review requests and changes to accounts are told by mail; they will be listed here."/>
        }
        .into_any();
    }
    let rows = letters.into_iter().map(|line| view! { <LetterRow line/> }).collect_view();
    view! {
        <div class="stack">
            {(stuck > 0)
                .then(|| {
                    let count = counted(stuck.unsigned_abs(), "letter of the last day", "letters of the last day");
                    view! {
                        <div class="callout" data-kind="error" role="status">
                            <p class="callout-title">{format!("{count} could not be sent")}</p>
                            <p>"Letters that wait are tried again by themselves, at most four minutes apart; failed ones only by hand."</p>
                        </div>
                    }
                })}
            <div class="table-wrap" role="region" aria-label="Letters" tabindex="0">
                <table class="table" data-stack>
                    <caption class="visually-hidden">"Letters, newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Subject"</th>
                            <th scope="col">"To"</th>
                            <th scope="col">"About"</th>
                            <th scope="col">"State"</th>
                            <th scope="col">"Written"</th>
                            <th scope="col">"What is wrong"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            <nav class="pagination" aria-label="Pages">
                {next.map(|before| view! { <a class="button" rel="next" href=format!("/mail?before={before}")>"Older"</a> })}
            </nav>
        </div>
    }
    .into_any()
}

#[component]
fn LetterRow(line: MailLine) -> impl IntoView {
    let failed = line.state == "failed";
    view! {
        <tr data-tone=failed.then_some("bad")>
            <th scope="row" data-label="Subject"><a href=format!("/mail/{}", line.id)>{line.subject}</a></th>
            <td data-label="To">{line.recipient}</td>
            <td data-label="About">{state_words(&line.kind)}</td>
            <td data-label="State"><StateBadge state=line.state/></td>
            <td data-label="Written"><Moment at=line.created_at/></td>
            <td class="muted" data-label="What is wrong">{line.last_error}</td>
        </tr>
    }
}

/// Letters, newest first.
#[server(prefix = "/fn", endpoint = "list_mail")]
pub async fn list_mail(before: Option<i64>) -> Result<MailListView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.list_mail(&actor, before).await?)
}
