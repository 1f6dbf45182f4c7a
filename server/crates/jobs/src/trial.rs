//! Trial: one draw of a search, fitted and scored. Trials are steps side by side. What one draws follows from the trials it waits
//! for ([`FitPlan::waits`]), so a search comes to the same trials whatever the number of workers and however often one dies.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use millrace_domain::Digest;
use millrace_domain::ids::RunId;
use millrace_domain::problem::ProblemDocument;
use millrace_domain::run::{StepKind, StepState};
use millrace_domain::trainer::{CalibrationMethod, FitPlan};
use millrace_executor::{Commit, Context, Reporter, StepError, Verdict, commit};
use millrace_ml::model::Predictor;
use millrace_ml::split::Part;
use millrace_ml::train::{Fitted, TrainError};
use millrace_ml::tune::{Draw, Limits, Search, Study, Trial, TrialState};
use millrace_storage::run;
use millrace_storage::step::{self, Failure, Spent, Step, Subject};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::external::{self, Left, NoModel, Order, Runner, TOO_SLOW};
use crate::gate::weighed;
use crate::kept::{Entry, Kept};
use crate::load::{Frames, Launched, Prepared, prepare};
use crate::progress::Costs;
use crate::stage::Stage;
use crate::train::model;

/// How often a trial looks what its search has spent.
const LOOK: Duration = Duration::from_millis(250);

/// One trial of a search.
pub(crate) struct Trials {
    kept: Kept,
    /// The run of the last trial: what was launched does not change.
    last: Mutex<Option<Launched>>,
    runner: Arc<Runner>,
}

impl Trials {
    pub(crate) fn new(runner: Arc<Runner>) -> Self {
        Self { kept: Kept::default(), last: Mutex::default(), runner }
    }

    async fn launched(&self, context: &Context) -> Result<Launched, StepError> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(last) = last.filter(|last| context.run_id() == Some(last.run.id.0)) {
            return Ok(last);
        }
        let launched = Launched::of(context).await?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(launched.clone());
        Ok(launched)
    }
}

/// A trial that has ended.
#[derive(Serialize, Deserialize)]
pub(crate) struct Ended {
    #[serde(flatten)]
    pub trial: Trial,
    /// Whether the search ends with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_enough: bool,
}

pub(crate) struct Input {
    launched: Launched,
    frames: Frames,
    plan: FitPlan,
    task: Task,
}

/// What there is to do.
enum Task {
    Run(Draw),
    /// Nothing: how it ends is known.
    End(Ended),
}

#[async_trait]
impl Stage for Trials {
    type Input = Input;
    type Output = Ended;
    const KIND: StepKind = StepKind::Trial;

    async fn load(&self, context: &Context) -> Result<Input, StepError> {
        let launched = self.launched(context).await?;
        let frames = launched.frames(context).await?;
        let plan = launched.plan()?;
        let task = task(context, &launched, &plan).await?;
        Ok(Input { launched, frames, plan, task })
    }

    fn digest(&self, input: &Input) -> Digest {
        let task = match &input.task {
            Task::Run(draw) => json!({
                "config": draw.config,
                "share": draw.share,
                "limits": draw.limits.values(),
                "judged_by": draw.limits.by(),
            }),
            Task::End(ended) => json!({ "ended": ended }),
        };
        Digest::of_canonical(&json!({
            "dataset": input.launched.data_digest(),
            "problem": input.launched.problem.digest,
            "seed": input.launched.run.seed,
            "calibration": input.plan.calibration,
            "task": task,
            // What was not measured says nothing of what would have been.
            "measures": measures(&input.launched),
            // What a calibrated model was judged by once was what it had been calibrated on.
            "judged": (input.plan.calibration != CalibrationMethod::None).then_some("crosswise"),
        }))
    }

    async fn compute(&self, context: &Context, input: Input) -> Result<Ended, StepError> {
        let Input { launched, frames, plan, task } = input;
        let draw = match task {
            Task::End(ended) => return Ok(ended),
            Task::Run(draw) => draw,
        };
        // A repetition ends where the first search ended, and lets serve what that let serve, not by what is measured now.
        let measures = measures(&launched);
        let over = Arc::new(AtomicBool::new(false));
        let spent_on = async {
            if !measures {
                return std::future::pending().await;
            }
            let spent_on = used_up(context, &plan).await;
            over.store(true, Ordering::Relaxed);
            spent_on
        };
        let kept = self.kept.entry(&launched);
        let program = Arc::clone(&self.runner.program);
        let calibration = plan.calibration;
        let fitting = Fitting { launched, frames, kept, calibration, measures, program, draw: draw.clone() };
        let (fitted, spent_on) = if draw.config.program().is_some() {
            match fitting.by_program(context, &self.runner, spent_on).await? {
                Ok(trial) => (Some(trial), None),
                Err(spent_on) => (None, Some(spent_on)),
            }
        } else {
            let stop = Arc::clone(&over);
            let fitted = context.compute_on(1, move |reporter| fitting.here(reporter, &stop));
            tokio::pin!(fitted);
            tokio::select! {
                fitted = &mut fitted => (fitted?, None),
                spent_on = spent_on => (fitted.await?, Some(spent_on)),
            }
        };
        Ok(match fitted {
            Some(trial) => Ended { trial, is_enough: false },
            None => Ended { trial: stopped(&draw, spent_on.unwrap_or_default()), is_enough: true },
        })
    }

