//! Gate: derives the gates from the signed document and decides. All gates always run.

use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use millrace_domain::Digest;
use millrace_domain::expr::Row;
use millrace_domain::gate::{Decision, Gate, MARGIN, Verdict as GateVerdict, decide};
use millrace_domain::metric::{Bound, Direction, Metric};
use millrace_domain::problem::{Goal, ProblemDocument};
use millrace_domain::run::StepKind;
use millrace_domain::schema::{Finding, Value};
use millrace_executor::{Commit, Context, StepError, Verdict, commit};
use millrace_ml::evaluate::compare;
use millrace_ml::gate::{NonInferiority, latency_quantile, non_inferiority};
use millrace_ml::model::{AsOf, Model, Prediction, outcomes};
use millrace_ml::split::Part;
use millrace_ml::validate::copies_of_target;
use millrace_storage::step::Failure;
use millrace_storage::{deployment, model};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use crate::evaluate::{Evaluated, Measured};
use crate::lifecycle::GATES_NOT_PASSED;
use crate::load::{Frames, Launched, Prepared, prepare};
use crate::stage::Stage;

pub(crate) struct Gates;

pub(crate) struct Input {
    launched: Launched,
    frames: Frames,
    evaluated: Evaluated,
    challenger: Bytes,
    champion: Option<(i32, Bytes)>,
}

/// What the gates said.
#[derive(Serialize, Deserialize)]
pub(crate) struct Judged {
    pub model: Digest,
    pub gates: Vec<Gate>,
}

/// Test rows below which a metric gives no verdict.
const FEWEST_ROWS: u64 = 30;
/// Single predictions that are timed.
const TIMED: usize = 2_000;

#[async_trait]
impl Stage for Gates {
    type Input = Input;
    type Output = Judged;
    const KIND: StepKind = StepKind::Gate;
    /// Who is champion, and how fast this machine is, are not among the inputs' digests.
    const REUSABLE: bool = false;

    async fn load(&self, context: &Context) -> Result<Input, StepError> {
        let launched = Launched::of(context).await?;
        let frames = launched.frames(context).await?;
        let evaluated: Evaluated = serde_json::from_value(context.output_of(StepKind::Evaluate.as_str()).await?)
            .map_err(|error| StepError::refused("internal", format!("the evaluation cannot be read: {error}")))?;
        let challenger = context.artifacts().get(&evaluated.model).await?;
        let live = deployment::find(context.db().pool(), &launched.problem.slug).await?;
        let champion = match live.and_then(|live| live.champion) {
            None => None,
            Some(id) => match model::find(context.db().pool(), id).await? {
                None => None,
                Some(version) => Some((version.number, context.artifacts().get(&version.artifact).await?)),
            },
        };
        Ok(Input { launched, frames, evaluated, challenger, champion })
    }

    fn digest(&self, input: &Input) -> Digest {
        let champion = input.champion.as_ref().map(|(number, content)| (number, Digest::of(content)));
        Digest::of_canonical(&json!({
            "dataset": input.launched.data_digest(),
            "problem": input.launched.problem.digest,
            "model": input.evaluated.model,
            "champion": champion,
        }))
    }

    async fn compute(&self, context: &Context, input: Input) -> Result<Judged, StepError> {
        context
            .compute(move |reporter| {
                reporter.report(json!({ "text": "judging" }));
                judge(&input)
            })
            .await
    }

    fn verdict(&self, output: &Judged) -> Verdict {
        match decide(&output.gates) {
            Decision::Passed => Verdict::GoOn,
            Decision::Rejected(open) => Verdict::Stop(Failure {
                code: GATES_NOT_PASSED.to_owned(),
                message: format!("these gates did not pass: {}", open.join(", ")),
            }),
        }
    }

    fn commit(&self, _context: &Context, _output: Judged) -> Commit {
        commit(|_| Box::pin(async { Ok(()) }))
    }
}

