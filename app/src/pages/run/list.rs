//! The list of runs: filtered, in any order, with any columns, fifty a page; all of it in the address.

use std::collections::BTreeSet;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use millrace_domain::run::RunState;
use millrace_domain::view::RunPage as Page;

use crate::components::{CopyButton, Empty, GatedLink, Live, LiveLine, Load, PageHeader, look_again};
use crate::fault::PageFault;
use crate::pages::address::address;
use crate::visit::visit;
use crate::wording::state_words;

use super::is_under_way;
use super::table::RunTable;
use super::wanted::Wanted;

/// Runs that pass the filter, in its order.
#[server(name = ListRuns, prefix = "/fn", endpoint = "list_runs")]
pub async fn list_runs(
    problem: Option<String>,
    state: Option<String>,
    filter: Option<String>,
    order_by: Option<String>,
    columns: Option<String>,
    page_token: Option<String>,
    baseline: Option<String>,
) -> Result<Page, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let columns = columns.into_iter().collect();
    let filter = millrace_domain::view::RunFilter { problem, state, filter, order_by, columns, page_token, baseline };
    Ok(services.list_runs(&actor, &filter, None).await?)
}

/// `/runs`, with `?problem=`, `?state=`, `?filter=`, `?order_by=`, `?columns=`, `?page=` and `?baseline=`.
#[component]
pub fn RunsPage() -> impl IntoView {
    let query = use_query_map();
    let wanted = Memo::new(move |_| query.with(Wanted::from_query));
    let runs = Resource::new(move || wanted.get(), Wanted::fetch);
    let chosen = RwSignal::new(BTreeSet::new());
    let is_any_under_way =
        move || matches!(runs.get(), Some(Ok(page)) if page.runs.iter().any(|run| is_under_way(&run.state)));
    let live = look_again(is_any_under_way, || async { Some(()) }, move |()| runs.refetch());
    let launch = move || wanted.with(|wanted| address("/runs/new", [("problem", wanted.problem.as_str())]));
    view! {
        <PageHeader
            title="Runs"
            actions=move || {
                let permission = visit().acts.launch;
                view! { <GatedLink permission href=launch() label="Launch a run" kind="primary" icon="play"/> }
            }
        />
        <div class="stack">
            {move || view! { <Filters wanted=wanted.get()/> }}
            <Load resource=runs let:page>
                {if page.runs.is_empty() {
                    view! { <NoRuns wanted=wanted.get_untracked()/> }.into_any()
                } else {
                    view! { <RunsOfPage page wanted=wanted.get_untracked() chosen live/> }.into_any()
                }}
            </Load>
        </div>
    }
}

impl Wanted {
    async fn fetch(self) -> Result<Page, PageFault> {
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let Self { problem, state, filter, order, columns, page, baseline } = self;
        let columns = given(columns.join(","));
        list_runs(given(problem), given(state), given(filter), given(order), columns, given(page), given(baseline))
            .await
    }
}

#[component]
fn Filters(wanted: Wanted) -> impl IntoView {
    let states = [
        RunState::Queued,
        RunState::Running,
        RunState::Succeeded,
        RunState::Rejected,
        RunState::Failed,
        RunState::Cancelled,
    ]
    .map(|state| {
        let word = state.as_str();
        view! { <option value=word selected=wanted.state == word>{state_words(word)}</option> }
    });
    let is_plain = wanted.is_open() && wanted.baseline.is_empty();
    let clear = (!is_plain).then(|| view! { <a class="button button-quiet" href="/runs">"Clear filters"</a> });
    let order = (!wanted.order.is_empty()).then(|| view! { <input type="hidden" name="order_by" value=wanted.order/> });
    let baseline =
        (!wanted.baseline.is_empty()).then(|| view! { <input type="hidden" name="baseline" value=wanted.baseline/> });
    let columns = (!wanted.columns.is_empty())
        .then(|| view! { <input type="hidden" name="columns" value=wanted.columns.join(",")/> });
    view! {
        <form class="filters" method="get" action="/runs" role="search">
            <div class="field">
                <label class="label" for="run-filter">"Filter"</label>
                <input
                    class="input"
                    id="run-filter"
                    name="filter"
                    value=wanted.filter
                    autocomplete="off"
                    spellcheck="false"
                    placeholder="metrics.test.roc_auc > 0.8 and params.max_depth <= 6"
                />
            </div>
            <div class="field">
                <label class="label" for="run-problem">"Problem"</label>
                <input class="input" id="run-problem" name="problem" value=wanted.problem autocomplete="off"/>
            </div>
            <div class="field">
                <label class="label" for="run-state">"State"</label>
                <select class="input" id="run-state" name="state">
                    <option value="">"All"</option>
                    {states}
                </select>
            </div>
            {order}
            {columns}
            {baseline}
            <button class="button" type="submit" data-icon="search">"Filter"</button>
            {clear}
        </form>
    }
}

