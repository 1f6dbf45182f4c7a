//! The people's side: every check of the lists A to E, K and L1 to L6 of the security plan, each a test that begins with its id,
//! and the races, letters and reviews around them. Over real HTTP, on the real program.

#![expect(clippy::unwrap_used, reason = "what tests share fails as tests do")]

mod a_login;
mod attacks;
mod b_sessions;
mod c_cross_site;
mod d_authorisation;
mod e_tokens;
mod elsewhere;
mod k_audit;
mod l_set_up;
mod letters;
mod matrix;
mod races;
mod review;
mod standstill;
mod under_way;
mod vouchers;

use millrace_domain::policy::Role;
use millrace_test_support::{Person, TestApp};
use serde_json::{Value, json};

pub const BINARY: &str = env!("CARGO_BIN_EXE_millrace");

/// A small problem on two number columns.
pub fn document(slug: &str) -> Value {
    json!({
        "slug": slug, "title": "Is it big", "decision": "which shelf",
        "target": { "name": "big", "kind": "binary", "column": "big" },
        "data": { "split": { "kind": "random", "validation": 0.2, "test": 0.2, "seed": 1 } },
        "features": [{ "name": "x" }, { "name": "twice", "expression": "2 * x" }],
        "success": { "metric": "roc_auc", "at_least": 0.6 }
    })
}

/// Rows in which large `x` are mostly big.
pub fn rows(count: u32) -> Vec<u8> {
    let each = (0..count).map(|row| {
        let x = (row * 37) % 101;
        format!("{x},{}\n", u32::from(x + (row * 13) % 29 > 60))
    });
    format!("x,big\n{}", each.collect::<String>()).into_bytes()
}

pub struct Team {
    pub app: TestApp,
    pub engineer: Person,
    pub stakeholder: Person,
    pub on_call: Person,
    pub admin: Person,
}

pub async fn team() -> Team {
    team_with(&[]).await
}

pub async fn team_with(env: &[(&str, &str)]) -> Team {
    let app = TestApp::start_with(BINARY, env, &[]).await.unwrap();
    let engineer = app.person("engineer", &[Role::MlEngineer]).await.unwrap();
    let stakeholder = app.person("stakeholder", &[Role::Stakeholder]).await.unwrap();
    let on_call = app.person("oncall", &[Role::OnCall]).await.unwrap();
    let admin = app.person("admin", &[Role::Admin]).await.unwrap();
    Team { app, engineer, stakeholder, on_call, admin }
}

impl Team {
    /// Writes and submits a problem; gives its digest.
    pub async fn in_review(&self, document: &Value) -> String {
        let slug = document["slug"].as_str().unwrap();
        let saved = self.engineer.post("/api/v1/problems", document.clone()).await.done();
        self.engineer.post(&format!("/api/v1/problems/{slug}/versions/1/submit"), json!({})).await.done();
        saved["digest"].as_str().unwrap().to_owned()
    }

    /// A registered model of a small problem, its digest.
    pub async fn registered(&self, slug: &str) -> String {
        self.app.sign_off(&self.engineer, &self.stakeholder, &document(slug)).await;
        let version = self.app.load(&self.engineer, slug, "rows.csv", rows(300)).await;
        assert_eq!(version["summary"]["state"], "valid", "{}", version["report"]);
        let run = self.app.run(&self.engineer, slug, json!({ "trainer": "logistic" })).await;
        assert_eq!(run.body["state"], "succeeded", "{}", run.body["failure"]);
        let model = self.stakeholder.get(&format!("/api/v1/models/{slug}/versions/1")).await.done();
        model["digest"].as_str().unwrap().to_owned()
    }
}

/// Signs in through the page, as a browser without scripts does.
pub async fn sign_in_by_page(app: &TestApp, email: &str, password: &str) -> millrace_test_support::Landed {
    let fields = [("email", email), ("password", password), ("next", "")];
    app.anybody().submit("/sign-in", "/fn/sign_in", &fields).await
}
