//! A problem about things, and the people around it.

use millrace_domain::policy::Role;
use millrace_test_support::{Answer, Person, TestApp, things};
use serde_json::{Value, json};

pub const BINARY: &str = env!("CARGO_BIN_EXE_millrace");

/// Whether things are big, with what is asked of a model besides.
pub fn document(slug: &str, at_least: f64, more: Value) -> Value {
    let mut document = json!({
        "slug": slug, "title": "Is it big", "decision": "which shelf",
        "target": { "name": "big", "kind": "binary", "column": "big" },
        "data": { "entity": "thing", "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } },
        "features": [{ "name": "x" }, { "name": "y" }],
        "success": { "metric": "roc_auc", "at_least": at_least },
        "serving": { "p99_ms": 250.0, "throughput_rps": 50.0 },
    });
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document
}

pub struct Team {
    pub app: TestApp,
    pub engineer: Person,
    pub stakeholder: Person,
    pub second: Person,
    pub slug: &'static str,
}

impl Team {
    pub async fn with(slug: &'static str, at_least: f64, more: Value) -> Self {
        let app = TestApp::start(BINARY).await.unwrap();
        let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
        let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
        let second = app.person("second", &[Role::Stakeholder]).await.unwrap();
        app.sign_off(&engineer, &stakeholder, &document(slug, at_least, more)).await;
        app.load(&engineer, slug, "things.csv", things(1_500)).await;
        Self { app, engineer, stakeholder, second, slug }
    }

    /// A run and how it ended.
    pub async fn run(&self, request: Value) -> Value {
        self.app.run(&self.engineer, self.slug, request).await.body
    }

    pub async fn override_by(&self, by: &Person, run: &Value, gates: &[&str], reason: &str, days: i64) -> Answer {
        let path = format!("/api/v1/runs/{}/override", run["id"].as_str().unwrap());
        by.post(&path, json!({ "gates": gates, "reason": reason, "days": days })).await
    }

    pub fn version(&self, number: i32) -> String {
        format!("/api/v1/models/{}/versions/{number}", self.slug)
    }

    pub async fn approve(&self, by: &Person, number: i32) -> Answer {
        let model = by.get(&self.version(number)).await.done();
        by.decide(&self.version(number), "approve", model["digest"].as_str().unwrap()).await
    }

    pub async fn put_live(&self, number: i32) {
        self.approve(&self.second, number).await.done();
        let rollouts = format!("/api/v1/deployments/{}/rollouts", self.slug);
        self.engineer.post(&rollouts, json!({ "version": number, "reason": "test" })).await.done();
    }

    pub fn cases(&self) -> String {
        format!("/api/v1/problems/{}/cases", self.slug)
    }
}
