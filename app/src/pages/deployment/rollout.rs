//! A candidate on its way: the steps, what was counted, what every check says, and what a person may do about it.

use leptos::prelude::*;
use millrace_charts::{count, duration, number};
use millrace_domain::gate::Gate;
use millrace_domain::rollout::{SliceCompared, Step};
use millrace_domain::run::RolloutStage;
use millrace_domain::view::{DeploymentView, DisagreementView, Permission, RolloutCounts, RolloutView};

use super::figures::{course, of_step, side_words};

use crate::components::{
    ChartFigure, FaultNotice, GateTable, GatedButton, Moment, ReasonField, TableRegion, checks_in_words,
};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::pages::address::address;
use crate::wording::sentence;

/// Takes the next step of a rollout.
#[server(name = AdvanceRollout, prefix = "/fn", endpoint = "advance_rollout")]
pub async fn advance_rollout(slug: String, generation: i64, reason: String) -> Result<i64, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let typed = [("reason", reason.as_str())];
    let advanced = services.advance_rollout(&actor, &slug, &reason, generation);
    let generation = crate::caller::submitted(&typed, advanced).await?;
    leptos_axum::redirect(&format!("/deployments/{slug}?done={generation}"));
    Ok(generation)
}

/// Lets a rollout wait, or go on by itself again.
#[server(name = PauseRollout, prefix = "/fn", endpoint = "pause_rollout")]
pub async fn pause_rollout(slug: String, paused: bool, reason: String) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let typed = [("reason", reason.as_str())];
    crate::caller::submitted(&typed, services.pause_rollout(&actor, &slug, paused, &reason)).await?;
    leptos_axum::redirect(&format!("/deployments/{slug}"));
    Ok(())
}

/// The rollout that is under way: its steps, and what it waits for.
#[component]
pub fn RolloutSection(
    /// The rollout.
    rollout: RolloutView,
) -> impl IntoView {
    let waits = rollout.waits_for.clone().map(|waits| {
        let paused = rollout.paused.clone().map(|(by, reason, at)| {
            view! { <p>{format!("Paused by {by}, ")} <Moment at/> {format!(": {}", sentence(&reason))}</p> }
        });
        view! {
            <div class="callout" data-kind="warning" role="status">
                <p>{sentence(&waits)}</p>
                {paused}
            </div>
        }
    });
    view! {
        <section class="section stack" aria-labelledby="rollout">
            <div class="section-header">
                <h2 id="rollout">{format!("Rollout of version {}", rollout.candidate)}</h2>
            </div>
            <Stepper rollout=rollout.clone()/>
            <p class="muted">{where_it_stands(&rollout)}</p>
            {waits}
        </section>
    }
}

/// What every check says, and what was counted.
#[component]
pub fn RolloutEvidence(
    /// The rollout.
    rollout: RolloutView,
    /// Its checks as of the last look.
    checks: Vec<Gate>,
) -> impl IntoView {
    view! {
        <section class="section stack" aria-labelledby="evidence">
            <div class="section-header"><h2 id="evidence">"What it has shown"</h2></div>
            <Checks checks rules=rollout.rules/>
            <Course rollout=rollout.clone()/>
            <Counted
                counted=rollout.counted.clone()
                step=present_step(&rollout)
                limit_ms=rollout.limit_ms
                prefix=format!("rollout-{}", rollout.id)
            />
            <Slices slices=rollout.slices.clone() champion=rollout.champion candidate=rollout.candidate/>
            <Disagreements
                disagreements=rollout.disagreements.clone()
                champion=rollout.champion
                candidate=rollout.candidate
            />
        </section>
    }
}

/// Every check with what was observed.
#[component]
pub fn Checks(
    /// The checks.
    checks: Vec<Gate>,
    /// Version of the rules that they follow.
    rules: u32,
) -> impl IntoView {
    if checks.is_empty() {
        return view! { <p class="muted">"Nothing was looked at yet; a look is taken every second."</p> }.into_any();
    }
    let words = checks_in_words(&checks);
    view! {
        <h3>{words}</h3>
        <GateTable gates=checks what="Check" bounds="bounds"/>
        <p class="muted">
            {format!(
                "Rules {rules}: a candidate that is as good as the champion is taken back by chance in at most 5 of 100 rollouts. \
                 Bounds hold at all looks together.",
            )}
        </p>
    }
    .into_any()
}

/// How the evidence of every check grew, from the beginning of the rollout on.
#[component]
pub fn Course(
    /// The rollout.
    rollout: RolloutView,
) -> impl IntoView {
    let figures = course(&rollout, &format!("rollout-{}-course", rollout.id));
    if figures.is_empty() {
        return ().into_any();
    }
    let figures = figures.into_iter().map(|figure| view! { <ChartFigure figure/> }).collect_view();
    view! {
        <h3>"How the evidence grew"</h3>
        <div class="grid grid-wide">{figures}</div>
    }
    .into_any()
}

