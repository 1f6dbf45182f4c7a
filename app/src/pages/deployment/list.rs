//! What answers predictions, problem by problem.

use leptos::prelude::*;
use millrace_charts::count;
use millrace_domain::view::DeploymentView;

use crate::components::{Empty, Load, Moment, PageHeader, StateBadge, TableRegion};
use crate::fault::PageFault;
use crate::pages::quantity::answered;

/// All deployments.
#[server(name = ListDeployments, prefix = "/fn", endpoint = "list_deployments")]
pub async fn list_deployments() -> Result<Vec<DeploymentView>, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.list_deployments(&actor).await?)
}

/// `/deployments`.
#[component]
pub fn DeploymentsPage() -> impl IntoView {
    let deployments = Resource::new(|| (), |()| list_deployments());
    view! {
        <PageHeader title="Deployments"/>
        <p class="lede">"Which model version answers predictions, and what it could be rolled back to."</p>
        <Load resource=deployments let:rows>
            {if rows.is_empty() {
                view! { <NothingLive/> }.into_any()
            } else {
                view! { <DeploymentTable rows/> }.into_any()
            }}
        </Load>
    }
}

#[component]
fn DeploymentTable(rows: Vec<DeploymentView>) -> impl IntoView {
    view! {
        <TableRegion label="Deployments">
            <table class="table" data-stack>
                <caption class="visually-hidden">"Deployments"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Problem"</th>
                        <th scope="col">"Live version"</th>
                        <th scope="col">"Stage"</th>
                        <th scope="col" class="num">"Generation"</th>
                        <th scope="col" class="num">"Predictions"</th>
                        <th scope="col" class="num">"With outcome"</th>
                        <th scope="col">"Since"</th>
                    </tr>
                </thead>
                <tbody>{rows.into_iter().map(deployment_row).collect_view()}</tbody>
            </table>
        </TableRegion>
    }
}

fn deployment_row(row: DeploymentView) -> impl IntoView {
    let version = match row.champion {
        Some(version) => {
            let href = format!("/models/{}/v/{version}", row.slug);
            view! { <a href=href>{format!("v{version}")}</a> }.into_any()
        }
        None => view! { <span class="muted">"none"</span> }.into_any(),
    };
    let page = format!("/deployments/{}", row.slug);
    let stage = if row.fallback.is_some() { "switched_off".to_owned() } else { row.stage };
    view! {
        <tr>
            <th scope="row" data-label="Problem">
                <div>
                    <a href=page>{row.slug}</a>
                    <div class="muted">{row.title}</div>
                </div>
            </th>
            <td data-label="Live version">{version}</td>
            <td data-label="Stage"><StateBadge state=stage/></td>
            <td class="num" data-label="Generation">{row.generation}</td>
            <td class="num" data-label="Predictions">{answered(row.predictions)}</td>
            <td class="num" data-label="With outcome">{count(row.outcomes.unsigned_abs())}</td>
            <td data-label="Since">{row.changed_at.map(|at| view! { <Moment at/> })}</td>
        </tr>
    }
}

#[component]
fn NothingLive() -> impl IntoView {
    view! {
        <Empty
            title="Nothing is live yet"
            text="A model version that passed its gates and was approved can be put live from its page; then it answers predictions."
        >
            <a class="button button-primary" data-icon="model" href="/models">"Models"</a>
        </Empty>
    }
}
