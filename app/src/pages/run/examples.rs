//! Test rows to look at: how a model was right or wrong, in rows.

use leptos::prelude::*;
use millrace_charts::{count, number};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::components::{Load, TableRegion};
use crate::fault::PageFault;

/// What holds them.
pub(super) const EXAMPLES: &str = "examples";

/// The id under which rows of one class that were taken for another stand on the page: letters and digits as they are, all else by number.
pub(super) fn rows_place(actual: &str, predicted: &str) -> String {
    let written = |name: &str| -> String {
        let letter = |letter: char| match letter {
            letter if letter.is_ascii_alphanumeric() => letter.to_string(),
            letter => format!("_{:x}_", u32::from(letter)),
        };
        name.chars().map(letter).collect()
    };
    format!("rows-{}-{}", written(actual), written(predicted))
}

/// The rows that a run's evaluation kept; none before it, and of runs of earlier versions of the program.
#[server(name = FetchExamples, prefix = "/fn", endpoint = "run_examples")]
pub async fn fetch_examples(id: String) -> Result<Option<Examples>, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    match services.run_artifact(&actor, crate::pages::address::id(&id, "run")?, EXAMPLES).await {
        Err(fault) if fault.status == 404 => Ok(None),
        kept => Ok(serde_json::from_slice(&kept?.1).ok()),
    }
}

/// Rows that the evaluation kept.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Examples {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Ways of being right or wrong; one of a regression.
    pub cells: Vec<ExampleCell>,
}

/// Rows of a class that were taken for the same one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ExampleCell {
    /// How many there are.
    pub rows: u64,
    /// Some of them, the most surprising first.
    pub examples: Vec<Example>,
}

/// A row and its answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Example {
    /// Its place in the dataset version, from 0.
    pub row: u64,
    /// What came true.
    pub actual: Value,
    /// What was answered.
    pub predicted: Value,
    /// Probability that was given to what came true; none of a number.
    pub probability: Option<f64>,
    /// Its columns.
    pub values: Vec<Value>,
}

impl ExampleCell {
    fn is_wrong(&self) -> bool {
        self.examples.first().is_some_and(|example| example.actual != example.predicted)
    }

    fn title(&self) -> String {
        let rows = if self.rows == 1 { "1 row".to_owned() } else { format!("{} rows", count(self.rows)) };
        match self.examples.first() {
            Some(Example { actual, predicted, probability: Some(_), .. }) if actual == predicted => {
                format!("{} rightly told: {rows}", words(actual))
            }
            Some(Example { actual, predicted, probability: Some(_), .. }) => {
                format!("{} taken for {}: {rows}", words(actual), words(predicted))
            }
            _ => "The rows that are furthest off".to_owned(),
        }
    }
}

/// What stands below the plots. It is fetched beside the run, not with it: only who looks at the plots needs it.
#[component]
pub(super) fn RunExamples(
    /// The rows; none of a run that kept none.
    examples: Resource<Result<Option<Examples>, PageFault>>,
) -> impl IntoView {
    view! {
        <Load resource=examples let:examples>
            {examples.filter(|examples| !examples.cells.is_empty()).map(|examples| view! { <ExampleRows examples/> })}
        </Load>
    }
}

/// Each way of being right or wrong with its rows, mistakes first and of them the most frequent.
#[component]
fn ExampleRows(examples: Examples) -> impl IntoView {
    let Examples { columns, mut cells } = examples;
    let is_of_classes = cells.iter().flat_map(|cell| &cell.examples).any(|example| example.probability.is_some());
    let which = if is_of_classes { "Of the test part, at the model's own threshold" } else { "Of the test part" };
    cells.sort_by_key(|cell| (!cell.is_wrong(), std::cmp::Reverse(cell.rows)));
    let cells: Vec<_> = cells
        .into_iter()
        .enumerate()
        .filter(|(_, cell)| !cell.examples.is_empty())
        .map(|(place, cell)| view! { <Cell cell columns=columns.clone() open=place == 0/> })
        .collect();
    view! {
        <section class="stack stack-tight" aria-labelledby="rows">
            <h2 id="rows">"Rows to look at"</h2>
            <p class="muted">
                {which} ": those first whose answer is furthest from what came true."
            </p>
            {cells}
        </section>
    }
}

