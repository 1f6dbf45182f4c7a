//! Data that is not trained on, and checks that are muted for a while.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

use millrace_domain::policy::{Role, Scope};
use millrace_test_support::{Answer, Person, TestApp};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_millrace");

fn document(more: &Value) -> Value {
    let mut document = json!({
        "slug": "clicks", "title": "Is it big", "decision": "which shelf",
        "target": { "name": "big", "kind": "binary", "column": "big" },
        "data": { "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } },
        "features": [{ "name": "x", "nullable": true }],
        "success": { "metric": "roc_auc", "at_least": 0.6 }
    });
    for (key, value) in more.as_object().unwrap() {
        document[key] = value.clone();
    }
    document
}

async fn signed_off(more: &Value) -> (TestApp, Person, Person) {
    let app = TestApp::start(BINARY).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    app.sign_off(&engineer, &stakeholder, &document(more)).await;
    (app, engineer, stakeholder)
}

/// Rows in which large `x` are mostly big, `x` moved by so much; without labels if so asked.
fn rows(shift: i64, labelled: bool) -> Vec<u8> {
    let each = (0..400i64).map(|row| {
        let x = (row * 37) % 101;
        let label = if labelled { format!(",{}", u8::from(x + (row * 13) % 29 > 60)) } else { String::new() };
        format!("{}{label}\n", x + shift)
    });
    format!("x{}\n{}", if labelled { ",big" } else { "" }, each.collect::<String>()).into_bytes()
}

async fn load(app: &TestApp, engineer: &Person, name: &str, content: Vec<u8>) -> Value {
    app.load_named(engineer, "clicks", name, "rows.csv", content).await
}

fn finding<'r>(version: &'r Value, check: &str, column: &str) -> &'r Value {
    let findings = version["report"]["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["check"] == check && finding["column"] == column);
    found.unwrap_or_else(|| panic!("no {check} of {column}: {}", version["report"]))
}

#[track_caller]
fn refused(answer: Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", answer.body);
    answer.code().to_owned()
}

#[tokio::test]
async fn requests_are_checked_without_a_label_against_what_was_trained_on_and_never_trained_on() {
    let environments = json!({ "environments": [{ "name": "requests", "compared_to": "trips" }] });
    let (app, engineer, _) = signed_off(&environments).await;
    let first = load(&app, &engineer, "requests", rows(0, false)).await;
    assert_eq!(first["summary"]["state"], "valid", "{first}");
    assert_eq!(first["summary"]["role"], "environment");
    assert_eq!(refused(engineer.post("/api/v1/problems/clicks/runs", json!({})).await, 409), "no_valid_dataset");
    let trips = load(&app, &engineer, "trips", rows(0, true)).await;
    assert_eq!((&trips["summary"]["state"], &trips["summary"]["role"]), (&json!("valid"), &json!("examples")));
    let moved = load(&app, &engineer, "requests", rows(50, false)).await;
    let drift = &moved["report"]["drift"];
    assert_eq!((&drift["reference_dataset"], &drift["reference_version"]), (&json!("trips"), &json!(1)));
    assert_eq!(finding(&moved, "drift", "x")["outcome"], "failed");
    let asked = json!({ "dataset": moved["summary"]["dataset"] });
    assert_eq!(refused(engineer.post("/api/v1/problems/clicks/runs", asked).await, 409), "no_valid_dataset");
    assert_eq!(moved["may_launch"]["allowed"], false);
    let page = format!("/datasets/{}/v/2", moved["summary"]["dataset"].as_str().unwrap());
    let (_, page) = engineer.page(&page).await;
    assert!(page.contains("Drift since version 1 of trips") && page.contains("Environment"), "{page}");
    app.remove().await;
}

#[tokio::test]
async fn the_schema_lets_no_run_train_on_rows_that_were_checked_as_something_else() {
    let environments = json!({ "environments": [{ "name": "requests" }] });
    let (app, engineer, _) = signed_off(&environments).await;
    load(&app, &engineer, "requests", rows(0, true)).await;
    let forced = "insert into run (problem_version_id, dataset_version_id, author_id, state, request, seed, provenance, created_at)
        select v.problem_version_id, v.id, v.author_id, 'queued', '{}', 0, '{}', now() from dataset_version v";
    let refused = app.try_sql(forced).await.unwrap_err();
    assert!(refused.contains("a run trains on examples"), "{refused}");
    load(&app, &engineer, "trips", rows(0, true)).await;
    engineer.post("/api/v1/problems/clicks/runs", json!({})).await.done();
    let moved = "update run set dataset_version_id = (select id from dataset_version where role = 'environment')";
    let refused = app.try_sql(moved).await.unwrap_err();
    assert!(refused.contains("a run trains on examples"), "{refused}");
    let renamed = app.try_sql("update dataset_version set role = 'examples'").await.unwrap_err();
    assert!(renamed.contains("immutable"), "{renamed}");
    app.remove().await;
}

