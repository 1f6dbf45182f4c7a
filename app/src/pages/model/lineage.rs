//! Where a model version comes from: problem, dataset, run and the digests of each.

use leptos::prelude::*;
use millrace_domain::trainer::Trainer;
use millrace_domain::view::ModelVersionView;

use crate::components::{JsonFacts, KeyValue, KeyValues, ShortDigest};

/// Lineage with links to every source.
#[component]
pub fn Lineage(
    /// The version.
    version: ModelVersionView,
) -> impl IntoView {
    let summary = version.summary;
    let dataset = version.dataset;
    let dataset_page = format!("/datasets/{}/v/{}", dataset.dataset, dataset.version);
    let problem_page = format!("/problems/{}", summary.slug);
    let run_page = format!("/runs/{}", summary.run);
    let model = format!("/api/v1/runs/{}/artifacts/model", summary.run);
    let onnx = format!("/api/v1/models/{}/versions/{}/model.onnx", summary.slug, summary.version);
    // What a program elsewhere left is the model as it is.
    let is_own = summary.trainer.parse().is_ok_and(|trainer: Trainer| trainer != Trainer::External);
    let onnx =
        is_own.then(|| view! { " \u{b7} " <a href=onnx rel="external" title="For use in other programs">"ONNX"</a> });
    view! {
        <section class="card">
            <div class="card-header"><h2>"Lineage"</h2></div>
            <div class="card-body stack">
                <KeyValues stacked=true>
                    <KeyValue name="Run"><a href=run_page>{format!("#{}", summary.run)}</a></KeyValue>
                    <KeyValue name="Dataset">
                        <a href=dataset_page>{format!("{} v{}", dataset.name, dataset.version)}</a>
                    </KeyValue>
                    <KeyValue name="Problem"><a href=problem_page>{summary.slug}</a></KeyValue>
                    <KeyValue name="Model digest"><ShortDigest digest=version.digest/></KeyValue>
                    <KeyValue name="Artifact">
                        <ShortDigest digest=version.artifact/>
                        " "
                        <a href=model rel="external" download="">"Download"</a>
                        {onnx}
                    </KeyValue>
                </KeyValues>
                <JsonFacts document=version.provenance label="Provenance" stacked=true/>
            </div>
        </section>
        <section class="card">
            <div class="card-header"><h2>"Fitted with"</h2></div>
            <div class="card-body">
                <JsonFacts document=version.parameters.unwrap_or_default() label="Parameters"/>
            </div>
        </section>
    }
}
