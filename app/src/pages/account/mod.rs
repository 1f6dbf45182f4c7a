//! The own account: who one is, the password and the second factor, sessions, tokens.

mod identity;
mod page;
mod password;
mod revoke;
mod second_factor;
mod sessions;
mod token_form;
mod tokens;

pub use identity::ChangeIdentity;
pub use page::{Account, AccountPage, account};
pub use password::ChangePassword;
pub use revoke::RevokeToken;
pub use second_factor::{BeginSecondFactor, FinishSecondFactor, RemoveSecondFactor};
pub use sessions::{EndAllSessions, EndSession};
pub use token_form::CreateToken;
