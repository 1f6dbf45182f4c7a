//! Model versions as rows: in the list of models, and among the versions of one.

use leptos::prelude::*;
use millrace_charts::number;
use millrace_domain::view::{AliasView, ModelSummary};

use crate::components::{Measured, Moment, StateBadge, TableRegion};
use crate::pages::quantity::metric_title;

/// A row a model version.
#[component]
pub fn ModelTable(
    /// The versions, in the order they are shown.
    rows: Vec<ModelSummary>,
    /// What the table holds, for people who don't see it.
    caption: &'static str,
    /// Names that point at one of them.
    #[prop(optional)]
    aliases: Vec<AliasView>,
    /// Whether they are of several problems, whose titles are told.
    #[prop(optional)]
    titled: bool,
) -> impl IntoView {
    let rows: Vec<_> = rows.into_iter().map(|row| model_row(row, &aliases, titled)).collect();
    view! {
        <TableRegion label=caption files=false>
            <table class="table" data-stack>
                <caption class="visually-hidden">{caption}</caption>
                <thead>
                    <tr>
                        {titled.then(|| view! { <th scope="col">"Model"</th> })}
                        <th scope="col">"Version"</th>
                        <th scope="col">"Stage"</th>
                        <th scope="col">"Metric"</th>
                        <th scope="col">"Test value, 95 % interval"</th>
                        <th scope="col">"Guardrails"</th>
                        <th scope="col">"Trained by, in, on"</th>
                        <th scope="col">"Registered, last asked"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableRegion>
    }
}

fn model_row(model: ModelSummary, aliases: &[AliasView], titled: bool) -> impl IntoView + use<> {
    let title = view! { <div class="muted">{model.title}</div> };
    let own = aliases.iter().filter(|alias| alias.version == Some(model.version));
    let names: Vec<_> = own.map(|alias| view! { " " <span class="tag">{alias.name.clone()}</span> }).collect();
    let version_page = version_address(&model.slug, model.version);
    // In the list of models, where one row stands for all versions.
    let live = titled.then(|| match model.live {
        Some(live) if live == model.version => ().into_any(),
        Some(live) => {
            let address = version_address(&model.slug, live);
            view! { <div class="muted">"live " <a href=address>{format!("v{live}")}</a></div> }.into_any()
        }
        None => view! { <div class="muted">"none is live"</div> }.into_any(),
    });
    let model_page = format!("/models/{}", model.slug);
    let link = view! { <a href=version_page>{format!("v{}", model.version)}</a> {names} };
    let (about, version) = if titled {
        let about = view! { <th scope="row" data-label="Model"><a href=model_page>{model.slug}</a> {title}</th> };
        (Some(about), view! { <td data-label="Version">{link} {live}</td> }.into_any())
    } else {
        (None, view! { <th scope="row" data-label="Version">{link}</th> }.into_any())
    };
    let guardrail =
        |(name, value): &(String, f64)| view! { <div>{format!("{} {}", metric_title(name), number(*value))}</div> };
    let guardrails: Vec<_> = model.guardrails.iter().map(guardrail).collect();
    view! {
        <tr>
            {about}
            {version}
            <td data-label="Stage">
                <div class="cluster">
                    <StateBadge state=model.stage/>
                    {model.archived.then(|| view! { <span class="badge" data-state="archived">"Archived"</span> })}
                    {model.overridden.then(|| view! { <span class="badge" data-state="fail">"Gates overridden"</span> })}
                </div>
            </td>
            <td data-label="Metric">{metric_title(&model.metric)}</td>
            <td data-label="Test value"><Measured value=model.value interval=model.interval/></td>
            <td data-label="Guardrails">{guardrails}</td>
            <td data-label="Trained by, in, on">
                {model.trainer.replace('_', " ")} " "
                <div class="muted">
                    <a href=format!("/runs/{}", model.run)>{format!("run #{}", model.run)}</a> ", "
                    <a href=model.data_page>{model.data}</a>
                </div>
            </td>
            <td data-label="Registered, last asked">
                <Moment at=model.created_at/>
                <div class="muted">{format!("by {}", model.author)}</div>
                <div class="muted">
                    {match model.asked_at {
                        Some(at) => view! { "asked " <Moment at/> }.into_any(),
                        None => "no call noted".into_any(),
                    }}
                </div>
            </td>
        </tr>
    }
}

/// Page of a model version.
pub fn version_address(slug: &str, version: i32) -> String {
    format!("/models/{slug}/v/{version}")
}
