//! Killed at any step, at any point, a run resumes and comes to the same bits. Asked to stop in the middle of a step, a worker leaves it to
//! the next. What the clock of a worker shows makes no difference.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

mod clocks;

use std::time::Duration;

use millrace_domain::policy::Role;
use millrace_test_support::{Person, TestApp};
use reqwest::Method;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_millrace");
const POINTS: [&str; 4] = ["claimed", "mid", "before_commit", "after_commit"];

fn document() -> Value {
    json!({
        "slug": "survives", "title": "Is it big", "decision": "which shelf",
        "target": { "name": "big", "kind": "binary", "column": "big" },
        "data": { "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } },
        "features": [{ "name": "x" }, { "name": "noise" }],
        "success": { "metric": "roc_auc", "at_least": 0.6 },
        "serving": { "p99_ms": 1000, "throughput_rps": 1 }
    })
}

fn rows() -> Vec<u8> {
    let mut csv = "x,noise,big\n".to_owned();
    for row in 0..400u32 {
        let (x, noise) = ((row * 37) % 101, (row * 13) % 29);
        csv.push_str(&format!("{x},{noise},{}\n", u32::from(x + noise > 60)));
    }
    csv.into_bytes()
}

struct Ended {
    model: String,
    metrics: Value,
}

/// Runs the pipeline to its end, whatever the server does meanwhile, and gives what must not depend on it.
async fn run_to_the_end(app: &mut TestApp, engineer: Person, stakeholder: &Person, armed: Option<&str>) -> Ended {
    app.sign_off(&engineer, stakeholder, &document()).await;
    let loads = armed.is_some_and(|point| point.starts_with("ingest") || point.starts_with("validate"));
    let mut engineer = engineer;
    if loads {
        engineer = rearm(app, engineer, armed).await;
    }
    // What dies of its first step may not come to answer.
    engineer.send_before_it_ends(engineer.upload_request("survives", "data", "rows.csv", rows())).await;
    if loads {
        engineer = revive(app, engineer).await;
    }
    let path = format!("/api/v1/datasets/{}/versions/1", app.text("select id::text from dataset").await);
    wait(&engineer, &path, |seen| seen["summary"]["state"] == "valid").await;
    if armed.is_some() && !loads {
        engineer = rearm(app, engineer, armed).await;
    }
    let request = json!({ "trainer": "gradient_boosting", "budget": 2, "seed": 5 });
    let launch = engineer.request(Method::POST, "/api/v1/problems/survives/runs").json(&request);
    engineer.send_before_it_ends(launch).await;
    if armed.is_some() && !loads {
        engineer = revive(app, engineer).await;
    }
    let path = format!("/api/v1/runs/{}", app.text("select id::text from run").await);
    let run = wait(&engineer, &path, |seen| !matches!(seen["state"].as_str(), Some("queued" | "running"))).await;
    assert_eq!(run["state"], "succeeded", "{}", run["failure"]);
    let (_, log) = engineer.page(&format!("{path}/log")).await;
    let lost = "select count(*) from step_attempt a join step s on s.id = a.step_id where a.ending = 'lost' and s.subject_kind = 'run'";
    let told = log.matches(": the worker stopped answering").count();
    assert_eq!(
        i64::try_from(told).unwrap(),
        app.count(lost).await,
        "the log tells of every attempt that was lost: {log}"
    );
    let model = engineer.get("/api/v1/models/survives/versions/1").await.done();
    Ended { model: model["artifact"].as_str().unwrap().to_owned(), metrics: run["metrics"].clone() }
}

/// Starts the server again with that failpoint.
async fn rearm(app: &mut TestApp, person: Person, armed: Option<&str>) -> Person {
    let environment: Vec<(&str, &str)> =
        armed.map(|point| ("MILLRACE_FAILPOINT", point)).into_iter().chain(LEASES).collect();
    app.restart(&environment).await.unwrap();
    app.sign_in(person).await.unwrap()
}

/// Short leases, so that a lost step is taken up soon.
const LEASES: [(&str, &str); 1] = [("MILLRACE_LEASE_SECONDS", "2")];

/// Waits until the server has died of its failpoint, and starts it as it should be.
async fn revive(app: &mut TestApp, person: Person) -> Person {
    assert!(app.server.ended_within(Duration::from_secs(60)).await.unwrap(), "the failpoint was not reached");
    app.restart(&LEASES).await.unwrap();
    app.sign_in(person).await.unwrap()
}

async fn wait(by: &Person, path: &str, done: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..600 {
        let seen = by.get(path).await.done();
        if done(&seen) {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{path} did not come to an end within a minute");
}

async fn ended(armed: Option<&str>) -> Ended {
    let mut app = TestApp::start_with(BINARY, &LEASES, &[]).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    let ended = run_to_the_end(&mut app, engineer, &stakeholder, armed).await;
    let broken = millrace_storage::invariant::first_violation(app.services.db().pool()).await.unwrap();
    assert_eq!(broken, None, "after {armed:?}");
    assert!(app.services.verify_audit().await.unwrap().is_ok());
    app.remove().await;
    ended
}

async fn survives(kinds: &[&str]) {
    let untouched = ended(None).await;
    for kind in kinds {
        for point in POINTS {
            if matches!((*kind, point), ("register" | "tune", "mid")) {
                // Registering and choosing compute nothing, so there is no middle.
                continue;
            }
            let killed = ended(Some(&format!("{kind}:{point}"))).await;
            assert_eq!(killed.model, untouched.model, "{kind}:{point}");
            assert_eq!(killed.metrics, untouched.metrics, "{kind}:{point}");
        }
    }
}

#[tokio::test]
async fn a_load_killed_at_any_point_comes_to_the_same_bits() {
    survives(&["ingest", "validate"]).await;
}

#[tokio::test]
async fn a_run_killed_while_it_prepares_and_searches_comes_to_the_same_bits() {
    survives(&["features", "trial", "tune"]).await;
}

#[tokio::test]
async fn a_run_killed_while_it_trains_and_measures_comes_to_the_same_bits() {
    survives(&["train", "evaluate"]).await;
}

#[tokio::test]
async fn a_run_killed_while_it_judges_and_registers_comes_to_the_same_bits() {
    survives(&["gate", "register"]).await;
}

#[tokio::test]
async fn a_worker_that_is_asked_to_stop_in_the_middle_of_a_step_leaves_it_to_another_one_and_the_run_succeeds() {
    let app = TestApp::start_with(BINARY, &[], &["--no-executor"]).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    app.sign_off(&engineer, &stakeholder, &document()).await;
    // One step at a time: what it lets go of frees its only slot, and is not its own again.
    let mut first = app.worker(&[("MILLRACE_SLOTS", "1")]).unwrap();
    app.load(&engineer, "survives", "rows.csv", many_rows()).await;
    // Many small steps of learning: a training that takes a while and learns no more than others.
    let parameters = json!({ "rounds": 2_000, "early_stopping_rounds": 0, "eta": 0.005, "max_leaves": 8 });
    let request = json!({ "trainer": "gradient_boosting", "seed": 5, "parameters": parameters });
    let launched = engineer.post("/api/v1/problems/survives/runs", request).await.done();
    let under_way = "select count(*) from step where kind = 'train' and state = 'running' and progress is not null";
    let mut looks = 0;
    while app.count(under_way).await == 0 {
        assert!(looks < 6_000, "no training was seen; the worker said: {}", first.output());
        looks += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    first.ask_to_stop().unwrap();
    assert!(first.ended_within(Duration::from_secs(10)).await.unwrap(), "{}", first.output());
    assert_eq!(
        app.count("select count(*) from step where kind = 'train' and state = 'queued'").await,
        1,
        "nobody waits for its lease"
    );
    let second = app.worker(&[]).unwrap();
    let run = app.ended(&engineer, launched["run"].as_str().unwrap()).await;
    assert_eq!(run["state"], "succeeded", "{}", run["failure"]);
    let attempts =
        "select string_agg(a.attempt || ' ' || a.ending, ', ' order by a.attempt) || ' by ' || count(distinct a.worker)
        from step_attempt a join step s on s.id = a.step_id where s.kind = 'train'";
    assert_eq!(app.text(attempts).await, "1 handed_over, 2 succeeded by 2");
    assert_eq!(
        lines_of(&run["timeline"]),
        [
            "Compute features and split 1 succeeded",
            "Choose hyperparameters 1 succeeded",
            "Fit the model 1 handed_over",
            "Fit the model 2 succeeded",
            "Measure it on validation and test 1 succeeded",
            "Decide whether it may be promoted 1 succeeded",
            "Register an immutable version 1 succeeded"
        ]
    );
    assert_eq!(
        app.count("select (max_attempts - attempt)::bigint from step where kind = 'train'").await,
        2,
        "it cost none"
    );
    assert!(app.verified().await);
    drop(second);
    app.remove().await;
}

/// The lines of a timeline, each of which waits from where the one before it ended.
fn lines_of(timeline: &Value) -> Vec<String> {
    let at = |line: &Value, name: &str| {
        chrono::DateTime::parse_from_rfc3339(line[name].as_str().unwrap_or_else(|| panic!("{name} of {line}"))).unwrap()
    };
    let lines = timeline.as_array().unwrap();
    for line in lines {
        assert!(
            at(line, "queued_at") <= at(line, "started_at") && at(line, "started_at") <= at(line, "until"),
            "{line}"
        );
    }
    for pair in lines.windows(2) {
        assert_eq!(at(&pair[0], "until"), at(&pair[1], "queued_at"), "{} {}", pair[0], pair[1]);
    }
    let told = |line: &Value| {
        format!("{} {} {}", line["step"].as_str().unwrap(), line["attempt"], line["state"].as_str().unwrap())
    };
    lines.iter().map(told).collect()
}

/// Rows that take a while to learn from, and are not all alike.
fn many_rows() -> Vec<u8> {
    let mut csv = "x,noise,big\n".to_owned();
    for row in 0..6_000u32 {
        let (x, noise) = ((row * 37) % 101, (row * 13) % 29);
        csv.push_str(&format!("{x}.{row:04},{noise},{}\n", u32::from(x + noise + (row * 7_919) % 40 > 80)));
    }
    csv.into_bytes()
}

#[tokio::test]
async fn a_database_that_breaks_off_while_a_result_is_written_down_is_given_it_once_more() {
    let mut app = TestApp::start_with(BINARY, &[], &[]).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    // What a sequence has given is not taken back with the transaction.
    app.sql("create sequence tries").await;
    app.sql(
        "create function break_off() returns trigger language plpgsql security definer as $$
         begin
            if nextval('tries') = 1 then raise exception 'the server shuts down' using errcode = '57P01'; end if;
            return new;
         end $$",
    )
    .await;
    app.sql(
        "create trigger break_off before update on step for each row
         when (new.kind = 'train' and new.state = 'succeeded' and old.state <> 'succeeded') execute function break_off()",
    )
    .await;
    run_to_the_end(&mut app, engineer, &stakeholder, None).await;
    assert_eq!(app.count("select last_value from tries").await, 2);
    assert_eq!(app.count("select attempt::bigint from step where kind = 'train'").await, 1);
    app.remove().await;
}
