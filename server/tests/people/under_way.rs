//! What was under way when a session, a token or a role ended: it comes to nothing, and nothing that was begun before comes after.

use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream;
use millrace_domain::policy::{Role, Scope};
use millrace_test_support::Person;
use reqwest::Method;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::{document, team};

const FORM: &str = "application/x-www-form-urlencoded";

/// A request of which the first half was sent.
struct HalfSent {
    rest: oneshot::Sender<()>,
    answer: JoinHandle<(u16, Vec<String>)>,
}

impl HalfSent {
    async fn begin(by: &Person, path: &str, kind: &str, body: String) -> Self {
        let (rest, told) = oneshot::channel::<()>();
        let (first, second) = body.split_at(body.len() / 2);
        let (first, second) = (first.to_owned(), second.to_owned());
        let later = stream::once(async move {
            let _ = told.await;
            second
        });
        let body = stream::once(async move { first }).chain(later).map(Ok::<_, std::io::Error>);
        let request =
            by.request(Method::POST, path).header("content-type", kind).body(reqwest::Body::wrap_stream(body));
        let answer = tokio::spawn(async move {
            let response = request.send().await.unwrap();
            let cookies = response.headers().get_all("set-cookie").iter();
            let cookies = cookies.filter_map(|value| value.to_str().ok()).map(str::to_owned).collect();
            (response.status().as_u16(), cookies)
        });
        // The caller is recognised when the headers arrive.
        tokio::time::sleep(Duration::from_millis(300)).await;
        Self { rest, answer }
    }

    async fn finish(self) -> (u16, Vec<String>) {
        let _ = self.rest.send(());
        self.answer.await.unwrap()
    }
}

async fn acts(by: &Person, number: usize) -> Vec<HalfSent> {
    let json = document(&format!("late-{number}")).to_string();
    let forms = [
        ("/fn/create_token", "name=late&scopes%5B%5D=read&days=300".to_owned()),
        ("/fn/change_identity", format!("email=late{number}%40example.org&name=Late")),
        ("/fn/invite_person", format!("email=invited{number}%40example.org&name=Late&roles%5B%5D=admin")),
        ("/fn/confirm", format!("password={}", by.password.replace(' ', "+"))),
        ("/fn/begin_second_factor", "unused=unused".to_owned()),
        ("/fn/account", "unused=unused".to_owned()),
        ("/fn/audit", "unused=unused".to_owned()),
    ];
    let begun = forms.into_iter().map(|(path, body)| HalfSent::begin(by, path, FORM, body));
    let mut begun = join_all(begun).await;
    begun.push(HalfSent::begin(by, "/api/v1/problems", "application/json", json).await);
    begun
}

#[tokio::test]
async fn a_request_that_is_under_way_when_its_session_ends_does_nothing() {
    let team = team().await;
    for number in 0..5 {
        let roles = [Role::MlEngineer, Role::Admin];
        let person = team.app.person(&format!("ended{number}"), &roles).await.unwrap();
        let other = team.app.sign_in(person.clone()).await.unwrap();
        let begun = acts(&person, number).await;
        let old = person.password.as_str();
        match number {
            0 => assert_eq!(person.send(person.request(Method::DELETE, "/api/v1/session")).await.status, 204),
            1 => assert_eq!(person.submit("/account", "/fn/sign_out", &[]).await.status, 302),
            2 => assert_eq!(other.submit("/account", "/fn/end_all_sessions", &[]).await.status, 302),
            3 => {
                let fields = [("old", old), ("password", "an entirely new passphrase")];
                let done = other.submit("/account?tab=security", "/fn/change_password", &fields).await;
                assert_eq!(done.to, "/account?tab=security", "{done:?}");
            }
            _ => {
                let account = person.id.to_string();
                let fields = [("account", account.as_str()), ("act", "end_sessions")];
                assert_eq!(team.admin.submit("/people", "/fn/act_on_person", &fields).await.status, 302);
            }
        }
        assert_eq!(person.get("/api/v1/problems").await.status, 401, "ending {number}");
        for act in begun {
            let (status, cookies) = act.finish().await;
            assert!(status == 401 || status == 302, "ending {number} was answered {status}");
            assert!(!cookies.iter().any(|cookie| cookie.starts_with("millrace=") && !cookie.starts_with("millrace=;")));
        }
        for nothing in [
            format!("select count(*) from problem where slug = 'late-{number}'"),
            "select count(*) from api_token".to_owned(),
            format!(
                "select count(*) from account where email in ('late{number}@example.org', 'invited{number}@example.org')"
            ),
            "select count(*) from account where totp_sealed is not null".to_owned(),
        ] {
            assert_eq!(team.app.count(&nothing).await, 0, "ending {number}: {nothing}");
        }
    }
    team.app.remove().await;
}

