//! Regression cases of a problem, and single predictions, of which cases can be made.

mod expected;
mod keep;
mod list;
mod prediction;
mod retire;

pub use list::CasesPage;
pub use prediction::PredictionPage;
