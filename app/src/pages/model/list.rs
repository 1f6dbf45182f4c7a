//! The list of models, each with its newest version.

use leptos::prelude::*;
use millrace_domain::view::ModelSummary;

use crate::components::{Empty, Load, PageHeader};
use crate::fault::PageFault;

use super::table::ModelTable;

/// The newest version of every model.
#[server(name = ListModels, prefix = "/fn", endpoint = "list_models")]
pub async fn list_models() -> Result<Vec<ModelSummary>, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.list_models(&actor).await?)
}

/// `/models`.
#[component]
pub fn ModelsPage() -> impl IntoView {
    let models = Resource::new(|| (), |()| list_models());
    view! {
        <PageHeader title="Models"/>
        <p class="lede">"A run whose model passed its gates registers an immutable version; people approve it before it goes live."</p>
        <Load resource=models let:rows>
            {if rows.is_empty() {
                view! { <NoModels/> }.into_any()
            } else {
                view! { <ModelTable rows caption="Models with their newest versions" titled=true/> }.into_any()
            }}
        </Load>
    }
}

#[component]
fn NoModels() -> impl IntoView {
    view! {
        <Empty
            title="No models yet"
            text="The first run that passes every gate of its problem registers version 1 of that problem's model."
        >
            <a class="button button-primary" data-icon="play" href="/runs/new">"Launch a run"</a>
        </Empty>
    }
}
