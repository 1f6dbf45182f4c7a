//! Who answers for an account is bound to it: nobody frees themselves of whoever made them.

use millrace_domain::policy::Role;
use millrace_test_support::Person;
use serde_json::{Value, json};

use crate::{Team, document, team, team_with};

async fn give_roles(team: &Team, by: &Person, whose: &Person, roles: &[&str]) -> Person {
    let account = whose.id.to_string();
    let mut fields = vec![("account", account.as_str())];
    fields.extend(roles.iter().map(|role| ("roles[]", *role)));
    assert_eq!(by.submit("/people", "/fn/set_roles", &fields).await.to, "/people");
    team.app.sign_in(whose.clone()).await.unwrap()
}

async fn submitted(by: &Person, slug: &str) -> Value {
    let saved = by.post("/api/v1/problems", document(slug)).await.done();
    by.post(&format!("/api/v1/problems/{slug}/versions/1/submit"), json!({})).await.done();
    saved["digest"].clone()
}

async fn approves(by: &Person, slug: &str, digest: &Value) -> (u16, String) {
    let body = json!({ "decision": "approve", "digest": digest, "comment": "", "waiver": "a test" });
    let answer = by.post(&format!("/api/v1/problems/{slug}/versions/1/decisions"), body).await;
    (answer.status, answer.code().to_owned())
}

#[tokio::test]
async fn an_account_that_an_author_made_does_not_free_itself_alone_or_in_a_ring() {
    let team = team().await;
    let author = team.app.person("both", &[Role::Admin, Role::MlEngineer]).await.unwrap();
    let both = ["admin", "stakeholder"];
    let bob = give_roles(&team, &author, &team.stakeholder, &both).await;
    let dan = give_roles(&team, &author, &team.on_call, &both).await;
    let digest = submitted(&author, "mine").await;
    let refused = (403, "made_by_author".to_owned());
    assert_eq!(approves(&bob, "mine", &digest).await, refused);
    let bob = give_roles(&team, &bob, &bob, &both).await;
    assert_eq!(approves(&bob, "mine", &digest).await, refused, "his own roles anew");
    let dan = give_roles(&team, &bob, &dan, &both).await;
    let bob = give_roles(&team, &dan, &bob, &both).await;
    assert_eq!(approves(&bob, "mine", &digest).await, refused, "two of a ring");
    assert_eq!(approves(&dan, "mine", &digest).await, refused);
    team.app.remove().await;
}

#[tokio::test]
async fn where_approvers_are_kept_apart_neither_the_maker_nor_another_of_theirs_approves() {
    let team = team_with(&[("MILLRACE_APPROVERS_APART", "true")]).await;
    let maker = team.app.person("maker", &[Role::Admin, Role::Stakeholder]).await.unwrap();
    let author = give_roles(&team, &maker, &team.engineer, &["ml_engineer"]).await;
    let sibling = give_roles(&team, &maker, &team.on_call, &["stakeholder"]).await;
    let digest = submitted(&author, "theirs").await;
    for bound in [&maker, &sibling] {
        assert_eq!(approves(bound, "theirs", &digest).await, (403, "made_by_author".to_owned()));
    }
    assert_eq!(approves(&team.stakeholder, "theirs", &digest).await.0, 201);
    team.app.remove().await;
}

#[tokio::test]
async fn whoever_starts_a_run_anew_does_not_approve_its_model() {
    let team = team().await;
    let both = team.app.person("both", &[Role::MlEngineer, Role::Stakeholder]).await.unwrap();
    let digest = team.registered("anew").await;
    let approve = async || {
        let body = json!({ "decision": "approve", "digest": digest, "comment": "", "waiver": "a test" });
        both.post("/api/v1/models/anew/versions/1/decisions", body).await
    };
    team.app.sql(&format!("update run set retried_by = '[{}]'", both.id)).await;
    assert_eq!(approve().await.code(), "own_work");
    // Nor past the program.
    team.app
        .sql(&format!(
            "insert into decision (subject_kind, subject_id, digest, account_id, decision, comment, decided_at)
             select 'model', id, digest, {}, 'approve', '', now() from model_version",
            both.id
        ))
        .await;
    let forced = team.app.try_sql("update model_version set stage = 'approved'").await;
    assert!(forced.unwrap_err().contains("by as many others as its problem asks for"));
    team.app.sql("update run set retried_by = '[]', state = 'cancelled'").await;
    both.submit("/runs/1", "/fn/retry_run", &[("id", "1")]).await;
    let retried = format!("select count(*) from run where retried_by @> '[{}]'", both.id);
    assert_eq!(team.app.count(&retried).await, 1, "who starts it anew is written down");
    team.app.remove().await;
}
