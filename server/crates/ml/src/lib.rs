//! Frames in, results out: reading, profiling, validating, features, training, tuning and evaluating.
//!
//! Nothing here names a file or waits on a network (bytes and open files are handed in and handed back), or reads a clock, an
//! environment or a global random generator: the same input gives the same bits. The key word is the *dataset* ([`Dataset`]): typed columns of equal
//! length, in source order, with an identity over every cell.

pub mod broken;
pub mod dataset;
pub mod drift;
pub mod evaluate;
pub mod features;
#[cfg(test)]
mod fixture;
pub mod gate;
pub mod join;
pub mod model;
mod order;
pub mod parity;
pub mod profile;
pub mod quarantine;
pub mod read;
pub mod reference;
pub mod split;
pub mod train;
pub mod tune;
pub mod validate;
mod wording;

pub use dataset::{Cells, ColumnData, Dataset, DatasetError, DatasetRow};
