//! How well a model of several classes knows each of them.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use millrace_charts::{count, number};

use super::evaluation::Class;
use super::plots::class_figures;
use crate::components::{TableRegion, TitledFigures};

/// A table with a row a class, those with most rows first, and the curves of one of them or of those.
#[component]
pub fn PerClass(
    /// The classes.
    classes: Vec<Class>,
    /// The run.
    run: String,
) -> impl IntoView {
    let mut classes = classes;
    classes.sort_by_key(|class| std::cmp::Reverse(class.rows));
    let known = StoredValue::new(classes.clone());
    let query = use_query_map();
    let chosen = move || query.with(|query| query.get("class").unwrap_or_default());
    let curves = move || {
        let chosen = chosen();
        let figures = known.with_value(|classes| class_figures(classes, &chosen));
        if figures.is_empty() && !chosen.is_empty() {
            return view! { <p class="muted">"No curves are kept of a class that is so rare."</p> }.into_any();
        }
        view! { <TitledFigures figures/> }.into_any()
    };
    let labels: Vec<String> = classes.iter().map(|class| class.label.clone()).collect();
    let chooser = move || view! { <ChooseClass labels=labels.clone() chosen=chosen() run=run.clone()/> };
    let rows = classes
        .into_iter()
        .map(|class| {
            view! {
                <tr>
                    <th scope="row" data-label="Class">{class.label}</th>
                    <td class="num" data-label="Rows">{count(class.rows)}</td>
                    <td class="num" data-label="Taken for it">{count(class.predicted)}</td>
                    <td class="num" data-label="Precision">{told(class.precision, class.precision_interval)}</td>
                    <td class="num" data-label="Recall">{told(class.recall, class.recall_interval)}</td>
                    <td class="num" data-label="F1">{told(class.f1, None)}</td>
                    <td class="num" data-label="ROC AUC">{told(class.roc_auc, class.roc_auc_interval)}</td>
                    <td class="num" data-label="Average precision">{told(class.pr_auc, None)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="stack stack-tight" aria-labelledby="classes">
            <h2 id="classes">"Classes"</h2>
            <p class="muted">
                "Each against all others, on the test part, with 95 % intervals. A row is taken for the class that is most probable."
            </p>
            <TableRegion label="Classes">
                <table class="table" data-stack>
                    <caption class="visually-hidden">"Classes"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Class"</th>
                            <th scope="col" class="num">"Rows"</th>
                            <th scope="col" class="num">"Taken for it"</th>
                            <th scope="col" class="num">"Precision"</th>
                            <th scope="col" class="num">"Recall"</th>
                            <th scope="col" class="num">"F1"</th>
                            <th scope="col" class="num">"ROC AUC"</th>
                            <th scope="col" class="num">"Average precision"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
            {chooser}
            {curves}
        </section>
    }
}

/// Chooses the class whose curves are drawn, without WASM as well.
#[component]
fn ChooseClass(labels: Vec<String>, chosen: String, run: String) -> impl IntoView {
    let options: Vec<_> = labels
        .into_iter()
        .map(|label| view! { <option value=label.clone() selected=label == chosen>{label.clone()}</option> })
        .collect();
    view! {
        <form method="get" action=format!("/runs/{run}") class="cluster cluster-end">
            <input type="hidden" name="tab" value="plots"/>
            <div class="field">
                <label class="label" for="curves-class">"Curves of"</label>
                <select class="input" id="curves-class" name="class">
                    <option value="">"those with most rows"</option>
                    {options}
                </select>
            </div>
            <button class="button" type="submit">"Show"</button>
        </form>
    }
}

fn told(value: Option<f64>, interval: Option<(f64, f64)>) -> impl IntoView {
    let interval = interval.map(|(low, high)| format!("{} to {}", number(low), number(high)));
    let interval = interval.map(|interval| view! { <div class="muted">{interval}</div> });
    view! {
        {value.map_or_else(|| "none".to_owned(), number)}
        {interval}
    }
}
