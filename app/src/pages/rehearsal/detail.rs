//! `/rehearsals/{id}`: how far it is, and what would have happened.

use leptos::prelude::*;
use millrace_charts::{Annotation, Figure, Line, LineChart, Threshold, XAxis, count, duration, line_chart, number};
use millrace_domain::metric::Metric;
use millrace_domain::problem::DriftMetric;
use millrace_domain::view::{CourseTold, DrillTold, EventTold, RehearsalView, Rehearsed, WindowTold, breakage};

use crate::components::{
    ChartFigure, FaultNotice, GatedButton, KeyValue, KeyValues, Live, LiveLine, Load, Moment, PageHeader, StateBadge,
    StepTimeline, TableRegion, follow,
};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::pages::address::path_text;
use crate::wording::counted;

use super::list::trained;
use super::{course_title, is_under_way};

/// Windows of a course that a chart draws; of more, neighbours are put together.
#[cfg(feature = "ssr")]
const DRAWN: usize = 300;
/// Events of a course that are listed.
#[cfg(feature = "ssr")]
const LISTED: usize = 200;
/// Models of a course that a chart marks; of more none, which would be a wall.
const MARKED: usize = 12;

/// A rehearsal, and how many events of each course are not among those that come with it: times that it waited, and late ones of many.
#[server(name = FetchRehearsal, prefix = "/fn", endpoint = "rehearsal")]
pub async fn fetch_rehearsal(id: String) -> Result<(RehearsalView, Vec<usize>), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let mut found = services.rehearsal(&actor, crate::pages::address::id(&id, "rehearsal")?).await?;
    found.rehearsed = found.rehearsed.map(|rehearsed| rehearsed.thinned(DRAWN));
    let courses = found.rehearsed.iter_mut().flat_map(|rehearsed| &mut rehearsed.courses);
    let left = courses.map(|course| {
        let happened = course.events.len();
        course.events.retain(|event| event.what != "waits");
        let mut place = 0;
        // The chart marks every model.
        course.events.retain(|event| {
            place += 1;
            place <= LISTED || ["live", "stays", "rolled_back"].contains(&event.what.as_str())
        });
        happened - course.events.len()
    });
    let left = left.collect();
    Ok((found, left))
}

/// Asks a rehearsal to stop.
#[server(name = CancelRehearsal, prefix = "/fn", endpoint = "cancel_rehearsal")]
pub async fn cancel_rehearsal(id: String) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let rehearsal = crate::pages::address::id(&id, "rehearsal")?;
    crate::caller::submitted(&[], services.cancel_rehearsal(&actor, rehearsal)).await?;
    leptos_axum::redirect(&format!("/rehearsals/{id}"));
    Ok(())
}

/// The page.
#[component]
pub fn RehearsalPage() -> impl IntoView {
    let id = path_text("id");
    let cancel = PageForm::<CancelRehearsal>::new().telling("The rehearsal is asked to stop.");
    let found = Resource::new(move || (id.get(), cancel.done()), |(id, _)| fetch_rehearsal(id));
    let live = follow(
        move || format!("rehearsal:{}", id.get()),
        move || matches!(found.get(), Some(Ok((found, _))) if is_under_way(&found.line.state)),
        move || found.refetch(),
    );
    view! {
        <Load resource=found above=("Problems", "/problems") let:found>
            <RehearsalShown view=found.0 left=found.1 cancel live/>
        </Load>
    }
}