/// What both answered to the same requests, by slice.
#[component]
pub fn Slices(
    /// The slices, all requests first.
    slices: Vec<SliceCompared>,
    /// The version that it is compared with.
    champion: i32,
    /// The version that is rolled out.
    candidate: i32,
) -> impl IntoView {
    if slices.is_empty() {
        return ().into_any();
    }
    let rows = slices.into_iter().map(|slice| view! { <SliceRow slice champion candidate/> }).collect_view();
    view! {
        <h3>"The same requests, slice by slice"</h3>
        <p class="muted">
            "Of the newest 2,000 requests that both answered: how often they said something else, what they said on average (a probability or \
             a value), and what it was where that is known by now. Slices are told by what requests say, the twelve largest of each column or feature; a feature of times or of joined columns is left out."
        </p>
        <TableRegion label="Both versions by slice">
            <table class="table" data-stack>
                <caption class="visually-hidden">"Both versions on the same requests, by slice"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Slice"</th>
                        <th scope="col" class="num">"Requests"</th>
                        <th scope="col" class="num">"Another answer"</th>
                        <th scope="col" class="num">{format!("v{champion} on average")}</th>
                        <th scope="col" class="num">{format!("v{candidate} on average")}</th>
                        <th scope="col" class="num">"Outcomes"</th>
                        <th scope="col" class="num">"Of these: said, and was"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableRegion>
    }
    .into_any()
}

#[component]
fn SliceRow(slice: SliceCompared, champion: i32, candidate: i32) -> impl IntoView {
    let name = slice.slice.map_or_else(|| "all requests".to_owned(), |(by, value)| format!("{by} is {value}"));
    let none = || "none".to_owned();
    let (before, after) =
        slice.means.map_or_else(|| (none(), none()), |(before, after)| (number(before), number(after)));
    let was = slice.outcome.map_or_else(none, |(before, after, was)| {
        format!("{} and {}; was {}", number(before), number(after), number(was))
    });
    let differed = format!("{} %", number(100.0 * slice.differed as f64 / slice.n.max(1) as f64));
    view! {
        <tr>
            <th scope="row" data-label="Slice">{name}</th>
            <td class="num" data-label="Requests">{count(slice.n)}</td>
            <td class="num" data-label="Another answer">{differed}</td>
            <td class="num" data-label=format!("v{champion} on average")>{before}</td>
            <td class="num" data-label=format!("v{candidate} on average")>{after}</td>
            <td class="num" data-label="Outcomes">{count(slice.labelled)}</td>
            <td class="num" data-label="Of these: said, and was">{was}</td>
        </tr>
    }
}

