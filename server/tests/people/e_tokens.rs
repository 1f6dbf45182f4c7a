//! E: API tokens.

use std::time::{Duration, Instant};

use millrace_domain::policy::{Access, ROUTES, Role, Scope};
use serde_json::json;

use crate::{document, team, team_with};

/// The secret of a person's token.
fn secret(person: &millrace_test_support::Person) -> String {
    person.shows().strip_prefix("Bearer ").unwrap().to_owned()
}

#[tokio::test]
async fn e1_a_token_is_known_by_its_shape_and_a_mistyped_one_costs_no_query() {
    let team = team().await;
    let token = secret(&team.app.token(&team.engineer, &[Scope::Read]).await.unwrap());
    assert!(token.starts_with("mr_") && token.len() == 39, "{token}");
    let with = |text: String| {
        let request = team
            .app
            .anybody()
            .request(reqwest::Method::GET, "/api/v1/problems")
            .header("authorization", format!("Bearer {text}"));
        let person = team.app.anybody();
        async move { person.send(request).await }
    };
    assert_eq!(with(token.clone()).await.status, 200);
    let last = token.chars().last().unwrap();
    let mistyped = format!("{}{}", &token[..38], if last == 'a' { 'b' } else { 'a' });
    for wrong in [mistyped, token[..30].to_owned(), token.to_uppercase(), "mr_".to_owned(), format!("{token}x")] {
        let refused = with(wrong.clone()).await;
        assert_eq!(refused.status, 401, "{wrong}");
        assert!(refused.detail().contains("cut or mistyped"), "{wrong}: {}", refused.detail());
    }
    team.app.remove().await;
}

#[tokio::test]
async fn e2_the_database_holds_only_a_hash_and_the_secret_is_shown_once() {
    let team = team().await;
    let fields = [("name", "nightly"), ("scopes[]", "read"), ("days", "7")];
    let made = team.engineer.submit("/account?tab=tokens", "/fn/create_token", &fields).await;
    let kept = made
        .cookies
        .iter()
        .find(|cookie| cookie.starts_with("millrace-kept="))
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let show = || {
        let request = team
            .engineer
            .request(reqwest::Method::GET, &made.to)
            .header("cookie", format!("{}; {kept}", team.engineer.shows()));
        async move { request.send().await.unwrap().text().await.unwrap() }
    };
    let first = show().await;
    let at = first.find("<code>mr_").expect("it is shown") + 6;
    let token = &first[at..at + 39];
    assert!(!show().await.contains(token), "shown twice");
    assert_eq!(team.app.count(&format!("select count(*) from api_token t where t::text like '%{token}%'")).await, 0);
    assert_eq!(team.app.count(&format!("select count(*) from kept_note n where n::text like '%{token}%'")).await, 0);
    let (_, later) = team.engineer.page("/account?tab=tokens").await;
    assert!(later.contains(&token[..9]) && !later.contains(token));
    team.app.remove().await;
}

#[tokio::test]
async fn e3_every_scope_opens_its_routes_and_no_other() {
    let team = team_with(&[("MILLRACE_TOKEN_RATE", "100000")]).await;
    let owner = team.app.person("owner", &Role::ALL).await.unwrap();
    for scope in Scope::ALL {
        let token = team.app.token(&owner, &[scope]).await.unwrap();
        for route in ROUTES.iter().filter(|route| !route.path.contains("events")) {
            let Access::May(action) = route.access else { continue };
            let path = route
                .path
                .replace("{slug}", "nothing")
                .replace("{number}", "1")
                .replace("{generation}", "1")
                .replace("{id}", "77")
                .replace("{name}", "x")
                .replace("{call}", "nothing:predict");
            let request = token.request(route.method.parse().unwrap(), &path);
            let status =
                token.send(if route.method == "GET" { request } else { request.json(&json!({})) }).await.status;
            let covered = action.scope() == Some(scope);
            assert_eq!(status != 403, covered, "{} {} with {}: {status}", route.method, route.path, scope.as_str());
        }
    }
    team.app.remove().await;
}

#[tokio::test]
async fn e4_a_token_does_no_more_than_its_owner_now_may() {
    let team = team().await;
    let token = team.app.token(&team.engineer, &Scope::ALL).await.unwrap();
    assert_eq!(token.post("/api/v1/problems", document("mine")).await.status, 201);
    let id = team.engineer.id.to_string();
    team.admin.submit("/people", "/fn/set_roles", &[("account", &id), ("roles[]", "on_call")]).await;
    assert_eq!(token.post("/api/v1/problems", document("more")).await.status, 403);
    assert_eq!(token.get("/api/v1/problems").await.status, 200);
    team.app.remove().await;
}

#[tokio::test]
async fn e5_a_token_ends_within_a_year() {
    let team = team().await;
    let owner = team.app.services.recognise_host(&team.engineer.email).await.unwrap();
    for days in [0, 366, 100_000] {
        assert!(team.app.services.create_token(&owner, "t", &[Scope::Read], days).await.is_err(), "{days}");
    }
    let token = team.app.token(&team.engineer, &[Scope::Read]).await.unwrap();
    team.app.sql("update api_token set expires_at = now() - interval '1 second'").await;
    assert_eq!(token.get("/api/v1/problems").await.status, 401);
    assert!(team.app.try_sql("update api_token set expires_at = null").await.is_err());
    team.app.remove().await;
}

