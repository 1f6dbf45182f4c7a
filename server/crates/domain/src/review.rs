//! Who may decide on what: an approval binds to a digest, comes from somebody other than the authors, and dies with the
//! digest. The same rules hold for problem versions and model promotions.
//!
//! An approval *stands* while it is of the current digest, was given after changes were last requested, has not run out, and
//! its giver still may review. A review is *complete* when as many approvals stand as are needed and every required role is
//! among their givers.

use chrono::{DateTime, Duration, Utc};

use crate::digest::Digest;
use crate::ids::AccountId;
use crate::policy::Role;
use crate::problem::Span;
use crate::run::ReviewDecision;

/// What completes a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    /// Approvals needed.
    pub needed: u32,
    /// Roles that must be among those who give them.
    pub roles: Vec<Role>,
    /// How long an approval stands.
    pub valid_for: Option<Span>,
}

impl Quorum {
    /// What completes a review that has to satisfy both.
    #[must_use]
    pub fn at_least(mut self, other: &Self) -> Self {
        self.needed = self.needed.max(other.needed);
        self.roles.extend(other.roles.iter().filter(|role| !self.roles.contains(role)).copied().collect::<Vec<_>>());
        self.valid_for = match (self.valid_for, other.valid_for) {
            (Some(own), Some(others)) => Some(if others.seconds() < own.seconds() { others } else { own }),
            (own, others) => own.or(others),
        };
        self
    }
}

/// An approval of the current digest since changes were last requested, by somebody who still may review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Who gave it.
    pub by: AccountId,
    /// Their name.
    pub name: String,
    /// The roles they hold on the problem.
    pub roles: Vec<Role>,
    /// When.
    pub at: DateTime<Utc>,
}

/// What is under review.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The digest that is current now.
    pub digest: Digest,
    /// Who wrote the document (or an open version before it), or launched the run behind the model.
    pub authors: Vec<AccountId>,
    /// Whose account an author made, or whom one gave their roles: a second pair of eyes, but of the same head.
    pub made_by_authors: Vec<AccountId>,
    /// What was approved so far.
    pub approvals: Vec<Approval>,
    /// What completes the review.
    pub quorum: Quorum,
    /// What the data cannot show although the document wants it: approving takes a reason.
    pub unproven: Option<String>,
    /// The present moment.
    pub now: DateTime<Utc>,
}

/// A decision as it comes in.
#[derive(Debug, Clone)]
pub struct Incoming<'a> {
    /// What.
    pub decision: ReviewDecision,
    /// The digest that was looked at.
    pub seen: Digest,
    /// In words.
    pub comment: &'a str,
    /// Why it is approved although the data cannot show the difference that matters.
    pub waiver: Option<&'a str>,
}

/// Where a review stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Approvals that stand.
    pub given: u32,
    /// Required roles that no approval comes from yet.
    pub missing_roles: Vec<Role>,
    /// Whether the review is complete.
    pub complete: bool,
    /// When the first of the approvals runs out.
    pub ends_at: Option<DateTime<Utc>>,
}

/// Why a decision was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReviewRefused {
    /// Who defines or launches does not approve.
    #[error("who wrote or launched it may comment but not decide; ask somebody else to review")]
    OwnWork,
    /// Who defines or launches does not make their own approvers.
    #[error(
        "an author of it made your account or gave you your roles, so you may comment but not approve; another admin, or whoever runs \
         the server, can give you your roles anew"
    )]
    MadeByAuthor,
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
    /// Signing what the data cannot show takes a reason that is kept.
    #[error("{0}; to sign all the same, say why: the reason is kept with your signature")]
    WaiverMissing(String),
}

impl Subject {
    /// The approvals that have not run out.
    pub fn standing(&self) -> impl Iterator<Item = &Approval> {
        self.approvals.iter().filter(|approval| self.end_of(approval).is_none_or(|end| end > self.now))
    }

    fn end_of(&self, approval: &Approval) -> Option<DateTime<Utc>> {
        let seconds = i64::try_from(self.quorum.valid_for?.seconds()).unwrap_or(i64::MAX);
        approval.at.checked_add_signed(Duration::try_seconds(seconds)?)
    }

    /// Where the review stands now.
    pub fn tally(&self) -> Tally {
        let given = u32::try_from(self.standing().count()).unwrap_or(u32::MAX);
        let missing_roles: Vec<Role> = self
            .quorum
            .roles
            .iter()
            .copied()
            .filter(|role| !self.standing().any(|approval| approval.roles.contains(role)))
            .collect();
        let ends_at = self.standing().filter_map(|approval| self.end_of(approval)).min();
        Tally { given, complete: given >= self.quorum.needed && missing_roles.is_empty(), missing_roles, ends_at }
    }

    /// Whether somebody may approve at all, whatever they write beside it.
    ///
    /// # Errors
    /// When the rules refuse it.
    pub fn may_approve(&self, by: AccountId) -> Result<(), ReviewRefused> {
        if self.authors.contains(&by) {
            return Err(ReviewRefused::OwnWork);
        }
        if self.made_by_authors.contains(&by) {
            return Err(ReviewRefused::MadeByAuthor);
        }
        if self.standing().any(|approval| approval.by == by) {
            return Err(ReviewRefused::AlreadyApproved);
        }
        Ok(())
    }

