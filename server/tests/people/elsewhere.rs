//! Signing in elsewhere, against a small provider of the tests' own: discovery, keys, codes bound to PKCE, signed ID tokens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Form, Query, State};
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Json, Router};
use millrace_domain::Digest;
use millrace_test_support::{Person, TestApp};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use crate::BINARY;

/// What the next token says.
#[derive(Clone, Default)]
struct Says {
    subject: String,
    email: String,
    verified: bool,
    groups: Vec<String>,
    /// Claims put in place of right ones.
    wrong: Value,
    /// Signs with another key than the published one.
    foreign_key: bool,
}

struct Provider {
    issuer: String,
    key: EcdsaKeyPair,
    other: EcdsaKeyPair,
    says: Mutex<Says>,
    codes: Mutex<HashMap<String, (String, String)>>,
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(LETTERS[(word >> (18 - 6 * place)) as usize & 63]));
        }
    }
    text
}

fn key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let bytes = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes.as_ref(), &random).unwrap()
}

async fn open() -> Arc<Provider> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let issuer = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let provider =
        Arc::new(Provider { issuer, key: key(), other: key(), says: Mutex::default(), codes: Mutex::default() });
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(discover))
        .route("/keys", get(keys))
        .route("/authorize", get(authorize))
        .route("/token", post(token))
        .with_state(Arc::clone(&provider));
    tokio::spawn(async move { axum::serve(listener, router).await });
    provider
}

async fn discover(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", provider.issuer);
    Json(json!({
        "issuer": provider.issuer, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"), "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }))
}

async fn keys(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let point = provider.key.public_key().as_ref();
    Json(json!({ "keys": [{ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "one",
        "x": base64(&point[1..33]), "y": base64(&point[33..65]) }] }))
}

async fn authorize(State(provider): State<Arc<Provider>>, Query(asked): Query<HashMap<String, String>>) -> Redirect {
    assert_eq!((asked["response_type"].as_str(), asked["code_challenge_method"].as_str()), ("code", "S256"));
    let code = Digest::of(&asked["state"]).short();
    provider.codes.lock().unwrap().insert(code.clone(), (asked["code_challenge"].clone(), asked["nonce"].clone()));
    Redirect::to(&format!("{}?code={code}&state={}", asked["redirect_uri"], asked["state"]))
}

async fn token(
    State(provider): State<Arc<Provider>>,
    Form(asked): Form<HashMap<String, String>>,
) -> Result<Json<Value>, axum::http::StatusCode> {
    let bad = axum::http::StatusCode::BAD_REQUEST;
    let (challenge, nonce) = provider.codes.lock().unwrap().remove(&asked["code"]).ok_or(bad)?;
    let verifier = asked.get("code_verifier").ok_or(bad)?;
    if base64(Digest::of(verifier).as_bytes()) != challenge {
        return Err(bad);
    }
    let says = provider.says.lock().unwrap().clone();
    let now = crate::a_login::seconds_now();
    let mut claims = json!({
        "iss": provider.issuer, "aud": "millrace", "sub": says.subject, "exp": now + 300, "iat": now, "nonce": nonce,
        "email": says.email, "email_verified": says.verified, "name": "Ada Example", "groups": says.groups,
    });
    for (claim, value) in says.wrong.as_object().into_iter().flatten() {
        claims[claim] = value.clone();
    }
    let head = base64(json!({ "alg": "ES256", "kid": "one" }).to_string().as_bytes());
    let signed = format!("{head}.{}", base64(claims.to_string().as_bytes()));
    let key = if says.foreign_key { &provider.other } else { &provider.key };
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    let id_token = format!("{signed}.{}", base64(signature.as_ref()));
    Ok(Json(json!({ "access_token": "x", "token_type": "Bearer", "id_token": id_token })))
}

async fn app(provider: &Provider) -> TestApp {
    let env = [
        ("MILLRACE_OIDC_ISSUER", provider.issuer.as_str()),
        ("MILLRACE_OIDC_CLIENT_ID", "millrace"),
        ("MILLRACE_OIDC_CLIENT_SECRET", "b5f1c0d2e8a94477"),
        ("MILLRACE_OIDC_NAME", "Example ID"),
        ("MILLRACE_OIDC_ROLES", "ml=ml_engineer,business=stakeholder"),
    ];
    TestApp::start_with(BINARY, &env, &[]).await.unwrap()
}

