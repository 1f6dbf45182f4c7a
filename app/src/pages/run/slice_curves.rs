//! Curves of a binary model on a part of the rows: whether it tells classes apart for everybody.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use millrace_charts::{Curve, Figure, PrecisionRecall, Roc, precision_recall, roc};
use millrace_domain::view::MetricView;

use super::evaluation::{Evaluation, SliceCurve, SliceCurves};
use super::plots::Scores;
use crate::components::TitledFigures;

/// Slices that are drawn over each other beside all rows.
const MOST_SLICES: usize = 7;

/// The curves of one slice, or of the largest of a column, beside those of all rows; nothing where no rule is about slices.
#[component]
pub fn CurvesBySlice(
    /// Of a binary model.
    evaluation: Evaluation,
    /// What was measured.
    metrics: Vec<MetricView>,
    /// The run.
    run: String,
) -> impl IntoView {
    let choices = choices(&evaluation.slice_curves);
    if choices.is_empty() {
        return ().into_any();
    }
    let query = use_query_map();
    let asked = move |name: &str| query.with(|query| query.get(name).unwrap_or_default());
    let known = StoredValue::new((evaluation, metrics));
    let curves = move || {
        let figures = known.with_value(|(evaluation, metrics)| figures(evaluation, metrics, &asked("slice")));
        view! { <TitledFigures figures/> }
    };
    let chooser = move || {
        view! { <ChooseSlice choices=choices.clone() chosen=asked("slice") threshold=asked("threshold") run=run.clone()/> }
    };
    view! {
        <section class="stack stack-tight" aria-labelledby="slice-curves">
            <h2 id="slice-curves">"Curves by slice"</h2>
            <p class="muted">
                "Of the columns that the document has rules on, on the test part; of slices with rows of both classes."
            </p>
            {chooser}
            {curves}
        </section>
    }
    .into_any()
}

/// What may be looked at: the largest slices of a column, and each alone.
fn choices(columns: &[SliceCurves]) -> Vec<String> {
    let of = |column: &SliceCurves| {
        let each = column.values.iter().map(|slice| choice(&column.by, slice)).collect::<Vec<_>>();
        std::iter::once(column.by.clone()).chain(each)
    };
    columns.iter().filter(|column| !column.values.is_empty()).flat_map(of).collect()
}

fn choice(by: &str, slice: &SliceCurve) -> String {
    match &slice.value {
        Some(value) => format!("{by} = {value}"),
        None => format!("{by} is missing"),
    }
}

/// The slices that a choice means: what is none of them is the first column.
fn chosen<'c>(columns: &'c [SliceCurves], asked: &str) -> Vec<(String, &'c SliceCurve)> {
    let named = |column: &'c SliceCurves| {
        column.values.iter().map(|slice| (choice(&column.by, slice), slice)).collect::<Vec<_>>()
    };
    if let Some(column) = columns.iter().find(|column| column.by == asked) {
        return named(column).into_iter().take(MOST_SLICES).collect();
    }
    if let Some(one) = columns.iter().flat_map(named).find(|(name, _)| name == asked) {
        return vec![one];
    }
    columns.iter().take(1).flat_map(named).take(MOST_SLICES).collect()
}

fn figures(evaluation: &Evaluation, metrics: &[MetricView], asked: &str) -> Vec<Figure> {
    let slices = chosen(&evaluation.slice_curves, asked);
    let scores = Scores { metrics };
    let all =
        |points: &[(f64, f64)], metric: &str| Curve { label: "all rows".to_owned(), ..scores.curve(points, metric) };
    let own = |label: &String, points: &[(f64, f64)], score: Option<f64>, interval: Option<(f64, f64)>| Curve {
        label: label.clone(),
        points: points.to_vec(),
        score,
        interval,
    };
    let rates = slices.iter().map(|(name, slice)| own(name, &slice.roc, slice.roc_auc, slice.roc_auc_interval));
    let rates = rates.chain([all(&evaluation.roc, "roc_auc")]).collect();
    let precise = slices.iter().map(|(name, slice)| own(name, &slice.pr, slice.pr_auc, None));
    let precise = precise.chain([all(&evaluation.precision_recall, "pr_auc")]).collect();
    // Each slice has its own share of positives, so of several there is no one line of guessing.
    let prevalence = match slices.as_slice() {
        [(_, one)] if one.rows > 0 => Some(one.positives as f64 / one.rows as f64),
        _ => None,
    };
    vec![
        roc(&Roc { curves: rates, operating_point: None }, "slice-roc"),
        precision_recall(
            &PrecisionRecall { curves: precise, prevalence, operating_point: None },
            "slice-precision-recall",
        ),
    ]
}

/// Chooses the slice whose curves are drawn, without WASM as well.
#[component]
fn ChooseSlice(choices: Vec<String>, chosen: String, threshold: String, run: String) -> impl IntoView {
    let options: Vec<_> = choices
        .into_iter()
        .map(|name| view! { <option value=name.clone() selected=name == chosen>{name.clone()}</option> })
        .collect();
    let threshold = (!threshold.is_empty()).then(|| view! { <input type="hidden" name="threshold" value=threshold/> });
    view! {
        <form method="get" action=format!("/runs/{run}") class="cluster cluster-end">
            <input type="hidden" name="tab" value="plots"/>
            {threshold}
            <div class="field">
                <label class="label" for="curves-slice">"Curves of"</label>
                <select class="input" id="curves-slice" name="slice">{options}</select>
            </div>
            <button class="button" type="submit">"Show"</button>
        </form>
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn evaluation() -> Evaluation {
        let slice = |value: serde_json::Value, rows: u64| {
            json!({
                "value": value, "rows": rows, "positives": rows / 5, "roc_auc": 0.8, "roc_auc_interval": [0.7, 0.9],
                "pr_auc": 0.6, "roc": [[0.0, 0.0], [0.2, 0.8], [1.0, 1.0]], "pr": [[0.0, 1.0], [1.0, 0.2]]
            })
        };
        Evaluation::read(&json!({
            "test": {"roc": [[0.0, 0.0], [1.0, 1.0]], "pr": [[0.0, 1.0], [1.0, 0.4]]},
            "slice_curves": [
                {"by": "payment", "values": [slice(json!("card"), 700), slice(json!(null), 50)]},
                {"by": "region", "values": [slice(json!("north"), 400)]}],
        }))
    }

    #[test]
    fn a_column_or_one_slice_of_it_is_chosen_and_else_the_first_column() {
        let evaluation = evaluation();
        let columns = &evaluation.slice_curves;
        assert_eq!(choices(columns), ["payment", "payment = card", "payment is missing", "region", "region = north"]);
        let names = |asked: &str| chosen(columns, asked).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names("region"), ["region = north"]);
        assert_eq!(names("payment is missing"), ["payment is missing"]);
        assert_eq!(names("nonsense"), ["payment = card", "payment is missing"]);
    }

    #[test]
    fn a_slice_is_drawn_beside_all_rows_with_its_own_share_of_positives() {
        let drawn = figures(&evaluation(), &[], "payment = card");
        assert!(drawn[0].svg.contains("payment = card") && drawn[0].svg.contains("all rows"), "{}", drawn[0].svg);
        assert!(drawn[1].svg.contains("prevalence 0.2"), "{}", drawn[1].svg);
        let several = figures(&evaluation(), &[], "payment");
        assert!(!several[1].svg.contains("prevalence"), "{}", several[1].svg);
    }
}
