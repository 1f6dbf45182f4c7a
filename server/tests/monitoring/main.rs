//! What is watched, on the real program: counts are exact, drift is told once and taken on, and trainings start by themselves and once.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

mod alerts;
mod business;
mod counts;
mod looked_at;
mod real;
mod retraining;
mod together;
mod unattended;
mod webhooks;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::policy::{Role, Scope};
use millrace_jobs::Watch;
use millrace_services::Services;
use millrace_serving::{Asking, PredictRequest, Serving};
use millrace_test_support::{MovableClock, Person, TestApp, thing, things};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

const BINARY: &str = env!("CARGO_BIN_EXE_millrace");
const SLUG: &str = "watched";

/// A problem of two numbers, watched in windows of an hour.
fn document(more: &Value) -> Value {
    let mut document = json!({
        "slug": SLUG, "title": "Is it big", "decision": "which shelf",
        "target": { "name": "big", "kind": "binary", "column": "big" },
        "data": { "entity": "thing", "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } },
        "features": [{ "name": "x" }, { "name": "y" }],
        "success": { "metric": "roc_auc", "at_least": 0.8 },
        "serving": { "p99_ms": 250.0, "throughput_rps": 50.0 },
        "business": { "name": "shelf metres", "unit": "m", "direction": "up", "limit": 5.0 },
        "rollout": {
            "shadow": { "min_predictions": 100, "min_duration": "1s" },
            "canary": { "percent": 40.0, "min_predictions": 100, "min_duration": "1s" },
            "watch": { "min_predictions": 100, "min_duration": "1s" }
        },
        "monitoring": { "window": "1h", "drift": { "metric": "psi", "threshold": 0.2, "windows": 2 }, "min_rows": 100 },
        "notify": { "on_call": ["named@example.org", "nobody@example.org"] }
    });
    let (document_map, more) = (document.as_object_mut().unwrap(), more.as_object().unwrap());
    document_map.extend(more.clone());
    document
}

/// Things as they were, or with numbers of another size.
fn instance(number: u32, shift: f64) -> Value {
    let (x, y, _) = thing(number);
    json!({ "entity": format!("t{number}"), "x": x + shift, "y": y })
}

/// A live version, and a server and a watch that live by a clock of their own.
struct Stage {
    app: TestApp,
    engineer: Person,
    stakeholder: Person,
    on_call: Person,
    caller: Person,
    clock: MovableClock,
    services: Services,
    serving: Serving,
    watch: Watch,
    stop: CancellationToken,
    now: DateTime<Utc>,
}

impl Stage {
    /// The program itself does not watch: somebody who lives by another clock does.
    async fn set(more: Value) -> Self {
        Self::with(more, &["--no-watch"]).await
    }

    async fn with(more: Value, arguments: &[&str]) -> Self {
        Self::set_up(more, &[], arguments).await
    }

    /// The same with settings of the environment.
    async fn with_env(more: Value, env: &[(&str, &str)]) -> Self {
        Self::set_up(more, env, &["--no-watch"]).await
    }

    async fn set_up(more: Value, env: &[(&str, &str)], arguments: &[&str]) -> Self {
        let env: Vec<(&str, &str)> = env.iter().copied().chain([("MILLRACE_TOKEN_RATE", "100000")]).collect();
        let app = TestApp::start_with(BINARY, &env, arguments).await.unwrap();
        let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
        let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
        let on_call = app.person("oncall", &[Role::OnCall]).await.unwrap();
        app.person("named", &[Role::Stakeholder]).await.unwrap();
        let caller = app.token(&engineer, &[Scope::Predict]).await.unwrap();
        app.sign_off(&engineer, &stakeholder, &document(&more)).await;
        app.load(&engineer, SLUG, "things.csv", things(4_000)).await;
        let run = app.run(&engineer, SLUG, json!({ "trainer": "logistic" })).await;
        assert_eq!(run.body["state"], "succeeded", "{}", run.body["failure"]);
        put_live(&app, &engineer, &stakeholder, 1).await;
        // The next whole hour, so that the program's own watch has nothing to judge yet.
        let hour = next_hour(&app).await;
        let clock = MovableClock::at(hour);
        let services = app.services_at(&clock).await.unwrap();
        let stop = CancellationToken::new();
        let (db, artifacts) = (services.db().clone(), services.artifacts().clone());
        let surroundings = services.surroundings().clone();
        let serving = Serving::start(db, artifacts, surroundings, "test", 64, None, stop.clone()).await;
        let watch = Watch::new(services.clone());
        Self { app, engineer, stakeholder, on_call, caller, clock, services, serving, watch, stop, now: hour }
    }

    /// An hour of answers to so many things, whose outcomes are reported, and a look after it.
    async fn hour(&mut self, count: u32, shift: f64) {
        self.hour_with(count, shift, |number| thing(number).2).await;
    }

    async fn hour_with(&mut self, count: u32, shift: f64, label: impl Fn(u32) -> bool) {
        let begins = self.now.timestamp();
        let numbers: Vec<u32> = (0..count).map(|n| n + u32::try_from(begins / 3_600 % 1_000).unwrap() * 37).collect();
        for (place, numbers) in numbers.chunks(50).enumerate() {
            self.clock.set(self.now + TimeDelta::seconds(i64::try_from(place).unwrap() * 60));
            let instances = numbers.iter().map(|number| instance(*number, shift));
            let instances = instances.map(|instance| instance.as_object().unwrap().clone()).collect();
            let labels: Vec<Value> = numbers.iter().map(|number| json!(label(*number))).collect();
            ask(&self.serving, SLUG, instances, Some(&labels)).await;
        }
        self.serving.settle().await;
        self.now += TimeDelta::hours(1);
        self.look().await;
    }

    /// A look right after the end of the window.
    async fn look(&mut self) {
        self.clock.set(self.now + TimeDelta::minutes(1));
        self.watch = Watch::new(self.services.clone());
        self.watch.look().await;
    }

    async fn monitor(&self) -> Value {
        self.engineer.get(&format!("/api/v1/deployments/{SLUG}/monitor?to=2100-01-01T00:00:00Z")).await.done()
    }

    async fn alerts(&self) -> Vec<Value> {
        let found = self.on_call.get("/api/v1/alerts").await.done();
        found["items"].as_array().unwrap().clone()
    }

    /// Letters about alerts, the oldest first: to whom, and the subject.
    async fn letters(&self) -> Vec<(String, String)> {
        let mail = millrace_storage::mail::list(self.app.services.db().pool(), None, 100).await.unwrap();
        let about = mail.into_iter().rev().filter(|letter| letter.kind == "incident");
        about.map(|letter| (letter.recipient, letter.subject)).collect()
    }

    async fn remove(self) {
        self.stop.cancel();
        let broken = millrace_storage::invariant::first_violation(self.app.services.db().pool()).await.unwrap();
        assert_eq!(broken, None);
        self.app.remove().await;
    }
}

/// Asks, and says what became of each if that is known; gives the ids of the answers.
async fn ask(
    serving: &Serving,
    slug: &str,
    instances: Vec<Map<String, Value>>,
    labels: Option<&[Value]>,
) -> Vec<Value> {
    let request = PredictRequest { instances, explain: 0 };
    let answer = serving.predict(slug, request, Asking::default()).await.unwrap();
    let ids: Vec<Value> = answer.predictions.iter().map(|answer| answer["id"].clone()).collect();
    if let Some(labels) = labels {
        report(serving, slug, &ids, labels).await;
    }
    ids
}

/// Says what became of answers.
async fn report(serving: &Serving, slug: &str, ids: &[Value], labels: &[Value]) {
    let pairs = ids.iter().zip(labels);
    let outcomes: Vec<Value> = pairs.map(|(id, label)| json!({ "id": id, "label": label })).collect();
    for some in outcomes.chunks(1_000) {
        let request = serde_json::from_value(json!({ "outcomes": some })).unwrap();
        serving.report_outcomes(slug, request).await.unwrap();
    }
}

/// A whole hour that has not begun yet by the program's clock, and that everything was made live before.
async fn next_hour(app: &TestApp) -> DateTime<Utc> {
    let now = millrace_storage::now(app.services.db().pool()).await.unwrap();
    DateTime::from_timestamp((now.timestamp() / 3_600 + 1) * 3_600, 0).unwrap()
}

async fn put_live(app: &TestApp, engineer: &Person, stakeholder: &Person, number: i32) {
    let path = format!("/api/v1/models/{SLUG}/versions/{number}");
    let model = stakeholder.get(&path).await.done();
    stakeholder.decide(&path, "approve", model["digest"].as_str().unwrap()).await.done();
    let rollout = json!({ "version": number, "reason": "test" });
    engineer.post(&format!("/api/v1/deployments/{SLUG}/rollouts"), rollout).await.done();
    for _ in 0..100 {
        let ready = engineer.get(&format!("/api/v1/deployments/{SLUG}")).await.done();
        if ready["champion"] == number {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("version {number} is not live: {}", app.said());
}
