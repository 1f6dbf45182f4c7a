//! Ways in that were tried and found open once; each stays shut.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use millrace_domain::policy::{Grant, Role, Scope};
use millrace_test_support::Person;
use reqwest::Method;
use serde_json::{Value, json};

use crate::a_login::{code_at, seconds_now, set_up_second_factor};
use crate::{document, rows, sign_in_by_page, team, team_with};

#[tokio::test]
async fn the_password_alone_changes_no_password_where_there_is_a_second_factor() {
    let team = team().await;
    let (secret, _) = set_up_second_factor(&team.engineer).await;
    let change = |code: String| {
        let engineer = team.engineer.clone();
        async move {
            let fields =
                [("old", engineer.password.as_str()), ("code", &code), ("password", "a wholly new passphrase")];
            engineer.submit("/account?tab=security", "/fn/change_password", &fields).await
        }
    };
    for wrong in ["", "000000"] {
        assert!(change(wrong.to_owned()).await.to.contains("kept="), "{wrong:?}");
        assert_eq!(team.engineer.get("/api/v1/problems").await.status, 200);
    }
    let done = change(code_at(&secret, seconds_now() + 30)).await;
    assert_eq!(done.to, "/account?tab=security", "{done:?}");
    assert_eq!(team.app.count("select count(*) from account where totp_since is not null").await, 1);
    team.app.remove().await;
}

#[tokio::test]
async fn markup_in_a_name_stays_text_in_the_title_of_its_page() {
    let team = team().await;
    let markup = "</title><meta http-equiv=refresh content=0>";
    let mut titled = document("titled");
    titled["title"] = json!(markup);
    team.engineer.post("/api/v1/problems", titled).await.done();
    team.engineer.upload("titled", markup, "rows.csv", rows(50)).await.done();
    for path in ["/problems/titled", "/datasets/1", "/datasets/1/v/1"] {
        let (status, page) = team.engineer.page(path).await;
        assert_eq!(status, 200, "{path}");
        assert!(page.contains("&lt;/title&gt;&lt;meta"), "{path} shows the name");
        assert!(!page.contains("</title><meta http-equiv=refresh"), "{path}");
    }
    team.app.remove().await;
}

#[tokio::test]
async fn a_crowd_of_guesses_gets_no_more_tries_than_one_after_another() {
    let team = team().await;
    let guesses = (0..60).map(|number| {
        let stranger = team.app.anybody();
        async move {
            let body = json!({ "email": "engineer@example.org", "password": format!("guess number {number}") });
            stranger.post("/api/v1/session", body).await.status
        }
    });
    let tried = join_all(guesses).await.into_iter().filter(|status| *status == 401).count();
    assert!((1..=5).contains(&tried), "{tried} passwords were tried");
    team.app.remove().await;
}

#[tokio::test]
async fn a_crowd_of_codes_gets_no_more_tries_than_one_after_another() {
    let team = team().await;
    set_up_second_factor(&team.engineer).await;
    let half = sign_in_by_page(&team.app, &team.engineer.email, &team.engineer.password).await;
    let half = team.app.anybody().with_session_of(&half);
    let guesses = (0..200).map(|code| {
        let (half, code) = (half.clone(), format!("{code:06}"));
        async move { half.submit("/sign-in/code", "/fn/second_factor", &[("code", &code)]).await.status }
    });
    join_all(guesses).await;
    let tried = team.app.count("select count(*) from audit where action = 'session.refused'").await;
    assert!((1..=10).contains(&tried), "{tried} codes were tried");
    team.app.remove().await;
}

