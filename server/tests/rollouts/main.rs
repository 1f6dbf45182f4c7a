//! Staged rollouts on the real program: a good candidate arrives by itself, a bad one hurts nobody and is taken back, and no door
//! leads past what has to be shown.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

mod real;
mod trouble;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use millrace_domain::policy::{Role, Scope};
use millrace_test_support::{Person, TestApp, thing, things};
use reqwest::Method;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_millrace");

/// A problem of two numbers whose rollout asks for what `rollout` says.
fn document(slug: &str, rollout: Value) -> Value {
    json!({
        "slug": slug, "title": "Is it big", "decision": "which shelf",
        "target": { "name": "big", "kind": "binary", "column": "big" },
        "data": { "entity": "thing", "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } },
        "features": [{ "name": "x" }, { "name": "y" }],
        "success": { "metric": "roc_auc", "at_least": 0.6 },
        "serving": { "p99_ms": 250.0, "throughput_rps": 50.0 },
        "rollout": rollout
    })
}

struct Stage {
    app: TestApp,
    engineer: Person,
    on_call: Person,
    stakeholder: Person,
    caller: Person,
    slug: &'static str,
}

impl Stage {
    /// Version 1 live, and version 2 approved.
    async fn set(slug: &'static str, rollout: Value, env: &[(&str, &str)]) -> Self {
        Self::set_with(slug, document(slug, rollout), env).await
    }

    /// The same of any document.
    async fn set_with(slug: &'static str, document: Value, env: &[(&str, &str)]) -> Self {
        let app = TestApp::start_with(BINARY, env, &[]).await.unwrap();
        let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
        let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
        let on_call = app.person("oncall", &[Role::OnCall]).await.unwrap();
        let caller = app.token(&engineer, &[Scope::Predict]).await.unwrap();
        app.sign_off(&engineer, &stakeholder, &document).await;
        app.load(&engineer, slug, "things.csv", things(4_000)).await;
        let stage = Self { app, engineer, on_call, stakeholder, caller, slug };
        stage.train(1).await;
        stage.approve(1).await;
        stage.roll_out(1).await.done();
        stage.answering(1).await;
        stage.train(2).await;
        stage.approve(2).await;
        stage
    }

    /// Signs another version of the document off.
    async fn revise(&self, document: &Value) {
        let versions = format!("/api/v1/problems/{}/versions", self.slug);
        let saved = self.engineer.post(&versions, document.clone()).await.done();
        let version = format!("{versions}/{}", saved["version"]);
        self.engineer.post(&format!("{version}/submit"), json!({})).await.done();
        self.stakeholder.decide(&version, "approve", saved["digest"].as_str().unwrap()).await.done();
    }

    async fn train(&self, seed: u64) {
        let trainer = json!({ "trainer": "logistic", "seed": seed });
        let run = self.app.run(&self.engineer, self.slug, trainer).await;
        assert_eq!(run.body["state"], "succeeded", "{}", run.body["failure"]);
    }

    async fn approve(&self, number: i32) {
        let path = format!("/api/v1/models/{}/versions/{number}", self.slug);
        let model = self.stakeholder.get(&path).await.done();
        self.stakeholder.decide(&path, "approve", model["digest"].as_str().unwrap()).await.done();
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/v1/deployments/{}{rest}", self.slug)
    }

    async fn roll_out(&self, number: i32) -> millrace_test_support::Answer {
        self.engineer.post(&self.path("/rollouts"), json!({ "version": number, "reason": "test" })).await
    }

    async fn now(&self) -> Value {
        self.engineer.get(&self.path("")).await.done()
    }

    /// Asks about things; gives the whole answer.
    async fn ask(&self, numbers: &[u32]) -> millrace_test_support::Answer {
        let instance = |number: &u32| {
            let (x, y, _) = thing(*number);
            json!({ "entity": format!("t{number}"), "x": x, "y": y })
        };
        let instances: Vec<Value> = numbers.iter().map(instance).collect();
        self.caller.post(&format!("/v1/models/{}:predict", self.slug), json!({ "instances": instances })).await
    }

    /// Asks about things and says what became of them; gives which version answered each.
    async fn traffic(&self, numbers: &[u32]) -> BTreeMap<u32, i64> {
        let answer = self.ask(numbers).await.done();
        let whole = answer["model_version"].as_i64().unwrap();
        let predictions = answer["predictions"].as_array().unwrap();
        let outcomes: Vec<Value> = predictions
            .iter()
            .zip(numbers)
            .map(|(prediction, number)| json!({ "id": prediction["id"], "label": thing(*number).2 }))
            .collect();
        let outcome = format!("/v1/models/{}:outcome", self.slug);
        let report = self.caller.post(&outcome, json!({ "outcomes": outcomes })).await.done();
        assert_eq!(report["accepted"], numbers.len(), "{report}");
        let by = predictions.iter().map(|prediction| prediction["model_version"].as_i64().unwrap_or(whole));
        numbers.iter().copied().zip(by).collect()
    }

    async fn answering(&self, version: i64) {
        for _ in 0..600 {
            let answer = self.ask(&[1]).await;
            if answer.status == 200 && answer.body["model_version"] == version {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("version {version} does not answer; the server said: {}", self.app.said());
    }

    /// Waits until the deployment is as wanted.
    async fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..1_200 {
            let now = self.now().await;
            if wanted(&now) {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{what} did not come; it is {}; the server said: {}", self.now().await, self.app.said());
    }

    /// Evidence of a step in which everything went well, past the server.
    async fn all_went_well(&self) {
        let step = "(select id, step from rollout where ended_at is null)";
        self.app
            .sql(&format!(
                "insert into rollout_unit (rollout_id, step, unit, candidate, control, labelled, difference, control_loss)
                 select r.id, r.step, n, 1, 1, 1, case when n % 2 = 0 then 0.001 else -0.001 end, 0.1
                 from {step} r, generate_series(1, 3000) n on conflict do nothing"
            ))
            .await;
        self.app
            .sql(&format!(
                "insert into rollout_tally (rollout_id, step, arm, measure, bin, n)
                 select r.id, r.step, arm, 'score', bin, 300
                 from {step} r, generate_series(1, 10) bin, (values ('candidate'), ('control')) arms (arm)
                 on conflict do nothing"
            ))
            .await;
    }

    /// Rolls a version out in which everything goes well, all the way.
    async fn arrives(&self, number: i32) -> Value {
        self.roll_out(number).await.done();
        for _ in 0..3 {
            self.all_went_well().await;
            self.app.services.look_at_rollouts().await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.until("full", |now| now["champion"] == number && now["rollout"].is_null()).await
    }

    async fn answering_after_restart(&self) {
        for _ in 0..600 {
            if self.ask(&[1]).await.status == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nobody answers; the server said: {}", self.app.said());
    }

    /// The file that keeps a version's bytes.
    async fn artifact(&self, number: i32) -> std::path::PathBuf {
        let model = self.engineer.get(&format!("/api/v1/models/{}/versions/{number}", self.slug)).await.done();
        let (first, rest) = model["artifact"].as_str().unwrap().split_at(2);
        self.app.home().join("artifacts").join(first).join(rest)
    }

    async fn remove(self) {
        let broken = millrace_storage::invariant::first_violation(self.app.services.db().pool()).await.unwrap();
        assert_eq!(broken, None);
        self.app.remove().await;
    }
}

fn quick() -> Value {
    json!({
        "shadow": { "min_predictions": 300, "min_duration": "1s" },
        "canary": { "percent": 40.0, "min_predictions": 300, "min_duration": "1s" },
        "watch": { "min_predictions": 100, "min_duration": "1s" }
    })
}

fn kinds(deployment: &Value) -> Vec<String> {
    let history = deployment["history"].as_array().unwrap();
    history.iter().rev().map(|change| change["kind"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_good_candidate_goes_past_shadow_and_canary_to_everybody_and_whoever_has_it_keeps_it() {
    let stage = Stage::set("arrives", quick(), &[]).await;
    let begun = stage.roll_out(2).await.done();
    assert_eq!((&begun["stage"], &begun["champion"], &begun["candidate"]), (&json!("shadow"), &json!(1), &json!(2)));
    let mut by_canary: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
    for round in 0..400u32 {
        let stage_now = stage.now().await["stage"].as_str().unwrap().to_owned();
        let numbers: Vec<u32> = (0..100).map(|n| (round % 20) * 100 + n).collect();
        let answered = stage.traffic(&numbers).await;
        match stage_now.as_str() {
            "shadow" => {
                assert!(answered.values().all(|version| *version == 1) || stage.now().await["stage"] != "shadow")
            }
            "canary" => answered.into_iter().for_each(|(number, by)| by_canary.entry(number).or_default().push(by)),
            _ => {}
        }
        if stage.now().await["rollout"].is_null() {
            break;
        }
    }
    let now = stage.now().await;
    assert_eq!(kinds(&now), ["deploy", "shadow", "canary", "full", "settled"], "{now}");
    assert_eq!((&now["champion"], &now["stage"]), (&json!(2), &json!("full")));
    // Once version 2 was seen, a thing never goes back to version 1.
    let with_candidate = by_canary.values().filter(|by| by.contains(&2)).count();
    assert!(with_candidate > 0, "nobody had the candidate: {by_canary:?}");
    for (number, by) in &by_canary {
        assert!(by.is_sorted(), "t{number} went back and forth: {by:?}");
    }
    // A receipt tells which of the two answered, what the other one says, and what became of it.
    let stored = "select id::text from prediction where arm = 'candidate' and model_version_id =
        (select candidate_id from rollout) and step = 1 limit 1";
    let id = stage.app.text(stored).await;
    let receipt = stage.engineer.get(&format!("/api/v1/predictions/{id}")).await.done();
    assert_eq!((&receipt["model_version"], &receipt["arm"]), (&json!(2), &json!("candidate")), "{receipt}");
    assert_eq!(receipt["counterpart"]["model_version"], 1, "{receipt}");
    assert!(receipt["label"].is_boolean() && receipt["generation"] == 3, "{receipt}");
    let replayed = stage.engineer.get(&format!("/api/v1/predictions/{id}/replay")).await.done();
    assert_eq!(replayed["same"], true, "{replayed}");
    stage.app.sql("update prediction set output = output::jsonb || '{\"score\": 0.123}' where arm = 'candidate'").await;
    let changed = stage.engineer.get(&format!("/api/v1/predictions/{id}/replay")).await.done();
    assert_eq!((&changed["same"], &changed["differences"][0]["what"]), (&json!(false), &json!("answer")), "{changed}");
    // Every step that nobody took shows what it was decided on.
    let canary = stage.engineer.get(&stage.path("/changes/3")).await.done();
    assert_eq!(canary["change"]["by"], Value::Null);
    let verdicts: Vec<&str> =
        canary["checks"].as_array().unwrap().iter().map(|check| check["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["pass"; 5], "{canary}");
    // How the evidence grew is kept look by look, up to the one that it was decided on.
    let looks = canary["rollout"]["looks"].as_array().unwrap();
    let steps: Vec<i64> = looks.iter().map(|look| look["step"].as_i64().unwrap()).collect();
    assert!(steps.is_sorted() && [0, 1, 2].iter().all(|step| steps.contains(step)), "{steps:?}");
    let last_of_shadow = looks.iter().rfind(|look| look["step"] == 0).unwrap();
    assert!(last_of_shadow["checks"].as_array().unwrap().iter().all(|check| check["verdict"] == "pass"), "{looks:?}");
    let times: Vec<&str> = looks.iter().map(|look| look["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let many = "insert into rollout_look (rollout_id, step, slot, looked_at, checks)
        select id, 2, 1000 + i, now() + make_interval(secs => i), '[]' from rollout, generate_series(1, 500) i";
    stage.app.sql(many).await;
    let thinned = stage.engineer.get(&stage.path("/changes/3")).await.done()["rollout"]["looks"].clone();
    let ends = (&thinned[0], stage.app.text("select max(looked_at)::text from rollout_look").await);
    assert!((20..=42).contains(&thinned.as_array().unwrap().len()) && ends.0 == &looks[0], "{thinned}");
    let newest = thinned.as_array().unwrap().last().unwrap()["at"].as_str().unwrap().replace('T', " ");
    assert_eq!(newest[..19], ends.1[..19]);
    stage.app.sql("delete from rollout_look where slot > 1000").await;
    let (_, page) = stage.engineer.page("/deployments/arrives/changes/3").await;
    assert!(page.contains("How the evidence grew") && page.contains(", shown, n = "), "{page}");
    assert_eq!(stage.app.count("select count(*) from audit where actor = 'rollout'").await, 3);
    // What was superseded can be brought back.
    let back = stage.on_call.post(&stage.path("/rollback"), json!({ "reason": "test" })).await.done();
    assert_eq!(back["champion"], 1);
    stage.remove().await;
}

#[tokio::test]
async fn a_candidate_that_fails_in_the_shadow_is_taken_back_by_itself_and_on_call_is_told_why() {
    let stage = Stage::set("fails", quick(), &[("MILLRACE_FAILPOINT", "candidate:fail")]).await;
    stage.roll_out(2).await.done();
    let mut now = Value::Null;
    for round in 0..100u32 {
        let numbers: Vec<u32> = (0..50).map(|n| round * 50 + n).collect();
        assert!(stage.traffic(&numbers).await.values().all(|version| *version == 1));
        now = stage.now().await;
        if now["rollout"].is_null() {
            break;
        }
    }
    assert_eq!(kinds(&now), ["deploy", "shadow", "rollback"], "{now}");
    let reason = now["history"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("failures"), "{reason}");
    let letter = stage.app.letter("oncall@example.org", "rollout").await;
    assert!(letter.subject.contains("version 2") && letter.text.contains("rolled back"), "{letter:?}");
    let model = stage.engineer.get("/api/v1/models/fails/versions/2").await.done();
    assert_eq!(model["summary"]["stage"], "rolled_back");
    stage.remove().await;
}

#[tokio::test]
async fn a_candidate_that_panics_hangs_or_takes_much_memory_costs_no_caller_an_answer_and_is_taken_back() {
    let straight_to_canary = json!({
        "shadow": { "min_predictions": 0, "min_duration": "0s" },
        "canary": { "percent": 50.0, "min_predictions": 100_000, "min_duration": "1h" }
    });
    let mut stage = Stage::set("hurts", straight_to_canary, &[]).await;
    for trouble in ["candidate:panic", "candidate:allocate", "candidate:hang"] {
        stage.app.restart(&[("MILLRACE_FAILPOINT", trouble)]).await.unwrap();
        stage.caller = stage.app.token(&stage.engineer, &[Scope::Predict]).await.unwrap();
        stage.engineer = stage.app.sign_in(stage.engineer.clone()).await.unwrap();
        stage.answering_after_restart().await;
        stage.roll_out(2).await.done();
        let mut now = stage.now().await;
        for number in 0..60u32 {
            let answer = stage.ask(&[number * 2, number * 2 + 1]).await;
            assert_eq!((answer.status, &answer.body["model_version"]), (200, &json!(1)), "{trouble} {}", answer.body);
            let predictions = answer.body["predictions"].as_array().unwrap();
            assert!(predictions.iter().all(|one| one["model_version"].is_null()), "{trouble} {}", answer.body);
            now = stage.now().await;
            if now["rollout"].is_null() {
                break;
            }
        }
        // It is to blame for everything that waits behind it, and is taken back for it.
        now = if now["rollout"].is_null() { now } else { stage.until(trouble, |now| now["rollout"].is_null()).await };
        let reason = now["history"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("it failed: failures"), "{trouble}: {reason}");
    }
    stage.remove().await;
}

#[tokio::test]
async fn what_nobody_asked_for_long_enough_is_taken_back_at_the_deadline() {
    let shown = json!({ "min_predictions": 300, "min_duration": "1s" });
    let rollout = json!({ "shadow": shown, "canary": shown, "deadline": "2s" });
    let stage = Stage::set("unasked", rollout, &[]).await;
    stage.roll_out(2).await.done();
    let now = stage.until("the end of the rollout", |now| now["rollout"].is_null()).await;
    assert_eq!(kinds(&now), ["deploy", "shadow", "rollback"]);
    let reason = now["history"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("within its deadline") && reason.contains("evidence"), "{reason}");
    assert_eq!(now["champion"], 1);
    stage.remove().await;
}

/// A canary whose business metric is compared; straight to it.
async fn earning(slug: &'static str) -> Stage {
    let rollout = json!({
        "shadow": { "min_predictions": 0, "min_duration": "0s" },
        "canary": { "percent": 40.0, "min_predictions": 200, "min_duration": "1s" },
        "watch": { "min_predictions": 50, "min_duration": "1s" },
    });
    let mut document = document(slug, rollout);
    document["business"] = json!({ "name": "revenue", "unit": "USD", "margin": 0.1 });
    Stage::set_with(slug, document, &[]).await
}

/// Traffic of which every prediction earns what `earns` says of the version that answered; until the rollout has ended.
async fn until_earned(stage: &Stage, earns: impl Fn(i64) -> f64) -> Value {
    let mut now = stage.now().await;
    for round in 0..200u32 {
        let numbers: Vec<u32> = (0..100).map(|n| (round % 20) * 100 + n).collect();
        let answer = stage.ask(&numbers).await.done();
        let whole = answer["model_version"].as_i64().unwrap();
        let (mut outcomes, mut values) = (Vec::new(), Vec::new());
        for (prediction, number) in answer["predictions"].as_array().unwrap().iter().zip(&numbers) {
            outcomes.push(json!({ "id": prediction["id"], "label": thing(*number).2 }));
            let noise = f64::from(number % 5) - 2.0;
            let value = earns(prediction["model_version"].as_i64().unwrap_or(whole)) + noise;
            values.push(json!({ "value": value, "prediction": prediction["id"] }));
        }
        let outcome = format!("/v1/models/{}:outcome", stage.slug);
        stage.caller.post(&outcome, json!({ "outcomes": outcomes })).await.done();
        let taken = stage.engineer.post(&stage.path("/business"), json!({ "values": values })).await.done();
        assert_eq!(taken, json!({ "accepted": 100, "unknown": 0 }));
        now = stage.now().await;
        if now["rollout"].is_null() {
            break;
        }
    }
    now
}

#[tokio::test]
async fn a_candidate_whose_answers_earn_less_is_taken_back() {
    let stage = earning("poorer").await;
    stage.roll_out(2).await.done();
    let now = until_earned(&stage, |version| if version == 2 { 7.0 } else { 10.0 }).await;
    assert_eq!(kinds(&now), ["deploy", "canary", "rollback"], "{now}");
    let reason = now["history"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("business"), "{reason}");
    let change = stage.engineer.get(&stage.path("/changes/3")).await.done();
    let checks = change["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "business").unwrap();
    assert!((check["observed"].as_f64().unwrap() - 3.0).abs() < 0.5 && check["verdict"] == "fail", "{check}");
    stage.remove().await;
}

#[tokio::test]
async fn a_candidate_whose_answers_earn_as_much_arrives_and_values_of_no_prediction_say_nothing_of_it() {
    let stage = earning("as-rich").await;
    stage.roll_out(2).await.done();
    let stranger = "00000000-0000-4000-8000-000000000000";
    let values = json!({ "values": [{ "value": 1.0 }, { "value": 2.0, "prediction": stranger }] });
    let taken = stage.engineer.post(&stage.path("/business"), values).await.done();
    assert_eq!(taken, json!({ "accepted": 1, "unknown": 1 }));
    // Sent again under its key, as a client does that heard no answer, a report is taken once.
    for _ in 0..2 {
        let request = stage.engineer.request(Method::POST, &stage.path("/business")).header("idempotency-key", "one");
        let again = stage.engineer.send(request.json(&json!({ "values": [{ "value": 3.0 }] }))).await.done();
        assert_eq!(again["accepted"], 1);
    }
    assert_eq!(stage.app.count("select count(*) from business_value where value = 3").await, 1);
    let now = until_earned(&stage, |_| 10.0).await;
    assert_eq!(kinds(&now), ["deploy", "canary", "full", "settled"], "{now}");
    let change = stage.engineer.get(&stage.path("/changes/3")).await.done();
    let checks = change["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "business").unwrap();
    assert_eq!(check["verdict"], "pass", "{check}");
    stage.remove().await;
}

#[tokio::test]
async fn a_rollback_wins_over_a_step_that_is_under_way_two_hundred_times() {
    let rollout = json!({
        "shadow": { "min_predictions": 0, "min_duration": "0s" },
        "canary": { "percent": 5.0, "steps": [25.0], "min_predictions": 1, "min_duration": "0s" }
    });
    let stage = Stage::set("races", rollout, &[]).await;
    let steps = async || {
        let of_nobody = "select count(*) from deployment_change where kind = 'canary' and account_id is null";
        stage.app.count(of_nobody).await
    };
    // Whoever was later the last time begins earlier the next, ever more so, so that both come first by turns on any machine.
    let (mut ahead, mut nudge, mut stepped) = (0_i64, 2_i64, 0);
    let later = |milliseconds: i64| tokio::time::sleep(Duration::from_millis(milliseconds.max(0).unsigned_abs()));
    for round in 0..200 {
        let begun = stage.roll_out(2).await.done();
        assert_eq!(begun["stage"], "canary", "round {round}");
        stage.all_went_well().await;
        let back = json!({ "reason": "race", "generation": begun["generation"] });
        let path = stage.path("/rollback");
        let looked = async {
            later(-ahead).await;
            stage.app.services.look_at_rollouts().await
        };
        let pressed = async {
            later(ahead).await;
            stage.on_call.post(&path, back).await
        };
        let (looked, back) = tokio::join!(looked, pressed);
        assert!(looked.unwrap().iter().all(|(_, fault)| fault.status == 409), "round {round}");
        assert_eq!((back.status, &back.body["champion"]), (200, &json!(1)), "round {round} {}", back.body);
        assert!(stage.app.services.look_at_rollouts().await.unwrap().is_empty());
        let now = stage.now().await;
        assert!(
            now["rollout"].is_null() && now["candidate_percent"] == 0.0 && now["champion"] == 1,
            "round {round} {now}"
        );
        let so_far = steps().await;
        let way = if so_far == stepped { 1 } else { -1 };
        nudge = if nudge.signum() == way { (2 * nudge).clamp(-256, 256) } else { 2 * way };
        ahead += nudge;
        stepped = so_far;
    }
    assert!((1..200).contains(&stepped), "{stepped} of 200 steps came before the rollback");
    stage.remove().await;
}

#[tokio::test]
async fn no_candidate_answers_a_second_after_the_rollback_and_pressing_twice_is_pressing_once() {
    let rollout = json!({
        "shadow": { "min_predictions": 0, "min_duration": "0s" },
        "canary": { "percent": 50.0, "min_predictions": 100_000, "min_duration": "1h" }
    });
    let stage = Stage::set("pressed", rollout, &[]).await;
    let begun = stage.roll_out(2).await.done();
    let things: Vec<u32> = (0..20).collect();
    let mut had_it = false;
    for _ in 0..100 {
        had_it = stage.traffic(&things).await.values().any(|version| *version == 2);
        if had_it {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(had_it, "nobody ever had the candidate");
    let request = json!({ "reason": "scores look wrong", "generation": begun["generation"] });
    let pressed = Instant::now();
    let first = stage.on_call.post(&stage.path("/rollback"), request.clone()).await.done();
    let second = stage.on_call.post(&stage.path("/rollback"), request).await.done();
    assert_eq!(first["generation"], second["generation"]);
    let mut last_of_candidate = None;
    while pressed.elapsed() < Duration::from_secs(3) {
        let answer = stage.ask(&things).await.done();
        let is_candidates = |one: &Value| one["model_version"] == 2;
        if is_candidates(&answer) || answer["predictions"].as_array().unwrap().iter().any(is_candidates) {
            last_of_candidate = Some(pressed.elapsed());
        }
    }
    assert!(last_of_candidate.is_none_or(|last| last < Duration::from_secs(1)), "{last_of_candidate:?}");
    stage.remove().await;
}

#[tokio::test]
async fn callers_are_answered_by_a_live_version_through_twenty_cycles_of_switching() {
    let rollout = json!({
        "shadow": { "min_predictions": 1, "min_duration": "0s" },
        "canary": { "percent": 5.0, "min_predictions": 1, "min_duration": "0s" },
        "watch": { "min_predictions": 1, "min_duration": "0s" }
    });
    let stage = Stage::set("switches", rollout, &[]).await;
    let stop = std::sync::atomic::AtomicBool::new(false);
    let load = async {
        let (mut sent, mut refused) = (0u32, Vec::new());
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            let answer = stage.ask(&[sent]).await;
            if answer.status != 200 || !matches!(answer.body["model_version"].as_i64(), Some(1 | 2)) {
                refused.push(answer.body);
            }
            sent += 1;
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        (sent, refused)
    };
    let cycles = async {
        for cycle in 0..20 {
            let now = stage.arrives(2).await;
            assert_eq!(now["stage"], "full", "cycle {cycle}");
            stage.on_call.post(&stage.path("/rollback"), json!({ "reason": "next cycle" })).await.done();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    let ((sent, refused), ()) = tokio::join!(load, cycles);
    assert!(sent > 200, "{sent} requests are too few to show anything");
    assert_eq!(refused, Vec::<Value>::new(), "of {sent}");
    stage.remove().await;
}

#[tokio::test]
async fn no_door_leads_past_what_has_to_be_shown_and_each_refusal_is_written_down() {
    let stage = Stage::set("doors", quick(), &[]).await;
    stage.train(3).await;
    let refused =
        |answer: millrace_test_support::Answer| (answer.status, answer.body["code"].as_str().unwrap_or("").to_owned());
    let conflict = |code: &str| (409, code.to_owned());
    assert_eq!(refused(stage.roll_out(3).await), conflict("not_approved"));
    assert_eq!(refused(stage.roll_out(99).await), conflict("not_registered"));
    assert_eq!(refused(stage.roll_out(1).await), conflict("already_live"));
    let advance = |generation: Value| json!({ "generation": generation, "reason": "test" });
    let path = stage.path("/advance");
    assert_eq!(refused(stage.engineer.post(&path, advance(json!(1))).await), conflict("no_rollout"));
    let begun = stage.roll_out(2).await.done();
    assert_eq!(refused(stage.roll_out(2).await), conflict("rollout_under_way"));
    assert_eq!(refused(stage.engineer.post(&path, advance(json!(1))).await), conflict("changed_meanwhile"));
    let early = stage.engineer.post(&path, advance(begun["generation"].clone())).await;
    assert_eq!(refused(early), conflict("not_enough_evidence"));
    for person in [&stage.on_call, &stage.stakeholder] {
        assert_eq!(person.post(&path, advance(begun["generation"].clone())).await.status, 403);
        assert_eq!(person.post(&stage.path("/pause"), json!({})).await.status, 403);
    }
    let written = "select count(*) from audit where outcome = 'refused' and action in
        ('deployment.rollout', 'deployment.advance')";
    assert_eq!(stage.app.count(written).await, 7);
    // A hand at the database is stopped by the schema.
    for statement in [
        "insert into rollout (problem_id, candidate_id, champion_id, plan, step, state, account_id, reason, started_at)
         select m.problem_id, m.id, (select id from model_version where number = 1), '{}', 0, 'running', 1, '', now()
         from model_version m where m.number = 3",
        "update rollout set step = step + 2",
        "update rollout set candidate_id = (select id from model_version where number = 3)",
        "update deployment set percent = 50",
        "update deployment set stage = 'canary', percent = 80",
        "update model_version set stage = 'live' where number = 3",
    ] {
        assert!(stage.app.try_sql(statement).await.is_err(), "{statement}");
    }
    stage.remove().await;
}

#[tokio::test]
async fn clients_of_mlflows_registry_see_versions_and_come_past_no_gate() {
    let stage = Stage::set("registry", quick(), &[]).await;
    stage.train(3).await;
    let client = stage.app.token(&stage.engineer, &[Scope::Read, Scope::Launch, Scope::Deploy]).await.unwrap();
    let get = async |path: &str| client.get(&format!("/api/2.0/mlflow/{path}")).await;
    let post = async |path: &str, body: Value| client.post(&format!("/api/2.0/mlflow/{path}"), body).await;
    let model = get("registered-models/get?name=registry").await.done()["registered_model"].clone();
    assert_eq!(model["aliases"], json!([{ "alias": "champion", "version": "1" }]));
    let latest: Vec<_> = model["latest_versions"].as_array().unwrap().iter().collect();
    let seen: Vec<_> = latest.iter().map(|one| (&one["version"], &one["current_stage"])).collect();
    assert_eq!(seen, [(&json!("3"), &json!("None")), (&json!("1"), &json!("Production"))]);
    let champion = get("registered-models/alias?name=registry&alias=champion").await.done()["model_version"].clone();
    assert_eq!((&champion["version"], &champion["aliases"]), (&json!("1"), &json!(["champion"])));
    let found = get("model-versions/search?filter=name%3D'registry'").await.done();
    assert_eq!(found["model_versions"].as_array().unwrap().len(), 3);
    let of_run = format!("model-versions/search?filter=run_id%3D'{}'", champion["run_id"].as_str().unwrap());
    assert_eq!(get(&of_run).await.done()["model_versions"][0]["version"], "1");
    // As their client sends it, which leaves its prompts out.
    let search = "registered-models/search?filter=name%20LIKE%20'reg%25'%20AND%20tag.%60mlflow.prompt.is_prompt%60%20!%3D%20'true'";
    assert_eq!(get(search).await.done()["registered_models"][0]["name"], "registry");
    let uri = get("model-versions/get-download-uri?name=registry&version=1").await.done();
    let kept = uri["artifact_uri"].as_str().unwrap().trim_start_matches("mlflow-artifacts:/").to_owned();
    let listed = client.get(&format!("/api/2.0/mlflow-artifacts/artifacts?path={kept}")).await.done();
    assert!(listed["files"].as_array().unwrap().iter().any(|file| file["path"] == "model"), "{listed}");
    let (status, bytes) = client.page(&format!("/api/2.0/mlflow-artifacts/artifacts/{kept}/model")).await;
    assert!(status == 200 && !bytes.is_empty(), "{kept}");

    let one = |version: &str| json!({ "name": "registry", "version": version, "stage": "Production" });
    let alias = |alias: &str, version: &str| json!({ "name": "registry", "alias": alias, "version": version });
    let refusals = [
        ("model-versions/transition-stage", one("3"), 409, "RESOURCE_CONFLICT", "approved"),
        ("model-versions/transition-stage", one("99"), 404, "RESOURCE_DOES_NOT_EXIST", "version"),
        (
            "model-versions/create",
            json!({ "name": "registry", "source": "s3://elsewhere" }),
            409,
            "RESOURCE_CONFLICT",
            "runs",
        ),
        ("registered-models/alias", alias("champion", "3"), 409, "RESOURCE_CONFLICT", "follows the deployment"),
        ("registered-models/create", json!({ "name": "registry" }), 400, "RESOURCE_ALREADY_EXISTS", "exists"),
    ];
    for (path, body, status, code, why) in refusals {
        let refused = post(path, body).await;
        let told = (refused.status, refused.body["error_code"].as_str().unwrap_or_default());
        assert_eq!(told, (status, code), "{path}: {}", refused.body);
        assert!(refused.body["message"].as_str().unwrap().contains(why), "{path}: {}", refused.body);
    }
    let deleted = client.request(reqwest::Method::DELETE, "/api/2.0/mlflow/model-versions/delete");
    let deleted = deleted.json(&json!({ "name": "registry", "version": "1" })).send().await.unwrap();
    assert_eq!(deleted.status().as_u16(), 409);
    let written = "select count(*) from audit where outcome = 'refused' and action in
        ('deployment.rollout', 'model.register', 'model.alias', 'model.delete')";
    assert_eq!(stage.app.count(written).await, 5);
    let reader = stage.app.token(&stage.engineer, &[Scope::Read]).await.unwrap();
    assert_eq!(reader.post("/api/2.0/mlflow/model-versions/transition-stage", one("2")).await.status, 403);

    // What may be moved is: an alias of one's own, and an approved version on its way, past shadow like by every other door.
    post("registered-models/alias", alias("blessed", "3")).await.done();
    let blessed = get("registered-models/alias?name=registry&alias=blessed").await.done();
    assert_eq!(blessed["model_version"]["version"], "3");
    let begun = post("model-versions/transition-stage", one("2")).await.done();
    assert_eq!(begun["model_version"]["aliases"], json!(["candidate"]));
    let now = stage.now().await;
    assert_eq!((&now["stage"], &now["champion"]), (&json!("shadow"), &json!(1)));
    stage.remove().await;
}

#[tokio::test]
async fn a_paused_rollout_waits_for_somebody_and_says_so() {
    let stage = Stage::set("pauses", quick(), &[]).await;
    stage.roll_out(2).await.done();
    assert_eq!(stage.engineer.post(&stage.path("/pause"), json!({ "reason": "holiday" })).await.status, 204);
    stage.all_went_well().await;
    let now = stage.until("the question", |now| !now["rollout"]["may_advance"]["allowed"].eq(&json!(false))).await;
    assert_eq!((&now["stage"], &now["rollout"]["state"]), (&json!("shadow"), &json!("paused")));
    assert!(now["rollout"]["waits_for"].as_str().unwrap().contains("paused"), "{now}");
    assert_eq!(now["rollout"]["paused"][1], "holiday", "{now}");
    let advance = json!({ "generation": now["generation"], "reason": "back from holiday" });
    stage.engineer.post(&stage.path("/advance"), advance).await.done();
    assert_eq!(stage.now().await["stage"], "canary");
    stage.remove().await;
}

#[tokio::test]
async fn damaged_bytes_are_refused_before_use_told_once_and_cost_no_answer() {
    let rollout = json!({
        "shadow": { "min_predictions": 0, "min_duration": "0s" },
        "canary": { "percent": 50.0, "min_predictions": 100_000, "min_duration": "1h" }
    });
    let mut stage = Stage::set("damaged", rollout, &[]).await;
    let file = stage.artifact(2).await;
    let whole = std::fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [flipped.clone(), whole[..whole.len() - 1].to_vec(), Vec::new()] {
        std::fs::write(&file, damaged).unwrap();
        let refused = stage.roll_out(2).await;
        assert_eq!((refused.status, refused.code()), (409, "artifact_corrupt"), "{}", refused.body);
    }
    std::fs::remove_file(&file).unwrap();
    assert_eq!(stage.roll_out(2).await.code(), "artifact_corrupt");
    std::fs::write(&file, &whole).unwrap();
    stage.roll_out(2).await.done();
    std::fs::write(&file, flipped).unwrap();
    for _ in 0..3 {
        assert_eq!(stage.app.services.check_live_artifacts().await.unwrap(), 1);
    }
    assert_eq!(stage.app.count("select count(*) from audit where action = 'model.artifact_corrupt'").await, 1);
    assert!(stage.app.letter("oncall@example.org", "artifact_corrupt").await.subject.contains("version 2"));
    // A server that starts now does not have the candidate; everybody is answered by the champion.
    stage.app.restart(&[]).await.unwrap();
    stage.caller = stage.app.token(&stage.engineer, &[Scope::Predict]).await.unwrap();
    let things: Vec<u32> = (0..40).collect();
    let answer = stage.ask(&things).await.done();
    assert_eq!(answer["model_version"], 1);
    assert!(answer["predictions"].as_array().unwrap().iter().all(|one| one["model_version"].is_null()), "{answer}");
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(stage.app.services.check_live_artifacts().await.unwrap(), 0);
    stage.app.remove().await;
}

#[tokio::test]
async fn a_rollback_reaches_every_server_within_a_second_though_no_mail_goes_out() {
    let rollout = json!({
        "shadow": { "min_predictions": 0, "min_duration": "0s" },
        "canary": { "percent": 50.0, "min_predictions": 100_000, "min_duration": "1h" }
    });
    let mut stage = Stage::set("alone", rollout, &[]).await;
    let nowhere = [("MILLRACE_SMTP_URL", "smtp://127.0.0.1:9"), ("MILLRACE_BASE_URL", "http://127.0.0.1:8080")];
    stage.app.restart(&nowhere).await.unwrap();
    let other = stage.app.another_server().await.unwrap();
    let caller = stage.app.token(&stage.engineer, &[Scope::Predict]).await.unwrap().at(&other);
    let instances: Vec<Value> =
        (0..40).map(|number| json!({ "entity": format!("t{number}"), "x": 1.0, "y": 1.0 })).collect();
    let with_candidate = || async {
        let answer = caller.post("/v1/models/alone:predict", json!({ "instances": instances })).await.done();
        answer["predictions"].as_array().unwrap().iter().any(|one| one["model_version"] == 2)
    };
    let on_call = stage.app.sign_in(stage.on_call.clone()).await.unwrap();
    let engineer = stage.app.sign_in(stage.engineer.clone()).await.unwrap();
    engineer.post(&stage.path("/rollouts"), json!({ "version": 2, "reason": "test" })).await.done();
    let mut reached = false;
    for _ in 0..600 {
        reached = with_candidate().await;
        if reached {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(reached, "the other server never had the candidate");
    let pressed = Instant::now();
    on_call.post(&stage.path("/rollback"), json!({ "reason": "test" })).await.done();
    let answered = pressed.elapsed();
    assert!(answered < Duration::from_secs(2), "{answered:?}");
    let mut last = Duration::ZERO;
    while pressed.elapsed() < Duration::from_secs(2) {
        if with_candidate().await {
            last = pressed.elapsed();
        }
    }
    assert!(last < Duration::from_secs(1), "{last:?}");
    drop(other);
    stage.app.remove().await;
}
