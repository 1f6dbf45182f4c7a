//! Gate: derives the gates from the signed document and decides. All gates always run.

mod behaviour;
mod effects;
mod measured;
mod memory;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use millrace_domain::Digest;
use millrace_domain::case::Case;
use millrace_domain::effects::{Effects, MeasuredEffects};
use millrace_domain::gate::{Decision, Gate, Verdict as GateVerdict, decide};
use millrace_domain::ids::RunId;
use millrace_domain::monitor::Previous;
use millrace_domain::problem::{ProblemDocument, Split};
use millrace_domain::run::StepKind;
use millrace_domain::trainer::CalibrationMethod;
use millrace_executor::{Commit, Context, Reporter, StepError, Verdict, commit};
use millrace_ml::model::Model;
use millrace_services::GATES_NOT_PASSED;
use millrace_storage::step::Failure;
use millrace_storage::{case, deployment, model, run};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::evaluate::{Evaluated, Tested, counts_before};
use crate::load::{Frames, Launched, Prepared, prepare};
use crate::stage::Stage;

use behaviour::{cases, fallback, latency, leakage, parity, size};
use effects::{Settled, effects};
use measured::{Beside, baseline, reached, slices, train_gap};
use memory::memory;

pub use memory::weigh;
pub(crate) use memory::{attempted, weighed};

pub(crate) struct Gates {
    /// This program, which weighs models in a process of its own (`weigh`).
    program: Arc<Path>,
}

impl Gates {
    pub(crate) const fn new(program: Arc<Path>) -> Self {
        Self { program }
    }
}

pub(crate) struct Input {
    launched: Launched,
    frames: Frames,
    evaluated: Evaluated,
    reference: Bytes,
    challenger: Bytes,
    champion: Option<Champion>,
    cases: Vec<Case>,
}

/// The live version.
struct Champion {
    number: i32,
    content: Bytes,
    calibration: CalibrationMethod,
    /// What it was trained on, if that is still there, and is parted as the challenger's.
    data: Option<(Value, Frames)>,
}

/// What the gates said.
#[derive(Serialize, Deserialize)]
pub(crate) struct Judged {
    pub model: Digest,
    pub gates: Vec<Gate>,
    /// What the data and what the settings did, which decides nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    effects: Option<Effects>,
    /// What the live version was trained on, which is looked at beside what this one will be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<Previous>,
}

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
                Some(version) => {
                    let content = context.artifacts().get(&version.artifact).await?;
                    let run = run::find(context.db().pool(), version.run).await?;
                    let method = run.and_then(|run| run.request["calibration"].as_str()?.parse().ok());
                    let calibration = method.unwrap_or(CalibrationMethod::None);
                    let data = data_of(context, version.run, &launched.problem.document.data.split).await;
                    Some(Champion { number: version.number, content, calibration, data })
                }
            },
        };
        let cases = case::list(context.db().pool(), &launched.problem.slug).await?;
        let reference = context.artifacts().get(&evaluated.reference).await?;
        Ok(Input { launched, frames, evaluated, reference, challenger, champion, cases })
    }

    fn digest(&self, input: &Input) -> Digest {
        let champion = input.champion.as_ref().map(|live| (live.number, Digest::of(&live.content)));
        Digest::of_canonical(&json!({
            "dataset": input.launched.data_digest(),
            "problem": input.launched.problem.digest,
            "model": input.evaluated.model,
            "champion": champion,
            "cases": input.cases,
        }))
    }

    async fn compute(&self, context: &Context, input: Input) -> Result<Judged, StepError> {
        let program = Arc::clone(&self.program);
        context
            .compute(move |reporter| {
                reporter.report(json!({ "text": "judging" }));
                judge(&input, reporter, &program)
            })
            .await
    }

    fn told(&self, output: &Judged) -> Vec<String> {
        let effects = output.effects.iter().filter_map(|effects| {
            let measured = effects.measured?;
            let MeasuredEffects { before, refitted, after, .. } = measured;
            let (metric, number) = (effects.metric, effects.champion);
            Some(format!(
                "{metric}: {before} of version {number}, {refitted} of its settings on this data, {after} of this model"
            ))
        });
        output.gates.iter().map(line).chain(effects).collect()
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
        commit((), |_, _| Box::pin(async { Ok(()) }))
    }
}

