//! Webhooks: takes what they are told out of the outbox and sends it, signed as Standard Webhooks 1.0 says: the headers `webhook-id`,
//! `webhook-timestamp` and `webhook-signature`, the last an HMAC-SHA256 over both and the body.
//!
//! What is not answered 2xx is tried again after a growing pause for three days, under the same id; 410 is the receiver's word that it wants
//! no more. Nothing is followed anywhere else.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use hmac::{Hmac, Mac as _};
use millrace_domain::webhook::Webhooks;
use millrace_services::Services;
use millrace_storage::StorageError;
use millrace_storage::webhook::{self, Message};
use reqwest::StatusCode;
use reqwest::redirect::Policy;
use sha2::Sha256;
use tokio_util::sync::CancellationToken;

use crate::post::pause;

/// A sender that dies lets go of its message after this time.
const LEASE: TimeDelta = TimeDelta::minutes(1);
/// One conversation with a receiver.
const PATIENCE: Duration = Duration::from_secs(15);
/// A message that could not be sent for so long is given up.
const GIVE_UP: TimeDelta = TimeDelta::days(3);
/// Messages are looked for so often, besides when one is announced.
const LOOK: Duration = Duration::from_secs(5);
/// Bytes of a key.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Why the declaration cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("webhooks.{name}: secret must be whsec_ and {} to {} bytes in base64", KEY_BYTES.start(), KEY_BYTES.end())]
pub struct SecretError {
    name: String,
}

struct Receiver {
    url: String,
    key: Vec<u8>,
}

/// The sender.
pub struct WebhookSender {
    services: Services,
    http: reqwest::Client,
    receivers: HashMap<String, Receiver>,
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
    /// When a secret is none.
    ///
    /// # Panics
    /// When the system has no TLS, which is compiled in.
    pub fn new(services: Services, webhooks: &Webhooks) -> Result<Self, SecretError> {
        let receivers = webhooks.iter().map(|(name, webhook)| {
            let key = STANDARD.decode(webhook.secret.key()).ok().filter(|key| KEY_BYTES.contains(&key.len()));
            let key = key.ok_or_else(|| SecretError { name: name.to_owned() })?;
            Ok((name.to_owned(), Receiver { url: webhook.url.clone(), key }))
        });
        let receivers = receivers.collect::<Result<_, _>>()?;
        let http = reqwest::Client::builder().timeout(PATIENCE).redirect(Policy::none()).no_proxy().build();
        Ok(Self { services, http: http.expect("TLS is compiled in"), receivers })
    }

    /// Sends messages until told to stop.
    pub async fn run(self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let mut announced = self.services.db().listen(&["millrace_webhook"]).await.ok();
            loop {
                while self.send_next().await.unwrap_or_else(|error| {
                    tracing::warn!(%error, "what webhooks are to be told could not be read");
                    false
                }) {}
                let heard = tokio::select! {
                    heard = async {
                        match &mut announced {
                            Some(announced) => announced.next().await.is_ok(),
                            None => std::future::pending().await,
                        }
                    } => heard,
                    () = tokio::time::sleep(LOOK) => announced.is_some(),
                    () = shutdown.cancelled() => return,
                };
                if !heard {
                    break;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Sends the message that is due next; whether there was one.
    async fn send_next(&self) -> Result<bool, StorageError> {
        let pool = self.services.db().pool();
        let now = self.services.surroundings().now();
        let Some(message) = webhook::claim(pool, now, now + LEASE).await? else { return Ok(false) };
        let answer = self.send(&message, now.timestamp()).await;
        let now = self.services.surroundings().now();
        match answer {
            Ok(()) => webhook::sent(pool, &message, now).await?,
            Err(Untaken { reason, is_final }) => {
                let old = message.created_at + GIVE_UP < now;
                let again = (!is_final && !old).then(|| now + pause(message.attempt));
                tracing::warn!(webhook = message.webhook, %reason, tried_again = again.is_some(), "a webhook was not told");
                metrics::counter!("millrace_webhook_failures").increment(1);
                webhook::failed(pool, &message, &reason, again).await?;
            }
        }
        Ok(true)
    }

    async fn send(&self, message: &Message, timestamp: i64) -> Result<(), Untaken> {
        let Some(receiver) = self.receivers.get(&message.webhook) else {
            let reason = "MILLRACE_WEBHOOKS has no webhook of that name any more".to_owned();
            return Err(Untaken { reason, is_final: true });
        };
        let id = format!("msg_{}", message.uid.simple());
        let request = self
            .http
            .post(&receiver.url)
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
