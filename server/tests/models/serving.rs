//! How a request may be answered: explained, by a chosen version, within a time, and not beside too many others.

use std::time::Duration;

use millrace_domain::policy::Scope;
use millrace_test_support::{Answer, Person, thing};
use serde_json::{Value, json};

use crate::team::Team;

async fn team() -> Team {
    let team = Team::with("things", 0.6, json!({})).await;
    for trainer in ["gradient_boosting", "logistic"] {
        let run = team.run(json!({ "trainer": trainer })).await;
        assert_eq!(run["state"], "succeeded", "{}", run["failure"]);
    }
    team.put_live(1).await;
    team
}

fn instances(count: u32) -> Vec<Value> {
    (0..count).map(thing).map(|(x, y, _)| json!({ "x": x, "y": y })).collect()
}

async fn ask(by: &Person, body: &Value, headers: &[(&str, &str)]) -> Answer {
    let mut request = by.request(reqwest::Method::POST, "/v1/models/things:predict").json(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    by.send(request).await
}

async fn live(by: &Person) {
    for _ in 0..600 {
        if ask(by, &json!({ "instances": instances(1) }), &[]).await.status == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nothing answers");
}

/// That the base and all contributions add up to the log-odds of the score.
fn adds_up(prediction: &Value) {
    let told = &prediction["explanation"];
    let features = told["features"].as_array().unwrap();
    let shares: f64 = features.iter().map(|feature| feature["contribution"].as_f64().unwrap()).sum();
    let score = prediction["score"].as_f64().unwrap();
    let log_odds = (score / (1.0 - score)).ln();
    assert!((told["base"].as_f64().unwrap() + shares - log_odds).abs() < 1e-4, "{prediction}");
    assert_eq!(told["unit"], "log-odds");
}

#[tokio::test]
async fn answers_are_explained_on_request_by_what_made_them() {
    let team = team().await;
    let caller = team.app.token(&team.engineer, &[Scope::Predict, Scope::Deploy]).await.unwrap();
    live(&caller).await;
    let body = json!({ "instances": instances(20), "explain": 2 });
    let boosted = ask(&caller, &body, &[]).await.done();
    let linear = ask(&caller, &body, &[("millrace-version", "2")]).await.done();
    for answer in [&boosted, &linear] {
        answer["predictions"].as_array().unwrap().iter().for_each(adds_up);
    }
    let one = json!({ "instances": instances(1), "explain": 1 });
    let most = ask(&caller, &one, &[]).await.done()["predictions"][0].clone();
    let all = &boosted["predictions"][0]["explanation"]["features"];
    assert_eq!(most["explanation"]["features"], json!([all[0]]));
    assert_eq!(ask(&caller, &json!({ "instances": instances(1), "explain": 101 }), &[]).await.status, 400);
    // What is kept of an answer is the answer.
    let receipt = format!("/api/v1/predictions/{}", most["id"].as_str().unwrap());
    let mut kept = team.second.get(&receipt).await;
    for _ in 0..100 {
        if kept.status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        kept = team.second.get(&receipt).await;
    }
    assert_eq!(kept.done()["output"], json!({ "score": most["score"], "label": most["label"] }));
    team.app.remove().await;
}

#[tokio::test]
async fn a_version_that_is_asked_for_answers_tests_that_are_not_logged() {
    let team = team().await;
    let caller = team.app.token(&team.engineer, &[Scope::Predict]).await.unwrap();
    let tester = team.app.token(&team.engineer, &[Scope::Predict, Scope::Deploy]).await.unwrap();
    live(&caller).await;
    let kept = "select count(*) from prediction";
    for _ in 0..600 {
        if team.app.count(kept).await == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(team.app.count(kept).await, 1);
    let body = json!({ "instances": instances(3) });
    let pin = |version: &'static str| [("millrace-version", version)];
    let answer = ask(&tester, &body, &pin("2")).await.done();
    assert_eq!((&answer["model_version"], &answer["stage"]), (&json!(2), &json!("pinned")));
    assert!(answer["predictions"][0].get("id").is_none(), "{answer}");
    let refused = [(ask(&caller, &body, &pin("2")).await, 403), (ask(&tester, &body, &pin("9")).await, 404)];
    let unread = [(ask(&tester, &body, &pin("two")).await, 400), (ask(&tester, &body, &pin("0")).await, 400)];
    for (answer, status) in refused.into_iter().chain(unread) {
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    // What is wrong is named as to callers of what is live.
    let wrong = json!({ "instances": [{ "x": "wide" }, { "z": 1 }] });
    let told = |answer: &Answer| (answer.status, answer.code().to_owned(), answer.body["errors"].clone());
    let pinned = told(&ask(&tester, &wrong, &pin("2")).await);
    assert_eq!(pinned, told(&ask(&tester, &wrong, &[]).await));
    let names: Vec<&Value> = pinned.2.as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert!(
        pinned.0 == 400 && names.contains(&&json!("/instances/0/x")) && names.contains(&&json!("/instances/1/z")),
        "{pinned:?}"
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(team.app.count(kept).await, 1);
    assert_eq!(ask(&caller, &body, &[]).await.done()["model_version"], 1);
    team.app.remove().await;
}

#[tokio::test]
async fn a_version_tells_who_asked_it_with_which_token_and_when() {
    let team = team().await;
    let caller = team.app.token(&team.engineer, &[Scope::Predict]).await.unwrap();
    let tester = team.app.token(&team.engineer, &[Scope::Predict, Scope::Deploy]).await.unwrap();
    live(&caller).await;
    let body = json!({ "instances": instances(3) });
    assert_eq!(ask(&caller, &body, &[]).await.status, 200);
    assert_eq!(ask(&tester, &body, &[("millrace-version", "2")]).await.status, 200);
    // It is written every few seconds.
    let version = |number: i32| format!("/api/v1/models/things/versions/{number}");
    let mut told = Value::Null;
    for _ in 0..200 {
        told = team.second.get(&version(2)).await.done();
        if told["callers"].as_array().is_some_and(|callers| !callers.is_empty()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let live = team.second.get(&version(1)).await.done();
    for told in [&told, &live] {
        let callers = told["callers"].as_array().unwrap();
        assert_eq!(callers.len(), 1, "each version was asked with one token: {callers:?}");
        assert_eq!((&callers[0]["name"], &callers[0]["token"]), (&told["summary"]["author"], &json!("test")));
        assert!(callers[0]["first_at"].as_str() <= callers[0]["last_at"].as_str(), "{callers:?}");
        assert_eq!(told["summary"]["asked_at"], callers[0]["last_at"]);
    }
    assert_ne!(live["callers"][0]["first_at"], live["callers"][0]["last_at"], "it asked more than once");
    team.app.remove().await;
}

#[tokio::test]
async fn many_instances_are_answered_as_each_alone_and_what_is_wrong_with_one_is_named_by_its_place() {
    let team = team().await;
    let caller = team.app.token(&team.engineer, &[Scope::Predict]).await.unwrap();
    live(&caller).await;
    let mut many = instances(300);
    let told = ask(&caller, &json!({ "instances": many }), &[]).await.done();
    let same = |told: &Value| {
        let mut told = told.clone();
        assert!(told.as_object_mut().unwrap().remove("id").is_some());
        told
    };
    let ids: std::collections::HashSet<&str> =
        told["predictions"].as_array().unwrap().iter().map(|told| told["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 300);
    for place in [0, 63, 64, 255, 299] {
        let alone = ask(&caller, &json!({ "instances": [many[place]] }), &[]).await.done();
        assert_eq!(same(&told["predictions"][place]), same(&alone["predictions"][0]), "{place}");
    }
    many[200] = json!({ "x": "three", "y": 1 });
    let refused = ask(&caller, &json!({ "instances": many }), &[]).await;
    assert_eq!((refused.status, &refused.body["errors"][0]["pointer"]), (400, &json!("/instances/200/x")));
    team.app.remove().await;
}

#[tokio::test]
async fn what_is_too_much_at_once_or_too_late_is_told_and_hurts_nobody() {
    let mut team = team().await;
    team.app.restart(&[("MILLRACE_PREDICTIONS_AT_ONCE", "2")]).await.unwrap();
    let caller = team.app.token(&team.engineer, &[Scope::Predict, Scope::Deploy]).await.unwrap();
    live(&caller).await;
    let large = json!({ "instances": instances(1_000) });
    let late = ask(&caller, &large, &[("millrace-timeout-ms", "1")]).await;
    assert_eq!((late.status, late.code()), (504, "too_late"));
    let pinned = [("millrace-version", "2")];
    let many = futures::future::join_all((0..24).map(|_| ask(&caller, &large, &pinned))).await;
    let count = |status: u16| many.iter().filter(|answer| answer.status == status).count();
    assert!(count(200) >= 2 && count(429) > 0 && count(200) + count(429) == 24, "{} {}", count(200), count(429));
    let busy = many.iter().find(|answer| answer.status == 429).unwrap();
    assert_eq!(busy.code(), "too_many_at_once");
    // Places are given back.
    assert_eq!(ask(&caller, &large, &[]).await.status, 200);
    team.app.remove().await;
}

#[tokio::test]
async fn clients_of_other_servers_find_what_a_model_is_asked_and_answers() {
    let team = team().await;
    let caller = team.app.token(&team.engineer, &[Scope::Predict]).await.unwrap();
    live(&caller).await;
    let model = caller.get("/v2/models/things").await.done();
    assert_eq!((&model["name"], &model["versions"]), (&json!("things"), &json!(["1"])));
    assert_eq!(model["inputs"][0], json!({ "name": "x", "datatype": "FP64", "shape": [-1] }));
    let outputs: Vec<&Value> = model["outputs"].as_array().unwrap().iter().map(|output| &output["name"]).collect();
    assert_eq!(outputs, ["score", "label"]);
    assert_eq!(caller.get("/v2/models/things/ready").await.done()["ready"], true);
    assert_eq!(caller.get("/v1/models/things").await.done()["model_version_status"][0]["state"], "AVAILABLE");
    assert_eq!(caller.get("/v2/models/nothing").await.code(), "no_live_model");
    assert_eq!(team.app.anybody().get("/v2/models/things").await.status, 401);
    team.app.remove().await;
}
