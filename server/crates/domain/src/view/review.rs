//! Reviews, and what a reader may do.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::run::ReviewDecision;

views! {
    /// A decision of a review.
    DecisionView {
        /// Who.
        by: String,
        /// `approve`, `request_changes` or `comment`.
        decision: String,
        /// In their words.
        comment: String,
        /// Digest decided on.
        digest: String,
        /// When.
        at: DateTime<Utc>,
        /// Why it was signed although the data cannot show the difference that matters.
        waiver: Option<String>,
        /// What the page showed them.
        shown: Option<Value>,
        /// Whether an approval counts now: of the current digest, not run out, by somebody who still may review.
        stands: bool,
    }

    /// A role that must be among those who approve.
    RequiredRole {
        /// Role word.
        role: String,
        /// Name of somebody with it whose approval stands.
        given_by: Option<String>,
    }

    /// An approval of an earlier version, which does not count for this one.
    DroppedApproval {
        /// Who gave it.
        by: String,
        /// Of which version.
        version: i32,
        /// When.
        at: DateTime<Utc>,
    }

    /// What a person may do on an object now: `refusal` says why not.
    Permission {
        /// Whether it is allowed.
        allowed: bool,
        /// The reason if it is not.
        refusal: Option<String>,
    }

    /// Where a review stands.
    ReviewView {
        /// Whether decisions are asked for.
        is_open: bool,
        /// Approvals the digest has.
        given: u32,
        /// Approvals it needs.
        needed: u32,
        /// Whether as many stand as are needed, every required role among them.
        complete: bool,
        /// Roles that must be among those who approve.
        roles: Vec<RequiredRole>,
        /// When the first approval of a complete review runs out.
        ends_at: Option<DateTime<Utc>>,
        /// How long an approval stands, for example `180d`.
        valid_for: Option<String>,
        /// Names of those who could still approve, while it is open.
        waiting_for: Vec<String>,
        /// What the data cannot show although the document wants it: approving takes a reason.
        unproven: Option<String>,
        /// Approvals of earlier versions, which do not count for this one.
        dropped: Vec<DroppedApproval>,
        /// All decisions, oldest first.
        decisions: Vec<DecisionView>,
        /// Whether the reader may approve or request changes.
        may_decide: Permission,
        /// Whether the reader may comment.
        may_comment: Permission,
    }

    /// A field that differs between two versions.
    FieldChange {
        /// JSON pointer.
        pointer: String,
        /// Value before, as JSON; none when the field is new.
        before: Option<Value>,
        /// Value after, as JSON; none when the field is gone.
        after: Option<Value>,
    }
}

/// A decision of a review, as it comes in at every door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DecisionRequest {
    /// `approve`, `request_changes` or `comment`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub decision: ReviewDecision,
    /// Digest that was looked at.
    pub digest: String,
    /// In words; needed to request changes and to comment.
    #[serde(default)]
    pub comment: String,
    /// Why it is approved although the data cannot show the difference that matters; needed then.
    #[serde(default)]
    pub waiver: String,
}

impl Permission {
    /// Allowed.
    pub const fn granted() -> Self {
        Self { allowed: true, refusal: None }
    }

    /// Not allowed, for this reason.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self { allowed: false, refusal: Some(reason.into()) }
    }

    /// From a rule's answer.
    pub fn from_result<E: std::fmt::Display>(result: Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::granted(),
            Err(refusal) => Self::refused(refusal.to_string()),
        }
    }
}
