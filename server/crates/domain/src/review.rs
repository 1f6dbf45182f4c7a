//! Who may decide on what: an approval binds to a digest, comes from somebody other than the author, and dies with the
//! digest. The same rules hold for problem versions and model promotions.

use crate::digest::Digest;
use crate::ids::AccountId;
use crate::run::ReviewDecision;

/// What is under review.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The digest that is current now.
    pub digest: Digest,
    /// Who wrote the document, or launched the run behind the model.
    pub authors: Vec<AccountId>,
    /// Who has approved this digest already.
    pub approved_by: Vec<AccountId>,
    /// Approvals needed.
    pub needed: u32,
}

/// Why a decision was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReviewRefused {
    /// Who defines or launches does not approve.
    #[error("who wrote or launched it may comment but not decide; ask somebody else to review")]
    OwnWork,
    /// The decision was made on another digest than the current one.
    #[error(
        "it has changed since you looked: you decided on {seen}, current is {current}; read it again and decide on that"
    )]
    StaleDigest {
        /// Short form of the digest decided on.
        seen: String,
        /// Short form of the current digest.
        current: String,
    },
    /// One person, one approval.
    #[error("you have approved this digest already")]
    AlreadyApproved,
    /// Sending back needs a reason.
    #[error("say in a comment what should change")]
    CommentMissing,
}

impl Subject {
    /// Judges a decision; gives the number of approvals the digest has after it.
    ///
    /// # Errors
    /// When the rules refuse it.
    pub fn judge(
        &self,
        by: AccountId,
        decision: ReviewDecision,
        seen: Digest,
        comment: &str,
    ) -> Result<u32, ReviewRefused> {
        let given = u32::try_from(self.approved_by.len()).unwrap_or(u32::MAX);
        if seen != self.digest {
            return Err(ReviewRefused::StaleDigest { seen: seen.short(), current: self.digest.short() });
        }
        if decision != ReviewDecision::Approve && comment.trim().is_empty() {
            return Err(ReviewRefused::CommentMissing);
        }
        match decision {
            ReviewDecision::Comment => Ok(given),
            _ if self.authors.contains(&by) => Err(ReviewRefused::OwnWork),
            ReviewDecision::RequestChanges => Ok(given),
            ReviewDecision::Approve if self.approved_by.contains(&by) => Err(ReviewRefused::AlreadyApproved),
            ReviewDecision::Approve => Ok(given + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        Subject { digest: Digest::of("v1"), authors: vec![AccountId(1)], approved_by: vec![AccountId(2)], needed: 2 }
    }

    #[test]
    fn the_author_never_approves() {
        let refused = subject().judge(AccountId(1), ReviewDecision::Approve, Digest::of("v1"), "");
        assert_eq!(refused, Err(ReviewRefused::OwnWork));
    }

    #[test]
    fn the_author_may_comment() {
        let accepted = subject().judge(AccountId(1), ReviewDecision::Comment, Digest::of("v1"), "why");
        assert_eq!(accepted, Ok(1));
    }

    #[test]
    fn an_approval_of_another_digest_is_refused() {
        let refused = subject().judge(AccountId(3), ReviewDecision::Approve, Digest::of("v0"), "");
        assert!(matches!(refused, Err(ReviewRefused::StaleDigest { .. })));
    }

    #[test]
    fn one_person_approves_once() {
        let refused = subject().judge(AccountId(2), ReviewDecision::Approve, Digest::of("v1"), "");
        assert_eq!(refused, Err(ReviewRefused::AlreadyApproved));
    }

    #[test]
    fn another_person_adds_an_approval() {
        assert_eq!(subject().judge(AccountId(3), ReviewDecision::Approve, Digest::of("v1"), ""), Ok(2));
    }

    #[test]
    fn sending_back_needs_a_reason() {
        let refused = subject().judge(AccountId(3), ReviewDecision::RequestChanges, Digest::of("v1"), " ");
        assert_eq!(refused, Err(ReviewRefused::CommentMissing));
    }
}