    /// Judges a decision; gives where the review stands after it.
    ///
    /// # Errors
    /// When the rules refuse it.
    pub fn judge(&self, by: AccountId, roles: &[Role], incoming: &Incoming<'_>) -> Result<Tally, ReviewRefused> {
        if incoming.seen != self.digest {
            let (seen, current) = (incoming.seen.short(), self.digest.short());
            return Err(ReviewRefused::StaleDigest { seen, current });
        }
        if incoming.decision != ReviewDecision::Approve && incoming.comment.trim().is_empty() {
            return Err(ReviewRefused::CommentMissing);
        }
        match incoming.decision {
            ReviewDecision::Comment => Ok(self.tally()),
            ReviewDecision::RequestChanges if self.authors.contains(&by) => Err(ReviewRefused::OwnWork),
            ReviewDecision::RequestChanges => Ok(Self { approvals: Vec::new(), ..self.clone() }.tally()),
            ReviewDecision::Approve => {
                self.may_approve(by)?;
                if let Some(unproven) = &self.unproven
                    && incoming.waiver.is_none_or(|waiver| waiver.trim().is_empty())
                {
                    return Err(ReviewRefused::WaiverMissing(unproven.clone()));
                }
                let mut after = self.clone();
                after.approvals.push(Approval { by, name: String::new(), roles: roles.to_vec(), at: self.now });
                Ok(after.tally())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: u32) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + i64::from(day) * 86_400, 0).unwrap()
    }

    fn approval(by: i64, roles: &[Role], day: u32) -> Approval {
        Approval { by: AccountId(by), name: String::new(), roles: roles.to_vec(), at: at(day) }
    }

    fn subject() -> Subject {
        Subject {
            digest: Digest::of("v1"),
            authors: vec![AccountId(1)],
            made_by_authors: vec![AccountId(7)],
            approvals: vec![approval(2, &[Role::MlEngineer], 0)],
            quorum: Quorum { needed: 2, roles: Vec::new(), valid_for: None },
            unproven: None,
            now: at(1),
        }
    }

    fn decide(subject: &Subject, by: i64, decision: ReviewDecision, comment: &str) -> Result<Tally, ReviewRefused> {
        let incoming = Incoming { decision, seen: Digest::of("v1"), comment, waiver: None };
        subject.judge(AccountId(by), &[Role::Stakeholder], &incoming)
    }

    #[test]
    fn nobody_approves_what_the_maker_of_their_account_wrote() {
        assert_eq!(subject().may_approve(AccountId(7)), Err(ReviewRefused::MadeByAuthor));
        assert_eq!(subject().may_approve(AccountId(8)), Ok(()));
    }

    #[test]
    fn the_author_never_approves() {
        assert_eq!(decide(&subject(), 1, ReviewDecision::Approve, ""), Err(ReviewRefused::OwnWork));
    }

    #[test]
    fn the_author_may_comment() {
        assert_eq!(decide(&subject(), 1, ReviewDecision::Comment, "why").map(|tally| tally.given), Ok(1));
    }

    #[test]
    fn an_approval_of_another_digest_is_refused() {
        let seen = Digest::of("v0");
        let incoming = Incoming { decision: ReviewDecision::Approve, seen, comment: "", waiver: None };
        let refused = subject().judge(AccountId(3), &[], &incoming);
        assert!(matches!(refused, Err(ReviewRefused::StaleDigest { .. })));
    }

    #[test]
    fn one_person_approves_once() {
        assert_eq!(decide(&subject(), 2, ReviewDecision::Approve, ""), Err(ReviewRefused::AlreadyApproved));
    }

    #[test]
    fn another_person_completes_it() {
        let tally = decide(&subject(), 3, ReviewDecision::Approve, "").unwrap();
        assert!(tally.given == 2 && tally.complete);
    }

    #[test]
    fn two_quorums_together_ask_for_the_stricter_of_each() {
        let day = |days: u64| Some(Span::of_seconds(days * 86_400));
        let own = Quorum { needed: 1, roles: vec![Role::Stakeholder], valid_for: day(30) };
        let before = Quorum { needed: 3, roles: vec![Role::Stakeholder, Role::OnCall], valid_for: day(7) };
        let both = Quorum { needed: 3, roles: vec![Role::Stakeholder, Role::OnCall], valid_for: day(7) };
        assert_eq!((own.clone().at_least(&before), before.at_least(&own)), (both.clone(), both));
    }

    #[test]
    fn sending_back_needs_a_reason() {
        assert_eq!(decide(&subject(), 3, ReviewDecision::RequestChanges, " "), Err(ReviewRefused::CommentMissing));
    }

    #[test]
    fn enough_approvals_without_a_required_role_do_not_complete_it() {
        let mut subject = subject();
        subject.quorum.needed = 1;
        subject.quorum.roles = vec![Role::Stakeholder];
        assert_eq!(subject.tally().missing_roles, [Role::Stakeholder]);
        assert!(!subject.tally().complete);
        assert!(decide(&subject, 3, ReviewDecision::Approve, "").unwrap().complete);
    }

    #[test]
    fn an_approval_that_ran_out_no_longer_counts_and_may_be_given_again() {
        let mut subject = subject();
        subject.quorum.valid_for = Some(Span::of_seconds(86_400));
        assert_eq!(subject.tally().given, 0);
        assert_eq!(decide(&subject, 2, ReviewDecision::Approve, "").map(|tally| tally.given), Ok(1));
        subject.now = at(0);
        assert_eq!(subject.tally().ends_at, Some(at(1)));
    }

    #[test]
    fn what_the_data_cannot_show_is_signed_with_a_reason_only() {
        let mut subject = subject();
        subject.unproven = Some("60 rows cannot show 0.01".to_owned());
        assert!(matches!(decide(&subject, 3, ReviewDecision::Approve, ""), Err(ReviewRefused::WaiverMissing(_))));
        let waived = Incoming {
            decision: ReviewDecision::Approve,
            seen: Digest::of("v1"),
            comment: "",
            waiver: Some("a pilot: more rows come in spring"),
        };
        assert!(subject.judge(AccountId(3), &[], &waived).is_ok());
    }
}
