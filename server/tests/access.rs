//! Who may do what, over real HTTP: the policy table, sign-off by others, sessions and tokens.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

use millrace_domain::policy::{Access, ROUTES, Role, Scope};
use millrace_test_support::{Person, TestApp};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_millrace");

/// A small problem on two number columns.
fn document(slug: &str) -> Value {
    json!({
        "slug": slug, "title": "Is it big", "decision": "which shelf",
        "target": { "name": "big", "kind": "binary", "column": "big" },
        "data": { "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } },
        "features": [{ "name": "x" }, { "name": "twice", "expression": "2 * x" }],
        "success": { "metric": "roc_auc", "at_least": 0.6 }
    })
}

/// 300 rows in which large `x` are mostly big.
fn rows() -> Vec<u8> {
    let mut csv = "x,big\n".to_owned();
    for row in 0..300u32 {
        let x = (row * 37) % 101;
        let big = u32::from(x + (row * 13) % 29 > 60);
        csv.push_str(&format!("{x},{big}\n"));
    }
    csv.into_bytes()
}

struct People {
    engineer: Person,
    stakeholder: Person,
    on_call: Person,
}

async fn people(app: &TestApp) -> People {
    People {
        engineer: app.person("engineer", &[Role::MlEngineer]).await.unwrap(),
        stakeholder: app.person("stakeholder", &[Role::Stakeholder]).await.unwrap(),
        on_call: app.person("oncall", &[Role::OnCall]).await.unwrap(),
    }
}

async fn app() -> (TestApp, People) {
    let app = TestApp::start(BINARY).await.unwrap();
    let people = people(&app).await;
    (app, people)
}

/// A path of a route with something in each place.
fn filled(path: &str) -> String {
    path.replace("{slug}", "nothing")
        .replace("{number}", "1")
        .replace("{id}", "1")
        .replace("{generation}", "1")
        .replace("{name}", "x")
        .replace("{call}", "nothing:predict")
        .replace("{*file}", "nothing.js")
}

#[tokio::test]
async fn nobody_unknown_gets_past_a_route_that_is_not_public() {
    let (app, _) = app().await;
    let anybody = app.anybody();
    let open = |path: &str| ["/metrics", "/deadman"].contains(&path); // to callers on the host, as tests are
    for route in ROUTES.iter().filter(|route| route.access != Access::Public && !open(route.path)) {
        let method = route.method.parse().unwrap();
        let answer = anybody.send(anybody.request(method, &filled(route.path))).await;
        assert!(matches!(answer.status, 401 | 303), "{} {}: {}", route.method, route.path, answer.status);
    }
    app.remove().await;
}

#[tokio::test]
async fn every_route_of_the_table_exists() {
    let (app, _) = app().await;
    let everything = app.person("everything", &Role::ALL).await.unwrap();
    let mut missing = Vec::new();
    // Signing in elsewhere is there only where a provider is set.
    let walked = |path: &str| !path.contains("events") && !path.contains("elsewhere");
    for route in ROUTES.iter().filter(|route| route.method == "GET" && walked(route.path)) {
        let response = everything.request(route.method.parse().unwrap(), &filled(route.path)).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap_or_default();
        if status == 404 && text.contains("no such page") || status >= 500 {
            missing.push(format!("{} {} {status}", route.method, route.path));
        }
    }
    assert_eq!(missing, Vec::<String>::new());
    app.remove().await;
}

#[tokio::test]
async fn what_the_table_does_not_name_is_not_there() {
    let (app, people) = app().await;
    for path in ["/api/v1/people", "/api/v2/runs", "/.env", "/pkg/..%2f..%2fCargo.toml", "/fn/unknown"] {
        assert_eq!(people.engineer.get(path).await.status, 404, "{path}");
    }
    app.remove().await;
}

#[tokio::test]
async fn the_author_cannot_approve_whatever_roles_they_have() {
    let (app, _) = app().await;
    let author = app.person("both", &[Role::MlEngineer, Role::Stakeholder, Role::Admin]).await.unwrap();
    let saved = author.post("/api/v1/problems", document("own-work")).await.done();
    author.post("/api/v1/problems/own-work/versions/1/submit", json!({})).await.done();
    let digest = saved["digest"].as_str().unwrap();
    let refused = author.decide("/api/v1/problems/own-work/versions/1", "approve", digest).await;
    assert_eq!((refused.status, refused.code()), (403, "own_work"));
    app.remove().await;
}

#[tokio::test]
async fn a_decision_on_another_digest_is_refused() {
    let (app, people) = app().await;
    people.engineer.post("/api/v1/problems", document("stale")).await.done();
    people.engineer.post("/api/v1/problems/stale/versions/1/submit", json!({})).await.done();
    let refused = people.stakeholder.decide("/api/v1/problems/stale/versions/1", "approve", &"0".repeat(64)).await;
    assert_eq!((refused.status, refused.code()), (409, "stale_digest"));
    app.remove().await;
}

#[tokio::test]
async fn a_token_approves_nothing() {
    let (app, people) = app().await;
    let saved = people.engineer.post("/api/v1/problems", document("by-token")).await.done();
    people.engineer.post("/api/v1/problems/by-token/versions/1/submit", json!({})).await.done();
    let token = app.token(&people.stakeholder, &Scope::ALL).await.unwrap();
    let digest = saved["digest"].as_str().unwrap();
    let refused = token.decide("/api/v1/problems/by-token/versions/1", "approve", digest).await;
    assert_eq!(refused.status, 403);
    app.remove().await;
}

#[tokio::test]
async fn without_sign_off_there_is_no_run() {
    let (app, people) = app().await;
    people.engineer.post("/api/v1/problems", document("unsigned")).await.done();
    let refused = people.engineer.post("/api/v1/problems/unsigned/runs", json!({})).await;
    assert_eq!((refused.status, refused.code()), (409, "problem_not_signed_off"));
    app.remove().await;
}

#[tokio::test]
async fn a_model_goes_live_only_after_somebody_else_approved_it_and_can_be_taken_back() {
    let (app, people) = app().await;
    app.sign_off(&people.engineer, &people.stakeholder, &document("shelf")).await;
    let version = app.load(&people.engineer, "shelf", "rows.csv", rows()).await;
    assert_eq!(version["summary"]["state"], "valid", "{}", version["report"]);
    let run = app.run(&people.engineer, "shelf", json!({ "trainer": "logistic" })).await;
    assert_eq!(run.body["state"], "succeeded", "{}", run.body);
    let rollout = json!({ "version": 1, "reason": "first" });
    let early = people.engineer.post("/api/v1/deployments/shelf/rollouts", rollout.clone()).await;
    assert_eq!((early.status, early.code()), (409, "not_approved"));
    let model = people.stakeholder.get("/api/v1/models/shelf/versions/1").await.done();
    let digest = model["digest"].as_str().unwrap();
    let own = people.engineer.decide("/api/v1/models/shelf/versions/1", "approve", digest).await;
    assert_eq!((own.status, own.code()), (403, "own_work"));
    people.stakeholder.decide("/api/v1/models/shelf/versions/1", "approve", digest).await.done();
    let by_on_call = people.on_call.post("/api/v1/deployments/shelf/rollouts", rollout.clone()).await;
    assert_eq!(by_on_call.status, 403);
    people.engineer.post("/api/v1/deployments/shelf/rollouts", rollout).await.done();
    let back = people.on_call.post("/api/v1/deployments/shelf/rollback", json!({ "reason": "drift" })).await.done();
    assert_eq!((back["generation"].as_i64(), back["champion"].as_i64()), (Some(2), None));
    let twice = json!({ "reason": "drift", "generation": 1 });
    let twice = people.on_call.post("/api/v1/deployments/shelf/rollback", twice).await.done();
    assert_eq!(twice["generation"].as_i64(), Some(2));
    let sent_again = json!({ "reason": "drift" });
    let sent_again = people.on_call.post("/api/v1/deployments/shelf/rollback", sent_again).await.done();
    assert_eq!(sent_again["generation"].as_i64(), Some(2));
    let again = people.on_call.post("/api/v1/deployments/shelf/rollback", json!({ "reason": "still drift" })).await;
    assert_eq!((again.status, again.code()), (409, "nothing_live"));
    app.remove().await;
}

#[tokio::test]
async fn a_change_by_session_from_another_site_is_refused() {
    let (app, people) = app().await;
    let request = people.engineer.request_from("https://elsewhere.example", reqwest::Method::POST, "/api/v1/problems");
    let request = request.header("sec-fetch-site", "cross-site").json(&document("cross"));
    assert_eq!(people.engineer.send(request).await.status, 403);
    assert_eq!(people.engineer.get("/api/v1/problems/cross").await.status, 404);
    app.remove().await;
}

#[tokio::test]
async fn a_session_is_dead_after_signing_out() {
    let (app, people) = app().await;
    let out = people.engineer.send(people.engineer.request(reqwest::Method::DELETE, "/api/v1/session")).await;
    assert_eq!(out.status, 204);
    assert_eq!(people.engineer.get("/api/v1/problems").await.status, 401);
    app.remove().await;
}

#[tokio::test]
async fn a_repeated_post_with_one_key_creates_once() {
    let (app, people) = app().await;
    let token = app.token(&people.engineer, &[Scope::Launch, Scope::Read]).await.unwrap();
    let post = || {
        let request = token.request(reqwest::Method::POST, "/api/v1/problems");
        request.header("idempotency-key", "one").json(&document("once"))
    };
    let first = token.send(post()).await.done();
    let second = token.send(post()).await.done();
    assert_eq!(first, second);
    let other = token.request(reqwest::Method::POST, "/api/v1/problems").header("idempotency-key", "one");
    let refused = token.send(other.json(&document("other"))).await;
    assert_eq!((refused.status, refused.code()), (409, "idempotency_key_reused"));
    app.remove().await;
}

#[tokio::test]
async fn every_act_is_in_a_chain_that_verifies() {
    let (app, people) = app().await;
    app.sign_off(&people.engineer, &people.stakeholder, &document("audited")).await;
    let rows = people.stakeholder.get("/api/v1/audit").await.done();
    let actions: Vec<&str> =
        rows["items"].as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap()).collect();
    for action in ["problem.write", "problem.submit", "problem.approve", "session.open"] {
        assert!(actions.contains(&action), "{action} is not in {actions:?}");
    }
    assert!(app.services.verify_audit().await.unwrap().is_ok());
    app.remove().await;
}
