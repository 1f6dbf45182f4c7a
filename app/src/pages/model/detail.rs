//! One model: its versions and how its success metric went over them.

use leptos::prelude::*;
use millrace_domain::run::ModelStage;
use millrace_domain::view::ModelSummary;

use crate::components::{ChartFigure, Empty, Load, PageHeader};
use crate::fault::PageFault;
use crate::pages::address::path_text;

use super::history::metric_over_versions;
use super::table::ModelTable;

/// All versions of a model, newest first.
#[server(name = FetchModel, prefix = "/fn", endpoint = "model")]
pub async fn fetch_model(slug: String) -> Result<Vec<ModelSummary>, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.model(&actor, &slug).await?)
}

/// `/models/{slug}`.
#[component]
pub fn ModelPage() -> impl IntoView {
    let slug = path_text("slug");
    let versions = Resource::new(move || slug.get(), fetch_model);
    view! {
        <Load resource=versions above=("Models", "/models") let:rows>
            <Head slug=slug.get_untracked() was_live=rows.iter().any(was_live)/>
            <Versions rows/>
        </Load>
    }
}

/// Whether a deployment knows of the version.
fn was_live(version: &ModelSummary) -> bool {
    matches!(version.stage.parse(), Ok(ModelStage::Live | ModelStage::Superseded | ModelStage::RolledBack))
}

#[component]
fn Head(slug: String, was_live: bool) -> impl IntoView {
    let problem = format!("/problems/{slug}");
    let deployment = format!("/deployments/{slug}");
    let deployment =
        was_live.then(|| view! { <a class="button" data-icon="deployment" href=deployment>"What is live"</a> });
    view! {
        <PageHeader
            title=slug
            crumbs=vec![("Models".to_owned(), "/models".to_owned())]
            actions=move || {
                view! {
                    <a class="button" data-icon="problem" href=problem>"Problem"</a>
                    {deployment}
                }
            }
        />
    }
}

#[component]
fn Versions(rows: Vec<ModelSummary>) -> impl IntoView {
    if rows.is_empty() {
        return view! {
            <Empty title="No versions yet" text="A run that passes every gate of the problem registers the first version."/>
        }
        .into_any();
    }
    let figure = metric_over_versions(&rows);
    view! {
        <div class="stack stack-loose">
            {figure.map(|figure| view! { <ChartFigure figure/> })}
            <ModelTable rows caption="Versions, newest first"/>
        </div>
    }
    .into_any()
}
