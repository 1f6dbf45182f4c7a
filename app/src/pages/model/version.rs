//! One model version, read like a review: what it proved, who approved it, where it comes from and how to call it.

use leptos::prelude::*;
use millrace_domain::gate::Gate;
use millrace_domain::view::ModelVersionView;

use crate::components::{GateTable, LineageFigure, Load, Measured, Moment, PageHeader, ReviewBox, gates_in_words};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::pages::address::{address, path_number, path_text};
use crate::pages::quantity::metric_title;
use crate::wording::{counted, sentence};

use super::archive::{ArchiveCard, ArchiveModel};
use super::beside_live::{BesideLive, fetch_beside_live};
use super::callers::CallersCard;
use super::calling::Calling;
use super::decides::{Decides, fetch_figures};
use super::deploy::{RollOut, StartRollout};
use super::lineage::Lineage;

/// One model version.
#[server(name = FetchModelVersion, prefix = "/fn", endpoint = "model_version")]
pub async fn fetch_model_version(slug: String, number: i32) -> Result<ModelVersionView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.model_version(&actor, &slug, number).await?)
}

/// Takes a reviewer's decision on exactly this digest.
#[server(name = DecideModel, prefix = "/fn", endpoint = "decide_model")]
pub async fn decide_model(
    slug: String,
    number: i32,
    decision: String,
    digest: String,
    #[server(default)] comment: String,
    #[server(default)] waiver: String,
) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let typed = [("comment", comment.as_str()), ("waiver", &waiver)];
    let decided = async {
        let request = crate::caller::decision(&decision, &digest, &comment, &waiver)?;
        services.decide_model(&actor, &slug, number, &request).await.map(drop)
    };
    crate::caller::submitted(&typed, decided).await
}

/// `/models/{slug}/v/{number}`.
#[component]
pub fn ModelVersionPage() -> impl IntoView {
    let (slug, number) = (path_text("slug"), path_number("number"));
    let form = PageForm::<StartRollout>::new();
    let archive = PageForm::<ArchiveModel>::new().telling("It is written down, and the page shows it.");
    let asked = move || (slug.get(), number.get(), archive.done());
    let version = Resource::new(asked, |(slug, number, _)| fetch_model_version(slug, number));
    let named = move || (slug.get(), number.get());
    let compared = Resource::new(named, |(slug, number)| fetch_beside_live(slug, number));
    let figures = Resource::new(named, |(slug, number)| fetch_figures(slug, number));
    view! {
        <Load resource=version above=("Models", "/models") let:version>
            {
                let run = version.summary.run.clone();
                view! {
                    <Version version form archive>
                        <BesideLive compared/>
                    </Version>
                    <Decides kept=figures run/>
                }
            }
        </Load>
    }
}

#[component]
fn Version(
    version: ModelVersionView,
    form: PageForm<StartRollout>,
    archive: PageForm<ArchiveModel>,
    /// What stands between its gates and the decision.
    children: Children,
) -> impl IntoView {
    let summary = version.summary.clone();
    let graph = version.lineage.clone();
    view! {
        <Head version=version.clone()/>
        <div class="split">
            <div class="split-main stack stack-loose">
                <Overridden gates=version.gates.clone()/>
                {version.goes_on_by.map(|document| {
                    let href = format!("/problems/{}/v/{document}", version.summary.slug);
                    view! {
                        <div class="callout" data-kind="info" role="status">
                            <p class="callout-title">"It set out without a person"</p>
                            <p>
                                "It was trained by itself, every gate passed, and " <a href=href>{format!("version {document}")}</a>
                                " of the document, which was signed, lets it, as far as it says there."
                            </p>
                        </div>
                    }
                })}
                <Warnings warnings=version.warnings.clone()/>
                <section class="section" aria-labelledby="gates">
                    <div class="section-header"><h2 id="gates">{gates_in_words(&version.gates)}</h2></div>
                    <GateTable gates=version.gates.clone()/>
                </section>
                {children()}
                <ReviewBox
                    review=version.review.clone()
                    action="/fn/decide_model"
                    slug=summary.slug.clone()
                    number=summary.version
                    digest=version.digest.clone()
                />
                <RollOut version=version.clone() form/>
                <Calling slug=summary.slug inputs=version.inputs.clone()/>
            </div>
            <aside class="split-side stack">
                <CallersCard callers=version.callers.clone()/>
                <Lineage version=version.clone()/>
                <ArchiveCard version form=archive/>
            </aside>
        </div>
        <section class="section stack" aria-labelledby="lineage">
            <div class="section-header"><h2 id="lineage">"Where it comes from"</h2></div>
            <LineageFigure lineage=graph/>
        </section>
    }
}

