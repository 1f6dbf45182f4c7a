//! Gates on how the model behaves when it is asked as a caller would.

use std::time::Instant;

use millrace_domain::case::Case;
use millrace_domain::expr::Row;
use millrace_domain::gate::{Gate, Verdict};
use millrace_domain::problem::{FallbackRule, ProblemDocument, TimeFormat};
use millrace_domain::schema::{Finding, Value};
use millrace_ml::gate::{LatencyQuantile, latency_quantile, with_waiting};
use millrace_ml::model::{AsOf, Model, Prediction, micros};
use millrace_ml::split::Part;
use millrace_ml::validate::copies_of_target;
use serde_json::Map;

use crate::load::Prepared;

use super::held;

/// Single predictions that are timed.
const TIMED: usize = 2_000;
/// Single predictions of one model that are timed before those of the other.
const TURN: usize = 100;
/// Cases that are named when they are not answered as expected.
const NAMED: usize = 3;

/// A model that is told the answer proves nothing: its inputs are not the target in other words.
pub(super) fn leakage(document: &ProblemDocument, prepared: &Prepared) -> Gate {
    let copies = copies_of_target(&prepared.dataset, document);
    let named = |finding: &Finding| format!("{}: {}", finding.column.as_deref().unwrap_or_default(), finding.observed);
    let told: Vec<String> = copies.iter().take(3).map(named).collect();
    Gate {
        verdict: held(copies.is_empty()),
        observed: Some(copies.len() as f64),
        threshold: Some(0.0),
        n: prepared.dataset.rows() as u64,
        note: (!told.is_empty()).then(|| {
            format!(
                "{}; leave it out, or sign known_before_label for it if it is known before the label",
                told.join("; ")
            )
        }),
        ..Gate::new("leakage", "no input is the target in other words")
    }
}

/// Test rows asked for one by one, as a caller would, against the same rows predicted as a whole: every bit is equal.
pub(super) fn parity(prepared: &Prepared, model: &Model) -> Gate {
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
        verdict: match &differing {
            Ok(_) if rows.is_empty() => Verdict::Insufficient,
            Ok(differing) => held(*differing == 0),
            Err(_) => Verdict::Insufficient,
        },
        observed: differing.as_ref().ok().map(|differing| *differing as f64),
        threshold: Some(0.0),
        n: rows.len() as u64,
        note: Some(match differing {
            Ok(_) => "test rows that differ in what was joined to them or in the answer".to_owned(),
            Err(error) => format!("the rows cannot be predicted as a whole: {error}"),
        }),
        ..Gate::new("parity", "rows asked for alone are answered as in training, to the bit")
    }
}

/// Every regression case is answered as expected; none when no case is kept.
pub(super) fn cases(document: &ProblemDocument, prepared: &Prepared, model: &Model, cases: &[Case]) -> Option<Gate> {
    let kind = document.target.kind;
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let expected = case.expect.in_words(kind);
            match answered(document, prepared, model, case) {
                Ok(answer) if case.expect.holds(answer.label(), answer.number()) => None,
                Ok(answer) => Some(format!("{}: {}, expected {expected}", case.name, in_words(&answer))),
                Err(reason) => Some(format!("{}: not answered ({reason}), expected {expected}", case.name)),
            }
        })
        .collect();
    let more = wrong.len().saturating_sub(NAMED);
    let listed = wrong.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
    let note = if more > 0 { format!("{listed}; and {more} more") } else { listed };
    (!cases.is_empty()).then(|| Gate {
        verdict: held(wrong.is_empty()),
        observed: Some(wrong.len() as f64),
        threshold: Some(0.0),
        n: cases.len() as u64,
        note: (!wrong.is_empty()).then_some(note),
        ..Gate::new("cases", "every regression case is answered as expected")
    })
}

/// Every rule of the fallback can be read of what callers send, on test rows as a caller would send them; none when it has no rules. How
/// much each answers is told beside it.
pub(super) fn fallback(document: &ProblemDocument, prepared: &Prepared, model: &Model) -> Option<Gate> {
    let fallback = document.serving.fallback.as_ref().filter(|fallback| !fallback.rules.is_empty())?;
    let rows = prepared.split.rows(Part::Test).iter().take(TIMED);
    let sent: Vec<Map<String, serde_json::Value>> = rows.map(|row| request(prepared, model, *row as usize).0).collect();
    let inputs: Vec<&str> = model.inputs().iter().map(|input| input.column.name.as_str()).collect();
    let fault = |rule: &FallbackRule| {
        let unknown = rule.when.columns().into_iter().find(|column| !inputs.contains(column));
        let unread = || sent.iter().find_map(|sent| rule.when.holds_of(sent).err()).map(|error| error.to_string());
        unknown.map(|column| format!("{column:?} is not sent")).or_else(unread)
    };
    let faults: Vec<String> = fallback
        .rules
        .iter()
        .filter_map(|rule| fault(rule).map(|fault| format!("{}: {fault}", rule.when.text())))
        .collect();
    let answered: Vec<Option<usize>> = sent.iter().map(|sent| fallback.rule_of(sent)).collect();
    let told = (0..fallback.rules.len()).map(|place| {
        let count = answered.iter().filter(|rule| **rule == Some(place)).count();
        format!("rule {} answers {count}", place + 1)
    });
    let note = match faults.is_empty() {
        true => format!("of {} test rows {}", sent.len(), told.collect::<Vec<_>>().join(", ")),
        false => faults.join("; "),
    };
    Some(Gate {
        verdict: held(faults.is_empty()),
        observed: Some(faults.len() as f64),
        threshold: Some(0.0),
        n: sent.len() as u64,
        note: Some(note),
        ..Gate::new("fallback", "every rule of serving.fallback can be read of what callers send")
    })
}

