//! The life of a problem version: draft → in review → approved → superseded.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemState {
    /// Being written.
    Draft,
    /// Waiting for approvals of its digest.
    InReview,
    /// Signed off: runs may be launched.
    Approved,
    /// A later version took its place.
    Superseded,
}

/// A step that the state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a version that is {} cannot {act}", .state.title())]
pub struct TransitionRefused {
    /// Where the version stands.
    pub state: ProblemState,
    /// What was asked.
    pub act: &'static str,
}

impl ProblemState {
    /// The stored word, also `data-state` in pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::InReview => "in_review",
            Self::Approved => "approved",
            Self::Superseded => "superseded",
        }
    }

    /// The word shown to people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Draft => "a draft",
            Self::InReview => "in review",
            Self::Approved => "approved",
            Self::Superseded => "superseded",
        }
    }

    /// Asking for review.
    ///
    /// # Errors
    /// Unless the version is a draft.
    pub const fn submit(self) -> Result<Self, TransitionRefused> {
        match self {
            Self::Draft => Ok(Self::InReview),
            state => Err(TransitionRefused { state, act: "be submitted for review" }),
        }
    }

    /// After an approval: approved once the review is complete. A signed-off version is signed again when its sign-off has
    /// run out.
    ///
    /// # Errors
    /// Unless the version is in review, or approved with its sign-off run out.
    pub const fn approve(self, complete: bool, has_run_out: bool) -> Result<Self, TransitionRefused> {
        match self {
            Self::InReview if complete => Ok(Self::Approved),
            Self::InReview => Ok(Self::InReview),
            Self::Approved if has_run_out => Ok(Self::Approved),
            state => Err(TransitionRefused { state, act: "be approved" }),
        }
    }

    /// Asking the author for changes: back to draft.
    ///
    /// # Errors
    /// Unless the version is in review.
    pub const fn request_changes(self) -> Result<Self, TransitionRefused> {
        match self {
            Self::InReview => Ok(Self::Draft),
            state => Err(TransitionRefused { state, act: "be sent back" }),
        }
    }

    /// Whether runs may be launched on it.
    pub const fn allows_runs(self) -> bool {
        matches!(self, Self::Approved)
    }
}

impl fmt::Display for ProblemState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ProblemState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Draft, Self::InReview, Self::Approved, Self::Superseded]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incomplete_review_leaves_it_in_review() {
        assert_eq!(ProblemState::InReview.approve(false, false), Ok(ProblemState::InReview));
    }

    #[test]
    fn a_draft_cannot_be_approved() {
        let refusal = ProblemState::Draft.approve(true, false).unwrap_err();
        assert_eq!(refusal.to_string(), "a version that is a draft cannot be approved");
    }

    #[test]
    fn a_signed_off_version_is_signed_again_only_when_its_sign_off_ran_out() {
        assert!(ProblemState::Approved.approve(true, false).is_err());
        assert_eq!(ProblemState::Approved.approve(true, true), Ok(ProblemState::Approved));
    }

    #[test]
    fn only_an_approved_version_allows_runs() {
        let allowed = [ProblemState::Draft, ProblemState::InReview, ProblemState::Approved, ProblemState::Superseded]
            .map(ProblemState::allows_runs);
        assert_eq!(allowed, [false, false, true, false]);
    }
}
