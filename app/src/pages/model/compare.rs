//! Two versions side by side: only what differs, by groups.

use leptos::prelude::*;
use millrace_charts::number;
use millrace_domain::view::{ComparedRow, ModelComparison, ModelSummary};

use crate::components::{Empty, Load, PageHeader, StateBadge, TableRegion};
use crate::fault::PageFault;
use crate::pages::address::{path_text, query_text};
use crate::wording::counted;

use super::table::version_address;

/// Two versions of a model.
#[server(name = CompareVersions, prefix = "/fn", endpoint = "compare_versions")]
pub async fn compare_versions(slug: String, a: i32, b: i32) -> Result<ModelComparison, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.compare_versions(&actor, &slug, a, b).await?)
}

/// `/models/{slug}/compare?a=&b=`.
#[component]
pub fn CompareVersionsPage() -> impl IntoView {
    let (slug, a, b) = (path_text("slug"), query_text("a"), query_text("b"));
    let number = |text: String| text.parse().unwrap_or(0);
    let asked = move || (slug.get(), number(a.get()), number(b.get()));
    let compared = Resource::new(asked, |(slug, a, b)| compare_versions(slug, a, b));
    view! {
        <Load resource=compared above=("Models", "/models") let:compared>
            <Compared compared/>
        </Load>
    }
}

#[component]
fn Compared(compared: ModelComparison) -> impl IntoView {
    let ModelComparison { a, b, rows, equal, new_inputs, versions } = compared;
    let slug = a.slug.clone();
    let crumbs = vec![("Models".to_owned(), "/models".to_owned()), (slug.clone(), format!("/models/{slug}"))];
    let mut groups: Vec<(String, Vec<ComparedRow>)> = Vec::new();
    for row in rows {
        match groups.last_mut().filter(|(name, _)| *name == row.group) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((row.group.clone(), vec![row])),
        }
    }
    let same = groups.is_empty().then(|| view! { <Empty title="No difference" text="The two versions are equal in everything that is kept of them."/> });
    let sections =
        groups.into_iter().map(|(name, rows)| view! { <Group name rows a=a.version b=b.version/> }).collect_view();
    view! {
        <PageHeader
            title=format!("Version {} beside version {}", a.version, b.version)
            crumbs
            meta=move || view! { <span>{format!("equal in {}", counted(equal, "other thing", "other things"))}</span> }
        />
        <div class="stack stack-loose">
            <ChooseVersions slug versions a=a.version b=b.version/>
            <div class="grid"><Side version=a.clone()/> <Side version=b.clone()/></div>
            {new_inputs.map(|new| view! { <Callers new a=a.version b=b.version/> })}
            {sections}
            {same}
        </div>
    }
}

/// Whether callers of the one send what the other reads.
#[component]
fn Callers(new: Vec<String>, a: i32, b: i32) -> impl IntoView {
    if new.is_empty() {
        let words =
            format!("Callers of version {a} send every input that version {b} reads, with the type that it reads.");
        return view! { <div class="callout" data-kind="success"><p>{words}</p></div> }.into_any();
    }
    let items: Vec<_> = new.into_iter().map(|input| view! { <li>{input}</li> }).collect();
    view! {
        <div class="callout" data-kind="warning">
            <p>{format!("Callers of version {a} have to send this before version {b} answers:")}</p>
            <ul>{items}</ul>
        </div>
    }
    .into_any()
}

/// Chooses the two, without WASM as well.
#[component]
pub fn ChooseVersions(
    /// Model.
    slug: String,
    /// Versions that there are.
    versions: Vec<i32>,
    /// The one chosen now.
    a: i32,
    /// The other.
    b: i32,
) -> impl IntoView {
    let choice = |name: &'static str, label: &'static str, chosen: i32| {
        let options = versions
            .iter()
            .map(|version| {
                view! { <option value=*version selected=*version == chosen>{format!("v{version}")}</option> }
            })
            .collect_view();
        view! {
            <div class="field">
                <label class="label" for=format!("compare-{name}")>{label}</label>
                <select class="input" id=format!("compare-{name}") name=name>{options}</select>
            </div>
        }
    };
    view! {
        <form method="get" action=format!("/models/{slug}/compare") class="cluster cluster-end">
            {choice("a", "Version", a)}
            {choice("b", "beside", b)}
            <button class="button" type="submit">"Compare"</button>
        </form>
    }
}

