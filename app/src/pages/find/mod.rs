//! `/find`: things by a piece of their name. [`QuickSearch`](crate::components::QuickSearch) shows the same in a dialog.

mod page;

pub use page::{FindPage, find};
