//! Webhooks: takes what they are told out of the outbox and sends it, signed as Standard Webhooks 1.0 says: the headers `webhook-id`,
//! `webhook-timestamp` and `webhook-signature`, the last an HMAC-SHA256 over both and the body.
//!
//! What is not answered 2xx is tried again after a growing pause for three days, under the same id; 410 is the receiver's word that it wants
//! no more. Nothing is followed anywhere else. A server sends only to the webhooks that are declared to it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use hmac::{Hmac, Mac as _};
use millrace_domain::webhook::{Webhook, Webhooks};
use millrace_services::Services;
use millrace_storage::StorageError;
use millrace_storage::webhook::{self, Message};
use reqwest::StatusCode;
use reqwest::redirect::Policy;
use sha2::Sha256;
use tokio_util::sync::CancellationToken;

use crate::outbox::{self, Outbox, attempted};
use crate::post::pause;

/// A sender that dies lets go of its message after this time.
const LEASE: TimeDelta = TimeDelta::minutes(1);
/// One conversation with a receiver.
const PATIENCE: Duration = Duration::from_secs(15);
/// A message that could not be sent for so long is given up.
const GIVE_UP: TimeDelta = TimeDelta::days(3);
/// Bytes of a key.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Why a declaration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Its secret is none.
    #[error("webhooks.{0}: secret must be whsec_ and 24 to 64 bytes in base64")]
    Secret(String),
    /// Its address is none.
    #[error("webhooks.{0}: url is no address")]
    Address(String),
}

struct Receiver {
    name: String,
    url: reqwest::Url,
    key: Vec<u8>,
}

/// The sender.
pub struct WebhookSender {
    services: Services,
    http: reqwest::Client,
    receivers: Vec<Receiver>,
}

/// Why a message was not taken.
struct Untaken {
    reason: String,
    is_final: bool,
}

impl WebhookSender {
    /// A sender to these webhooks.
    ///
    /// # Errors
    /// When one of them cannot be used.
    ///
    /// # Panics
    /// When the system has no TLS, which is compiled in.
    pub fn new(services: Services, webhooks: &Webhooks) -> Result<Self, WebhookError> {
        let http = reqwest::Client::builder().timeout(PATIENCE).redirect(Policy::none()).no_proxy().build();
        Ok(Self { services, http: http.expect("TLS is compiled in"), receivers: receivers(webhooks)? })
    }

    /// Whether webhooks can be used.
    ///
    /// # Errors
    /// When one of them cannot.
    pub fn check(webhooks: &Webhooks) -> Result<(), WebhookError> {
        receivers(webhooks).map(|_| ())
    }

    /// Sends messages until told to stop, to each webhook by itself: one that does not answer keeps no other waiting. Without webhooks there
    /// is nothing to do.
    pub async fn run(self, shutdown: CancellationToken) {
        let each = self.receivers.iter().map(|receiver| Telling { sender: &self, receiver });
        let each: Vec<Telling<'_>> = each.collect();
        futures::future::join_all(
            each.iter().map(|one| outbox::empty(one, &self.services, None, "millrace_webhook", &shutdown)),
        )
        .await;
    }

    async fn send(&self, receiver: &Receiver, message: &Message, timestamp: i64) -> Result<(), Untaken> {
        let id = format!("msg_{}", message.uid.simple());
        let request = self
            .http
            .post(receiver.url.clone())
            .header("content-type", "application/json")
            .header("user-agent", "millrace")
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", signature(&receiver.key, &id, timestamp, &message.body))
            .body(message.body.clone());
        // Neither the address nor what the receiver says are for everybody's eyes.
        let answer = request.send().await.map_err(|error| Untaken { reason: told(&error), is_final: false })?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::GONE => {
                Err(Untaken { reason: "it answered 410: it wants no more of it".to_owned(), is_final: true })
            }
            status => Err(Untaken { reason: format!("it answered {}", status.as_u16()), is_final: false }),
        }
    }
}

/// What one webhook is told.
struct Telling<'a> {
    sender: &'a WebhookSender,
    receiver: &'a Receiver,
}

impl Outbox for Telling<'_> {
    async fn send_next(&self) -> Result<bool, StorageError> {
        let Self { sender, receiver } = self;
        let pool = sender.services.db().pool();
        let now = sender.services.surroundings().now();
        webhook::give_up(pool, now - GIVE_UP).await?;
        let Some(message) = webhook::claim(pool, &receiver.name, now, LEASE).await? else { return Ok(false) };
        let failed = |reason| Untaken { reason, is_final: false };
        let answer = attempted(sender.send(receiver, &message, now.timestamp()), failed).await;
        let now = sender.services.surroundings().now();
        match answer {
            Ok(()) => webhook::sent(pool, &message, now).await?,
            Err(Untaken { reason, is_final }) => {
                let again = (!is_final).then(|| now + pause(message.attempt));
                tracing::warn!(webhook = message.webhook, %reason, tried_again = again.is_some(), "a webhook was not told");
                metrics::counter!("millrace_webhook_failures_total").increment(1);
                webhook::failed(pool, &message, &reason, again).await?;
            }
        }
        Ok(true)
    }
}

/// Those that are told, with keys as they sign.
fn receivers(webhooks: &Webhooks) -> Result<Vec<Receiver>, WebhookError> {
    let receiver = |(name, webhook): (&str, &Webhook)| {
        let key = STANDARD.decode(webhook.secret.key()).ok().filter(|key| KEY_BYTES.contains(&key.len()));
        let key = key.ok_or_else(|| WebhookError::Secret(name.to_owned()))?;
        let url = webhook.url.parse().map_err(|_| WebhookError::Address(name.to_owned()))?;
        Ok(Receiver { name: name.to_owned(), url, key })
    };
    webhooks.iter().map(receiver).collect()
}

/// What went wrong, without the address.
fn told(error: &reqwest::Error) -> String {
    use std::error::Error;
    match error {
        error if error.is_timeout() => format!("it did not answer within {} s", PATIENCE.as_secs()),
        error if error.is_connect() => "it could not be connected to".to_owned(),
        error => error.source().map_or_else(|| "the exchange broke off".to_owned(), ToString::to_string),
    }
}

/// `v1,` and the HMAC-SHA256 of id, time and body in base64.
fn signature(key: &[u8], id: &str, timestamp: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification's reference libraries.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
