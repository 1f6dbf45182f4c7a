use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use millrace_domain::fault::Fault;
use millrace_domain::view::ProblemVersionView;

use super::parts::{Part, Parts};
use crate::components::{FaultNotice, GatedButton, GatedLink, Load, PageHeader};
use crate::fault::PageFault;
use crate::form::PageForm;

/// One version of a problem, or the newest where the address names none.
#[component]
pub fn ProblemVersionPage() -> impl IntoView {
    let submit = PageForm::<SubmitProblem>::new();
    let params = use_params_map();
    let asked =
        move || (params.with(|params| (params.get("slug").unwrap_or_default(), params.get("number"))), submit.done());
    let version = Resource::new(asked, |((slug, number), _)| async move {
        let number = number.map(|text| text.parse()).transpose().map_err(|_| Fault::not_found("problem version"))?;
        problem_version(slug, number).await
    });
    view! {
        {move || submit.fault().map(|fault| view! { <FaultNotice fault/> })}
        <Load resource=version above=("Problems", "/problems") let:version>
            <Version version submit/>
        </Load>
    }
}

#[component]
fn Version(version: ProblemVersionView, submit: PageForm<SubmitProblem>) -> impl IntoView {
    let crumbs = vec![
        ("Problems".to_owned(), "/problems".to_owned()),
        (version.slug.clone(), format!("/problems/{}", version.slug)),
    ];
    let meta = {
        let (number, author) = (version.version, version.author.clone());
        move || view! { <span>{format!("v{number}")}</span> <span>"by " {author}</span> }
    };
    let actions = {
        let version = version.clone();
        move || view! { <Acts version submit/> }
    };
    let tab = use_query_map();
    let (title, state) = (version.title.clone(), version.state.clone());
    let version = StoredValue::new(version);
    view! {
        <PageHeader title crumbs state meta actions/>
        {move || {
            let open = Part::named(&tab.with(|query| query.get("tab")).unwrap_or_default());
            version.with_value(|version| view! { <Parts version=version.clone() open/> })
        }}
    }
}

#[component]
fn Acts(version: ProblemVersionView, submit: PageForm<SubmitProblem>) -> impl IntoView {
    let ProblemVersionView { slug, version: number, state, may_submit, may_write, may_launch, .. } = version;
    let run = format!("/runs/new?problem={slug}");
    let cases = format!("/problems/{slug}/cases");
    let rehearsals = format!("/problems/{slug}/rehearsals");
    let revise = format!("/problems/new?from={slug}&version={number}");
    let submit = (state == "draft").then(|| {
        view! {
            <ActionForm action=submit.action>
                <input type="hidden" name="slug" value=slug/>
                <input type="hidden" name="number" value=number/>
                <GatedButton permission=may_submit label="Submit for review" kind="primary"/>
            </ActionForm>
        }
    });
    view! {
        {submit}
        <GatedLink permission=may_launch href=run label="Launch run" icon="play"/>
        <a class="button" href=cases>"Regression cases"</a>
        <a class="button" href=rehearsals>"Rehearsals"</a>
        <GatedLink permission=may_write href=revise label="New version"/>
    }
}

/// One version of a problem; the newest when no number is given.
#[server(prefix = "/fn", endpoint = "problem_version")]
pub async fn problem_version(slug: String, number: Option<i32>) -> Result<ProblemVersionView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.problem_version(&actor, &slug, number).await?)
}

/// Asks others to review a draft.
#[server(prefix = "/fn", endpoint = "submit_problem")]
pub async fn submit_problem(slug: String, number: i32) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    crate::caller::submitted(&[], services.submit_problem(&actor, &slug, number)).await
}

/// Takes a reviewer's decision on the digest that they saw.
#[server(prefix = "/fn", endpoint = "decide_problem")]
pub async fn decide_problem(
    slug: String,
    number: i32,
    digest: String,
    decision: String,
    #[server(default)] comment: String,
    #[server(default)] waiver: String,
) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    crate::caller::submitted(&[("comment", &comment), ("waiver", &waiver)], async {
        let request = crate::caller::decision(&decision, &digest, &comment, &waiver)?;
        services.decide_problem(&actor, &slug, number, &request).await.map(|_| ())
    })
    .await
}
