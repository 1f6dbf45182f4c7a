//! What the hyperparameters of trainers are, which values they may have, and where a search looks.

use leptos::prelude::*;
use millrace_charts::number;
use millrace_domain::trainer::{Hyperparameter, Range, Scale, Trainer};

use crate::components::TableRegion;
use crate::wording::state_words;

/// A table for each trainer that declares its own; those of a program are declared beside it.
#[component]
pub fn Hyperparameters(
    /// Names of trainers.
    trainers: Vec<String>,
) -> impl IntoView {
    let declared = trainers.iter().filter_map(|name| name.parse::<Trainer>().ok());
    let tables: Vec<_> = declared.filter(|trainer| !trainer.hyperparameters().is_empty()).map(table).collect();
    (!tables.is_empty()).then(|| {
        view! {
            <section class="section stack stack-tight" aria-labelledby="hyperparameters">
                <div class="section-header"><h2 id="hyperparameters">"Hyperparameters"</h2></div>
                {tables}
            </section>
        }
    })
}

fn table(trainer: Trainer) -> impl IntoView {
    let title = state_words(trainer.as_str());
    let rows: Vec<_> = trainer.hyperparameters().iter().map(row).collect();
    view! {
        <details>
            <summary>{title.clone()}</summary>
            <TableRegion label=format!("Hyperparameters of {title}")>
                <table class="table" data-stack>
                    <thead>
                        <tr>
                            <th scope="col">"Name"</th>
                            <th scope="col" class="num">"Default"</th>
                            <th scope="col">"Values"</th>
                            <th scope="col">"A search looks"</th>
                            <th scope="col">"What it does"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
        </details>
    }
}

fn row(parameter: &Hyperparameter) -> impl IntoView + use<> {
    let searched = parameter.search.map_or_else(|| "at the default".to_owned(), |range| looked_at(&range));
    view! {
        <tr>
            <th scope="row" data-label="Name"><code>{parameter.name}</code></th>
            <td class="num" data-label="Default">{parameter.default.as_f64().map(number)}</td>
            <td data-label="Values">{between(&parameter.range)}</td>
            <td data-label="A search looks">{searched}</td>
            <td data-label="What it does">{parameter.description}</td>
        </tr>
    }
}

fn between(range: &Range) -> String {
    match *range {
        Range::Number { low, high, .. } => format!("{} to {}", number(low), number(high)),
        Range::Integer { low, high, .. } => format!("whole, {} to {}", number(low as f64), number(high as f64)),
    }
}

fn looked_at(range: &Range) -> String {
    let (Range::Number { scale, .. } | Range::Integer { scale, .. }) = range;
    match scale {
        Scale::Linear => between(range),
        Scale::Log => format!("{}, equal factors alike", between(range)),
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use crate::pages::samples::rendered;

    #[test]
    fn each_trainer_tells_what_may_be_set_and_where_a_search_looks() {
        let trainers = ["gradient_boosting", "external:tabnet"].map(str::to_owned).to_vec();
        let html = rendered("/runs/new", move || view! { <Hyperparameters trainers/> });
        for expected in [">eta<", "0.01 to 0.3, equal factors alike", "whole, 2 to 1\u{202f}024", "at the default"] {
            assert!(html.contains(expected), "{expected} is not in {html}");
        }
        assert_eq!(html.matches("<details").count(), 1, "a program declares its own: {html}");
    }
}