fn judge(input: &Input) -> Result<Judged, StepError> {
    let document = &input.launched.problem.document;
    let evaluated = &input.evaluated;
    let read = |content: &[u8]| {
        Model::from_bytes(content)
            .map_err(|error| StepError::refused("corrupt_model", format!("a kept model cannot be read: {error}")))
    };
    let challenger = read(&input.challenger)?;
    let prepared = prepare(&input.frames, document)?;
    let mut gates = vec![metric_gate("success", &document.success, evaluated)];
    gates.extend(document.guardrails.iter().map(|goal| metric_gate("guardrail", goal, evaluated)));
    gates.push(baseline_gate(document.success.metric, evaluated));
    gates.extend(slice_gates(document, evaluated));
    if let Some((number, content)) = &input.champion {
        let champion = read(content)?;
        let metric = document.success.metric;
        gates.push(champion_gate(&prepared, metric, *number, &champion, &challenger, input.launched.seed()));
    }
    gates.push(leakage_gate(document, &prepared));
    gates.push(parity_gate(&prepared, &challenger));
    gates.push(latency_gate(document, &prepared, &challenger));
    Ok(Judged { model: evaluated.model, gates })
}

fn test_value(metric: Metric, evaluated: &Evaluated) -> Option<&Measured> {
    evaluated.metrics.iter().find(|measured| measured.part == Part::Test && measured.metric == metric)
}

fn held(holds: bool) -> GateVerdict {
    if holds { GateVerdict::Pass } else { GateVerdict::Fail }
}

fn metric_gate(kind: &str, goal: &Goal, evaluated: &Evaluated) -> Gate {
    let measured = test_value(goal.metric, evaluated);
    let verdict = match measured {
        Some(measured) if measured.n >= FEWEST_ROWS => held(goal.bound.holds(measured.value)),
        _ => GateVerdict::Insufficient,
    };
    Gate {
        name: format!("{kind}.{}", goal.metric),
        rule: format!("{} on the test part {}", goal.metric.title(), goal.bound),
        verdict,
        observed: measured.map(|measured| measured.value),
        threshold: Some(goal.bound.limit()),
        n: evaluated.test_rows,
        interval: measured.and_then(|measured| measured.interval),
        note: (verdict == GateVerdict::Insufficient)
            .then(|| format!("needs the metric on at least {FEWEST_ROWS} test rows")),
    }
}

/// A model that is no better than always answering alike has learned nothing.
fn baseline_gate(metric: Metric, evaluated: &Evaluated) -> Gate {
    let measured = test_value(metric, evaluated);
    let floor = evaluated.baseline.get(&metric).copied();
    let verdict = match (measured, floor) {
        (Some(measured), Some(floor)) => held(metric.is_better(measured.value, floor)),
        _ => GateVerdict::Insufficient,
    };
    Gate {
        name: "baseline".to_owned(),
        rule: format!("{} better than always answering alike", metric.title()),
        verdict,
        observed: measured.map(|measured| measured.value),
        threshold: floor,
        n: evaluated.test_rows,
        interval: measured.and_then(|measured| measured.interval),
        note: None,
    }
}

/// One gate for each value of a slice rule with enough rows; one that lacks evidence when no value has enough.
fn slice_gates(document: &ProblemDocument, evaluated: &Evaluated) -> Vec<Gate> {
    let mut gates = Vec::new();
    for (slice, values) in document.slices.iter().zip(&evaluated.slices) {
        let rule =
            |value: &str| format!("{} where {} is {value} {}", slice.goal.metric.title(), slice.by, slice.goal.bound);
        let large: Vec<_> = values.iter().filter(|value| value.rows >= slice.min_rows).collect();
        if large.is_empty() {
            gates.push(Gate {
                name: format!("slice.{}", slice.by),
                rule: rule("any one value"),
                verdict: GateVerdict::Insufficient,
                observed: None,
                threshold: Some(slice.goal.bound.limit()),
                n: values.iter().map(|value| value.rows).max().unwrap_or(0),
                interval: None,
                note: Some(format!("no value of {} has {} test rows", slice.by, slice.min_rows)),
            });
            continue;
        }
        for value in large {
            gates.push(Gate {
                name: format!("slice.{}={}", slice.by, value.value.as_deref().unwrap_or("missing")),
                rule: rule(value.value.as_deref().unwrap_or("missing")),
                verdict: value.observed.map_or(GateVerdict::Insufficient, |seen| held(slice.goal.bound.holds(seen))),
                observed: value.observed,
                threshold: Some(slice.goal.bound.limit()),
                n: value.rows,
                interval: value.interval,
                note: value.observed.is_none().then(|| "the metric is not defined on these rows".to_owned()),
            });
        }
    }
    gates
}

