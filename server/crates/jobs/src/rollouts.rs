//! The conductor: looks at rollouts that are under way and does what follows from what was counted.

use std::time::{Duration, Instant};

use millrace_services::Services;
use tokio_util::sync::CancellationToken;

/// How often rollouts are looked at.
const EVERY: Duration = Duration::from_secs(1);
/// Looking takes at most one in so many seconds.
const SHARE: u32 = 10;

/// Looks until told to stop. Each server may have one: a step is taken once, under the problem's lock.
pub async fn conduct_rollouts(services: Services, shutdown: CancellationToken) {
    let mut pause = EVERY;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => return,
        }
        // A stopwatch, not a clock: only the difference counts.
        let began = Instant::now();
        match services.look_at_rollouts().await {
            Ok(failed) => {
                for (slug, error) in failed {
                    tracing::warn!(slug, code = error.code, detail = error.detail, "a rollout could not be looked at");
                }
            }
            Err(error) => tracing::warn!(detail = error.detail, "rollouts could not be looked up"),
        }
        pause = EVERY.max(began.elapsed() * SHARE);
    }
}
