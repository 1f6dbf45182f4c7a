//! One dataset: its versions, newest first.

use leptos::prelude::*;
use millrace_domain::view::DatasetSummary;

use crate::components::{Empty, Load, PageHeader};
use crate::fault::PageFault;
use crate::pages::address::{address, path_text};

use super::table::DatasetTable;

/// All versions of a dataset, newest first.
#[server(name = FetchDataset, prefix = "/fn", endpoint = "dataset")]
pub async fn fetch_dataset(id: String) -> Result<Vec<DatasetSummary>, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.dataset(&actor, crate::pages::address::id(&id, "dataset")?).await?)
}

/// `/datasets/{id}`.
#[component]
pub fn DatasetPage() -> impl IntoView {
    let id = path_text("id");
    let versions = Resource::new(move || id.get(), fetch_dataset);
    view! {
        <Load resource=versions above=("Datasets", "/datasets") let:rows>
            <Versions rows/>
        </Load>
    }
}

#[component]
fn Versions(rows: Vec<DatasetSummary>) -> impl IntoView {
    let crumbs = vec![("Datasets".to_owned(), "/datasets".to_owned())];
    let Some(newest) = rows.first().cloned() else {
        return view! {
            <PageHeader title="Dataset" crumbs/>
            <Empty title="No versions yet" text="The first upload of this dataset was not finished."/>
        }
        .into_any();
    };
    let upload = address("/datasets/new", [("problem", newest.problem.as_str()), ("name", newest.name.as_str())]);
    let problem = newest.problem;
    view! {
        <PageHeader
            title=newest.name
            crumbs
            meta=move || {
                let href = format!("/problems/{problem}");
                view! { <span>"for " <a href=href>{problem}</a></span> }
            }
            actions=move || {
                view! { <a class="button button-primary" data-icon="upload" href=upload>"Upload a new version"</a> }
            }
        />
        <DatasetTable rows caption="Versions, newest first"/>
    }
    .into_any()
}
