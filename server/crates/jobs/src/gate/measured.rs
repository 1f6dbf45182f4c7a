//! Gates on what was measured on rows that the model has not seen.

use std::sync::Arc;

use millrace_domain::gate::{Gate, MARGIN, Verdict};
use millrace_domain::metric::{Direction, Metric};
use millrace_domain::problem::{Goal, ProblemDocument};
use millrace_ml::evaluate::{Outcomes, compare, flips};
use millrace_ml::features::Labels;
use millrace_ml::gate::{NonInferiority, non_inferiority};
use millrace_ml::model::{Model, outcomes};
use millrace_ml::split::Part;
use millrace_ml::train::answers_to_training;

use crate::evaluate::{Measured, Tested};
use crate::load::Prepared;

use super::held;

/// Test rows below which a metric gives no verdict.
const FEWEST_ROWS: u64 = 30;

fn on_test(metric: Metric, tested: &Tested) -> Option<&Measured> {
    tested.metrics.iter().find(|measured| measured.part == Part::Test && measured.metric == metric)
}

/// A goal of the document on the test part.
pub(super) fn reached(kind: &str, document: &ProblemDocument, goal: &Goal, tested: &Tested) -> Gate {
    let measured = on_test(goal.metric, tested);
    let verdict = match measured {
        Some(measured) if measured.n >= FEWEST_ROWS => held(goal.bound.holds(measured.value)),
        _ => Verdict::Insufficient,
    };
    Gate {
        verdict,
        observed: measured.map(|measured| measured.value),
        threshold: Some(goal.bound.limit()),
        n: tested.test_rows,
        interval: measured.and_then(|measured| measured.interval),
        note: (verdict == Verdict::Insufficient)
            .then(|| format!("needs the metric on at least {FEWEST_ROWS} test rows")),
        ..Gate::new(
            format!("{kind}.{}", goal.metric),
            format!("{} on the test part {}", goal.metric.title(), document.target.counted(goal.metric, goal.bound)),
        )
    }
}

/// A model that is no better than always answering alike has learned nothing.
pub(super) fn baseline(metric: Metric, tested: &Tested) -> Gate {
    let measured = on_test(metric, tested);
    let floor = tested.baseline.get(&metric).copied();
    let verdict = match (measured, floor) {
        (Some(measured), Some(floor)) => held(metric.is_better(measured.value, floor)),
        _ => Verdict::Insufficient,
    };
    Gate {
        verdict,
        observed: measured.map(|measured| measured.value),
        threshold: floor,
        n: tested.test_rows,
        interval: measured.and_then(|measured| measured.interval),
        ..Gate::new("baseline", format!("{} better than always answering alike", metric.title()))
    }
}

/// One gate for each value of a slice rule with enough rows; one that lacks evidence when no value has enough.
pub(super) fn slices(document: &ProblemDocument, tested: &Tested) -> Vec<Gate> {
    let mut gates = Vec::new();
    for (slice, values) in document.slices.iter().zip(&tested.slices) {
        let bound = document.target.counted(slice.goal.metric, slice.goal.bound);
        let rule = |value: &str| format!("{} where {} is {value} {bound}", slice.goal.metric.title(), slice.by);
        let threshold = Some(slice.goal.bound.limit());
        let large: Vec<_> = values.iter().filter(|value| value.rows >= slice.min_rows).collect();
        if large.is_empty() {
            gates.push(Gate {
                threshold,
                n: values.iter().map(|value| value.rows).max().unwrap_or(0),
                note: Some(format!("no value of {} has {} test rows", slice.by, slice.min_rows)),
                ..Gate::new(format!("slice.{}", slice.by), rule("any one value"))
            });
            continue;
        }
        for value in large {
            let name = value.value.as_deref().unwrap_or("missing");
            gates.push(Gate {
                verdict: value.observed.map_or(Verdict::Insufficient, |seen| held(slice.goal.bound.holds(seen))),
                observed: value.observed,
                threshold,
                n: value.rows,
                interval: value.interval,
                note: value.observed.is_none().then(|| "the metric is not defined on these rows".to_owned()),
                ..Gate::new(format!("slice.{}={name}", slice.by), rule(name))
            });
        }
    }
    gates
}

pub(super) fn measured_on(prepared: &Prepared, part: Part, model: &Model) -> Result<Outcomes, String> {
    of_same_classes(&prepared.labels, model.classes())?;
    let rows = prepared.split.rows(part);
    let predictions = model.predict(&prepared.dataset.take(rows)).map_err(|error| error.to_string())?;
    outcomes(&prepared.labels, rows, &predictions).map_err(|error| error.to_string())
}

/// On what it was fitted on, told of it as it was then.
fn measured_on_training(prepared: &Prepared, model: &Model, seed: u64) -> Result<Outcomes, String> {
    of_same_classes(&prepared.labels, model.classes())?;
    let (labels, split) = (&prepared.labels, &prepared.split);
    let predictions = answers_to_training(model.predictor(), &prepared.table, labels, split, seed);
    let predictions = predictions.map_err(|error| error.to_string())?;
    outcomes(labels, split.rows(Part::Train), &predictions).map_err(|error| error.to_string())
}

/// Outcomes know classes by their places: those of a model must be those of the labels.
fn of_same_classes(labels: &Labels, known: &[Arc<str>]) -> Result<(), String> {
    let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    match labels {
        Labels::Classes { names, .. } if known != *names => {
            Err(format!("the model knows the classes {}; the data has {}", known.join(", "), names.join(", ")))
        }
        _ => Ok(()),
    }
}

