//! The trials of a search as one line among the steps of its run.

use chrono::{DateTime, Utc};
use millrace_domain::metric::Metric;
use millrace_domain::run::{StepKind, StepState};
use millrace_domain::view::StepView;
use millrace_storage::run::Trial;
use millrace_storage::step::Step;
use serde_json::json;

use crate::present;

/// The steps of a run as they are shown: those of its trials are one.
pub(crate) fn steps(steps: &[Step], trials: &[Trial], metric: Option<Metric>, now: DateTime<Utc>) -> Vec<StepView> {
    let is_trial = |step: &&Step| step.kind == StepKind::Trial.as_str();
    let of_search: Vec<&Step> = steps.iter().filter(is_trial).collect();
    let first = of_search.first().map(|step| step.id);
    let shown = steps.iter().filter(|step| !is_trial(step) || Some(step.id) == first);
    shown
        .map(|step| if is_trial(&step) { search(&of_search, trials, metric, now) } else { present::step(step) })
        .collect()
}

fn search(steps: &[&Step], trials: &[Trial], metric: Option<Metric>, now: DateTime<Utc>) -> StepView {
    let count = |states: &[StepState]| steps.iter().filter(|step| states.contains(&step.state)).count();
    let ended = count(&[StepState::Succeeded]);
    let under_way = count(&[StepState::Running, StepState::Queued, StepState::Blocked]);
    // The one that says how the search stands: what went wrong, else what goes on, else the last one.
    let wrong = [StepState::Failed, StepState::Quarantined, StepState::Cancelled];
    let telling = steps.iter().find(|step| wrong.contains(&step.state)).or(steps.last()).copied();
    let state = match telling {
        Some(step) if wrong.contains(&step.state) => step.state,
        _ if under_way == 0 && ended == 0 => StepState::Skipped,
        _ if under_way == 0 => StepState::Succeeded,
        _ if ended > 0 || count(&[StepState::Running]) > 0 => StepState::Running,
        _ if count(&[StepState::Queued]) > 0 => StepState::Queued,
        _ => StepState::Blocked,
    };
    let started_at = steps.iter().filter_map(|step| step.started_at).min();
    let scores = trials.iter().filter_map(|trial| Some((trial.share, trial.score.filter(|score| score.is_finite())?)));
    let best = scores.reduce(|best, one| {
        let is_better = metric.is_some_and(|metric| metric.is_better(one.1, best.1));
        if one.0 > best.0 || (one.0 == best.0 && is_better) { one } else { best }
    });
    let best = best.map(|(_, score)| score);
    let mut text = format!("trial {ended} of {}", steps.len());
    if let Some(best) = best {
        text.push_str(&format!(", best {best:.4}"));
    }
    if let (Some(started), true, true) = (started_at, ended > 0, under_way > 0) {
        let elapsed = (now - started).num_milliseconds().max(0) as f64 / 1e3;
        text.push_str(&format!(", about {} left", roughly(elapsed / ended as f64 * under_way as f64)));
    }
    StepView {
        kind: StepKind::Trial.as_str().to_owned(),
        title: if under_way == 0 && ended < steps.len() {
            format!("{}, {ended} of {} trials", StepKind::Trial.title(), steps.len())
        } else {
            format!("{}, {} trials", StepKind::Trial.title(), steps.len())
        },
        state: state.as_str().to_owned(),
        attempt: steps.iter().map(|step| step.attempt).max().unwrap_or_default(),
        max_attempts: telling.map_or(0, |step| step.max_attempts),
        progress: Some(json!({ "done": ended, "total": steps.len(), "best": best, "text": text })),
        failure: telling.and_then(|step| step.failure.as_ref()).map(present::failure),
        reused: steps.iter().all(|step| step.reused_from.is_some()),
        cpu_s: steps.iter().map(|step| step.cpu_s).sum(),
        peak_bytes: steps.iter().filter_map(|step| step.peak_bytes).max(),
        worker: None,
        started_at,
        finished_at: steps.iter().filter_map(|step| step.finished_at).max().filter(|_| under_way == 0),
    }
}

/// A time that is only guessed at.
fn roughly(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 90.0 => format!("{:.0} s", seconds.ceil()),
        seconds if seconds < 5_400.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3_600.0),
    }
}
