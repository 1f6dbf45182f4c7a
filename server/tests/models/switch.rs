//! Switching a model off and on, and how changes reach the servers.

use std::time::Duration;

use millrace_domain::policy::{Role, Scope};
use millrace_test_support::{Answer, Person, thing};
use reqwest::Method;
use serde_json::{Value, json};

use crate::team::Team;

async fn team() -> Team {
    let serving = json!({ "p99_ms": 250.0, "throughput_rps": 50.0, "fallback": { "label": "0", "score": 0.1 } });
    let team = Team::with("things", 0.6, json!({ "serving": serving })).await;
    for seed in [1, 2] {
        let run = team.run(json!({ "trainer": "logistic", "seed": seed })).await;
        assert_eq!(run["state"], "succeeded", "{}", run["failure"]);
    }
    team.put_live(1).await;
    team
}

/// Asks until the answer is as wanted, for two seconds: a change reaches every server within one.
async fn until(caller: &Person, wanted: impl Fn(&Answer) -> bool) -> Answer {
    let (x, y, _) = thing(3);
    let body = json!({ "instances": [{ "x": x, "y": y }, { "nonsense": true, "x": x, "y": y }] });
    for _ in 0..40 {
        let answer = caller.post("/v1/models/things:predict", body.clone()).await;
        if wanted(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no such answer came");
}

#[tokio::test]
async fn a_model_that_is_switched_off_answers_with_what_was_signed_until_it_is_switched_on() {
    let team = team().await;
    let caller = team.app.token(&team.engineer, &[Scope::Predict]).await.unwrap();
    let on_call = team.app.person("oncall", &[Role::OnCall]).await.unwrap();
    let path = "/api/v1/deployments/things/fallback";
    let body = |on: bool| json!({ "on": on, "reason": "answers are wrong" });
    // The live model does not know one of the inputs, and says so.
    until(&caller, |answer| answer.status == 400).await;
    // A version on its way is taken back by the same press.
    team.approve(&team.second, 2).await.done();
    let rollouts = "/api/v1/deployments/things/rollouts";
    assert_eq!(team.engineer.post(rollouts, json!({ "version": 2 })).await.done()["stage"], "shadow");

    assert_eq!(team.stakeholder.post(path, body(true)).await.status, 403);
    assert_eq!(on_call.post(path, json!({ "on": true, "reason": "" })).await.status, 400);
    let switched = on_call.post(path, body(true)).await.done();
    assert_eq!(switched["fallback"], true);
    let answered = "select count(*) from prediction";
    let answer = until(&caller, |answer| answer.status == 200).await;
    let before = team.app.count(answered).await;
    let constant = json!({ "score": 0.1, "label": "0" });
    assert_eq!(answer.body, json!({ "predictions": [constant, constant], "model_version": null, "stage": "fallback" }));
    let now = team.second.get("/api/v1/deployments/things").await.done();
    assert_eq!((&now["champion"], &now["candidate"], &now["fallback"]), (&json!(1), &Value::Null, &constant));
    let kinds: Vec<&str> =
        now["history"].as_array().unwrap().iter().filter_map(|change| change["kind"].as_str()).collect();
    assert_eq!(kinds, ["switched_off", "rollback", "shadow", "deploy"]);
    let again = on_call.post(path, body(true)).await.done();
    assert_eq!(again["generation"], switched["generation"]);
    assert_eq!(team.engineer.post(rollouts, json!({ "version": 2 })).await.code(), "switched_off");
    let (_, page) = on_call.page("/deployments/things").await;
    assert!(page.contains("The model is switched off"), "{page}");

    on_call.post(path, body(false)).await.done();
    let back = until(&caller, |answer| answer.status == 400).await;
    assert!(back.detail().contains("nonsense"), "{}", back.body);
    assert_eq!(team.app.count(answered).await, before);
    let acts = "select count(*) from audit where action = 'deployment.switch' and outcome = 'done'";
    assert_eq!(team.app.count(acts).await, 2);
    team.app.remove().await;
}

#[tokio::test]
async fn signed_rules_answer_by_what_was_sent_while_the_model_is_off_and_say_beforehand_how_often() {
    let rules = json!([
        { "when": "x > 1000 AND y IS NOT NULL", "label": "1", "score": 0.9 },
        { "when": "x > 1000", "label": "1", "score": 0.6 }
    ]);
    let fallback = json!({ "rules": rules, "label": "0", "score": 0.1 });
    let serving = json!({ "p99_ms": 250.0, "throughput_rps": 50.0, "fallback": fallback });
    let team = Team::with("things", 0.6, json!({ "serving": serving })).await;
    let run = team.run(json!({ "trainer": "logistic" })).await;
    let gate = run["gates"].as_array().unwrap().iter().find(|gate| gate["name"] == "fallback").unwrap();
    assert_eq!(gate["verdict"], "pass", "{gate}");
    assert!(gate["note"].as_str().unwrap().ends_with("test rows rule 1 answers 0, rule 2 answers 0"), "{gate}");
    team.put_live(1).await;
    let caller = team.app.token(&team.engineer, &[Scope::Predict]).await.unwrap();
    let before = team.engineer.get("/api/v1/deployments/things").await.done();
    assert_eq!((&before["fallback"], &before["fallback_answer"]), (&Value::Null, &fallback));
    let (_, page) = team.engineer.page("/deployments/things?switch=1").await;
    assert!(page.contains("x &gt; 1000 AND y IS NOT NULL"), "{page}");

    let off = json!({ "on": true, "reason": "answers are wrong" });
    team.engineer.post("/api/v1/deployments/things/fallback", off).await.done();
    until(&caller, |answer| answer.body["stage"] == "fallback").await;
    let instances = json!([{ "x": 2000, "y": 1 }, { "x": 2000, "y": null }, { "x": 2000 }, { "x": "2000", "y": 1 }, {}, { "x": 3.5, "y": 1 }]);
    let answer = caller.post("/v1/models/things:predict", json!({ "instances": instances })).await.done();
    let scores: Vec<&Value> = answer["predictions"].as_array().unwrap().iter().map(|given| &given["score"]).collect();
    assert_eq!(scores, [0.9, 0.6, 0.6, 0.1, 0.1, 0.1].map(|score| json!(score)).iter().collect::<Vec<_>>());
    assert_eq!(answer["predictions"][0], json!({ "score": 0.9, "label": "1" }));
    let (_, page) = team.engineer.page("/deployments/things").await;
    assert!(page.contains("The model is switched off") && page.contains("x &gt; 1000 AND y IS NOT NULL"), "{page}");
    team.app.remove().await;
}

#[tokio::test]
async fn switched_off_in_the_watch_the_version_before_is_what_comes_back() {
    let rollout = json!({
        "shadow": { "min_predictions": 0, "min_duration": "0s" },
        "canary": { "percent": 50.0, "min_predictions": 0, "min_duration": "0s" },
        "watch": { "min_predictions": 100_000, "min_duration": "1h" },
        "watched": ["shift", "slow", "quality"]
    });
    let serving = json!({ "p99_ms": 250.0, "throughput_rps": 50.0, "fallback": { "label": "0", "score": 0.1 } });
    let team = Team::with("things", 0.6, json!({ "serving": serving, "rollout": rollout })).await;
    for seed in [1, 2] {
        assert_eq!(team.run(json!({ "trainer": "logistic", "seed": seed })).await["state"], "succeeded");
    }
    team.put_live(1).await;
    team.approve(&team.second, 2).await.done();
    team.engineer.post("/api/v1/deployments/things/rollouts", json!({ "version": 2 })).await.done();
    let caller = team.app.token(&team.engineer, &[Scope::Predict]).await.unwrap();
    let mut now = Value::Null;
    for round in 0..400 {
        let instances: Vec<Value> = (0..200)
            .map(|number| (number, thing(number + 200 * round)))
            .map(|(number, (x, y, _))| json!({ "entity": format!("r{round}-{number}"), "x": x, "y": y }))
            .collect();
        caller.post("/v1/models/things:predict", json!({ "instances": instances })).await;
        now = team.second.get("/api/v1/deployments/things").await.done();
        if now["champion"] == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((&now["champion"], &now["rollout"]["state"]), (&json!(2), &json!("running")), "{now}");
    let path = "/api/v1/deployments/things/fallback";
    team.engineer.post(path, json!({ "on": true, "reason": "wrong" })).await.done();
    team.engineer.post(path, json!({ "on": false, "reason": "right again" })).await.done();
    let now = team.second.get("/api/v1/deployments/things").await.done();
    assert_eq!((&now["champion"], &now["rollout"]), (&json!(1), &Value::Null));
    let bad = team.second.get(&team.version(2)).await.done();
    assert_eq!(bad["summary"]["stage"], "rolled_back");
    assert!(team.app.verified().await);
    team.app.remove().await;
}

#[tokio::test]
async fn without_a_signed_fallback_there_is_nothing_to_switch_to() {
    let team = Team::with("things", 0.6, json!({})).await;
    assert_eq!(team.run(json!({ "trainer": "logistic" })).await["state"], "succeeded");
    team.put_live(1).await;
    let body = json!({ "on": true, "reason": "answers are wrong" });
    assert_eq!(team.engineer.post("/api/v1/deployments/things/fallback", body).await.code(), "no_fallback");
    team.app.remove().await;
}

#[tokio::test]
async fn a_drill_and_a_rollback_tell_when_every_server_had_them() {
    let team = team().await;
    let second = team.app.another_server().await.unwrap();
    let drill = "/api/v1/deployments/things/drill";
    assert_eq!(team.stakeholder.post(drill, json!({})).await.status, 403);
    let mut seen = Value::Null;
    for _ in 0..20 {
        seen = team.engineer.post(drill, json!({})).await.done();
        if seen["spread"]["servers"].as_array().unwrap().len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let servers = seen["spread"]["servers"].as_array().unwrap();
    assert_eq!((servers.len(), &seen["spread"]["waiting"]), (2, &json!([])), "{seen}");
    let took = seen["took_ms"].as_f64().unwrap_or(f64::NAN);
    assert!((0.0..2_000.0).contains(&took) && servers[1]["after_ms"].as_f64() == Some(took), "{seen}");
    let live = team.second.get("/api/v1/deployments/things").await.done();
    assert_eq!((&live["champion"], &live["history"][0]["kind"]), (&json!(1), &json!("drill")));

    // Pressed on a page that was opened before the drill, a rollback is done all the same.
    let before = live["history"][1]["generation"].as_i64().unwrap();
    let reason = json!({ "reason": "wrong", "generation": before });
    let rolled_back = team.engineer.post("/api/v1/deployments/things/rollback", reason.clone()).await.done();
    let twice = team.engineer.post("/api/v1/deployments/things/rollback", reason).await.done();
    assert_eq!(twice["generation"], rolled_back["generation"]);
    let change = format!("/api/v1/deployments/things/changes/{}", rolled_back["generation"]);
    let mut spread = Value::Null;
    for _ in 0..600 {
        spread = team.second.get(&change).await.done()["spread"].clone();
        if spread["servers"].as_array().unwrap().len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(spread["servers"].as_array().unwrap().len(), 2, "{spread}");
    let (_, page) = team.second.page(&format!("/deployments/things/changes/{}", rolled_back["generation"])).await;
    assert!(page.contains("In place on 2 servers"), "{page}");
    // It is kept what there was to see of it, also after later changes.
    let again = json!({ "version": 1, "reason": "it was not to blame" });
    team.engineer.post("/api/v1/deployments/things/rollouts", again).await.done();
    let kept = team.second.get(&change).await.done()["spread"].clone();
    assert_eq!(kept["servers"], spread["servers"], "{kept}");
    drop(second);
    team.app.remove().await;
}

#[tokio::test]
async fn a_live_model_that_hangs_holds_up_nobody_who_does_not_ask_it_and_can_be_switched_off() {
    let mut team = team().await;
    team.app.restart(&[("MILLRACE_FAILPOINT", "champion:hang")]).await.unwrap();
    let caller = team.app.token(&team.engineer, &[Scope::Predict]).await.unwrap();
    let on_call = team.app.person("oncall", &[Role::OnCall]).await.unwrap();
    let (x, y, _) = thing(3);
    // More at once than there are threads that take requests in.
    let ask = || {
        let body = json!({ "instances": [{ "x": x, "y": y }] });
        tokio::spawn(caller.request(Method::POST, "/v1/models/things:predict").json(&body).send())
    };
    let asked: Vec<_> = (0..16).map(|_| ask()).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let switched = async {
        let health = on_call.get("/healthz").await;
        assert_eq!(health.status, 200, "{}", health.body);
        let body = json!({ "on": true, "reason": "it hangs" });
        on_call.post("/api/v1/deployments/things/fallback", body).await.done();
        until(&caller, |answer| answer.body["stage"] == "fallback").await
    };
    tokio::time::timeout(Duration::from_secs(15), switched).await.expect("others are held up by it");
    assert!(asked.iter().all(|asked| !asked.is_finished()), "it did not hang");
    asked.iter().for_each(tokio::task::JoinHandle::abort);
    team.app.remove().await;
}

#[tokio::test]
async fn one_request_that_hangs_leaves_a_server_with_nothing_else_to_do_awake() {
    let mut team = team().await;
    team.app.restart(&[("MILLRACE_FAILPOINT", "champion:hang")]).await.unwrap();
    let caller = team.app.token(&team.engineer, &[Scope::Predict]).await.unwrap();
    // Refused before the model is asked; the token is remembered from now on for a second.
    until(&caller, |answer| answer.status == 400).await;
    let (x, y, _) = thing(3);
    let body = json!({ "instances": [{ "x": x, "y": y }] });
    let asked = tokio::spawn(caller.request(Method::POST, "/v1/models/things:predict").json(&body).send());
    tokio::time::sleep(Duration::from_millis(500)).await;
    let health = tokio::time::timeout(Duration::from_secs(10), caller.get("/healthz")).await.expect("it sleeps");
    assert_eq!(health.status, 200, "{}", health.body);
    assert!(!asked.is_finished(), "it did not hang");
    asked.abort();
    team.app.remove().await;
}
