//! One dataset version: its steps while it loads, then what validation found and what its columns hold.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use millrace_domain::schema::{CheckOutcome, Profile, ValidationReport};
use millrace_domain::view::{DatasetSummary, DatasetVersionView, FailureView, SchemaChange, StepView};

use crate::components::{
    Empty, GatedLink, KeyValue, KeyValues, Live, LiveLine, Load, Moment, PageHeader, ShortDigest, StateBadge,
    StepTimeline, TableRegion, follow,
};
use crate::fault::PageFault;
use crate::pages::address::{address, path_number, path_text, query_text};
use crate::pages::quantity::bytes;
use crate::wording::{counted, sentence};

use super::aside::SetAside;
use super::drift::DriftSection;
use super::mutes::{MuteForms, MuteQuestion, Mutes};
use super::profile::{ColumnFigure, ProfileTable};
use super::report::{FindingFilter, FindingFilterForm, FindingTable, Histories, ReportBanner};
use super::table::{columns_in_words, role_in_words, rows_in_words, version_address};

/// One dataset version.
#[server(name = FetchDatasetVersion, prefix = "/fn", endpoint = "dataset_version")]
pub async fn fetch_dataset_version(id: String, number: i32) -> Result<DatasetVersionView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.dataset_version(&actor, crate::pages::address::id(&id, "dataset")?, number).await?)
}

/// `/datasets/{id}/v/{number}`; `?outcome=` and `?column=` filter the findings, `?profile=` shows one column large.
#[component]
pub fn DatasetVersionPage() -> impl IntoView {
    let (id, number) = (path_text("id"), path_number("number"));
    let forms = MuteForms::new();
    let version = Resource::new(
        move || (id.get(), number.get(), forms.done()),
        |(id, number, _)| fetch_dataset_version(id, number),
    );
    let live = follow(
        move || format!("dataset:{}/{}", id.get(), number.get()),
        move || matches!(version.get(), Some(Ok(view)) if view.summary.state == LOADING),
        move || version.refetch(),
    );
    view! {
        <Load resource=version above=("Datasets", "/datasets") let:version>
            <Version version live forms/>
        </Load>
    }
}

const LOADING: &str = "loading";

#[component]
fn Version(version: DatasetVersionView, live: Live, forms: MuteForms) -> impl IntoView {
    let summary = version.summary.clone();
    let page = version_address(&summary.dataset, summary.version);
    let is_loading = summary.state == LOADING;
    let chosen = Signal::from(query_text("drift"));
    let drift = version.report.as_ref().and_then(|report| report.drift.clone()).map(|table| {
        let report = format!("/api/v1/datasets/{}/versions/{}/report", summary.dataset, summary.version);
        view! { <DriftSection table page=page.clone() report chosen/> }.into_any()
    });
    let history = Histories { versions: version.history_of.clone(), checks: version.history.clone() };
    let changes = (version.schema_since, version.schema_changes.clone());
    let whole = version.quarantine.is_none();
    let mutes = Mutes {
        forms,
        dataset: summary.dataset.clone(),
        version: summary.version,
        open: version.mutes.clone(),
        permission: version.may_mute.clone(),
    };
    let role = summary.role.clone();
    view! {
        <Head version=version.clone()/>
        <div class="split">
            <div class="split-main stack stack-loose">
                {is_loading.then(|| view! { <LiveLine live/> })}
                {version.failure.map(|failure| view! { <Unreadable failure summary=summary.clone()/> })}
                {version.report.map(|report| view! { <Findings report history page=page.clone() role mutes/> })}
            </div>
            <aside class="split-side stack">
                {version.quarantine.map(|quarantine| view! { <SetAside quarantine summary=summary.clone()/> })}
                <Identity
                    summary=summary.clone()
                    digest=version.digest
                    source=version.source_digest
                    format=version.format
                    appended_to=version.appended_to
                    whole=whole
                    corrects=version.corrects
                />
                <Steps steps=version.steps/>
                <OtherVersions versions=version.versions current=summary.version/>
            </aside>
        </div>
        {drift}
        {version.profile.map(|profile| view! { <Columns profile changes page/> })}
    }
}