#[component]
pub fn RehearsalShown(
    view: RehearsalView,
    left: Vec<usize>,
    cancel: PageForm<CancelRehearsal>,
    live: Live,
) -> impl IntoView {
    let line = view.line.clone();
    let rehearsals = format!("/problems/{}/rehearsals", line.slug);
    let again = format!("{rehearsals}?like={}", line.id);
    let crumbs = vec![
        ("Problems".to_owned(), "/problems".to_owned()),
        (view.title.clone(), format!("/problems/{}", line.slug)),
        ("Rehearsals".to_owned(), rehearsals),
    ];
    let goes_on = is_under_way(&line.state);
    let (id, may_cancel) = (line.id.clone(), view.may_cancel.clone());
    let stop = goes_on.then(move || {
        view! {
            <ActionForm action=cancel.action>
                <input type="hidden" name="id" value=id/>
                <GatedButton permission=may_cancel label="Stop it" icon="stop"/>
            </ActionForm>
        }
    });
    let (author, asked) = (line.author.clone(), line.requested_at);
    let whole = format!("/api/v1/rehearsals/{}", line.id);
    let has_ended_well = view.rehearsed.is_some();
    let is_unread = line.state == "succeeded" && !has_ended_well;
    view! {
        <PageHeader
            title=format!("Rehearsal {}", line.id)
            crumbs
            state=line.state.clone()
            meta=move || view! { <span>"asked by " {author} " " <Moment at=asked/></span> }
            actions=move || {
                view! {
                    <a class="button" data-icon="copy" href=again>"Change it and rehearse again"</a>
                    {has_ended_well
                        .then(|| view! { <a class="button button-quiet" href=whole rel="external">"All numbers (JSON)"</a> })}
                }
            }
        />
        <div class="stack stack-loose">
            {move || cancel.fault().map(|fault| view! { <FaultNotice fault/> })}
            {goes_on.then(|| view! { <LiveLine live/> })}
            {stop}
            {(!has_ended_well).then(|| view! { <StepTimeline steps=vec![view.step.clone()]/> })}
            {is_unread
                .then(|| {
                    view! {
                        <div class="callout" data-kind="warning" role="status">
                            <p class="callout-title">"Its result cannot be shown"</p>
                            <p>"It was written by another version of the program; rehearse again."</p>
                        </div>
                    }
                })}
            {view.rehearsed.clone().map(|rehearsed| view! { <Came rehearsed left/> })}
            <Asked view/>
        </div>
    }
}

/// What each course came to, and how it went.
#[component]
fn Came(rehearsed: Rehearsed, left: Vec<usize>) -> impl IntoView {
    let title = metric(&rehearsed);
    let quality = quality_figure(&rehearsed, &title);
    let drill_metric = title.clone();
    let distance = distance_figure(&rehearsed);
    let events =
        rehearsed.courses.iter().rev().zip(left.into_iter().rev()).enumerate().map(|(place, (course, left))| {
            // What the policy did is what was asked; the others are there to compare with.
            view! { <Events course=course.clone() left is_open=place == 0/> }
        });
    let events = events.collect_view();
    view! {
        <p class="lede">{in_short(&rehearsed, &title)}</p>
        <Courses rehearsed=rehearsed.clone() title/>
        {rehearsed.drill.clone().map(|drill| view! { <DrillCame drill title=drill_metric/> })}
        <section class="section stack" aria-labelledby="quality">
            <div class="section-header"><h2 id="quality">"How good answers would have been"</h2></div>
            <ChartFigure figure=quality/>
        </section>
        <section class="section stack" aria-labelledby="drift">
            <div class="section-header"><h2 id="drift">"How far the data moved"</h2></div>
            <ChartFigure figure=distance/>
        </section>
        <section class="section stack" aria-labelledby="events">
            <div class="section-header"><h2 id="events">"What would have happened"</h2></div>
            {events}
        </section>
    }
}

