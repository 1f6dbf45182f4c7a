//! `/alerts`: those that are open first.

use leptos::prelude::*;
use millrace_domain::view::{IncidentLine, IncidentsView};

use crate::components::{Empty, Load, Moment, PageHeader, StandingStill, StateBadge, TableRegion};
use crate::fault::PageFault;
use crate::pages::address::{address, query_text};

/// Alerts, of one problem if it is named.
#[server(name = ListAlerts, prefix = "/fn", endpoint = "list_alerts")]
pub async fn list_alerts(problem: String, open: bool, after: String) -> Result<IncidentsView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let problem = (!problem.is_empty()).then_some(problem);
    Ok(services.list_alerts(&actor, problem.as_deref(), open, Some(&after), None).await?)
}

/// The page; `?problem=`, `?open=true` and `?after=` carry what it shows.
#[component]
pub fn AlertsPage() -> impl IntoView {
    let (problem, open, after) = (query_text("problem"), query_text("open"), query_text("after"));
    let alerts = Resource::new(
        move || (problem.get(), open.get() == "true", after.get()),
        |(problem, open, after)| list_alerts(problem, open, after),
    );
    let slice = move |path: &str, after: &str| {
        let (problem, open) = (problem.get(), open.get());
        address(path, [("problem", problem.as_str()), ("open", open.as_str()), ("after", after)])
    };
    view! {
        <PageHeader
            title="Alerts"
            actions=move || {
                let href = move || slice("/api/v1/alerts/export.csv", "");
                view! { <a class="button" data-icon="download" href=href rel="external">"CSV"</a> }
            }
        />
        <p class="lede">"What is not as the documents say it must be in production, and who looks after it."</p>
        <form class="cluster" method="get" action="/alerts" role="search">
            <label class="label" for="problem">"Problem"</label>
            <input class="input" id="problem" name="problem" value=move || problem.get()/>
            <label class="check">
                <input type="checkbox" name="open" value="true" checked=move || open.get() == "true"/>
                " only open ones"
            </label>
            <button class="button" type="submit">"Filter"</button>
            <a class="button button-quiet" href="/alerts">"Clear filters"</a>
        </form>
        <Load resource=alerts let:alerts>
            <StandingStill parts=alerts.standing_still.clone()/>
            <Alerts
                alerts=alerts.clone()
                is_filtered=!problem.get_untracked().is_empty() || open.get_untracked() == "true"
            />
            <nav class="pagination" aria-label="Pages">
                {(!after.get_untracked().is_empty())
                    .then(|| view! { <a class="button" href=slice("/alerts", "")>"First page"</a> })}
                {alerts.next.map(|next| view! { <a class="button" rel="next" href=slice("/alerts", &next)>"Older"</a> })}
            </nav>
        </Load>
    }
}

#[component]
pub fn Alerts(alerts: IncidentsView, is_filtered: bool) -> impl IntoView {
    if alerts.items.is_empty() {
        return match is_filtered {
            true => view! {
                <Empty title="No alert fits" text="Other problems, or alerts that are over, may have some.">
                    <a class="button" href="/alerts">"Clear filters"</a>
                </Empty>
            }
            .into_any(),
            false => view! {
                <Empty
                    title="Nothing has fired"
                    text="An alert is opened when features, answers, outcomes, data or the business metric of a live model are not as its document says. Whoever is on call gets a letter."
                >
                    <a class="button" data-icon="deployment" href="/deployments">"Deployments"</a>
                </Empty>
            }
            .into_any(),
        };
    }
    let rows = alerts.items.into_iter().map(|line| view! { <Row line/> }).collect_view();
    view! {
        <TableRegion label="Alerts" files=false>
            <table class="table" data-stack>
                <caption class="visually-hidden">"Alerts, open ones first"</caption>
                <thead>
                    <tr>
                        <th scope="col">"State"</th>
                        <th scope="col">"What"</th>
                        <th scope="col">"Problem"</th>
                        <th scope="col">"Since"</th>
                        <th scope="col">"Over since"</th>
                        <th scope="col">"Looked after by"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableRegion>
    }
    .into_any()
}

#[component]
fn Row(line: IncidentLine) -> impl IntoView {
    let monitor = format!("/deployments/{}/monitor", line.slug);
    view! {
        <tr>
            <td data-label="State"><StateBadge state=line.state/></td>
            <th scope="row" data-label="What"><a href=format!("/alerts/{}", line.id)>{line.title}</a></th>
            <td data-label="Problem"><a href=monitor>{line.slug}</a></td>
            <td data-label="Since"><Moment at=line.fired_at.unwrap_or(line.opened_at)/></td>
            <td data-label="Over since">{line.resolved_at.map(|at| view! { <Moment at/> })}</td>
            <td data-label="Looked after by">{line.acknowledged_by.unwrap_or_else(|| "nobody".to_owned())}</td>
        </tr>
    }
}