/// A sign-in through the provider, as a browser goes through it; the answer of the last step.
async fn go(app: &TestApp, next: &str) -> millrace_test_support::Landed {
    let (cookie, back) = leave(app, next).await;
    come_back(app, &cookie, &back).await
}

/// To the provider: what the browser keeps, and where it is sent back to.
async fn leave(app: &TestApp, next: &str) -> (String, String) {
    let begun =
        app.anybody().request(reqwest::Method::GET, &format!("/sign-in/elsewhere?next={next}")).send().await.unwrap();
    assert_eq!(begun.status().as_u16(), 303);
    let cookie = begun.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let to = begun.headers()["location"].to_str().unwrap().to_owned();
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let sent = http.get(to).send().await.unwrap();
    let back = sent.headers()["location"].to_str().unwrap().to_owned();
    let path = back.splitn(4, '/').nth(3).unwrap();
    (cookie, format!("/{path}"))
}

async fn come_back(app: &TestApp, cookie: &str, back: &str) -> millrace_test_support::Landed {
    let request = app.anybody().request(reqwest::Method::GET, back).header("cookie", cookie);
    let response = request.send().await.unwrap();
    let headers = response.headers().clone();
    let text = |name: &str| {
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect::<Vec<_>>()
    };
    millrace_test_support::Landed {
        status: response.status().as_u16(),
        to: text("location").pop().unwrap_or_default(),
        cookies: text("set-cookie"),
        text: response.text().await.unwrap(),
    }
}

fn ada() -> Says {
    Says {
        subject: "ada-1".into(),
        email: "ada@example.org".into(),
        verified: true,
        groups: vec!["ml".into()],
        ..Says::default()
    }
}

fn person(app: &TestApp, landed: &millrace_test_support::Landed) -> Person {
    app.anybody().with_session_of(landed)
}

#[tokio::test]
async fn who_the_provider_vouches_for_is_signed_in_with_the_roles_of_their_groups() {
    let provider = open().await;
    let app = app(&provider).await;
    let (_, page) = app.anybody().page("/sign-in?next=/runs").await;
    assert!(page.contains("Sign in with Example ID"), "{page}");
    *provider.says.lock().unwrap() = ada();
    let landed = go(&app, "/problems").await;
    assert_eq!(landed.to, "/problems", "{}", landed.text);
    let ada_here = person(&app, &landed);
    assert_eq!(ada_here.post("/api/v1/problems", crate::document("ada")).await.status, 201);
    // The same person with other groups: the roles follow.
    *provider.says.lock().unwrap() = Says { groups: vec!["business".into()], ..ada() };
    let later = person(&app, &go(&app, "/").await);
    assert_eq!(later.post("/api/v1/problems", crate::document("more")).await.status, 403);
    assert_eq!(app.count("select count(*) from account").await, 1);
    let rows = app
        .count("select count(*) from audit where action in ('account.tied', 'account.vouched', 'session.open')")
        .await;
    assert_eq!(rows, 4);
    app.remove().await;
}

#[tokio::test]
async fn roles_that_groups_gave_go_with_them_and_those_that_an_admin_gave_stay() {
    let provider = open().await;
    let app = app(&provider).await;
    *provider.says.lock().unwrap() = ada();
    let ada_here = person(&app, &go(&app, "/").await);
    let roles = async || -> Vec<String> {
        let id = app.count("select id from account where email = 'ada@example.org'").await;
        let account =
            millrace_storage::account::find(app.services.db().pool(), millrace_domain::ids::AccountId(id)).await;
        account.unwrap().unwrap().grants.iter().map(ToString::to_string).collect()
    };
    assert_eq!(roles().await, ["ml_engineer"]);
    // Without a group that has a role there is none, not even for whoever is signed in.
    *provider.says.lock().unwrap() = Says { groups: vec!["guests".into()], ..ada() };
    let landed = go(&app, "/").await;
    assert_eq!(landed.status, 403, "{}", landed.text);
    assert!(landed.text.contains("one of your groups has a role here any more"), "{}", landed.text);
    assert!(roles().await.is_empty());
    assert_eq!(ada_here.post("/api/v1/problems", crate::document("late")).await.status, 403);
    app.sql("insert into account_role (account_id, role) select id, 'on_call' from account").await;
    *provider.says.lock().unwrap() = Says { groups: vec!["business".into()], ..ada() };
    assert_eq!(go(&app, "/").await.to, "/");
    assert_eq!(roles().await, ["on_call", "stakeholder"]);
    // Admins are told what they cannot take away for good, and that nobody waits for an invitation.
    let admin = app.person("admin", &[millrace_domain::policy::Role::Admin]).await.unwrap();
    let (_, page) = admin.page("/people").await;
    assert!(page.contains("stakeholder from Example ID") && !page.contains("Invited"), "{page}");
    *provider.says.lock().unwrap() = Says { groups: Vec::new(), ..ada() };
    assert_eq!(go(&app, "/").await.to, "/");
    assert_eq!(roles().await, ["on_call"]);
    app.remove().await;
}

