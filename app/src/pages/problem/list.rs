use leptos::prelude::*;
use millrace_domain::view::ProblemSummary;

use crate::components::{Empty, GatedLink, Load, Moment, PageHeader, StateBadge, TableRegion};
use crate::fault::PageFault;
use crate::visit::visit;

/// All problems, the newest version of each.
#[component]
pub fn ProblemsPage() -> impl IntoView {
    let problems = Resource::new(|| (), |()| list_problems());
    let new = || {
        let permission = visit().acts.write;
        view! { <GatedLink permission href="/problems/new" label="New problem" kind="primary" icon="plus"/> }
    };
    view! {
        <PageHeader title="Problems" actions=new/>
        <Load resource=problems let:problems>
            {if problems.is_empty() {
                view! { <NoProblems/> }.into_any()
            } else {
                view! { <ProblemTable problems/> }.into_any()
            }}
        </Load>
    }
}

#[component]
fn NoProblems() -> impl IntoView {
    view! {
        <Empty
            title="No problems yet"
            text="A problem says what is predicted, how good a model must be and who signs it. Everything else, data, runs, models, belongs to one."
        >
            <GatedLink
                permission=visit().acts.write
                href="/problems/new"
                label="Write the first problem"
                kind="primary"
                icon="plus"
            />
            <span class="snippet">
                <code>"millrace apply -f problem.toml"</code>
            </span>
        </Empty>
    }
}

#[component]
fn ProblemTable(problems: Vec<ProblemSummary>) -> impl IntoView {
    view! {
        <TableRegion label="Problems">
            <table class="table" data-stack>
                <caption class="visually-hidden">"Problems, the newest version of each"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Problem"</th>
                        <th scope="col">"Newest version"</th>
                        <th scope="col">"Signed off"</th>
                        <th scope="col">"Live model"</th>
                        <th scope="col">"Predicts"</th>
                        <th scope="col">"Author"</th>
                        <th scope="col">"Written"</th>
                    </tr>
                </thead>
                <tbody>
                    {problems.into_iter().map(|problem| view! { <ProblemRow problem/> }).collect_view()}
                </tbody>
            </table>
        </TableRegion>
    }
}

#[component]
fn ProblemRow(problem: ProblemSummary) -> impl IntoView {
    let ProblemSummary { slug, title, version, state, kind, approved_version, live_model, author, created_at } =
        problem;
    let signed = approved_version
        .map(|number| view! { <a href=format!("/problems/{slug}/v/{number}")>{format!("v{number}")}</a> });
    let live =
        live_model.map(|number| view! { <a href=format!("/models/{slug}/v/{number}")>{format!("v{number}")}</a> });
    view! {
        <tr>
            <th scope="row" data-label="Problem">
                <a href=format!("/problems/{slug}")>{title}</a>
                <br/>
                <code class="muted">{slug.clone()}</code>
            </th>
            <td data-label="Newest version">
                <span class="cluster">
                    <a href=format!("/problems/{slug}/v/{version}")>{format!("v{version}")}</a>
                    <StateBadge state/>
                </span>
            </td>
            <td data-label="Signed off">{signed.map_or_else(nothing, IntoAny::into_any)}</td>
            <td data-label="Live model">{live.map_or_else(nothing, IntoAny::into_any)}</td>
            <td data-label="Predicts">
                <span class="tag">{kind}</span>
            </td>
            <td data-label="Author">{author}</td>
            <td data-label="Written">
                <Moment at=created_at/>
            </td>
        </tr>
    }
}

fn nothing() -> AnyView {
    view! { <span class="muted">"none"</span> }.into_any()
}

/// All problems.
#[server(prefix = "/fn", endpoint = "list_problems")]
pub async fn list_problems() -> Result<Vec<ProblemSummary>, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.list_problems(&actor).await?)
}
