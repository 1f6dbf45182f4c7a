use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use millrace_domain::fault::Fault;
use millrace_domain::view::{ProblemVersionView, VersionRef};

use super::changes::Changes;
use super::document_text::document_text;
use super::facts::Facts;
use crate::components::{FaultNotice, GatedButton, GatedLink, Load, PageHeader, ReviewBox, StateBadge, Tab, Tabs};
use crate::fault::PageFault;
use crate::form::PageForm;

/// One version of a problem, or the newest where the address names none.
#[component]
pub fn ProblemVersionPage() -> impl IntoView {
    let submit = PageForm::<SubmitProblem>::new();
    let params = use_params_map();
    let asked = move || (params.with(|params| (params.get("slug").unwrap_or_default(), params.get("number"))), submit.action.version().get());
    let version = Resource::new(asked, |((slug, number), _)| async move {
        let number = number.map(|text| text.parse()).transpose().map_err(|_| Fault::not_found("problem version"))?;
        problem_version(slug, number).await
    });
    view! {
        {move || submit.fault().map(|fault| view! { <FaultNotice fault/> })}
        <Load resource=version let:version>
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
    let version = StoredValue::new(version);
    view! {
        <PageHeader title=version.with_value(|version| version.title.clone()) crumbs state=version.with_value(|version| version.state.clone()) meta actions/>
        {move || {
            let open = Part::named(&tab.with(|query| query.get("tab")).unwrap_or_default());
            version.with_value(|version| view! { <Parts version=version.clone() open/> })
        }}
    }
}

/// Part of the page that is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Summary,
    Document,
    Changes,
    Versions,
    Review,
}

impl Part {
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Summary, "Summary", ""),
        (Self::Document, "Document", "document"),
        (Self::Changes, "Changes", "changes"),
        (Self::Versions, "Versions", "versions"),
        (Self::Review, "Review", "review"),
    ];

    fn named(word: &str) -> Self {
        Self::ALL.into_iter().find(|(_, _, known)| *known == word).map_or(Self::Summary, |(part, ..)| part)
    }
}

#[component]
fn Parts(version: ProblemVersionView, open: Part) -> impl IntoView {
    let path = format!("/problems/{}/v/{}", version.slug, version.version);
    let tabs = Part::ALL.map(|(part, name, word)| Tab {
        name,
        href: if word.is_empty() { path.clone() } else { format!("{path}?tab={word}") },
        count: match part {
            Part::Changes => Some(version.changes.len()),
            Part::Versions => Some(version.versions.len()),
            Part::Review => Some(version.review.decisions.len()),
            Part::Summary | Part::Document => None,
        },
        current: part == open,
    });
    let content = match open {
        Part::Summary => view! { <Summary version/> }.into_any(),
        Part::Document => {
            view! { <pre class="code" tabindex="0"><code>{document_text(&version.document)}</code></pre> }.into_any()
        }
        Part::Changes => view! { <Changes changes=version.changes number=version.version/> }.into_any(),
        Part::Versions => view! { <Versions slug=version.slug versions=version.versions/> }.into_any(),
        Part::Review => view! { <Review version/> }.into_any(),
    };
    view! {
        <Tabs label="Problem version" tabs=tabs.into()/>
        {content}
    }
}

#[component]
fn Summary(version: ProblemVersionView) -> impl IntoView {
    let lines = version.summary.clone();
    view! {
        <div class="split">
            <section class="card split-main">
                <div class="card-header">
                    <h2>"In plain words"</h2>
                </div>
                <div class="card-body prose">
                    {lines.into_iter().map(|line| view! { <p>{line}</p> }).collect_view()}
                </div>
            </section>
            <aside class="split-side stack">
                <Facts version/>
            </aside>
        </div>
    }
}

/// The review beside what is signed, so that nobody decides on what they have not seen.
#[component]
fn Review(version: ProblemVersionView) -> impl IntoView {
    let ProblemVersionView { slug, version: number, digest, review, summary, .. } = version;
    view! {
        <div class="split">
            <div class="split-main">
                <ReviewBox review action="/fn/decide_problem" slug number digest/>
            </div>
            <aside class="split-side card">
                <div class="card-header">
                    <h2>"What you sign"</h2>
                </div>
                <div class="card-body prose">
                    {summary.into_iter().map(|line| view! { <p>{line}</p> }).collect_view()}
                </div>
            </aside>
        </div>
    }
}

#[component]
fn Versions(slug: String, versions: Vec<VersionRef>) -> impl IntoView {
    let rows = versions
        .into_iter()
        .map(|VersionRef { number, state }| {
            view! {
                <li>
                    <a class="card-row" href=format!("/problems/{slug}/v/{number}")>
                        <span class="card-row-title">{format!("Version {number}")}</span>
                        <StateBadge state/>
                    </a>
                </li>
            }
        })
        .collect_view();
    view! { <section class="card" aria-label="Versions"><ul class="card-list">{rows}</ul></section> }
}

#[component]
fn Acts(version: ProblemVersionView, submit: PageForm<SubmitProblem>) -> impl IntoView {
    let ProblemVersionView { slug, version: number, state, may_submit, may_write, may_launch, .. } = version;
    let run = format!("/runs/new?problem={slug}");
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
    comment: String,
) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    crate::caller::submitted(&[("comment", &comment)], async {
        let decision = crate::caller::decision(&decision)?;
        services.decide_problem(&actor, &slug, number, decision, &digest, &comment).await
    })
    .await
}