#[tokio::test]
async fn a_token_that_is_not_for_us_now_and_from_the_provider_is_refused() {
    let provider = open().await;
    let app = app(&provider).await;
    let now = crate::a_login::seconds_now();
    let wrong = [
        ("another nonce", Says { wrong: json!({ "nonce": "of another sign-in" }), ..ada() }),
        ("another audience", Says { wrong: json!({ "aud": "somebody-else" }), ..ada() }),
        ("another issuer", Says { wrong: json!({ "iss": "https://evil.example" }), ..ada() }),
        ("run out", Says { wrong: json!({ "exp": now - 3_600 }), ..ada() }),
        ("another key", Says { foreign_key: true, ..ada() }),
        ("an address that was not verified", Says { verified: false, ..ada() }),
        ("no group with a role", Says { groups: vec!["guests".into()], ..ada() }),
    ];
    for (what, says) in wrong {
        *provider.says.lock().unwrap() = says;
        let landed = go(&app, "/").await;
        assert_eq!(landed.status, 403, "{what}: {}", landed.text);
        assert!(!landed.cookies.iter().any(|cookie| cookie.starts_with("millrace=")), "{what}");
    }
    assert_eq!(app.count("select count(*) from account").await, 0);
    app.remove().await;
}

#[tokio::test]
async fn an_answer_counts_once_in_the_browser_that_asked() {
    let provider = open().await;
    let app = app(&provider).await;
    *provider.says.lock().unwrap() = ada();
    let (cookie, back) = leave(&app, "/").await;
    let (other_cookie, other_back) = leave(&app, "/").await;
    assert_eq!(come_back(&app, "", &back).await.status, 403, "without the cookie");
    assert_eq!(come_back(&app, &other_cookie, &back).await.status, 403, "in another browser");
    let last = if cookie.ends_with('0') { '1' } else { '0' };
    let tampered = format!("{}{last}", &cookie[..cookie.len() - 1]);
    assert_eq!(come_back(&app, &tampered, &back).await.status, 403, "with a changed cookie");
    assert_eq!(come_back(&app, &cookie, &back).await.to, "/");
    assert_eq!(come_back(&app, &cookie, &back).await.status, 403, "a second time");
    assert_eq!(come_back(&app, &other_cookie, &other_back).await.to, "/");
    app.remove().await;
}

#[tokio::test]
async fn an_address_alone_never_opens_somebody_elses_account() {
    let provider = open().await;
    let app = app(&provider).await;
    app.person("ada", &[millrace_domain::policy::Role::Admin]).await.unwrap();
    *provider.says.lock().unwrap() = ada();
    let landed = go(&app, "/").await;
    assert_eq!(landed.status, 403, "{}", landed.text);
    assert!(landed.text.contains("has an account here with a password"), "{}", landed.text);
    // The same subject under a new address stays the same person.
    *provider.says.lock().unwrap() = Says { email: "grace@example.org".into(), subject: "grace".into(), ..ada() };
    go(&app, "/").await;
    *provider.says.lock().unwrap() = Says { email: "moved@example.org".into(), subject: "grace".into(), ..ada() };
    assert_eq!(go(&app, "/").await.to, "/");
    assert_eq!(app.count("select count(*) from account").await, 2);
    // Nor is somebody else of the provider taken for them, whatever address it gives them.
    *provider.says.lock().unwrap() = Says { email: "grace@example.org".into(), subject: "mallory".into(), ..ada() };
    let landed = go(&app, "/").await;
    assert_eq!(landed.status, 403, "{}", landed.text);
    assert!(landed.text.contains("is somebody else&#39;s at the provider"), "{}", landed.text);
    assert_eq!(app.count("select count(*) from identity").await, 1);
    app.remove().await;
}
