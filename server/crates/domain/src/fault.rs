//! What went wrong, as any door tells it: the thing, the rule and the way out; never a raw driver error.

use serde::{Deserialize, Serialize};

use crate::problem::Mistake;

/// A refusal or failure that may be shown to the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[error("{detail}")]
pub struct Fault {
    /// HTTP status.
    pub status: u16,
    /// Stable word for programs, for example `problem_not_signed_off`.
    pub code: String,
    /// The kind of fault in a few words.
    pub title: String,
    /// What happened here and what to do.
    pub detail: String,
    /// Mistakes in single fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Mistake>,
}

impl Fault {
    /// A fault without field mistakes.
    pub fn new(status: u16, code: &str, title: &str, detail: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), title: title.to_owned(), detail: detail.into(), errors: Vec::new() }
    }

    /// Nothing of that kind exists under that name, or the caller may not know that it does.
    pub fn not_found(thing: &str) -> Self {
        Self::new(
            404,
            "not_found",
            "Not found",
            format!("there is no such {thing}; it may have another name or number"),
        )
    }

    /// The caller is not recognised.
    pub fn unauthenticated() -> Self {
        Self::new(401, "unauthenticated", "Sign in", "sign in, or send a token in the Authorization header")
    }

    /// Fields that break rules.
    pub fn invalid(detail: impl Into<String>, errors: Vec<Mistake>) -> Self {
        Self { errors, ..Self::new(400, "invalid", "Not valid", detail) }
    }

    /// One field that breaks a rule.
    pub fn field(pointer: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let detail = format!("{} {message}", pointer.trim_start_matches('/'));
        Self::invalid(detail, vec![Mistake { pointer: pointer.to_owned(), message }])
    }

    /// The state of things does not allow it.
    pub fn conflict(code: &str, detail: impl Into<String>) -> Self {
        Self::new(409, code, "Not possible now", detail)
    }

    /// The rules do not allow it to this caller.
    pub fn forbidden(code: &str, detail: impl Into<String>) -> Self {
        Self::new(403, code, "Not allowed", detail)
    }
}