fn judge(input: &Input, reporter: &Reporter, program: &Path) -> Result<Judged, StepError> {
    let document = &input.launched.problem.document;
    let evaluated = &input.evaluated;
    let read = |content: &[u8]| {
        Model::from_bytes(content)
            .map_err(|error| StepError::refused("corrupt_model", format!("a kept model cannot be read: {error}")))
    };
    let challenger = read(&input.challenger)?;
    let prepared = prepare(&input.frames, document)?;
    let champion = match &input.champion {
        None => None,
        Some(live) => Some((live.number, read(&live.content)?, live.calibration)),
    };
    let seed = input.launched.seed();
    let beside = champion.as_ref().map(|(number, champion, _)| (*number, champion));
    let mut gates = on_numbers(document, &prepared, &evaluated.tested, &challenger, beside, seed);
    gates.push(leakage(document, &prepared));
    gates.push(parity(&prepared, &challenger));
    gates.extend(cases(document, &prepared, &challenger, &input.cases));
    gates.extend(fallback(document, &prepared, &challenger));
    gates.push(latency(document, &prepared, &challenger, beside, seed));
    let limits = document.gates.unwrap_or_default();
    gates.extend(limits.model_mb.map(|limit| size(limit, input.challenger.len())));
    let weighed = |limit: f64| memory(limit, &input.challenger, &prepared, &challenger, program, reporter);
    gates.extend(limits.memory_mb.map(weighed));
    let effects = match &champion {
        None => None,
        Some((number, model, calibration)) => {
            let champion = Settled { model, calibration: *calibration };
            let challenger = Settled { model: &challenger, calibration: input.launched.plan()?.calibration };
            effects(document, &prepared, (*number, &champion), &challenger, seed, reporter)?
        }
    };
    let previous = match (&input.champion, &champion) {
        (Some(live), Some((_, model, _))) => previous(input, live, model, prepared),
        _ => None,
    };
    Ok(Judged { model: evaluated.model, gates, effects, previous })
}

/// What a run was trained on. That it is not there any more is no reason against a model.
async fn data_of(context: &Context, run: RunId, split: &Split) -> Option<(Value, Frames)> {
    let launched = Launched::of_run(context, run).await.ok()?;
    if launched.problem.document.data.split != *split {
        return None;
    }
    let frames = launched.frames(context).await.ok()?;
    Some((launched.data_digest(), frames))
}

/// What the live version was trained on, in the challenger's bins; none where it has not the columns that the challenger reads.
fn previous(input: &Input, live: &Champion, champion: &Model, prepared: Prepared) -> Option<Previous> {
    let (digest, frames) = live.data.as_ref()?;
    let prepared = if *digest == input.launched.data_digest() {
        prepared
    } else {
        drop(prepared);
        prepare(frames, &input.launched.problem.document).ok()?
    };
    let reference = serde_json::from_slice(&input.reference).ok()?;
    Some(Previous { version: live.number, counts: counts_before(&reference, &prepared, champion)? })
}

/// The gates on what was measured on rows that the model has not seen, and on the live version beside it.
pub(crate) fn on_numbers(
    document: &ProblemDocument,
    prepared: &Prepared,
    tested: &Tested,
    challenger: &Model,
    champion: Option<(i32, &Model)>,
    seed: u64,
) -> Vec<Gate> {
    let metric = document.success.metric;
    let limits = document.gates.unwrap_or_default();
    let mut gates = vec![reached("success", document, &document.success, tested)];
    gates.extend(document.guardrails.iter().map(|goal| reached("guardrail", document, goal, tested)));
    gates.push(baseline(metric, tested));
    gates.extend(slices(document, tested));
    gates.extend(limits.train_gap.map(|limit| train_gap(prepared, metric, limit, tested, challenger, seed)));
    if let Some((number, champion)) = champion {
        let beside = Beside::new(prepared, number, champion, challenger);
        let compared = std::iter::once(beside.not_worse(metric, seed));
        let compared = compared.chain(limits.negative_flips.map(|limit| beside.negative_flips(limit)));
        let is_random = matches!(document.data.split, Split::Random { .. });
        let may_know = is_random && champion.lineage().dataset != challenger.lineage().dataset;
        gates.extend(compared.map(|gate| if may_know { on_rows_it_may_know(gate) } else { gate }));
    }
    gates
}

/// A comparison with a live version that was trained on another part of the same rows.
fn on_rows_it_may_know(gate: Gate) -> Gate {
    let note = "rows are split at random and the live version was trained on other data: it may know some of these, and then looks better than \
                it is; data.split by time keeps them apart";
    let note = gate.note.map_or_else(|| note.to_owned(), |own| format!("{own}; {note}"));
    Gate { note: Some(note), ..gate }
}

const fn held(holds: bool) -> GateVerdict {
    if holds { GateVerdict::Pass } else { GateVerdict::Fail }
}

/// What the log says of a gate: all that it was decided on.
fn line(gate: &Gate) -> String {
    let mut line = format!("{}: {} ({})", gate.name, gate.verdict, gate.rule);
    if let Some(observed) = gate.observed {
        line.push_str(&format!("; observed {observed}"));
    }
    if let Some((low, high)) = gate.interval {
        line.push_str(&format!(" (95 % {low} to {high})"));
    }
    if let Some(threshold) = gate.threshold {
        line.push_str(&format!(", limit {threshold}"));
    }
    line.push_str(&format!(", n {}", gate.n));
    if let Some(note) = &gate.note {
        line.push_str(&format!("; {note}"));
    }
    line
}
