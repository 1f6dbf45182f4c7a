//! What a run left behind, by digest.

use leptos::prelude::*;
use millrace_domain::view::ArtifactView;

use crate::components::{Empty, ShortDigest, TableRegion};
use crate::pages::quantity::bytes;

/// Artifacts with their digests and sizes.
#[component]
pub fn Artifacts(
    /// The artifacts.
    artifacts: Vec<ArtifactView>,
    /// The run.
    run: String,
) -> impl IntoView {
    if artifacts.is_empty() {
        return view! { <Empty title="No artifacts yet" text="Each step that ends leaves its result here, named by its digest."/> }
            .into_any();
    }
    let rows = artifacts
        .into_iter()
        .map(|artifact| {
            let href = format!("/api/v1/runs/{run}/artifacts/{}", artifact.name.replace('/', "%2F").replace(' ', "%20"));
            view! {
                <tr>
                    <th scope="row" data-label="Artifact"><a href=href download="" rel="external">{artifact.name}</a></th>
                    <td data-label="Type"><code>{artifact.media_type}</code></td>
                    <td class="num" data-label="Size">{bytes(artifact.bytes)}</td>
                    <td data-label="SHA-256"><ShortDigest digest=artifact.digest/></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <TableRegion label="Artifacts">
            <table class="table" data-stack>
                <caption class="visually-hidden">"Artifacts of the run"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Artifact"</th>
                        <th scope="col">"Type"</th>
                        <th scope="col" class="num">"Size"</th>
                        <th scope="col">"SHA-256"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableRegion>
    }
    .into_any()
}
