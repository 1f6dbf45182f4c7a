//! One feature set: its features with their statistics, where they come from, and who uses them.

use leptos::prelude::*;
use millrace_charts::{count, number, percent};
use millrace_domain::view::{FeatureSetModel, FeatureSetSummary, FeatureSetVersion, FeatureSetView, FeatureView};

use crate::components::{
    Empty, KeyValue, KeyValues, LineageFigure, Load, Moment, PageHeader, ShortDigest, StateBadge, TableRegion,
};
use crate::fault::PageFault;
use crate::pages::address::path_text;
use crate::wording::sentence;

use super::list::used_by;

/// One feature set.
#[server(name = FetchFeatureSet, prefix = "/fn", endpoint = "feature_set")]
pub async fn fetch_feature_set(slug: String) -> Result<FeatureSetView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.feature_set(&actor, &slug).await?)
}

/// `/features/{slug}`.
#[component]
pub fn FeatureSetPage() -> impl IntoView {
    let slug = path_text("slug");
    let set = Resource::new(move || slug.get(), fetch_feature_set);
    view! {
        <Load resource=set above=("Features", "/features") let:set>
            <Set set/>
        </Load>
    }
}

#[component]
fn Set(set: FeatureSetView) -> impl IntoView {
    let summary = set.summary;
    view! {
        <Head summary=summary.clone()/>
        {summary.description.clone().map(|description| view! { <p class="lede">{description}</p> })}
        <section class="section stack" aria-labelledby="lineage">
            <div class="section-header"><h2 id="lineage">"Lineage"</h2></div>
            <LineageFigure lineage=set.lineage/>
        </section>
        <section class="section stack" aria-labelledby="features">
            <div class="section-header"><h2 id="features">"Features"</h2></div>
            {match set.computed_by {
                Some(run) => {
                    let href = format!("/runs/{run}");
                    view! { <p class="muted">"Statistics over the rows of " <a href=href>{format!("run #{run}")}</a> "."</p> }
                        .into_any()
                }
                None => view! { <p class="muted">"Statistics come with the first run that computes these features."</p> }.into_any(),
            }}
            <FeatureTable features=set.features/>
        </section>
        <div class="split">
            <div class="split-main stack stack-loose">
                <Users models=set.models/>
                <Versions versions=set.versions current=summary.version slug=summary.slug.clone()/>
            </div>
            <aside class="split-side stack"><Identity summary parity=set.parity broken=set.parity_broken/></aside>
        </div>
    }
}

#[component]
fn Head(summary: FeatureSetSummary) -> impl IntoView {
    let crumbs = vec![("Features".to_owned(), "/features".to_owned())];
    let title = format!("{} v{}", summary.slug, summary.version);
    view! {
        <PageHeader
            title
            crumbs
            meta=move || {
                let problem = format!("/problems/{}/v/{}", summary.slug, summary.problem_version);
                view! {
                    <span>"of " <a href=problem>{format!("{} v{}", summary.slug, summary.problem_version)}</a> ", " {state_words(&summary.state)}</span>
                    <span>"owner " {summary.owner}</span>
                    <span><Moment at=summary.created_at/></span>
                }
            }
        />
    }
    .into_any()
}

fn state_words(state: &str) -> String {
    state.replace('_', " ")
}

#[component]
fn FeatureTable(features: Vec<FeatureView>) -> impl IntoView {
    view! {
        <TableRegion label="Features">
            <table class="table" data-stack>
                <caption class="visually-hidden">"Features with how they are computed and what their values are"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Feature"</th>
                        <th scope="col">"Type"</th>
                        <th scope="col">"Computed as"</th>
                        <th scope="col">"Allowed"</th>
                        <th scope="col" class="num">"Missing"</th>
                        <th scope="col">"Values"</th>
                        <th scope="col" class="num">"Importance"</th>
                    </tr>
                </thead>
                <tbody>{features.into_iter().map(feature_row).collect_view()}</tbody>
            </table>
        </TableRegion>
    }
    .into_any()
}

fn feature_row(feature: FeatureView) -> impl IntoView {
    let missing = feature.statistics.as_ref().map(|statistics| percent(statistics.missing_share));
    let values = values_in_words(&feature);
    let tone = feature.leak.is_some().then_some("warn");
    let reads = (feature.reads != [feature.expression.clone()])
        .then(|| view! { <div class="muted">{format!("from {}", feature.reads.join(", "))}</div> });
    view! {
        <tr data-tone=tone>
            <th scope="row" data-label="Feature">
                <div>
                    {feature.name}
                    {feature.description.map(|description| view! { <div class="muted">{description}</div> })}
                </div>
            </th>
            <td data-label="Type">{feature.feature_type}</td>
            <td data-label="Computed as"><div><code>{feature.expression}</code> {reads}</div></td>
            <td data-label="Allowed">{feature.allowed}</td>
            <td class="num" data-label="Missing">{missing.unwrap_or_else(|| "n/a".to_owned())}</td>
            <td data-label="Values">
                <div>
                    {values}
                    {feature
                        .leak
                        .map(|leak| {
                            view! { <div><span class="badge" data-state="warning">"May give the answer away"</span> " " {sentence(&leak)}</div> }
                        })}
                </div>
            </td>
            <td class="num" data-label="Importance">{feature.importance.map_or_else(|| "n/a".to_owned(), number)}</td>
        </tr>
    }
}

