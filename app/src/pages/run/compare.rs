//! Runs side by side: what differs, with what each metric gains or loses against a baseline.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use leptos_router::params::ParamsMap;
use millrace_charts::number;
use millrace_domain::metric::Direction;
use millrace_domain::view::{ComparedValues, RunComparison, RunSummary};
use serde_json::Value;

use crate::components::{Empty, Load, PageHeader, StateBadge, TableRegion, TitledFigures};
use crate::fault::PageFault;
use crate::pages::address::address;

use super::curve_look::{ChooseLook, CurveLook, has_times};
use super::overlay::{direction, figures, settings};
use super::parallel::{ParallelExplorer, picked};
use super::table::written;

/// Runs side by side, in the order they are asked for.
#[server(name = CompareRuns, prefix = "/fn", endpoint = "compare_runs")]
pub async fn compare_runs(ids: String) -> Result<RunComparison, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.compare_runs(&actor, &[ids]).await?)
}

/// What the address asks for.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    ids: String,
    baseline: String,
    all: bool,
    look: CurveLook,
}

impl Asked {
    fn from_query(query: &ParamsMap) -> Self {
        let ids = query.get_all("ids").unwrap_or_default().join(",");
        let baseline = query.get("baseline").unwrap_or_default();
        let all = query.get("rows").is_some_and(|rows| rows == "all");
        Self { ids, baseline, all, look: CurveLook::from_query(query) }
    }

    /// The members of an address that stay when something beside them is chosen.
    fn kept(&self) -> Vec<(&'static str, String)> {
        let rows = if self.all { "all" } else { "" };
        vec![("ids", self.ids.clone()), ("baseline", self.baseline.clone()), ("rows", rows.to_owned())]
    }

