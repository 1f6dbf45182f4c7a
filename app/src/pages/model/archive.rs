//! Putting a version away, and bringing it back.

use leptos::prelude::*;
use millrace_domain::view::ModelVersionView;

use crate::components::{FaultNotice, GatedButton, ReasonField};
use crate::fault::PageFault;
use crate::form::PageForm;

/// Puts a version away, or brings it back.
#[server(name = ArchiveModel, prefix = "/fn", endpoint = "archive_model")]
pub async fn archive_model(slug: String, number: i32, archived: bool, reason: String) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let typed = [("reason", reason.as_str())];
    crate::caller::submitted(&typed, services.archive_model(&actor, &slug, number, archived, &reason)).await
}

/// The confirmation; nothing for what is live.
#[component]
pub fn ArchiveCard(
    /// The version.
    version: ModelVersionView,
    /// The page's form.
    form: PageForm<ArchiveModel>,
) -> impl IntoView {
    let (slug, number, archived) = (version.summary.slug, version.summary.version, version.summary.archived);
    if version.summary.stage == "live" {
        return ().into_any();
    }
    let (title, effect, label) = match archived {
        false => (
            "Put it away",
            "It is neither approved nor sent out any more. Nothing is deleted, and it can be brought back.",
            "Archive",
        ),
        true => ("Archived", "It is neither approved nor sent out until it is brought back.", "Bring it back"),
    };
    let permission = version.may_archive;
    let disabled = !permission.allowed;
    let text = form.typed("reason").unwrap_or_default();
    let body = view! {
        <div class="card-header"><h2 id="archive">{title}</h2></div>
        <div class="card-body stack">
            <p class="muted">{effect}</p>
            {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
            <ActionForm action=form.action attr:class="form">
                <input type="hidden" name="slug" value=slug/>
                <input type="hidden" name="number" value=number/>
                <input type="hidden" name="archived" value=(!archived).to_string()/>
                <ReasonField id="archive-reason" hint="Stands in the audit trail." text disabled/>
                <div class="form-actions"><GatedButton permission label/></div>
            </ActionForm>
        </div>
    };
    // Elements of their own, so that the reason for the one way does not stand in the form for the other.
    match archived {
        false => view! { <section class="card" aria-labelledby="archive">{body}</section> }.into_any(),
        true => view! { <article class="card" aria-labelledby="archive">{body}</article> }.into_any(),
    }
}
