//! The second factor: setting it up, its recovery codes, taking it away.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use millrace_domain::view::{AccountView, SecondFactorSetUp};

use crate::components::{ConfirmFirst, CopyButton, FaultNotice, Field, Load, Moment};
use crate::fault::PageFault;
use crate::form::{PageForm, kept_for};
use crate::wording::counted;

/// Where the second factor stands, and what can be done with it. `?tab=security&setup=1` shows a new secret.
#[component]
pub fn SecondFactor(
    /// The account.
    account: AccountView,
    /// The page's form.
    form: PageForm<FinishSecondFactor>,
) -> impl IntoView {
    let setting_up = use_query_map().with(|query| query.get("setup").is_some());
    let owed = account.me.owes_second_factor.then(|| {
        view! {
            <div class="callout" data-kind="warning" role="status">
                <p class="callout-title">"Your role needs a second factor"</p>
                <p>"Set one up here; until then nothing else can be done with this account."</p>
            </div>
        }
    });
    let content = match (account.second_factor_since, setting_up, account.must_confirm) {
        (Some(since), ..) => {
            let left = counted(u64::from(account.recovery_codes), "recovery code", "recovery codes");
            view! {
                <p>"Asked for since " <Moment at=since/> ". " {left} " left."</p>
                <RemoveForm must_confirm=account.must_confirm/>
            }
            .into_any()
        }
        (None, _, true) => {
            view! { <ConfirmFirst what="set up a second factor" back="/account?tab=security"/> }.into_any()
        }
        (None, false, false) => view! {
            <p>
                "A code from your telephone, asked for after the password: whoever learns the password alone cannot sign in."
            </p>
            <form method="post" action="/fn/begin_second_factor">
                <div class="form-actions">
                    <button class="button button-primary" type="submit" data-icon="shield">"Set up a second factor"</button>
                </div>
            </form>
        }
        .into_any(),
        (None, true, false) => view! { <SetUp form/> }.into_any(),
    };
    let fault = kept_for("/fn/remove_second_factor").and_then(|kept| kept.refusal());
    view! {
        {owed}
        <section class="card" aria-labelledby="second-title">
            <div class="card-header">
                <h2 id="second-title">"Second factor"</h2>
            </div>
            <div class="card-body stack">
                {fault.map(|fault| view! { <FaultNotice fault/> })}
                {content}
            </div>
        </section>
    }
}

#[component]
fn RemoveForm(must_confirm: bool) -> impl IntoView {
    if must_confirm {
        return view! { <ConfirmFirst what="take the second factor away" back="/account?tab=security"/> }.into_any();
    }
    view! {
        <form method="post" action="/fn/remove_second_factor">
            <button class="button button-danger" type="submit">"Take it away"</button>
        </form>
    }
    .into_any()
}

/// The new secret as a picture and as text, and the field for the first code. What is drawn was made by the form before and
/// waits on the server for this page.
#[component]
fn SetUp(form: PageForm<FinishSecondFactor>) -> impl IntoView {
    let drawn = Resource::new(|| (), |()| second_factor_drawn());
    let at = move |pointer: &'static str| Signal::derive(move || form.error_at(pointer));
    view! {
        <Load resource=drawn let:drawn>
            <Secret drawn/>
        </Load>
        <ActionForm action=form.action attr:class="form">
            {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
            <Field
                name="code"
                label="First code"
                hint="The six digits that the application shows now."
                autocomplete="one-time-code"
                error=at("/code")
            />
            <div class="form-actions">
                <button class="button button-primary" type="submit">"Turn it on"</button>
                <a class="button button-quiet" href="/account?tab=security">"Cancel"</a>
            </div>
        </ActionForm>
    }
}

#[component]
fn Secret(drawn: SecondFactorSetUp) -> impl IntoView {
    let (size, path) = drawn.picture.split_once(' ').unwrap_or(("1", ""));
    let size: i32 = size.parse().unwrap_or(1);
    let frame = format!("-4 -4 {} {}", size + 8, size + 8);
    let path = path.to_owned();
    view! {
        <p>"Scan the picture with an authenticator application, or type the secret in."</p>
        <svg class="qr" viewBox=frame role="img" aria-label="The secret as a square code" shape-rendering="crispEdges">
            <rect x="-4" y="-4" width=size + 8 height=size + 8 fill="#ffffff"></rect>
            <path d=path fill="#000000"></path>
        </svg>
        <span class="snippet">
            <code>{drawn.secret.clone()}</code>
            <CopyButton text=drawn.secret label="Copy the secret"/>
        </span>
    }
}

/// The recovery codes of a second factor that was just turned on, this once.
#[component]
pub fn RecoveryCodes(
    /// The page's form.
    form: PageForm<FinishSecondFactor>,
) -> impl IntoView {
    let codes = move || match form.action.value().get() {
        Some(Ok(codes)) => Some(codes),
        Some(Err(_)) => None,
        None => form.shown_once().map(|text| text.split(' ').map(str::to_owned).collect()),
    };
    move || {
        codes().map(|codes: Vec<String>| {
            let all = codes.join("\n");
            view! {
                <div class="callout" data-kind="success" role="status">
                    <p class="callout-title">"The second factor is on. Keep these recovery codes: they are not shown again"</p>
                    <p>"Each works once in place of a code, for the day the telephone is gone."</p>
                    <pre class="code"><code>{all.clone()}</code></pre>
                    <div class="cluster"><CopyButton text=all label="Copy the recovery codes"/></div>
                </div>
            }
        })
    }
}

/// Draws a new secret and goes on to the page that shows it.
#[server(prefix = "/fn", endpoint = "begin_second_factor")]
pub async fn begin_second_factor() -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    crate::caller::submitted(&[], services.begin_second_factor(&actor)).await?;
    leptos_axum::redirect("/account?tab=security&setup=1");
    Ok(())
}

/// The secret that is being set up.
#[server(prefix = "/fn", endpoint = "second_factor_drawn")]
pub async fn second_factor_drawn() -> Result<SecondFactorSetUp, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.second_factor_drawn(&actor).await?)
}

/// Takes the first code; gives the recovery codes, this once.
#[server(prefix = "/fn", endpoint = "finish_second_factor")]
pub async fn finish_second_factor(code: String) -> Result<Vec<String>, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let codes = crate::caller::submitted(&[], services.finish_second_factor(&actor, &code)).await?;
    crate::caller::show_once(&codes.join(" ")).await?;
    Ok(codes)
}

/// Takes the second factor away.
#[server(prefix = "/fn", endpoint = "remove_second_factor")]
pub async fn remove_second_factor() -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    crate::caller::submitted(&[], services.remove_second_factor(&actor)).await
}
