use leptos::prelude::*;
use millrace_domain::view::{ProblemVersionView, VersionRef};

use super::changes::Changes;
use super::document_text::document_text;
use super::facts::Facts;
use crate::components::{ReviewBox, StateBadge, Tab, Tabs};

/// Part of the page that is open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// In plain words.
    Summary,
    /// As it was written.
    Document,
    /// Against the version before.
    Changes,
    /// All versions.
    Versions,
    /// Decisions, and the form to decide.
    Review,
}

impl Part {
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::Summary, "Summary", ""),
        (Self::Document, "Document", "document"),
        (Self::Changes, "Changes", "changes"),
        (Self::Versions, "Versions", "versions"),
        (Self::Review, "Review", "review"),
    ];

    /// The part of that name in the address; the summary for any other.
    pub fn named(word: &str) -> Self {
        Self::ALL.into_iter().find(|(_, _, known)| *known == word).map_or(Self::Summary, |(part, ..)| part)
    }
}

/// The tabs, and what the open one shows.
#[component]
pub fn Parts(
    /// The version.
    version: ProblemVersionView,
    /// The open part.
    open: Part,
) -> impl IntoView {
    let path = format!("/problems/{}/v/{}", version.slug, version.version);
    let tabs = Part::ALL.map(|(part, name, word)| Tab {
        name,
        href: if word.is_empty() { path.clone() } else { format!("{path}?tab={word}") },
        count: match part {
            Part::Changes => Some(version.changes.len()),
            Part::Versions => Some(version.versions.len()),
            Part::Review => Some(version.review.decisions.len()),
            Part::Summary | Part::Document => None,
        },
        current: part == open,
    });
    let content = match open {
        Part::Summary => view! { <Summary version/> }.into_any(),
        Part::Document => {
            view! { <pre class="code" tabindex="0"><code>{document_text(&version.document)}</code></pre> }.into_any()
        }
        Part::Changes => {
            view! { <Changes changes=version.changes number=version.version since=version.changes_since/> }.into_any()
        }
        Part::Versions => view! { <Versions slug=version.slug versions=version.versions/> }.into_any(),
        Part::Review => view! { <Review version/> }.into_any(),
    };
    view! {
        <Tabs label="Problem version" tabs=tabs.into()/>
        {content}
    }
}

#[component]
fn Summary(version: ProblemVersionView) -> impl IntoView {
    let lines = version.summary.clone();
    view! {
        <div class="split">
            <section class="card split-main">
                <div class="card-header">
                    <h2>"In plain words"</h2>
                </div>
                <div class="card-body prose stack stack-tight">
                    {lines.into_iter().map(|line| view! { <p>{line}</p> }).collect_view()}
                </div>
            </section>
            <aside class="split-side stack">
                <Facts version/>
            </aside>
        </div>
    }
}

/// The review beside what is signed, so that nobody decides on what they have not seen.
#[component]
fn Review(version: ProblemVersionView) -> impl IntoView {
    let ProblemVersionView { slug, version: number, digest, review, summary, power, changes, changes_since, .. } =
        version;
    let changed = changes_since.map(|since| {
        view! {
            <section class="card">
                <div class="card-header">
                    <h2>{format!("Changed since version {since}")} " " <span class="count">{changes.len()}</span></h2>
                </div>
                <div class="card-body"><Changes changes number since=Some(since)/></div>
            </section>
        }
    });
    view! {
        <div class="split">
            <div class="split-main stack">
                {changed}
                <ReviewBox review action="/fn/decide_problem" slug=slug.clone() number digest/>
            </div>
            <aside class="split-side stack">
                <section class="card">
                    <div class="card-header">
                        <h2>"What you sign"</h2>
                        <a href=format!("/problems/{slug}/v/{number}?tab=document")>"In full"</a>
                    </div>
                    <div class="card-body prose stack stack-tight">
                        {summary.into_iter().map(|line| view! { <p>{line}</p> }).collect_view()}
                    </div>
                </section>
                <section class="card">
                    <div class="card-header">
                        <h2>"What the data can show"</h2>
                    </div>
                    <div class="card-body prose"><p>{power}</p></div>
                </section>
            </aside>
        </div>
    }
}

#[component]
fn Versions(slug: String, versions: Vec<VersionRef>) -> impl IntoView {
    let rows = versions
        .into_iter()
        .map(|VersionRef { number, state }| {
            view! {
                <li>
                    <a class="card-row" href=format!("/problems/{slug}/v/{number}")>
                        <span class="card-row-title">{format!("Version {number}")}</span>
                        <StateBadge state/>
                    </a>
                </li>
            }
        })
        .collect_view();
    view! { <section class="card" aria-label="Versions"><ul class="card-list">{rows}</ul></section> }
}
