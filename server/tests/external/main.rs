//! External trainers: a declared program fits the model, within its limits, and what it leaves is measured, gated and served like any
//! other.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use millrace_domain::policy::{Role, Scope};
use millrace_test_support::{Person, TestApp, things};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_millrace");

/// Programs in a directory of the test, declared.
const DECLARED: &str = r#"
[trainers.network]
command = ["/bin/sh", "{root}/network.sh", "{directory}", "{rate}"]
kinds = ["binary"]
environment = { TEAM = "shelves" }
parameters.rate = { low = 0.0, high = 1.0, default = 0.25 }

[trainers.failing]
command = ["/bin/sh", "-c", "echo 'the rate is too high' >&2; exit 3"]

[trainers.absent]
command = ["/nowhere/train"]

[trainers.silent]
command = ["/bin/true"]

[trainers.wrong]
command = ["/bin/sh", "-c", "echo nothing >model.onnx"]

[trainers.three]
command = ["/bin/sh", "-c", "cp {root}/three.onnx model.onnx"]

[trainers.ragged]
command = ["/bin/sh", "-c", "cp {root}/ragged.onnx model.onnx"]

[trainers.huge]
command = ["/bin/sh", "-c", "cp {root}/huge.onnx model.onnx"]

[trainers.unsure]
command = ["/bin/sh", "-c", "cp {root}/unsure.onnx model.onnx"]

[trainers.piping]
command = ["/bin/sh", "-c", "mkfifo model.onnx"]

[trainers.chatty]
command = ["/bin/sh", "-c", "cp {root}/things.onnx model.onnx; echo \"{$(seq -s, 1 3 | sed 's/[0-9]/\\\"m&\\\":['$(seq -s, 4000)']/g')}\" >metrics.json"]

[trainers.reporting]
command = ["/bin/sh", "-c", "cp {root}/things.onnx model.onnx; echo '{\"a b\": 1}' >metrics.json"]

[trainers.endless]
command = ["/bin/sh", "{root}/endless.sh", "{root}"]
seconds = 2

[trainers.waiting]
command = ["/bin/sh", "{root}/endless.sh", "{root}"]
seconds = 600

[trainers.busy]
command = ["/bin/sh", "-c", "while :; do :; done"]
cpu_seconds = 1

[trainers.tuned]
command = ["/bin/sh", "{root}/tuned.sh", "{rate}", "{depth}", "{kind}", "{drop}"]
parameters.rate = { low = 0.01, high = 1.0, default = 0.25, scale = "log" }
parameters.depth = { low = 2, high = 9, default = 4, integer = true }
parameters.kind = { values = ["whole trees", "dart"], default = "whole trees" }
parameters.drop = { low = 0.2, high = 0.9, default = 0.5, when = { kind = ["dart"] } }

[trainers.burning]
command = ["/bin/sh", "-c", "echo $$ 0 >>{root}/pids; while :; do :; done"]
parameters.rate = { low = 0.0, high = 1.0, default = 0.25 }

[trainers.large]
command = ["/bin/sh", "-c", "x=0123456789; while :; do x=$x$x; done"]
memory_mb = 64

[trainers.numbers]
command = ["/bin/true"]
kinds = ["regression"]
"#;

const NETWORK: &str = r#"
set -e
test -f "$1/train.parquet" && test -f "$1/validation.parquet" && test "$PWD" = "$1" && test "$HOME" = "$1"
grep -q '"rate": '"$2" task.json
env | sort
echo "epoch 1"
echo "epoch 2" >&2
cp "$(dirname "$0")/things.onnx" "$1/model.onnx"
echo '{"loss": [0.6, 0.4, 0.3], "epochs": 3}' >metrics.json
"#;

/// A model for small rates alone, and only when it is given what is asked for.
const TUNED: &str = r#"
grep -q '"rate": '"$1" task.json && grep -q '"depth": '"$2" task.json || exit 9
grep -q '"kind": "'"$3"'"' task.json && grep -q '"drop": '"$4" task.json || exit 9
case "$1" in 0.0*) ;; *) echo "rate $1 is too high" >&2; exit 3 ;; esac
cp "$(dirname "$0")/things.onnx" model.onnx
"#;