#[tokio::test]
async fn failed_sign_ins_are_forgotten_after_an_hour() {
    let team = team().await;
    let body = json!({ "email": "engineer@example.org", "password": "not this one" });
    assert_eq!(team.app.anybody().post("/api/v1/session", body).await.status, 401);
    let kept = "select count(*) from sign_in_failure";
    assert!(team.app.count(kept).await > 0);
    team.app.services.tidy().await.unwrap();
    assert!(team.app.count(kept).await > 0, "they still count");
    team.app.sql("update sign_in_failure set failed_at = failed_at - interval '2 hours'").await;
    team.app.services.tidy().await.unwrap();
    assert_eq!(team.app.count(kept).await, 0);
    team.app.remove().await;
}

async fn reset_code(app: &millrace_test_support::TestApp) -> String {
    app.anybody().submit("/forgot", "/fn/forgot_password", &[("email", "engineer@example.org")]).await;
    let link = app.letter("engineer@example.org", "password_reset").await.link("/reset?code=");
    link.split('=').nth(1).unwrap().to_owned()
}

async fn opens(app: &millrace_test_support::TestApp, code: &str) -> bool {
    let fields = [("purpose", "reset"), ("code", code), ("password", "the passphrase of a link")];
    app.anybody().submit("/reset", "/fn/set_password", &fields).await.to == "/"
}

#[tokio::test]
async fn a_reset_link_dies_with_the_password_it_was_for() {
    let team = team().await;
    let code = reset_code(&team.app).await;
    let fields = [("old", team.engineer.password.as_str()), ("password", "an entirely new passphrase")];
    team.engineer.submit("/account?tab=security", "/fn/change_password", &fields).await;
    assert!(!opens(&team.app, &code).await);
    team.app.remove().await;
}

#[tokio::test]
async fn a_reset_link_in_a_mailbox_that_was_left_is_dead() {
    let team = team().await;
    let code = reset_code(&team.app).await;
    let fields = [("email", "moved@example.org"), ("name", "Engineer")];
    team.engineer.submit("/account", "/fn/change_identity", &fields).await;
    assert_eq!(team.app.count("select count(*) from account where email = 'moved@example.org'").await, 1);
    assert!(!opens(&team.app, &code).await);
    team.app.remove().await;
}

#[tokio::test]
async fn strangers_who_ask_for_resets_take_none_of_the_owners_links_away() {
    let team = team().await;
    let code = reset_code(&team.app).await;
    let stranger = team.app.anybody();
    for _ in 0..8 {
        let asked = stranger.submit("/forgot", "/fn/forgot_password", &[("email", "engineer@example.org")]).await;
        assert_eq!(asked.status, 302);
    }
    let letters = team.app.count("select count(*) from mail where kind = 'password_reset'").await;
    assert!(letters <= 3, "{letters} letters");
    assert!(opens(&team.app, &code).await);
    team.app.remove().await;
}

#[tokio::test]
async fn strangers_store_nothing_large() {
    let team = team().await;
    let large = "x".repeat(1_000_000);
    let answer = team.app.anybody().submit("/sign-in", "/fn/sign_in", &[("email", &large), ("password", "p")]).await;
    assert!(answer.to.contains("kept="), "{answer:?}");
    let kept = team.app.count("select coalesce(max(length(content::text)), 0)::bigint from kept_note").await;
    assert!((1..5_000).contains(&kept), "{kept} characters are kept");
    team.app.remove().await;
}

#[tokio::test]
async fn live_events_end_with_the_session_and_the_token_they_were_opened_with() {
    let team = team().await;
    let token = team.app.token(&team.engineer, &[Scope::Read]).await.unwrap();
    let mut streams = Vec::new();
    for reader in [&team.engineer, &token] {
        let stream = reader.request(Method::GET, "/api/v1/events").send().await.unwrap();
        assert_eq!(stream.status(), 200);
        streams.push(stream);
    }
    team.engineer.send(team.engineer.request(Method::DELETE, "/api/v1/session")).await;
    team.app.sql("update api_token set revoked_at = now()").await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    team.stakeholder.get("/api/v1/problems").await;
    let second = team.app.person("second", &[Role::MlEngineer]).await.unwrap();
    second.post("/api/v1/problems", document("later")).await.done();
    second.post("/api/v1/problems/later/versions/1/submit", json!({})).await.done();
    for mut stream in streams {
        let mut read = String::new();
        let end = async {
            while let Ok(Some(chunk)) = stream.chunk().await {
                read.push_str(&String::from_utf8_lossy(&chunk));
            }
        };
        tokio::time::timeout(Duration::from_secs(12), end).await.expect("the stream ends");
        assert!(!read.contains("later"), "{read}");
    }
    team.app.remove().await;
}

