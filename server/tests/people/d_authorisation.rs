//! D: who may do what.

use millrace_domain::policy::{Action, Grant, ROUTES, Role, Scope};
use serde_json::json;

use crate::{document, rows, team};

// D1, the matrix of principals and routes, and D2, that no route is missing from it, are in matrix.rs.

/// Somebody whose roles are on the problem `mine` alone, beside a problem `theirs` with data, a run and a model.
async fn neighbours() -> (crate::Team, millrace_test_support::Person) {
    let team = team().await;
    team.registered("theirs").await;
    team.app.sign_off(&team.engineer, &team.stakeholder, &document("mine")).await;
    let grants =
        [Grant::on(Role::MlEngineer, "mine"), Grant::on(Role::Stakeholder, "mine"), Grant::on(Role::OnCall, "mine")];
    let neighbour = team.app.person_with("neighbour", &grants).await.unwrap();
    (team, neighbour)
}

#[tokio::test]
async fn d3_ids_of_another_problem_are_answered_as_ones_that_do_not_exist() {
    let (team, neighbour) = neighbours().await;
    let pairs = [
        ("/api/v1/problems/theirs", "/api/v1/problems/nothing"),
        ("/api/v1/problems/theirs/versions/1", "/api/v1/problems/nothing/versions/1"),
        ("/api/v1/datasets/1/versions/1", "/api/v1/datasets/77/versions/1"),
        ("/api/v1/datasets/1/versions/1/report", "/api/v1/datasets/77/versions/1/report"),
        ("/api/v1/runs/1", "/api/v1/runs/77"),
        ("/api/v1/runs/1/metrics/test.roc_auc", "/api/v1/runs/77/metrics/test.roc_auc"),
        ("/api/v1/runs/1/artifacts", "/api/v1/runs/77/artifacts"),
        ("/api/v1/models/theirs", "/api/v1/models/nothing"),
        ("/api/v1/models/theirs/versions/1", "/api/v1/models/nothing/versions/1"),
        ("/api/v1/deployments/theirs", "/api/v1/deployments/nothing"),
        ("/api/v1/events?subject=run:1", "/api/v1/events?subject=run:77"),
        ("/api/v1/events?subject=dataset:1/1", "/api/v1/events?subject=dataset:77/1"),
    ];
    for (theirs, nothing) in pairs {
        let (foreign, missing) = (neighbour.get(theirs).await, neighbour.get(nothing).await);
        assert_eq!(foreign.status, 404, "{theirs}");
        assert_eq!(foreign, missing, "{theirs}");
        let seen = team.engineer.request(reqwest::Method::GET, theirs).send().await.unwrap().status().as_u16();
        assert!(seen == 200 || theirs.contains("deployments"), "{theirs} {seen}");
    }
    let acts = [
        ("/api/v1/problems/theirs/versions", document("theirs")),
        ("/api/v1/problems/theirs/versions/1/submit", json!({})),
        ("/api/v1/problems/theirs/versions/1/decisions", json!({ "decision": "approve", "digest": "0".repeat(64) })),
        ("/api/v1/problems/theirs/runs", json!({})),
        ("/api/v1/runs/1/cancel", json!({})),
        ("/api/v1/models/theirs/versions/1/decisions", json!({ "decision": "approve", "digest": "0".repeat(64) })),
        ("/api/v1/deployments/theirs/rollouts", json!({ "version": 1, "reason": "x" })),
        ("/api/v1/deployments/theirs/rollback", json!({ "reason": "x" })),
    ];
    for (path, body) in acts {
        let (foreign, missing) = (
            neighbour.post(path, body.clone()).await,
            neighbour.post(&path.replace("theirs", "nothing").replace("runs/1", "runs/77"), body).await,
        );
        assert_eq!((foreign.status, foreign.code()), (404, "not_found"), "{path} {}", foreign.body);
        assert_eq!(foreign, missing, "{path}");
    }
    assert_eq!(neighbour.upload("theirs", "data", "rows.csv", rows(10)).await.status, 404);
    team.app.remove().await;
}

