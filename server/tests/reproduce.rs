//! A run that is computed once more from its recorded inputs gives the same, or it is said which step does not.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

use millrace_domain::policy::{Role, Scope};
use millrace_test_support::{Person, TestApp};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_millrace");

fn document(slug: &str, target: &Value, metric: &Value) -> Value {
    json!({
        "slug": slug, "title": "Is it big", "decision": "which shelf", "target": target,
        "data": { "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } },
        "features": [{ "name": "x" }, { "name": "noise" }, { "name": "kind", "type": "category" }],
        "success": metric,
    })
}

fn binary() -> Value {
    let target = json!({ "name": "big", "kind": "binary", "column": "big" });
    document("shelves", &target, &json!({ "metric": "roc_auc", "at_least": 0.6 }))
}

fn regression() -> Value {
    let target = json!({ "name": "sum", "kind": "regression", "column": "price" });
    document("sums", &target, &json!({ "metric": "rmse", "at_most": 60 }))
}

fn rows() -> Vec<u8> {
    let mut csv = "x,noise,kind,price,big\n".to_owned();
    for row in 0..3_000u32 {
        let (x, noise, kind) = ((row * 37) % 101, (row * 13) % 29, ["a", "b", "c"][row as usize % 3]);
        let price = x + noise + (row * 7_919) % 40;
        csv.push_str(&format!("{x}.5,{noise},{kind},{price},{}\n", u32::from(price > 80)));
    }
    csv.into_bytes()
}

struct Team {
    app: TestApp,
    engineer: Person,
    stakeholder: Person,
}

async fn team(env: &[(&str, &str)]) -> Team {
    let app = TestApp::start_with(BINARY, env, &[]).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    Team { app, engineer, stakeholder }
}

impl Team {
    async fn prepared(&self, document: &Value) {
        self.app.sign_off(&self.engineer, &self.stakeholder, document).await;
        let slug = document["slug"].as_str().unwrap();
        self.app.load(&self.engineer, slug, "rows.csv", rows()).await;
    }

    /// The id of a run that succeeded.
    async fn run(&self, slug: &str, request: Value) -> String {
        let run = self.app.run(&self.engineer, slug, request).await.body;
        assert_eq!(run["state"], "succeeded", "{}", run["failure"]);
        run["id"].as_str().unwrap().to_owned()
    }

    /// The repetition of a run, at its end.
    async fn again(&self, id: &str) -> Value {
        let launched = self.engineer.post(&format!("/api/v1/runs/{id}/reproduce"), json!({})).await.done();
        self.app.ended(&self.engineer, launched["run"].as_str().unwrap()).await
    }
}

#[tokio::test]
async fn every_trainer_gives_equal_digests_on_another_number_of_threads() {
    let mut team = team(&[("RAYON_NUM_THREADS", "1")]).await;
    team.prepared(&binary()).await;
    team.prepared(&regression()).await;
    let mut runs = Vec::new();
    for (slug, trainer) in [
        ("shelves", "gradient_boosting"),
        ("shelves", "logistic"),
        ("shelves", "random_forest"),
        ("shelves", "decision_tree"),
        ("sums", "gradient_boosting"),
        ("sums", "elastic_net"),
        ("sums", "random_forest"),
        ("sums", "decision_tree"),
    ] {
        runs.push(team.run(slug, json!({ "trainer": trainer, "budget": 3, "seed": 5 })).await);
    }
    team.app.restart(&[("RAYON_NUM_THREADS", "3")]).await.unwrap();
    team.engineer = team.app.sign_in(team.engineer).await.unwrap();
    for id in runs {
        let again = team.again(&id).await;
        assert_eq!(again["state"], "succeeded", "{}", again["failure"]);
        let compared = again["compared"].as_array().unwrap();
        assert_eq!(compared.len(), 4, "{compared:?}");
        assert!(compared.iter().all(|step| step["first"] == step["again"]), "{compared:?}");
        assert!(
            again["steps"].as_array().unwrap().iter().skip(2).all(|step| step["reused"] == false),
            "{}",
            again["steps"]
        );
        let first = team.engineer.get(&format!("/api/v1/runs/{id}")).await.done();
        assert_eq!(first["reproductions"][0]["state"], "succeeded");
        assert_eq!(first["metrics"], again["metrics"]);
    }
    team.app.remove().await;
}

#[tokio::test]
async fn a_step_that_makes_something_else_is_named_and_the_command_fails() {
    let team = team(&[]).await;
    team.prepared(&binary()).await;
    let id = team.run("shelves", json!({ "trainer": "logistic" })).await;
    team.app
        .sql(&format!(
            "update step set output = jsonb_set(output, '{{report,iterations}}', '7') where subject_kind = 'run' and subject_id = {id} and kind = 'train'"
        ))
        .await;
    let owner = team.app.services.recognise_host(&team.engineer.email).await.unwrap();
    let token = team.app.services.create_token(&owner, "script", &[Scope::Launch, Scope::Read], 1).await.unwrap();
    let mut command = tokio::process::Command::new(BINARY);
    command.args(["reproduce", &id]).env("MILLRACE_URL", &team.app.server.url).env("MILLRACE_TOKEN", token);
    let output = command.output().await.unwrap();
    let (told, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{told} {wrong}");
    assert!(told.contains("differs  train") && told.contains("equal    evaluate"), "{told}");
    assert!(wrong.contains("other digests than the first time: train"), "{wrong}");
    let first = team.engineer.get(&format!("/api/v1/runs/{id}")).await.done();
    assert_eq!(first["reproductions"][0]["differing"], json!(["train"]));
    let (_, page) = team.engineer.page(&format!("/runs/{id}")).await;
    assert!(page.contains("Not reproduced"), "{page}");
    // It would only be compared once more.
    let again = first["reproductions"][0]["run"].as_str().unwrap();
    let landed = team.engineer.submit(&format!("/runs/{again}"), "/fn/retry_run", &[("id", again)]).await;
    assert_eq!(team.engineer.get(&format!("/api/v1/runs/{again}")).await.done()["state"], "failed", "{landed:?}");
    team.app.remove().await;
}

#[tokio::test]
async fn a_repetition_registers_nothing_is_not_repeated_and_works_after_a_newer_sign_off() {
    let team = team(&[]).await;
    team.prepared(&binary()).await;
    let id = team.run("shelves", json!({ "trainer": "logistic" })).await;
    let mut newer = binary();
    newer["title"] = json!("Is it really big");
    let saved = team.engineer.post("/api/v1/problems/shelves/versions", newer).await.done();
    let version = "/api/v1/problems/shelves/versions/2";
    team.engineer.post(&format!("{version}/submit"), json!({})).await.done();
    team.stakeholder.decide(version, "approve", saved["digest"].as_str().unwrap()).await.done();
    let again = team.again(&id).await;
    assert_eq!((&again["state"], &again["model"]), (&json!("succeeded"), &Value::Null), "{}", again["failure"]);
    assert_eq!(team.app.count("select count(*) from model_version").await, 1);
    let repeated = again["id"].as_str().unwrap();
    let refused = team.engineer.post(&format!("/api/v1/runs/{repeated}/reproduce"), json!({})).await;
    assert_eq!((refused.status, refused.code()), (409, "not_repeatable"));
    // The schema holds it as well: no other request, and no registration.
    let insert = format!(
        "insert into run (problem_version_id, dataset_version_id, author_id, state, request, seed, provenance, created_at, reproduces)
         select problem_version_id, dataset_version_id, author_id, 'queued', request, seed + 1, provenance, now(), id from run where id = {id}"
    );
    assert!(team.app.try_sql(&insert).await.unwrap_err().contains("as it was asked for"));
    let register = format!(
        "insert into model_version (problem_id, number, run_id, digest, artifact, gates, stage, created_at)
         select problem_id, 2, {repeated}, digest, artifact, gates, 'registered', now() from model_version"
    );
    assert!(team.app.try_sql(&register).await.unwrap_err().contains("registers nothing"));
    let broken = millrace_storage::invariant::first_violation(team.app.services.db().pool()).await.unwrap();
    assert_eq!(broken, None);
    team.app.remove().await;
}
