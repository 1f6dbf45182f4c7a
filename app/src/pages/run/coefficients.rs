//! The equations of a linear model: what one more of each term adds, and how sure that is.

use leptos::prelude::*;
use millrace_charts::number;

use super::evaluation::{Equation, Errors, Linear};
use crate::components::TableRegion;

/// Rows of a table; the artifact has them all.
const MOST: usize = 100;
/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// One table, or one a class.
#[component]
pub fn Equations(
    /// What was fitted.
    linear: Linear,
    /// The run.
    run: String,
) -> impl IntoView {
    let is_classes = linear.equations.iter().any(|equation| equation.class.is_some());
    let unit = match (is_classes, linear.equations.len()) {
        (false, _) => "the prediction",
        (true, 1) => "the log-odds, before any calibration",
        (true, _) => "the score of the class",
    };
    let errors = match (&linear.errors, &linear.no_errors) {
        (Some(_), _) => format!(
            "Errors and intervals (95 %) are what the {} rows of the training part leave open; where there is a penalty (alpha), what it \
             and the rows leave open together.",
            linear.rows
        ),
        (None, why) => format!("There are no standard errors: {}.", why.as_deref().unwrap_or("they were not computed")),
    };
    let is_several = linear.equations.len() > 1;
    let tables = linear.equations.iter().enumerate().map(|(place, equation)| {
        let errors = linear.errors.clone().filter(|_| place == 0);
        let class = equation.class.clone().filter(|_| is_several).map(|class| view! { <h3>{class}</h3> });
        view! { {class} <Terms equation=equation.clone() errors run=run.clone()/> }
    });
    let tables = tables.collect_view();
    view! {
        <section class="stack stack-tight" aria-labelledby="coefficients">
            <h2 id="coefficients">"Coefficients"</h2>
            <p class="muted">{format!("What one more of each adds to {unit}, all others staying as they are. {errors}")}</p>
            {tables}
        </section>
    }
}

/// A line of a table.
struct Line {
    term: String,
    weight: f64,
    error: Option<f64>,
}

/// The constant, then the terms: those that are surest first, or else the largest.
fn lines(equation: &Equation, errors: Option<&Errors>) -> Vec<Line> {
    let error = |place: usize| errors.and_then(|errors| errors.terms.get(place).copied());
    let terms = equation.terms.iter().enumerate();
    let mut lines: Vec<Line> = terms
        .map(|(place, (term, weight))| Line { term: term.clone(), weight: *weight, error: error(place) })
        .collect();
    let size = |line: &Line| (line.weight / line.error.filter(|error| *error > 0.0).unwrap_or(1.0)).abs();
    lines.sort_by(|one, other| size(other).total_cmp(&size(one)));
    let constant =
        Line { term: "constant".to_owned(), weight: equation.intercept, error: errors.map(|errors| errors.intercept) };
    [constant].into_iter().chain(lines).collect()
}

#[component]
fn Terms(equation: Equation, errors: Option<Errors>, run: String) -> impl IntoView {
    let lines = lines(&equation, errors.as_ref());
    let left = lines.len().saturating_sub(MOST);
    let has_errors = errors.is_some();
    let head = has_errors.then(|| {
        view! {
            <th scope="col" class="num">"Standard error"</th>
            <th scope="col" class="num">"z"</th>
            <th scope="col" class="num">"95 % interval"</th>
        }
    });
    let rows = lines
        .into_iter()
        .take(MOST)
        .map(|Line { term, weight, error }| {
            let sure = error.map(|error| {
                let z = if error > 0.0 { number(weight / error) } else { "none".to_owned() };
                let interval = format!("{} to {}", number(weight - Z * error), number(weight + Z * error));
                view! {
                    <td class="num" data-label="Standard error">{number(error)}</td>
                    <td class="num" data-label="z">{z}</td>
                    <td class="num" data-label="95 % interval">{interval}</td>
                }
            });
            view! {
                <tr>
                    <th scope="row" data-label="Term">{term}</th>
                    <td class="num" data-label="Coefficient">{number(weight)}</td>
                    {sure}
                </tr>
            }
        })
        .collect_view();
    let title = equation.class.map_or_else(|| "Coefficients".to_owned(), |class| format!("Coefficients of {class}"));
    let caption = title.clone();
    let more = (left > 0).then(|| {
        view! {
            <p class="muted">
                {format!("{left} more are in the ")} <a href=format!("/api/v1/runs/{run}/artifacts/evaluation") rel="external">"evaluation"</a> "."
            </p>
        }
    });
    view! {
        <TableRegion label=title>
            <table class="table" data-stack>
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>
                        <th scope="col">"Term"</th>
                        <th scope="col" class="num">"Coefficient"</th>
                        {head}
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableRegion>
        {more}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surest_term_comes_after_the_constant() {
        let terms = vec![("loose".to_owned(), 9.0), ("sure".to_owned(), 2.0)];
        let equation = Equation { class: None, intercept: 0.1, terms };
        let errors = Errors { intercept: 1.0, terms: vec![9.0, 0.1] };
        let order = |errors| lines(&equation, errors).into_iter().map(|line| line.term).collect::<Vec<_>>();
        assert_eq!(order(Some(&errors)), ["constant", "sure", "loose"]);
        assert_eq!(order(None), ["constant", "loose", "sure"]);
    }
}