/// The challenger must not be worse than the champion on the same held-out rows.
fn champion_gate(
    prepared: &Prepared,
    metric: Metric,
    number: i32,
    champion: &Model,
    challenger: &Model,
    seed: u64,
) -> Gate {
    let rows = prepared.split.rows(Part::Test);
    let held_out = prepared.dataset.take(rows);
    let scored = |model: &Model| {
        let predictions = model.predict(&held_out).map_err(|error| error.to_string())?;
        outcomes(&prepared.labels, rows, &predictions).map_err(|error| error.to_string())
    };
    let compared = scored(champion)
        .and_then(|old| scored(challenger).map(|new| (old, new)))
        .and_then(|(old, new)| compare(metric, &old, &new, seed).map_err(|error| error.to_string()));
    let mut gate = Gate {
        name: "champion".to_owned(),
        rule: format!("{} at most {} % worse than the live version {number}", metric.title(), MARGIN * 100.0),
        verdict: GateVerdict::Insufficient,
        observed: None,
        threshold: None,
        n: rows.len() as u64,
        interval: None,
        note: None,
    };
    match compared {
        Ok(Some(comparison)) => {
            let margin = MARGIN * comparison.champion.abs();
            gate.verdict = match non_inferiority(&comparison, margin) {
                NonInferiority::Shown => GateVerdict::Pass,
                NonInferiority::Refuted => GateVerdict::Fail,
                NonInferiority::Open => GateVerdict::Insufficient,
            };
            gate.observed = Some(comparison.improvement);
            gate.threshold = Some(-margin);
            gate.interval = comparison.interval;
            let way = if metric.direction() == Direction::Up { "up" } else { "down" };
            gate.note = Some(format!(
                "challenger {:.4}, champion {:.4}; shown is the improvement ({way} is better), paired over the same rows",
                comparison.challenger, comparison.champion
            ));
        }
        Ok(None) => gate.note = Some("the metric is not defined on these rows".to_owned()),
        Err(reason) => gate.note = Some(format!("the champion cannot be measured on this data: {reason}")),
    }
    gate
}

/// A model that is told the answer proves nothing: its inputs are not the target in other words.
fn leakage_gate(document: &ProblemDocument, prepared: &Prepared) -> Gate {
    let copies = copies_of_target(&prepared.dataset, document);
    let named = |finding: &Finding| format!("{}: {}", finding.column.as_deref().unwrap_or_default(), finding.observed);
    let told: Vec<String> = copies.iter().take(3).map(named).collect();
    Gate {
        name: "leakage".to_owned(),
        rule: "no input is the target in other words".to_owned(),
        verdict: held(copies.is_empty()),
        observed: Some(copies.len() as f64),
        threshold: Some(0.0),
        n: prepared.dataset.rows() as u64,
        interval: None,
        note: (!told.is_empty()).then(|| {
            format!(
                "{}; leave it out, or sign known_before_label for it if it is known before the label",
                told.join("; ")
            )
        }),
    }
}

