//! When the steps of a run waited and were worked at.

use chrono::{DateTime, Utc};
use millrace_domain::run::{StepKind, StepState};
use millrace_domain::view::{SpanView, StepView};
use millrace_storage::step::{Attempt, Step};

/// The attempts at the steps of a run that was launched then, and what waits for one now. Trials are one line, as `shown` has them.
pub(crate) fn timeline(
    launched_at: DateTime<Utc>,
    steps: &[Step],
    shown: &[StepView],
    attempts: &[Attempt],
    now: DateTime<Utc>,
) -> Vec<SpanView> {
    let mut spans = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        // Parts of a position are a search, whose first one stands for it.
        if steps[..place].iter().any(|before| before.position == step.position) {
            continue;
        }
        let before = steps.iter().filter(|before| before.position < step.position);
        let ready = before.filter_map(|before| before.finished_at).fold(launched_at, DateTime::max);
        let Some(view) = shown.iter().find(|view| view.kind == step.kind) else { continue };
        if step.kind == StepKind::Trial.as_str() {
            spans.extend(search(view, ready, now));
        } else {
            let own = attempts.iter().filter(|attempt| attempt.step == step.id);
            spans.extend(of_step(step, view, own, ready, now));
        }
    }
    spans
}

fn of_step<'a>(
    step: &Step,
    view: &StepView,
    attempts: impl Iterator<Item = &'a Attempt>,
    ready: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Vec<SpanView> {
    let span = |attempt: i32, state: &str, queued_at, started_at, until| {
        let (step, state) = (view.title.clone(), state.to_owned());
        SpanView { step, attempt, state, queued_at, started_at, until }
    };
    let (mut spans, mut queued_at, mut last) = (Vec::new(), ready, 0);
    // What ended for good waits for nothing: a person who tries it again makes it ready anew.
    let mut is_over = false;
    for attempt in attempts {
        let (until, state) = match &attempt.ended {
            Some((at, ending)) => (*at, word(ending)),
            None => (now, StepState::Running.as_str()),
        };
        if is_over && attempt.number == step.attempt {
            queued_at = step.run_at;
        }
        spans.push(span(attempt.number, state, queued_at.min(attempt.started_at), Some(attempt.started_at), until));
        is_over = attempt.ended.as_ref().is_some_and(|(_, ending)| is_final(ending));
        (queued_at, last) = (until, attempt.number);
    }
    if step.state == StepState::Queued {
        let queued_at = if is_over || last == 0 { step.run_at } else { queued_at };
        spans.push(span(last + 1, StepState::Queued.as_str(), queued_at.min(now), None, now));
    }
    spans
}

/// Whether an attempt that ended so is followed by another one only if a person asks for it.
fn is_final(ending: &str) -> bool {
    ending.parse().is_ok_and(StepState::is_final)
}

/// An attempt after which the step waits for another one, or is given up, has failed.
fn word(ending: &str) -> &str {
    if ending == StepState::Queued.as_str() || ending == StepState::Quarantined.as_str() {
        return StepState::Failed.as_str();
    }
    ending
}

fn search(view: &StepView, queued_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<SpanView> {
    let is_waiting = view.state == StepState::Queued.as_str();
    if view.started_at.is_none() && !is_waiting {
        return None;
    }
    Some(SpanView {
        step: view.title.clone(),
        attempt: 1,
        state: if is_waiting { view.state.clone() } else { word(&view.state).to_owned() },
        queued_at,
        started_at: view.started_at.filter(|_| !is_waiting),
        until: view.finished_at.filter(|_| !is_waiting).unwrap_or(now),
    })
}

#[cfg(test)]
mod tests {
    use millrace_domain::ids::StepId;
    use millrace_storage::step::Subject;

    use super::*;
    use crate::present;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    /// A step of that kind at that place, which was made ready and ended then.
    fn step(kind: StepKind, position: i32, state: StepState, attempt: i32, ready: i64, ended: Option<i64>) -> Step {
        Step {
            id: StepId(i64::from(position)),
            subject: Subject::Run(1),
            kind: kind.as_str().to_owned(),
            position,
            part: 0,
            state,
            attempt,
            max_attempts: 3,
            worker: None,
            cancel_requested: false,
            input_digest: None,
            reused_from: None,
            output: None,
            cpu_s: 0.0,
            peak_bytes: None,
            progress: None,
            failure: None,
            run_at: at(ready),
            started_at: None,
            finished_at: ended.map(at),
        }
    }

    fn attempt(step: i64, number: i32, began: i64, ended: Option<(i64, &str)>) -> Attempt {
        let ended = ended.map(|(second, word)| (at(second), word.to_owned()));
        Attempt { step: StepId(step), number, started_at: at(began), ended }
    }

    /// Kind, attempt and state, and the seconds at which it was ready, began and ended.
    fn told(steps: &[Step], attempts: &[Attempt]) -> Vec<(String, String, [Option<i64>; 3])> {
        let shown: Vec<StepView> =
            steps.iter().map(|step| StepView { title: step.kind.clone(), ..present::step(step) }).collect();
        let second = |time: DateTime<Utc>| (time - at(0)).num_seconds();
        let line = |span: SpanView| {
            let times = [Some(span.queued_at), span.started_at, Some(span.until)].map(|time| time.map(second));
            (format!("{} {}", span.step, span.attempt), span.state, times)
        };
        timeline(at(0), steps, &shown, attempts, at(1_000)).into_iter().map(line).collect()
    }

    fn line(step: &str, state: &str, times: [Option<i64>; 3]) -> (String, String, [Option<i64>; 3]) {
        (step.to_owned(), state.to_owned(), times)
    }

    #[test]
    fn what_a_worker_lost_waits_from_then_on_and_what_failed_for_good_from_when_a_person_tried_it_again() {
        let steps = [
            step(StepKind::Features, 0, StepState::Succeeded, 2, 5, Some(9)),
            step(StepKind::Train, 1, StepState::Running, 2, 500, None),
        ];
        let attempts = [
            attempt(0, 1, 1, Some((5, "lost"))),
            attempt(0, 2, 7, Some((9, "succeeded"))),
            attempt(1, 1, 10, Some((12, "failed"))),
            attempt(1, 2, 501, None),
        ];
        let expected = [
            line("features 1", "lost", [Some(0), Some(1), Some(5)]),
            line("features 2", "succeeded", [Some(5), Some(7), Some(9)]),
            line("train 1", "failed", [Some(9), Some(10), Some(12)]),
            line("train 2", "running", [Some(500), Some(501), Some(1_000)]),
        ];
        assert_eq!(told(&steps, &attempts), expected);
    }

    #[test]
    fn a_search_that_waits_for_a_worker_is_queued_and_has_not_begun() {
        let steps = [
            step(StepKind::Features, 0, StepState::Succeeded, 1, 0, Some(9)),
            step(StepKind::Trial, 1, StepState::Queued, 0, 9, None),
            step(StepKind::Train, 2, StepState::Blocked, 0, 0, None),
        ];
        let attempts = [attempt(0, 1, 1, Some((9, "succeeded")))];
        let expected = [
            line("features 1", "succeeded", [Some(0), Some(1), Some(9)]),
            line("trial 1", "queued", [Some(9), None, Some(1_000)]),
        ];
        assert_eq!(told(&steps, &attempts), expected);
    }
}
