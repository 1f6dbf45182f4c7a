//! The regression cases of a problem.

use leptos::prelude::*;
use millrace_domain::case::Case;
use millrace_domain::metric::TargetKind;
use millrace_domain::view::CasesView;
use serde_json::Value;

use crate::components::{Empty, Load, Moment, PageHeader, TableRegion};
use crate::fault::PageFault;
use crate::form::PageForm;
use crate::pages::address::{address, path_text, query_text};
use crate::wording::counted;

use super::keep::{KeepCase, KeepCaseCard};
use super::retire::{RetireCard, RetireCase};

/// The regression cases of a problem.
#[server(name = FetchCases, prefix = "/fn", endpoint = "cases")]
pub async fn fetch_cases(slug: String) -> Result<CasesView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.cases(&actor, &slug).await?)
}

/// `/problems/{slug}/cases`; `?retire=` names the case that is to be retired.
#[component]
pub fn CasesPage() -> impl IntoView {
    let slug = path_text("slug");
    let (keep, retire) = (
        PageForm::<KeepCase>::new().telling("The case is kept."),
        PageForm::<RetireCase>::new().telling("The case is retired."),
    );
    let cases = Resource::new(move || (slug.get(), keep.done(), retire.done()), |(slug, ..)| fetch_cases(slug));
    view! {
        <Load resource=cases above=("Problems", "/problems") let:cases>
            <Cases cases keep retire/>
        </Load>
    }
}

#[component]
fn Cases(cases: CasesView, keep: PageForm<KeepCase>, retire: PageForm<RetireCase>) -> impl IntoView {
    let wanted = query_text("retire");
    let kind: TargetKind = cases.kind.parse().unwrap_or(TargetKind::Binary);
    let problem = (cases.slug.clone(), format!("/problems/{}", cases.slug));
    let crumbs = vec![("Problems".to_owned(), "/problems".to_owned()), problem];
    let (kept, retired) = (counted(cases.cases.len() as u64, "case", "cases"), cases.retired);
    let question = {
        let cases = StoredValue::new(cases.clone());
        move || {
            let id = wanted.get();
            let CasesView { slug, cases, may_retire, .. } = cases.get_value();
            let case = cases.into_iter().find(|case| case.id == id)?;
            Some(view! { <RetireCard slug case permission=may_retire form=retire/> })
        }
    };
    let rows = (!cases.cases.is_empty()).then(|| {
        let (slug, may_retire) = (cases.slug.clone(), cases.may_retire.allowed);
        view! { <CaseTable slug cases=cases.cases.clone() kind may_retire/> }
    });
    let empty = cases.cases.is_empty().then(|| {
        view! {
            <Empty
                title="No regression cases yet"
                text="Keep what a model must never get wrong again: by hand, from a prediction, or a list by POST /api/v1/problems/{slug}/cases."
            />
        }
    });
    view! {
        <PageHeader
            title="Regression cases"
            crumbs
            meta=move || {
                view! {
                    <span>{kept}</span>
                    {(retired > 0).then(|| view! { <span>{format!("{retired} retired")}</span> })}
                }
            }
        />
        <p class="lede">"What a model must answer to these inputs, whatever its metrics say: a gate of every version."</p>
        <div class="stack stack-loose">{question} {rows} {empty} <KeepCaseCard cases form=keep/></div>
    }
}

#[component]
fn CaseTable(slug: String, cases: Vec<Case>, kind: TargetKind, may_retire: bool) -> impl IntoView {
    let page = format!("/problems/{slug}/cases");
    let rows = cases
        .into_iter()
        .map(|case| {
            let inputs = inputs_in_words(&case);
            let from = match case.prediction {
                Some(id) => {
                    let href = address("/predictions", [("id", id.as_str())]);
                    view! { <a href=href>"a prediction"</a> }.into_any()
                }
                None => "by hand".into_any(),
            };
            let retire = may_retire.then(|| {
                let href = address(&page, [("retire", case.id.as_str())]) + "#retire";
                let label = format!("Retire {}", case.name);
                view! { <a class="muted" href=href aria-label=label>"Retire…"</a> }
            });
            view! {
                <tr>
                    <th scope="row" data-label="Case"><div>{case.name}<div class="muted">{inputs}</div></div></th>
                    <td data-label="Expected">{case.expect.in_words(kind)}</td>
                    <td data-label="From">{from}</td>
                    <td data-label="Kept by">{case.by}</td>
                    <td data-label="Since"><Moment at=case.at/></td>
                    <td data-label="">{retire}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <TableRegion label="Regression cases">
            <table class="table" data-stack>
                <caption class="visually-hidden">"Regression cases with what must be answered"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Case"</th>
                        <th scope="col">"Expected"</th>
                        <th scope="col">"From"</th>
                        <th scope="col">"Kept by"</th>
                        <th scope="col">"Since"</th>
                        <th scope="col"><span class="visually-hidden">"Acts"</span></th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableRegion>
    }
}

/// The first inputs of a case.
fn inputs_in_words(case: &Case) -> String {
    const SHOWN: usize = 6;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut words: Vec<String> =
        case.instance.iter().take(SHOWN).map(|(name, value)| format!("{name} {}", text(value))).collect();
    if case.instance.len() > SHOWN {
        words.push(format!("and {} more", case.instance.len() - SHOWN));
    }
    words.join(", ")
}

#[cfg(all(test, feature = "ssr"))]
mod rendered_tests {
    use super::*;
    use crate::pages::samples::{cases, rendered};

    fn page(cases: CasesView, at: &str) -> String {
        rendered(at, move || view! { <Cases cases keep=PageForm::new() retire=PageForm::new()/> })
    }

    #[test]
    fn a_case_tells_its_inputs_and_what_must_be_answered() {
        let html = page(cases(), "/problems/taxi-tips/cases");
        assert!(html.contains("company 12, fare 7.5") && html.contains("label true, score at least 0.7"), "{html}");
    }

    #[test]
    fn without_cases_it_is_said_where_they_come_from() {
        let html = page(CasesView { cases: Vec::new(), ..cases() }, "/problems/taxi-tips/cases");
        assert!(html.contains("No regression cases yet"), "{html}");
    }

    #[test]
    fn the_case_that_the_address_names_is_asked_about() {
        let html = page(cases(), "/problems/taxi-tips/cases?retire=7");
        assert!(html.contains("Retire \u{201c}An airport run\u{201d}?"), "{html}");
    }
}
