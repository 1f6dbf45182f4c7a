//! The list of runs, filtered by problem and state, fifty a page.

use leptos::prelude::*;
use leptos_router::components::Form;
use leptos_router::hooks::use_query_map;
use leptos_router::params::ParamsMap;
use millrace_domain::run::RunState;
use millrace_domain::view::RunSummary;

use crate::components::{CopyButton, Empty, GatedLink, Load, PageHeader};
use crate::fault::PageFault;
use crate::pages::address::address;
use crate::visit::visit;
use crate::wording::state_words;

use super::table::RunTable;

/// Runs on a page.
const PAGE: usize = 50;

/// Runs that pass the filter, newest first.
#[server(name = ListRuns, prefix = "/fn", endpoint = "list_runs")]
pub async fn list_runs(
    problem: Option<String>,
    state: Option<String>,
    before: Option<String>,
) -> Result<Vec<RunSummary>, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    let filter = millrace_domain::view::RunFilter { problem, state, before };
    Ok(services.list_runs(&actor, &filter).await?)
}

/// What the address asks for; empty means no limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Wanted {
    problem: String,
    state: String,
    before: String,
}

impl Wanted {
    fn from_query(query: &ParamsMap) -> Self {
        let value = |name| query.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
        Self { problem: value("problem"), state: value("state"), before: value("before") }
    }

    fn is_open(&self) -> bool {
        self.problem.is_empty() && self.state.is_empty()
    }

    /// The same filter on another page.
    fn page(&self, before: &str) -> String {
        address("/runs", [("problem", self.problem.as_str()), ("state", &self.state), ("before", before)])
    }

    async fn fetch(self) -> Result<Vec<RunSummary>, PageFault> {
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        list_runs(given(self.problem), given(self.state), given(self.before)).await
    }
}

/// `/runs`, with `?problem=`, `?state=` and `?before=`.
#[component]
pub fn RunsPage() -> impl IntoView {
    let query = use_query_map();
    let wanted = Memo::new(move |_| query.with(Wanted::from_query));
    let runs = Resource::new(move || wanted.get(), Wanted::fetch);
    let launch = move || wanted.with(|wanted| address("/runs/new", [("problem", wanted.problem.as_str())]));
    view! {
        <PageHeader
            title="Runs"
            actions=move || {
                let permission = visit().acts.launch;
                view! { <GatedLink permission href=launch() label="Launch a run" kind="primary" icon="play"/> }
            }
        />
        {move || view! { <Filters wanted=wanted.get()/> }}
        <Load resource=runs let:rows>
            {if rows.is_empty() {
                view! { <NoRuns wanted=wanted.get_untracked()/> }.into_any()
            } else {
                view! { <RunsOfPage rows wanted=wanted.get_untracked()/> }.into_any()
            }}
        </Load>
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
    let clear = (!wanted.is_open()).then(|| view! { <a class="button button-quiet" href="/runs">"Clear filters"</a> });
    view! {
        <Form method="GET" action="/runs" attr:class="filters" attr:role="search">
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
            <button class="button" type="submit" data-icon="search">"Filter"</button>
            {clear}
        </Form>
    }
}

#[component]
fn RunsOfPage(rows: Vec<RunSummary>, wanted: Wanted) -> impl IntoView {
    let newest =
        (!wanted.before.is_empty()).then(|| view! { <a class="button" rel="first" href=wanted.page("")>"Newest"</a> });
    let older = rows
        .last()
        .filter(|_| rows.len() >= PAGE)
        .map(|last| view! { <a class="button" rel="next" href=wanted.page(&last.id)>"Older"</a> });
    let pages = (newest.is_some() || older.is_some())
        .then(|| view! { <nav class="pagination" aria-label="Pages">{newest} {older}</nav> });
    view! {
        <RunTable rows/>
        {pages}
    }
}

#[component]
fn NoRuns(wanted: Wanted) -> impl IntoView {
    if !wanted.is_open() || !wanted.before.is_empty() {
        return view! {
            <Empty title="No run fits the filter" text="Other problems or states may have runs.">
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_page_keeps_the_filter() {
        let wanted = Wanted { problem: "taxi-tips".to_owned(), state: "failed".to_owned(), before: "90".to_owned() };
        assert_eq!(wanted.page("40"), "/runs?problem=taxi-tips&state=failed&before=40");
    }

    #[test]
    fn the_first_page_of_everything_has_a_plain_address() {
        assert_eq!(Wanted::default().page(""), "/runs");
    }
}
