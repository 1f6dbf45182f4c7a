//! Workers whose clocks are wrong beside one whose clock is right: steps are leased by the database's clock alone. The other clocks come
//! from libfaketime, which is told to leave alone the one that only measures how long something takes.

use std::path::Path;
use std::time::Duration;

use millrace_domain::policy::Role;
use millrace_test_support::{Person, Server, TestApp, things};
use serde_json::{Value, json};

use crate::BINARY;

/// How every attempt went.
const ATTEMPTS: &str =
    "select string_agg(distinct attempt || ' ' || coalesce(ending, 'under way'), ', ') from step_attempt";
/// Of a lease; three times as often it is looked whether one has lapsed.
const SECONDS: &str = "6";

/// A training that takes until it is told to go on.
const WAITING: &str = r#"
touch "$1/begun"
while test -d "$1" && ! test -e "$1/go"; do sleep 0.1; done
cp "$1/things.onnx" model.onnx
"#;

struct Team {
    app: TestApp,
    engineer: Person,
    /// Of the program that waits.
    root: tempfile::TempDir,
    trainers: String,
}

fn document() -> Value {
    json!({
        "slug": "things", "title": "Is it big", "decision": "which shelf",
        "target": { "name": "big", "kind": "binary", "column": "big" },
        "data": { "entity": "thing", "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } },
        "features": [{ "name": "x" }, { "name": "y" }],
        "success": { "metric": "roc_auc", "at_least": 0.8 },
        "slices": [], "serving": { "p99_ms": 1000, "throughput_rps": 1 },
    })
}

/// The server leaves steps to workers.
async fn team() -> Team {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().display().to_string();
    let declared =
        format!("[trainers.waiting]\ncommand = [\"/bin/sh\", \"{place}/waiting.sh\", \"{place}\"]\nseconds = 600\n");
    std::fs::write(root.path().join("trainers.toml"), declared).unwrap();
    std::fs::write(root.path().join("waiting.sh"), WAITING).unwrap();
    let network = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/external/things.onnx");
    std::fs::copy(network, root.path().join("things.onnx")).unwrap();
    let trainers = root.path().join("trainers.toml").display().to_string();
    let app = TestApp::start_with(BINARY, &[("MILLRACE_TRAINERS", &trainers)], &["--no-executor"]).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    app.sign_off(&engineer, &stakeholder, &document()).await;
    Team { app, engineer, root, trainers }
}

impl Team {
    /// A worker of that clock, at one step at a time, once it has begun.
    async fn worker(&self, clock: &[(&str, &str)]) -> Server {
        let usual = [
            ("MILLRACE_LEASE_SECONDS", SECONDS),
            ("MILLRACE_SLOTS", "1"),
            ("MILLRACE_TRAINERS", self.trainers.as_str()),
        ];
        let env: Vec<(&str, &str)> = usual.iter().chain(clock).copied().collect();
        let worker = self.app.worker(&env).unwrap();
        for _ in 0..400 {
            if worker.output().contains("worker started") {
                return worker;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the worker did not begin: {}", worker.output());
    }

    async fn load(&self) {
        self.app.load(&self.engineer, "things", "things.csv", things(2_000)).await;
    }
}

/// The library that gives a program another clock; says so and gives none where it is not there.
fn libfaketime() -> Option<String> {
    let places = ["x86_64-linux-gnu/", "aarch64-linux-gnu/", ""];
    let paths = places.map(|place| format!("/usr/lib/{place}faketime/libfaketimeMT.so.1"));
    let found = paths.into_iter().find(|path| Path::new(path).exists());
    if found.is_none() {
        eprintln!("skipped: libfaketime is not there; install Debian's package faketime");
    }
    found
}

/// The clock that the library gives by that setting.
fn clock<'a>(library: &'a str, setting: (&'a str, &'a str)) -> [(&'a str, &'a str); 4] {
    [("LD_PRELOAD", library), ("FAKETIME_DONT_FAKE_MONOTONIC", "1"), ("FAKETIME_NO_CACHE", "1"), setting]
}

/// Sets the clock that follows that file, which is never seen half written.
fn set(file: &Path, offset: &str) {
    let draft = file.with_extension("draft");
    std::fs::write(&draft, offset).unwrap();
    std::fs::rename(&draft, file).unwrap();
}

#[tokio::test]
async fn workers_with_wrong_clocks_and_one_that_steps_claim_no_step_twice_and_come_to_the_same_result() {
    let Some(library) = libfaketime() else { return };
    let team = team().await;
    let right = team.worker(&[]).await;
    team.load().await;
    let request = json!({ "trainer": "gradient_boosting", "budget": 12, "seed": 5 });
    let alone = team.app.run(&team.engineer, "things", request).await;
    assert_eq!(alone.body["state"], "succeeded", "{}", alone.body["failure"]);

    let stepping = team.root.path().join("clock");
    set(&stepping, "+2h");
    let followed = stepping.display().to_string();
    let mut workers = vec![right];
    for setting in [("FAKETIME", "+1h"), ("FAKETIME", "-1h"), ("FAKETIME_TIMESTAMP_FILE", followed.as_str())] {
        workers.push(team.worker(&clock(&library, setting)).await);
    }
    let mut again = Vec::new();
    for _ in 0..4 {
        let path = format!("/api/v1/runs/{}/reproduce", alone.id);
        let launched = team.engineer.post(&path, json!({})).await.done();
        again.push(launched["run"].as_str().unwrap().to_owned());
    }
    let under_way = "select count(*) from run where state in ('queued', 'running')";
    for offset in ["-2h", "+30m", "+2h"].iter().cycle().take(480) {
        if team.app.count(under_way).await == 0 {
            break;
        }
        set(&stepping, offset);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }

    for id in again {
        let run = team.app.ended(&team.engineer, &id).await;
        assert_eq!(run["state"], "succeeded", "{}", run["failure"]);
        let compared = run["compared"].as_array().unwrap();
        assert_eq!(compared.len(), 4, "{compared:?}");
        assert!(compared.iter().all(|step| step["first"] == step["again"]), "{compared:?}");
    }
    assert_eq!(team.app.text(ATTEMPTS).await, "1 succeeded");
    assert_eq!(team.app.count("select count(distinct worker) from step_attempt").await, 4, "all of them took part");
    let wrong = "select count(distinct a.worker) from step_attempt a join step_log l using (step_id, attempt)
        where abs(extract(epoch from l.at - a.started_at)) > 1500";
    assert_eq!(team.app.count(wrong).await, 3, "what they tell is by their own clocks");
    assert!(team.app.verified().await);
    drop(workers);
    team.app.remove().await;
}

/// A training is under way on a worker of one clock; a worker of another one looks for lapsed leases beside it, for longer than a lease.
async fn is_left_alone(holder: &[(&str, &str)], other: &[(&str, &str)]) {
    let team = team().await;
    let holding = team.worker(holder).await;
    team.load().await;
    let request = json!({ "trainer": "external:waiting" });
    let launched = team.engineer.post("/api/v1/problems/things/runs", request).await.done();
    let begun = team.root.path().join("begun");
    for _ in 0..600 {
        if begun.exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(begun.exists(), "no training began; the worker said: {}", holding.output());

    let beside = team.worker(other).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    let under_way = "select count(*) from step where kind = 'train' and state = 'running' and attempt = 1";
    assert_eq!(team.app.count(under_way).await, 1, "{} {}", holding.output(), beside.output());
    std::fs::write(team.root.path().join("go"), "").unwrap();
    let run = team.app.ended(&team.engineer, launched["run"].as_str().unwrap()).await;
    assert_eq!(run["state"], "succeeded", "{}", run["failure"]);
    assert_eq!(team.app.text(ATTEMPTS).await, "1 succeeded");
    drop((holding, beside));
    team.app.remove().await;
}

#[tokio::test]
async fn a_step_that_is_under_way_is_not_taken_by_a_worker_whose_clock_is_an_hour_ahead() {
    let Some(library) = libfaketime() else { return };
    is_left_alone(&[], &clock(&library, ("FAKETIME", "+1h"))).await;
}

#[tokio::test]
async fn a_step_that_is_under_way_on_a_worker_whose_clock_is_an_hour_behind_is_not_taken_from_it() {
    let Some(library) = libfaketime() else { return };
    is_left_alone(&clock(&library, ("FAKETIME", "-1h")), &[]).await;
}
