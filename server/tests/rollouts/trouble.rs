//! The way back when much else is broken, and a server that stops under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use millrace_domain::policy::Scope;
use millrace_test_support::{Answer, Person, Wire, things};
use serde_json::{Value, json};

use super::{Stage, document, quick};

/// A rollback may take so long whatever else is wrong.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Version 2 answers a quarter of the units.
async fn in_canary(slug: &'static str) -> Stage {
    let rollout = json!({
        "shadow": { "min_predictions": 0, "min_duration": "0s" },
        "canary": { "percent": 25.0, "min_predictions": 100_000, "min_duration": "1h" }
    });
    let stage = Stage::set(slug, rollout, &[]).await;
    stage.roll_out(2).await.done();
    stage.until("canary", |now| now["stage"] == "canary").await;
    stage
}

async fn pressed(stage: &Stage, by: &Person) -> (Answer, Duration) {
    let pressed = Instant::now();
    let answer = by.post(&stage.path("/rollback"), json!({ "reason": "test" })).await;
    (answer, pressed.elapsed())
}

async fn is_back(stage: &Stage, by: &Person) {
    let (answer, took) = pressed(stage, by).await;
    assert_eq!(answer.done()["champion"], 1);
    assert!(took < AT_ONCE, "{took:?}");
    let now = by.get(&stage.path("")).await.done();
    assert_eq!((&now["champion"], &now["candidate"]), (&json!(1), &Value::Null));
}

#[tokio::test]
async fn a_rollback_needs_no_artifact_store() {
    let stage = in_canary("nostore").await;
    let store = stage.app.home().join("artifacts");
    std::fs::rename(&store, stage.app.home().join("gone")).unwrap();
    std::fs::write(&store, "in its place").unwrap();
    is_back(&stage, &stage.on_call).await;
    stage.answering(1).await;
    stage.app.remove().await;
}

/// Steps that ask for nothing but that all went well.
fn at_once() -> Value {
    let nothing = json!({ "min_predictions": 1, "min_duration": "0s" });
    json!({ "shadow": nothing, "canary": { "percent": 40.0, "min_predictions": 1, "min_duration": "0s" }, "watch": nothing })
}

#[tokio::test]
async fn a_rollback_of_what_has_arrived_needs_no_artifact_store_and_sent_again_without_a_generation_it_happens_once() {
    let stage = Stage::set("arrived", at_once(), &[]).await;
    stage.arrives(2).await;
    stage.answering(2).await;
    taken_back_without_the_store(stage).await;
}

#[tokio::test]
async fn a_server_that_was_started_since_knows_the_way_back_too() {
    let mut stage = Stage::set("restarted", at_once(), &[]).await;
    stage.arrives(2).await;
    stage.app.restart(&[]).await.unwrap();
    stage.caller = stage.app.token(&stage.engineer, &[Scope::Predict]).await.unwrap();
    stage.engineer = stage.app.sign_in(stage.engineer.clone()).await.unwrap();
    stage.on_call = stage.app.sign_in(stage.on_call.clone()).await.unwrap();
    stage.answering(2).await;
    // What answers is loaded first, and what answered before right after it.
    tokio::time::sleep(Duration::from_secs(5)).await;
    taken_back_without_the_store(stage).await;
}

async fn taken_back_without_the_store(stage: Stage) {
    let store = stage.app.home().join("artifacts");
    std::fs::rename(&store, stage.app.home().join("gone")).unwrap();
    std::fs::write(&store, "in its place").unwrap();

    is_back(&stage, &stage.on_call).await;
    let pressed = Instant::now();
    stage.answering(1).await;
    assert!(pressed.elapsed() < AT_ONCE, "{:?}", pressed.elapsed());

    is_back(&stage, &stage.on_call).await;
    let kinds = super::kinds(&stage.now().await);
    assert_eq!(kinds.iter().filter(|kind| *kind == "rollback").count(), 1, "{kinds:?}");
    stage.app.remove().await;
}