/// How long it took until what broke was told and mended.
#[component]
fn DrillCame(drill: DrillTold, title: String) -> impl IntoView {
    let from = drill.from;
    let after = move |at: chrono::DateTime<chrono::Utc>| duration((at - from).num_seconds() as f64);
    let (seen, what) = match drill.seen {
        Some((at, why)) if drill.rolled_back.as_ref().is_some_and(|(_, own)| *own == why) => {
            (after(at), "until its rollout did not let it go on".to_owned())
        }
        Some((at, name)) => {
            (after(at), format!("until a window in which {name} had drifted, and would not have otherwise"))
        }
        None => ("never".to_owned(), "nothing drifted that would not have otherwise".to_owned()),
    };
    let (told, said) = match drill.alert {
        Some((at, said)) => (after(at), said),
        None => {
            let why = "no alert that would not have been told otherwise: one that fires already is not told again";
            ("never".to_owned(), why.to_owned())
        }
    };
    let rolled_back = drill.is_model.then(|| match drill.rolled_back {
        Some((at, why)) => (after(at), why),
        None if drill.stays.is_some() => {
            ("never".to_owned(), "it went through all steps of its rollout and stays".to_owned())
        }
        None => ("–".to_owned(), "it was still on its way at the end of the past".to_owned()),
    });
    let rolled_back = rolled_back.map(|(taken, why)| view! { <Stat label="Rolled back after" value=taken note=why/> });
    let (trained, model) = match drill.model {
        Some(at) => (after(at), "until a model went live that would not have otherwise"),
        None => ("never".to_owned(), "no model went live that would not have otherwise"),
    };
    let (back, answers) = match drill.outside_until {
        None if drill.judged == 0 => {
            ("–".to_owned(), "too few labels to tell whether answers were what the document asks for")
        }
        None => ("–".to_owned(), "answers never left what the document asks for"),
        Some(_) if drill.is_still_outside => {
            ("never".to_owned(), "answers were outside of what the document asks for to the end")
        }
        Some(at) => (after(at), "until answers were last outside of what the document asks for"),
    };
    let value = |mean: Option<f64>| mean.map_or_else(|| "–".to_owned(), number);
    let otherwise = format!("against {} had nothing broken", value(drill.mean_otherwise));
    let heading = format!("Fire drill: {}", drill.title);
    view! {
        <section class="section stack" aria-labelledby="drill">
            <div class="section-header"><h2 id="drill">{heading}</h2></div>
            <p class="muted">"From " <Moment at=from/> " until " <Moment at=drill.until/> ", on the data's clock."</p>
            <div class="grid grid-stats">
                <Stat label="Seen after" value=seen note=what/>
                <Stat label="Told after" value=told note=said/>
                {rolled_back}
                <Stat label="New model after" value=trained note=model/>
                <Stat label="Good again after" value=back note=answers/>
                <Stat label=title value=value(drill.mean) note=otherwise/>
            </div>
        </section>
    }
}

#[component]
fn Stat(#[prop(into)] label: String, value: String, #[prop(into)] note: String) -> impl IntoView {
    view! {
        <div class="stat">
            <span class="stat-label">{label}</span>
            <span class="stat-value">{value}</span>
            <span class="stat-note">{note}</span>
        </div>
    }
}

fn metric(rehearsed: &Rehearsed) -> String {
    rehearsed.metric.parse::<Metric>().map_or_else(|()| rehearsed.metric.clone(), |metric| metric.title().to_owned())
}

/// The outcome in a sentence or two.
fn in_short(rehearsed: &Rehearsed, title: &str) -> String {
    let mean = |course: &CourseTold| {
        course.mean.map_or_else(|| "no measurable quality".to_owned(), |mean| format!("{title} {}", number(mean)))
    };
    let of = |policy: &str| rehearsed.courses.iter().find(|course| course.policy == policy);
    let others = [("never", "never trained again"), ("schedule", "on the schedule")]
        .into_iter()
        .filter_map(|(policy, words)| of(policy).map(|course| format!("{} {words}", mean(course))))
        .collect::<Vec<_>>()
        .join(" and ");
    match of("policy") {
        Some(course) => {
            let alerts: u64 = course.alerts.values().sum();
            format!(
                "The policy would have {} and told {}: {} in the mean, against {others}.",
                trained(course.trainings),
                counted(alerts, "alert", "alerts"),
                mean(course)
            )
        }
        None => format!("The document trains nothing by itself. In the mean: {others}."),
    }
}

