//! Alerts: what fires, who has it, and what can be done about it.

mod by_mail;
mod detail;
mod list;

pub use by_mail::AlertByMailPage;
pub use detail::AlertPage;
pub use list::AlertsPage;
