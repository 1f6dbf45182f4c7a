//! The first page: what waits for the reader, what runs, and what is live.

mod page;

pub use page::HomePage;
