//! Review decisions on problem and model versions; append-only.

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::ids::AccountId;
use millrace_domain::run::ReviewDecision;

use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// What a decision is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A problem version.
    Problem(i64),
    /// A model version.
    Model(i64),
}

impl Subject {
    const fn kind(self) -> &'static str {
        match self {
            Self::Problem(_) => "problem",
            Self::Model(_) => "model",
        }
    }

    const fn id(self) -> i64 {
        match self {
            Self::Problem(id) | Self::Model(id) => id,
        }
    }
}

/// One decision.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Who.
    pub account: AccountId,
    /// Their name.
    pub account_name: String,
    /// On which digest.
    pub digest: Digest,
    /// What.
    pub decision: ReviewDecision,
    /// In their words.
    pub comment: String,
    /// When.
    pub decided_at: DateTime<Utc>,
}

impl Record for Decision {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            account: AccountId(row.get("account_id")?),
            account_name: row.get("account_name")?,
            digest: row.digest("digest")?,
            decision: row.word("decision")?,
            comment: row.get("comment")?,
            decided_at: row.get("decided_at")?,
        })
    }
}

/// Records a decision.
///
/// # Errors
/// [`crate::StorageError::Duplicate`] for a second approval of one digest by one person.
pub async fn insert(
    db: &impl Connection,
    subject: Subject,
    digest: &Digest,
    account: AccountId,
    decision: ReviewDecision,
    comment: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str =
        "insert into decision (subject_kind, subject_id, digest, account_id, decision, comment, decided_at)
        values ($1, $2, $3, $4, $5, $6, $7)";
    let stored =
        values![subject.kind(), subject.id(), record::bytes(digest), account.0, decision.as_str(), comment, now];
    record::execute(db, SQL, stored).await.map(|_| ())
}

/// All decisions on a subject, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &impl Connection, subject: Subject) -> Result<Vec<Decision>> {
    const SQL: &str = "select d.*, a.name as account_name from decision d join account a on a.id = d.account_id
        where d.subject_kind = $1 and d.subject_id = $2 order by d.id limit 1000";
    record::all(db, SQL, values![subject.kind(), subject.id()]).await
}

/// The approvals that stand: of this digest, given since changes were last requested.
pub fn standing_approvals(decisions: &[Decision], digest: &Digest) -> Vec<AccountId> {
    let since = decisions
        .iter()
        .rposition(|decision| decision.decision == ReviewDecision::RequestChanges)
        .map_or(0, |position| position + 1);
    decisions[since..]
        .iter()
        .filter(|decision| decision.decision == ReviewDecision::Approve && decision.digest == *digest)
        .map(|decision| decision.account)
        .collect()
}
