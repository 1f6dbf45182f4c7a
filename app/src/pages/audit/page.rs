use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use millrace_domain::view::{AuditFilter, AuditRow, AuditView};
use serde_json::Value;

use crate::components::{Empty, Load, Moment, PageHeader, ShortDigest, TableRegion};
use crate::fault::PageFault;
use crate::pages::address::address;

/// Who did what, newest first. The filters are in the address.
#[component]
pub fn AuditPage() -> impl IntoView {
    let query = use_query_map();
    let asked = move || {
        query.with(|query| {
            let text = |name: &str| query.get(name).filter(|value| !value.trim().is_empty());
            AuditFilter {
                actor: text("actor"),
                action: text("action"),
                object: text("object"),
                from: text("from"),
                to: text("to"),
                before: text("before").and_then(|number| number.parse().ok()),
            }
        })
    };
    let trail = Resource::new(asked, |filter| {
        let AuditFilter { actor, action, object, from, to, before } = filter;
        audit(actor, action, object, from, to, before)
    });
    view! {
        <PageHeader title="Audit"/>
        <p class="lede">
            "Every act and every refusal, with who, when, from where and on what. Each row holds the hash of the row before it, so that a changed or missing row is found: "
            <code>"millrace verify"</code> " on the host checks the whole chain and names the first row that does not fit."
        </p>
        <Load resource=trail let:trail>
            <Trail trail/>
        </Load>
    }
}

#[component]
fn Trail(trail: AuditView) -> impl IntoView {
    let AuditView { rows, next, head, filter } = trail;
    let words = |text: &Option<String>| text.clone().unwrap_or_default();
    let used = [
        ("actor", words(&filter.actor)),
        ("action", words(&filter.action)),
        ("object", words(&filter.object)),
        ("from", words(&filter.from)),
        ("to", words(&filter.to)),
    ];
    let asked = || used.iter().map(|(name, value)| (*name, value.as_str()));
    let newest = filter.before.is_some().then(|| address("/audit", asked()));
    let before = next.map(|before| before.to_string());
    let older = before.as_deref().map(|before| address("/audit", asked().chain([("before", before)])));
    let exports = [("CSV", "csv"), ("JSON", "json")].map(|(name, ending)| {
        let href = address(&format!("/api/v1/audit/export.{ending}"), asked());
        view! { <a class="button button-small" data-icon="download" href=href rel="external" download="">{name}</a> }
    });
    let filtered = used.iter().any(|(_, value)| !value.is_empty());
    let content = match (rows.is_empty(), filtered) {
        (false, _) => view! { <AuditTable rows/> }.into_any(),
        (true, true) => view! {
            <Empty title="Nothing matches" text="No row fits these filters. An action or object matches by its beginning.">
                <a class="button" href="/audit">"Clear filters"</a>
            </Empty>
        }
        .into_any(),
        (true, false) => view! { <Empty title="Nothing yet" text="The first act will be the first row."/> }.into_any(),
    };
    view! {
        <div class="stack">
            <Filters used=used.clone()/>
            <div class="cluster cluster-between">
                {head
                    .map(|(sequence, hash)| {
                        view! { <p class="muted">"Head of the chain: row " {sequence} " " <ShortDigest digest=hash/></p> }
                    })}
                <div class="cluster"><span class="muted">"Export this slice"</span> {exports.collect_view()}</div>
            </div>
            {content}
            <nav class="pagination" aria-label="Pages">
                {newest.map(|href| view! { <a class="button" href=href>"Newest"</a> })}
                {older.map(|href| view! { <a class="button" rel="next" href=href>"Older"</a> })}
            </nav>
        </div>
    }
}

