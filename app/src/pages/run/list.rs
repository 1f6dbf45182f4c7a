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
use super::table::{CHOICE, RunTable};
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
    let chosen = RwSignal::new(already_chosen());
    // What was seen since the list was loaded, and what of: a look that fails leaves the list as it is.
    let fresh = RwSignal::new(None::<(Wanted, Page)>);
    Effect::new(move |_| {
        wanted.track();
        fresh.set(None);
    });
    let newest = move || fresh.get().filter(|(of, _)| wanted.with(|wanted| wanted == of)).map(|(_, page)| page);
    let is_any_under_way = move || {
        let page = newest().or_else(|| runs.get()?.ok());
        page.is_some_and(|page| page.runs.iter().any(|run| is_under_way(&run.state)))
    };
    let look = move || {
        let asked = wanted.get_untracked();
        async move { asked.clone().fetch().await.ok().map(|page| (asked, page)) }
    };
    let live = look_again(is_any_under_way, look, move |seen| fresh.set(Some(seen)));
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
                {move || {
                    // The columns that could be shown stay as they are: somebody may be choosing among them.
                    let newest = newest().map(|newest| Page { available: page.available.clone(), ..newest });
                    let (page, wanted) = (newest.unwrap_or_else(|| page.clone()), wanted.get_untracked());
                    if page.runs.is_empty() {
                        view! { <NoRuns wanted/> }.into_any()
                    } else {
                        view! { <RunsOfPage page wanted chosen live/> }.into_any()
                    }
                }}
            </Load>
        </div>
    }
}

/// Runs whose boxes were ticked before the page came alive, or that the browser remembered.
fn already_chosen() -> BTreeSet<String> {
    if !cfg!(feature = "hydrate") {
        return BTreeSet::new();
    }
    let boxes = document().get_elements_by_class_name(CHOICE);
    let ticked = (0..boxes.length()).filter_map(|place| boxes.item(place));
    let ticked = ticked.filter(|choice| choice.matches(":checked").unwrap_or_default());
    ticked.filter_map(|choice| choice.get_attribute("value")).collect()
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
    let shown: BTreeSet<String> = page.runs.iter().chain(&page.baseline).map(|run| run.id.clone()).collect();
    let elsewhere = move || chosen.with(|chosen| chosen.difference(&shown).cloned().collect::<Vec<_>>());
    let elsewhere = Memo::new(move |_| elsewhere());
    view! {
        {following}
        <div class="cluster cluster-between">
            <form id="compare" class="cluster" method="get" action="/runs/compare">
                {move || elsewhere.get().into_iter().map(|id| view! { <input type="hidden" name="ids" value=id/> }).collect_view()}
                <button class="button button-small" type="submit">"Compare the chosen runs"</button>
                {move || {
                    let count = elsewhere.with(Vec::len);
                    (count > 0).then(|| view! { <span class="muted">{format!("{count} of them not in this list")}</span> })
                }}
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
