//! One run, live while it is under way.

use leptos::prelude::*;
use millrace_charts::duration;
use millrace_domain::run::StepKind;
use millrace_domain::view::RunView;

use crate::components::{ChartFigure, Empty, Live, LiveLine, Load, Moment, PageHeader, Tab, Tabs, follow};
use crate::fault::PageFault;
use crate::pages::address::{address, path_text, query_text};

use super::acts::{ActButtons, ActFaults, RunActs};
use super::artifacts::Artifacts;
use super::coefficients::Equations;
use super::evaluation::Evaluation;
use super::examples::{EXAMPLES, RunExamples, fetch_examples};
use super::is_under_way;
use super::launch_form::LaunchForm;
use super::log::{RunLog, fetch_run_log};
use super::outcome::RunOutcome;
use super::override_gates::OverrideCard;
use super::overview::{CurrentStep, Overview};
use super::parallel::Dragging;
use super::per_class::PerClass;
use super::plots::figures;
use super::provenance::Provenance;
use super::reproduction::{ReproductionBadge, Reproductions, StepsCompared};
use super::slice_curves::CurvesBySlice;
use super::threshold::ThresholdExplorer;
use super::tracked::TrackedRun;
use super::trials::Trials;

/// One run.
#[server(name = FetchRun, prefix = "/fn", endpoint = "run")]
pub async fn fetch_run(id: String) -> Result<RunView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.run(&actor, crate::pages::address::id(&id, "run")?).await?)
}

/// `/runs/{id}`, with `?tab=`.
#[component]
pub fn RunPage() -> impl IntoView {
    let id = path_text("id");
    let acts = RunActs::new();
    provide_context(Dragging::default());
    let tab = query_text("tab");
    let is_log = Memo::new(move |_| RunTab::named(&tab.get()) == RunTab::Log);
    let run = Resource::new(move || (id.get(), acts.version()), |(id, _)| fetch_run(id));
    let step = query_text("step");
    let log = Resource::new(
        move || is_log.get().then(|| (id.get(), step.get())),
        |asked| async move {
            let Some((id, step)) = asked else { return Ok(None) };
            match fetch_run_log(id, step).await {
                // The run says so itself.
                Err(PageFault(fault)) if fault.status == 404 => Ok(None),
                log => log.map(Some),
            }
        },
    );
    let is_plots = Memo::new(move |_| RunTab::named(&tab.get()) == RunTab::Plots);
    let examples = Resource::new(
        move || is_plots.get().then(|| id.get()),
        |id| async move {
            match id {
                Some(id) => fetch_examples(id).await,
                None => Ok(None),
            }
        },
    );
    let live = follow(
        move || format!("run:{}", id.get()),
        move || matches!(run.get(), Some(Ok(run)) if is_under_way(&run.summary.state)),
        move || {
            run.refetch();
            log.refetch();
            examples.refetch();
        },
    );
    view! {
        <Load resource=run above=("Runs", "/runs") let:run>
            <Run run acts live/>
        </Load>
        {move || is_log.get().then(|| view! { <RunLog run=id step log/> })}
        {move || is_plots.get().then(|| view! { <RunExamples examples/> })}
    }
}

#[component]
fn Run(run: RunView, acts: RunActs, live: Live) -> impl IntoView {
    let tab = query_text("tab");
    if run.summary.tracked.is_some() {
        let following = is_under_way(&run.summary.state).then(|| view! { <LiveLine live/> });
        return view! {
            <Head run=run.clone() acts/>
            <div class="stack stack-loose"><ActFaults acts/>{following}<TrackedRun run/></div>
        }
        .into_any();
    }
    let shown = StoredValue::new(run.clone());
    let following = is_under_way(&run.summary.state).then(|| {
        let steps = run.steps.clone();
        view! {
            <LiveLine live/>
            <CurrentStep steps/>
        }
    });
    view! {
        <Head run=run.clone() acts/>
        <div class="stack stack-loose">
            <ActFaults acts/>
            {following}
            <RunOutcome run=run.clone()/>
            <StepsCompared compared=run.compared/>
            {move || {
                let open = RunTab::named(&tab.get());
                let run = shown.get_value();
                view! {
                    <Tabs label="Run" tabs=tabs(&run, open)/>
                    {open.content(run, acts)}
                }
            }}
        </div>
    }
    .into_any()
}

