//! Tune: a search within a budget of trials. A trial follows from the seed and the trials before it, so a search that was
//! interrupted comes to the same trials again.

use async_trait::async_trait;
use millrace_domain::Digest;
use millrace_domain::ids::RunId;
use millrace_domain::run::StepKind;
use millrace_executor::{Commit, Context, Reporter, StepError, commit};
use millrace_ml::train::{TrainError, TrainerConfig};
use millrace_ml::tune::{Sampler, Space, Study, Trial, TrialState, best};
use millrace_storage::run;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::load::{Frames, Launched, mistaken, prepare};
use crate::progress::Silent;
use crate::stage::Stage;

pub(crate) struct Tune;

/// The configuration to train with, and how it was found.
#[derive(Serialize, Deserialize)]
pub(crate) struct Tuned {
    pub config: TrainerConfig,
    trials: Vec<Trial>,
}

#[async_trait]
impl Stage for Tune {
    type Input = (Launched, Frames);
    type Output = Tuned;
    const KIND: StepKind = StepKind::Tune;

    async fn load(&self, context: &Context) -> Result<Self::Input, StepError> {
        let launched = Launched::of(context).await?;
        let frames = launched.frames(context).await?;
        Ok((launched, frames))
    }

    fn digest(&self, (launched, _): &Self::Input) -> Digest {
        launched.digest(Self::KIND.as_str(), &json!(null))
    }

    async fn compute(&self, context: &Context, (launched, frames): Self::Input) -> Result<Tuned, StepError> {
        let base = launched.config()?;
        if launched.budget() == 0 {
            return Ok(Tuned { config: base, trials: Vec::new() });
        }
        context.compute(move |reporter| search(&launched, &frames, base, reporter)).await
    }

    fn commit(&self, context: &Context, output: Tuned) -> Commit {
        let id = RunId(context.step().subject.id());
        commit(move |tx| {
            Box::pin(async move {
                let trials: Vec<run::Trial> = output.trials.iter().map(stored).collect();
                run::set_trials(tx, id, &trials).await?;
                run::set_parameters(tx, id, &json!(output.config.settings())).await
            })
        })
    }
}

fn search(launched: &Launched, frames: &Frames, base: TrainerConfig, reporter: &Reporter) -> Result<Tuned, StepError> {
    let document = &launched.problem.document;
    let metric = document.success.metric;
    let space = match launched.run.request.get("search").filter(|given| !given.is_null()) {
        None => Space::default_of(base.trainer()),
        Some(given) => Space::read(base.trainer(), given)
            .map_err(|mistakes| mistaken("invalid_search", "search space", &mistakes))?,
    };
    let prepared = prepare(frames, document)?;
    let study = Study {
        table: &prepared.table,
        labels: &prepared.labels,
        split: &prepared.split,
        kind: prepared.plan.kind(),
        base: &base,
        space: &space,
        sampler: sampler(launched)?,
        metric,
        seed: launched.seed(),
    };
    let budget = launched.budget();
    let mut trials = Vec::new();
    for number in 0..budget {
        let trial = study.run_trial(&trials, &Silent(reporter)).map_err(trained)?;
        trials.push(trial);
        let leader = best(metric, &trials).and_then(|trial| trial.score);
        let text = match leader {
            Some(score) => format!("trial {} of {budget}, best {score:.4}", number + 1),
            None => format!("trial {} of {budget}", number + 1),
        };
        reporter.report(json!({ "done": number + 1, "total": budget, "best": leader, "text": text }));
    }
    let config = best(metric, &trials).map(|trial| trial.config.clone()).ok_or_else(|| {
        let reason = trials.iter().find_map(|trial| match &trial.state {
            TrialState::Failed { reason } => Some(reason.clone()),
            TrialState::Succeeded => None,
        });
        StepError::refused(
            "no_trial_succeeded",
            format!("no trial could be scored; the first one: {}", reason.unwrap_or_default()),
        )
    })?;
    Ok(Tuned { config, trials })
}

/// The sampler that was asked for. Runs launched before there was a choice drew at random.
fn sampler(launched: &Launched) -> Result<Sampler, StepError> {
    let asked = launched.run.request.get("sampler").and_then(|sampler| sampler.as_str());
    let asked = asked.map_or(Ok(Sampler::Random), str::parse);
    asked.map_err(|message| StepError::refused("unknown_sampler", message))
}

fn stored(trial: &Trial) -> run::Trial {
    let (state, message) = match &trial.state {
        TrialState::Succeeded => ("succeeded", None),
        TrialState::Failed { reason } => ("failed", Some(reason.clone())),
    };
    run::Trial {
        number: i32::try_from(trial.number).unwrap_or(i32::MAX),
        parameters: json!(trial.config.settings()),
        score: trial.score,
        state: state.to_owned(),
        message,
    }
}

/// A training that ended without a model.
pub(crate) fn trained(error: TrainError) -> StepError {
    match error {
        TrainError::Cancelled => StepError::Cancelled,
        TrainError::NotConverged { .. } => StepError::refused("not_converged", error.to_string()),
        error => StepError::refused("training_failed", error.to_string()),
    }
}
