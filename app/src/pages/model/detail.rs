//! One model: its versions and how its success metric went over them.

use leptos::prelude::*;
use millrace_domain::run::ModelStage;
use millrace_domain::view::{ModelSummary, ModelView};

use crate::components::{ChartFigure, Empty, Load, PageHeader};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::pages::address::path_text;

use super::aliases::{Aliases, MoveAlias};
use super::compare::ChooseVersions;
use super::history::metric_over_versions;
use super::table::ModelTable;

/// A model with all its versions and aliases.
#[server(name = FetchModel, prefix = "/fn", endpoint = "model")]
pub async fn fetch_model(slug: String) -> Result<ModelView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.registered(&actor, &slug).await?)
}

/// `/models/{slug}`.
#[component]
pub fn ModelPage() -> impl IntoView {
    let slug = path_text("slug");
    let form = PageForm::<MoveAlias>::new().telling("The alias stands as you said.");
    let model = Resource::new(move || (slug.get(), form.done()), |(slug, _)| fetch_model(slug));
    view! {
        <Load resource=model above=("Models", "/models") let:model>
            <Head slug=slug.get_untracked() was_live=model.versions.iter().any(was_live)/>
            <Model slug=slug.get_untracked() model form/>
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
    let cases = format!("/problems/{slug}/cases");
    let deployment = format!("/deployments/{slug}");
    let file = format!("/api/v1/models/{slug}/versions.csv");
    let deployment =
        was_live.then(|| view! { <a class="button" data-icon="deployment" href=deployment>"What is live"</a> });
    view! {
        <PageHeader
            title=slug
            crumbs=vec![("Models".to_owned(), "/models".to_owned())]
            actions=move || {
                view! {
                    <a class="button" data-icon="problem" href=problem>"Problem"</a>
                    <a class="button" href=cases>"Regression cases"</a>
                    {deployment}
                    <a class="button" data-icon="download" href=file rel="external">"CSV"</a>
                }
            }
        />
    }
}

#[component]
fn Model(slug: String, model: ModelView, form: PageForm<MoveAlias>) -> impl IntoView {
    let ModelView { versions: rows, aliases, may_move } = model;
    if rows.is_empty() {
        return view! {
            <Empty title="No versions yet" text="A run that passes every gate of the problem registers the first version."/>
        }
        .into_any();
    }
    let figure = metric_over_versions(&rows, &aliases);
    // What is live beside the newest: what somebody who is to approve asks first.
    let numbers: Vec<i32> = rows.iter().map(|version| version.version).collect();
    let live = rows.iter().find(|version| version.stage == "live").map(|version| version.version);
    let compare = (numbers.len() > 1).then(|| {
        let a = live.filter(|live| *live != numbers[0]).unwrap_or(numbers[1]);
        view! { <ChooseVersions slug=slug.clone() versions=numbers.clone() a b=numbers[0]/> }
    });
    view! {
        <div class="stack stack-loose">
            {figure.map(|figure| view! { <ChartFigure figure/> })}
            {compare}
            <ModelTable rows caption="Versions, newest first" aliases=aliases.clone()/>
            <Aliases slug aliases permission=may_move form/>
        </div>
    }
    .into_any()
}
