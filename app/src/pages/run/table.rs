//! Runs as rows.

use std::collections::BTreeSet;

use leptos::prelude::*;
use millrace_charts::{duration, number};
use millrace_domain::view::RunSummary;
use serde_json::{Value, json};

use crate::components::{Measured, Moment, StateBadge, TableRegion};
use crate::pages::quantity::{metric_title, metric_words};

use super::compare::difference;
use super::overlay::direction;
use super::wanted::Wanted;

/// The class of the boxes that choose runs.
pub const CHOICE: &str = "choice";

/// A row a run, with the columns that were asked for; the head of each puts the list in order by it.
#[component]
pub fn RunTable(
    /// The runs, in the order they are shown.
    mut rows: Vec<RunSummary>,
    /// The run that they are held against; it stands on top.
    baseline: Option<RunSummary>,
    /// The columns that were asked for.
    columns: Vec<String>,
    /// The view that the address asks for.
    wanted: Wanted,
    /// The ids of those that are chosen to be compared: rows come and go while the list follows along.
    chosen: RwSignal<BTreeSet<String>>,
) -> impl IntoView {
    let more = columns.iter().map(|name| head(&wanted, name.clone(), name, true, true)).collect_view();
    // One order for different metrics would mean nothing.
    let all = || rows.iter().chain(&baseline);
    let metric = all().next().map(|run| run.metric.clone());
    let metric = metric.filter(|metric| all().all(|run| run.metric == *metric));
    let value = match &metric {
        None => view! { <th scope="col">"Test value, 95 %"</th> }.into_any(),
        Some(metric) => {
            let title = format!("Test {}, 95 %", metric_words(metric));
            head(&wanted, title, &format!("metrics.test.{metric}"), true, false).into_any()
        }
    };
    let is_same = metric.is_some();
    let plain = |title: &str, field: &str, most: bool| head(&wanted, title.to_owned(), field, most, false);
    let heads = view! {
        <th scope="col"><span class="visually-hidden">"Choose"</span></th>
        {plain("Run", "run", true)}
        {plain("Problem", "problem", false)}
        {plain("State", "state", false)}
        {plain("Trainer", "trainer", false)}
        {value}
        {more}
        {plain("Model", "model", true)}
        {plain("Launched", "created", true)}
        {head(&wanted, "Took".to_owned(), "seconds", true, true)}
    };
    let caption = match wanted.order.as_str() {
        "" => "Runs, newest first".to_owned(),
        order => format!("Runs in order of {order}"),
    };
    if let Some(baseline) = &baseline {
        rows.retain(|run| run.id != baseline.id);
        rows.insert(0, baseline.clone());
    }
    let shown = Shown { wanted: &wanted, columns: &columns, is_same, baseline: baseline.as_ref(), chosen };
    let rows = rows.into_iter().map(|run| run_row(run, &shown)).collect_view();
    view! {
        <TableRegion label="Runs" files=false>
            <table class="table" data-stack>
                <caption class="visually-hidden" role="status">{caption}</caption>
                <thead><tr>{heads}</tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </TableRegion>
    }
}

/// The head of a column that puts the list in order by a field.
fn head(wanted: &Wanted, title: String, field: &str, most: bool, is_number: bool) -> impl IntoView + use<> {
    view! {
        <th scope="col" class=is_number.then_some("num") aria-sort=wanted.direction(field)>
            <a class="sort" href=wanted.ordered(field, most)>{title}</a>
        </th>
    }
}

/// Whether runs that have the same value of a field are worth a list of their own.
fn groups(field: &str) -> bool {
    let own = ["state", "trainer", "problem", "author", "kind", "name", "seed", "model"];
    own.contains(&field) || field.starts_with("params.") || field.starts_with("tags.")
}

/// A value of a run, which leads to the runs that have it, and to those that have another one.
fn leading(wanted: &Wanted, field: &str, value: &Value, shown: AnyView) -> AnyView {
    let (same, other) = (wanted.narrowed(field, value, true), wanted.narrowed(field, value, false));
    let Some((same, other)) = same.zip(other).filter(|_| groups(field)) else { return shown };
    let only = format!("Only runs with {field} {}", written(value));
    let another = format!("Only runs with another {field} than {}", written(value));
    view! {
        <span class="leading">
            <a href=same title=only>{shown}</a>
            <a class="other" href=other title=another.clone() aria-label=another>"≠"</a>
        </span>
    }
    .into_any()
}

/// What all rows have in common.
struct Shown<'s> {
    wanted: &'s Wanted,
    columns: &'s [String],
    /// Whether all have the same metric, which the head tells.
    is_same: bool,
    baseline: Option<&'s RunSummary>,
    chosen: RwSignal<BTreeSet<String>>,
}

