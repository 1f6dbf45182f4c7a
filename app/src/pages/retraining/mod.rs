//! When models are trained by themselves.

mod page;

pub use page::RetrainingPage;
