//! What a run was asked, what it was fitted with, and what it was made from.

use std::collections::BTreeSet;

use leptos::prelude::*;
use millrace_domain::view::{DatasetSummary, RunView};

use crate::components::{JsonFacts, KeyValue, KeyValues};

/// Parameters and provenance side by side.
#[component]
pub fn Provenance(
    /// The run.
    run: RunView,
) -> impl IntoView {
    let parameters = run.parameters.unwrap_or_default();
    let workers: BTreeSet<String> = run.steps.iter().filter_map(|step| step.worker.clone()).collect();
    let workers: Vec<String> = workers.into_iter().collect();
    view! {
        <div class="grid grid-wide">
            <section class="card">
                <div class="card-header"><h2>"Fitted with"</h2></div>
                <div class="card-body"><JsonFacts document=parameters label="Parameters"/></div>
            </section>
            <section class="card">
                <div class="card-header"><h2>"Asked for"</h2></div>
                <div class="card-body"><JsonFacts document=run.request label="Request"/></div>
            </section>
            <section class="card">
                <div class="card-header"><h2>"Made from"</h2></div>
                <div class="card-body stack">
                    <Sources
                        dataset=run.dataset
                        problem=run.summary.problem
                        number=run.summary.problem_version
                        workers
                    />
                    <JsonFacts document=run.provenance label="Provenance"/>
                </div>
            </section>
        </div>
    }
}

#[component]
fn Sources(dataset: Option<DatasetSummary>, problem: String, number: i32, workers: Vec<String>) -> impl IntoView {
    let problem_page = format!("/problems/{problem}/v/{number}");
    let dataset = dataset.map(|dataset| {
        let page = format!("/datasets/{}/v/{}", dataset.dataset, dataset.version);
        view! { <KeyValue name="Dataset"><a href=page>{format!("{} v{}", dataset.name, dataset.version)}</a></KeyValue> }
    });
    view! {
        <KeyValues>
            <KeyValue name="Problem"><a href=problem_page>{format!("{problem} v{number}")}</a></KeyValue>
            {dataset}
            {(!workers.is_empty()).then(|| view! { <KeyValue name="Computed by"><code>{workers.join(", ")}</code></KeyValue> })}
        </KeyValues>
    }
}