#[component]
fn Courses(rehearsed: Rehearsed, title: String) -> impl IntoView {
    let never = rehearsed.courses.iter().find(|course| course.policy == "never").and_then(|course| course.mean);
    let value = |mean: Option<f64>| mean.map_or_else(|| "–".to_owned(), number);
    let gain = move |mean: Option<f64>| match mean.zip(never) {
        Some((mean, never)) if mean != never => {
            format!("{}{}", if mean > never { "+" } else { "" }, number(mean - never))
        }
        _ => "–".to_owned(),
    };
    let rows = rehearsed
        .courses
        .iter()
        .map(|course| {
            // The course's own words begin with what its name says.
            let how = course.title.split_once(": ").map(|(_, how)| how.to_owned());
            let how = how.or_else(|| (course.policy == "drill").then(|| course.title.clone()));
            let how = how.map(|how| view! { <span class="muted">{format!(" {how}")}</span> });
            let alerts: Vec<String> =
                course.alerts.iter().map(|(cause, told)| format!("{} {cause}", count(*told))).collect();
            let alerts = if alerts.is_empty() { "none".to_owned() } else { alerts.join(", ") };
            view! {
                <tr>
                    <th scope="row" data-label="Course">
                        {course_title(&course.policy)} {how}
                    </th>
                    <td class="num" data-label=title.clone()>{value(course.mean)}</td>
                    <td class="num" data-label="Against never">{gain(course.mean)}</td>
                    <td class="num" data-label="Trainings">{count(course.trainings)}</td>
                    <td class="num" data-label="Rows fitted">{count(course.rows_fitted)}</td>
                    <td data-label="Alerts">{alerts}</td>
                </tr>
            }
        })
        .collect_view();
    let floor = rehearsed.repeat_last.map(|floor| {
        view! {
            <tr>
                <th scope="row" data-label="Course">"Repeating the last label known"</th>
                <td class="num" data-label=title.clone()>{number(floor)}</td>
                <td class="num" data-label="Against never">{gain(Some(floor))}</td>
                <td class="num" data-label="Trainings">"–"</td>
                <td class="num" data-label="Rows fitted">"–"</td>
                <td data-label="Alerts">"–"</td>
            </tr>
        }
    });
    let better = format!(
        "{title}: the mean of all windows, each counted by its rows with a label; {} is better.",
        rehearsed.better
    );
    view! {
        <TableRegion label="Courses side by side">
            <table class="table" data-stack>
                <caption class="visually-hidden">"What each course came to"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Course"</th>
                        <th scope="col" class="num">{title.clone()}</th>
                        <th scope="col" class="num">"Against never"</th>
                        <th scope="col" class="num">"Trainings"</th>
                        <th scope="col" class="num">"Rows fitted"</th>
                        <th scope="col">"Alerts"</th>
                    </tr>
                </thead>
                <tbody>{rows}{floor}</tbody>
            </table>
        </TableRegion>
        <p class="muted">{better}</p>
    }
}

fn lines(rehearsed: &Rehearsed, value: impl Fn(&WindowTold) -> Option<f64>) -> Vec<Line> {
    let line = |course: &CourseTold| Line {
        label: course_title(&course.policy).to_lowercase(),
        // What is not known is a gap.
        points: course
            .windows
            .iter()
            .map(|window| (window.ends.timestamp() as f64, value(window).unwrap_or(f64::NAN)))
            .collect(),
        band: Vec::new(),
    };
    rehearsed.courses.iter().map(line).collect()
}

/// The course that is asked about: the policy's, or the last of those that it would be compared with.
fn asked_about(rehearsed: &Rehearsed) -> Option<&CourseTold> {
    let policy = rehearsed.courses.iter().find(|course| course.policy == "policy");
    policy.or_else(|| rehearsed.courses.iter().rfind(|course| course.policy != "drill"))
}

/// When models of it went live, the first aside.
fn lives(rehearsed: &Rehearsed) -> Vec<Annotation> {
    let events = asked_about(rehearsed).map(|course| course.events.as_slice()).unwrap_or_default();
    let lives: Vec<Annotation> = events
        .iter()
        .filter(|event| event.what == "live")
        .enumerate()
        .skip(1)
        .map(|(place, event)| Annotation { x: event.at.timestamp() as f64, label: format!("model {}", place + 1) })
        .collect();
    if lives.len() > MARKED { Vec::new() } else { lives }
}

fn quality_figure(rehearsed: &Rehearsed, title: &str) -> Figure {
    let marked = asked_about(rehearsed).map_or("", |course| course_title(&course.policy)).to_lowercase();
    let values = LineChart {
        title: format!("{title} by window"),
        x: XAxis::Time,
        y: title.to_owned(),
        lines: lines(rehearsed, |window| window.quality),
        threshold: Some(Threshold { label: "limit".to_owned(), value: rehearsed.limit }),
        annotations: lives(rehearsed),
        conclusion: Some(format!(
            "Each window by the labels that came to be known of it; {} is better. Marks are models that went live in the course of {marked}.",
            rehearsed.better
        )),
    };
    line_chart(&values, "quality")
}