#[tokio::test]
async fn what_a_later_document_calls_an_environment_is_no_longer_trained_on_nor_added_to() {
    let (app, engineer, stakeholder) = signed_off(&json!({})).await;
    let first = load(&app, &engineer, "requests", rows(0, true)).await;
    assert_eq!((&first["summary"]["role"], &first["may_launch"]["allowed"]), (&json!("examples"), &json!(true)));
    let revised = document(&json!({ "environments": [{ "name": "requests" }] }));
    let version = engineer.post("/api/v1/problems/clicks/versions", revised).await.done();
    let path = format!("/api/v1/problems/clicks/versions/{}", version["version"]);
    engineer.post(&format!("{path}/submit"), json!({})).await.done();
    let approval = json!({ "decision": "approve", "digest": version["digest"], "waiver": "few rows are enough here" });
    stakeholder.post(&format!("{path}/decisions"), approval).await.done();
    let launched = engineer.post("/api/v1/problems/clicks/runs", json!({})).await;
    assert_eq!(refused(launched, 409), "no_valid_dataset");
    let page = engineer.get("/api/v1/datasets/1/versions/1").await.done();
    assert_eq!(page["may_launch"]["allowed"], false, "{}", page["may_launch"]);
    let more = Form::new()
        .text("problem", "clicks")
        .text("name", "requests")
        .text("mode", "append")
        .part("file", Part::bytes(rows(9, false)).file_name("more.csv"));
    let added = engineer.send(engineer.request(Method::POST, "/api/v1/datasets").multipart(more)).await;
    assert_eq!(refused(added, 409), "another_role");
    app.remove().await;
}

#[tokio::test]
async fn two_who_mute_at_once_leave_one_mute_that_either_can_lift() {
    let (app, engineer, _) = signed_off(&json!({})).await;
    load(&app, &engineer, "trips", rows(0, true)).await;
    load(&app, &engineer, "trips", rows(50, true)).await;
    let mutes = "/api/v1/datasets/1/versions/2/mutes";
    let ask = json!({ "check": "drift", "column": "x", "reason": "known", "days": 7 });
    let asked = (0..8).map(|_| engineer.post(mutes, ask.clone()));
    let answers = futures::future::join_all(asked).await;
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    assert_eq!(app.count("select count(*) from check_mute where lifted_at is null").await, 1);
    assert_eq!(app.count("select count(*) from audit where action = 'check.mute'").await, 8);
    app.remove().await;
}

#[tokio::test]
async fn a_warning_is_muted_with_a_reason_for_a_while_and_still_travels_with_the_model() {
    let (app, engineer, stakeholder) = signed_off(&json!({})).await;
    load(&app, &engineer, "trips", rows(0, true)).await;
    let version = load(&app, &engineer, "trips", rows(50, true)).await;
    let warnings = version["summary"]["warnings"].as_u64().unwrap();
    let mutes = format!("/api/v1/datasets/{}/versions/2/mutes", version["summary"]["dataset"].as_str().unwrap());
    let ask = |reason: &str, days: i64| json!({ "check": "drift", "column": "x", "reason": reason, "days": days });
    assert_eq!(engineer.post(&mutes, ask("", 7)).await.status, 400);
    assert_eq!(engineer.post(&mutes, ask("holidays, known", 91)).await.status, 400);
    assert_eq!(stakeholder.post(&mutes, ask("holidays, known", 7)).await.status, 403);
    engineer.post(&mutes, ask("holidays, known", 7)).await.done();
    let path = mutes.trim_end_matches("/mutes");
    let muted = engineer.get(path).await.done();
    assert_eq!(muted["summary"]["warnings"], warnings - 1);
    assert_eq!(muted["mutes"][0]["reason"], "holidays, known");
    assert_eq!(finding(&muted, "drift", "x")["outcome"], "failed", "the report stays as it is");
    let page = path.replace("/api/v1", "").replace("versions", "v");
    let (_, shown) = engineer.page(&page).await;
    assert!(shown.contains("holidays, known") && shown.contains("1 warning is muted"), "{shown}");
    // A script that may launch may mute, although it may not read.
    let script = app.token(&engineer, &[Scope::Launch]).await.unwrap();
    script.post(&mutes, ask("holidays, known", 7)).await.done();
    let mute = engineer.get(path).await.done()["mutes"][0]["id"].as_str().unwrap().to_owned();
    // The next version is quiet about it as well.
    let next = load(&app, &engineer, "trips", rows(90, true)).await;
    assert_eq!(finding(&next, "drift", "x")["outcome"], "failed");
    assert_eq!(next["mutes"][0]["check"], "drift");
    let lift = || script.send(script.request(Method::DELETE, &format!("{mutes}/{mute}")));
    assert_eq!(lift().await.status, 204);
    assert_eq!(engineer.get(path).await.done()["summary"]["warnings"], warnings);
    assert_eq!(lift().await.status, 404);
    app.remove().await;
}

#[tokio::test]
async fn what_stops_the_pipeline_cannot_be_muted_by_any_door() {
    let (app, engineer, _) = signed_off(&json!({ "features": [{ "name": "x", "max": 100.0 }] })).await;
    let broken = load(&app, &engineer, "trips", rows(50, true)).await;
    assert_eq!(broken["summary"]["state"], "rejected");
    let critical = broken["report"]["findings"].as_array().unwrap();
    let critical = critical.iter().find(|one| one["severity"] == "critical" && one["outcome"] == "failed").unwrap();
    let mutes = format!("/api/v1/datasets/{}/versions/1/mutes", broken["summary"]["dataset"].as_str().unwrap());
    let ask =
        json!({ "check": critical["check"], "column": critical["column"], "reason": "let it through", "days": 1 });
    assert_eq!(refused(engineer.post(&mutes, ask).await, 409), "critical_check");
    let nothing = json!({ "check": "no_such", "column": null, "reason": "let it through", "days": 1 });
    assert_eq!(refused(engineer.post(&mutes, nothing).await, 409), "nothing_to_mute");
    let forced = "insert into check_mute (dataset_id, check_name, severity, reason, muted_by, muted_at, until)
        select d.id, 'x', 'critical', 'forced', a.id, now(), now() + interval '1 day' from dataset d, account a limit 1";
    assert!(app.try_sql(forced).await.is_err());
    app.remove().await;
}
