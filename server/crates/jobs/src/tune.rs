//! Tune: chooses the configuration to train with, from the trials of the search or, without one, as it was asked for.

use async_trait::async_trait;
use millrace_domain::Digest;
use millrace_domain::ids::RunId;
use millrace_domain::run::StepKind;
use millrace_domain::trainer::TrainerConfig;
use millrace_executor::{Commit, Context, StepError, commit};
use millrace_ml::tune::{Search, Trial, TrialState};
use millrace_storage::{run, step};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::load::Launched;
use crate::stage::Stage;
use crate::trial::{ended, is_trial};

pub(crate) struct Tune;

pub(crate) struct Input {
    launched: Launched,
    trials: Vec<Trial>,
    /// Whether the search was made of trials that are steps.
    is_searched: bool,
}

/// The configuration to train with, and how it was found.
#[derive(Serialize, Deserialize)]
pub(crate) struct Tuned {
    pub config: TrainerConfig,
    #[serde(default)]
    trials: Vec<Trial>,
}

#[async_trait]
impl Stage for Tune {
    type Input = Input;
    type Output = Tuned;
    const KIND: StepKind = StepKind::Tune;

    async fn load(&self, context: &Context) -> Result<Self::Input, StepError> {
        let launched = Launched::of(context).await?;
        let steps = step::list(context.db().pool(), context.step().subject).await?;
        // Which trials a budget still let end by themselves is what differs from one time to another; the others say nothing.
        let trials = ended(&steps).filter(|trial| !matches!(trial.state, TrialState::Stopped { .. })).collect();
        let is_searched = steps.iter().any(is_trial);
        Ok(Input { launched, trials, is_searched })
    }

    fn digest(&self, input: &Self::Input) -> Digest {
        input.launched.digest(Self::KIND.as_str(), &json!(input.trials))
    }

    async fn compute(&self, _context: &Context, input: Self::Input) -> Result<Tuned, StepError> {
        let Input { launched, trials, is_searched } = input;
        let plan = launched.plan()?;
        if plan.trials == 0 {
            return Ok(Tuned { config: plan.space.branches()[0].base().clone(), trials });
        }
        let metric = launched.problem.document.success.metric;
        if !is_searched {
            return Err(StepError::refused(
                "launched_before",
                "the run was launched by an earlier version of the program, whose searches were a single step; run it again",
            ));
        }
        let search = Search::new(&plan, launched.rows(), metric, launched.seed());
        let config = search.best(&trials).map(|best| best.config.clone()).ok_or_else(|| none_succeeded(&trials))?;
        Ok(Tuned { config, trials })
    }

    fn told(&self, output: &Tuned) -> Vec<String> {
        let chosen = format!("{} {}", output.config.asked_as(), json!(output.config.settings()));
        vec![match output.trials.len() {
            0 => format!("no search; trained with {chosen}"),
            trials => format!("of {trials} trials the best is {chosen}"),
        }]
    }

    fn commit(&self, context: &Context, output: Tuned) -> Commit {
        let id = RunId(context.step().subject.id());
        commit(output, move |tx, output| {
            Box::pin(async move {
                let config = &output.config;
                run::set_fitted_with(tx, id, &config.asked_as(), &json!(config.settings())).await
            })
        })
    }
}

fn none_succeeded(trials: &[Trial]) -> StepError {
    let reason = trials.iter().find_map(|trial| match &trial.state {
        TrialState::Failed { reason } | TrialState::TooSlow { reason } | TrialState::Infeasible { reason, .. } => {
            Some(format!("the first that failed: {reason}"))
        }
        _ => None,
    });
    let reason = reason.unwrap_or_else(|| "its budget was used up before one had ended; give it more".to_owned());
    StepError::refused("no_trial_succeeded", format!("the search has no trial with a score; {reason}"))
}
