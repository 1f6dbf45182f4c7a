//! Keeping a lease: renew it, and stop working well before somebody else may take the step.

use std::time::Duration;

use millrace_storage::step::{self, Claim};
use millrace_storage::{Database, StorageError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::worker::Timing;

/// Why a lease is no longer kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// A person asked to stop the step.
    CancelRequested,
    /// Somebody else has the step, or the database was silent for too long to be sure that nobody has.
    Lost,
}

/// Renews the lease until it ends; ends `stop` so that the computation does too. Never returns while all is well.
pub(crate) async fn keep(db: &Database, claim: &Claim, timing: &Timing, stop: &CancellationToken) -> End {
    let mut last_beat = Instant::now();
    let mut wait = timing.heartbeat;
    loop {
        tokio::time::sleep(wait).await;
        let left = timing.give_up.saturating_sub(last_beat.elapsed());
        let patience = left.min(timing.heartbeat / 2).max(Duration::from_millis(1));
        let began = Instant::now();
        let beat = step::heartbeat(db.pool(), claim, timing.lease.as_secs_f64());
        let end = match tokio::time::timeout(patience, beat).await {
            Ok(Ok(false)) => {
                (last_beat, wait) = (began, timing.heartbeat);
                continue;
            }
            Ok(Ok(true)) => End::CancelRequested,
            Ok(Err(StorageError::Conflict(_))) => End::Lost,
            // The database may be back before the lease is in doubt.
            failed if last_beat.elapsed() < timing.give_up => {
                tracing::warn!(step = %claim.step.id, ?failed, "heartbeat failed");
                wait = timing.heartbeat / 10;
                continue;
            }
            _ => End::Lost,
        };
        stop.cancel();
        return end;
    }
}