/// "0.5 to 98, mean 12.3", or the most frequent values.
fn values_in_words(feature: &FeatureView) -> String {
    let Some(statistics) = &feature.statistics else { return "n/a".to_owned() };
    match (statistics.range, statistics.mean) {
        (Some((least, greatest)), Some(mean)) => {
            format!("{} to {}, mean {}", number(least), number(greatest), number(mean))
        }
        _ => {
            let top: Vec<&str> = statistics.top.iter().take(3).map(|(value, _)| value.as_str()).collect();
            match statistics.distinct {
                0 => "none".to_owned(),
                distinct => format!("{} distinct: {}", count(distinct), top.join(", ")),
            }
        }
    }
}

#[component]
fn Users(models: Vec<FeatureSetModel>) -> impl IntoView {
    let rows = models
        .into_iter()
        .map(|user| {
            let model = user.model;
            let page = format!("/models/{}/v/{}", model.slug, model.version);
            let set = user.feature_set.map_or_else(|| "an earlier one".to_owned(), |set| format!("v{set}"));
            view! {
                <tr>
                    <th scope="row" data-label="Model"><a href=page>{format!("{} v{}", model.slug, model.version)}</a></th>
                    <td data-label="Stage"><StateBadge state=model.stage/></td>
                    <td data-label="Feature set">{set}</td>
                    <td data-label="Run"><a href=format!("/runs/{}", model.run)>{format!("#{}", model.run)}</a></td>
                    <td data-label="Registered"><Moment at=model.created_at/></td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="section stack" aria-labelledby="users">
            <div class="section-header"><h2 id="users">"Used by"</h2></div>
            {if rows.is_empty() {
                view! { <Empty title="No model yet" text="Model versions that are trained on these features are listed here."/> }
                    .into_any()
            } else {
                view! {
                    <TableRegion label="Used by">
                        <table class="table" data-stack>
                            <caption class="visually-hidden">"Model versions, newest first"</caption>
                            <thead>
                                <tr>
                                    <th scope="col">"Model"</th>
                                    <th scope="col">"Stage"</th>
                                    <th scope="col">"Feature set"</th>
                                    <th scope="col">"Run"</th>
                                    <th scope="col">"Registered"</th>
                                </tr>
                            </thead>
                            <tbody>{rows}</tbody>
                        </table>
                    </TableRegion>
                }
                    .into_any()
            }}
        </section>
    }
    .into_any()
}

#[component]
fn Versions(versions: Vec<FeatureSetVersion>, current: u32, slug: String) -> impl IntoView {
    let rows = versions
        .into_iter()
        .map(|set| {
            let page = format!("/problems/{}/v/{}", slug, set.problem_version);
            let changes = match (set.version, set.changes.is_empty()) {
                (1, _) => "the first".to_owned(),
                (_, true) => "other columns or times".to_owned(),
                (_, false) => set.changes.join("; "),
            };
            let here = (set.version == current)
                .then(|| view! { " " <span class="badge" data-state="info">"shown here"</span> });
            view! {
                <tr>
                    <th scope="row" data-label="Version">{format!("v{}", set.version)} {here}</th>
                    <td data-label="What changed">{changes}</td>
                    <td data-label="Since"><a href=page>{format!("problem v{}", set.problem_version)}</a></td>
                    <td data-label="By">{set.author}</td>
                    <td data-label="Digest"><ShortDigest digest=set.digest/></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="section stack" aria-labelledby="versions">
            <div class="section-header"><h2 id="versions">"Versions"</h2></div>
            <TableRegion label="Versions">
                <table class="table" data-stack>
                    <caption class="visually-hidden">"Distinct feature sets of the problem, newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Version"</th>
                            <th scope="col">"What changed"</th>
                            <th scope="col">"Since"</th>
                            <th scope="col">"By"</th>
                            <th scope="col">"Digest"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableRegion>
        </section>
    }
    .into_any()
}

#[component]
fn Identity(summary: FeatureSetSummary, parity: Option<String>, broken: bool) -> impl IntoView {
    let used = used_by(&summary);
    let entity = summary.entity.unwrap_or_else(|| "not named".to_owned());
    let tables = if summary.tables.is_empty() { "nothing".to_owned() } else { summary.tables.join(", ") };
    view! {
        <section class="card">
            <div class="card-header"><h2>"Identity"</h2></div>
            <div class="card-body">
                <KeyValues stacked=true>
                    <KeyValue name="Owner">{summary.owner}</KeyValue>
                    <KeyValue name="Entity">{entity}</KeyValue>
                    <KeyValue name="Joined to">{tables}</KeyValue>
                    <KeyValue name="Used by">{used}</KeyValue>
                    <KeyValue name="Digest"><ShortDigest digest=summary.digest/></KeyValue>
                    {parity
                        .map(|parity| {
                            let state = if broken { "fail" } else { "pass" };
                            view! {
                                <KeyValue name="Training and serving">
                                    <span class="badge" data-state=state>{if broken { "differ" } else { "equal" }}</span>
                                    " "
                                    {sentence(&parity)}
                                </KeyValue>
                            }
                        })}
                </KeyValues>
            </div>
        </section>
    }
    .into_any()
}

#[cfg(all(test, feature = "ssr"))]
mod rendered_tests {
    use super::*;
    use crate::pages::samples::{feature_set, rendered};

    #[test]
    fn a_feature_says_how_it_is_computed_and_who_uses_it() {
        let html = rendered("/features/taxi-tips", || view! { <Set set=feature_set()/> });
        assert!(html.contains("trip_miles / trip_seconds") && html.contains("May give the answer away"), "{html}");
        assert!(html.contains("v3 live, 2 model versions") && html.contains("Lineage"), "{html}");
    }

    #[test]
    fn statistics_that_are_not_there_are_not_made_up() {
        let set = FeatureSetView { computed_by: None, ..feature_set() };
        let html = rendered("/features/taxi-tips", || view! { <Set set/> });
        assert!(html.contains("Statistics come with the first run"), "{html}");
    }
}
