//! Clearing away what is over, from time to time.

use std::time::Duration;

use millrace_services::Services;
use tokio_util::sync::CancellationToken;

const PAUSE: Duration = Duration::from_secs(600);

/// Clears away until told to stop.
pub async fn tidy(services: Services, shutdown: CancellationToken) {
    loop {
        if let Err(error) = services.tidy().await {
            tracing::warn!(%error, "what is over could not be cleared away");
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.cancelled() => return,
        }
    }
}
