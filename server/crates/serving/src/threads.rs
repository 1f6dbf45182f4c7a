//! Threads for requests of many instances. They are the server's own for this, and each model's its own: no training that runs beside it is
//! waited for, and no other model.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::runtime::{Handle, RuntimeFlavor};

/// So few instances are answered on the thread that asks: handing them over would take longer. Trees take so few one by one, too.
const FEW: usize = 16;
/// Instances that are answered together.
const TOGETHER: usize = 64;

/// As many threads as the machine has processors, started when they are first needed; none where the machine has no more of them.
#[derive(Debug, Default)]
pub(crate) struct Pool(OnceLock<Option<ThreadPool>>);

impl Pool {
    fn get(&self) -> Option<&ThreadPool> {
        let start = || ThreadPoolBuilder::new().thread_name(|number| format!("instances-{number}")).build();
        let told = |error: &_| tracing::warn!(%error, "no threads for requests of many instances");
        self.0.get_or_init(|| start().inspect_err(told).ok()).as_ref()
    }
}

/// The threads that requests are read on, and the places among those that take requests in.
#[derive(Debug)]
pub(crate) struct Threads {
    pub reading: Pool,
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
    pub(crate) fn start() -> Self {
        let workers = Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers());
        Self { reading: Pool::default(), places: workers - 1, taken: AtomicUsize::new(0) }
    }

    fn place(&self) -> Option<Place<'_>> {
        let place = (self.taken.fetch_add(1, Ordering::Relaxed), Place(&self.taken));
        (place.0 < self.places).then_some(place.1)
    }

    /// Does work on so many instances, here or on the threads of a pool, and waits for it; not among other requests where it is slow, or where all others that
    /// take requests in are at work.
    pub(crate) fn run<T: Send>(
        &self,
        pool: &Pool,
        instances: usize,
        is_slow: bool,
        work: impl FnOnce() -> T + Send,
    ) -> T {
        let pool = (instances >= FEW).then(|| pool.get()).flatten();
        match (pool, is_slow) {
            (Some(pool), _) => aside(|| pool.install(work)),
            (None, true) => aside(work),
            (None, false) => match self.place() {
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
