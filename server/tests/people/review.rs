//! The review: roles that must be among the approvals, sign-offs that run out, what the data can show, what reviewers saw.

use millrace_domain::policy::Role;
use serde_json::json;

use crate::{document, rows, team};

#[tokio::test]
async fn a_required_role_completes_a_review_and_its_state_is_shown() {
    let team = team().await;
    let colleague = team.app.person("colleague", &[Role::MlEngineer]).await.unwrap();
    let mut asked = document("quorum");
    asked["approvals"] = json!({ "specification": 2, "specification_roles": ["stakeholder"] });
    let digest = team.in_review(&asked).await;
    let path = "/api/v1/problems/quorum/versions/1";
    let third = team.app.person("third", &[Role::MlEngineer]).await.unwrap();
    colleague.decide(path, "approve", &digest).await.done();
    third.decide(path, "approve", &digest).await.done();
    let view = team.stakeholder.get(path).await.done();
    let review = &view["review"];
    assert_eq!(
        (&view["state"], &review["given"], &review["complete"]),
        (&json!("in_review"), &json!(2), &json!(false))
    );
    assert_eq!(review["roles"], json!([{ "role": "stakeholder", "given_by": null }]));
    assert_eq!(review["waiting_for"], json!(["stakeholder"]));
    let (_, page) = team.engineer.page("/problems/quorum/v/1?tab=review").await;
    assert!(page.contains("An approval by a stakeholder") && page.contains("not given yet"), "{page}");
    let done = team.stakeholder.decide(path, "approve", &digest).await.done();
    assert_eq!(done["state"], "approved");
    team.app.remove().await;
}

#[tokio::test]
async fn an_approval_stops_counting_when_its_giver_may_no_longer_review() {
    let team = team().await;
    let second = team.app.person("second", &[Role::Stakeholder]).await.unwrap();
    let mut asked = document("left");
    asked["approvals"] = json!({ "specification": 2 });
    let digest = team.in_review(&asked).await;
    let path = "/api/v1/problems/left/versions/1";
    second.decide(path, "approve", &digest).await.done();
    let id = second.id.to_string();
    team.admin.submit("/people", "/fn/act_on_person", &[("account", &id), ("act", "disable")]).await;
    let state = team.stakeholder.decide(path, "approve", &digest).await.done()["state"].clone();
    assert_eq!(state, "in_review");
    let view = team.stakeholder.get(path).await.done();
    assert_eq!((&view["review"]["given"], &view["review"]["decisions"][0]["stands"]), (&json!(1), &json!(false)));
    team.app.remove().await;
}

#[tokio::test]
async fn a_sign_off_runs_out_stops_runs_and_is_given_again() {
    let team = team().await;
    let mut asked = document("timed");
    asked["approvals"] = json!({ "valid_for": "30d" });
    // Far enough from guessing to be told from it by sixty rows.
    asked["success"]["at_least"] = json!(0.9);
    let digest = team.in_review(&asked).await;
    let path = "/api/v1/problems/timed/versions/1";
    team.stakeholder.decide(path, "approve", &digest).await.done();
    let until = "select count(*) from problem_version where sign_off_ends_at between now() + interval '29 days' and now() + interval '31 days'";
    assert_eq!(team.app.count(until).await, 1);
    team.app.load(&team.engineer, "timed", "rows.csv", rows(300)).await;
    // Thirty days later.
    team.app.sql("alter table decision disable trigger all").await;
    team.app.sql("alter table problem_version disable trigger all").await;
    team.app.sql("update decision set decided_at = decided_at - interval '31 days'").await;
    team.app.sql("update problem_version set sign_off_ends_at = sign_off_ends_at - interval '31 days'").await;
    team.app.sql("alter table decision enable trigger all").await;
    team.app.sql("alter table problem_version enable trigger all").await;
    let refused = team.engineer.post("/api/v1/problems/timed/runs", json!({ "trainer": "logistic" })).await;
    assert_eq!((refused.status, refused.code()), (409, "sign_off_ran_out"));
    let past_the_door = "insert into run (problem_version_id, dataset_version_id, author_id, state, request, seed, provenance, created_at)
        select 1, 1, 1, 'queued', '{}', 0, '{}', now()";
    assert!(team.app.try_sql(past_the_door).await.is_err(), "the schema refuses it as well");
    let (_, home) = team.stakeholder.page("/").await;
    assert!(home.contains("Sign off timed"), "it waits for a signature again");
    assert_eq!(team.stakeholder.decide(path, "approve", &digest).await.status, 201);
    assert_eq!(team.engineer.post("/api/v1/problems/timed/runs", json!({ "trainer": "logistic" })).await.status, 202);
    team.app.remove().await;
}

