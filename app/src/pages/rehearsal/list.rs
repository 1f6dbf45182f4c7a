//! `/problems/{slug}/rehearsals`: asking for one, and those before.

use leptos::prelude::*;
use millrace_charts::{count, number};
use millrace_domain::metric::Metric;
use millrace_domain::view::{CourseSummary, RehearsalLine, RehearsalRequest, RehearsalsView};

use crate::components::{Empty, FaultNotice, Load, Moment, NotAllowed, PageHeader, StateBadge, TableRegion};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::pages::address::{path_text, query_text};

use super::form::{AskForRehearsal, RehearsalForm};

/// The rehearsals of a problem, and what the form begins with: what an earlier one was asked.
#[server(name = FetchRehearsals, prefix = "/fn", endpoint = "rehearsals")]
pub async fn fetch_rehearsals(
    slug: String,
    like: Option<String>,
) -> Result<(RehearsalsView, RehearsalRequest), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let view = services.rehearsals(&actor, &slug).await?;
    let begin = match like {
        None => RehearsalRequest::default(),
        Some(id) => {
            let id = crate::pages::address::id(&id, "rehearsal")?;
            services.rehearsal_like(&actor, &slug, id).await?
        }
    };
    Ok((view, begin))
}

/// The page; `?like=` names the rehearsal that the form begins with.
#[component]
pub fn RehearsalsPage() -> impl IntoView {
    let slug = path_text("slug");
    let like = query_text("like");
    let form = PageForm::<AskForRehearsal>::new();
    let found = Resource::new(
        move || (slug.get(), like.get()),
        |(slug, like)| fetch_rehearsals(slug, Some(like).filter(|like| !like.is_empty())),
    );
    view! {
        <Load resource=found above=("Problems", "/problems") let:found>
            <Rehearsals view=found.0 begin=found.1 form/>
        </Load>
    }
}

#[component]
pub fn Rehearsals(view: RehearsalsView, begin: RehearsalRequest, form: PageForm<AskForRehearsal>) -> impl IntoView {
    let problem = format!("/problems/{}", view.slug);
    let retraining = format!("{problem}/retraining");
    let crumbs = vec![("Problems".to_owned(), "/problems".to_owned()), (view.title.clone(), problem.clone())];
    let lines = view.rehearsals.clone();
    let ask = match &view.lacks {
        Some(lacks) => {
            view! {
                <Empty title="Nothing can be rehearsed yet" text=lacks.clone()>
                    <a class="button" data-icon="problem" href=problem.clone()>"The document"</a>
                    <a class="button" data-icon="upload" href=format!("/datasets/new?problem={}", view.slug)>"Upload data"</a>
                </Empty>
            }
                .into_any()
        }
        None if !view.may_rehearse.allowed => {
            view! { <NotAllowed title="You may not ask for rehearsals" permission=view.may_rehearse.clone()/> }.into_any()
        }
        None => view! {
            <section class="card" aria-labelledby="ask">
                <div class="card-header"><h2 id="ask">"Rehearse a policy"</h2></div>
                <div class="card-body"><RehearsalForm view begin form/></div>
            </section>
        }
        .into_any(),
    };
    view! {
        <PageHeader
            title="Rehearsals"
            crumbs
            actions=move || view! { <a class="button" data-icon="schedule" href=retraining.clone()>"Retraining"</a> }
        />
        <p class="lede">
            "What a policy would have done over data of the past, window by window on the data's own clock: what would have drifted, whom it \
             would have told, what it would have trained, and how good answers would have been."
        </p>
        <div class="stack stack-loose">
            {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
            {ask}
            <Before lines/>
        </div>
    }
}

#[component]
fn Before(lines: Vec<RehearsalLine>) -> impl IntoView {
    if lines.is_empty() {
        return view! { <p class="muted">"Nothing has been rehearsed yet."</p> }.into_any();
    }
    let rows = lines
        .into_iter()
        .map(|line| {
            let title = line.metric.parse::<Metric>().map_or("", Metric::title);
            let came = |policy: &str| {
                let course = line.courses.iter().find(|course| course.policy == policy);
                course.map_or_else(|| "–".to_owned(), |course| reached(course, title))
            };
            let policy = if line.is_other_policy { "another one" } else { "as written" };
            view! {
                <tr>
                    <th scope="row" data-label="Rehearsal">
                        <a href=format!("/rehearsals/{}", line.id)>{format!("Rehearsal {}", line.id)}</a>
                    </th>
                    <td data-label="Asked"><Moment at=line.requested_at/> " by " {line.author.clone()}</td>
                    <td data-label="Document">{format!("version {}", line.version)}</td>
                    <td data-label="Policy">{policy}</td>
                    <td data-label="The past">
                        <a href=format!("/datasets/{}/v/{}", line.dataset, line.dataset_version)>
                            {format!("{} v{}", line.data, line.dataset_version)}
                        </a>
                    </td>
                    <td data-label="State"><StateBadge state=line.state.clone()/></td>
                    <td data-label="Never again">{came("never")}</td>
                    <td data-label="Schedule">{came("schedule")}</td>
                    <td data-label="Policy reached">{came("policy")}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="section stack" aria-labelledby="before">
            <div class="section-header"><h2 id="before">"Rehearsed before"</h2></div>
            <TableRegion label="Rehearsals">
                <table class="table" data-stack>
                    <caption class="visually-hidden">"Rehearsals, newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Rehearsal"</th>
                            <th scope="col">"Asked"</th>
                            <th scope="col">"Document"</th>
                            <th scope="col">"Policy"</th>
                            <th scope="col">"The past"</th>
                            <th scope="col">"State"</th>
                            <th scope="col">"Never again"</th>
                            <th scope="col">"Schedule"</th>
                            <th scope="col">"Policy reached"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
        </section>
    }
    .into_any()
}

/// The metric's mean of a course and what it took.
fn reached(course: &CourseSummary, title: &str) -> String {
    let mean = course.mean.map_or_else(|| "–".to_owned(), number);
    match course.trainings {
        0 => format!("{title} {mean}"),
        trainings => format!("{title} {mean}, {}", trained(trainings)),
    }
}

/// `trained once`, `trained 5 times`.
pub(super) fn trained(trainings: u64) -> String {
    match trainings {
        0 => "not trained again".to_owned(),
        1 => "trained once".to_owned(),
        trainings => format!("trained {} times", count(trainings)),
    }
}
