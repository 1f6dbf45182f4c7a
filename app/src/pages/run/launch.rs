//! Launching a run: first the problem, then what to run on it, with what would block told beforehand.

#![allow(clippy::too_many_arguments, reason = "the arguments of a server function are the fields of its form")]

use leptos::prelude::*;
use leptos_router::components::Form;
use leptos_router::hooks::use_query_map;
use millrace_domain::trainer::{ANY_TRAINER, Aim, CalibrationMethod, EXTERNAL, Pruner, Sampler};
use millrace_domain::view::{LaunchOptions, LaunchProblem, Permission};

use crate::components::{Empty, FaultNotice, Field, FieldError, GatedButton, Load, NotAllowed, PageHeader, TextArea};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::wording::counted;

use super::hyperparameters::Hyperparameters;
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
    calibration: Option<String>,
    sampler: String,
    pruner: String,
    parallel: String,
    cpu_seconds: String,
    wall_seconds: String,
    least_gain: String,
    search: String,
    seed: String,
    parameters: String,
) -> Result<String, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let form = LaunchForm {
        problem,
        dataset,
        trainer,
        budget,
        calibration: calibration.unwrap_or_default(),
        sampler,
        pruner,
        parallel,
        cpu_seconds,
        wall_seconds,
        least_gain,
        search,
        seed,
        parameters,
    };
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
        let chosen = begin.problem.clone();
        // What stands in the fields now, which is what is judged and what another problem begins with.
        let typed = RwSignal::new(begin.clone());
        let judged = options.clone();
        let checks = move || typed.with(|typed| checks(&judged, typed));
        let problem = options.problems.iter().find(|problem| problem.slug == chosen).cloned();
        let permission = options.may_launch.clone();
        let permission = match &problem {
            Some(problem) if permission.allowed && problem.datasets.is_empty() => Permission::refused(NO_DATA),
            _ => permission,
        };
        let trainers = problem.as_ref().map(|problem| problem.trainers.clone());
        let hyperparameters = trainers.map(|trainers| view! { <Hyperparameters trainers/> });
        let entry = problem.map(|problem| {
            let holder = NodeRef::<leptos::html::Div>::new();
            let read = move |within: &web_sys::Element| {
                if let Some(now) = LaunchForm::around(within) {
                    typed.set(now);
                }
            };
            // What was typed before the page came alive is judged as well.
            Effect::new(move |_| {
                let form = holder.get().and_then(|holder| holder.query_selector("form").ok().flatten());
                if let Some(form) = form {
                    read(&form);
                }
            });
            view! {
                <div node_ref=holder on:input=move |event| read(&event_target::<web_sys::Element>(&event))>
                    <Entry problem begin permission form/>
                </div>
            }
        });
        view! {
            <div class="split">
                <div class="split-main stack stack-loose">
                    <ProblemChoice problems=options.problems.clone() chosen typed/>
                    {move || form.fault().map(|fault| view! { <FaultNotice fault/> })}
                    {entry}
                    {hyperparameters}
                </div>
                <aside class="split-side stack">
                    {move || view! { <Preflight checks=checks()/> }}
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
fn ProblemChoice(problems: Vec<LaunchProblem>, chosen: String, typed: RwSignal<LaunchForm>) -> impl IntoView {
    let options = problems
        .into_iter()
        .map(|problem| {
            let selected = problem.slug == chosen;
            let label = format!("{} ({})", problem.title, problem.slug);
            view! { <option value=problem.slug selected=selected>{label}</option> }
        })
        .collect_view();
    // What was typed is kept, but for the data, which are another problem's.
    let kept = move || {
        let kept = typed.get();
        let fields = kept
            .typed()
            .into_iter()
            .filter(|(name, value)| !["problem", "dataset"].contains(name) && !value.is_empty());
        fields.map(|(name, value)| view! { <input type="hidden" name=name value=value.to_owned()/> }).collect_view()
    };
    view! {
        <Form method="GET" action="/runs/new" attr:class="filters">
            {kept}
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
    let calibrations = calibrations(&problem);
    view! {
        <input type="hidden" name="problem" value=problem.slug.clone()/>
        <DatasetChoice problem=problem.clone() chosen=value("dataset", &begin.dataset) error=error("/dataset")/>
        <div class="form-row">
            <TrainerChoice trainers=problem.trainers.clone() chosen=value("trainer", &begin.trainer) error=error("/trainer")/>
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
        <JsonField
            name="parameters"
            label="Parameters"
            hint="Fixed hyperparameters as a JSON object, for example {\"max_depth\": 6}; empty means the defaults."
            value=value("parameters", &begin.parameters)
            error=error("/parameters")
        />
        {(calibrations.len() > 1)
            .then(|| {
                let chosen = value("calibration", &begin.calibration);
                view! { <Choice name="calibration" label="Calibration" options=calibrations chosen error=error("/calibration")/> }
            })}
        <fieldset class="fieldset">
            <legend>"Search"</legend>
            <SearchFields begin form/>
        </fieldset>
    }
}

/// The ways of calibration that fit what is predicted.
fn calibrations(problem: &LaunchProblem) -> Vec<(&'static str, &'static str)> {
    let aim = problem.kind.parse().map(|kind| Aim { kind, quantile: problem.quantile });
    let words = |method: CalibrationMethod| match method {
        CalibrationMethod::None => "none: answers as the model gives them",
        CalibrationMethod::Platt => "calibrated by a logistic curve (Platt)",
        CalibrationMethod::Isotonic => "calibrated by the best rising curve (isotonic)",
        CalibrationMethod::Conformal => "moved to where the quantile lies on new rows (conformal)",
    };
    let fits = |method: &CalibrationMethod| aim.as_ref().is_ok_and(|aim| method.fits(*aim));
    CalibrationMethod::ALL.into_iter().filter(fits).map(|method| (method.as_str(), words(method))).collect()
}

/// How hyperparameters are searched, and what it may cost.
#[component]
fn SearchFields(begin: LaunchForm, form: PageForm<LaunchRun>) -> impl IntoView {
    let value = move |name: &str, begun: &str| form.typed(name).unwrap_or_else(|| begun.to_owned());
    let error = move |pointer: &'static str| Signal::derive(move || form.error_at(pointer));
    let samplers = Sampler::ALL.map(|sampler| {
        let words = match sampler {
            Sampler::Tpe => "where trials before were good (TPE)",
            Sampler::Sobol => "evenly (Sobol)",
            Sampler::Random => "at random",
        };
        (sampler.as_str(), words)
    });
    let pruners = Pruner::ALL.map(|pruner| {
        let words = match pruner {
            Pruner::None => "no trial",
            Pruner::Median => "boosting behind the median of others",
            Pruner::Asha => "boosting behind three quarters of others (ASHA)",
            Pruner::Halving => "all but the best, on few rows (halving)",
            Pruner::Hyperband => "the same from more and more rows on (Hyperband)",
        };
        (pruner.as_str(), words)
    });
    view! {
        <div class="form-row">
            <Field
                name="budget"
                label="Trials"
                kind="number"
                hint="Judged on the validation part, at most 1,000; empty or 0 fits once."
                value=value("budget", &begin.budget)
                optional=true
                error=error("/budget")
            />
            <Field
                name="parallel"
                label="At once"
                kind="number"
                hint="The same seed gives the same trials on any number of workers. Empty means 4."
                value=value("parallel", &begin.parallel)
                optional=true
                error=error("/parallel")
            />
        </div>
        <div class="form-row">
            <Choice name="sampler" label="Trials are drawn" options=samplers.to_vec() chosen=value("sampler", &begin.sampler) error=error("/sampler")/>
            <Choice name="pruner" label="Ended early" options=pruners.to_vec() chosen=value("pruner", &begin.pruner) error=error("/pruner")/>
        </div>
        <div class="form-row">
            <Field
                name="cpu_seconds"
                label="Processor time, seconds"
                kind="number"
                hint="Of all trials together; the search stops there. Empty means no limit."
                value=value("cpu_seconds", &begin.cpu_seconds)
                optional=true
                error=error("/cpu_seconds")
            />
            <Field
                name="wall_seconds"
                label="Time, seconds"
                kind="number"
                hint="From the first trial on. Empty means no limit."
                value=value("wall_seconds", &begin.wall_seconds)
                optional=true
                error=error("/wall_seconds")
            />
        </div>
        <Field
            name="least_gain"
            label="Stops when less is to be gained"
            kind="number"
            hint="In units of the success metric: the search ends once the trials that are left are expected to gain less. Empty makes it whole."
            value=value("least_gain", &begin.least_gain)
            optional=true
            error=error("/least_gain")
        />
        <JsonField
            name="search"
            label="Space"
            hint="What is drawn: {\"eta\": {\"low\": 0.01, \"high\": 0.3, \"scale\": \"log\"}, \"max_depth\": [4, 6, 8]}; empty means the trainer's own. \"when\": {\"max_depth\": [8]} beside a range, or beside \"values\": […], draws it only there."
            value=value("search", &begin.search)
            error=error("/search")
        />
    }
}

/// A field for a JSON object.
#[component]
fn JsonField(
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    value: String,
    error: Signal<Option<String>>,
) -> impl IntoView {
    let described_by = format!("{name}-hint");
    view! {
        <div class="field">
            <label class="label" for=name>{label} " " <span class="optional">"optional"</span></label>
            <p class="hint" id=described_by.clone()>{hint}</p>
            <TextArea
                name
                text=value
                code=true
                described_by
                invalid=Signal::derive(move || error.get().is_some())
            />
            <FieldError name error/>
        </div>
    }
}

/// One of a few words.
#[component]
fn Choice(
    name: &'static str,
    label: &'static str,
    options: Vec<(&'static str, &'static str)>,
    chosen: String,
    error: Signal<Option<String>>,
) -> impl IntoView {
    let options = options
        .into_iter()
        .map(|(word, words)| view! { <option value=word selected=word == chosen>{words}</option> })
        .collect_view();
    view! {
        <div class="field">
            <label class="label" for=name>{label}</label>
            <select class="input" id=name name=name>{options}</select>
            <FieldError name error/>
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
            let warnings = match dataset.warnings {
                0 => String::new(),
                some => format!(", {}", counted(u64::from(some), "warning", "warnings")),
            };
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
fn TrainerChoice(trainers: Vec<String>, chosen: String, error: Signal<Option<String>>) -> impl IntoView {
    let words = |trainer: &str| match trainer.strip_prefix(EXTERNAL) {
        Some(name) => format!("{name} (external)"),
        None => crate::wording::state_words(trainer),
    };
    let mut choices: Vec<(String, String)> =
        trainers.into_iter().map(|trainer| (trainer.clone(), words(&trainer))).collect();
    choices.push((ANY_TRAINER.to_owned(), "Any of them: the search chooses".to_owned()));
    if chosen.contains(',') {
        choices.push((chosen.clone(), chosen.clone()));
    }
    let options = choices
        .into_iter()
        .map(|(value, words)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{words}</option> }
        })
        .collect_view();
    view! {
        <div class="field">
            <label class="label" for="trainer">"Trainer"</label>
            <p class="hint" id="trainer-hint">"Any of them needs a budget of trials."</p>
            <select class="input" id="trainer" name="trainer" aria-describedby="trainer-hint">{options}</select>
            <FieldError name="trainer" error/>
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