#[tokio::test]
async fn signing_what_the_rows_cannot_show_takes_a_waiver_that_is_kept() {
    let team = team().await;
    let mut asked = document("power");
    asked["success"] = json!({ "metric": "roc_auc", "at_least": 0.7, "smallest_difference": 0.01 });
    asked["data"]["expected_rows"] = json!(1_000);
    let digest = team.in_review(&asked).await;
    let path = "/api/v1/problems/power/versions/1";
    let view = team.stakeholder.get(path).await.done();
    assert!(view["power"].as_str().unwrap().contains("200 held-out rows"), "{}", view["power"]);
    let refused = team.stakeholder.decide(path, "approve", &digest).await;
    assert_eq!((refused.status, refused.code()), (400, "waiver_needed"));
    assert!(refused.detail().contains("0.01"), "{}", refused.detail());
    let (_, page) = team.stakeholder.page("/problems/power/v/1?tab=review").await;
    assert!(page.contains("The data cannot show what this asks for") && page.contains("name=\"waiver\""), "{page}");
    let body = json!({ "decision": "approve", "digest": digest, "waiver": "a pilot; more rows come in spring" });
    team.stakeholder.post(&format!("{path}/decisions"), body).await.done();
    let view = team.engineer.get(path).await.done();
    assert_eq!(view["review"]["decisions"][0]["waiver"], "a pilot; more rows come in spring");
    team.app.remove().await;
}

#[tokio::test]
async fn a_decision_keeps_what_the_page_showed() {
    let team = team().await;
    app_with_two_versions(&team).await;
    let view = team.engineer.get("/api/v1/problems/shown/versions/2").await.done();
    let shown = &view["review"]["decisions"][0]["shown"];
    assert_eq!((&shown["changes_since"], &shown["changes"][0]["pointer"]), (&json!(1), &json!("/title")));
    assert!(shown["summary"].as_array().is_some_and(|lines| lines.len() > 5), "{shown}");
    assert!(shown["power"].as_str().is_some(), "{shown}");
    let (_, page) = team.engineer.page("/problems/shown/v/2?tab=review").await;
    assert!(page.contains("What they were shown") && page.contains("title from Is it big to Is it very big"), "{page}");
    team.app.remove().await;
}

async fn app_with_two_versions(team: &crate::Team) {
    team.app.sign_off(&team.engineer, &team.stakeholder, &document("shown")).await;
    let mut revised = document("shown");
    revised["title"] = json!("Is it very big");
    let saved = team.engineer.post("/api/v1/problems/shown/versions", revised).await.done();
    team.engineer.post("/api/v1/problems/shown/versions/2/submit", json!({})).await.done();
    let digest = saved["digest"].as_str().unwrap();
    team.stakeholder.decide("/api/v1/problems/shown/versions/2", "approve", digest).await.done();
}

#[tokio::test]
async fn the_author_may_comment_and_the_comment_needs_words() {
    let team = team().await;
    let digest = team.in_review(&document("talk")).await;
    let path = "/api/v1/problems/talk/versions/1";
    let say = |comment: &'static str| {
        let (person, digest) = (team.engineer.clone(), digest.clone());
        async move {
            person
                .post(
                    &format!("{path}/decisions"),
                    json!({ "decision": "comment", "digest": digest, "comment": comment }),
                )
                .await
        }
    };
    assert_eq!(say("the limit is from last year's pilot").await.status, 201);
    assert_eq!(say("  ").await.status, 400);
    let (_, page) = team.engineer.page("/problems/talk/v/1?tab=review").await;
    assert!(
        page.contains("from last year") && page.contains("Who wrote or launched it may comment but not decide"),
        "{page}"
    );
    team.app.remove().await;
}

#[tokio::test]
async fn after_changes_were_requested_earlier_approvals_do_not_count() {
    let team = team().await;
    let second = team.app.person("second", &[Role::Stakeholder]).await.unwrap();
    let mut asked = document("again");
    asked["approvals"] = json!({ "specification": 2 });
    let digest = team.in_review(&asked).await;
    let path = "/api/v1/problems/again/versions/1";
    team.stakeholder.decide(path, "approve", &digest).await.done();
    second.decide(path, "request_changes", &digest).await.done();
    team.engineer.post(&format!("{path}/submit"), json!({})).await.done();
    let state = second.decide(path, "approve", &digest).await.done()["state"].clone();
    assert_eq!(state, "in_review");
    let state = team.stakeholder.decide(path, "approve", &digest).await.done()["state"].clone();
    assert_eq!(state, "approved", "who approved before may approve again");
    team.app.remove().await;
}