#[component]
fn Side(version: ModelSummary) -> impl IntoView {
    let href = version_address(&version.slug, version.version);
    view! {
        <div class="card">
            <div class="card-body cluster">
                <a href=href>{format!("Version {}", version.version)}</a>
                <StateBadge state=version.stage/>
                <span class="muted">{format!("run {} by {}", version.run, version.author)}</span>
            </div>
        </div>
    }
}

/// Things of one group, a row each.
#[component]
pub fn Group(
    /// What they are.
    name: String,
    /// The rows.
    rows: Vec<ComparedRow>,
    /// The one version.
    a: i32,
    /// The other.
    b: i32,
) -> impl IntoView {
    let mut letters = name.chars();
    let title: String = letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect());
    let id = format!("group-{}", name.replace(' ', "-"));
    let has_delta = rows.iter().any(|row| row.delta.is_some());
    let rows = rows
        .into_iter()
        .map(|row| {
            let is_number = row.delta.is_some() && row.group == "metrics";
            // Numbers are told as elsewhere; what else there is, as it is.
            let short = |value: String| match value.parse() {
                Ok(value) if is_number => number(value),
                _ => value,
            };
            let cell = |value: Option<String>| match value.map(short) {
                Some(value) => view! { <span class="break">{value}</span> }.into_any(),
                None => view! { <span class="muted">"none"</span> }.into_any(),
            };
            let delta = has_delta.then(|| {
                let delta = row.delta.map(|delta| format!("{}{}", if delta > 0.0 { "+" } else { "" }, number(delta)));
                view! { <td class="num" data-label="Difference">{delta}</td> }
            });
            view! {
                <tr>
                    <th scope="row" data-label="">{row.name}</th>
                    <td data-label=format!("v{a}")>{cell(row.a)}</td>
                    <td data-label=format!("v{b}")>{cell(row.b)}</td>
                    {delta}
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="section" aria-labelledby=id.clone()>
            <div class="section-header"><h2 id=id.clone()>{title.clone()}</h2></div>
            <TableRegion label=title.clone()>
                <table class="table" data-stack>
                    <caption class="visually-hidden">{title.clone()}</caption>
                    <thead>
                        <tr>
                            <th scope="col"><span class="visually-hidden">"Name"</span></th>
                            <th scope="col">{format!("v{a}")}</th>
                            <th scope="col">{format!("v{b}")}</th>
                            {has_delta.then(|| view! { <th scope="col" class="num">"Difference"</th> })}
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
        </section>
    }
}

#[cfg(all(test, feature = "ssr"))]
mod rendered_tests {
    use super::*;
    use crate::pages::samples::{model, rendered};

    fn row(group: &str, name: &str, a: Option<&str>, b: Option<&str>, delta: Option<f64>) -> ComparedRow {
        ComparedRow {
            group: group.to_owned(),
            name: name.to_owned(),
            a: a.map(str::to_owned),
            b: b.map(str::to_owned),
            delta,
        }
    }

    #[test]
    fn an_input_that_one_lacks_and_a_metric_with_its_difference_are_told() {
        let html = rendered("/models/taxi-tips/compare?a=3&b=4", || {
            let rows = vec![
                row("metrics", "test.roc_auc", Some("0.84"), Some("0.86"), Some(0.02)),
                row("inputs", "tip", None, Some("number"), None),
            ];
            let versions = vec![4, 3];
            let (a, b) = (model(3, "live"), model(4, "approved"));
            view! { <Compared compared=ModelComparison { a, b, rows, equal: 7, new_inputs: Some(vec!["tip (number)".to_owned()]), versions }/> }
        });
        assert!(html.contains("have to send this before version 4 answers") && html.contains("tip (number)"), "{html}");
        assert!(html.contains("+0.02") && html.contains("none") && html.contains("equal in 7 other things"), "{html}");
    }
}
