//! The threshold explorer: what saying yes earlier or later would change, on the test part.

use leptos::prelude::*;
use leptos_router::components::Form;
use leptos_router::hooks::use_query_map;
use millrace_charts::{Annotation, Figure, Line, LineChart, XAxis, count, line_chart, number, percent};
use millrace_domain::metric::Costs;
use millrace_domain::view::MetricView;

use super::evaluation::{AtThreshold, Evaluation};
use super::plots::at_threshold;
use crate::components::{ChartFigure, TitledFigures};

/// Moves the threshold, and shows rates, cost, the points on the curves and the confusion matrix at it. The address carries it, so that it works and can be sent without
/// scripts.
#[component]
pub fn ThresholdExplorer(
    /// Of a binary model.
    evaluation: Evaluation,
    /// What was measured.
    metrics: Vec<MetricView>,
    /// The run.
    run: String,
) -> impl IntoView {
    let own = evaluation.threshold.unwrap_or(0.5);
    let costs = evaluation.costs.unwrap_or_default();
    let is_told = evaluation.costs.is_some();
    let asked = use_query_map()
        .with_untracked(|query| query.get("threshold").and_then(|text| text.parse::<f64>().ok()))
        .filter(|asked| (0.0..=1.0).contains(asked));
    let chosen = RwSignal::new(asked.unwrap_or(own));
    let points = StoredValue::new(evaluation.thresholds.clone());
    let at = Memo::new(move |_| points.with_value(|points| AtThreshold::find(points, chosen.get())));
    let figure = Memo::new(move |_| points.with_value(|points| figure(points, chosen.get(), own, costs, is_told)));
    let cheapest = cheapest(&evaluation.thresholds, costs);
    let drawn = StoredValue::new((evaluation, metrics));
    let moved = Memo::new(move |_| {
        let at = at.get()?;
        Some(drawn.with_value(|(evaluation, metrics)| at_threshold(evaluation, metrics, chosen.get(), at)))
    });
    // What is dragged is of use to scripts alone.
    let is_live = RwSignal::new(false);
    Effect::new(move |_| is_live.set(true));
    let choose = move |event| {
        if let Some(asked) = event_target_value(&event).parse().ok().filter(|asked| (0.0..=1.0).contains(asked)) {
            chosen.set(asked);
        }
    };
    view! {
        <section class="stack stack-tight">
            <h2>"Threshold"</h2>
            <p class="muted">{intent(own, costs, is_told)}</p>
            <Form method="GET" action=format!("/runs/{run}") attr:class="filters">
                <input type="hidden" name="tab" value="plots"/>
                <div class="field">
                    <label class="label" for="threshold">"Say yes above the score"</label>
                    <input
                        class="input"
                        id="threshold"
                        name="threshold"
                        type="number"
                        min="0"
                        max="1"
                        step="any"
                        required
                        prop:value=move || chosen.get().to_string()
                        value=chosen.get_untracked().to_string()
                        on:change=choose
                    />
                    <input
                        type="range"
                        min="0"
                        max="1"
                        step="0.005"
                        aria-label="The same, by dragging"
                        hidden=move || !is_live.get()
                        prop:value=move || chosen.get().to_string()
                        on:input=choose
                    />
                </div>
                <button class="button" type="submit">"Keep in the address"</button>
            </Form>
            {move || at.get().map(|at| view! { <Outcome at costs is_told/> })}
            {move || view! { <ChartFigure figure=figure.get()/> }}
            {move || view! { <TitledFigures figures=moved.get().unwrap_or_default()/> }}
            {cheapest
                .map(|(threshold, cost)| {
                    view! {
                        <p class="muted">
                            {format!(
                                "Cheapest on the test part would be {}, at {} a row. The model's threshold follows from the costs \
                                 and not from these rows, which are kept for judging.",
                                number(threshold),
                                number(cost),
                            )}
                        </p>
                    }
                })}
        </section>
    }
}

fn intent(own: f64, costs: Costs, is_told: bool) -> String {
    if is_told {
        format!(
            "The model says yes above {}: a false alarm costs {}, a miss {}.",
            number(own),
            number(costs.false_positive),
            number(costs.false_negative)
        )
    } else {
        format!(
            "The model says yes above {}. The problem names no costs of errors, so each counts as 1; with [target.costs] in the \
             document the threshold follows from them.",
            number(own)
        )
    }
}

