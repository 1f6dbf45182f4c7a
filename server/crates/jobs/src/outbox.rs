//! How outboxes are emptied: when something is announced in one, and now and then besides.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use millrace_domain::heartbeat::Heart;
use millrace_services::Services;
use millrace_storage::StorageError;
use tokio_util::sync::CancellationToken;

use crate::pulse::Pulse;

/// An outbox is looked into so often, besides when something is announced.
pub(crate) const LOOK: Duration = Duration::from_secs(5);

/// What comes of an attempt to send a message. A panic is a failure of that message, so that it is told, tried again and given up as any
/// other, and the sender goes on.
pub(crate) async fn attempted<T, E>(
    attempt: impl Future<Output = Result<T, E>>,
    failed: impl FnOnce(String) -> E,
) -> Result<T, E> {
    AssertUnwindSafe(attempt)
        .catch_unwind()
        .await
        .unwrap_or_else(|_| Err(failed("the sender panicked at it".to_owned())))
}

/// Messages that wait to be sent.
pub(crate) trait Outbox {
    /// Sends what is due next; whether there was anything.
    fn send_next(&self) -> impl Future<Output = Result<bool, StorageError>> + Send;
}

/// Sends what is in an outbox, announced on this channel, until told to stop.
pub(crate) async fn empty(
    outbox: &(impl Outbox + Sync),
    services: &Services,
    heart: Option<Heart>,
    channel: &'static str,
    shutdown: &CancellationToken,
) {
    let mut pulse = heart.map(Pulse::of);
    while !shutdown.is_cancelled() {
        let mut announced = services.db().listen(&[channel]).await.ok();
        loop {
            while send_next(outbox, services, pulse.as_mut()).await.unwrap_or_else(|error| unread(&error, channel)) {}
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

/// What cannot be read now is looked for again later.
pub(crate) fn unread(error: &StorageError, channel: &str) -> bool {
    tracing::warn!(%error, channel, "the outbox could not be read");
    false
}

/// Sends what is due next, and beats beside it.
async fn send_next(
    outbox: &(impl Outbox + Sync),
    services: &Services,
    pulse: Option<&mut Pulse>,
) -> Result<bool, StorageError> {
    let Some(pulse) = pulse else { return outbox.send_next().await };
    let sent = pulse.beside(services, outbox.send_next()).await?;
    pulse.beat(services).await;
    Ok(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_failure_of_the_message_that_it_came_of() {
        let panics = async || -> Result<(), String> { panic!("a letter that cannot be written") };
        assert_eq!(attempted(panics(), |reason| reason).await, Err("the sender panicked at it".to_owned()));
        assert_eq!(attempted(async { Ok::<_, String>(7) }, |reason| reason).await, Ok(7));
    }
}