    /// With what is picked out of the picture of their settings.
    fn address(&self, baseline: &str, all: bool, picked: &[(&'static str, String)]) -> String {
        let own = Self { baseline: baseline.to_owned(), all, ..self.clone() }.kept();
        let look = self.look.members();
        let all = own.iter().chain(&look).chain(picked);
        address("/runs/compare", all.map(|(name, value)| (*name, value.as_str())))
    }

    /// The position of the run that the others are compared with: the one the address names, else the first.
    fn position(&self, runs: &[RunSummary]) -> usize {
        runs.iter().position(|run| run.id == self.baseline).unwrap_or(0)
    }
}

/// `/runs/compare`, with `?ids=`, `?baseline=` and `?rows=all`.
#[component]
pub fn CompareRunsPage() -> impl IntoView {
    let query = use_query_map();
    let asked = Memo::new(move |_| query.with(Asked::from_query));
    let ids = Memo::new(move |_| asked.with(|asked| asked.ids.clone()));
    let compared = Resource::new(move || ids.get(), compare_runs);
    view! {
        <Load resource=compared above=("Runs", "/runs") let:compared>
            {
                let compared = StoredValue::new(compared);
                move || view! { <Comparison compared=compared.get_value() asked=asked.get()/> }
            }
        </Load>
    }
}

#[component]
fn Comparison(compared: RunComparison, asked: Asked) -> impl IntoView {
    let crumbs = vec![("Runs".to_owned(), "/runs".to_owned())];
    if compared.runs.is_empty() {
        return view! {
            <PageHeader title="Compare runs" crumbs/>
            <Empty title="No runs are chosen" text="Choose some in the list of runs; the address then names them.">
                <a class="button" href="/runs">"Runs"</a>
            </Empty>
        }
        .into_any();
    }
    let position = asked.position(&compared.runs);
    let query = use_query_map();
    let picked = Memo::new(move |_| query.with(picked));
    let title = match compared.runs.len() {
        1 => "Compare 1 run".to_owned(),
        count => format!("Compare {count} runs"),
    };
    let differing = if asked.all { "" } else { "true" };
    let baseline = compared.runs[position].id.as_str();
    let table = [("ids", asked.ids.as_str()), ("baseline", baseline), ("differing", differing)];
    let exports = [("CSV", "/api/v1/runs/compare.csv", &table[..]), ("JSON", "/api/v1/runs/compare", &table[..])];
    let exports = exports.map(|(name, path, state)| {
        let href = address(path, state.iter().copied());
        view! { <a class="button" data-icon="download" href=href rel="external" download="">{name}</a> }
    });
    let baselines = compared
        .runs
        .iter()
        .enumerate()
        .map(|(place, run)| {
            let (asked, id) = (asked.clone(), run.id.clone());
            let href = move || asked.address(&id, asked.all, &picked.get());
            let (kind, current) = if place == position {
                ("button button-small button-primary", Some("true"))
            } else {
                ("button button-small", None)
            };
            view! { <a class=kind href=href aria-current=current>{format!("#{}", run.id)}</a> }
        })
        .collect_view();
    let other_rows = {
        let asked = asked.clone();
        move || asked.address(&asked.baseline, !asked.all, &picked.get())
    };
    let words = if asked.all { "Only what differs" } else { "Show equal rows too" };
    let rows = view! { <a class="button" href=other_rows>{words}</a> };
    let drawn = compared.curves.len();
    let left = compared.runs.len() - drawn.min(compared.runs.len());
    let settings = settings(&compared).map(|values| {
        let kept = asked.kept().into_iter().chain(asked.look.members()).collect();
        let path = "/runs/compare".to_owned();
        view! {
            <section class="section" aria-labelledby="settings">
                <div class="section-header"><h2 id="settings">"Settings"</h2></div>
                <ParallelExplorer values id="compared-settings" path kept/>
            </section>
        }
    });
    let has_courses = compared.curves.iter().any(|own| !own.courses.is_empty());
    let own: Vec<_> = compared.curves.iter().map(|own| own.courses.as_slice()).collect();
    let has_times = has_times(&own);
    let look = has_courses.then(|| {
        let asked = asked.clone();
        move || {
            let kept = asked.kept().into_iter().chain(picked.get()).collect();
            view! { <ChooseLook path="/runs/compare".to_owned() kept look=asked.look has_times/> }
        }
    });
    let figures = figures(&compared, asked.look);
    let curves = (!figures.is_empty()).then(|| {
        let note = (left > 0).then(|| view! { <span class="muted">{format!("of the first {drawn} runs")}</span> });
        view! {
            <section class="section" aria-labelledby="curves">
                <div class="section-header"><h2 id="curves">"Curves"</h2> {note}</div>
                {look}
                <TitledFigures figures/>
            </section>
        }
    });
    let parts = [
        ("Metrics", compared.metrics, true),
        ("Parameters", compared.parameters, false),
        ("Tags", compared.tags, false),
        ("Made from", compared.provenance, false),
    ];
    let parts = parts
        .into_iter()
        // Only runs that programs elsewhere log have tags.
        .filter(|(title, rows, _)| *title != "Tags" || !rows.is_empty())
        .map(|(title, rows, is_metric)| {
            let runs = compared.runs.clone();
            view! { <Part title rows runs position asked=asked.clone() is_metric/> }
        })
        .collect_view();
    view! {
        <PageHeader
            title=title
            crumbs
            actions=move || view! { {rows} {exports} }
        />
        <div class="stack stack-loose">
            <nav class="cluster" aria-label="Baseline"><span class="muted">"Differences are to"</span> {baselines}</nav>
            {settings}
            {curves}
            {parts}
        </div>
    }
    .into_any()
}

#[component]
fn Part(
    title: &'static str,
    rows: Vec<ComparedValues>,
    runs: Vec<RunSummary>,
    position: usize,
    asked: Asked,
    is_metric: bool,
) -> impl IntoView {
    let total = rows.len();
    let rows: Vec<ComparedValues> = rows.into_iter().filter(|row| asked.all || !row.is_equal()).collect();
    let hidden = total - rows.len();
    let note = (hidden > 0).then(|| view! { <span class="muted">{format!("{hidden} equal rows are hidden")}</span> });
    let id = title.to_lowercase().replace(' ', "-");
    let heads = runs.iter().enumerate().map(|(place, run)| run_head(run, place == position)).collect_view();
    let ids: Vec<String> = runs.iter().map(|run| format!("#{}", run.id)).collect();
    let body = rows.iter().map(|row| compared_row(row, &ids, position, is_metric)).collect_view();
    let content = if rows.is_empty() {
        view! { <p class="muted">"Nothing differs."</p> }.into_any()
    } else {
        view! {
            <TableRegion label=title files=false>
                <table class="table" data-stack>
                    <caption class="visually-hidden">{title} ", a column a run"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Name"</th>
                            {heads}
                        </tr>
                    </thead>
                    <tbody>{body}</tbody>
                </table>
            </TableRegion>
        }
        .into_any()
    };
    view! {
        <section class="section" aria-labelledby=id.clone()>
            <div class="section-header"><h2 id=id.clone()>{title}</h2> {note}</div>
            {content}
        </section>
    }
}

fn run_head(run: &RunSummary, is_baseline: bool) -> impl IntoView + use<> {
    view! {
        <th scope="col" class="num">
            <div><a href=format!("/runs/{}", run.id)>{format!("#{} {}", run.id, run.problem)}</a></div>
            <div class="muted">{run.trainer.clone()}</div>
            <div>
                {is_baseline.then(|| view! { <span class="tag">"baseline"</span> " " })}
                <StateBadge state=run.state.clone()/>
            </div>
        </th>
    }
}

fn compared_row(row: &ComparedValues, ids: &[String], position: usize, is_metric: bool) -> impl IntoView + use<> {
    let baseline = row.values.get(position).and_then(Value::as_f64);
    let direction = direction(&row.name).filter(|_| is_metric);
    let cells = row
        .values
        .iter()
        .zip(ids)
        .enumerate()
        .map(|(place, (value, id))| {
            let interval = row.intervals.get(place).copied().flatten();
            let interval = interval.map(|(low, high)| format!("{} to {}", number(low), number(high)));
            let interval = interval.map(|interval| view! { <div class="muted">{interval}</div> });
            let delta = value
                .as_f64()
                .zip(baseline)
                .filter(|_| is_metric && place != position)
                .map(|(value, baseline)| difference(value - baseline, direction));
            let delta = delta.map(|(words, tone)| view! { <div class="delta" data-tone=tone>{words}</div> });
            let text = written(value);
            let is_digest = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            let short: String = if is_digest { text.chars().take(12).collect() } else { text.clone() };
            view! { <td class="num" data-label=id.clone() title=is_digest.then_some(text)>{short} {interval} {delta}</td> }
        })
        .collect_view();
    view! {
        <tr>
            <th scope="row" data-label="Name"><code>{row.name.clone()}</code></th>
            {cells}
        </tr>
    }
}

/// A difference with its sign, and whether it is for the better.
pub(super) fn difference(difference: f64, direction: Option<Direction>) -> (String, &'static str) {
    let tone = match direction {
        _ if difference == 0.0 => "same",
        None => "same",
        Some(Direction::Up) if difference > 0.0 => "good",
        Some(Direction::Down) if difference < 0.0 => "good",
        Some(_) => "bad",
    };
    let sign = if difference > 0.0 { "+" } else { "" };
    (format!("{sign}{}", number(difference)), tone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_falls_is_better() {
        assert_eq!(difference(-0.25, direction("test.log_loss")), ("−0.25".to_owned(), "good"));
        assert_eq!(difference(0.5, direction("test.roc_auc")), ("+0.5".to_owned(), "good"));
        assert_eq!(difference(0.5, direction("rounds")), ("+0.5".to_owned(), "same"));
    }
}
