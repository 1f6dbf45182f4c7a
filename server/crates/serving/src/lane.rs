//! A thread for a model that is not trusted yet. What is asked there can panic, hang or be late, and nobody else waits for
//! it: work that does not fit the queue is refused, and who asks names how long they wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::oneshot;

/// Pieces of work that may wait.
const CAPACITY: usize = 1_000;

type Work = Box<dyn FnOnce() + Send>;

/// The near end of the thread. It ends when the last one is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    queue: SyncSender<Work>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LaneError {
    #[error("too many requests waited for it")]
    Full,
    #[error("it did not answer in time")]
    Late,
    #[error("it panicked")]
    Panicked,
}

impl Lane {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the machine has no more of them.
    pub(crate) fn start(name: &str) -> std::io::Result<Self> {
        let (queue, work) = sync_channel::<Work>(CAPACITY);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            for work in work {
                // What was asked for learns of a panic by its answer's sender being dropped.
                if catch_unwind(AssertUnwindSafe(work)).is_err() {
                    tracing::error!("a model panicked; nobody was kept waiting for it");
                }
            }
        })?;
        Ok(Self { queue })
    }

    /// Has it done some time; false when the queue is full.
    pub(crate) fn send(&self, work: impl FnOnce() + Send + 'static) -> bool {
        self.queue.try_send(Box::new(work)).is_ok()
    }

    /// Has it done and waits for what comes of it, for so long.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        within: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, LaneError> {
        let (answer, answered) = oneshot::channel();
        // Nobody waiting any more is fine.
        let sent = self.send(move || drop(answer.send(work())));
        if !sent {
            return Err(LaneError::Full);
        }
        match tokio::time::timeout(within, answered).await {
            Ok(answer) => answer.map_err(|_| LaneError::Panicked),
            Err(_) => Err(LaneError::Late),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_panic_is_told_and_the_next_is_answered() {
        let lane = Lane::start("test").unwrap();
        assert_eq!(lane.ask(SOON, || -> u32 { panic!("a bad model") }).await, Err(LaneError::Panicked));
        assert_eq!(lane.ask(SOON, || 7).await, Ok(7));
    }

    #[tokio::test]
    async fn who_asks_what_hangs_waits_as_long_as_they_said_and_then_the_queue_fills_and_refuses() {
        let lane = Lane::start("test").unwrap();
        let (release, hung) = std::sync::mpsc::channel::<()>();
        assert!(lane.send(move || {
            let _ = hung.recv();
        }));
        assert_eq!(lane.ask(Duration::from_millis(20), || 7).await, Err(LaneError::Late));
        let taken = (0..2 * CAPACITY).filter(|_| lane.send(|| {})).count();
        assert!(taken <= CAPACITY, "{taken}");
        assert_eq!(lane.ask(SOON, || 7).await, Err(LaneError::Full));
        drop(release);
    }
}
