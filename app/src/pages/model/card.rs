//! The model card: what a version is, what it is for, how well it does and where it must not be trusted, to read and to print.

use leptos::prelude::*;
use millrace_domain::card::{Card, Section, Table};

use crate::components::{Load, PageHeader, TableRegion};
use crate::fault::PageFault;
use crate::pages::address::{path_number, path_text};
use crate::wording::sentence;

/// The card of a version.
#[server(name = FetchCard, prefix = "/fn", endpoint = "model_card")]
pub async fn fetch_card(slug: String, number: i32) -> Result<Card, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.model_card(&actor, &slug, number).await?)
}

/// `/models/{slug}/v/{number}/card`.
#[component]
pub fn ModelCardPage() -> impl IntoView {
    let (slug, number) = (path_text("slug"), path_number("number"));
    let card = Resource::new(move || (slug.get(), number.get()), |(slug, number)| fetch_card(slug, number));
    view! {
        <Load resource=card above=("Models", "/models") let:card>
            <ModelCard card slug=slug.get_untracked() number=number.get_untracked()/>
        </Load>
    }
}

#[component]
fn ModelCard(card: Card, slug: String, number: i32) -> impl IntoView {
    let model = format!("/models/{slug}");
    let version = format!("{model}/v/{number}");
    let crumbs =
        vec![("Models".to_owned(), "/models".to_owned()), (slug.clone(), model), (format!("v{number}"), version)];
    let download = format!("/api/v1/models/{slug}/versions/{number}/card.md");
    let sections = card
        .sections
        .into_iter()
        .enumerate()
        .map(|(place, section)| view! { <CardSection section place/> })
        .collect_view();
    view! {
        <PageHeader
            title=format!("Model card of {}", card.title)
            crumbs
            actions=move || view! { <a class="button" data-icon="download" href=download rel="external">"Markdown"</a> }
        />
        <div class="stack stack-loose">{sections}</div>
    }
}

#[component]
fn CardSection(section: Section, place: usize) -> impl IntoView {
    let id = format!("card-{place}");
    let lines = (!section.lines.is_empty()).then(|| {
        let items = section.lines.iter().map(|line| view! { <li>{sentence(line)}</li> }).collect_view();
        view! { <ul>{items}</ul> }
    });
    let title = section.title.clone();
    let table = section.table.map(|table| view! { <CardTable table title=section.title/> });
    view! {
        <section class="section stack" aria-labelledby=id.clone()>
            <div class="section-header"><h2 id=id.clone()>{title}</h2></div>
            {lines}
            {table}
        </section>
    }
}

#[component]
fn CardTable(table: Table, title: String) -> impl IntoView {
    let head = table.head.iter().map(|name| view! { <th scope="col">{sentence_case(name)}</th> }).collect_view();
    let rows = table
        .rows
        .into_iter()
        .map(|cells| {
            let cells = cells
                .into_iter()
                .zip(&table.head)
                .enumerate()
                .map(|(place, (cell, name))| {
                    let label = sentence_case(name);
                    match place {
                        0 => view! { <th scope="row" data-label=label>{cell}</th> }.into_any(),
                        _ => view! { <td data-label=label>{cell}</td> }.into_any(),
                    }
                })
                .collect_view();
            view! { <tr>{cells}</tr> }
        })
        .collect_view();
    view! {
        <TableRegion label=title.clone()>
            <table class="table" data-stack>
                <caption class="visually-hidden">{title.clone()}</caption>
                <thead><tr>{head}</tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </TableRegion>
    }
}

/// A heading's first letter is large.
fn sentence_case(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(all(test, feature = "ssr"))]
mod rendered_tests {
    use super::*;
    use crate::pages::samples::rendered;

    #[test]
    fn a_card_is_read_and_downloaded() {
        let html = rendered("/models/taxi-tips/v/4/card", || {
            let rows = vec![vec!["test.roc_auc".to_owned(), "0.8712".to_owned()]];
            let section =
                Section::of_rows("How well it does", vec!["on <new> rows".to_owned()], &["metric", "value"], rows);
            let card = Card { title: "taxi-tips version 4".to_owned(), sections: vec![section] };
            view! { <ModelCard card slug="taxi-tips".to_owned() number=4/> }
        });
        assert!(html.contains("On &lt;new&gt; rows.") && html.contains("0.8712"), "{html}");
        assert!(html.contains("/api/v1/models/taxi-tips/versions/4/card.md"), "{html}");
    }
}
