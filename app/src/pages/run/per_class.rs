//! How well a model of several classes knows each of them.

use leptos::prelude::*;
use millrace_charts::{count, number};

use super::evaluation::Class;

/// A table with a row a class, those with most rows first.
#[component]
pub fn PerClass(
    /// The classes.
    classes: Vec<Class>,
) -> impl IntoView {
    let mut classes = classes;
    classes.sort_by_key(|class| std::cmp::Reverse(class.rows));
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
            <div class="table-wrap" role="region" aria-label="Classes" tabindex="0">
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
            </div>
        </section>
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
