//! What a policy would have done over data of the past.

mod detail;
mod form;
mod list;

pub use detail::RehearsalPage;
pub use list::RehearsalsPage;

use millrace_domain::run::StepState;

/// Whether something may still happen to a rehearsal whose step is in this state.
fn is_under_way(state: &str) -> bool {
    state.parse::<StepState>().is_ok_and(|state| !state.is_final())
}

/// A course by its name.
fn course_title(policy: &str) -> &'static str {
    match policy {
        "never" => "Never trained again",
        "schedule" => "On a schedule",
        "drill" => "The fire drill",
        _ => "The policy",
    }
}
