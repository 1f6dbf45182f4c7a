//! The audit trail.

mod page;

pub use page::{Audit, AuditPage};
