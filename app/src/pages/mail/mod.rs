//! Outgoing mail, for admins: what was written to whom, and what became of it.

mod letter;
mod list;

pub use letter::{MailPage, OneMail, RetryMail};
pub use list::{ListMail, MailListPage};
