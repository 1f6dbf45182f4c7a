//! The steps of a run or of a dataset load, in order, each with its state, its progress and why it ended.

use leptos::prelude::*;
use millrace_charts::{count, duration};
use millrace_domain::view::StepView;
use serde_json::Value;

use crate::pages::quantity::bytes;

/// Steps in the order of the pipeline.
#[component]
pub fn StepTimeline(
    /// The steps.
    steps: Vec<StepView>,
) -> impl IntoView {
    let items: Vec<_> = steps.into_iter().map(step_item).collect();
    view! { <ol class="timeline">{items}</ol> }
}

fn step_item(step: StepView) -> impl IntoView {
    let state = shown_state(&step.state);
    let meta = meta(&step);
    let progress = (step.state == "running")
        .then(|| step.progress.as_ref().and_then(StepProgress::read))
        .flatten()
        .map(|progress| view! { <ProgressBar progress=progress /> });
    let failure = step.failure.map(|failure| {
        view! { <p>{failure.message}" "<span class="muted">"(" <code>{failure.code}</code> ")"</span></p> }
    });
    let body = (progress.is_some() || failure.is_some())
        .then(|| view! { <div class="timeline-body stack stack-tight">{progress}{failure}</div> });
    view! {
        <li data-state=state>
            <div class="timeline-head">
                <span class="timeline-title">{step.title}</span>
                <span class="timeline-meta">{meta}</span>
            </div>
            {body}
        </li>
    }
}

/// How far a step is, as it reported it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepProgress {
    /// Units done.
    pub done: Option<u64>,
    /// Units in all, if they are known.
    pub total: Option<u64>,
    /// In words; empty when the step said none.
    pub text: String,
}

impl StepProgress {
    /// From a step's progress document; none when it says nothing.
    pub fn read(progress: &Value) -> Option<Self> {
        let text = progress["text"].as_str().unwrap_or_default().to_owned();
        let read = Self { done: progress["done"].as_u64(), total: progress["total"].as_u64(), text };
        (read.done.is_some() || !read.text.is_empty()).then_some(read)
    }

    /// The text, or the counts when there is none.
    pub fn words(&self) -> String {
        match (self.text.as_str(), self.done, self.total) {
            ("", Some(done), Some(total)) => format!("{} of {}", count(done), count(total)),
            ("", Some(done), None) => count(done),
            (text, ..) => text.to_owned(),
        }
    }
}

/// A bar with the words above it; without a known total it is indeterminate.
#[component]
pub fn ProgressBar(
    /// How far it is.
    progress: StepProgress,
) -> impl IntoView {
    let words = progress.words();
    let bar = match (progress.done, progress.total) {
        (Some(done), Some(total)) if total > 0 => {
            view! { <progress max=total.to_string() value=done.min(total).to_string()>{words.clone()}</progress> }
                .into_any()
        }
        _ => view! { <progress>{words.clone()}</progress> }.into_any(),
    };
    view! {
        <div class="progress" data-state="running">
            <div class="progress-head"><span>{words}</span></div>
            {bar}
        </div>
    }
}

/// The design system's word for a step's state.
fn shown_state(state: &str) -> &'static str {
    match state {
        "queued" => "queued",
        "running" => "running",
        "succeeded" => "succeeded",
        "failed" | "quarantined" => "failed",
        "cancelled" => "cancelled",
        "skipped" => "skipped",
        _ => "waiting",
    }
}

fn state_words(state: &str) -> &'static str {
    match state {
        "queued" => "Queued",
        "running" => "Running",
        "succeeded" => "Done",
        "failed" => "Failed",
        "quarantined" => "Gave up",
        "cancelled" => "Cancelled",
        "skipped" => "Skipped",
        _ => "Waiting",
    }
}

fn meta(step: &StepView) -> String {
    let mut parts = vec![state_words(&step.state).to_owned()];
    if let (Some(started), Some(finished)) = (step.started_at, step.finished_at) {
        parts.push(duration((finished - started).num_milliseconds() as f64 / 1000.0));
    }
    if step.cpu_s >= 0.05 && !step.reused {
        parts.push(format!("{} of processor time", duration(step.cpu_s)));
    }
    if let (Some(peak), false) = (step.peak_bytes, step.reused) {
        parts.push(format!("at most {} of memory", bytes(peak)));
    }
    if step.reused {
        parts.push("result taken over".to_owned());
    }
    if step.attempt > 1 {
        parts.push(format!("attempt {} of {}", step.attempt, step.max_attempts));
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use millrace_domain::run::StepState;
    use serde_json::json;

    use super::*;

    fn step(state: &str) -> StepView {
        StepView {
            kind: "train".to_owned(),
            title: "Fit the model".to_owned(),
            state: state.to_owned(),
            attempt: 1,
            max_attempts: 3,
            progress: None,
            failure: None,
            reused: false,
            cpu_s: 0.0,
            peak_bytes: None,
            worker: None,
            started_at: Some(serde_json::from_value(json!("2026-11-23T14:05:00Z")).expect("a time")),
            finished_at: Some(serde_json::from_value(json!("2026-11-23T14:05:14.200Z")).expect("a time")),
        }
    }

    #[test]
    fn a_finished_step_tells_how_long_it_took() {
        assert_eq!(meta(&step("succeeded")), "Done · 14.2 s");
        let busy = StepView { cpu_s: 27.5, ..step("succeeded") };
        assert_eq!(meta(&busy), "Done · 14.2 s · 27.5 s of processor time");
        let large = StepView { peak_bytes: Some(412_000_000), ..step("succeeded") };
        assert_eq!(meta(&large), "Done · 14.2 s · at most 412 MB of memory");
    }

    #[test]
    fn a_retried_step_tells_its_attempt() {
        assert_eq!(meta(&StepView { attempt: 2, ..step("succeeded") }), "Done · 14.2 s · attempt 2 of 3");
    }

    #[test]
    fn every_final_state_but_success_is_told_apart() {
        let words = [StepState::Failed, StepState::Quarantined, StepState::Cancelled, StepState::Skipped]
            .map(|state| state_words(state.as_str()));
        assert_eq!(words, ["Failed", "Gave up", "Cancelled", "Skipped"]);
    }

    #[test]
    fn progress_prefers_the_step_s_own_words() {
        let progress = StepProgress::read(&json!({"done": 12, "total": 50, "text": "trial 12 of 50, best 0.871"}));
        assert_eq!(progress.map(|progress| progress.words()), Some("trial 12 of 50, best 0.871".to_owned()));
    }

    #[test]
    fn progress_without_words_counts() {
        let progress = StepProgress::read(&json!({"done": 1200, "total": 5000}));
        assert_eq!(progress.map(|progress| progress.words()), Some("1\u{202f}200 of 5\u{202f}000".to_owned()));
    }

    #[test]
    fn an_empty_progress_document_is_no_progress() {
        assert_eq!(StepProgress::read(&json!({})), None);
    }
}
