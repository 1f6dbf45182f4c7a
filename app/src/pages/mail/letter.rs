use leptos::prelude::*;
use millrace_domain::view::MailView;

use crate::components::{FaultNotice, KeyValue, KeyValues, Load, Moment, PageHeader};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::pages::address::path_number;
use crate::wording::{counted, state_words};

/// `/mail/{number}`: one letter. A one-time link in it is not shown.
#[component]
pub fn MailPage() -> impl IntoView {
    let number = path_number("number");
    let retry = PageForm::<RetryMail>::new().telling("The letter waits to be sent again.");
    let letter = Resource::new(move || (number.get(), retry.done()), |(number, _)| one_mail(number));
    view! {
        {move || retry.fault().map(|fault| view! { <FaultNotice fault/> })}
        <Load resource=letter above=("Mail", "/mail") let:letter>
            <Letter letter retry/>
        </Load>
    }
}

#[component]
fn Letter(letter: MailView, retry: PageForm<RetryMail>) -> impl IntoView {
    let MailView { line, message_id, text, next_at } = letter;
    let attempts = counted(u64::from(line.attempt.unsigned_abs()), "attempt", "attempts");
    let again = (line.state == "failed").then(|| {
        view! {
            <ActionForm action=retry.action>
                <input type="hidden" name="number" value=line.id.clone()/>
                <button class="button" type="submit" data-icon="retry">"Try again"</button>
            </ActionForm>
        }
    });
    view! {
        <PageHeader title=line.subject crumbs=vec![("Mail".to_owned(), "/mail".to_owned())] state=line.state/>
        <div class="split">
            <section class="card split-main" aria-label="Text">
                <div class="card-body"><pre class="code code-wrap" tabindex="0"><code>{text}</code></pre></div>
            </section>
            <aside class="split-side card">
                <div class="card-body stack">
                    <KeyValues stacked=true>
                        <KeyValue name="To">{line.recipient}</KeyValue>
                        <KeyValue name="About">{state_words(&line.kind)}</KeyValue>
                        <KeyValue name="Written"><Moment at=line.created_at/></KeyValue>
                        {line.sent_at.map(|at| view! { <KeyValue name="Sent"><Moment at/></KeyValue> })}
                        {next_at.map(|at| view! { <KeyValue name="Tried next"><Moment at/></KeyValue> })}
                        <KeyValue name="Attempts">{attempts}</KeyValue>
                        {line.last_error.map(|error| view! { <KeyValue name="What is wrong">{error}</KeyValue> })}
                        <KeyValue name="Message-ID"><code>{message_id}</code></KeyValue>
                    </KeyValues>
                    {again}
                </div>
            </aside>
        </div>
    }
}

/// One letter.
#[server(prefix = "/fn", endpoint = "one_mail")]
pub async fn one_mail(number: i32) -> Result<MailView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.mail(&actor, i64::from(number)).await?)
}

/// Tries a failed letter once more.
#[server(prefix = "/fn", endpoint = "retry_mail")]
pub async fn retry_mail(number: i64) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    crate::caller::submitted(&[], services.retry_mail(&actor, number)).await
}
