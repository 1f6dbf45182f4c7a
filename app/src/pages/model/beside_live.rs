//! What a version reached beside what the live one did: what somebody asks first who is to approve it.

use leptos::prelude::*;
use millrace_domain::view::ModelComparison;

use crate::components::Load;
use crate::fault::PageFault;
use crate::pages::address::address;
use crate::pages::quantity::metric_title;

use super::compare::Group;

/// The version beside the live one; none where it is live itself, or no version is.
#[server(name = FetchBesideLive, prefix = "/fn", endpoint = "beside_live")]
pub async fn fetch_beside_live(slug: String, number: i32) -> Result<Option<ModelComparison>, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.beside_live(&actor, &slug, number).await?)
}

/// Their metrics with the differences.
#[component]
pub fn BesideLive(
    /// The two.
    compared: Resource<Result<Option<ModelComparison>, PageFault>>,
) -> impl IntoView {
    view! {
        <Load resource=compared let:compared>{compared.map(|compared| view! { <Metrics compared/> })}</Load>
    }
}

#[component]
fn Metrics(compared: ModelComparison) -> impl IntoView {
    let ModelComparison { a: live, b: own, mut rows, .. } = compared;
    // The document says which rows are set aside.
    let same_rows = live.data == own.data && !rows.iter().any(|row| row.name == "problem_digest");
    let success = format!("test.{}", own.metric);
    rows.sort_by_key(|row| row.name != success);
    rows.retain_mut(|row| {
        let own = row.name.strip_prefix("test.").filter(|_| row.group == "metrics").map(metric_title);
        own.is_some_and(|title| {
            row.name = title;
            true
        })
    });
    let (one, other) = (live.version.to_string(), own.version.to_string());
    let all = address(&format!("/models/{}/compare", own.slug), [("a", one.as_str()), ("b", other.as_str())]);
    let measured_on = if same_rows {
        format!("Both on the test part of {}.", own.data)
    } else {
        format!(
            "Each on the test part of its own data and document: v{} of {}, v{} of {}. On the same rows the gates compare them.",
            live.version, live.data, own.version, own.data
        )
    };
    let table = if rows.is_empty() {
        view! { <p>"Their metrics are the same."</p> }.into_any()
    } else {
        let name = format!("Metrics beside version {}, live", live.version);
        view! { <Group name rows a=live.version b=own.version/> }.into_any()
    };
    view! {
        {table}
        <p class="muted">{measured_on} " " <a href=all>"Everything in which they differ"</a></p>
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use millrace_domain::view::ComparedRow;

    use super::*;
    use crate::pages::samples::{model, rendered};

    fn shown(data: &str, more: &[&str]) -> String {
        let row = |group: &str, name: &str| ComparedRow {
            group: group.to_owned(),
            name: name.to_owned(),
            a: Some("0.84".to_owned()),
            b: Some("0.86".to_owned()),
            delta: Some(0.02),
        };
        let (a, b) = (model(3, "live"), model(4, "approved"));
        let b = millrace_domain::view::ModelSummary { data: data.to_owned(), ..b };
        let rows = vec![
            row("metrics", "test.brier"),
            row("metrics", "test.roc_auc"),
            row("metrics", "validation.roc_auc"),
            row("inputs", "tip"),
        ];
        let rows = rows.into_iter().chain(more.iter().map(|name| row("data and code", name))).collect();
        let compared = ModelComparison { a, b, rows, equal: 7, new_inputs: None, versions: vec![4, 3] };
        rendered("/models/taxi-tips/v/4", move || view! { <Metrics compared/> })
    }

    #[test]
    fn only_metrics_of_the_test_part_are_told_with_their_difference() {
        let html = shown("january v2", &["seed"]);
        let (success, other) = (html.find(">ROC AUC<"), html.find(">Brier"));
        assert!(success < other && success.is_some() && html.contains("+0.02"), "what decides comes first: {html}");
        assert!(!html.contains("validation") && !html.contains(">tip<"), "{html}");
        assert!(html.contains("Both on the test part of january v2."), "{html}");
    }

    #[test]
    fn metrics_of_other_rows_are_told_to_be_so() {
        for html in [shown("february v1", &[]), shown("january v2", &["problem_digest"])] {
            assert!(html.contains("On the same rows the gates compare them."), "{html}");
        }
    }
}