/// Requests on which the two are furthest apart, each with the way to its page.
#[component]
pub fn Disagreements(
    /// The requests.
    disagreements: Vec<DisagreementView>,
    /// The version that it is compared with.
    champion: i32,
    /// The version that is rolled out.
    candidate: i32,
) -> impl IntoView {
    if disagreements.is_empty() {
        return ().into_any();
    }
    let said = |output: &serde_json::Value| {
        let number = ["score", "value"].iter().find_map(|name| output[*name].as_f64()).map(number);
        let label = output["label"].as_str().map(str::to_owned);
        [label, number].into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    let rows = disagreements
        .into_iter()
        .map(|one| {
            let href = address("/predictions", [("id", one.prediction.as_str())]);
            let flips = one.champion["label"] != one.candidate["label"];
            let about = one.entity.unwrap_or_else(|| one.prediction.chars().take(8).collect());
            view! {
                <tr data-tone=flips.then_some("warn")>
                    <th scope="row" data-label="Request"><a href=href>{about}</a></th>
                    <td data-label=format!("v{champion}")>{said(&one.champion)}</td>
                    <td data-label=format!("v{candidate}")>{said(&one.candidate)}</td>
                    <td data-label="When"><Moment at=one.at/></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <h3>"Where they are furthest apart"</h3>
        <TableRegion label="Requests on which both are furthest apart">
            <table class="table" data-stack>
                <caption class="visually-hidden">"Of the newest requests that both versions answered"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Request"</th>
                        <th scope="col">{format!("v{champion} says")}</th>
                        <th scope="col">{format!("v{candidate} says")}</th>
                        <th scope="col">"When"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableRegion>
    }
    .into_any()
}

/// The steps of a rollout in a row.
#[component]
pub fn Stepper(
    /// The rollout.
    rollout: RolloutView,
) -> impl IntoView {
    let ended = rollout.state.clone();
    let present = rollout.step;
    let items = rollout
        .steps
        .into_iter()
        .enumerate()
        .map(|(position, step)| {
            let state = step_state(position, present, &ended);
            let needs = needs_in_words(&step);
            let current = (position == present).then_some("step");
            view! {
                <li data-state=state aria-current=current>
                    <span class="stepper-label">{step.title()}</span>
                    <span class="stepper-meta">{needs}</span>
                </li>
            }
        })
        .collect_view();
    view! { <ol class="stepper" aria-label="Steps of the rollout">{items}</ol> }
}

const fn step_state(position: usize, present: usize, ended: &str) -> &'static str {
    let rolled_back = matches!(ended.as_bytes(), b"rolled_back");
    let completed = matches!(ended.as_bytes(), b"completed");
    if position < present || (completed && position == present) {
        "done"
    } else if position > present {
        if rolled_back { "skipped" } else { "pending" }
    } else if rolled_back {
        "failed"
    } else {
        "current"
    }
}

fn needs_in_words(step: &Step) -> String {
    let least = duration(step.min_seconds as f64);
    match step.min_predictions {
        0 => format!("{least} at least"),
        predictions => format!("{} predictions, {least} at least", count(predictions)),
    }
}

fn present_step(rollout: &RolloutView) -> Option<Step> {
    rollout.steps.get(rollout.step).cloned()
}

/// "In canary 5 % for 3 min; it is taken back if it has not shown what it must within 7 days."
fn where_it_stands(rollout: &RolloutView) -> String {
    let title = present_step(rollout).map(|step| step.title()).unwrap_or_default();
    let beside = match present_step(rollout).map(|step| step.stage) {
        Some(RolloutStage::Watch) => format!("version {} is asked beside it", rollout.champion),
        _ => format!("compared with version {}", rollout.champion),
    };
    format!(
        "In {title} for {}, {beside}. What is not shown within {} is taken back.",
        duration(rollout.seconds.max(0.0)),
        duration(rollout.deadline_seconds as f64)
    )
}

/// What was counted in a step: shares, times, agreement and the two distributions.
#[component]
pub fn Counted(
    /// The counts.
    counted: RolloutCounts,
    /// The step.
    step: Option<Step>,
    /// What 99 of 100 answers may take, in milliseconds.
    limit_ms: Option<f64>,
    /// Beginning of the ids of figures.
    prefix: String,
) -> impl IntoView {
    let percent = |share: Option<f64>| share.map_or_else(|| "n/a".to_owned(), |share| format!("{} %", number(share)));
    // In shadow both are asked and one is told, so that there is no share to compare.
    let (share, of_what) = match &step {
        Some(step) if step.stage == RolloutStage::Shadow => {
            ("none".to_owned(), "in shadow, callers get none of them".to_owned())
        }
        step => {
            let desired = step.as_ref().map(|step| step.percent).unwrap_or_default();
            (percent(counted.share), format!("of all answers; meant are {} % of units", number(desired)))
        }
    };
    let both = counted.agreed + counted.differed;
    let agreement = (both > 0).then(|| 100.0 * counted.agreed as f64 / both as f64);
    let rows = counted
        .sides
        .iter()
        .map(|side| {
            let name = side_words(&side.arm);
            let time = |ms: Option<f64>| ms.map_or_else(|| "n/a".to_owned(), |ms| format!("{} ms", number(ms)));
            view! {
                <tr>
                    <th scope="row">{name}</th>
                    <td class="num" data-label="Answered">{count(side.answered)}</td>
                    <td class="num" data-label="Not answered">{count(side.failed)}</td>
                    <td class="num" data-label="p50">{time(side.p50_ms)}</td>
                    <td class="num" data-label="p95">{time(side.p95_ms)}</td>
                    <td class="num" data-label="p99">{time(side.p99_ms)}</td>
                </tr>
            }
        })
        .collect_view();
    let figures =
        of_step(&counted, limit_ms, &prefix).into_iter().map(|figure| view! { <ChartFigure figure/> }).collect_view();
    view! {
        <div class="grid grid-stats">
            <div class="stat">
                <span class="stat-label">"Answered by the candidate"</span>
                <span class="stat-value">{share}</span>
                <span class="stat-note">{of_what}</span>
            </div>
            <div class="stat">
                <span class="stat-label">"Same answer"</span>
                <span class="stat-value">{percent(agreement)}</span>
                <span class="stat-note">{format!("of {} requests that both answered", count(both))}</span>
            </div>
            <div class="stat">
                <span class="stat-label">"Not compared"</span>
                <span class="stat-value">{count(counted.dropped)}</span>
                <span class="stat-note">"requests, because too many waited"</span>
            </div>
        </div>
        <TableRegion label="Both sides">
            <table class="table" data-stack>
                <caption class="visually-hidden">"Answers and times of both sides in this step"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Side"</th>
                        <th scope="col" class="num">"Answered"</th>
                        <th scope="col" class="num">"Not answered"</th>
                        <th scope="col" class="num">"p50"</th>
                        <th scope="col" class="num">"p95"</th>
                        <th scope="col" class="num">"p99"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableRegion>
        {figures}
    }
}

/// What a person may do while a candidate is on its way: let it go on, or let it wait.
#[component]
pub fn GoOnCard(
    /// The deployment.
    deployment: DeploymentView,
    /// The form of going on.
    advance: PageForm<AdvanceRollout>,
    /// The form of waiting.
    pause: PageForm<PauseRollout>,
) -> impl IntoView {
    let (slug, generation) = (deployment.slug, deployment.generation);
    deployment.rollout.map(|rollout| {
        let next = rollout.steps.get(rollout.step + 1);
        let label = next.map_or_else(|| "End the watch".to_owned(), |next| format!("Go on to {}", next.title()));
        let effect = match next.map(|next| next.stage) {
            None => "The rollout ends; the candidate keeps answering everything.".to_owned(),
            Some(RolloutStage::Watch) => format!(
                "From then on version {} answers every prediction of {slug}, and version {} is asked beside it.",
                rollout.candidate, rollout.champion
            ),
            Some(_) => {
                let percent = next.map_or(0.0, |next| next.percent);
                format!("From then on version {} answers {percent} % of units.", rollout.candidate)
            }
        };
        let same_slug = slug.clone();
        let paused = rollout.state == "paused";
        let pause_label = if paused { "Let it go on by itself" } else { "Pause" };
        let pause_hint = if paused {
            "It then goes on when everything is shown."
        } else {
            "It then does not go on by itself. It is taken back all the same when a check fails or its deadline passes."
        };
        let (advance_reason, pause_reason) =
            (advance.typed("reason").unwrap_or_default(), pause.typed("reason").unwrap_or_default());
        let faults = (
            move || advance.fault().map(|fault| view! { <FaultNotice fault/> }),
            move || pause.fault().map(|fault| view! { <FaultNotice fault/> }),
        );
        let (may_advance, may_pause): (Permission, Permission) = (rollout.may_advance, rollout.may_pause);
        let (no_advance, no_pause) = (!may_advance.allowed, !may_pause.allowed);
        view! {
            <section class="card" aria-labelledby="go-on">
                <div class="card-header"><h2 id="go-on">{label.clone()}</h2></div>
                <div class="card-body stack">
                    <p>{effect}</p>
                    {faults.0}
                    <ActionForm action=advance.action attr:class="form">
                        <input type="hidden" name="slug" value=slug/>
                        <input type="hidden" name="generation" value=generation/>
                        <ReasonField id="advance-reason" hint="Stands in the history." text=advance_reason disabled=no_advance/>
                        <div class="form-actions"><GatedButton permission=may_advance label kind="primary"/></div>
                    </ActionForm>
                </div>
            </section>
            <section class="card" aria-labelledby="pause">
                <div class="card-header"><h2 id="pause">{pause_label}</h2></div>
                <div class="card-body stack">
                    <p>{pause_hint}</p>
                    {faults.1}
                    <ActionForm action=pause.action attr:class="form">
                        <input type="hidden" name="slug" value=same_slug/>
                        <input type="hidden" name="paused" value=(!paused).to_string()/>
                        <ReasonField id="pause-reason" hint="Stands in the audit trail." text=pause_reason disabled=no_pause/>
                        <div class="form-actions"><GatedButton permission=may_pause label=pause_label/></div>
                    </ActionForm>
                </div>
            </section>
        }
    })
}

/// When the rollout began and by whom.
#[component]
pub fn RolloutFacts(
    /// The rollout.
    rollout: RolloutView,
) -> impl IntoView {
    let ended = rollout.ended_at.map(|at| view! { ", ended " <Moment at/> });
    view! {
        <p class="muted">
            {format!("Begun by {} (\u{201c}{}\u{201d}) ", rollout.by, rollout.reason)} <Moment at=rollout.started_at/> {ended}
        </p>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_before_are_done_and_those_after_wait_until_it_is_taken_back() {
        let states = |ended: &str| [0, 1, 2].map(|position| step_state(position, 1, ended));
        assert_eq!(states("running"), ["done", "current", "pending"]);
        assert_eq!(states("rolled_back"), ["done", "failed", "skipped"]);
        assert_eq!(step_state(2, 2, "completed"), "done");
    }
}
