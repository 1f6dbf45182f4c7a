use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use millrace_domain::view::{MailLine, MailListView, WebhookLine};

use crate::components::{Empty, Load, Moment, PageHeader, StateBadge, TableRegion};
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
    let MailListView { letters, next, stuck, webhooks } = letters;
    if letters.is_empty() && webhooks.is_empty() {
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
                    let count = counted(stuck.unsigned_abs(), "message of the last week", "messages of the last week");
                    view! {
                        <div class="callout" data-kind="error" role="status">
                            <p class="callout-title">{format!("{count} could not be sent")}</p>
                            <p>"What waits is tried again by itself, at most four minutes apart; letters that failed only by hand."</p>
                        </div>
                    }
                })}
            <TableRegion label="Letters">
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
            </TableRegion>
            <nav class="pagination" aria-label="Pages">
                {next.map(|before| view! { <a class="button" rel="next" href=format!("/mail?before={before}")>"Older"</a> })}
            </nav>
            {(!webhooks.is_empty()).then(|| view! { <Webhooks webhooks/> })}
        </div>
    }
    .into_any()
}

#[component]
fn Webhooks(webhooks: Vec<WebhookLine>) -> impl IntoView {
    let rows = webhooks
        .into_iter()
        .map(|line| {
            let failed = line.state == "failed";
            view! {
                <tr data-tone=failed.then_some("bad")>
                    <th scope="row" data-label="Webhook">{line.webhook}</th>
                    <td data-label="About">{line.kind}</td>
                    <td data-label="State"><StateBadge state=line.state/></td>
                    <td class="num" data-label="Attempts">{line.attempt}</td>
                    <td data-label="Written"><Moment at=line.created_at/></td>
                    <td class="muted" data-label="What is wrong">{line.last_error}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="section stack" aria-labelledby="webhooks">
            <div class="section-header"><h2 id="webhooks">"Webhooks"</h2></div>
            <p class="muted">"What the addresses of MILLRACE_WEBHOOKS were told last."</p>
            <TableRegion label="Messages to webhooks">
                <table class="table" data-stack>
                    <caption class="visually-hidden">"Messages to webhooks, newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Webhook"</th>
                            <th scope="col">"About"</th>
                            <th scope="col">"State"</th>
                            <th scope="col" class="num">"Attempts"</th>
                            <th scope="col">"Written"</th>
                            <th scope="col">"What is wrong"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
        </section>
    }
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
