//! Every change of what is live, newest first, with who and why.

use leptos::prelude::*;
use millrace_domain::view::DeploymentChange;

use crate::components::Moment;
use crate::wording::state_words;

/// The changes of one deployment.
#[component]
pub fn ChangeHistory(
    /// Changes, newest first.
    changes: Vec<DeploymentChange>,
) -> impl IntoView {
    let items = changes
        .into_iter()
        .map(|change| {
            let state = if change.kind == "rollback" { "rolled_back" } else { "live" };
            let title = change_in_words(&change);
            let meta = format!("generation {} · by {}", change.generation, change.by);
            view! {
                <li data-state=state>
                    <div class="timeline-head">
                        <span class="timeline-title">{title}</span>
                        <span class="timeline-meta">{meta} " · " <Moment at=change.at/></span>
                    </div>
                    <div class="timeline-body">{change.reason}</div>
                </li>
            }
        })
        .collect_view();
    view! { <ol class="timeline">{items}</ol> }
}

/// "Version 3 live in place of version 2", "Rolled back from version 3 to version 2".
pub fn change_in_words(change: &DeploymentChange) -> String {
    let name =
        |version: Option<i32>| version.map_or_else(|| "no version".to_owned(), |version| format!("version {version}"));
    match (change.kind.as_str(), change.champion, change.previous) {
        ("rollback", champion, previous) => {
            format!("Rolled back from {} to {}", name(previous), name(champion))
        }
        (_, Some(champion), None) => format!("Version {champion} live, the first"),
        (_, champion, previous) => state_words(&format!("{} live in place of {}", name(champion), name(previous))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: &str, champion: Option<i32>, previous: Option<i32>) -> DeploymentChange {
        DeploymentChange {
            generation: 4,
            kind: kind.to_owned(),
            champion,
            previous,
            by: "On-call".to_owned(),
            reason: "scores dropped".to_owned(),
            at: serde_json::from_str("\"2026-11-23T14:05:00Z\"").expect("a time"),
        }
    }

    #[test]
    fn a_change_names_both_versions() {
        assert_eq!(change_in_words(&change("rollback", Some(2), Some(3))), "Rolled back from version 3 to version 2");
        assert_eq!(change_in_words(&change("deploy", Some(3), Some(2))), "Version 3 live in place of version 2");
        assert_eq!(change_in_words(&change("deploy", Some(1), None)), "Version 1 live, the first");
    }
}
