//! A run at a glance: the metrics that decide, the gates, and the steps.

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use leptos::prelude::*;
use millrace_charts::{Figure, RunTimeline, Span, SpanState, count, number, run_timeline};
use millrace_domain::gate::{Gate, Verdict};
use millrace_domain::metric::Metric;
use millrace_domain::run::StepKind;
use millrace_domain::view::{Course, HeldOutView, MetricView, RunView, SpanView, StepView};
use serde_json::Value;

use crate::components::{
    ChartFigure, Empty, GateTable, ProgressBar, StepProgress, StepTimeline, TableRegion, gates_in_words,
};
use crate::pages::quantity::{metric_title, part_and_metric};

use super::curve_look::CurveLook;
use super::effects::DataAndSettings;
use super::is_under_way;
use super::plots::growing_figure;
use super::tracked::course_figures;

/// The tab that opens first.
#[component]
pub fn Overview(
    /// The run.
    run: RunView,
    /// What may be done about it.
    children: Children,
) -> impl IntoView {
    let success = part_and_metric(&run.summary.metric).1.to_owned();
    let gates_heading = gates_in_words(&run.gates);
    let has_numbers = !run.metrics.is_empty() || !run.gates.is_empty();
    let is_final = !is_under_way(&run.summary.state);
    let trainer = external_trainer(&run);
    let growing = growing(&run.steps);
    let effects = run.effects.clone().map(|effects| {
        let problem = run.summary.problem.clone();
        view! { <DataAndSettings effects problem/> }
    });
    view! {
        <div class="split">
            <div class="split-main stack stack-loose">
                {growing}
                {(!has_numbers).then(|| view! { <NoNumbers is_final/> })}
                {(!run.metrics.is_empty())
                    .then(|| {
                        view! {
                            <section class="section" aria-labelledby="metrics">
                                <div class="section-header"><h2 id="metrics">"Test part"</h2></div>
                                {run.held_out.as_ref().and_then(wear).map(|text| view! { <p class="hint">{text}</p> })}
                                <MetricTiles metrics=run.metrics.clone() gates=run.gates.clone() success/>
                                <details>
                                    <summary>"All metrics"</summary>
                                    <MetricTable metrics=run.metrics.clone()/>
                                </details>
                            </section>
                        }
                    })}
                {trainer}
                {effects}
                {(!run.gates.is_empty())
                    .then(|| {
                        view! {
                            <section class="section" aria-labelledby="gates">
                                <div class="section-header"><h2 id="gates">{gates_heading}</h2></div>
                                <GateTable gates=run.gates/>
                            </section>
                        }
                    })}
                {timeline_figure(&run.timeline)
                    .map(|figure| {
                        view! {
                            <section class="section" aria-labelledby="timeline">
                                <div class="section-header"><h2 id="timeline">"Timeline"</h2></div>
                                <ChartFigure figure/>
                            </section>
                        }
                    })}
            </div>
            <aside class="split-side stack">
                <section class="card">
                    <div class="card-header"><h2>"Steps"</h2></div>
                    <div class="card-body"><StepTimeline steps=run.steps/></div>
                </section>
                {children()}
            </aside>
        </div>
    }
}

/// When each step waited and was worked at; none before there is one.
fn timeline_figure(spans: &[SpanView]) -> Option<Figure> {
    let now = spans.iter().map(|span| seconds(span.until)).reduce(f64::max)?;
    let state = |state: &str| match state {
        "queued" => SpanState::Queued,
        "running" => SpanState::Running,
        "succeeded" => SpanState::Succeeded,
        "cancelled" => SpanState::Cancelled,
        "handed_over" => SpanState::HandedOver,
        _ => SpanState::Failed,
    };
    let span = |span: &SpanView| Span {
        step: span.step.clone(),
        attempt: span.attempt.unsigned_abs(),
        state: state(&span.state),
        queued_at: seconds(span.queued_at),
        started_at: span.started_at.map(seconds),
        finished_at: Some(seconds(span.until)),
    };
    Some(run_timeline(&RunTimeline { spans: spans.iter().map(span).collect(), now }, "timeline-figure"))
}

fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1e3
}

/// The learning curve of the model that is being fitted.
fn growing(steps: &[StepView]) -> Option<impl IntoView + use<>> {
    let fits = |step: &&StepView| step.state == "running" && step.kind == StepKind::Train.as_str();
    let running = steps.iter().find(fits)?;
    let figure = growing_figure(running.progress.as_ref()?)?;
    Some(view! {
        <section class="section" aria-labelledby="growing">
            <div class="section-header"><h2 id="growing">"Learning curve"</h2></div>
            <ChartFigure figure/>
        </section>
    })
}