#[tokio::test]
async fn a_request_that_is_under_way_when_its_token_is_revoked_does_nothing() {
    let team = team().await;
    let token = team.app.token(&team.engineer, &[Scope::Launch, Scope::Read]).await.unwrap();
    let begun = HalfSent::begin(&token, "/api/v1/problems", "application/json", document("late").to_string()).await;
    let number = team.app.count("select id from api_token").await.to_string();
    team.engineer.submit("/account?tab=tokens", "/fn/revoke_token", &[("token", &number)]).await;
    assert_eq!(team.app.count("select count(*) from api_token where revoked_at is not null").await, 1);
    assert_eq!(begun.finish().await.0, 401);
    assert_eq!(team.app.count("select count(*) from problem").await, 0);
    team.app.remove().await;
}

#[tokio::test]
async fn an_outcome_that_is_under_way_when_its_token_is_revoked_is_not_taken() {
    let team = team().await;
    let token = team.app.token(&team.engineer, &[Scope::Predict]).await.unwrap();
    let body = json!({ "outcomes": [{ "id": "0", "label": true }] }).to_string();
    let begun = HalfSent::begin(&token, "/v1/models/none:outcome", "application/json", body).await;
    team.app.sql("update api_token set revoked_at = now()").await;
    // Predictions remember a token for a second.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(begun.finish().await.0, 401);
    team.app.remove().await;
}

#[tokio::test]
async fn a_link_that_is_asked_for_while_the_address_changes_opens_nothing_from_the_old_one() {
    let team = team().await;
    for round in 0..8 {
        let person = team.app.person(&format!("moving{round}"), &[Role::MlEngineer]).await.unwrap();
        let (stranger, old) = (team.app.anybody(), person.email.clone());
        let asked = [("email", old.as_str())];
        let ask = stranger.submit("/forgot", "/fn/forgot_password", &asked);
        let new = format!("moved{round}@example.org");
        let fields = [("email", new.as_str()), ("name", "Moved")];
        futures::future::join(ask, person.submit("/account", "/fn/change_identity", &fields)).await;
        // The letter is written after the answer.
        tokio::time::sleep(Duration::from_millis(400)).await;
        let open = format!("select count(*) from mail_link where account_id = {} and used_at is null", person.id);
        assert_eq!(team.app.count(&open).await, 0, "round {round}");
        assert_eq!(team.app.count(&format!("select count(*) from account where email = '{new}'")).await, 1);
    }
    team.app.remove().await;
}

#[tokio::test]
async fn two_admins_who_change_each_other_do_not_wait_for_each_other() {
    let team = team().await;
    let first = team.app.person("first", &[Role::Admin]).await.unwrap();
    let second = team.app.person("second", &[Role::Admin]).await.unwrap();
    let give = async |by: &Person, whose: &Person| {
        let account = whose.id.to_string();
        let fields = [("account", account.as_str()), ("roles[]", "admin"), ("roles[]", "stakeholder")];
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={value}", name.replace("[]", "%5B%5D"))).collect();
        let request = by.request(Method::POST, "/fn/set_roles").header("content-type", FORM);
        request.body(body.join("&")).send().await.unwrap().status().as_u16()
    };
    let (one, other) = futures::future::join(give(&first, &second), give(&second, &first)).await;
    // Who comes second may have lost the session to the first one's change.
    for status in [one, other] {
        assert!(matches!(status, 200 | 302 | 401), "{one} and {other}");
    }
    assert!(team.app.count("select count(*) from audit where action = 'account.roles'").await >= 1);
    team.app.remove().await;
}

