//! The own account and its tokens.

mod page;
mod revoke;
mod token_form;

pub use page::{Account, AccountPage};
pub use revoke::RevokeToken;
pub use token_form::CreateToken;
