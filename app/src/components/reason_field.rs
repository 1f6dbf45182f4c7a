use leptos::prelude::*;

use super::TextArea;

/// Why something is done: what stands in the history afterwards.
#[component]
pub fn ReasonField(
    /// Its id, where the page has several.
    #[prop(default = "reason")]
    id: &'static str,
    /// What to write.
    hint: &'static str,
    /// What it begins with.
    text: String,
    /// Whether nothing can be typed.
    disabled: bool,
) -> impl IntoView {
    let hint_id = format!("{id}-hint");
    view! {
        <div class="field">
            <label class="label" for=id>"Reason"</label>
            <p class="hint" id=hint_id.clone()>{hint}</p>
            <TextArea name="reason" id text rows=2 required=true disabled described_by=hint_id/>
        </div>
    }
}
