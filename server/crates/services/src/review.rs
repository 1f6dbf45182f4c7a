//! One review for problem versions and model versions: the same rules, the same record.

use millrace_domain::digest::Digest;
use millrace_domain::fault::Fault;
use millrace_domain::ids::AccountId;
use millrace_domain::policy::{Action, Actor, Grant, Role};
use millrace_domain::problem::Mistake;
use millrace_domain::review::{Approval, Incoming, Quorum, ReviewRefused, Subject as Rules, Tally};
use millrace_domain::run::ReviewDecision;
use millrace_domain::view::{DecisionRequest, DecisionView, Permission, RequiredRole, ReviewView};
use millrace_storage::decision::{self, Decision, NewDecision, Subject};
use millrace_storage::{Connection, Transaction, account};
use serde_json::Value;

use crate::{Result, Services, fault};

/// What is reviewed, and what the rules need to know of it.
pub(crate) struct Reviewed<'a> {
    pub subject: Subject,
    /// Slug of the problem it belongs to.
    pub problem: &'a str,
    pub action: Action,
    pub digest: Digest,
    pub authors: Vec<AccountId>,
    pub quorum: Quorum,
    pub unproven: Option<String>,
}

/// A review so far.
pub(crate) struct Review {
    pub rules: Rules,
    pub decisions: Vec<Decision>,
}

impl Services {
    /// The rules of what is reviewed, and the decisions on it so far.
    pub(crate) async fn review(&self, db: &impl Connection, reviewed: &Reviewed<'_>) -> Result<Review> {
        let decisions = decision::list(db, reviewed.subject).await.map_err(fault)?;
        let mut made_by_authors = Vec::new();
        for author in &reviewed.authors {
            made_by_authors.extend(account::bound_to(db, *author, self.settings.approvers_apart).await.map_err(fault)?);
        }
        let rules = Rules {
            digest: reviewed.digest,
            made_by_authors,
            authors: reviewed.authors.clone(),
            approvals: standing(&decisions, reviewed),
            quorum: reviewed.quorum.clone(),
            unproven: reviewed.unproven.clone(),
            now: self.now(),
        };
        Ok(Review { rules, decisions })
    }

    /// Judges a decision by the rules and records it with what the page showed; gives where the review stands after it. The
    /// caller holds a lock on what is reviewed.
    pub(crate) async fn record_decision(
        &self,
        tx: &Transaction,
        actor: &Actor,
        reviewed: &Reviewed<'_>,
        request: &DecisionRequest,
        shown: Value,
    ) -> Result<Tally> {
        for (pointer, text) in [("/comment", &request.comment), ("/waiver", &request.waiver)] {
            if text.chars().count() > 10_000 || text.contains('\0') {
                return Err(Fault::field(pointer, "must have at most 10,000 characters, and no NUL"));
            }
        }
        let seen: Digest = request.digest.parse().map_err(|error| Fault::field("/digest", format!("{error}")))?;
        let waiver = Some(request.waiver.trim()).filter(|waiver| !waiver.is_empty());
        let review = self.review(tx, reviewed).await?;
        let held = account::hold(tx, actor.account).await.map_err(fault)?.map(|held| held.grants).unwrap_or_default();
        let roles = roles_on(&held, reviewed.problem);
        let incoming = Incoming { decision: request.decision, seen, comment: &request.comment, waiver };
        let tally = review.rules.judge(actor.account, &roles, &incoming).map_err(|refused| refusal(&refused))?;
        // A reason is kept only where the data could not show what is signed.
        let waiver = waiver.filter(|_| reviewed.unproven.is_some() && request.decision == ReviewDecision::Approve);
        let comment = request.comment.trim();
        let (digest, account, name, decision) = (seen, actor.account, &actor.name, request.decision);
        let new = NewDecision { digest, account, name, decision, comment, shown, waiver };
        decision::insert(tx, reviewed.subject, new, self.now()).await.map_err(fault)?;
        Ok(tally)
    }

    /// The names of those who could still approve.
    pub(crate) async fn reviewers(
        &self,
        db: &impl Connection,
        reviewed: &Reviewed<'_>,
        rules: &Rules,
    ) -> Result<Vec<millrace_storage::account::Account>> {
        let roles: Vec<&str> = reviewed.action.roles().iter().map(|role| role.as_str()).collect();
        let may = account::list_with_role(db, &roles, reviewed.problem).await.map_err(fault)?;
        Ok(may.into_iter().filter(|person| rules.may_approve(person.id).is_ok()).collect())
    }

