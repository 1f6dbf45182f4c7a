//! When models are trained by themselves.

mod backfill;
mod page;

pub use backfill::BackfillPage;
pub use page::RetrainingPage;
