//! People: who has an account, what the roles may do, and changes to both by an admin.

mod acts;
mod invite;
mod matrix;
mod page;
mod roles;

pub use acts::ActOnPerson;
pub use invite::InvitePerson;
pub use page::{ListPeople, PeoplePage};
pub use roles::SetRoles;
