//! Gate: derives the gates from the signed document and decides. All gates always run.

mod behaviour;
mod measured;

use async_trait::async_trait;
use bytes::Bytes;
use millrace_domain::Digest;
use millrace_domain::case::Case;
use millrace_domain::gate::{Decision, Gate, Verdict as GateVerdict, decide};
use millrace_domain::problem::ProblemDocument;
use millrace_domain::run::StepKind;
use millrace_executor::{Commit, Context, StepError, Verdict, commit};
use millrace_ml::model::Model;
use millrace_services::GATES_NOT_PASSED;
use millrace_storage::step::Failure;
use millrace_storage::{case, deployment, model};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::evaluate::{Evaluated, Tested};
use crate::load::{Frames, Launched, Prepared, prepare};
use crate::stage::Stage;

use behaviour::{cases, latency, leakage, parity, size};
use measured::{Beside, baseline, reached, slices, train_gap};

pub(crate) struct Gates;

pub(crate) struct Input {
    launched: Launched,
    frames: Frames,
    evaluated: Evaluated,
    challenger: Bytes,
    champion: Option<(i32, Bytes)>,
    cases: Vec<Case>,
}

/// What the gates said.
#[derive(Serialize, Deserialize)]
pub(crate) struct Judged {
    pub model: Digest,
    pub gates: Vec<Gate>,
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
                Some(version) => Some((version.number, context.artifacts().get(&version.artifact).await?)),
            },
        };
        let cases = case::list(context.db().pool(), &launched.problem.slug).await?;
        Ok(Input { launched, frames, evaluated, challenger, champion, cases })
    }

    fn digest(&self, input: &Input) -> Digest {
        let champion = input.champion.as_ref().map(|(number, content)| (number, Digest::of(content)));
        Digest::of_canonical(&json!({
            "dataset": input.launched.data_digest(),
            "problem": input.launched.problem.digest,
            "model": input.evaluated.model,
            "champion": champion,
            "cases": input.cases,
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

    fn told(&self, output: &Judged) -> Vec<String> {
        output.gates.iter().map(|gate| format!("{}: {}", gate.name, gate.verdict.as_str())).collect()
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
    let champion = match &input.champion {
        None => None,
        Some((number, content)) => Some((*number, read(content)?)),
    };
    let seed = input.launched.seed();
    let beside = champion.as_ref().map(|(number, champion)| (*number, champion));
    let mut gates = on_numbers(document, &prepared, &evaluated.tested, &challenger, beside, seed);
    gates.push(leakage(document, &prepared));
    gates.push(parity(&prepared, &challenger));
    gates.extend(cases(document, &prepared, &challenger, &input.cases));
    gates.push(latency(document, &prepared, &challenger, champion.as_ref(), seed));
    gates.extend(document.gates.and_then(|limits| limits.model_mb).map(|limit| size(limit, input.challenger.len())));
    Ok(Judged { model: evaluated.model, gates })
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
    let mut gates = vec![reached("success", &document.success, tested)];
    gates.extend(document.guardrails.iter().map(|goal| reached("guardrail", goal, tested)));
    gates.push(baseline(metric, tested));
    gates.extend(slices(document, tested));
    gates.extend(limits.train_gap.map(|limit| train_gap(prepared, metric, limit, tested, challenger)));
    if let Some((number, champion)) = champion {
        let beside = Beside::new(prepared, number, champion, challenger);
        gates.push(beside.not_worse(metric, seed));
        gates.extend(limits.negative_flips.map(|limit| beside.negative_flips(limit)));
    }
    gates
}

const fn held(holds: bool) -> GateVerdict {
    if holds { GateVerdict::Pass } else { GateVerdict::Fail }
}
