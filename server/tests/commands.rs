//! The commands that speak to a server: `apply`, `run`, `replay`, `verify`, with their exit codes.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

use std::path::Path;
use std::process::Output;

use millrace_domain::policy::{Role, Scope};
use millrace_test_support::{Person, TestApp, testdata};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_millrace");

const PENGUINS: &str = r#"
slug = "penguins"
title = "Which species is it"
decision = "Which colony to visit"
[target]
name = "species"
kind = "multiclass"
column = "species"
[data]
split = { kind = "random", validation = 0.1, test = 0.3333, seed = 3 }
[[features]]
name = "culmen_length_mm"
[[features]]
name = "culmen_depth_mm"
[[features]]
name = "flipper_length_mm"
[[features]]
name = "body_mass_g"
[success]
metric = "accuracy"
at_least = 0.93
"#;

/// Runs a command of an engineer's script.
async fn command(app: &TestApp, token: &str, arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(BINARY);
    command.args(arguments).env("MILLRACE_URL", &app.server.url).env("MILLRACE_TOKEN", token);
    command.output().await.unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn result(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", said(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

struct Script {
    app: TestApp,
    engineer: Person,
    stakeholder: Person,
    token: String,
    directory: tempfile::TempDir,
}

async fn script() -> Script {
    let app = TestApp::start(BINARY).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    let owner = app.services.recognise_host(&engineer.email).await.unwrap();
    let scopes = [Scope::Read, Scope::Launch, Scope::Predict];
    let token = app.services.create_token(&owner, "script", &scopes, 1).await.unwrap();
    Script { app, engineer, stakeholder, token, directory: tempfile::tempdir().unwrap() }
}

impl Script {
    async fn run(&self, arguments: &[&str]) -> Output {
        command(&self.app, &self.token, arguments).await
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn penguins_go_from_a_file_to_a_registered_model_and_answered_traffic() {
    let Some(data) = testdata("tfx_penguin/penguins_labelled.csv") else { return };
    let script = script().await;
    let document = script.file("penguins.toml", PENGUINS);
    let applied = result(&script.run(&["apply", "-f", &document, "--submit", "--json"]).await);
    assert_eq!((&applied["version"], &applied["state"]), (&json!(1), &json!("in_review")));

    let launch = ["run", "--problem", "penguins", "--data", text(&data), "--trainer", "logistic", "--json"];
    let early = script.run(&launch).await;
    assert_eq!(early.status.code(), Some(1));
    assert!(said(&early).contains("problem_not_signed_off"), "{}", said(&early));

    let digest = applied["digest"].as_str().unwrap();
    script.stakeholder.decide("/api/v1/problems/penguins/versions/1", "approve", digest).await.done();
    let mistyped = script.run(&[&launch[..], &["--parameters", "{depth: 3}"]].concat()).await;
    assert_eq!(mistyped.status.code(), Some(2), "{}", said(&mistyped));
    let launched = script.run(&launch).await;
    let run = result(&launched);
    assert_eq!(run["state"], "succeeded");
    let page = format!("run {0}: {1}/runs/{0}", run["id"].as_str().unwrap(), script.app.server.url);
    assert!(String::from_utf8_lossy(&launched.stderr).contains(&page), "{}", said(&launched));
    assert!(run["metrics"]["test.accuracy"].as_f64().unwrap() >= 0.93, "{}", run["metrics"]);

    let model = script.stakeholder.get("/api/v1/models/penguins/versions/1").await.done();
    let digest = model["digest"].as_str().unwrap();
    script.stakeholder.decide("/api/v1/models/penguins/versions/1", "approve", digest).await.done();
    let rollout = json!({ "version": 1, "reason": "first" });
    script.engineer.post("/api/v1/deployments/penguins/rollouts", rollout).await.done();
    let caller = script.app.token(&script.engineer, &[Scope::Predict]).await.unwrap();
    for _ in 0..600 {
        // A model that is there refuses a row without inputs.
        if caller.post("/v1/models/penguins:predict", json!({ "instances": [{}] })).await.status == 400 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let replayed =
        script.run(&["replay", "--problem", "penguins", "--data", text(&data), "--rows", "100", "--json"]).await;
    assert_eq!(result(&replayed), json!({ "predictions": 100, "outcomes": 100 }));
    let untimed = script.run(&["replay", "--problem", "penguins", "--data", text(&data), "--speed", "2"]).await;
    assert!(untimed.status.code() == Some(1) && said(&untimed).contains("data.event_time"), "{}", said(&untimed));
    for wrong in [["--speed", "0"], ["--rate", "-1"], ["--batch", "0"]] {
        let arguments = ["replay", "--problem", "penguins", "--data", text(&data), wrong[0], wrong[1]];
        assert_eq!(script.run(&arguments).await.status.code(), Some(2), "{wrong:?}");
    }
    script.app.remove().await;
}

#[tokio::test]
async fn a_mistaken_document_is_named_place_by_place_and_ends_with_1() {
    let script = script().await;
    let mistaken = PENGUINS.replace("accuracy", "accurcy").replace("\"multiclass\"", "\"many\"");
    let ended = script.run(&["apply", "-f", &script.file("mistaken.toml", &mistaken)]).await;
    assert_eq!(ended.status.code(), Some(1));
    let said = said(&ended);
    assert!(said.contains("/target/kind") && said.contains("/success/metric"), "{said}");
    script.app.remove().await;
}

#[tokio::test]
async fn a_rejected_file_ends_a_run_with_the_finding() {
    let script = script().await;
    let document = script.file("penguins.toml", PENGUINS);
    let applied = result(&script.run(&["apply", "-f", &document, "--submit", "--json"]).await);
    let digest = applied["digest"].as_str().unwrap();
    script.stakeholder.decide("/api/v1/problems/penguins/versions/1", "approve", digest).await.done();
    let data = script.file("other.csv", "a,b\n1,2\n");
    let ended = script.run(&["run", "--problem", "penguins", "--data", &data]).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(said(&ended).contains("culmen_length_mm"), "{}", said(&ended));
    script.app.remove().await;
}

#[tokio::test]
async fn wrong_usage_ends_with_2() {
    let script = script().await;
    assert_eq!(script.run(&["apply"]).await.status.code(), Some(2));
    assert_eq!(script.run(&["run", "--no-such-flag"]).await.status.code(), Some(2));
    script.app.remove().await;
}