/// What an external trainer wrote, live or to its end, and the courses that it reported.
fn external_trainer(run: &RunView) -> Option<impl IntoView + use<>> {
    let live = run.steps.iter().find(|step| step.state == "running").and_then(|step| {
        let lines = step.progress.as_ref()?["log"].as_array()?.iter().filter_map(Value::as_str);
        Some(lines.collect::<Vec<_>>().join("\n"))
    });
    let is_live = live.is_some();
    let log = live.or_else(|| run.log.clone())?;
    let all = (!is_live).then(|| format!("/api/v1/runs/{}/artifacts/log", run.summary.id));
    let figures = course_figures(&reported(&run.metrics), CurveLook::default());
    let figures = figures.into_iter().map(|figure| view! { <ChartFigure figure/> }).collect_view();
    let log = if log.trim().is_empty() { "It wrote nothing.".to_owned() } else { log };
    Some(view! {
        <section class="section" aria-labelledby="trainer">
            <div class="section-header"><h2 id="trainer">"The external trainer"</h2></div>
            <div class="grid grid-wide">{figures}</div>
            <pre class="code log" tabindex="0" aria-label="What it wrote last"><code>{log}</code></pre>
            {all.map(|href| view! { <p><a href=href rel="external" download="">"All that it wrote"</a></p> })}
        </section>
    })
}

/// The courses that an external trainer reported.
fn reported(metrics: &[MetricView]) -> Vec<Course> {
    let mut courses: BTreeMap<&str, Vec<(i64, f64)>> = BTreeMap::new();
    for metric in metrics.iter().filter(|metric| metric.step > 0 && metric.name.starts_with("external.")) {
        courses.entry(&metric.name).or_default().push((i64::from(metric.step), metric.value));
    }
    let course = |(name, points): (&str, _)| Course { name: name.to_owned(), points, times: Vec::new() };
    courses.into_iter().map(course).collect()
}

/// How worn the held-out part is; nothing at the first look.
fn wear(held_out: &HeldOutView) -> Option<String> {
    (held_out.looks > 1).then(|| {
        format!(
            "{} runs have been measured on this part so far. Of so many equally good models the best would look {} better by luck.",
            count(held_out.looks),
            number(held_out.luck)
        )
    })
}

#[component]
fn NoNumbers(is_final: bool) -> impl IntoView {
    let (title, text) = if is_final {
        ("No metrics", "The run ended before its model was measured.")
    } else {
        ("No metrics yet", "They appear once the model is fitted and measured on the test part.")
    };
    view! { <Empty title text/> }
}

/// The progress of the step that works now: "trial 12 of 50, best 0.871".
#[component]
pub fn CurrentStep(
    /// Steps of the run.
    steps: Vec<StepView>,
) -> impl IntoView {
    let running = steps.into_iter().find(|step| step.state == "running");
    running.map(|step| {
        let told = step.progress.as_ref().and_then(StepProgress::read);
        let progress = told.unwrap_or(StepProgress { done: None, total: None, text: step.title });
        view! { <ProgressBar progress/> }
    })
}

/// Metrics of the test part as tiles, the success metric first, with their uncertainty.
#[component]
fn MetricTiles(metrics: Vec<MetricView>, gates: Vec<Gate>, success: String) -> impl IntoView {
    let tiles = tiles(&metrics, &success)
        .into_iter()
        .map(|metric| {
            let tone = tone(metric, &gates);
            let note = evidence(metric);
            let (title, value) = (metric_title(&metric.name), number(metric.value));
            view! {
                <div class="stat" data-tone=tone>
                    <span class="stat-label">{title}</span>
                    <span class="stat-value">{value}</span>
                    <span class="stat-note">{note}</span>
                </div>
            }
        })
        .collect_view();
    view! { <div class="grid grid-stats">{tiles}</div> }
}

/// Final metrics of the test part as a whole: the success metric, then the others in the order they are defined.
fn tiles<'a>(metrics: &'a [MetricView], success: &str) -> Vec<&'a MetricView> {
    let mut tiles: Vec<(usize, &MetricView)> = metrics
        .iter()
        .filter(|metric| metric.step == 0)
        .filter_map(|metric| {
            let (part, name) = part_and_metric(&metric.name);
            let known = Metric::from_str(name).ok().filter(|_| part == "test")?;
            let position = Metric::ALL.iter().position(|other| *other == known)?;
            Some((if name == success { 0 } else { position + 1 }, metric))
        })
        .collect();
    tiles.sort_by_key(|(position, _)| *position);
    tiles.into_iter().map(|(_, metric)| metric).collect()
}

