//! `/problems/{slug}/backfill`: times of the schedule that have passed, what each would train on, and training for them.

use leptos::prelude::*;
use millrace_charts::count;
use millrace_domain::view::{BackfillTime, BackfillView};

use crate::components::{Empty, FaultNotice, GatedButton, Load, Moment, PageHeader, ReasonField, TableRegion};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::pages::address::{path_text, query_text};
use crate::wording::counted;

/// What a backfill would do; of the last thirty days where nothing is asked for.
#[server(name = PlanBackfill, prefix = "/fn", endpoint = "plan_backfill")]
pub async fn plan_backfill(slug: String, from: String, to: String) -> Result<BackfillView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    if from.is_empty() && to.is_empty() {
        return Ok(services.plan_usual_backfill(&actor, &slug).await?);
    }
    let (from, to) = millrace_services::stretch(&from, &to)?;
    Ok(services.plan_backfill(&actor, &slug, from, to).await?)
}

/// Trains for these times.
#[server(name = Backfill, prefix = "/fn", endpoint = "backfill")]
pub async fn backfill(slug: String, from: String, to: String, plan: String, reason: String) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let typed = [("reason", reason.as_str())];
    crate::caller::submitted(&typed, async {
        let stretch = millrace_services::stretch(&from, &to)?;
        services.backfill(&actor, &slug, stretch, &plan, &reason).await
    })
    .await?;
    leptos_axum::redirect(&address(&slug, &from, &to));
    Ok(())
}

/// The page with a stretch of time.
#[cfg(feature = "ssr")]
fn address(slug: &str, from: &str, to: &str) -> String {
    let pairs = [("from", from), ("to", to)];
    crate::pages::address::address(&format!("/problems/{slug}/backfill"), pairs)
}

/// The page; its address carries the stretch of time.
#[component]
pub fn BackfillPage() -> impl IntoView {
    let slug = path_text("slug");
    let (from, to) = (query_text("from"), query_text("to"));
    let form = PageForm::<Backfill>::new();
    let plan = Resource::new(
        move || (slug.get(), from.get(), to.get(), form.done()),
        |(slug, from, to, _)| plan_backfill(slug, from, to),
    );
    view! {
        <Load resource=plan above=("Problems", "/problems") let:plan>
            <Plan plan form/>
        </Load>
    }
}

