use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use millrace_domain::fault::Fault;
use millrace_domain::problem::Mistake;

use super::document_text::document_text;
use super::version::problem_version;
use crate::components::{Load, NotAllowed, PageHeader, TextArea};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::visit::visit;
use crate::wording::{counted, sentence};

/// What a new document begins with.
pub const TEMPLATE: &str = include_str!("template.toml");

/// A new document, or with `?from=<slug>&version=<n>` a new version of that one.
///
/// The typed text is never lost: with WASM the page stays and only the mistakes appear; without, the server keeps the refused
/// text and fills the field with it again (see [`submitted`](crate::caller::submitted)).
#[component]
pub fn WriteProblemPage() -> impl IntoView {
    let form = PageForm::<SaveProblem>::new();
    let query = use_query_map();
    let origin = move || {
        query.with(|query| Some((query.get("from")?, query.get("version").and_then(|number| number.parse().ok()))))
    };
    let beginning = Resource::new(origin, |origin| async move {
        let Some((slug, number)) = origin else {
            return Ok(TEMPLATE.to_owned());
        };
        problem_version(slug, number).await.map(|version| document_text(&version.document))
    });
    let title = move || query.with(|query| if query.get("from").is_some() { "New version" } else { "New problem" });
    view! {
        {move || view! { <PageHeader title=title() crumbs=vec![("Problems".to_owned(), "/problems".to_owned())]/> }}
        <p class="lede">
            "A document names what is predicted, from which data, and what a model must reach. It becomes a draft; others sign it before anything runs."
        </p>
        <Load resource=beginning let:beginning>
            {
                let from = origin().map(|(slug, _): (String, Option<i32>)| slug).unwrap_or_default();
                let permission = visit().acts.write;
                if from.is_empty() && !permission.allowed {
                    view! { <NotAllowed title="You may not write a new problem" permission/> }.into_any()
                } else {
                    view! { <DocumentForm form from text=form.typed("text").unwrap_or(beginning)/> }.into_any()
                }
            }
        </Load>
    }
}

#[component]
fn DocumentForm(form: PageForm<SaveProblem>, from: String, text: String) -> impl IntoView {
    let refused = Signal::derive(move || form.fault().is_some());
    view! {
        <div class="split">
            <div class="split-main">
                <ActionForm action=form.action attr:class="form">
                    <input type="hidden" name="from" value=from/>
                    <div class="field">
                        <label class="label" for="text">"Problem document"</label>
                        <p class="hint" id="text-hint">"TOML, or JSON with the same keys."</p>
                        <TextArea name="text" text rows=28 code=true required=true described_by="text-hint mistakes" invalid=refused/>
                    </div>
                    <div class="form-actions">
                        <button class="button button-primary" type="submit" aria-busy=move || form.action.pending().get().then_some("true")>
                            "Save as draft"
                        </button>
                        <a class="button button-quiet" href="/problems">"Cancel"</a>
                    </div>
                </ActionForm>
            </div>
            <aside class="split-side stack" id="mistakes" aria-live="polite">
                {move || form.fault().map(|fault| view! { <Mistakes fault/> })}
            </aside>
        </div>
    }
}

/// Every mistake at once, each with its place.
#[component]
fn Mistakes(fault: Fault) -> impl IntoView {
    let title = match fault.errors.len() {
        0 => fault.title,
        count => counted(count as u64, "mistake", "mistakes"),
    };
    let detail = fault.errors.is_empty().then(|| view! { <p>{sentence(&fault.detail)}</p> });
    view! {
        <div class="callout" data-kind="error" role="alert">
            <p class="callout-title">{title}</p>
            {detail}
            <ul class="stack stack-tight">
                {fault.errors.into_iter().map(|mistake| view! { <MistakeLine mistake/> }).collect_view()}
            </ul>
        </div>
    }
}

#[component]
fn MistakeLine(mistake: Mistake) -> impl IntoView {
    let place = if mistake.pointer.is_empty() { "the document".to_owned() } else { mistake.pointer };
    view! {
        <li>
            <code>{place}</code>
            " "
            {mistake.message}
        </li>
    }
}

/// Saves a document as the first draft of a new problem, or as the next version of the one it was written from, and goes on
/// to it.
#[server(prefix = "/fn", endpoint = "save_problem")]
pub async fn save_problem(#[server(default)] from: String, text: String) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let saved = crate::caller::submitted(&[("text", &text)], async {
        match from.as_str() {
            "" => services.create_problem(&actor, &text).await,
            slug => services.revise_problem(&actor, slug, &text).await,
        }
    })
    .await?;
    leptos_axum::redirect(&format!("/problems/{}/v/{}", saved.slug, saved.version));
    Ok(())
}
