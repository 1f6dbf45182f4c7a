//! The conductor: looks at rollouts that are under way and does what follows from what was counted. And whoever checks that the bytes of
//! what answers are whole.

use std::time::{Duration, Instant};

use millrace_domain::heartbeat::Heart;
use millrace_services::Services;
use tokio_util::sync::CancellationToken;

use crate::pulse::{LONGEST_PAUSE, Pulse};

/// How often rollouts are looked at.
const EVERY: Duration = Duration::from_secs(1);
/// Looking takes at most one in so many seconds, where that is no pause beyond the longest.
const SHARE: u32 = 10;

/// How often the bytes of what is live are read.
const CHECK: Duration = Duration::from_secs(30);

/// Reads the bytes of what is live or on its way until told to stop.
pub async fn check_artifacts(services: Services, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(CHECK) => {}
            () = shutdown.cancelled() => return,
        }
        match services.check_live_artifacts().await {
            Ok(broken) => metrics::gauge!("millrace_artifacts_damaged").set(broken as f64),
            Err(error) => tracing::warn!(detail = error.detail, "artifacts could not be checked"),
        }
    }
}

/// Looks until told to stop. Each server may have one: a step is taken once, under the problem's lock.
pub async fn conduct_rollouts(services: Services, shutdown: CancellationToken) {
    let (mut pause, mut pulse) = (EVERY, Pulse::of(Heart::Rollouts));
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => return,
        }
        // A stopwatch, not a clock: only the difference counts.
        let began = Instant::now();
        match pulse.beside(&services, services.look_at_rollouts()).await {
            Ok(failed) => {
                pulse.beat(&services).await;
                for (slug, error) in failed {
                    tracing::warn!(slug, code = error.code, detail = error.detail, "a rollout could not be looked at");
                }
            }
            Err(error) => tracing::warn!(detail = error.detail, "rollouts could not be looked up"),
        }
        pause = EVERY.max(began.elapsed() * SHARE).min(LONGEST_PAUSE);
    }
}
