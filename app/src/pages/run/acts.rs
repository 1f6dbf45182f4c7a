//! Cancelling a run, trying it again from the step that failed, and computing it once more to compare.

use leptos::prelude::*;
use millrace_domain::view::{Permission, RunView};

use crate::components::{FaultNotice, GatedButton};
use crate::fault::PageFault;
use crate::form::PageForm;

use super::override_gates::OverrideGates;

/// Asks a run to stop; steps look at it between units of work.
#[server(name = CancelRun, prefix = "/fn", endpoint = "cancel_run")]
pub async fn cancel_run(id: String) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let run = crate::pages::address::id(&id, "run")?;
    crate::caller::submitted(&[], services.cancel_run(&actor, run)).await
}

/// Tries a run again from the step that failed; what is done stays done.
#[server(name = RetryRun, prefix = "/fn", endpoint = "retry_run")]
pub async fn retry_run(id: String) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let run = crate::pages::address::id(&id, "run")?;
    crate::caller::submitted(&[], services.retry_run(&actor, run)).await
}

/// Computes a run once more from its recorded inputs, and opens the page of the run that does.
#[server(name = ReproduceRun, prefix = "/fn", endpoint = "reproduce_run")]
pub async fn reproduce_run(id: String) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let run = crate::pages::address::id(&id, "run")?;
    let again = crate::caller::submitted(&[], services.reproduce_run(&actor, run)).await?;
    leptos_axum::redirect(&format!("/runs/{again}"));
    Ok(())
}

/// The forms of a run's page.
#[derive(Clone, Copy)]
pub struct RunActs {
    cancel: PageForm<CancelRun>,
    retry: PageForm<RetryRun>,
    reproduce: PageForm<ReproduceRun>,
    /// Letting it go on although gates did not pass.
    pub override_gates: PageForm<OverrideGates>,
}

impl RunActs {
    /// Forms without an answer yet.
    pub fn new() -> Self {
        Self {
            cancel: PageForm::new().telling("The run is asked to stop."),
            retry: PageForm::new().telling("The run goes on from the step that it ended at."),
            reproduce: PageForm::new(),
            override_gates: PageForm::new(),
        }
    }

    /// Rises with every act that was answered.
    pub fn version(self) -> usize {
        self.cancel.action.version().get() + self.retry.action.version().get() + self.reproduce.action.version().get()
    }
}

/// Why the last act was refused, if it was.
#[component]
pub fn ActFaults(
    /// The page's forms.
    acts: RunActs,
) -> impl IntoView {
    move || {
        let faults = [acts.cancel.fault(), acts.retry.fault(), acts.reproduce.fault()];
        faults.into_iter().flatten().map(|fault| view! { <FaultNotice fault/> }).collect_view()
    }
}

/// What can be done with the run in its state.
#[component]
pub fn ActButtons(
    /// The page's forms.
    acts: RunActs,
    /// The run.
    run: RunView,
) -> impl IntoView {
    let id = run.summary.id;
    match run.summary.state.as_str() {
        "queued" | "running" => view! { <Cancel acts id permission=run.may_cancel/> }.into_any(),
        // What runs elsewhere is begun again there.
        _ if run.summary.tracked.is_some() => ().into_any(),
        "failed" | "cancelled" => view! { <Retry acts id permission=run.may_retry/> }.into_any(),
        // A repetition is not repeated itself.
        _ if run.summary.reproduces.is_some() => ().into_any(),
        _ => view! { <Reproduce acts id permission=run.may_reproduce/> }.into_any(),
    }
}

#[component]
fn Reproduce(acts: RunActs, id: String, permission: Permission) -> impl IntoView {
    view! {
        <ActionForm action=acts.reproduce.action>
            <input type="hidden" name="id" value=id/>
            <GatedButton permission label="Reproduce" icon="retry"/>
        </ActionForm>
    }
}

#[component]
fn Cancel(acts: RunActs, id: String, permission: Permission) -> impl IntoView {
    view! {
        <ActionForm action=acts.cancel.action>
            <input type="hidden" name="id" value=id/>
            <GatedButton permission label="Cancel the run" icon="stop"/>
        </ActionForm>
    }
}

#[component]
fn Retry(acts: RunActs, id: String, permission: Permission) -> impl IntoView {
    view! {
        <ActionForm action=acts.retry.action>
            <input type="hidden" name="id" value=id/>
            <GatedButton permission label="Try again from the failed step" kind="primary" icon="retry"/>
        </ActionForm>
    }
}
