//! The search: what was tried, what it scored, and the best so far.

use leptos::prelude::*;
use millrace_charts::{
    Direction, Figure, Trial, TrialState, TuningHistory, count, duration, number, percent, tuning_history,
};
use millrace_domain::metric::{self, Metric};
use millrace_domain::view::{SearchedView, TrialView};
use serde_json::Value;

use super::parallel::ParallelExplorer;
use super::search_plots::{importance_figures, parallel_values, slice_figures, too_few};
use crate::components::{ChartFigure, Empty, StateBadge, TableRegion};
use crate::pages::address::query_text;
use crate::pages::quantity::{metric_words, part_and_metric};
use crate::wording::state_words;

/// Trials as a figure and as a table, best first.
#[component]
pub fn Trials(
    /// The trials.
    trials: Vec<TrialView>,
    /// What was drawn, by trainer.
    searched: Vec<SearchedView>,
    /// What so many more trials are expected to gain.
    forecast: Vec<(u32, f64)>,
    /// Name of the metric that is searched for.
    metric: String,
    /// Trials allowed.
    budget: Option<u64>,
    /// The run.
    run: String,
) -> impl IntoView {
    if trials.is_empty() {
        return view! {
            <Empty
                title="No trials"
                text="This run fits its parameters once. Give a run a budget of trials to search for better ones."
            />
        }
        .into_any();
    }
    let scale = query_text("scale");
    let of_history = StoredValue::new((trials.clone(), metric.clone()));
    let history = move || {
        let is_log = scale.get() == "log";
        of_history
            .with_value(|(trials, metric)| view! { <ChartFigure figure=history(trials, metric, budget, is_log)/> })
    };
    let objective = format!("validation {}", metric_words(&metric));
    let lines = parallel_values(&trials, &searched, &objective, direction(&metric)).map(|values| {
        let kept = vec![("tab", "trials".to_owned())];
        view! { <ParallelExplorer values id="parallel" path=format!("/runs/{run}") kept/> }
    });
    let mattered: Vec<_> =
        importance_figures(&searched).into_iter().map(|figure| view! { <ChartFigure figure/> }).collect();
    let method = (!mattered.is_empty()).then(|| {
        let text = "By PED-ANOVA (Watanabe et al. 2023): how far the values of the best trials (a tenth, five at least) are distributed otherwise than \
            those of all, each hyperparameter by itself. A whisker spans what is found when a tenth of the trials is left out.";
        view! { <p class="hint">{text}</p> }
    });
    let slices = slice_figures(&trials, &searched, &objective, direction(&metric));
    let slices = (!slices.is_empty()).then(|| {
        let figures = slices.into_iter().map(|figure| view! { <ChartFigure figure/> }).collect_view();
        view! {
            <section class="section" aria-labelledby="slices">
                <div class="section-header"><h2 id="slices">"By hyperparameter"</h2></div>
                <div class="grid grid-wide">{figures}</div>
            </section>
        }
    });
    let too_few = too_few(&searched).map(|text| view! { <p class="muted">{text}</p> });
    let forecast = gains(&forecast, &metric).map(|text| view! { <p>{text}</p> });
    let best = best_first(trials, direction(&metric));
    let leader = best.first().filter(|trial| trial.score.is_some()).map(|trial| trial.number);
    let rows = best.into_iter().map(|trial| trial_row(trial, leader, &searched)).collect_view();
    view! {
        <div class="stack">
            {history}
            {forecast}
            {lines}
            {mattered}
            {method}
            {too_few}
            <p>
                <a class="button button-small" data-icon="download" href=format!("/api/v1/runs/{run}/trials.csv") rel="external">
                    "All trials as CSV"
                </a>
            </p>
            <TableRegion label="Trials" files=false>
                <table class="table" data-stack>
                    <caption class="visually-hidden">"Trials, best first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Trial"</th>
                            <th scope="col" class="num">"Validation score"</th>
                            <th scope="col">"State"</th>
                            <th scope="col" class="num">"Training rows"</th>
                            <th scope="col" class="num">"Iterations"</th>
                            <th scope="col" class="num">"Processor time"</th>
                            <th scope="col">"Parameters"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
            {slices}
        </div>
    }
    .into_any()
}

fn trial_row(trial: TrialView, leader: Option<i32>, searched: &[SearchedView]) -> impl IntoView + use<> {
    let drawn = drawn(&trial, searched);
    let tone = (leader == Some(trial.number)).then_some("good");
    let message = trial.message.map(|message| view! { <div class="muted">{message}</div> });
    let share = if trial.share < 1.0 { percent(trial.share) } else { "all".to_owned() };
    let rounds = trial.iterations.map_or_else(String::new, |rounds| count(rounds.unsigned_abs()));
    let cost = match trial.cpu_s {
        _ if trial.reused => "taken over".to_owned(),
        Some(seconds) => duration(seconds),
        None => "n/a".to_owned(),
    };
    view! {
        <tr data-tone=tone>
            <th scope="row" data-label="Trial">{trial.number + 1}</th>
            <td class="num" data-label="Validation score">{trial.score.map_or_else(|| "n/a".to_owned(), number)}</td>
            <td data-label="State"><StateBadge state=trial.state/>{message}</td>
            <td class="num" data-label="Training rows">{share}</td>
            <td class="num" data-label="Iterations">{rounds}</td>
            <td class="num" data-label="Processor time">{cost}</td>
            <td data-label="Parameters">
                <span class="tag">{state_words(&trial.trainer)}</span>
                " "
                <code>{parameters(&drawn)}</code>
            </td>
        </tr>
    }
}