/// A model that does much better on what it was trained on has learned its rows by heart.
pub(super) fn train_gap(
    prepared: &Prepared,
    metric: Metric,
    limit: f64,
    tested: &Tested,
    model: &Model,
    seed: u64,
) -> Gate {
    let gate = Gate {
        threshold: Some(limit),
        n: tested.test_rows,
        ..Gate::new(
            "train_gap",
            format!("{} on the training part at most {limit} better than on the test part", metric.title()),
        )
    };
    let trained = match measured_on_training(prepared, model, seed) {
        Ok(trained) => trained.metric(metric),
        Err(reason) => return Gate { note: Some(format!("the training part cannot be measured: {reason}")), ..gate },
    };
    let (Some(trained), Some(held_out)) = (trained, on_test(metric, tested)) else {
        return Gate { note: Some("the metric is not defined on these rows".to_owned()), ..gate };
    };
    let gap = match metric.direction() {
        Direction::Up => trained - held_out.value,
        Direction::Down => held_out.value - trained,
    };
    Gate {
        verdict: if held_out.n >= FEWEST_ROWS { held(gap <= limit) } else { Verdict::Insufficient },
        observed: Some(gap),
        note: Some(format!("training {trained:.4}, test {:.4}", held_out.value)),
        ..gate
    }
}

/// Two models on the same test rows.
pub(super) struct Beside {
    number: i32,
    rows: u64,
    outcomes: Result<(Outcomes, Outcomes), String>,
}

impl Beside {
    /// Measures the challenger beside the live version of that number.
    pub(super) fn new(prepared: &Prepared, number: i32, champion: &Model, challenger: &Model) -> Self {
        let outcomes = measured_on(prepared, Part::Test, champion)
            .and_then(|old| measured_on(prepared, Part::Test, challenger).map(|new| (old, new)));
        Self { number, rows: prepared.split.rows(Part::Test).len() as u64, outcomes }
    }

    fn cannot(&self, gate: Gate, reason: &str) -> Gate {
        let note = Some(format!("the live version {} cannot be measured on this data: {reason}", self.number));
        Gate { n: self.rows, note, ..gate }
    }

    /// The challenger must not be worse than the champion.
    pub(super) fn not_worse(&self, metric: Metric, seed: u64) -> Gate {
        let percent = MARGIN * 100.0;
        let rule = format!("{} at most {percent} % worse than the live version {}", metric.title(), self.number);
        let gate = Gate { n: self.rows, ..Gate::new("champion", rule) };
        let compared = match &self.outcomes {
            Ok((old, new)) => compare(metric, old, new, seed).map_err(|error| error.to_string()),
            Err(reason) => return self.cannot(gate, reason),
        };
        let comparison = match compared {
            Ok(Some(comparison)) => comparison,
            Ok(None) => return Gate { note: Some("the metric is not defined on these rows".to_owned()), ..gate },
            Err(reason) => return self.cannot(gate, &reason),
        };
        let margin = MARGIN * comparison.champion.abs();
        let way = if metric.direction() == Direction::Up { "up" } else { "down" };
        Gate {
            verdict: match non_inferiority(&comparison, margin) {
                NonInferiority::Shown => Verdict::Pass,
                NonInferiority::Refuted => Verdict::Fail,
                NonInferiority::Open => Verdict::Insufficient,
            },
            observed: Some(comparison.improvement),
            threshold: Some(-margin),
            interval: comparison.interval,
            note: Some(format!(
                "challenger {:.4}, champion {:.4}; shown is the improvement ({way} is better), paired over the same rows",
                comparison.challenger, comparison.champion
            )),
            ..gate
        }
    }

    /// What callers get right today they must not get wrong tomorrow, however good the average is.
    pub(super) fn negative_flips(&self, limit: f64) -> Gate {
        let percent = limit * 100.0;
        let rule = format!("at most {percent} % of the answers wrong that the live version {} gets right", self.number);
        let gate = Gate { threshold: Some(limit), n: self.rows, ..Gate::new("negative_flips", rule) };
        let (old, new) = match &self.outcomes {
            Ok(both) => both,
            Err(reason) => return self.cannot(gate, reason),
        };
        match flips(old, new) {
            Ok(flips) if self.rows >= FEWEST_ROWS => Gate {
                verdict: held(flips.share_lost() <= limit),
                observed: Some(flips.share_lost()),
                interval: flips.interval(),
                note: Some(format!("{} lost, {} won of {} test rows", flips.lost, flips.won, flips.rows)),
                ..gate
            },
            Ok(_) => Gate { note: Some(format!("needs at least {FEWEST_ROWS} test rows")), ..gate },
            Err(error) => self.cannot(gate, &error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use millrace_domain::metric::TargetKind;
    use millrace_domain::schema::Value;

    use super::*;

    #[test]
    fn a_model_of_other_classes_is_not_measured_however_many_there_are() {
        let given = ["stayed", "churned", "stayed"].map(|class| Value::Text(class.into()));
        let labels = Labels::of(TargetKind::Binary, given.into_iter()).expect("two classes");
        let known = |names: [&str; 2]| names.map(Arc::<str>::from);
        assert_eq!(of_same_classes(&labels, &known(["churned", "stayed"])), Ok(()));
        let refused = of_same_classes(&labels, &known(["no", "yes"]));
        let told = "the model knows the classes no, yes; the data has churned, stayed";
        assert_eq!(refused, Err(told.to_owned()));
    }
}