    /// What a program elsewhere fits may differ each time.
    fn is_repeatable(&self, output: &Ended) -> bool {
        let Trial { config, state, .. } = &output.trial;
        config.program().is_none() && !was_measured(state)
    }

    fn told(&self, output: &Ended) -> Vec<String> {
        let Trial { config, share, score, state, iterations, .. } = &output.trial;
        let settings = json!(config.settings());
        let how = match (state, score) {
            (TrialState::Succeeded, Some(score)) => format!("score {score}"),
            (TrialState::Succeeded, None) => "no score".to_owned(),
            (TrialState::Infeasible { reason, .. }, _) => format!("infeasible: {reason}"),
            (
                TrialState::Failed { reason }
                | TrialState::TooSlow { reason }
                | TrialState::Pruned { reason }
                | TrialState::Stopped { reason },
                _,
            ) => reason.clone(),
        };
        let after = iterations.map_or_else(String::new, |iterations| format!(" after {iterations} iterations"));
        let of_rows = format!("{} % of the training rows", share * 100.0);
        vec![format!("{} {settings} on {of_rows}", config.asked_as()), format!("{how}{after}")]
    }

    fn verdict(&self, output: &Ended) -> Verdict {
        if output.is_enough { Verdict::Enough } else { Verdict::GoOn }
    }

    fn commit(&self, context: &Context, output: Ended) -> Commit {
        let (id, number) = (RunId(context.step().subject.id()), context.step().part);
        commit(output, move |tx, output| {
            Box::pin(async move { run::set_trial(tx, id, &stored(number, &output.trial)).await })
        })
    }
}

/// A trial that is run.
struct Fitting {
    launched: Launched,
    frames: Frames,
    kept: Entry,
    calibration: CalibrationMethod,
    /// Whether what its model takes to answer decides.
    measures: bool,
    program: Arc<Path>,
    draw: Draw,
}

impl Fitting {
    /// By a trainer of ours; none when it was told to stop.
    fn here(&self, reporter: &Reporter, stop: &AtomicBool) -> Result<Option<Trial>, StepError> {
        let prepared = self.prepared()?;
        match self.studied(&prepared, reporter, |study| study.run(&self.draw, &Costs::new(reporter, stop))) {
            Ok(trial) => Ok(Some(trial)),
            Err(TrainError::Cancelled) if !reporter.should_stop() => Ok(None),
            Err(error) => Err(trained(error)),
        }
    }

    /// By a program: what it comes to is its trial's end, not the search's. Why it was ended, when `end` said so before it came to anything.
    async fn by_program(
        self,
        context: &Context,
        runner: &Runner,
        end: impl Future<Output = String>,
    ) -> Result<Result<Trial, String>, StepError> {
        let (fitting, prepared) = context
            .compute_on(1, move |_| {
                let prepared = self.prepared()?;
                Ok((self, prepared))
            })
            .await?;
        let Draw { config, share, .. } = fitting.draw.clone();
        let order = Order { prepared: Arc::clone(&prepared), config, share, tells_cost: true };
        match external::fit(context, runner, &fitting.launched, order, end).await {
            Ok(Left { fitted, .. }) => {
                let judged = move |reporter: &Reporter| {
                    Ok(fitting.studied(&prepared, reporter, |study| study.judged(&fitting.draw, fitted)))
                };
                context.compute_on(1, judged).await.map(Ok)
            }
            // How long it took was measured, and holds when the search is repeated.
            Err(NoModel::Program(Failure { code, message })) if code == TOO_SLOW => {
                Ok(Ok(fitting.draw.ended(TrialState::TooSlow { reason: message })))
            }
            Err(NoModel::Program(failure)) => Ok(Ok(fitting.draw.failed(failure.message))),
            Err(NoModel::Ended(why)) => Ok(Err(why)),
            Err(NoModel::Step(error)) => Err(error),
        }
    }

    fn prepared(&self) -> Result<Arc<Prepared>, StepError> {
        self.kept.get_or_prepare(|| prepare(&self.frames, &self.launched.problem.document))
    }