#[component]
fn RunsOfPage(page: Page, wanted: Wanted, chosen: RwSignal<BTreeSet<String>>, live: Live) -> impl IntoView {
    let following = page.runs.iter().any(|run| is_under_way(&run.state));
    let following = following.then(|| view! { <LiveLine live has_forms=true/> });
    let first = (!wanted.page.is_empty())
        .then(|| view! { <a class="button" rel="first" href=wanted.page("")>"First page"</a> });
    let next = page.next_page_token.as_ref().map(|token| {
        view! { <a class="button" rel="next" href=wanted.page(token)>"Next page"</a> }
    });
    let pages = (first.is_some() || next.is_some())
        .then(|| view! { <nav class="pagination" aria-label="Pages">{first} {next}</nav> });
    let exports = [("CSV", "csv"), ("JSON", "json")].map(|(name, ending)| {
        let href = wanted.export(ending);
        view! { <a class="button button-small" data-icon="download" href=href rel="external" download="">{name}</a> }
    });
    view! {
        {following}
        <div class="cluster cluster-between">
            <form id="compare" class="cluster" method="get" action="/runs/compare">
                <button class="button button-small" type="submit">"Compare the chosen runs"</button>
            </form>
            <div class="cluster">
                <Columns wanted=wanted.clone() available=page.available/>
                <span class="muted">"Export this slice"</span>
                {exports}
            </div>
        </div>
        <RunTable rows=page.runs baseline=page.baseline columns=page.columns wanted chosen/>
        {pages}
    }
}

/// Which columns are shown besides.
#[component]
fn Columns(wanted: Wanted, available: Vec<String>) -> impl IntoView {
    let count = wanted.columns.len();
    let shown = wanted.columns.into_iter().map(|name| (name, true));
    let boxes = shown
        .chain(available.into_iter().map(|name| (name, false)))
        .map(|(name, checked)| {
            view! {
                <label class="check">
                    <input type="checkbox" name="columns" value=name.clone() checked=checked/>
                    <code>{name}</code>
                </label>
            }
        })
        .collect_view();
    let kept = [
        ("problem", wanted.problem),
        ("state", wanted.state),
        ("filter", wanted.filter),
        ("order_by", wanted.order),
        ("baseline", wanted.baseline),
    ];
    let kept = kept
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
        .collect_view();
    let title = if count == 0 { "Columns".to_owned() } else { format!("Columns ({count} more)") };
    view! {
        <details class="menu menu-end">
            <summary class="button button-small">{title}</summary>
            <form class="menu-panel" method="get" action="/runs">
                {kept}
                <div class="menu-choices">{boxes}</div>
                <button class="button button-primary button-small" type="submit">"Show these"</button>
            </form>
        </details>
    }
}

#[component]
fn NoRuns(wanted: Wanted) -> impl IntoView {
    if !wanted.is_open() || !wanted.page.is_empty() {
        return view! {
            <Empty title="No run fits the filter" text="Other problems, states or values may have runs.">
                <a class="button" href="/runs">"Clear filters"</a>
            </Empty>
        }
        .into_any();
    }
    const COMMAND: &str = "millrace run --problem SLUG --data FILE";
    view! {
        <Empty
            title="No runs yet"
            text="A run trains a model on a dataset version of a signed-off problem, measures it and puts it before its gates."
        >
            <GatedLink
                permission=visit().acts.launch
                href="/runs/new"
                label="Launch the first run"
                kind="primary"
                icon="play"
            />
            <span class="snippet"><code>{COMMAND}</code><CopyButton text=COMMAND label="Copy the command"/></span>
        </Empty>
    }
    .into_any()
}
