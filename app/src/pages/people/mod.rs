//! People: who has an account, what the roles may do, and changes to both by an admin.

mod add;
mod disable;
mod matrix;
mod page;
mod roles;

pub use add::AddPerson;
pub use disable::DisablePerson;
pub use page::{ListPeople, PeoplePage};
pub use roles::SetRoles;
