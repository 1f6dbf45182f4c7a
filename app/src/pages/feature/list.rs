//! The feature sets of all problems.

use leptos::prelude::*;
use millrace_domain::view::FeatureSetSummary;

use crate::components::{Empty, GatedLink, Load, Moment, PageHeader, TableRegion};
use crate::fault::PageFault;
use crate::visit::visit;
use crate::wording::counted;

/// The feature set of every problem.
#[server(name = ListFeatureSets, prefix = "/fn", endpoint = "list_feature_sets")]
pub async fn list_feature_sets() -> Result<Vec<FeatureSetSummary>, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.list_feature_sets(&actor).await?)
}

/// `/features`.
#[component]
pub fn FeatureSetsPage() -> impl IntoView {
    let sets = Resource::new(|| (), |()| list_feature_sets());
    view! {
        <PageHeader title="Features"/>
        <p class="lede">
            "A feature set says once how a model's inputs are computed; training and serving both read it. It is signed with its problem."
        </p>
        <Load resource=sets let:rows>
            {if rows.is_empty() { view! { <NoSets/> }.into_any() } else { view! { <SetTable rows/> }.into_any() }}
        </Load>
    }
}

#[component]
fn NoSets() -> impl IntoView {
    view! {
        <Empty title="No feature sets yet" text="The features of a problem's document are its feature set.">
            <GatedLink
                permission=visit().acts.write
                href="/problems/new"
                label="Define a problem"
                kind="primary"
                icon="plus"
            />
        </Empty>
    }
}

#[component]
fn SetTable(rows: Vec<FeatureSetSummary>) -> impl IntoView {
    view! {
        <TableRegion label="Feature sets">
            <table class="table" data-stack>
                <caption class="visually-hidden">"Feature sets with their owners and users"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Feature set"</th>
                        <th scope="col">"Version"</th>
                        <th scope="col" class="num">"Features"</th>
                        <th scope="col">"About"</th>
                        <th scope="col">"Joined to"</th>
                        <th scope="col">"Used by"</th>
                        <th scope="col">"Owner"</th>
                        <th scope="col">"Since"</th>
                    </tr>
                </thead>
                <tbody>{rows.into_iter().map(set_row).collect_view()}</tbody>
            </table>
        </TableRegion>
    }
}

fn set_row(set: FeatureSetSummary) -> impl IntoView {
    let href = format!("/features/{}", set.slug);
    let used = used_by(&set);
    view! {
        <tr>
            <th scope="row" data-label="Feature set">
                <div>
                    <a href=href>{set.slug}</a>
                    <div class="muted">{set.title}</div>
                </div>
            </th>
            <td data-label="Version">{format!("v{}", set.version)}</td>
            <td class="num" data-label="Features">{set.features}</td>
            <td data-label="About">{set.entity.map_or_else(|| "single rows".to_owned(), |entity| format!("one {entity}"))}</td>
            <td data-label="Joined to">
                {if set.tables.is_empty() { "nothing".to_owned() } else { set.tables.join(", ") }}
            </td>
            <td data-label="Used by">{used}</td>
            <td data-label="Owner">{set.owner}</td>
            <td data-label="Since"><Moment at=set.created_at/></td>
        </tr>
    }
}

/// "v3 live, 5 model versions".
pub(super) fn used_by(set: &FeatureSetSummary) -> String {
    let models = counted(u64::from(set.models), "model version", "model versions");
    match (set.live_model, set.models) {
        (_, 0) => "no model yet".to_owned(),
        (Some(live), _) => format!("v{live} live, {models}"),
        (None, _) => format!("{models}, none live"),
    }
}
