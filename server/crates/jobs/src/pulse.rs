//! How loops say that they are at work, and who looks whether they do.

use std::time::{Duration, Instant};

use millrace_domain::heartbeat::Heart;
use millrace_services::Services;
use tokio_util::sync::CancellationToken;

/// A loop says so at most so often.
const AT_MOST: Duration = Duration::from_secs(10);
/// What is to beat pauses no longer, so that a slow look is not taken for a standstill.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// Work that takes longer than that stands still.
const LONGEST_WORK: Duration = Duration::from_secs(300);
/// Nobody is told before everything had the time to begin, nor just after the database was away.
const SETTLED: Duration = Duration::from_secs(60);
/// How often it is looked whether something stands still.
const LOOK: Duration = Duration::from_secs(5);

/// The pulse of a loop.
pub(crate) struct Pulse {
    heart: Heart,
    beaten: Option<Instant>,
    /// Since when it has been at work that came to nothing yet, however often it was begun anew.
    trying: Option<Instant>,
}

impl Pulse {
    pub(crate) const fn of(heart: Heart) -> Self {
        Self { heart, beaten: None, trying: None }
    }

    /// Does work that may be long, and beats beside it. Whether it came to something says who calls, by a beat of its own.
    pub(crate) async fn beside<T>(&mut self, services: &Services, work: impl Future<Output = T>) -> T {
        self.begin(Instant::now());
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(AT_MOST) => {}
            }
            if self.is_at_work(Instant::now()) {
                self.say(services).await;
            }
        }
    }

    fn begin(&mut self, now: Instant) {
        self.trying.get_or_insert(now);
    }

    /// Work that hangs, is given up and hangs again is no work.
    fn is_at_work(&self, now: Instant) -> bool {
        self.trying.is_none_or(|since| now.saturating_duration_since(since) < LONGEST_WORK)
    }

    /// It has come round, and did what it is there for.
    pub(crate) async fn beat(&mut self, services: &Services) {
        self.trying = None;
        self.say(services).await;
    }

    async fn say(&mut self, services: &Services) {
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
    let mut pause = SETTLED;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => return,
        }
        pause = match services.look_at_hearts().await {
            Ok(still) => {
                metrics::gauge!("millrace_hearts_standing_still").set(still as f64);
                LOOK
            }
            Err(error) => {
                tracing::warn!(detail = error.detail, "it could not be looked whether anything stands still");
                SETTLED
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_is_given_up_and_begun_anew_again_and_again_counts_as_one_that_stands_still() {
        let (start, mut pulse) = (Instant::now(), Pulse::of(Heart::Letters));
        let after = |seconds| start + Duration::from_secs(seconds);
        for seconds in [0, 125, 250] {
            pulse.begin(after(seconds));
            assert!(pulse.is_at_work(after(seconds + 10)));
        }
        assert!(!pulse.is_at_work(after(301)));
    }
}