#[tokio::test]
async fn a_run_that_is_cancelled_while_a_step_computes_ends() {
    let team = team().await;
    team.app.sign_off(&team.engineer, &team.stakeholder, &document("called-off")).await;
    team.app.load(&team.engineer, "called-off", "rows.csv", crate::rows(60_000)).await;
    let asked = json!({ "trainer": "gradient_boosting", "budget": 3 });
    let run = team.engineer.post("/api/v1/problems/called-off/runs", asked).await.done();
    let run = run["run"].as_str().unwrap().to_owned();
    let computing = "select count(*) from step where subject_kind = 'run' and state = 'running'";
    for _ in 0..3_000 {
        if team.app.count(computing).await > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    team.engineer.post(&format!("/api/v1/runs/{run}/cancel"), json!({})).await;
    let ended = team.app.ended(&team.engineer, &run).await;
    assert_eq!(ended["state"], "cancelled", "{}", ended["failure"]);
    team.app.remove().await;
}

#[tokio::test]
async fn a_sign_in_with_the_old_password_opens_nothing_after_it_was_changed() {
    let team = team().await;
    for round in 0..3 {
        let person = team.app.person(&format!("racer{round}"), &[Role::MlEngineer]).await.unwrap();
        let late = (0..4u64).map(|step| {
            let (stranger, person) = (team.app.anybody(), person.clone());
            async move {
                tokio::time::sleep(Duration::from_millis(12 * step)).await;
                let body = json!({ "email": person.email, "password": person.password });
                stranger.post("/api/v1/session", body).await
            }
        });
        let fields = [("old", person.password.as_str()), ("password", "an entirely new passphrase")];
        let change = person.submit("/account?tab=security", "/fn/change_password", &fields);
        let (changed, _) = futures::future::join(change, join_all(late)).await;
        assert_eq!(changed.to, "/account?tab=security");
        let open =
            format!("select count(*) from login_session where account_id = {} and revoked_at is null", person.id);
        assert_eq!(team.app.count(&open).await, 1, "round {round}: only the one that changed it goes on");
    }
    team.app.remove().await;
}

#[tokio::test]
async fn tokens_of_a_disabled_account_stay_dead_when_it_is_enabled_again() {
    let team = team().await;
    let token = team.app.token(&team.engineer, &[Scope::Read]).await.unwrap();
    let account = team.engineer.id.to_string();
    for act in ["disable", "enable"] {
        let fields = [("account", account.as_str()), ("act", act)];
        team.admin.submit("/people", "/fn/act_on_person", &fields).await;
    }
    assert_eq!(team.app.count("select count(*) from account where disabled_at is not null").await, 0);
    assert_eq!(token.get("/api/v1/problems").await.status, 401);
    team.app.remove().await;
}

#[tokio::test]
async fn a_kept_answer_is_not_told_again_to_whoever_lost_the_right_to_it() {
    let team = team().await;
    let save = async |by: &Person| {
        let request = by.request(Method::POST, "/api/v1/problems").header("idempotency-key", "k1");
        by.send(request.json(&document("told"))).await
    };
    save(&team.engineer).await.done();
    let account = team.engineer.id.to_string();
    let fields = [("account", account.as_str()), ("roles[]", "stakeholder")];
    team.admin.submit("/people", "/fn/set_roles", &fields).await;
    let engineer = team.app.sign_in(team.engineer.clone()).await.unwrap();
    let again = save(&engineer).await;
    assert!(matches!(again.status, 403 | 409), "{} {}", again.status, again.body);
    assert_eq!(again.body["digest"], serde_json::Value::Null);
    team.app.remove().await;
}

#[tokio::test]
async fn what_waits_for_the_next_page_is_for_the_person_it_was_kept_for() {
    let team = team().await;
    let fields = [("name", "left"), ("scopes[]", "read"), ("days", "30")];
    let made = team.engineer.submit("/account?tab=tokens", "/fn/create_token", &fields).await;
    let cookie = made.cookies.iter().find(|cookie| cookie.starts_with("millrace-kept=")).unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let both = format!("{}; {cookie}", team.stakeholder.shows());
    let stranger = reqwest::Client::new();
    let page = stranger.get(format!("{}{}", team.app.server.url, made.to)).header("cookie", both).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(!page.contains("mr_"), "the token was shown to somebody else");
    team.app.remove().await;
}

#[tokio::test]
async fn a_form_is_read_only_as_a_form_and_a_foreign_origin_counts_whatever_else_is_said() {
    let team = team().await;
    let body = "email=engineer%40example.org&name=Renamed";
    for kind in ["text/plain", "multipart/form-data; boundary=x", "application/json"] {
        let request = team.engineer.request(Method::POST, "/fn/change_identity").header("content-type", kind);
        assert_eq!(request.body(body).send().await.unwrap().status(), 415, "{kind}");
    }
    for fetched in ["same-origin", "none"] {
        let request = team.engineer.request_from("https://evil.example", Method::POST, "/fn/change_identity");
        let request = request.header("content-type", FORM).header("sec-fetch-site", fetched);
        assert_eq!(request.body(body).send().await.unwrap().status(), 403, "{fetched}");
    }
    assert_eq!(team.app.count("select count(*) from account where name = 'Renamed'").await, 0);
    team.app.remove().await;
}
