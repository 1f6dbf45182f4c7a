//! R14: approvers race. Two hundred rounds of each kind, one decision each; the loser is told who was first.

use millrace_domain::policy::Role;
use serde_json::json;

use crate::{Team, document, team};

const ROUNDS: u32 = 200;

async fn second_approver(team: &Team) -> millrace_test_support::Person {
    team.app.person("second", &[Role::Stakeholder]).await.unwrap()
}

async fn approvals(team: &Team, slug: &str) -> i64 {
    team.app
        .count(&format!(
        "select count(*) from decision d join problem_version v on v.id = d.subject_id and d.subject_kind = 'problem'
         join problem p on p.id = v.problem_id where p.slug = '{slug}' and d.decision <> 'comment'"
    ))
        .await
}

#[tokio::test]
async fn r14_two_approvals_at_once_are_one_decision_and_the_loser_reads_who_was_first() {
    let team = team().await;
    let second = second_approver(&team).await;
    for round in 0..ROUNDS {
        let slug = format!("both-{round}");
        let digest = team.in_review(&document(&slug)).await;
        let path = format!("/api/v1/problems/{slug}/versions/1");
        let (one, two) =
            tokio::join!(team.stakeholder.decide(&path, "approve", &digest), second.decide(&path, "approve", &digest));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "round {round}: {} {}", one.body, two.body);
        let loser = if one.status == 409 { &one } else { &two };
        let winner = if one.status == 409 { "second" } else { "stakeholder" };
        assert!(loser.detail().contains(winner) && loser.detail().contains("UTC"), "{}", loser.detail());
        assert_eq!(approvals(&team, &slug).await, 1, "round {round}");
    }
    team.app.remove().await;
}

#[tokio::test]
async fn r14_approving_against_requesting_changes_is_one_decision() {
    let team = team().await;
    let second = second_approver(&team).await;
    for round in 0..ROUNDS {
        let slug = format!("against-{round}");
        let digest = team.in_review(&document(&slug)).await;
        let path = format!("/api/v1/problems/{slug}/versions/1");
        let (yes, no) = tokio::join!(
            team.stakeholder.decide(&path, "approve", &digest),
            second.decide(&path, "request_changes", &digest)
        );
        let mut statuses = [yes.status, no.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "round {round}: {} {}", yes.body, no.body);
        let state = team.stakeholder.get(&path).await.done()["state"].clone();
        assert_eq!(state, if yes.status == 201 { json!("approved") } else { json!("draft") }, "round {round}");
    }
    team.app.remove().await;
}

#[tokio::test]
async fn r14_approving_against_a_new_version_never_signs_the_new_text() {
    let team = team().await;
    for round in 0..ROUNDS {
        let slug = format!("moving-{round}");
        let digest = team.in_review(&document(&slug)).await;
        let path = format!("/api/v1/problems/{slug}/versions/1");
        let mut revised = document(&slug);
        revised["title"] = json!("Is it something else");
        let versions = format!("/api/v1/problems/{slug}/versions");
        let (approved, written) =
            tokio::join!(team.stakeholder.decide(&path, "approve", &digest), team.engineer.post(&versions, revised));
        assert_eq!(written.status, 201, "round {round}: {}", written.body);
        assert!(matches!(approved.status, 201 | 409), "round {round}: {}", approved.body);
        let newest = team.stakeholder.get(&format!("/api/v1/problems/{slug}/versions/2")).await.done();
        assert_eq!((&newest["state"], &newest["review"]["given"]), (&json!("draft"), &json!(0)), "round {round}");
        let first = team.stakeholder.get(&path).await.done()["state"].clone();
        assert_eq!(
            first,
            if approved.status == 201 { json!("approved") } else { json!("superseded") },
            "round {round}"
        );
    }
    team.app.remove().await;
}

#[tokio::test]
async fn r14_a_double_click_is_one_decision() {
    let team = team().await;
    let mut asked = document("x");
    asked["approvals"] = json!({ "specification": 2 });
    for round in 0..ROUNDS {
        let slug = format!("double-{round}");
        asked["slug"] = json!(slug);
        let digest = team.in_review(&asked).await;
        let path = format!("/api/v1/problems/{slug}/versions/1");
        let click = || team.stakeholder.decide(&path, "approve", &digest);
        let (one, two) = tokio::join!(click(), click());
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "round {round}: {} {}", one.body, two.body);
        assert_eq!(approvals(&team, &slug).await, 1, "round {round}");
        let state = team.stakeholder.get(&path).await.done()["state"].clone();
        assert_eq!(state, "in_review", "two clicks of one person are not two approvals");
    }
    team.app.remove().await;
}