#[tokio::test]
async fn e6_a_revoked_token_is_dead_within_a_second_predictions_too() {
    let team = team().await;
    let token = team.app.token(&team.engineer, &[Scope::Read, Scope::Predict]).await.unwrap();
    let predict = || token.post("/v1/models/x:predict", json!({ "instances": [{}] }));
    assert_eq!((token.get("/api/v1/problems").await.status, predict().await.status), (200, 404));
    let id = team.app.count("select max(id) from api_token").await.to_string();
    let revoked = Instant::now();
    team.engineer.submit("/account?tab=tokens", "/fn/revoke_token", &[("token", &id)]).await;
    assert_eq!(token.get("/api/v1/problems").await.status, 401);
    loop {
        let asked = revoked.elapsed();
        if predict().await.status == 401 {
            break;
        }
        assert!(asked < Duration::from_secs(1), "still alive");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    team.app.remove().await;
}

#[tokio::test]
async fn e7_tokens_of_a_disabled_owner_are_dead() {
    let team = team().await;
    let token = team.app.token(&team.engineer, &[Scope::Read]).await.unwrap();
    let id = team.engineer.id.to_string();
    team.admin.submit("/people", "/fn/act_on_person", &[("account", &id), ("act", "disable")]).await;
    assert_eq!(token.get("/api/v1/problems").await.status, 401);
    team.app.remove().await;
}

#[tokio::test]
async fn e8_a_token_counts_in_its_header_only() {
    let team = team().await;
    let token = secret(&team.app.token(&team.engineer, &Scope::ALL).await.unwrap());
    let anybody = team.app.anybody();
    for path in [
        format!("/api/v1/problems?token={token}"),
        format!("/api/v1/problems?access_token={token}"),
        format!("/problems?authorization=Bearer+{token}"),
    ] {
        assert!(matches!(anybody.get(&path).await.status, 401 | 303), "{path}");
    }
    let request = anybody
        .request(reqwest::Method::GET, "/api/v1/problems")
        .header("cookie", format!("millrace={token}; token={token}"));
    assert_eq!(anybody.send(request).await.status, 401);
    let request = anybody.request(reqwest::Method::GET, "/api/v1/problems").basic_auth("x", Some(&token));
    assert_eq!(anybody.send(request).await.status, 401);
    team.app.remove().await;
}

#[tokio::test]
async fn e9_a_token_makes_no_tokens_approves_nothing_and_changes_nobody() {
    let team = team().await;
    let owner = team.app.person("owner", &Role::ALL).await.unwrap();
    let token = team.app.token(&owner, &Scope::ALL).await.unwrap();
    let digest = team.in_review(&document("signed")).await;
    assert_eq!(token.decide("/api/v1/problems/signed/versions/1", "approve", &digest).await.status, 403);
    let acts: [(&str, Vec<(&str, &str)>); 9] = [
        ("/fn/create_token", vec![("name", "t"), ("scopes[]", "read"), ("days", "7")]),
        ("/fn/invite_person", vec![("email", "n@example.org"), ("name", "N")]),
        ("/fn/set_roles", vec![("account", "1"), ("roles[]", "admin")]),
        ("/fn/act_on_person", vec![("account", "1"), ("act", "disable")]),
        ("/fn/change_password", vec![("old", &owner.password), ("password", "an entirely new passphrase")]),
        ("/fn/change_identity", vec![("email", "x@example.org"), ("name", "X")]),
        ("/fn/begin_second_factor", vec![]),
        ("/fn/end_all_sessions", vec![]),
        ("/fn/end_session", vec![("session", "1")]),
    ];
    let before = team.app.count("select count(*) from audit where outcome = 'done'").await;
    for (act, fields) in acts {
        let answer = token
            .send(token.request(reqwest::Method::POST, act).header("accept", "application/json").form(&fields))
            .await;
        assert_eq!(answer.status, 403, "{act}: {}", answer.body);
    }
    assert_eq!(team.app.count("select count(*) from audit where outcome = 'done'").await, before);
    team.app.remove().await;
}

#[tokio::test]
async fn e10_the_last_use_is_shown_to_the_minute() {
    let team = team().await;
    let token = team.app.token(&team.engineer, &[Scope::Read]).await.unwrap();
    assert_eq!(team.app.count("select count(last_used_at) from api_token").await, 0);
    for _ in 0..5 {
        token.get("/api/v1/problems").await;
    }
    assert_eq!(
        team.app
            .count("select count(last_used_at) from api_token where last_used_at > now() - interval '1 minute'")
            .await,
        1
    );
    let (_, page) = team.engineer.page("/account?tab=tokens").await;
    assert!(!page.contains("class=\"muted\">never"), "{page}");
    team.app.remove().await;
}

#[tokio::test]
async fn e11_a_token_that_calls_too_often_is_told_when_to_come_back() {
    let team = team_with(&[("MILLRACE_TOKEN_RATE", "5")]).await;
    let (busy, quiet) = (
        team.app.token(&team.engineer, &[Scope::Read]).await.unwrap(),
        team.app.token(&team.stakeholder, &[Scope::Read]).await.unwrap(),
    );
    let calls = (0..40).map(|_| busy.request(reqwest::Method::GET, "/api/v1/problems").send());
    let answers = futures::future::join_all(calls).await;
    let refused =
        answers.into_iter().map(Result::unwrap).find(|answer| answer.status() == 429).expect("some are refused");
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(quiet.get("/api/v1/problems").await.status, 200);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(busy.get("/api/v1/problems").await.status, 200);
    team.app.remove().await;
}
