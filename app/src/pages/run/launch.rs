//! Launching a run: first the problem, then what to run on it, with what would block told beforehand.

use leptos::prelude::*;
use leptos_router::components::Form;
use leptos_router::hooks::use_query_map;
use millrace_domain::trainer::Sampler;
use millrace_domain::view::{LaunchOptions, LaunchProblem, Permission};

use crate::components::{Empty, FaultNotice, Field, FieldError, GatedButton, Load, NotAllowed, PageHeader, TextArea};
use crate::fault::PageFault;
use crate::form::PageForm;

use super::launch_form::LaunchForm;
use super::preflight::{Check, NO_DATA, checks, is_clear};

/// What can be launched.
#[server(name = FetchLaunchOptions, prefix = "/fn", endpoint = "launch_options")]
pub async fn fetch_launch_options() -> Result<LaunchOptions, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.launch_options(&actor).await?)
}

/// Launches a run and leads to its page. The fields come as they were typed, so that every mistake can be told at once.
#[server(name = LaunchRun, prefix = "/fn", endpoint = "launch_run")]
pub async fn launch_run(
    problem: String,
    dataset: String,
    trainer: String,
    budget: String,
    sampler: String,
    seed: String,
    parameters: String,
) -> Result<String, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let form = LaunchForm { problem, dataset, trainer, budget, sampler, seed, parameters };
    let launched = async { services.launch_run(&actor, &form.request()?).await };
    let run = crate::caller::submitted(&form.typed(), launched).await?;
    leptos_axum::redirect(&format!("/runs/{run}"));
    Ok(run.to_string())
}

/// `/runs/new`, with the fields to begin with in the query.
#[component]
pub fn LaunchRunPage() -> impl IntoView {
    let form = PageForm::<LaunchRun>::new();
    let options = Resource::new(|| (), |()| fetch_launch_options());
    view! {
        <PageHeader title="Launch a run" crumbs=vec![("Runs".to_owned(), "/runs".to_owned())]/>
        <Load resource=options let:options>
            {if !options.may_launch.allowed {
                view! { <NotAllowed title="You may not launch runs" permission=options.may_launch/> }.into_any()
            } else if options.problems.is_empty() {
                view! { <NothingToLaunch/> }.into_any()
            } else {
                view! { <Launch options form/> }.into_any()
            }}
        </Load>
    }
}

#[component]
fn NothingToLaunch() -> impl IntoView {
    view! {
        <Empty
            title="Nothing can be launched yet"
            text="A run needs a problem with a signed-off version and a dataset version that passed its critical checks."
        >
            <a class="button" data-icon="problem" href="/problems">"Problems"</a>
            <a class="button" data-icon="upload" href="/datasets/new">"Upload data"</a>
        </Empty>
    }
}