#[tokio::test]
async fn a_later_name_rewrites_no_decision_and_names_do_not_mislead() {
    let team = team().await;
    let digest = team.in_review(&document("named")).await;
    team.stakeholder.decide("/api/v1/problems/named/versions/1", "approve", &digest).await.done();
    let rename = |name: &'static str| {
        let person = team.stakeholder.clone();
        async move {
            let fields = [("email", person.email.as_str()), ("name", name)];
            person.submit("/account", "/fn/change_identity", &fields).await
        }
    };
    assert!(!rename("somebody else").await.to.contains("kept="));
    let review = team.engineer.get("/api/v1/problems/named/versions/1").await.done()["review"].to_string();
    assert!(review.contains("\"stakeholder\"") && !review.contains("somebody else"), "{review}");
    for misleading in ["a\u{202e}b", "a\u{2028}b", "a\u{2066}b", "a\nb", "\u{feff}"] {
        assert!(rename(misleading).await.to.contains("kept="), "{misleading:?}");
    }
    team.app.remove().await;
}

#[tokio::test]
async fn a_version_that_asks_for_fewer_approvals_needs_what_the_one_before_asked_for() {
    let team = team().await;
    let second = team.app.person("second", &[Role::Stakeholder]).await.unwrap();
    let state = async |version: u32| {
        let seen = team.engineer.get(&format!("/api/v1/problems/barred/versions/{version}")).await.done();
        seen["state"].as_str().unwrap().to_owned()
    };
    let approve = async |by: &Person, version: u32, digest: &Value| {
        let path = format!("/api/v1/problems/barred/versions/{version}");
        by.decide(&path, "approve", digest.as_str().unwrap()).await.done();
    };
    let mut asked = document("barred");
    asked["approvals"] = json!({ "specification": 2 });
    let digest = json!(team.in_review(&asked).await);
    approve(&team.stakeholder, 1, &digest).await;
    approve(&second, 1, &digest).await;
    assert_eq!(state(1).await, "approved");

    asked["approvals"] = json!({ "specification": 1 });
    let lowered = team.engineer.post("/api/v1/problems/barred/versions", asked).await.done();
    team.engineer.post("/api/v1/problems/barred/versions/2/submit", json!({})).await.done();
    approve(&team.stakeholder, 2, &lowered["digest"]).await;
    assert_eq!(state(2).await, "in_review");
    approve(&second, 2, &lowered["digest"]).await;
    assert_eq!(state(2).await, "approved");
    team.app.remove().await;
}

#[tokio::test]
async fn the_last_admin_who_can_sign_in_stays_one() {
    let team = team().await;
    let invited = [("email", "new@example.org"), ("name", "New"), ("roles[]", "admin")];
    team.admin.submit("/people?invite=1", "/fn/invite_person", &invited).await;
    let id = team.admin.id.to_string();
    let refused = team.admin.submit("/people", "/fn/set_roles", &[("account", &id), ("roles[]", "stakeholder")]).await;
    assert!(refused.to.contains("kept="), "{refused:?}");
    assert_eq!(team.admin.get("/api/v1/audit").await.status, 200);
    team.app.remove().await;
}

