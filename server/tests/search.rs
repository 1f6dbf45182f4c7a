//! A search comes to the same trials whatever the number of workers and however often they die, and keeps to its budget.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

use std::time::Duration;

use millrace_domain::policy::Role;
use millrace_test_support::{Person, TestApp};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_millrace");

fn document() -> Value {
    json!({
        "slug": "shelves", "title": "Is it big", "decision": "which shelf",
        "target": { "name": "big", "kind": "binary", "column": "big" },
        "data": { "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } },
        "features": [{ "name": "x" }, { "name": "noise" }, { "name": "kind", "type": "category" }],
        "success": { "metric": "roc_auc", "at_least": 0.6 },
        "serving": { "p99_ms": 1000, "throughput_rps": 1 },
    })
}

fn rows(count: u32) -> Vec<u8> {
    let mut csv = "x,noise,kind,big\n".to_owned();
    for row in 0..count {
        let (x, noise, kind) = ((row * 37) % 101, (row * 13) % 29, ["a", "b", "c"][row as usize % 3]);
        csv.push_str(&format!("{x}.5,{noise},{kind},{}\n", u32::from(x + noise + (row * 7_919) % 40 > 80)));
    }
    csv.into_bytes()
}

struct Lab {
    app: TestApp,
    engineer: Person,
}

impl Lab {
    /// A server that leaves steps to workers.
    async fn open() -> Self {
        let app = TestApp::start_with(BINARY, &[], &["--no-executor"]).await.unwrap();
        let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
        Self { app, engineer }
    }

    async fn prepare(&self, count: u32) {
        let stakeholder = self.app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
        self.app.sign_off(&self.engineer, &stakeholder, &document()).await;
        self.app.load(&self.engineer, "shelves", "rows.csv", rows(count)).await;
    }

    async fn launch(&self, request: &Value) -> String {
        let launched = self.engineer.post("/api/v1/problems/shelves/runs", request.clone()).await.done();
        launched["run"].as_str().unwrap().to_owned()
    }

    /// A run at its end, which has succeeded.
    async fn succeeded(&self, id: &str) -> Value {
        let run = self.app.ended(&self.engineer, id).await;
        assert_eq!(run["state"], "succeeded", "{}", run["failure"]);
        run
    }
}

/// Everything of a run's trials but what they cost.
fn trials(run: &Value) -> Vec<Value> {
    let bare = |trial: &Value| {
        let mut trial = trial.clone();
        trial.as_object_mut().unwrap().remove("cpu_s");
        trial
    };
    run["trials"].as_array().unwrap().iter().map(bare).collect()
}

#[tokio::test]
async fn one_two_and_four_workers_come_to_the_same_trials() {
    let requests = [
        ("none", "tpe", Value::Null),
        ("median", "tpe", Value::Null),
        ("asha", "tpe", Value::Null),
        ("halving", "tpe", Value::Null),
        ("hyperband", "tpe", Value::Null),
        ("none", "sobol", json!(0.05)),
    ];
    let requests = requests.map(|(pruner, sampler, least_gain)| {
        json!({ "trainer": "any", "budget": if least_gain.is_null() { 16 } else { 30 }, "seed": 3, "pruner": pruner, "sampler": sampler,
            "least_gain": least_gain,
            "search": { "gradient_boosting": { "eta": { "low": 0.02, "high": 0.5, "scale": "log" }, "max_leaves": [4, 16] } } })
    });
    let mut found: Vec<Vec<Vec<Value>>> = Vec::new();
    for count in ["1", "2", "4"] {
        let lab = Lab::open().await;
        let worker = lab.app.worker(&[("MILLRACE_SLOTS", count)]).unwrap();
        lab.prepare(3_000).await;
        let mut of_each = Vec::new();
        for request in &requests {
            let mut ended = trials(&lab.succeeded(&lab.launch(request).await).await);
            // A search that ended early may have told the trials that had begun to wait so, or not yet begun them.
            ended.retain(|trial| trial["state"] != "stopped");
            of_each.push(ended);
        }
        drop(worker);
        lab.app.remove().await;
        found.push(of_each);
    }
    assert_eq!(found[0][..5].iter().map(Vec::len).collect::<Vec<_>>(), [16, 16, 16, 20, 19]);
    assert!(
        (15..30).contains(&found[0][5].len()),
        "some trials tell that little is to be gained: {}",
        found[0][5].len()
    );
    assert!(found[0][3].iter().any(|trial| trial["share"] == 0.25) && found[0][3][19]["share"] == 1.0);
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0], found[2]);
}