#[tokio::test]
async fn d4_what_belongs_to_one_problem_is_not_reached_through_another() {
    let (team, neighbour) = neighbours().await;
    // The dataset of `theirs` for a run of `mine`.
    let refused = neighbour.post("/api/v1/problems/mine/runs", json!({ "dataset": "1" })).await;
    assert_eq!((refused.status, refused.code()), (409, "no_valid_dataset"));
    // A model of `theirs` as a rollout of `mine`.
    let refused = neighbour.post("/api/v1/deployments/mine/rollouts", json!({ "version": 1, "reason": "x" })).await;
    assert_eq!((refused.status, refused.code()), (409, "not_registered"));
    // A document that names another slug than its address.
    let refused = neighbour.post("/api/v1/problems/mine/versions", document("theirs")).await;
    assert_eq!(refused.status, 400);
    // The other problem's predictions, with a token of one's own.
    let token = team.app.token(&neighbour, &[Scope::Predict]).await.unwrap();
    let (foreign, missing) = (
        token.post("/v1/models/theirs:predict", json!({ "instances": [{}] })).await,
        token.post("/v1/models/nothing:predict", json!({ "instances": [{}] })).await,
    );
    assert_eq!((foreign.status, foreign.code(), missing.status), (404, "no_live_model", 404));
    team.app.remove().await;
}

#[tokio::test]
async fn d5_lists_pages_and_exports_show_only_what_may_be_seen() {
    let (team, neighbour) = neighbours().await;
    for path in [
        "/api/v1/problems",
        "/api/v1/runs",
        "/",
        "/problems",
        "/datasets",
        "/runs",
        "/runs/new",
        "/models",
        "/deployments",
        "/datasets/new",
    ] {
        let (status, text) = neighbour.page(path).await;
        assert_eq!(status, 200, "{path}");
        assert!(!text.contains("theirs"), "{path} shows it");
        let (_, text) = team.engineer.page(path).await;
        assert!(text.contains("theirs") || path == "/deployments", "{path} shows it to nobody");
    }
    for path in ["/api/v1/audit", "/api/v1/audit/export.csv", "/audit", "/mail", "/metrics", "/deadman"] {
        assert_eq!(neighbour.page(path).await.0, 403, "{path}");
    }
    assert_eq!(neighbour.get("/api/v1/events").await.status, 400, "all events are not for who sees one problem");
    team.app.remove().await;
}

#[tokio::test]
async fn d6_fields_that_nobody_asked_for_are_refused_or_ignored() {
    let team = team().await;
    for field in ["state", "author", "owner", "approved_by", "digest", "id"] {
        let mut sent = document("stuffed");
        sent[field] = json!("approved");
        let refused = team.engineer.post("/api/v1/problems", sent).await;
        assert_eq!(refused.status, 400, "{field}");
    }
    let digest = team.in_review(&document("stuffed")).await;
    let body = json!({ "decision": "approve", "digest": digest, "by": 1, "role": "admin" });
    assert_eq!(team.stakeholder.post("/api/v1/problems/stuffed/versions/1/decisions", body).await.status, 400);
    let body = json!({ "email": team.engineer.email, "password": team.engineer.password, "role": "admin" });
    assert_eq!(team.app.anybody().post("/api/v1/session", body).await.status, 400);
    team.engineer
        .submit(
            "/account",
            "/fn/change_identity",
            &[("email", "engineer@example.org"), ("name", "E"), ("roles[]", "admin")],
        )
        .await;
    assert_eq!(team.app.count("select count(*) from account_role where role = 'admin'").await, 1);
    team.app.remove().await;
}

#[tokio::test]
async fn d7_what_was_signed_cannot_be_changed_by_anybody() {
    let team = team().await;
    team.app.sign_off(&team.engineer, &team.stakeholder, &document("frozen")).await;
    let hands = [
        "update problem_version set document = jsonb_set(document, '{title}', '\"other\"')",
        "update problem_version set digest = decode(repeat('00', 32), 'hex')",
        "update problem_version set author_id = (select max(id) from account)",
        "update decision set comment = 'never said'",
        "delete from decision",
    ];
    for hand in hands {
        assert!(team.app.try_sql(hand).await.is_err(), "{hand}");
    }
    let again = team.engineer.post("/api/v1/problems/frozen/versions/1/submit", json!({})).await;
    assert_eq!((again.status, again.code()), (409, "not_a_draft"));
    team.app.remove().await;
}

