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
const LOOK: Duration = Duration::from_secs(5);

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
            while send_next(outbox, services, pulse.as_mut()).await.unwrap_or_else(|error| {
                tracing::warn!(%error, channel, "the outbox could not be read");
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

/// Sends what is due next, and beats beside it.
async fn send_next(
    outbox: &(impl Outbox + Sync),
    services: &Services,
    mut pulse: Option<&mut Pulse>,
) -> Result<bool, StorageError> {
    // What goes wrong with one message must not end the sender: it is tried again once its lease is over.
    let look = AssertUnwindSafe(outbox.send_next()).catch_unwind();
    let looked = match &mut pulse {
        Some(pulse) => pulse.beside(services, look).await,
        None => look.await,
    };
    let Ok(sent) = looked else {
        tracing::error!("a message could not be sent: it panicked; the next one is sent");
        return Ok(false);
    };
    if let (Ok(_), Some(pulse)) = (&sent, pulse) {
        pulse.beat(services).await;
    }
    sent
}
