//! One review for problem versions and model versions: the same rules, the same record.

use millrace_domain::digest::Digest;
use millrace_domain::fault::Fault;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::review::{ReviewRefused, Subject as Rules};
use millrace_domain::run::ReviewDecision;
use millrace_domain::view::{DecisionView, Permission, ReviewView};
use millrace_storage::Transaction;
use millrace_storage::decision::{self, Decision, Subject};

use crate::{Result, Services, fault};

/// A decision as it came in.
pub(crate) struct Incoming<'a> {
    pub decision: ReviewDecision,
    pub digest: &'a str,
    pub comment: &'a str,
}

impl Incoming<'_> {
    pub(crate) fn seen(&self) -> Result<Digest> {
        self.digest.parse().map_err(|error| Fault::field("/digest", format!("{error}")))
    }
}

impl Services {
    /// Judges a decision by the rules and records it; gives how many approvals the digest has after it. The caller holds a
    /// lock on what is reviewed.
    pub(crate) async fn record_decision(
        &self,
        tx: &Transaction,
        actor: &Actor,
        subject: Subject,
        rules: &Rules,
        incoming: &Incoming<'_>,
    ) -> Result<u32> {
        if incoming.comment.chars().count() > 10_000 {
            return Err(Fault::field("/comment", "must have at most 10,000 characters"));
        }
        let seen = incoming.seen()?;
        let given = rules
            .judge(actor.account, incoming.decision, seen, incoming.comment)
            .map_err(|refused| refusal(&refused))?;
        decision::insert(tx, subject, &seen, actor.account, incoming.decision, incoming.comment.trim(), self.now())
            .await
            .map_err(fault)?;
        Ok(given)
    }
}

fn refusal(refused: &ReviewRefused) -> Fault {
    match refused {
        ReviewRefused::OwnWork => Fault::forbidden("own_work", refused.to_string()),
        ReviewRefused::StaleDigest { .. } => Fault::conflict("stale_digest", refused.to_string()),
        ReviewRefused::AlreadyApproved => Fault::conflict("already_approved", refused.to_string()),
        ReviewRefused::CommentMissing => Fault::field("/comment", refused.to_string()),
    }
}

/// The rules of a subject, given its decisions so far.
pub(crate) fn rules(
    digest: Digest,
    author: millrace_domain::ids::AccountId,
    needed: u32,
    decisions: &[Decision],
) -> Rules {
    Rules { digest, authors: vec![author], approved_by: decision::standing_approvals(decisions, &digest), needed }
}

/// The review as a reader sees it; `open` is whether decisions are asked for now.
pub(crate) fn present(
    actor: &Actor,
    action: Action,
    rules: &Rules,
    decisions: Vec<Decision>,
    open: std::result::Result<(), String>,
) -> ReviewView {
    let may_decide = actor.may(action).map_err(|refused| refused.to_string()).and(open).and_then(|()| {
        rules
            .judge(actor.account, ReviewDecision::Approve, rules.digest, "")
            .map(|_| ())
            .map_err(|refused| refused.to_string())
    });
    ReviewView {
        given: u32::try_from(rules.approved_by.len()).unwrap_or(u32::MAX),
        needed: rules.needed,
        decisions: decisions
            .into_iter()
            .map(|decision| DecisionView {
                by: decision.account_name,
                decision: decision.decision.as_str().to_owned(),
                comment: decision.comment,
                digest: decision.digest.to_string(),
                at: decision.decided_at,
            })
            .collect(),
        may_decide: Permission::from_result(may_decide),
    }
}