#[component]
fn Outcome(at: AtThreshold, costs: Costs, is_told: bool) -> impl IntoView {
    let shown = |share: Option<f64>| share.map_or_else(|| "none".to_owned(), percent);
    let cost = if is_told { "Cost a row" } else { "Errors a row" };
    view! {
        <div class="grid grid-stats">
            <Stat label="Right alarms" value=count(at.true_positive) note=format!("recall {}", shown(at.recall()))/>
            <Stat label="False alarms" value=count(at.false_positive) note=format!("precision {}", shown(at.precision()))/>
            <Stat label="Misses" value=count(at.false_negative) note=format!("{} said no rightly", count(at.true_negative))/>
            <Stat label=cost value=number(at.cost(costs)) note=format!("{} in all", number(at.cost(costs) * at.rows()))/>
        </div>
    }
}

#[component]
fn Stat(label: &'static str, value: String, note: String) -> impl IntoView {
    view! {
        <div class="stat">
            <span class="stat-label">{label}</span>
            <span class="stat-value">{value}</span>
            <span class="stat-note">{note}</span>
        </div>
    }
}

/// The threshold that costs least, the lowest of equals, and its cost a row.
fn cheapest(points: &[AtThreshold], costs: Costs) -> Option<(f64, f64)> {
    let all = points.iter().map(|point| (point.threshold, point.cost(costs)));
    all.reduce(|best, one| if one.1 < best.1 { one } else { best })
}

fn figure(points: &[AtThreshold], chosen: f64, own: f64, costs: Costs, is_told: bool) -> Figure {
    let line = |label: &str, of: &dyn Fn(&AtThreshold) -> Option<f64>| Line {
        label: label.to_owned(),
        points: points.iter().filter_map(|point| Some((point.threshold, of(point)?))).collect(),
        band: Vec::new(),
    };
    // Costs are drawn as a share of the greatest, so that they stand beside rates.
    let greatest = points.iter().map(|point| point.cost(costs)).fold(f64::MIN_POSITIVE, f64::max);
    let mut annotations = vec![Annotation { x: own, label: "the model's".to_owned() }];
    if (chosen - own).abs() > 1e-9 {
        annotations.push(Annotation { x: chosen, label: "chosen".to_owned() });
    }
    let values = LineChart {
        title: "What a threshold does".to_owned(),
        x: XAxis::Number("Threshold".to_owned()),
        y: "Share".to_owned(),
        lines: vec![
            line("precision", &|point| point.precision()),
            line("recall", &|point| point.recall()),
            line(if is_told { "cost, of the greatest" } else { "errors, of the most" }, &|point| {
                Some(point.cost(costs) / greatest)
            }),
        ],
        threshold: None,
        annotations,
        conclusion: AtThreshold::find(points, chosen).map(|at| told(at, chosen, costs, is_told)),
    };
    line_chart(&values, "threshold")
}

fn told(at: AtThreshold, chosen: f64, costs: Costs, is_told: bool) -> String {
    let shown = |share: Option<f64>| share.map_or_else(|| "none".to_owned(), percent);
    let cost = if is_told { "cost" } else { "errors" };
    format!(
        "Above {}: precision {}, recall {}, {cost} a row {}.",
        number(chosen),
        shown(at.precision()),
        shown(at.recall()),
        number(at.cost(costs))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points() -> Vec<AtThreshold> {
        [[0.1, 0.0, 6.0, 0.0, 4.0], [0.5, 4.0, 2.0, 1.0, 3.0], [0.9, 6.0, 0.0, 3.0, 1.0]]
            .map(AtThreshold::from)
            .to_vec()
    }

    #[test]
    fn the_cheapest_threshold_moves_with_the_costs() {
        let costs = |false_positive, false_negative| Costs { false_positive, false_negative };
        assert_eq!(cheapest(&points(), costs(1.0, 1.0)), Some((0.5, 0.3)));
        assert_eq!(cheapest(&points(), costs(1.0, 9.0)), Some((0.1, 0.6)));
        assert_eq!(cheapest(&[], costs(1.0, 1.0)), None);
    }

    #[test]
    fn between_two_points_the_lower_one_holds() {
        let at = |threshold| AtThreshold::find(&points(), threshold).map(|point| point.threshold);
        assert_eq!((at(0.5), at(0.7), at(1.0), at(0.0)), (Some(0.5), Some(0.5), Some(0.9), Some(0.1)));
    }
}
