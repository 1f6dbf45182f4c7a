use leptos::prelude::*;
use millrace_domain::policy::Scope;

use crate::components::{CopyButton, FaultNotice, Field};
use crate::fault::PageFault;
use crate::form::PageForm;

/// Lifetimes to choose from, in days.
const LIFETIMES: [(u32, &str); 4] = [(7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "a year")];
/// The lifetime that is chosen beforehand.
const USUAL_LIFETIME: u32 = 30;

/// The secret of a token that was just made, this once.
#[component]
pub fn NewSecret(
    /// The page's form.
    form: PageForm<CreateToken>,
) -> impl IntoView {
    let secret = move || match form.action.value().get() {
        Some(Ok(secret)) => Some(secret),
        Some(Err(_)) => None,
        None => form.shown_once(),
    };
    move || {
        secret().map(|secret| {
            view! {
                <div class="callout" data-kind="success" role="status">
                    <p class="callout-title">"Copy the token now: it is not shown again"</p>
                    <span class="snippet">
                        <code>{secret.clone()}</code>
                        <CopyButton text=secret label="Copy the token"/>
                    </span>
                </div>
            }
        })
    }
}

/// A new token.
#[component]
pub fn TokenForm(
    /// The page's form.
    form: PageForm<CreateToken>,
) -> impl IntoView {
    let at = move |pointer: &'static str| Signal::derive(move || form.error_at(pointer));
    let typed = move |name: &str| form.typed(name).unwrap_or_default();
    let scopes = typed("scopes").split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let days = typed("days").parse().unwrap_or(USUAL_LIFETIME);
    view! {
        <section class="card" aria-labelledby="token-title">
            <div class="card-header">
                <h2 id="token-title">"New token"</h2>
            </div>
            <div class="card-body">
                <ActionForm action=form.action attr:class="form">
                    {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
                    <Field
                        name="name"
                        label="Name"
                        hint="What it is for, for example the nightly upload."
                        value=typed("name")
                        error=at("/name")
                    />
                    <ScopeBoxes checked=scopes/>
                    <div class="field">
                        <label class="label" for="days">"Valid for"</label>
                        <select class="input" id="days" name="days">
                            {LIFETIMES
                                .map(|(count, words)| {
                                    view! { <option value=count selected=count == days>{words}</option> }
                                })
                                .collect_view()}
                        </select>
                    </div>
                    <div class="form-actions">
                        <button class="button button-primary" type="submit">"Create token"</button>
                    </div>
                </ActionForm>
            </div>
        </section>
    }
}

#[component]
fn ScopeBoxes(checked: Vec<String>) -> impl IntoView {
    let boxes = Scope::ALL
        .map(|scope| {
            let about = match scope {
                Scope::Predict => "asks for predictions and reports outcomes",
                Scope::Read => "reads everything a page shows",
                Scope::Launch => "writes problems, uploads data, launches and cancels runs",
                Scope::Deploy => "puts approved models live and rolls back",
                Scope::Metrics => "reads operating metrics",
            };
            view! {
                <label class="check">
                    <input
                        type="checkbox"
                        name="scopes[]"
                        value=scope.as_str()
                        checked=checked.iter().any(|word| word == scope.as_str())
                    />
                    <span>{scope.as_str()} " " <span class="hint">{about}</span></span>
                </label>
            }
        })
        .collect_view();
    view! {
        <fieldset class="fieldset">
            <legend>"Scopes"</legend>
            <p class="hint">"A token never does more than you may. It cannot review, manage people or make tokens."</p>
            {boxes}
        </fieldset>
    }
}

/// Makes a token and gives its secret, this once.
#[server(prefix = "/fn", endpoint = "create_token")]
pub async fn create_token(
    name: String,
    #[server(default)] scopes: Vec<String>,
    days: u32,
) -> Result<String, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let typed = [("name", name.as_str()), ("scopes", &scopes.join(" ")), ("days", &days.to_string())];
    let secret = crate::caller::submitted(&typed, async {
        let scopes: Result<Vec<Scope>, String> = scopes.iter().map(|word| word.parse()).collect();
        let scopes = scopes.map_err(|reason| millrace_domain::fault::Fault::field("/scopes", reason))?;
        services.create_token(&actor, &name, &scopes, days).await
    })
    .await?;
    crate::caller::show_once(&secret).await?;
    Ok(secret)
}
