//! Figures of what a search found out about hyperparameters.

use millrace_charts::{
    Bar, Coordinate, Direction, Figure, HorizontalBars, ParallelAxis, ParallelCoordinates, ParallelLine,
    horizontal_bars, parallel_coordinates,
};
use millrace_domain::trainer::LEAST_TRIALS;
use millrace_domain::view::{DrawnView, SearchedView, TrialView};
use serde_json::Value;

use crate::wording::state_words;

/// A line for each trial over what was drawn. Of a search whose trials saw different shares of the rows it is those that saw fewest,
/// which are all that were drawn; none of a single trial.
pub(super) fn parallel_figure(
    trials: &[TrialView],
    searched: &[SearchedView],
    objective: &str,
    direction: Direction,
) -> Option<Figure> {
    let share = trials.iter().map(|trial| trial.share).reduce(f64::min)?;
    let drawn: Vec<&TrialView> = trials.iter().filter(|trial| trial.share == share).collect();
    let axes: Vec<(&SearchedView, &DrawnView)> =
        searched.iter().flat_map(|of| of.hyperparameters.iter().map(move |one| (of, one))).collect();
    let has_several = searched.len() > 1;
    let name = |(of, one): &(&SearchedView, &DrawnView)| ParallelAxis {
        name: if has_several { format!("{}: {}", state_words(&of.trainer), one.name) } else { one.name.clone() },
        is_log: one.is_log,
    };
    let trainer = has_several.then(|| ParallelAxis { name: "trainer".to_owned(), is_log: false });
    let line = |trial: &&TrialView| {
        let of_axis = |(of, one): &(&SearchedView, &DrawnView)| {
            let own = trial.parameters.get(&one.name).filter(|_| of.trainer == trial.trainer)?;
            coordinate(own)
        };
        let trainer = has_several.then(|| Some(Coordinate::Word(state_words(&trial.trainer))));
        ParallelLine {
            label: format!("trial {}", trial.number + 1),
            values: trainer.into_iter().chain(axes.iter().map(of_axis)).collect(),
            objective: trial.score,
        }
    };
    let values = ParallelCoordinates {
        objective: objective.to_owned(),
        direction,
        axes: trainer.into_iter().chain(axes.iter().map(name)).collect(),
        lines: drawn.iter().map(line).collect(),
    };
    (drawn.len() > 1 && !axes.is_empty()).then(|| parallel_coordinates(&values, "parallel"))
}

pub(super) fn coordinate(value: &Value) -> Option<Coordinate> {
    match value {
        Value::Number(number) => number.as_f64().map(Coordinate::Number),
        Value::String(word) => Some(Coordinate::Word(word.clone())),
        _ => None,
    }
}

/// How much each hyperparameter mattered, a figure for each trainer of which there are trials enough.
pub(super) fn importance_figures(searched: &[SearchedView]) -> Vec<Figure> {
    let figure = |(place, of): (usize, &SearchedView)| {
        let bar =
            |one: &DrawnView| Some(Bar { label: one.name.clone(), value: one.importance?, interval: one.interval });
        let bars: Vec<Bar> = of.hyperparameters.iter().filter_map(bar).collect();
        let values = HorizontalBars {
            title: format!("What mattered in {}", state_words(&of.trainer)),
            quantity: "share of what hyperparameters explain".to_owned(),
            is_signed: false,
            bars,
            limit: None,
        };
        (!values.bars.is_empty()).then(|| horizontal_bars(&values, &format!("mattered-{place}")))
    };
    searched.iter().enumerate().filter_map(figure).collect()
}

/// Why there is nothing to say of some trainers; none when there is of all.
pub(super) fn too_few(searched: &[SearchedView]) -> Option<String> {
    let silent = searched.iter().filter(|of| of.hyperparameters.iter().all(|one| one.importance.is_none()));
    let few: Vec<String> = silent
        .filter(|of| (of.trials as usize) < LEAST_TRIALS && !of.hyperparameters.is_empty())
        .map(|of| format!("{} of {}", of.trials, state_words(&of.trainer)))
        .collect();
    (!few.is_empty()).then(|| {
        format!(
            "Which hyperparameters mattered is told from {LEAST_TRIALS} trials with a score on; there are {}.",
            few.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn trial(number: i32, trainer: &str, parameters: Value, score: Option<f64>) -> TrialView {
        TrialView {
            number,
            trainer: trainer.to_owned(),
            share: 1.0,
            iterations: None,
            cpu_s: None,
            reused: false,
            parameters,
            score,
            state: "succeeded".to_owned(),
            message: None,
        }
    }

    fn searched(trainer: &str, name: &str, trials: u64, importance: Option<f64>) -> SearchedView {
        let drawn = DrawnView { name: name.to_owned(), is_log: true, importance, interval: None };
        SearchedView { trainer: trainer.to_owned(), trials, hyperparameters: vec![drawn] }
    }

    #[test]
    fn trials_of_several_trainers_are_on_one_picture() {
        let trials = [
            trial(0, "logistic", json!({"alpha": 0.1, "tolerance": 1e-6}), Some(0.8)),
            trial(1, "random_forest", json!({"max_depth": 8}), Some(0.9)),
        ];
        let searched = [searched("logistic", "alpha", 1, None), searched("random_forest", "max_depth", 1, None)];
        let figure = parallel_figure(&trials, &searched, "validation ROC AUC", Direction::Maximise).expect("a figure");
        assert!(figure.caption.contains("0.9 in trial 2"), "{}", figure.caption);
        assert!(!figure.html().contains("tolerance"), "what was not drawn is not shown");
    }

    #[test]
    fn one_trial_is_no_picture() {
        let one = [trial(0, "logistic", json!({"alpha": 0.1}), Some(0.8))];
        let searched = [searched("logistic", "alpha", 1, None)];
        assert_eq!(parallel_figure(&one, &searched, "x", Direction::Maximise), None);
    }

    #[test]
    fn too_few_trials_are_said_and_enough_are_drawn() {
        let few = [searched("logistic", "alpha", 7, None)];
        assert_eq!(importance_figures(&few), []);
        assert!(too_few(&few).expect("a word").contains("there are 7 of"));
        let enough = [searched("logistic", "alpha", 30, Some(1.0))];
        assert_eq!((importance_figures(&enough).len(), too_few(&enough)), (1, None));
    }
}
