use leptos::prelude::*;
use millrace_domain::view::{DeploymentView, HomeView, IncidentLine, RunSummary, WaitingItem};

use crate::components::{Empty, Load, Moment, Number, PageHeader, StandingStill, StateBadge};
use crate::fault::PageFault;
use crate::pages::quantity::{answered, metric_title};
use crate::wording::counted;

/// The first page.
#[component]
pub fn HomePage() -> impl IntoView {
    let home = Resource::new(|| (), |()| home());
    view! {
        <PageHeader title="Home"/>
        <Load resource=home let:home>
            <div class="stack stack-loose">
                <StandingStill parts=home.standing_still.clone()/>
                {(home.stuck_mail > 0).then(|| view! { <StuckMail count=home.stuck_mail may_read=home.may_read_mail/> })}
                {if home.is_empty { view! { <FirstSteps/> }.into_any() } else { view! { <Overview home/> }.into_any() }}
            </div>
        </Load>
    }
}

#[component]
fn Overview(home: HomeView) -> impl IntoView {
    view! {
        <div class="stack stack-loose">
            {(!home.alerts.is_empty()).then(|| view! { <Firing alerts=home.alerts/> })}
            <Waiting items=home.waiting/>
            <Runs title="Under way" nothing="No run is under way." runs=home.running/>
            <Live deployments=home.live/>
            <Runs title="Recently ended" nothing="No run has ended yet." runs=home.recent/>
        </div>
    }
}

/// Letters that do not go out: nobody would notice otherwise.
#[component]
fn StuckMail(count: i64, may_read: bool) -> impl IntoView {
    let messages = counted(count.unsigned_abs(), "message of the last week", "messages of the last week");
    view! {
        <div class="callout" data-kind="error" role="status">
            <p class="callout-title">{format!("{messages} could not be sent")}</p>
            <p>"Review requests and alerts may not reach anybody."</p>
            {match may_read {
                true => view! { <div class="cluster"><a class="button" data-icon="mail" href="/mail">"Look at the mail"</a></div> }.into_any(),
                false => view! { <p>"Admins can see why."</p> }.into_any(),
            }}
        </div>
    }
}

#[component]
fn Section(title: &'static str, count: usize, nothing: &'static str, children: Children) -> impl IntoView {
    view! {
        <section class="card">
            <div class="card-header">
                <h2>{title} " " <span class="count">{count}</span></h2>
            </div>
            {if count == 0 {
                view! { <div class="card-body"><p class="muted">{nothing}</p></div> }.into_any()
            } else {
                view! { <ul class="card-list">{children()}</ul> }.into_any()
            }}
        </section>
    }
}

/// What fires stands before all else.
#[component]
fn Firing(alerts: Vec<IncidentLine>) -> impl IntoView {
    let count = alerts.len();
    let rows = alerts
        .into_iter()
        .map(|alert| {
            let by = alert.acknowledged_by.map(|name| format!(", {name} looks after it"));
            view! {
                <li>
                    <a class="card-row" href=format!("/alerts/{}", alert.id)>
                        <span class="card-row-title">{alert.title}</span>
                        <span class="card-row-meta">"since " <Moment at=alert.fired_at.unwrap_or(alert.opened_at)/> {by}</span>
                        <StateBadge state=alert.state/>
                    </a>
                </li>
            }
        })
        .collect_view();
    view! { <Section title="Alerts" count nothing="">{rows}</Section> }
}

#[component]
fn Waiting(items: Vec<WaitingItem>) -> impl IntoView {
    let count = items.len();
    let rows = items
        .into_iter()
        .map(|item| {
            view! {
                <li>
                    <a class="card-row" href=item.href>
                        <span class="card-row-title">{item.title}</span>
                        <span class="card-row-meta">"asked by " {item.by} ", " <Moment at=item.since/></span>
                        <span class="badge" data-state="waiting">"Needs your decision"</span>
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <Section title="Waiting for me" count nothing="Nothing waits for your decision.">
            {rows}
        </Section>
    }
}

#[component]
fn Runs(title: &'static str, nothing: &'static str, runs: Vec<RunSummary>) -> impl IntoView {
    let count = runs.len();
    let rows = runs
        .into_iter()
        .map(|run| {
            view! {
                <li>
                    <a class="card-row" href=format!("/runs/{}", run.id)>
                        <span class="card-row-title">{format!("Run {} of {}", run.id, run.problem)}</span>
                        <span class="card-row-meta">
                            {run.trainer.replace('_', " ")}
                            ", launched by "
                            {run.author}
                            ", "
                            <Moment at=run.created_at/>
                            {run
                                .value
                                .map(|value| {
                                    view! { ", " {metric_title(&run.metric)} " " <Number value=Some(value)/> }
                                })}
                        </span>
                        <StateBadge state=run.state/>
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <Section title count nothing>
            {rows}
        </Section>
    }
}

#[component]
fn Live(deployments: Vec<DeploymentView>) -> impl IntoView {
    let count = deployments.len();
    let rows = deployments
        .into_iter()
        .map(|deployment| {
            let answered = match deployment.predictions {
                1 => "1 prediction".to_owned(),
                predictions => format!("{} predictions", answered(predictions)),
            };
            let known = counted(deployment.outcomes.unsigned_abs(), "known outcome", "known outcomes");
            view! {
                <li>
                    <a class="card-row" href=format!("/deployments/{}", deployment.slug)>
                        <span class="card-row-title">{deployment.title}</span>
                        <span class="card-row-meta">
                            {deployment.champion.map(|version| format!("model version {version}, "))}
                            {answered} ", " {known}
                            {deployment.changed_at.map(|at| view! { ", since " <Moment at/> })}
                        </span>
                        <StateBadge state=deployment.stage/>
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <Section title="Live" count nothing="No model answers predictions yet. An approved model version can be put live on its page.">
            {rows}
        </Section>
    }
}

#[component]
fn FirstSteps() -> impl IntoView {
    view! {
        <Empty
            title="Start with a problem"
            text="A problem document says what is predicted, from which data, and how good a model must be. Once somebody else has signed it, data can be uploaded, models trained and the best one put live."
        >
            <a class="button button-primary" data-icon="plus" href="/problems/new">"New problem"</a>
            <span class="snippet">
                <code>"millrace apply -f problem.toml"</code>
            </span>
        </Empty>
    }
}

/// What waits for the reader, what runs, and what is live.
#[server(prefix = "/fn", endpoint = "home")]
pub async fn home() -> Result<HomeView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.home(&actor).await?)
}