#[component]
fn Cell(cell: ExampleCell, columns: Vec<String>, open: bool) -> impl IntoView {
    let title = cell.title();
    let place = cell.examples.first().map(|example| rows_place(&words(&example.actual), &words(&example.predicted)));
    let has_probability = cell.examples.iter().any(|example| example.probability.is_some());
    let heads: Vec<_> = columns.iter().map(|name| view! { <th scope="col">{name.clone()}</th> }).collect();
    let told = if has_probability {
        view! { <th scope="col" class="num">"Probability of what came true"</th> }.into_any()
    } else {
        view! {
            <th scope="col" class="num">"Came true"</th>
            <th scope="col" class="num">"Predicted"</th>
        }
        .into_any()
    };
    let rows: Vec<_> = cell
        .examples
        .into_iter()
        .map(|example| {
            let told = match example.probability {
                Some(probability) => {
                    view! { <td class="num" data-label="Probability of what came true">{number(probability)}</td> }
                        .into_any()
                }
                None => view! {
                    <td class="num" data-label="Came true">{words(&example.actual)}</td>
                    <td class="num" data-label="Predicted">{words(&example.predicted)}</td>
                }
                .into_any(),
            };
            let values: Vec<_> = columns
                .iter()
                .zip(&example.values)
                .map(|(name, value)| view! { <td data-label=name.clone()>{words(value)}</td> })
                .collect();
            view! { <tr><th scope="row" data-label="Row">{count(example.row + 1)}</th>{told}{values}</tr> }
        })
        .collect();
    view! {
        <details open=open>
            <summary>{title.clone()}</summary>
            // Whoever follows a link to what is in a disclosure gets it opened by the browser.
            <TableRegion id=place label=title>
                <table class="table" data-stack>
                    <thead><tr><th scope="col">"Row"</th>{told}{heads}</tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
        </details>
    }
}

fn words(value: &Value) -> String {
    match value {
        Value::Null => "missing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(value) => value.as_f64().map_or_else(|| value.to_string(), number),
        other => other.to_string(),
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pages::samples::rendered;

    #[test]
    fn mistakes_come_first_with_their_rows() {
        let example = |actual: &str, predicted: &str| json!({ "row": 6, "actual": actual, "predicted": predicted, "probability": 0.02, "values": [7.5, null] });
        let examples = json!({
            "columns": ["fare", "company"],
            "cells": [
                { "rows": 40, "examples": [example("yes", "yes")] },
                { "rows": 1, "examples": [example("no", "yes")] },
            ],
        });
        let examples = serde_json::from_value(examples).unwrap();
        let html = rendered("/runs/1?tab=plots", || view! { <ExampleRows examples/> });
        let (wrong, right) = (html.find("no taken for yes: 1 row<"), html.find("yes rightly told: 40 rows"));
        assert!(wrong.is_some() && wrong < right, "{html}");
        assert!(html.contains(">7.5<") && html.contains(">missing<") && html.contains(">7</th>"), "{html}");
    }

    #[test]
    fn the_places_of_rows_differ_where_classes_do_and_hold_no_space() {
        assert_eq!(rows_place("no tip", "a"), "rows-no_20_tip-a");
        assert_ne!(rows_place("a-b", "c"), rows_place("a", "b-c"));
        assert_ne!(rows_place("a_20_b", ""), rows_place("a b", ""));
    }

    #[test]
    fn a_regression_tells_what_came_true_beside_what_was_predicted() {
        let furthest = json!({ "row": 0, "actual": 30.0, "predicted": 11.25, "probability": null, "values": [] });
        let cell = ExampleCell { rows: 90, examples: vec![serde_json::from_value(furthest).unwrap()] };
        let examples = Examples { columns: Vec::new(), cells: vec![cell] };
        let html = rendered("/runs/1?tab=plots", || view! { <ExampleRows examples/> });
        assert!(html.contains("furthest off") && html.contains(">30<") && html.contains(">11.25<"), "{html}");
    }
}