#[component]
fn Launch(options: LaunchOptions, form: PageForm<LaunchRun>) -> impl IntoView {
    let query = use_query_map();
    move || {
        let mut begin = query.with(LaunchForm::from_query);
        if begin.problem.is_empty() && options.problems.len() == 1 {
            begin.problem.clone_from(&options.problems[0].slug);
        }
        let checks = checks(&options, &begin);
        let chosen = begin.problem.clone();
        let problem = options.problems.iter().find(|problem| problem.slug == chosen).cloned();
        let permission = options.may_launch.clone();
        let permission = match &problem {
            Some(problem) if permission.allowed && problem.datasets.is_empty() => Permission::refused(NO_DATA),
            _ => permission,
        };
        let entry = problem.map(|problem| view! { <Entry problem begin permission form/> });
        view! {
            <div class="split">
                <div class="split-main stack stack-loose">
                    <ProblemChoice problems=options.problems.clone() chosen/>
                    {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
                    {entry}
                </div>
                <aside class="split-side stack">
                    <Preflight checks/>
                </aside>
            </div>
        }
    }
}

#[component]
fn Entry(
    problem: LaunchProblem,
    begin: LaunchForm,
    permission: Permission,
    form: PageForm<LaunchRun>,
) -> impl IntoView {
    view! {
        <ActionForm action=form.action attr:class="form">
            <Fields problem begin form/>
            <div class="form-actions">
                <GatedButton permission label="Launch the run" kind="primary" icon="play"/>
            </div>
        </ActionForm>
    }
}

/// The problem comes first: what else can be chosen depends on it.
#[component]
fn ProblemChoice(problems: Vec<LaunchProblem>, chosen: String) -> impl IntoView {
    let options = problems
        .into_iter()
        .map(|problem| {
            let selected = problem.slug == chosen;
            let label = format!("{} ({})", problem.title, problem.slug);
            view! { <option value=problem.slug selected=selected>{label}</option> }
        })
        .collect_view();
    view! {
        <Form method="GET" action="/runs/new" attr:class="filters">
            <div class="field">
                <label class="label" for="choose-problem">"Problem"</label>
                <select class="input" id="choose-problem" name="problem">{options}</select>
            </div>
            <button class="button" type="submit">"Choose"</button>
        </Form>
    }
}

#[component]
fn Fields(problem: LaunchProblem, begin: LaunchForm, form: PageForm<LaunchRun>) -> impl IntoView {
    let value = move |name: &str, begun: &str| form.typed(name).unwrap_or_else(|| begun.to_owned());
    let error = move |pointer: &'static str| Signal::derive(move || form.error_at(pointer));
    let parameters_error = error("/parameters");
    view! {
        <input type="hidden" name="problem" value=problem.slug.clone()/>
        <DatasetChoice problem=problem.clone() chosen=value("dataset", &begin.dataset) error=error("/dataset")/>
        <TrainerChoice trainers=problem.trainers chosen=value("trainer", &begin.trainer)/>
        <div class="form-row">
            <Field
                name="budget"
                label="Trials"
                kind="number"
                hint="Searches hyperparameters on the validation part, at most 1,000 trials; empty or 0 fits once."
                value=value("budget", &begin.budget)
                optional=true
                error=error("/budget")
            />
            <Field
                name="seed"
                label="Seed"
                kind="number"
                hint="Of everything random: same seed, same bits. Empty means 0."
                value=value("seed", &begin.seed)
                optional=true
                error=error("/seed")
            />
        </div>
        <SamplerChoice chosen=value("sampler", &begin.sampler)/>
        <div class="field">
            <label class="label" for="parameters">"Parameters " <span class="optional">"optional"</span></label>
            <p class="hint" id="parameters-hint">
                "Fixed hyperparameters as a JSON object, for example {\"max_depth\": 6}; empty means the defaults."
            </p>
            <TextArea
                name="parameters"
                text=value("parameters", &begin.parameters)
                code=true
                described_by="parameters-hint"
                invalid=Signal::derive(move || parameters_error.get().is_some())
            />
            <FieldError name="parameters" error=parameters_error/>
        </div>
    }
}

#[component]
fn SamplerChoice(chosen: String) -> impl IntoView {
    let options = Sampler::ALL.map(|sampler| {
        let words = match sampler {
            Sampler::Tpe => "where trials before were good (TPE)",
            Sampler::Random => "at random",
        };
        view! { <option value=sampler.as_str() selected=sampler.as_str() == chosen>{words}</option> }
    });
    view! {
        <div class="field">
            <label class="label" for="sampler">"Trials are drawn"</label>
            <p class="hint">"Either way the same seed gives the same trials."</p>
            <select class="input" id="sampler" name="sampler">{options}</select>
        </div>
    }
}

#[component]
fn DatasetChoice(problem: LaunchProblem, chosen: String, error: Signal<Option<String>>) -> impl IntoView {
    let options = problem
        .datasets
        .into_iter()
        .map(|dataset| {
            let value = format!("{}/{}", dataset.dataset, dataset.version);
            let warnings =
                if dataset.warnings > 0 { format!(", {} warnings", dataset.warnings) } else { String::new() };
            let label = format!("{} v{}{warnings}", dataset.name, dataset.version);
            view! { <option value=value.clone() selected=value == chosen>{label}</option> }
        })
        .collect_view();
    view! {
        <div class="field">
            <label class="label" for="dataset">"Dataset version"</label>
            <p class="hint" id="dataset-hint">"Versions that passed their critical checks, newest first."</p>
            <select class="input" id="dataset" name="dataset" aria-describedby="dataset-hint">{options}</select>
            <FieldError name="dataset" error/>
        </div>
    }
}

#[component]
fn TrainerChoice(trainers: Vec<String>, chosen: String) -> impl IntoView {
    let options = trainers
        .into_iter()
        .map(|trainer| {
            let label = crate::wording::state_words(&trainer);
            view! { <option value=trainer.clone() selected=trainer == chosen>{label}</option> }
        })
        .collect_view();
    view! {
        <div class="field">
            <label class="label" for="trainer">"Trainer"</label>
            <select class="input" id="trainer" name="trainer">{options}</select>
        </div>
    }
}

#[component]
fn Preflight(checks: Vec<Check>) -> impl IntoView {
    let title = if is_clear(&checks) { "Ready to launch" } else { "What is in the way" };
    let state = if is_clear(&checks) { "ready" } else { "blocked" };
    let items = checks
        .into_iter()
        .map(|check| {
            view! {
                <li class="check-item" data-state=check.state>
                    <span class="check-name">{check.name}</span>
                    <span class="check-note">{check.note}</span>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="card decision" data-state=state>
            <div class="card-header"><h2>{title}</h2></div>
            <div class="card-body"><ul class="checks">{items}</ul></div>
        </section>
    }
}