#[tokio::test]
async fn somebody_with_roles_on_one_problem_makes_and_revokes_their_tokens() {
    let team = team().await;
    team.in_review(&document("one")).await;
    let person = team.app.person_with("single", &[Grant::on(Role::MlEngineer, "one")]).await.unwrap();
    let fields = [("name", "nightly"), ("scopes[]", "read"), ("days", "7")];
    person.submit("/account?tab=tokens", "/fn/create_token", &fields).await;
    let open = "select count(*) from api_token where revoked_at is null";
    assert_eq!(team.app.count(open).await, 1);
    let id = team.app.count("select id from api_token").await.to_string();
    person.submit("/account?tab=tokens", "/fn/revoke_token", &[("token", &id)]).await;
    assert_eq!(team.app.count(open).await, 0);
    team.app.remove().await;
}

#[tokio::test]
async fn one_key_at_once_acts_once() {
    let team = team().await;
    team.app.sign_off(&team.engineer, &team.stakeholder, &document("keyed")).await;
    team.app.load(&team.engineer, "keyed", "rows.csv", rows(300)).await;
    let launch = || {
        let engineer = team.engineer.clone();
        async move {
            let request = engineer.request(Method::POST, "/api/v1/problems/keyed/runs");
            engineer.send(request.header("idempotency-key", "k").json(&json!({ "trainer": "logistic" }))).await
        }
    };
    let answers = join_all((0..8).map(|_| launch())).await;
    assert_eq!(team.app.count("select count(*) from run").await, 1);
    for answer in answers.iter().filter(|answer| answer.status >= 300) {
        assert_eq!((answer.status, answer.code()), (409, "idempotency_key_in_use"), "{}", answer.body);
    }
    let runs: BTreeSet<String> = answers
        .into_iter()
        .chain([launch().await])
        .filter(|answer| answer.status < 300)
        .map(|answer| answer.body["run"].to_string())
        .collect();
    assert_eq!(runs.len(), 1, "{runs:?}");
    team.app.remove().await;
}

#[tokio::test]
async fn a_key_is_free_again_after_a_refusal_and_not_where_nobody_knows_what_was_done() {
    let team = team().await;
    let send = |body: Value| {
        let engineer = team.engineer.clone();
        async move {
            let request = engineer.request(Method::POST, "/api/v1/problems").header("idempotency-key", "k").json(&body);
            engineer.send(request).await
        }
    };
    assert_eq!(send(json!({ "slug": "again" })).await.status, 400);
    assert_eq!(send(document("again")).await.status, 201);
    team.app.sql("update idempotency set status = 0").await;
    assert_eq!(send(document("again")).await.code(), "idempotency_key_in_use");
    team.app.sql("update idempotency set created_at = now() - interval '3 minutes'").await;
    assert_eq!(send(document("other")).await.code(), "idempotency_key_reused");
    let unknown = send(document("again")).await;
    assert_eq!((unknown.status, unknown.code()), (409, "idempotency_outcome_unknown"), "{}", unknown.body);
    team.app.remove().await;
}

#[tokio::test]
async fn what_a_caller_with_a_key_did_not_wait_for_is_done_once_and_told_when_they_ask_again() {
    let team = team().await;
    let app = &team.app;
    let held = app.sql("do $$ begin lock table problem in exclusive mode; perform pg_sleep(1.5); end $$");
    let send = || {
        let request = team.engineer.request(Method::POST, "/api/v1/problems").header("idempotency-key", "gone");
        request.json(&document("gone"))
    };
    let leaves = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        send().timeout(Duration::from_millis(500)).send().await.unwrap_err()
    };
    let ((), error) = futures::join!(held, leaves);
    assert!(error.is_timeout(), "{error}");
    let mut again = team.engineer.send(send()).await;
    for _ in 0..50 {
        if again.code() != "idempotency_key_in_use" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        again = team.engineer.send(send()).await;
    }
    assert_eq!(again.status, 201, "{}", again.body);
    assert_eq!(app.count("select count(*) from problem where slug = 'gone'").await, 1);
    team.app.remove().await;
}

