//! Figures of what a search found out about hyperparameters.

use millrace_charts::{
    Bar, Coordinate, Direction, Figure, HorizontalBars, ParallelAxis, ParallelCoordinates, ParallelLine, SettingPoint,
    SettingSlice, horizontal_bars, setting_slice,
};
use millrace_domain::trainer::{LEAST_TRIALS, Settings, is_met};
use millrace_domain::view::{DrawnView, SearchedView, TrialView};
use serde::Deserialize;
use serde_json::Value;

use crate::wording::state_words;

/// A line for each trial over what was drawn. Of a search whose trials saw different shares of the rows it is those that saw fewest,
/// which are all that were drawn; none of a single trial.
pub(super) fn parallel_values(
    trials: &[TrialView],
    searched: &[SearchedView],
    objective: &str,
    direction: Direction,
) -> Option<ParallelCoordinates> {
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
        let of_axis = |(of, one): &(&SearchedView, &DrawnView)| coordinate(drawn_value(of, one, trial)?);
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
        ..ParallelCoordinates::default()
    };
    (drawn.len() > 1 && !axes.is_empty()).then_some(values)
}

/// What a trial drew of a hyperparameter; none where it was not drawn.
fn drawn_value<'a>(of: &SearchedView, one: &DrawnView, trial: &'a TrialView) -> Option<&'a Value> {
    let settings = || Settings::deserialize(&trial.parameters).unwrap_or_default();
    let is_drawn = of.trainer == trial.trainer && (one.when.is_empty() || is_met(&one.when, &settings()));
    trial.parameters.get(&one.name).filter(|_| is_drawn)
}

pub(super) fn coordinate(value: &Value) -> Option<Coordinate> {
    match value {
        Value::Number(number) => number.as_f64().map(Coordinate::Number),
        Value::String(word) => Some(Coordinate::Word(word.clone())),
        _ => None,
    }
}

/// What came out at each value of every hyperparameter that was drawn. Of a search whose trials saw different shares of the rows it is
/// those that saw most, whose scores can be compared.
pub(super) fn slice_figures(
    trials: &[TrialView],
    searched: &[SearchedView],
    objective: &str,
    direction: Direction,
) -> Vec<Figure> {
    let scored = || trials.iter().filter_map(|trial| Some((trial, trial.score?)));
    let most = scored().map(|(trial, _)| trial.share).fold(0.0, f64::max);
    let has_several = searched.len() > 1;
    let figure = |(place, (of, one)): (usize, (&SearchedView, &DrawnView))| {
        let own = scored().filter(|(trial, _)| trial.share >= most);
        let point = |(trial, objective): (&TrialView, f64)| {
            let value = coordinate(drawn_value(of, one, trial)?)?;
            Some(SettingPoint { label: format!("trial {}", trial.number + 1), value, objective })
        };
        let setting =
            if has_several { format!("{} of {}", one.name, state_words(&of.trainer)) } else { one.name.clone() };
        let values = SettingSlice {
            setting,
            is_log: one.is_log,
            objective: objective.to_owned(),
            direction,
            points: own.filter_map(point).collect(),
        };
        (values.points.len() > 1).then(|| setting_slice(&values, &format!("slice-{place}")))
    };
    let drawn = searched.iter().flat_map(|of| of.hyperparameters.iter().map(move |one| (of, one)));
    drawn.enumerate().filter_map(figure).collect()
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
    use millrace_charts::parallel_coordinates;
    use millrace_domain::trainer::Condition;
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
        let drawn =
            DrawnView { name: name.to_owned(), is_log: true, importance, interval: None, when: Condition::new() };
        SearchedView { trainer: trainer.to_owned(), trials, hyperparameters: vec![drawn] }
    }

    #[test]
    fn trials_of_several_trainers_are_on_one_picture() {
        let trials = [
            trial(0, "logistic", json!({"alpha": 0.1, "tolerance": 1e-6}), Some(0.8)),
            trial(1, "random_forest", json!({"max_depth": 8}), Some(0.9)),
        ];
        let searched = [searched("logistic", "alpha", 1, None), searched("random_forest", "max_depth", 1, None)];
        let values = parallel_values(&trials, &searched, "validation ROC AUC", Direction::Maximise).expect("values");
        let figure = parallel_coordinates(&values, "parallel");
        assert!(figure.caption.contains("0.9 in trial 2"), "{}", figure.caption);
        assert!(!figure.html().contains("tolerance"), "what was not drawn is not shown");
    }

    #[test]
    fn slices_hold_only_trials_whose_scores_can_be_compared() {
        let on_part = TrialView { share: 0.1, ..trial(3, "logistic", json!({"alpha": 0.9}), Some(0.99)) };
        let trials = [
            trial(0, "logistic", json!({"alpha": 0.1}), Some(0.8)),
            trial(1, "logistic", json!({"alpha": 0.2}), Some(0.7)),
            trial(2, "logistic", json!({"alpha": 0.3}), None),
            on_part,
        ];
        let searched = [searched("logistic", "alpha", 3, None)];
        let figures = slice_figures(&trials, &searched, "validation ROC AUC", Direction::Maximise);
        let captions: Vec<_> = figures.iter().map(|figure| figure.caption.as_str()).collect();
        assert_eq!(captions, ["Best validation ROC AUC 0.8 at alpha 0.1 in trial 1; 2 trials."]);
    }

    #[test]
    fn one_trial_is_no_picture() {
        let one = [trial(0, "logistic", json!({"alpha": 0.1}), Some(0.8))];
        let searched = [searched("logistic", "alpha", 1, None)];
        assert_eq!(parallel_values(&one, &searched, "x", Direction::Maximise), None);
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
