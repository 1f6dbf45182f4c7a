//! A thread for a model that is not trusted yet. What is asked there can panic, hang or be late, and nobody else waits for
//! it: work that does not fit the queue is refused, and who asks names how long they wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// Requests that may wait.
const CAPACITY: usize = 1_000;
/// Instances that may wait, in all of them.
const INSTANCES: usize = 2_000;

type Work = Box<dyn FnOnce() + Send>;

/// The near end of the thread. It ends when the last one is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    queue: SyncSender<Work>,
    waiting: Arc<AtomicUsize>,
    started: Instant,
    /// When the work began that is being done, in microseconds after the start; 0 when none is.
    since: Arc<AtomicU64>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LaneError {
    #[error("too many requests waited for it")]
    Busy,
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
        // A stopwatch, not a clock: only differences count.
        let (started, since) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let began = Arc::clone(&since);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            for work in work {
                began.store(micros(started).max(1), Ordering::Relaxed);
                // Who asked learns of a panic by the sender of its answer being dropped.
                if catch_unwind(AssertUnwindSafe(work)).is_err() {
                    tracing::error!("a model panicked; nobody was kept waiting for it");
                }
                began.store(0, Ordering::Relaxed);
            }
        })?;
        Ok(Self { queue, waiting: Arc::default(), started, since })
    }

    /// Has work on so many instances done some time; false when too many wait already.
    pub(crate) fn send(&self, instances: usize, work: impl FnOnce() + Send + 'static) -> bool {
        if self.waiting.fetch_add(instances, Ordering::Relaxed) + instances > INSTANCES {
            self.waiting.fetch_sub(instances, Ordering::Relaxed);
            return false;
        }
        let waiting = Arc::clone(&self.waiting);
        let sent = self.queue.try_send(Box::new(move || {
            waiting.fetch_sub(instances, Ordering::Relaxed);
            work();
        }));
        if sent.is_err() {
            self.waiting.fetch_sub(instances, Ordering::Relaxed);
        }
        sent.is_ok()
    }

    /// Has work on so many instances done and waits for what comes of it, for so long. What nobody waits for any more when its turn
    /// comes is not done.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        within: Duration,
        instances: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, LaneError> {
        let (answer, answered) = oneshot::channel();
        let begun = Arc::new(AtomicBool::new(false));
        let begins = Arc::clone(&begun);
        let sent = self.send(instances, move || {
            if !answer.is_closed() {
                begins.store(true, Ordering::Relaxed);
                // Nobody waiting any more is fine.
                drop(answer.send(work()));
            }
        });
        if !sent {
            return Err(self.why_not(within));
        }
        match tokio::time::timeout(within, answered).await {
            Ok(answer) => answer.map_err(|_| LaneError::Panicked),
            Err(_) if begun.load(Ordering::Relaxed) => Err(LaneError::Late),
            Err(_) => Err(self.why_not(within)),
        }
    }

    /// Whose fault it is that work did not begin: a model that has been at something for longer than anybody waits is late with
    /// everything that waits behind it.
    fn why_not(&self, within: Duration) -> LaneError {
        if self.is_stuck(within) { LaneError::Late } else { LaneError::Busy }
    }

    /// Whether it has been at the same work for longer than that.
    pub(crate) fn is_stuck(&self, longer_than: Duration) -> bool {
        let since = self.since.load(Ordering::Relaxed);
        since > 0 && micros(self.started) - since.min(micros(self.started)) > longer_than.as_micros() as u64
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_panic_is_told_and_the_next_is_answered() {
        let lane = Lane::start("test").unwrap();
        assert_eq!(lane.ask(SOON, 1, || -> u32 { panic!("a bad model") }).await, Err(LaneError::Panicked));
        assert_eq!(lane.ask(SOON, 1, || 7).await, Ok(7));
    }

    /// A lane at work that does not end before the sender is dropped.
    fn stuck() -> (Lane, std::sync::mpsc::Sender<()>) {
        let lane = Lane::start("test").unwrap();
        let (release, hung) = std::sync::mpsc::channel::<()>();
        let (begin, begun) = std::sync::mpsc::channel::<()>();
        assert!(lane.send(1, move || {
            begin.send(()).unwrap();
            let _ = hung.recv();
        }));
        begun.recv().unwrap();
        (lane, release)
    }

    #[tokio::test]
    async fn what_hangs_is_late_with_everything_that_waits_behind_it() {
        let (lane, _release) = stuck();
        assert_eq!(lane.ask(Duration::from_millis(20), 1, || ()).await, Err(LaneError::Late));
    }

    #[tokio::test]
    async fn a_few_large_requests_fill_it_as_many_small_ones_do_and_it_is_not_to_blame() {
        let (lane, _release) = stuck();
        assert_eq!((0..10).filter(|_| lane.send(INSTANCES / 4, || {})).count(), 4);
        assert_eq!(lane.ask(Duration::from_secs(600), 1, || ()).await, Err(LaneError::Busy));
    }
}
