//! Threads for requests of many instances. They are the server's own for this, and each model's its own: no training that runs beside it is
//! waited for, and no other model.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

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
    taken: Arc<AtomicUsize>,
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
        let runtime = Handle::try_current().ok();
        let workers = runtime.as_ref().map_or(1, |runtime| runtime.metrics().num_workers());
        let taken = Arc::default();
        if let Some(runtime) = runtime {
            let taken = Arc::downgrade(&taken);
            let woken =
                std::thread::Builder::new().name("awake".to_owned()).spawn(move || stay_awake(&taken, &runtime));
            if let Err(error) = woken {
                tracing::warn!(%error, "no thread sees to it that others take requests in while a model computes");
            }
        }
        Self { reading: Pool::default(), places: workers - 1, taken }
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
        if instances >= FEW {
            return aside(|| match pool.get() {
                Some(pool) => pool.install(work),
                None => work(),
            });
        }
        match self.place().filter(|_| !is_slow) {
            Some(_place) => work(),
            None => aside(work),
        }
    }
}

/// How often it is seen to that somebody takes requests in while models compute.
const AWAKE: Duration = Duration::from_millis(20);

/// The thread that took a request in may be the one that all others would have been woken by. While it computes, another one is.
fn stay_awake(taken: &Weak<AtomicUsize>, runtime: &Handle) {
    while let Some(taken) = taken.upgrade().map(|taken| taken.load(Ordering::Relaxed)) {
        if taken > 0 {
            runtime.spawn(async {});
        }
        std::thread::sleep(AWAKE);
    }
}

/// Waits where other requests do not wait with it, if there is such a place.
fn aside<T>(wait: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(wait),
        _ => wait(),
    }
}

/// What `each` makes of the parts of a list, in order, side by side on the threads of a pool; it is given where each part begins.
pub(crate) fn in_parts<I: Sync, T: Send>(items: &[I], each: &(impl Fn(usize, &[I]) -> T + Sync)) -> Vec<T> {
    if items.len() <= TOGETHER {
        return vec![each(0, items)];
    }
    let part = |(part, items): (usize, &[I])| each(part * TOGETHER, items);
    // All others share one pool.
    if rayon::current_thread_index().is_none() {
        return items.chunks(TOGETHER).enumerate().map(part).collect();
    }
    items.par_chunks(TOGETHER).enumerate().map(part).collect()
}
