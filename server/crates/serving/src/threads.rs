//! Threads for requests of many instances. They are the server's own for this: no training that runs beside it is waited for.

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::runtime::{Handle, RuntimeFlavor};

/// So few instances are answered on the thread that asks: handing them over would take longer. Trees take so few one by one, too.
const FEW: usize = 16;
/// Instances that are answered together.
const TOGETHER: usize = 64;

/// The threads; none where the machine has no more of them.
#[derive(Debug)]
pub(crate) struct Threads(Option<ThreadPool>);

impl Threads {
    /// As many as the machine has processors.
    pub(crate) fn start() -> Self {
        let pool = ThreadPoolBuilder::new().thread_name(|number| format!("instances-{number}")).build();
        Self(pool.inspect_err(|error| tracing::warn!(%error, "no threads for requests of many instances")).ok())
    }

    /// Does work on so many instances, here or there; waits for it, where work is slow not among other requests.
    pub(crate) fn run<T: Send>(&self, instances: usize, is_slow: bool, work: impl FnOnce() -> T + Send) -> T {
        match &self.0 {
            Some(pool) if instances >= FEW => aside(|| pool.install(work)),
            _ if is_slow => aside(work),
            _ => work(),
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