#[component]
fn Head(version: DatasetVersionView) -> impl IntoView {
    let summary = version.summary;
    let crumbs = vec![
        ("Datasets".to_owned(), "/datasets".to_owned()),
        (summary.name.clone(), format!("/datasets/{}", summary.dataset)),
    ];
    let chosen = format!("{}/{}", summary.dataset, summary.version);
    let launch = address("/runs/new", [("problem", summary.problem.as_str()), ("dataset", chosen.as_str())]);
    let permission = version.may_launch;
    let title = format!("{} v{}", summary.name, summary.version);
    view! {
        <PageHeader
            title
            crumbs
            state=summary.state
            meta=move || {
                let problem = format!("/problems/{}", summary.problem);
                view! {
                    <span>"for " <a href=problem>{summary.problem}</a></span>
                    {role_in_words(&summary.role).map(|role| view! { <span><span class="tag">{role}</span></span> })}
                    <span>{rows_in_words(summary.rows)} " rows"</span>
                    <span>{columns_in_words(summary.columns)} " columns"</span>
                    <span><Moment at=summary.created_at/></span>
                    <span>"by " {summary.author}</span>
                }
            }
            actions=move || {
                view! { <GatedLink permission href=launch label="Launch a run on it" kind="primary" icon="play"/> }
            }
        />
    }
    .into_any()
}

#[component]
fn Unreadable(failure: FailureView, summary: DatasetSummary) -> impl IntoView {
    let upload = address("/datasets/new", [("problem", summary.problem.as_str()), ("name", summary.name.as_str())]);
    view! {
        <div class="callout" data-kind="error">
            <p class="callout-title">"This file could not be read"</p>
            <p>{sentence(&failure.message)}</p>
            <p class="muted">"Reason code " <code>{failure.code}</code></p>
            <div class="cluster">
                <a class="button" data-icon="upload" href=upload>"Upload the corrected file"</a>
            </div>
        </div>
    }
    .into_any()
}

#[component]
fn Findings(report: ValidationReport, history: Histories, page: String, role: String, mutes: Mutes) -> impl IntoView {
    let query = use_query_map();
    let shown = StoredValue::new(report.clone());
    let history = StoredValue::new(history);
    let action = page.clone();
    view! {
        <ReportBanner report=report.clone() role mutes=mutes.clone()/>
        <MuteQuestion mutes=mutes.clone() report/>
        <section class="section stack" aria-labelledby="findings">
            <div class="section-header"><h2 id="findings">"Checks"</h2></div>
            {move || {
                let filter = query.with(FindingFilter::from_query);
                let report = shown.get_value();
                // What passed is looked at by those who ask for it.
                let (quiet, findings): (Vec<_>, Vec<_>) = filter.apply(&report).into_iter().partition(|finding| {
                    filter.is_open() && (finding.outcome == CheckOutcome::Passed || mutes.of(finding).is_some())
                });
                let (passed, muted): (Vec<_>, Vec<_>) =
                    quiet.into_iter().partition(|finding| finding.outcome == CheckOutcome::Passed);
                let none_open = findings.is_empty() && !(passed.is_empty() && muted.is_empty());
                let folded = [
                    (counted(muted.len() as u64, "check muted", "checks muted"), muted),
                    (counted(passed.len() as u64, "check passed", "checks passed"), passed),
                ]
                    .into_iter()
                    .filter(|(_, findings)| !findings.is_empty())
                    .map(|(summary, findings)| {
                        view! {
                            <details>
                                <summary>{summary}</summary>
                                <FindingTable findings history=history.get_value() mutes=mutes.clone()/>
                            </details>
                        }
                    })
                    .collect_view();
                let clear = page.clone();
                view! {
                    <FindingFilterForm action=action.clone() filter report/>
                    {if none_open {
                        ().into_any()
                    } else if findings.is_empty() {
                        view! {
                            <Empty title="No check fits the filter" text="Other outcomes or columns may have findings.">
                                <a class="button" href=clear>"Clear filters"</a>
                            </Empty>
                        }
                            .into_any()
                    } else {
                        view! { <FindingTable findings history=history.get_value() mutes=mutes.clone()/> }.into_any()
                    }}
                    {folded}
                }
            }}
        </section>
    }
    .into_any()
}

