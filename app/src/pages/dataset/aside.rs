//! Rows that were set aside: downloading them, and bringing them back corrected.

use leptos::prelude::*;
use millrace_domain::view::{DatasetSummary, QuarantineView};

use crate::components::GatedLink;
use crate::form::kept_for;
use crate::wording::{counted, sentence};

use super::table::version_address;

/// What was set aside of a version, and the form that brings it back.
#[component]
pub fn SetAside(
    /// What was set aside.
    quarantine: QuarantineView,
    /// The version.
    summary: DatasetSummary,
) -> impl IntoView {
    let rows = counted(quarantine.rows.unsigned_abs(), "row", "rows");
    let file = format!("/api/v1/datasets/{}/versions/{}/quarantine.csv", summary.dataset, summary.version);
    let back = match quarantine.corrected_by {
        Some(by) => {
            let href = version_address(&summary.dataset, by);
            view! { <p>"Brought back by " <a href=href>{format!("version {by}")}</a> "."</p> }.into_any()
        }
        None if quarantine.may_correct.allowed => view! { <CorrectionForm summary=summary.clone()/> }.into_any(),
        None => {
            view! { <GatedLink permission=quarantine.may_correct href=String::new() label="Bring back corrected rows" icon="upload"/> }
                .into_any()
        }
    };
    view! {
        <section class="card" aria-labelledby="aside">
            <div class="card-header">
                <h2 id="aside">"Set aside"</h2>
                <span class="badge" data-state="warning">{rows}</span>
            </div>
            <div class="card-body stack">
                <p>"These rows break a critical check and are not part of this version. No run sees them."</p>
                <p><a href=file data-icon="download" download="">"Download them with their reasons (CSV)"</a></p>
                {back}
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn CorrectionForm(summary: DatasetSummary) -> impl IntoView {
    let refused = kept_for("/fn/correct_dataset").and_then(|kept| kept.refusal());
    view! {
        <form class="stack" method="post" action="/fn/correct_dataset" enctype="multipart/form-data">
            {refused
                .map(|fault| {
                    view! {
                        <div class="callout" data-kind="error" role="alert" tabindex="-1">
                            <p class="callout-title">"The rows were not taken"</p>
                            <p>{sentence(&fault.detail)}</p>
                        </div>
                    }
                })}
            <input type="hidden" name="dataset" value=summary.dataset/>
            <input type="hidden" name="version" value=summary.version/>
            <div class="field">
                <label class="label" for="corrected">"Corrected rows"</label>
                <p class="hint" id="corrected-hint">
                    "The downloaded file with its cells put right. Leave out rows that are to stay out; keep the column _row. \
                     They come back once, as a new version after the rows of the newest."
                </p>
                <input
                    class="input"
                    id="corrected"
                    name="file"
                    type="file"
                    required
                    accept=".csv,text/csv"
                    aria-describedby="corrected-hint"
                />
            </div>
            <button class="button" type="submit" data-icon="upload">"Bring them back"</button>
        </form>
    }
    .into_any()
}
