//! B: sessions.

use serde_json::json;

use crate::{sign_in_by_page, team, team_with};

#[tokio::test]
async fn b1_the_cookie_is_kept_to_this_host_by_https_and_out_of_scripts() {
    let team = team_with(&[("MILLRACE_BASE_URL", "https://millrace.example.org")]).await;
    let request =
        team.app.anybody().request_from("https://millrace.example.org", reqwest::Method::POST, "/api/v1/session");
    let body = json!({ "email": team.engineer.email, "password": team.engineer.password });
    let response = request.json(&body).send().await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    for part in ["__Host-millrace=", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{part} is not in {cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    team.app.remove().await;
}

#[tokio::test]
async fn b2_signing_in_confirming_and_new_roles_bring_a_new_id_and_a_planted_one_is_never_taken() {
    let team = team().await;
    let planted = "millrace=AAAAAAAAAAAAAAAAAAAAAA";
    let request = team.app.anybody().request(reqwest::Method::POST, "/api/v1/session").header("cookie", planted);
    let body = json!({ "email": team.engineer.email, "password": team.engineer.password });
    let response = request.json(&body).send().await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(!cookie.starts_with(planted), "{cookie}");
    let fields = [("password", team.engineer.password.as_str())];
    let confirmed = team.engineer.submit("/confirm", "/fn/confirm", &fields).await;
    let renewed = team.engineer.with_session_of(&confirmed);
    assert_ne!(renewed.shows(), team.engineer.shows());
    assert_eq!(team.engineer.get("/api/v1/problems").await.status, 401);
    let id = team.engineer.id.to_string();
    team.admin.submit("/people", "/fn/set_roles", &[("account", &id), ("roles[]", "on_call")]).await;
    assert_eq!(renewed.get("/api/v1/problems").await.status, 401);
    team.app.remove().await;
}

#[tokio::test]
async fn b3_an_id_has_128_random_bits() {
    let team = team().await;
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let person = team.app.sign_in(team.engineer.clone()).await.unwrap();
        let id = person.shows().split('=').nth(1).unwrap().to_owned();
        // 22 characters of base 64 hold 128 bits.
        assert!(id.len() >= 22, "{id}");
        ids.insert(id);
    }
    assert_eq!(ids.len(), 20);
    team.app.remove().await;
}

#[tokio::test]
async fn b4_the_database_holds_only_a_hash() {
    let team = team().await;
    let id = team.engineer.shows().split('=').nth(1).unwrap();
    let found = format!("select count(*) from login_session s where s::text like '%{id}%'");
    assert_eq!(team.app.count(&found).await, 0);
    assert_eq!(team.app.count("select count(*) from login_session where length(id_hash) = 32").await, 4);
    team.app.remove().await;
}

#[tokio::test]
async fn b5_a_session_ends_after_twelve_idle_hours_and_after_seven_days() {
    let team = team().await;
    let open = || async { team.engineer.get("/api/v1/problems").await.status == 200 };
    team.app.sql("update login_session set last_seen_at = now() - interval '11 hours 59 minutes'").await;
    assert!(open().await);
    team.app.sql("update login_session set last_seen_at = now() - interval '12 hours 1 minute'").await;
    assert!(!open().await);
    team.app.sql("update login_session set last_seen_at = now()").await;
    assert!(open().await);
    let longest = "select count(*) from login_session where expires_at > created_at + interval '7 days'";
    assert_eq!(team.app.count(longest).await, 0);
    team.app.sql("update login_session set expires_at = now() - interval '1 second'").await;
    assert!(!open().await);
    team.app.remove().await;
}

#[tokio::test]
async fn b6_a_session_that_was_signed_out_is_dead_on_the_server() {
    let team = team().await;
    let out = team.engineer.submit("/", "/fn/sign_out", &[]).await;
    assert_eq!(out.to, "/sign-in");
    assert_eq!(team.engineer.get("/api/v1/problems").await.status, 401);
    team.app.remove().await;
}

#[tokio::test]
async fn b7_signing_out_beats_requests_in_flight_a_hundred_times() {
    let team = team().await;
    for round in 0..100 {
        let person = team.app.sign_in(team.engineer.clone()).await.unwrap();
        let slow = (0..3).map(|_| person.get("/api/v1/runs"));
        let out = person.send(person.request(reqwest::Method::DELETE, "/api/v1/session"));
        let (_, out) = tokio::join!(futures::future::join_all(slow), out);
        assert_eq!(out.status, 204, "round {round}");
        assert_eq!(person.get("/api/v1/problems").await.status, 401, "round {round}");
        team.app.sql("delete from sign_in_failure").await;
    }
    team.app.remove().await;
}

#[tokio::test]
async fn b8_a_new_password_new_roles_and_disabling_end_every_session_at_once() {
    let team = team().await;
    let elsewhere = team.app.sign_in(team.engineer.clone()).await.unwrap();
    let fields = [("old", team.engineer.password.as_str()), ("password", "an entirely new passphrase")];
    let landed = team.engineer.submit("/account?tab=security", "/fn/change_password", &fields).await;
    assert_eq!(elsewhere.get("/api/v1/problems").await.status, 401);
    let renewed = team.engineer.with_session_of(&landed);
    assert_eq!(renewed.get("/api/v1/problems").await.status, 200);
    let id = team.engineer.id.to_string();
    team.admin.submit("/people", "/fn/act_on_person", &[("account", &id), ("act", "disable")]).await;
    assert_eq!(renewed.get("/api/v1/problems").await.status, 401);
    let id = team.on_call.id.to_string();
    team.admin.submit("/people", "/fn/set_roles", &[("account", &id), ("roles[]", "stakeholder")]).await;
    assert_eq!(team.on_call.get("/api/v1/problems").await.status, 401);
    team.app.remove().await;
}

#[tokio::test]
async fn b9_people_see_and_end_their_own_sessions_only() {
    let team = team().await;
    let other = team.app.sign_in(team.engineer.clone()).await.unwrap();
    let (_, page) = team.engineer.page("/account?tab=sessions").await;
    assert!(page.contains("127.0.0.1"), "{page}");
    let newest = team.app.count("select max(id) from login_session").await.to_string();
    let foreign = team.stakeholder.submit("/account?tab=sessions", "/fn/end_session", &[("session", &newest)]).await;
    assert!(foreign.to.contains("kept="), "{foreign:?}");
    assert_eq!(other.get("/api/v1/problems").await.status, 200);
    team.engineer.submit("/account?tab=sessions", "/fn/end_session", &[("session", &newest)]).await;
    assert_eq!(other.get("/api/v1/problems").await.status, 401);
    let everywhere = team.engineer.submit("/account?tab=sessions", "/fn/end_all_sessions", &[]).await;
    assert_eq!((everywhere.to.as_str(), team.engineer.get("/api/v1/problems").await.status), ("/sign-in", 401));
    team.app.remove().await;
}

#[tokio::test]
async fn b10_an_admin_ends_anybodys_sessions() {
    let team = team().await;
    let id = team.engineer.id.to_string();
    team.admin.submit("/people", "/fn/act_on_person", &[("account", &id), ("act", "end_sessions")]).await;
    assert_eq!(team.engineer.get("/api/v1/problems").await.status, 401);
    assert_eq!(team.stakeholder.get("/api/v1/problems").await.status, 200);
    team.app.remove().await;
}

#[tokio::test]
async fn b11_no_session_id_is_in_a_log_a_page_an_answer_or_a_letter() {
    let team = team_with(&[("RUST_LOG", "debug")]).await;
    let id = team.engineer.shows().split('=').nth(1).unwrap().to_owned();
    for path in ["/", "/account", "/account?tab=sessions", "/runs/999", "/audit"] {
        let (_, page) = team.engineer.page(path).await;
        assert!(!page.contains(&id), "{path}");
    }
    assert!(!team.engineer.get("/api/v1/runs/999").await.body.to_string().contains(&id));
    assert!(!team.app.server.output().contains(&id));
    assert_eq!(team.app.count(&format!("select count(*) from mail m where m::text like '%{id}%'")).await, 0);
    assert_eq!(team.app.count(&format!("select count(*) from audit a where a::text like '%{id}%'")).await, 0);
    team.app.remove().await;
}

#[tokio::test]
async fn b12_requests_at_once_lose_nothing_of_a_session() {
    let team = team().await;
    let many = (0..30).map(|_| team.engineer.get("/api/v1/problems"));
    let answers = futures::future::join_all(many).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let sessions = team.app.count("select count(*) from login_session where revoked_at is null").await;
    assert_eq!(sessions, 4);
    team.app.remove().await;
}

#[tokio::test]
async fn b13_what_a_session_showed_is_not_stored_and_is_cleared_at_the_end() {
    let team = team().await;
    let page = team.engineer.request(reqwest::Method::GET, "/").send().await.unwrap();
    assert_eq!(page.headers()["cache-control"], "no-store");
    let by_api = team.app.sign_in(team.engineer.clone()).await.unwrap();
    let out = by_api.request(reqwest::Method::DELETE, "/api/v1/session").send().await.unwrap();
    assert!(out.headers()["clear-site-data"].to_str().unwrap().contains("storage"));
    let request = team.engineer.request(reqwest::Method::POST, "/fn/sign_out").header("accept", "text/html");
    let out = request.send().await.unwrap();
    assert!(out.headers()["clear-site-data"].to_str().unwrap().contains("storage"));
    team.app.remove().await;
}

#[tokio::test]
async fn a_deep_link_survives_signing_in_and_never_leads_elsewhere() {
    let team = team().await;
    let bounced = team.app.anybody().request(reqwest::Method::GET, "/problems?x=1").send().await.unwrap();
    assert_eq!(bounced.headers()["location"], "/sign-in?next=/problems%3Fx%3D1");
    for (next, to) in [("/problems?x=1", "/problems?x=1"), ("//evil.example", "/"), ("https://evil.example", "/")] {
        let fields = [("email", team.engineer.email.as_str()), ("password", &team.engineer.password), ("next", next)];
        assert_eq!(team.app.anybody().submit("/sign-in", "/fn/sign_in", &fields).await.to, to);
    }
    assert_eq!(
        sign_in_by_page(&team.app, "engineer@example.org", "wrong wrong").await.to.split('?').next(),
        Some("/sign-in")
    );
    let roleless = team.app.person("nobody", &[]).await.unwrap();
    assert_eq!(roleless.page("/account").await.0, 200);
    assert_eq!(roleless.page("/problems").await.0, 403);
    team.app.remove().await;
}
