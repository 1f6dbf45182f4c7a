//! From stored records to what doors show.

use chrono::{DateTime, Utc};
use millrace_domain::gate::Gate;
use millrace_domain::ids::RunId;
use millrace_domain::metric::Metric;
use millrace_domain::run::StepKind;
use millrace_domain::view::{
    ArtifactView, CallerView, DatasetSummary, FailureView, LogLineView, MetricView, ModelSummary, RunSummary, StepView,
    TrialView,
};
use millrace_storage::caller::Caller;
use millrace_storage::dataset::DatasetVersion;
use millrace_storage::run::{MetricValue, Run, RunArtifact, Trial};
use millrace_storage::step::{Failure, Logged, Step};

use crate::model::Lineage;

pub(crate) fn dataset(version: &DatasetVersion, now: DateTime<Utc>) -> DatasetSummary {
    let report = version.report.as_ref();
    let size = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    DatasetSummary {
        dataset: version.dataset.to_string(),
        name: version.name.clone(),
        problem: version.problem.clone(),
        version: version.number,
        state: version.state.as_str().to_owned(),
        rows: version.rows,
        columns: version.profile.as_ref().map(|profile| size(profile.columns.len())),
        file_name: version.file_name.clone(),
        source_bytes: version.source_bytes,
        critical: report.map_or(0, |report| size(report.blocking().count())),
        warnings: report.map_or(0, |report| size(report.open_warnings(&version.mutes, now).count())),
        role: version.role.as_str().to_owned(),
        author: version.author_name.clone(),
        created_at: version.created_at,
    }
}

/// Gates of a run, each with where what it was decided on is shown.
pub(crate) fn gates(mut gates: Vec<Gate>, problem: &str, run: RunId) -> Vec<Gate> {
    for gate in &mut gates {
        gate.evidence = Some(gate.evidence_in(problem, run));
    }
    gates
}

pub(crate) fn failure(failure: &Failure) -> FailureView {
    FailureView { code: failure.code.clone(), message: failure.message.clone() }
}

pub(crate) fn step(step: &Step) -> StepView {
    let title = StepKind::ALL.into_iter().find(|kind| kind.as_str() == step.kind).map_or("", StepKind::title);
    StepView {
        kind: step.kind.clone(),
        title: title.to_owned(),
        state: step.state.as_str().to_owned(),
        attempt: step.attempt,
        max_attempts: step.max_attempts,
        progress: step.progress.clone(),
        failure: step.failure.as_ref().map(failure),
        reused: step.reused_from.is_some(),
        cpu_s: step.cpu_s,
        peak_bytes: step.peak_bytes,
        worker: step.worker.clone(),
        started_at: step.started_at,
        finished_at: step.finished_at,
    }
}

pub(crate) fn log_line(logged: Logged) -> LogLineView {
    let Logged { kind, part, attempt, line } = logged;
    let trial = (kind == StepKind::Trial.as_str()).then_some(part + 1);
    LogLineView { at: line.at, step: kind, trial, attempt, text: line.text }
}

/// The success metric's value on the test part.
fn success(metric: Metric, metrics: &[MetricValue]) -> Option<&MetricValue> {
    let name = format!("test.{metric}");
    metrics.iter().find(|value| value.name == name && value.step == 0)
}

pub(crate) fn run(run: &Run) -> RunSummary {
    let asked = run.request.get("trainer").and_then(|trainer| trainer.as_str());
    let trainer = run.trainer.as_deref().or(asked).unwrap_or_default();
    // What a program logs may have begun before it was told of here.
    let began = run.started_at.filter(|_| run.tracked.is_some()).unwrap_or(run.created_at);
    RunSummary {
        id: run.id.to_string(),
        problem: run.problem.clone(),
        problem_version: run.problem_number,
        state: run.state.as_str().to_owned(),
        trainer: trainer.to_owned(),
        metric: run.metric.clone(),
        value: run.value,
        interval: run.interval,
        model_version: run.model_number,
        author: run.author_name.clone(),
        created_at: run.created_at,
        seconds: run.finished_at.map(|end| (end - began).num_milliseconds() as f64 / 1e3),
        reproduces: run.reproduces.map(|id| id.to_string()),
        tracked: run.tracked.as_ref().map(|tracked| tracked.name.clone()),
        values: Vec::new(),
    }
}

pub(crate) fn metric(value: &MetricValue) -> MetricView {
    MetricView { name: value.name.clone(), step: value.step, value: value.value, interval: value.interval, n: value.n }
}

pub(crate) fn artifact(artifact: RunArtifact) -> ArtifactView {
    ArtifactView {
        name: artifact.name,
        digest: artifact.digest.to_string(),
        bytes: artifact.bytes,
        media_type: artifact.media_type,
    }
}

pub(crate) fn trial(trial: Trial) -> TrialView {
    TrialView {
        number: trial.number,
        trainer: trial.trainer,
        share: trial.share,
        iterations: trial.iterations,
        cpu_s: trial.cpu_s,
        reused: trial.reused,
        parameters: trial.parameters,
        score: trial.score,
        state: trial.state,
        message: trial.message,
    }
}

pub(crate) fn caller(caller: Caller) -> CallerView {
    let Caller { name, token, first_at, last_at } = caller;
    CallerView { name, token, first_at, last_at }
}

pub(crate) fn model(lineage: &Lineage, metrics: &[MetricValue]) -> ModelSummary {
    let (version, document) = (&lineage.version, &lineage.problem.document);
    let metric = document.success.metric;
    let value = success(metric, metrics);
    let (dataset, name, number) = &version.data;
    let of_test = |metric: Metric| Some((metric.to_string(), success(metric, metrics)?.value));
    ModelSummary {
        slug: version.slug.clone(),
        title: document.title.clone(),
        version: version.number,
        stage: version.stage.as_str().to_owned(),
        run: version.run.to_string(),
        trainer: run(&lineage.run).trainer,
        data: format!("{name} v{number}"),
        data_page: format!("/datasets/{dataset}/v/{number}"),
        overridden: version.gates.iter().any(|gate| gate.overridden.is_some()),
        archived: version.archived_at.is_some(),
        metric: metric.to_string(),
        value: value.map(|value| value.value),
        interval: value.and_then(|value| value.interval),
        guardrails: document.guardrails.iter().filter_map(|rule| of_test(rule.metric)).collect(),
        author: version.author_name.clone(),
        created_at: version.created_at,
        asked_at: version.asked_at,
        live: None,
    }
}
