//! C: requests from other sites.

use millrace_domain::policy::ROUTES;
use reqwest::Method;
use serde_json::json;

use crate::{document, team};

/// Every address that changes something, with something in each place.
fn changing() -> impl Iterator<Item = (Method, String)> {
    ROUTES.iter().filter(|route| route.method != "GET" && !route.path.starts_with("/v1/")).map(|route| {
        let path = route
            .path
            .replace("{slug}", "nothing")
            .replace("{number}", "1")
            .replace("{generation}", "1")
            .replace("{id}", "1");
        (route.method.parse().unwrap(), path)
    })
}

#[tokio::test]
async fn c1_no_change_by_cookie_is_taken_from_another_site_or_a_sibling_of_this_one() {
    let team = team().await;
    for (method, path) in changing() {
        for (site, origin) in [("cross-site", "https://evil.example"), ("same-site", "http://127.0.0.1:1")] {
            let request = team.engineer.request_from(origin, method.clone(), &path).header("sec-fetch-site", site);
            let status = team.engineer.send(request.json(&json!({}))).await.status;
            assert_eq!(status, 403, "{method} {path} from {site}");
        }
    }
    team.app.remove().await;
}

#[tokio::test]
async fn c2_without_that_header_the_origin_must_be_this_one_exactly() {
    let team = team().await;
    let own = team.app.server.url.clone();
    for origin in [
        "https://evil.example",
        "null",
        "http://127.0.0.1:1",
        &own.replace("http:", "https:"),
        &format!("{own}.evil.example"),
    ] {
        let request = team.engineer.request_from(origin, Method::POST, "/api/v1/problems").json(&document("cross"));
        assert_eq!(team.engineer.send(request).await.status, 403, "{origin}");
    }
    let request = team.engineer.request_from(&own, Method::POST, "/api/v1/problems").json(&document("own"));
    assert_eq!(team.engineer.send(request).await.status, 201);
    team.app.remove().await;
}

#[tokio::test]
async fn c3_a_change_by_cookie_that_says_nothing_of_where_it_comes_from_is_refused() {
    let team = team().await;
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for (method, path) in changing().filter(|(_, path)| path != "/fn/set_theme") {
        let request = http
            .request(method.clone(), format!("{}{path}", team.app.server.url))
            .header("cookie", team.engineer.shows());
        let status = request.json(&json!({})).send().await.unwrap().status().as_u16();
        assert_eq!(status, 403, "{method} {path}");
    }
    team.app.remove().await;
}

/// What the database holds besides when sessions and tokens were last used.
async fn contents(app: &millrace_test_support::TestApp) -> i64 {
    let tables = [
        "account",
        "account_role",
        "api_token",
        "problem",
        "problem_version",
        "decision",
        "dataset",
        "run",
        "model_version",
        "deployment",
        "mail",
        "audit",
        "mail_link",
        "recovery_code",
        "identity",
        "login_session",
    ];
    let mut sum = 0;
    for table in tables {
        sum += app.count(&format!("select count(*) * 1000003 + coalesce(sum(hashtext((to_jsonb(t) - 'last_seen_at' - 'last_used_at')::text)::bigint), 0)::bigint from {table} t")).await;
    }
    sum
}

#[tokio::test]
async fn c4_reading_every_address_as_an_admin_changes_nothing() {
    let team = team().await;
    team.app.sign_off(&team.engineer, &team.stakeholder, &document("read")).await;
    let everything = team.app.person("everything", &millrace_domain::policy::Role::ALL).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    team.app.sql("update mail set state = 'sent', next_at = now() + interval '1 day'").await;
    let before = contents(&team.app).await;
    for route in ROUTES.iter().filter(|route| route.method == "GET" && !route.path.contains("events")) {
        let path = route
            .path
            .replace("{slug}", "read")
            .replace("{number}", "1")
            .replace("{generation}", "1")
            .replace("{id}", "1")
            .replace("{name}", "x");
        for method in [Method::GET, Method::HEAD] {
            everything.request(method, &path).send().await.unwrap();
        }
    }
    for act in ROUTES.iter().filter(|route| route.method == "POST" && route.path.starts_with("/fn/")) {
        let status = everything.get(act.path).await.status;
        assert!(status == 404 || status == 405, "GET {} is answered {status}", act.path);
    }
    assert_eq!(contents(&team.app).await, before);
    team.app.remove().await;
}

#[tokio::test]
async fn c5_signing_in_out_and_up_are_covered_too() {
    let team = team().await;
    let body = json!({ "email": team.engineer.email, "password": team.engineer.password });
    for path in [
        "/api/v1/session",
        "/fn/sign_in",
        "/fn/sign_out",
        "/fn/set_up",
        "/fn/second_factor",
        "/fn/set_password",
        "/fn/forgot_password",
    ] {
        let request = team.app.anybody().request_from("https://evil.example", Method::POST, path);
        let answer = team.app.anybody().send(request.header("sec-fetch-site", "cross-site").json(&body)).await;
        assert_eq!(answer.status, 403, "{path}");
    }
    assert_eq!(team.engineer.get("/api/v1/problems").await.status, 200);
    team.app.remove().await;
}

#[tokio::test]
async fn c6_predictions_take_no_cookie_and_nothing_is_shared_with_other_origins() {
    let team = team().await;
    let answer = team.engineer.post("/v1/models/x:predict", json!({ "instances": [{}] })).await;
    assert_eq!(answer.status, 401);
    for path in ["/api/v1/problems", "/v1/models/x:predict", "/", "/pkg/millrace.css"] {
        let request = team.engineer.request_from("https://evil.example", Method::OPTIONS, path);
        let response = request.header("access-control-request-method", "POST").send().await.unwrap();
        assert!(!response.headers().contains_key("access-control-allow-origin"), "{path}");
        let response = team.engineer.request_from("https://evil.example", Method::GET, path).send().await.unwrap();
        assert!(!response.headers().contains_key("access-control-allow-origin"), "{path}");
    }
    team.app.remove().await;
}

#[tokio::test]
async fn c7_live_events_are_for_pages_of_this_site() {
    let team = team().await;
    let request = team.engineer.request_from("https://evil.example", Method::GET, "/api/v1/events");
    let refused = request.header("sec-fetch-site", "cross-site").header("sec-fetch-mode", "cors").send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 403);
    let request = team.engineer.request(Method::GET, "/api/v1/events").header("sec-fetch-site", "same-origin");
    assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
    team.app.remove().await;
}

#[tokio::test]
async fn c8_no_redirect_leads_off_this_site() {
    let team = team().await;
    let targets = [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "http:evil.example",
    ];
    for next in targets {
        let fields = [("email", team.engineer.email.as_str()), ("password", &team.engineer.password), ("next", next)];
        assert_eq!(team.app.anybody().submit("/sign-in", "/fn/sign_in", &fields).await.to, "/", "{next}");
        let fields = [("password", team.stakeholder.password.as_str()), ("next", next)];
        let person = team.app.sign_in(team.stakeholder.clone()).await.unwrap();
        assert_eq!(person.submit("/confirm", "/fn/confirm", &fields).await.to, "/account", "{next}");
    }
    let request = team.app.anybody().request(Method::POST, "/fn/sign_in").header("accept", "text/html");
    let request =
        request.header("referer", "https://evil.example/phish").form(&[("email", "a@b.c"), ("password", "x")]);
    let to = request.send().await.unwrap().headers()["location"].to_str().unwrap().to_owned();
    assert!(to.starts_with("/phish?kept="), "{to}");
    team.app.remove().await;
}
