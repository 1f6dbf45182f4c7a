//! A run that a program elsewhere logs: the courses of its metrics, their newest values, parameters and tags.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use millrace_charts::{Figure, Line, LineChart, line_chart, number};
use millrace_domain::view::{Course, MetricView, RunView};
use serde_json::{Value, json};

use super::artifacts::Artifacts;
use super::curve_look::{ChooseLook, CurveLook, Points, has_times};
use crate::components::{ChartFigure, Empty, JsonFacts, KeyValue, KeyValues, TableRegion};

/// What there is instead of steps, gates and plots of the pipeline.
#[component]
pub fn TrackedRun(
    /// The run.
    run: RunView,
) -> impl IntoView {
    let is_whole = run.courses.len() == run.metrics.len();
    let query = use_query_map();
    let drawn = StoredValue::new(run.courses.clone());
    let look = move || query.with(CurveLook::from_query);
    let figures = move || {
        drawn
            .with_value(|courses| course_figures(courses, look()))
            .into_iter()
            .map(|figure| view! { <ChartFigure figure/> })
            .collect_view()
    };
    let path = format!("/runs/{}", run.summary.id);
    let has_times = has_times(&[&run.courses]);
    let courses = (!run.courses.is_empty()).then(|| {
        view! {
            <section class="section" aria-labelledby="courses">
                <div class="section-header"><h2 id="courses">"Courses"</h2></div>
                {move || view! { <ChooseLook path=path.clone() kept=Vec::new() look=look() has_times/> }}
                <div class="grid grid-wide">{figures}</div>
                {(!is_whole)
                    .then(|| {
                        view! {
                            <p class="muted">
                                "What has one value, and what comes after twenty-four courses, is in the table alone."
                            </p>
                        }
                    })}
            </section>
        }
    });
    let artifacts = (!run.artifacts.is_empty()).then(|| {
        let (artifacts, run) = (run.artifacts.clone(), run.summary.id.clone());
        view! {
            <section class="section" aria-labelledby="artifacts">
                <div class="section-header"><h2 id="artifacts">"Artifacts"</h2></div>
                <Artifacts artifacts run/>
            </section>
        }
    });
    let metrics = match run.metrics.is_empty() {
        true => view! { <NoMetrics run=run.summary.id.clone()/> }.into_any(),
        false => view! { <Newest metrics=run.metrics/> }.into_any(),
    };
    let tags: serde_json::Map<String, Value> = run.tags.into_iter().map(|(name, value)| (name, json!(value))).collect();
    view! {
        <div class="split">
            <div class="split-main stack stack-loose">
                {courses}
                <section class="section" aria-labelledby="newest">
                    <div class="section-header"><h2 id="newest">"Metrics"</h2></div>
                    {metrics}
                </section>
                {artifacts}
            </div>
            <aside class="split-side stack">
                <section class="card">
                    <div class="card-header"><h2>"Parameters"</h2></div>
                    <div class="card-body">
                        <JsonFacts document=run.parameters.unwrap_or_default() label="Parameters" stacked=true/>
                    </div>
                </section>
                <section class="card">
                    <div class="card-header"><h2>"Tags"</h2></div>
                    <div class="card-body"><JsonFacts document=Value::Object(tags) label="Tags" stacked=true/></div>
                </section>
                <section class="card">
                    <div class="card-header"><h2>"Where it stands"</h2></div>
                    <div class="card-body stack">
                        <p>
                            "A program logs this run. Its data and code were not checked here, so no model comes of it: it can be "
                            "found and compared. What is to be served is trained by a run of the pipeline."
                        </p>
                        <KeyValues stacked=true>
                            <KeyValue name="Id for MLflow"><code>{run.summary.id}</code></KeyValue>
                        </KeyValues>
                    </div>
                </section>
            </aside>
        </div>
    }
}

#[component]
fn NoMetrics(run: String) -> impl IntoView {
    let text =
        format!("They appear once the program logs some: MlflowClient().log_metric(\"{run}\", \"loss\", 0.31, step=1)");
    view! { <Empty title="No metrics yet" text/> }
}

#[component]
fn Newest(metrics: Vec<MetricView>) -> impl IntoView {
    let rows = metrics
        .into_iter()
        .filter(|metric| metric.step == 0)
        .map(|metric| {
            view! {
                <tr>
                    <th scope="row" data-label="Metric">{metric.name}</th>
                    <td class="num" data-label="Newest value">{number(metric.value)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <TableRegion label="Metrics">
            <table class="table" data-stack>
                <thead><tr><th scope="col">"Metric"</th><th scope="col" class="num">"Newest value"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </TableRegion>
    }
}

/// A figure for each course of a run, with its running mean where one is asked for.
pub(super) fn course_figures(courses: &[Course], look: CurveLook) -> Vec<Figure> {
    let (mut drawn, along) = look.points(&[courses]);
    let drawn = courses.iter().zip(drawn.pop().unwrap_or_default()).enumerate();
    let figure = |(place, (course, points)): (usize, (&Course, Points))| {
        let line = |label: String, points| Line { label, points, band: Vec::new() };
        let mean = look.smoothed(&points).zip(look.smoothing);
        let mean = mean.map(|(points, weight)| line(format!("smoothed by {}", number(weight)), points));
        let values = LineChart {
            title: course.name.clone(),
            x: along.clone(),
            y: course.name.clone(),
            conclusion: conclusion(&course.points),
            // The first one is on top.
            lines: mean.into_iter().chain([line(course.name.clone(), points)]).collect(),
            threshold: None,
            annotations: Vec::new(),
        };
        line_chart(&values, &format!("course-{place}"))
    };
    drawn.map(figure).collect()
}

/// The newest, least and greatest value, and where.
fn conclusion(points: &[(i64, f64)]) -> Option<String> {
    let finite = || points.iter().copied().filter(|point| point.1.is_finite());
    let least = finite().reduce(|one, other| if other.1 < one.1 { other } else { one })?;
    let most = finite().reduce(|one, other| if other.1 > one.1 { other } else { one })?;
    let last = points.last()?;
    Some(format!(
        "{} at step {}; least {} at {}, greatest {} at {}.",
        number(last.1),
        number(last.0 as f64),
        number(least.1),
        number(least.0 as f64),
        number(most.1),
        number(most.0 as f64)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::samples;

    #[test]
    fn a_course_is_told_by_its_ends() {
        let told = conclusion(&[(1, 0.6), (2, f64::NAN), (3, 0.2), (4, 0.3)]);
        assert_eq!(told.as_deref(), Some("0.3 at step 4; least 0.2 at 3, greatest 0.6 at 1."));
        assert_eq!(conclusion(&[(1, f64::NAN)]), None);
    }

    #[test]
    fn values_tags_and_the_reason_why_nothing_comes_of_it_are_there() {
        let mut run = samples::run("running");
        run.summary.tracked = Some("try 7".to_owned());
        let html = samples::rendered("/runs/17", move || view! { <TrackedRun run/> });
        for part in ["loss", "risk", "no model comes of it", "test.roc_auc"] {
            assert!(html.contains(part), "{part} in {html}");
        }
    }

    #[test]
    fn a_run_without_metrics_says_how_to_log_one() {
        let mut run = samples::run("running");
        (run.metrics, run.courses) = (Vec::new(), Vec::new());
        let html = samples::rendered("/runs/17", move || view! { <TrackedRun run/> });
        assert!(html.contains("log_metric"), "{html}");
    }
}