#[component]
fn Columns(profile: Profile, changes: (Option<i32>, Vec<SchemaChange>), page: String) -> impl IntoView {
    let chosen = query_text("profile");
    let checks = page.replacen("/datasets/", "/api/v1/datasets/", 1).replace("/v/", "/versions/") + "/checks.toml";
    let columns = StoredValue::new(profile.columns.clone());
    let large = move || {
        let found = chosen.with(|chosen| {
            columns.with_value(|columns| columns.iter().find(|column| column.column.name == *chosen).cloned())
        });
        found.map(|column| view! { <ColumnFigure column/> })
    };
    view! {
        <section class="section stack" aria-labelledby="columns">
            <div class="section-header">
                <h2 id="columns">"Columns"</h2>
                <div class="cluster">
                    <a class="button button-small" href=checks data-icon="download" download="">
                        "Checks that hold here (TOML)"
                    </a>
                </div>
            </div>
            <SchemaChanges changes/>
            <ProfileTable profile page/>
        </section>
        {large}
    }
    .into_any()
}

/// What changed in names and types of columns since the version before.
#[component]
fn SchemaChanges(changes: (Option<i32>, Vec<SchemaChange>)) -> impl IntoView {
    let (Some(since), changes) = changes else { return ().into_any() };
    if changes.is_empty() {
        return view! { <p class="muted">{format!("The same columns and types as in version {since}.")}</p> }
            .into_any();
    }
    let rows = changes
        .into_iter()
        .map(|change| {
            let kind = match (&change.before, &change.after) {
                (None, _) => "added",
                (_, None) => "removed",
                _ => "changed",
            };
            view! {
                <tr data-change=kind>
                    <th scope="row">{change.column}</th>
                    <td class="diff-old">{change.before.unwrap_or_else(|| "not there".to_owned())}</td>
                    <td class="diff-new">{change.after.unwrap_or_else(|| "gone".to_owned())}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <TableRegion label="Changed columns">
            <table class="table diff">
                <caption class="visually-hidden">"Columns that came, went or changed their type"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Changed column"</th>
                        <th scope="col">{format!("Version {since}")}</th>
                        <th scope="col">"This version"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableRegion>
    }
    .into_any()
}

#[component]
fn Identity(
    summary: DatasetSummary,
    digest: Option<String>,
    source: String,
    format: Option<String>,
    appended_to: Option<i32>,
    /// Whether no row was set aside, of the earlier ones either.
    whole: bool,
    corrects: Option<i32>,
) -> impl IntoView {
    let link = |number: i32| (version_address(&summary.dataset, number), format!("version {number}"));
    let before = appended_to.map(link).map(|(href, version)| {
        view! { <KeyValue name="First rows">"those of " <a href=href>{version}</a> {if whole { ", unchanged" } else { ", but for what is set aside" }}</KeyValue> }
    });
    let corrected = corrects.map(link).map(|(href, version)| {
        view! { <KeyValue name="Then">"corrected rows of " <a href=href>{version}</a></KeyValue> }
    });
    let file = format!("{}, {}", summary.file_name, bytes(summary.source_bytes));
    view! {
        <section class="card">
            <div class="card-header"><h2>"Identity"</h2></div>
            <div class="card-body">
                <KeyValues stacked=true>
                    <KeyValue name="Source">{file}</KeyValue>
                    {before}
                    {corrected}
                    <KeyValue name="Format">{format.unwrap_or_else(|| "not known yet".to_owned())}</KeyValue>
                    <KeyValue name="Digest of the source"><ShortDigest digest=source/></KeyValue>
                    <KeyValue name="Digest of every cell">
                        {match digest {
                            Some(digest) => view! { <ShortDigest digest/> }.into_any(),
                            None => view! { <span class="muted">"known once it is read"</span> }.into_any(),
                        }}
                    </KeyValue>
                </KeyValues>
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn Steps(steps: Vec<StepView>) -> impl IntoView {
    view! {
        <section class="card">
            <div class="card-header"><h2>"Steps"</h2></div>
            <div class="card-body"><StepTimeline steps/></div>
        </section>
    }
    .into_any()
}

#[component]
fn OtherVersions(versions: Vec<DatasetSummary>, current: i32) -> impl IntoView {
    let rows = versions
        .into_iter()
        .map(|version| {
            let href = version_address(&version.dataset, version.version);
            let here = (version.version == current).then_some("page");
            view! {
                <li>
                    <a class="card-row" href=href aria-current=here>
                        <span class="card-row-title">{format!("v{}", version.version)}</span>
                        <span class="card-row-meta"><Moment at=version.created_at/></span>
                        <StateBadge state=version.state/>
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="card">
            <div class="card-header"><h2>"Versions"</h2></div>
            <ul class="card-list">{rows}</ul>
        </section>
    }
    .into_any()
}

#[cfg(all(test, feature = "ssr"))]
mod rendered_tests {
    use super::*;
    use crate::pages::samples::{dataset_version, rendered};
    use millrace_domain::mute::Mute;

    fn page(address: &str, version: DatasetVersionView) -> String {
        rendered(address, move || {
            let live = Live::default();
            let forms = MuteForms::new();
            view! { <Version version live forms/> }
        })
    }

    #[test]
    fn the_banner_says_what_passed_and_whether_training_is_blocked() {
        let html = page("/datasets/5/v/2", dataset_version());
        assert!(html.contains("1 of 3 checks passed") && html.contains("Training may start on it"), "{html}");
    }

    #[test]
    fn a_muted_check_is_folded_away_with_who_muted_it_and_why() {
        let open = dataset_version();
        let warned = |version: &DatasetVersionView| {
            let report = version.report.clone().unwrap_or_default();
            report.warnings().next().cloned()
        };
        let finding = warned(&open).expect("the sample has a warning");
        let at = open.summary.created_at;
        let mute = Mute {
            id: "3".to_owned(),
            check: finding.check.clone(),
            column: finding.column,
            severity: finding.severity,
            reason: "a known holiday".to_owned(),
            by: "Ada".to_owned(),
            at,
            until: at + chrono::Duration::days(7),
        };
        let asked = page(&format!("/datasets/5/v/2?mute={}&of=company", finding.check), open.clone());
        assert!(asked.contains("Mute null share of company?") && asked.contains("What was looked into"), "{asked}");
        let html = page("/datasets/5/v/2", DatasetVersionView { mutes: vec![mute], ..open });
        for part in ["1 warning is muted", "1 check muted", "a known holiday", "Ada", "Lift"] {
            assert!(html.to_lowercase().contains(&part.to_lowercase()), "{part}: {html}");
        }
    }

    #[test]
    fn values_of_the_data_never_become_markup() {
        assert!(!page("/datasets/5/v/2", dataset_version()).contains("<blank>"));
    }

    #[test]
    fn the_address_filters_findings_and_opens_a_column() {
        let html = page("/datasets/5/v/2?outcome=passed&profile=fare", dataset_version());
        assert!(!html.contains("34 % missing") && html.contains("Histogram of fare"), "{html}");
    }

    #[test]
    fn a_file_that_could_not_be_read_names_the_place_and_the_way_out() {
        let failure = FailureView { code: "ragged".to_owned(), message: "row 7 has 4 fields, the header 5".to_owned() };
        let version = DatasetVersionView { failure: Some(failure), profile: None, report: None, ..dataset_version() };
        let html = page("/datasets/5/v/2", version);
        assert!(
            html.contains("Row 7 has 4 fields, the header 5.") && html.contains("Upload the corrected file"),
            "{html}"
        );
    }
}
