//! Datasets: the list, the upload, a dataset's versions, and what validation found in one version.

mod aside;
mod detail;
mod drift;
mod list;
mod mutes;
mod new;
mod profile;
mod report;
mod sources;
mod strip;
mod table;
mod version;

pub use detail::DatasetPage;
pub use list::DatasetsPage;
pub use new::UploadDatasetPage;
pub use version::DatasetVersionPage;