#[tokio::test]
async fn d8_the_author_never_approves_with_any_role_name_or_token_nor_who_wrote_before_them() {
    let team = team().await;
    let author = team.app.person("author", &Role::ALL).await.unwrap();
    author.post("/api/v1/problems", document("own")).await.done();
    let version = |number: u32| format!("/api/v1/problems/own/versions/{number}");
    let submitted = |number: u32| {
        let (author, path) = (author.clone(), version(number));
        async move {
            author.post(&format!("{path}/submit"), json!({})).await.done();
            author.get(&path).await.done()["digest"].as_str().unwrap().to_owned()
        }
    };
    let digest = submitted(1).await;
    let refused = |person: millrace_test_support::Person, path: String, digest: String| async move {
        person.decide(&path, "approve", &digest).await
    };
    assert_eq!(refused(author.clone(), version(1), digest.clone()).await.code(), "own_work");
    author
        .submit("/account", "/fn/change_identity", &[("email", "somebody.else@example.org"), ("name", "Somebody Else")])
        .await;
    assert_eq!(refused(author.clone(), version(1), digest.clone()).await.code(), "own_work");
    let mut renamed = author.clone();
    renamed.email = "somebody.else@example.org".to_owned();
    let token = team.app.token(&renamed, &Scope::ALL).await.unwrap();
    assert_eq!(refused(token, version(1), digest).await.status, 403);
    // Somebody else writes last: who wrote before them is an author of the text all the same.
    let mut revised = document("own");
    revised["title"] = json!("Is it really big");
    let other = team.app.person("other", &[Role::MlEngineer]).await.unwrap();
    other.post("/api/v1/problems/own/versions", revised).await.done();
    let digest = submitted(2).await;
    assert_eq!(refused(author.clone(), version(2), digest.clone()).await.code(), "own_work");
    assert_eq!(refused(other, version(2), digest.clone()).await.code(), "own_work");
    assert_eq!(refused(team.stakeholder.clone(), version(2), digest).await.status, 201);
    team.app.remove().await;
}

#[tokio::test]
async fn d9_who_launched_the_run_never_approves_its_model() {
    let team = team().await;
    let digest = team.registered("shelf").await;
    let refused = team.engineer.decide("/api/v1/models/shelf/versions/1", "approve", &digest).await;
    assert_eq!((refused.status, refused.code()), (403, "own_work"));
    assert_eq!(team.stakeholder.decide("/api/v1/models/shelf/versions/1", "approve", &digest).await.status, 201);
    team.app.remove().await;
}

#[tokio::test]
async fn d10_an_approval_is_of_one_digest_and_goes_with_it() {
    let team = team().await;
    let mut asked = document("digest");
    asked["approvals"] = json!({ "specification": 2 });
    let digest = team.in_review(&asked).await;
    team.stakeholder.decide("/api/v1/problems/digest/versions/1", "approve", &digest).await.done();
    asked["title"] = json!("Is it very big");
    let revised = team.engineer.post("/api/v1/problems/digest/versions", asked).await.done();
    team.engineer.post("/api/v1/problems/digest/versions/2/submit", json!({})).await.done();
    let view = team.stakeholder.get("/api/v1/problems/digest/versions/2").await.done();
    assert_eq!((&view["review"]["given"], &view["review"]["dropped"][0]["by"]), (&json!(0), &json!("stakeholder")));
    let stale = team.stakeholder.decide("/api/v1/problems/digest/versions/2", "approve", &digest).await;
    assert_eq!(stale.code(), "stale_digest");
    let letter = team.app.letter("stakeholder@example.org", "approval_dropped").await;
    assert!(letter.text.contains("version 2"), "{}", letter.text);
    let digest = revised["digest"].as_str().unwrap();
    team.stakeholder.decide("/api/v1/problems/digest/versions/2", "approve", digest).await.done();
    team.app.remove().await;
}

#[tokio::test]
async fn d11_no_stage_is_skipped_by_calling_directly() {
    let team = team().await;
    let saved = team.engineer.post("/api/v1/problems", document("staged")).await.done();
    let digest = saved["digest"].as_str().unwrap();
    let early = team.stakeholder.decide("/api/v1/problems/staged/versions/1", "approve", digest).await;
    assert_eq!((early.status, early.code()), (409, "not_in_review"));
    assert_eq!(team.engineer.post("/api/v1/problems/staged/runs", json!({})).await.code(), "problem_not_signed_off");
    let early = team.engineer.post("/api/v1/deployments/staged/rollouts", json!({ "version": 1, "reason": "x" })).await;
    assert_eq!((early.status, early.code()), (409, "not_registered"));
    team.registered("built").await;
    let early = team.engineer.post("/api/v1/deployments/built/rollouts", json!({ "version": 1, "reason": "x" })).await;
    assert_eq!((early.status, early.code()), (409, "not_approved"));
    assert!(team.app.try_sql("update model_version set stage = 'live'").await.is_err());
    assert!(team.app.try_sql("update problem_version set state = 'approved' where state = 'draft'").await.is_err());
    team.app.remove().await;
}

