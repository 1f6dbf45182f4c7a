//! Threads for requests of many instances. They are the server's own for this: no training that runs beside it is waited for.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::runtime::{Handle, RuntimeFlavor};

/// So few instances are answered on the thread that asks: handing them over would take longer. Trees take so few one by one, too.
const FEW: usize = 16;
/// Instances that are answered together.
const TOGETHER: usize = 64;

/// The threads, and the places among those that take requests in.
#[derive(Debug)]
pub(crate) struct Threads {
    /// None where the machine has no more threads.
    pool: Option<ThreadPool>,
    /// How many may compute where they take requests in: one of those always goes on with others, whatever a model does.
    places: usize,
    taken: AtomicUsize,
}

/// A place among the threads that take requests in.
struct Place<'t>(&'t AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Threads {
    /// As many as the machine has processors.
    pub(crate) fn start() -> Self {
        let pool = ThreadPoolBuilder::new().thread_name(|number| format!("instances-{number}")).build();
        let pool = pool.inspect_err(|error| tracing::warn!(%error, "no threads for requests of many instances")).ok();
        let workers = Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers());
        Self { pool, places: workers - 1, taken: AtomicUsize::new(0) }
    }

    fn place(&self) -> Option<Place<'_>> {
        let place = (self.taken.fetch_add(1, Ordering::Relaxed), Place(&self.taken));
        (place.0 < self.places).then_some(place.1)
    }

    /// Does work on so many instances, here or there, and waits for it; not among other requests where it is slow, or where all others that
    /// take requests in are at work.
    pub(crate) fn run<T: Send>(&self, instances: usize, is_slow: bool, work: impl FnOnce() -> T + Send) -> T {
        match (&self.pool, is_slow) {
            (Some(pool), _) if instances >= FEW => aside(|| pool.install(work)),
            (_, true) => aside(work),
            (_, false) => match self.place() {
                Some(_place) => work(),
                None => aside(work),
            },
        }
    }
}

/// Waits where other requests do not wait with it, if there is such a place.
fn aside<T>(wait: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(wait),
        _ => wait(),
    }
}

/// What `each` makes of the parts of a list, in order; it is given where each part begins. What has one part alone is done where it is.
pub(crate) fn in_parts<I: Sync, T: Send>(items: &[I], each: &(impl Fn(usize, &[I]) -> T + Sync)) -> Vec<T> {
    if items.len() <= TOGETHER {
        return vec![each(0, items)];
    }
    items.par_chunks(TOGETHER).enumerate().map(|(part, items)| each(part * TOGETHER, items)).collect()
}
