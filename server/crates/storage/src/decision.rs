//! Review decisions on problem and model versions; append-only.

use chrono::{DateTime, Utc};
use millrace_domain::Digest;
use millrace_domain::ids::AccountId;
use millrace_domain::policy::Grant;
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
    /// What the page showed them.
    pub shown: Option<serde_json::Value>,
    /// Why they signed although the data cannot show the difference that matters.
    pub waiver: Option<String>,
    /// When.
    pub decided_at: DateTime<Utc>,
    /// Their roles, and where they hold, as they are now.
    pub grants: Vec<Grant>,
    /// Whether they may sign in now.
    pub disabled: bool,
}

impl Record for Decision {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            account: AccountId(row.get("account_id")?),
            account_name: row.get("decided_as")?,
            digest: row.digest("digest")?,
            decision: row.word("decision")?,
            comment: row.get("comment")?,
            shown: row.get("shown")?,
            waiver: row.get("waiver")?,
            decided_at: row.get("decided_at")?,
            grants: row.json::<Vec<String>>("grants")?.iter().filter_map(|grant| grant.parse().ok()).collect(),
            disabled: row.get("disabled")?,
        })
    }
}

/// A decision to be recorded.
#[derive(Debug, Clone)]
pub struct NewDecision<'a> {
    /// On which digest.
    pub digest: Digest,
    /// Who.
    pub account: AccountId,
    /// Under which name.
    pub name: &'a str,
    /// What.
    pub decision: ReviewDecision,
    /// In their words.
    pub comment: &'a str,
    /// What the page showed them.
    pub shown: serde_json::Value,
    /// Why they sign although the data cannot show the difference that matters.
    pub waiver: Option<&'a str>,
}

/// Records a decision.
///
/// # Errors
/// When the database fails.
pub async fn insert(db: &impl Connection, subject: Subject, new: NewDecision<'_>, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "insert into decision
            (subject_kind, subject_id, digest, account_id, decision, comment, decided_at, shown, waiver, account_name)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let stored = values![
        subject.kind(),
        subject.id(),
        record::bytes(&new.digest),
        new.account.0,
        new.decision.as_str(),
        new.comment,
        now,
        new.shown,
        new.waiver.map(str::to_owned),
        new.name
    ];
    record::execute(db, SQL, stored).await.map(|_| ())
}

/// All decisions on a subject, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &impl Connection, subject: Subject) -> Result<Vec<Decision>> {
    const SQL: &str =
        "select d.*, coalesce(d.account_name, a.name) as decided_as, a.disabled_at is not null as disabled,
            coalesce((select jsonb_agg(r.role || coalesce(':' || p.slug, ''))
                from account_role r left join problem p on p.id = r.problem_id
                where r.account_id = a.id), '[]') as grants
        from decision d join account a on a.id = d.account_id
        where d.subject_kind = $1 and d.subject_id = $2 order by d.id limit 1000";
    record::all(db, SQL, values![subject.kind(), subject.id()]).await
}
