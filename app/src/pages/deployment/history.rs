//! Every change of what is live, newest first, with who and why.

use leptos::prelude::*;
use millrace_domain::view::DeploymentChange;

use crate::components::Moment;
use crate::wording::{sentence, state_words};

/// The changes of one deployment.
#[component]
pub fn ChangeHistory(
    /// The problem.
    slug: String,
    /// Changes, newest first.
    changes: Vec<DeploymentChange>,
) -> impl IntoView {
    let newest = changes.first().map(|change| change.generation);
    let ended_steps: Vec<bool> = (0..changes.len()).map(|place| ended_a_step(&changes[place..])).collect();
    let items = changes
        .into_iter()
        .zip(ended_steps)
        .map(|(change, ended_a_step)| {
            let state = match standing(&change) {
                "shadow" | "canary" => "running",
                state => state,
            };
            let title = change_in_words(&change);
            let meta = format!("generation {} · {}", change.generation, who(&change));
            let told = match change.by {
                None => Some("Why it was decided so"),
                // Of the newest it is known how it reached the servers.
                _ if newest == Some(change.generation) => Some("How it reached the servers"),
                _ if ended_a_step => Some("What was counted until then"),
                _ => None,
            };
            let more = told.map(|told| {
                let href = format!("/deployments/{slug}/changes/{}", change.generation);
                view! { " " <a href=href>{told}</a> }
            });
            view! {
                <li data-state=state>
                    <div class="timeline-head">
                        <span class="timeline-title">{title}</span>
                        <span class="timeline-meta">{meta} " · " <Moment at=change.at/></span>
                    </div>
                    <div class="timeline-body">{sentence(&change.reason)}{more}</div>
                </li>
            }
        })
        .collect_view();
    view! { <ol class="timeline">{items}</ol> }
}

/// Whether the first of these changes, newest first, ended a step of its rollout, in which something was counted.
fn ended_a_step(changes: &[DeploymentChange]) -> bool {
    let Some((change, older)) = changes.split_first() else { return false };
    let before = older.iter().find(|before| before.candidate.is_some());
    let stays = |before: &DeploymentChange| matches!(before.kind.as_str(), "shadow" | "canary" | "full");
    before.is_some_and(|before| before.candidate == change.candidate && stays(before))
}

/// Where a change left the version that it is about, as badges show it.
pub fn standing(change: &DeploymentChange) -> &'static str {
    match change.kind.as_str() {
        "rollback" => "rolled_back",
        "switched_off" => "stopped",
        "shadow" => "shadow",
        "canary" => "canary",
        _ => "live",
    }
}

/// Who made a change.
pub fn who(change: &DeploymentChange) -> String {
    change.by.as_ref().map_or_else(|| "decided by what was counted".to_owned(), |name| format!("by {name}"))
}

/// "Version 3 live in place of version 2", "Rolled back from version 3 to version 2".
pub fn change_in_words(change: &DeploymentChange) -> String {
    let name =
        |version: Option<i32>| version.map_or_else(|| "no version".to_owned(), |version| format!("version {version}"));
    match (change.kind.as_str(), change.champion, change.previous) {
        ("rollback", champion, previous) => {
            format!("Rolled back from {} to {}", name(previous), name(champion))
        }
        ("shadow", champion, _) => {
            state_words(&format!("{} in shadow beside {}", name(change.candidate), name(champion)))
        }
        ("canary", champion, _) => state_words(&format!(
            "{} answers {} % of units, {} the others",
            name(change.candidate),
            change.percent,
            name(champion)
        )),
        ("switched_off", ..) => "Model switched off".to_owned(),
        ("switched_on", champion, _) => state_words(&format!("{} answers again", name(champion))),
        ("drill", ..) => "Drill: a change that changed nothing was timed".to_owned(),
        ("settled", champion, _) => state_words(&format!("{} has arrived; the watch has ended", name(champion))),
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
            candidate: Some(3),
            percent: 5.0,
            by: Some("On-call".to_owned()),
            reason: "scores dropped".to_owned(),
            at: serde_json::from_str("\"2026-11-23T14:05:00Z\"").expect("a time"),
        }
    }

    #[test]
    fn a_change_names_both_versions() {
        assert_eq!(change_in_words(&change("rollback", Some(2), Some(3))), "Rolled back from version 3 to version 2");
        assert_eq!(change_in_words(&change("deploy", Some(3), Some(2))), "Version 3 live in place of version 2");
        assert_eq!(change_in_words(&change("deploy", Some(1), None)), "Version 1 live, the first");
        assert_eq!(change_in_words(&change("full", Some(3), Some(2))), "Version 3 live in place of version 2");
    }

    #[test]
    fn a_change_ended_a_step_if_its_rollout_had_begun_before() {
        let of_none = |kind| DeploymentChange { candidate: None, ..change(kind, Some(2), None) };
        let history = [
            change("rollback", Some(2), Some(3)),
            of_none("drill"),
            change("canary", Some(2), None),
            change("rollback", Some(2), Some(3)),
            change("shadow", Some(2), None),
            of_none("deploy"),
        ];
        let ended: Vec<bool> = (0..history.len()).map(|place| ended_a_step(&history[place..])).collect();
        assert_eq!(ended, [true, false, false, true, false, false]);
    }

    #[test]
    fn a_switch_says_who_answers() {
        assert_eq!(change_in_words(&change("switched_off", Some(2), None)), "Model switched off");
        assert_eq!(change_in_words(&change("switched_on", Some(2), None)), "Version 2 answers again");
    }

    #[test]
    fn a_step_of_a_rollout_names_the_candidate_and_who_answers_besides() {
        assert_eq!(change_in_words(&change("shadow", Some(2), None)), "Version 3 in shadow beside version 2");
        let canary = "Version 3 answers 5 % of units, version 2 the others";
        assert_eq!(change_in_words(&change("canary", Some(2), None)), canary);
        assert_eq!(change_in_words(&change("settled", Some(3), None)), "Version 3 has arrived; the watch has ended");
    }
}