#[tokio::test]
async fn what_the_database_cannot_hold_is_a_mistake_of_the_request() {
    let team = team().await;
    let anybody = team.app.anybody();
    let signing_in = anybody.post("/api/v1/session", json!({ "email": "a\u{0}b", "password": "p" })).await;
    assert_eq!(signing_in.status, 400, "{}", signing_in.body);
    for path in [
        "/api/v1/audit?from=-262143-01-01",
        "/api/v1/audit?actor=%00",
        "/api/v1/audit?page_token=last",
        "/api/v1/runs?problem=%00",
    ] {
        let answer = team.admin.get(path).await;
        assert!(matches!(answer.status, 400 | 403), "{path}: {} {}", answer.status, answer.body);
        assert!(!answer.code().is_empty(), "{path} is answered with a problem document");
    }
    for path in ["/api/v1/problems/x/versions/first", "/api/v1/datasets/1/versions/x"] {
        let answer = team.engineer.get(path).await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{path}");
    }
    let request = anybody.request(Method::POST, "/fn/sign_in").header("accept", "application/json");
    assert_eq!(anybody.send(request.form(&[("nothing", "here")])).await.status, 400);
    team.app.remove().await;
}

#[tokio::test]
async fn a_hidden_problem_is_answered_as_one_that_is_not_there_when_it_is_written() {
    let team = team().await;
    team.in_review(&document("hidden")).await;
    team.in_review(&document("mine")).await;
    let neighbour = team.app.person_with("neighbour", &[Grant::on(Role::MlEngineer, "mine")]).await.unwrap();
    let answer = |slug: &'static str| {
        let neighbour = neighbour.clone();
        async move {
            let answer = neighbour.post("/api/v1/problems", document(slug)).await;
            (answer.status, answer.body["detail"].clone())
        }
    };
    assert_eq!(answer("hidden").await, answer("free").await);
    assert_eq!(answer("mine").await.0, 409);
    team.app.remove().await;
}

#[tokio::test]
async fn a_token_reaches_nothing_of_the_account() {
    let team = team().await;
    let token = team.app.token(&team.engineer, &[Scope::Predict]).await.unwrap();
    for (act, fields) in [
        ("/fn/account", vec![]),
        ("/fn/sign_out", vec![]),
        ("/fn/end_all_sessions", vec![]),
        ("/fn/confirm", vec![("password", team.engineer.password.as_str()), ("code", ""), ("next", "/")]),
    ] {
        let request = token.request(Method::POST, act).header("accept", "application/json").form(&fields);
        let answer = request.send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers().get("set-cookie")), (403, None), "{act}");
    }
    assert_eq!(team.engineer.get("/api/v1/problems").await.status, 200);
    team.app.remove().await;
}

