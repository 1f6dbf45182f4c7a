//! Feature sets: how models compute their inputs, who answers for it, and who uses it.

mod detail;
mod list;

pub use detail::FeatureSetPage;
pub use list::FeatureSetsPage;