/// What the gates on this very value say of it.
fn tone(metric: &MetricView, gates: &[Gate]) -> Option<&'static str> {
    let name = part_and_metric(&metric.name).1;
    let mut verdicts = gates.iter().filter(|gate| gate.name.ends_with(&format!(".{name}"))).map(|gate| gate.verdict);
    let first = verdicts.next()?;
    let worst = verdicts.fold(first, |worst, verdict| if worst == Verdict::Pass { verdict } else { worst });
    Some(match worst {
        Verdict::Pass => "good",
        Verdict::Fail => "bad",
        Verdict::Insufficient => "warn",
    })
}

fn evidence(metric: &MetricView) -> String {
    let rows = format!("n {}", count(metric.n.unsigned_abs()));
    match metric.interval {
        Some((low, high)) => format!("95 % {} to {} · {rows}", number(low), number(high)),
        None => rows,
    }
}

#[component]
fn MetricTable(metrics: Vec<MetricView>) -> impl IntoView {
    let rows = metrics
        .into_iter()
        .filter(|metric| metric.step == 0)
        .map(|metric| {
            let interval = metric
                .interval
                .map_or_else(|| "n/a".to_owned(), |(low, high)| format!("{} to {}", number(low), number(high)));
            view! {
                <tr>
                    <th scope="row" data-label="Metric"><code>{metric.name}</code></th>
                    <td class="num" data-label="Value">{number(metric.value)}</td>
                    <td class="num" data-label="95 % interval">{interval}</td>
                    <td class="num" data-label="n">{count(metric.n.unsigned_abs())}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <TableRegion label="All metrics">
            <table class="table" data-stack>
                <caption class="visually-hidden">"All metrics of all parts of the data"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Metric"</th>
                        <th scope="col" class="num">"Value"</th>
                        <th scope="col" class="num">"95 % interval"</th>
                        <th scope="col" class="num">"n"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableRegion>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::samples;

    fn metric(name: &str) -> MetricView {
        MetricView { name: name.to_owned(), step: 0, value: 0.871, interval: Some((0.861, 0.88)), n: 4812 }
    }

    fn gate(name: &str, verdict: Verdict) -> Gate {
        Gate { verdict, ..Gate::new(name, "") }
    }

    #[test]
    fn the_success_metric_leads_and_other_parts_stay_in_the_table() {
        let metrics = [metric("test.roc_auc"), metric("validation.log_loss"), metric("test.log_loss")];
        let names: Vec<_> = tiles(&metrics, "log_loss").into_iter().map(|metric| metric.name.as_str()).collect();
        assert_eq!(names, ["test.log_loss", "test.roc_auc"]);
    }

    #[test]
    fn a_tile_is_as_bad_as_the_worst_gate_on_it() {
        let gates = [gate("success.roc_auc", Verdict::Pass), gate("champion.roc_auc", Verdict::Fail)];
        assert_eq!(tone(&metric("test.roc_auc"), &gates), Some("bad"));
    }

    #[test]
    fn a_metric_without_a_gate_has_no_tone() {
        assert_eq!(tone(&metric("test.brier"), &[gate("success.roc_auc", Verdict::Fail)]), None);
    }

    #[test]
    fn a_step_that_was_tried_again_waits_and_works_twice_in_its_row() {
        let figure = timeline_figure(&samples::run("running").timeline).expect("a figure");
        assert!(figure.caption.starts_with("2 steps in "), "{}", figure.caption);
        assert!(figure.caption.ends_with("; 1 retry."), "{}", figure.caption);
        for words in ["features: failed, waited 1 s, worked 8 s", "train: running, waited 1 s, worked 53 s"] {
            assert!(figure.svg.contains(words), "{words}: {}", figure.svg);
        }
        assert_eq!(timeline_figure(&[]), None);
    }

    #[test]
    fn what_an_external_trainer_writes_is_shown_while_it_runs_and_after() {
        let mut run = samples::run("running");
        run.steps = vec![StepView {
            state: "running".to_owned(),
            progress: Some(serde_json::json!({ "text": "epoch 2", "log": ["epoch 1", "epoch 2"] })),
            ..run.steps[0].clone()
        }];
        let shown = |run: RunView| samples::rendered("/runs/17", move || view! { <Overview run>""</Overview> });
        assert!(shown(run.clone()).contains("epoch 1\nepoch 2"));
        run.steps[0].progress = None;
        assert!(!shown(run.clone()).contains("The external trainer"));
        run.log = Some("loss 0.3".to_owned());
        assert!(shown(run).contains("loss 0.3"));
    }

    #[test]
    fn a_value_is_told_with_its_interval_and_rows() {
        assert_eq!(evidence(&metric("test.roc_auc")), "95 % 0.861 to 0.88 · n 4\u{202f}812");
    }
}