/// What more trials are expected to gain, in a sentence.
fn gains(forecast: &[(u32, f64)], metric: &str) -> Option<String> {
    let told: Vec<String> =
        forecast.iter().map(|(more, gain)| format!("{} with {more} more trials", number(*gain))).collect();
    (!told.is_empty()).then(|| {
        format!(
            "To be gained in validation {}, if trials go on as they have: about {}.",
            metric_words(metric),
            told.join(", ")
        )
    })
}

fn history(trials: &[TrialView], metric: &str, budget: Option<u64>, is_log: bool) -> Figure {
    // Those that saw most rows decide.
    let most_rows = trials.iter().filter(|trial| trial.score.is_some()).map(|trial| trial.share).fold(0.0, f64::max);
    let state = |trial: &TrialView| match state(&trial.state) {
        TrialState::Complete if trial.share < most_rows => TrialState::Partial,
        state => state,
    };
    let direction = direction(metric);
    let values = TuningHistory {
        objective: format!("validation {}", metric_words(metric)),
        direction,
        // What is better the more it is ends at one, whatever it measures.
        most: (direction == Direction::Maximise).then_some(1.0),
        is_log,
        trials: trials
            .iter()
            .map(|trial| Trial {
                number: u64::from(trial.number.unsigned_abs()) + 1,
                value: trial.score,
                state: state(trial),
            })
            .collect(),
        budget,
    };
    tuning_history(&values, "tuning")
}

fn direction(metric: &str) -> Direction {
    match part_and_metric(metric).1.parse::<Metric>().map(Metric::direction) {
        Ok(metric::Direction::Down) => Direction::Minimise,
        Ok(metric::Direction::Up) | Err(()) => Direction::Maximise,
    }
}

fn state(word: &str) -> TrialState {
    match word {
        "running" | "queued" => TrialState::Running,
        "failed" => TrialState::Failed,
        "pruned" => TrialState::Pruned,
        "stopped" => TrialState::Stopped,
        "infeasible" => TrialState::Infeasible,
        _ => TrialState::Complete,
    }
}

/// Trials that saw most rows come first, since they decide; those without a score stay at the end, whichever way is better.
fn best_first(mut trials: Vec<TrialView>, direction: Direction) -> Vec<TrialView> {
    let cost = |trial: &TrialView| match (trial.score.filter(|score| score.is_finite()), direction) {
        (Some(score), Direction::Minimise) => score,
        (Some(score), Direction::Maximise) => -score,
        (None, _) => f64::INFINITY,
    };
    let rank = |trial: &TrialView| if cost(trial).is_finite() { -trial.share } else { 1.0 };
    trials.sort_by(|a, b| rank(a).total_cmp(&rank(b)).then(cost(a).total_cmp(&cost(b))).then(a.number.cmp(&b.number)));
    trials
}

/// What was drawn of a trial's parameters; all of them when that is not known.
fn drawn(trial: &TrialView, searched: &[SearchedView]) -> Value {
    let of = searched.iter().find(|of| of.trainer == trial.trainer && !of.hyperparameters.is_empty());
    match (of, &trial.parameters) {
        (Some(of), Value::Object(all)) => {
            let is_drawn = |name: &str| of.hyperparameters.iter().any(|one| one.name == name);
            Value::Object(
                all.iter()
                    .filter(|(name, _)| is_drawn(name))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
            )
        }
        (_, all) => all.clone(),
    }
}

fn parameters(parameters: &Value) -> String {
    let Value::Object(fields) = parameters else {
        return parameters.to_string();
    };
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| match value {
            Value::Number(n) if n.is_f64() => {
                format!("{name} {}", n.as_f64().map_or_else(|| n.to_string(), number))
            }
            Value::String(text) => format!("{name} {text}"),
            other => format!("{name} {other}"),
        })
        .collect();
    fields.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn trial(number: i32, score: Option<f64>) -> TrialView {
        TrialView {
            number,
            trainer: "logistic".to_owned(),
            share: 1.0,
            iterations: None,
            cpu_s: None,
            reused: false,
            parameters: json!({}),
            score,
            state: "succeeded".to_owned(),
            message: None,
        }
    }

    fn order(direction: Direction) -> Vec<i32> {
        let trials = vec![trial(0, None), trial(1, Some(0.7)), trial(2, Some(f64::NAN)), trial(3, Some(0.9))];
        best_first(trials, direction).into_iter().map(|trial| trial.number).collect()
    }

    #[test]
    fn what_has_no_score_is_last_in_both_directions() {
        assert_eq!(order(Direction::Maximise), [3, 1, 0, 2]);
        assert_eq!(order(Direction::Minimise), [1, 3, 0, 2]);
    }

    #[test]
    fn what_saw_all_rows_comes_before_what_saw_few() {
        let few = TrialView { share: 0.25, ..trial(0, Some(0.9)) };
        let sorted = best_first(vec![few, trial(1, Some(0.5)), trial(2, None)], Direction::Maximise);
        assert_eq!(sorted.into_iter().map(|trial| trial.number).collect::<Vec<_>>(), [1, 0, 2]);
    }

    #[test]
    fn the_metric_says_which_way_is_better() {
        assert_eq!(direction("validation.rmse"), Direction::Minimise);
        assert_eq!(direction("roc_auc"), Direction::Maximise);
    }

    #[test]
    fn parameters_are_one_line() {
        assert_eq!(parameters(&json!({"depth": 6, "rate": 0.1})), "depth 6, rate 0.1");
    }
}