/// The answer to a case. Inputs that the model has and the case does not are missing; those it does not have are left out.
fn answered(document: &ProblemDocument, prepared: &Prepared, model: &Model, case: &Case) -> Result<Prediction, String> {
    let sent = |name: &str| case.instance.get(name).filter(|value| !value.is_null());
    let is_input = |name: &str| model.inputs().iter().any(|input| input.column.name == name);
    let object: Map<String, serde_json::Value> = model
        .inputs()
        .iter()
        .map(|input| (input.column.name.clone(), sent(&input.column.name).cloned().unwrap_or_default()))
        .collect();
    let column = document.data.event_time.as_deref().unwrap_or_default();
    let time = match (sent("event_time").filter(|_| !is_input("event_time")), sent(column)) {
        (Some(json), _) => micros(TimeFormat::Iso, json),
        (None, Some(json)) => micros(document.data.time_format, json),
        (None, None) => Some(prepared.history.loaded_until().saturating_add(1)),
    };
    let time = time.ok_or("its event_time is no time")?;
    let instance = model
        .instance(&object, Some(AsOf { history: &prepared.history, time }))
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))?;
    model.predict_row(&instance).map_err(|error| error.to_string())
}

fn in_words(answer: &Prediction) -> String {
    match answer {
        Prediction::Binary { score, label } => format!("label {label}, score {score:.4}"),
        Prediction::Multiclass { label, .. } => format!("label {label}"),
        Prediction::Regression { value } => format!("value {value}"),
    }
}

/// The 99th percentile of single predictions over the serving path (JSON in, answer out), by its upper 95 % bound; that of the live
/// version is measured in turns beside it, so that what slows the machine slows both. Requests come at the document's throughput and are
/// answered on one thread: who comes while another one is answered waits.
pub(super) fn latency(
    document: &ProblemDocument,
    prepared: &Prepared,
    model: &Model,
    champion: Option<(i32, &Model)>,
    seed: u64,
) -> Gate {
    let limit_ms = document.serving.p99_ms;
    let rows = prepared.split.rows(Part::Test);
    let asked = |model: &Model| -> Vec<Request> {
        rows.iter().take(TIMED).map(|row| request(prepared, model, *row as usize)).collect()
    };
    // A live version that is joined to other things cannot be asked as of this history.
    let champion = champion.filter(|(_, champion)| champion.joins() == prepared.history.joins());
    let (own, other) = (asked(model), champion.map(|(_, champion)| asked(champion)).unwrap_or_default());
    let (mut durations, mut beside) = (Vec::with_capacity(TIMED), Vec::new());
    let count = TIMED.min(rows.len() * 20);
    for begin in (0..count).step_by(TURN) {
        let turn = begin..(begin + TURN).min(count);
        durations.extend(turn.clone().filter_map(|place| timed(prepared, model, &own[place % own.len()])));
        if let Some((_, champion)) = champion {
            beside.extend(turn.filter_map(|place| timed(prepared, champion, &other[place % other.len()])));
        }
    }
    let rate = document.serving.throughput_rps;
    let quantile = |durations: &[f64]| latency_quantile(&with_waiting(durations, rate, seed), 0.99);
    let measured = quantile(&durations);
    let bound_ms = |measured: LatencyQuantile| measured.upper_bound_us.map(|bound| bound / 1e3);
    let bound = measured.and_then(bound_ms);
    let of_champion = champion.zip(quantile(&beside).and_then(bound_ms));
    let of_champion =
        of_champion.map(|((number, _), bound)| format!(", that of the live version {number} not above {bound:.3}"));
    Gate {
        verdict: bound.map_or(Verdict::Insufficient, |bound| held(bound <= limit_ms)),
        observed: measured.map(|measured| measured.observed_us / 1e3),
        threshold: Some(limit_ms),
        n: measured.map_or(0, |measured| measured.n),
        note: bound.map(|bound| {
            format!("in milliseconds, at {rate} requests a second on one thread; with 95 % confidence not above {bound:.3}{}", of_champion.unwrap_or_default())
        }),
        ..Gate::new("latency.p99", format!("99 of 100 single predictions within {limit_ms} ms"))
    }
}

/// How long one answer takes, in microseconds; none when there is none.
fn timed(prepared: &Prepared, model: &Model, (object, time): &Request) -> Option<f64> {
    // A stopwatch, not a clock: only the difference counts, and it is what this gate measures.
    let begun = Instant::now();
    let as_of = Some(AsOf { history: &prepared.history, time: *time });
    let answered = model.instance(object, as_of).is_ok_and(|instance| model.predict_row(&instance).is_ok());
    answered.then(|| begun.elapsed().as_secs_f64() * 1e6)
}

/// What is kept of the model, and read by every server.
pub(super) fn size(limit_mb: f64, bytes: usize) -> Gate {
    let megabytes = bytes as f64 / 1e6;
    Gate {
        verdict: held(megabytes <= limit_mb),
        observed: Some(megabytes),
        threshold: Some(limit_mb),
        n: 1,
        ..Gate::new("model_mb", format!("its stored form at most {limit_mb} MB"))
    }
}

/// A row as a caller would send it, and its own time.
pub(super) type Request = (Map<String, serde_json::Value>, i64);

pub(super) fn request(prepared: &Prepared, model: &Model, row: usize) -> Request {
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
