//! Deployments: what answers predictions now, how it came to that, and the way back.

mod change;
mod detail;
mod figures;
mod history;
mod list;
mod parity;
mod roll_back;
mod rollout;
mod switch;

pub use change::ChangePage;
pub use detail::DeploymentPage;
pub use list::DeploymentsPage;
