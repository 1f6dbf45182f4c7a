//! The list of datasets, each with its newest version.

use leptos::prelude::*;
use millrace_domain::view::DatasetSummary;

use crate::components::{Empty, GatedLink, Load, PageHeader};
use crate::fault::PageFault;
use crate::pages::address::{address, query_text};
use crate::visit::visit;

use super::sources::{SourceTable, list_sources};
use super::table::DatasetTable;

/// The newest version of every dataset, or of those of one problem.
#[server(name = ListDatasets, prefix = "/fn", endpoint = "list_datasets")]
pub async fn list_datasets(problem: Option<String>) -> Result<Vec<DatasetSummary>, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.list_datasets(&actor, problem.as_deref()).await?)
}

/// `/datasets`, with `?problem=` for those of one problem.
#[component]
pub fn DatasetsPage() -> impl IntoView {
    let problem = query_text("problem");
    let datasets = Resource::new(
        move || problem.get(),
        |problem| list_datasets(Some(problem).filter(|problem| !problem.is_empty())),
    );
    let sources = Resource::new(
        move || problem.get(),
        |problem| list_sources(Some(problem).filter(|problem| !problem.is_empty())),
    );
    let upload = move || address("/datasets/new", [("problem", problem.get().as_str())]);
    view! {
        <PageHeader
            title="Datasets"
            actions=move || {
                let permission = visit().acts.upload;
                view! { <GatedLink permission href=upload() label="Upload data" kind="primary" icon="upload"/> }
            }
        />
        <p class="lede">"Data comes in as immutable versions, checked before anything is trained on them."</p>
        {move || {
            let problem = problem.get();
            (!problem.is_empty())
                .then(|| {
                    view! {
                        <p>
                            {format!("Only datasets of {problem}. ")}
                            <a href="/datasets">"Show all"</a>
                        </p>
                    }
                })
        }}
        <Load resource=datasets let:rows>
            {if rows.is_empty() {
                view! { <NoDatasets/> }.into_any()
            } else {
                view! { <DatasetTable rows caption="Datasets with their newest versions"/> }.into_any()
            }}
        </Load>
        <Load resource=sources let:sources>
            <SourceTable sources/>
        </Load>
    }
}

#[component]
fn NoDatasets() -> impl IntoView {
    view! {
        <Empty
            title="No datasets yet"
            text="A dataset is a file of rows for one problem. Upload one, and its columns are typed, profiled and checked."
        >
            <GatedLink
                permission=visit().acts.upload
                href="/datasets/new"
                label="Upload the first file"
                kind="primary"
                icon="upload"
            />
        </Empty>
    }
}
