//! How a run that made no model ended: the first error, the step, the likely cause and the way on.

use leptos::prelude::*;
use millrace_domain::gate::{Decision, Gate, decide};
use millrace_domain::view::{FailureView, RunView, StepView};

use crate::wording::sentence;

/// Why the run ended without a model; nothing for a run that is under way or made one.
#[component]
pub fn RunOutcome(
    /// The run.
    run: RunView,
) -> impl IntoView {
    match run.summary.state.as_str() {
        "failed" => run.failure.map(|failure| view! { <Failed failure steps=run.steps/> }.into_any()),
        "rejected" if run.summary.model_version.is_some() => Some(view! { <Overridden/> }.into_any()),
        "rejected" => Some(view! { <Rejected gates=run.gates/> }.into_any()),
        "cancelled" => Some(view! { <Cancelled failure=run.failure/> }.into_any()),
        _ => None,
    }
}

/// Codes of failures of an external trainer, and their likely cause.
const OF_PROGRAMS: [&str; 5] = ["program_failed", "program_too_slow", "no_model", "model_refused", "metrics_refused"];
const PROGRAM: &str = "Likely cause: the external trainer itself. What it wrote last says more; the model that it may leave, and its limits, \
    are told where trainers are declared.";

#[component]
fn Failed(failure: FailureView, steps: Vec<StepView>) -> impl IntoView {
    let step = failed_step(&steps).cloned();
    let (first, rest) = first_line(&failure.message);
    let title = step
        .as_ref()
        .map_or_else(|| "The run failed".to_owned(), |step| format!("Failed in the step \"{}\"", step.kind));
    let of_program = OF_PROGRAMS.contains(&failure.code.as_str());
    let log = (!rest.is_empty()).then(|| {
        view! {
            <details open=of_program>
                <summary>"Everything that was reported"</summary>
                <pre class="code log" tabindex="0"><code>{failure.message.clone()}</code></pre>
            </details>
        }
    });
    view! {
        <div class="callout" data-kind="error">
            <p class="callout-title">{title}</p>
            <p>{sentence(&first)}</p>
            <p>{if of_program { PROGRAM } else { likely_cause(step.as_ref()) }}</p>
            <p class="muted">"Reason code " <code>{failure.code}</code></p>
            {log}
        </div>
    }
}

#[component]
fn Rejected(gates: Vec<Gate>) -> impl IntoView {
    let open = match decide(&gates) {
        Decision::Rejected(names) => names.join(", "),
        Decision::Passed => "a gate".to_owned(),
    };
    view! {
        <div class="callout" data-kind="warning">
            <p class="callout-title">"The gates said no"</p>
            <p>
                {format!(
                    "The model was trained and measured but not registered. Open: {open}. \
                     Better data, features or a larger search may help; the limits themselves are signed with the problem.",
                )}
            </p>
        </div>
    }
}

#[component]
fn Overridden() -> impl IntoView {
    view! {
        <div class="callout" data-kind="error">
            <p class="callout-title">"The gates said no and were overridden"</p>
            <p>"The model became a version all the same; who let it go on, and why, stands on its page."</p>
        </div>
    }
}

#[component]
fn Cancelled(failure: Option<FailureView>) -> impl IntoView {
    let words =
        failure.map_or_else(|| "Somebody stopped it before it ended.".to_owned(), |failure| sentence(&failure.message));
    view! {
        <div class="callout" data-kind="info">
            <p class="callout-title">"The run was cancelled"</p>
            <p>{words}</p>
        </div>
    }
}

/// The first step that did not end well.
fn failed_step(steps: &[StepView]) -> Option<&StepView> {
    steps.iter().find(|step| matches!(step.state.as_str(), "failed" | "quarantined"))
}

fn first_line(message: &str) -> (String, String) {
    let (first, rest) = message.trim().split_once('\n').unwrap_or((message.trim(), ""));
    (first.trim().to_owned(), rest.trim().to_owned())
}

fn likely_cause(step: Option<&StepView>) -> &'static str {
    match step.map(|step| (step.state.as_str(), step.kind.as_str())) {
        Some(("quarantined", _)) => {
            "Likely cause: the worker died or erred in every allowed attempt, often for want of memory or disk. \
             See to the machine, then try again: finished steps are kept."
        }
        Some((_, "ingest" | "validate")) => {
            "Likely cause: the data. Trying again on the same file ends the same way; correct it and upload a new version."
        }
        Some((_, "features")) => {
            "Likely cause: a feature expression that does not fit this data. Correct the problem document or the data."
        }
        Some((_, "trial" | "tune" | "train")) => {
            "Likely cause: parameters or a search space that the trainer can't use on this data. Run it again with others."
        }
        Some((_, "evaluate")) => {
            "Likely cause: a test part too small or of one class only. More rows or another split may help."
        }
        Some((_, "compare")) => {
            "Likely cause: another version of the program, other libraries or another machine than the first time. \
             The steps below that differ say where to look; reproduce the first run again to compare anew."
        }
        _ => "Trying again continues from the step that failed; finished steps are kept.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(kind: &str, state: &str) -> StepView {
        StepView {
            kind: kind.to_owned(),
            title: String::new(),
            state: state.to_owned(),
            attempt: 1,
            max_attempts: 3,
            progress: None,
            failure: None,
            reused: false,
            cpu_s: 0.0,
            peak_bytes: None,
            worker: None,
            started_at: None,
            finished_at: None,
        }
    }

    #[test]
    fn the_first_step_that_did_not_end_well_is_named() {
        let steps = [step("features", "succeeded"), step("train", "failed"), step("evaluate", "skipped")];
        assert_eq!(failed_step(&steps).map(|step| step.kind.as_str()), Some("train"));
    }

    #[test]
    fn a_worker_that_kept_dying_is_told_apart_from_bad_input() {
        let died = step("train", "quarantined");
        let refused = step("train", "failed");
        assert_ne!(likely_cause(Some(&died)), likely_cause(Some(&refused)));
    }

    #[test]
    fn the_first_line_of_an_error_leads() {
        assert_eq!(first_line("no label\n at row 7\n"), ("no label".to_owned(), "at row 7".to_owned()));
    }
}
