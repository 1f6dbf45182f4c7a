use leptos::prelude::*;

/// A labelled input on one line, with what is wrong with it beside it.
#[component]
pub fn Field(
    /// Name in the form; also its id.
    name: &'static str,
    /// What the person reads.
    #[prop(into)]
    label: String,
    /// `text`, `email`, `password`, `number`, …
    #[prop(default = "text")]
    kind: &'static str,
    /// Rules, before they are broken.
    #[prop(optional, into)]
    hint: Option<String>,
    /// What it begins with.
    #[prop(optional, into)]
    value: Option<String>,
    /// The browser's word for what goes in here (HTML `autocomplete`).
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// Whether it may be left empty.
    #[prop(optional)]
    optional: bool,
    /// The fewest characters it takes.
    #[prop(optional)]
    minlength: Option<u32>,
    /// What is wrong with it.
    #[prop(optional, into)]
    error: Signal<Option<String>>,
) -> impl IntoView {
    let hint_id = hint.is_some().then(|| format!("{name}-hint"));
    let described = {
        let hint_id = hint_id.clone();
        move || {
            let ids: Vec<String> =
                hint_id.iter().cloned().chain(error.get().map(|_| format!("{name}-error"))).collect();
            (!ids.is_empty()).then(|| ids.join(" "))
        }
    };
    view! {
        <div class="field">
            <label class="label" for=name>
                {label}
                {optional.then(|| view! { " " <span class="optional">"optional"</span> })}
            </label>
            {hint.map(|hint| view! { <p class="hint" id=hint_id>{hint}</p> })}
            <input
                class="input"
                id=name
                name=name
                type=kind
                step=(kind == "number").then_some("any")
                value=value
                autocomplete=autocomplete
                required=!optional
                minlength=minlength
                aria-describedby=described
                aria-invalid=move || error.get().map(|_| "true")
            />
            <FieldError name error/>
        </div>
    }
}

/// What is wrong with a field.
#[component]
pub fn FieldError(
    /// The field's name.
    name: &'static str,
    /// What is wrong with it.
    #[prop(into)]
    error: Signal<Option<String>>,
) -> impl IntoView {
    move || {
        error.get().map(|message| {
            view! { <p class="error" id=format!("{name}-error")>{crate::wording::sentence(&message)}</p> }
        })
    }
}
