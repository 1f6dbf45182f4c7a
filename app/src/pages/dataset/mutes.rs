//! Muting a check of a dataset for a while, and what is shown of those that are.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use millrace_domain::mute::{Mute, can_be_muted};
use millrace_domain::schema::{Finding, ValidationReport};
use millrace_domain::view::Permission;

use crate::components::{FaultNotice, Field, Gated, GatedButton, Moment};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::pages::address::address;
use crate::wording::sentence;

use super::table::version_address;

/// Mutes a check that a version breaks.
#[server(name = MuteCheck, prefix = "/fn", endpoint = "mute_check")]
pub async fn mute_check(
    id: String,
    number: i32,
    check: String,
    column: String,
    reason: String,
    days: i64,
) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let dataset = crate::pages::address::id(&id, "dataset")?;
    let column = (!column.is_empty()).then_some(column);
    let request = millrace_domain::mute::MuteRequest { check, column, reason: reason.clone(), days };
    let typed = [("reason", reason.as_str())];
    crate::caller::submitted(&typed, services.mute_check(&actor, dataset, number, &request)).await?;
    leptos_axum::redirect(&version_address(&id, number));
    Ok(())
}

/// Ends a mute.
#[server(name = LiftMute, prefix = "/fn", endpoint = "lift_mute")]
pub async fn lift_mute(id: String, number: i32, mute: String) -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let dataset = crate::pages::address::id(&id, "dataset")?;
    crate::caller::submitted(&[], services.lift_mute(&actor, dataset, number, &mute)).await
}

/// The two forms of a version's page.
#[derive(Clone, Copy)]
pub struct MuteForms {
    mute: PageForm<MuteCheck>,
    lift: PageForm<LiftMute>,
}

impl MuteForms {
    /// Forms without an answer yet.
    pub fn new() -> Self {
        Self {
            mute: PageForm::new().telling("The finding is muted."),
            lift: PageForm::new().telling("The finding counts again."),
        }
    }

    /// Changes whenever one was done.
    pub fn done(self) -> (usize, usize) {
        (self.mute.done(), self.lift.done())
    }
}

/// What is muted of a dataset, and who may change that.
#[derive(Clone)]
pub struct Mutes {
    /// The page's forms.
    pub forms: MuteForms,
    /// The dataset.
    pub dataset: String,
    /// The version.
    pub version: i32,
    /// What is muted now.
    pub open: Vec<Mute>,
    /// Whether the reader may change it.
    pub permission: Permission,
}

impl Mutes {
    /// What mutes a finding.
    pub fn of(&self, finding: &Finding) -> Option<&Mute> {
        // All of them hold now: they were chosen by whoever has a clock.
        self.open.iter().find(|mute| mute.covers(finding, mute.at))
    }
}

/// Below a finding: what mutes it, or the way to mute it.
#[component]
pub fn MuteNote(
    /// What is muted.
    mutes: Mutes,
    /// The finding.
    finding: Finding,
) -> impl IntoView {
    if let Some(mute) = mutes.of(&finding).cloned() {
        return view! { <Muted mutes mute/> }.into_any();
    }
    if !can_be_muted(&finding) {
        return ().into_any();
    }
    let about = finding.column.as_deref().map_or_else(String::new, |column| format!(" of {column}"));
    let label = format!("Mute {}{about}", finding.check.replace('_', " "));
    let page = version_address(&mutes.dataset, mutes.version);
    let column = finding.column.unwrap_or_default();
    let href = address(&page, [("mute", finding.check.as_str()), ("of", column.as_str())]) + "#mute";
    view! { <span><a class="muted" href=href aria-label=label>"Mute…"</a></span> }.into_any()
}

#[component]
fn Muted(mutes: Mutes, mute: Mute) -> impl IntoView {
    let form = mutes.forms.lift;
    view! {
        <div class="stack stack-tight">
            <span>
                <span class="badge" data-state="skipped">"Muted"</span> " until " <Moment at=mute.until/> " by " {mute.by} ": "
                {sentence(&mute.reason)}
            </span>
            <ActionForm action=form.action>
                <input type="hidden" name="id" value=mutes.dataset/>
                <input type="hidden" name="number" value=mutes.version/>
                <input type="hidden" name="mute" value=mute.id.clone()/>
                <GatedButton permission=mutes.permission label="Lift" kind="quiet" id=format!("lift-{}", mute.id)/>
            </ActionForm>
        </div>
    }
    .into_any()
}

/// Asks why and for how long, for the check that the address names.
#[component]
pub fn MuteQuestion(
    /// What is muted.
    mutes: Mutes,
    /// The report, for the finding.
    report: ValidationReport,
) -> impl IntoView {
    let query = use_query_map();
    let report = StoredValue::new(report);
    move || {
        let (check, column) = query.with(|query| (query.get("mute"), query.get("of").unwrap_or_default()));
        let check = check?;
        let asked = |finding: &&Finding| {
            finding.check == check && finding.column.as_deref().unwrap_or_default() == column && can_be_muted(finding)
        };
        let finding = report.with_value(|report| report.findings.iter().find(asked).cloned())?;
        Some(view! { <MuteCard mutes=mutes.clone() finding/> })
    }
}

#[component]
fn MuteCard(mutes: Mutes, finding: Finding) -> impl IntoView {
    let form = mutes.forms.mute;
    let page = version_address(&mutes.dataset, mutes.version);
    let column = finding.column.clone().unwrap_or_default();
    let about = if column.is_empty() { "the whole dataset".to_owned() } else { column.clone() };
    let days = [(1, "a day"), (7, "a week"), (30, "30 days"), (90, "90 days")]
        .map(|(days, words)| view! { <option value=days.to_string() selected=days == 7>{words}</option> });
    view! {
        <section class="card confirm" id="mute" aria-labelledby="mute-title">
            <div class="card-header">
                <h2 id="mute-title">{format!("Mute {} of {about}?", finding.check.replace('_', " "))}</h2>
            </div>
            <div class="card-body stack">
                <p>{sentence(&finding.observed)}</p>
                <p class="muted">
                    "It is no longer pointed at in any version of this dataset until then. It stays in the report and travels along \
                     with the model, marked while it is muted."
                </p>
                {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
                <Gated permission=mutes.permission>
                    <ActionForm action=form.action attr:class="form">
                        <input type="hidden" name="id" value=mutes.dataset/>
                        <input type="hidden" name="number" value=mutes.version/>
                        <input type="hidden" name="check" value=finding.check/>
                        <input type="hidden" name="column" value=column/>
                        <Field
                            name="reason"
                            label="Why"
                            hint="What was looked into, and why it may wait."
                            minlength=3
                            value=form.typed("reason").unwrap_or_default()
                            error=Signal::derive(move || form.error_at("/reason"))
                        />
                        <div class="field">
                            <label class="label" for="days">"For"</label>
                            <select class="input" id="days" name="days">{days}</select>
                        </div>
                        <div class="form-actions">
                            <button class="button button-primary" type="submit">"Mute"</button>
                            <a class="button button-quiet" href=page>"Cancel"</a>
                        </div>
                    </ActionForm>
                </Gated>
            </div>
        </section>
    }
    .into_any()
}
