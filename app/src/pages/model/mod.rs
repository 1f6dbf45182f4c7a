//! Models: the list, a model's versions, and what one version proved, who approved it and how to call it.

mod aliases;
mod archive;
mod beside_live;
mod callers;
mod calling;
mod card;
mod compare;
mod decides;
mod deploy;
mod detail;
mod history;
mod lineage;
mod list;
mod table;
mod version;

pub use card::ModelCardPage;
pub use compare::CompareVersionsPage;
pub use detail::ModelPage;
pub use list::ModelsPage;
pub use version::ModelVersionPage;
