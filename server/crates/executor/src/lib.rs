//! The executor: claims steps, keeps their leases, runs their handlers and commits their results. It knows no step by name.
//!
//! A *step* is a row. A worker *claims* it (state, attempt and lease in one statement), runs its [`Handler`] with no
//! transaction open, and *commits*: one transaction marks the step done under the fence (attempt and lease token must match)
//! and applies the handler's effects. A worker that lost its lease therefore cannot commit anything, however late it wakes
//! up. A step may run twice; its effect is committed once.
//!
//! To add a step: implement [`Handler`] and hand it to [`Worker::new`].

mod context;
mod failpoint;
mod handler;
mod lease;
mod log;
mod memory;
mod worker;

pub use context::{Context, Reporter};
pub use failpoint::{Failpoints, Point};
pub use handler::{Commit, Done, Handler, Lifecycle, StepError, Verdict, commit};
pub use memory::resident_bytes;
pub use worker::{Timing, Worker};
