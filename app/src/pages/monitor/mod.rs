//! What is watched of a deployment: drift, quality, business metric, volume and freshness, window by window.

mod asked;
mod charts;
mod columns;
mod page;
mod rule;
mod windows;

pub use page::MonitorPage;
pub use rule::RulePage;