#[component]
fn Head(version: ModelVersionView) -> impl IntoView {
    let summary = version.summary;
    let card = format!("/models/{}/v/{}/card", summary.slug, summary.version);
    let evidence = format!("/api/v1/models/{}/versions/{}/evidence.tar", summary.slug, summary.version);
    let beside = version.live.filter(|live| *live != summary.version).map(|live| {
        let (a, b) = (live.to_string(), summary.version.to_string());
        let href = address(&format!("/models/{}/compare", summary.slug), [("a", a.as_str()), ("b", b.as_str())]);
        view! { <a class="button" href=href>{format!("Compare with v{live}, live")}</a> }
    });
    let archived = summary.archived.then(|| view! { <span class="badge" data-state="archived">"Archived"</span> });
    let crumbs =
        vec![("Models".to_owned(), "/models".to_owned()), (summary.slug.clone(), format!("/models/{}", summary.slug))];
    view! {
        <PageHeader
            title=format!("{} v{}", summary.slug, summary.version)
            crumbs
            state=summary.stage
            id=format!("models:/{}/{}", summary.slug, summary.version)
            meta=move || {
                let run = format!("/runs/{}", summary.run);
                view! {
                    {archived}
                    <span>{metric_title(&summary.metric)} " " <Measured value=summary.value interval=summary.interval/></span>
                    <span>"from " <a href=run>{format!("run {}", summary.run)}</a></span>
                    <span>"by " {summary.author}</span>
                    <span><Moment at=summary.created_at/></span>
                }
            }
            actions=move || {
                view! {
                    {beside}
                    <a class="button" href=card>"Model card"</a>
                    <a class="button" data-icon="download" href=evidence rel="external">"Evidence pack"</a>
                }
            }
        />
    }
}

/// Gates that somebody let be stay red on the version for its life.
#[component]
fn Overridden(gates: Vec<Gate>) -> impl IntoView {
    let names: Vec<String> =
        gates.iter().filter(|gate| gate.overridden.is_some()).map(|gate| gate.name.clone()).collect();
    let given = gates.into_iter().find_map(|gate| gate.overridden)?;
    Some(view! {
        <div class="callout" data-kind="error">
            <p class="callout-title">{format!("Gates overridden by {}", given.by)}</p>
            <p>{sentence(&given.reason)}</p>
            <p class="muted">{names.join(", ")} ". It may set out until " <Moment at=given.until/> "."</p>
        </div>
    })
}

/// Warnings of the data travel along, so that whoever approves has seen them.
#[component]
fn Warnings(warnings: Vec<String>) -> impl IntoView {
    let title = format!("{} from the data", counted(warnings.len() as u64, "warning", "warnings"));
    let shown = !warnings.is_empty();
    let items = warnings.into_iter().map(|warning| view! { <li>{warning}</li> }).collect_view();
    shown.then(|| {
        view! {
            <div class="callout" data-kind="warning">
                <p class="callout-title">{title}</p>
                <ul>{items}</ul>
            </div>
        }
    })
}

#[cfg(all(test, feature = "ssr"))]
mod rendered_tests {
    use super::*;
    use crate::pages::samples::{model_version, rendered};

    fn page(version: ModelVersionView) -> String {
        rendered("/models/taxi-tips/v/4", move || {
            let (form, archive) = (PageForm::<StartRollout>::new(), PageForm::<ArchiveModel>::new());
            view! { <Version version form archive>"What stands between."</Version> }
        })
    }

    #[test]
    fn going_live_names_the_version_and_what_it_does() {
        let html = page(model_version());
        assert!(html.contains("href=\"/models/taxi-tips/compare?a=3&amp;b=4\""), "{html}");
        assert!(html.contains("Version 4 goes past shadow, then canary 5 %, then full, watched."), "{html}");
        assert!(html.contains("action=\"/fn/start_rollout\""), "{html}");
    }

    #[test]
    fn the_first_version_answers_everybody_at_once() {
        let html = page(ModelVersionView { rollout: Vec::new(), ..model_version() });
        assert!(html.contains("from then on version 4 answers every prediction"), "{html}");
    }

    #[test]
    fn who_may_not_put_it_live_reads_why() {
        let refusal = millrace_domain::view::Permission::refused("only an approved version goes live");
        let html = page(ModelVersionView { may_deploy: refusal, ..model_version() });
        assert!(html.contains("Only an approved version goes live."), "{html}");
    }
}