#[component]
fn Filters(used: [(&'static str, String); 5]) -> impl IntoView {
    let [actor, action, object, from, to] = used.map(|(_, value)| value);
    view! {
        <form class="filters" method="get" action="/audit" role="search">
            <Filter name="actor" label="Actor" example="name@example.org" value=actor/>
            <Filter name="action" label="Action begins with" example="model." value=action/>
            <Filter name="object" label="Object begins with" example="problem/" value=object/>
            <Filter name="from" label="From day (UTC)" example="2026-03-01" value=from/>
            <Filter name="to" label="Before day (UTC)" example="2026-04-01" value=to/>
            <button class="button" type="submit" data-icon="search">"Filter"</button>
        </form>
    }
}

#[component]
fn Filter(name: &'static str, label: &'static str, example: &'static str, value: String) -> impl IntoView {
    view! {
        <div class="field">
            <label class="label" for=name>{label}</label>
            <input class="input" id=name name=name value=value placeholder=example/>
        </div>
    }
}

#[component]
fn AuditTable(rows: Vec<AuditRow>) -> impl IntoView {
    view! {
        <TableRegion label="Audit trail" files=false>
            <table class="table" data-stack>
                <caption class="visually-hidden">"Acts and refusals, newest first"</caption>
                <thead>
                    <tr>
                        <th scope="col" class="num">"Row"</th>
                        <th scope="col">"Time"</th>
                        <th scope="col">"Actor"</th>
                        <th scope="col">"Action"</th>
                        <th scope="col">"Object"</th>
                        <th scope="col">"Outcome"</th>
                        <th scope="col">"Details"</th>
                        <th scope="col">"Hash"</th>
                    </tr>
                </thead>
                <tbody>{rows.into_iter().map(|row| view! { <AuditTableRow row/> }).collect_view()}</tbody>
            </table>
        </TableRegion>
    }
}

#[component]
fn AuditTableRow(row: AuditRow) -> impl IntoView {
    let refused = row.outcome == "refused";
    view! {
        <tr data-tone=refused.then_some("warn")>
            <th scope="row" class="num" data-label="Row">{row.sequence}</th>
            <td data-label="Time"><Moment at=row.at/></td>
            <td data-label="Actor">
                {row.actor} " " <span class="tag">{row.via}</span>
                {row.address
                    .map(|address| {
                        let request = row.request.map(|id| format!("request {id}"));
                        view! { <span class="muted nowrap" title=request>" from " {address}</span> }
                    })}
            </td>
            <td class="nowrap" data-label="Action"><code>{row.action}</code></td>
            <td data-label="Object">
                <code>{row.object}</code>
                {row.digest.map(|digest| view! { " " <ShortDigest digest/> })}
            </td>
            <td data-label="Outcome">
                {if refused {
                    view! { <span class="badge" data-state="fail">"Refused"</span> }.into_any()
                } else {
                    view! { <span class="muted">"done"</span> }.into_any()
                }}
            </td>
            <td class="muted break" data-label="Details">{written(&row.details)}</td>
            <td class="nowrap" data-label="Hash"><ShortDigest digest=row.hash/></td>
        </tr>
    }
}

/// `name: value` for each detail, in the order of their names.
fn written(details: &Value) -> String {
    match details {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}: {}", plain(value))).collect();
            fields.sort();
            fields.join(", ")
        }
        Value::Null => String::new(),
        other => plain(other),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// A page of the audit trail.
#[server(prefix = "/fn", endpoint = "audit")]
pub async fn audit(
    actor: Option<String>,
    action: Option<String>,
    object: Option<String>,
    from: Option<String>,
    to: Option<String>,
    before: Option<i64>,
) -> Result<AuditView, PageFault> {
    let (services, caller) = crate::caller::actor()?;
    let filter = AuditFilter { actor, action, object, from, to, before };
    Ok(services.audit(&caller, &filter, None).await?)
}

#[cfg(test)]
mod tests {
    use super::written;

    #[test]
    fn details_read_without_braces() {
        let details = serde_json::json!({ "roles": ["admin", "on_call"], "days": 30, "name": "nightly" });
        assert_eq!(written(&details), "days: 30, name: nightly, roles: admin on_call");
    }
}