#[component]
fn Head(run: RunView, acts: RunActs) -> impl IntoView {
    let summary = run.summary.clone();
    let dataset = run.dataset.clone();
    let again = summary.tracked.is_none().then(|| {
        let href = LaunchForm::again(&run).address();
        view! { <a class="button" data-icon="copy" href=href>"Run again"</a> }
    });
    let title = match summary.tracked.as_deref() {
        None | Some("") => format!("Run {}", summary.id),
        Some(name) => format!("{name} · run {}", summary.id),
    };
    let model = summary.model_version.map(|version| {
        let href = format!("/models/{}/v/{version}", summary.problem);
        view! { <a class="button button-primary" data-icon="model" href=href>{format!("Model version {version}")}</a> }
    });
    let badge = run.reproductions.first().cloned().map(|newest| view! { <ReproductionBadge newest/> });
    view! {
        <PageHeader
            title
            crumbs=vec![("Runs".to_owned(), "/runs".to_owned())]
            state=summary.state
            id=summary.id
            meta=move || {
                let problem_page = format!("/problems/{}/v/{}", summary.problem, summary.problem_version);
                let dataset = dataset.map(|dataset| {
                    let page = format!("/datasets/{}/v/{}", dataset.dataset, dataset.version);
                    view! { <span><a href=page>{format!("{} v{}", dataset.name, dataset.version)}</a></span> }
                });
                let kind = if summary.tracked.is_some() { "tracked".to_owned() } else { summary.trainer };
                view! {
                    <span>
                        <a href=problem_page>{format!("{} v{}", summary.problem, summary.problem_version)}</a>
                    </span>
                    {dataset}
                    <span><span class="tag">{kind}</span></span>
                    <span>"by " {summary.author}</span>
                    <span><Moment at=summary.created_at/></span>
                    {summary.seconds.map(|seconds| view! { <span>"took " {duration(seconds)}</span> })}
                    {summary
                        .reproduces
                        .map(|first| {
                            let href = format!("/runs/{first}");
                            view! { <span>"repeats " <a href=href>{format!("run {first}")}</a></span> }
                        })}
                    {badge}
                }
            }
            actions=move || {
                view! {
                    <ActButtons acts run/>
                    {again}
                    {model}
                }
            }
        />
    }
}

/// Parts of a run's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunTab {
    Overview,
    Plots,
    Trials,
    Log,
    Provenance,
    Artifacts,
}

impl RunTab {
    const ALL: [Self; 6] = [Self::Overview, Self::Plots, Self::Trials, Self::Log, Self::Provenance, Self::Artifacts];

    /// The word in the address; the first tab needs none.
    const fn word(self) -> &'static str {
        match self {
            Self::Overview => "",
            Self::Plots => "plots",
            Self::Trials => "trials",
            Self::Log => "log",
            Self::Provenance => "provenance",
            Self::Artifacts => "artifacts",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Plots => "Plots",
            Self::Trials => "Trials",
            Self::Log => "Log",
            Self::Provenance => "Parameters and provenance",
            Self::Artifacts => "Artifacts",
        }
    }

    /// The tab of that word; the first one for any other.
    fn named(word: &str) -> Self {
        Self::ALL.into_iter().find(|tab| tab.word() == word).unwrap_or(Self::Overview)
    }

    const fn count(self, run: &RunView) -> Option<usize> {
        match self {
            Self::Trials => Some(run.trials.len()),
            Self::Artifacts => Some(run.artifacts.len()),
            Self::Overview | Self::Plots | Self::Log | Self::Provenance => None,
        }
    }

    fn content(self, run: RunView, acts: RunActs) -> AnyView {
        match self {
            Self::Overview => {
                let card = view! { <OverrideCard run=run.clone() form=acts.override_gates/> };
                view! { <Overview run>{card}</Overview> }.into_any()
            }
            Self::Plots => view! { <Plots run/> }.into_any(),
            Self::Trials => {
                let search = run.steps.iter().find(|step| step.kind == StepKind::Trial.as_str());
                let budget = search.and_then(|search| search.progress.as_ref()?["total"].as_u64());
                let (searched, forecast, metric) = (run.searched, run.forecast, run.summary.metric);
                view! { <Trials trials=run.trials searched forecast metric budget run=run.summary.id/> }.into_any()
            }
            // It stands below, beside the run.
            Self::Log => ().into_any(),
            Self::Provenance => {
                let reproductions = run.reproductions.clone();
                view! {
                    <div class="stack stack-loose"><Provenance run/> <Reproductions reproductions/></div>
                }
                .into_any()
            }
            Self::Artifacts => view! { <Artifacts artifacts=run.artifacts run=run.summary.id/> }.into_any(),
        }
    }
}