#[tokio::test]
async fn d12_on_call_rolls_back_and_promotes_nothing() {
    let team = team().await;
    let digest = team.registered("called").await;
    team.stakeholder.decide("/api/v1/models/called/versions/1", "approve", &digest).await.done();
    let rollout = json!({ "version": 1, "reason": "x" });
    assert_eq!(team.on_call.post("/api/v1/deployments/called/rollouts", rollout.clone()).await.status, 403);
    assert_eq!(team.on_call.decide("/api/v1/models/called/versions/1", "approve", &digest).await.status, 403);
    team.engineer.post("/api/v1/deployments/called/rollouts", rollout).await.done();
    assert_eq!(
        team.on_call.post("/api/v1/deployments/called/rollback", json!({ "reason": "night" })).await.status,
        200
    );
    team.app.remove().await;
}

#[tokio::test]
async fn d13_the_last_admin_stays_one_and_an_admin_approves_nothing_of_their_own() {
    let team = team().await;
    let id = team.admin.id.to_string();
    for (act, fields) in [
        ("/fn/set_roles", vec![("account", id.as_str()), ("roles[]", "stakeholder")]),
        ("/fn/act_on_person", vec![("account", id.as_str()), ("act", "disable")]),
    ] {
        let refused = team.admin.submit("/people", act, &fields).await;
        assert!(refused.to.contains("kept="), "{act}");
    }
    assert_eq!(team.app.count("select count(*) from account_role r join account a on a.id = r.account_id where r.role = 'admin' and a.disabled_at is null").await, 1);
    // Two admins who remove each other at the same moment leave one.
    let second = team.app.person("second", &[Role::Admin]).await.unwrap();
    let (first_id, second_id) = (team.admin.id.to_string(), second.id.to_string());
    let (one, two) =
        ([("account", second_id.as_str()), ("act", "disable")], [("account", first_id.as_str()), ("act", "disable")]);
    tokio::join!(
        team.admin.submit("/people", "/fn/act_on_person", &one),
        second.submit("/people", "/fn/act_on_person", &two)
    );
    assert_eq!(team.app.count("select count(*) from account_role r join account a on a.id = r.account_id where r.role = 'admin' and a.disabled_at is null").await, 1);
    assert!(Action::ReviewProblem.roles().iter().all(|role| *role != Role::Admin));
    team.app.remove().await;
}

#[tokio::test]
async fn d14_a_role_taken_away_never_wins_after_its_removal_two_hundred_times() {
    let team = team().await;
    let mut decided_after = 0;
    for round in 0..200 {
        let slug = format!("race-{round}");
        let digest = team.in_review(&document(&slug)).await;
        let path = format!("/api/v1/problems/{slug}/versions/1");
        let id = team.stakeholder.id;
        let services = team.app.services.clone();
        let remove = async {
            let admin = services.recognise_host("admin@example.org").await.unwrap();
            services.set_grants(&admin, id, &[]).await.unwrap();
        };
        let (decision, ()) = tokio::join!(team.stakeholder.decide(&path, "approve", &digest), remove);
        let late = format!(
            "select count(*) from audit d join audit r on r.sequence < d.sequence
             where d.action = 'problem.approve' and d.object = 'problem/{slug}/v/1' and r.action = 'account.roles'
               and r.details ->> 'email' = 'stakeholder@example.org'
               and r.sequence > coalesce((select max(sequence) from audit where action = 'account.restored'), 0)
               and r.at > (select max(at) from audit where action = 'problem.submit' and object = 'problem/{slug}/v/1')"
        );
        decided_after += team.app.count(&late).await;
        assert!(matches!(decision.status, 201 | 401 | 403), "round {round}: {} {}", decision.status, decision.body);
        // The role again, and the session with it, past the server.
        team.app
            .sql(&format!(
                "insert into account_role (account_id, role) values ({id}, 'stakeholder') on conflict do nothing"
            ))
            .await;
        team.app.sql(&format!("update login_session set revoked_at = null where account_id = {id}")).await;
    }
    assert_eq!(decided_after, 0);
    team.app.remove().await;
}

#[tokio::test]
async fn a_role_on_one_problem_is_enough_there() {
    let team = team().await;
    let digest = team.in_review(&document("local")).await;
    let local = team.app.person_with("local", &[Grant::on(Role::Stakeholder, "local")]).await.unwrap();
    assert_eq!(local.decide("/api/v1/problems/local/versions/1", "approve", &digest).await.status, 201);
    let new = team.app.person_with("builder", &[Grant::on(Role::MlEngineer, "local")]).await.unwrap();
    assert_eq!(new.post("/api/v1/problems", document("brand-new")).await.status, 403);
    assert_eq!(new.post("/api/v1/problems/local/versions", document("local")).await.status, 201);
    team.app.remove().await;
}

#[test]
fn every_route_asks_for_something_the_table_knows() {
    assert!(ROUTES.len() > 80);
}