fn distance_figure(rehearsed: &Rehearsed) -> Figure {
    let words =
        rehearsed.drift.parse::<DriftMetric>().map_or_else(|_| rehearsed.drift.clone(), |drift| drift.to_string());
    let values = LineChart {
        title: format!("Greatest {words} of a window"),
        x: XAxis::Time,
        y: words,
        lines: lines(rehearsed, |window| window.distance),
        threshold: Some(Threshold { label: "limit".to_owned(), value: rehearsed.drift_limit }),
        annotations: Vec::new(),
        conclusion: Some(
            "Of the features and the answers, the one that is farthest from what the live model was trained on, where luck does not explain \
             it. A training on newer data brings a course back down."
                .to_owned(),
        ),
    };
    line_chart(&values, "distance")
}

#[component]
fn Events(course: CourseTold, left: usize, is_open: bool) -> impl IntoView {
    let happened = course.events.len() as u64;
    let summary = format!("{}: {}", course_title(&course.policy), counted(happened, "event", "events"));
    let (label, caption) = (summary.clone(), summary.clone());
    let rows = course
        .events
        .into_iter()
        .map(|EventTold { at, what, text }| {
            view! {
                <tr>
                    <td data-label="When"><Moment at/></td>
                    <td data-label="What"><StateBadge state=event_state(&what)/></td>
                    <td data-label="In words">{crate::wording::sentence(&text)}</td>
                </tr>
            }
        })
        .collect_view();
    let more =
        (left > 0).then(|| view! { <p class="muted">{format!("{} more in the JSON, among them when it waited for its cool-down or its limits.", count(left as u64))}</p> });
    view! {
        <details open=is_open>
            <summary>{summary}</summary>
            <TableRegion label=label>
                <table class="table" data-stack>
                    <caption class="visually-hidden">{caption}</caption>
                    <thead>
                        <tr>
                            <th scope="col">"When"</th>
                            <th scope="col">"What"</th>
                            <th scope="col">"In words"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
            {more}
        </details>
    }
}

/// The badge of an event.
fn event_state(what: &str) -> &'static str {
    match what {
        "live" => "live",
        "not_passed" => "rejected",
        "failed" => "failed",
        "alert" => "firing",
        "over" => "resolved",
        "given_up" => "stopped",
        "rolled_back" => "rolled_back",
        "stage" => "running",
        "stays" => "live",
        _ => "waiting",
    }
}