/// How much more a run has than the baseline, and whether that is for the better.
fn delta(name: &str, own: Option<f64>, baseline: Option<f64>) -> Option<impl IntoView + use<>> {
    let (words, tone) = own.zip(baseline).map(|(own, baseline)| difference(own - baseline, direction(name)))?;
    Some(view! { <div class="delta" data-tone=tone>{words}</div> })
}

fn run_row(run: RunSummary, shown: &Shown<'_>) -> impl IntoView + use<> {
    let Shown { wanted, columns, is_same, baseline, chosen } = *shown;
    let is_baseline = baseline.is_some_and(|baseline| baseline.id == run.id);
    // What is measured of something else tells nothing of it.
    let held = baseline.filter(|baseline| !is_baseline && baseline.problem == run.problem);
    let (id, own) = (run.id.clone(), run.id.clone());
    let is_chosen = move || chosen.with(|chosen| chosen.contains(&id));
    let choose = move |event| {
        let id = own.clone();
        chosen.update(|chosen| match event_target_checked(&event) {
            true => chosen.extend([id]),
            false => chosen.retain(|other| *other != id),
        });
    };
    let problem = format!("/problems/{}/v/{}", run.problem, run.problem_version);
    let model = run.model_version.map(|version| {
        let href = format!("/models/{}/v/{version}", run.problem);
        view! { <a href=href>{format!("v{version}")}</a> }
    });
    let more = columns
        .iter()
        .zip(&run.values)
        .enumerate()
        .map(|(place, (name, value))| {
            let shown = leading(wanted, name, value, written(value).into_any());
            let held = held.and_then(|baseline| baseline.values.get(place)?.as_f64());
            let delta = name.strip_prefix("metrics.").and_then(|name| delta(name, value.as_f64(), held));
            view! { <td class="num" data-label=name.clone()>{shown}{delta}</td> }
        })
        .collect_view();
    let state = json!(run.state);
    let state = leading(wanted, "state", &state, view! { <StateBadge state=run.state/> }.into_any());
    let trainer = match run.tracked.is_some() {
        true => view! { <span class="tag">"tracked"</span> }.into_any(),
        false => {
            let value = json!(run.trainer);
            leading(wanted, "trainer", &value, view! { <span class="tag">{run.trainer}</span> }.into_any())
        }
    };
    let same_metric = held.filter(|baseline| baseline.metric == run.metric);
    let delta = same_metric.and_then(|baseline| delta(&run.metric, run.value, baseline.value));
    let (word, href) = if is_baseline { ("Unpin", wanted.against("")) } else { ("Pin", wanted.against(&run.id)) };
    let pin = view! { <a class="pin" href=href aria-label=format!("{word} run {}", run.id)>{word}</a> };
    view! {
        <tr class=is_baseline.then_some("row-baseline")>
            <td data-label="Choose">
                <input
                    class=CHOICE
                    type="checkbox"
                    name="ids"
                    form="compare"
                    value=run.id.clone()
                    aria-label=format!("Choose run {}", run.id)
                    prop:checked=is_chosen
                    on:change=choose
                />
                {pin}
            </td>
            <th scope="row" data-label="Run"><a href=format!("/runs/{}", run.id)>{format!("#{}", run.id)}</a></th>
            <td data-label="Problem"><a href=problem>{format!("{} v{}", run.problem, run.problem_version)}</a></td>
            <td data-label="State">{state}</td>
            <td data-label="Trainer">
                {trainer}
                {run.tracked.map(|name| view! { " " {name} })}
                {run.reproduces.map(|first| view! { <span class="muted">{format!(" repeats #{first}")}</span> })}
            </td>
            <td data-label=format!("Test {}", metric_words(&run.metric))>
                {(!is_same).then(|| view! { <span class="muted">{metric_title(&run.metric)} " "</span> })}
                <Measured value=run.value interval=run.interval/>
                {delta}
            </td>
            {more}
            <td data-label="Model">{model}</td>
            <td data-label="Launched"><Moment at=run.created_at/> <span class="muted">" by " {run.author}</span></td>
            <td class="num" data-label="Took">{run.seconds.map_or_else(|| "n/a".to_owned(), duration)}</td>
        </tr>
    }
}

/// A value of a run: numbers as everywhere, texts as they are, and words where there is none.
pub fn written(value: &Value) -> String {
    match value {
        Value::Null => "n/a".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(exact) if exact.is_f64() => exact.as_f64().map_or_else(|| exact.to_string(), number),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::written;

    #[test]
    fn a_value_that_is_not_there_is_told_in_words() {
        assert_eq!(
            [json!(null), json!("infinite"), json!(6), json!(0.25)].map(|value| written(&value)),
            ["n/a", "infinite", "6", "0.25"]
        );
    }
}
