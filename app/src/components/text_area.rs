use leptos::prelude::*;

/// A text of several lines.
///
/// Leptos writes the children of `<textarea>` without escaping them, so a text with `</textarea>` would become markup. Here
/// the text is escaped and set as the element's inner HTML, which a browser reads back as the very text.
#[component]
pub fn TextArea(
    /// Name in the form; also its id, unless that is another one.
    name: &'static str,
    /// Its id, where the page has several of that name.
    #[prop(optional)]
    id: Option<&'static str>,
    /// What it begins with.
    #[prop(optional, into)]
    text: String,
    /// Height in lines.
    #[prop(default = 3)]
    rows: u32,
    /// Whether nothing can be typed.
    #[prop(optional)]
    disabled: bool,
    /// Whether it may not be left empty.
    #[prop(optional)]
    required: bool,
    /// For code: a fixed-width face, no spelling marks.
    #[prop(optional)]
    code: bool,
    /// Id of the text that explains it.
    #[prop(optional, into)]
    described_by: Option<String>,
    /// Whether what it holds was refused.
    #[prop(optional, into)]
    invalid: Signal<bool>,
) -> impl IntoView {
    view! {
        <textarea
            class=if code { "input input-code" } else { "input" }
            id=id.unwrap_or(name)
            name=name
            rows=rows
            disabled=disabled
            required=required
            spellcheck=if code { "false" } else { "true" }
            aria-describedby=described_by
            aria-invalid=move || invalid.get().then_some("true")
            inner_html=escaped(&text)
        ></textarea>
    }
}

fn escaped(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // A browser drops one line break right after the opening tag.
    if escaped.starts_with('\n') { format!("\n{escaped}") } else { escaped }
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn a_text_cannot_leave_its_field() {
        assert_eq!(escaped("</textarea><script>&"), "&lt;/textarea&gt;&lt;script&gt;&amp;");
    }
}