/// Test rows asked for one by one, as a caller would, against the same rows predicted as a whole: every bit is equal.
fn parity_gate(prepared: &Prepared, model: &Model) -> Gate {
    let rows: Vec<u32> = prepared.split.rows(Part::Test).iter().copied().take(TIMED).collect();
    let batch = model.predict(&prepared.dataset.take(&rows));
    let alone = |row: u32| {
        let (request, time) = request(prepared, model, row as usize);
        let instance = model.instance(&request, Some(AsOf { history: &prepared.history, time })).ok()?;
        let joined: Vec<serde_json::Value> = instance.joined(model).iter().map(Value::to_json).collect();
        Some((joined, model.predict_row(&instance).ok()?))
    };
    let joined = |row: u32| -> Vec<serde_json::Value> {
        let slots = model.features().joined().iter().filter_map(|column| prepared.dataset.slot(&column.name));
        slots.map(|slot| prepared.dataset.cells(slot).value(row as usize).to_json()).collect()
    };
    let differing = match &batch {
        Ok(batch) => {
            let same = |(row, whole): &(&u32, &Prediction)| {
                alone(**row).is_some_and(|(cells, answer)| answer == **whole && cells == joined(**row))
            };
            Ok(rows.iter().zip(batch).filter(|pair| !same(pair)).count())
        }
        Err(error) => Err(error.to_string()),
    };
    Gate {
        name: "parity".to_owned(),
        rule: "rows asked for alone are answered as in training, to the bit".to_owned(),
        verdict: match &differing {
            Ok(_) if rows.is_empty() => GateVerdict::Insufficient,
            Ok(differing) => held(*differing == 0),
            Err(_) => GateVerdict::Insufficient,
        },
        observed: differing.as_ref().ok().map(|differing| *differing as f64),
        threshold: Some(0.0),
        n: rows.len() as u64,
        interval: None,
        note: Some(match differing {
            Ok(_) => "test rows that differ in what was joined to them or in the answer".to_owned(),
            Err(error) => format!("the rows cannot be predicted as a whole: {error}"),
        }),
    }
}

/// The 99th percentile of single predictions over the serving path (JSON in, answer out), by its upper 95 % bound.
fn latency_gate(document: &ProblemDocument, prepared: &Prepared, model: &Model) -> Gate {
    let limit_ms = document.serving.p99_ms;
    let rows = prepared.split.rows(Part::Test);
    let requests: Vec<(Map<String, serde_json::Value>, i64)> =
        rows.iter().take(TIMED).map(|row| request(prepared, model, *row as usize)).collect();
    let mut durations_us = Vec::with_capacity(TIMED);
    for (request, time) in requests.iter().cycle().take(TIMED.min(requests.len() * 20)) {
        // A stopwatch, not a clock: only the difference counts, and it is what this gate measures.
        let begun = Instant::now();
        let as_of = Some(AsOf { history: &prepared.history, time: *time });
        let answered = model.instance(request, as_of).is_ok_and(|instance| model.predict_row(&instance).is_ok());
        if answered {
            durations_us.push(begun.elapsed().as_secs_f64() * 1e6);
        }
    }
    let measured = latency_quantile(&durations_us, 0.99);
    let bound_ms = measured.and_then(|measured| measured.upper_bound_us).map(|bound| bound / 1e3);
    let observed_ms = measured.map(|measured| measured.observed_us / 1e3);
    Gate {
        name: "latency.p99".to_owned(),
        rule: format!("99 of 100 single predictions within {limit_ms} ms"),
        verdict: bound_ms.map_or(GateVerdict::Insufficient, |bound| held(Bound::AtMost(limit_ms).holds(bound))),
        observed: observed_ms,
        threshold: Some(limit_ms),
        n: measured.map_or(0, |measured| measured.n),
        interval: None,
        note: bound_ms.map(|bound| format!("in milliseconds; with 95 % confidence not above {bound:.3}")),
    }
}

/// A row as a caller would send it, and its own time.
fn request(prepared: &Prepared, model: &Model, row: usize) -> (Map<String, serde_json::Value>, i64) {
    let cells = prepared.dataset.row(row);
    let mut object = Map::new();
    for input in model.inputs() {
        let Some(slot) = prepared.dataset.slot(&input.column.name) else { continue };
        object.insert(input.column.name.clone(), input.to_json(&cells.cell(slot)));
    }
    let time = model.joins().event_time().and_then(|(name, _)| prepared.dataset.slot(name));
    let time = match time.map(|slot| cells.cell(slot)) {
        Some(Value::Time(micros)) => micros,
        _ => i64::MIN,
    };
    (object, time)
}