    /// The review as a reader sees it; `open` is whether decisions are asked for now.
    pub(crate) async fn present_review(
        &self,
        actor: &Actor,
        reviewed: &Reviewed<'_>,
        review: Review,
        open: std::result::Result<(), String>,
    ) -> Result<ReviewView> {
        let Review { rules, decisions } = review;
        let tally = rules.tally();
        let is_open = open.is_ok();
        let waiting_for = match is_open && !tally.complete {
            true => {
                self.reviewers(self.db.pool(), reviewed, &rules).await?.into_iter().map(|person| person.name).collect()
            }
            false => Vec::new(),
        };
        let may = actor.may_on(reviewed.action, reviewed.problem).map_err(|refused| refused.to_string());
        let may_decide = may
            .clone()
            .and(open)
            .and_then(|()| rules.may_approve(actor.account).map_err(|refused| refused.to_string()));
        Ok(ReviewView {
            is_open,
            given: tally.given,
            needed: rules.quorum.needed,
            complete: tally.complete,
            roles: required_roles(&rules),
            ends_at: tally.ends_at.filter(|_| tally.complete),
            valid_for: rules.quorum.valid_for.map(|span| span.to_string()),
            waiting_for,
            unproven: rules.unproven.clone(),
            dropped: Vec::new(),
            decisions: decisions.into_iter().map(|decision| present_decision(decision, &rules)).collect(),
            may_decide: Permission::from_result(may_decide),
            may_comment: Permission::from_result(may),
        })
    }
}

/// The approvals that stand: of this digest, given since changes were last requested, by somebody who still may review.
fn standing(decisions: &[Decision], reviewed: &Reviewed<'_>) -> Vec<Approval> {
    let since = decisions
        .iter()
        .rposition(|decision| decision.decision == ReviewDecision::RequestChanges)
        .map_or(0, |position| position + 1);
    let mut standing: Vec<Approval> = Vec::new();
    for decision in &decisions[since..] {
        let counts = decision.decision == ReviewDecision::Approve
            && decision.digest == reviewed.digest
            && !decision.disabled
            && may_review(&decision.grants, reviewed);
        if counts {
            // Given again after it ran out: the newest counts.
            standing.retain(|approval| approval.by != decision.account);
            standing.push(Approval {
                by: decision.account,
                name: decision.account_name.clone(),
                roles: roles_on(&decision.grants, reviewed.problem),
                at: decision.decided_at,
            });
        }
    }
    standing
}

fn may_review(grants: &[Grant], reviewed: &Reviewed<'_>) -> bool {
    roles_on(grants, reviewed.problem).iter().any(|role| reviewed.action.roles().contains(role))
}

/// The roles that hold on a problem.
fn roles_on(grants: &[Grant], problem: &str) -> Vec<Role> {
    grants.iter().filter(|grant| grant.holds_on(problem)).map(|grant| grant.role).collect()
}

fn required_roles(rules: &Rules) -> Vec<RequiredRole> {
    let giver = |role: Role| rules.standing().find(|approval| approval.roles.contains(&role));
    rules
        .quorum
        .roles
        .iter()
        .map(|role| RequiredRole {
            role: role.as_str().to_owned(),
            given_by: giver(*role).map(|approval| approval.name.clone()),
        })
        .collect()
}

fn present_decision(decision: Decision, rules: &Rules) -> DecisionView {
    let stands = decision.decision != ReviewDecision::Approve
        || rules.standing().any(|approval| approval.by == decision.account && approval.at == decision.decided_at);
    DecisionView {
        by: decision.account_name,
        decision: decision.decision.as_str().to_owned(),
        comment: decision.comment,
        digest: decision.digest.to_string(),
        at: decision.decided_at,
        waiver: decision.waiver,
        shown: decision.shown,
        stands,
    }
}

fn refusal(refused: &ReviewRefused) -> Fault {
    match refused {
        ReviewRefused::OwnWork => Fault::forbidden("own_work", refused.to_string()),
        ReviewRefused::MadeByAuthor => Fault::forbidden("made_by_author", refused.to_string()),
        ReviewRefused::StaleDigest { .. } => Fault::conflict("stale_digest", refused.to_string()),
        ReviewRefused::AlreadyApproved => Fault::conflict("already_approved", refused.to_string()),
        ReviewRefused::CommentMissing => sentence_about("/comment", refused),
        ReviewRefused::WaiverMissing(_) => {
            Fault { code: "waiver_needed".to_owned(), ..sentence_about("/waiver", refused) }
        }
    }
}

/// A refusal that is a sentence by itself, at its field.
fn sentence_about(pointer: &str, refused: &ReviewRefused) -> Fault {
    let message = refused.to_string();
    Fault::invalid(message.clone(), vec![Mistake { pointer: pointer.to_owned(), message }])
}

/// Who closed a review and when, for whoever comes too late.
pub(crate) fn closed_by(decisions: &[Decision]) -> String {
    let closing = decisions.iter().rev().find(|decision| decision.decision != ReviewDecision::Comment);
    closing.map_or_else(String::new, |decision| {
        let did = match decision.decision {
            ReviewDecision::RequestChanges => "requested changes",
            _ => "approved it",
        };
        format!("; {} {did} on {}", decision.account_name, decision.decided_at.format("%Y-%m-%d at %H:%M:%S UTC"))
    })
}