fn tabs(run: &RunView, open: RunTab) -> Vec<Tab> {
    let page = format!("/runs/{}", run.summary.id);
    RunTab::ALL
        .map(|tab| Tab {
            name: tab.title(),
            href: address(&page, [("tab", tab.word())]),
            count: tab.count(run),
            current: tab == open,
        })
        .to_vec()
}

#[component]
fn Plots(run: RunView) -> impl IntoView {
    let mut evaluation = run.evaluation.as_ref().map(Evaluation::read).unwrap_or_default();
    evaluation.has_rows = run.artifacts.iter().any(|artifact| artifact.name == EXAMPLES);
    let figures = figures(&evaluation, &run.metrics);
    if figures.is_empty() && evaluation.thresholds.is_empty() {
        return no_plots(&run);
    }
    let figures = figures
        .into_iter()
        .map(|figure| {
            view! {
                <section class="stack stack-tight">
                    <h2>{figure.title.clone()}</h2>
                    <ChartFigure figure/>
                </section>
            }
        })
        .collect_view();
    let id = run.summary.id;
    let by_slice = view! { <CurvesBySlice evaluation=evaluation.clone() metrics=run.metrics.clone() run=id.clone()/> };
    let classes = evaluation.classes.clone();
    let classes = (!classes.is_empty()).then(|| view! { <PerClass classes run=id.clone()/> });
    let equations = evaluation.linear.clone().map(|linear| view! { <Equations linear run=id.clone()/> });
    let explorer = (!evaluation.thresholds.is_empty())
        .then(|| view! { <ThresholdExplorer evaluation metrics=run.metrics run=id/> });
    view! { <div class="stack stack-loose">{explorer}{by_slice}{classes}<div class="grid grid-wide">{figures}</div>{equations}</div> }
        .into_any()
}

/// What is told where nothing was drawn: that it is to come, or where an ended run says why it never will.
fn no_plots(run: &RunView) -> AnyView {
    if is_under_way(&run.summary.state) {
        return view! { <Empty title="No plots yet" text="They are drawn from the evaluation on the test part."/> }
            .into_any();
    }
    let log = address(&format!("/runs/{}", run.summary.id), [("tab", RunTab::Log.word())]);
    let text = "The run ended before a model was evaluated on the test part. Its log tells how far it came.";
    view! {
        <Empty title="No plots" text>
            <a class="button" href=log>"Log"</a>
        </Empty>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_tab_opens_the_first() {
        assert_eq!(RunTab::named("nonsense"), RunTab::Overview);
    }

    #[test]
    fn every_tab_is_found_by_its_word() {
        assert!(RunTab::ALL.into_iter().all(|tab| RunTab::named(tab.word()) == tab));
    }
}

#[cfg(all(test, feature = "ssr"))]
mod rendered_tests {
    use super::*;
    use crate::pages::samples::{rendered, run};

    fn page(address: &str, run: RunView) -> String {
        rendered(address, move || {
            let (acts, live) = (RunActs::new(), Live::default());
            view! { <Run run acts live/> }
        })
    }

    #[test]
    fn a_run_with_numbers_that_are_none_is_shown_in_words() {
        let mut run = run("succeeded");
        run.metrics[0].value = f64::NAN;
        run.metrics[1].value = f64::INFINITY;
        run.gates[0].observed = Some(f64::NAN);
        let html = page("/runs/17", run);
        assert!(html.contains("not a number") && html.contains("infinite"), "{html}");
    }

    #[test]
    fn a_run_under_way_reloads_itself_without_wasm() {
        assert!(page("/runs/17", run("running")).contains("http-equiv=\"refresh\""));
        assert!(!page("/runs/17", run("succeeded")).contains("http-equiv"));
    }

    #[test]
    fn a_run_that_ended_without_an_evaluation_leads_to_its_log_and_one_under_way_promises_plots() {
        let plots = |state: &str| page("/runs/17?tab=plots", RunView { evaluation: None, ..run(state) });
        assert!(plots("failed").contains("?tab=log\">Log") && !plots("failed").contains("No plots yet"));
        assert!(plots("running").contains("No plots yet"));
    }

    #[test]
    fn every_tab_has_content() {
        let shown = [
            ("plots", "ROC curve"),
            ("trials", "validation ROC AUC"),
            ("provenance", "problem digest"),
            ("artifacts", "812 kB"),
        ];
        for (tab, words) in shown {
            let html = page(&format!("/runs/17?tab={tab}"), run("succeeded"));
            assert!(html.contains(words), "{tab}: {html}");
        }
    }
}