#[tokio::test]
async fn behind_a_proxy_each_client_is_counted_by_its_own_address() {
    let team = team_with(&[("MILLRACE_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let from = |client: &'static str, password: String| {
        let person = team.app.anybody();
        async move {
            let body = json!({ "email": "engineer@example.org", "password": password });
            let request = person.request(Method::POST, "/api/v1/session").header("x-forwarded-for", client);
            person.send(request.json(&body)).await.status
        }
    };
    for _ in 0..5 {
        assert_eq!(from("198.51.100.9, 192.0.2.1", "a guess of a stranger".to_owned()).await, 401);
    }
    assert_eq!(from("203.0.113.5, 192.0.2.1", "a guess of a stranger".to_owned()).await, 429);
    assert_eq!(from("192.0.2.2", team.engineer.password.clone()).await, 200);
    assert_eq!(team.app.count("select count(*) from audit where address = '192.0.2.1'").await, 5);
    team.app.remove().await;
}

#[tokio::test]
async fn the_address_of_the_upload_page_says_nothing_by_itself() {
    let team = team().await;
    team.in_review(&document("open")).await;
    let (_, page) = team.engineer.page("/datasets/new?error=Call%20this%20number&problem=open").await;
    assert!(!page.contains("Call this number"));
    let form = reqwest::multipart::Form::new().text("problem", "open").text("name", "data");
    let refused = team.engineer.request(Method::POST, "/fn/upload_dataset").multipart(form).send().await.unwrap();
    let to = refused.headers()["location"].to_str().unwrap().to_owned();
    let kept = refused.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let request = team.engineer.request(Method::GET, &to);
    let page = request.header("cookie", format!("{}; {kept}", team.engineer.shows())).send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("The file was not taken") && page.contains("File is missing"), "{page}");
    team.app.remove().await;
}

#[tokio::test]
async fn an_admin_does_not_make_the_approver_of_their_own_work() {
    let team = team().await;
    let author = team.app.person("both", &[Role::Admin, Role::MlEngineer]).await.unwrap();
    let saved = author.post("/api/v1/problems", document("mine")).await.done();
    author.post("/api/v1/problems/mine/versions/1/submit", json!({})).await.done();
    let digest = saved["digest"].as_str().unwrap();
    let roles = async |by: &Person, whose: &Person| {
        let account = whose.id.to_string();
        let fields = [("account", account.as_str()), ("roles[]", "stakeholder")];
        assert_eq!(by.submit("/people", "/fn/set_roles", &fields).await.to, "/people");
        team.app.sign_in(whose.clone()).await.unwrap()
    };
    let decide = async |by: &Person| {
        let body = json!({ "decision": "approve", "digest": digest, "comment": "", "waiver": "a test" });
        let answer = by.post("/api/v1/problems/mine/versions/1/decisions", body).await;
        (answer.status, answer.code().to_owned())
    };
    let made = roles(&author, &team.stakeholder).await;
    assert_eq!(decide(&made).await, (403, "made_by_author".to_owned()));
    // Nor somebody whom an admin of their making made.
    let second = team.app.person("second", &[Role::Stakeholder]).await.unwrap();
    let fields = [("account", team.admin.id.to_string()), ("roles[]", "admin".to_owned())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    author.submit("/people", "/fn/set_roles", &fields).await;
    let admin = team.app.sign_in(team.admin.clone()).await.unwrap();
    let second = roles(&admin, &second).await;
    assert_eq!(decide(&second).await, (403, "made_by_author".to_owned()));
    // Whoever runs the server answers for what is given on the host.
    let done = std::process::Command::new(crate::BINARY)
        .args(["user", "roles", "--email", &made.email, "--role", "stakeholder"])
        .env("MILLRACE_HOME", team.app.home())
        .env("DATABASE_URL", team.app.database_url())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let made = team.app.sign_in(made).await.unwrap();
    assert_eq!(decide(&made).await.0, 201);
    team.app.remove().await;
}

#[tokio::test]
async fn what_is_refused_as_not_there_is_written_down_with_the_account() {
    let team = team().await;
    team.engineer.post("/api/v1/problems", document("hidden")).await.done();
    let grant = Grant { role: Role::Stakeholder, problem: Some("hidden".to_owned()) };
    team.engineer.post("/api/v1/problems", document("other")).await.done();
    let limited =
        team.app.person_with("limited", &[Grant { problem: Some("other".to_owned()), ..grant }]).await.unwrap();
    assert_eq!(limited.get("/api/v1/problems/hidden").await.status, 404);
    let refused = format!(
        "select count(*) from audit where outcome = 'refused' and object = 'problem/hidden/v/1' and (details->>'account')::bigint = {}",
        limited.id
    );
    assert_eq!(team.app.count(&refused).await, 1);
    team.app.remove().await;
}

#[tokio::test]
async fn a_title_cannot_turn_the_direction_of_what_is_signed() {
    let team = team().await;
    let mut turned = document("turned");
    turned["title"] = json!("\u{202e}evorppa");
    let refused = team.engineer.post("/api/v1/problems", turned).await;
    assert_eq!((refused.status, refused.code()), (400, "invalid_document"));
    team.app.remove().await;
}
