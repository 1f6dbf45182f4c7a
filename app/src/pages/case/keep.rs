//! Keeping a case by hand.

use leptos::prelude::*;
use millrace_domain::metric::TargetKind;
use millrace_domain::view::CasesView;

use crate::components::{FaultNotice, Field, GatedButton, TextArea};
use crate::fault::PageFault;
use crate::form::PageForm;

use super::expected::ExpectedFields;

/// Keeps one case.
#[server(name = KeepCase, prefix = "/fn", endpoint = "keep_case")]
pub async fn keep_case(
    slug: String,
    name: String,
    instance: String,
    #[server(default)] label: String,
    #[server(default)] at_least: String,
    #[server(default)] at_most: String,
) -> Result<(), PageFault> {
    use millrace_domain::case::{CasesRequest, NewCase};
    use millrace_domain::fault::Fault;
    let (services, actor) = crate::caller::actor()?;
    let typed = [
        ("name", name.as_str()),
        ("instance", &instance),
        ("label", &label),
        ("at_least", &at_least),
        ("at_most", &at_most),
    ];
    let kept = async {
        let inputs = serde_json::from_str(&instance)
            .map_err(|error| Fault::field("/instance", format!("are no JSON object of inputs: {error}")))?;
        let expect = super::expected::expected(&label, &at_least, &at_most)?;
        let case = NewCase { name: name.clone(), instance: inputs, expect };
        services.keep_cases(&actor, &slug, &CasesRequest { cases: vec![case] }).await
    };
    crate::caller::submitted(&typed, kept).await.map(drop)
}

/// The form.
#[component]
pub fn KeepCaseCard(
    /// The page.
    cases: CasesView,
    /// Its form.
    form: PageForm<KeepCase>,
) -> impl IntoView {
    let kind: TargetKind = cases.kind.parse().unwrap_or(TargetKind::Binary);
    let typed = move |name: &str| form.typed(name).unwrap_or_default();
    let permission = cases.may_keep;
    view! {
        <section class="card" aria-labelledby="keep">
            <div class="card-header"><h2 id="keep">"Keep a case"</h2></div>
            <div class="card-body stack">
                <p class="muted">
                    "Inputs and what must be answered to them. Every version from now on has to; predictions that went wrong can be kept on their own pages."
                </p>
                {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
                <ActionForm action=form.action attr:class="form">
                    <input type="hidden" name="slug" value=cases.slug/>
                    <Field name="name" label="Name" value=typed("name") hint="What it is about, in one line."/>
                    <div class="field">
                        <label class="label" for="instance">"Inputs"</label>
                        <p class="hint" id="instance-hint">"A JSON object, as a prediction is asked for."</p>
                        <TextArea
                            name="instance"
                            text=typed("instance")
                            rows=4
                            code=true
                            required=true
                            described_by="instance-hint"
                        />
                    </div>
                    <ExpectedFields kind label=typed("label") at_least=typed("at_least") at_most=typed("at_most")/>
                    <div class="form-actions">
                        <GatedButton permission label="Keep the case" kind="primary"/>
                    </div>
                </ActionForm>
            </div>
        </section>
    }
}
