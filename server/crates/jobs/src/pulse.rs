//! How loops say that they are at work, and who looks whether they do.

use std::time::{Duration, Instant};

use millrace_domain::heartbeat::Heart;
use millrace_services::Services;
use tokio_util::sync::CancellationToken;

/// A loop says so at most so often.
const AT_MOST: Duration = Duration::from_secs(10);
/// What is to beat pauses no longer, so that a slow look is not taken for a standstill.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// How often it is looked whether something stands still.
const LOOK: Duration = Duration::from_secs(5);

/// The pulse of a loop.
pub(crate) struct Pulse {
    heart: Heart,
    beaten: Option<Instant>,
}

impl Pulse {
    pub(crate) const fn of(heart: Heart) -> Self {
        Self { heart, beaten: None }
    }

    /// It has come round.
    pub(crate) async fn beat(&mut self, services: &Services) {
        if self.beaten.is_some_and(|beaten| beaten.elapsed() < AT_MOST) {
            return;
        }
        match services.beat(self.heart).await {
            Ok(()) => self.beaten = Some(Instant::now()),
            Err(error) => {
                tracing::warn!(heart = %self.heart, detail = error.detail, "a heartbeat could not be written")
            }
        }
    }
}

/// Looks whether anything stands still until told to stop.
pub async fn look_at_hearts(services: Services, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = shutdown.cancelled() => return,
        }
        match services.look_at_hearts().await {
            Ok(still) => metrics::gauge!("millrace_hearts_standing_still").set(still as f64),
            Err(error) => tracing::warn!(detail = error.detail, "it could not be looked whether anything stands still"),
        }
    }
}