#[tokio::test]
async fn callers_who_send_what_another_version_reads_are_turned_away_neither_by_a_rollback_nor_by_what_arrives() {
    let stage = Stage::set("wider", at_once(), &[]).await;
    let csv = String::from_utf8(things(4_000)).unwrap();
    let wider: Vec<String> = csv
        .lines()
        .enumerate()
        .map(|(row, line)| match row {
            0 => format!("{line},z"),
            _ => format!("{line},{}", row % 13),
        })
        .collect();
    let mut document = super::document("wider", at_once());
    stage.app.load(&stage.engineer, "wider", "wider.csv", wider.join("\n").into_bytes()).await;
    document["features"] = json!([{ "name": "x" }, { "name": "y" }, { "name": "z" }]);
    stage.revise(&document).await;
    stage.train(3).await;
    stage.approve(3).await;
    let asked = async |extra: &str| {
        let instance = json!({ "entity": "t1", "x": 50.0, "y": 3.0, extra: 4 });
        stage.caller.post("/v1/models/wider:predict", json!({ "instances": [instance] })).await
    };

    stage.roll_out(3).await.done();
    for _ in 0..600 {
        if asked("z").await.status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(asked("z").await.status, 200, "it is on its way");
    stage.on_call.post(&stage.path("/rollback"), json!({ "reason": "test" })).await.done();
    stage.until("rollback", |now| now["rollout"].is_null()).await;
    stage.answering(1).await;
    assert_eq!(asked("z").await.status, 200, "it was asked for by what was taken back");

    stage.arrives(3).await;
    for _ in 0..600 {
        if asked("z").await.body["model_version"] == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    document["features"] = json!([{ "name": "x" }, { "name": "y" }]);
    stage.revise(&document).await;
    stage.train(4).await;
    stage.approve(4).await;
    stage.arrives(4).await;
    stage.answering(4).await;
    assert_eq!(asked("z").await.status, 200, "the version before read it");
    assert_eq!(asked("zz").await.status, 400, "nobody ever read it");
    stage.remove().await;
}

#[tokio::test]
async fn a_rollback_passes_a_thousand_steps_that_wait() {
    let stage = in_canary("backlog").await;
    let request = json!({ "trainer": "gradient_boosting", "parameters": { "rounds": 200 } });
    let runs = format!("/api/v1/problems/{}/runs", stage.slug);
    let mut waiting = 0;
    for _ in 0..60 {
        let launches = (0..10).map(|_| stage.engineer.post(&runs, request.clone()));
        futures::future::join_all(launches).await.into_iter().for_each(|launched| drop(launched.done()));
        waiting = stage.app.count("select count(*) from step where state in ('queued', 'blocked')").await;
        if waiting > 1_000 {
            break;
        }
    }
    assert!(waiting > 1_000, "{waiting}");
    is_back(&stage, &stage.on_call).await;
    stage.app.remove().await;
}

#[tokio::test]
async fn a_rollback_needs_no_executor() {
    let mut stage = in_canary("noexecutor").await;
    let database = stage.app.database_url().to_owned();
    stage.app.restart_on(&database, &["--no-executor"]).await.unwrap();
    let on_call = stage.app.sign_in(stage.on_call.clone()).await.unwrap();
    is_back(&stage, &on_call).await;
    stage.app.remove().await;
}

#[tokio::test]
async fn while_the_database_is_away_a_rollback_says_so_and_is_not_done_by_half() {
    let mut stage = in_canary("nodatabase").await;
    let wire = Wire::to(stage.app.database_url()).await.unwrap();
    stage.app.restart_on(&wire.url, &[]).await.unwrap();
    let deploys = stage.app.token(&stage.engineer, &[Scope::Deploy, Scope::Read, Scope::Predict]).await.unwrap();
    deploys.get(&stage.path("")).await.done();
    wire.cut();
    let (refused, took) = pressed(&stage, &deploys).await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(took < Duration::from_secs(10), "{took:?}");
    // Callers are answered from memory meanwhile.
    let asked = json!({ "instances": [{ "entity": "t1", "x": 1.0, "y": 1.0 }] });
    let caller = stage.caller.at(&stage.app.server);
    let answer = caller.post("/v1/models/nodatabase:predict", asked).await;
    assert!(matches!(answer.status, 200 | 503), "{}", answer.body);
    wire.mend();
    let mut back = pressed(&stage, &deploys).await.0;
    for _ in 0..600 {
        if back.status == 200 {
            break;
        }
        assert_eq!(back.status, 503, "{}", back.body);
        tokio::time::sleep(Duration::from_millis(100)).await;
        back = pressed(&stage, &deploys).await.0;
    }
    let generation = back.done()["generation"].as_i64().unwrap();
    let done = stage.app.count("select count(*) from deployment_change where kind = 'rollback'").await;
    let newest = stage.app.count("select max(generation) from deployment_change").await;
    assert_eq!((done, newest), (1, generation));
    stage.app.remove().await;
}

#[tokio::test]
async fn a_server_that_is_asked_to_stop_answers_everybody_who_has_connected() {
    let mut stage = in_canary("stopping").await;
    let (stopping, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers = (0..8).map(|number| {
        let caller = stage.caller.clone();
        let (stopping, answered) = (Arc::clone(&stopping), Arc::clone(&answered));
        tokio::spawn(async move {
            // A connection a request: who is connected is answered, who comes later is not let in.
            let body = json!({ "instances": [{ "entity": format!("t{number}"), "x": 1.0, "y": 1.0 }] });
            loop {
                let asked = caller.request(reqwest::Method::POST, "/v1/models/stopping:predict");
                let asked = asked.header("connection", "close").json(&body);
                match asked.send().await {
                    Ok(response) => {
                        assert_eq!(response.status(), 200);
                        response.bytes().await.unwrap();
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) => {
                        assert!(stopping.load(Ordering::Relaxed), "while it ran: {error:?}");
                        // Nobody who was let in goes without an answer; whom the system still held when the door closed is reset.
                        let is_outside = error.is_connect() || format!("{error:?}").contains("ConnectionReset");
                        assert!(is_outside, "after it was let in: {error:?}");
                        return;
                    }
                }
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    for _ in 0..1_200 {
        if answered.load(Ordering::Relaxed) > 100 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stopping.store(true, Ordering::Relaxed);
    stage.app.server.ask_to_stop().unwrap();
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(stage.app.server.ended_within(Duration::from_secs(30)).await.unwrap(), "{}", stage.app.said());
    assert!(answered.load(Ordering::Relaxed) > 100, "{}", answered.load(Ordering::Relaxed));
    // What was answered was logged before it ended, or is still to be logged by nobody: nothing is claimed that is not there.
    let kept = stage.app.count("select count(*) from prediction").await;
    assert!(kept as usize >= answered.load(Ordering::Relaxed), "{kept} of {}", answered.load(Ordering::Relaxed));
    stage.app.restart(&[]).await.unwrap();
    stage.app.remove().await;
}

#[tokio::test]
async fn a_live_model_that_cannot_be_read_is_unavailable_to_its_callers_alone_and_told_once() {
    let mut stage = Stage::set("unreadable", quick(), &[]).await;
    stage.slug = "readable";
    stage.app.sign_off(&stage.engineer, &stage.stakeholder, &document("readable", quick())).await;
    stage.app.load(&stage.engineer, "readable", "things.csv", things(1_000)).await;
    stage.train(1).await;
    stage.approve(1).await;
    stage.roll_out(1).await.done();
    stage.answering(1).await;
    stage.slug = "unreadable";
    let file = stage.artifact(1).await;
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    stage.app.restart(&[]).await.unwrap();
    stage.caller = stage.app.token(&stage.engineer, &[Scope::Predict]).await.unwrap();
    stage.slug = "readable";
    stage.answering_after_restart().await;
    stage.slug = "unreadable";
    let mut refused = stage.ask(&[1]).await;
    for _ in 0..600 {
        if refused.status == 503 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        refused = stage.ask(&[1]).await;
    }
    assert_eq!((refused.status, refused.code()), (503, "model_unavailable"), "{}", refused.body);
    assert_eq!(stage.caller.get("/readyz").await.status, 200);
    // It is looked at every second.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(stage.app.said().matches("could not be loaded").count(), 1, "{}", stage.app.said());
    std::fs::write(&file, &whole).unwrap();
    stage.answering(1).await;
    stage.remove().await;
}