#[component]
fn Plan(plan: BackfillView, form: PageForm<Backfill>) -> impl IntoView {
    let problem = format!("/problems/{}", plan.slug);
    let retraining = format!("{problem}/retraining");
    let slug = plan.slug.clone();
    let crumbs = vec![
        ("Problems".to_owned(), "/problems".to_owned()),
        (plan.title.clone(), problem),
        ("Retraining".to_owned(), retraining),
    ];
    let text = format!(
        "{} ({}). For each time that has passed, the live version's settings (v{}) are fitted to the data that was the newest then. Nothing of \
         that goes live by itself: the versions pass the same gates and approvals as any other.",
        plan.schedule.trim_end_matches('.'),
        plan.zone,
        plan.of_version
    );
    let table = if plan.times.is_empty() {
        view! { <Empty title="No times" text="The schedule has no time between these two moments; choose others."/> }
            .into_any()
    } else {
        view! { <Times plan=plan.clone()/> }.into_any()
    };
    view! {
        <PageHeader title="Backfill" crumbs meta=move || view! { <span>{slug.clone()}</span> }/>
        <div class="stack stack-loose">
            <p class="muted">{text}</p>
            <Stretch plan=plan.clone()/>
            {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
            {table}
            <Start plan form/>
        </div>
    }
}

/// Chooses the stretch of time.
#[component]
fn Stretch(plan: BackfillView) -> impl IntoView {
    view! {
        <form class="filters filters-even" method="get" action=format!("/problems/{}/backfill", plan.slug) aria-label="Times to look at">
            <div class="field">
                <label class="label" for="from">"From (UTC)"</label>
                <input class="input" id="from" name="from" value=written(plan.from) size="20"/>
            </div>
            <div class="field">
                <label class="label" for="to">"to (UTC)"</label>
                <input class="input" id="to" name="to" value=written(plan.to) size="20"/>
            </div>
            <button class="button" type="submit">"Show"</button>
        </form>
    }
}

/// A moment as it can be typed again; one without seconds of a day is that day.
fn written(at: chrono::DateTime<chrono::Utc>) -> String {
    let text = at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    text.strip_suffix("T00:00:00Z").map_or(text.clone(), str::to_owned)
}

#[component]
fn Times(plan: BackfillView) -> impl IntoView {
    let is_utc = plan.zone == "UTC";
    let rows = plan
        .times
        .iter()
        .map(|time| {
            let data = match (&time.data, time.rows) {
                (Some((name, version)), Some(rows)) => format!("{name} v{version}, {} rows", count(rows)),
                (Some((name, version)), None) => format!("{name} v{version}"),
                (None, _) => "it was not there yet".to_owned(),
            };
            view! {
                <tr>
                    <th scope="row" data-label="Time">{time.wall.clone()}</th>
                    {(!is_utc).then(|| view! { <td data-label="In UTC"><Moment at=time.at/></td> })}
                    <td data-label="Newest data then">{data}</td>
                    <td data-label="Training">{training(time)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <TableRegion label="Times that have passed">
            <table class="table" data-stack>
                <caption class="visually-hidden">"Times that have passed, oldest first"</caption>
                <thead>
                    <tr>
                        <th scope="col">{format!("Time in {}", plan.zone)}</th>
                        {(!is_utc).then(|| view! { <th scope="col">"In UTC"</th> })}
                        <th scope="col">"Newest data then"</th>
                        <th scope="col">"Training"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableRegion>
    }
}

/// What is, or would be, trained for a time.
fn training(time: &BackfillTime) -> AnyView {
    match (&time.run, time.is_due, &time.data) {
        (Some(run), ..) => view! { <a href=format!("/runs/{run}")>{format!("run {run}")}</a> }.into_any(),
        (None, true, _) => view! { <strong>"to be started"</strong> }.into_any(),
        (None, false, Some(_)) => view! { <span class="muted">"the same data as at the time before"</span> }.into_any(),
        (None, false, None) => view! { <span class="muted">"none"</span> }.into_any(),
    }
}

#[component]
fn Start(plan: BackfillView, form: PageForm<Backfill>) -> impl IntoView {
    if plan.due == 0 {
        let text = match plan.times.iter().any(|time| time.data.is_some()) {
            true => {
                "Nothing is to be trained: the live version's settings were fitted to all data that these times have."
            }
            false => "Nothing is to be trained: these times have no data.",
        };
        return view! { <p class="muted">{text}</p> }.into_any();
    }
    let label = format!("Start {}", counted(plan.due, "training", "trainings"));
    let permission = plan.may_act.clone();
    let disabled = !permission.allowed;
    view! {
        <section class="card" aria-labelledby="start">
            <div class="card-header"><h2 id="start">"Train for them"</h2></div>
            <div class="card-body stack">
                <p class="muted">"While these runs are under way nothing is trained by itself."</p>
                <ActionForm action=form.action attr:class="form">
                    <input type="hidden" name="slug" value=plan.slug/>
                    <input type="hidden" name="from" value=written(plan.from)/>
                    <input type="hidden" name="to" value=written(plan.to)/>
                    <input type="hidden" name="plan" value=plan.plan/>
                    <ReasonField
                        hint="Stands in the audit trail."
                        text=form.typed("reason").unwrap_or_default()
                        disabled
                    />
                    <div class="form-actions"><GatedButton permission label kind="primary"/></div>
                </ActionForm>
            </div>
        </section>
    }
    .into_any()
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use crate::pages::samples::{moment, rendered};
    use millrace_domain::view::Permission;

    fn time(at: &str, version: Option<i32>, run: Option<&str>, is_due: bool) -> BackfillTime {
        BackfillTime {
            at: moment(at),
            wall: format!("{} CET", &at[..10]),
            data: version.map(|version| ("trips".to_owned(), version)),
            rows: version.map(|_| 1_200),
            run: run.map(str::to_owned),
            is_due,
        }
    }

    fn plan(times: Vec<BackfillTime>) -> BackfillView {
        BackfillView {
            slug: "taxi-tips".to_owned(),
            title: "Will the passenger tip?".to_owned(),
            zone: "Europe/Berlin".to_owned(),
            schedule: "At 03:00 on Monday".to_owned(),
            from: moment("2026-10-01T00:00:00Z"),
            to: moment("2026-11-01T12:00:00Z"),
            of_version: 3,
            due: times.iter().filter(|time| time.is_due).count() as u64,
            plan: "sha256:0".to_owned(),
            times,
            may_act: Permission::granted(),
        }
    }

    fn page(times: Vec<BackfillTime>) -> String {
        rendered("/problems/taxi-tips/backfill", || view! { <Plan plan=plan(times) form=PageForm::new()/> })
    }

    #[test]
    fn each_time_says_what_it_would_train_on_and_only_new_data_is_trained_on() {
        let html = page(vec![
            time("2026-10-05T01:00:00Z", None, None, false),
            time("2026-10-12T01:00:00Z", Some(1), Some("7"), false),
            time("2026-10-19T01:00:00Z", Some(2), None, true),
            time("2026-10-26T02:00:00Z", Some(2), None, false),
        ]);
        let parts = [
            "it was not there yet",
            "/runs/7",
            "trips v2, 1\u{202f}200 rows",
            "to be started",
            "the same data as at the time before",
            "Start 1 training",
            "value=\"2026-10-01\"",
            "2026-11-01T12:00:00Z",
        ];
        for expected in parts {
            assert!(html.contains(expected), "{expected} is not in {html}");
        }
    }

    #[test]
    fn where_nothing_is_due_nothing_can_be_started() {
        for times in [Vec::new(), vec![time("2026-10-12T01:00:00Z", Some(1), Some("7"), false)]] {
            let html = page(times);
            assert!(html.contains("Nothing is to be trained") && !html.contains("Train for them"), "{html}");
        }
    }
}