    fn studied<T>(&self, prepared: &Prepared, reporter: &Reporter, run: impl FnOnce(&Study<'_>) -> T) -> T {
        let document = &self.launched.problem.document;
        let measured = |fitted: &Fitted| {
            let is_slow = || is_too_slow(&fitted.predictor, prepared, document, &|| reporter.thread_time());
            is_slow().or_else(|| self.too_heavy(fitted, prepared, reporter))
        };
        let unfit = |fitted: &Fitted| {
            too_large(&fitted.predictor, document).or_else(|| self.measures.then(|| measured(fitted)).flatten())
        };
        run(&Study {
            table: &prepared.table,
            labels: &prepared.labels,
            split: &prepared.split,
            kind: prepared.plan.kind(),
            calibration: self.calibration,
            metric: document.success.metric,
            seed: self.launched.seed(),
            shared: &prepared.shared,
            unfit: &unfit,
        })
    }

    /// How the trial of a model ends that takes more memory than its document allows. One that cannot be weighed is the gate's to tell of.
    fn too_heavy(&self, fitted: &Fitted, prepared: &Prepared, reporter: &Reporter) -> Option<TrialState> {
        let most = self.launched.problem.document.gates.as_ref()?.memory_mb?;
        let weighed = model(&self.launched, prepared, fitted.clone(), self.draw.config.clone())
            .map_err(|error| error.to_string())
            .and_then(|model| weighed(&model.to_bytes(), prepared, &model, Part::Validation, &self.program, reporter))
            .inspect_err(|reason| tracing::warn!(reason, "a trial's model could not be weighed"))
            .ok()?;
        let reason = format!("a server that has the model needs more than {most} MB for it (gates.memory_mb)");
        (weighed.megabytes() > most).then_some(TrialState::Infeasible { reason, measured: true })
    }
}

/// Whether what a model takes to serve decides of a trial. A repetition takes over what was measured.
const fn measures(launched: &Launched) -> bool {
    launched.run.reproduces.is_none()
}

/// Whether a trial ended so by what was measured, which is another each time.
const fn was_measured(state: &TrialState) -> bool {
    matches!(
        state,
        TrialState::Stopped { .. } | TrialState::TooSlow { .. } | TrialState::Infeasible { measured: true, .. }
    )
}

/// Rows that a model is asked for to see how long it takes, and how often it is tried before it is too slow.
const ASKED: usize = 200;
const TRIES: usize = 3;

/// How the trial of a model ends that is larger than its document allows.
fn too_large(predictor: &Predictor, document: &ProblemDocument) -> Option<TrialState> {
    let most = document.gates.as_ref()?.model_mb?;
    let megabytes = serde_json::to_vec(predictor.estimator()).map_or(0, |bytes| bytes.len()) as f64 / 1e6;
    let reason = || format!("the model has {megabytes:.2} MB, and may have {most} (gates.model_mb)");
    (megabytes > most).then(|| TrialState::Infeasible { reason: reason(), measured: false })
}

/// How the trial of a model ends that takes too long to answer each time that it is tried. What an answer takes besides the model, joins
/// and features, is the same for all trials, and the gate's to measure. What was measured is not told, since it is another each time.
fn is_too_slow(
    predictor: &Predictor,
    prepared: &Prepared,
    document: &ProblemDocument,
    thread_time: &dyn Fn() -> Duration,
) -> Option<TrialState> {
    let rows = prepared.split.rows(Part::Validation);
    let rows = &rows[..rows.len().min(ASKED)];
    let slowest = |_| {
        let took = |row: &u32| {
            let values = prepared.table.values(*row as usize);
            let begun = thread_time();
            let _ = std::hint::black_box(predictor.predict(&values));
            thread_time().saturating_sub(begun)
        };
        let mut times: Vec<Duration> = rows.iter().map(took).collect();
        times.sort_unstable();
        times.get((times.len() * 99).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
    };
    let best = (0..TRIES).map(slowest).min().unwrap_or_default().as_secs_f64() * 1e3;
    let most = document.serving.p99_ms;
    let reason =
        || format!("more than one answer of the model alone in 100 takes longer than {most} ms (serving.p99_ms)");
    (best > most).then(|| TrialState::Infeasible { reason: reason(), measured: true })
}

/// What the trial of a step is to do.
async fn task(context: &Context, launched: &Launched, plan: &FitPlan) -> Result<Task, StepError> {
    let number = context.step().part.unsigned_abs();
    let metric = launched.problem.document.success.metric;
    let search = Search::new(plan, launched.rows(), metric, launched.seed());
    let wait = search.waits(number).ok_or_else(|| internal("the search has no such trial"))?;
    let before = step::outputs_before(context.db().pool(), context.step(), wait).await?;
    let before: Vec<Trial> = before.iter().filter_map(read_trial).collect();
    if before.len() < wait as usize {
        return Err(internal("a trial before this one left no result"));
    }
    let enough = search.is_enough(number, &before);
    let Some(draw) = search.next(number, &before) else {
        let config = plan.space.branches()[0].base().clone();
        let draw = Draw { config, share: 1.0, limits: Limits::default() };
        let reason = "no trial on fewer rows has a score with which this one could go on".to_owned();
        return Ok(Task::End(Ended { trial: draw.failed(reason), is_enough: false }));
    };
    if let Some(first) = launched.run.reproduces {
        let steps = step::list(context.db().pool(), Subject::Run(first.0)).await?;
        // Searches of earlier versions were a single step.
        let has_trials = steps.iter().any(is_trial);
        let first = steps.iter().find(|step| is_trial(step) && step.part == context.step().part);
        let state = match first.and_then(ended_trial) {
            // What was measured then holds.
            Some(Trial { state, .. }) if was_measured(&state) => state,
            Some(_) => return Ok(Task::Run(draw)),
            None if !has_trials => return Ok(Task::Run(draw)),
            None => TrialState::Stopped { reason: "the search that is repeated did not come to it".to_owned() },
        };
        return Ok(Task::End(Ended { trial: draw.ended(state), is_enough: false }));
    }
    if let Some(reason) = enough {
        return Ok(Task::End(Ended { trial: stopped(&draw, reason), is_enough: true }));
    }
    if plan.cpu_seconds.is_some() || plan.wall_seconds.is_some() {
        let spent = step::spent(context.db().pool(), context.step()).await?;
        if let Some(reason) = over_budget(plan, &spent) {
            return Ok(Task::End(Ended { trial: stopped(&draw, reason), is_enough: true }));
        }
    }
    Ok(Task::Run(draw))
}

/// The trials among these steps that have ended, in order.
pub(crate) fn ended(steps: &[Step]) -> impl Iterator<Item = Trial> {
    steps.iter().filter(|step| is_trial(step)).filter_map(ended_trial)
}

/// Whether a step is a trial of a search.
pub(crate) fn is_trial(step: &Step) -> bool {
    step.kind == StepKind::Trial.as_str()
}

fn ended_trial(step: &Step) -> Option<Trial> {
    read_trial(step.output.as_ref().filter(|_| step.state == StepState::Succeeded)?)
}

fn read_trial(output: &Value) -> Option<Trial> {
    Some(Ended::deserialize(output).ok()?.trial)
}

/// Ends when the search's budget is used up, and says which part of it.
async fn used_up(context: &Context, plan: &FitPlan) -> String {
    if plan.cpu_seconds.is_none() && plan.wall_seconds.is_none() {
        return std::future::pending().await;
    }
    loop {
        tokio::time::sleep(LOOK).await;
        match step::spent(context.db().pool(), context.step()).await {
            Ok(spent) => {
                if let Some(reason) = over_budget(plan, &spent) {
                    return reason;
                }
            }
            Err(error) => tracing::warn!(%error, "what the search has spent could not be read"),
        }
    }
}

fn over_budget(plan: &FitPlan, spent: &Spent) -> Option<String> {
    match (plan.cpu_seconds, plan.wall_seconds) {
        (Some(limit), _) if spent.cpu_s >= limit => {
            Some(format!("the search's budget of {limit} CPU-seconds was used up"))
        }
        (_, Some(limit)) if spent.wall_s >= limit => {
            Some(format!("the search's budget of {limit} seconds was used up"))
        }
        _ => None,
    }
}

fn stopped(draw: &Draw, reason: String) -> Trial {
    draw.ended(TrialState::Stopped { reason })
}

fn stored(number: i32, trial: &Trial) -> run::Trial {
    let (state, message) = match &trial.state {
        TrialState::Succeeded => ("succeeded", None),
        TrialState::Failed { reason } | TrialState::TooSlow { reason } => ("failed", Some(reason.clone())),
        TrialState::Infeasible { reason, .. } => ("infeasible", Some(reason.clone())),
        TrialState::Pruned { reason } => ("pruned", Some(reason.clone())),
        TrialState::Stopped { reason } => ("stopped", Some(reason.clone())),
    };
    run::Trial {
        number,
        trainer: trial.config.asked_as(),
        parameters: json!(trial.config.settings()),
        share: trial.share,
        score: trial.score,
        state: state.to_owned(),
        message,
        iterations: trial.iterations.map(|iterations| i64::try_from(iterations).unwrap_or(i64::MAX)),
        cpu_s: None,
        reused: false,
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

fn internal(what: &str) -> StepError {
    StepError::refused("internal", format!("{what}; please report it"))
}