/// Goes on for ever, and so does what it starts; tells both numbers.
const ENDLESS: &str = r#"
sleep 1000 &
echo "$$ $!" >"$1/pids"
echo "still at it"
wait
"#;

struct Team {
    app: TestApp,
    engineer: Person,
    stakeholder: Person,
    /// Of the programs.
    root: tempfile::TempDir,
}

fn document() -> Value {
    json!({
        "slug": "things", "title": "Is it big", "decision": "which shelf",
        "target": { "name": "big", "kind": "binary", "column": "big" },
        "data": { "entity": "thing", "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } },
        "features": [{ "name": "x" }, { "name": "y" }],
        "success": { "metric": "roc_auc", "at_least": 0.8 },
        "slices": [], "serving": { "p99_ms": 1000, "throughput_rps": 1 },
        "rollout": { "shadow": { "min_predictions": 100_000, "min_duration": "1h" } },
    })
}

async fn team() -> Team {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().display().to_string();
    let file = |name: &str, text: &str| std::fs::write(root.path().join(name), text.replace("{root}", &place)).unwrap();
    file("trainers.toml", DECLARED);
    file("network.sh", NETWORK);
    file("tuned.sh", TUNED);
    file("endless.sh", ENDLESS);
    for network in ["things.onnx", "three.onnx", "ragged.onnx", "unsure.onnx", "huge.onnx"] {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/external").join(network);
        std::fs::copy(kept, root.path().join(network)).unwrap();
    }
    let trainers = root.path().join("trainers.toml").display().to_string();
    let app = TestApp::start_with(BINARY, &[("MILLRACE_TRAINERS", &trainers)], &[]).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    app.sign_off(&engineer, &stakeholder, &document()).await;
    app.load(&engineer, "things", "things.csv", things(2_000)).await;
    Team { app, engineer, stakeholder, root }
}

impl Team {
    async fn run(&self, trainer: &str) -> Value {
        self.app.run(&self.engineer, "things", json!({ "trainer": format!("external:{trainer}") })).await.body
    }

    async fn remove(self) {
        let left: Vec<PathBuf> = std::fs::read_dir(self.app.home().join("trainers"))
            .map(|entries| entries.map(|entry| entry.unwrap().path()).filter(|path| !path.ends_with("lock")).collect())
            .unwrap_or_default();
        self.app.remove().await;
        assert_eq!(left, Vec::<PathBuf>::new(), "what programs were given is gone with them");
    }

    /// Approves a version and sets it out.
    async fn roll_out(&self, number: i32) {
        let path = format!("/api/v1/models/things/versions/{number}");
        let version = self.engineer.get(&path).await.done();
        self.stakeholder.decide(&path, "approve", version["digest"].as_str().unwrap()).await.done();
        self.engineer.post("/api/v1/deployments/things/rollouts", json!({ "version": number })).await.done();
    }

    /// The processes of the endless program, once it has begun.
    async fn pids(&self) -> Vec<u32> {
        for _ in 0..200 {
            if let Ok(text) = std::fs::read_to_string(self.root.path().join("pids"))
                && text.ends_with('\n')
            {
                return text.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the program did not begin; the server said: {}", self.app.said());
    }
}

/// What is answered about things of these two numbers that are called so, once the server has a model in memory.
async fn asked(client: &Person, called: &str, things: &[[f64; 2]]) -> Value {
    let instance = |(place, [x, y]): (usize, &[f64; 2])| json!({ "thing": format!("{called}{place}"), "x": x, "y": y });
    let instances: Vec<Value> = things.iter().enumerate().map(instance).collect();
    let asked = json!({ "instances": instances });
    let mut answer = client.post("/v1/models/things:predict", asked.clone()).await;
    for _ in 0..600 {
        if answer.status != 404 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        answer = client.post("/v1/models/things:predict", asked.clone()).await;
    }
    answer.done()
}

/// Whether a process is there and has not ended.
fn lives(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // What nobody has waited for yet has ended all the same.
    !matches!(status.rsplit(") ").next().and_then(|rest| rest.chars().next()), None | Some('Z' | 'X'))
}

async fn end_soon(pids: &[u32]) {
    for _ in 0..100 {
        if !pids.iter().any(|pid| lives(*pid)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("of {pids:?} some are still there");
}

#[tokio::test]
async fn a_model_of_a_program_is_measured_gated_reproduced_and_served_like_any_other() {
    let team = team().await;
    let run = team.run("network").await;
    assert_eq!(run["state"], "succeeded", "{} {}", run["failure"], run["gates"]);
    assert_eq!(run["params"], json!({ "rate": 0.25 }));
    assert_eq!(run["trainer"], "external:network", "{run}");
    let id = run["id"].as_str().unwrap();
    let (_, log) = team.engineer.page(&format!("/api/v1/runs/{id}/artifacts/log")).await;
    assert!(log.contains("epoch 1") && log.contains("epoch 2") && log.contains("TEAM=shelves"), "{log}");
    assert!(!log.contains("DATABASE_URL") && !log.contains("MILLRACE"), "{log}");
    let course = team.engineer.get(&format!("/api/v1/runs/{id}/metrics/external.loss")).await.done();
    assert_eq!(course["items"].as_array().unwrap().len(), 3, "{course}");
    let (_, page) = team.engineer.page(&format!("/runs/{id}")).await;
    assert!(page.contains("The external trainer") && page.contains("external.loss"), "{page}");

    let again = team.engineer.post(&format!("/api/v1/runs/{id}/reproduce"), json!({})).await.done();
    let again = team.app.ended(&team.engineer, again["run"].as_str().unwrap()).await;
    assert_eq!(again["state"], "succeeded", "{} {}", again["failure"], again["compared"]);

    team.roll_out(1).await;
    let client = team.app.token(&team.engineer, &[Scope::Predict]).await.unwrap();
    let answer = asked(&client, "t", &[[95.0, 90.0], [5.0, 1.0]]).await;
    let score = |place: usize| answer["predictions"][place]["score"].as_f64().unwrap();
    assert!(score(0) > 0.9 && score(1) < 0.1, "{answer}");
    team.remove().await;
}

#[tokio::test]
async fn a_model_that_has_no_number_for_what_nobody_tried_it_on_costs_no_caller_an_answer_and_is_taken_back() {
    let team = team().await;
    let first = team.app.run(&team.engineer, "things", json!({ "trainer": "logistic" })).await;
    assert_eq!(first.body["state"], "succeeded", "{}", first.body["failure"]);
    team.roll_out(1).await;
    let client = team.app.token(&team.engineer, &[Scope::Predict]).await.unwrap();
    asked(&client, "t", &[[5.0, 1.0]]).await;
    let unsure = team.run("unsure").await;
    assert_eq!(unsure["state"], "succeeded", "{} {}", unsure["failure"], unsure["gates"]);
    team.roll_out(2).await;

    let mut now = Value::Null;
    for round in 0..400 {
        let answer = asked(&client, &format!("{round}-"), &[[5_000.0, 1.0], [6_000.0, 1.0]]).await;
        assert_eq!(answer["model_version"], 1, "{answer}");
        now = team.engineer.get("/api/v1/deployments/things").await.done();
        if now["rollout"].is_null() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((&now["champion"], &now["rollout"]), (&json!(1), &Value::Null), "{now}");
    let reason = now["history"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("it failed: failures"), "{reason}");
    team.remove().await;
}

#[tokio::test]
async fn what_goes_wrong_with_a_program_is_told_with_its_last_words() {
    let team = team().await;
    for (trainer, code, words) in [
        ("failing", "program_failed", &["it ended with 3", "the rate is too high"][..]),
        ("absent", "program_failed", &["there is no such program"]),
        ("silent", "no_model", &["left no model", "model.onnx"]),
        ("wrong", "model_refused", &["model.onnx is no model that can serve here"]),
        ("three", "model_refused", &["an answer of 2 or 1 single-precision number(s) a row"]),
        ("ragged", "model_refused", &["an answer of 2 or 1 single-precision number(s) a row"]),
        (
            "huge",
            "model_refused",
            &["a process that may take 4096 MiB and 120 s for it did not come to its end", "allocat"],
        ),
        ("piping", "model_refused", &["model.onnx is no file"]),
        ("chatty", "metrics_refused", &["more than 10000 points"]),
        ("reporting", "metrics_refused", &["\"a b\" is no name of a metric"]),
        ("endless", "program_too_slow", &["in 2 s", "still at it"]),
        ("busy", "program_failed", &["its limit of processor time"]),
        ("large", "program_failed", &["left no model"]),
    ] {
        let run = team.run(trainer).await;
        assert_eq!(
            (&run["state"], &run["failure"]["code"]),
            (&json!("failed"), &json!(code)),
            "{trainer}: {}",
            run["failure"]
        );
        let message = run["failure"]["message"].as_str().unwrap();
        assert!(words.iter().all(|word| message.contains(word)), "{trainer}: {message}");
    }
    end_soon(&team.pids().await).await;
    team.remove().await;
}

#[tokio::test]
async fn a_launch_that_a_program_is_not_declared_for_is_refused_by_field() {
    let team = team().await;
    for (request, pointer, words) in [
        (json!({ "trainer": "external:nobody" }), "/trainer", "external trainers are absent, burning, busy"),
        (json!({ "trainer": "external:../x" }), "/trainer", "is no name of an external trainer"),
        (json!({ "trainer": "external:numbers" }), "/trainer", "not declared for a binary target"),
        (json!({ "trainer": "external:network", "parameters": { "rate": 2 } }), "/parameters/rate", "from 0 to 1"),
        (json!({ "trainer": "external:network", "parameters": { "x": 1 } }), "/parameters/x", "it has rate"),
        (json!({ "trainer": "external:network", "parameters": { "rate": "; rm" } }), "/parameters/rate", "a number"),
        (json!({ "trainer": "external:failing", "budget": 5 }), "/budget", "no hyperparameter to search"),
        (
            json!({ "trainer": "external:network", "budget": 5, "search": { "rate": { "low": 0, "high": 3 } } }),
            "/search/rate/high",
            "from 0 to 1",
        ),
        (json!({ "trainer": "external:network", "budget": 5, "search": { "x": [1, 2] } }), "/search/x", "it has rate"),
        (json!({ "trainer": "external:tuned", "search": { "depth": [2.5] } }), "/search/depth/0", "whole number"),
        (
            json!({ "trainer": "external:tuned", "search": { "kind": ["dart", "goss"] } }),
            "/search/kind/1",
            "must be one of whole trees, dart",
        ),
        (
            json!({ "trainer": "external:tuned", "budget": 2, "search": { "drop": { "low": 0.2, "high": 0.3 } } }),
            "/search/drop/when/kind",
            "is never met: kind is whole trees in all trials",
        ),
    ] {
        let refused = team.engineer.post("/api/v1/problems/things/runs", request.clone()).await;
        assert_eq!(refused.status, 400, "{request}: {}", refused.body);
        let errors = &refused.body["errors"];
        assert_eq!(errors[0]["pointer"], pointer, "{errors}");
        assert!(errors[0]["message"].as_str().unwrap().contains(words), "{errors}");
    }
    let (_, form) = team.engineer.page("/runs/new?problem=things").await;
    assert!(form.contains("external:network") && !form.contains("external:numbers"), "{form}");
    team.remove().await;
}

#[tokio::test]
async fn a_search_draws_from_what_a_program_declares_goes_past_trials_that_fail_and_trains_with_the_best() {
    let team = team().await;
    let request = json!({ "trainer": "external:tuned", "budget": 8, "sampler": "sobol", "seed": 3 });
    let run = team.app.run(&team.engineer, "things", request).await.body;
    assert_eq!(run["state"], "succeeded", "{} {}", run["failure"], run["trials"]);
    let trials = run["trials"].as_array().unwrap();
    let of = |state: &str| trials.iter().filter(|trial| trial["state"] == state).collect::<Vec<_>>();
    let (succeeded, failed) = (of("succeeded"), of("failed"));
    assert_eq!((trials.len(), succeeded.len() + failed.len()), (8, 8), "{}", run["trials"]);
    // Half of the rates lie below 0.1 on the scale that is declared.
    assert!((3..=5).contains(&succeeded.len()), "{}", run["trials"]);
    for trial in &succeeded {
        let rate = trial["parameters"]["rate"].as_f64().unwrap();
        assert!((0.01..0.1).contains(&rate) && trial["score"].as_f64().unwrap() > 0.9, "{trial}");
        assert!((2..=9).contains(&trial["parameters"]["depth"].as_u64().unwrap()), "{trial}");
    }
    let (darts, others): (Vec<&Value>, Vec<&Value>) =
        trials.iter().map(|trial| &trial["parameters"]).partition(|parameters| parameters["kind"] == "dart");
    assert_eq!((darts.len(), others.len()), (4, 4), "each word is as likely as the other: {}", run["trials"]);
    assert!(others.iter().all(|parameters| parameters["drop"] == 0.5), "it is drawn of darts alone: {others:?}");
    assert!(darts.iter().all(|parameters| parameters["drop"] != 0.5), "{darts:?}");
    assert!(failed.iter().all(|trial| trial["message"].as_str().unwrap().contains("is too high")), "{}", run["trials"]);
    // Equal models: the earliest decides.
    assert_eq!(run["params"], succeeded[0]["parameters"], "{run}");
    assert_eq!(
        run["request"]["search"]["rate"],
        json!({ "low": 0.01, "high": 1.0, "scale": "log" }),
        "{}",
        run["request"]
    );
    let (_, page) = team.engineer.page(&format!("/runs/{}", run["id"].as_str().unwrap())).await;
    assert!(page.contains("is too high"), "{page}");
    team.remove().await;
}

#[tokio::test]
async fn what_programs_of_a_search_use_counts_while_they_run_and_its_budget_ends_them() {
    let team = team().await;
    let request = json!({ "trainer": "external:burning", "budget": 6, "parallel": 2, "cpu_seconds": 1.5 });
    let run = team.app.run(&team.engineer, "things", request).await.body;
    assert_eq!(run["state"], "failed", "{run}");
    let trials = run["trials"].as_array().unwrap();
    assert!(trials[0]["message"].as_str().unwrap().contains("1.5 CPU-seconds"), "{}", run["trials"]);
    let spent: f64 = trials.iter().filter_map(|trial| trial["cpu_s"].as_f64()).sum();
    assert!((1.0..4.0).contains(&spent), "{spent}: {}", run["trials"]);
    end_soon(&team.pids().await.into_iter().filter(|pid| *pid > 0).collect::<Vec<u32>>()).await;
    team.remove().await;
}

#[tokio::test]
async fn a_cancelled_run_ends_its_program_and_all_that_it_started() {
    let team = team().await;
    let launched =
        team.engineer.post("/api/v1/problems/things/runs", json!({ "trainer": "external:waiting" })).await.done();
    let pids = team.pids().await;
    assert!(pids.iter().all(|pid| lives(*pid)));
    let id = launched["run"].as_str().unwrap();
    team.engineer.post(&format!("/api/v1/runs/{id}/cancel"), json!({})).await.done();
    assert_eq!(team.app.ended(&team.engineer, id).await["state"], "cancelled");
    end_soon(&pids).await;
    team.remove().await;
}

#[tokio::test]
async fn a_program_does_not_outlive_a_worker_that_was_killed() {
    let mut team = team().await;
    team.engineer.post("/api/v1/problems/things/runs", json!({ "trainer": "external:waiting" })).await.done();
    let pids = team.pids().await;
    assert!(pids.iter().all(|pid| lives(*pid)));
    let given = || {
        let entries = std::fs::read_dir(team.app.home().join("trainers")).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).collect::<Vec<PathBuf>>()
    };
    let left = given();
    assert_eq!(left.len(), 1, "{left:?}");
    // Others on the machine do not read what it is given.
    assert_eq!(std::fs::metadata(&left[0]).unwrap().permissions().mode() & 0o077, 0);
    // Ends the server as `kill -9` does once another one without the trainer runs; the one after that finds what it left.
    for _ in 0..2 {
        team.app.restart(&[]).await.unwrap();
    }
    end_soon(&pids).await;
    assert!(!left[0].exists(), "what the worker left is swept");
    team.app.remove().await;
}
