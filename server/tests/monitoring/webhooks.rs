//! Webhooks: signed, told once, and again what was not taken.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};

use crate::{SLUG, Stage};

const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Whoever is told, and what it answers.
#[derive(Clone)]
struct Receiver {
    told: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    answer: Arc<Mutex<StatusCode>>,
}

impl Receiver {
    /// Listens, and gives its address.
    async fn listen() -> (Self, String) {
        let receiver = Self { told: Arc::default(), answer: Arc::new(Mutex::new(StatusCode::SERVICE_UNAVAILABLE)) };
        let own = receiver.clone();
        let hear = post(move |headers: HeaderMap, body: Bytes| {
            let own = own.clone();
            async move {
                own.told.lock().unwrap().push((headers, String::from_utf8(body.to_vec()).unwrap()));
                *own.answer.lock().unwrap()
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/hook", hear)).await.unwrap() });
        (receiver, address)
    }
}

/// Waits until a message has come to this. Alerts of these tests are of a later hour than it is: it is due at once.
async fn comes_to(stage: &Stage, wanted: &str) {
    stage.app.sql("update webhook_message set next_at = now() where state = 'queued'").await;
    for _ in 0..1_200 {
        let found = stage.app.count(&format!("select count(*) from webhook_message where {wanted}")).await;
        if found > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no message came to {wanted}");
}

#[tokio::test]
async fn a_webhook_is_told_of_an_alert_signed_and_again_under_the_same_id_until_it_takes_it() {
    let (receiver, address) = Receiver::listen().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("webhooks.toml");
    let declared = format!(
        "[webhooks.pager]\nurl = \"{address}\"\nsecret = \"whsec_{KEY}\"\n\
         [webhooks.others]\nurl = \"{address}\"\nsecret = \"whsec_{KEY}\"\nproblems = [\"another\"]\n"
    );
    std::fs::write(&path, declared).unwrap();
    let mut stage = Stage::with_env(json!({}), &[("MILLRACE_WEBHOOKS", path.to_str().unwrap())]).await;
    for shift in [0.0, 60.0, 60.0, 60.0] {
        stage.hour(300, shift).await;
    }
    assert_eq!(stage.app.count("select count(*) from webhook_message").await, 1, "one alert, one webhook");
    comes_to(&stage, "attempt = 1 and last_error = 'it answered 503'").await;
    *receiver.answer.lock().unwrap() = StatusCode::NO_CONTENT;
    comes_to(&stage, "state = 'sent' and attempt = 2").await;

    let told = receiver.told.lock().unwrap().clone();
    assert_eq!(told.len(), 2);
    let header = |place: usize, name: &str| told[place].0[name].to_str().unwrap().to_owned();
    assert_eq!((header(0, "webhook-id"), &told[0].1), (header(1, "webhook-id"), &told[1].1), "the same message");
    for (place, (_, body)) in told.iter().enumerate() {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&STANDARD.decode(KEY).unwrap()).unwrap();
        let (id, at) = (header(place, "webhook-id"), header(place, "webhook-timestamp"));
        mac.update(format!("{id}.{at}.{body}").as_bytes());
        assert_eq!(header(place, "webhook-signature"), format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())));
    }
    let message: Value = serde_json::from_str(&told[1].1).unwrap();
    assert_eq!((&message["type"], &message["data"]["problem"]), (&json!("alert.firing"), &json!(SLUG)));
    assert!(message["data"]["title"].as_str().unwrap().starts_with("Drift: "), "{message}");
    let alert =
        stage.on_call.get(&format!("/api/v1/alerts/{}", message["data"]["alert"].as_str().unwrap())).await.done();
    assert!(alert["events"].to_string().contains("webhooks pager"), "{alert}");

    // A receiver that is gone for good is not asked for days.
    *receiver.answer.lock().unwrap() = StatusCode::GONE;
    for _ in 0..2 {
        stage.hour(300, 0.0).await;
    }
    comes_to(&stage, "kind = 'alert.resolved' and state = 'failed'").await;
    stage.remove().await;
}

#[tokio::test]
async fn a_secret_that_is_none_keeps_the_server_from_starting_and_is_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("webhooks.toml");
    std::fs::write(&path, "[webhooks.pager]\nurl = \"https://example.org/\"\nsecret = \"whsec_dG9vIHNob3J0\"\n")
        .unwrap();
    let env = [("MILLRACE_WEBHOOKS", path.to_str().unwrap())];
    let refused = millrace_test_support::TestApp::start_with(crate::BINARY, &env, &[]).await;
    let refused = format!("{:?}", refused.map(|_| ()).unwrap_err());
    assert!(refused.contains("webhooks.pager") && !refused.contains("dG9vIHNob3J0"), "{refused}");
}
