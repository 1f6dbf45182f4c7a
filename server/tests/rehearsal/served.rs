//! Rehearsals on a server: the same as on the command line, asked for by those who may, stopped, and the same after a crash.

use std::time::Duration;

use millrace_domain::policy::{Grant, Role};
use millrace_test_support::{Person, TestApp};
use serde_json::{Value, json};

use super::{BINARY, Past, course, turn};

fn document() -> Value {
    json!({
        "slug": "turn", "title": "Is it big", "decision": "none",
        "target": { "name": "big", "kind": "binary", "column": "big", "delay": "1d" },
        "data": { "event_time": "at", "split": { "kind": "time", "validation": 0.1, "test": 0.2 } },
        "success": { "metric": "roc_auc", "at_least": 0.8 },
        "monitoring": { "window": "1d", "drift": { "metric": "psi", "threshold": 0.25, "windows": 1 }, "min_rows": 50 },
        "retraining": { "on_quality": true, "new_labels": 500, "cool_down": "1d", "give_up_after": 30, "promote": "automatic" },
        "features": [{ "name": "x" }, { "name": "y" }]
    })
}

/// A server with a document that nobody has signed, and the past.
async fn prepared(env: &[(&str, &str)]) -> (TestApp, Person) {
    let app = TestApp::start_with(BINARY, env, &[]).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    engineer.post("/api/v1/problems", document()).await.done();
    let loaded = app.load(&engineer, "turn", "past.csv", turn().into_bytes()).await;
    assert_eq!(loaded["summary"]["state"], "valid", "{loaded}");
    (app, engineer)
}

const ASKED_AT: &str = "/api/v1/problems/turn/rehearsals";

async fn asked(by: &Person, request: Value) -> String {
    let taken = by.post(ASKED_AT, request).await.done();
    taken["rehearsal"].as_str().unwrap().to_owned()
}

