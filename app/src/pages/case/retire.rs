//! Retiring a case: it is asked why.

use leptos::prelude::*;
use millrace_domain::case::Case;
use millrace_domain::view::Permission;

use crate::components::{FaultNotice, GatedButton, ReasonField};
use crate::fault::PageFault;
use crate::form::PageForm;

/// Holds a case against no version any more.
#[server(name = RetireCase, prefix = "/fn", endpoint = "retire_case")]
pub async fn retire_case(slug: String, case: String, reason: String) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let typed = [("reason", reason.as_str())];
    crate::caller::submitted(&typed, services.retire_case(&actor, &slug, &case, &reason)).await?;
    leptos_axum::redirect(&format!("/problems/{slug}/cases"));
    Ok(())
}

/// Asks why, for the case that the address names.
#[component]
pub fn RetireCard(
    /// Problem.
    slug: String,
    /// The case.
    case: Case,
    /// Whether the reader may.
    permission: Permission,
    /// The page's form.
    form: PageForm<RetireCase>,
) -> impl IntoView {
    let text = form.typed("reason").unwrap_or_default();
    let disabled = !permission.allowed;
    view! {
        <section class="card confirm" aria-labelledby="retire">
            <div class="card-header"><h2 id="retire">{format!("Retire \u{201c}{}\u{201d}?", case.name)}</h2></div>
            <div class="card-body stack">
                <p>"From then on no version is held against it. It stays in the audit trail with the reason."</p>
                {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
                <ActionForm action=form.action attr:class="form">
                    <input type="hidden" name="slug" value=slug/>
                    <input type="hidden" name="case" value=case.id/>
                    <ReasonField hint="Why it is no longer right." text disabled/>
                    <div class="form-actions">
                        <GatedButton permission label="Retire the case" kind="danger"/>
                    </div>
                </ActionForm>
            </div>
        </section>
    }
}
