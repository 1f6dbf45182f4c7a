//! Runs: the list, the launch form, and one run from its first step to its model.

mod acts;
mod artifacts;
mod coefficients;
mod compare;
mod curve_look;
mod detail;
mod effects;
mod evaluation;
mod examples;
mod explained;
mod hyperparameters;
mod launch;
mod launch_form;
mod list;
mod log;
mod outcome;
mod overlay;
mod override_gates;
mod overview;
mod parallel;
mod per_class;
mod plots;
mod preflight;
mod provenance;
mod reproduction;
mod search_plots;
mod slice_curves;
mod table;
mod threshold;
mod tracked;
mod trials;
mod wanted;

use millrace_domain::run::RunState;

pub use compare::CompareRunsPage;
pub use detail::RunPage;
pub use launch::LaunchRunPage;
#[cfg(feature = "ssr")]
pub(in crate::pages) use launch_form::{dataset_version, number, object};
pub use list::RunsPage;
pub use plots::deciding_figures;

/// Whether something may still happen to a run in this state.
fn is_under_way(state: &str) -> bool {
    state.parse::<RunState>().is_ok_and(|state| !state.is_final())
}