async fn ended(by: &Person, id: &str) -> Value {
    for _ in 0..600 {
        let seen = by.get(&format!("/api/v1/rehearsals/{id}")).await.done();
        if !matches!(seen["line"]["state"].as_str(), Some("queued" | "running")) {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("rehearsal {id} did not come to an end")
}

const ASKED: [(&str, &str); 2] = [("trainer", "logistic"), ("trained_on", "10d")];

fn usual() -> Value {
    Value::Object(ASKED.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect())
}

#[tokio::test]
async fn a_rehearsal_on_the_server_says_what_the_command_says_of_the_same_past() {
    let (app, engineer) = prepared(&[]).await;
    let id = asked(&engineer, usual()).await;
    let there = ended(&engineer, &id).await;
    let past = Past::of(&document().to_string(), &turn());
    let here = past.rehearsed(&["--trained-on", "10d", "--trainer", "logistic"]);
    assert_eq!(there["line"]["state"], "succeeded", "{there}");
    assert!(there["rehearsed"] == here, "{} against {here}", there["rehearsed"]);
    let listed = engineer.get("/api/v1/problems/turn/rehearsals").await.done();
    let line = &listed["items"][0];
    assert_eq!((&line["id"], &line["is_other_policy"]), (&json!(id), &json!(false)), "{listed}");
    for summary in line["courses"].as_array().unwrap() {
        let whole = course(&here, summary["policy"].as_str().unwrap());
        let alerts: u64 = whole["alerts"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
        assert_eq!((&summary["mean"], &summary["trainings"]), (&whole["mean"], &whole["trainings"]));
        assert_eq!(summary["alerts"], alerts);
    }
    assert_eq!(app.count("select count(*) from audit where action = 'rehearsal.ask'").await, 1);
    // Asked for again, nothing is computed anew.
    let again = ended(&engineer, &asked(&engineer, usual()).await).await;
    assert_eq!((&again["step"]["reused"], &again["rehearsed"]), (&json!(true), &here));
    app.remove().await;
}

#[tokio::test]
async fn another_policy_is_tried_without_a_version_of_the_document() {
    let (app, engineer) = prepared(&[]).await;
    let policy = "[retraining]\ncron = \"0 0 * * *\"\npromote = \"automatic\"\n";
    let mut request = usual();
    request["policy"] = json!(policy);
    let id = asked(&engineer, request).await;
    let tried = ended(&engineer, &id).await;
    let events = course(&tried["rehearsed"], "policy")["events"].as_array().unwrap().clone();
    let trained: Vec<_> =
        events.iter().filter(|event| event["text"].as_str().unwrap().contains("(schedule)")).collect();
    assert!(trained.len() > 5, "every day is trained: {events:?}");
    assert!(!events.iter().any(|event| event["text"].as_str().unwrap().contains("(quality")), "{events:?}");
    assert_eq!(tried["line"]["is_other_policy"], true);
    assert_eq!(app.count("select count(*) from problem_version").await, 1);
    // The document's own words are no other policy.
    let (_, page) = engineer.page("/problems/turn/rehearsals").await;
    assert!(page.contains("[retraining]") && page.contains(&format!("/rehearsals/{id}")), "{page}");
    app.remove().await;
}

#[tokio::test]
async fn a_request_with_mistakes_is_refused_with_all_of_them_and_nothing_is_written() {
    let (app, engineer) = prepared(&[]).await;
    let request =
        json!({ "policy": "[retraining]\ncron = \"whenever\"\n", "trainer": "guesswork", "trained_on": "long" });
    let refused = engineer.post("/api/v1/problems/turn/rehearsals", request).await;
    let mut pointers: Vec<&str> =
        refused.body["errors"].as_array().unwrap().iter().map(|mistake| mistake["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    pointers.dedup();
    assert_eq!((refused.status, pointers), (400, vec!["/policy", "/trained_on", "/trainer"]), "{}", refused.body);
    let unknown = engineer.post("/api/v1/problems/turn/rehearsals", json!({ "policies": "" })).await;
    let version = engineer.post("/api/v1/problems/turn/rehearsals", json!({ "version": 9 })).await;
    let data = engineer.post("/api/v1/problems/turn/rehearsals", json!({ "dataset_version": 9 })).await;
    assert_eq!((unknown.status, version.status, data.status), (400, 404, 409));
    assert_eq!(app.count("select count(*) from rehearsal").await, 0);
    app.remove().await;
}

#[tokio::test]
async fn rehearsals_are_asked_for_by_engineers_and_seen_by_those_who_see_the_problem() {
    let (app, engineer) = prepared(&[]).await;
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    let mut document = document();
    document["slug"] = json!("other");
    engineer.post("/api/v1/problems", document).await.done();
    let elsewhere = Grant { role: Role::MlEngineer, problem: Some("other".to_owned()) };
    let other = app.person_with("other", &[elsewhere]).await.unwrap();
    let id = asked(&engineer, usual()).await;
    let path = format!("/api/v1/rehearsals/{id}");
    let ask = "/api/v1/problems/turn/rehearsals";
    assert_eq!(stakeholder.get(&path).await.status, 200);
    assert_eq!(stakeholder.post(ask, json!({})).await.status, 403);
    assert_eq!(stakeholder.post(&format!("{path}/cancel"), json!({})).await.status, 403);
    assert_eq!((other.get(&path).await.status, other.get(ask).await.status), (404, 404));
    assert_eq!((other.post(ask, json!({})).await.status, other.page(&format!("/rehearsals/{id}")).await.0), (404, 404));
    assert_eq!(app.anybody().get(&path).await.status, 401);
    app.remove().await;
}

#[tokio::test]
async fn a_rehearsal_is_stopped_between_windows_and_once_it_has_ended_it_is_not() {
    let (app, engineer) = prepared(&[]).await;
    let daily = "[retraining]\ncron = \"0 * * * *\"\npromote = \"automatic\"\n\n[monitoring]\nwindow = \"1h\"\n";
    let id = asked(&engineer, json!({ "policy": daily, "schedule": "0 * * * *" })).await;
    let path = format!("/api/v1/rehearsals/{id}");
    while engineer.get(&path).await.done()["line"]["state"] == "queued" {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let cancelled = engineer.post(&format!("{path}/cancel"), json!({})).await;
    assert_eq!(cancelled.status, 202, "{}", cancelled.body);
    let seen = ended(&engineer, &id).await;
    assert_eq!((&seen["line"]["state"], &seen["rehearsed"]), (&json!("cancelled"), &Value::Null));
    assert_eq!(engineer.post(&format!("{path}/cancel"), json!({})).await.status, 409);
    assert_eq!(app.count("select count(*) from audit where action = 'rehearsal.cancel'").await, 1);
    app.remove().await;
}

#[tokio::test]
async fn a_server_that_is_killed_while_it_rehearses_comes_to_the_same_result() {
    let (mut app, engineer) = prepared(&[("MILLRACE_LEASE_SECONDS", "2")]).await;
    let whole = ended(&engineer, &asked(&engineer, usual()).await).await;
    for (seed, point) in ["claimed", "mid", "before_commit", "after_commit"].into_iter().enumerate() {
        let failpoint = format!("rehearse:{point}");
        app.restart(&[("MILLRACE_LEASE_SECONDS", "2"), ("MILLRACE_FAILPOINT", &failpoint)]).await.unwrap();
        let engineer = app.sign_in(engineer.clone()).await.unwrap();
        // Another seed is another input, and a logistic model follows from none.
        let mut request = usual();
        request["seed"] = json!(seed + 1);
        // What dies of its first step may not come to answer.
        engineer.send_before_it_ends(engineer.request(reqwest::Method::POST, ASKED_AT).json(&request)).await;
        assert!(app.server.ended_within(Duration::from_secs(60)).await.unwrap(), "{failpoint} was not reached");
        app.restart(&[("MILLRACE_LEASE_SECONDS", "2")]).await.unwrap();
        let engineer = app.sign_in(engineer).await.unwrap();
        let id = app.text("select max(id)::text from rehearsal").await;
        let seen = ended(&engineer, &id).await;
        assert_eq!(seen["line"]["state"], "succeeded", "{failpoint}: {seen}");
        assert!(seen["rehearsed"] == whole["rehearsed"], "{failpoint}");
    }
    app.remove().await;
}

#[tokio::test]
async fn what_was_asked_for_is_never_changed_and_only_valid_data_is_gone_over() {
    let (app, engineer) = prepared(&[]).await;
    ended(&engineer, &asked(&engineer, usual()).await).await;
    assert!(app.try_sql("update rehearsal set request = '{}'").await.unwrap_err().contains("not changed"));
    let copy =
        "insert into rehearsal (problem_version_id, dataset_version_id, tables, request, account_id, requested_at)
        select problem_version_id, dataset_version_id, tables, request, account_id, now() from rehearsal limit 1";
    app.try_sql(copy).await.unwrap();
    app.sql("delete from rehearsal where id = (select max(id) from rehearsal)").await;
    let wrong = app.load(&engineer, "turn", "wrong.csv", b"at,x\n2026-01-01T00:00:00Z,1\n".to_vec()).await;
    assert_ne!(wrong["summary"]["state"], "valid", "{wrong}");
    let of_wrong = copy.replace(
        ", dataset_version_id, tables, request, account_id, now()",
        ", (select max(id) from dataset_version), tables, request, account_id, now()",
    );
    let refused = app.try_sql(&of_wrong).await.unwrap_err();
    assert!(refused.contains("valid dataset version"), "{refused}");
    app.remove().await;
}

#[tokio::test]
async fn a_drill_that_ends_tells_until_when_answers_were_bad() {
    let (app, engineer) = prepared(&[]).await;
    let mut request = usual();
    request["policy"] = json!("[retraining]\ncron = \"0 0 1 1 *\"\npromote = \"approval\"\n");
    request["drill"] =
        json!({ "column": "x", "how": "shuffled", "from": "2026-01-25T00:00:00Z", "until": "2026-01-28T00:00:00Z" });
    let id = asked(&engineer, request.clone()).await;
    let seen = ended(&engineer, &id).await;
    let drill = &seen["rehearsed"]["drill"];
    assert_eq!(drill["alert"][0], "2026-01-27T00:00:00Z", "{seen}");
    assert_eq!(
        (&drill["until"], &drill["outside_until"]),
        (&json!("2026-01-28T00:00:00Z"), &json!("2026-01-28T00:00:00Z"))
    );
    assert_eq!(drill["is_still_outside"], false, "{drill}");
    // One that was asked is the beginning of the next, on the page that asks.
    let (_, page) = engineer.page(&format!("/problems/turn/rehearsals?like={id}")).await;
    assert!(page.contains("value=\"2026-01-25T00:00:00Z\"") && page.contains("0 0 1 1 *"), "{page}");
    let (_, page) = engineer.page(&format!("/rehearsals/{id}")).await;
    assert!(page.contains("Fire drill: x comes with other rows") && page.contains(">2 d<"), "{page}");
    // What breaks is part of what is computed: another drill is another result.
    request["drill"]["how"] = json!("stuck");
    let other = ended(&engineer, &asked(&engineer, request).await).await;
    assert_eq!(other["step"]["reused"], false);
    assert_ne!(other["rehearsed"]["drill"], *drill);
    app.remove().await;
}

#[tokio::test]
async fn the_form_asks_without_scripts_and_keeps_what_was_typed_when_it_is_refused() {
    let (app, engineer) = prepared(&[]).await;
    let page = "/problems/turn/rehearsals";
    let fields = |trained_on: &'static str| {
        [
            ("slug", "turn"),
            ("version", "1"),
            ("dataset", ""),
            ("policy", ""),
            ("trainer", "logistic"),
            ("calibration", ""),
            ("parameters", ""),
            ("from", "2026-01-21"),
            ("trained_on", trained_on),
            ("schedule", ""),
            ("seed", ""),
            ("drill_column", ""),
            ("drill_how", "missing"),
            ("drill_by", ""),
            ("drill_from", ""),
            ("drill_until", ""),
        ]
    };
    let refused = engineer.submit(page, "/fn/ask_for_rehearsal", &fields("long")).await;
    let kept = refused.cookies.iter().find(|cookie| cookie.starts_with("millrace-kept=")).unwrap();
    let both = format!("{}; {}", engineer.shows(), kept.split(';').next().unwrap());
    let again = reqwest::Client::new().get(format!("{}{}", app.server.url, refused.to)).header("cookie", both);
    let again = again.send().await.unwrap().text().await.unwrap();
    assert!(again.contains("is not a length of time") && again.contains("value=\"2026-01-21\""), "{again}");
    let taken = engineer.submit(page, "/fn/ask_for_rehearsal", &fields("10d")).await;
    let id = taken.to.rsplit('/').next().unwrap().to_owned();
    let seen = ended(&engineer, &id).await;
    assert_eq!(
        seen["request"],
        json!({ "version": 1, "trainer": "logistic", "from": "2026-01-21T00:00:00Z", "trained_on": "10d" })
    );
    assert_eq!(seen["line"]["state"], "succeeded", "{seen}");
    let mut bad = fields("10d").to_vec();
    for (name, value) in [("drill_column", "big"), ("drill_how", "shuffled"), ("drill_from", "2026-02-10")] {
        bad.iter_mut().find(|field| field.0 == name).unwrap().1 = value;
    }
    bad.push(("drill_model", "true"));
    let taken = engineer.submit(page, "/fn/ask_for_rehearsal", &bad).await;
    let seen = ended(&engineer, taken.to.rsplit('/').next().unwrap()).await;
    let drill = json!({ "column": "big", "how": "shuffled", "from": "2026-02-10T00:00:00Z", "model": true });
    assert_eq!(seen["request"]["drill"], drill, "{seen}");
    assert_eq!(seen["rehearsed"]["drill"]["is_model"], true, "{seen}");
    app.remove().await;
}