/// The kills come after pseudo-random times, while there is work to be lost.
#[tokio::test]
async fn twenty_kills_of_workers_during_a_search_change_nothing_in_its_result() {
    let request = json!({ "trainer": "gradient_boosting", "budget": 50, "seed": 5, "parameters": { "rounds": 60 } });
    let at_work_or_over = "select (select count(*) from step where state = 'running')
        + (select count(*) from run where state not in ('queued', 'running'))";
    let mut ended = Vec::new();
    // What is lost is taken up soon; nobody who is only slow loses a step where nobody is killed.
    for (kills, lease) in [(0, "30"), (20, "1")] {
        let env = [("MILLRACE_SLOTS", "1"), ("MILLRACE_LEASE_SECONDS", lease)];
        let lab = Lab::open().await;
        let mut workers = [lab.app.worker(&env).unwrap(), lab.app.worker(&env).unwrap()];
        lab.prepare(6_000).await;
        // A step is allowed three attempts, since one that kills its worker each time must end; these are killed from outside.
        lab.app.sql("alter table step alter column max_attempts set default 100").await;
        let id = lab.launch(&request).await;
        let mut wait = 17_u64;
        for kill in 0..kills {
            wait = wait * 7_919 % 1_009;
            tokio::time::sleep(Duration::from_millis(200 + wait)).await;
            for _ in 0..600 {
                if lab.app.count(at_work_or_over).await > 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            workers[kill % 2] = lab.app.worker(&env).unwrap();
        }
        let run = lab.succeeded(&id).await;
        let lost = lab.app.count("select count(*) from step_attempt where ending = 'lost'").await;
        assert_eq!(lost > 0, kills > 0, "{lost} attempts were lost");
        drop(workers);
        let broken = millrace_storage::invariant::first_violation(lab.app.services.db().pool()).await.unwrap();
        assert_eq!(broken, None);
        lab.app.remove().await;
        ended.push((trials(&run), run["metrics"].clone()));
    }
    assert_eq!(ended[0], ended[1]);
}

#[tokio::test]
async fn a_search_ends_where_its_budget_ends_and_is_repeated_as_far_as_it_came() {
    let lab = Lab::open().await;
    let workers = [(); 4].map(|()| lab.app.worker(&[("MILLRACE_SLOTS", "1")]).unwrap());
    lab.prepare(6_000).await;
    let request = json!({ "trainer": "gradient_boosting", "budget": 1_000, "seed": 5, "cpu_seconds": 4 });
    let run = lab.succeeded(&lab.launch(&request).await).await;
    let of = |state: &str| run["trials"].as_array().unwrap().iter().filter(|trial| trial["state"] == state).count();
    assert!(of("succeeded") > 0 && of("stopped") > 0 && of("succeeded") < 900, "{}", run["trials"]);
    let spent: f64 = run["trials"].as_array().unwrap().iter().filter_map(|trial| trial["cpu_s"].as_f64()).sum();
    assert!((4.0..12.0).contains(&spent), "{spent} CPU-seconds");
    let id = run["id"].as_str().unwrap();
    let (_, file) = lab.engineer.page(&format!("/api/v1/runs/{id}/trials.csv")).await;
    let lines: Vec<&str> = file.lines().collect();
    assert!(
        lines[0].starts_with(r#""trial","trainer","state","score""#) && lines[0].contains("\"eta\""),
        "{}",
        lines[0]
    );
    assert!(lines[1].starts_with(r#""0","gradient_boosting","succeeded","0."#), "{}", lines[1]);
    assert_eq!(lines.len(), 1 + run["trials"].as_array().unwrap().len());
    let again = lab.engineer.post(&format!("/api/v1/runs/{id}/reproduce"), json!({})).await.done();
    lab.succeeded(again["run"].as_str().unwrap()).await;
    drop(workers);
    lab.app.remove().await;
}

#[tokio::test]
async fn models_that_could_not_serve_by_the_document_are_out_of_the_race() {
    let lab = Lab::open().await;
    let worker = lab.app.worker(&[]).unwrap();
    let stakeholder = lab.app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    let mut document = document();
    document["gates"] = json!({ "model_mb": 0.2 });
    lab.app.sign_off(&lab.engineer, &stakeholder, &document).await;
    lab.app.load(&lab.engineer, "shelves", "rows.csv", rows(3_000)).await;
    let search = json!({ "rounds": [5, 300], "early_stopping_rounds": 0 });
    let request = json!({ "trainer": "gradient_boosting", "budget": 8, "sampler": "random", "search": search });
    let run = lab.succeeded(&lab.launch(&request).await).await;
    let (small, large): (Vec<&Value>, Vec<&Value>) =
        run["trials"].as_array().unwrap().iter().partition(|trial| trial["parameters"]["rounds"] == 5);
    assert!(!small.is_empty() && small.iter().all(|trial| trial["state"] == "succeeded"), "{small:?}");
    for trial in &large {
        assert_eq!(trial["state"], "infeasible");
        assert!(trial["message"].as_str().unwrap().contains("the model has"), "{trial}");
    }
    assert!(!large.is_empty());
    let id = run["id"].as_str().unwrap();
    let (_, page) = lab.engineer.page(&format!("/runs/{id}?tab=trials")).await;
    assert!(page.contains(r#"data-state="infeasible""#), "{page}");
    drop(worker);
    lab.app.remove().await;
}

#[tokio::test]
async fn a_search_and_a_calibration_are_refused_where_no_validation_part_can_judge_them() {
    let lab = Lab::open().await;
    let worker = lab.app.worker(&[]).unwrap();
    let stakeholder = lab.app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    let mut document = document();
    document["data"]["split"]["validation"] = json!(0);
    lab.app.sign_off(&lab.engineer, &stakeholder, &document).await;
    lab.app.load(&lab.engineer, "shelves", "rows.csv", rows(300)).await;
    let request = json!({ "trainer": "gradient_boosting", "budget": 8, "calibration": "platt" });
    let refused = lab.engineer.post("/api/v1/problems/shelves/runs", request).await;
    let pointers: Vec<&Value> =
        refused.body["errors"].as_array().unwrap().iter().map(|mistake| &mistake["pointer"]).collect();
    assert_eq!((refused.status, pointers), (400, vec![&json!("/budget"), &json!("/calibration")]), "{}", refused.body);
    lab.launch(&json!({ "trainer": "gradient_boosting" })).await;
    drop(worker);
    lab.app.remove().await;
}

#[tokio::test]
async fn models_that_would_take_more_memory_than_the_document_allows_are_out_of_the_race_also_when_it_is_repeated() {
    let lab = Lab::open().await;
    let worker = lab.app.worker(&[]).unwrap();
    let stakeholder = lab.app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    let mut document = document();
    document["gates"] = json!({ "memory_mb": 6 });
    lab.app.sign_off(&lab.engineer, &stakeholder, &document).await;
    lab.app.load(&lab.engineer, "shelves", "rows.csv", rows(3_000)).await;
    let search = json!({ "rounds": [5, 3_000], "early_stopping_rounds": 0 });
    let request = json!({ "trainer": "gradient_boosting", "budget": 6, "sampler": "random", "search": search });
    let run = lab.succeeded(&lab.launch(&request).await).await;
    let told = |run: &Value| -> Vec<(Value, Value)> {
        let trials = run["trials"].as_array().unwrap().iter();
        trials.map(|trial| (trial["parameters"]["rounds"].clone(), trial["state"].clone())).collect()
    };
    let expected = |rounds: &Value| if *rounds == 5 { "succeeded" } else { "infeasible" };
    assert!(told(&run).iter().all(|(rounds, state)| *state == expected(rounds)), "{}", run["trials"]);
    let large = run["trials"].as_array().unwrap().iter().find(|trial| trial["state"] == "infeasible").unwrap();
    assert!(large["message"].as_str().unwrap().contains("more than 6 MB for it (gates.memory_mb)"), "{large}");

    let id = run["id"].as_str().unwrap();
    let again = lab.engineer.post(&format!("/api/v1/runs/{id}/reproduce"), json!({})).await.done();
    let again = lab.succeeded(again["run"].as_str().unwrap()).await;
    assert_eq!(told(&again), told(&run));
    drop(worker);
    lab.app.remove().await;
}

#[tokio::test]
async fn a_search_that_is_cancelled_stops_everywhere_and_goes_on_where_it_was() {
    const ENV: [(&str, &str); 2] = [("MILLRACE_SLOTS", "2"), ("MILLRACE_LEASE_SECONDS", "2")];
    let lab = Lab::open().await;
    let worker = lab.app.worker(&ENV).unwrap();
    lab.prepare(6_000).await;
    let id = lab.launch(&json!({ "trainer": "gradient_boosting", "budget": 12, "seed": 5 })).await;
    let ended = "select count(*) from step where kind = 'trial' and state = 'succeeded'";
    while lab.app.count(ended).await < 2 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    lab.engineer.post(&format!("/api/v1/runs/{id}/cancel"), json!({})).await;
    assert_eq!(lab.app.ended(&lab.engineer, &id).await["state"], "cancelled");
    let running = "select count(*) from step where state = 'running'";
    while lab.app.count(running).await > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let kept = lab.app.count(ended).await;
    lab.engineer.submit(&format!("/runs/{id}"), "/fn/retry_run", &[("id", &id)]).await;
    let run = lab.succeeded(&id).await;
    assert_eq!(run["trials"].as_array().unwrap().len(), 12);
    let again = "select count(*) from step where kind = 'trial' and attempt > 1";
    assert!(kept >= 2 && lab.app.count(again).await <= 12 - kept);
    drop(worker);
    lab.app.remove().await;
}