/// What was asked for.
#[component]
fn Asked(view: RehearsalView) -> impl IntoView {
    let (line, request) = (view.line, view.request);
    let data = format!("/datasets/{}/v/{}", line.dataset, line.dataset_version);
    let document = format!("/problems/{}/v/{}", line.slug, line.version);
    let policy = request.policy.clone().map(|policy| {
        view! {
            <div class="stack stack-tight">
                <p class="muted">"Another policy than the document's was tried:"</p>
                <pre class="code" tabindex="0" aria-label="The policy that was tried"><code>{policy}</code></pre>
            </div>
        }
    });
    view! {
        <section class="card" aria-labelledby="asked">
            <div class="card-header"><h2 id="asked">"What was asked for"</h2></div>
            <div class="card-body stack">
                <KeyValues>
                    <KeyValue name="Document"><a href=document>{format!("version {}", line.version)}</a></KeyValue>
                    <KeyValue name="The past"><a href=data>{format!("{} version {}", line.data, line.dataset_version)}</a></KeyValue>
                    <KeyValue name="Trainer">{request.trainer.unwrap_or_else(|| "gradient_boosting".to_owned()).replace('_', " ")}</KeyValue>
                    <KeyValue name="First model trained">
                        {request.from.map_or_else(|| "after a third of the rows".into_any(), |at| view! { <Moment at/> }.into_any())}
                    </KeyValue>
                    <KeyValue name="Trained on">
                        {request.trained_on.map_or_else(|| "all that was known".to_owned(), |span| format!("the last {span}"))}
                    </KeyValue>
                    {request.drill.map(|drill| {
                        let broken = format!("{} {}", drill.column, breakage(&drill.how));
                        let by = drill.by.map(|by| format!(" by {}", number(by))).unwrap_or_default();
                        let what = match drill.model {
                            true => format!("a model of data in which {broken}{by}, at "),
                            false => format!("{broken}{by}, from "),
                        };
                        let until = drill.until.map(|until| view! { " until " <Moment at=until/> });
                        view! { <KeyValue name="Fire drill">{what} <Moment at=drill.from/> {until}</KeyValue> }
                    })}
                    {request.parameters.filter(|given| given.as_object().is_some_and(|given| !given.is_empty())).map(|given| {
                        view! { <KeyValue name="Parameters"><code>{given.to_string()}</code></KeyValue> }
                    })}
                    {request.calibration.map(|calibration| view! { <KeyValue name="Calibration">{calibration}</KeyValue> })}
                    {request.schedule.map(|cron| view! { <KeyValue name="Schedule"><code>{cron}</code></KeyValue> })}
                    <KeyValue name="Trained models">
                        {match request.staged {
                            true => "go out step by step, by the document's rollout",
                            false => "answer from the next window on",
                        }}
                    </KeyValue>
                    <KeyValue name="Seed">{request.seed.unwrap_or(0).to_string()}</KeyValue>
                </KeyValues>
                {policy}
                <p class="muted">
                    "The rules are those of production: which drift, alerts, trainings and gates on numbers. Latency, people and what trainings \
                     cost are left out. What goes out step by step goes as the document's rollout says, each row being a request, whoever has to \
                     agree agreeing at once."
                </p>
            </div>
        </section>
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use std::collections::BTreeMap;

    use millrace_domain::view::{Permission, RehearsalLine, RehearsalRequest, StepView};

    use super::*;
    use crate::pages::samples::{moment, rendered};

    fn course(policy: &str, mean: f64, trainings: u64) -> CourseTold {
        let window = |day: u32, quality: f64| WindowTold {
            ends: moment(&format!("2026-02-{day:02}T00:00:00Z")),
            rows: 100,
            labelled: 100,
            model: 1,
            quality: Some(quality),
            is_met: Some(quality >= 0.8),
            distance: Some(0.1),
            drifted: Vec::new(),
        };
        let event = |what: &str, text: &str| EventTold {
            at: moment("2026-02-02T00:00:00Z"),
            what: what.to_owned(),
            text: text.to_owned(),
        };
        CourseTold {
            policy: policy.to_owned(),
            title: format!("by {policy}"),
            mean: Some(mean),
            trainings,
            rows_fitted: trainings * 1_000,
            alerts: BTreeMap::from([("quality".to_owned(), 1)]),
            windows: vec![window(1, 0.9), window(2, mean)],
            events: vec![event("alert", "Quality: roc_auc 0.6 against 0.8"), event("live", "model 2 goes live")],
        }
    }

    fn view(state: &str, rehearsed: Option<Rehearsed>) -> RehearsalView {
        let line = RehearsalLine {
            id: "7".to_owned(),
            slug: "taxi-tips".to_owned(),
            version: 3,
            is_other_policy: false,
            data: "rides".to_owned(),
            dataset: "5".to_owned(),
            dataset_version: 2,
            state: state.to_owned(),
            metric: "roc_auc".to_owned(),
            courses: Vec::new(),
            author: "Engineer".to_owned(),
            requested_at: moment("2026-11-23T14:05:00Z"),
        };
        let step = StepView {
            kind: "rehearse".to_owned(),
            title: "Go through the past by the policy".to_owned(),
            state: state.to_owned(),
            attempt: 1,
            max_attempts: 3,
            progress: None,
            failure: None,
            reused: false,
            cpu_s: 0.0,
            peak_bytes: None,
            worker: None,
            started_at: None,
            finished_at: None,
        };
        let title = "Who tips".to_owned();
        let request = RehearsalRequest::default();
        RehearsalView { line, title, request, step, rehearsed, may_cancel: Permission::granted() }
    }

    fn rehearsed(drill: Option<DrillTold>) -> Rehearsed {
        Rehearsed {
            metric: "roc_auc".to_owned(),
            better: "higher".to_owned(),
            limit: 0.8,
            drift: "psi".to_owned(),
            drift_limit: 0.25,
            begins: moment("2026-02-01T00:00:00Z"),
            window: 86_400,
            courses: vec![course("never", 0.7, 0), course("schedule", 0.85, 8), course("policy", 0.88, 1)],
            drill,
            repeat_last: Some(0.5),
        }
    }

    fn page(view: RehearsalView) -> String {
        let left = vec![0, 0, 4];
        rendered("/rehearsals/7", move || {
            view! { <RehearsalShown view left cancel=PageForm::new() live=Live::default()/> }
        })
    }

    #[test]
    fn what_came_of_it_is_said_first_and_stands_beside_what_it_is_compared_with() {
        let html = page(view("succeeded", Some(rehearsed(None))));
        for expected in [
            "The policy would have trained once and told 1 alert: ROC AUC 0.88 in the mean, against ROC AUC 0.7 never trained again",
            "+0.18",
            "Repeating the last label known",
            "The policy: 2 events",
            "4 more in the JSON",
            "/problems/taxi-tips/rehearsals?like=7",
        ] {
            assert!(html.contains(expected), "{expected} is not in {html}");
        }
        assert!(!html.contains("Stop it") && !html.contains("Fire drill"), "{html}");
    }

    #[test]
    fn one_under_way_can_be_stopped_and_shows_no_numbers() {
        let html = page(view("running", None));
        assert!(html.contains("Stop it") && html.contains("/fn/cancel_rehearsal"), "{html}");
        assert!(!html.contains("All numbers"), "{html}");
    }

    #[test]
    fn a_drill_with_a_model_says_after_how_long_and_why_it_was_taken_back() {
        let why = "in shadow it failed: shift";
        let drill = DrillTold {
            title: "a model of data in which miles is missing".to_owned(),
            is_model: true,
            from: moment("2026-02-01T00:00:00Z"),
            until: moment("2026-02-01T06:00:00Z"),
            seen: Some((moment("2026-02-01T06:00:00Z"), why.to_owned())),
            alert: Some((moment("2026-02-01T06:00:00Z"), why.to_owned())),
            stays: None,
            rolled_back: Some((moment("2026-02-01T06:00:00Z"), why.to_owned())),
            model: None,
            judged: 8,
            outside_until: None,
            is_still_outside: false,
            mean: Some(0.88),
            mean_otherwise: Some(0.88),
        };
        let html = page(view("succeeded", Some(rehearsed(Some(drill.clone())))));
        for expected in ["Rolled back after", "6 h", why, "until its rollout did not let it go on"] {
            assert!(html.contains(expected), "{expected} is not in {html}");
        }
        let under_way = DrillTold { rolled_back: None, seen: None, alert: None, ..drill };
        let html = page(view("succeeded", Some(rehearsed(Some(under_way.clone())))));
        assert!(html.contains("it was still on its way at the end of the past"), "{html}");
        let stays = DrillTold { stays: Some(moment("2026-02-08T00:00:00Z")), ..under_way };
        let html = page(view("succeeded", Some(rehearsed(Some(stays)))));
        assert!(html.contains("it went through all steps of its rollout and stays"), "{html}");
    }

    #[test]
    fn a_drill_says_how_long_each_thing_took_and_what_never_came() {
        let drill = DrillTold {
            title: "miles is missing".to_owned(),
            is_model: false,
            rolled_back: None,
            stays: None,
            from: moment("2026-02-01T00:00:00Z"),
            until: moment("2026-02-09T00:00:00Z"),
            seen: None,
            alert: Some((moment("2026-02-02T00:00:00Z"), "Drift: miles PSI 9".to_owned())),
            model: None,
            judged: 8,
            outside_until: Some(moment("2026-02-09T00:00:00Z")),
            is_still_outside: true,
            mean: Some(0.55),
            mean_otherwise: Some(0.88),
        };
        let html = page(view("succeeded", Some(rehearsed(Some(drill)))));
        for expected in [
            "Fire drill: miles is missing",
            "Drift: miles PSI 9",
            "nothing drifted that would not have otherwise",
            "1 d",
            "no model went live that would not have otherwise",
            "outside of what the document asks for to the end",
            "against 0.88 had nothing broken",
        ] {
            assert!(html.contains(expected), "{expected} is not in {html}");
        }
    }
}
